#!/usr/bin/env python3
"""The device's enrolment by shared key against a real service: exchange, keys on both sides, re-enrolment, retrieval by a target."""

import datetime
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run  # noqa: E402

TARGET = "cse2.m2m.example.com"
MAF = "maf.example.com"
PREFS = {"certificate": "offer", "certificateUsages": [42], "enrolmentExpiry": 86400,
	"mafs": [{"fqdn": MAF, "uri": f"https://{MAF}:8444", "credential": "symmetricKey", "usages": [32]}],
	"targets": [{"id": TARGET, "usages": [22]}]}

secrets = set() # every key that a device shows of itself: none may stand in the service's log


class Device:
	def __init__(self, s, name, entity=None, prefs=None):
		self.s, self.name = s, name
		self.binary = s.binary.parent / "enrolee"
		self.out = s.root / f"out-{name}"
		self.kpm = s.root / f"{name}.kpm"
		run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", "cse" if entity else "node", "--entity", entity or f"urn:example:node:{name}", "--psk",
			name, "--psk-out", self.kpm)
		secrets.add(self.kpm.read_text().strip().upper())
		if prefs is not None:
			path = s.root / f"{name}.prefs"
			path.write_text(json.dumps(prefs))
			run(s.binary, "prefs", "set", "--dir", s.dir, "--enrolee", name, path)

	def call(self, *words, want=0, says=(), given=""):
		done = subprocess.run([str(self.binary), *map(str, words)], capture_output=True, text=True, timeout=120, input=given)
		told = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}\n{self.s.log_text()[-2000:]}")
		for text in [says] if isinstance(says, str) else says:
			check(text in done.stdout + done.stderr, f"want '{text}': {told}")
		return done.stdout

	def at(self):
		return ["--connect", f"127.0.0.1:{self.s.https}"]

	def enrol(self, *more, want=0, says=(), given="", kpm=None):
		return self.call("enrol", "--mef", f"https://localhost:{self.s.https}", "--psk", kpm or self.kpm, "--psk-id", f"{self.name}@localhost",
			"--out", self.out, *self.at(), *more, want=want, says=says, given=given)

	def keys(self):
		told = json.loads(self.call("keys", "--out", self.out, "--json", "--show-secrets"))
		secrets.update([told["ke"], told["kre"]])
		return told

	def derived(self, *words):
		key = json.loads(self.call("derive", *words, "--out", self.out, "--json", "--show-secrets"))["key"]
		secrets.add(key)
		return key


def keys_alone(s):
	d = Device(s, "keys-alone", prefs=PREFS)
	for n, tls in enumerate(([], ["--tls12"])):
		d.enrol("--no-certificate", *tls, says=["KeId", MAF, TARGET])
		k = d.keys()
		check(k["keid"].endswith("@localhost") and k["kreid"].endswith("@localhost") and k["keid"] != k["kreid"], f"identifiers: {k}")
		check([(p["enrolee_b"], p["suid"]) for p in k["authorised_pairs"]] == [(TARGET, 22)], f"pairs: {k}")
		check(k["mafs"][0]["fqdn"] == MAF and k["mafs"][0]["km"] == d.derived("usage", "--suid", "21", "--target", MAF), f"Km: {k}")
		check(sorted(os.listdir(d.out / "current")) == ["keys.json", "mef.uri"], "a generation without certificate")
		check((d.out / "current" / "keys.json").stat().st_mode & 0o777 == 0o600, "mode of keys.json")
		check(os.readlink(d.out / "current") == f"gen-{n + 1}" and (n == 0 or not (d.out / "gen-1" / "keys.json").exists()), "old keys go")
	d.call("status", "--out", d.out, says="no certificate")


def certificate_and_keys(s):
	d = Device(s, "certificate", prefs=PREFS)
	d.enrol(says=["8.3.3.1 step 6", "step 3c", "KeId"])
	c = d.out / "current"
	run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
	check((c / "keys.json").exists() and (c / "key.pem").exists(), "both kinds of credentials in one generation")
	before = d.keys()
	d.call("renew", "--force", "--out", d.out, *d.at())
	check(d.keys()["keid"] == before["keid"], "a renewed certificate keeps the keys")


def a_certificate_device_gets_keys_too(s):
	number = 71
	stem = s.device(number)
	d = Device(s, "unused", prefs=PREFS)
	path = s.root / "prefs.json"
	path.write_text(json.dumps(PREFS))
	run(s.binary, "prefs", "set", "--dir", s.dir, "--enrolee", f"device-{number:04d}", path)
	d.call("enrol", "--exchange", "--mef", f"https://localhost:{s.https}", "--cert", f"{stem}.pem", "--key", f"{stem}.key", "--anchors",
		s.dir / "ca" / "root.cert.pem", "--out", d.out, *d.at(), says=["KeId", "step 3c"])
	check(d.keys()["authorised_pairs"], "pairs")


def again_by_kre(s):
	d = Device(s, "again", prefs=PREFS)
	d.enrol("--no-certificate")
	first = d.keys()
	d.call("enrol", "--again", "--no-certificate", "--out", d.out, *d.at())
	second = d.keys()
	check(first["keid"] != second["keid"] and first["kre"] != second["kre"], "fresh keys")


def a_wrong_key_or_name_is_refused_alike(s):
	d = Device(s, "wrong")
	for name in ("wrong", "nobody"):
		d.name = name
		for tls in ([], ["--tls12"]):
			d.enrol("--no-certificate", "--no-wait", *tls, want=4, says="OMEF-1819", kpm="-", given="00" * 32)
	check(not (d.out / "current").exists(), "nothing was stored")


def a_target_fetches_its_key(s):
	d = Device(s, "source", prefs=PREFS)
	d.enrol("--no-certificate")
	keid = d.keys()["keid"]
	t = Device(s, "target", entity=TARGET, prefs={"certificate": "never"})
	t.enrol("--no-certificate")
	told = json.loads(t.call("fetch-key", keid, "--suid", 22, "--origin", TARGET, "--mef", f"https://localhost:{s.https}", "--out", t.out,
		*t.at(), "--json"))
	check(told["keid"] == keid and told["applicableCredIDs"].endswith(keid), f"told: {told}")
	stored = json.loads((t.out / "fetched" / f"{keid}-22.json").read_text())
	check(stored["key"] == d.derived("usage", "--suid", 22, "--target", TARGET), "both have the same key")
	for words in (["--suid", 23, "--origin", TARGET], ["--suid", 22, "--origin", "cse3.m2m.example.com"]):
		t.call("fetch-key", keid, *words, "--mef", f"https://localhost:{s.https}", "--out", t.out, *t.at(), want=4)
	o = Device(s, "other", entity="cse3.m2m.example.com", prefs={"certificate": "never"})
	o.enrol("--no-certificate")
	for origin in (TARGET, "cse3.m2m.example.com"):
		o.call("fetch-key", keid, "--suid", 22, "--origin", origin, "--mef", f"https://localhost:{s.https}", "--out", o.out, *o.at(), want=4)
	check(not (o.out / "fetched").exists(), "nothing was stored")


def a_direct_key_opens_a_session_between_both(s):
	"""Seed 003 8.3.3.5: the enrolee derives, the target fetches by Kre as whom it enrolled, KeId is the identifier."""
	d = Device(s, "direct", prefs={"certificate": "never", "targets": [{"id": "cse4.m2m.example.com", "usages": [24, 22]}]})
	d.enrol()
	keid = d.keys()["keid"]
	t = Device(s, "direct-target", entity="cse4.m2m.example.com", prefs={"certificate": "never"})
	t.enrol("--tls12")
	for usage in ("esdata", "saef"):
		t.call("fetch-key", keid, "--suid", usage, "--mef", f"https://localhost:{s.https}", "--out", t.out, *t.at(), says="allowedAEs")
	p = subprocess.Popen([str(t.binary), "session", "listen", keid, "--out", str(t.out), "--say", "from the target"],
		stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
	port = re.match(r"listening on 127\.0\.0\.1:(\d+)$", p.stderr.readline().strip()).group(1)
	d.call("session", "connect", keid, "--port", port, "--target", "cse4.m2m.example.com", "--out", d.out, says="Heard: from the target")
	out, err = p.communicate(timeout=60)
	check(p.returncode == 0, f"the target: {out}{err}")
	d.call("session", "connect", keid, "--port", port, "--target", "cse5.m2m.example.com", "--out", d.out, want=4, says="OMEF-1829")
	t.call("session", "connect", keid, "--port", port, "--target", "cse4.m2m.example.com", "--out", t.out, want=1, says="of the own enrolment")


def a_maf_that_wants_a_certificate_is_left_out(s):
	"""Seed 003 8.3.3.1 step 7: the device has none, and the exchange goes on with what follows."""
	mafs = [{"fqdn": f"maf{n}.example.com", "uri": f"https://maf{n}.example.com", "credential": c, "usages": [32]}
		for n, c in enumerate(("certificate", "symmetricKey", "certificate"))]
	d = Device(s, "left-out", prefs={"certificate": "offer", "mafs": mafs, "targets": [{"id": TARGET, "usages": [22]}]})
	d.enrol("--no-certificate", says=["maf1.example.com", TARGET])
	check([m["fqdn"] for m in d.keys()["mafs"]] == ["maf1.example.com"], "one MAF")


def the_device_has_instructions_of_its_own(s):
	"""Tables 9.2.2.1-1 and -2: Enrolment Target Identifier, Enrolment Expiry."""
	d = Device(s, "instructed", prefs=PREFS)
	d.enrol("--no-certificate", "--target", TARGET, "--target", MAF.upper(), "--expiry", "2h")
	left = datetime.datetime.fromisoformat(d.keys()["expires"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
	check(left <= datetime.timedelta(hours=2) and left > datetime.timedelta(minutes=110), f"two hours, not the MEF's: {left}")
	d.enrol("--no-certificate", "--expiry", "3650d")
	left = datetime.datetime.fromisoformat(d.keys()["expires"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
	check(left < datetime.timedelta(days=3000), f"the MEF's, which is shorter: {left}")
	d.enrol("--no-certificate", "--target", "cse99.example.com", want=4, says=["OMEF-1830", "cse99.example.com"])
	check(d.keys()["keid"], "what was granted is kept")
	d.enrol("--no-certificate", "--expiry", "59s", want=2, says="9.2.2.1")


def a_token_is_wanted(s):
	d = Device(s, "token", prefs=PREFS)
	d.enrol("--no-certificate", want=4, says="OMEF-1802")
	token = json.loads(run(s.binary, "token", "add", "--dir", s.dir, "token", "--json"))["token"]
	d.enrol("--no-certificate", "--token-file", "-", want=4, given="WRONG" + token[5:])
	d.enrol("--no-certificate", "--token-file", "-", given=token + "\n")
	secrets.add(token)


def no_secret_stands_in_the_log(s):
	log = s.log_text().upper()
	check(len(secrets) > 8, "secrets were gathered")
	for secret in secrets:
		check(secret.upper() not in log, "a key stands in the log")


def main():
	with Service(sys.argv[1]) as s:
		s.start()
		for test in (keys_alone, certificate_and_keys, a_certificate_device_gets_keys_too, again_by_kre, a_wrong_key_or_name_is_refused_alike,
				a_target_fetches_its_key, a_direct_key_opens_a_session_between_both,
				a_maf_that_wants_a_certificate_is_left_out, the_device_has_instructions_of_its_own, no_secret_stands_in_the_log):
			test(s)
			print("ok", test.__name__, flush=True)
		s.stop()
	with Service(sys.argv[1], {"token_required": "yes"}) as s:
		s.start()
		for test in (a_token_is_wanted, no_secret_stands_in_the_log):
			test(s)
			print("ok", test.__name__, flush=True)
		s.stop()


main()
