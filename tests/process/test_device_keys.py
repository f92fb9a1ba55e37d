#!/usr/bin/env python3
"""The device's commands for symmetric keys, without a MEF: derivations, listing, expiry, sessions by shared key."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import START_S, check  # noqa: E402

KEID = "000102030405060708090A0B0C0D0E0F@mef.example.com"
KREID = "808182838485868788898A8B8C8D8E8F@mef.example.com"
KE = bytes(range(0x10, 0x30)).hex().upper()
KRE = bytes(range(0x90, 0xb0)).hex().upper()
PAIR = "A00102030405060708090A0B0C0D0E0F@maf.example.com"
PAIR_KEY = "5A" * 32


class Device:
	def __init__(self, build, root, name):
		self.binary = pathlib.Path(build).resolve() / "src" / "enrolee"
		self.out = root / name

	def call(self, *words, want=0, says=(), given=None):
		done = subprocess.run([str(self.binary), *map(str, words)], capture_output=True, text=True, timeout=120, input=given or "")
		told = f"{' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}")
		for text in [says] if isinstance(says, str) else says:
			check(text in done.stdout + done.stderr, f"want '{text}': {told}")
		self.last = done.stdout + done.stderr
		return done.stdout

	def silent(self, *secrets):
		for s in secrets:
			check(s not in self.last.upper(), f"a key is shown: {self.last}")

	def store(self, seconds=86400, mode=0o600):
		"""A generation without certificate, as an exchange leaves it."""
		g = self.out / "gen-1"
		g.mkdir(parents=True, mode=0o700)
		os.chmod(self.out, 0o700)
		(self.out / "current").symlink_to("gen-1")
		(g / "mef.uri").write_text("https://mef.example.com:8443")
		self.keys = g / "keys.json"
		self.store_again(seconds, mode)

	def store_again(self, seconds=86400, mode=0o600):
		self.keys.write_text(json.dumps({"keId": KEID, "ke": KE, "kreId": KREID, "kre": KRE, "expires": int(time.time()) + seconds,
			"enroleeID": "cse1.m2m.example.com", "mafs": [{"mafID": "maf.example.com", "uri": "https://maf.example.com",
			"credentialType": "symmetricKey", "securityUsages": [32], "km": "77" * 32, "kmId": ""}],
			"authorizedPairs": [{"enroleeBID": "cse2.m2m.example.com", "securityUsage": 22}]}))
		self.keys.chmod(mode)

	def shared(self, folder, keyid, suid, key, seconds=86400):
		d = self.out / folder
		d.mkdir(parents=True, exist_ok=True, mode=0o700)
		path = d / f"{keyid}-{suid}.json"
		path.write_text(json.dumps({"keyId": keyid, "securityUsage": suid, "key": key, "peer": "cse2.m2m.example.com",
			"expires": int(time.time()) + seconds}))
		path.chmod(0o600)
		return path


def derivations_give_the_known_answers(d):
	"""TS-0003 10.3.1, 10.3.2, 10.3.3, 10.3.7: the values that fix our reading."""
	rows = [
		(["km", "--maf-id", "maf.example.com"], "28A823BFE683D7ACFED2E53DEA75E63F39C5FC4BC3D6FFC2B2AA469237DCF4D8"),
		(["kpsa", "--enrolee-b", "//m2m.example.com/cse1"], "2084EE278EB7694682452DFD5D8B326C823D98DA179C509785C376E1D786E361"),
		(["usage", "--suid", "21", "--target", "maf.example.com"], "C413740F794F52A10B894DD30D3126F95F06C3C28FEA22E7A927A89B10366264"),
		(["usage", "--suid", "22", "--target", "cse1.m2m.example.com"],
			"7CA5796653CEF9259BB1841464623D2DCA2D95D61004BC3CD69261622EAD1943"),
	]
	d.store()
	ke = d.out / "ke.txt"
	ke.write_text(f"{KE}\n")
	ke.chmod(0o600)
	to = d.out / "derived.txt"
	for words, want in rows:
		d.call("derive", *words, "--ke-file", ke, "--to", to)
		d.silent(want, KE)
		check(to.read_text() == want + "\n" and to.stat().st_mode & 0o777 == 0o600, f"{words}: {to.read_text()}")
		told = json.loads(d.call("derive", *words, "--ke-file", "-", "--show-secrets", "--json", given=f"{KEID}:{KE}\n"))
		check(told["key"] == want and told["keid"] == KEID, f"{words}: {told}")
		d.call("derive", *words, "--out", d.out, says=["SHA-256 of the key", KEID])
		d.silent(want, KE)
	told = json.loads(d.call("derive", *rows[3][0], "--out", d.out, "--json"))
	check(told["credential_id"].endswith(KEID) and "key" not in told, f"Credential-ID: {told}")
	told = json.loads(d.call("derive", "split", "--exporter-file", "-", "--fqdn", "mef.example.com", "--show-secrets", "--json",
		given=bytes(range(48)).hex()))
	check(told["key"] == KE and told["keid"] == KEID, f"split: {told}")


def wrong_inputs_are_usage_or_refused(d):
	d.store()
	d.call("derive", "kx", want=2, says="km, kpsa, usage or split")
	d.call("derive", "km", want=2, says="--maf-id")
	d.call("derive", "usage", "--suid", "99", "--target", "x", "--out", d.out, want=2, says="security usage identifier")
	for bad in ("", "00", "zz" * 32, KE + "00", f"{KE}\n{KE}"):
		d.call("derive", "km", "--maf-id", "maf.example.com", "--ke-file", "-", want=1, says="OMEF-1824", given=bad)
		d.silent(KE)
	open_file = d.out / "open.txt"
	open_file.write_text(KE)
	open_file.chmod(0o644)
	d.call("derive", "km", "--maf-id", "maf.example.com", "--ke-file", open_file, want=1, says="chmod 600")
	d.call("derive", "split", "--exporter-file", "-", "--fqdn", "mef.example.com", want=1, says="OMEF-1824", given="00" * 47)
	d.call("enrol", "--psk", open_file, "--mef", "https://mef.example.com", "--out", d.out, want=1, says="chmod 600")
	d.call("enrol", "--psk", "-", "--mef", "https://mef.example.com", "--out", d.out, want=2, says="--psk-id", given=KE)
	d.call("enrol", "--psk", "-", "--again", "--out", d.out, want=2, says="either --psk or --again")
	d.call("enrol", "--psk", "-", "--cert", "x", "--out", d.out, want=2, says="either a key")
	d.call("enrol", "--psk", "-", "--psk-id", "device@mef.example.com", "--mef", "https://mef.example.com", "--out", d.out, want=1,
		says="want 32 to 128 hexadecimal digits", given="00" * 15)
	d.call("enrol", "--psk", "-", "--psk-id", "no identifier", "--mef", "https://mef.example.com", "--out", d.out, want=1, given=KE)


def keys_are_listed_without_the_keys(d):
	d.call("keys", "--out", d.out)
	d.store()
	d.shared("pairwise", PAIR, 32, PAIR_KEY)
	d.shared("fetched", KEID, 22, "6B" * 32)
	d.shared("fetched", KEID, 24, "6C" * 32)
	d.call("keys", "--out", d.out, says=[KEID, KREID, "maf.example.com", "cse2.m2m.example.com for 22", PAIR])
	d.silent(KE, KRE, PAIR_KEY)
	told = json.loads(d.call("keys", "--out", d.out, "--json"))
	d.silent(KE, KRE, PAIR_KEY, "77" * 32)
	check(told["keid"] == KEID and told["authorised_pairs"][0]["suid"] == 22 and told["pairwise"][0]["keyid"] == PAIR, f"JSON: {told}")
	told = json.loads(d.call("keys", "--out", d.out, "--json", "--show-secrets"))
	check((told["ke"], told["kre"], told["pairwise"][0]["key"]) == (KE, KRE, PAIR_KEY), f"secrets: {told}")


def expired_keys_are_refused_and_erased(d):
	d.store(seconds=-1)
	d.call("keys", "--out", d.out, want=4, says=["OMEF-1827", "it has been erased"])
	check(not d.keys.exists() and (d.out / "current" / "mef.uri").exists(), "keys.json is erased, the rest stays")
	d.silent(KE)
	d.call("keys", "--out", d.out, says="No Enrolment Key")
	d.call("enrol", "--again", "--out", d.out, want=3, says=["OMEF-1828", "enrolee enrol --psk"])
	d.store_again(seconds=-1)
	path = d.shared("fetched", KEID, 22, PAIR_KEY, seconds=0)
	d.call("keys", "--out", d.out, want=4)
	check(not path.exists(), "keys of others go with one look, whatever became of the own")
	for folder, keyid in (("pairwise", PAIR), ("fetched", KEID)):
		path = d.shared(folder, keyid, 22, PAIR_KEY, seconds=0)
		d.call("session", "connect", keyid, "--port", 1, "--out", d.out, want=4, says="OMEF-1827")
		check(not path.exists(), f"{path} is erased")
		path = d.shared(folder, keyid, 22, PAIR_KEY, seconds=0)
		d.call("keys", "--out", d.out)
		check(not path.exists(), f"{path} is erased by a listing")


def every_command_that_needs_keys_erases_expired_ones(d):
	rows = [["enrol", "--again"], ["derive", "km", "--maf-id", "maf.example.com"], ["status"]]
	for words in rows:
		d.out = d.out.with_name(d.out.name + "x")
		d.store(seconds=-5)
		subprocess.run([str(d.binary), *words, "--out", str(d.out)], capture_output=True, timeout=60, check=False)
		check(not d.keys.exists(), f"{words} erases")


def exposed_and_damaged_files_are_refused(d):
	d.store(mode=0o644)
	d.call("keys", "--out", d.out, want=1, says="chmod 600")
	d.silent(KE)
	d.keys.chmod(0o600)
	text = d.keys.read_text()
	for bad in ("", "{", text[:-20], text.replace(KE, KE[:-2]), text.replace(KE, "secret")):
		d.keys.write_text(bad)
		d.call("keys", "--out", d.out, want=1)
		d.silent(KE[2:40], "SECRET")


def status_of_a_device_without_certificate(d):
	d.store()
	d.call("status", "--out", d.out, says=[KEID, "no certificate"])
	told = json.loads(d.call("status", "--out", d.out, "--json"))
	check(told["keid"] == KEID and told["state"] == "no certificate", f"status: {told}")
	d.call("renew", "--out", d.out, want=3)


def listen(d, *words):
	p = subprocess.Popen([str(d.binary), "session", "listen", PAIR, "--out", str(d.out), "--json", *words], stdout=subprocess.PIPE,
		stderr=subprocess.PIPE, text=True)
	line = p.stderr.readline()
	found = re.match(r"listening on 127\.0\.0\.1:(\d+)$", line.strip())
	check(found, f"the port is told: {line}{p.stderr.read() if not found else ''}")
	return p, found.group(1)


def both_ends_prove_the_key(a, b):
	a.shared("pairwise", PAIR, 32, PAIR_KEY)
	b.shared("pairwise", PAIR, 32, PAIR_KEY)
	for tls in ([], ["--tls12"]):
		p, port = listen(a, "--say", "from a")
		told = json.loads(b.call("session", "connect", PAIR, "--port", port, "--out", b.out, "--json", "--say", "from b", *tls))
		out, err = p.communicate(timeout=START_S)
		check(p.returncode == 0, f"listener: {err}")
		heard = json.loads(out)
		check(told["heard"] == "from a" and heard["heard"] == "from b", f"lines: {told} {heard}")
		check(told["suite"] == heard["suite"] and told["version"] == ("TLSv1.2" if tls else "TLSv1.3"), f"session: {told}")


def another_key_gets_no_session(a, b):
	a.shared("pairwise", PAIR, 32, PAIR_KEY)
	b.shared("pairwise", PAIR, 32, "A5" * 32)
	p, port = listen(a)
	b.call("session", "connect", PAIR, "--port", port, "--out", b.out, want=4, says="OMEF-1819")
	b.silent("A5A5", "5A5A")
	_, err = p.communicate(timeout=START_S)
	check(p.returncode == 4 and "OMEF-1819" in err, f"listener: {p.returncode} {err}")


def openssl_joins_the_session(a, b):
	"""Another TLS library's program, or at least another program, with the same identity and key."""
	a.shared("pairwise", PAIR, 32, PAIR_KEY)
	for version in ("-tls1_2", "-tls1_3"):
		p, port = listen(a, "--say", "well met")
		words = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", version, "-psk_identity", PAIR, "-psk", PAIR_KEY, "-quiet"]
		if version == "-tls1_2":
			words += ["-cipher", "PSK-AES128-CBC-SHA256"]
		done = subprocess.run(words, input="hello from openssl\n", capture_output=True, text=True, timeout=60, check=False)
		out, err = p.communicate(timeout=START_S)
		check(p.returncode == 0 and json.loads(out)["heard"] == "hello from openssl", f"{version}: {out}{err}{done.stderr}")
		check("well met" in done.stdout, f"{version}: {done.stdout}{done.stderr}")


def the_manual_names_every_command(d):
	text = d.call("help", "manual")
	for name in ("keys", "derive", "fetch-key", "maf connect", "maf register-key", "maf fetch-key", "session listen", "session connect"):
		check(name.replace("-", r"\-") in text or name in text, f"the manual has {name}")
		d.call(*name.split(), "--help", says=name)


def main():
	build = sys.argv[1]
	single = [derivations_give_the_known_answers, wrong_inputs_are_usage_or_refused, keys_are_listed_without_the_keys,
		expired_keys_are_refused_and_erased, every_command_that_needs_keys_erases_expired_ones, exposed_and_damaged_files_are_refused,
		status_of_a_device_without_certificate, the_manual_names_every_command]
	double = [both_ends_prove_the_key, another_key_gets_no_session, openssl_joins_the_session]
	with tempfile.TemporaryDirectory(prefix="openmef-test-") as scratch:
		root = pathlib.Path(scratch)
		for test in single:
			test(Device(build, root, test.__name__))
			print("ok", test.__name__, flush=True)
		for test in double:
			test(Device(build, root, test.__name__ + "-a"), Device(build, root, test.__name__ + "-b"))
			print("ok", test.__name__, flush=True)


main()
