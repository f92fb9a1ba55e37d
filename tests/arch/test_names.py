#!/usr/bin/env python3
"""
Names and words: nothing is called util, common, misc, helper or manager; no goto, typedef of structs,
VLA-prone alloca; and the text of the product speaks of the project alone: no paths of one machine, no
download hosts, no notes to oneself.
"""

import re

import _arch
import csource

EMPTY_NAMES = re.compile(r"(?:^|_)(?:utils?|commons?|misc|helpers?|managers?)(?:_|$)")
FORBIDDEN_CODE = [
	(re.compile(r"\bgoto\b"), "goto"),
	(re.compile(r"\balloca\s*\("), "alloca"),
	(re.compile(r"\btypedef\s+(?:struct|enum|union)\b(?![^;]*\(\s*\*)"), "typedef of a struct, enum or union"),
	(re.compile(r"\b(?:strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\("), "an unbounded copy"),
]
HEAP = re.compile(r"(?<!->)(?<!\.)\b(?:malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf)\s*\(")
HEAP_DOORS = {"src/base/mem.c", "src/base/mem.h"}

# Put together from parts, so that this file does not hold what it looks for.
HOSTS = ["deb.debian." + "org", "pypi." + "org", "npmjs." + "org", "crates." + "io", "docker." + "io",
	"proxy.golang." + "org", "rubygems." + "org", "files.pythonhosted." + "org", "ghcr." + "io"]
WORDS = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "/wo" + "rk/", "/tmp/bri" + "ef", "/tmp/om" + "ef.lock", "Clau" + "de", "Anthro" + "pic",
	"the br" + "ief", "fell" + "ow developer"]
SPOKEN = re.compile("|".join(rf"(?<!\w){re.escape(w)}(?!\w)" if w[-1].isalpha() else re.escape(w) for w in WORDS))
TEXTS = (".c", ".h", ".def", ".py", ".sh", ".txt", ".md", ".scd", ".cmake", ".json", ".conf", ".ini", ".service")


def file_name_faults(root):
	for path in csource.files(root, ["src", "tests", "fuzz", "bench", "scripts"], TEXTS):
		if EMPTY_NAMES.search(path.stem):
			yield f"{csource.shown(root, path)}: a name that says nothing"


def code_faults(root, path):
	name = csource.shown(root, path)
	source = csource.Source(path)
	bare = source.bare(strings=True)
	for pattern, what in FORBIDDEN_CODE:
		for m in pattern.finditer(bare):
			yield f"{name}:{source.line_of(m.start())}: {what}"
	for f in source.functions():
		if not f.signature.startswith("static") and EMPTY_NAMES.search(f.name):
			yield f"{name}:{f.first}: {f.name}: a name that says nothing"
	if name.startswith("src/") and name not in HEAP_DOORS:
		for m in HEAP.finditer(bare):
			yield f"{name}:{source.line_of(m.start())}: the heap is reached by mem_* only"


def texts(root):
	yield from csource.files(root, ["src", "tests", "fuzz", "bench", "scripts", "docs", "cmake", ".ci"], TEXTS + ("",))
	for name in ("README.md", "Makefile", "CMakeLists.txt", "CMakePresets.json", ".gitignore", ".clang-tidy"):
		if (root / name).is_file():
			yield root / name


def word_faults(root, path):
	name = csource.shown(root, path)
	try:
		text = path.read_text(encoding="utf-8")
	except UnicodeDecodeError:
		return
	if "corpus" in path.parts or "__pycache__" in path.parts:
		return
	for number, line in enumerate(text.split("\n"), 1):
		m = SPOKEN.search(line)
		if m:
			yield f"{name}:{number}: '{m.group(0)}' does not belong in the product"
		for host in HOSTS:
			if host in line:
				yield f"{name}:{number}: names a download host"


def main():
	_, root = _arch.arguments()
	faults = list(file_name_faults(root))
	for path in csource.files(root, ["src", "tests", "fuzz", "bench"], (".c", ".h")):
		faults += code_faults(root, path)
	for path in texts(root):
		faults += word_faults(root, path)
	_arch.finish("names", faults)


main()
