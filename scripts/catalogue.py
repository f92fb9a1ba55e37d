"""The error catalogue as data: every CODE() row of src/base/codes/*.def."""

import pathlib
import re

import csource

_AREA = re.compile(r"/\* *(\d{4})-(\d{4}): *(.*?) *\*/")
_ROW = re.compile(
	r'^CODE\(\s*(\w+)\s*,\s*(\d+)\s*,\s*(\w+)\s*,\s*((?:"(?:\\.|[^"\\])*"\s*)+),\s*((?:"(?:\\.|[^"\\])*"\s*)+)\)',
	re.M)
_LITERAL = re.compile(r'"((?:\\.|[^"\\])*)"')


class Area:
	def __init__(self, path, first, last, what):
		self.path = path
		self.name = pathlib.Path(path).stem
		self.first = first
		self.last = last
		self.what = what
		self.rows = []


class Row:
	def __init__(self, symbol, number, kind, title, next_step, line):
		self.symbol = symbol
		self.number = number
		self.kind = kind
		self.title = title
		self.next = next_step
		self.line = line


def _joined(literals):
	text = "".join(_LITERAL.findall(literals))
	return text.replace('\\"', '"').replace("\\\\", "\\")


def read(root):
	"""(areas, faults)"""
	areas = []
	faults = []
	for path in csource.files(root, ["src/base/codes"], (".def",)):
		name = csource.shown(root, path)
		if path.stem == "all":
			continue
		source = csource.Source(path)
		m = _AREA.search(source.text)
		if not m:
			faults.append(f"{name}:1: want a first line '/* 1000-1099: area */'")
			continue
		area = Area(name, int(m.group(1)), int(m.group(2)), m.group(3))
		areas.append(area)
		rows = list(_ROW.finditer(source.text))
		for r in rows:
			area.rows.append(Row(r.group(1), int(r.group(2)), r.group(3), _joined(r.group(4)),
				_joined(r.group(5)), source.line_of(r.start())))
		if len(rows) != len(re.findall(r"^CODE\(", source.text, re.M)):
			faults.append(f"{name}: a CODE row could not be read")
	areas.sort(key=lambda a: a.first)
	return areas, faults
