"""Reads C as far as the shape checks and the generated pages need: comments, functions, includes."""

import bisect
import pathlib
import re

# Comments, strings and character constants, whichever begins first.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)
_NAME = re.compile(r"([A-Za-z_]\w*)[ \t\n]*\(")


class Function:
	def __init__(self, name, signature, first, last):
		self.name = name
		self.signature = signature
		self.first = first  # line of the signature
		self.last = last    # line of the closing brace

	@property
	def lines(self):
		return self.last - self.first + 1


class Source:
	"""One file: its text, its text without comments, and where its functions are."""

	def __init__(self, path):
		self.path = pathlib.Path(path)
		self.text = self.path.read_text(encoding="utf-8")
		self.lines = self.text.split("\n")
		self._starts = [0]
		for line in self.lines:
			self._starts.append(self._starts[-1] + len(line) + 1)
		self._functions = None

	def line_of(self, offset):
		return bisect.bisect_right(self._starts, offset)

	def comments(self):
		"""(line, text without the marks) of every comment."""
		for m in _TOKEN.finditer(self.text):
			token = m.group(0)
			if token.startswith("/*"):
				body = [re.sub(r"^[ \t]*\*?[ \t]?", "", line) for line in token[2:-2].split("\n")]
				yield self.line_of(m.start()), "\n".join(body).strip()
			elif token.startswith("//"):
				yield self.line_of(m.start()), token[2:].strip()

	def bare(self, strings=False):
		"""The text with comments (and strings, when asked) blanked; line numbers stay."""

		def blank(m):
			token = m.group(0)
			if token[0] in "\"'":
				return token[0] + " " * (len(token) - 2) + token[0] if strings else token
			return re.sub(r"[^\n]", " ", token)

		return _TOKEN.sub(blank, self.text)

	def includes(self):
		"""(line, mark, name) with mark '"' or '<'."""
		bare = self.bare()
		return [(self.line_of(m.start()), m.group(1), m.group(2)) for m in _INCLUDE.finditer(bare)]

	def functions(self):
		"""In this style a function body is '{' and '}' alone in the first column."""
		if self._functions is None:
			self._functions = list(self._find_functions())
		return self._functions

	def _find_functions(self):
		bare = self.bare(strings=True).split("\n")
		start = None
		for i, line in enumerate(bare):
			if line == "{" and start is None:
				start = i
			elif line == "}" and start is not None:
				first = start - 1
				while first > 0 and not re.match(r"[A-Za-z_]", bare[first]):
					first -= 1
				# a return type or attribute may stand on a line of its own
				signature = " ".join(bare[first:start])
				m = _NAME.search(signature)
				if m:
					yield Function(m.group(1), signature, first + 1, i + 1)
				start = None

	def function_at(self, line):
		"""The function that holds the line, or the one that a comment right above it introduces."""
		for f in self.functions():
			if f.first <= line <= f.last:
				return f
		for f in self.functions():
			if line < f.first:
				between = self.bare().split("\n")[line:f.first - 1]
				if not any(text.strip() for text in between):
					return f
				break
		return None


def files(root, folders, ends):
	root = pathlib.Path(root)
	found = []
	for folder in folders:
		found += [p for p in (root / folder).rglob("*") if p.is_file() and p.suffix in ends]
	return sorted(found)


def shown(root, path):
	return str(pathlib.Path(path).relative_to(root))
