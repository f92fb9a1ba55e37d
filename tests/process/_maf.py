"""A MAF of its own beside a MEF's directory, and a MEF that says what the test tells it to."""

import base64
import http.server
import json
import pathlib
import socket
import ssl
import tempfile
import threading

from _psk import Session
from _service import Service, check, run

MAF = "maf.example.com"


class FakeMef:
	"""Key retrieval (TS-0003 8.3.2.1) over mutually authenticated TLS, for localhost."""

	def __init__(self, root, client_ca):
		self.keys, self.asked, self.callers, self.serials, self.hold, self.open = {}, [], set(), set(), None, []
		self.cert = root / "fake-mef.pem"
		run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", root / "fake-ca.key",
			"-out", root / "fake-ca.pem", "-subj", "/CN=Fake CA", "-days", "30", "-addext", "basicConstraints=critical,CA:TRUE",
			"-addext", "keyUsage=critical,keyCertSign")
		run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", root / "fake-mef.key",
			"-out", root / "fake-mef.req", "-subj", "/CN=localhost")
		ext = root / "fake-ext"
		ext.write_text("subjectAltName=DNS:localhost\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n")
		run("openssl", "x509", "-req", "-in", root / "fake-mef.req", "-CA", root / "fake-ca.pem", "-CAkey", root / "fake-ca.key",
			"-set_serial", "7", "-days", "30", "-extfile", ext, "-out", self.cert)
		self.ca = root / "fake-ca.pem"
		self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		self.context.load_cert_chain(self.cert, root / "fake-mef.key")
		self.context.load_verify_locations(client_ca)
		self.context.verify_mode = ssl.CERT_REQUIRED
		self.port = 0
		self.up()

	def up(self):
		mef = self

		class Handler(http.server.BaseHTTPRequestHandler):
			protocol_version = "HTTP/1.1"

			def do_GET(self):
				mef.answer(self)

			def log_message(self, *args):
				pass

		class Server(http.server.ThreadingHTTPServer):
			daemon_threads = True
			request_queue_size = 128

			def finish_request(self, request, address):
				# the handshake in its own thread
				try:
					request = mef.context.wrap_socket(request, server_side=True)
				except OSError:
					return
				mef.open.append(request)
				self.RequestHandlerClass(request, address, self)

			def handle_error(self, request, address):
				pass

		self.server = Server(("127.0.0.1", self.port), Handler)
		self.port = self.server.server_address[1]
		self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
		self.thread.start()

	def down(self):
		self.server.shutdown()
		self.server.server_close()
		for c in self.open:
			try:
				c.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass
		self.open.clear()
		self.thread.join()

	def answer(self, h):
		parts = h.path.split("/")
		names = [value for row in h.connection.getpeercert().get("subjectAltName", ()) for value in row[1:]]
		self.callers.update(names)
		self.serials.add(h.connection.getpeercert()["serialNumber"].lower().lstrip("0"))
		self.asked.append(parts[2].replace("%40", "@"))
		hold = self.hold
		if hold:
			hold.wait(60)
		good = parts[1] == "fetchCredentials" and parts[3] == "21" and h.headers["X-M2M-Origin"] == MAF and MAF in names
		key = self.keys.get(parts[2].replace("%40", "@")) if good else None
		doc = {"Status": False, "ErrorString": "no such key for this target"}
		if key:
			doc = {"Status": True, "Credential": base64.b64encode(key[0]).decode(), "EnroleeID": key[1], "Lifetime": key[2]}
		body = json.dumps(doc).encode()
		try:
			h.send_response(200 if key else 403)
			h.send_header("Content-Type", "application/json")
			h.send_header("Content-Length", str(len(body)))
			h.end_headers()
			h.wfile.write(body)
		except OSError:
			pass


class Maf(Service):
	"""mef: a Service whose directory makes this one. connect: where its MEF is reached."""

	def __init__(self, mef, connect, anchors=None):
		self.binary = mef.binary
		self.scratch = tempfile.TemporaryDirectory(prefix="openmef-maf-")
		self.root = pathlib.Path(self.scratch.name)
		self.dir = self.root / "maf"
		self.process = self.notify = None
		run(self.binary, "maf", "new", MAF, "--dir", self.dir, "--mef-dir", mef.dir, "--https", "127.0.0.1:0", "--connect", connect)
		if anchors:
			with open(self.dir / "anchors" / "mef.pem", "a") as f:
				f.write(anchors.read_text())

	def read_ports(self):
		self.https = json.loads((self.dir / "run" / "ports.json").read_text())["https"][0]["port"]

	def session(self, identity, key, **how):
		return Session(self, identity, key, sni=MAF, **how)

	def works(self, identity, key, text, **how):
		session = self.session(identity, key, **how)
		check(not session.failed, f"{text}: {session.failed}\n{self.log_text()[-3000:]}")
		return session

	def fails(self, identity, key, text, **how):
		with self.session(identity, key, **how) as session:
			check(session.failed, f"{text}: the handshake must fail")
			return session.failed
