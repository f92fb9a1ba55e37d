"""
A service with clients by pre-shared key: the client that shakes hands (psk_client.c), the messages of the
enrolment exchange as bytes, the derivations of TS-0003 10.3 once more in Python, and every secret that was made.
"""

import base64
import hmac
import json
import os
import re
import socket
import subprocess
import threading
import xml.etree.ElementTree

from _service import Service, check, fail, run

FQDN = "localhost"
TLS12 = ("PSK-AES128-CBC-SHA256", "ECDHE-PSK-AES128-CBC-SHA256", "PSK-AES128-GCM-SHA256")
TYPES = {"json": "application/json", "xml": "application/xml"}


# ---- secrets

class Secrets:
	"""All that must not be found anywhere outside the sealed store."""

	def __init__(self):
		self.made = {}

	def add(self, name, value):
		self.made[name] = value if isinstance(value, bytes) else value.encode()
		return value

	def forms(self):
		for name, value in self.made.items():
			yield name, value
			yield name, value.hex().encode()
			yield name, value.hex().upper().encode()
			for text in (base64.b64encode(value), base64.urlsafe_b64encode(value)):
				yield name, text.rstrip(b"=")

	def found(self, data):
		return next((name for name, form in self.forms() if form in data), None)

	def search(self, where, data):
		name = self.found(data)
		check(not name, f"{where} holds {name}")


# ---- TS-0003 10.3

def split(exported):
	"""10.3.1: the identifier and the key in 48 octets."""
	return exported[:16].hex().upper(), exported[16:48]


def derive(ke, label, *parts):
	return hmac.digest(ke, label.encode() + "".join(parts).encode(), "sha256")


def derive_constrained(ke, suid, target):
	return derive(ke, "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation", str(suid), target)


# ---- registration

def add_enrolee(s, name, kind, entity, key=None, prefs=None, secrets=None):
	"""Registers an enrolee with a Kpm; returns (KpmId, key)."""
	key = key or os.urandom(32)
	if secrets:
		secrets.add(f"Kpm of {name}", key)
	path = s.root / f"{name}.key"
	path.touch(0o600)
	path.write_text(key.hex())
	run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", kind, "--entity", entity, "--psk", f"{name}@{FQDN}",
		"--psk-from", path)
	path.unlink()
	if prefs is not None:
		set_prefs(s, prefs, "--enrolee", name)
	return f"{name}@{FQDN}", key


def set_prefs(s, prefs, *scope):
	path = s.root / "prefs.json"
	path.write_text(json.dumps(prefs))
	run(s.binary, "prefs", "set", *(scope or ("--default",)), path, "--dir", s.dir)


# ---- sessions

class Session:
	"""A TLS session by pre-shared key. `failed` says why there is none."""

	def __init__(self, s, identity, key, version="1.2", ciphers="", ems=True, port=None, secrets=None, sni=None):
		client = s.binary.parent.parent / "tests" / "process.psk_client"
		self.p = subprocess.Popen([client, str(port or s.https)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
		shown = f"identity-hex {identity.hex()}" if isinstance(identity, bytes) else f"identity {identity}"
		lines = [f"version {version}", shown, f"key {key.hex()}", "ems yes" if ems else "ems no"]
		if sni:
			lines.append(f"sni {sni}")
		if ciphers:
			lines.append(f"ciphers {ciphers}")
		self._send("\n".join([*lines, "go", ""]).encode())
		words = self.p.stdout.readline().decode().split()
		self.failed = None
		if words[:1] != ["ok"]:
			self.failed = " ".join(words[1:]) or "no answer"
			self.close()
			return
		self.version, self.cipher = words[1:3]
		boot, reauth, connection = (bytes.fromhex(word) for word in words[4:7])
		self.exported = boot + reauth
		self.connection = connection
		relative, self.ke = split(boot)
		self.relative, self.keid = relative, f"{relative}@{FQDN}"
		relative, self.kre = split(reauth)
		self.kreid = f"{relative}@{FQDN}"
		if secrets:
			secrets.add(f"Ke {self.keid}", self.ke)
			secrets.add(f"Kre {self.kreid}", self.kre)
			secrets.add(f"Kc {self.keid}", connection[16:])

	def _send(self, data):
		try:
			self.p.stdin.write(data)
			self.p.stdin.flush()
		except BrokenPipeError:
			pass

	def send(self, method, path, body=b"", headers=None):
		lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
		if body or method in ("POST", "PUT"):
			lines.append(f"Content-Length: {len(body)}")
		lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
		self._send("\r\n".join([*lines, "", ""]).encode() + body)

	def hear(self):
		"""(status, fields, body), or None when the connection ended first."""
		head = b""
		while not head.endswith(b"\r\n\r\n"):
			got = self.p.stdout.read(1)
			if not got:
				return None
			head += got
		lines = head.decode().split("\r\n")
		fields = {line.split(":")[0].lower(): line.split(":", 1)[1].strip() for line in lines[1:] if ":" in line}
		return int(lines[0].split()[1]), fields, self.p.stdout.read(int(fields.get("content-length", 0)))

	def ask(self, method, path, body=b"", headers=None):
		self.send(method, path, body, headers)
		got = self.hear()
		check(got, f"an answer to {method} {path}")
		return got

	def start(self, form="json", accept=None, certificate=False, maf=False, token=None, **more):
		message = {"certificateEnrolmentIndication": certificate, "mafEnrolmentIndication": maf, **more}
		if token:
			message["enrolmentToken"] = token
		return self.say("/enrolment", "enrolmentRequest", message, form, accept)

	def report(self, step, kind, success=True, form="json", accept=None, relative=None, **more):
		message = {"instructionNumber": step, "instructionType": kind, "status": success, **more}
		return self.say(f"/enrolment/{relative or self.relative}", "enrolmentReport", message, form, accept)

	def say(self, path, name, message, form, accept):
		headers = {"Content-Type": TYPES[form]}
		if accept:
			headers["Accept"] = TYPES[accept]
		status, fields, body = self.ask("POST", path, write(form, name, message), headers)
		return Answer(status, fields, body)

	def fetch(self, path, origin, accept="json"):
		headers = {"Accept": TYPES[accept]}
		if origin:
			headers["X-M2M-Origin"] = origin
		return Answer(*self.ask("GET", path, headers=headers))

	def close(self):
		for end in (self.p.stdin, self.p.stdout):
			try:
				end.close()
			except BrokenPipeError:
				pass
		self.p.kill()
		self.p.wait()

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		self.close()


def write(form, name, message):
	if form == "json":
		return json.dumps(message).encode()
	top = xml.etree.ElementTree.Element(name)
	for field, value in message.items():
		text = str(value).lower() if isinstance(value, bool) else str(value)
		xml.etree.ElementTree.SubElement(top, field).text = text
	return xml.etree.ElementTree.tostring(top)


class Answer:
	"""What came back: the fields of the document, or the code of the refusal."""

	def __init__(self, status, fields, body):
		self.status, self.type, self.body = status, fields.get("content-type", ""), body
		code = re.search(rb"OMEF-\d+", body)
		self.code = code.group().decode() if code else None
		self.doc = {}
		if self.type == TYPES["json"]:
			self.doc = json.loads(body)
		elif self.type == TYPES["xml"]:
			self.doc = tree(xml.etree.ElementTree.fromstring(body))

	def __str__(self):
		return f"{self.status} {self.type} {self.body}"


def tree(element):
	if len(element) == 0:
		return element.text or ""
	out = {}
	for child in element:
		name = re.sub(r"\{.*\}", "", child.tag)
		value = tree(child)
		out[name] = value if name not in out else [*(out[name] if isinstance(out[name], list) else [out[name]]), value]
	return out


def enrolled(s, identity, key, secrets=None, **how):
	"""A session whose exchange has come to its end; the last answer is in `.end`."""
	session = Session(s, identity, key, secrets=secrets, **how)
	check(not session.failed, f"handshake of {identity}: {session.failed}")
	answer = session.start()
	check(answer.status == 200 and answer.doc["instructionType"] == "end", f"exchange of {identity}: {answer}")
	session.end = answer.doc
	return session


# ---- a wire between client and server

class Tap:
	"""Passes one connection on and keeps the bytes of both directions. cut: the client's bytes after which it hangs up."""

	def __init__(self, port, cut=None):
		self.sent, self.came, self.cut, self.target = b"", b"", cut, port
		self.listener = socket.create_server(("127.0.0.1", 0))
		self.port = self.listener.getsockname()[1]
		self.thread = threading.Thread(target=self._run)
		self.thread.start()

	def _run(self):
		client, _ = self.listener.accept()
		server = socket.create_connection(("127.0.0.1", self.target))
		other = threading.Thread(target=self._back, args=(server, client))
		other.start()
		try:
			while True:
				got = client.recv(65536)
				if self.cut is not None:
					got = got[:self.cut - len(self.sent)]
				if not got:
					break
				self.sent += got
				server.sendall(got)
				if self.cut is not None and len(self.sent) >= self.cut:
					break
		except OSError:
			pass
		self._end(server)
		other.join()
		client.close()
		server.close()

	@staticmethod
	def _end(c):
		try:
			c.shutdown(socket.SHUT_WR)
		except OSError:
			pass

	def _back(self, server, client):
		try:
			while True:
				got = server.recv(65536)
				if not got:
					break
				self.came += got
				client.sendall(got)
		except OSError:
			pass
		for c in (client, server):
			try:
				c.shutdown(socket.SHUT_RDWR)
			except OSError:
				pass

	def finish(self):
		self.thread.join(60)
		check(not self.thread.is_alive(), "the connection ends")
		self.listener.close()
		return self.came


def records(data):
	"""[(type, content)] of TLS records."""
	out = []
	while len(data) >= 5:
		n = int.from_bytes(data[3:5], "big")
		out.append((data[0], data[5:5 + n]))
		data = data[5 + n:]
	return out


def no_fault(s):
	log = s.log_text()
	for word in ("outside its sandbox", "ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
		check(word not in log, word)
