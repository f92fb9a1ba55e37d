#!/usr/bin/env python3
"""Prints what gcc -fanalyzer found (tidy_known.py LOG) without what scripts/tidy.known explains."""

import pathlib
import re
import sys

FUNCTION = re.compile(r"^(\S+?): In function [‘']([^’']+)[’']")
FINDING = re.compile(r"^(\S+?):(\d+):\d+: (?:warning|error): (.*)$")
FLAG = re.compile(r"\[(-W[\w-]+?)=?\]$")


def known():
	path = pathlib.Path(__file__).parent / "tidy.known"
	lines = (line.split("#")[0].strip() for line in path.read_text().split("\n"))
	return {line for line in lines if line}


def main():
	explained = known()
	function = ""
	bad = 0
	for line in pathlib.Path(sys.argv[1]).read_text(encoding="utf-8").split("\n"):
		m = FUNCTION.match(line)
		if m:
			function = m.group(2)
		m = FINDING.match(line)
		if not m:
			continue
		flag = FLAG.search(m.group(3))
		if f"{m.group(1)}:{function}:{flag.group(1) if flag else ''}" in explained:
			continue
		print(line)
		bad += 1
	return 1 if bad else 0


if __name__ == "__main__":
	sys.exit(main())
