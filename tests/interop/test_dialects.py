#!/usr/bin/env python3
"""
Requests in the dialects of clients that Debian does not ship (tests/vectors/dialects), over real TLS, each reply judged by
what that client's reader can take; and every form of base64 that RFC 8951 lets a sender choose.
"""

import base64
import pathlib
import re
import socket
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "process"))

from _service import Service, check, run, serial_of  # noqa: E402

VECTORS = ROOT / "vectors" / "dialects"
ARMOUR = re.compile(rb"\A(-----BEGIN [A-Z ]+-----\n)(.*)(-----END [A-Z ]+-----\n)\Z", re.S)


class Form:
	"""How a body writes its base64, told from an example."""

	def __init__(self, example, chunked):
		self.chunked = chunked
		if chunked:
			size, _, rest = example.partition(b"\r\n")
			example = rest[:int(size, 16)]
			check(rest[len(example):] == b"\r\n0\r\n\r\n", "one chunk and the last one")
		armour = ARMOUR.match(example)
		self.before, text, self.after = armour.groups() if armour else (b"", example, b"")
		self.eol = b"\r\n" if b"\r\n" in text else b"\n" if b"\n" in text else b""
		self.columns = text.index(self.eol) if self.eol else 0
		self.final = bool(self.eol) and text.endswith(self.eol)

	def write(self, der):
		text = base64.b64encode(der)
		if self.columns:
			text = self.eol.join(text[i:i + self.columns] for i in range(0, len(text), self.columns))
		body = self.before + text + (self.eol if self.final else b"") + self.after
		return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if self.chunked else body


def request(name, operation, s, der=None):
	"""The recorded request with this service's host, and this CSR in its form."""
	head, _, body = (VECTORS / f"{name}.{operation}.http").read_bytes().partition(b"\r\n\r\n")
	if der is not None:
		form = Form(body, b"Transfer-Encoding: chunked" in head)
		recorded = base64.b64decode(re.sub(rb"-----[^-]+-----|\s", b"", body.split(b"\r\n", 1)[1].split(b"\r\n0\r\n")[0]
			if form.chunked else body))
		check(form.write(recorded) == body, f"{name}: the form is not understood")
		body = form.write(der)
	head = head.replace(b"Host: mef.example.com:8443", b"Host: localhost:%d" % s.https)
	head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % len(body), head)
	return head + b"\r\n\r\n" + body


class Reply:
	"""Read as a whole, and with the first piece that one read of 1,024 octets gives: at most one TLS record of it."""

	def __init__(self, s, sent, stem=None, tls12=False):
		context = s.context(stem)
		if tls12:
			context.maximum_version = ssl.TLSVersion.TLSv1_2
		with socket.create_connection(("127.0.0.1", s.https), timeout=60) as raw, \
				context.wrap_socket(raw, server_hostname="localhost") as tls:
			tls.sendall(sent)
			self.first = tls.recv(1024)
			self.second = tls.recv(65536) if self.wants(self.first) else b""
			whole = self.first + self.second
			while self.wants(whole):
				more = tls.recv(65536)
				check(more, f"the connection ended early: {whole[:200]}")
				whole += more
		self.head, _, self.body = whole.partition(b"\r\n\r\n")
		lines = self.head.decode().split("\r\n")
		self.status_line = lines[0]
		self.status = int(lines[0].split()[1])
		self.fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:]}

	@staticmethod
	def wants(have):
		head, end, body = have.partition(b"\r\n\r\n")
		length = re.search(rb"(?i)^content-length: *(\d+)", head, re.M)
		return not end or not length or len(body) < int(length.group(1))


def certificates(der):
	pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=der, capture_output=True, timeout=60).stdout
	return pem.count(b"BEGIN CERTIFICATE")


def judge_sized(r):
	check(r.status == 200 and r.status_line.startswith("HTTP/1.1 "), f"{r.status_line}: {r.body[:300]}")
	check("transfer-encoding" not in r.fields, f"chunked: {r.fields}")
	check(int(r.fields["content-length"]) == len(r.body), f"Content-Length: {r.fields}")


def read_libest(r, enrols):
	"""RFC 8951 3: its decoder is OpenSSL's line reader; the command line's is the same one."""
	judge_sized(r)
	want = "application/pkcs7-mime; smime-type=certs-only" if enrols else "application/pkcs7-mime"
	check(r.fields["content-type"].startswith(want), f"Content-Type: {r.fields}")
	check(max(len(line) for line in r.body.split(b"\n")) <= 76, "lines of at most 76")
	return subprocess.run(["openssl", "base64", "-d"], input=r.body, capture_output=True, timeout=60).stdout


def read_pki(r, enrols):
	judge_sized(r)
	check(b"\r\n\r\n" in r.first, f"the head is not within the first read of 1,024 octets: {len(r.head)}")
	check(r.first + r.second == r.head + b"\r\n\r\n" + r.body, "head and body came in more than one write")
	check(b"\n" not in r.body[:-1] and b"\r" not in r.body, "line breaks")
	return base64.b64decode(r.body.rstrip(b"\n"), validate=True)


def read_go(r, enrols):
	judge_sized(r)
	check(r.fields["content-type"].split(";")[0] == "application/pkcs7-mime", f"Content-Type: {r.fields}")
	check(r.fields["content-transfer-encoding"] == "base64", f"Content-Transfer-Encoding: {r.fields}")
	check("content-encoding" not in r.fields, f"nobody asked to compress this: {r.fields}")
	der = base64.b64decode(re.sub(rb"[\r\n]", b"", r.body), validate=True)
	check(not enrols or certificates(der) == 1, "more than one certificate")
	return der


def read_bouncycastle(r, enrols):
	judge_sized(r)
	check(r.fields["content-type"].startswith("application/pkcs7-mime"), f"Content-Type: {r.fields}")
	check(r.fields["content-transfer-encoding"].lower() == "base64", f"it would take this for DER: {r.fields}")
	return base64.b64decode(re.sub(rb"\s", b"", r.body), validate=True)


READERS = {"libest": read_libest, "pki-5.9.8": read_pki, "globalsign": read_go, "bouncycastle": read_bouncycastle,
	"bouncycastle-pem": read_bouncycastle}


def dialect(s, name, number):
	for tls12 in ((True,) if name == "libest" else (False, True)):
		stem = s.device(number + 50 * tls12)
		der = pathlib.Path(f"{stem}.csr").read_bytes()
		read = READERS[name]
		cas = read(Reply(s, request(name, "cacerts", s), None, tls12), False)
		check(certificates(cas) == 2, f"{name}: cacerts holds {certificates(cas)}")
		issued = read(Reply(s, request(name, "simpleenroll", s, der), stem, tls12), True)
		check(serial_of(base64.b64encode(issued)) in s.serials(), f"{name}: the certificate is not on record")


def every_reader_can_refuse(s):
	"""What each of them cannot read is found: the reply to another client does not suit."""
	libest = Reply(s, request("libest", "cacerts", s), None, True)
	pki = Reply(s, request("pki-5.9.8", "cacerts", s))
	check(b"\n" in libest.body[:-1] and b"\n" not in pki.body[:-1], "each gets the form that it reads")
	lines = subprocess.run(["openssl", "base64", "-d"], input=pki.body, capture_output=True, timeout=60).stdout
	check(certificates(lines) != 2, "one long line is what libest's decoder gives up on")


def forms(der):
	"""RFC 8951 3.1: senders may break lines or not; RFC 4648 3.3 has no say in what was deployed."""
	text = base64.b64encode(der)

	def lines(n, eol):
		return eol.join(text[i:i + n] for i in range(0, len(text), n))

	return {"one line": text, "one line and its end": text + b"\n", "64, LF": lines(64, b"\n") + b"\n", "64, LF, no end": lines(64, b"\n"),
		"64, CRLF": lines(64, b"\r\n") + b"\r\n", "76, CRLF": lines(76, b"\r\n") + b"\r\n", "odd lines": lines(37, b"\n") + b"\n",
		"blanks around": b" \r\n" + text + b" \t\r\n\r\n", "raw DER": der,
		"PEM": b"-----BEGIN CERTIFICATE REQUEST-----\r\n" + lines(64, b"\r\n") + b"\r\n-----END CERTIFICATE REQUEST-----\r\n"}


def every_form_is_read(s):
	stem = s.device(30)
	der = pathlib.Path(f"{stem}.csr").read_bytes()
	for name, body in forms(der).items():
		status, _, got = s.ask("POST", "/.well-known/est/simpleenroll", body, "application/pkcs10", stem)
		check(status == 200, f"{name}: {status} {got[:200]}")
	for name, body in {"nothing": b"", "no base64": b"***", "cut": base64.b64encode(der)[:-5]}.items():
		status, _, got = s.ask("POST", "/.well-known/est/simpleenroll", body, "application/pkcs10", stem)
		check(status == 400, f"{name}: {status} {got[:200]}")


def curl(s, stem, *more):
	return run("curl", "--silent", "--show-error", "--fail-with-body", "--cacert", s.dir / "ca/root.cert.pem", "--cert", f"{stem}.pem", "--key",
		f"{stem}.key", *more)


def curl_in_its_own_ways(s):
	stem = s.device(31)
	url = f"https://localhost:{s.https}/.well-known/est/simpleenroll"
	csr = s.root / "curl.csr"
	csr.write_bytes(base64.encodebytes(pathlib.Path(f"{stem}.csr").read_bytes()))
	for more in (["--header", "Transfer-Encoding: chunked"], ["--header", "Expect: 100-continue"], ["--tls-max", "1.2"],
			["--http1.0", "--no-alpn"]):
		body = curl(s, stem, "--header", "Content-Type: application/pkcs10", "--data-binary", f"@{csr}", *more, url)
		check(serial_of(body) in s.serials(), f"curl {more}: {body[:100]}")


def s_client_by_hand(s):
	"""openssl s_client with a request typed in, cut anywhere."""
	stem = s.device(32)
	sent = request("bouncycastle", "simpleenroll", s, pathlib.Path(f"{stem}.csr").read_bytes())
	p = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{s.https}", "-servername", "localhost", "-CAfile",
		str(s.dir / "ca/root.cert.pem"), "-verify_return_error", "-cert", f"{stem}.pem", "-key", f"{stem}.key"], stdin=subprocess.PIPE,
		stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
	try:
		for i in range(0, len(sent), 97):
			p.stdin.write(sent[i:i + 97])
			p.stdin.flush()
		answer = p.stdout.read()
	finally:
		p.kill()
		p.wait()
	head, _, body = answer.partition(b"\r\n\r\n")
	check(head.startswith(b"HTTP/1.1 200") and serial_of(body) in s.serials(), f"s_client: {answer[:300]}")


def main():
	with Service(sys.argv[1]) as s:
		s.start()
		names = sorted({p.name.rsplit(".", 2)[0] for p in VECTORS.glob("*.http")})
		check(names == sorted(READERS), f"dialects: {names}")
		for number, name in enumerate(names):
			dialect(s, name, 1 + number)
			print("passed:", name, flush=True)
		for test in (every_reader_can_refuse, every_form_is_read, curl_in_its_own_ways, s_client_by_hand):
			test(s)
			print("passed:", test.__name__, flush=True)
		s.stop()


main()
