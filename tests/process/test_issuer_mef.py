#!/usr/bin/env python3
"""
Two MEFs: one is registration authority (id-kp-cmcRA, ra = yes) in front of the other one, which is its CA.
"""

import os
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _issuers import add_sections, csr, enrol, entity_of, keep, pem_of, service  # noqa: E402
from _service import check, run  # noqa: E402


def ra_of(ca):
	"""A client certificate of that MEF with id-kp-cmcRA."""
	stem = ca.device(90)
	status, _, body = enrol(ca, stem, "ra")
	check(status == 200, f"certificate of the RA: {status} {body}")
	ra = keep(stem, body, "ra")
	os.chmod(f"{ra}.key", 0o600)
	return ra


def main():
	with service(sys.argv[1]) as ca, service(sys.argv[1]) as s:
		add_sections(ca, "[profile ra]\nekus = clientAuth, 1.3.6.1.5.5.7.3.28\n[label ra]\nprofile = ra\n[label behind]\nra = yes\n")
		ca.start()
		ra = ra_of(ca)
		device, stranger = s.device(1), s.device(2)
		# the CA knows the device by its identity, and by no credential of its own
		run(ca.binary, "enrolee", "add", "device-0001", "--dir", ca.dir, "--type", "node", "--entity", entity_of(device),
			"--credential", "serial=known-to-the-RA-only")
		chain = s.root / "upstream.pem"
		chain.write_text((ca.dir / "ca" / "issuing.cert.pem").read_text() + (ca.dir / "ca" / "root.cert.pem").read_text())
		add_sections(s, f"[issuer up]\nuri = https://localhost:{ca.https}/.well-known/est/behind\nconnect = 127.0.0.1:{ca.https}\n"
			f"anchors = {ca.dir}/ca/root.cert.pem\ncert = {ra}.pem\nkey = {ra}.key\nchain = {chain}\n[label up]\nissuer = up\n")
		s.start()
		status, _, body = enrol(s, device, "up")
		check(status == 200, f"by way of the RA: {status} {body}\n{ca.log_text()}")
		pathlib.Path(f"{device}-one.pem").write_text(pem_of(body)[0])
		run("openssl", "verify", "-CAfile", chain, f"{device}-one.pem")
		check(entity_of(device) in run("openssl", "x509", "-in", f"{device}-one.pem", "-noout", "-text"), "its name")
		mine = keep(device, body, "up")
		status, _, body = enrol(s, device, "up", der=csr(device, entity_of(device), subject_of(mine)), using=mine,
			operation="simplereenroll")
		check(status == 200, f"renewal by way of the RA: {status} {body}")
		# the CA does not know this one, and says so
		status, _, body = enrol(s, stranger, "up")
		check(status == 403 and b"OMEF-1714" in body and b"HTTP status 403" in body, f"{status} {body}")
		# without ra = yes nobody asks for others
		conf = ca.dir / "openmef.conf"
		conf.write_text(conf.read_text().replace("ra = yes", "ra = no"))
		run(ca.binary, "reload", "--dir", ca.dir)
		status, _, body = enrol(s, device, "up")
		check(status in (403, 503), f"{status} {body}")
		check("lacks extended" not in s.log_text() and "differs" not in s.log_text(), s.log_text())
		s.stop()
		ca.stop()
	print("ok")


def subject_of(stem):
	text = run("openssl", "x509", "-in", f"{stem}.pem", "-noout", "-subject", "-nameopt", "compat").strip()
	name = text.split("=", 1)[1].strip()
	return name if name.startswith("/") else "/"


main()
