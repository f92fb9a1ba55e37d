"""
A whole service for the tests beside this file: a scratch directory made by `openmef init`, a device
maker's CA, registered devices, the server itself, and plain requests to it.
"""

import base64
import http.client
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

START_S = 60 # a sanitizer's build on a busy machine


def fail(text):
	print("FAILED:", text)
	sys.exit(1)


def check(truth, text):
	if not truth:
		fail(text)


def run(*argv, ok=(0,)):
	done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
	check(done.returncode in ok, f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
	return done.stdout


class Service:
	def __init__(self, build, settings=None):
		self.binary = pathlib.Path(build).resolve() / "src" / "openmef"
		self.scratch = tempfile.TemporaryDirectory(prefix="openmef-test-")
		self.root = pathlib.Path(self.scratch.name)
		self.dir = self.root / "mef"
		self.process = None
		self.notify = None
		run(self.binary, "init", "--fqdn", "localhost", "--dir", self.dir, "--https", "127.0.0.1:0",
			"--http", "127.0.0.1:0")
		for name, value in (settings or {}).items():
			self.set(name, value)
		self._factory()

	def set(self, name, value):
		"""A line of the configuration file."""
		path = self.dir / "openmef.conf"
		lines = path.read_text().split("\n")
		at = [i for i, line in enumerate(lines) if line.split("=")[0].strip() == name]
		check(at, f"openmef.conf has no {name}")
		lines[at[0]] = f"{name} = {value}"
		path.write_text("\n".join(lines))

	def _factory(self):
		f = self.root / "factory"
		f.mkdir()
		run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
			f / "ca.key", "-out", f / "ca.pem", "-subj", "/O=Example Devices/CN=Factory CA", "-days", "3650",
			"-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
		with open(self.dir / "anchors" / "devices.pem", "a") as anchors:
			anchors.write((f / "ca.pem").read_text())
		self.factory = f

	def device(self, number):
		"""Makes and registers a device; returns the stem of its files: .key, .pem, .csr (DER)."""
		stem = self.factory / f"device-{number}"
		serial = f"SN-{number:04d}"
		run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
			f"{stem}.key", "-out", f"{stem}.req", "-subj", f"/O=Example Devices/serialNumber={serial}")
		ext = self.factory / "ext"
		ext.write_text("keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n")
		run("openssl", "x509", "-req", "-in", f"{stem}.req", "-CA", self.factory / "ca.pem", "-CAkey",
			self.factory / "ca.key", "-set_serial", 1000 + number, "-days", "3650", "-extfile", ext, "-out", f"{stem}.pem")
		run("openssl", "req", "-new", "-key", f"{stem}.key", "-subj", "/", "-outform", "DER", "-out", f"{stem}.csr")
		run(self.binary, "enrolee", "add", f"device-{number:04d}", "--dir", self.dir, "--type", "node", "--entity",
			f"urn:example:node:{number:04d}", "--credential", f"serial={serial}", "--anchor", self.factory / "ca.pem")
		return stem

	def start(self):
		self.log = open(self.root / "serve.log", "ab")
		env = dict(os.environ)
		self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		path = self.root / "notify"
		path.unlink(missing_ok=True)
		self.notify.bind(str(path))
		self.notify.settimeout(START_S)
		env["NOTIFY_SOCKET"] = str(path)
		self.process = subprocess.Popen([str(self.binary), "serve", "--dir", str(self.dir)], stderr=self.log, env=env)
		self.wait_notice("READY=1")
		self.read_ports()

	def wait_notice(self, want):
		while True:
			try:
				got = self.notify.recv(4096).decode()
			except socket.timeout:
				fail(f"no {want} from the service:\n{self.log_text()}")
			if want in got.split("\n"):
				return got

	def read_ports(self):
		ports = json.loads((self.dir / "run" / "ports.json").read_text())
		self.https = ports["https"][0]["port"]
		self.http = ports["http"][0]["port"]

	def log_text(self):
		log = self.root / "serve.log"
		return log.read_text(errors="replace") if log.exists() else ""

	def roles(self):
		"""{"front-0": pid, ...} of the processes that run now."""
		out = {}
		for line in subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(self.process.pid)], capture_output=True,
				text=True).stdout.split("\n"):
			words = line.split()
			if len(words) == 4 and words[2].startswith("role-"):
				out[f"{words[2][5:]}-{words[3]}"] = int(words[0])
		return out

	def signal(self, number):
		self.process.send_signal(number)

	def stop(self, want=0):
		self.signal(signal.SIGTERM)
		code = self.process.wait(START_S)
		check(code == want, f"serve ended with {code}, want {want}\n{self.log_text()}")
		self.process = None

	def close(self):
		if self.process:
			self.process.kill()
			self.process.wait()
		self.scratch.cleanup()

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		if kind:
			print(self.log_text())
		self.close()

	# ---- requests

	def context(self, stem=None):
		c = ssl.create_default_context(cafile=str(self.dir / "ca" / "root.cert.pem"))
		if stem:
			c.load_cert_chain(f"{stem}.pem", f"{stem}.key")
		return c

	def connect(self, stem=None, timeout=60):
		"""A TLS connection, handshake done."""
		raw = socket.create_connection(("127.0.0.1", self.https), timeout=timeout)
		return self.context(stem).wrap_socket(raw, server_hostname="localhost")

	def ask(self, method, path, body=None, media=None, stem=None, context=None, timeout=60):
		"""One request on a connection of its own: (status, headers, body)."""
		c = http.client.HTTPSConnection("localhost", self.https, timeout=timeout, context=context or self.context(stem))
		return exchange(c, method, path, body, media)

	def ask_plain(self, path):
		return exchange(http.client.HTTPConnection("localhost", self.http, timeout=60), "GET", path, None, None)

	def enrol(self, stem, context=None, timeout=60):
		"""(status, serial as lower-case hex or None) of a simpleenroll with the device's CSR."""
		csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
		status, _, body = self.ask("POST", "/.well-known/est/simpleenroll", csr, "application/pkcs10", stem, context, timeout)
		return status, serial_of(body) if status == 200 else None

	def serials(self):
		"""Serial numbers of all certificates in the store, lower-case hex."""
		out, after = set(), []
		while True:
			page = json.loads(run(self.binary, "cert", "list", "--dir", self.dir, "--json", "--limit", "1000", *after))
			out.update(row["serial"].replace(":", "").lower().lstrip("0") for row in page)
			if len(page) < 1000:
				return out
			after = ["--after", page[-1]["serial"]]


def exchange(c, method, path, body, media):
	try:
		c.request(method, path, body, {"Content-Type": media} if media else {})
		r = c.getresponse()
		return r.status, r.headers, r.read()
	finally:
		c.close()


def serial_of(body):
	"""The serial number of the certificate in a certs-only answer."""
	pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body),
		capture_output=True, timeout=60).stdout
	text = subprocess.run(["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, timeout=60).stdout
	check(text.startswith(b"serial="), f"no certificate in the answer: {body[:80]}")
	return text.decode().strip()[len("serial="):].lower().lstrip("0")


def wait_for(condition, text, seconds=START_S):
	end = time.monotonic() + seconds
	while not condition():
		check(time.monotonic() < end, text)
		time.sleep(0.05)
