#!/usr/bin/env python3
"""
TLS-SRP (RFC 5054, RFC 7030 3.3.3) with real clients: curl and gnutls-cli; openssl s_client for what the server sends (that of
OpenSSL 3.0 dies behind the ServerKeyExchange, in its own password dialogue).
"""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run, serial_of  # noqa: E402

EST = "/.well-known/est/"
CLOSES = f"GET {EST}cacerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PASSWORD = "correct horse battery"


def tls_has_srp():
	return "TLS-SRP" in run("curl", "--version") and "SRP" in run("openssl", "ciphers", "-s", "-srp", "SRP", ok=(0, 1))


def add(s, enrolee, user, password=PASSWORD, ok=(0,), extra=()):
	path = s.root / "password"
	path.write_text(password + "\n")
	path.chmod(0o600)
	return run(s.binary, "key", "srp", enrolee, "--dir", s.dir, "--user", user, "--from", path, *extra, ok=ok)


def curl(s, path, user=None, password=PASSWORD, body=None, method=None):
	"""(status or 0, body, curl's messages)"""
	argv = ["curl", "-sS", "-v", "-k", "--tls-max", "1.2", "-o", str(s.root / "answer"), "-w", "%{http_code}", "--max-time", "60"]
	if user:
		argv += ["--tlsauthtype", "SRP", "--tlsuser", user, "--tlspassword", password]
	if body is not None:
		argv += ["-H", "Content-Type: application/pkcs10", "--data-binary", body]
	(s.root / "answer").write_bytes(b"")
	done = subprocess.run(argv + [f"https://localhost:{s.https}{path}"], capture_output=True, text=True, timeout=120)
	return int(done.stdout or 0), (s.root / "answer").read_bytes(), done.stderr


def s_client(s, user, password=PASSWORD, *more):
	done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{s.https}", "-tls1_2", "-srpuser", user, "-srppass",
		f"pass:{password}", "-msg", "-state", "-ign_eof", *more], input=CLOSES, capture_output=True, text=True, timeout=60)
	return done.stdout + done.stderr


def salt_of(s, user):
	"""The salt in the ServerKeyExchange: p, g, salt, B with lengths of 2, 2, 1, 2 octets (RFC 5054 2.5.3)."""
	text = s_client(s, user, "wrong password wrong")
	at = text.index("ServerKeyExchange")
	octets = bytes.fromhex(re.match(r"[^\n]*\n((?:    [0-9a-f ]+\n)+)", text[at:]).group(1).replace(" ", "").replace("\n", ""))[4:]
	n = int.from_bytes(octets[:2], "big")
	check(n == 384, f"the group has 3072 bits, have {8 * n}")
	rest = octets[2 + n:]
	g = int.from_bytes(rest[:2], "big")
	check(rest[2:2 + g] == b"\x05", "g is 5")
	rest = rest[2 + g:]
	return rest[1:1 + rest[0]]


def gnutls(s, user, password=PASSWORD):
	done = subprocess.run(["gnutls-cli", "--no-ca-verification", "--priority", "NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2:-KX-ALL:+SRP",
		"--srpusername", user, "--srppasswd", password, "-p", str(s.https), "localhost"], input=CLOSES, capture_output=True,
		text=True, timeout=60)
	return done.stdout + done.stderr


def alert_of(s, user, password):
	return re.findall(r"Received alert \[\d+\]", gnutls(s, user, password))


def off_by_default(build):
	with Service(build) as s:
		s.device(1)
		said = add(s, "device-0001", "pump-1")
		check("srp = no" in said, f"key srp tells that SRP is off: {said}")
		s.start()
		status, _, text = curl(s, EST + "cacerts", "pump-1")
		check(status == 0, f"without srp = yes: {status}")
		check("Cipher is SRP" not in s_client(s, "pump-1"), "no SRP suite is taken")


def users_enrol(s, stem):
	status, body, text = curl(s, EST + "cacerts", "pump-1")
	check(status == 200, f"cacerts: {status} {text[-800:]}")
	check("SRP-AES-256-CBC-SHA" in text, f"by SRP: {text[-800:]}")
	status, body, text = curl(s, EST + "csrattrs", "pump-1")
	check(status == 200 and len(body) > 20, f"csrattrs: {status} {text[-400:]}")
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes()).decode()
	status, body, text = curl(s, EST + "simpleenroll", "pump-1", body=csr)
	check(status == 200, f"simpleenroll: {status} {body} {text[-400:]}")
	check(serial_of(body) in s.serials(), "the certificate is on record")
	shown = run(s.binary, "cert", "list", "--dir", s.dir)
	check("device-0001" in shown, f"it is that enrolee's: {shown}")
	# a password renews nothing, and makes no keys
	status, body, _ = curl(s, EST + "simplereenroll", "pump-1", body=csr)
	check(status == 403, f"simplereenroll by password: {status} {body}")
	status, body, _ = curl(s, "/enrolment", "pump-1", body="{}")
	check(status == 403 and b"password" in body, f"enrolment exchange by password: {status} {body}")
	status, body, _ = curl(s, "/fetchCredentials/x", "pump-1")
	check(status == 403 and b"password" in body, f"key retrieval by password: {status} {body}")
	check("HTTP/1.1 200" in gnutls(s, "pump-1"), "gnutls-cli connects")


def strangers_look_like_wrong_passwords(s):
	"""RFC 5054 2.5.1.3: a salt for everybody, the same whenever asked, and one way to fail."""
	for user in ("pump-1", "nobody", "|nobody", "device-0001", "x" * 200, "\u00fc", "disabled", "over"):
		first, second = salt_of(s, user), salt_of(s, user)
		# RFC 5054 2.3: it is sent as a number, whose zeros in front would be lost
		check(len(first) == 16 and first[0] >= 0x80 and first == second, f"the salt of {user[:20]} stays: {first.hex()} {second.hex()}")
	wrong, unknown = alert_of(s, "pump-1", "wrong password wrong"), alert_of(s, "nobody", "wrong password wrong")
	check(wrong == unknown and wrong, f"one way to fail: {wrong} and {unknown}")
	check(alert_of(s, "disabled", PASSWORD) == wrong, "a disabled enrolee's user fails like it")
	check(alert_of(s, "over", PASSWORD) == wrong, "a user whose time is over fails like it")
	status, _, _ = curl(s, EST + "cacerts", "pump-1", "wrong password wrong")
	check(status == 0, "a wrong password opens nothing")
	check(PASSWORD not in s.log_text() and "wrong password" not in s.log_text(), "no password in the log")


def what_changes_counts_at_once(s, stem):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes()).decode()
	before = salt_of(s, "pump-2")
	run(s.binary, "key", "remove", "pump-2", "--dir", s.dir, "--kind", "srp")
	status, _, _ = curl(s, EST + "simpleenroll", "pump-2", body=csr)
	check(status == 0, "a removed user is nobody")
	add(s, "device-0002", "pump-2", "another password 1")
	check(salt_of(s, "pump-2") != before, "a new password has a new salt")
	status, _, _ = curl(s, EST + "simpleenroll", "pump-2", body=csr)
	check(status == 0, "the old password is none")
	status, body, text = curl(s, EST + "simpleenroll", "pump-2", "another password 1", body=csr)
	check(status == 200, f"the new password counts: {status} {body} {text[-300:]}")
	run(s.binary, "enrolee", "remove", "device-0002", "--dir", s.dir, ok=(0, 1, 2))


def commands(s):
	listed = run(s.binary, "key", "list", "--dir", s.dir, "--kind", "srp")
	check("pump-1" in listed and "device-0001" in listed, f"key list: {listed}")
	for user, password, word in (("a|b", PASSWORD, "user"), ("", PASSWORD, ""), ("u" * 129, PASSWORD, "user"), ("short", "x" * 11, "12"),
			("long", "x" * 257, "256"), ("pump-1", PASSWORD, "")):
		path = s.root / "password"
		path.write_text(password)
		path.chmod(0o600)
		done = subprocess.run([s.binary, "key", "srp", "device-0001", "--dir", s.dir, "--user", user, "--from", path],
			capture_output=True, text=True, timeout=60)
		check(done.returncode != 0 and word in done.stderr, f"user '{user[:10]}': {done.returncode} {done.stderr}")
		check(password not in done.stderr + done.stdout, "no password in a message")
	path.chmod(0o644)
	done = subprocess.run([s.binary, "key", "srp", "device-0001", "--dir", s.dir, "--user", "open", "--from", path],
		capture_output=True, text=True, timeout=60)
	check(done.returncode != 0, "a file that others can read is refused")
	raw = (s.dir / "openmef.db").read_bytes() + b"".join(p.read_bytes() for p in s.dir.glob("openmef.db-*"))
	check(PASSWORD.encode() not in raw, "no password in the store")


def certificates_go_on(s, stem):
	status, serial = s.enrol(stem)
	check(status == 200, f"a certificate client beside SRP: {status}")


def main():
	build = sys.argv[1]
	if not tls_has_srp():
		print("TLS-SRP: neither curl nor openssl has it here; nothing to test")
		return
	off_by_default(build)
	with Service(build, {"srp": "yes", "fronts": "1"}) as s:
		stems = [s.device(i) for i in (1, 2, 3, 4)]
		add(s, "device-0001", "pump-1")
		add(s, "device-0002", "pump-2")
		add(s, "device-0003", "disabled")
		add(s, "device-0001", "over", extra=("--expires", "1s"))
		run(s.binary, "enrolee", "disable", "device-0003", "--dir", s.dir)
		s.start()
		users_enrol(s, stems[0])
		strangers_look_like_wrong_passwords(s)
		salt, other = salt_of(s, "nobody"), salt_of(s, "pump-1")
		what_changes_counts_at_once(s, stems[1])
		commands(s)
		certificates_go_on(s, stems[3])
		s.stop()
		s.start()
		check(salt_of(s, "nobody") == salt and salt_of(s, "pump-1") == other, "a restart changes nobody's salt")


main()
