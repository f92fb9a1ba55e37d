#!/usr/bin/env python3
"""
Remote MAF enrolment with a certificate (seed 003 8.3.3.4, credential type certificate): real MEF, real MAF, real
devices. An AE and a CSE enrol by Kpm, get a certificate that the preferences demand, and are clients of the MAF by it.
"""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, Maf  # noqa: E402
from _maf_device import Device, call, no_secret_is_told, session  # noqa: E402
from _psk import Secrets, no_fault  # noqa: E402
from _service import Service, check, run  # noqa: E402

AE, CSE, OTHER = "https://pump.example.com/Cpump", "cse-b.m2m.example.com", "cse-c.m2m.example.com"


def audit(s):
	return run(s.binary, "audit", "list", "--dir", s.dir, "--limit", "1000")


def the_exchange_makes_certificate_and_names_the_maf(w):
	for d in (w.ae, w.cse, w.other):
		d.enrol(says=["8.3.3.1 step 6"])
		told = d.keys()
		check([(m["fqdn"], m["credential"], m["kmid"]) for m in told["mafs"]] == [(MAF, "certificate", None)], f"{d.name}: {told}")
		check("km" not in told["mafs"][0], "a MAF by certificate has no Km")


def clients_are_who_their_certificate_says(w):
	for d in (w.ae, w.cse, w.other):
		for more in ([], ["--tls12"]):
			told = d.connect(*more)
			check(told["client_id"] == d.entity and told["kmid"] is None, f"{d.name}: {told}")
		check(d.connect()["registration"] == told["registration"], "again is the same registration")
	w.ae.connect("--origin", AE)
	w.ae.connect("--origin", CSE, want=4, says="OMEF-2315")
	check("maf.key.assigned" not in audit(w.maf), "no Km was fetched")


def keys_go_between_certificate_clients(w):
	for source, target in ((w.ae, w.cse), (w.cse, w.ae)):
		for more, version in (([], "TLSv1.3"), (["--tls12"], "TLSv1.2")):
			keyid = source.register(target.entity, *more)
			w.other.fetch(keyid, *more, want=4, says="OMEF-2304")
			told = target.fetch(keyid, *more)
			check(told["peer"] == source.entity and told["suid"] == 32, f"{told}")
			check(source.pairwise(keyid) == target.pairwise(keyid), "both hold the same key")
			check(session(target, source, keyid, *more) == version, f"a session of {version}")


def strangers_are_refused(w):
	"""A factory's certificate and one that nobody vouches for are not the MEF's."""
	stem = w.mef.device(5)
	selfmade = w.mef.root / "selfmade"
	run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{selfmade}.key", "-out",
		f"{selfmade}.pem", "-subj", "/CN=x", "-addext", f"subjectAltName=URI:{AE}")
	for s in (stem, selfmade):
		os.chmod(f"{s}.key", 0o600)
		done = subprocess.run([str(word) for word in (w.ae.binary, "maf", "connect", MAF, "--cert", f"{s}.pem", "--key", f"{s}.key", "--anchors",
			w.mef.dir / "ca" / "root.cert.pem", "--uri", f"https://{MAF}:{w.maf.https}", "--connect", f"127.0.0.1:{w.maf.https}", "--dir",
			w.ae.dir)], capture_output=True, text=True, timeout=120)
		check(done.returncode not in (0, 2), f"{s}: {done.returncode} {done.stdout}{done.stderr}")


def a_revoked_certificate_counts_here_until_it_ends(w):
	"""docs/decisions/0014: the MAF sees no CRL. The MEF, which asks its own store, refuses it at once."""
	rows = json.loads(run(w.mef.binary, "cert", "list", "--dir", w.mef.dir, "--json"))
	serial = next(row["serial"] for row in rows if row["enrolee"] == w.other.name)
	run(w.mef.binary, "cert", "revoke", serial, "--dir", w.mef.dir)
	call([w.other.binary, "renew", "--force", "--dir", w.other.dir, "--connect", f"127.0.0.1:{w.mef.https}"], want=4)
	w.other.connect()


class World:
	pass


def main():
	w = World()
	w.secrets = Secrets()
	with Service(sys.argv[1]) as w.mef:
		w.mef.start()
		with Maf(w.mef, f"127.0.0.1:{w.mef.https}") as w.maf:
			w.maf.start()
			w.ae, w.cse, w.other = (Device(w.mef, w.maf, name, kind, entity, w.secrets, credential="certificate", certificate="require")
				for name, kind, entity in (("pump", "ae", AE), ("cse-b", "cse", CSE), ("cse-c", "cse", OTHER)))
			for test in (the_exchange_makes_certificate_and_names_the_maf, clients_are_who_their_certificate_says,
					keys_go_between_certificate_clients, strangers_are_refused, a_revoked_certificate_counts_here_until_it_ends):
				test(w)
				print(f"{test.__name__}: passed", flush=True)
			w.maf.stop()
			w.mef.stop()
			no_secret_is_told(w.secrets, w.maf, w.mef)
			for s in (w.mef, w.maf):
				run(s.binary, "audit", "verify", "--dir", s.dir)
				no_fault(s)


if __name__ == "__main__":
	main()
