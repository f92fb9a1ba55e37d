#!/usr/bin/env python3
"""A device enrols by user and password (TLS-SRP, RFC 7030 3.3.3) with a real MEF, and meets servers that are none."""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _library import ROOT, Installed  # noqa: E402
from _service import Service, check, run  # noqa: E402

PASSWORD = "correct horse battery"
WRONG = "wrong password wrong"


def openssl_has_srp():
	return "SRP" in run("openssl", "ciphers", "-s", "-srp", "SRP", ok=(0, 1))


def password_file(s, text=PASSWORD + "\n", mode=0o600, name="device.password"):
	path = s.root / name
	path.unlink(missing_ok=True)
	path.write_text(text)
	path.chmod(mode)
	return path


class Device:
	def __init__(self, s, number, user=None):
		self.s, self.id, self.user = s, f"device-{number:04d}", user or f"user-{number}"
		s.device(number)
		self.out = s.root / f"out-{number}"
		self.binary = s.binary.with_name("enrolee")
		run(s.binary, "key", "srp", self.id, "--dir", s.dir, "--user", self.user, "--from", password_file(s, name="operator.password"))

	def call(self, *words, want=0, says=(), given=""):
		done = subprocess.run([str(self.binary), *map(str, words)], capture_output=True, text=True, timeout=120, input=given)
		told = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}\n{self.s.log_text()[-2000:]}")
		for text in [says] if isinstance(says, str) else says:
			check(text in done.stderr, f"want '{text}': {told}")
		check(PASSWORD not in done.stdout + done.stderr and WRONG not in done.stdout + done.stderr, f"a password is shown: {told}")
		return done.stdout

	def enrol(self, *more, want=0, says=(), given="", path=None, user=None, port=None):
		port = port or self.s.https
		return self.call("enrol", "--mef", f"https://localhost:{port}/.well-known/est/onem2m", "--srp-user", self.user if user is None else user, "--srp-password",
			path or password_file(self.s), "--out", self.out, "--connect", f"127.0.0.1:{port}", "--no-wait", *more, want=want, says=says,
			given=given)

	def verify(self):
		c = self.out / "current"
		run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
		public = run("openssl", "pkey", "-in", c / "key.pem", "-pubout")
		check(run("openssl", "x509", "-in", c / "cert.pem", "-noout", "-pubkey") == public, "key and certificate belong together")


def enrols_and_renews_by_certificate(s):
	d = Device(s, 1)
	told = d.enrol()
	check("step 1" in told and "step 3f" in told and "generation 1" in told, f"steps are told: {told}")
	d.verify()
	check((d.out / "current/anchors.pem").read_text().count("BEGIN") == 1, "the root of cacerts is the anchor")
	origin = (d.out / "current/anchors.txt").read_text()
	check("password" in origin and "RFC 7030 3.3.3" in origin and PASSWORD not in origin, f"where the anchors come from: {origin}")
	check(json.loads(d.call("status", "--dir", d.out, "--json"))["state"] == "good", "status")
	d.call("renew", "--dir", d.out, "--force", "--connect", f"127.0.0.1:{s.https}")
	d.verify()
	check(os.readlink(d.out / "current") == "gen-2", "renewed by the certificate")
	issued = json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json", "--enrolee", d.id))
	check(len(issued) == 2, f"both are that enrolee's: {issued}")
	for path in d.out.rglob("*"):
		check(not path.is_file() or PASSWORD.encode() not in path.read_bytes(), f"the password stands in {path}")


def from_standard_input_with_everything_that_fits(s):
	d = Device(s, 2)
	d.enrol("--link-session", "--anchors", s.dir / "ca/root.cert.pem", "--key-type", "P-384", "--tls12", path="-", given=PASSWORD)
	d.verify()
	d.enrol(path="-", given=PASSWORD + "\r\n")
	check(os.readlink(d.out / "current") == "gen-2", "again by password")


def who_is_not_known_is_refused_alike(s):
	d = Device(s, 3)
	wrong = password_file(s, WRONG + "\n", name="wrong.password")
	d.enrol(want=4, says=["OMEF-1831", "user-3"], path=wrong)
	d.enrol(want=4, says="OMEF-1831", user="nobody")
	d.enrol(want=4, says="OMEF-1831", path="-", given=PASSWORD + " ")
	run(s.binary, "enrolee", "disable", d.id, "--dir", s.dir)
	d.enrol(want=4, says="OMEF-1831")
	check(not (d.out / "current").exists() and not list(d.out.glob("pending*")), "nothing was made")


def files_that_others_may_read_are_refused(s):
	d = Device(s, 4)
	for mode in (0o644, 0o640, 0o604):
		d.enrol(want=1, path=password_file(s, mode=mode, name="open.password"), says="open.password")
	d.enrol(want=3, path=s.root / "none.password")
	for text in ("", "\n", "x" * 257, "a\0b"):
		d.enrol(want=1, path=password_file(s, text, name="odd.password"), says="OMEF-1833")
	d.enrol(want=1, user="u" * 256, says="OMEF-1833")
	d.enrol(want=1, user="", says="OMEF-1833")
	d.enrol(want=4, path=password_file(s, "x" * 256, name="odd.password"), user="u" * 255, says="OMEF-1831")


def what_does_not_go_together_is_usage(s):
	d = Device(s, 5)
	for words in (["--cert", "x"], ["--psk", "x"], ["--exchange"], ["--again"], ["--cmc"], ["--server-key-cipher"], ["--root-fingerprint", "00"],
			["--implicit-anchors", "system"], ["--token-file", "x"]):
		d.enrol(*words, want=2, says=words[0])
	mef = ["--mef", f"https://localhost:{s.https}", "--out", d.out]
	d.call("enrol", *mef, "--srp-user", "u", want=2, says="--srp-password")
	d.call("enrol", *mef, "--srp-password", "x", want=2, says="--srp-user")


class Other:
	"""Somebody in the MEF's place, who tells the port and what becomes of handshakes."""

	def __init__(self, *words):
		self.process = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
		self.port = int(self.process.stdout.readline())

	def __enter__(self):
		return self

	def __exit__(self, *rest):
		self.process.kill()
		self.process.wait()
		self.process.stdout.close()


def impostors_get_nothing(build, s):
	"""They know the user's name, and everything else of the MEF but the verifier; or hold it in a group that shows the password."""
	d = Device(s, 6)
	server = pathlib.Path(build) / "tests/process.srp_server"
	for password, bits, code in ((WRONG, 3072, "OMEF-1831"), (PASSWORD, 1024, "OMEF-1832"), (PASSWORD, 1536, "OMEF-1832"), (PASSWORD, 0, "OMEF-1832")):
		with Other(server, d.user, password, bits) as other:
			d.enrol(port=other.port, want=4, says=code)
			check(other.process.stdout.readline() == "failed\n", f"no handshake with {bits} bits")
	with Other(server, d.user, PASSWORD, 2048) as other: # who holds the verifier is the MEF, as far as a password can tell
		d.enrol(port=other.port, want=5, says="OMEF-1806")
		check(other.process.stdout.readline() == "done\n", "2048 bits are enough")
	check(not (d.out / "current").exists() and not list(d.out.glob("pending*")), "nothing was made")


class Certified:
	"""A TLS server with the MEF's very certificate, which knows no SRP and tells what it was sent."""

	def __init__(self, s, version):
		stem = s.factory / "device-6"
		self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		self.context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
		self.context.minimum_version = self.context.maximum_version = version
		self.listener = socket.create_server(("127.0.0.1", 0))
		self.port = self.listener.getsockname()[1]
		self.done = []
		self.thread = threading.Thread(target=self.serve)
		self.thread.start()

	def serve(self):
		raw, _ = self.listener.accept()
		try:
			self.context.wrap_socket(raw, server_side=True)
			self.done.append("done")
		except (OSError, ssl.SSLError) as e:
			self.done.append(str(e))
		raw.close()
		self.listener.close()


def a_certificate_counts_for_nothing(s):
	d = Device(s, 7)
	for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
		other = Certified(s, version)
		d.enrol(port=other.port, want=4, says="OMEF-1831")
		other.thread.join(60)
		check(other.done and other.done != ["done"], f"no handshake: {other.done}")


def a_mef_without_srp(build):
	with Service(build) as s:
		d = Device(s, 1)
		s.start()
		d.enrol(want=4, says=["OMEF-1831", "[mef] srp"])
		s.stop()


def the_library_does_the_same(build, s):
	d = Device(s, 8)
	with tempfile.TemporaryDirectory(prefix="openmef-test-") as scratch:
		i = Installed(build, scratch)
		driver = i.compile(ROOT / "tests/process/library_driver.c")
		told, _ = i.call(driver, "srp", f"https://localhost:{s.https}/.well-known/est/onem2m", d.user, password_file(s), d.out,
			f"127.0.0.1:{s.https}")
		check(told.split()[1].replace(":", "").lower().lstrip("0") in s.serials(), f"enrolled: {told}")
	d.verify()


def main():
	if not openssl_has_srp():
		print("TLS-SRP: openssl has it not here; nothing to test")
		return
	a_mef_without_srp(sys.argv[1])
	with Service(sys.argv[1], {"srp": "yes", "fronts": "1"}) as s:
		s.start()
		for test in (enrols_and_renews_by_certificate, from_standard_input_with_everything_that_fits, who_is_not_known_is_refused_alike,
				files_that_others_may_read_are_refused, what_does_not_go_together_is_usage):
			test(s)
			print("ok", test.__name__, flush=True)
		impostors_get_nothing(sys.argv[1], s)
		a_certificate_counts_for_nothing(s)
		the_library_does_the_same(sys.argv[1], s)
		check(PASSWORD not in s.log_text(), "no password in the log")
		s.stop()


main()
