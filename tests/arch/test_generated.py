#!/usr/bin/env python3
"""docs/errors.md, docs/conformance.md and the pages of docs/man say what the source says."""

import subprocess
import sys

import _arch


def main():
	_, root = _arch.arguments()
	faults = []
	for script in ("errors.py", "conformance.py", "man3.py"):
		run = subprocess.run([sys.executable, "-B", str(_arch.HERE.parent.parent / "scripts" / script), "--check", str(root)],
			capture_output=True, text=True, check=False)
		if run.returncode:
			faults += [line for line in run.stderr.split("\n") if line]
	_arch.finish("generated pages", faults)


main()
