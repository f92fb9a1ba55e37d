"""One registered device of a service, its program and its directory of credentials, for tests of several files."""

import json
import subprocess

from _service import check, run


class Device:
	def __init__(self, s, number):
		self.s, self.stem, self.id = s, s.device(number), f"device-{number:04d}"
		self.out = s.root / f"out-{number}"
		self.binary = s.binary.with_name("enrolee")

	def words(self, label="", *more):
		uri = f"https://localhost:{self.s.https}" + (f"/.well-known/est/{label}" if label else "")
		return [str(self.binary), "enrol", "--mef", uri, "--cert", f"{self.stem}.pem", "--key", f"{self.stem}.key", "--anchors",
			str(self.s.dir / "ca" / "root.cert.pem"), "--out", str(self.out), *more]

	def run(self, words, want, *says):
		done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
		check(done.returncode == want, f"{words[1]}: want exit {want}, have {done.returncode}\n{done.stdout}{done.stderr}")
		for text in says:
			check(text in done.stderr, f"want '{text}': {done.stderr}")
		return done.stdout

	def enrol(self, label="", want=0, says=(), more=()):
		return self.run(self.words(label, "--no-wait", *more), want, *says)

	def renew(self, want=0, says=(), more=()):
		return self.run([str(self.binary), "renew", "--dir", str(self.out), "--force", "--no-wait", "--mef",
			f"https://localhost:{self.s.https}/.well-known/est/onem2m", *more], want, *says)

	def status(self, ok=(0, 4)):
		return json.loads(run(self.binary, "status", "--json", "--dir", self.out, ok=ok))

	def pending(self):
		return {p.name: p.read_bytes() for p in self.out.glob("pending.*")}

	def serial(self):
		text = run("openssl", "x509", "-in", self.out / "current" / "cert.pem", "-noout", "-serial")
		return text.strip().split("=")[1].lower().lstrip("0")
