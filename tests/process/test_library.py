#!/usr/bin/env python3
"""libenrolee: names, C and C++, both kinds of library, and the examples against a real MEF."""

import json
import os
import pathlib
import re
import shutil
import ssl
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


def renewal_by_the_devices_clock(i, s):
	stem = s.device(42)
	out = s.root / "out-due"
	first, _ = i.call(i.scratch / "enrol", *words(s, stem, out))
	told, _ = i.call(driver(i), "due", f"127.0.0.1:{s.https}", out)
	check(serial(told) != serial(first) and serial(told) in s.serials(), f"renewed: {told}")


def driver(i):
	out = i.scratch / "library_driver"
	return out if out.exists() else i.compile(ROOT / "tests/process/library_driver.c")


def limits_and_turns_are_kept(i, s):
	(s.root / "empty").mkdir()
	i.call(driver(i), "rules", s.root / "empty")


def what_the_caller_does_wrong_is_told(i, s):
	argv = words(s, s.device(45), s.root / "means")
	leaf, issuing = s.root / "server.der", s.root / "issuing.der"
	leaf.write_bytes(ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", s.https))))
	run("openssl", "x509", "-in", s.dir / "ca/issuing.cert.pem", "-outform", "DER", "-out", issuing)
	i.call(driver(i), "means", *argv[:5], leaf, issuing)
	check(not (s.root / "means/current").exists(), "nothing was installed")
	before = s.serials()
	i.call(driver(i), "store", *argv[:4], argv[5])
	check(s.serials() == before, "nothing was asked for with a wrong signature")


PREFS = {"certificate": "offer", "certificateUsages": [42], "enrolmentExpiry": 86400,
	"mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444", "credential": "symmetricKey", "usages": [32]}],
	"targets": [{"id": "cse2.m2m.example.com", "usages": [22]}]}


def symmetric_keys_of_an_exchange(i, s):
	for name, more in (("libkeys", []), ("libboth", ["certificate"])):
		kpm = s.root / f"{name}.kpm"
		run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "node", "--entity", f"urn:example:node:{name}", "--psk", name, "--psk-out",
			kpm)
		prefs = s.root / f"{name}.prefs"
		prefs.write_text(json.dumps(PREFS))
		run(s.binary, "prefs", "set", "--dir", s.dir, "--enrolee", name, prefs)
		binary = s.root / f"{name}.psk"
		binary.touch(0o600)
		binary.write_bytes(bytes.fromhex(kpm.read_text().strip().split(":")[-1]))
		out = s.root / f"out-{name}"
		told, _ = i.call(driver(i), "exchange", f"https://localhost:{s.https}", binary, f"{name}@localhost", out, f"127.0.0.1:{s.https}", *more)
		keid, suid, target, key = told.split()
		same = json.loads(run(s.binary.parent / "enrolee", "derive", "usage", "--suid", suid, "--target", target, "--out", out, "--json",
			"--show-secrets"))
		check(same["keid"] == keid and same["key"].upper() == key, "the command derives the same key from what the library stored")
		check(key not in s.log_text().upper(), "no key in the log")


def the_first_anchors_come_one_way_of_three(i, s):
	url, root, cert, key, _, address = words(s, s.device(46), "")
	print_ = run("openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha256").strip().split("=")[1].replace(":", "")
	outs = [s.root / f"boot-{n}" for n in range(3)]
	i.call(driver(i), "bootstrap", url, cert, key, outs[0], address, print_, root, *outs[1:])
	for out in outs[:2]:
		check((out / "current/anchors.pem").read_text().strip() == root.read_text().strip(), "the MEF's root is the anchor")
		check("First of them: cacerts" in (out / "current/anchors.txt").read_text(), "where they came from is kept")
	check(not (outs[2] / "current").exists(), "nothing of a server that nobody vouches for")


def peers_are_judged_by_the_anchors_held(i, s):
	der = s.root / "issuing.der"
	run("openssl", "x509", "-in", s.dir / "ca/issuing.cert.pem", "-outform", "DER", "-out", der)
	i.call(driver(i), "verify", s.root / "out-due", der)


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
		for test in (the_short_example_enrols_and_finds_nothing_to_do, renewal_by_the_devices_clock, limits_and_turns_are_kept,
				what_the_caller_does_wrong_is_told, symmetric_keys_of_an_exchange, peers_are_judged_by_the_anchors_held, the_first_anchors_come_one_way_of_three,
				a_device_with_its_own_keys_and_calls, memory_is_clean):
			test(i, s)
			print("passed:", test.__name__, flush=True)
		s.stop()


main()
