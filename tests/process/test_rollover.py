#!/usr/bin/env python3
"""A whole CA rollover with devices before, during and after it, every way back, and kill -9 in the middle of each stage."""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run, wait_for  # noqa: E402

BEGIN = "-----BEGIN CERTIFICATE-----"
END = "-----END CERTIFICATE-----"


def pems(text):
	return [BEGIN + part.split(END)[0] + END + "\n" for part in text.split(BEGIN)[1:]]


def openssl(*words, stdin=None, ok=(0,)):
	done = subprocess.run(["openssl", *map(str, words)], input=stdin, capture_output=True, timeout=60)
	check(done.returncode in ok, f"openssl {' '.join(map(str, words))}: {done.returncode}\n{done.stdout}{done.stderr}")
	return done.stdout


def subject(pem):
	return openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", stdin=pem.encode()).decode().strip()


def key_of(pem):
	return openssl("x509", "-noout", "-pubkey", stdin=pem.encode())


class Rollover:
	"""A service and the certificates of its two CAs, as the stages go by."""

	def __init__(self, s):
		self.s = s
		self.old_root = s.root / "old-root.pem"
		shutil.copy(s.dir / "ca" / "root.cert.pem", self.old_root)
		self.old_issuing = s.dir / "ca" / "issuing.cert.pem"

	def call(self, *words, want=0, says=""):
		done = subprocess.run([str(self.s.binary), "ca", "rollover", *map(str, words), "--dir", str(self.s.dir), "--json"],
			capture_output=True, text=True, timeout=120)
		check(done.returncode == want and says in done.stderr, f"ca rollover {words}: exit {done.returncode}, want {want}\n"
			f"{done.stdout}{done.stderr}")
		return json.loads(done.stdout) if done.returncode == 0 else None

	def reload(self):
		run(self.s.binary, "reload", "--dir", self.s.dir)
		self.s.read_ports()

	def step(self, word, stage, *more):
		told = self.call(word, *more)
		check(told["stage"] == stage and told["changed"], f"{word}: {told}")
		check(told["reload_needed"] and "reload" in told["next"], f"the reload is told: {told}")
		again = self.call(word, *more) if word != "back" else None
		check(word == "back" or (again["stage"] == stage and not again["changed"]), f"{word} again: {again}")
		self.reload()
		return told

	def conf(self, name):
		for line in (self.s.dir / "openmef.conf").read_text().split("\n"):
			if line.split("=")[0].strip() == name:
				return line.split("=", 1)[1].strip()
		return None

	@property
	def folder(self):
		return self.s.dir / self.conf("rollover")

	def keep_new(self):
		"""The new CA's certificates, and its name."""
		self.name = self.folder.name
		self.new_root = self.folder / "root.cert.pem"
		self.new_issuing = self.folder / "issuing.cert.pem"

	# ---- what the server shows

	def sent(self, version):
		"""The chain that is sent in the handshake, as PEM, leaf first."""
		done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.s.https}", "-servername", "localhost",
			"-showcerts", version], input=b"", capture_output=True, timeout=60)
		return pems(done.stdout.decode())

	def verified_by(self, root, version="-tls1_3"):
		"""Whether openssl verifies the chain that is sent with this root alone."""
		chain = self.sent(version)
		check(chain, "a chain is sent")
		(self.s.root / "leaf.pem").write_text(chain[0])
		(self.s.root / "above.pem").write_text("".join(chain[1:]) or chain[0])
		done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "localhost",
			"-CAfile", str(root), "-untrusted", str(self.s.root / "above.pem"), str(self.s.root / "leaf.pem")],
			capture_output=True, timeout=60)
		return done.returncode == 0

	def check_sent(self, *roots):
		for version in ("-tls1_2", "-tls1_3"):
			for root in roots:
				check(self.verified_by(root, version), f"{root} verifies the chain sent with {version}")
		for root in roots: # and a client that builds its path by itself does
			context = ssl.create_default_context(cafile=str(root))
			check(self.s.ask("GET", "/.well-known/est/cacerts", context=context)[0] == 200, f"{root}: a TLS client takes it")

	def cacerts(self, root):
		status, _, body = self.s.ask("GET", "/.well-known/est/cacerts", context=ssl.create_default_context(cafile=str(root)))
		check(status == 200, f"cacerts: {status}")
		return pems(openssl("pkcs7", "-inform", "DER", "-print_certs", stdin=base64.b64decode(body)).decode())

	def crl(self, name, issuing):
		"""Serial numbers on that CA's list, whose signature openssl checks."""
		wait_for(lambda: self.s.ask_plain(f"/crl/{name}.crl")[0] == 200, f"a CRL of {name}")
		der = self.s.ask_plain(f"/crl/{name}.crl")[2]
		path = self.s.root / f"{name}.crl"
		path.write_bytes(der)
		done = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", str(path), "-noout", "-CAfile", str(issuing), "-text"],
			capture_output=True, text=True, timeout=60)
		check("verify OK" in done.stderr, f"the CRL of {name} is signed by {issuing}: {done.stderr}")
		return {x.lower().lstrip("0") for x in re.findall(r"Serial Number: ([0-9A-F]+)", done.stdout)}


class Device:
	def __init__(self, r, number):
		self.r, self.s = r, r.s
		self.stem = r.s.device(number)
		self.out = r.s.root / f"out-{number}"
		self.binary = r.s.binary.parent / "enrolee"

	def call(self, *words, want=0, says=""):
		done = subprocess.run([str(self.binary), *map(str, words), "--connect", f"127.0.0.1:{self.s.https}"],
			capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
		check(done.returncode == want and says in done.stderr, f"enrolee {' '.join(map(str, words))}: exit {done.returncode}, "
			f"want {want}\n{done.stdout}{done.stderr}")
		return done.stdout

	def enrol(self, *anchors, want=0, says="", label="onem2m"):
		return self.call("enrol", "--mef", f"https://localhost:{self.s.https}/.well-known/est/{label}", "--cert", f"{self.stem}.pem",
			"--key", f"{self.stem}.key", "--out", self.out, *anchors, want=want, says=says)

	def renew(self, want=0, says="", *more, label="onem2m"):
		self.call("renew", "--force", "--dir", self.out, "--mef", f"https://localhost:{self.s.https}/.well-known/est/{label}", *more,
			want=want, says=says)
		if want == 0:
			self.verify()

	def path(self, name):
		return self.out / "current" / name

	def anchors(self):
		return {key_of(pem) for pem in pems(self.path("anchors.pem").read_text())}

	def holds(self, *roots):
		have = self.anchors()
		want = {key_of(pathlib.Path(root).read_text()) for root in roots}
		check(have == want, f"{self.out}: want {len(want)} anchors, have {len(have)} or others")

	def issuer(self):
		return openssl("x509", "-in", self.path("cert.pem"), "-noout", "-issuer", "-nameopt", "RFC2253").decode().strip()[7:]

	def by(self, issuing):
		check(self.issuer() == subject(pathlib.Path(issuing).read_text())[8:], f"{self.out}: issued by {self.issuer()}, not by {issuing}")

	def serial(self):
		return openssl("x509", "-in", self.path("cert.pem"), "-noout", "-serial").decode().strip().split("=")[1]

	def cdp(self):
		return openssl("x509", "-in", self.path("cert.pem"), "-noout", "-ext", "crlDistributionPoints,authorityInfoAccess").decode()

	def verify(self):
		openssl("verify", "-CAfile", self.path("anchors.pem"), "-untrusted", self.path("chain.pem"), self.path("cert.pem"))


def prepare_is_seen_by_nobody(r, early):
	before = (r.s.dir / "openmef.conf").read_text()
	r.call("publish", want=1, says="OMEF-1940")
	r.call("switch", want=1, says="OMEF-1940")
	check(not r.call("back")["changed"] and not r.call("finish")["changed"], "nothing to undo, nothing to finish")
	r.call("prepare", "--ca-key", "RSA-1024", want=2)
	r.call("prepare", "--root-key", r.s.dir / "ca" / "issuing.key.pem", want=1, says="OMEF-1941")
	check((r.s.dir / "openmef.conf").read_text() == before, "a refusal changes nothing")
	r.step("prepare", "prepared", "--ca-key", "P-384")
	r.keep_new()
	check(len(r.cacerts(r.old_root)) == 2, "cacerts is as before")
	check("384" in openssl("x509", "-in", r.new_issuing, "-noout", "-text").decode(), "the new CA has the key asked for")
	text = openssl("x509", "-in", r.new_root, "-noout", "-subject").decode()
	check(text == openssl("x509", "-in", r.old_root, "-noout", "-subject").decode(), "RFC 4210 4.4: the root keeps its name")
	for cross, root, issuing in (("old-with-new", r.new_root, r.old_issuing), ("new-with-old", r.old_root, r.new_issuing)):
		openssl("verify", "-x509_strict", "-CAfile", root, "-untrusted", r.folder / f"{cross}.cert.pem", issuing)
		openssl("verify", "-x509_strict", "-CAfile", root, r.folder / f"{cross}.cert.pem")
	openssl("pkey", "-in", r.s.dir / "offline" / r.name / "root.key.pem", "-passin",
		f"file:{r.s.dir / 'offline' / r.name / 'root.pass'}", "-noout")
	early.renew()
	early.holds(r.old_root)


def back_from_prepared_leaves_nothing(r, early):
	name = r.name
	r.step("back", "none")
	check(not (r.s.dir / "ca" / name).exists() and not (r.s.dir / "offline" / name).exists(), "files and keys are gone")
	early.renew()
	r.step("prepare", "prepared")
	r.keep_new()
	check(r.name != name, "a new CA has a new name")


def published_serves_both_kinds_of_devices(r, early):
	r.step("publish", "published")
	r.check_sent(r.old_root, r.new_root)
	keys = [key_of(pem) for pem in r.cacerts(r.old_root)]
	want = [key_of(p.read_text()) for p in (r.old_issuing, r.old_root, r.new_issuing, r.new_root)]
	check(len(keys) == 6 and set(keys) == set(want), f"both CAs, both roots, both certificates between them: {len(keys)}")
	early.renew()
	early.holds(r.old_root, r.new_root)
	early.by(r.old_issuing)
	new_only = Device(r, 11) # holds the new root; the server certificate is still the old CA's
	new_only.enrol("--anchors", r.new_root)
	new_only.by(r.old_issuing)
	check("/crl/issuing.crl" in new_only.cdp() and "/ca/issuing.cer" in new_only.cdp(), "the old CA's addresses")
	r.crl("issuing", r.old_issuing)
	r.crl(r.name, r.new_issuing)
	for name, issuing in (("issuing", r.old_issuing), (r.name, r.new_issuing)):
		der = r.s.ask_plain(f"/ca/{name}.cer")[2]
		check(der == openssl("x509", "-in", issuing, "-outform", "DER"), f"/ca/{name}.cer")
	check(r.s.ask_plain("/crl/issuing-none.crl")[0] == 404 and r.s.ask_plain("/ca/other.cer")[0] == 404, "no other CA")
	return new_only


def back_from_published_ends_it(r, early):
	r.step("back", "prepared")
	check(len(r.cacerts(r.old_root)) == 2, "cacerts is as it was")
	early.renew()
	early.holds(r.old_root)
	r.step("publish", "published")
	early.renew()
	early.holds(r.old_root, r.new_root)


def switched_issues_from_the_new_ca(r, early, asleep):
	r.step("switch", "switched")
	r.check_sent(r.old_root, r.new_root)
	r.call("publish", want=1, says="OMEF-1940")
	late = Device(r, 12)
	late.enrol("--anchors", r.new_root)
	late.by(r.new_issuing)
	check(f"/crl/{r.name}.crl" in late.cdp() and f"/ca/{r.name}.cer" in late.cdp(), f"the new CA's addresses: {late.cdp()}")
	openssl("verify", "-CAfile", r.new_root, "-untrusted", late.path("chain.pem"), late.path("cert.pem"))
	check(len(pems(late.path("chain.pem").read_text())) == 1, "the chain holds the issuing CA alone")
	early.by(r.old_issuing)
	early.renew() # an old certificate authenticates, and renews onto the new CA
	early.by(r.new_issuing)
	early.holds(r.old_root, r.new_root)
	asleep.holds(r.old_root)
	for tls in ([], ["--tls12"]):
		asleep.renew(0, "", *tls)
	asleep.by(r.new_issuing)
	asleep.holds(r.old_root, r.new_root)
	return late


def back_from_switched_keeps_what_was_issued(r, late):
	r.step("back", "published")
	r.check_sent(r.old_root, r.new_root)
	r.call("back", want=1, says="OMEF-1942") # the new CA has certificates in use
	serial = late.serial()
	late.renew() # by a certificate of the CA that issues no more
	late.by(r.old_issuing)
	check(r.s.ask_plain(f"/crl/{r.name}.crl")[0] == 200, "its CRL goes on")
	run(r.s.binary, "cert", "revoke", serial, "--dir", r.s.dir)
	check(serial.lower().lstrip("0") in r.crl(r.name, r.new_issuing), "and lists what is revoked")
	r.step("switch", "switched")
	late.renew()
	late.by(r.new_issuing)


def a_revoked_old_certificate_is_on_the_old_list(r):
	d = Device(r, 13)
	old = Device(r, 14)
	d.enrol("--anchors", r.new_root)
	r.step("back", "published")
	old.enrol("--anchors", r.old_root)
	old.by(r.old_issuing)
	r.step("switch", "switched")
	told = json.loads(run(r.s.binary, "cert", "revoke", old.serial(), "--dir", r.s.dir, "--json"))
	check(told["published"], "revoked and published")
	serial = old.serial().lower().lstrip("0")
	check(serial in r.crl("issuing", r.old_issuing), "on the list that its certificate names")
	check(serial in r.crl(r.name, r.new_issuing), "and on the other, where it does no harm")
	old.renew(want=4)
	info = run(r.s.binary, "status", "--dir", r.s.dir, "--json")
	check("other_crl_number" in info, f"status tells of both lists: {info}")
	numbers = json.loads(run(r.s.binary, "ca", "crl", "--dir", r.s.dir, "--ca", "issuing", "--json"))
	check(numbers["number"] >= 1, "ca crl shows the other one")


def an_expired_sleeper_comes_back(r, late_sleeper, enrolled_at):
	"""Its certificate, its CA and its root are all of yesterday."""
	time.sleep(max(0, enrolled_at + SHORT_S + 2 - time.monotonic()))
	openssl("x509", "-in", late_sleeper.path("cert.pem"), "-noout", "-checkend", "0", ok=(1,))
	late_sleeper.holds(r.old_root)
	before = r.call()["old"]
	late_sleeper.renew(label="short")
	late_sleeper.by(r.new_issuing)
	late_sleeper.holds(r.old_root, r.new_root)
	check(r.call()["old"]["enrolees"] == before["enrolees"] - 1, "until then finish would have waited for it")


def finish_waits_for_the_last_certificate(r, early, new_only):
	told = r.call("status")
	check(not told["safe"] and told["old"]["certificates"] >= 1 and "finish" in told["next"], f"not yet: {told}")
	r.call("finish", want=1, says="OMEF-1942")
	new_only.renew()
	told = r.call()
	check(told["old"]["certificates"] > 0 and told["old"]["enrolees"] == 0, f"all have newer ones, the old are good: {told}")
	r.call("finish", want=1, says="OMEF-1942")
	old_id = openssl("x509", "-in", r.old_issuing, "-noout", "-ext", "subjectKeyIdentifier").split()[-1]
	for row in json.loads(run(r.s.binary, "cert", "list", "--dir", r.s.dir, "--json")):
		pem = run(r.s.binary, "cert", "show", row["serial"], "--dir", r.s.dir, "--pem")
		if row["state"] == "valid" and old_id in openssl("x509", "-noout", "-ext", "authorityKeyIdentifier", stdin=pem.encode()):
			run(r.s.binary, "cert", "revoke", row["serial"], "--dir", r.s.dir, "--reason", "superseded")
	told = r.call()
	check(told["safe"] and told["old"]["certificates"] == 0, f"now: {told}")
	r.step("finish", "none")
	check(r.s.ask_plain("/crl/issuing.crl")[0] == 404 and r.s.ask_plain(f"/crl/{r.name}.crl")[0] == 200, "one list is left")
	r.check_sent(r.old_root, r.new_root) # NewWithOld is still sent
	keys = {key_of(pem) for pem in r.cacerts(r.new_root)}
	check(key_of(r.old_root.read_text()) not in keys, "the old root is given to nobody")
	early.renew()
	early.holds(r.new_root)
	stranger = Device(r, 15) # slept through everything: factory certificate and the old root
	stranger.enrol("--anchors", r.old_root)
	stranger.holds(r.new_root)
	stranger.by(r.new_issuing)


def a_root_that_nobody_vouches_for_is_not_adopted(r, early):
	conf = r.s.dir / "openmef.conf"
	kept = conf.read_text()
	foreign = r.s.root / "foreign.pem"
	openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", r.s.root / "foreign.key",
		"-out", foreign, "-subj", "/CN=localhost Root CA", "-days", "3650", "-addext", "keyUsage=critical,keyCertSign")
	extra = r.s.root / "extra.pem"
	extra.write_text(foreign.read_text())
	conf.write_text("\n".join(f"extra = {extra}" if line.startswith("extra =") else line for line in kept.split("\n")))
	r.reload()
	early.renew()
	early.holds(r.new_root)
	conf.write_text(kept)
	r.reload()


def a_second_rollover_follows(r, early):
	"""The next one begins where the first ended: its root's key lies in its own folder."""
	first_root = r.s.root / "first-root.pem"
	shutil.copy(r.old_root, first_root)
	shutil.copy(r.new_root, r.old_root)
	r.old_issuing, before = r.new_issuing, r.name
	r.step("prepare", "prepared")
	r.keep_new()
	r.step("publish", "published")
	r.check_sent(r.old_root, r.new_root)
	r.step("switch", "switched")
	r.check_sent(r.old_root, r.new_root, first_root)
	early.renew()
	early.by(r.new_issuing)
	check(r.s.ask_plain(f"/crl/{before}.crl")[0] == 200, "the CA in between is the old one now")
	twice = Device(r, 16) # slept through both
	twice.enrol("--anchors", first_root)
	twice.by(r.new_issuing)
	run(r.s.binary, "audit", "verify", "--dir", r.s.dir)


SHORT_S = 60 # the shortest validity that a profile may have


def short_label(s):
	with open(s.dir / "openmef.conf", "a") as conf:
		conf.write(f"\n[profile short]\nvalidity = {SHORT_S}s\nbackdate = 0s\n\n[label short]\nprofile = short\nexpired = 1h\n")


def bootstrap(r):
	d = Device(r, 17)
	print_of = openssl("x509", "-in", r.s.dir / r.conf("chain"), "-noout", "-fingerprint", "-sha256").decode().strip().split("=")[1]
	d.enrol("--anchors", r.new_root, "--implicit-anchors", r.new_root, want=2)
	d.enrol(want=2)
	d.enrol("--root-fingerprint", "00" * 31, want=2)
	d.enrol("--root-fingerprint", "00" * 32, want=4, says="OMEF-1851")
	d.enrol("--implicit-anchors", d.s.factory / "ca.pem", want=4, says="OMEF-1812")
	# RFC 7030 3.6.2: the URI's host counts for implicit anchors too
	d.call("enrol", "--mef", f"https://127.0.0.1:{d.s.https}", "--cert", f"{d.stem}.pem", "--key", f"{d.stem}.key", "--out", d.out,
		"--implicit-anchors", r.old_root, want=4, says="OMEF-1812")
	check(not d.path("cert.pem").exists(), "nothing was kept")
	d.enrol("--implicit-anchors", r.old_root)
	text = d.path("anchors.txt").read_text()
	check("explicit" in text and "implicit anchors of" in text, f"what is which is told: {text}")
	check(key_of(r.new_root.read_text()) in d.anchors(), "what came back counts now")
	d.enrol("--implicit-anchors", r.old_root, want=1, says="OMEF-1852")
	d.renew()
	check(d.path("anchors.txt").read_text() == text, "the origin stays told")
	person = Device(r, 18)
	person.enrol("--root-fingerprint", print_of)
	check("a person gave" in person.path("anchors.txt").read_text(), "and that it was a person")
	person.renew()


STAGES = (("prepare", "none", "prepared"), ("publish", "prepared", "published"), ("switch", "published", "switched"),
	("back", "switched", "published"), ("switch", "published", "switched"), ("finish", "switched", "none"))


def copy_to_kill(s):
	d = s.root / "killed"
	shutil.copytree(s.dir, d, ignore=shutil.ignore_patterns("run"))
	(d / "run").mkdir()


def killed_in_every_stage(s):
	"""kill -9 after ever longer times: each stage is either not done or done, and runs through when it is called again."""
	d = s.root / "killed"
	binary = str(s.binary)

	def stage():
		return json.loads(run(binary, "ca", "rollover", "--dir", d, "--json"))["stage"]

	hits = 0
	for word, before, after in STAGES:
		check(stage() == before, f"{word}: begins at {before}, not at {stage()}")
		begun = time.monotonic()
		run(binary, "ca", "rollover", "--help")
		least = time.monotonic() - begun
		delay = least / 4
		for _ in range(120):
			p = subprocess.Popen([binary, "ca", "rollover", word, "--dir", str(d)], stdout=subprocess.DEVNULL,
				stderr=subprocess.DEVNULL)
			time.sleep(delay)
			delay *= 1.12
			ended = p.poll() is not None
			if not ended:
				p.send_signal(signal.SIGKILL)
				hits += 1
			p.wait()
			now = stage()
			check(now in (before, after), f"{word} killed: {now}")
			if now == after:
				break
		check(stage() == after, f"{word}: comes to {after} at last")
		run(binary, "ca", "rollover", "status", "--dir", d)
		check(not list((d / "ca").glob("*.tmp*")), "nothing half is left")
	check(hits > 0, "it was killed at least once")
	folders = [p.name for p in (d / "ca").iterdir() if p.is_dir()]
	check(len(folders) == 1, f"of the attempts nothing is left: {folders}")
	check([p.name for p in (d / "offline").iterdir() if p.is_dir()] == folders, "nor of their roots' keys")
	p = subprocess.Popen([binary, "serve", "--dir", str(d)], stderr=subprocess.PIPE, text=True)
	wait_for(lambda: (d / "run" / "ports.json").exists() or p.poll() is not None, "it serves")
	check(p.poll() is None, "it serves after all that")
	p.terminate()
	check(p.wait(60) == 0, "and stops")


def main():
	with Service(sys.argv[1], {"public_http": "http://localhost:8080"}) as s:
		copy_to_kill(s)
		short_label(s)
		s.start()
		r = Rollover(s)
		early, asleep = Device(r, 1), Device(r, 2)
		early.enrol("--anchors", r.old_root)
		asleep.enrol("--anchors", r.old_root)
		late_sleeper = Device(r, 3)
		late_sleeper.enrol("--anchors", r.old_root, label="short")
		enrolled_at = time.monotonic()
		prepare_is_seen_by_nobody(r, early)
		back_from_prepared_leaves_nothing(r, early)
		new_only = published_serves_both_kinds_of_devices(r, early)
		back_from_published_ends_it(r, early)
		late = switched_issues_from_the_new_ca(r, early, asleep)
		back_from_switched_keeps_what_was_issued(r, late)
		a_revoked_old_certificate_is_on_the_old_list(r)
		if len(sys.argv) < 3:
			killed_in_every_stage(s) # meanwhile a certificate expires
		an_expired_sleeper_comes_back(r, late_sleeper, enrolled_at)
		finish_waits_for_the_last_certificate(r, early, new_only)
		a_root_that_nobody_vouches_for_is_not_adopted(r, early)
		a_second_rollover_follows(r, early)
		bootstrap(r)
		s.stop()
	print("rollover: as it should be")


main()
