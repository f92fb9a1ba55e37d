#!/usr/bin/env python3
"""Every header compiles alone, and says so with #pragma once."""

import concurrent.futures
import os
import re
import subprocess

import _arch
import csource

FLAGS = ["-std=c17", "-fsyntax-only", "-D_DEFAULT_SOURCE", "-DOPENSSL_API_COMPAT=30000", "-DOPENSSL_NO_DEPRECATED",
	'-DOMEF_VERSION="0"', "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]


def check(root, path):
	name = str(path.relative_to(root / "src"))
	source = csource.Source(path)
	faults = []
	first = next((line for line in source.bare().split("\n") if line.strip()), "")
	if not re.match(r"#\s*pragma\s+once\b", first):
		faults.append(f"src/{name}:1: want '#pragma once' before anything else")
	run = subprocess.run([os.environ.get("CC", "gcc"), *FLAGS, "-I", str(root / "src"), "-x", "c", "-"],
		input=f'#include "{name}"\n#include "{name}"\n', capture_output=True, text=True, check=False)
	if run.returncode:
		reason = next((line for line in run.stderr.split("\n") if "error" in line), run.stderr[:200])
		faults.append(f"src/{name}: does not compile alone: {reason}")
	return faults


def main():
	_, root = _arch.arguments()
	headers = csource.files(root, ["src"], (".h",))
	with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
		faults = [f for found in pool.map(lambda p: check(root, p), headers) for f in found]
	if not headers:
		faults.append("no headers found")
	_arch.finish("headers alone", faults)


main()
