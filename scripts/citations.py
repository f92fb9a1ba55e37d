"""
Citations: a comment that begins with a document and a clause. The one form is

	/* RFC 7030 4.2.3: the rule in our own words */
	/* TS-0003 8.3.6.2: ... */        /* seed 001 8.3.Z.2.2 step 2b: ... */

Several may share a rule, apart by ", ". Without ": rule" it is a mention and joins nothing. Scripts
write the same behind '#'. The clause argument of WHY() is a citation too: it names the code raised.
"""

import re

import csource

DOCUMENT = r"(?:RFC \d{3,5}|FIPS \d+(?:-\d+)?|TS-\d{4}|seed \d{3}|802\.1AR|X\.\d{3})"
CLAUSE = r"(?:steps? [0-9][0-9a-z]*(?:-[0-9a-z]+)?|(?:Appendix )?[0-9A-Z][0-9A-Za-z]*(?:\.[0-9A-Za-z]+)*(?: ?\([0-9a-z]+\))*(?: steps? [0-9][0-9a-z]*(?:-[0-9a-z]+)?)?)"
REFERENCE = rf"{DOCUMENT}(?: {CLAUSE})?"
# "RFC 9112 6.1, 6.3" repeats the document
LIST = rf"{REFERENCE}(?:(?:,| and) (?:{REFERENCE}|{CLAUSE}))*"

_BEGINS = re.compile(rf"{DOCUMENT} (?:section |clause |§ ?|[Aa]ppendix )?[0-9][0-9A-Za-z.]*")
_CITATION = re.compile(rf"({LIST})(?:: (\S.*))?\.?$", re.S)
_WHY = re.compile(r'\bWHY\(\s*[^,()]+,\s*(\w+),\s*"([^"]*)"', re.S)
_SCRIPT = re.compile(r"^[ \t]*#[ \t]?(.*)$", re.M)


class Citation:
	def __init__(self, document, clause, rule, path, place, line):
		self.document = document
		self.clause = clause
		self.rule = rule   # "" for a mention or a WHY
		self.path = path
		self.place = place # function, or "" for the file
		self.line = line
		self.code = ""     # symbol, for a WHY


def references(text):
	"""'RFC 9112 6.1, 6.3' -> [('RFC 9112', '6.1'), ('RFC 9112', '6.3')]"""
	found = []
	document = ""
	for part in re.split(r", | and ", text):
		m = re.match(rf"({DOCUMENT})(?: (.*))?$", part)
		if m:
			document = m.group(1)
		found.append((document, (m.group(2) or "") if m else part))
	return found


def _paragraphs(text):
	"""A long comment may hold several citations, each at the start of a line."""
	block = []
	for line in text.split("\n"):
		if re.match(DOCUMENT, line) and block:
			yield "\n".join(block)
			block = []
		block.append(line)
	yield "\n".join(block)


def _of_comment(text):
	"""(references, rule) pairs, and faults, of one comment."""
	for paragraph in _paragraphs(text):
		if not re.match(DOCUMENT, paragraph):
			continue
		flat = re.sub(r"\s+", " ", paragraph).strip()
		m = _CITATION.match(flat)
		if m:
			yield references(m.group(1)), (m.group(2) or "").strip(), None
		elif _BEGINS.match(flat):
			yield [], "", f"want 'DOCUMENT CLAUSE: rule', have '{flat[:60]}'"


def _comments(source):
	if source.path.suffix in (".c", ".h"):
		yield from source.comments()
		return
	for m in _SCRIPT.finditer(source.text):
		yield source.line_of(m.start()), m.group(1).strip()


def _raised(source):
	for m in _WHY.finditer(source.text):
		yield source.line_of(m.start()), m.group(1), m.group(2)


def read(root, folders):
	"""All citations below the folders, and a list of faults as texts."""
	found = []
	faults = []
	for path in csource.files(root, folders, (".c", ".h", ".sh", ".py")):
		source = csource.Source(path)
		name = csource.shown(root, path)
		for line, text in _comments(source):
			for refs, rule, fault in _of_comment(text):
				if fault:
					faults.append(f"{name}:{line}: {fault}")
				f = source.function_at(line) if path.suffix == ".c" else None
				place = f.name if f else ""
				found += [Citation(d, c, rule, name, place, line) for d, c in refs]
		if path.suffix != ".c":
			continue
		for line, code, clause in _raised(source):
			if not clause:
				continue
			if not re.fullmatch(LIST, clause):
				faults.append(f"{name}:{line}: WHY {code}: want a clause such as 'RFC 7030 4.2.1', have '{clause}'")
				continue
			f = source.function_at(line)
			for d, c in references(clause):
				citation = Citation(d, c, "", name, f.name if f else "", line)
				citation.code = code
				found.append(citation)
	return found, faults
