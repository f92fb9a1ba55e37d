"""
What the tests of attacks share: raw bytes to the ports, certificates and requests that no honest client makes,
and the watch that a case leaves the service as it was.
"""

import base64
import hmac
import json
import os
import pathlib
import re
import socket
import sqlite3
import ssl
import subprocess
import threading
import time

from _service import check, fail, run

CACERTS = "/.well-known/est/cacerts"
CSRATTRS = "/.well-known/est/{}csrattrs"
ENROL = "/.well-known/est/{}simpleenroll"
REENROL = "/.well-known/est/{}simplereenroll"
HOST = b"Host: localhost\r\n"
CHALLENGE_OID = bytes.fromhex("06092a864886f70d010907")


# ---- bytes

def dial(port, source="127.0.0.1", timeout=30):
	return socket.create_connection(("127.0.0.1", port), timeout=timeout, source_address=(source, 0))


def hear(c):
	"""All that comes until the other end closes."""
	out = b""
	try:
		while True:
			got = c.recv(65536)
			if not got:
				return out
			out += got
	except (ConnectionError, ssl.SSLError):
		return out
	except socket.timeout:
		fail(f"the connection stays open after {out[:200]}")


def say(c, data):
	"""The other end may have closed already."""
	try:
		c.sendall(data)
	except (ConnectionError, ssl.SSLError):
		pass


def statuses(data):
	return [int(n) for n in re.findall(rb"HTTP/1\.1 (\d\d\d) [^\r\n]*\r\nDate: ", data)]


# ---- the watch

class Watch:
	"""An honest client that asks all the time; and the roles must not have changed."""

	def __init__(self, s):
		self.s, self.before = s, s.roles()
		self.faults, self.answers, self.ended = [], 0, False
		self.thread = threading.Thread(target=self._ask)
		self.thread.start()

	def _ask(self):
		context = self.s.context()
		while not self.ended:
			try:
				with Session(self.s, context=context, source="127.0.0.9") as session:
					status, _ = session.ask("GET", CACERTS)
				if status != 200:
					self.faults.append(f"status {status}")
				self.answers += 1
			except Exception as e: # whatever an honest client would trip over
				self.faults.append(repr(e))
			time.sleep(0.02)

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		seen = self.answers
		end = time.monotonic() + 60
		while not kind and self.answers < seen + 2 and time.monotonic() < end:
			time.sleep(0.02)
		self.ended = True
		self.thread.join()
		if kind:
			return
		check(self.answers >= seen + 2, "an honest client is served meanwhile")
		check(not self.faults, f"an honest client was disturbed: {self.faults[:3]}")
		check(self.s.roles() == self.before, f"a role ended: {self.before}, now {self.s.roles()}")


# ---- certificates and requests

def make_key(path, kind="P-256"):
	if kind.startswith("RSA"):
		run("openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{kind[4:]}", "-out", path)
	elif kind in ("ed25519", "ed448"):
		run("openssl", "genpkey", "-algorithm", kind, "-out", path)
	else:
		run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{kind}", "-pkeyopt",
			"ec_param_enc:named_curve", "-out", path)
	return path


def der(tag, body):
	n = len(body)
	size = bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else bytes([0x82, n >> 8, n & 255])
	return bytes([tag]) + size + body


def der_split(data):
	"""The elements one after the other, each whole, with the offset of its contents."""
	out = []
	while data:
		head, n = 2, data[1]
		if n >= 128:
			head, n = 2 + n - 128, int.from_bytes(data[2:2 + n - 128], "big")
		out.append((data[:head + n], head))
		data = data[head + n:]
	return out


def with_challenge(csr, key, challenge, oid=CHALLENGE_OID):
	"""The same request, signed again, with a challengePassword; openssl knows no such option beside -subj."""
	whole, head = der_split(csr)[0]
	(info, at), (alg, _), _ = der_split(whole[head:])
	version, name, spki, (attrs, skip) = der_split(info[at:])
	value = der(0x13, challenge.encode())
	attrs = der(0xa0, attrs[skip:] + der(0x30, oid + der(0x31, value)))
	info = der(0x30, version[0] + name[0] + spki[0] + attrs)
	signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(key)], input=info, capture_output=True, check=True).stdout
	return der(0x30, info + alg + der(0x03, b"\0" + signature))


def make_csr(where, key, subject="/", extensions=(), challenge=None, digest="-sha256"):
	"""DER. subject as `openssl req -subj` takes it; extensions as lines of a configuration file."""
	lines = ["[req]", "distinguished_name = dn", "prompt = no", "string_mask = utf8only", "utf8 = yes"]
	if extensions:
		lines.append("req_extensions = ext")
	lines += ["[dn]", "[ext]", *extensions]
	conf = where / "req.conf"
	conf.write_text("\n".join(lines) + "\n")
	out = where / "req.der"
	run("openssl", "req", "-new", "-config", conf, "-utf8", "-key", key, "-subj", subject, "-outform", "DER", "-out", out, digest)
	return with_challenge(out.read_bytes(), key, challenge) if challenge else out.read_bytes()


def make_cert(where, name, subject, issuer=None, extensions=(), key=None, kind="P-256", days=30, serial=None):
	"""A certificate with its key at where/name.pem and .key; issuer: the stem of its CA, None: self-signed."""
	stem = where / name
	if key:
		pathlib.Path(f"{stem}.key").write_bytes(pathlib.Path(key).read_bytes())
	else:
		make_key(f"{stem}.key", kind)
	conf = where / "cert.conf"
	conf.write_text("[req]\ndistinguished_name = dn\nprompt = no\nutf8 = yes\nstring_mask = utf8only\n[dn]\n[ext]\n"
		+ "\n".join(extensions) + "\n")
	request = where / "cert.req"
	run("openssl", "req", "-new", "-config", conf, "-utf8", "-key", f"{stem}.key", "-subj", subject, "-out", request)
	by = ["-signkey", f"{stem}.key"] if issuer is None else ["-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key"]
	run("openssl", "x509", "-req", "-in", request, *by, "-set_serial", serial or int.from_bytes(os.urandom(8), "big"),
		"-days", days, "-extfile", conf, "-extensions", "ext", "-out", f"{stem}.pem")
	return stem


CA = ("basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign, cRLSign")
LEAF = ("keyUsage = critical, digitalSignature", "extendedKeyUsage = clientAuth")


def est_label(label):
	return f"{label}/" if label else ""


def challenge_of(body):
	"""The challengePassword in a csrattrs answer."""
	der = base64.b64decode(body)
	at = der.find(CHALLENGE_OID)
	check(at >= 0, "csrattrs carry a challengePassword")
	at += len(CHALLENGE_OID)
	check(der[at] == 0x31, "a SET of values")
	at += 2 if der[at + 1] < 0x80 else 3
	n = der[at + 1]
	at += 2
	if n == 0x81:
		n = der[at]
		at += 1
	return der[at:at + n].decode()


class Session:
	"""One TLS connection that is kept for several requests."""

	def __init__(self, s, stem=None, context=None, source="127.0.0.1"):
		context = context or s.context(stem)
		self.c = context.wrap_socket(dial(s.https, source), server_hostname="localhost")

	def ask(self, method, path, body=b"", media=None):
		head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n"
		if body or method in ("POST", "PUT"):
			head += f"Content-Length: {len(body)}\r\n"
		if media:
			head += f"Content-Type: {media}\r\n"
		self.c.sendall(head.encode() + b"\r\n" + body)
		got = b""
		while b"\r\n\r\n" not in got:
			more = self.c.recv(65536)
			check(more, f"an answer to {method} {path}, have {got}")
			got += more
		head, body = got.split(b"\r\n\r\n", 1)
		n = int(re.search(rb"Content-Length: (\d+)", head).group(1))
		while len(body) < n:
			body += self.c.recv(65536)
		return int(head.split()[1]), body

	def challenge(self, label="onem2m"):
		status, body = self.ask("GET", CSRATTRS.format(est_label(label)))
		check(status == 200, f"csrattrs: {status} {body}")
		return challenge_of(body)

	def enrol(self, csr, label="", path=ENROL):
		return self.ask("POST", path.format(est_label(label)), base64.b64encode(csr), "application/pkcs10")

	def close(self):
		self.c.close()

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		self.close()


def issued_pem(body):
	"""PEM of the one certificate in a certs-only answer."""
	done = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body),
		capture_output=True, timeout=60)
	check(done.stdout.count(b"BEGIN CERTIFICATE") == 1, f"one certificate: {body[:80]}")
	return done.stdout


def text_of(pem):
	return subprocess.run(["openssl", "x509", "-noout", "-text", "-nameopt", "RFC2253,utf8,-esc_msb"], input=pem,
		capture_output=True, timeout=60).stdout.decode(errors="replace")


def events(s):
	"""The audit log, oldest first; its chain must hold."""
	run(s.binary, "audit", "verify", "--dir", s.dir)
	db = sqlite3.connect(f"file:{s.dir}/openmef.db?mode=ro", uri=True)
	try:
		return [json.loads(row[0]) for row in db.execute("SELECT event FROM audit ORDER BY seq")]
	finally:
		db.close()


def passphrase(s, label):
	"""Of a key file, as who has the master key would derive it (RFC 5869)."""
	master = bytes.fromhex((s.dir / "secret" / "master.key").read_text().strip())
	prk = hmac.digest(b"\0" * 32, master, "sha256")
	return hmac.digest(prk, f"openmef key file {label}".encode() + b"\1", "sha256").hex().upper()


def open_key(s, name, label, where):
	"""The plain key, for attacks by who stole it."""
	run("openssl", "pkey", "-in", s.dir / "ca" / f"{name}.key.pem", "-passin", f"pass:{passphrase(s, label)}", "-out", f"{where}.key")
	return where
