#!/usr/bin/env python3
"""The device's program against a real service: what it prints, how it ends, what it leaves on disk."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run, wait_for  # noqa: E402

FILES = ["anchors.pem", "anchors.txt", "cert.pem", "chain.pem", "key.pem", "mef.uri"]


class Device:
	"""One registered device and its directory of credentials."""

	def __init__(self, service, number):
		self.s = service
		self.stem = service.device(number)
		self.out = service.root / f"out-{number}"
		self.id = f"device-{number:04d}"
		self.binary = service.binary.parent / "enrolee"
		self.anchors = service.dir / "ca" / "root.cert.pem"
		self.address = f"127.0.0.1:{service.https}"

	def uri(self, label="", host="localhost"):
		return f"https://{host}:{self.s.https}" + (f"/.well-known/est/{label}" if label else "")

	def argv(self, *words):
		return [str(self.binary), *map(str, words)]

	def enrol_words(self, label="", host="localhost"):
		return ["enrol", "--mef", self.uri(label, host), "--cert", f"{self.stem}.pem", "--key", f"{self.stem}.key", "--anchors",
			self.anchors, "--out", self.out, "--connect", self.address]

	def call(self, *words, want=0, says=()):
		"""Exit code and texts on standard error as wanted; returns standard output."""
		done = subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
		told = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}")
		for text in [says] if isinstance(says, str) else says:
			check(text in done.stderr, f"want '{text}': {told}")
		check("PRIVATE KEY" not in done.stdout + done.stderr, f"a key is shown: {told}")
		return done.stdout

	def enrol(self, label="", *more, want=0, says=(), host="localhost"):
		return self.call(*self.enrol_words(label, host), *more, want=want, says=says)

	def renew(self, *more, want=0, says=()):
		return self.call("renew", "--dir", self.out, "--connect", self.address, *more, want=want, says=says)

	def read(self, name):
		return (self.out / "current" / name).read_text()

	def generation(self):
		return os.readlink(self.out / "current")

	def serial(self):
		return run("openssl", "x509", "-in", self.out / "current" / "cert.pem", "-noout", "-serial").strip().split("=")[1].lower()

	def verify(self):
		c = self.out / "current"
		run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
		public = run("openssl", "pkey", "-in", c / "key.pem", "-pubout")
		check(run("openssl", "x509", "-in", c / "cert.pem", "-noout", "-pubkey") == public, "key and certificate belong together")

	def issued(self):
		return len(json.loads(run(self.s.binary, "cert", "list", "--dir", self.s.dir, "--json", "--enrolee", self.id)))


def enrols_under_every_label_and_version_of_tls(s):
	n = 0
	for label in ("", "onem2m"):
		for tls in ([], ["--tls12"]):
			n += 1
			d = Device(s, 10 + n)
			told = d.enrol(label, *tls)
			check("generation 1" in told and "step 3f" in told, f"steps are told: {told}")
			d.verify()
			check(sorted(os.listdir(d.out / "current")) == FILES, "files of a generation")
			for path, mode in ((d.out, 0o700), (d.out / "gen-1", 0o700), (d.out / "gen-1" / "key.pem", 0o600)):
				check(path.stat().st_mode & 0o777 == mode, f"mode of {path}")
			check("BEGIN CERTIFICATE" in d.read("chain.pem"), "the issuing CA is in the chain")
			check(d.read("mef.uri") == d.uri(label), "the address is kept")
			d.renew("--force", *tls)
			d.verify()
			check(d.generation() == "gen-2" and d.issued() == 2, "renewed once")


def renewal_waits_until_it_is_due(s):
	d = Device(s, 20)
	d.enrol("onem2m")
	before = d.read("cert.pem")
	check("--force renews now" in d.renew(want=6), "the way to renew now is told")
	d.renew("--quiet-noop")
	told = json.loads(d.renew("--json", want=6))
	check(told["renewed"] is False and told["renew_from"].endswith("Z"), f"JSON of a renewal that is not due: {told}")
	check(d.read("cert.pem") == before, "nothing was replaced")
	key = d.read("key.pem")
	told = json.loads(d.renew("--force", "--json"))
	check(told == {"dir": str(d.out), "generation": 2}, f"JSON of a renewal: {told}")
	check(d.read("key.pem") != key and (d.out / "gen-1" / "cert.pem").read_text() == before, "new key; the old one is kept")
	d.renew("--force")
	check(not (d.out / "gen-1").exists() and d.generation() == "gen-3", "only one old generation is kept")


def the_key_is_reused_only_where_the_label_admits_it(s):
	d = Device(s, 21)
	d.enrol("onem2m")
	key, generation = d.read("key.pem"), d.generation()
	d.renew("--force", "--reuse-key", want=4, says=["OMEF-1802", "OMEF-1526"])
	check(d.generation() == generation, "nothing was replaced")
	d.renew("--force", "--reuse-key", "--mef", d.uri())
	check(d.read("key.pem") == key and d.generation() != generation, "the same key, another certificate")
	d.verify()


def status_tells_the_state(s):
	d = Device(s, 22)
	d.call("status", "--dir", d.out, want=3, says="OMEF-1807")
	d.enrol()
	told = d.call("status", "--out", d.out)
	check("State good" in told and d.uri() in told, told)
	told = json.loads(d.call("status", "--dir", d.out, "--json"))
	check(told["state"] == "good" and told["serial"].lower().lstrip("0") == d.serial().lstrip("0"), f"status: {told}")
	check(d.call("status", "--dir", d.out, "--quiet") == "", "--quiet prints nothing")
	expired = d.out / "gen-1" / "cert.pem"
	key, request, ext = d.out / "gen-1" / "key.pem", s.root / "old.req", s.root / "old.ext"
	ext.write_text("keyUsage=digitalSignature\n")
	run("openssl", "req", "-new", "-key", key, "-subj", "/CN=old", "-out", request)
	run("openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-extfile", ext, "-out", expired)
	d.call("status", "--dir", d.out, want=4, says=["OMEF-1810", "this device's clock says"])
	check(json.loads(subprocess.run(d.argv("status", "--dir", d.out, "--json"), capture_output=True, text=True,
		check=False).stdout)["state"] == "expired", "JSON says expired")


def wrong_words_are_usage(s):
	d = Device(s, 23)
	d.call("enrol", "--out", d.out, want=2, says="want --mef")
	d.call(*d.enrol_words(), "--key-type", "DSA-512", want=2, says="DSA-512")
	d.call(*d.enrol_words(), "--password", "x", want=2, says="--password")
	d.call("enroll", want=2)
	d.call("renew", "now", want=2)
	check("Exit codes" in d.call("enrol", "--help"), "help tells the exit codes")
	check(".SH" in d.call("help", "manual"), "the manual page is roff")
	check(not d.out.exists(), "nothing was made")


def bad_files_are_told(s):
	d = Device(s, 24)
	words = d.enrol_words()

	def replaced(option, value):
		at = words.index(option)
		return [*words[:at + 1], value, *words[at + 2:]]

	d.call(*replaced("--anchors", s.root / "nowhere.pem"), want=3, says="nowhere.pem")
	d.call(*replaced("--anchors", f"{d.stem}.key"), want=3, says="OMEF-1253")
	other = Device(s, 25)
	d.call(*replaced("--key", f"{other.stem}.key"), want=4, says="OMEF-1815")
	exposed = s.root / "exposed.key"
	exposed.write_text(pathlib.Path(f"{d.stem}.key").read_text())
	exposed.chmod(0o644)
	d.call(*replaced("--key", exposed), want=1, says="chmod 600")
	locked = s.root / "locked.key"
	run("openssl", "pkey", "-in", f"{d.stem}.key", "-aes256", "-passout", "pass:secret", "-out", locked)
	locked.chmod(0o600)
	d.call(*replaced("--key", locked), want=4, says="OMEF-1206")
	d.call(*replaced("--mef", f"http://localhost:{s.https}"), want=1, says="https")


def a_mef_that_is_not_ours_is_refused(s):
	d = Device(s, 26)
	d.anchors = s.factory / "ca.pem"
	d.enrol(want=4, says=["OMEF-1812", "no trust anchor"])
	d.anchors = s.dir / "ca" / "root.cert.pem"
	d.enrol(host="mef.example.net", want=4, says=["OMEF-1812", "mef.example.net"])
	d.enrol(host="127.0.0.1", want=4, says="OMEF-1812")
	check(not (d.out / "current").exists() and d.issued() == 0, "nothing was issued or installed")
	d.address = f"127.0.0.1:{unused_port()}"
	d.enrol(want=5, says="OMEF-1806")


def unused_port():
	with socket.socket() as free:
		free.bind(("127.0.0.1", 0))
		return free.getsockname()[1]


def the_mefs_reasons_are_shown(s):
	d = Device(s, 27)
	d.enrol("elsewhere", want=1, says="OMEF-1301")
	run(s.binary, "enrolee", "disable", d.id, "--dir", s.dir)
	d.enrol(want=4, says=["OMEF-1802", "OMEF-1513"])
	check(d.issued() == 0, "nothing was issued")


def a_device_of_an_unknown_maker_is_refused(s):
	d = Device(s, 32)
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{d.stem}.key",
		"-out", f"{d.stem}.pem", "-subj", "/O=Others/serialNumber=SN-0032", "-days", "30")
	for tls in ([], ["--tls12"]):
		d.enrol("", *tls, want=4)
	check(d.issued() == 0 and not (d.out / "current").exists(), "nothing was issued or installed")


def a_revoked_certificate_does_not_renew(s):
	d = Device(s, 28)
	d.enrol("onem2m")
	before = d.read("cert.pem")
	run(s.binary, "cert", "revoke", d.serial(), "--dir", s.dir, "--reason", "keyCompromise")
	d.renew("--force", want=4, says="revoked")
	check(d.read("cert.pem") == before, "nothing was replaced")
	d.enrol("onem2m") # the factory certificate still stands
	check(d.generation() == "gen-2" and d.read("cert.pem") != before, "enrolled anew")


class Stalling:
	"""Carries one connection to the service, and once a key is pending brings no answer back."""

	def __init__(self, device):
		self.device = device
		self.listener = socket.create_server(("127.0.0.1", 0))
		self.port = self.listener.getsockname()[1]
		self.swallowed = threading.Event()
		threading.Thread(target=self.carry, daemon=True).start()

	def carry(self):
		near, _ = self.listener.accept()
		far = socket.create_connection(("127.0.0.1", self.device.s.https))
		threading.Thread(target=self.forth, args=(near, far), daemon=True).start()
		while data := far.recv(65536):
			if (self.device.out / "pending.pem").exists():
				self.swallowed.set()
			else:
				near.sendall(data)

	@staticmethod
	def forth(near, far):
		try:
			while data := near.recv(65536):
				far.sendall(data)
			far.shutdown(socket.SHUT_WR)
		except OSError:
			pass


def killed_in_the_middle_it_goes_on_with_the_same_key(s):
	for number, label in ((29, "onem2m"), (30, "")):
		d = Device(s, number)
		stall = Stalling(d)
		d.address = f"127.0.0.1:{stall.port}"
		first = subprocess.Popen(d.argv(*d.enrol_words(label)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
		wait_for(stall.swallowed.is_set, "the answer to the enrolment was held back")
		d.address = f"127.0.0.1:{s.https}"
		d.enrol(label, want=1, says=["OMEF-1814", f"process {first.pid}"])
		first.send_signal(signal.SIGKILL)
		first.wait()
		pending = (d.out / "pending.pem").read_text()
		check((d.out / "pending.pem").stat().st_mode & 0o777 == 0o600, "mode of the pending key")
		check(not (d.out / "current").exists(), "nothing is in force")
		d.enrol(label)
		check(d.read("key.pem") == pending and not (d.out / "pending.pem").exists(), "the pending key is in force")
		d.verify()
		d.renew("--force")
		check(d.read("key.pem") != pending, "the next request has a key of its own")


def killed_at_any_moment_it_leaves_what_works(s):
	d = Device(s, 31)
	d.enrol()
	for i in range(12):
		p = subprocess.Popen(d.argv("renew", "--force", "--dir", d.out, "--connect", d.address), stdout=subprocess.DEVNULL,
			stderr=subprocess.DEVNULL)
		time.sleep(0.008 * i)
		p.kill()
		p.wait()
		d.verify()
		d.call("status", "--dir", d.out)
	d.renew("--force")
	d.verify()
	kept = sorted(p.name for p in d.out.iterdir())
	check(len(kept) == 4 and kept[0] == "current" and kept[3] == "lock", f"swept: {kept}")


def main():
	with Service(sys.argv[1]) as s:
		s.start()
		for test in (
			enrols_under_every_label_and_version_of_tls,
			renewal_waits_until_it_is_due,
			the_key_is_reused_only_where_the_label_admits_it,
			status_tells_the_state,
			wrong_words_are_usage,
			bad_files_are_told,
			a_mef_that_is_not_ours_is_refused,
			the_mefs_reasons_are_shown,
			a_device_of_an_unknown_maker_is_refused,
			a_revoked_certificate_does_not_renew,
			killed_in_the_middle_it_goes_on_with_the_same_key,
			killed_at_any_moment_it_leaves_what_works,
		):
			test(s)
			print("passed:", test.__name__, flush=True)
		s.stop()


main()
