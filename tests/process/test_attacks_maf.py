#!/usr/bin/env python3
"""
A MAF's clients and its MEF gone bad: registrations and keys of others, floods of KeIds that nobody has, and every
answer that a MEF should not give; what is left in the memory of the MAF's roles.
"""

import base64
import json
import os
import pathlib
import re
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, FakeMef, Maf  # noqa: E402
from _memory import no_role_remembers  # noqa: E402
from _psk import Answer, Secrets, no_fault  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402
from _tls12 import by_hand  # noqa: E402

JSON = {"Content-Type": "application/json"}
CSE_A, CSE_B, CSE_C = "cse-a.example.com", "cse-b.example.com", "cse-c.example.com"
FLOOD = 400
ASKED_AT_ONCE_MAX = 1000


class BadMef(FakeMef):
	"""Answers as the test says: a function that writes whatever it likes."""

	bad = None

	def answer(self, h):
		if not self.bad:
			super().answer(h)
			return
		self.asked.append(h.path.split("/")[2].replace("%40", "@"))
		h.close_connection = True
		try:
			self.bad(h)
		except OSError:
			pass


class World:
	def __init__(self, maf, mef):
		self.maf, self.mef, self.secrets = maf, mef, Secrets()

	def client(self, enrolee, lifetime=3600):
		keid, key = os.urandom(16).hex().upper() + "@localhost", os.urandom(32)
		self.secrets.add(f"Km of {enrolee} {len(self.secrets.made)}", key)
		self.mef.keys[keid] = (key, enrolee, lifetime)
		return keid, key

	def opened(self, enrolee):
		session = self.maf.works(*self.client(enrolee), enrolee)
		self.secrets.add(f"Kc of {enrolee} {len(self.secrets.made)}", session.connection[16:])
		return session


def later(seconds):
	return time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() + seconds))


def ask(session, method, path, message=None):
	body = json.dumps(message).encode() if message is not None else b""
	return Answer(*session.ask(method, path, body, JSON if body else None))


def registration(**more):
	return {"adminFQDN": "admin.example.com", "expirationTime": later(600), **more}


def key_ask(target, **more):
	return registration(SUID=32, targetIDs=[target], **more)


# ---- clients

def nobody_registers_or_reads_in_the_name_of_another(w):
	a, b, c = (w.opened(name) for name in (CSE_A, CSE_B, CSE_C))
	made = ask(a, "POST", "/maf/clientReg", registration())
	check(made.status == 201, f"a registration: {made}")
	other = ask(b, "POST", "/maf/clientReg", registration(clientID=CSE_A))
	check(other.status != 201 or other.doc.get("clientID") == CSE_B, f"a client is who its key says: {other}")
	own = os.urandom(32)
	w.secrets.add("a key of its own", own)
	kept = ask(a, "POST", "/maf/symmKeyReg", key_ask(CSE_B, keyValue=base64.b64encode(own).decode()))
	check(kept.status == 201, f"a key registration: {kept}")
	path = f"/maf/symmKeyReg/{kept.doc['relativeKeyID']}"
	for thief, who in ((c, "a stranger to it"), (b, "its target")):
		for method, message in (("PUT", {"targetIDs": [CSE_C]}), ("DELETE", None)):
			got = ask(thief, method, path, message)
			check(got.status == 404, f"{who}, {method}: {got}")
	got = ask(c, "GET", path)
	check(got.status == 404 and base64.b64encode(own) not in got.body, f"no target: {got}")
	unknown = ask(c, "GET", "/maf/symmKeyReg/" + "0" * 32)
	check(got.body == unknown.body, f"there or not there, one text: {got} {unknown}")
	got = ask(b, "GET", path)
	check(got.status == 200 and base64.b64decode(got.doc["keyValue"]) == own, f"its target: {got}")
	for target in ("*", "", CSE_B + "\u0000", "../x", "%", "a" * 3000, CSE_B + "," + CSE_C):
		with w.opened(CSE_A) as source:
			got = ask(source, "POST", "/maf/symmKeyReg", key_ask(target))
			check(got.status in (201, 400), f"target {target!r}: {got}")
			if got.status == 201: # a name is a name, and this one nobody's
				stolen = [ask(one, "GET", f"/maf/symmKeyReg/{got.doc['relativeKeyID']}").status for one in (b, c)]
				check(stolen == [404, 404], f"target {target!r}: {stolen}")
	for session in (a, b, c):
		session.close()


def paths_and_documents_that_are_none(w):
	with w.opened(CSE_A) as session:
		for path in ("/maf/symmKeyReg/", "/maf/symmKeyReg/..", "/maf/symmKeyReg/" + "A" * 900, "/maf/symmKeyReg/%30" + "0" * 30,
				"/maf/clientReg/../symmKeyReg", "/maf//symmKeyReg", "/enrolment", "/fetchCredentials/" + "0" * 32, "/.well-known/est/cacerts"):
			check(ask(session, "GET", path).status in (400, 404, 405), path)
		for body in (b"[" * 20000, b'{"a":' * 5000, b"{}", b'{"adminFQDN":"a","adminFQDN":"b"}', b"\xff" * 100, b"null",
				b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'):
			for path in ("/maf/clientReg", "/maf/symmKeyReg"):
				for media in ("application/json", "application/xml", "text/plain"):
					status, _, text = session.ask("POST", path, body, {"Content-Type": media})
					check(status in (400, 413, 415) and b"root:" not in text, f"{body[:20]} to {path}: {status} {text}")


def a_flood_of_keids_stops_nobody(w):
	"""Each is a question to the MEF, or none; known clients are served, and the log and the store do not grow with it."""
	known = w.client(CSE_B)
	w.maf.works(*known, "a known client").close()
	rows, size = len(run(w.maf.binary, "audit", "list", "--dir", w.maf.dir).split("\n")), len(w.maf.log_text())
	began, asked = time.monotonic(), len(w.mef.asked)
	same = os.urandom(16).hex().upper()

	def flood(n):
		for i in range(FLOOD // 4):
			keid = same if i % 4 == 0 else os.urandom(16).hex().upper()
			by_hand(w.maf, f"{keid}@localhost".encode(), name=MAF.encode(), source=f"127.0.0.{10 + n}")

	threads = [threading.Thread(target=flood, args=(n,)) for n in range(4)]
	for t in threads:
		t.start()
	for _ in range(10):
		w.maf.works(*known, "a known client in the flood").close()
	for t in threads:
		t.join()
	check(len(w.mef.asked) - asked <= FLOOD * 3 // 4 + 1, f"a refusal is remembered: {len(w.mef.asked) - asked}")
	w.maf.works(*w.client(CSE_C), "a first contact behind the flood").close()
	after = len(run(w.maf.binary, "audit", "list", "--dir", w.maf.dir).split("\n"))
	check(after - rows <= 30, f"strangers fill no audit log: {after - rows}")
	seconds = time.monotonic() - began + 2
	lines = w.maf.log_text()[size:].count("\n")
	check(lines < 100 * seconds, f"nor the log: {lines} lines in {seconds} s")


# ---- a MEF

def body_of(**fields):
	return json.dumps(fields).encode()


def plain(status, body, media="application/json"):
	def write(h):
		h.wfile.write(b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, media.encode(), len(body)) + body)
	return write


def raw(data):
	return lambda h: h.wfile.write(data)


def huge(h):
	h.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{")
	for _ in range(400):
		h.wfile.write(b" " * 65536)


def long_head(h):
	h.wfile.write(b"HTTP/1.1 200 OK\r\n")
	for i in range(20000):
		h.wfile.write(b"X-%d: %s\r\n" % (i, b"y" * 200))


def bad_answers(key, trap):
	good = {"Status": True, "Credential": base64.b64encode(key).decode(), "EnroleeID": CSE_A, "Lifetime": 3600}
	text = base64.b64encode
	yield "nothing", raw(b"")
	yield "noise", raw(os.urandom(3000))
	yield "another protocol", raw(b"SSH-2.0-x\r\n")
	yield "huge", huge
	yield "a long head", long_head
	yield "a redirection", raw(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % trap)
	yield "a redirection to a file", raw(b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	yield "no document", plain(200, b"hello", "text/plain")
	yield "half a document", plain(200, body_of(**good)[:-9])
	yield "deep", plain(200, b"[" * 60000)
	yield "an entity", plain(200, b'<!DOCTYPE x [<!ENTITY e SYSTEM "http://127.0.0.1:%d/">]><fetchCredentialsResponse>&e;</fetchCredentialsResponse>' % trap, "application/xml")
	yield "Status False with a key", plain(200, body_of(**{**good, "Status": False}))
	yield "Status as text", plain(200, body_of(**{**good, "Status": "maybe"}))
	yield "no Status", plain(200, body_of(**{k: v for k, v in good.items() if k != "Status"}))
	yield "403 with a key", plain(403, body_of(**good))
	yield "500 with a key", plain(500, body_of(**good))
	for n in (0, 1, 16, 31, 33, 64, 65, 5000):
		yield f"a key of {n} octets", plain(200, body_of(**{**good, "Credential": text((key * 200)[:n]).decode()}))
	yield "a key that is no base64", plain(200, body_of(**{**good, "Credential": "!" * 44}))
	for lifetime in (0, -1, 1.5, "x", 1 << 70):
		yield f"a lifetime of {lifetime}", plain(200, body_of(**{**good, "Lifetime": lifetime}))
	for who in ("", "x\n", "a" * 513, "a" * 3000, MAF + "\u0000"):
		yield f"an enrolee {who[:20]!r}", plain(200, body_of(**{**good, "EnroleeID": who}))


def a_mef_that_answers_nonsense_gives_no_key(w):
	trap = socket.create_server(("127.0.0.1", 0))
	trap.setblocking(False)
	known = w.client(CSE_B)
	w.maf.works(*known, "a known client").close()
	key = os.urandom(32)
	w.secrets.add("a key that came badly wrapped", key)
	for what, answer in bad_answers(key, trap.getsockname()[1]):
		keid = os.urandom(16).hex().upper() + "@localhost"
		w.mef.bad = answer
		w.maf.fails(keid, key, what)
		w.mef.bad = None
		check(keid in w.mef.asked, f"{what}: the MEF was asked")
		w.maf.works(*known, f"a known client behind {what}").close()
		try:
			trap.accept()
			check(False, f"{what}: somebody was contacted")
		except BlockingIOError:
			pass
	w.maf.works(*w.client(CSE_A), "a first contact behind all that").close()


def a_mef_speaks_for_itself_only(w):
	"""A KeId names its MEF; no other is asked, and none in the middle of a name."""
	asked = len(w.mef.asked)
	for fqdn in ("localhost.example.com", "xlocalhost", "localhost:1", "127.0.0.1", "localhost%00.example.com", MAF):
		w.maf.fails("0" * 32 + "@" + fqdn, os.urandom(32), fqdn)
	check(len(w.mef.asked) == asked, f"nobody was asked: {w.mef.asked[asked:]}")


def nothing_is_left(w):
	known = w.client(CSE_B)
	w.maf.works(*known, "one more turn of every loop").close()
	wait_for(lambda: w.maf.works(*w.client(CSE_C), "and of the caller").close() is None, "it works")
	no_role_remembers(w.maf, w.secrets, "behind the last client")
	w.secrets.search("the log", w.maf.log_text().encode())
	check(not re.search("[\u202e\x1b]", w.maf.log_text()), "no enrolee's name steers a screen")
	for name, pid in w.maf.roles().items():
		check(re.search(r"Max core file size +0 +0 ", pathlib.Path(f"/proc/{pid}/limits").read_text()), f"{name} leaves no core")
		for file in ("cmdline", "environ"):
			w.secrets.search(f"{file} of {name}", pathlib.Path(f"/proc/{pid}/{file}").read_bytes())


def main():
	with Service(sys.argv[1]) as mef_dir:
		mef = BadMef(mef_dir.root, mef_dir.dir / "ca" / "root.cert.pem")
		with Maf(mef_dir, f"127.0.0.1:{mef.port}", mef.ca) as maf:
			maf.start()
			w, roles = World(maf, mef), maf.roles()
			for case in (nobody_registers_or_reads_in_the_name_of_another, paths_and_documents_that_are_none, a_flood_of_keids_stops_nobody,
					a_mef_that_answers_nonsense_gives_no_key, a_mef_speaks_for_itself_only, nothing_is_left):
				case(w)
				print(f"{case.__name__}: good", flush=True)
			check(maf.roles() == roles, f"no role ended: {roles}, {maf.roles()}")
			run(maf.binary, "audit", "verify", "--dir", maf.dir)
			no_fault(maf)
			maf.stop()
	print("the MAF under attack: as it should be")


main()
