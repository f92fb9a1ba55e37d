#!/usr/bin/env python3
"""TLS-SRP as a target: public values that cancel the password, names, keys of another kind, and paths that a password opens not."""

import base64
import os
import re
import sqlite3
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import dial, hear, say  # noqa: E402
from _psk import records  # noqa: E402
from _service import Service, check, run  # noqa: E402
from _tls12 import ALERT, HANDSHAKE, message, record  # noqa: E402

EST = "/.well-known/est/"
PASSWORD = "correct horse battery"
SRP_RSA = (0xc021, 0xc01e) # SRP_SHA_RSA_WITH_AES_256_CBC_SHA, and with AES_128
ILLEGAL = b"\2\x2f"
SRP_ALONE = (0xc020, 0xc01d)


def tls_has_srp():
	return "TLS-SRP" in run("curl", "--version") and "SRP" in run("openssl", "ciphers", "-s", "-srp", "SRP", ok=(0, 1))


def u16(n):
	return n.to_bytes(2, "big")


def hello(user, suites=SRP_RSA + SRP_ALONE, raw=None):
	sni = b"\0\0" + u16(14) + u16(12) + b"\0" + u16(9) + b"localhost"
	srp = b"" if user is None else b"\0\x0c" + u16(len(user) + 1) + bytes([len(user)]) + user if raw is None else b"\0\x0c" + u16(len(raw)) + raw
	algorithms = b"\0\x0d" + u16(8) + u16(6) + b"\4\3" + b"\4\1" + b"\x08\x04"
	extensions = sni + b"\0\x17\0\0" + algorithms + srp
	body = (b"\3\3" + os.urandom(32) + b"\0" + u16(2 * len(suites)) + b"".join(u16(x) for x in suites) + b"\1\0" + u16(len(extensions)) + extensions)
	return record(HANDSHAKE, message(1, body))


def begin(s, user, **how):
	"""(connection, what the server said up to its ServerHelloDone, or all that it said)"""
	c = dial(s.https)
	c.sendall(hello(user, **how))
	got = b""
	while message(14, b"") not in got:
		more = c.recv(65536)
		if not more:
			break
		got += more
	return c, got


def prime_of(said):
	"""N of the ServerKeyExchange: messages of one record or of several."""
	text = b"".join(body for kind, body in records(said) if kind == HANDSHAKE)
	while text:
		kind, n = text[0], int.from_bytes(text[1:4], "big")
		if kind == 12:
			size = int.from_bytes(text[4:6], "big")
			return int.from_bytes(text[6:6 + size], "big"), size
		text = text[4 + n:]
	return None, 0


def alert_after(s, user, a, what):
	c, said = begin(s, user)
	check(message(14, b"") in said, f"{what}: the server goes on for {user}: {said[:60]}")
	say(c, record(HANDSHAKE, message(16, u16(len(a)) + a)))
	say(c, record(20, b"\1") + record(HANDSHAKE, bytes(range(80))))
	got = records(hear(c))
	c.close()
	check(got and got[-1][0] == ALERT, f"{what}: want an alert, have {got}")
	check(all(kind == ALERT for kind, _ in got), f"{what}: nothing but an alert: {got}")
	return got[-1][1]


def public_values_that_cancel_the_password(s):
	"""RFC 5054 2.5.4: A % N = 0 makes the secret 0 whatever the password is."""
	c, said = begin(s, b"pump-1")
	c.close()
	n, size = prime_of(said)
	check(size == 384 and n % 2 == 1, f"a prime of 3072 bits: {size}")
	for user in (b"pump-1", b"nobody"):
		for what, a in (("0", b"\0"), ("0 at length", bytes(size)), ("N", n.to_bytes(size, "big")), ("2 N", (2 * n).to_bytes(size + 1, "big")),
				("65536 N", (n << 16).to_bytes(size + 2, "big")), ("nothing", b"")):
			alert = alert_after(s, user, a, f"A = {what}")
			# by the value itself, not by the Finished behind it, which an attacker could make
			check(alert == ILLEGAL, f"A = {what} of {user}: want illegal_parameter, have {alert.hex()}")
	for what, a in (("1", b"\1"), ("N - 1", (n - 1).to_bytes(size, "big")), ("N + 1", (n + 1).to_bytes(size, "big")), ("of 16 KiB", os.urandom(16000))):
		known, unknown = alert_after(s, b"pump-1", a, what), alert_after(s, b"nobody", a, what)
		check(known == unknown, f"A = {what}: one way to fail: {known} {unknown}")


def hellos_that_lie(s):
	"""Each ends in an alert, or in a handshake that goes on as for any name."""
	for what, user, how in (("a user of no characters", b"", {}), ("a user of 255", b"u" * 255, {}), ("a NUL", b"pump-1\0x", {}),
			("a NUL behind", b"pump-1\0", {}), ("a pipe", b"|nobody", {}), ("a line's end", b"pump-1\n", {}), ("bytes over 7 bits", b"\xff\xfe", {}),
			("no user", None, {}), ("a length past the end", b"", {"raw": b"\x20pump-1"}), ("a tail", b"", {"raw": b"\x06pump-1x"}),
			("an empty extension", b"", {"raw": b""}), ("suites alone without a certificate", b"pump-1", {"suites": SRP_ALONE}),
			("with 3DES", b"pump-1", {"suites": (0xc01a, 0xc01b)}), ("SRP beside anonymous", b"pump-1", {"suites": (0x006c, 0xc019)})):
		c, said = begin(s, user, **how)
		got = records(said) if said else []
		c.close()
		check(not got or got[0][0] in (ALERT, HANDSHAKE), f"{what}: {said[:60]}")
		if what in ("no user", "with 3DES", "SRP beside anonymous", "a length past the end", "an empty extension"):
			check(not got or got[-1][0] == ALERT, f"{what}: want an alert, have {got[:2]}")


def curl(s, path, user, password=PASSWORD, body=None, *more):
	(s.root / "answer").write_bytes(b"")
	argv = ["curl", "-sS", "-k", "--tls-max", "1.2", "-o", str(s.root / "answer"), "-w", "%{http_code}", "--max-time", "60", "--path-as-is",
		"--tlsauthtype", "SRP", "--tlsuser", user, "--tlspassword", password, *more]
	if body is not None:
		argv += ["-H", "Content-Type: application/pkcs10", "--data-binary", body]
	done = subprocess.run(argv + [f"https://localhost:{s.https}{path}"], capture_output=True, text=True, timeout=120)
	return int(done.stdout or 0), (s.root / "answer").read_bytes()


def csr(stem, *more):
	done = subprocess.run(["openssl", "req", "-new", "-key", f"{stem}.key", "-subj", "/", *more, "-outform", "DER"], capture_output=True, timeout=60)
	return base64.b64encode(done.stdout).decode()


def a_password_opens_enrolment_and_no_more(s, stem, other):
	mine = csr(stem)
	check(curl(s, EST + "simpleenroll", "pump-1", body=mine)[0] == 200, "its enrolment")
	for path, body, want in ((EST + "simplereenroll", mine, (403,)), (EST + "serverkeygen", mine, (403, 404)), (EST + "fullcmc", mine, (400, 403, 404, 415)),
			(EST + "ra/fullcmc", mine, (400, 403, 404, 415)), ("/enrolment", "{}", (403,)), ("/enrolment/x", "{}", (403,)), ("/fetchCredentials/x", None, (403,)),
			("/enrolment%2f", "{}", (403, 404)), ("//enrolment", "{}", (404,)), ("/./enrolment", "{}", (404,)), ("/.well-known/est/../../enrolment", "{}", (400, 404)),
			("/maf", "{}", (403, 404)), ("/keyReg", "{}", (403, 404))):
		status, answer = curl(s, path, "pump-1", body=body)
		check(status in want, f"{path} by password: want {want}, have {status} {answer[:200]}")
	status, answer = curl(s, EST + "simpleenroll", "pump-1", body=csr(other, "-addext", "subjectAltName=URI:urn:example:node:0002"))
	check(status == 403, f"another's name: {status} {answer[:200]}")
	# a certificate beside a password: the session is the password's
	status, answer = curl(s, EST + "simpleenroll", "pump-1", PASSWORD, csr(other, "-addext", "subjectAltName=URI:urn:example:node:0002"),
		"--cert", f"{other}.pem", "--key", f"{other}.key")
	check(status in (0, 403), f"another's certificate beside the password: {status} {answer[:200]}")


def rows_of_one_kind_are_no_other(s):
	"""The user's name shown as a PSK identity, a KpmId shown as a user: neither opens anything."""
	for identity in ("pump-1", "pump-1@localhost", "device-0001"):
		for key in (PASSWORD.encode().hex(), "00" * 32):
			done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{s.https}", "-tls1_2", "-cipher", "PSK@SECLEVEL=0", "-psk_identity", identity,
				"-psk", key], input=f"GET {EST}cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", capture_output=True, text=True, timeout=60)
			check("HTTP/1.1" not in done.stdout, f"{identity} as a PSK identity: {done.stdout[-300:]}")
	listed = run(s.binary, "psk", "list", "--dir", s.dir, ok=(0, 1, 2))
	for user in ["device-0002"] + re.findall(r"[0-9a-f-]{8,}@localhost", listed)[:2]:
		check(curl(s, EST + "cacerts", user, "x" * 32)[0] == 0, f"{user} as an SRP user")
	# a row that is moved to another name, or to another kind, no longer opens
	s.stop()

	db = sqlite3.connect(s.dir / "openmef.db")
	columns = [row[1] for row in db.execute("PRAGMA table_info(symkey)")]
	sealed = {row[0]: row[1] for row in db.execute("SELECT id, sealed FROM symkey WHERE id IN ('pump-1', 'pump-2')")} if "sealed" in columns else {}
	check(len(sealed) == 2, f"two rows of users: {columns} {list(sealed)}")
	db.execute("UPDATE symkey SET sealed = ? WHERE id = 'pump-2'", (sealed["pump-1"],))
	db.commit()
	db.close()
	s.start()
	check(curl(s, EST + "cacerts", "pump-2", PASSWORD)[0] == 0, "a swapped verifier opens nothing")
	check(curl(s, EST + "cacerts", "pump-1", PASSWORD)[0] == 200, "its owner's does")


def main():
	if not tls_has_srp():
		print("TLS-SRP: neither curl nor openssl has it here; nothing to test")
		return
	with Service(sys.argv[1], {"srp": "yes", "fronts": "1"}) as s:
		stem, other = s.device(1), s.device(2)
		for enrolee, user, password in (("device-0001", "pump-1", PASSWORD), ("device-0002", "pump-2", PASSWORD + " 2")):
			path = s.root / "password"
			path.write_text(password + "\n")
			path.chmod(0o600)
			run(s.binary, "key", "srp", enrolee, "--dir", s.dir, "--user", user, "--from", path)
		with open(s.dir / "openmef.conf", "a") as f:
			f.write("\n[label ra]\nra = yes\n")
		s.start()
		before = s.roles()
		public_values_that_cancel_the_password(s)
		hellos_that_lie(s)
		a_password_opens_enrolment_and_no_more(s, stem, other)
		check(s.roles() == before, f"no role ended: {before} {s.roles()}\n{s.log_text()[-2000:]}")
		rows_of_one_kind_are_no_other(s)
		s.stop()
	print("ok")


main()
