#!/usr/bin/env python3
"""
A directory of the release before (schema 2, no message key, none of the newer keys in its configuration) is served by this
one: nothing is lost, and what is new can be had. OPENMEF_BEFORE=PATH makes the directory by that program instead.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _before  # noqa: E402
from _hold import curl, decide, label, the_request  # noqa: E402
from _issuers import csr, entity_of, keep  # noqa: E402
from _psk import Session, add_enrolee, enrolled  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402

NEWEST = int(re.search(r"DB_VERSION = (\d+)", (pathlib.Path(__file__).parents[2] / "src/adapt/store/sqlite_db.h").read_text()).group(1))


def crl(s, name="issuing", revoked=None):
	"""(number, serial numbers) of the list that is served; revoked: one that it must come to name."""
	def read():
		status, _, der = s.ask_plain(f"/crl/{name}.crl")
		if status != 200:
			return None
		done = subprocess.run(["openssl", "crl", "-inform", "DER", "-noout", "-text"], input=der, capture_output=True, timeout=60)
		text = done.stdout.decode()
		number = re.search(r"CRL Number:\s+(\d+)", text)
		return int(number.group(1)), {x.lower().lstrip("0") for x in re.findall(r"Serial Number: ([0-9A-F]+)", text)}
	wait_for(lambda: read() and (not revoked or revoked in read()[1]), f"a CRL of {name} with {revoked}")
	return read()


def renew(s, stem, want=200):
	"""simplereenroll by the certificate of that stem; a fresh stem."""
	subject = run("openssl", "x509", "-in", f"{stem}.pem", "-noout", "-subject", "-nameopt", "compat").strip().split("=", 1)[1].strip()
	out = s.root / "renewal.der"
	out.write_bytes(csr(stem, entity_of(stem), subject if subject.startswith("/") else "/"))
	status, _, body = curl(s, stem, "", out, est="simplereenroll")
	check(status == want, f"renewal: want {want}, have {status} {body}")
	return body


def first(s, stem):
	"""A certificate by the maker's one; (stem, serial)."""
	status, _, body = curl(s, stem, "", pathlib.Path(f"{stem}.csr"))
	check(status == 200, f"{status} {body}")
	path = pathlib.Path(keep(stem, body, "own"))
	named = stem.parent / f"own+{stem.name}"
	for end in (".pem", ".key"):
		pathlib.Path(f"{path}{end}").rename(f"{named}{end}")
	return named, serial_of(body)


def live_a_while(s):
	"""What is there when the new release comes."""
	was = {"stems": {i: s.device(i) for i in (1, 2, 3)}}
	was["psk"] = add_enrolee(s, "psk-1", "node", "urn:example:node:0101")
	s.start()
	was["own"], was["serial"] = first(s, was["stems"][1])
	was["bad"], was["revoked"] = first(s, was["stems"][2])
	run(s.binary, "cert", "revoke", was["revoked"], "--dir", s.dir)
	run(s.binary, "enrolee", "disable", "device-0003", "--dir", s.dir)
	enrolled(s, *was["psk"]).close()
	was["crl"], serials = crl(s, revoked=was["revoked"])
	check(serials == {was["revoked"]}, f"CRL: {serials}")
	s.stop()
	was["token"] = json.loads(run(s.binary, "token", "add", "psk-1", "--dir", s.dir, "--json"))
	was["tokens"] = json.loads(run(s.binary, "token", "list", "--dir", s.dir, "--json"))
	was["serials"] = s.serials()
	was["audit"] = json.loads(run(s.binary, "audit", "list", "--dir", s.dir, "--json", "--limit", "1000"))
	return was


def nothing_is_lost(s, was):
	check(s.serials() == was["serials"], "every certificate")
	check(json.loads(run(s.binary, "token", "list", "--dir", s.dir, "--json")) == was["tokens"], "every token")
	rows = json.loads(run(s.binary, "audit", "list", "--dir", s.dir, "--json", "--limit", "1000"))
	check(rows[:len(was["audit"])] == was["audit"], "the audit log goes on where it ended")
	run(s.binary, "audit", "verify", "--dir", s.dir)
	check(_before.version(s.dir) == NEWEST, f"schema: {_before.version(s.dir)}")
	number, serials = crl(s, revoked=was["revoked"])
	check(number >= was["crl"] and serials == {was["revoked"]}, f"CRL: {number} {serials}, was {was['crl']}")
	renew(s, was["own"])
	check(curl(s, was["stems"][1], "", pathlib.Path(f"{was['stems'][1]}.csr"))[0] == 200, "the maker's certificate enrols")
	renew(s, was["bad"], 403)
	check(curl(s, was["stems"][3], "", pathlib.Path(f"{was['stems'][3]}.csr"))[0] == 403, "who was disabled is")
	with Session(s, *was["psk"]) as session:
		check(session.start(token=was["token"]["token"]).status == 200, "the key and its token")
	serial = serial_of(curl(s, was["stems"][1], "", pathlib.Path(f"{was['stems'][1]}.csr"))[2])
	run(s.binary, "cert", "revoke", serial, "--dir", s.dir)
	later, serials = crl(s, revoked=serial)
	check(later > was["crl"] and serials == {was["revoked"], serial}, f"numbers go on: {later} after {was['crl']}")
	json.loads(run(s.binary, "status", "--dir", s.dir, "--json"))


def what_is_new_is_off(s, was):
	stem = was["stems"][1]
	for operation in ("serverkeygen", "fullcmc"):
		status, _, body = curl(s, stem, "", pathlib.Path(f"{stem}.csr"), est=operation)
		check(status == 404, f"{operation}: {status} {body}")
	check(json.loads(run(s.binary, "request", "list", "--dir", s.dir, "--json")) == [], "nothing waits")


def refused_start(s, *says):
	done = subprocess.run([str(s.binary), "serve", "--dir", str(s.dir)], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and all(word in done.stderr for word in says), f"{says}: {done}")


def a_rollover_needs_no_message_key(s):
	"""And `ca message` makes one by the CA that issues then."""
	d = s.root / "copy"
	shutil.copytree(s.dir, d, ignore=shutil.ignore_patterns("run"))
	for word in ("prepare", "publish", "switch"):
		run(s.binary, "ca", "rollover", word, "--dir", d)
	check(not list(d.rglob("message*")), "none is made unasked")
	run(s.binary, "ca", "message", "--dir", d)
	folder = next(p for p in (d / "ca").iterdir() if p.is_dir())
	run("openssl", "verify", "-partial_chain", "-CAfile", folder / "issuing.cert.pem", next(d.rglob("message.cert.pem")))


def what_is_new_can_be_had(s, was):
	stem = was["stems"][1]
	plain = (s.dir / "openmef.conf").read_text()
	label(s, "keys", profile="device", serverkeygen="yes")
	refused_start(s, "[label keys]", "serverkeygen", "openmef ca message")
	run(s.binary, "ca", "message", "--dir", s.dir)
	label(s, "held", profile="device", hold="all")
	s.start()
	check(curl(s, stem, "keys/", pathlib.Path(f"{stem}.csr"), est="serverkeygen")[0] == 200, "a key made here")
	body = pathlib.Path(f"{stem}.csr")
	check(curl(s, stem, "held/", body)[0] == 202, "it waits")
	decide(s, "approve", the_request(s)["id"])
	check(curl(s, stem, "held/", body)[0] == 200, "and is answered")
	run(s.binary, "key", "srp", "--help")
	s.stop()
	return plain


def the_ca_rolls_over(s, was):
	s.start()
	own = s.root / "roll"
	for word in ("prepare", "publish", "switch"):
		told = json.loads(run(s.binary, "ca", "rollover", word, "--dir", s.dir, "--json"))
		check(told["changed"], f"{word}: {told}")
		run(s.binary, "reload", "--dir", s.dir)
		s.read_ports()
	before, serials = crl(s, "issuing")
	check(was["revoked"] in serials and before > was["crl"], "the old CA's list goes on")
	own.mkdir()
	issuer = run("openssl", "x509", "-in", f"{was['own']}.pem", "-noout", "-issuer")
	(own / "answer").write_bytes(renew(s, was["own"]))
	new = keep(was["own"], (own / "answer").read_bytes(), "new")
	check(run("openssl", "x509", "-in", f"{new}.pem", "-noout", "-issuer") != issuer, "by the new CA")
	renew(s, was["bad"], 403)
	check(curl(s, was["stems"][1], "keys/", pathlib.Path(f"{was['stems'][1]}.csr"), est="serverkeygen")[0] == 200,
		"the message key is of the new CA")
	s.stop()


def main():
	before = os.environ.get("OPENMEF_BEFORE")
	with Service(sys.argv[1], {"public_http": "http://localhost:8080"}) as s:
		now = s.binary
		if before:
			subprocess.run(["rm", "-r", str(s.dir), str(s.root / "factory")], check=True)
			s.binary = pathlib.Path(before)
			run(s.binary, "init", "--fqdn", "localhost", "--dir", s.dir, "--https", "127.0.0.1:0", "--http", "127.0.0.1:0")
			s.set("public_http", "http://localhost:8080")
			s._factory()
		was = live_a_while(s)
		s.binary = now
		if not before:
			_before.turn_back(s.dir)
		check(_before.version(s.dir) == _before.SCHEMA, "the old schema")
		check(not list((s.dir / "ca").glob("message*")), "no message key")
		s.start()
		nothing_is_lost(s, was)
		what_is_new_is_off(s, was)
		s.process.send_signal(signal.SIGHUP)
		s.wait_notice("READY=1")
		s.stop()
		a_rollover_needs_no_message_key(s)
		what_is_new_can_be_had(s, was)
		the_ca_rolls_over(s, was)
		run(s.binary, "audit", "verify", "--dir", s.dir)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	print("the directory of the release before: as it should be")


main()
