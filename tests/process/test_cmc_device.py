#!/usr/bin/env python3
"""The device's program asks by full CMC: enrolment, renewal, the revocation of its own certificate; what a MEF that does not
offer it, refuses, or answers for somebody else leads to."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _cmc import events  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

LABELS = """
[label cmc]
profile = device
challenge = required
bind_tls = yes
fullcmc = yes
ask_key = P-256

[profile wide]
validity = 30d
key_usage = digitalSignature
ekus = clientAuth
keys = P-256, P-384
sans = dns, uri

[label free]
profile = wide
challenge = accepted
fullcmc = yes
"""


class Device:
	def __init__(self, s, number):
		self.s, self.stem = s, s.device(number)
		self.out = s.root / f"out-{number}"
		self.uri = f"https://localhost:{s.https}/.well-known/est/cmc"

	def call(self, *words, want=0, says=""):
		done = subprocess.run([str(self.s.binary.parent / "enrolee"), *map(str, words)], capture_output=True, text=True,
			timeout=120, stdin=subprocess.DEVNULL)
		told = f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
		check(done.returncode == want, f"want exit {want}: {told}")
		check(says in done.stdout + done.stderr, f"want '{says}': {told}")

	def enrol(self, *more, **how):
		self.call("enrol", "--mef", how.pop("uri", self.uri), "--cert", f"{self.stem}.pem", "--key", f"{self.stem}.key",
			"--anchors", self.s.dir / "ca" / "root.cert.pem", "--out", self.out, "--connect", f"127.0.0.1:{self.s.https}",
			*more, **how)

	def again(self, command, *more, **how):
		self.call(command, "--dir", self.out, "--connect", f"127.0.0.1:{self.s.https}", *more, **how)

	def serial(self):
		return run("openssl", "x509", "-in", self.out / "current" / "cert.pem", "-noout", "-serial").strip().split("=")[1]


def main():
	with Service(sys.argv[1]) as s:
		with open(s.dir / "openmef.conf", "a") as conf:
			conf.write(LABELS)
		s.start()
		d = Device(s, 1)
		d.enrol("--cmc")
		first = d.serial()
		c = d.out / "current"
		run("openssl", "verify", "-CAfile", c / "anchors.pem", "-untrusted", c / "chain.pem", c / "cert.pem")
		check(events(s)[-1]["what"] == "certificate.issued" and "label 'cmc'" in events(s)[-1]["detail"], "issued under the label")
		d.again("renew", "--cmc", "--force")
		second = d.serial()
		check(second != first, "another certificate")
		check("re-enrolment" in events(s)[-1]["detail"], "a renewal")
		d.again("renew", "--cmc", "--force", "--tls12")
		# a label without full CMC
		Device(s, 2).enrol("--cmc", uri=f"https://localhost:{s.https}/.well-known/est/onem2m", want=1, says="OMEF-1300")
		# the MEF's reason arrives
		other = Device(s, 3)
		run(s.binary, "enrolee", "disable", "device-0003", "--dir", s.dir)
		other.enrol("--cmc", want=4, says="OMEF-1513")
		Device(s, 4).enrol("--cmc", "--key-type", "RSA-2048", uri=f"https://localhost:{s.https}/.well-known/est/free", want=4,
			says="fullcmc: status 2, ")
		other.enrol("--cmc", "--exchange", want=2, says="--cmc")
		d.again("revoke", "--reason", "nonsense", want=2, says="--reason")
		serial = d.serial()
		d.again("revoke", "--reason", "keyCompromise", says="Revoked")
		check("keyCompromise" in run(s.binary, "cert", "show", serial, "--dir", s.dir), "revoked")
		check(events(s)[-1]["what"] in ("certificate.revoked", "crl.published"), "audited")
		d.again("renew", "--force", want=4, says="revoked")

		def listed():
			status, _, body = s.ask_plain("/crl/issuing.crl")
			(s.root / "crl").write_bytes(body)
			return status == 200 and serial in run("openssl", "crl", "-inform", "DER", "-in", s.root / "crl", "-noout", "-text")

		wait_for(listed, "the CRL lists it")
		d.enrol("--cmc") # by the factory's certificate again
		check(d.serial() != serial, "a new one")
		s.stop()
		run(s.binary, "audit", "verify", "--dir", s.dir)


if __name__ == "__main__":
	main()
