#!/usr/bin/env python3
"""Error codes: unique, within their area's hundred, raised somewhere, told well, and in docs/errors.md."""

import re

import _arch
import catalogue
import csource

KIND = re.compile(r"^\s*(ERR_\w+),", re.M)


def row_faults(area, row, kinds):
	at = f"{area.path}:{row.line}: {row.symbol}"
	if not area.first <= row.number <= area.last:
		yield f"{at}: {row.number} is outside {area.first}-{area.last}"
	if row.kind not in kinds:
		yield f"{at}: unknown kind {row.kind}"
	if row.title.endswith(".") or not row.title[:1].isupper():
		yield f"{at}: want a title that begins with a capital and has no full stop"
	if not row.next.endswith((".", "!", "Z")) or len(row.next) < 10:
		yield f"{at}: want one or two whole sentences on what to do"


def raised(root):
	names = set()
	for path in csource.files(root, ["src"], (".c", ".h")):
		bare = csource.Source(path).bare(strings=True)
		names |= set(re.findall(r"\bCODE_([A-Z]\w*)", bare))
		# a code may also reach WHY through a macro or a table of its file
		names |= set(re.findall(r"(?:[(,{?:]|\breturn)\s*([A-Z][A-Z0-9_]+)\b", bare))
	return names


def main():
	_, root = _arch.arguments()
	areas, faults = catalogue.read(root)
	kinds = set(KIND.findall((root / "src/base/why.h").read_text()))
	page = (root / "docs/errors.md").read_text() if (root / "docs/errors.md").is_file() else ""
	used = raised(root)
	numbers, symbols = {}, {}
	for before, after in zip(areas, areas[1:]):
		if after.first <= before.last:
			faults.append(f"{after.path}: its range overlaps that of {before.path}")
	for area in areas:
		for row in area.rows:
			faults += row_faults(area, row, kinds)
			for seen, key in ((numbers, row.number), (symbols, row.symbol)):
				if key in seen:
					faults.append(f"{area.path}:{row.line}: {key} is taken by {seen[key]}")
				seen[key] = f"{area.path}:{row.line}"
			if row.symbol not in used:
				faults.append(f"{area.path}:{row.line}: {row.symbol} is never raised")
			if f"OMEF-{row.number} {row.symbol}" not in page:
				faults.append(f"docs/errors.md: no entry for OMEF-{row.number} {row.symbol}")
	if not numbers:
		faults.append("no codes found")
	_arch.finish("codes", faults)


main()
