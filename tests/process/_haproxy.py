"""A real proxy (haproxy) in front of a service of _service.py."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import time

from _service import check, fail, run, wait_for

BINARY = shutil.which("haproxy") or ("/usr/sbin/haproxy" if pathlib.Path("/usr/sbin/haproxy").exists() else None)


def free_port():
	with socket.socket() as s:
		s.bind(("127.0.0.1", 0))
		return s.getsockname()[1]


class Haproxy:
	"""frontends: text of the configuration, with {port} where it listens and {dir} for its files."""

	def __init__(self, service, text, **values):
		check(BINARY, "haproxy is not installed: scripts/install-deps.sh check")
		self.dir = service.root / f"haproxy-{free_port()}"
		self.dir.mkdir()
		self.port = free_port()
		key, cert = self.dir / "server.key", self.dir / "server.crt"
		run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
			"-out", cert, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "30")
		(self.dir / "server.pem").write_text(cert.read_text() + key.read_text())
		(self.dir / "clients.pem").write_text((service.factory / "ca.pem").read_text()
			+ (service.dir / "ca" / "root.cert.pem").read_text() + (service.dir / "ca" / "issuing.cert.pem").read_text())
		conf = self.dir / "haproxy.cfg"
		conf.write_text("global\n\tmaxconn 200\n\tlog stderr local0 warning\ndefaults\n\tmode http\n\ttimeout connect 20s\n"
			"\ttimeout client 60s\n\ttimeout server 60s\n" + text.format(port=self.port, dir=self.dir, **values))
		self.log = open(self.dir / "log", "wb")
		self.process = subprocess.Popen([BINARY, "-db", "-f", str(conf)], stdout=self.log, stderr=self.log)
		wait_for(self._listens, f"haproxy does not listen:\n{(self.dir / 'log').read_text()}")

	def _listens(self):
		if self.process.poll() is not None:
			fail("haproxy ended: " + (self.dir / "log").read_text())
		with socket.socket() as s:
			return s.connect_ex(("127.0.0.1", self.port)) == 0

	def context(self, stem=None):
		c = ssl.create_default_context(cafile=str(self.dir / "server.crt"))
		if stem:
			c.load_cert_chain(f"{stem}.pem", f"{stem}.key")
		return c

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		if kind:
			print((self.dir / "log").read_text())
		self.process.terminate()
		try:
			self.process.wait(10)
		except subprocess.TimeoutExpired:
			self.process.kill()
			self.process.wait()
		self.log.close()
