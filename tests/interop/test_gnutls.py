#!/usr/bin/env python3
"""GnuTLS as TLS client: TLS 1.2 and 1.3, client certificate, SNI; raw HTTP requests through gnutls-cli."""

import base64
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "process"))

from _service import Service, check, serial_of  # noqa: E402

VERSIONS = {"TLS1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3"}


def talk(s, request, priority, *more, ok=True):
	"""What the server answered until it closed the connection, and what gnutls-cli said about TLS."""
	process = subprocess.Popen(["gnutls-cli", "--x509cafile", s.dir / "ca/root.cert.pem", "--verify-hostname", "localhost",
		"--priority", priority, "--logfile", s.root / "gnutls.log", "-p", str(s.https), *more, "127.0.0.1"], stdin=subprocess.PIPE,
		stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	try:
		# Standard input stays open: its end would close the connection before the answer.
		process.stdin.write(request)
		process.stdin.flush()
		answer = process.stdout.read()
		process.wait(60)
	except BrokenPipeError:
		answer = b""
	finally:
		process.kill()
		process.wait()
	log = (s.root / "gnutls.log").read_text(errors="replace")
	check(not ok or b"HTTP/1.1 " in answer, f"no answer: {answer}\n{log}")
	return answer, log


def parse(answer):
	"""(status, fields, body) of the HTTP answer somewhere in the output."""
	head, _, body = answer[answer.index(b"HTTP/1.1 "):].partition(b"\r\n\r\n")
	lines = head.decode().split("\r\n")
	fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:]}
	return int(lines[0].split()[1]), fields, body[:int(fields["content-length"])]


def reads_cacerts(s, version):
	request = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	answer, log = talk(s, request, VERSIONS[version], "--sni-hostname", "localhost")
	status, fields, body = parse(answer)
	check(status == 200 and fields["content-type"].startswith("application/pkcs7-mime"), f"cacerts: {status} {fields}")
	check(version in log, f"want {version}: {log}")
	pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body), capture_output=True,
		timeout=60).stdout
	check(pem.count(b"BEGIN CERTIFICATE") == 2, f"cacerts: {pem}")


def enrols(s, stem, version):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
	request = (b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		b"Content-Type: application/pkcs10\r\nContent-Transfer-Encoding: base64\r\nContent-Length: %d\r\n\r\n%s" % (len(csr), csr))
	answer, log = talk(s, request, VERSIONS[version], "--sni-hostname", "localhost", "--x509certfile", f"{stem}.pem",
		"--x509keyfile", f"{stem}.key")
	status, _, body = parse(answer)
	check(status == 200, f"simpleenroll over {version}: {status} {body}\n{log}")
	check(serial_of(body) in s.serials(), "the certificate is on record")


def without_a_certificate_nothing_is_issued(s, stem, version):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
	request = (b"POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
		b"Content-Type: application/pkcs10\r\nContent-Length: %d\r\n\r\n%s" % (len(csr), csr))
	status, _, body = parse(talk(s, request, VERSIONS[version], "--sni-hostname", "localhost")[0])
	check(status == 403 and b"OMEF-1510" in body, f"simpleenroll without a certificate: {status} {body}")


def a_foreign_name_is_refused(s, version):
	request = b"GET /.well-known/est/cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	answer, log = talk(s, request, VERSIONS[version], "--sni-hostname", "other.example.com", ok=False)
	check(b"HTTP/1.1 200" not in answer, f"SNI other.example.com over {version}: {answer}")
	check("name" in log.lower() or "alert" in log.lower() or "fatal" in (log + answer.decode(errors="replace")).lower(), f"{log}")


def old_versions_are_refused(s):
	answer, _ = talk(s, b"GET / HTTP/1.1\r\n\r\n", "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT", ok=False)
	check(b"HTTP/1.1" not in answer, f"TLS 1.1: {answer}")


def main():
	with Service(sys.argv[1]) as s:
		stems = {version: s.device(number + 1) for number, version in enumerate(VERSIONS)}
		s.start()
		for version, stem in stems.items():
			reads_cacerts(s, version)
			enrols(s, stem, version)
			without_a_certificate_nothing_is_issued(s, stem, version)
			a_foreign_name_is_refused(s, version)
		old_versions_are_refused(s)
		s.stop()
	print("gnutls-cli: passed")


main()
