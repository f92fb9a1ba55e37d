#!/usr/bin/env python3
"""docs/conformance.md from docs/requirements and from the citations in src/, tests/ and fuzz/. --check: only say whether it is current."""

import collections
import re
import sys

import catalogue
import citations
import page
import requirements

HEAD = """# Conformance

Which clause of which document is obeyed where, and which test would notice if it were not. Rules stand in
our own words, as the comment at the place of the code says them; codes are those of
[errors.md](errors.md). `seed NNN` are the oneM2M contributions on certificate
enrolment that became clauses of TS-0003.

This page is made by `make docs` from the citations in the source. Before them stands, requirement by requirement,
what RFC 7030, 8951 and 9908 demand (`docs/requirements`).
"""


def natural(text):
	return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d+)", text) if p]


def cell(parts):
	return "<br>".join(p.replace("|", "\\|") for p in parts)


def unique(items):
	return list(dict.fromkeys(i for i in items if i))


def place(c):
	name = f"`{c.path}`"
	return f"{name} {c.place}" if c.place else name


def is_test(c):
	return c.path.startswith(("tests/", "fuzz/"))


def row(clause, group, numbers):
	code = [c for c in group if not is_test(c)]
	test = [c for c in group if is_test(c)]
	rules = unique(c.rule for c in code) or unique(c.rule for c in test)
	raised = unique(c.code for c in code)
	links = [f"[OMEF-{numbers[s]}](errors.md#omef-{numbers[s]}) {s}" for s in raised if s in numbers]
	return f"| {clause or 'whole'} | {cell(rules)} | {cell(unique(map(place, code)))} | {cell(links)} | {cell(unique(map(place, test)))} |"


def places(found):
	return cell(f"`{path}` {name}".rstrip() for path, name in found)


def demanded(found):
	out = []
	document = ""
	for r in found:
		if r.document != document:
			document = r.document
			out += ["", f"## {document}: what it demands", "", "| clause | level | side | rule | code | tests |", "|---|---|---|---|---|---|"]
		code = f"not followed: {r.reason}" if r.reason else places(r.code)
		out.append(f"| {r.clause} | {r.level} | {r.side} | {r.rule} | {code} | {places(r.tests)} |")
	return out[1:] + [""]


def render(root):
	found, faults = citations.read(root, ["src", "tests", "fuzz"])
	areas, more = catalogue.read(root)
	numbers = {r.symbol: r.number for a in areas for r in a.rows}
	groups = collections.defaultdict(lambda: collections.defaultdict(list))
	for c in found:
		if c.rule or c.code:
			groups[c.document][c.clause].append(c)
	wanted, lacking = requirements.read(root)
	out = [HEAD] + demanded(wanted)
	untested = []
	for document in sorted(groups, key=natural):
		out.append(f"## {document}\n")
		out.append("| clause | rule | code | refusals | tests |")
		out.append("|---|---|---|---|---|")
		for clause in sorted(groups[document], key=natural):
			group = groups[document][clause]
			out.append(row(clause, group, numbers))
			if not any(map(is_test, group)):
				untested.append((document, clause, unique(map(place, group))))
		out.append("")
	out.append("## Not yet tested\n")
	out.append("Clauses that code cites and no test does.\n")
	out += [f"- {d} {c or '(whole)'}: {', '.join(p)}" for d, c, p in untested] or ["None."]
	return "\n".join(out).rstrip() + "\n", faults + more + lacking


if __name__ == "__main__":
	sys.exit(page.main("docs/conformance.md", render))
