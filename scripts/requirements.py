"""
Requirements: docs/requirements/*.txt, what a document demands in our own words, with the code and the tests that answer for
it. The head of each file tells its form.
"""

import re

_PLACE = re.compile(r"(\S+)(?: (\w+))?$")


class Requirement:
	def __init__(self, document, clause, level, side, rule, reason, code, tests):
		self.document = document
		self.clause = clause
		self.level = level
		self.side = side
		self.rule = rule
		self.reason = reason # why it is not followed, "" where it is
		self.code = code     # [(path, function or "")]
		self.tests = tests


def _places(text, root, where, faults):
	found = []
	for part in filter(None, (p.strip() for p in text.split(";"))):
		m = _PLACE.match(part)
		path = root / m.group(1) if m else None
		if not m or not path.is_file():
			faults.append(f"{where}: no such file: {part}")
			continue
		name = m.group(2) or ""
		if name and not re.search(rf"\b{name}\b", path.read_text()):
			faults.append(f"{where}: {m.group(1)} has no {name}")
		found.append((m.group(1), name))
	return found


def _row(line, root, where, faults):
	fields = [f.strip() for f in line.split("|")]
	m = re.match(r"(RFC \d+) (\S+)$", fields[0])
	if len(fields) not in (5, 6) or not m:
		faults.append(f"{where}: want 'DOCUMENT CLAUSE | LEVEL | SIDE | rule | code | tests'")
		return None
	reason = fields[4][5:] if fields[4].startswith("not: ") else ""
	code = [] if reason else _places(fields[4], root, where, faults)
	tests = _places(fields[5], root, where, faults) if len(fields) == 6 else []
	if not reason and not (code and tests):
		faults.append(f"{where}: want code and a test, or a reason why not")
	return Requirement(m.group(1), m.group(2), fields[1], fields[2], fields[3], reason, code, tests)


def read(root):
	"""All requirements in the order of their files, and a list of faults as texts."""
	found = []
	faults = []
	for path in sorted((root / "docs/requirements").glob("*.txt")):
		for number, line in enumerate(path.read_text().split("\n"), 1):
			if line and not line.startswith("#"):
				found.append(_row(line, root, f"docs/requirements/{path.name}:{number}", faults))
	return [r for r in found if r], faults
