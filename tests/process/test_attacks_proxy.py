#!/usr/bin/env python3
"""
The port behind a proxy as a target: identities that stick or slip from one request to the next, fields and PROXY headers that
read two ways, and labels reached by other paths.
"""

import base64
import json
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import dial, hear, statuses  # noqa: E402
from _issuers import Authority, add_sections  # noqa: E402
from _roles import CALL, FRONT, REPLY, Role, call, frame  # noqa: E402
from _service import Service, check, run  # noqa: E402

EST = "/.well-known/est/"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
SETTINGS = {"proxy_from": "127.0.0.1", "behind_proxy": "127.0.0.1:0", "fronts": "1", "proxied": "yes", "handshake_timeout": "3s"}
PROXIED = 0x80


def start(s):
	s.start()
	s.proxied = json.loads((s.dir / "run" / "ports.json").read_text())["behind_proxy"][0]["port"]


def der_of(stem):
	return ssl.PEM_cert_to_DER_cert(pathlib.Path(f"{stem}.pem").read_text().split("-----END")[0] + "-----END CERTIFICATE-----\n")


def text(stem):
	return base64.b64encode(der_of(stem))


def field(stem, name=b"Client-Cert"):
	return name + b": :" + text(stem) + b":\r\n"


def csr(stem):
	return base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())


def enrol(stem, *fields, close=False, path=EST + "simpleenroll", head=b"", framing=None, body=None):
	body = csr(stem) if body is None else body
	return (b"POST " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + (b"Connection: close\r\n" if close else b"") + head + b"".join(fields)
		+ b"Content-Type: application/pkcs10\r\n" + (framing or b"Content-Length: %d\r\n" % len(body)) + b"\r\n" + body)


def sent(port, data, pieces=1):
	with dial(port) as c:
		c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		step = -(-len(data) // pieces)
		try:
			for at in range(0, len(data), step):
				c.sendall(data[at:at + step])
		except ConnectionError:
			pass
		return hear(c)


def certs_of(s):
	return json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json", "--limit", "1000"))


def identity_never_sticks(s, a, b):
	"""One write, many requests: each is who its own field says, and who has none is nobody."""
	plan = [(a, [field(a)], 200), (a, [], 403), (b, [field(b)], 200), (a, [], 403), (a, [field(a)], 200), (b, [], 403)]
	data = b"".join(enrol(who, *fields, close=i == len(plan) - 1) for i, (who, fields, _) in enumerate(plan))
	for pieces in (1, 2, 7, 400):
		got = sent(s.proxied, data, pieces)
		check(statuses(got) == [want for _, _, want in plan], f"{pieces} pieces: {statuses(got)}")
	# a's certificate beside a request whose names are b's
	got = sent(s.proxied, enrol(b, field(a), close=True, body=base64.b64encode(named(b, "urn:example:node:0002"))))
	check(statuses(got) == [403], f"names of another: {got[:300]}")
	# who was refused for his field leaves nothing behind either
	for bad in (b"Client-Cert: :AAAA:\r\n", b"Client-Cert: x\r\n", field(a) + field(a)):
		got = sent(s.proxied, enrol(a, bad) + enrol(a, close=True))
		check(statuses(got) in ([400], [400, 403], [400, 400]) , f"after a bad field: {statuses(got)}")


def named(stem, entity):
	return subprocess.run(["openssl", "req", "-new", "-key", f"{stem}.key", "-subj", "/", "-addext", f"subjectAltName=URI:{entity}",
		"-outform", "DER"], capture_output=True, timeout=60).stdout


def fields_have_one_reading(s, a, b):
	one, other = text(a), text(b)
	cases = [
		("lower case", [field(a, b"client-cert")], (200,)),
		("an underscore", [field(a, b"Client_Cert")], (403,)),
		("a prefix", [field(a, b"X-Client-Cert")], (403,)),
		("the old names", [field(a, b"X-SSL-Client-Cert"), field(a, b"SSL-Client-Cert"), field(a, b"X-Forwarded-Client-Cert")], (403,)),
		("a blank before the colon", [b"Client-Cert : :" + one + b":\r\n"], (400,)),
		("a tab before the colon", [b"Client-Cert\t: :" + one + b":\r\n"], (400,)),
		("a blank before the name", [b" Client-Cert: :" + one + b":\r\n"], (400,)),
		("folded", [b"Client-Cert: :" + one[:40] + b"\r\n " + one[40:] + b":\r\n"], (400,)),
		("folded from another field", [b"X: y\r\n\tClient-Cert: :" + one + b":\r\n"], (400,)),
		("a bare CR", [b"X: y\rClient-Cert: :" + one + b":\r\n"], (400,)),
		("a bare LF", [b"X: y\nClient-Cert: :" + one + b":\r\n"], (400, 403)),
		("a NUL in the name", [b"Client-Cert\0: :" + one + b":\r\n"], (400,)),
		("a NUL in the value", [b"Client-Cert: :" + one + b":\0\r\n"], (400,)),
		("two of two clients", [field(a), field(b)], (400,)),
		("two that differ in case", [field(a), field(b, b"CLIENT-CERT")], (400,)),
		("two in one sequence", [b"Client-Cert: :" + one + other + b":\r\n"], (400,)),
		("two by comma", [b"Client-Cert: :" + one + b":,:" + other + b":\r\n"], (400,)),
		("an inner list", [b"Client-Cert: (:" + one + b":)\r\n"], (400,)),
		("a dictionary", [b"Client-Cert: a=:" + one + b":\r\n"], (400,)),
		("a parameter", [b"Client-Cert: :" + one + b":;verified=?0\r\n"], (400,)),
		("three colons", [b"Client-Cert: ::" + one + b":\r\n"], (400,)),
		("base64url", [b"Client-Cert: :" + one.replace(b"+", b"-").replace(b"/", b"_") + b"-_==:\r\n"], (400,)),
		("bytes over 7 bits", [b"Client-Cert: :" + one[:8] + b"\xc3\xa9" + one[8:] + b":\r\n"], (400,)),
		("two certificates in one DER", [b"Client-Cert: :" + base64.b64encode(der_of(a) + der_of(b)) + b":\r\n"], (400,)),
		("a certificate in the chain alone", [b"Client-Cert-Chain: :" + one + b":\r\n"], (400,)),
		("a chain with an empty member", [field(a), b"Client-Cert-Chain: :" + one + b":,,:" + one + b":\r\n"], (400,)),
		("an empty chain", [field(a), b"Client-Cert-Chain: \r\n"], (400,)),
		("another's in the chain", [field(a), field(b, b"Client-Cert-Chain")], (200,)),
		("a chain that is noise", [field(a), b"Client-Cert-Chain: :" + base64.b64encode(os.urandom(300)) + b":\r\n"], (400,)),
	]
	for what, fields, want in cases:
		got = sent(s.proxied, enrol(a, *fields, close=True))
		check(len(statuses(got)) == 1 and statuses(got)[0] in want, f"Client-Cert, {what}: want {want}, have {got[:300]}")


def nothing_is_smuggled(s, a):
	"""A request hidden in another's body gets no answer, and a field behind the head counts for nothing."""
	before = len(certs_of(s))
	hidden = enrol(a, field(a), close=True)
	chunk = b"%x\r\n%s\r\n0\r\n" % (len(csr(a)), csr(a))
	length = b"Content-Length: %d\r\n"
	chunked = b"Transfer-Encoding: chunked\r\n"
	cases = [
		("as a body", enrol(a, close=True, body=hidden), [400, 403]),
		("behind two lengths", enrol(a, framing=length % 0 + length % len(hidden), body=hidden), [400]),
		("behind a list of lengths", enrol(a, framing=b"Content-Length: 0, %d\r\n" % len(hidden), body=hidden), [400]),
		("behind length and chunks", enrol(a, framing=length % 5 + chunked, body=b"0\r\n\r\n" + hidden), [400]),
		("behind chunks told twice", enrol(a, framing=chunked + chunked, body=b"0\r\n\r\n" + hidden), [400]),
		("behind an unknown coding", enrol(a, framing=b"Transfer-Encoding: chunked, identity\r\n", body=b"0\r\n\r\n" + hidden), [400, 501]),
		("behind a coding with VT", enrol(a, framing=b"Transfer-Encoding: \x0bchunked\r\n" + length % 5, body=b"0\r\n\r\n" + hidden), [400]),
		("in a chunk's extension", enrol(a, framing=chunked, body=b"0;x=\n" + hidden), [400]),
		("the field in a trailer", enrol(a, framing=chunked, close=True, body=chunk + field(a) + b"\r\n"), [400, 403]),
		("the field behind a GET's body", b"GET " + EST.encode() + b"csrattrs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n\r\n\r\n" + field(a) + b"\r\n",
			[400, 401, 403]),
	]
	for what, data, want in cases:
		got = sent(s.proxied, data)
		check(statuses(got) and statuses(got)[0] in want and 200 not in statuses(got), f"{what}: want {want}, have {statuses(got)} {got[:200]}")
	check(len(certs_of(s)) == before, "nobody got a certificate")


def tlv(kind, value, length=None):
	return struct.pack("!BH", kind, len(value) if length is None else length) + value


def header(command=0x21, family=0x11, rest=None, tlvs=b"", length=None):
	if rest is None:
		rest = socket.inet_aton("192.0.2.7") + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 443)
	return SIGNATURE + struct.pack("!BBH", command, family, len(rest + tlvs) if length is None else length) + rest + tlvs


def headers_that_lie(s, a):
	ask, anybody = enrol(a, field(a), close=True), b"GET " + EST.encode() + b"cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	tls = lambda flags, verify=0, sub=b"": struct.pack("!BI", flags, verify) + sub
	unix = header(family=0x31, rest=b"/run/a".ljust(108, b"\0") + b"/run/b".ljust(108, b"\0"))
	cases = [
		("a local socket's addresses", unix + ask, [200]),
		("a local socket's addresses cut", header(family=0x31, rest=bytes(215)) + ask, []),
		("a local datagram", header(family=0x32, rest=bytes(216)) + ask, []),
		("LOCAL with noise behind", header(0x20, 0, b"\xff" * 500) + anybody, [200]),
		("LOCAL with an impossible family", header(0x20, 0xff, b"") + anybody, [200]),
		("LOCAL whose data hold a request", header(0x20, 0, ask) + anybody, [200]),
		("LOCAL longer than admitted", header(0x20, 0, bytes(2033)) + anybody, []),
		("as long as admitted", header(tlvs=tlv(4, bytes(2048 - 16 - 12 - 3))) + anybody, [200]),
		("one longer", header(tlvs=tlv(4, bytes(2048 - 16 - 12 - 2))) + anybody, []),
		("32 TLVs", header(tlvs=tlv(4, b"") * 32) + anybody, [200]),
		("33 with those inside", header(tlvs=tlv(0x20, tls(1, 0, tlv(0x21, b"TLSv1.3") + tlv(0x22, b"") * 10)) + tlv(4, b"") * 22) + anybody, []),
		("a TLV of 65535", header(tlvs=tlv(4, b"", 65535)) + anybody, []),
		("a TLV one too long", header(tlvs=tlv(4, b"abc", 4)) + anybody, []),
		("a TLV that eats the request", header(tlvs=tlv(4, b"", len(anybody))) + anybody, []),
		("SSL too short", header(tlvs=tlv(0x20, b"\x07\0\0\0")) + ask, []),
		("SSL empty", header(tlvs=tlv(0x20, b"")) + ask, []),
		("SSL whose inner TLV leaves it", header(tlvs=tlv(0x20, tls(7, 0, tlv(0x21, b"TLSv1.3", 60)))) + ask, []),
		("SSL with half an inner TLV", header(tlvs=tlv(0x20, tls(7, 0, b"\x21\x00"))) + ask, []),
		("SSL inside SSL", header(tlvs=tlv(0x20, tls(7, 0, tlv(0x20, tls(1)) + tlv(0x21, b"TLSv1.3")))) + ask, [200]),
		("a version that is none", header(tlvs=tlv(0x20, tls(7, 0, tlv(0x21, b"TLSv9")))) + ask, None),
		("a version with a NUL", header(tlvs=tlv(0x20, tls(7, 0, tlv(0x21, b"TLSv1.1\0TLSv1.3")))) + ask, None),
		("the certificate's name told without a certificate", header(tlvs=tlv(0x20, tls(1, 0, tlv(0x21, b"TLSv1.3") + tlv(0x22, b"SN-0001"))))
			+ enrol(a, close=True), [403]),
		("fault told as a large number", header(tlvs=tlv(0x20, tls(7, 0x80000000, tlv(0x21, b"TLSv1.3")))) + ask, [403]),
		("two headers", header() + header() + ask, [400]),
		("a second header later", header() + ask.replace(b"Connection: close\r\n", b"") + header() + ask, [200, 400]),
		("version 1 behind version 2", header() + b"PROXY TCP4 192.0.2.8 127.0.0.1 1 2\r\n" + ask, [501]),
	]
	for what, data, want in cases:
		got = statuses(sent(s.proxied, data))
		if want is None: # whatever it is, one answer at most, and not by a version that is too old
			check(len(got) <= 1, f"PROXY header, {what}: {got}")
		else:
			check(got == want, f"PROXY header, {what}: want {want}, have {got}")
	start_again = statuses(sent(s.proxied, header() + anybody))
	check(start_again == [200], f"an honest proxy is served after all that: {start_again}")


def other_paths_open_no_label(s, a, other):
	"""`open` takes proxied clients and MakerB's devices, the default and `shut` do not: no spelling makes one of the other."""
	for path, want in (("open/simpleenroll", (200,)), ("simpleenroll", (403,)), ("shut/simpleenroll", (403,)), ("default/simpleenroll", (403, 404)),
			("%6fpen/simpleenroll", (400, 404)), ("OPEN/simpleenroll", (404,)), ("open//simpleenroll", (400, 404)), ("/open/simpleenroll", (400, 404)),
			("open/./simpleenroll", (400, 404)), ("shut/../open/simpleenroll", (400, 404)), ("open/../simpleenroll", (400, 404)),
			("open/../shut/simpleenroll", (400, 404)), ("open%2fsimpleenroll", (400, 404)), ("open;x/simpleenroll", (400, 404)),
			("shut/open/simpleenroll", (400, 404)), ("open/shut/simpleenroll", (400, 404)), ("open/simpleenroll/", (400, 404)),
			("open/simpleenroll%00", (400, 404)), ("shut/simpleenroll?label=open", (400, 403, 404)),
			("shut/serverkeygen", (403, 404)), ("shut/fullcmc", (403, 404)), ("shut/simplereenroll", (403,)), ("shut/csrattrs", (403,)), ("shut/cacerts", (403,)),
			("open/serverkeygen", (403, 404)), ("open/fullcmc", (400, 403, 404, 415))):
		got = statuses(sent(s.proxied, enrol(a, field(a), close=True, path=EST + path)))
		check(len(got) == 1 and (got[0] in want or (got == [405] and path.endswith(("csrattrs", "cacerts")))), f"{path}: want {want}, have {got}")
	for path in ("/enrolment", "/enrolment/x", "/fetchCredentials/x", "/maf", "/~/maf"):
		for method in (b"GET", b"POST"):
			got = statuses(sent(s.proxied, method + b" " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + field(a)
				+ b"Content-Length: 0\r\n\r\n"))
			check(got in ([403], [404]), f"{method} {path}: {got}")
	# the host decides nothing: an absolute form, or another Host, reaches no other label
	for line in (b"POST https://localhost" + EST.encode() + b"shut/simpleenroll HTTP/1.1", b"POST http://open/.well-known/est/shut/simpleenroll HTTP/1.1"):
		got = statuses(sent(s.proxied, enrol(a, field(a), close=True).replace(b"POST " + EST.encode() + b"simpleenroll HTTP/1.1", line)))
		check(len(got) == 1 and got[0] in (400, 403, 404, 421), f"{line}: {got}")
	# anchors: a device of the maker of `makers` alone
	for path, want in (("makers/simpleenroll", (200,)), ("open/simpleenroll", (403,)), ("shut/simpleenroll", (403,)), ("simpleenroll", (403,)),
			("MAKERS/simpleenroll", (404,)), ("makers/../open/simpleenroll", (400, 404)), ("open/../makers/simpleenroll", (400, 404))):
		got = statuses(sent(s.proxied, enrol(other, field(other), b"Client-Cert-Chain: :" + text(s.maker.file("issuing")) + b":\r\n", close=True, path=EST + path)))
		check(len(got) == 1 and got[0] in want, f"of another maker, {path}: want {want}, have {got}")


def forged_by_a_front(s, registrar, a, other):
	"""What the front tells of proxied clients has bounds, and its word opens no label that is closed to them."""
	leaf, anchor = der_of(a), subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=ssl.PEM_cert_to_DER_cert(
		(s.factory / "ca.pem").read_text()), capture_output=True).stdout
	good = {"method": 3, "path": EST.encode() + b"open/simpleenroll", "media": b"application/pkcs10", "leaf": leaf, "anchor": anchor, "exporter": b"", "body": csr(a)}
	for what, more in [("a raw key", {"trust": PROXIED | 3}), ("a key", {"trust": PROXIED | 4, "identity": b"x@localhost"}),
			("a password", {"trust": PROXIED | 5, "identity": b"pump"}), ("a binding", {"trust": PROXIED | 2, "exporter": b"e" * 32}),
			("the other binding", {"trust": PROXIED | 2, "unique": b"u" * 12}), ("keys", {"trust": PROXIED | 2, "exported": b"k" * 64}),
			("an identity", {"trust": PROXIED | 2, "identity": b"x"}), ("a trust that is none", {"trust": PROXIED | 6}), ("nobody with a binding", {"trust": PROXIED, "exporter": b"e"})]:
		c = registrar.channel(FRONT)
		c.send(frame(CALL, 1, call(**{**good, **more})))
		check(c.hear() is None, f"a proxied peer with {what}: the channel is closed")
		c.close()
		registrar.lives(what)

	def ask(**more):
		c = registrar.channel(FRONT)
		c.send(frame(CALL, 1, call(**{**good, **more})))
		got = c.hear()
		c.close()
		check(got and got[:2] == (REPLY, 1), f"{more}: {got}")
		return struct.unpack(">H", got[2][:2])[0], got[2]

	for what, more, want in [("a label that is shut", {"trust": PROXIED | 2, "path": EST.encode() + b"shut/simpleenroll"}, 403),
			("the exchange", {"trust": PROXIED | 2, "path": b"/enrolment", "body": b"{}", "media": b"application/json"}, 403),
			("keys", {"trust": PROXIED | 2, "method": 1, "path": b"/fetchCredentials/x"}, 403),
			("nobody", {"trust": PROXIED, "leaf": b""}, 403), ("another maker's anchor", {"trust": 2, "anchor": bytes(32), "exporter": b"e" * 32}, 403),
			("an SRP user that does not exist", {"trust": 5, "identity": b"pump", "leaf": b"", "exporter": b"e" * 32}, 403),
			("an SRP user with a certificate beside", {"trust": 5, "identity": b"", "exporter": b"e" * 32}, 403),
			("an SRP user at the exchange", {"trust": 5, "identity": b"pump", "leaf": b"", "path": b"/enrolment", "exporter": b""}, 403),
			("a certificate of another CA as our own", {"trust": 1, "leaf": der_of(other), "exporter": b"e" * 32}, 403),
			("our own CA's certificate as a client's", {"trust": 1, "leaf": der_of(s.dir / "ca" / "issuing.cert"), "exporter": b"e" * 32}, 403)]:
		status, body = ask(**more)
		check(status == want, f"a front that tells of {what}: want {want}, have {status} {body[:300]}")


def main():
	build = sys.argv[1]
	with Service(build, SETTINGS) as s:
		a, b = s.device(1), s.device(2)
		start(s)
		identity_never_sticks(s, a, b)
		fields_have_one_reading(s, a, b)
		nothing_is_smuggled(s, a)
		s.stop()
	print("fields: good", flush=True)
	with Service(build, {**SETTINGS, "proxy_protocol": "v2"}) as s:
		a = s.device(1)
		start(s)
		headers_that_lie(s, a)
		s.stop()
	print("headers: good", flush=True)
	with Service(build, {**SETTINGS, "proxied": "no"}) as s:
		a = s.device(1)
		s.maker = Authority(s.root, "MakerB")
		other = s.maker.sign("device-9", "/O=Example Devices/serialNumber=SN-0009",
			"keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n")
		run("openssl", "req", "-new", "-key", f"{other}.key", "-subj", "/", "-outform", "DER", "-out", f"{other}.csr")
		run(s.binary, "enrolee", "add", "device-0009", "--dir", s.dir, "--type", "node", "--entity", "urn:example:node:0009",
			"--credential", "serial=SN-0009")
		add_sections(s, f"[label open]\nproxied = yes\n[label shut]\nproxied = no\n[label makers]\nproxied = yes\nanchors = {s.maker.file('root.pem')}\n")
		start(s)
		other_paths_open_no_label(s, a, other)
		s.stop()
		with Role(s, "role-registrar") as registrar:
			forged_by_a_front(s, registrar, a, other)
	print("ok")


main()
