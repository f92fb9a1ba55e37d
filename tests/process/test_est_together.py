#!/usr/bin/env python3
"""
What a label may be told, together: requests that wait for a person or for another CA, keys that the MEF makes, full CMC,
challenges, linking, registration authorities, proxies, shared keys, a rollover, a reload, an operator's change of mind.
"""

import base64
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _cmc as cmc  # noqa: E402
from _attacks import Session, make_csr, with_challenge  # noqa: E402
from _hold import decide, events, listed  # noqa: E402
from _issuers import PROGRAM, Authority, add_sections, entity_of, pem_of  # noqa: E402
from _psk import Session as PskSession, add_enrolee  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402
from _upstream import Upstream  # noqa: E402

LINKING = bytes.fromhex("060b2a864886f70d010910023a")

LABELS = {
	"hold-key": "hold = enrol\nserverkeygen = yes",
	"hold-cmc": "hold = all\nfullcmc = yes",
	"hold-link": "hold = enrol\nlinking = required",
	"hold-challenge": "hold = enrol\nchallenge = required\nbind_tls = yes\nserverkeygen = yes\nreuse_key = no",
	"hold-ra": "hold = enrol\nra = yes\nfullcmc = yes",
	"hold-up": "hold = enrol\nissuer = up\nfullcmc = yes\nserverkeygen = yes",
	"hold-cmd": "hold = enrol\nissuer = program",
	"up-all": "issuer = up\nfullcmc = yes\nserverkeygen = yes",
	"up-challenge": "issuer = up\nchallenge = required\nbind_tls = yes\nchallenge_ttl = 10s\nreuse_key = no",
	"up-link": "issuer = up\nlinking = required",
	"cmd-all": "issuer = program\nfullcmc = yes\nserverkeygen = yes",
	"late": "expired = 1h\nfullcmc = yes\nserverkeygen = yes\nprofile = short",
}

class Stage:
	def __init__(self, s):
		self.s, self.number, self.where = s, 0, s.root / "made"
		self.where.mkdir()
		self.up = Upstream(s.root)
		self.ca = Authority(s.root, "Program")
		self.program_waits = s.root / "program-waits"
		path = s.root / "program"
		path.write_text(PROGRAM.format(ca=self.ca.dir, waits=self.program_waits))
		path.chmod(0o700)
		first = self.up.section("up", "hold-up").split("[label")[0]
		add_sections(s, first + f"[issuer program]\nkind = command\ncommand = {path}\nchain = {self.ca.chain}\n"
			"[profile short]\nvalidity = 60s\nbackdate = 0s\n"
			"[profile ra]\nvalidity = 30d\nekus = clientAuth, 1.3.6.1.5.5.7.3.28\n[label make-ra]\nprofile = ra\n"
			+ "".join(f"[label {name}]\n{text}\n" for name, text in LABELS.items()))

	def device(self):
		self.number += 1
		return self.s.device(self.number)

	def csr(self, stem, challenge=None, linking=None, subject="/", key=None):
		out = make_csr(self.where, key or f"{stem}.key", subject, [f"subjectAltName = URI:{entity_of(stem)}",
			"extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"], challenge)
		return with_challenge(out, key or f"{stem}.key", linking, LINKING) if linking else out

	def ask(self, stem, label, der, operation="simpleenroll", using=None):
		"""(status, Retry-After, body), each over a connection of its own."""
		status, headers, body = self.s.ask("POST", f"/.well-known/est/{label}/{operation}", base64.b64encode(der),
			"application/pkcs10", using or stem)
		return status, headers["Retry-After"], body

	def want(self, status, *argv, says=b"", **more):
		have = self.ask(*argv, **more)
		check(have[0] == status and says in have[2], f"{argv[1]} {more.get('operation', '')}: want {status} {says}, have {have}")
		check(status != 202 or have[1], f"{argv[1]}: 202 without Retry-After")
		return have

	def decide(self, stem, word="approve", *more):
		rows = listed(self.s, "--state", "waiting", "--enrolee", name_of(stem))
		check(len(rows) == 1, f"one waits: {rows}")
		decide(self.s, word, rows[0]["id"], *more)
		return rows[0]["id"]

	def waits_and_comes(self, stem, label, der, **more):
		self.want(202, stem, label, der, **more)
		self.want(202, stem, label, der, **more)
		self.decide(stem)
		return self.want(200, stem, label, der, **more)[2]


def name_of(stem):
	return f"device-{int(str(stem).rsplit('-', 1)[1]):04d}"


# ---- a person decides

def a_made_key_waits(t):
	d = t.device()
	der = t.csr(d)
	body = t.waits_and_comes(d, "hold-key", der, operation="serverkeygen")
	check(b"application/pkcs8" in body and b"application/pkcs7-mime" in body, "key and certificate")
	t.want(409, d, "hold-key", der, operation="serverkeygen", says=b"OMEF-1528")
	# the same bytes asked for the other way are another request
	t.waits_and_comes(d, "hold-key", der)


def cmc_is_pending_then_issued(t):
	d = t.device()
	request, key = cmc.csr(t.where)
	message = cmc.sign(t.where, cmc.data([cmc.transaction(2, 77), cmc.nonce(3, b"0123456789abcdef")], [cmc.pkcs10(1, request)]), d)
	path = "/.well-known/est/hold-cmc/fullcmc"
	for _ in range(2):
		cmc.ask(t.s, t.where, message, d, 202, path).expect(1, cmc.PENDING)
	t.decide(d)
	a = cmc.ask(t.s, t.where, message, d, 200, path)
	a.expect(1, cmc.SUCCESS)
	check(a.cert_of(t.where, key), "its certificate")
	# a denied one is a refusal with the operator's words
	request, key = cmc.csr(t.where)
	message = cmc.sign(t.where, cmc.data([], [cmc.pkcs10(1, request)]), d)
	cmc.ask(t.s, t.where, message, d, 202, path).expect(1, cmc.PENDING)
	t.decide(d, "deny", "--reason", "wrong site")
	a = cmc.ask(t.s, t.where, message, d, 403, path)
	check("wrong site" in a.statuses[1][2], f"{a.statuses}")


def a_wait_needs_no_second_link(t):
	"""0018, 0019: what was proven when the request came counts for the same bytes of the same enrolee, not for others."""
	d, other = t.device(), t.device()
	context = t.s.context(d)
	context.maximum_version = ssl.TLSVersion.TLSv1_2
	with Session(t.s, context=context) as session:
		link = base64.b64encode(session.c.get_channel_binding("tls-unique")).decode()
		der = t.csr(d, linking=link)
		status, body = session.enrol(der, "hold-link")
		check(status == 202, f"{status} {body}")
	t.want(202, d, "hold-link", der)
	t.want(403, d, "hold-link", t.csr(d, linking=link), says=b"OMEF-")
	t.want(403, other, "hold-link", der, says=b"OMEF-")
	t.decide(d)
	t.want(403, d, "hold-link", t.csr(d), says=b"OMEF-1537")
	t.want(200, d, "hold-link", der)
	t.want(403, d, "up-link", der, says=b"OMEF-")


def a_wait_needs_no_second_challenge(t):
	for operation in ("simpleenroll", "serverkeygen"):
		d = t.device()
		with Session(t.s, d) as session:
			der = t.csr(d, session.challenge("hold-challenge"))
			path = f"/.well-known/est/hold-challenge/{operation}"
			status, body = session.enrol(der, path=path)
			check(status == 202, f"{status} {body}")
		t.want(202, d, "hold-challenge", der, operation=operation)
		t.decide(d)
		t.want(200, d, "hold-challenge", der, operation=operation)
		t.want(403, d, "hold-challenge", t.csr(d, "A" * 136), operation=operation)


def an_authority_waits_for_its_clients(t):
	d, r = t.device(), t.device()
	status, _, body = t.ask(r, "make-ra", t.csr(r))
	check(status == 200, f"{status} {body}")
	ra = t.where / "ra-1"
	pathlib.Path(f"{ra}.pem").write_text(pem_of(body)[0])
	pathlib.Path(f"{ra}.key").write_bytes(pathlib.Path(f"{r}.key").read_bytes())
	key = t.where / "client.key"
	run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
	der = t.csr(d, key=key)
	t.want(202, d, "hold-ra", der, using=ra)
	t.decide(d)
	# approved, but the authority has gone meanwhile
	run(t.s.binary, "enrolee", "disable", name_of(r), "--dir", t.s.dir)
	t.want(403, d, "hold-ra", der, using=ra)
	run(t.s.binary, "enrolee", "enable", name_of(r), "--dir", t.s.dir)
	t.want(200, d, "hold-ra", der, using=ra)


def shared_keys_wait_too(t):
	psk = add_enrolee(t.s, "psk-1", "node", "urn:example:node:0901")
	key = t.where / "psk.key"
	run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
	der = make_csr(t.where, key, "/", ["subjectAltName = URI:urn:example:node:0901"])

	def ask(label, operation):
		with PskSession(t.s, *psk) as session:
			return session.ask("POST", f"/.well-known/est/{label}/{operation}", base64.b64encode(der), {"Content-Type":
				"application/pkcs10"})
	for label, operation in (("hold-key", "simpleenroll"), ("hold-key", "serverkeygen"), ("hold-up", "simpleenroll")):
		check(ask(label, operation)[0] == 202, f"{label} {operation}")
		decide(t.s, "approve", listed(t.s, "--state", "waiting", "--enrolee", "psk-1")[0]["id"])
		status, fields, body = ask(label, operation)
		check(status == 200, f"{label} {operation}: {status} {body}")
	for label, operation in (("up-all", "serverkeygen"), ("cmd-all", "simpleenroll")):
		check(ask(label, operation)[0] == 200, f"{label} {operation}")
	status, _, body = ask("up-link", "simpleenroll")
	check(status == 403 and b"OMEF-1537" in body, f"{status} {body}")
	with PskSession(t.s, *psk) as session: # nothing signs a message of a client without certificate
		status, fields, body = session.ask("POST", "/.well-known/est/up-all/fullcmc", base64.b64encode(der), {"Content-Type":
			cmc.MEDIA})
		check(400 <= status < 500 and b"OMEF-" in body, f"{status} {body}")


# ---- another CA decides

def a_person_then_another_ca(t):
	d = t.device()
	orders = t.up.orders
	der = t.csr(d)
	t.want(202, d, "hold-up", der)
	check(t.up.orders == orders, "nothing leaves before a person has looked")
	t.decide(d)
	t.up.mode = "waits"
	check(t.want(202, d, "hold-up", der)[1] == "123", "then the other CA's time is told")
	t.up.mode = "good"
	check("Upstream" in issuer_of(t, t.want(200, d, "hold-up", der)[2]), "its certificate")
	body = t.waits_and_comes(d, "hold-cmd", t.csr(d))
	check("Program" in issuer_of(t, body), "and that of a program")
	t.waits_and_comes(d, "hold-up", t.csr(d), operation="serverkeygen")


def issuer_of(t, body):
	path = t.where / "one.pem"
	path.write_text(pem_of(body)[0])
	return run("openssl", "x509", "-in", path, "-noout", "-issuer")


def what_was_proven_counts_while_another_ca_waits(t):
	"""RFC 7030 4.2.3: the same request again; over another session, and after the challenge's end."""
	d = t.device()
	t.up.mode = "waits"
	with Session(t.s, d) as session:
		der = t.csr(d, session.challenge("up-challenge"))
		check(session.enrol(der, "up-challenge")[0] == 202, "it waits")
	before = len(events(t.s, "enrol.refused"))
	check(t.want(202, d, "up-challenge", der)[1] == "123", "and goes on waiting over another session")
	check(len(events(t.s, "enrol.refused")) == before, "polls write nothing")
	check(len(listed(t.s, "--enrolee", name_of(d))) == 1, "the operator sees it")
	t.up.mode = "good"
	serial = serial_of(t.want(200, d, "up-challenge", der)[2])
	check(serial_of(t.want(200, d, "up-challenge", der)[2]) == serial, "the answer again")
	check(listed(t.s, "--enrolee", name_of(d))[0]["state"] == "done", "done")
	linked = t.device()
	t.up.mode = "waits"
	context = t.s.context(linked)
	context.maximum_version = ssl.TLSVersion.TLSv1_2
	with Session(t.s, context=context) as session:
		der = t.csr(linked, linking=base64.b64encode(session.c.get_channel_binding("tls-unique")).decode())
		check(session.enrol(der, "up-link")[0] == 202, "it waits")
	t.up.mode = "good"
	t.want(403, d, "up-link", der, says=b"OMEF-")
	t.want(200, linked, "up-link", der)
	# an operator may end the wait, too
	other = t.device()
	t.up.mode = "waits"
	with Session(t.s, other) as session:
		der = t.csr(other, session.challenge("up-challenge"))
		check(session.enrol(der, "up-challenge")[0] == 202, "it waits")
	t.decide(other, "deny", "--reason", "not ours")
	t.up.mode = "good"
	t.want(403, other, "up-challenge", der, says=b"not ours")


def a_made_key_cannot_wait_elsewhere(t):
	d = t.device()
	t.up.mode = "waits"
	t.program_waits.touch()
	for label in ("up-all", "cmd-all"):
		t.want(403, d, label, t.csr(d), operation="serverkeygen", says=b"OMEF-1534")
	t.want(202, d, "cmd-all", t.csr(d))
	t.up.mode = "good"
	t.program_waits.unlink()
	for label in ("up-all", "cmd-all"):
		t.want(200, d, label, t.csr(d), operation="serverkeygen")


def cmc_goes_elsewhere(t):
	for label, ca in (("up-all", "Upstream"), ("cmd-all", "Program")):
		d = t.device()
		path = f"/.well-known/est/{label}/fullcmc"
		request, key = cmc.csr(t.where, "/", f"URI:{entity_of(d)}")
		message = cmc.sign(t.where, cmc.data([cmc.transaction(2, 9)], [cmc.pkcs10(1, request)]), d)
		t.up.mode = "waits"
		t.program_waits.touch()
		status, headers, _ = t.s.ask("POST", path, base64.b64encode(message), cmc.MEDIA, d)
		check(status == 202 and headers["Retry-After"] in ("123", "77"), f"{status} {headers}")
		t.up.mode = "good"
		t.program_waits.unlink()
		a = cmc.ask(t.s, t.where, message, d, 200, path)
		a.expect(1, cmc.SUCCESS)
		own = cmc.keep(t.where, a.cert_of(t.where, key), key)
		check(ca in run("openssl", "x509", "-in", f"{own}.pem", "-noout", "-issuer"), "by that CA")
		# its revocation is not ours to publish
		issuer, serial = cmc.names_of(f"{own}.pem")
		message = cmc.sign(t.where, cmc.data([cmc.revoke(3, issuer, serial, 0)]), own)
		status, _, body = t.s.ask("POST", path, base64.b64encode(message), cmc.MEDIA, own)
		check(status in (200, 403, 404), f"{status} {body[:200]}")


# ---- what changes meanwhile

def a_change_of_mind(t):
	d = t.device()
	for word, back, want in (("disable", "enable", 403), ("remove", None, None)):
		der = t.csr(d)
		if want:
			t.want(202, d, "hold-up", der)
			t.decide(d)
		run(t.s.binary, "enrolee", word, name_of(d), "--dir", t.s.dir)
		t.want(403, d, "hold-up", der)
		if back:
			run(t.s.binary, "enrolee", back, name_of(d), "--dir", t.s.dir)
	check(listed(t.s, "--enrolee", name_of(d)) == [], "requests go with their enrolee")
	# disabled while the other CA works: what it gave is told to the operator, not to the device
	other = t.device()
	t.up.mode = "slow"
	got = []
	thread = threading.Thread(target=lambda: got.append(t.ask(other, "up-all", t.csr(other))))
	orders = t.up.orders
	thread.start()
	wait_for(lambda: t.up.orders > orders, "the order leaves")
	run(t.s.binary, "enrolee", "disable", name_of(other), "--dir", t.s.dir)
	thread.join()
	t.up.mode = "good"
	check(got[0][0] == 403, f"{got}")


def rollover_and_reload_in_the_middle(t):
	s = t.s
	held, upheld, key = t.device(), t.device(), t.device()
	request = t.csr(held)
	t.want(202, held, "hold-key", request)
	made = t.csr(key)
	t.want(202, key, "hold-key", made, operation="serverkeygen")
	t.up.mode = "waits"
	with Session(s, upheld) as session:
		away = t.csr(upheld, session.challenge("up-challenge"))
		check(session.enrol(away, "up-challenge")[0] == 202, "it waits")
	old = (s.dir / "ca" / "issuing.cert.pem").read_text()
	for word in ("prepare", "publish", "switch"):
		run(s.binary, "ca", "rollover", word, "--dir", s.dir)
		run(s.binary, "reload", "--dir", s.dir)
		s.read_ports()
		t.want(202, held, "hold-key", request)
		t.want(202, upheld, "up-challenge", away)
	t.decide(held)
	body = t.want(200, held, "hold-key", request)[2]
	(t.where / "old.pem").write_text(old)
	issuer_of(t, body)
	run("openssl", "verify", "-partial_chain", "-CAfile", t.where / "old.pem", t.where / "one.pem", ok=(2,))
	new = next(p for p in (s.dir / "ca").iterdir() if p.is_dir()) / "issuing.cert.pem"
	run("openssl", "verify", "-partial_chain", "-CAfile", new, t.where / "one.pem")
	t.decide(key)
	t.want(200, key, "hold-key", made, operation="serverkeygen")
	t.up.mode = "good"
	t.want(200, upheld, "up-challenge", away)


def a_label_that_goes(t):
	s = t.s
	d = t.device()
	der = t.csr(d)
	t.want(202, d, "hold-cmd", der)
	conf = s.dir / "openmef.conf"
	kept = conf.read_text()
	conf.write_text(kept.replace(f"[label hold-cmd]\n{LABELS['hold-cmd']}\n", ""))
	run(s.binary, "reload", "--dir", s.dir)
	s.read_ports()
	t.want(404, d, "hold-cmd", der, says=b"hold-cmd")
	request = t.decide(d)
	shown = json.loads(run(s.binary, "request", "show", request, "--json", "--dir", s.dir))
	check(shown["state"] == "approved", f"{shown}")
	conf.write_text(kept)
	run(s.binary, "reload", "--dir", s.dir)
	s.read_ports()
	t.want(200, d, "hold-cmd", der)


def preferences_name_labels_that_are_there(t):
	"""The enrolment exchange tells its device the address of that label."""
	path = t.where / "prefs.json"
	path.write_text('{"certificate": "require", "estLabel": "gone"}')
	argv = [str(t.s.binary), "prefs", "set", "--default", str(path), "--dir", str(t.s.dir)]
	done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
	check(done.returncode == 3 and "OMEF-1932" in done.stderr and "gone" in done.stderr, f"{done}")
	path.write_text('{"certificate": "require", "estLabel": "hold-key"}')
	run(*argv)
	psk = add_enrolee(t.s, "psk-2", "node", "urn:example:node:0902")
	with PskSession(t.s, *psk) as session:
		answer = session.start(certificate=True)
		check(answer.status == 200 and "est/hold-key" in str(answer), f"{answer}")
	run(t.s.binary, "prefs", "remove", "--default", "--dir", t.s.dir)


def no_late_client_but_for_renewal(t):
	"""Prepared first, as it takes a minute to be late: see main."""
	stem, subject, _ = t.late
	check(run("openssl", "x509", "-in", f"{stem}.pem", "-noout", "-checkend", "0", ok=(1,)), "it has ended")
	der = t.csr(t.late_device, subject=subject)
	t.want(403, t.late_device, "late", der, operation="serverkeygen", using=stem, says=b"OMEF-")
	t.want(403, t.late_device, "late", der, using=stem, says=b"OMEF-")
	message = cmc.sign(t.where, cmc.data([], [cmc.pkcs10(1, der)]), stem)
	status, _, body = t.s.ask("POST", "/.well-known/est/late/fullcmc", base64.b64encode(message), cmc.MEDIA, stem)
	check(status == 403, f"{status} {body}")
	t.want(200, t.late_device, "late", der, operation="simplereenroll", using=stem)


def be_late(t):
	t.late_device = t.device()
	status, _, body = t.ask(t.late_device, "late", t.csr(t.late_device))
	check(status == 200, f"{status} {body}")
	stem = t.where / "late-1"
	pathlib.Path(f"{stem}.pem").write_text(pem_of(body)[0])
	pathlib.Path(f"{stem}.key").write_bytes(pathlib.Path(f"{t.late_device}.key").read_bytes())
	t.late = stem, f"/CN={entity_of(t.late_device)}", time.time()


CASES = (a_made_key_waits, cmc_is_pending_then_issued, a_wait_needs_no_second_link, a_wait_needs_no_second_challenge,
	an_authority_waits_for_its_clients, shared_keys_wait_too, a_person_then_another_ca,
	what_was_proven_counts_while_another_ca_waits, a_made_key_cannot_wait_elsewhere, cmc_goes_elsewhere, a_change_of_mind,
	a_label_that_goes, preferences_name_labels_that_are_there, rollover_and_reload_in_the_middle)


def main():
	with Service(sys.argv[1], {"fronts": "2", "signers": "2"}) as s:
		t = Stage(s)
		s.start()
		be_late(t)
		for case in CASES:
			if len(sys.argv) < 3 or case.__name__ in sys.argv[2:]:
				case(t)
				print("ok", case.__name__, flush=True)
		if len(sys.argv) < 3 or "no_late_client_but_for_renewal" in sys.argv[2:]:
			end = t.late[2] + 62 # RFC 5280 4.1.2.5: notAfter is the last good second
			wait_for(lambda: time.time() > end, "the short certificate ends", 90)
			no_late_client_but_for_renewal(t)
		s.stop()
		run(s.binary, "audit", "verify", "--dir", s.dir)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	print("together: as it should be")


if __name__ == "__main__":
	main()
