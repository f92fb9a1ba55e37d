#!/usr/bin/env python3
"""
Attacks on serverkeygen (RFC 7030 4.4): keys of others as decryption keys, weak algorithms, requests that say a thing twice,
connections cut while the key is on its way, keys that the profile does not admit, and the memory of every role afterwards.
"""

import base64
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import test_serverkeygen as kg  # noqa: E402
from _attacks import LEAF, make_cert  # noqa: E402
from _memory import no_role_remembers  # noqa: E402
from _psk import Secrets  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

DES3_CBC, RC4 = "2a864886f70d0307", "2a864886f70d0304"


def secret_of(pkcs8):
	"""The octets that make the key private, as openssl reads them."""
	text = subprocess.run(["openssl", "pkey", "-inform", "DER", "-noout", "-text"], input=pkcs8, capture_output=True, check=True).stdout
	field = text.split(b"priv:")[1] if b"priv:" in text else text.split(b"prime1:")[1]
	lines = field.split(b"\n")[1:]
	hexa = b""
	for line in lines:
		if not line.startswith(b"    "):
			break
		hexa += line.strip().replace(b":", b"")
	return bytes.fromhex(hexa.decode()).lstrip(b"\0")


def kek_by(identity):
	return kg.attribute(kg.DECRYPT, kg.tlv(4, identity))


def cert_by(key_id):
	return kg.attribute(kg.ASYMMETRIC, kg.tlv(4, key_id))


def nothing_is_left_in_memory(s, requests, stem, ec, kpm):
	"""Plain and encrypted, elliptic and RSA: once the answers are out, no role has a key; openssl says what to look for."""
	secrets = Secrets()
	me = b"pump@localhost"
	for kind in ("P-256", "P-384", "rsa") * 3:
		if kind != "P-384": # not plain over the suite that this client gets (RFC 7030 4.4)
			status, headers, body = kg.ask(s, stem, requests.make(kind=kind))
			check(status == 200, f"{status} {body}")
			secrets.add(f"plain {kind} {len(secrets.made)}", secret_of(kg.parts(headers, body)[1]))
		envelope, _ = kg.encrypted(s, s.factory / "pump", requests.make(kek_by(me), kind=kind))
		pkcs8 = kg.opened(s, envelope, "-secretkey", kg.kek(kpm).hex(), "-secretkeyid", me.hex())
		secrets.add(f"wrapped {kind} {len(secrets.made)}", secret_of(pkcs8))
		envelope, _ = kg.encrypted(s, ec, requests.make(cert_by(kg.key_id(f"{ec}.pem")), kind=kind))
		secrets.add(f"agreed {kind} {len(secrets.made)}", secret_of(kg.opened(s, envelope, "-inkey", f"{ec}.key", "-recip", f"{ec}.pem")))
	secrets.add("the key that wraps", kg.kek(kpm))
	no_role_remembers(s, secrets, "after the answers")


def keys_of_others(s, requests, stem, ec):
	"""RFC 7030 4.4.1: decryption keys are the client's own, in every way of writing their names."""
	for identity in (b"valve@localhost", b"VALVE@LOCALHOST", b"pump@localhost", b"pump@localhost\0", b"@", b"@localhost", b"../pump@localhost",
			b"%", b"pump@localhost' OR '1'='1", b"x" * 64, bytes(range(32))):
		kg.refused(s, stem, requests.make(kek_by(identity)), 403, "RFC 7030 4.4.1.1")
	for identity in (b"pump@localhost\0", b"pump", b"pump@elsewhere", b" pump@localhost"):
		kg.refused(s, s.factory / "pump", requests.make(kek_by(identity)), 403, "RFC 7030 4.4.1.1")
	for number in (kg.key_id(f"{ec}.pem"), kg.key_id(f"{ec}.pem")[:-1], b"\0", b"x" * 64):
		kg.refused(s, stem, requests.make(cert_by(number)), 403, "RFC 7030 4.4.1.2")
	kg.refused(s, ec, requests.make(cert_by(kg.key_id(f"{ec}.pem")[:-1])), 403, "RFC 7030 4.4.1.2")


def what_is_over(s, requests, ec):
	"""A removed key, a revoked certificate."""
	run(s.binary, "key", "remove", "pump@localhost", "--dir", s.dir)
	kg.refused(s, s.factory / "pump", requests.make(kek_by(b"pump@localhost")), 403, "DecryptKeyIdentifier")
	status, serial = s.enrol(ec)
	check(status == 200, f"{status}")
	run(s.binary, "enrolee", "disable", "device-0003", "--dir", s.dir)
	kg.refused(s, ec, requests.make(cert_by(kg.key_id(f"{ec}.pem"))), 403, "OMEF-1513")
	run(s.binary, "enrolee", "enable", "device-0003", "--dir", s.dir)
	check(serial, "a certificate")


def algorithms(s, requests, ec):
	"""RFC 7030 4.4.2: weak ones alone are refused; beside a strong one they do not count."""
	mine = cert_by(kg.key_id(f"{ec}.pem"))
	for weak in ((DES3_CBC,), (RC4, kg.RC2), ()):
		kg.refused(s, ec, requests.make(mine, kg.capabilities(*weak)), 400, "smimeCapabilities")
	envelope, _ = kg.encrypted(s, ec, requests.make(mine, kg.capabilities(RC4, DES3_CBC, kg.AES128_CBC)))
	text = kg.structure(envelope)
	check("aes-128-cbc" in text and "des" not in text.lower().replace("description", ""), text[:1500])


def said_twice(s, requests, ec):
	"""RFC 2986 4.1: attributes are a set, so there is no last word."""
	mine = cert_by(kg.key_id(f"{ec}.pem"))
	kg.refused(s, ec, requests.make(mine, mine), 400, "RFC 2986 4.1")
	kg.refused(s, ec, requests.make(mine, kek_by(b"pump@localhost")), 400, "have both")
	two = kg.tlv(0x30, kg.oid(kg.ASYMMETRIC), kg.tlv(0x31, kg.tlv(4, b"a"), kg.tlv(4, b"b")))
	kg.refused(s, ec, requests.make(two), 400, "AsymmetricDecryptKeyIdentifier")
	kg.refused(s, ec, requests.make(cert_by(b"")), 400, "AsymmetricDecryptKeyIdentifier")
	kg.refused(s, ec, requests.make(cert_by(b"x" * 5000)), 400, "AsymmetricDecryptKeyIdentifier")


def kinds_that_the_profile_refuses(s, requests, stem):
	before = len(s.serials())
	kg.refused(s, stem, requests.make(kind="rsa"), 400, "OMEF-1421", "TS-0003 10.1.1.1", "profile")
	check(len(s.serials()) == before, "nothing was recorded")


def a_cut_answer_is_nobodys(s, requests, stem):
	"""Who hangs up gets no key; its certificate is on record, under its name, and can be revoked."""
	before = len(s.serials())
	for _ in range(4):
		c = s.connect(stem)
		body = base64.b64encode(requests.make())
		c.sendall(f"POST {kg.PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/pkcs10\r\nContent-Length: {len(body)}\r\n\r\n".encode()
			+ body)
		c.close()
	wait_for(lambda: len(s.serials()) >= before + 1, "an order runs to its end")
	status, _, body = kg.ask(s, stem, requests.make())
	check(status == 200, f"and the next one is served: {status} {body}")


def main():
	with Service(sys.argv[1], {"key_usage": "digitalSignature, keyAgreement, keyEncipherment", "keys": "P-256, P-384, RSA-2048"}) as s:
		kg.set_in(s, "label default", "serverkeygen", "yes")
		requests = kg.Requests(s.root)
		stem = s.device(1)
		ec = kg.device(s, 3, "P-384", None)
		for name, more in (("pump", ("--credential", "serial=SN-0005", "--anchor", s.factory / "ca.pem")), ("valve", ())):
			run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "node", "--entity", f"urn:example:{name}", "--psk", name, "--psk-out",
				s.root / f"{name}.kpm", *more)
		kpm = bytes.fromhex((s.root / "pump.kpm").read_text().strip().split(":")[-1])
		make_cert(s.factory, "pump", "/serialNumber=SN-0005", issuer=s.factory / "ca", extensions=LEAF)
		s.start()
		nothing_is_left_in_memory(s, requests, stem, ec, kpm)
		keys_of_others(s, requests, stem, ec)
		algorithms(s, requests, ec)
		said_twice(s, requests, ec)
		what_is_over(s, requests, ec)
		a_cut_answer_is_nobodys(s, requests, stem)
		s.stop()
		kg.set_in(s, "profile device", "keys", "P-256")
		s.start()
		kinds_that_the_profile_refuses(s, requests, stem)
		s.stop()


if __name__ == "__main__":
	main()
