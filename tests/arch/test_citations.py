#!/usr/bin/env python3
"""Every citation has the one form that docs/conformance.md is made from (scripts/citations.py)."""

import _arch
import citations


def main():
	_, root = _arch.arguments()
	found, faults = citations.read(root, ["src", "tests", "fuzz"])
	if not found:
		faults.append("no citation found at all")
	_arch.finish("citations", faults)


main()
