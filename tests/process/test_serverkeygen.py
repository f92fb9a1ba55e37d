#!/usr/bin/env python3
"""
Keys that the MEF makes (RFC 7030 4.4) on the running service: plain, encrypted for a symmetric key, for an RSA and for
an EC certificate, read by curl, openssl and Python alone; every state of the label's switch; identifiers of others;
by pre-shared key; no key in a log.
"""

import base64
import email
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _psk import Session  # noqa: E402
from _service import Service, check, run, serial_of  # noqa: E402

PATH = "/.well-known/est/serverkeygen"
SMIME = "2a864886f70d01090f"
DECRYPT = "2a864886f70d0109100225"
ASYMMETRIC = "2a864886f70d0109100236"
AES128_WRAP = "608648016503040105"
AES128_CBC = "608648016503040102"
RSA_PKCS1 = "2a864886f70d010101"
RC2 = "2a864886f70d0302"


# ---- DER, as little as a request needs

def tlv(tag, *parts):
	body = b"".join(parts)
	n = len(body)
	length = bytes([n]) if n < 128 else bytes([0x80 + (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
	return bytes([tag]) + length + body


def inside(der):
	"""The contents octets of the first element."""
	n, at = der[1], 2
	if n >= 128:
		at = 2 + n - 128
		n = int.from_bytes(der[2:at], "big")
	return der[at:at + n]


def oid(text):
	return tlv(6, bytes.fromhex(text))


def attribute(kind, value):
	return tlv(0x30, oid(kind), tlv(0x31, value))


def capabilities(*oids):
	return attribute(SMIME, tlv(0x30, *(tlv(0x30, oid(o)) for o in oids)))


class Requests:
	"""Requests of a throwaway key."""

	def __init__(self, root):
		self.root = root
		self.keys = {}

	def key(self, kind):
		if kind not in self.keys:
			path = self.root / f"throwaway-{kind}.pem"
			if kind == "rsa":
				run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", path)
			elif kind == "ed25519":
				run("openssl", "genpkey", "-algorithm", "ED25519", "-out", path)
			else:
				run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}", "-out", path)
			self.keys[kind] = subprocess.run(["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"],
				capture_output=True, check=True).stdout
		return self.keys[kind]

	def make(self, *attributes, kind="P-256"):
		info = tlv(0x30, tlv(2, b"\0"), tlv(0x30), self.key(kind), tlv(0xa0, *attributes))
		# RFC 7030 4.4.1: the server ignores the signature, so any will do
		algorithm = tlv(0x30, oid("2a8648ce3d040302"))
		return tlv(0x30, info, algorithm, tlv(3, b"\0", tlv(0x30, tlv(2, b"\1"), tlv(2, b"\1"))))


# ---- the service

def set_in(s, section, name, value):
	path = s.dir / "openmef.conf"
	out, here = [], False
	for line in path.read_text().split("\n"):
		if line.startswith("["):
			here = line.strip() == f"[{section}]"
		out.append(f"{name} = {value}" if here and line.split("=")[0].strip() == name else line)
	path.write_text("\n".join(out))


def device(s, number, kind, usage):
	"""As Service.device, with another key and usage."""
	stem = s.factory / f"device-{number}"
	how = ["rsa:2048"] if kind == "rsa" else ["ec", "-pkeyopt", f"ec_paramgen_curve:{kind}"]
	run("openssl", "req", "-newkey", *how, "-nodes", "-keyout", f"{stem}.key", "-out", f"{stem}.req", "-subj",
		f"/O=Example Devices/serialNumber=SN-{number:04d}")
	ext = s.factory / "ext"
	ext.write_text("subjectKeyIdentifier=hash\nextendedKeyUsage=clientAuth\n" + (f"keyUsage=critical,{usage}\n" if usage else ""))
	run("openssl", "x509", "-req", "-in", f"{stem}.req", "-CA", s.factory / "ca.pem", "-CAkey", s.factory / "ca.key",
		"-set_serial", 1000 + number, "-days", "3650", "-extfile", ext, "-out", f"{stem}.pem")
	run("openssl", "req", "-new", "-key", f"{stem}.key", "-subj", "/", "-outform", "DER", "-out", f"{stem}.csr")
	run(s.binary, "enrolee", "add", f"device-{number:04d}", "--dir", s.dir, "--type", "node", "--entity",
		f"urn:example:node:{number:04d}", "--credential", f"serial=SN-{number:04d}", "--anchor", s.factory / "ca.pem")
	return stem


def key_id(pem):
	text = run("openssl", "x509", "-in", pem, "-noout", "-ext", "subjectKeyIdentifier").split("\n")[1]
	return bytes.fromhex(text.strip().replace(":", ""))


def ask(s, stem, request, path=PATH):
	return s.ask("POST", path, base64.b64encode(request), "application/pkcs10", stem)


def refused(s, stem, request, status, *says, path=PATH):
	got, _, body = ask(s, stem, request, path)
	check(got == status, f"want {status}, have {got}: {body}")
	for text in says:
		check(text.encode() in body, f"want '{text}' in {body}")


def parts(headers, body):
	"""(media type of the key, its octets, certificate PEM)."""
	check(headers["Content-Type"].startswith("multipart/mixed; boundary="), headers["Content-Type"])
	m = email.message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
	check(m.is_multipart() and len(m.get_payload()) == 2, "two parts")
	key, cert = m.get_payload()
	check(cert.get_content_type() == "application/pkcs7-mime" and cert.get_param("smime-type") == "certs-only", cert["Content-Type"])
	for part in (key, cert):
		check(part["Content-Transfer-Encoding"] == "base64", "parts are base64")
	pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=cert.get_payload(decode=True),
		capture_output=True, check=True).stdout
	return key["Content-Type"], key.get_payload(decode=True), pem


def belongs(s, pkcs8, pem):
	"""The key is the certificate's, and the certificate the MEF's; openssl says so."""
	own = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout"], input=pkcs8, capture_output=True, check=True).stdout
	of_cert = subprocess.run(["openssl", "x509", "-noout", "-pubkey"], input=pem, capture_output=True, check=True).stdout
	check(own == of_cert, "the key belongs to the certificate")
	made.append(pkcs8)
	(s.root / "issued.pem").write_bytes(pem)
	run("openssl", "verify", "-CAfile", s.dir / "ca" / "root.cert.pem", "-untrusted", s.dir / "ca" / "issuing.cert.pem", s.root / "issued.pem")
	return own


made = [] # keys, to be looked for in the logs


def package_key(s, signed_data):
	"""PKCS#8 inside of the package, whose signer must be the MEF's message key."""
	wrapped = tlv(0x30, oid("2a864886f70d010702"), tlv(0xa0, signed_data))
	(s.root / "signed.der").write_bytes(wrapped)
	run("openssl", "cms", "-verify", "-inform", "DER", "-in", s.root / "signed.der", "-CAfile", s.dir / "ca" / "root.cert.pem",
		"-signer", s.root / "signer.pem", "-out", s.root / "package.der")
	check("Messages" in run("openssl", "x509", "-in", s.root / "signer.pem", "-noout", "-subject"), "signed by the message key")
	return inside((s.root / "package.der").read_bytes())


def opened(s, envelope, *how):
	(s.root / "enveloped.der").write_bytes(envelope)
	run("openssl", "cms", "-decrypt", "-inform", "DER", "-in", s.root / "enveloped.der", "-out", s.root / "opened.der", *how)
	return package_key(s, (s.root / "opened.der").read_bytes())


def encrypted(s, stem, request, path=PATH):
	status, headers, body = ask(s, stem, request, path)
	check(status == 200, f"{status} {body}")
	media, key, pem = parts(headers, body)
	check(media.startswith("application/pkcs7-mime") and "smime-type=server-generated-key" in media, media)
	return key, pem


def structure(envelope):
	return subprocess.run(["openssl", "cms", "-cmsout", "-print", "-noout", "-inform", "DER"], input=envelope, capture_output=True,
		check=True).stdout.decode()


# ---- the tests

def off_by_default(s, requests, stem):
	refused(s, stem, requests.make(), 404, "serverkeygen: not offered under this label")


def start_needs_the_message_key(s):
	"""Directories made before have none."""
	for name in ("message.cert.pem", "message.key.pem"):
		(s.dir / "ca" / name).rename(s.dir / "ca" / f"{name}.away")
	done = subprocess.run([s.binary, "serve", "--dir", s.dir], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and "openmef ca message" in done.stderr + done.stdout, f"{done.returncode} {done.stderr}")
	run(s.binary, "ca", "message", "--dir", s.dir)


def plain(s, requests, stem):
	keys = set()
	for kind, name in (("P-256", "P-256"), ("P-256", "P-256"), ("rsa", None)):
		status, headers, body = ask(s, stem, requests.make(kind=kind))
		check(status == 200, f"{status} {body}")
		media, key, pem = parts(headers, body)
		check(media == "application/pkcs8", media)
		keys.add(belongs(s, key, pem))
		text = subprocess.run(["openssl", "pkey", "-inform", "DER", "-noout", "-text"], input=key, capture_output=True).stdout.decode()
		check((f"NIST CURVE: {name}" if name else "2048 bit") in text, f"a key of the kind that the request shows: {text[:60]}")
	check(len(keys) == 3, "each key is new")
	# AES-128 is what the server prefers, and too little for 192 bits
	refused(s, stem, requests.make(kind="P-384"), 403, "RFC 7030 4.4", "AES-256")
	refused(s, stem, requests.make(kind="ed25519"), 400, "RFC 7030 4.4", "subjectPKInfo")


def nobody_gets_none(s, requests):
	"""RFC 7030 4.4: as for enrolment, the client is authenticated"""
	before = len(s.serials())
	refused(s, None, requests.make(), 403, "OMEF-1510")
	check(len(s.serials()) == before, "nothing was issued")


def by_curl(s, requests, stem):
	fetched(s, requests.make(), stem)
	fetched(s, requests.make(kind="P-384"), stem, "--tls13-ciphers", "TLS_AES_256_GCM_SHA384", "--tlsv1.3")


def fetched(s, request, stem, *options):
	(s.root / "request.b64").write_bytes(base64.encodebytes(request))
	got = subprocess.run(["curl", "-sS", *options, "--cacert", s.dir / "ca" / "root.cert.pem", "--cert", f"{stem}.pem", "--key", f"{stem}.key",
		"-H", "Content-Type: application/pkcs10", "--data-binary", f"@{s.root / 'request.b64'}", "-D", s.root / "head",
		f"https://localhost:{s.https}{PATH}"], capture_output=True, check=True).stdout
	head = email.message_from_string((s.root / "head").read_text().split("\n", 1)[1])
	_, key, pem = parts(head, got)
	belongs(s, key, pem)


def by_asymmetric_key(s, requests, rsa, ec, sign_only):
	for stem, usual, others in ((rsa, "rsaesOaep", [(RSA_PKCS1, "rsaEncryption")]), (ec, "dhSinglePass-stdDH-sha256kdf-scheme", [])):
		for first, scheme in [(None, usual), *others]:
			wish = [attribute(ASYMMETRIC, tlv(4, key_id(f"{stem}.pem")))] + ([capabilities(first)] if first else [])
			envelope, pem = encrypted(s, stem, requests.make(*wish))
			text = structure(envelope)
			check(scheme in text and "aes-256-cbc" in text and "issuerAndSerialNumber" not in text.split("encryptedContentInfo")[0],
				f"{scheme}, recipient by key identifier:\n{text[:1500]}")
			belongs(s, opened(s, envelope, "-inkey", f"{stem}.key", "-recip", f"{stem}.pem"), pem)
	refused(s, sign_only, requests.make(attribute(ASYMMETRIC, tlv(4, key_id(f"{sign_only}.pem")))), 403, "RFC 7030 4.4.1.2", "keyAgreement")
	# a certificate of somebody else is none of this enrolee's
	other = key_id(f"{rsa}.pem")
	refused(s, ec, requests.make(attribute(ASYMMETRIC, tlv(4, other))), 403, "AsymmetricDecryptKeyIdentifier", other.hex().upper())


def by_issued_certificate(s, requests, stem):
	"""Asked for with the factory's certificate, encrypted for the one that this MEF has given."""
	status, _, body = s.ask("POST", "/.well-known/est/simpleenroll", base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes()),
		"application/pkcs10", stem)
	check(status == 200, f"{status} {body}")
	der = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body), capture_output=True).stdout
	(s.root / "own.pem").write_bytes(der)
	envelope, pem = encrypted(s, stem, requests.make(attribute(ASYMMETRIC, tlv(4, key_id(s.root / "own.pem")))))
	belongs(s, opened(s, envelope, "-inkey", f"{stem}.key", "-recip", s.root / "own.pem"), pem)
	run(s.binary, "cert", "revoke", serial_of(body), "--dir", s.dir)
	# left is the factory's, of the same key, which may only sign
	refused(s, stem, requests.make(attribute(ASYMMETRIC, tlv(4, key_id(s.root / "own.pem")))), 403, "keyAgreement")


def kek(kpm, bits=256):
	"""docs/decisions/0016, RFC 5869: no salt"""
	prk = hmac.new(b"\0" * 32, kpm, hashlib.sha256).digest()
	return hmac.new(prk, f"OpenMEF serverkeygen AES-{bits} key wrap".encode() + b"\1", hashlib.sha256).digest()[:bits // 8]


def by_symmetric_key(s, requests, stem, name, kpm, others):
	me = f"{name}@localhost".encode()
	for wish, bits in (((), 256), ((capabilities(RC2, AES128_WRAP, AES128_CBC),), 128)):
		envelope, pem = encrypted(s, stem, requests.make(attribute(DECRYPT, tlv(4, me)), *wish))
		text = structure(envelope)
		check("d.kekri" in text and f"id-aes{bits}-wrap" in text and f"aes-{bits}-cbc" in text, text[:800])
		belongs(s, opened(s, envelope, "-secretkey", kek(kpm, bits).hex(), "-secretkeyid", me.hex()), pem)
	refused(s, stem, requests.make(attribute(DECRYPT, tlv(4, others.encode()))), 403, "DecryptKeyIdentifier", others)
	refused(s, stem, requests.make(attribute(DECRYPT, tlv(4, b"\1\2\3"))), 403, "DecryptKeyIdentifier", "010203")
	refused(s, stem, requests.make(attribute(DECRYPT, tlv(4, me)), capabilities(RC2)), 400, "smimeCapabilities")
	refused(s, stem, requests.make(attribute(DECRYPT, tlv(4, me)), attribute(ASYMMETRIC, tlv(4, me))), 400, "AsymmetricDecryptKeyIdentifier")
	refused(s, stem, requests.make(attribute(DECRYPT, tlv(12, me))), 400, "RFC 4108 2.2.5")


def by_psk(s, requests, name, kpm):
	me = f"{name}@localhost".encode()
	with Session(s, me.decode(), kpm) as session:
		for wish in ((), (attribute(DECRYPT, tlv(4, me)),)):
			status, headers, body = session.ask("POST", PATH, base64.b64encode(requests.make(*wish)), {"Content-Type": "application/pkcs10"})
			check(status == 200, f"{status} {body}")
			_, key, pem = parts({"Content-Type": headers["content-type"]}, body)
			belongs(s, opened(s, key, "-secretkey", kek(kpm).hex(), "-secretkeyid", me.hex()) if wish else key, pem)


def encrypted_only(s, requests, rsa):
	path = "/.well-known/est/onem2m/serverkeygen"
	refused(s, rsa, requests.make(), 403, "RFC 7030 4.4.1", "DecryptKeyIdentifier", path=path)
	# that it is encrypted does not make up for the challenge of this label
	refused(s, rsa, requests.make(attribute(ASYMMETRIC, tlv(4, key_id(f"{rsa}.pem")))), 403, "challengePassword", path=path)


def enrolee(s, out, *argv, want=0, says=()):
	done = subprocess.run([s.binary.parent / "enrolee", "enrol", "--out", s.root / out, *argv], capture_output=True, text=True, timeout=120)
	told = done.stdout + done.stderr
	check(done.returncode == want, f"enrolee {argv}: exit {done.returncode}, want {want}\n{told}")
	for text in says:
		check(text in told, f"want '{text}' in {told}")
	return s.root / out / "current"


def installed(s, current):
	pkcs8 = subprocess.run(["openssl", "pkcs8", "-topk8", "-nocrypt", "-in", current / "key.pem", "-outform", "DER"], capture_output=True,
		check=True).stdout
	return belongs(s, pkcs8, (current / "cert.pem").read_bytes())


def by_device(s, rsa, ec, sign_only):
	base = f"https://localhost:{s.https}/.well-known/est"
	keys = set()
	for stem, how in ((sign_only, "--server-key"), (rsa, "--server-key"), (rsa, "--server-key-cipher"), (ec, "--server-key-cipher")):
		given = ("--mef", base, "--cert", f"{stem}.pem", "--key", f"{stem}.key", "--anchors", s.dir / "ca" / "root.cert.pem")
		keys.add(installed(s, enrolee(s, f"out-{stem.name}{how}", *given, how)))
	check(len(keys) == 4, "each key is new")
	given = ("--cert", f"{sign_only}.pem", "--key", f"{sign_only}.key", "--anchors", s.dir / "ca" / "root.cert.pem")
	enrolee(s, "out-none", "--mef", base, *given, "--server-key-cipher", want=4, says=["OMEF-1287", "keyAgreement"])
	check(not (s.root / "out-none" / "current").exists(), "nothing was installed")
	# the label that wants a challenge gives keys away encrypted only
	enrolee(s, "out-none", "--mef", f"{base}/onem2m", *given, "--server-key", want=4, says=["OMEF-1343"])


def held_for_a_person(s, requests, stem):
	"""RFC 7030 4.2.3: asked again once it is approved, it brings a key, once."""
	request = requests.make(kind="rsa")
	status, headers, _ = ask(s, stem, request)
	check(status == 202 and int(headers["Retry-After"]) > 0, f"{status} {headers}")
	rows = json.loads(run(s.binary, "request", "list", "--json", "--dir", s.dir))
	check(len(rows) == 1, f"one request: {rows}")
	for row in rows:
		run(s.binary, "request", "approve", row["id"], "--dir", s.dir)
	status, headers, body = ask(s, stem, request)
	check(status == 200, f"{status} {body}")
	_, key, pem = parts(headers, body)
	belongs(s, key, pem)
	refused(s, stem, request, 409, "RFC 7030 4.4", "a made key is not kept")


def by_device_psk(s):
	given = ("--mef", f"https://localhost:{s.https}", "--psk", s.root / "pump.kpm", "--psk-id", "pump@localhost")
	installed(s, enrolee(s, "out-psk", *given, "--server-key-cipher"))
	# the re-authentication key of that exchange serves as well
	installed(s, enrolee(s, "out-psk", "--again", "--server-key-cipher"))


def audited(s):
	rows = run(s.binary, "audit", "list", "--dir", s.dir, "--json", "--limit", "1000")
	check(rows.count("enrolment with a key made here") == len(made), "the audit log tells who made each key, once")
	check("enrol.refused" in rows, "and what was refused")


def nowhere(s):
	"""No made key is in the log, the store or anything else that the service wrote."""
	check(len(made) > 8, "keys were made")
	# of a P-256 key the 32 octets of the secret; of any other some octets that no certificate holds
	needles = [k[-120:-80] if len(k) > 300 else k[36:68] for k in made]
	for path in [s.root / "serve.log", *(p for p in s.dir.rglob("*") if p.is_file())]:
		data = path.read_bytes()
		for needle in needles:
			for form in (needle, needle.hex().encode(), needle.hex().upper().encode(), base64.b64encode(needle)[4:40]):
				check(form not in data, f"{path}: holds a key")


def main():
	build = sys.argv[1]
	with Service(build, {"key_usage": "digitalSignature, keyAgreement, keyEncipherment", "keys": "P-256, P-384, RSA-2048"}) as s:
		requests = Requests(s.root)
		stem = s.device(1)
		rsa = device(s, 2, "rsa", "digitalSignature,keyEncipherment")
		ec = device(s, 3, "P-384", None)
		sign_only = device(s, 4, "P-256", "digitalSignature")
		for name in ("pump", "valve"):
			run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "node", "--entity", f"urn:example:{name}", "--psk", name,
				"--psk-out", s.root / f"{name}.kpm", *(["--credential", "serial=SN-0005", "--anchor", s.factory / "ca.pem"] if name == "pump" else []))
		kpm = bytes.fromhex((s.root / "pump.kpm").read_text().strip().split(":")[-1])
		pump = s.factory / "pump"
		run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{pump}.key", "-out",
			f"{pump}.req", "-subj", "/serialNumber=SN-0005")
		run("openssl", "x509", "-req", "-in", f"{pump}.req", "-CA", s.factory / "ca.pem", "-CAkey", s.factory / "ca.key", "-set_serial",
			"1005", "-days", "3650", "-out", f"{pump}.pem")
		s.start()
		off_by_default(s, requests, stem)
		s.stop()
		set_in(s, "label default", "serverkeygen", "yes")
		set_in(s, "label onem2m", "serverkeygen", "encrypted")
		start_needs_the_message_key(s)
		s.start()
		plain(s, requests, stem)
		nobody_gets_none(s, requests)
		by_curl(s, requests, stem)
		by_asymmetric_key(s, requests, rsa, ec, sign_only)
		by_issued_certificate(s, requests, stem)
		by_symmetric_key(s, requests, pump, "pump", kpm, "valve@localhost")
		by_psk(s, requests, "pump", kpm)
		encrypted_only(s, requests, rsa)
		by_device(s, rsa, ec, sign_only)
		by_device_psk(s)
		set_in(s, "label default", "hold", "enrol")
		run(s.binary, "reload", "--dir", s.dir)
		held_for_a_person(s, requests, stem)
		audited(s)
		s.stop()
		nowhere(s)
	print("serverkeygen: ok")


if __name__ == "__main__":
	main()
