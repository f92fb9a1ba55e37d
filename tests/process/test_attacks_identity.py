#!/usr/bin/env python3
"""Devices that ask for more than they are: names, keys, challenges, certificates, chains. Nothing is issued, and an
audit event says so where the registry knows who asked."""

import base64
import os
import pathlib
import ssl
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import (CA, CSRATTRS, ENROL, LEAF, REENROL, Session, Watch, der, dial, events, issued_pem, make_cert,  # noqa: E402
	make_csr, make_key, open_key, text_of)
from _service import Service, check, fail, run  # noqa: E402

LABELS = """
[label loose]
profile = device
challenge = required
bind_tls = no

[label other]
profile = device
challenge = required
bind_tls = no

[label short]
profile = device
challenge = required
bind_tls = no
challenge_ttl = 10s
"""


class Stage:
	"""Two registered devices, A and B, and a place for forgeries."""

	def __init__(self, s):
		self.s = s
		self.where = s.root / "forged"
		self.where.mkdir()
		self.a, self.b = s.device(1), s.device(2)
		self.key = make_key(self.where / "fresh.key")
		self.certs = len(s.serials())

	def csr(self, **how):
		return make_csr(self.where, how.pop("key", self.key), **how)

	def fresh(self, kind="P-256"):
		return make_key(self.where / f"fresh-{kind}.key", kind)

	def code(self, body):
		return body.split(b":")[0].decode(errors="replace")

	def issued(self):
		return len(self.s.serials())

	def nothing(self, what):
		check(self.issued() == self.certs, f"{what}: nothing was issued")

	def something(self, n=1):
		self.certs += n
		check(self.issued() == self.certs, f"{n} more certificates")

	def refused(self, what, answer, want, enrolee="device-0001", audited=True):
		status, body = answer
		check((status, self.code(body)) == want, f"{what}: want {want}, have {status} {body}")
		if not audited:
			return
		last = events(self.s)[-1]
		check(last["what"] == "enrol.refused" and last.get("enrolee") == enrolee and f"OMEF-{last['code']}" == want[1],
			f"{what}: an audit event says so, have {last}")

	def ask(self, csr, stem=None, label="", path=ENROL, context=None):
		with Session(self.s, stem or self.a, context=context) as session:
			return session.enrol(csr, label, path)

	def provision(self, stem, name, label="", **how):
		"""A certificate of the MEF's; returns the stem of its files."""
		key = make_key(self.where / f"{name}.key")
		status, body = self.ask(self.csr(key=key, **how), stem, label)
		check(status == 200, f"enrolment: {status} {body}")
		self.something()
		(self.where / f"{name}.pem").write_bytes(issued_pem(body))
		return self.where / name


def refuses_handshake(t, what, context=None, stem=None, name="localhost"):
	"""Or the client, asked for a key of another kind, stays anonymous. In TLS 1.3 it learns with the first read."""
	context = context or t.s.context(stem)
	c = dial(t.s.https)
	try:
		tls = context.wrap_socket(c, server_hostname=name)
		tls.sendall(f"GET {CSRATTRS.format('onem2m/')} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
		got = tls.recv(1000)
		check(not got or b"OMEF-1510" in got, f"{what}: want no handshake, or one without certificate, have {got}")
	except (ssl.SSLError, ConnectionError):
		pass
	finally:
		c.close()


# ---- names

def nobody_gets_the_name_of_another(t):
	"""TS-0003 8.3.6.2: the identity comes from the registry."""
	own = "URI:urn:example:node:0001"
	other = "URI:urn:example:node:0002"
	for what, subject, san, want in [
		("B's entity as SAN", "/", other, 1522), ("B's entity as CN", "/CN=urn:example:node:0002", own, 1521),
		("B's id as CN", "/CN=device-0002", own, 1521), ("B's serial number", "/serialNumber=SN-0002", own, 1521),
		("A's CN and more", "/CN=device-0001/CN=localhost", own, 1521),
		("A's CN and an organisation", "/O=Example Devices/CN=device-0001", own, 1521),
		("an address beside", "/", f"{own}, IP:127.0.0.1", 1522), ("a host beside", "/", f"{own}, DNS:localhost", 1522),
		("a wildcard beside", "/", f"{own}, DNS:*.example.com", 1522), ("a wildcard alone", "/", "DNS:*", 1522),
		("an e-mail address beside", "/", f"{own}, email:root@example.com", 1522),
		("B beside A", "/", f"{own}, {other}", 1522), ("a number beside", "/", f"{own}, RID:1.2.3.4", 1522),
		("a hidden otherName", "/", f"{own}, otherName:1.3.6.1.4.1.311.20.2.3;UTF8:root@example.com", 1522),
		("another scheme's case", "/", "URI:urn:example:NODE:0001", 1522),
		("a control character", "/CN=device-0001\x0b", own, 1521),
	]:
		csr = t.csr(subject=subject, extensions=[f"subjectAltName = {san}"])
		t.refused(what, t.ask(csr), (403, f"OMEF-{want}"))
	t.nothing("names of others")


def a_request_gets_no_rights_that_the_profile_lacks(t):
	"""RFC 5280 4.2.1.9, 4.2.1.3, 4.2.1.12"""
	own = "subjectAltName = URI:urn:example:node:0001"
	for what, extension in [("cA", "basicConstraints = critical, CA:TRUE"), ("cA with a length", "basicConstraints = CA:TRUE, pathlen:3"),
			("keyCertSign", "keyUsage = critical, digitalSignature, keyCertSign"), ("cRLSign", "keyUsage = cRLSign")]:
		t.refused(what, t.ask(t.csr(extensions=[own, extension])), (403, "OMEF-1520"))
	t.nothing("CA requests")
	ekus = "serverAuth, codeSigning, OCSPSigning, anyExtendedKeyUsage, 1.3.6.1.5.5.7.3.28" # the last: id-kp-cmcRA
	status, body = t.ask(t.csr(extensions=[own, f"extendedKeyUsage = {ekus}", "nsCertType = sslCA", "subjectKeyIdentifier = hash",
		"certificatePolicies = 1.2.3.4", "nameConstraints = permitted;DNS:example.com", "crlDistributionPoints = URI:http://evil.example/crl"]))
	check(status == 200, f"wishes of a plain client are ignored: {status} {body}")
	t.something()
	text = text_of(issued_pem(body))
	for bad in ("Code Signing", "OCSP Signing", "Any Extended", "7.3.28", "CA:TRUE", "Certificate Sign", "Policies", "Netscape",
			"Constraints: \n                Permitted", "evil.example"):
		check(bad not in text, f"the certificate has no {bad}:\n{text}")
	with Session(t.s, t.a) as session:
		for eku in ("serverAuth", "anyExtendedKeyUsage", "1.3.6.1.5.5.7.3.28", "codeSigning"):
			csr = t.csr(extensions=[own, f"extendedKeyUsage = clientAuth, {eku}"], challenge=session.challenge())
			t.refused(f"{eku} beside what csrattrs ask for", session.enrol(csr, "onem2m"), (403, "OMEF-1523"))
		csr = t.csr(extensions=[own], challenge=session.challenge())
		t.refused("no usage where one is asked for", session.enrol(csr, "onem2m"), (403, "OMEF-1523"))
	t.nothing("usages")


def weak_and_foreign_keys_are_refused(t):
	"""TS-0003 10.1.1.1"""
	for kind, codes in (("prime192v1", {"OMEF-1421"}), ("secp256k1", {"OMEF-1421"}), ("secp521r1", {"OMEF-1421"}),
			("brainpoolP256r1", {"OMEF-1421"}), ("RSA-1024", {"OMEF-1421"}), ("RSA-2048", {"OMEF-1421"}), ("ed25519", {"OMEF-1421"})):
		csr = t.csr(key=t.fresh(kind), digest="-sha256")
		status, body = t.ask(csr)
		check(status == 400 and t.code(body) in codes, f"{kind}: {status} {body}")
		check(events(t.s)[-1]["what"] == "enrol.refused", f"{kind}: an audit event says so")
	t.refused("a signature with SHA-1", t.ask(t.csr(digest="-sha1")), (403, "OMEF-1224"))
	t.nothing("weak keys")


def a_key_that_one_does_not_hold_is_not_certified(t):
	"""RFC 2986 4.2"""
	mine, other = t.csr(), t.csr(key=t.fresh())
	key = subprocess.run(["openssl", "req", "-inform", "DER", "-noout", "-pubkey"], input=other, capture_output=True).stdout
	theirs = base64.b64decode(b"".join(key.split(b"\n")[1:-2]))[-64:]
	key = subprocess.run(["openssl", "req", "-inform", "DER", "-noout", "-pubkey"], input=mine, capture_output=True).stdout
	own = base64.b64decode(b"".join(key.split(b"\n")[1:-2]))[-64:]
	t.refused("another's public key", t.ask(mine.replace(own, theirs)), (403, "OMEF-1225"))
	with Session(t.s, t.a) as session:
		for at in range(len(mine)):
			changed = bytearray(mine)
			changed[at] ^= 1 << (at % 8)
			status, body = session.enrol(bytes(changed))
			check(status in (400, 403, 413), f"byte {at} of a request changed: {status} {body}")
		for cut in range(0, len(mine), 7):
			status, body = session.enrol(mine[:cut])
			check(status in (400, 413), f"a request cut at {cut}: {status} {body}")
		status, body = session.enrol(mine + b"\x00")
		check(status == 400, f"a byte behind a request: {status} {body}")
		deep = b"\x30\x00"
		while len(deep) < 30000:
			deep = der(0x30, deep)
		status, body = session.enrol(deep)
		check(status in (400, 413), f"ten thousand nested sequences: {status} {body}")
	t.nothing("changed requests")


def bodies_that_are_no_request_are_told_so(t):
	"""RFC 7030 4.2.1, RFC 8951 3"""
	csr = base64.b64encode(t.csr())
	with Session(t.s, t.a) as session:
		for what, body, media, want in [
			("another media type", csr, "application/octet-stream", 415), ("no media type", csr, None, 415),
			("a long media type", csr, "application/" + "x" * 200, 413), ("nothing", b"", "application/pkcs10", 400),
			("no base64", b"\xff\xfe<script>", "application/pkcs10", 400), ("64 KiB of A", b"A" * 65536, "application/pkcs10", 413),
			("base64 cut in a group", csr[:-3], "application/pkcs10", 400), ("text behind the end", csr + b"==AAAA", "application/pkcs10", 400),
		]:
			status, answer = session.ask("POST", ENROL.format(""), body, media)
			check(status == want, f"{what}: want {want}, have {status} {answer}")
	t.nothing("bodies")


# ---- challenges

def challenges_count_once_for_one_client_one_label_one_session(t):
	"""TS-0003 8.3.6.2, RFC 9266"""
	own = ["subjectAltName = URI:urn:example:node:0001", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"]
	with Session(t.s, t.b) as session:
		of_b = session.challenge("loose")
	with Session(t.s, t.a) as session:
		of_a, bound = session.challenge("loose"), session.challenge("onem2m")
		t.refused("no challenge", session.enrol(t.csr(extensions=own), "loose"), (403, "OMEF-1527"))
		t.refused("B's challenge", session.enrol(t.csr(extensions=own, challenge=of_b), "loose"), (403, "OMEF-1322"))
		t.refused("another label's", session.enrol(t.csr(extensions=own, challenge=of_a), "other"), (403, "OMEF-1323"))
		t.refused("one where none is needed, but wrong", session.enrol(t.csr(challenge=of_a)), (403, "OMEF-1323"))
		t.refused("a password", session.enrol(t.csr(challenge="password"), "loose"), (403, "OMEF-1320"))
		t.refused("a wrong one where none is needed", session.enrol(t.csr(challenge="password")), (403, "OMEF-1320"))
		for at in range(0, len(of_a) - 2, 5):
			forged = of_a[:at] + ("A" if of_a[at] != "A" else "B") + of_a[at + 1:]
			t.refused(f"character {at} changed", session.enrol(t.csr(extensions=own, challenge=forged), "loose"), (403, "OMEF-1320"))
	t.refused("another session's", t.ask(t.csr(extensions=own, challenge=bound), label="onem2m"), (403, "OMEF-1324"))
	t.nothing("challenges")
	first = t.csr(extensions=own, challenge=of_a)
	status, body = t.ask(first, label="loose")
	check(status == 200, f"a good challenge: {status} {body}")
	t.something()
	check(t.ask(first, label="loose") == (200, body), "the same request again gets the same certificate")
	t.refused("spent, for another key", t.ask(t.csr(key=t.fresh(), extensions=own, challenge=of_a), label="loose"), (409, "OMEF-1528"))
	t.refused("spent, by B", t.ask(first, stem=t.b, label="loose"), (403, "OMEF-1322"), enrolee="device-0002")
	t.nothing("spent challenges")


def a_challenge_expires(t):
	"""TS-0003 8.3.6.2"""
	with Session(t.s, t.a) as session:
		csr = t.csr(extensions=["subjectAltName = URI:urn:example:node:0001"], challenge=session.challenge("short"))
	time.sleep(11)
	t.refused("an old challenge", t.ask(csr, label="short"), (403, "OMEF-1321"))
	t.nothing("an old challenge")


def twenty_at_once_with_one_challenge_get_one_certificate(t):
	own = ["subjectAltName = URI:urn:example:node:0001", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"]
	with Session(t.s, t.a) as session:
		same, spread = session.challenge("loose"), session.challenge("loose")
	csr = t.csr(extensions=own, challenge=same)
	answers = at_once(t, [csr] * 20)
	check(all(a == answers[0] and a[0] == 200 for a in answers), f"twenty the same: {[(a[0], a[1][:60]) for a in answers]}")
	t.something()
	answers = at_once(t, [t.csr(key=t.fresh(), extensions=own, challenge=spread) for _ in range(20)])
	check(sorted(a[0] for a in answers) == [200] + [409] * 19, f"twenty different ones: {sorted(a[0] for a in answers)}")
	t.something()


def at_once(t, csrs):
	sessions = [Session(t.s, t.a) for _ in csrs]
	answers = [None] * len(csrs)
	start = threading.Barrier(len(csrs))

	def post(i):
		start.wait()
		answers[i] = sessions[i].enrol(csrs[i], "loose")

	threads = [threading.Thread(target=post, args=(i,)) for i in range(len(csrs))]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	for session in sessions:
		session.close()
	return answers


# ---- certificates that authenticate

def renewal_keeps_who_one_is(t):
	"""RFC 7030 4.2.2, TS-0003 8.3.6.2"""
	own = "subjectAltName = URI:urn:example:node:0001"
	cert = t.provision(t.a, "renewing", subject="/CN=device-0001")
	t.refused("renewal with the factory certificate", t.ask(t.csr(), path=REENROL), (403, "OMEF-1525"))
	for what, subject, san, want in [
		("another subject", "/CN=device-0002", own, 1521), ("a longer subject", "/CN=device-0001/O=root", own, 1521),
		("no subject", "/", own, 1521), ("another SAN", "/CN=device-0001", "subjectAltName = URI:urn:example:node:0002", 1522),
		("one more SAN", "/CN=device-0001", f"{own}, DNS:localhost", 1522),
	]:
		csr = t.csr(subject=subject, extensions=[san])
		t.refused(what, t.ask(csr, cert, path=REENROL), (403, f"OMEF-{want}"))
	t.refused("no SAN", t.ask(t.csr(subject="/CN=device-0001"), cert, path=REENROL), (403, "OMEF-1522"))
	with Session(t.s, cert) as session:
		csr = t.csr(subject="/CN=device-0001", key=f"{cert}.key", extensions=[own, "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"],
			challenge=session.challenge())
		t.refused("the old key where a new one is wanted", session.enrol(csr, "onem2m", REENROL), (403, "OMEF-1526"))
	t.nothing("renewals")


def revoked_and_disabled_clients_get_nothing(t):
	"""RFC 7030 3.7"""
	cert = t.provision(t.a, "revoked", subject="/CN=device-0001")
	serial = run("openssl", "x509", "-in", f"{cert}.pem", "-noout", "-serial").strip().split("=")[1]
	again = t.csr(subject="/CN=device-0001", extensions=["subjectAltName = URI:urn:example:node:0001"])
	with Session(t.s, cert) as session: # open before, used after
		check(session.ask("GET", CSRATTRS.format(""))[0] == 200, "csrattrs before the revocation")
		run(t.s.binary, "cert", "revoke", serial, "--dir", t.s.dir, "--reason", "keyCompromise")
		t.refused("renewal on an old connection", session.enrol(again, path=REENROL), (403, "OMEF-1514"))
	t.refused("renewal with a revoked certificate", t.ask(again, cert, path=REENROL), (403, "OMEF-1514"))
	t.refused("enrolment with a revoked certificate", t.ask(again, cert), (403, "OMEF-1514"))
	with Session(t.s, cert) as session:
		status, body = session.ask("GET", CSRATTRS.format("onem2m/"))
	check(status == 403, f"csrattrs with a revoked certificate: {status} {body}")
	run(t.s.binary, "enrolee", "disable", "device-0001", "--dir", t.s.dir)
	t.refused("a disabled enrolee", t.ask(t.csr()), (403, "OMEF-1513"))
	with Session(t.s, t.a) as session:
		status, body = session.ask("GET", CSRATTRS.format("onem2m/"))
	check(status == 403, f"csrattrs of a disabled enrolee: {status} {body}")
	run(t.s.binary, "enrolee", "enable", "device-0001", "--dir", t.s.dir)
	t.nothing("revoked and disabled")


def a_self_signed_certificate_proves_its_key_only(t):
	"""RFC 7250, TS-0003 10.1.1"""
	for name, subject in (("self-1", "/O=Example Devices/serialNumber=SN-0001"), ("self-2", "/CN=device-0001")):
		forged = make_cert(t.where, name, subject, extensions=["subjectAltName = URI:urn:example:node:0001", *LEAF])
		t.refused(name, t.ask(t.csr(), forged), (403, "OMEF-1511"), audited=False)
	t.nothing("self-signed certificates")
	raw = make_cert(t.where, "raw", "/CN=localhost/serialNumber=SN-0002")
	pem = run("openssl", "pkey", "-in", f"{raw}.key", "-pubout").split("\n")
	digest = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=base64.b64decode("".join(pem[1:-2])), capture_output=True).stdout
	key = "sha-256;" + base64.urlsafe_b64encode(digest).decode().rstrip("=")
	run(t.s.binary, "enrolee", "add", "raw", "--dir", t.s.dir, "--type", "node", "--entity", "urn:example:node:raw", "--credential",
		f"key={key}")
	t.refused("its own subject", t.ask(t.csr(subject="/CN=localhost/serialNumber=SN-0002"), raw), (403, "OMEF-1521"), enrolee="raw")
	t.nothing("a raw key's subject")
	t.provision(raw, "raw-issued")


def only_the_anchor_that_was_named_vouches(t):
	"""RFC 7030 3.6: other makers' CAs are trusted too, for their own devices"""
	second = make_cert(t.where, "second-ca", "/O=Other Maker/CN=Other CA", extensions=CA)
	stranger = make_cert(t.where, "third-ca", "/O=Example Devices/CN=Factory CA", extensions=CA) # the same name, another key
	subject = "/O=Example Devices/serialNumber=SN-0001"
	refuses_handshake(t, "an untrusted CA", stem=make_cert(t.where, "by-third", subject, stranger, LEAF))
	with open(t.s.dir / "anchors" / "devices.pem", "a") as anchors:
		anchors.write(pathlib.Path(f"{second}.pem").read_text())
	t.s.signal(1)
	t.s.wait_notice("READY=1")
	by_second = make_cert(t.where, "by-second", subject, second, LEAF)
	t.refused("a trusted CA that is not A's", t.ask(t.csr(), by_second), (403, "OMEF-1511"), audited=False)
	twice = make_cert(t.where, "twice", "/serialNumber=SN-0001/serialNumber=SN-0002", second, LEAF)
	t.refused("two serial numbers", t.ask(t.csr(), twice), (403, "OMEF-1511"), audited=False)
	t.nothing("anchors")


def a_makers_ca_gives_no_name_that_deceives_others(t):
	"""RFC 9525 2: a device maker's CA gone bad writes the subject, and the certificate is good for servers too"""
	factory = t.s.factory / "ca"
	for what, subject, want in [("the MEF's own name", "/CN=localhost/serialNumber=SN-0001", (403, "OMEF-1430")),
			("another host", "/CN=cse.example.com/serialNumber=SN-0001", (403, "OMEF-1431")),
			("a wildcard", "/CN=*.example.com/serialNumber=SN-0001", (403, "OMEF-1431")),
			("an address", "/CN=127.0.0.1/serialNumber=SN-0001", (403, "OMEF-1431")),
			("text that turns round", "/CN=\u202emoc.elpmaxe/serialNumber=SN-0001", (400, "OMEF-1426"))]:
		leaf = make_cert(t.where, "deceiver", subject, factory, LEAF)
		t.refused(what, t.ask(t.csr(subject=subject), leaf), want)
	t.nothing("deceivers")
	run(t.s.binary, "enrolee", "add", "impostor", "--dir", t.s.dir, "--type", "fqdn", "--entity", "localhost", "--credential",
		"serial=SN-LOCALHOST", "--anchor", f"{factory}.pem")
	leaf = make_cert(t.where, "impostor", "/serialNumber=SN-LOCALHOST", factory, LEAF)
	t.refused("an enrolee of the MEF's name", t.ask(t.csr(), leaf), (403, "OMEF-1430"), enrolee="impostor")
	t.nothing("the MEF's name")


def the_own_ca_alone_proves_nothing(t):
	"""RFC 7030 3.7: with a stolen CA key even, the registry does not know the certificate"""
	issuing = open_key(t.s, "issuing", "ca-issuing", t.where / "issuing")
	(t.where / "issuing.pem").write_text((t.s.dir / "ca" / "issuing.cert.pem").read_text())
	server = open_key(t.s, "mef-tls", "mef-tls", t.where / "server")
	(t.where / "server.pem").write_text((t.s.dir / "ca" / "mef-tls.cert.pem").read_text())
	refuses_handshake(t, "the MEF's own server certificate as a client's (RFC 5280 4.2.1.12)", stem=server)
	names = ["subjectAltName = URI:urn:example:node:0001", *LEAF]
	forged = make_cert(t.where, "forged", "/CN=device-0001", issuing, names)
	t.refused("a certificate without record", t.ask(t.csr(subject="/CN=device-0001"), forged), (403, "OMEF-1516"), audited=False)
	real = t.provision(t.a, "real", subject="/CN=device-0001")
	serial = int(run("openssl", "x509", "-in", f"{real}.pem", "-noout", "-serial").strip().split("=")[1], 16)
	forged = make_cert(t.where, "same-serial", "/CN=device-0001", issuing, names, serial=serial)
	t.refused("the serial number of another", t.ask(t.csr(subject="/CN=device-0001"), forged), (403, "OMEF-1516"), audited=False)
	refuses_handshake(t, "an expired certificate of the own CA",
		stem=make_cert(t.where, "own-expired", "/CN=device-0001", issuing, names, days=-1))
	refuses_handshake(t, "a server's certificate of the own CA",
		stem=make_cert(t.where, "own-server", "/CN=device-0001", issuing, ["extendedKeyUsage = serverAuth"]))
	t.nothing("forgeries under the own CA")


def bad_chains_fail_in_the_handshake(t):
	"""RFC 5280 6.1"""
	factory, subject = t.s.factory / "ca", "/O=Example Devices/serialNumber=SN-0001"
	for what, how in [("expired", {"days": -1}), ("for servers only", {"extensions": ["extendedKeyUsage = serverAuth"]}),
			("signed by an end entity", {"issuer": t.a}), ("a weak key", {"kind": "RSA-1024"}), ("another curve", {"kind": "secp256k1"})]:
		leaf = make_cert(t.where, "bad", subject, how.pop("issuer", factory), how.pop("extensions", LEAF), **how)
		if what == "signed by an end entity":
			with open(f"{leaf}.pem", "a") as chain:
				chain.write(pathlib.Path(f"{t.a}.pem").read_text())
		refuses_handshake(t, what, context=lenient(t, leaf))
	above, bundle = factory, ""
	for i in range(20):
		above = make_cert(t.where, f"step-{i}", f"/CN=Step {i}", above, CA)
		bundle = pathlib.Path(f"{above}.pem").read_text() + bundle
	leaf = make_cert(t.where, "deep", subject, above, LEAF)
	with open(f"{leaf}.pem", "a") as chain:
		chain.write(bundle)
	refuses_handshake(t, "20 intermediates", stem=leaf)
	fat = make_cert(t.where, "fat", subject, factory, [*LEAF, "1.2.3.4 = ASN1:UTF8String:" + "x" * 60000])
	refuses_handshake(t, "60 KB in one certificate", stem=fat)
	big = make_cert(t.where, "big", subject, factory, [*LEAF, "1.2.3.4 = ASN1:UTF8String:" + "x" * 100000])
	with open(f"{big}.pem", "a") as chain:
		for _ in range(9):
			chain.write(pathlib.Path(f"{big}.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")
	refuses_handshake(t, "a chain of 1 MB", stem=big)
	for i in range(60):
		bundle += pathlib.Path(f"{t.where}/step-{i % 20}.pem").read_text()
	with open(f"{leaf}.pem", "a") as chain:
		chain.write(bundle)
	refuses_handshake(t, "80 certificates", stem=leaf)
	names = ", ".join(f"DNS:n{i}.example.com" for i in range(300))
	many = make_cert(t.where, "many", subject, factory, [*LEAF, f"subjectAltName = {names}"])
	status, body = t.ask(t.csr(), many)
	check(status in (400, 403, 413), f"300 names: {status} {body}")
	t.nothing("bad chains")


def lenient(t, stem):
	context = t.s.context()
	context.set_ciphers("ALL:@SECLEVEL=0")
	context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
	return context


def other_server_names_are_not_served(t):
	"""RFC 6066 3"""
	for name in ("elsewhere.example", "localhost.example", "LOCALHOST.evil", "a" * 60 + "." + "b" * 60):
		context = t.s.context(t.a)
		context.check_hostname = False
		refuses_handshake(t, f"server name {name[:30]}", context=context, name=name)
	context = t.s.context(t.a)
	context.check_hostname = False
	with context.wrap_socket(dial(t.s.https)) as c:
		check(c.version() is not None, "no name is fine")


def strangers_fill_no_audit_log(t):
	before = len(events(t.s))
	lines = t.s.log_text().count("stranger refused")
	self_signed = make_cert(t.where, "flood", "/CN=flood")
	for stem in (None, self_signed):
		with Session(t.s, stem) as session:
			for _ in range(200):
				status, body = session.enrol(b"\x30\x00")
				check(status == 403, f"a stranger: {status} {body}")
	check(len(events(t.s)) == before, "no audit event is written for strangers")
	logged = t.s.log_text().count("stranger refused") - lines
	check(0 < logged <= 200, f"strangers are logged within a limit: {logged} lines of 400")


CASES = [
	nobody_gets_the_name_of_another,
	a_request_gets_no_rights_that_the_profile_lacks,
	weak_and_foreign_keys_are_refused,
	a_key_that_one_does_not_hold_is_not_certified,
	bodies_that_are_no_request_are_told_so,
	challenges_count_once_for_one_client_one_label_one_session,
	a_challenge_expires,
	twenty_at_once_with_one_challenge_get_one_certificate,
	renewal_keeps_who_one_is,
	revoked_and_disabled_clients_get_nothing,
	a_self_signed_certificate_proves_its_key_only,
	a_makers_ca_gives_no_name_that_deceives_others,
	the_own_ca_alone_proves_nothing,
	bad_chains_fail_in_the_handshake,
	other_server_names_are_not_served,
	strangers_fill_no_audit_log,
]


def main():
	with Service(sys.argv[1], {"fronts": "1"}) as s:
		with open(s.dir / "openmef.conf", "a") as conf:
			conf.write(LABELS)
		s.start()
		t = Stage(s)
		for case in CASES:
			if len(sys.argv) > 2 and sys.argv[2] not in case.__name__:
				continue
			began = time.monotonic()
			with Watch(s):
				case(t)
			print(f"{case.__name__}: good ({time.monotonic() - began:.1f} s)", flush=True)
		only_the_anchor_that_was_named_vouches(t) # replaces the roles, so nobody watches them
		s.stop()


main()
