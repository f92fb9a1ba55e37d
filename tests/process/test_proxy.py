#!/usr/bin/env python3
"""
Behind a real proxy that ends TLS (RFC 9440) or passes it on (PROXY protocol 2): who counts, and that nobody else is believed.
"""

import base64
import http.client
import os
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _haproxy import Haproxy  # noqa: E402
from _service import Service, check, exchange, run, serial_of, wait_for  # noqa: E402

EST = "/.well-known/est/"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
ENDS_TLS = """
frontend tls
	bind 127.0.0.1:{port} ssl crt {dir}/server.pem ca-file {dir}/clients.pem verify optional
	http-request del-header Client-Cert
	http-request del-header Client-Cert-Chain
	http-request set-header Client-Cert :%[ssl_c_der,base64]: if {{ ssl_c_used }}
	default_backend mef
backend mef
	server mef 127.0.0.1:{to} {how}
"""
PASSES_TLS = """
frontend passes
	mode tcp
	bind 127.0.0.1:{port}
	default_backend mef
backend mef
	mode tcp
	server mef 127.0.0.1:{to} send-proxy-v2
"""
SETTINGS = {"proxy_from": "127.0.0.1", "behind_proxy": "127.0.0.1:0", "fronts": "1", "proxied": "yes", "handshake_timeout": "3s",
	"connections_per_source": "8"}


def started(build, **settings):
	service = Service(build, {**SETTINGS, **settings})
	return service


def start(service):
	import json
	service.start()
	service.proxied = json.loads((service.dir / "run" / "ports.json").read_text())["behind_proxy"][0]["port"]


def der_of(stem):
	return ssl.PEM_cert_to_DER_cert(pathlib.Path(f"{stem}.pem").read_text())


def field(der):
	return b"Client-Cert: :" + base64.b64encode(der) + b":\r\n"


def raw(port, data, source="127.0.0.1"):
	"""What comes back until the other side closes; b"" for a close without a word."""
	with socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(source, 0)) as s:
		got = b""
		try:
			s.sendall(data)
			while part := s.recv(65536):
				got += part
		except ConnectionResetError:
			pass
		return got


def request(path, *fields, method=b"GET", body=b""):
	head = method + b" " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + b"".join(fields)
	if method == b"POST":
		head += b"Content-Type: application/pkcs10\r\nContent-Length: %d\r\n" % len(body)
	return head + b"\r\n" + body


def status(answer):
	return int(answer.split(b" ")[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def csr(stem):
	return base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())


def header(command=0x21, family=0x11, client="192.0.2.7", tlvs=b"", length=None):
	addresses = socket.inet_aton(client) + socket.inet_aton("127.0.0.1") + struct.pack("!HH", 4711, 443) if family == 0x11 else b""
	rest = addresses + tlvs
	return SIGNATURE + struct.pack("!BBH", command, family, len(rest) if length is None else length) + rest


def tlv(kind, value):
	return struct.pack("!BH", kind, len(value)) + value


def told(flags, verify=0, version=b"TLSv1.3"):
	"""PP2_TYPE_SSL"""
	return tlv(0x20, struct.pack("!BI", flags, verify) + (tlv(0x21, version) if version else b""))


def through_a_proxy_that_ends_tls(build):
	"""RFC 9440 2: the certificate that the proxy saw counts as if it had been shown here."""
	with started(build) as s:
		known = s.device(1)
		start(s)
		with Haproxy(s, ENDS_TLS, to=s.proxied, how="") as p:
			def ask(method, path, body=None, stem=None, extra=None):
				c = http.client.HTTPSConnection("localhost", p.port, timeout=60, context=p.context(stem))
				headers = {"Content-Type": "application/pkcs10"} if body else {}
				try:
					c.request(method, path, body, {**headers, **(extra or {})})
					r = c.getresponse()
					return r.status, r.read()
				finally:
					c.close()
			code, body = ask("GET", EST + "cacerts")
			check(code == 200, f"cacerts through the proxy: {code} {body}")
			code, body = ask("POST", EST + "simpleenroll", csr(known), known)
			check(code == 200, f"enrolment through the proxy: {code} {body}")
			check(serial_of(body) in s.serials(), "the certificate is on record")
			# the certificate just issued renews itself through the proxy, too
			renewed = s.factory / "renewed"
			pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body),
				capture_output=True, timeout=60).stdout
			pathlib.Path(f"{renewed}.pem").write_bytes(pem)
			pathlib.Path(f"{renewed}.key").write_text(pathlib.Path(f"{known}.key").read_text())
			run("openssl", "req", "-new", "-key", f"{known}.key", "-subj", "/CN=urn:example:node:0001", "-addext",
				"subjectAltName=URI:urn:example:node:0001", "-outform", "DER", "-out", f"{renewed}.csr")
			code, body = ask("POST", EST + "simplereenroll", csr(renewed), renewed)
			check(code == 200, f"renewal with the MEF's own certificate: {code} {body}")
			# without certificate nobody is anybody, also with a field of one's own making
			code, body = ask("POST", EST + "simpleenroll", csr(known))
			check(code == 403, f"enrolment without certificate: {code} {body}")
			forged = {"Client-Cert": ":" + base64.b64encode(der_of(known)).decode() + ":"}
			code, body = ask("POST", EST + "simpleenroll", csr(known), None, forged)
			check(code == 403, f"a field of the client's own: {code} {body}")
			# keys come from the TLS session, which the proxy ended
			code, body = ask("POST", "/enrolment", b"{}", known)
			check(code == 403 and b"proxy" in body, f"enrolment exchange through the proxy: {code} {body}")
			code, body = ask("GET", "/fetchCredentials/x", None, known)
			check(code == 403 and b"proxy" in body, f"key retrieval through the proxy: {code} {body}")
			code, body = ask("GET", "/ca/issuing.cer")
			check(code == 200, f"CA certificate through the proxy: {code}")


def labels_decide(build):
	"""Deny by default: a label counts proxied clients only where its section says so."""
	with started(build, proxied="no") as s:
		stem = s.device(1)
		start(s)
		for path, method, body in ((EST + "cacerts", b"GET", b""), (EST + "simpleenroll", b"POST", csr(stem))):
			answer = raw(s.proxied, request(path, field(der_of(stem)), method=method, body=body))
			check(status(answer) == 403 and b"[label default] proxied" in answer, f"{path}: {answer[:400]}")


def faults_of_configuration(build):
	for settings, word in (({"bind_tls": "yes"}, "bind_tls"), ({"linking": "required"}, "linking"), ({"proxy_from": ""}, "proxy_from"),
			({"proxy_from": "0.0.0.0/0"}, "bits"), ({"proxy_from": "192.0.2.1/24"}, "zeros"), ({"proxy_protocol": "v1"}, "proxy_protocol")):
		with started(build, **settings) as s:
			done = subprocess.run([str(s.binary), "serve", "--dir", str(s.dir)], capture_output=True, text=True, timeout=120)
			check(done.returncode != 0 and word in done.stderr, f"{settings}: exit {done.returncode} {done.stderr}")


def fields_are_read_strictly(s, stem):
	"""RFC 9440 2.2, RFC 8941: one field, one byte sequence, DER; anything else is no certificate."""
	good = field(der_of(stem))
	text = base64.b64encode(der_of(stem))
	chain = b"Client-Cert-Chain: :" + base64.b64encode(ssl.PEM_cert_to_DER_cert((s.factory / "ca.pem").read_text())) + b":\r\n"
	other = s.factory / "self"
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{other}.key",
		"-out", f"{other}.pem", "-subj", "/O=Example Devices/serialNumber=SN-0001", "-days", "30", "-addext", "basicConstraints=CA:FALSE")
	cases = [
		("as it should be", [good], 200),
		("with a chain", [good, chain], 200),
		("with a chain of two fields", [good, chain, chain], 200),
		("twice", [good, good], 400),
		("empty", [b"Client-Cert: \r\n"], 400),
		("an empty sequence", [b"Client-Cert: ::\r\n"], 400),
		("without colons", [b"Client-Cert: " + text + b"\r\n"], 400),
		("without the second colon", [b"Client-Cert: :" + text + b"\r\n"], 400),
		("with a parameter", [b"Client-Cert: :" + text + b":;a=1\r\n"], 400),
		("a list", [b"Client-Cert: :" + text + b":, :" + text + b":\r\n"], 400),
		("in quotes", [b'Client-Cert: "' + text + b'"\r\n'], 400),
		("as escaped PEM", [b"Client-Cert: -----BEGIN%20CERTIFICATE-----\r\n"], 400),
		("cut in base64", [b"Client-Cert: :" + text[:-5] + b":\r\n"], 400),
		("cut in DER", [b"Client-Cert: :" + base64.b64encode(der_of(stem)[:-6]) + b":\r\n"], 400),
		("with a byte behind the DER", [b"Client-Cert: :" + base64.b64encode(der_of(stem) + b"\0") + b":\r\n"], 400),
		("a blank in base64", [b"Client-Cert: :" + text[:20] + b" " + text[20:] + b":\r\n"], 400),
		("a chain alone", [chain], 400),
		("a chain with a comma at the end", [good, chain.replace(b"\r\n", b",\r\n")], 400),
		("a chain of nine", [good] + [chain] * 9, 413),
		("more than a head holds", [b"Client-Cert: :" + b"A" * 20000 + b":\r\n"], 431),
		("self-signed", [field(der_of(other))], 403),
		("of another CA", [field(ssl.PEM_cert_to_DER_cert((s.dir / "ca" / "mef-tls.cert.pem").read_text().split("-----END")[0]
			+ "-----END CERTIFICATE-----\n"))], 403),
		("none", [], 403),
	]
	for what, fields, want in cases:
		answer = raw(s.proxied, request(EST + "simpleenroll", *fields, method=b"POST", body=csr(stem)))
		check(status(answer) == want, f"Client-Cert {what}: want {want}, have {answer[:300]}")


def one_connection_many_clients(s, first, second):
	"""A proxy's connection serves one client after the other: nothing of the one may stick to the next."""
	with socket.create_connection(("127.0.0.1", s.proxied), timeout=30) as c:
		f = c.makefile("rb")
		for fields, want in (([field(der_of(first))], 200), ([], 403), ([field(der_of(second))], 200), ([], 403)):
			stem = first if fields and fields[0] == field(der_of(first)) else second
			c.sendall(request(EST + "simpleenroll", *fields, method=b"POST", body=csr(stem)).replace(b"Connection: close\r\n", b""))
			code, length = int(f.readline().split(b" ")[1]), 0
			while (line := f.readline()) != b"\r\n":
				if line.lower().startswith(b"content-length:"):
					length = int(line.split(b":")[1])
			body = f.read(length)
			check(code == want, f"on one connection: want {want}, have {code} {body[:200]}")


def strangers_are_not_believed(s, stem):
	"""The field counts where a proxy connects and nowhere else; that port is closed to everybody else."""
	good = field(der_of(stem))
	answer = raw(s.proxied, request(EST + "cacerts", good), source="127.0.0.2")
	check(answer == b"", f"from an address outside proxy_from: {answer[:200]}")
	wait_for(lambda: "OMEF-1769" in s.log_text() or "1769" in s.log_text(), "the stranger is logged")
	answer = raw(s.http, request(EST + "simpleenroll", good, method=b"POST", body=csr(stem)))
	check(status(answer) == 403 and b"want TLS" in answer, f"plain port: {answer[:300]}")
	with s.connect() as tls: # TLS without certificate, with the field
		tls.sendall(request(EST + "simpleenroll", good, good, method=b"POST", body=csr(stem)))
		answer = tls.recv(4096)
	check(status(answer) == 403, f"https port, field instead of certificate: {answer[:300]}")


def headers_of_the_proxy_protocol(build):
	with started(build, proxy_protocol="v2") as s:
		stem, other = s.device(1), s.device(2)
		start(s)
		good = field(der_of(stem))
		ask = request(EST + "simpleenroll", good, method=b"POST", body=csr(stem))
		anybody = request(EST + "cacerts")
		v6 = SIGNATURE + struct.pack("!BBH", 0x21, 0x21, 36) + socket.inet_pton(socket.AF_INET6, "2001:db8::9") + bytes(16) + bytes(4)
		cases = [
			("address and certificate", header() + ask, 200),
			("an address of IPv6", v6 + ask, 200),
			("LOCAL", header(0x20, 0, tlvs=b"") + anybody, 200),
			("LOCAL with an address that is not read", header(0x20) + anybody, 200),
			("no address", header(0x21, 0) + anybody, 200),
			("unknown TLVs", header(tlvs=tlv(0xea, b"x") + tlv(4, b"noop")) + ask, 200),
			("TLS and certificate told", header(tlvs=told(7)) + ask, 200),
			("TLS without certificate told", header(tlvs=told(1)) + ask, 403),
			("TLS without certificate, none shown", header(tlvs=told(1)) + anybody, 200),
			("a certificate with a fault", header(tlvs=told(7, verify=18)) + ask, 403),
			("no TLS told", header(tlvs=told(0, version=None)) + anybody, 403),
			("TLS 1.1 told", header(tlvs=told(7, version=b"TLSv1.1")) + anybody, 403),
			("no TLS, CRL", header(tlvs=told(0, version=None)) + request("/ca/issuing.cer"), 200),
			("no header", ask, 0),
			("version 1", b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 443\r\n" + ask, 0),
			("version 3", header(0x31) + ask, 0),
			("another command", header(0x22) + ask, 0),
			("datagrams", header(family=0x12, tlvs=bytes(12)) + ask, 0),
			("another signature", b"\r\n\r\n\0\r\nQUIT\r" + header()[12:] + ask, 0),
			("addresses cut short", header(family=0x11)[:14] + struct.pack("!H", 6) + bytes(6) + ask, 0),
			("a TLV past the end", header(tlvs=b"\x04\x00\xff") + ask, 0),
			("half a TLV", header(tlvs=b"\x04\x00") + ask, 0),
			("a certificate without TLS", header(tlvs=told(6)) + ask, 0),
			("SSL told twice", header(tlvs=told(7) + told(1)) + ask, 0),
			("longer than admitted", header(tlvs=tlv(4, bytes(2100))) + ask, 0),
			("33 TLVs", header(tlvs=tlv(4, b"") * 33) + ask, 0),
			("a length past what comes", header(length=500), 0),
		]
		for what, data, want in cases:
			answer = raw(s.proxied, data)
			check(status(answer) == want, f"PROXY header, {what}: want {want}, have {answer[:300]}")
		# byte by byte
		with socket.create_connection(("127.0.0.1", s.proxied), timeout=30) as c:
			c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
			for byte in header(tlvs=told(7)):
				c.sendall(bytes([byte]))
			c.sendall(anybody)
			check(status(c.recv(4096)) == 200, "a header byte by byte")
		# the audit and the log know the client, not the proxy
		audit = run(s.binary, "audit", "list", "--dir", s.dir)
		check("192.0.2.7" in audit, f"audit names the client's address: {audit[-800:]}")
		# TLS passes through on the https port, with the header of a trusted proxy only
		with Haproxy(s, PASSES_TLS, to=s.https) as p:
			conn = http.client.HTTPSConnection("localhost", p.port, timeout=60, context=s.context(other), source_address=("127.0.0.3", 0))
			code, _, body = exchange(conn, "POST", EST + "simpleenroll", csr(other), "application/pkcs10")
			check(code == 200, f"TLS through the proxy: {code} {body}")
		audit = run(s.binary, "audit", "list", "--dir", s.dir)
		check("127.0.0.3" in audit, f"audit names the client behind the passing proxy: {audit[-800:]}")
		answer = raw(s.https, header() + b"\x16\x03\x01", source="127.0.0.2")
		check(b"HTTP" not in answer and "192.0.2.9" not in s.log_text(), f"a stranger's header: {answer[:100]}")
		plain = socket.create_connection(("127.0.0.1", s.https), timeout=30, source_address=("127.0.0.2", 0))
		with s.context().wrap_socket(plain, server_hostname="localhost") as tls:
			tls.sendall(anybody)
			check(status(tls.recv(4096)) == 200, "a stranger needs no header on the https port")
		# RFC 9440 by a real proxy that tells of the TLS session, too
		with Haproxy(s, ENDS_TLS, to=s.proxied, how="send-proxy-v2-ssl") as p:
			conn = http.client.HTTPSConnection("localhost", p.port, timeout=60, context=p.context(stem), source_address=("127.0.0.4", 0))
			code, _, body = exchange(conn, "POST", EST + "simpleenroll", csr(stem), "application/pkcs10")
			check(code == 200, f"both, through haproxy: {code} {body}")
		check("127.0.0.4" in run(s.binary, "audit", "list", "--dir", s.dir), "audit names the client of both")
		sources_are_clients(s, anybody)


def sources_are_clients(s, anybody):
	"""connections_per_source counts the clients that the header tells of."""
	open_, refused = [], 0
	try:
		for i in range(12):
			c = socket.create_connection(("127.0.0.1", s.proxied), timeout=30)
			open_.append(c)
			c.sendall(header(client="192.0.2.50") + anybody.replace(b"Connection: close\r\n", b""))
			try:
				refused += c.recv(4096) == b""
			except ConnectionResetError:
				refused += 1
		check(refused == 4, f"of 12 connections of one client 8 stay, refused: {refused}")
		answer = raw(s.proxied, header(client="192.0.2.51") + anybody)
		check(status(answer) == 200, "another client of the same proxy is served")
	finally:
		for c in open_:
			c.close()


def main():
	build = sys.argv[1]
	faults_of_configuration(build)
	labels_decide(build)
	through_a_proxy_that_ends_tls(build)
	with started(build) as s:
		first, second = s.device(1), s.device(2)
		start(s)
		fields_are_read_strictly(s, first)
		one_connection_many_clients(s, first, second)
		strangers_are_not_believed(s, first)
	headers_of_the_proxy_protocol(build)


main()
