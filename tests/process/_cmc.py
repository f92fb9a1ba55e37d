"""CMC messages written and read octet by octet, signed and verified by the openssl program: no line of the product judges
itself. RFC 5272, appendix A."""

import base64
import json
import pathlib
import sqlite3
import subprocess

from _service import check, run

PATH = "/.well-known/est/cmc/fullcmc"
MEDIA = "application/pkcs7-mime; smime-type=CMC-request"
PKI_DATA, PKI_RESPONSE = "1.3.6.1.5.5.7.12.2", "1.3.6.1.5.5.7.12.3"
SUCCESS, FAILED, PENDING, NO_SUPPORT = 0, 2, 3, 4
BAD_MESSAGE_CHECK, BAD_REQUEST, BAD_CERT_ID, BAD_IDENTITY = 1, 2, 4, 7


def tlv(tag, body):
	n = len(body)
	if n < 128:
		return bytes([tag, n]) + body
	length = n.to_bytes((n.bit_length() + 7) // 8, "big")
	return bytes([tag, 128 | len(length)]) + length + body


def seq(*items):
	return tlv(0x30, b"".join(items))


def integer(v):
	return tlv(2, v.to_bytes(v.bit_length() // 8 + 1, "big"))


def oid(dotted):
	arcs = [int(a) for a in dotted.split(".")]
	out = bytes([40 * arcs[0] + arcs[1]])
	for arc in arcs[2:]:
		part = bytes([arc & 127])
		while arc > 127:
			arc >>= 7
			part = bytes([128 | arc & 127]) + part
		out += part
	return tlv(6, out)


def octets(b):
	return tlv(4, b)


def utf8(text):
	return tlv(12, text.encode())


def control(part, number, value):
	return seq(integer(part), oid(f"1.3.6.1.5.5.7.7.{number}"), tlv(0x31, value))


def transaction(part, number):
	return control(part, 5, integer(number))


def nonce(part, b):
	return control(part, 6, octets(b))


def revoke(part, issuer, serial, reason, *more):
	return control(part, 17, seq(issuer, integer(serial), tlv(10, bytes([reason])), *more))


def pkcs10(part, csr):
	return tlv(0xa0, integer(part) + csr)


def crmf(part):
	"""A CertReqMsg, as far as its certReqId."""
	return tlv(0xa1, seq(integer(part), seq()))


def nested(part, message):
	return seq(integer(part), message)


def data(controls=(), requests=(), messages=(), others=()):
	return seq(seq(*controls), seq(*requests), seq(*messages), seq(*others))


def sign(where, content, stem, *more, ok=(0,)):
	"""SignedData over it by the holder of STEM.pem and STEM.key."""
	(where / "content").write_bytes(content)
	run("openssl", "cms", "-sign", "-in", where / "content", "-binary", "-nodetach", "-outform", "DER", "-econtent_type",
		PKI_DATA, "-signer", f"{stem}.pem", "-inkey", f"{stem}.key", "-out", where / "message", *more, ok=ok)
	return (where / "message").read_bytes()


# ---- reading

def read(b, at=0):
	"""(tag, body, end)"""
	tag, n, at = b[at], b[at + 1], at + 2
	if n & 128:
		size = n & 127
		n, at = int.from_bytes(b[at:at + size], "big"), at + size
	return tag, b[at:at + n], at + n


def items(body):
	at, out = 0, []
	while at < len(body):
		tag, value, end = read(body, at)
		out.append((tag, value, body[at:end]))
		at = end
	return out


class Answer:
	"""A Full PKI Response, verified by openssl against the MEF's root."""

	def __init__(self, where, root, body):
		(where / "answer").write_bytes(base64.b64decode(body))
		run("openssl", "cms", "-verify", "-inform", "DER", "-in", where / "answer", "-CAfile", root, "-purpose", "any", "-out",
			where / "response")
		shown = run("openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", where / "answer")
		check("id-cct-PKIResponse" in shown or PKI_RESPONSE in shown, "the content is no PKIResponse")
		tag, top, end = read((where / "response").read_bytes())
		lists = items(top)
		check(tag == 0x30 and len(lists) == 3, "PKIResponse has three lists")
		self.statuses, self.controls = {}, {}
		for _, body, _ in items(lists[0][1]):
			part, kind, values = items(body)
			value = items(values[1])
			check(len(value) == 1, "one value a control")
			number = kind[1][-1]
			if number == 25:
				self._status(value[0][1])
			else:
				self.controls[number] = value[0]
		pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-in", where / "answer", "-print_certs"],
			capture_output=True, text=True, timeout=60).stdout
		self.certs = ["-----BEGIN" + p.split("-----END")[0] + "-----END CERTIFICATE-----\n" for p in pem.split("-----BEGIN")[1:]]

	def _status(self, body):
		fields = items(body)
		status = int.from_bytes(fields[0][1], "big")
		text, fail = "", None
		for tag, value, _ in fields[2:]:
			if tag == 12:
				text = value.decode()
			elif tag == 2:
				fail = int.from_bytes(value, "big")
		for tag, value, _ in items(fields[1][1]):
			path = tuple(int.from_bytes(v, "big") for _, v, _ in items(value)) if tag == 0x30 else int.from_bytes(value, "big")
			check(path not in self.statuses, f"{path} has one status")
			self.statuses[path] = (status, fail, text)

	def expect(self, path, status, fail=None, code=None):
		check(path in self.statuses, f"want a status of {path}, have {self.statuses}")
		have = self.statuses[path]
		check(have[:2] == (status, fail), f"{path}: want {status} {fail}, have {have}")
		check(code is None or have[2].startswith(f"OMEF-{code}:"), f"{path}: want {code}, have {have}")

	def cert_of(self, where, stem):
		"""The certificate for the key of that stem, as PEM."""
		want = run("openssl", "pkey", "-in", f"{stem}.key", "-pubout")
		for pem in self.certs:
			(where / "one.pem").write_text(pem)
			if run("openssl", "x509", "-in", where / "one.pem", "-noout", "-pubkey") == want:
				return pem
		return None


def ask(s, where, message, stem, want, path=PATH):
	status, headers, body = s.ask("POST", path, base64.b64encode(message), MEDIA, stem)
	check(status == want, f"want {want}, have {status} {body[:400]}")
	check(headers["Content-Type"] == "application/pkcs7-mime; smime-type=CMC-response", f"a PKIResponse: {headers} {body[:300]}")
	return Answer(where, s.dir / "ca" / "root.cert.pem", body)


def csr(where, subject="/", name=None, key=None):
	"""(DER, stem of the key)"""
	stem = key or where / f"key-{len(list(where.glob('key-*.key')))}"
	if not key:
		run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{stem}.key")
	more = ["-addext", f"subjectAltName={name}"] if name else []
	run("openssl", "req", "-new", "-key", f"{stem}.key", "-subj", subject, "-outform", "DER", "-out", where / "csr", *more)
	return (where / "csr").read_bytes(), stem


def names_of(pem_path):
	"""(issuer as DER, serial) of a certificate."""
	der = subprocess.run(["openssl", "x509", "-in", pem_path, "-outform", "DER"], capture_output=True, timeout=60).stdout
	fields = items(items(read(der)[1])[0][1])
	return fields[3][2], int.from_bytes(fields[1][1], "big")


def events(s):
	"""The audit log, oldest first, of a service that may be writing: its chain is verified once it stands still."""
	db = sqlite3.connect(f"file:{s.dir}/openmef.db?mode=ro", uri=True)
	try:
		return [json.loads(row[0]) for row in db.execute("SELECT event FROM audit ORDER BY seq")]
	finally:
		db.close()


def keep(where, pem, stem):
	"""A certificate beside its key."""
	pathlib.Path(f"{stem}.pem").write_text(pem)
	return stem
