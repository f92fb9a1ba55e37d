#!/usr/bin/env python3
"""The pure libraries need nothing but memory, text and arithmetic, and keep no state between calls."""

import fnmatch
import subprocess

import _arch
import _layers

# What instrumented builds add.
INSTRUMENTS = ["__asan_*", "__ubsan_*", "__sanitizer_*", "__sancov_*", "__lsan_*", "__tsan_*", "__gcov*", "__llvm_*",
	"_GLOBAL_OFFSET_TABLE_", "__start_*", "__stop_*", "llvm_*", "___asan_*", "__unnamed_*"]
MUTABLE = (".data", ".bss", ".tdata", ".tbss", "COMMON", "*COM*")


def read_table(root):
	lists, libraries, kept = {}, {}, {}
	for line in (root / "tests/arch/purity.txt").read_text().split("\n"):
		line = line.split("#")[0].strip()
		if line.startswith("@"):
			name, patterns = line[1:].split("=", 1)
			lists[name.strip()] = patterns.split()
		elif line.startswith("!"):
			name, names = line[1:].split(":")
			kept[name.strip()] = names.split()
		elif line:
			name, drawn = line.split(":")
			libraries[name.strip()] = drawn.split()
	return lists, libraries, kept


def symbols(archive):
	"""(needed, defined, mutable) names of an archive; mutable ones with their section."""
	run = subprocess.run(["nm", "-f", "sysv", str(archive)], capture_output=True, text=True, check=True)
	needed, defined, mutable = set(), set(), set()
	for line in run.stdout.split("\n"):
		parts = [p.strip() for p in line.split("|")]
		if len(parts) < 7:
			continue
		name, kind, section = parts[0], parts[2], parts[6]
		if kind == "U":
			needed.add(name)
			continue
		if kind.isupper():
			defined.add(name)
		if section.startswith(MUTABLE) and not section.startswith(".data.rel.ro"):
			mutable.add((name, section))
	return needed, defined, mutable


def matches(name, patterns):
	if any(p[0] == "-" and fnmatch.fnmatchcase(name, p[1:]) for p in patterns):
		return False
	return any(p[0] != "-" and fnmatch.fnmatchcase(name, p) for p in patterns)


def is_instrument(name):
	return matches(name, INSTRUMENTS) or name.startswith(("asan.", "__covrec", "__profc"))


def main():
	build, root = _arch.arguments()
	lists, libraries, kept = read_table(root)
	known = _layers.components(root)
	faults, own, found = [], set(), {}
	for name in libraries:
		component = known.get(name)
		if not component:
			faults.append(f"purity.txt: {name}: no such component")
			continue
		if not any((root / "src" / component.folder).glob("*.c")):
			continue  # headers only
		archive = build / "src" / f"lib{name}.a"
		if not archive.is_file():
			faults.append(f"{archive.name}: not built")
			continue
		found[name] = symbols(archive)
		own |= found[name][1]
	for name, (needed, _, mutable) in found.items():
		patterns = [p for group in libraries[name] for p in lists[group]]
		for symbol in sorted(needed - own):
			if not is_instrument(symbol) and not matches(symbol, patterns):
				faults.append(f"lib{name}.a: needs {symbol}")
		for symbol, section in sorted(mutable):
			# a static of a function is named with a number behind a dot
			if not is_instrument(symbol) and symbol.split(".")[0] not in kept.get(name, []):
				faults.append(f"lib{name}.a: {symbol} is a mutable global ({section})")
	_arch.finish("purity", faults)


main()
