#!/usr/bin/env python3
"""
Attacks on full CMC, registration authorities and linking, as a registered client gone bad would try them: messages written octet by
octet, signers that are not who they say, counts one past their limits, certificates that are nobody's to revoke, an RA
that asks for more than it may, values of other TLS sessions.
"""

import base64
import os
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _cmc as cmc  # noqa: E402
from _attacks import LEAF, REENROL, ENROL, Session, make_cert, make_csr, with_challenge  # noqa: E402
from _commands import Operator  # noqa: E402
from _psk import Session as PskSession  # noqa: E402
from _service import Service, check, run  # noqa: E402
from test_cmc import LABELS, RA  # noqa: E402

CMC_RA = "1.3.6.1.5.5.7.3.28"
SYNTAX, LIMIT, UNSUPPORTED, EMPTY, SIGNER, REVOKE = 1360, 1361, 1362, 1363, 1364, 1366
LABEL_MORE = """
[label linked]
profile = device
linking = required

[label keys]
profile = device
serverkeygen = yes
ra = yes
"""


class Stage:
	def __init__(self, s):
		self.s, self.op = s, Operator(s)
		self.where = s.root / "cmc"
		self.where.mkdir()
		self.a, self.b = s.device(1), s.device(2)
		self.request, _ = cmc.csr(self.where)

	def message(self, content=None, stem=None, *more):
		content = content or cmc.data([], [cmc.pkcs10(1, self.request)])
		return cmc.sign(self.where, content, stem or self.a, *more)

	def post(self, message, stem=None, path=cmc.PATH):
		return self.s.ask("POST", path, base64.b64encode(message), cmc.MEDIA, stem or self.a)

	def unread(self, message, code, what):
		"""Refused in words, or by a PKIResponse that says the same of the whole message."""
		status, headers, body = self.post(message)
		text = base64.b64decode(body) if headers["Content-Type"].startswith("application/pkcs7") else body
		check(400 <= status < 500 and f"OMEF-{code}".encode() in text, f"{what}: {status} {text[:300]}")

	def asks(self, content, want, stem=None, path=cmc.PATH):
		stem = stem or self.a
		return cmc.ask(self.s, self.where, self.message(content, stem), stem, want, path)


# ---- the message and its signer

def wrapped_wrongly(t):
	"""RFC 5652 5.1, 5.3, 11: one signer, attributes that cover the content, the content inside."""
	content = cmc.data([], [cmc.pkcs10(1, t.request)])
	t.unread(t.message(content, t.a, "-signer", f"{t.b}.pem", "-inkey", f"{t.b}.key"), 1295, "two signers")
	t.unread(t.message(content, t.a, "-noattr"), 1298, "no signed attributes")
	# attributes for another type of content than the message says
	message = t.message()
	oid = cmc.oid(cmc.PKI_DATA)
	at = message.find(oid)
	t.unread(message[:at] + cmc.oid(cmc.PKI_RESPONSE) + message[at + len(oid):], 1293, "an answer in place of a request")
	at = message.find(oid, at + 1)
	check(at > 0, "the attribute contentType")
	t.unread(message[:at] + cmc.oid(cmc.PKI_RESPONSE) + message[at + len(oid):], 1298, "attribute of another type")
	# detached, and nobody signs
	(t.where / "content").write_bytes(content)
	run("openssl", "cms", "-sign", "-in", t.where / "content", "-binary", "-outform", "DER", "-econtent_type", cmc.PKI_DATA, "-signer",
		f"{t.a}.pem", "-inkey", f"{t.a}.key", "-out", t.where / "detached")
	t.unread((t.where / "detached").read_bytes(), 1293, "detached content")
	empty = cmc.seq(cmc.oid("1.2.840.113549.1.7.2"), cmc.tlv(0xa0, cmc.seq(cmc.integer(3), cmc.tlv(0x31, b""), cmc.seq(oid, cmc.tlv(0xa0,
		cmc.octets(content))), cmc.tlv(0x31, b""))))
	t.unread(empty, 1293, "no signer")
	t.unread(message + b"\0", 1293, "octets behind it")
	t.unread(t.message(content, t.a, "-md", "sha1"), 1297, "SHA-1")
	for stem, what in ((t.a, "the content's last octet"), (t.a, "the signature's")):
		broken = bytearray(t.message(content, stem))
		place = -2 if "signature" in what else broken.find(content) + len(content) - 70
		broken[place] ^= 1
		status, _, body = t.post(bytes(broken))
		check(status == 403, f"{what}: {status} {body[:200]}")


def other_encodings(t):
	"""RFC 5652 allows BER: indefinite lengths are read, depth without end is not."""
	message = t.message(None, t.a, "-stream")
	check(b"\x30\x80" in message[:4], "openssl wrote an indefinite length")
	cmc.ask(t.s, t.where, message, t.a, 200).expect(1, cmc.SUCCESS)
	deep = b"\x24\x80" * 4000 + b"\x04\x01a" + b"\0\0" * 4000
	head = cmc.oid(cmc.PKI_DATA)
	body = b"\x30\x80" + cmc.oid("1.2.840.113549.1.7.2") + b"\xa0\x80\x30\x80" + cmc.integer(3) + cmc.tlv(0x31, b"") + b"\x30\x80" + head
	t.unread(body + b"\xa0\x80" + deep + b"\0\0" * 6, 1293, "octets in octets without end")


def signers_that_are_another(t):
	"""Three people: who holds the session, who is named as signer, whose names the request has."""
	issuer, serial = cmc.names_of(f"{t.a}.pem")
	check(serial == 1001, "the device's number")
	# a certificate of the attacker's own with issuer and serial number of the device's
	fake_ca = make_cert(t.where, "fake-ca", "/O=Example Devices/CN=Factory CA", extensions=("basicConstraints = critical, CA:TRUE",))
	fake = make_cert(t.where, "fake", "/O=Example Devices/serialNumber=SN-0001", issuer=fake_ca, extensions=LEAF, serial=serial)
	check(cmc.names_of(f"{fake}.pem") == (issuer, serial), "issuer and serial number are those of the device's")
	message = t.message(None, fake)
	status, _, body = t.post(message, t.b)
	check(status == 403 and f"OMEF-{SIGNER}".encode() in base64.b64decode(body), f"a forged signer on another's connection: {status}")
	# on the device's own connection its own certificate counts, not the one in the message
	status, _, body = t.post(message, t.a)
	check(status == 403 and b"OMEF-1298" in base64.b64decode(body), f"a forged signer on the device's connection: {status}")
	# b's session, a's message, b's request in it; and the other way round
	theirs, _ = cmc.csr(t.where, name="URI:urn:example:node:0002")
	for signer, holder in ((t.a, t.b), (t.b, t.a)):
		status, _, body = t.post(t.message(cmc.data([], [cmc.pkcs10(1, theirs)]), signer), holder)
		check(status == 403 and f"OMEF-{SIGNER}".encode() in base64.b64decode(body), f"{signer.name} on {holder.name}'s: {status}")
	t.asks(cmc.data([cmc.control(2, 2, cmc.utf8("device-0002"))], [cmc.pkcs10(1, theirs)]), 403).expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1522)
	# a copy at another label goes the way of that label
	status, _, _ = t.post(t.message(), t.b, RA + "fullcmc")
	check(status == 403, "replayed at another label by another client")


def counts_and_numbers(t):
	"""Each limit one past, and bodyPartIDs that are none (RFC 5272 3.2.1)."""
	pkcs10 = [cmc.pkcs10(i, t.request) for i in range(1, 10)]
	some = cmc.seq()
	issuer, serial = cmc.names_of(f"{t.a}.pem")
	inner = t.message()
	for content, code, what in (
		(cmc.data([], pkcs10), LIMIT, "9 requests"),
		(cmc.data([cmc.revoke(i, issuer, serial, 1) for i in range(1, 10)]), LIMIT, "9 revocations"),
		(cmc.data([], [], [cmc.nested(i, inner) for i in range(1, 6)]), LIMIT, "5 messages"),
		(cmc.data([cmc.control(i, 99, some) for i in range(1, 10)]), LIMIT, "9 controls that are not known"),
		(cmc.data([cmc.control(i, 18, cmc.octets(b"x")) for i in range(1, 66)]), LIMIT, "65 body parts"),
		(cmc.data([cmc.nonce(1, b"n" * 65)], [cmc.pkcs10(2, t.request)]), LIMIT, "a nonce of 65 octets"),
		(cmc.data([cmc.transaction(1, 1 << 512)], [cmc.pkcs10(2, t.request)]), LIMIT, "a transactionId of 65 octets"),
		(cmc.data([cmc.control(1, 4, cmc.octets(b"d" * 4097))], [cmc.pkcs10(2, t.request)]), LIMIT, "dataReturn of 4097 octets"),
		(cmc.data([], [pkcs10[0], pkcs10[0]]), SYNTAX, "a bodyPartID twice"),
		(cmc.data([cmc.transaction(1, 5)], [pkcs10[0]]), SYNTAX, "one of a control and a request"),
		(cmc.data([], [cmc.pkcs10(0, t.request)]), SYNTAX, "bodyPartID 0"),
		(cmc.data([], [cmc.pkcs10(1 << 32, t.request)]), SYNTAX, "bodyPartID past bodyIdMax"),
		(cmc.data([], [cmc.tlv(0xa0, cmc.tlv(2, b"\xff") + t.request)]), SYNTAX, "bodyPartID -1"),
		(cmc.data([cmc.transaction(1, 5), cmc.transaction(2, 5)], [cmc.pkcs10(3, t.request)]), SYNTAX, "transactionId twice"),
		(cmc.data() + b"\0", SYNTAX, "octets behind the PKIData"),
		(cmc.data(), EMPTY, "nothing asked for"),
	):
		t.unread(t.message(content), code, what)
	# the greatest that are admitted
	a = t.asks(cmc.data([], pkcs10[:8]), 200)
	for part in range(1, 9):
		a.expect(part, cmc.SUCCESS)
	check(len(a.certs) >= 8, "eight certificates")
	cmc.ask(t.s, t.where, t.message(cmc.data([], [cmc.pkcs10((1 << 32) - 1, t.request)])), t.a, 200).expect((1 << 32) - 1, cmc.SUCCESS)


def certificates_nobody_revokes(t, ra, second):
	"""The MEF's own are no enrolee's, and of its peers' an RA revokes none."""
	for name in ("issuing", "root", "message"):
		issuer, serial = cmc.names_of(t.s.dir / "ca" / f"{name}.cert.pem")
		for stem, path in ((t.a, cmc.PATH), (ra, RA + "fullcmc")):
			t.asks(cmc.data([cmc.revoke(1, issuer, serial, 1)]), 403, stem, path).expect(1, cmc.FAILED, cmc.BAD_CERT_ID, REVOKE)
	issuer, serial = cmc.names_of(f"{second}.pem")
	t.asks(cmc.data([cmc.revoke(1, issuer, serial, 1)]), 403, ra, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_CERT_ID, REVOKE)
	t.asks(cmc.data([cmc.revoke(1, issuer, 1 << 300, 1)]), 403, ra, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_CERT_ID, REVOKE)
	shown = t.op.run("cert", "show", f"{serial:X}")
	check("revoked" not in shown, f"the other RA's certificate is not revoked: {shown}")


# ---- registration authorities

def make_ra(t, number, name):
	"""An enrolee whose profile holds id-kp-cmcRA, its certificate, and a key by which it connects too."""
	stem = t.s.device(number)
	t.op.run("enrolee", "remove", f"device-{number:04d}")
	t.op.run("enrolee", "add", name, "--type", "fqdn", "--entity", f"{name}.example.com", "--credential", f"serial=SN-{number:04d}",
		"--anchor", t.s.factory / "ca.pem", "--profile", "ra", "--psk", name, "--psk-out", t.s.root / f"{name}.kpm")
	request, key = cmc.csr(t.where)
	a = t.asks(cmc.data([], [cmc.pkcs10(1, request)]), 200, stem)
	return cmc.keep(t.where, a.cert_of(t.where, key), key)


def simple(t, stem, name, path=RA + "simpleenroll", **how):
	request, _ = cmc.csr(t.where, name=name, **how)
	return t.s.ask("POST", path, base64.b64encode(request), "application/pkcs10", stem)


def refused(got, status, code, what):
	check(got[0] == status and f"OMEF-{code}".encode() in got[2], f"{what}: want {status} {code}, have {got[0]} {got[2][:300]}")


def an_ra_that_asks_for_more(t, ra):
	before = len(t.s.serials())
	refused(simple(t, ra, "DNS:ra-2.example.com"), 403, 1574, "another RA by simpleenroll")
	request, _ = cmc.csr(t.where, name="DNS:ra-2.example.com")
	t.asks(cmc.data([], [cmc.pkcs10(1, request)]), 403, ra, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1574)
	refused(simple(t, ra, "URI:urn:example:nobody"), 403, 1571, "nobody")
	refused(simple(t, ra, "URI:urn:example:node:0001,URI:urn:example:node:0002"), 403, 1572, "two")
	refused(simple(t, ra, "URI:urn:example:node:0001,DNS:ra-1.example.com"), 403, 1572, "itself and another")
	refused(simple(t, ra, "URI:urn:example:node:0001", subject="/CN=device-0002"), 403, 1521, "subject of one, name of another")
	refused(simple(t, ra, "URI:urn:example:node:0001", cmc.PATH.replace("fullcmc", "simpleenroll")), 403, 1570, "a label without ra")
	t.op.run("enrolee", "disable", "device-0002")
	refused(simple(t, ra, "URI:urn:example:node:0002"), 403, 1513, "a disabled one")
	t.op.run("enrolee", "enable", "device-0002")
	refused(simple(t, ra, "URI:urn:example:node:0001", "/.well-known/est/keys/serverkeygen"), 403, 1344, "a made key for another")
	# RFC 5272 7: a message in a message in a message
	inner = t.message(cmc.data([], [cmc.pkcs10(3, t.request)]))
	middle = t.message(cmc.data([], [], [cmc.nested(2, inner)]))
	t.asks(cmc.data([], [], [cmc.nested(1, middle)]), 400, ra, RA + "fullcmc").expect(1, cmc.NO_SUPPORT, cmc.BAD_REQUEST, UNSUPPORTED)
	t.asks(cmc.data([], [], [cmc.nested(1, inner)]), 403, t.a, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1365)
	check(len(t.s.serials()) == before, "nothing was recorded")
	check(simple(t, ra, None)[0] == 200, "for itself it may ask")


def not_everybody_is_one(t, ra):
	"""By its key, by a factory's word, and once it is revoked."""
	kpm = bytes.fromhex((t.s.root / "ra-1.kpm").read_text().strip().split(":")[-1])
	request, _ = cmc.csr(t.where, name="URI:urn:example:node:0001")
	with PskSession(t.s, "ra-1@localhost", kpm) as session:
		status, _, body = session.ask("POST", RA + "simpleenroll", base64.b64encode(request), {"Content-Type": "application/pkcs10"})
		check(status == 403 and b"OMEF-1522" in body, f"by key: {status} {body}")
	factory = make_cert(t.where, "factory-ra", "/O=Example Devices/serialNumber=SN-0001", issuer=t.s.factory / "ca",
		extensions=("keyUsage = critical, digitalSignature", f"extendedKeyUsage = clientAuth, {CMC_RA}"))
	refused(simple(t, factory, "URI:urn:example:node:0002"), 403, 1522, "by the factory's word")
	# revoked while its connection stays open
	request, _ = cmc.csr(t.where, name="URI:urn:example:node:0001")
	with Session(t.s, ra) as session:
		check(session.enrol(request, "ra")[0] == 200, "before")
		_, serial = cmc.names_of(f"{ra}.pem")
		t.op.run("cert", "revoke", f"{serial:X}")
		status, body = session.enrol(request, "ra")
		check(status == 403 and b"OMEF-1514" in body, f"revoked, on the open connection: {status} {body}")


# ---- linking (RFC 7030 3.5)

def linked(t):
	context = t.s.context(t.a)
	context.maximum_version = ssl.TLSVersion.TLSv1_2
	key = t.where / "linked.key"
	run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
	plain = make_csr(t.where, key)

	def request(text):
		return with_challenge(plain, key, text)

	with Session(t.s, context=context) as one, Session(t.s, context=context) as two:
		first = base64.b64encode(one.c.get_channel_binding("tls-unique")).decode()
		second = base64.b64encode(two.c.get_channel_binding("tls-unique")).decode()
		raw = base64.b64decode(first)
		check(one.enrol(plain, "linked")[0] == 403, "none")
		# a relay has a session of its own with the MEF, whatever its victim linked to
		for text in (second, first[:-1], first + "=", first + "\n", " " + first, first.swapcase(), base64.b64encode(raw[::-1]).decode(),
				base64.b64encode(raw + raw).decode(), base64.b64encode(bytes(12)).decode(), base64.b64encode(bytes(32)).decode(), raw.hex(), "A"):
			if text == first:
				continue
			status, body = one.enrol(request(text), "linked")
			check(status in (400, 403), f"'{text}': {status} {body}")
		status, body = one.enrol(request(first), "linked")
		check(status == 200, f"its own, on the connection that has seen all that: {status} {body}")
		check(two.enrol(request(first), "linked")[0] == 403, "on another connection of the same client")
		check(two.enrol(request(first), "linked", REENROL)[0] == 403, "by the other operation")
	# RFC 5929 3.1: there is one handshake, so that no second one changes the value
	told = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{t.s.https}", "-tls1_2", "-cert", f"{t.a}.pem", "-key",
		f"{t.a}.key", "-CAfile", str(t.s.dir / "ca" / "root.cert.pem")], input=b"R\n", capture_output=True, timeout=60)
	check(b"RENEGOTIATING" in told.stdout + told.stderr and told.returncode != 0, f"renegotiation: {told.stdout[-300:]} {told.stderr[-300:]}")


def main():
	with Service(sys.argv[1]) as s:
		with open(s.dir / "openmef.conf", "a") as conf:
			conf.write(LABELS + LABEL_MORE)
		t = Stage(s)
		s.start()
		roles = s.roles()
		wrapped_wrongly(t)
		other_encodings(t)
		signers_that_are_another(t)
		counts_and_numbers(t)
		ra, second = make_ra(t, 8, "ra-1"), make_ra(t, 9, "ra-2")
		an_ra_that_asks_for_more(t, ra)
		certificates_nobody_revokes(t, ra, second)
		not_everybody_is_one(t, ra)
		linked(t)
		check(s.roles() == roles, "no role ended")
		s.stop()
		t.op.run("audit", "verify")


if __name__ == "__main__":
	main()
