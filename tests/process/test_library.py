#!/usr/bin/env python3
"""libenrolee: names, C and C++, both kinds of library, and the examples against a real MEF."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _library import ROOT, Installed, declared  # noqa: E402
from _service import Service, check, run  # noqa: E402


def symbols(*words):
	out = run("nm", "--defined-only", "--no-sort", *words)
	return {m.group(1) for m in re.finditer(r"^[0-9a-f]+ [A-Z] (\S+)$", out, re.M)}


def the_names_are_those_of_the_header(i):
	want = declared()
	check(len(want) > 30 and "enrolee_run" in want, f"functions of the header: {sorted(want)}")
	shared = {n.split("@")[0] for n in symbols("-D", i.lib / "libenrolee.so")} - {"ENROLEE_0"}
	check(shared == want, f"shared library: {sorted(shared ^ want)}")
	static = symbols("-g", i.lib / "libenrolee.a")
	other = {n for n in static ^ want if not n.startswith(("__asan", "__odr_asan", "asan.", "__ubsan", "__covrec"))}
	check(not other, f"static library: {sorted(other)}")
	soname = run("readelf", "-d", i.lib / "libenrolee.so")
	check("Library soname: [libenrolee.so.0]" in soname, soname)
	check("libevent" not in soname and "sqlite" not in soname and "seccomp" not in soname, f"needs nothing of the server's: {soname}")
	map_names = set(re.findall(r"^\t(enrolee_\w+);$", (ROOT / "src/lib/enrolee.map").read_text(), re.M))
	check(map_names == want, f"enrolee.map: {sorted(map_names ^ want)}")


def the_header_stands_alone_in_c_and_cpp(i):
	text = (i.prefix / "include/enrolee.h").read_text()
	check(not re.search(r'openssl|curl/|#include "', text), "nothing of other libraries in the header")
	for compiler, name, std in ((i.cc, "alone.c", "c99"), (i.cc, "alone11.c", "c11"), (i.cxx, "alone.cpp", "c++11"),
			(i.cxx, "alone20.cpp", "c++20")):
		source = i.scratch / name
		source.write_text("#include <enrolee.h>\n#include <enrolee.h>\nint main()\n{\n\tstruct enrolee *e = enrolee_new();\n"
			"\tstruct enrolee_status s = {};\n\ts.size = sizeof(s);\n\tint bad = enrolee_status(e, &s) != 1892;\n"
			"\tenrolee_free(e);\n\treturn bad;\n}\n".replace("{}", "{}" if name.endswith("cpp") else "{0}"))
		program = i.compile(source, compiler=compiler, more=[f"-std={std}", "-pedantic"])
		i.call(program)


def every_function_has_its_page(i):
	pages = {p.name: p.read_text() for p in (i.prefix / "share/man/man3").glob("*.3")}
	named = {n for text in pages.values() for n in re.findall(r"enrolee_\w+", text.split(".SH NAME")[1].split(".SH")[0])}
	families = {name[:-2] for name in pages}
	check(declared() <= named and named - declared() <= families, f"functions and NAME lines: {sorted(named ^ declared())}")
	described = {n for text in pages.values() for n in re.findall(r'^\.SS "(enrolee_\w+)"\n\.PP\n\S', text, re.M)}
	check(declared() <= described, f"not described: {sorted(declared() - described)}")
	for name in pages:
		done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", str(i.prefix / "share/man/man3" / name)], capture_output=True,
			text=True, timeout=60)
		check(done.returncode == 0 and not done.stderr, f"{name}: {done.stderr}")


def serial(text):
	return re.search(r"[Ss]erial ([0-9A-F]+)", text).group(1).lower().lstrip("0")


def words(s, stem, out):
	return [f"https://localhost:{s.https}/.well-known/est/onem2m", s.dir / "ca/root.cert.pem", f"{stem}.pem", f"{stem}.key", out,
		f"127.0.0.1:{s.https}"]


def the_short_example_enrols_and_finds_nothing_to_do(i, s):
	lines = (ROOT / "examples/enrol.c").read_text().count("\n")
	check(lines <= 40, f"examples/enrol.c: {lines} lines")
	for static in (False, True):
		program = i.compile(ROOT / "examples/enrol.c", static=static, more=["-std=c11"])
		linked = run("ldd", program) if not i.flags[1:] else ""
		check(not linked or ("libenrolee" in linked) != static, f"static {static}: {linked}")
		stem = s.device(40 + static)
		out = s.root / f"out-lib-{static}"
		told, _ = i.call(program, *words(s, stem, out))
		check("step 3f" in told and serial(told) in s.serials(), f"enrolled: {told}")
		run("openssl", "verify", "-CAfile", out / "current/anchors.pem", "-untrusted", out / "current/chain.pem", out / "current/cert.pem")
		again, _ = i.call(program, *words(s, stem, out))
		check("Nothing to do" in again and serial(again) == serial(told), f"good for long: {again}")
		run(s.binary.parent / "enrolee", "status", "--dir", out) # the command reads what the library wrote
	_, reason = i.call(program, *words(s, s.factory / "device-0040", s.root / "nowhere"), want=1)
	check("device-0040.pem" in reason and "OMEF-" in reason, f"reason: {reason}")


def the_short_example_renews_when_due(i, s):
	"""A certificate past two thirds of its time: that of the service, under a profile of few days, cannot be waited for; faked clock."""
	stem = s.device(42)
	out = s.root / "out-due"
	program = i.compile(ROOT / "examples/enrol.c", more=["-std=c11"])
	first, _ = i.call(program, *words(s, stem, out))
	source = i.scratch / "due.c"
	source.write_text(DUE)
	due = i.compile(source)
	told, _ = i.call(due, f"127.0.0.1:{s.https}", out)
	check(serial(told) != serial(first) and serial(told) in s.serials(), f"renewed: {told}")


DUE = r"""
#include <enrolee.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Clock and renewal of a device: due by its clock, then renewed with the right one. */
static int64_t shift;
static int64_t unix_s(void *arg) { return time(NULL) + shift; }
static int64_t mono_ms(void *arg) { return 0; }
static int calls;
static int fill(void *arg, unsigned char *out, size_t n) { calls++; memset(out, 7, n); return 0; }
static int refuse(void *arg, unsigned char *out, size_t n) { return -1; }

#define WANT(truth) do { if (!(truth)) { fprintf(stderr, "line %d: %s: %s\n", __LINE__, #truth, enrolee_error_text(e)); return 1; } } while (0)

int main(int argc, char **argv)
{
	struct enrolee *e = enrolee_new();
	const struct enrolee_clock clock = {sizeof(clock), NULL, unix_s, mono_ms};
	struct enrolee_status s = {.size = sizeof(s)};
	char path[300];
	const unsigned char *p;
	size_t n;

	WANT(argc == 3 && enrolee_set_text(e, ENROLEE_DIR, argv[2]) == 0 && enrolee_set_text(e, ENROLEE_CONNECT, argv[1]) == 0);
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_GOOD && s.days_left > 0 && !s.has_symmetric);
	WANT(enrolee_set_clock(e, &clock) == 0);
	shift = s.renew_from_s - time(NULL) + 60;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_DUE);
	shift = s.not_after_s - time(NULL) + 60;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_EXPIRED && s.days_left == 0);
	WANT(enrolee_run(e, ENROLEE_RENEW) != 0); /* the MEF's certificate is long over by this clock */
	shift = s.not_before_s - time(NULL) - 100000;
	WANT(enrolee_status(e, &s) == 0 && s.state == ENROLEE_STATE_NOT_YET);
	WANT(enrolee_set_clock(e, NULL) == 0);
	WANT(enrolee_set_random(e, refuse, NULL) == 0 && enrolee_run(e, ENROLEE_RENEW) == 1890 && enrolee_error_kind(e) == ENROLEE_SYSTEM);
	WANT(enrolee_set_random(e, fill, NULL) == 0 && enrolee_run(e, ENROLEE_RENEW) == 0 && calls == 1);
	WANT(enrolee_error_text(e)[0] == '\0' && enrolee_error_code(e) == 0 && enrolee_next(e)->kind == ENROLEE_ACTION_DONE);
	WANT(enrolee_path(e, ENROLEE_ITEM_KEY, path, sizeof(path)) == 0 && strstr(path, "/current/key.pem"));
	WANT(enrolee_path(e, ENROLEE_ITEM_KEY, path, 5) != 0 && enrolee_path(e, ENROLEE_ITEM_SYMMETRIC, path, sizeof(path)) == 1892);
	WANT(enrolee_held(e, ENROLEE_ITEM_CERTIFICATE, &p, &n) == 0 && strncmp((const char *)p, "-----BEGIN", 10) == 0 && p[n] == 0);
	WANT(enrolee_held(e, ENROLEE_ITEM_SYMMETRIC, &p, &n) == 1807 && p == NULL && enrolee_error_kind(e) == ENROLEE_NOT_FOUND);
	WANT(enrolee_status(e, &s) == 0);
	printf("serial %s\n", s.serial);
	enrolee_free(e);
	enrolee_free(NULL);
	return 0;
}
"""


def a_device_with_its_own_keys_and_calls(i, s):
	program = i.compile(ROOT / "examples/own_store.c", "libcurl", "libcrypto", more=["-std=gnu11"])
	stem = s.device(43)
	out = s.root / "own"
	out.mkdir()
	before = s.serials()
	told, _ = i.call(program, *words(s, stem, out))
	check("Enrolled: serial" in told and "Renewed: serial" in told and len(s.serials() - before) == 2, f"both: {told}")
	run("openssl", "verify", "-CAfile", out / "anchors.pem", "-untrusted", out / "chain.pem", out / "cert.pem")
	key = run("openssl", "pkey", "-in", out / "key.pem", "-pubout")
	check(key == run("openssl", "x509", "-in", out / "cert.pem", "-noout", "-pubkey"), "its own key is in the certificate")
	argv = words(s, stem, out)
	argv[1] = s.factory / "ca.pem"
	argv[4] = s.root / "own-none"
	argv[4].mkdir()
	_, reason = i.call(program, *argv, want=1)
	check("OMEF-1891" in reason, f"a server that is not trusted: {reason}")


def memory_is_clean(i, s):
	if not i.valgrind or not shutil.which("valgrind"): # a sanitizer's build has watched all along
		return
	program = i.scratch / "enrol"
	done = subprocess.run(["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite",
		str(program), *map(str, words(s, s.device(44), s.root / "out-valgrind"))], capture_output=True, text=True, env=i.env,
		timeout=280)
	check(done.returncode == 0 and "Serial" in done.stdout, f"valgrind: {done.returncode}\n{done.stdout}{done.stderr[-3000:]}")


def main():
	with Service(sys.argv[1]) as s:
		i = Installed(sys.argv[1], s.root)
		s.start()
		for test in (the_names_are_those_of_the_header, the_header_stands_alone_in_c_and_cpp, every_function_has_its_page):
			test(i)
			print("passed:", test.__name__, flush=True)
		for test in (the_short_example_enrols_and_finds_nothing_to_do, the_short_example_renews_when_due,
				a_device_with_its_own_keys_and_calls, memory_is_clean):
			test(i, s)
			print("passed:", test.__name__, flush=True)
		s.stop()


main()
