#!/usr/bin/env python3
"""Every include obeys tests/arch/layers.txt, no circle of files, and the link lines say the same."""

import _arch
import _layers
import csource

# Which packages a folder must be allowed the headers of, to link them.
PACKAGES = {"JANSSON": "jansson", "CRYPTO": "crypto", "OPENSSL": "tls", "SSL": "tls", "EVENT": "event",
	"SECCOMP": "seccomp", "SQLITE": "sqlite", "CURL": "curl", "INIH": "ini", "XML": "xml", "UTF8PROC": "utf8proc"}


def include_faults(table, root):
	for path in csource.files(root, ["src"], (".c", ".h")):
		file = str(path.relative_to(root / "src"))
		row = table.row_of(file)
		if not row:
			yield f"src/{file}: no row in layers.txt covers it"
			continue
		for line, mark, name in csource.Source(path).includes():
			at = f"src/{file}:{line}"
			if mark == "<":
				if not table.may_include_foreign(row, name):
					yield f"{at}: {row.folder} may not include <{name}>"
			elif name.endswith(".def"):
				if not (root / "src" / name).is_file():
					yield f"{at}: no such file \"{name}\""
			elif not (root / "src" / name).is_file():
				yield f"{at}: want a path below src/, have \"{name}\""
			elif not table.may_include(row, name):
				yield f"{at}: {row.folder} may not include \"{name}\""


def own_header_faults(root):
	"""A source includes its own header first, so that the header is known to stand alone."""
	for path in csource.files(root, ["src"], (".c",)):
		own = str(path.relative_to(root / "src"))[:-2] + ".h"
		if not (root / "src" / own).is_file():
			continue
		includes = csource.Source(path).includes()
		first = includes[0][2] if includes else ""
		# an inner header of the same folder may stand in front, when it includes the own one
		inner = root / "src" / first
		if first != own and inner.is_file() and inner.parent == path.parent:
			first = own if own in [n for _, _, n in csource.Source(inner).includes()] else first
		if first != own:
			yield f"src/{own[:-2]}.c: want \"{own}\" as the first include"


def circle_faults(root):
	graph = {}
	for path in csource.files(root, ["src"], (".c", ".h", ".def")):
		name = str(path.relative_to(root / "src"))
		graph[name] = [n for _, mark, n in csource.Source(path).includes() if mark == '"']
	state = {}
	for start in graph:
		stack = [(start, iter(graph[start]))]
		if start in state:
			continue
		state[start] = "open"
		while stack:
			name, rest = stack[-1]
			step = next(rest, None)
			if step is None:
				state[name] = "done"
				stack.pop()
			elif state.get(step) == "open":
				ring = [n for n, _ in stack]
				yield "circle of files: " + " -> ".join(ring[ring.index(step):] + [step])
			elif step in graph and step not in state:
				state[step] = "open"
				stack.append((step, iter(graph[step])))


def folder_circle_faults(table):
	"""The table itself has no circle, so the floors are floors."""
	for start in table.rows:
		seen = set()
		todo = [use for use in table.rows[start].uses if use in table.rows]
		while todo:
			folder = todo.pop()
			if folder in seen:
				continue
			seen.add(folder)
			todo += [use for use in table.rows[folder].uses if use in table.rows]
		if start in seen:
			yield f"layers.txt: {start} reaches itself"


def is_below(name, folder):
	"""Is this the row of a file in that folder?"""
	return _layers.is_file_row(name) and name.rsplit("/", 1)[0] == folder


def allowed_folders(table, folder):
	"""Folders that the table lets this folder include, single headers counted as their folder."""
	rows = [r for name, r in table.rows.items() if name == folder or is_below(name, folder)]
	uses = {use for row in rows for use in row.uses}
	return {use.rsplit("/", 1)[0] if use.endswith(".h") else use for use in uses}


def link_faults(table, root):
	known = _layers.components(root)
	by_folder = {c.folder: c.name for c in known.values()}
	for c in known.values():
		if not table.covers(c.folder):
			yield f"src/CMakeLists.txt: component {c.name}: layers.txt has no row {c.folder}"
			continue
		want = {by_folder[f] for f in allowed_folders(table, c.folder) if f in by_folder}
		have = set(c.uses)
		yield from (f"src/CMakeLists.txt: {c.name} links {u}, layers.txt does not allow it" for u in sorted(have - want))
		yield from (f"src/CMakeLists.txt: {c.name} does not link {u}, layers.txt allows it" for u in sorted(want - have))
		groups = {g for n, r in table.rows.items() if n == c.folder or is_below(n, c.folder) for g in r.foreign}
		for package in c.packages:
			need = PACKAGES.get(package.split("::")[-1])
			if need not in groups:
				yield f"src/CMakeLists.txt: {c.name} links {package}, layers.txt does not allow its headers"
	for folder in table.rows:
		if not _layers.is_file_row(folder) and not folder.startswith("app") and folder not in by_folder:
			yield f"layers.txt: {folder}: no component in src/CMakeLists.txt"


def program_faults(table, root):
	known = _layers.components(root)
	by_folder = {c.folder: c.name for c in known.values()}
	for name, (folders, links) in _layers.programs(root).items():
		want = set()
		for folder in folders:
			if not table.covers(folder):
				yield f"src/CMakeLists.txt: {name}: layers.txt has no row {folder}"
				continue
			want |= {by_folder[f] for f in allowed_folders(table, folder) if f in by_folder}
		for link in sorted(set(links) - want):
			yield f"src/CMakeLists.txt: program {name} links {link}, no row of its folders allows it"
		for link in sorted(want - set(links)):
			yield f"src/CMakeLists.txt: program {name} does not link {link}, a row of its folders allows it"


def main():
	_, root = _arch.arguments()
	table = _layers.Table(root)
	faults = list(table.faults)
	for part in (include_faults(table, root), own_header_faults(root), circle_faults(root),
			folder_circle_faults(table), link_faults(table, root), program_faults(table, root)):
		faults += part
	_arch.finish("layers", faults)


main()
