#!/usr/bin/env python3
"""A process taken over: what it sends to the next one is refused, and the next one survives."""

import os
import pathlib
import random
import socket
import sqlite3
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import HOST, LEAF, der, dial, hear, make_cert, make_csr, make_key, statuses, text_of  # noqa: E402
from _roles import (CALL, CRL, FRONT, ISSUE, ISSUED, READY, REFUSED, REGISTRAR, REPLY, SIGN_CRL, SIGNER, Role, call, crl_order,  # noqa: E402
	frame, order, reply, u16, u32)
from _service import Service, check, run  # noqa: E402

SANS = der(0x30, der(0x86, b"urn:example:node:0001"))

# What no honest process sends, whatever the channel.
NONSENSE = [
	("a length of 0", struct.pack(">I", 0)),
	("a length of 5", struct.pack(">I", 5) + b"12345"),
	("a length of 4 GiB", struct.pack(">I", 0xffffffff) + b"x" * 1000),
	("a length past every table", struct.pack(">IHI", 9 << 20, 1, 1)),
	("type 0", frame(0, 1)),
	("type 9", frame(9, 1)),
	("type 65535", frame(65535, 1, b"x" * 100)),
	("an empty payload", frame(1, 1)),
	("a payload of one octet", frame(1, 1, b"\x01")),
	("a payload of zeros", frame(1, 1, bytes(1000))),
	("a payload of ones", frame(1, 1, b"\xff" * 1000)),
	("half a frame, then the end", frame(1, 1, b"x" * 100)[:50]),
]


def hangs_up(role, other, what, data):
	c = role.channel(other)
	c.send(data)
	try:
		c.c.shutdown(socket.SHUT_WR)
	except OSError:
		pass
	got = c.hear()
	check(got is None, f"{what}: the channel is closed, have {got}")
	c.close()
	role.lives(what)


def ask(channel, number, payload):
	channel.send(frame(CALL, number, payload))
	got = channel.hear()
	check(got and got[:2] == (REPLY, number), f"a reply to call {number}: {got}")
	status = struct.unpack(">H", got[2][:2])[0]
	return status, got[2]


def a_front_taken_over_gets_no_further(s, registrar):
	random.seed(1) # the same noise every time
	for what, data in NONSENSE:
		hangs_up(registrar, FRONT, what, data)
	for what, payload in [("a trust that does not exist", call(trust=6)), ("a trust of 255", call(trust=255)), ("no method", call(method=0)),
			("method 6", call(method=6)), ("a NUL in the server name", call(sni=b"a\0b")), ("a server name of 256", call(sni=b"a" * 256)),
			("an address of 64", call(address=b"1" * 64)), ("a path of 1025", call(path=b"/" * 1025)), ("a body of 64 KiB + 1", call(body=b"x" * 65537)),
			("a leaf of 16 KiB + 1", call(leaf=b"x" * 16385)), ("a binding of 65", call(exporter=b"x" * 65)),
			("a media type of 129", call(media=b"x" * 129)), ("a tail", call() + b"x"), ("a cut", call()[:-1])]:
		hangs_up(registrar, FRONT, what, frame(CALL, 7, payload))
	hangs_up(registrar, FRONT, "a reply instead of a call", frame(REPLY, 1, reply()))
	good = call(method=3, path=b"/.well-known/est/simpleenroll", media=b"application/pkcs10", trust=2, leaf=b"l" * 50, body=b"MAA=")
	for i in range(400):
		noise = bytearray(good)
		for _ in range(random.randrange(1, 8)):
			noise[random.randrange(len(noise))] = random.randrange(256)
		c = registrar.channel(FRONT)
		c.send(frame(CALL, i, bytes(noise)))
		c.hear()
		c.close()
	registrar.lives("noise in calls")
	c = registrar.channel(FRONT)
	check(ask(c, 1, call())[0] == 200, "an honest front is served after all that")
	with open("/dev/null") as null: # descriptors have no business here
		socket.send_fds(c.c, [frame(CALL, 2, call())], [null.fileno()] * 20)
	check(c.hear()[:2] == (REPLY, 2), "descriptors beside a call are dropped")
	held = os.listdir(f"/proc/{registrar.process.pid}/fd") if os.access(f"/proc/{registrar.process.pid}/fd", os.R_OK) else []
	check(len(held) < 30, f"the registrar holds no descriptors of others: {held}")
	c.close()


def forged_peers_that_the_registry_does_not_know_are_refused(s, registrar, where):
	"""A front can lie about who is connected; it can invent nobody."""
	leaf = make_cert(where, "leaf", "/serialNumber=SN-0009", s.factory / "ca", LEAF)
	pem = pathlib.Path(f"{leaf}.pem").read_text()
	data = subprocess.run(["openssl", "x509", "-outform", "DER"], input=pem.encode(), capture_output=True).stdout
	c = registrar.channel(FRONT)
	for what, trust, blob in [("nobody", 0, b""), ("our own CA's client without record", 1, data), ("an unregistered device", 2, data),
			("an unregistered key", 3, data), ("a trust without certificate", 1, b""), ("a certificate that is none", 2, b"\x30\x03\x02\x01\x01"),
			("noise for a certificate", 3, b"x" * 16384)]:
		status, body = ask(c, 5, call(method=3, path=b"/.well-known/est/simpleenroll", media=b"application/pkcs10", trust=trust, leaf=blob,
			body=b"MAA="))
		check(status in (400, 403), f"{what}: {status} {body}")
	check(ask(c, 6, call(version=0))[0] in (400, 403), "EST without TLS")
	c.close()


def a_front_that_does_not_read_costs_bounded_memory(s, registrar):
	def resident():
		text = pathlib.Path(f"/proc/{registrar.process.pid}/status").read_text()
		return int(text.split("VmRSS:")[1].split()[0])

	before = resident()
	c = registrar.channel(FRONT)
	c.c.settimeout(5)
	burst = frame(CALL, 1, call()) * 1000
	sent = 0
	try:
		while sent < 400 and c.send(burst):
			sent += 1
	except socket.timeout:
		pass
	registrar.lives("a front that does not read")
	check(resident() - before < 200 * 1024, f"memory grew from {before} to {resident()} KiB after {sent} thousand calls")
	c.close()
	c = registrar.channel(FRONT)
	check(ask(c, 1, call())[0] == 200, "the next front is served")
	c.close()


def large_lists_asked_for_at_once_cost_no_channel(s, registrar):
	"""Anybody may fetch the CRL, as often as he likes."""
	c = registrar.channel(FRONT)
	c.send(b"".join(frame(CALL, i, call(path=b"/crl/issuing.crl", version=0)) for i in range(100)))
	have = []
	for _ in range(100):
		got = c.hear()
		check(got and got[0] == REPLY, f"the channel stays open, after {len(have)} lists")
		have.append(struct.unpack(">H", got[2][:2])[0])
	check(set(have) == {200, 503} and have[0] == 200, f"the first get it, the others come again later: {have}")
	check(ask(c, 1, call())[0] == 200, "small answers go on")
	c.close()


def put_large_crl(s):
	db = sqlite3.connect(s.dir / "openmef.db")
	now = int(time.time())
	db.execute("INSERT INTO crl VALUES ('issuing', 1, ?, ?, 0, ?)", (now, now + 7 * 86400, os.urandom(3 << 20)))
	db.commit()
	db.close()


def place(signer, payload, kind=ISSUE, number=3):
	c = signer.channel(REGISTRAR)
	c.send(frame(kind, number, payload))
	got = c.hear()
	c.close()
	signer.lives(f"an order of {len(payload)} octets")
	return got


def refused(signer, what, payload, code, kind=ISSUE):
	got = place(signer, payload, kind)
	check(got and got[:2] == (REFUSED, 3), f"{what}: want a refusal, have {got}")
	have = struct.unpack(">H", got[2][:2])[0]
	check(have in code if isinstance(code, tuple) else have == code, f"{what}: want {code}, have {have} {got[2]}")


def cn(text):
	return der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403") + der(0x0c, text))))


def names(*entries):
	return der(0x30, b"".join(der(tag, value) for tag, value in entries))


def a_registrar_taken_over_gets_what_a_profile_allows(s, signer, where):
	key = make_key(where / "key.key")
	csr = make_csr(where, key)
	good = {"csr": csr, "sans": SANS}
	for what, data in NONSENSE:
		hangs_up(signer, REGISTRAR, what, data)
	for what, payload in [("a tail", order(**good) + b"x"), ("a long profile", order(**good, profile=b"p" * 32)),
			("a NUL in the profile", order(**good, profile=b"dev\0ice")), ("nine SUIDs", order(**good, suids=b"(" * 9)),
			("a date below 0", order(**good, not_after=1 << 63))]:
		hangs_up(signer, REGISTRAR, what, frame(ISSUE, 3, payload))
	refused(signer, "an unknown profile", order(**good, profile=b"ca"), 1420)
	refused(signer, "no profile", order(**good, profile=b""), 1420)
	refused(signer, "no request", order(sans=SANS), 1220)
	refused(signer, "noise for a request", order(csr=os.urandom(500), sans=SANS), (1220, 1221))
	changed = bytearray(csr)
	changed[-1] ^= 1
	refused(signer, "a signature that is wrong", order(csr=bytes(changed), sans=SANS), (1220, 1225))
	for kind in ("secp256k1", "prime192v1", "RSA-1024"):
		weak = make_csr(where, make_key(where / "weak.key", kind))
		refused(signer, kind, order(csr=weak, sans=SANS), (1207, 1421))
	asks = make_csr(where, key, extensions=["basicConstraints = CA:TRUE"])
	refused(signer, "a CA certificate", order(csr=asks, sans=SANS), 1422)
	refused(signer, "no name", order(csr=csr, sans=b""), 1425)
	for what, sans, code in [("a wildcard", names((0x82, b"*.example.com")), 1424), ("an address", names((0x87, b"\x7f\0\0\1")), 1423),
			("an e-mail address", names((0x81, b"root@example.com")), 1423), ("a directory name", names((0xa4, cn(b"x"))), 1423),
			("an otherName", names((0xa0, bytes.fromhex("06032a0304") + der(0xa0, der(0x0c, b"x")))), 1423),
			("the MEF's own name", names((0x82, b"LocalHost")), 1430), ("the MEF's own name beside", names((0x86, b"urn:x:1"), (0x82, b"localhost")), 1430),
			("17 names", names(*((0x86, b"urn:x:%d" % i) for i in range(17))), 1214), ("no GeneralNames", b"\x04\x02xx", (1213, 1220)),
			("a name with a NUL", names((0x82, b"a\0.example.com")), (1213, 1424))]:
		refused(signer, what, order(csr=csr, sans=sans), code)
	for what, subject, code in [("the MEF's name", cn(b"localhost"), 1430), ("another host", cn(b"cse.example.com"), 1431),
			("a control character", cn(b"a\x1b[2J"), 1426), ("no Name", b"\x02\x01\x05", 1426), ("a tail", b"\x30\x00\x30\x00", 1426),
			("4 KiB", cn(b"x" * 4000), 1426)]:
		refused(signer, f"as subject, {what}", order(**good, subject=subject), code)
	info = der(0x30, der(0xa0, b"\x02\x01\x02") + b"\x02\x01\x01" + bytes(40)) # what a TBSCertificate looks like
	for what, tbs in (("a TBSCertificate", info), ("a certificate", subprocess.run(["openssl", "x509", "-in", s.dir / "ca" / "issuing.cert.pem",
			"-outform", "DER"], capture_output=True).stdout)):
		refused(signer, f"{what} as request", order(csr=tbs, sans=SANS), 1220)


def what_is_issued_is_the_profiles(s, signer, where):
	csr = make_csr(where, where / "key.key", extensions=["extendedKeyUsage = codeSigning", "certificatePolicies = 1.2.3"])
	got = place(signer, order(csr=csr, subject=cn(b"device 1"), sans=SANS, not_after=1 << 40, suids=bytes([40, 200])))
	check(got and got[0] == ISSUED, f"an honest order: {got}")
	n = struct.unpack(">I", got[2][:4])[0]
	pem = subprocess.run(["openssl", "x509", "-inform", "DER"], input=got[2][4:4 + n], capture_output=True).stdout
	text = text_of(pem)
	for bad in ("CA:TRUE", "Code Signing", "Certificate Sign", "1.2.3\n"):
		check(bad not in text, f"no {bad} in:\n{text}")
	seconds = 91 * 86400
	left = subprocess.run(["openssl", "x509", "-noout", "-checkend", str(seconds)], input=pem, capture_output=True).returncode
	check(left == 1, f"the end is the profile's, whatever the order says:\n{text}")


def a_stolen_registrar_gets_no_crl_that_outlives_it(s, signer):
	"""RFC 5280 5.1.2.4, 5.1.2.5"""
	now = int(time.time())
	for what, payload in [("a life of 8 days where 7 are configured", crl_order(life=8 * 86400)), ("a life of 1000 years", crl_order(life=1000 * 365 * 86400)),
			("yesterday's", crl_order(this=now - 86400)), ("tomorrow's", crl_order(this=now + 86400)), ("the epoch's", crl_order(this=0))]:
		refused(signer, what, payload, 1446, SIGN_CRL)
	for what, payload in [("more entries than bytes", crl_order()[:24] + struct.pack(">I", 100000) + u16(b"issuing")), ("a serial of 21 octets", crl_order(entries=[(b"s" * 21, now, 1)])),
			("an empty serial", crl_order(entries=[(b"", now, 1)])), ("a tail", crl_order() + b"x")]:
		hangs_up(signer, REGISTRAR, what, frame(SIGN_CRL, 3, payload))
	got = place(signer, crl_order(entries=[(b"\x11", now, 1)]), SIGN_CRL)
	check(got and got[0] == CRL, f"an honest list: {got}")


def a_registrar_taken_over_splits_no_answer(s, front, port):
	def exchange(payload):
		c = dial(port)
		c.sendall(b"GET /ca/issuing.cer HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
		got = registrar.hear()
		check(got and got[0] == CALL, f"the call arrives: {got}")
		registrar.send(payload(got[1]))
		return hear(c)

	for what, payload in [("a media type with a line's end", lambda i: frame(REPLY, i, reply(media=b"a/b\r\nSet-Cookie: x"))),
			("status 99", lambda i: frame(REPLY, i, reply(status=99))), ("status 600", lambda i: frame(REPLY, i, reply(status=600))),
			("flags of 128", lambda i: frame(REPLY, i, reply(flags=128))), ("a tail", lambda i: frame(REPLY, i, reply() + b"x")),
			("a call", lambda i: frame(CALL, i, call())), ("nonsense", lambda i: frame(9, i)), ("a long length", lambda i: struct.pack(">I", 1 << 30))]:
		registrar = front.channel(REGISTRAR)
		got = exchange(payload)
		check(statuses(got) == [503] and b"Set-Cookie" not in got, f"{what}: {got}")
		check(registrar.hear() is None, f"{what}: the channel is closed")
		front.lives(what)
	registrar = front.channel(REGISTRAR)
	got = exchange(lambda i: frame(REPLY, i ^ 0x10000, reply(body=b"another's")) + frame(REPLY, i, reply()))
	check(statuses(got) == [200] and got.endswith(b"hello"), f"a reply to a call of the past is dropped: {got}")
	registrar.close()


def a_signer_taken_over_kills_no_registrar(s, registrar, where):
	device = s.device(7)
	leaf = subprocess.run(["openssl", "x509", "-in", f"{device}.pem", "-outform", "DER"], capture_output=True).stdout
	factory = subprocess.run(["openssl", "x509", "-in", s.factory / "ca.pem", "-outform", "DER"], capture_output=True).stdout
	anchor = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=factory, capture_output=True).stdout
	body = subprocess.run(["openssl", "base64", "-A"], input=pathlib.Path(f"{device}.csr").read_bytes(), capture_output=True).stdout
	enrol = call(method=3, path=b"/.well-known/est/simpleenroll", media=b"application/pkcs10", trust=2, leaf=leaf, anchor=anchor, body=body)

	def issued(certificate=b"\x30\x03\x02\x01\x01", serial=b"\x11"):
		return u32(certificate) + u16(serial) + struct.pack(">QQ", 1, 2)

	for what, answer in [("noise", lambda i: frame(ISSUED, i, b"x" * 40)), ("nothing", lambda i: frame(ISSUED, i)), ("a CRL", lambda i: frame(CRL, i, b"x" * 40)),
			("an answer to nobody", lambda i: frame(ISSUED, i ^ 1, issued())), ("a serial of 21 octets", lambda i: frame(ISSUED, i, issued(serial=b"s" * 21))),
			("no serial", lambda i: frame(ISSUED, i, issued(serial=b""))), ("no certificate", lambda i: frame(ISSUED, i, issued(certificate=b""))),
			("a code that does not exist", lambda i: frame(REFUSED, i, struct.pack(">H", 9) + u16(b"") + u16(b"x"))),
			("an order", lambda i: frame(ISSUE, i, order()))]:
		front, first, second = registrar.channel(FRONT), registrar.channel(SIGNER), None
		front.send(frame(CALL, 1, enrol))
		got = first.hear()
		while got and got[0] == SIGN_CRL: # the first list of all
			got = first.hear()
		check(got and got[0] == ISSUE, f"an order arrives: {got}")
		second = registrar.channel(SIGNER)
		first.send(answer(got[1]))
		check(first.hear() is None, f"{what}: a signer that answers so is hung up on")
		while (got := second.hear()) and got[0] == SIGN_CRL:
			pass
		check(got and got[0] == ISSUE, f"{what}: the next signer gets the order: {got}")
		second.send(frame(REFUSED, got[1], struct.pack(">H", 1421) + u16(b"x") + u16(b"no")))
		check(front.hear()[0] == REPLY, f"{what}: the client is answered")
		registrar.lives(what)
		for c in (front, first, second):
			c.close()


def listen():
	c = socket.socket()
	c.bind(("127.0.0.1", 0))
	c.listen()
	c.setblocking(False)
	return c


def main():
	with Service(sys.argv[1]) as s:
		where = s.root / "forged"
		where.mkdir()
		put_large_crl(s)
		with Role(s, "role-registrar") as registrar:
			large_lists_asked_for_at_once_cost_no_channel(s, registrar)
			a_front_taken_over_gets_no_further(s, registrar)
			forged_peers_that_the_registry_does_not_know_are_refused(s, registrar, where)
			a_front_that_does_not_read_costs_bounded_memory(s, registrar)
			a_signer_taken_over_kills_no_registrar(s, registrar, where)
		print("registrar: good", flush=True)
		with Role(s, "role-signer") as signer:
			a_registrar_taken_over_gets_what_a_profile_allows(s, signer, where)
			what_is_issued_is_the_profiles(s, signer, where)
			a_stolen_registrar_gets_no_crl_that_outlives_it(s, signer)
		print("signer: good", flush=True)
		plain = listen()
		with Role(s, "role-front", [(plain, "http")]) as front:
			a_registrar_taken_over_splits_no_answer(s, front, plain.getsockname()[1])
		print("front: good", flush=True)
		check("AddressSanitizer" not in (s.root / "roles.log").read_text(errors="replace"), "no sanitizer spoke")


main()
