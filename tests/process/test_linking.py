#!/usr/bin/env python3
"""CSR attributes in both forms, and requests linked to their TLS session: real TLS clients that compute tls-unique (Python)
and the exporter (openssl s_client) themselves, curl for csrattrs, and the device's own program."""

import base64
import os
import re
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import CSRATTRS, ENROL, Session, est_label, make_csr, make_key, with_challenge  # noqa: E402
from _service import Service, check, run  # noqa: E402

TEMPLATE = bytes.fromhex("060b2a864886f70d010910023d")  # RFC 9908: 1.2.840.113549.1.9.16.2.61
LINKING = bytes.fromhex("060b2a864886f70d010910023a")   # RFC 7894: 1.2.840.113549.1.9.16.2.58
CHALLENGE = bytes.fromhex("06092a864886f70d010907")

LABELS = """
[label off]
profile = device
linking = off

[label accepted]
profile = device
linking = accepted

[label required]
profile = device
linking = required

[label both]
profile = device
challenge = required
bind_tls = yes
linking = required
attrs = both
ask_key = P-256
ask_ekus = clientAuth
ask_subject = CN, O=Acme\\, Inc., OU

[label template]
profile = device
challenge = required
attrs = template
ask_key = P-384
ask_subject = CN, O=Acme
"""


class Device:
	def __init__(self, s, number):
		self.s, self.stem, self.out = s, s.device(number), s.root / f"out-{number}"

	def call(self, *words, want=0, says=()):
		done = subprocess.run([str(self.s.binary.parent / "enrolee"), *map(str, words), "--connect", f"127.0.0.1:{self.s.https}"],
			capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
		told = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}")
		for text in says:
			check(text in done.stderr, f"want '{text}': {told}")

	def enrol(self, label, *more, want=0, says=()):
		self.call("enrol", "--mef", f"https://localhost:{self.s.https}/.well-known/est/{label}", "--cert", f"{self.stem}.pem", "--key",
			f"{self.stem}.key", "--anchors", self.s.dir / "ca" / "root.cert.pem", "--out", self.out, *more, want=want, says=says)

	def renew(self, *more):
		self.call("renew", "--dir", self.out, *more)

	def verify(self):
		c = self.out / "current"
		run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")


class Shell:
	"""`openssl s_client` on TLS 1.3, which tells the exporter's octets (RFC 9266; there no context is an empty one)."""

	def __init__(self, s, stem):
		self.c = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{s.https}", "-servername", "localhost", "-tls1_3",
			"-cert", f"{stem}.pem", "-key", f"{stem}.key", "-CAfile", str(s.dir / "ca" / "root.cert.pem"), "-keymatexport",
			"EXPORTER-Channel-Binding", "-keymatexportlen", "32", "-nocommands", "-ign_eof"], stdin=subprocess.PIPE,
			stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
		told = b""
		while b"read R BLOCK" not in told and b"Keying material: " not in told:
			line = self.c.stdout.readline()
			check(line, f"s_client shook hands: {told}")
			told += line
		self.exporter = bytes.fromhex(re.search(rb"Keying material: ([0-9A-F]+)", told).group(1).decode())

	def enrol(self, csr, label):
		body = base64.b64encode(csr)
		self.c.stdin.write(f"POST {ENROL.format(est_label(label))} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\n"
			f"Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
		self.c.stdin.flush()
		told = b""
		while True:
			line = self.c.stdout.readline()
			if not line:
				break
			told += line
		found = re.search(rb"HTTP/1.1 (\d+) .*?\r\n\r\n(.*?)(closed|$)", told, re.S)
		check(found, f"an answer: {told[-300:]}")
		return int(found.group(1)), found.group(2)

	def close(self):
		self.c.stdin.close()
		self.c.kill()
		self.c.wait()


class Stage:
	def __init__(self, s):
		self.s = s
		self.a, self.b = s.device(1), s.device(2)
		self.where = s.root / "made"
		self.where.mkdir()
		self.key = make_key(self.where / "fresh.key")

	def csr(self, challenge=None, linking=None, **how):
		how.setdefault("extensions", ["subjectAltName = URI:urn:example:node:0001", "extendedKeyUsage = clientAuth",
			"keyUsage = critical, digitalSignature"])
		out = make_csr(self.where, self.key, challenge=challenge, **how)
		return with_challenge(out, self.key, linking, LINKING) if linking else out

	def tls12(self, stem=None):
		context = self.s.context(stem or self.a)
		context.maximum_version = ssl.TLSVersion.TLSv1_2
		return Session(self.s, context=context)


def is_code(answer, status, code, what):
	check(answer[0] == status and answer[1].startswith(code.encode()), f"{what}: want {status} {code}, have {answer}")
	check(status == 200 or b"(RFC " in answer[1] or b"(TS-" in answer[1], f"{what}: the clause is named: {answer}")


def unique(session):
	return base64.b64encode(session.c.get_channel_binding("tls-unique")).decode()


def tls_unique_counts_in_its_own_session(t):
	"""RFC 7030 3.5, RFC 5929"""
	with t.tls12() as other:
		stolen = unique(other)
	for place in ("challenge", "linking"):
		for label, wrong, none in (("off", 200, 200), ("accepted", 403, 200), ("required", 403, 403)):
			with t.tls12() as session:
				what = f"{place} on {label}"
				right = session.enrol(t.csr(**{place: unique(session)}), label)
				if label == "off" and place == "challenge":
					is_code(right, 403, "OMEF-1320", "linking is off: only the MEF's own challenge stands there")
				else:
					check(right[0] == 200, f"{what}: {right}")
				bad = session.enrol(t.csr(**{place: stolen}), label)
				if label == "off":
					check(bad[0] == (403 if place == "challenge" else 200), f"{what}, another session's: {bad}")
				else:
					is_code(bad, wrong, "OMEF-1326", f"{what}, another session's")
				bare = session.enrol(t.csr(), label)
				check(bare[0] == none, f"{what}, none: {bare}")
				if none == 403:
					is_code(bare, 403, "OMEF-1537", f"{what}, none")


def a_right_place_does_not_make_up_for_a_wrong_one(t):
	with t.tls12() as other:
		stolen = unique(other)
	with t.tls12() as session:
		is_code(session.enrol(t.csr(challenge=unique(session), linking=stolen), "accepted"), 403, "OMEF-1326", "second place wrong")
		is_code(session.enrol(t.csr(challenge=stolen, linking=unique(session)), "accepted"), 403, "OMEF-1326", "first place wrong")


def the_exporter_counts_on_tls_13(t):
	"""RFC 9266"""
	other = Shell(t.s, t.a)
	for label in ("accepted", "required"):
		for place in ("challenge", "linking"):
			for stolen in (False, True):
				session = Shell(t.s, t.a)
				value = base64.b64encode((other if stolen else session).exporter).decode()
				answer = session.enrol(t.csr(**{place: value}), label)
				session.close()
				if stolen:
					is_code(answer, 403, "OMEF-1326", f"{label}, {place}: another session's")
				else:
					check(answer[0] == 200, f"{label}, {place}: {answer}")
	other.close()


def the_first_finished_message_is_no_value_on_tls_13(t):
	"""RFC 9266 3: tls-unique is not defined there"""
	context = t.s.context(t.a)
	context.minimum_version = ssl.TLSVersion.TLSv1_3
	with Session(t.s, context=context) as session:
		value = base64.b64encode(session.c.get_channel_binding("tls-unique")[:12]).decode()
		is_code(session.enrol(t.csr(challenge=value), "accepted"), 403, "OMEF-1326", "a Finished message")


def next_to_the_challenge_linking_has_a_place_of_its_own(t):
	"""TS-0003 8.3.6.2, RFC 7894 3.3"""
	subject = "/CN=device-0001/O=Acme, Inc./OU=yard 3"
	with t.tls12() as session:
		is_code(session.enrol(t.csr(subject=subject, challenge=unique(session)), "both"), 403, "OMEF-1527", "no challenge")
		is_code(session.enrol(t.csr(subject=subject, challenge=session.challenge("both")), "both"), 403, "OMEF-1537", "no linking")
		answer = session.enrol(t.csr(subject=subject, challenge=session.challenge("both"), linking=unique(session)), "both")
		check(answer[0] == 200, f"both: {answer}")
		text = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs", "-noout"], input=base64.b64decode(answer[1]),
			capture_output=True).stdout
		check(b"Acme" in text and b"yard 3" in text, f"the subject asked for is issued: {text}")


def what_was_asked_for_is_enforced_and_named(t):
	"""RFC 9908 3.4; each refusal names attribute and clause"""
	good = "/CN=device-0001/O=Acme, Inc./OU=yard 3"
	san, eku, usage = "subjectAltName = URI:urn:example:node:0001", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"
	rows = [
		("/CN=device-0001/O=Other/OU=yard 3", [san, eku, usage], "OMEF-1539", b"O=Acme"),
		("/CN=device-0001/O=Acme, Inc.", [san, eku, usage], "OMEF-1539", b"want OU"),
		("/CN=device-0001/O=Acme, Inc./OU=yard 3/OU=more", [san, eku, usage], "OMEF-1539", b"nothing more"),
		("/O=Acme, Inc./CN=device-0001/OU=yard 3", [san, eku, usage], "OMEF-1539", b"attribute 1: want CN"),
		("/CN=device-0002/O=Acme, Inc./OU=yard 3", [san, eku, usage], "OMEF-1539", b"CN=device-0001"),
		("/", [san, eku, usage], "OMEF-1539", b"want CN"),
		(good, [san, eku], "OMEF-1538", b"digitalSignature"),
		(good, [san, eku, "keyUsage = keyAgreement"], "OMEF-1538", b"digitalSignature"),
		(good, [san, usage], "OMEF-1523", b"extendedKeyUsage"),
		(good, [eku, usage], "OMEF-1522", b"subjectAltName"),
	]
	for subject, extensions, code, named in rows:
		with t.tls12() as session:
			answer = session.enrol(t.csr(subject=subject, extensions=extensions, challenge=session.challenge("both"),
				linking=unique(session)), "both")
			is_code(answer, 403, code, f"{subject} {extensions}")
			check(named in answer[1], f"{named} is named: {answer}")
	with Session(t.s, t.a) as session:
		answer = session.enrol(t.csr(subject="/CN=device-0001/O=Acme", challenge=session.challenge("template")), "template")
		is_code(answer, 403, "OMEF-1524", "a key of another kind")
	# RFC 7030 4.5: who never asked is not held to it, but whoever echoes a challenge has asked
	plain = [san]
	with Session(t.s, t.a) as session:
		answer = session.enrol(t.csr(extensions=()), "accepted")
		check(answer[0] == 200, f"a plain client: {answer}")
		is_code(session.enrol(t.csr(extensions=plain, challenge=session.challenge("accepted")), "accepted"), 403, "OMEF-1538", "an echo")


def curl(s, stem, label):
	done = subprocess.run(["curl", "-sS", "--fail", "--cacert", str(s.dir / "ca" / "root.cert.pem"), "--cert", f"{stem}.pem", "--key",
		f"{stem}.key", f"https://localhost:{s.https}{CSRATTRS.format(est_label(label))}"], capture_output=True, timeout=60)
	check(done.returncode == 0, f"curl: {done}")
	return base64.b64decode(done.stdout)


def csrattrs_take_the_form_of_the_label(t):
	"""RFC 7030 4.5.2, RFC 9908 3.4, RFC 7894 4"""
	for label, template, bare, linking in (("off", 0, 0, 0), ("accepted", 0, 0, 0), ("required", 0, 1, 0), ("both", 1, 0, 1),
			("template", 1, 0, 0)):
		got = curl(t.s, t.a, label)
		run_ok = subprocess.run(["openssl", "asn1parse", "-inform", "DER"], input=got, capture_output=True)
		check(run_ok.returncode == 0, f"{label}: DER: {run_ok.stderr}")
		check(got.count(TEMPLATE) == template, f"{label}: template: {got.hex()}")
		check(got.count(LINKING) == linking, f"{label}: estIdentityLinking: {got.hex()}")
		valued = got.count(CHALLENGE + b"\x31")
		check(valued == {"both": 2, "required": 0}.get(label, 1), f"{label}: challengePassword with a value: {got.hex()}")
		check((got.count(CHALLENGE) - valued) == bare, f"{label}: bare challengePassword: {got.hex()}")


def an_enrolee_may_be_asked_for_something_else(t):
	prefs = t.s.root / "prefs.json"
	prefs.write_text('{"askSubject": "CN, O=Own", "askKey": "P-256"}')
	run(t.s.binary, "prefs", "set", "--dir", t.s.dir, "--enrolee", "device-0002", prefs)
	check(b"Own" in curl(t.s, t.b, "template") and b"Own" not in curl(t.s, t.a, "template"), "B alone is asked for O=Own")
	prefs.write_text('{"askSubject": "CN, X=1"}')
	done = subprocess.run([str(t.s.binary), "prefs", "set", "--dir", str(t.s.dir), "--enrolee", "device-0002", str(prefs)],
		capture_output=True, text=True)
	check(done.returncode != 0 and "askSubject" in done.stderr, f"a slip is told: {done}")
	san = ["subjectAltName = URI:urn:example:node:0002", "keyUsage = critical, digitalSignature"]
	with Session(t.s, t.b) as session:
		is_code(session.enrol(t.csr(subject="/CN=device-0002/O=Acme", extensions=san, challenge=session.challenge("template")), "template"),
			403, "OMEF-1539", "the label's subject")
		answer = session.enrol(t.csr(subject="/CN=device-0002/O=Own", extensions=san, challenge=session.challenge("template")), "template")
		check(answer[0] == 200, f"its own subject and key: {answer}")


def the_device_obeys_each_form_on_both_versions(t):
	n = 10
	for label, more in (("off", []), ("accepted", ["--link-session"]), ("required", []), ("both", ["--subject", "OU=yard 3"]), ("template", [])):
		for tls in ([], ["--tls12"]):
			n += 1
			d = Device(t.s, n)
			d.enrol(label, *more, *tls)
			d.verify()
			subject = run("openssl", "x509", "-in", d.out / "current" / "cert.pem", "-noout", "-subject", "-nameopt", "RFC2253")
			want = {"both": f"OU=yard 3,O=Acme\\, Inc.,CN=urn:example:node:{n:04d}", "template": f"O=Acme,CN=urn:example:node:{n:04d}"}
			check(want.get(label, "CN=urn") in subject, f"{label}: {subject}")
			d.renew("--force", *tls)
			d.verify()
	d = Device(t.s, 30)
	d.enrol("both", want=1, says=["OMEF-1840", "OU"])


def a_session_by_shared_key_is_linked_to_too(t):
	"""RFC 7030 3.3.3 and 3.5"""
	s = t.s
	prefs = s.root / "psk.json"
	prefs.write_text('{"certificate": "require", "estLabel": "required"}')
	for name, tls in (("psk-13", []), ("psk-12", ["--tls12"])):
		run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "node", "--entity", f"urn:example:node:{name}", "--psk", name,
			"--psk-out", s.root / f"{name}.kpm")
		run(s.binary, "prefs", "set", "--dir", s.dir, "--enrolee", name, prefs)
		out = s.root / f"out-{name}"
		run(s.binary.parent / "enrolee", "enrol", "--mef", f"https://localhost:{s.https}", "--psk", s.root / f"{name}.kpm", "--psk-id",
			f"{name}@localhost", "--out", out, "--connect", f"127.0.0.1:{s.https}", *tls)
		check((out / "current" / "cert.pem").exists(), f"{name}: a certificate")


def main():
	with Service(sys.argv[1]) as s:
		conf = s.dir / "openmef.conf"
		s.set("keys", "P-256, P-384")
		conf.write_text(conf.read_text() + LABELS)
		t = Stage(s)
		s.start()
		for check_one in (tls_unique_counts_in_its_own_session, a_right_place_does_not_make_up_for_a_wrong_one, the_exporter_counts_on_tls_13,
				the_first_finished_message_is_no_value_on_tls_13, next_to_the_challenge_linking_has_a_place_of_its_own,
				what_was_asked_for_is_enforced_and_named, csrattrs_take_the_form_of_the_label, an_enrolee_may_be_asked_for_something_else,
				the_device_obeys_each_form_on_both_versions, a_session_by_shared_key_is_linked_to_too):
			check_one(t)
			print("ok", check_one.__name__)


main()
