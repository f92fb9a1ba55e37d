"""Devices that are clients of a MAF: the program `enrolee` against a real MEF and a real MAF."""

import json
import os
import re
import subprocess
import time

from _maf import MAF
from _service import check, run, wait_for


def call(argv, want=0, says=()):
	done = subprocess.run([str(word) for word in argv], capture_output=True, text=True, timeout=120)
	told = f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}"
	check(done.returncode == want, f"want exit {want}: {told}")
	for text in [says] if isinstance(says, str) else says:
		check(text in done.stdout + done.stderr, f"want '{text}': {told}")
	return done.stdout


class Device:
	"""An enrolee by Kpm of `mef`, whose preferences name `maf`."""

	def __init__(self, mef, maf, name, kind, entity, secrets, credential="symmetricKey", certificate="never", expiry=86400):
		self.mef, self.maf, self.name, self.entity, self.secrets = mef, maf, name, entity, secrets
		self.binary = mef.binary.parent / "enrolee"
		self.dir = mef.root / f"device-{name}"
		self.kpm = mef.root / f"{name}.kpm"
		run(mef.binary, "enrolee", "add", name, "--dir", mef.dir, "--type", kind, "--entity", entity, "--psk", name, "--psk-out", self.kpm)
		prefs = mef.root / f"{name}.prefs"
		prefs.write_text(json.dumps({"certificate": certificate, "enrolmentExpiry": expiry,
			"mafs": [{"fqdn": MAF, "uri": f"https://{MAF}:{maf.https}", "credential": credential, "usages": [32]}]}))
		run(mef.binary, "prefs", "set", "--dir", mef.dir, "--enrolee", name, prefs)
		secrets.add(f"Kpm of {name}", bytes.fromhex(self.kpm.read_text().strip().split(":")[-1]))

	def enrol(self, *more, **how):
		told = call([self.binary, "enrol", "--mef", f"https://localhost:{self.mef.https}", "--psk", self.kpm, "--psk-id", f"{self.name}@localhost",
			"--dir", self.dir, "--connect", f"127.0.0.1:{self.mef.https}", *more], **how)
		if (self.dir / "current" / "keys.json").exists():
			self.keys()
		return told

	def keys(self):
		told = json.loads(call([self.binary, "keys", "--dir", self.dir, "--json", "--show-secrets"]))
		for name in ("ke", "kre"):
			self.secrets.add(f"{name} of {self.name}", bytes.fromhex(told[name]))
		for maf in told["mafs"]:
			if maf.get("km"):
				self.secrets.add(f"Km of {self.name}", bytes.fromhex(maf["km"]))
		return told

	def ask(self, *words, want=0, says=()):
		return call([self.binary, "maf", *words, "--connect", f"127.0.0.1:{self.maf.https}", "--dir", self.dir], want, says)

	def connect(self, *more, **how):
		told = self.ask("connect", MAF, "--json", *more, **how)
		return json.loads(told) if told else None

	def register(self, target, *more, **how):
		told = self.ask("register-key", MAF, "--target", target, "--suid", "32", "--json", *more, **how)
		return json.loads(told)["keyid"] if told else None

	def fetch(self, keyid, *more, **how):
		told = self.ask("fetch-key", keyid, "--json", *more, **how)
		return json.loads(told) if told else None

	def pairwise(self, keyid):
		"""The key in the store, as hex."""
		found = [p for p in (self.dir / "pairwise").iterdir() if keyid in p.name]
		check(len(found) == 1 and found[0].stat().st_mode & 0o777 == 0o600, f"{self.name}: {found}")
		key = json.loads(found[0].read_text())["key"]
		self.secrets.add(f"Kc {keyid}", bytes.fromhex(key))
		return key


def session(listening, connecting, keyid, *more):
	"""One TLS session by the key between the two; returns (what each heard, version)."""
	argv = [listening.binary, "session", "listen", keyid, "--say", f"this is {listening.name}", "--dir", listening.dir, "--json", *more]
	log = listening.dir / "session.log"
	with open(log, "w") as err:
		p = subprocess.Popen([str(word) for word in argv], stdout=subprocess.PIPE, stderr=err, text=True)
	try:
		wait_for(lambda: "listening on" in log.read_text() or p.poll() is not None, "the other side listens")
		port = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
		check(port, f"{keyid}: {log.read_text()}")
		told = json.loads(call([connecting.binary, "session", "connect", keyid, "--port", port.group(1), "--say", f"this is {connecting.name}",
			"--dir", connecting.dir, "--json", *more]))
		heard = json.loads(p.communicate(timeout=60)[0])
	finally:
		p.kill()
		p.wait()
	check(told["heard"] == f"this is {listening.name}" and heard["heard"] == f"this is {connecting.name}", f"{told} {heard}")
	check(told["version"] == heard["version"], f"{told} {heard}")
	return told["version"]


def no_secret_is_told(secrets, *services):
	check(len(secrets.made) > 6, "secrets were gathered")
	for s in services:
		secrets.search("log", s.log_text().encode())
		for path in s.dir.rglob("*"):
			if path.is_file() and not path.is_symlink():
				secrets.search(str(path), path.read_bytes())
