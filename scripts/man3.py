#!/usr/bin/env python3
"""
docs/man/*.3 from src/lib/enrolee.h, so that header and pages cannot part. --check: only say whether they are current.

The header is divided into families by comments that begin with three stars: "/*** NAME: purpose", then the text of the
page. What follows, up to the next, is told declaration by declaration, each with the comment above it.
"""

import pathlib
import re
import sys

HEADER = "src/lib/enrolee.h"
FAMILY = re.compile(r"/\*\*\* (\w+): ([^\n]*)\n(.*?)\*/\n", re.S)
FUNCTION = re.compile(r"\b(enrolee_\w+)\(")


def comment_text(text):
	"""Paragraphs of a comment, without its stars."""
	lines = [re.sub(r"^\s*\*? ?", "", line).rstrip() for line in text.strip().split("\n")]
	return [" ".join(part.split("\n")) for part in "\n".join(lines).strip().split("\n\n") if part.strip()]


def roff(text):
	text = text.replace("\\", "\\e").replace("-", "\\-")
	text = re.sub(r"\b(enrolee_\w+)\(\)", r"\\fB\1\\fR()", text)
	return "\\&" + text if text[:1] in ".'" else text


def code(text):
	return "\n".join(("\\&" + line if line[:1] in ".'" else line).replace("\\", "\\e").replace("-", "\\-").expandtabs(4)
		for line in text.split("\n"))


def blocks(text):
	"""(comment, declaration) in order; a declaration without a comment of its own has none."""
	out, comment, lines, depth, inside = [], "", [], 0, False
	for line in text.split("\n"):
		bare = re.sub(r"/\*.*?\*/", "", line)
		if not lines and (inside or bare.strip().startswith("/*") or line.strip().startswith("/*")):
			inside = "*/" not in line
			comment += re.sub(r"^\s*/\*|\*/\s*$", "", line) + "\n"
			continue
		if not lines and not line.strip():
			comment = ""
			continue
		if not lines and line.startswith("#"):
			continue
		lines.append(line)
		depth += bare.count("{") - bare.count("}")
		if depth == 0 and bare.rstrip().endswith(";"):
			out.append((comment, "\n".join(lines)))
			comment, lines = "", []
	return out


def is_code(declaration):
	return "{" in declaration


def families(text):
	found = list(FAMILY.finditer(text))
	end_of_last = text.rindex("#ifdef __cplusplus")
	for i, m in enumerate(found):
		end = found[i + 1].start() if i + 1 < len(found) else end_of_last
		yield m.group(1), m.group(2), comment_text(m.group(3)), blocks(text[m.end():end])


def functions(declarations):
	return [m.group(1) for _, d in declarations if not is_code(d) and not d.startswith("typedef")
		for m in [FUNCTION.search(d)] if m]


def page(name, purpose, text, declarations, others, version):
	names = functions(declarations)
	out = [f'.\\" Made from {HEADER} by scripts/man3.py.', f'.TH {name} 3 "" "OpenMEF {version}"', ".SH NAME",
		", ".join([name] + [n for n in names if n != name]) + f" \\- {roff(purpose)}",
		".SH SYNOPSIS", ".nf", ".B #include <enrolee.h>", ".PP"]
	out += [code(d) for _, d in declarations if not is_code(d)]
	out += [".fi", ".PP", "Compile and link with \\fBpkg\\-config \\-\\-cflags \\-\\-libs enrolee\\fR.", ".SH DESCRIPTION"]
	for part in text:
		out += [".PP", roff(part)]
	for comment, declaration in declarations:
		m = FUNCTION.search(declaration)
		plain = not is_code(declaration)
		if plain and not comment.strip():
			continue # a struct that is only named
		title = m.group(1) if plain and m else declaration.split("{")[0].split(";")[0].strip()
		out += [f'.SS "{roff(title)}"', *([".nf", code(declaration), ".fi"] if not plain else [])]
		for part in comment_text(comment) if comment.strip() else []:
			out += [".PP", roff(part)]
	out += [".SH \"SEE ALSO\"", ",\n".join([f".BR {o} (3)" for o in others if o != name] + [".BR enrolee (1)"]).replace(",\n", " ,\n")]
	return "\n".join(out) + "\n"


def pages(root):
	version = re.search(r"project\(openmef VERSION ([0-9.]+)", (root / "CMakeLists.txt").read_text()).group(1)
	found = list(families((root / HEADER).read_text()))
	names = [f[0] for f in found]
	return {f"{name}.3": page(name, purpose, text, declarations, names, version)
		for name, purpose, text, declarations in found}


def main():
	check = "--check" in sys.argv
	roots = [a for a in sys.argv[1:] if not a.startswith("--")]
	root = pathlib.Path(roots[0] if roots else pathlib.Path(__file__).resolve().parent.parent)
	if not (root / HEADER).is_file():
		return 0
	folder = root / "docs/man"
	made = pages(root)
	have = {p.name for p in folder.glob("*.3")}
	stale = sorted(n for n in have | set(made) if n not in made or n not in have or (folder / n).read_text() != made[n])
	if check:
		for name in stale:
			print(f"docs/man/{name}: not current; run: make docs", file=sys.stderr)
		return 1 if stale else 0
	folder.mkdir(parents=True, exist_ok=True)
	for name in stale:
		if name in made:
			(folder / name).write_text(made[name])
		else:
			(folder / name).unlink()
	print(f"docs/man: {len(made)} pages, {len(stale)} renewed")
	return 0


sys.exit(main())
