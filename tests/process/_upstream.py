"""An upstream EST CA for the tests beside this file: TLS with client certificates, signs by openssl, and lies when told to."""

import base64
import http.server
import pathlib
import socket
import ssl
import subprocess
import threading
import time

from _issuers import Authority
from _service import check, run

RA_EKU = "extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28\n"


class Upstream:
	def __init__(self, root, name="Upstream"):
		self.ca = Authority(root, name)
		self.server_stem = self.ca.sign("server", f"/CN={name} server", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n")
		self.ra_stem = self.ca.sign("ra", "/CN=ra", RA_EKU)
		self.mode = "good"
		self.orders = 0      # simpleenroll requests that came
		self.connections = 0
		self.open = []
		self.fails = 0       # answer 503 that many times first
		self.cacerts = self.ca.chain
		self.lock = threading.Lock()
		self._start(0)

	def _start(self, port):
		upstream = self

		class Handler(http.server.BaseHTTPRequestHandler):
			protocol_version = "HTTP/1.1"
			timeout = 60

			def log_message(self, *args):
				pass

			def do_GET(self):
				upstream.get(self)

			def do_POST(self):
				upstream.post(self)

		class Server(http.server.ThreadingHTTPServer):
			daemon_threads = True

			def finish_request(self, request, address):
				upstream.connections += 1
				upstream.open.append(request.dup())
				try:
					request = upstream.context.wrap_socket(request, server_side=True)
					super().finish_request(request, address)
				except OSError:
					pass

			def handle_error(self, request, address):
				pass

		self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		self.context.load_cert_chain(f"{self.server_stem}.pem", f"{self.server_stem}.key")
		with open(f"{self.server_stem}.pem", "a") as f:
			f.write(self.ca.file("issuing.pem").read_text())
		self.context.load_cert_chain(f"{self.server_stem}.pem", f"{self.server_stem}.key")
		self.context.load_verify_locations(self.ca.chain)
		self.context.verify_mode = ssl.CERT_REQUIRED
		self.http = Server(("127.0.0.1", port), Handler)
		self.port = self.http.server_address[1]
		threading.Thread(target=self.http.serve_forever, daemon=True).start()

	def stop(self):
		self.http.shutdown()
		self.http.server_close()
		for connection in self.open:
			try:
				connection.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass
			connection.close()
		self.open = []

	def again(self):
		self._start(self.port)

	def section(self, name, label, timeout="20s", **more):
		"""Configuration of an issuer that is this CA and of a label that uses it."""
		text = (f"[issuer {name}]\nkind = est\nuri = https://localhost:{self.port}/.well-known/est/ra\nconnect = 127.0.0.1:{self.port}\n"
			f"anchors = {self.ca.file('root.pem')}\ncert = {self.ra_stem}.pem\nkey = {self.ra_stem}.key\nchain = {self.ca.chain}\n"
			f"timeout = {timeout}\n[label {label}]\nissuer = {name}\n")
		return text + "".join(f"{key} = {value}\n" for key, value in more.items())

	# ---- what it answers

	def reply(self, h, status, body=b"", media="application/pkcs7-mime; smime-type=certs-only", **headers):
		h.send_response(status)
		h.send_header("Content-Type", media)
		h.send_header("Content-Length", str(len(body)))
		for key, value in headers.items():
			h.send_header(key.replace("_", "-"), value)
		h.end_headers()
		h.wfile.write(body)

	def get(self, h):
		check(h.path == "/.well-known/est/ra/cacerts", h.path)
		self.reply(h, 200, certs_only(self.cacerts))

	def post(self, h):
		body = h.rfile.read(int(h.headers["Content-Length"]))
		with self.lock:
			self.orders += 1
			fails, self.fails = self.fails, max(0, self.fails - 1)
		if h.path != "/.well-known/est/ra/simpleenroll" or h.headers["Content-Type"] != "application/pkcs10":
			self.reply(h, 404, b"no such operation\n", "text/plain")
		elif fails:
			self.reply(h, 503, b"busy\n", "text/plain", Retry_After="1")
		else:
			getattr(self, "mode_" + self.mode.replace("-", "_"))(h, base64.b64decode(body))

	def issue(self, der, extensions="extendedKeyUsage=clientAuth\n", copy="copyall", subject=None):
		with self.lock:
			work = self.ca.dir / f"order-{self.orders}-{threading.get_ident()}-{time.monotonic_ns()}"
		work.mkdir()
		(work / "csr").write_bytes(der)
		(work / "ext").write_text(extensions)
		argv = ["openssl", "x509", "-req", "-inform", "DER", "-in", work / "csr", "-CA", self.ca.file("issuing.pem"), "-CAkey",
			self.ca.file("issuing.key"), "-set_serial", "0x" + run("openssl", "rand", "-hex", "8").strip(), "-days", "30",
			"-copy_extensions", copy, "-extfile", work / "ext", "-out", work / "pem"]
		run(*argv, *(["-subj", subject] if subject else []))
		return work / "pem"

	def mode_good(self, h, der):
		self.reply(h, 200, certs_only(self.issue(der)))

	def mode_with_chain(self, h, der):
		pem = self.issue(der)
		both = pathlib.Path(str(pem) + ".chain")
		both.write_text(self.ca.file("root.pem").read_text() + pem.read_text())
		self.reply(h, 200, certs_only(both))

	def mode_adds(self, h, der):
		self.reply(h, 200, certs_only(self.issue(der,
			"extendedKeyUsage=clientAuth\nsubjectAltName=URI:urn:example:node:0001,DNS:added.example.com\n")))

	def mode_drops(self, h, der):
		self.reply(h, 200, certs_only(self.issue(der, copy="none")))

	def mode_wrong_name(self, h, der):
		self.reply(h, 200, certs_only(self.issue(der, "extendedKeyUsage=clientAuth\nsubjectAltName=URI:urn:example:node:0666\n", "none")))

	def mode_wrong_subject(self, h, der):
		self.reply(h, 200, certs_only(self.issue(der, subject="/CN=somebody else")))

	def mode_wrong_key(self, h, der):
		made = subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
			"-keyout", "/dev/null", "-subj", "/", "-addext", "subjectAltName=URI:urn:example:node:0001", "-outform", "DER"],
			capture_output=True, timeout=60).stdout
		self.reply(h, 200, certs_only(self.issue(made)))

	def mode_wrong_ca(self, h, der):
		self.reply(h, 200, certs_only(self.ca.file("server.pem")))

	def mode_refuses(self, h, der):
		self.reply(h, 403, b"quota of this RA is used up (RFC 9999 1)\nmore lines\n", "text/plain")

	def mode_waits(self, h, der):
		self.reply(h, 202, b"a person looks\n", "text/plain", Retry_After="123")

	def mode_unwell(self, h, der):
		self.reply(h, 500, b"stack trace\n", "text/plain")

	def mode_cut(self, h, der):
		h.connection.shutdown(socket.SHUT_RDWR)

	def mode_cut_body(self, h, der):
		h.send_response(200)
		h.send_header("Content-Length", "1000")
		h.end_headers()
		h.wfile.write(b"MIIB")
		h.wfile.flush()
		h.connection.shutdown(socket.SHUT_RDWR)

	def mode_garbage(self, h, der):
		self.reply(h, 200, b"\x00\xffnot base64")

	def mode_empty(self, h, der):
		self.reply(h, 200, b"")

	def mode_huge(self, h, der):
		self.reply(h, 200, b"A" * (1 << 20))

	def mode_slow(self, h, der):
		time.sleep(8)
		self.reply(h, 200, certs_only(self.issue(der)))


def certs_only(pem):
	done = subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", str(pem), "-outform", "DER"], capture_output=True, timeout=60)
	check(done.returncode == 0, done.stderr)
	return base64.encodebytes(done.stdout)
