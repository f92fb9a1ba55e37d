#!/usr/bin/env python3
"""
Sizes. The aims are files near 400 lines and functions near 15, rarely past 50; this check stops what
has left them behind: 600 lines a file, 70 a function. A suite of one source's tests may reach 800, for it is
many short cases beside each other. Tables of known answers under tests/vectors are exempt.
"""

import _arch
import csource

FILE_MAX = 600
SUITE_MAX = 800
FUNCTION_MAX = 70


def check(root, path):
	name = csource.shown(root, path)
	source = csource.Source(path)
	lines = len(source.lines) - 1
	most = SUITE_MAX if path.name.startswith("test_") else FILE_MAX
	if lines > most:
		yield f"{name}: {lines} lines, want at most {most}"
	for f in source.functions():
		if f.lines > FUNCTION_MAX:
			yield f"{name}:{f.first}: {f.name} has {f.lines} lines, want at most {FUNCTION_MAX}"


def main():
	_, root = _arch.arguments()
	faults = []
	for path in csource.files(root, ["src", "tests", "fuzz", "bench"], (".c", ".h", ".def")):
		if "vectors" not in path.parts:
			faults += check(root, path)
	_arch.finish("sizes", faults)


main()
