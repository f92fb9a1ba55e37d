#!/usr/bin/env python3
"""docs/errors.md from src/base/codes/*.def. --check: only say whether the page is current."""

import sys

import catalogue
import page

KINDS = {
	"ERR_SYNTAX": "what was sent or written cannot be read",
	"ERR_UNSUPPORTED": "understood, but not offered here",
	"ERR_UNAUTHENTICATED": "who it is was not shown",
	"ERR_FORBIDDEN": "known who it is, and not allowed",
	"ERR_NOT_FOUND": "no such thing",
	"ERR_CONFLICT": "it clashes with what is there",
	"ERR_LIMIT": "larger, longer or more often than accepted",
	"ERR_EXPIRED": "its time is over, or has not begun",
	"ERR_PENDING": "not ready yet; ask again later",
	"ERR_NOMEM": "this machine: memory",
	"ERR_SYSTEM": "this machine: the operating system",
	"ERR_CRYPTO": "this machine: the crypto library",
	"ERR_STORE": "this machine: the store",
	"ERR_BUG": "a fault in OpenMEF",
}

HEAD = """# Error catalogue

Every failure that OpenMEF tells a person, in a log line, a response body or on a terminal, carries
one of these codes. The line reads `OMEF-<number>: <what failed>: <field: want A, have B> (<clause>). Next:
<what to do>`. Numbers stay what they are; a code that is no longer raised keeps its number free.

This page is made by `make docs` from `src/base/codes/`.
"""


def render(root):
	areas, faults = catalogue.read(root)
	out = [HEAD]
	for area in areas:
		out.append(f"## {area.first}-{area.last}: {area.what}\n")
		if not area.rows:
			out.append("None yet.\n")
		for row in sorted(area.rows, key=lambda r: r.number):
			kind = KINDS.get(row.kind, row.kind)
			out.append(f'### <a id="omef-{row.number}"></a>OMEF-{row.number} {row.symbol}\n')
			out.append(f"{row.title}.\n")
			out.append(f"- kind: {row.kind.removeprefix('ERR_')}, {kind}")
			out.append(f"- what to do: {row.next}\n")
	return "\n".join(out).rstrip() + "\n", faults


if __name__ == "__main__":
	sys.exit(page.main("docs/errors.md", render))
