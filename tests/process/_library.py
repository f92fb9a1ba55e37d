"""libenrolee as its users meet it: installed into a scratch prefix, found by pkg-config, built by another compiler run."""

import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import check, run  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WARN = ["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]


def flavour(build):
	cache = (pathlib.Path(build) / "CMakeCache.txt").read_text()
	return re.search(r"^OMEF_FLAVOUR:\w+=(\w+)$", cache, re.M).group(1)


class Installed:
	"""A scratch prefix, and the compilers that fit the build: a sanitizer's needs the same one."""

	def __init__(self, build, scratch):
		self.scratch = pathlib.Path(scratch)
		self.prefix = self.scratch / "prefix"
		kind = flavour(build)
		clang = kind in ("asan", "tsan", "fuzz")
		self.cc = "clang" if clang else "gcc"
		self.cxx = "clang++" if clang else "g++"
		sanitizers = {"asan": ["-fsanitize=address,undefined"], "tsan": ["-fsanitize=thread"],
			"fuzz": ["-fsanitize=address,undefined"], "cov": ["--coverage"]}
		self.flags = ["-g", *sanitizers.get(kind, [])]
		self.valgrind = kind == "dev"
		run("cmake", "--install", build, "--prefix", self.prefix)
		self.lib = next(p.parent.parent for p in self.prefix.rglob("enrolee.pc"))
		self.env = os.environ | {"PKG_CONFIG_PATH": str(self.lib / "pkgconfig"), "LD_LIBRARY_PATH": str(self.lib)}

	def pkg(self, *words):
		done = subprocess.run(["pkg-config", *words], capture_output=True, text=True, env=self.env, timeout=60)
		check(done.returncode == 0, f"pkg-config {words}: {done.stderr}")
		return done.stdout.split()

	def compile(self, source, *modules, static=False, compiler=None, more=()):
		"""Path of the program."""
		out = self.scratch / (pathlib.Path(source).stem + ("-static" if static else ""))
		flags = self.pkg("--cflags", "--libs", *(["--static"] if static else []), "enrolee", *modules)
		if static: # nothing but this library's archive: the rest stays shared
			flags = ["-l:libenrolee.a" if f == "-lenrolee" else f for f in flags]
			keep = {"-lcurl", "-lssl", "-lcrypto", "-ljansson", "-lxml2", "-lutf8proc", "-l:libenrolee.a"}
			flags = [f for f in flags if not f.startswith("-l") or f in keep]
		run(compiler or self.cc, *self.flags, *WARN, *more, source, "-o", out, *flags)
		return out

	def call(self, program, *words, want=0):
		"""(standard output, standard error)"""
		done = subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, env=self.env, timeout=300,
			stdin=subprocess.DEVNULL)
		told = f"{program} {words}: exit {done.returncode}, want {want}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, told)
		return done.stdout, done.stderr


def declared():
	"""Functions of the public header."""
	text = re.sub(r"/\*.*?\*/", "", (ROOT / "src/lib/enrolee.h").read_text(), flags=re.S)
	text = "\n".join(line for line in text.split("\n") if not line.startswith(("typedef", "\t")))
	return set(re.findall(r"\b(enrolee_\w+)\(", text))
