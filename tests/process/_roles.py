"""
One role of the service with the test in the place of its parent and of the process at the other end of its
channels: what a process that was taken over could send it.
"""

import fcntl
import os
import socket
import struct
import subprocess
import time

from _service import START_S, check, fail

CALL, REPLY = 1, 2
ISSUE, ISSUED, SIGN_CRL, CRL, REFUSED = 1, 2, 3, 4, 5
CHANNEL, STOP, POKE, READY = 1, 2, 3, 4
FRONT, REGISTRAR, SIGNER = 1, 2, 3
F_ADD_SEALS, ALL_SEALS = 1033, 0xf


def frame(kind, number, payload=b""):
	return struct.pack(">IHI", len(payload) + 6, kind, number) + payload


class Channel:
	def __init__(self, c):
		self.c, self.rest = c, b""
		c.settimeout(START_S)

	def send(self, data):
		"""True when all of it was taken."""
		try:
			self.c.sendall(data)
			return True
		except (BrokenPipeError, ConnectionError):
			return False

	def hear(self):
		"""(type, id, payload) or None when the other end hung up."""
		while len(self.rest) < 4 or len(self.rest) < 4 + struct.unpack(">I", self.rest[:4])[0]:
			try:
				got = self.c.recv(1 << 20)
			except socket.timeout:
				fail("the role neither answers nor hangs up")
			except ConnectionError:
				return None
			if not got:
				return None
			self.rest += got
		n, kind, number = struct.unpack(">IHI", self.rest[:10])
		payload, self.rest = self.rest[10:4 + n], self.rest[4 + n:]
		return kind, number, payload

	def close(self):
		self.c.close()


class Role:
	def __init__(self, s, word, listen=()):
		"""listen: sockets and their kinds, for a front."""
		self.s, self.word = s, word
		ours, theirs = socket.socketpair()
		theirs.setblocking(False)
		conf = os.memfd_create("openmef.conf", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
		os.write(conf, (s.dir / "openmef.conf").read_bytes())
		fcntl.fcntl(conf, F_ADD_SEALS, ALL_SEALS)
		given = [fcntl.fcntl(fd, fcntl.F_DUPFD, 64) for fd in (theirs.fileno(), conf, *(c.fileno() for c, _ in listen))]

		def place():
			for i, fd in enumerate(given):
				os.dup2(fd, 3 + i)

		env = dict(os.environ, OPENMEF_ROLE_CONF=str(s.dir / "openmef.conf"), OPENMEF_ROLE_LISTEN=",".join(k for _, k in listen),
			OPENMEF_ROLE_HTTPS="0")
		self.log = open(s.root / "roles.log", "ab")
		self.process = subprocess.Popen(["openmef", word, "0"], executable=str(s.binary), preexec_fn=place, close_fds=False,
			env=env, stderr=self.log, cwd=s.dir)
		for fd in (*given, conf):
			os.close(fd)
		theirs.close()
		self.control = Channel(ours)
		got = self.control.hear()
		check(got and got[0] == READY, f"{word} is ready: {got}\n{self.log_text()}")

	def log_text(self):
		return (self.s.root / "roles.log").read_text(errors="replace")

	def channel(self, other):
		"""The end of a new channel that a process of that role would hold."""
		ours, theirs = socket.socketpair()
		theirs.setblocking(False)
		socket.send_fds(self.control.c, [frame(CHANNEL, 0, bytes([other]))], [theirs.fileno()])
		theirs.close()
		return Channel(ours)

	def lives(self, after):
		check(self.process.poll() is None, f"{self.word} ended after {after}: {self.process.returncode}\n{self.log_text()[-3000:]}")

	def close(self):
		self.control.send(frame(STOP, 0))
		try:
			code = self.process.wait(START_S)
		except subprocess.TimeoutExpired:
			self.process.kill()
			fail(f"{self.word} does not stop")
		check(code == 0, f"{self.word} ended with {code}\n{self.log_text()[-3000:]}")

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		if kind:
			self.process.kill()
			self.process.wait()
		else:
			self.close()


# ---- what the channels carry: wire/call.c, adapt/issuer/msg.c

def u16(data):
	return struct.pack(">H", len(data)) + data


def u32(data):
	return struct.pack(">I", len(data)) + data


def call(method=1, path=b"/.well-known/est/cacerts", query=b"", media=b"", coding=b"", accept=b"", agent=b"", origin=b"", trust=0, version=0x304,
		leaf=b"", anchor=bytes(32), identity=b"", exporter=b"e" * 32, exported=b"", unique=b"", sni=b"localhost", address=b"192.0.2.1", body=b""):
	return (struct.pack(">B", method) + u16(path) + u16(query) + u16(media) + u16(coding) + u16(accept) + u16(agent) + u16(origin)
		+ struct.pack(">BH", trust, version) + u16(leaf) + anchor + u16(identity) + u16(exporter) + u16(exported)
		+ u16(unique) + u16(sni) + u16(address) + u32(body))


def reply(status=200, media=b"text/plain", flags=0, retry=0, age=0, body=b"hello"):
	return struct.pack(">H", status) + u16(media) + struct.pack(">BII", flags, retry, age) + u32(body)


def order(profile=b"device", csr=b"", subject=b"\x30\x00", sans=b"", not_after=0, suids=b""):
	return u16(profile) + u32(csr) + u32(subject) + u32(sans) + struct.pack(">Q", not_after) + u16(suids)


def crl_order(number=1, this=None, life=3600, entries=(), ca=b"issuing"):
	this = int(time.time()) if this is None else this
	out = struct.pack(">QQQI", number, this, this + life, len(entries))
	for serial, when, reason in entries:
		out += u16(serial) + struct.pack(">QB", when, reason)
	return out + u16(ca)
