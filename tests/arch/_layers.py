"""Reads tests/arch/layers.txt and src/CMakeLists.txt."""

import fnmatch
import re


def is_file_row(name):
	return "*" in name or name.endswith((".c", ".h"))


class Row:
	def __init__(self, folder, uses, foreign):
		self.folder = folder
		self.uses = uses
		self.foreign = foreign


class Table:
	def __init__(self, root):
		self.groups = {}
		self.rows = {}
		self.faults = []
		for number, line in enumerate((root / "tests/arch/layers.txt").read_text().split("\n"), 1):
			line = line.split("#")[0].strip()
			if line.startswith("@"):
				name, headers = line[1:].split("=")
				self.groups[name.strip()] = headers.split()
			elif line:
				parts = [p.strip() for p in line.split(":")]
				if len(parts) != 3:
					self.faults.append(f"layers.txt:{number}: want three columns")
					continue
				self.rows[parts[0]] = Row(parts[0], parts[1].split(), parts[2].split())
		for row in self.rows.values():
			self.faults += [f"layers.txt: {row.folder}: unknown group '{g}'" for g in row.foreign if g not in self.groups]
			for use in row.uses:
				if not (root / "src" / use).exists() and not self.covers(use):
					self.faults.append(f"layers.txt: {row.folder}: no such folder or header '{use}'")

	def covers(self, folder):
		return folder in self.rows

	def row_of(self, file):
		"""file: path below src/. The most precise row: the file itself, then the folder."""
		for name, row in self.rows.items():
			if is_file_row(name) and fnmatch.fnmatch(file, name):
				return row
		return self.rows.get(file.rsplit("/", 1)[0])

	def may_include(self, row, header):
		folder = header.rsplit("/", 1)[0]
		own = row.folder.rsplit("/", 1)[0] if is_file_row(row.folder) else row.folder
		return folder == own or folder in row.uses or header in row.uses

	def may_include_foreign(self, row, header):
		def admits(group):
			patterns = self.groups.get(group, [])
			refused = any(fnmatch.fnmatch(header, p[1:]) for p in patterns if p.startswith("-"))
			return not refused and any(fnmatch.fnmatch(header, p) for p in patterns if not p.startswith("-"))

		return any(admits(g) for g in row.foreign)

	def is_known(self, header):
		return any(fnmatch.fnmatch(header, p) for g in self.groups.values() for p in g)


class Component:
	def __init__(self, name, folder, uses, packages):
		self.name = name
		self.folder = folder
		self.uses = uses
		self.packages = packages


def components(root):
	text = re.sub(r"#[^\n]*", "", (root / "src/CMakeLists.txt").read_text())
	found = {}
	for call in re.findall(r"\bcomponent\(([^)]*)\)", text):
		words = call.split()
		parts = {"DIR": [], "USES": [], "PKGS": []}
		into = None
		for word in words[1:]:
			if word in parts:
				into = word
			elif into:
				parts[into].append(word)
		found[words[0]] = Component(words[0], parts["DIR"][0], parts["USES"], parts["PKGS"])
	return found


def programs(root):
	"""name -> (folders, components linked)"""
	text = re.sub(r"#[^\n]*", "", (root / "src/CMakeLists.txt").read_text())
	found = {}
	for name, body in re.findall(r"add_executable\((\w+)\s+\$\{(\w+)\}", text):
		glob = re.search(rf"file\(GLOB\s+{body}\s+(?:CONFIGURE_DEPENDS\s+)?([^)]*)\)", text)
		links = re.search(rf"target_link_libraries\(\s*{name}\s+PRIVATE([^)]*)\)", text)
		folders = [re.sub(r"/\*\.c$", "", word) for word in (glob.group(1).split() if glob else []) if word.endswith("/*.c")]
		found[name] = (folders, links.group(1).split() if links else [])
	return found
