#!/usr/bin/env python3
"""
Every way that a device can go, one after the other as a new user would: the program alone, a real MEF, TLS 1.2 and 1.3, and
what `enrolee status` says behind each step.
"""

import datetime
import http.server
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _device import Device  # noqa: E402
from _hold import decide, label, listed, the_request  # noqa: E402
from _issuers import add_sections  # noqa: E402
from _service import Service, check, run  # noqa: E402
from _upstream import Upstream  # noqa: E402

numbers = iter(range(1, 100))


class Walker(Device):
	"""A device whose state is looked at behind every step, and which says its --connect."""

	def __init__(self, s):
		super().__init__(s, next(numbers))
		self.at = ["--connect", f"127.0.0.1:{s.https}"]

	def goes(self, label="", *more, want=0, says=(), state=None):
		told = self.enrol(label, want, says, (*self.at, *more))
		self.is_(state or ("good" if want == 0 else "none"))
		if want == 0:
			self.verify()
		return told

	def is_(self, state):
		"""What status says, as JSON and by its exit code, and that both agree with the directory."""
		done = subprocess.run([str(self.binary), "status", "--json", "--dir", str(self.out)], capture_output=True, text=True, timeout=60)
		if state == "none" and self.pending().get("pending.json"): # sent, and refused
			check(json.loads(done.stdout)["state"] == "no certificate" and json.loads(done.stdout)["pending"]["again"] is None, f"refused: {done}")
			return {}
		if state == "none":
			check(done.returncode == 3 and "OMEF-1807" in done.stderr, f"status of nothing: {done}")
			return {}
		told = json.loads(done.stdout)
		check(told["state"] == state, f"status: want {state}: {told}")
		check((done.returncode == 0) == (state in ("good", "due", "waiting")), f"exit {done.returncode} of status {state}")
		check((told["pending"] is not None) == ("pending.json" in self.pending()), f"pending: {told} {self.pending().keys()}")
		for text in (told.get("not_after"), told.get("renew_from")):
			check(not text or datetime.datetime.fromisoformat(text.replace("Z", "+00:00")), text)
		if (self.out / "current/cert.pem").exists():
			check(told["serial"].lower().lstrip("0") == self.serial(), f"serial: {told}")
		return told

	def verify(self):
		c = self.out / "current"
		run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
		public = run("openssl", "pkey", "-in", c / "key.pem", "-pubout")
		check(run("openssl", "x509", "-in", c / "cert.pem", "-noout", "-pubkey") == public, "key and certificate belong together")
		check((c / "key.pem").stat().st_mode & 0o777 == 0o600 and not self.pending(), "mode of the key, and nothing left over")

	def renews(self, *more, want=0, says=()):
		before = self.serial()
		self.run([str(self.binary), "renew", "--dir", str(self.out), "--force", "--no-wait", *self.at, *more], want, *says)
		check((self.serial() != before) == (want == 0), "another certificate")
		return self.is_("good") if want == 0 else None

	def revokes(self, *more, want=0, says=()):
		self.run([str(self.binary), "revoke", "--dir", str(self.out), *self.at, *more], want, *says)


TLS = ([], ["--tls12"])


def plainly(s):
	for tls in TLS:
		for name in ("", "onem2m"):
			d = Walker(s)
			d.is_("none")
			told = d.goes(name, *tls)
			check("Installed generation 1" in told, told)
			d.renews(*tls)


def may_agree(s, d):
	"""The factory's certificate anew, of a key for which one may encrypt."""
	ext = s.factory / "agree.ext"
	ext.write_text("keyUsage=critical,digitalSignature,keyAgreement\nextendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\n")
	run("openssl", "x509", "-req", "-in", f"{d.stem}.req", "-CA", s.factory / "ca.pem", "-CAkey", s.factory / "ca.key", "-days", "3650",
		"-extfile", ext, "-out", f"{d.stem}.pem")


def by_a_key_that_the_mef_makes(s):
	for tls in TLS:
		d = Walker(s)
		d.goes("made", "--server-key", *tls)
		d.goes("encrypted", "--server-key-cipher", *tls, want=4, says=["OMEF-1287", "keyAgreement"], state="good")
		may_agree(s, d)
		d.goes("encrypted", "--server-key-cipher", *tls)
		d.renews(*tls)
		d = Walker(s)
		d.goes("encrypted", "--server-key", *tls, want=4, says=["OMEF-1802"])
		d.goes("", "--server-key", *tls, want=1, says=["OMEF-1801", "serverkeygen"])


def by_signed_messages_and_revoked(s):
	for tls in TLS:
		d = Walker(s)
		d.goes("cmc", "--cmc", *tls)
		d.renews("--cmc", *tls)
		d.revokes("--reason", "odd", want=2, says=["--reason"])
		d.revokes("--reason", "superseded", *tls)
		d.renews(*tls, want=4, says=["OMEF-"])
		d.goes("cmc", *tls) # by the factory's certificate
		d.goes("", "--cmc", want=1, says=["fullcmc"], state="good")
	d = Walker(s)
	d.goes("onem2m")
	d.revokes(want=1, says=["OMEF-1801", "full CMC", "--mef"]) # its label has no full CMC
	d.revokes("--mef", f"https://localhost:{s.https}/.well-known/est/cmc")


def linked_to_the_session(s):
	for tls in TLS:
		d = Walker(s)
		d.goes("linked", *tls) # csrattrs says so
		d.goes("", "--link-session", *tls)
		d.renews("--mef", f"https://localhost:{s.https}/.well-known/est/linked", *tls)


def with_a_subject_of_its_own(s):
	for tls in TLS:
		d = Walker(s)
		d.goes("template", *tls, want=1, says=["OMEF-1840", "OU", "--subject"])
		d.goes("template", "--subject", "OU=plant 3", *tls)
		subject = run("openssl", "x509", "-in", d.out / "current/cert.pem", "-noout", "-subject", "-nameopt", "RFC2253")
		check("OU=plant 3" in subject and "O=Acme" in subject, subject)
		d.renews(*tls)
		d.goes("template", "--subject", "OU", want=1, says=["OMEF-"], state="good")


def under_another_ca(s):
	for tls in TLS:
		d = Walker(s)
		d.goes("up", *tls)
		issuer = run("openssl", "x509", "-in", d.out / "current/cert.pem", "-noout", "-issuer")
		check("Upstream" in issuer, issuer)
		check((d.out / "current/anchors.pem").read_text().count("BEGIN") == 2, "both roots: that of the MEF and that of the CA")
		d.renews(*tls)


def kill_at(d, words, n):
	"""SIGKILL at the n-th line that it says; True when it had said less."""
	p = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
	for _ in range(n):
		if not p.stdout.readline():
			break
	ended = p.poll() is not None
	p.send_signal(signal.SIGKILL)
	p.communicate()
	return ended or p.returncode == 0


def held_with_a_power_cut_behind_every_step(s):
	for tls in TLS:
		d = Walker(s)
		words = ["stdbuf", "-oL", *d.words("held", *d.at, *tls)]
		for n in range(1, 7):
			kill_at(d, words, n)
			check(not (d.out / "current").exists(), "nothing is in force")
		d.goes("held", *tls, want=7, says=["OMEF-1808", "come back in 1 s", "Run the same command again"], state="waiting")
		before = d.pending()
		row = the_request(s, "--enrolee", d.id)
		told = d.is_("waiting")
		check(row["id"] in told["pending"]["said"], f"status tells the request's name: {told}")
		s.set("https", f"127.0.0.1:{s.https}")
		s.process.kill() # its own power cut
		s.process.wait()
		s.start()
		d.goes("held", *tls, want=7, state="waiting")
		decide(s, "approve", row["id"])
		words = ["stdbuf", "-oL", *d.words("held", *d.at, *tls)]
		for n in range(1, 6):
			if kill_at(d, words, n):
				break
		d.goes("held", *tls)
		key = run("openssl", "pkey", "-in", d.out / "current/key.pem", "-pubout")
		check(before["pending.pem"] and len(listed(s, "--enrolee", d.id)) == 1 and key, "one request, one key")


def anchors_in_three_ways(s):
	root = s.dir / "ca/root.cert.pem"
	digest = run("openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha256").split("=")[1].replace(":", "").strip()
	for tls in TLS:
		for ways in (["--root-fingerprint", digest], ["--implicit-anchors", str(root)]):
			d = Walker(s)
			words = d.words("onem2m", "--no-wait", *d.at, *tls)
			at = words.index("--anchors")
			words = words[:at] + words[at + 2:]
			d.run(words, 2, "--anchors", "--implicit-anchors", "--root-fingerprint") # every way is named
			d.run([*words[:4], "--out", str(d.out)], 2, "--cert", "--psk", "--srp-user")
			d.run([*words, "--root-fingerprint", "0" * 64], 4, "OMEF-1851")
			d.run([*words, *ways], 0)
			d.is_("good")
			d.verify()
			d.renews(*tls)
			d.run([*words, "--implicit-anchors", str(root)], 1, "OMEF-1852")
	check("RFC 7030" in (d.out / "current/anchors.txt").read_text(), "where they came from is told")


class Redirects:
	"""A server of the MEF's name that sends everybody away."""

	def __init__(self, s, to):
		redirects = self
		self.asked = 0

		class Handler(http.server.BaseHTTPRequestHandler):
			def log_message(self, *args):
				pass

			def do_GET(self):
				redirects.asked += 1
				self.send_response(307)
				self.send_header("Location", to.replace("PORT", str(redirects.port)))
				self.send_header("Content-Length", "0")
				self.end_headers()

		stem = s.root / "redirects"
		(s.root / "redirects.ext").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n")
		run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{stem}.key", "-out", f"{stem}.req",
			"-subj", "/CN=localhost")
		run("openssl", "x509", "-req", "-in", f"{stem}.req", "-CA", s.factory / "ca.pem", "-CAkey", s.factory / "ca.key", "-extfile",
			f"{stem}.ext", "-days", "30", "-out", f"{stem}.pem")
		context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
		context.load_cert_chain(f"{stem}.pem", f"{stem}.key")
		self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
		self.port = self.http.server_address[1]
		self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
		threading.Thread(target=self.http.serve_forever, daemon=True).start()

	def close(self):
		self.http.shutdown()
		self.http.server_close()


def sent_elsewhere(s):
	"""RFC 7030 3.2.1: to the same origin it goes three times, to another never."""
	d = Walker(s)
	for to, asked in ((f"https://localhost:{s.https}/.well-known/est/cacerts", 1), ("https://localhost:PORT/elsewhere", 4),
			("http://localhost:PORT/elsewhere", 1)):
		r = Redirects(s, to)
		words = d.words()
		words[words.index("--mef") + 1] = f"https://localhost:{r.port}"
		words[words.index("--anchors") + 1] = str(s.factory / "ca.pem")
		d.run([*words, "--connect", f"127.0.0.1:{r.port}"], 1, "OMEF-1801", "307", to.replace("PORT", str(r.port)))
		r.close()
		check(r.asked == asked, f"{to}: asked {r.asked} times")
	d.is_("none")


def by_a_shared_key(s):
	for n, tls in enumerate(TLS):
		d = Walker(s)
		name = f"psk-{n}"
		run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "node", "--entity", f"urn:example:node:{name}", "--psk", name,
			"--psk-out", s.root / f"{name}.kpm")
		words = [str(d.binary), "enrol", "--mef", f"https://localhost:{s.https}", "--psk", str(s.root / f"{name}.kpm"), "--psk-id",
			f"{name}@localhost", "--out", str(d.out), *d.at, *tls]
		d.run(words, 0)
		told = json.loads(run(d.binary, "keys", "--json", "--dir", d.out))
		check(told["keid"].endswith("@localhost"), f"keys: {told}")
		d.run([str(d.binary), "enrol", "--again", "--dir", str(d.out), *d.at, *tls], 0)
		check(json.loads(run(d.binary, "keys", "--json", "--dir", d.out))["keid"] != told["keid"], "fresh keys")


def help_and_manual_say_the_same(s):
	"""Each option of each command stands in both, and the exit codes too."""
	binary = s.binary.with_name("enrolee")
	manual = run(binary, "help", "manual").replace("\\-", "-")
	commands = [c for c in re.findall(r"^  ([a-z][a-z-]*(?: [a-z-]+)?) ", run(binary, "--help"), re.M)]
	check("enrol" in commands and len(commands) > 8, f"commands: {commands}")
	for command in commands:
		text = run(binary, *command.split(), "--help", ok=(0, 2))
		for option in re.findall(r"^  (--[a-z0-9-]+)", text, re.M):
			check(option in manual, f"{command} {option} is not in the manual page")
	for text in (" ".join(run(binary, "enrol", "--help").split()), manual):
		check("7 asked to come back later" in text, "exit code 7 is documented")


LABELS = {"made": {"serverkeygen": "yes"}, "encrypted": {"serverkeygen": "encrypted"}, "cmc": {"fullcmc": "yes"},
	"linked": {"linking": "required"}, "template": {"attrs": "template", "ask_subject": "CN, O=Acme, OU"},
	"held": {"hold": "enrol", "hold_retry": "1s", "challenge": "required"}}


def main():
	with Service(sys.argv[1]) as s:
		for name, settings in LABELS.items():
			label(s, name, profile="device", **settings)
		add_sections(s, Upstream(s.root).section("up", "up"))
		s.start()
		for test in (plainly, by_a_key_that_the_mef_makes, by_signed_messages_and_revoked, linked_to_the_session, with_a_subject_of_its_own,
				under_another_ca, anchors_in_three_ways, sent_elsewhere, by_a_shared_key, help_and_manual_say_the_same,
				held_with_a_power_cut_behind_every_step):
			test(s)
			print("ok", test.__name__, flush=True)
		s.stop()


main()
