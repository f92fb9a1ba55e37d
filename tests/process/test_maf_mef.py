#!/usr/bin/env python3
"""A MEF and its MAF, both real: an enrolee by Kpm takes its Ke to the MAF, which fetches Km by its own certificate."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, Maf  # noqa: E402
from _psk import Secrets, Session, add_enrolee, derive_constrained, no_fault  # noqa: E402
from _service import Service, check, run  # noqa: E402

PREFS = {"certificate": "never", "enrolmentExpiry": 3600,
	"mafs": [{"fqdn": MAF, "uri": f"https://{MAF}:8444", "credential": "symmetricKey", "usages": [32]}]}


def enrol(mef, name, secrets, prefs):
	identity, key = add_enrolee(mef, name, "cse", f"{name}.m2m.example.com", prefs=prefs, secrets=secrets)
	session = Session(mef, identity, key, secrets=secrets)
	check(not session.failed, f"handshake of {name}: {session.failed}")
	check(session.start(maf=True).status == 200, f"exchange of {name}")
	session.close()
	return session.keid, derive_constrained(session.ke, 21, MAF)


def main():
	secrets = Secrets()
	with Service(sys.argv[1]) as mef:
		mef.start()
		with Maf(mef, f"127.0.0.1:{mef.https}") as maf:
			maf.start()
			keid, km = enrol(mef, "cse-a", secrets, PREFS)
			secrets.add("Km", km)
			for version in ("1.2", "1.3"):
				maf.works(keid, km, f"TLS {version}", version=version).close()
			check("key.retrieved" in run(mef.binary, "audit", "list", "--dir", mef.dir), "the MEF audits the retrieval")
			other, other_km = enrol(mef, "cse-b", secrets, {"certificate": "never"})
			maf.fails(other, other_km, "an enrolee whose preferences name no MAF")
			late, late_km = enrol(mef, "cse-c", secrets, PREFS)
			mef.stop()
			maf.fails(late, late_km, "the MEF is stopped")
			maf.works(keid, km, "who was here before").close()
			maf.stop()
			for s in (mef, maf):
				secrets.search("log", s.log_text().encode())
				run(s.binary, "audit", "verify", "--dir", s.dir)
				no_fault(s)
	print("passed")


if __name__ == "__main__":
	main()
