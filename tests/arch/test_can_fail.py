#!/usr/bin/env python3
"""
A check that cannot fail is worth nothing. For each check of this folder: copy the tree, see which
faults it tells already, plant one more, and see that the check tells exactly that one and fails.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import _arch

FOLDERS = ["src", "tests/arch", "scripts", "docs", "fuzz", "cmake", ".ci", "bench", "tests/unit/base"]


def append(path, text):
	def plant(root):
		target = root / path
		target.parent.mkdir(parents=True, exist_ok=True)
		with target.open("a", encoding="utf-8") as f:
			f.write(text)

	return plant


def replace(path, old, new):
	def plant(root):
		target = root / path
		text = target.read_text(encoding="utf-8")
		if old not in text:
			raise SystemExit(f"can_fail: {path} no longer holds '{old}'; plant another fault")
		target.write_text(text.replace(old, new, 1), encoding="utf-8")

	return plant


def long_function(lines):
	return "\nint planted(void);\nint planted(void)\n{\n" + "\tplanted();\n" * lines + "\treturn 0;\n}\n"


# (check, the fault, words that the check must say about it)
FAULTS = [
	("layers", append("src/base/span.c", '\n#include "wire/call.h"\n'), 'base may not include "wire/call.h"'),
	("layers", append("src/wire/media.c", '\n#include "port/store.h"\n'), 'wire may not include "port/store.h"'),
	("layers", append("src/wire/uri.c", "\n#include <sys/socket.h>\n"), "wire may not include <sys/socket.h>"),
	("layers", append("src/pki/der.c", "\n#include <openssl/ssl.h>\n"), "pki may not include <openssl/ssl.h>"),
	("layers", append("src/pki/der.c", '\n#include "port/store.h"\n'), 'pki may not include "port/store.h"'),
	("layers", append("src/proto/est/path.c", '\n#include "port/clock.h"\n'), 'proto/est may not include "port/clock.h"'),
	("layers", append("src/wire/planted.c", "#include <jansson.h>\n"), "wire may not include <jansson.h>"),
	("layers", append("src/adapt/store/memory.c", "\n#include <sqlite3.h>\n"), "adapt/store may not include <sqlite3.h>"),
	("layers", append("src/bind/planted.c", '#include "core/ca/issue.h"\n'), 'bind may not include "core/ca/issue.h"'),
	("layers", append("src/app/front/planted.c", '#include "port/store.h"\n'), 'app/front may not include "port/store.h"'),
	("layers", append("src/base/planted.c", "#include <planted/unknown.h>\n"), "base may not include <planted/unknown.h>"),
	("layers", append("src/strange/planted.c", "#include <stddef.h>\n"), "no row in layers.txt covers it"),
	("layers", append("src/base/span.h", '\n#include "base/why.h"\n#include "base/buf.h"\n'), "circle of files"),
	("layers", replace("src/base/buf.c", '#include "base/buf.h"', '#include "base/mem.h"'), 'want "base/buf.h" as the first include'),
	("layers", replace("src/CMakeLists.txt", "component(wire DIR wire USES base", "component(wire DIR wire USES base pki"), "wire links pki"),
	("layers", replace("src/CMakeLists.txt", "component(wire DIR wire USES base", "component(wire DIR wire"), "wire does not link base"),
	("layers", replace("src/CMakeLists.txt", "component(base DIR base", "component(base DIR base PKGS PkgConfig::CURL"), "base links PkgConfig::CURL"),
	("layers", replace("tests/arch/layers.txt", "base            :    ", "base            : wire"), "reaches itself"),
	("headers", append("src/base/planted.h", "#pragma once\nsize_t planted(void);\n"), "src/base/planted.h: does not compile alone"),
	("headers", append("src/base/planted.h", "struct planted;\n"), "want '#pragma once'"),
	("sizes", append("src/base/planted.c", "int x;\n" * 601), "601 lines"),
	("sizes", append("tests/unit/base/test_planted.c", "int x;\n" * 801), "801 lines"),
	("sizes", append("src/base/planted.c", long_function(70)), "planted has 74 lines"),
	("names", append("src/base/string_utils.c", "int x;\n"), "a name that says nothing"),
	("names", append("src/base/planted.c", "void misc_do(void)\n{\n}\n"), "misc_do: a name that says nothing"),
	("names", append("src/base/planted.c", "void f(void)\n{\n\tgo" + "to end;\n}\n"), "planted.c:3: goto"),
	("names", append("src/base/planted.c", "void f(void)\n{\n\tfree(0);\n}\n"), "the heap is reached by mem_* only"),
	("names", append("src/base/planted.c", "typedef struct planted planted;\n"), "typedef of a struct"),
	("names", append("docs/planted.md", "Fetch it from https://pypi." + "org/simple\n"), "names a download host"),
	("names", append("docs/planted.md", "See /wo" + "rk/main for more.\n"), "does not belong in the product"),
	("names", append("src/base/planted.c", "/* TO" + "DO */\n"), "does not belong in the product"),
	("citations", append("src/base/planted.c", "/* RFC 7030 section 4.2.3: wrong form */\n"), "want 'DOCUMENT CLAUSE: rule'"),
	("citations", append("src/base/planted.c", 'int f(void)\n{\n\treturn WHY(why, BUG, "rfc7030 4", "x");\n}\n'), "WHY BUG: want a clause"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1000, ERR_BUG, "Title", "Do something.")\n'), "1000 is taken by"),
	("codes", append("src/base/codes/base.def", 'CODE(BUG, 1099, ERR_BUG, "Title", "Do something.")\n'), "BUG is taken by"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1100, ERR_BUG, "Title", "Do something.")\n'), "1100 is outside"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1099, ERR_ODD, "Title", "Do something.")\n'), "unknown kind ERR_ODD"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1099, ERR_BUG, "Title", "Do something.")\n'), "PLANTED is never raised"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1099, ERR_BUG, "Title", "Do something.")\n'), "no entry for OMEF-1099"),
	("codes", append("src/base/codes/base.def", 'CODE(PLANTED, 1099, ERR_BUG, "Title.", "Do.")\n'), "want a title"),
	("generated", append("docs/errors.md", "by hand\n"), "docs/errors.md: not current"),
	("generated", append("docs/conformance.md", "by hand\n"), "docs/conformance.md: not current"),
	("generated", append("docs/man/enrolee.3", "by hand\n"), "docs/man/enrolee.3: not current"),
	("generated", replace("src/lib/enrolee.h", "/* One device. */", "/* One gadget. */"), "docs/man/enrolee.3: not current"),
]

IMPURE = [
	("#include <time.h>\nlong planted(void);\nlong planted(void)\n{\n\treturn time(NULL);\n}\n", "needs time"),
	("#include <fcntl.h>\nint planted(void);\nint planted(void)\n{\n\treturn open(\"/etc/passwd\", O_RDONLY);\n}\n", "needs open"),
	("#include <stdlib.h>\nchar *planted(void);\nchar *planted(void)\n{\n\treturn getenv(\"HOME\");\n}\n", "needs getenv"),
	("#include <stdio.h>\nvoid planted(void);\nvoid planted(void)\n{\n\tprintf(\"%d\", 1);\n}\n", "needs printf"),
	("int planted_count;\n", "planted_count is a mutable global"),
]


def run(check, build, root):
	result = subprocess.run([sys.executable, "-B", str(root / f"tests/arch/test_{check}.py"), str(build), str(root)],
		capture_output=True, text=True, check=False)
	return result.returncode, set(result.stdout.split("\n"))


def copy(root, to):
	for folder in FOLDERS:
		if (root / folder).is_dir():
			shutil.copytree(root / folder, to / folder, ignore=shutil.ignore_patterns("__pycache__", "corpus"))
	for name in ("CMakeLists.txt", "Makefile"):
		shutil.copy(root / name, to / name)


def judge(check, before, after, said, faults):
	code, lines = after
	new = [line for line in lines - before if said in line]
	if code == 0 or not new:
		faults.append(f"{check}: the planted fault '{said}' was not told (exit {code})")


def try_sources(root, build, faults):
	with tempfile.TemporaryDirectory() as folder:
		clean = pathlib.Path(folder) / "clean"
		copy(root, clean)
		for script in ("errors.py", "conformance.py", "man3.py"):
			subprocess.run([sys.executable, "-B", str(clean / "scripts" / script), str(clean)], check=False, capture_output=True)
		before = {check: run(check, build, clean)[1] for check in {f[0] for f in FAULTS}}
		for number, (check, plant, said) in enumerate(FAULTS):
			tree = pathlib.Path(folder) / str(number)
			shutil.copytree(clean, tree)
			plant(tree)
			after = run(check, build, tree)
			judge(check, before[check], after, said, faults)
			shutil.rmtree(tree)


def try_libraries(root, build, faults):
	"""A planted object in a copy of the base library, as the compiler would have put it there."""
	with tempfile.TemporaryDirectory() as folder:
		fake = pathlib.Path(folder)
		shutil.copytree(build / "src", fake / "src", ignore=lambda d, names: [n for n in names if not n.endswith(".a")])
		before = run("purity", fake, root)[1]
		for text, said in IMPURE:
			subprocess.run(["gcc", "-D_DEFAULT_SOURCE", "-fPIC", "-O1", "-xc", "-c", "-", "-o", str(fake / "planted.o")],
				input=text, text=True, check=True)
			archive = fake / "src/libbase.a"
			archive.unlink()
			shutil.copy(build / "src/libbase.a", archive)
			subprocess.run(["ar", "q", str(archive), str(fake / "planted.o")], check=True, capture_output=True)
			judge("purity", before, run("purity", fake, root), said, faults)


def main():
	build, root = _arch.arguments()
	os.environ.pop("CC", None)
	faults = []
	checks = {p.stem.removeprefix("test_") for p in _arch.HERE.glob("test_*.py")} - {"can_fail"}
	for check in sorted(checks - {f[0] for f in FAULTS} - {"purity"}):
		faults.append(f"{check}: no fault is planted for it")
	try_sources(root, build, faults)
	try_libraries(root, build, faults)
	_arch.finish(f"{len(FAULTS) + len(IMPURE)} planted faults", faults)


main()
