#!/usr/bin/env python3
"""libenrolee under labels that ask for more: a request that waits for a person, keys that the MEF makes, linking to the session."""

import json
import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _hold import decide, label, the_request  # noqa: E402
from _library import ROOT, Installed  # noqa: E402
from _service import Service, check, run  # noqa: E402


def words(s, stem, name, to, out):
	return [f"https://localhost:{s.https}/.well-known/est{'/' + name if name else ''}", s.dir / "ca/root.cert.pem", f"{stem}.pem",
		f"{stem}.key", out, f"127.0.0.1:{s.https}", *to]


def public(text, kind):
	return run("openssl", kind, "-in", text, *(["-noout", "-pubkey"] if kind == "x509" else ["-pubout"]))


def fits(out):
	c = out / "current"
	run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
	check(public(c / "cert.pem", "x509") == public(c / "key.pem", "pkey"), "key and certificate belong together")


def waits_for_a_person(i, s, program):
	stem, out = s.device(1), s.root / "out-hold"
	told, _ = i.call(program, "held", *words(s, stem, "", [], out))
	check("OMEF-1530" in told, f"what the MEF said is shown: {told}")
	kept = json.loads((out / "pending.json").read_text())
	pending = (out / "pending.pem").read_text()
	told, _ = i.call(program, "held", *words(s, stem, "", [], out))
	check(json.loads((out / "pending.json").read_text())["csr"] == kept["csr"], "the same request again")
	row = the_request(s, "--state", "waiting")
	decide(s, "approve", row["id"])
	i.call(program, "enrols", *words(s, stem, "", ["0", "0"], out))
	check((out / "current/key.pem").read_text() == pending and not (out / "pending.json").exists(), "its key is in force")
	fits(out)
	check(the_request(s, "--state", "done")["id"] == row["id"], "one request from the beginning to the end")


def with_a_store_of_its_own(i, s):
	program = i.compile(ROOT / "examples/own_store.c", "libcurl", "libcrypto", more=["-std=gnu11"])
	stem, out = s.device(2), s.root / "own-hold"
	out.mkdir()
	argv = words(s, stem, "", [], out)
	_, told = i.call(program, *argv, "no-wait", want=1)
	check("OMEF-1808" in told and (out / "request.json").exists(), f"it waits: {told}")
	decide(s, "approve", the_request(s, "--state", "waiting")["id"])
	told, _ = i.call(program, *argv, "no-wait")
	check("Enrolled" in told and "Renewed" in told and not (out / "request.json").exists(), f"the request went on: {told}")


def keys_that_the_mef_makes(i, s, program):
	for number, way in ((3, "1"), (4, "2")):
		stem, out = s.factory / "device-rsa" if way == "2" else s.device(number), s.root / f"out-made-{way}"
		i.call(program, "enrols", *words(s, stem, "made", [way, "0"], out))
		fits(out)
	i.call(program, "enrols", *words(s, s.factory / "device-rsa", "encrypted", ["2", "0"], s.root / "out-encrypted"))
	fits(s.root / "out-encrypted")
	_, told = i.call(program, "enrols", *words(s, s.factory / "device-rsa", "encrypted", ["1", "0"], s.root / "out-none"), want=1)
	check("OMEF-1343" in told, f"plain where it must be encrypted: {told}")


def linked_to_the_session(i, s, program):
	for number, tls12 in ((6, "0"), (7, "1")):
		stem, out = s.device(number), s.root / f"out-linked-{tls12}"
		i.call(program, "enrols", *words(s, stem, "linked", ["0", tls12], out))
		fits(out)


def signed_messages(i, s, program):
	stem, out = s.device(8), s.root / "out-cmc"
	before = s.serials()
	i.call(program, "cmc", *words(s, stem, "signed", [], out))
	fits(out)
	check(len(s.serials() - before) == 2, "enrolled and renewed")


def rsa_device(s, number):
	stem = s.factory / "device-rsa"
	run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{stem}.key", "-out", f"{stem}.req", "-subj",
		f"/O=Example Devices/serialNumber=SN-{number:04d}")
	ext = s.factory / "ext-rsa"
	ext.write_text("keyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=clientAuth\n")
	run("openssl", "x509", "-req", "-in", f"{stem}.req", "-CA", s.factory / "ca.pem", "-CAkey", s.factory / "ca.key", "-set_serial",
		5000 + number, "-days", "3650", "-extfile", ext, "-out", f"{stem}.pem")
	run(s.binary, "enrolee", "add", f"device-{number:04d}", "--dir", s.dir, "--type", "node", "--entity", f"urn:example:node:{number:04d}",
		"--credential", f"serial=SN-{number:04d}", "--anchor", s.factory / "ca.pem")


def main():
	with Service(sys.argv[1]) as s:
		i = Installed(sys.argv[1], s.root)
		program = i.compile(ROOT / "tests/process/library_driver.c")
		label(s, "", hold="enrol", hold_retry="7s")
		label(s, "made", profile="device", serverkeygen="yes")
		label(s, "encrypted", profile="device", serverkeygen="encrypted")
		label(s, "linked", profile="device", linking="required")
		label(s, "signed", profile="device", fullcmc="yes")
		rsa_device(s, 5)
		s.start()
		waits_for_a_person(i, s, program)
		with_a_store_of_its_own(i, s)
		keys_that_the_mef_makes(i, s, program)
		linked_to_the_session(i, s, program)
		signed_messages(i, s, program)
		s.stop()
	print("libenrolee under labels: passed")


main()
