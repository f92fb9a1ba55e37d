#!/usr/bin/env python3
"""
Renewal after the end of a certificate: within the label's window and one second past it, for renewal alone, never for
one from the future or one that is revoked. The audit log says how late it was.
"""

import contextlib
import os
import sqlite3
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _device import Device  # noqa: E402
from _faults import passphrase, redate  # noqa: E402
from _hold import csr, curl, events, label  # noqa: E402
from _service import Service, check, run  # noqa: E402

DAY = 86400


def put_dates(s, d, start_s, end_s):
	"""The device's certificate with other dates, in its directory and on record."""
	current = d.out / "current"
	pem = redate(s.dir, current / "cert.pem", current / "key.pem", "", s.dir / "ca/issuing.cert.pem", s.dir / "ca/issuing.key.pem",
		passphrase(s.dir, "ca-issuing"), "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n"
		f"subjectAltName=URI:urn:example:node:{d.id[-4:]}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n", start_s, end_s,
		f"42{d.id[-2:]}")
	was = d.serial()
	(current / "cert.pem").write_text(pem)
	der = subprocess.run(["openssl", "x509", "-in", str(current / "cert.pem"), "-outform", "DER"], capture_output=True,
		timeout=60).stdout
	with contextlib.closing(sqlite3.connect(s.dir / "openmef.db")) as db, db:
		changed = db.execute("UPDATE issued SET der = ?, not_after_s = ?, serial = ? WHERE serial = ?",
			(der, int(time.time()) + end_s, bytes.fromhex(even(d.serial())), bytes.fromhex(even(was)))).rowcount
	check(changed == 1, f"no certificate {was} on record")


def even(text):
	return "0" * (len(text) % 2) + text


def dated(s, number, start_s, end_s):
	d = Device(s, number)
	d.enrol("onem2m")
	put_dates(s, d, start_s, end_s)
	return d


def by_own(s, d, operation, lab="onem2m/"):
	"""A request authenticated by the certificate in force."""
	stem = s.root / f"own-{d.id}"
	current = d.out / "current"
	stem.with_suffix(".pem").write_text((current / "cert.pem").read_text())
	stem.with_suffix(".key").write_text((current / "key.pem").read_text())
	return curl(s, stem, lab, csr(s, stem, "/", current / "key.pem"), est=operation)


def renews_late(s):
	d = dated(s, 1, -90 * DAY, -3000)
	check(d.status()["state"] == "expired", "the device knows")
	for operation in ("simpleenroll", "serverkeygen", "fullcmc"):
		status, _, text = by_own(s, d, operation)
		check(status in (400, 403, 404), f"{operation}: {status} {text}")
		check(status == 403 and b"OMEF-1515" in text or operation != "simpleenroll", f"{operation}: {text}")
	status, _, text = by_own(s, d, "simplereenroll", "")
	check(status == 403 and b"OMEF-1515" in text, f"under a label without a window: {status} {text}")
	was = d.serial()
	d.renew()
	check(d.serial() != was and d.status()["state"] == "good", "renewed")
	late = [e for e in events(s, "certificate.issued") if "s late" in e["detail"]]
	check(len(late) == 1 and late[0]["enrolee"] == d.id, f"audit: {late}")


def past_the_window(s):
	d = dated(s, 2, -90 * DAY, -3700)
	d.renew(4, ("OMEF-1515",))
	d = dated(s, 3, -90 * DAY, -2 * DAY) # past that of every label: it does not get through the handshake
	d.renew(4, ("OMEF-1813",))


def from_the_future(s):
	d = dated(s, 4, 3000, 90 * DAY)
	d.renew(4, ("OMEF-1813",))


def revoked(s):
	d = dated(s, 5, -90 * DAY, -60)
	run(s.binary, "cert", "revoke", d.serial(), "--reason", "keyCompromise", "--dir", s.dir)
	d.renew(4, ("OMEF-1514",))


def disabled(s):
	d = dated(s, 6, -90 * DAY, -60)
	run(s.binary, "enrolee", "disable", d.id, "--dir", s.dir)
	d.renew(4, ("OMEF-1513",))


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		label(s, "onem2m", expired="1h")
		label(s, "wide", expired="1d", profile="device")
		s.start()
		s.set("https", f"127.0.0.1:{s.https}")
		renews_late(s)
		past_the_window(s)
		from_the_future(s)
		revoked(s)
		disabled(s)
		s.stop()
		run(s.binary, "audit", "verify", "--dir", s.dir)
	print("renewal after the end: as it should")


main()
