#!/usr/bin/env python3
"""
An issuing CA that ends while the server runs, and a TLS certificate outside its dates. (A CA that is out
of its dates at the start is in test_fault_start.py; clocks that jump are in scenario/test_clock_jumps.c.)
"""

import base64
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _faults import redate_ca, redate_tls, told  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402

EST = "/.well-known/est/"


def blind(s, stem=None):
	"""Who looks at no date of the server: only so can it be asked at all."""
	c = s.context(stem)
	c.check_hostname = False
	c.verify_mode = ssl.CERT_NONE
	return c


def enrol(s, stem, context):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
	return s.ask("POST", EST + "simpleenroll", csr, "application/pkcs10", stem, context)


def logged(s, code, *words):
	lines = [line for line in s.log_text().split("\n") if f"code={code} " in line]
	return any(all(str(word) in line for word in words) for line in lines)


def status(s):
	done = subprocess.run([str(s.binary), "status", "--json", "--check", "--dir", str(s.dir)], capture_output=True, text=True,
		timeout=60)
	return done.returncode, done.stderr, json.loads(done.stdout)["findings"]


def seconds_until_end(s):
	text = run("openssl", "x509", "-in", s.dir / "ca" / "issuing.cert.pem", "-noout", "-enddate").strip()
	return ssl.cert_time_to_seconds(text[len("notAfter="):]) - time.time()


def start_with_a_ca_that_ends_soon(s, stem):
	"""The serial number of a certificate that was issued in time. A slow machine gets more of it."""
	for margin in (6, 20, 60):
		redate_ca(s.dir, -86400, margin)
		redate_tls(s.dir, -86400, 365 * 86400)
		s.start()
		answer = enrol(s, stem, blind(s, stem))
		if answer[0] == 200:
			return serial_of(answer[2])
		s.stop()
	check(False, f"no certificate in time: {answer}")


def a_certificate_ends_with_its_ca(s, serial):
	row = json.loads(run(s.binary, "cert", "show", serial, "--dir", s.dir, "--json"))
	end = run("openssl", "x509", "-in", s.dir / "ca" / "issuing.cert.pem", "-noout", "-enddate", "-dateopt", "iso_8601").strip()
	check(row["not_after"].replace("T", " ") == end[len("notAfter="):], f"{row['not_after']} and {end}")


def an_expired_ca_issues_nothing(s, stem):
	serial = start_with_a_ca_that_ends_soon(s, stem)
	a_certificate_ends_with_its_ca(s, serial)
	crl = s.ask_plain("/crl/issuing.crl")[2]
	time.sleep(max(0, seconds_until_end(s)) + 1.1)
	answer, headers, body = enrol(s, stem, blind(s, stem))
	check(answer == 503 and int(headers["Retry-After"]) > 0, f"enrolment with an expired CA: {answer} {body}")
	check(body.startswith(b"OMEF-1442: The CA certificate has expired: "), f"body: {body}")
	check(logged(s, "OMEF-1442", "valid until", "now is", "clock"), "the log has the dates")
	check(s.serials() == {serial}, "something was issued")
	last = run(s.binary, "audit", "list", "--dir", s.dir).strip().split("\n")[-1]
	check('"enrol.failed"' in last and '"code":1442' in last, f"audit: {last}")
	run(s.binary, "audit", "verify", "--dir", s.dir)
	check(s.ask("GET", EST + "cacerts", context=blind(s))[0] == 200, "cacerts of an expired CA")
	check(s.ask_plain("/crl/issuing.crl")[2] == crl, "the last CRL is still served")
	code, text, findings = status(s)
	check(code == 1 and "OMEF-1916" in text and any("issuing CA: expired" in f for f in findings), f"status: {text} {findings}")
	s.stop()


def a_tls_certificate_out_of_its_dates_is_told_loudly(s, start_s, end_s, expired):
	"""The server starts: CRLs are wanted, and the remedy needs no second stop. Devices say what is wrong."""
	redate_tls(s.dir, start_s, end_s)
	s.start()
	check(logged(s, "OMEF-1759", s.dir / "ca" / "mef-tls.cert.pem", "good from", "clock says", "openmef ca tls"),
		"the log names file, dates and remedy")
	check(s.ask_plain("/crl/issuing.crl")[0] == 200, "CRL over HTTP")
	try:
		s.ask("GET", EST + "cacerts")
		check(False, "a client accepts the certificate")
	except ssl.SSLCertVerificationError:
		pass
	if expired:
		code, text, findings = status(s)
		check(code == 1 and any("server TLS: expired" in f for f in findings), f"status: {text} {findings}")
	the_device_says_so(s)
	run(s.binary, "ca", "tls", "--dir", s.dir)
	run(s.binary, "reload", "--dir", s.dir)
	wait_for(lambda: s.ask("GET", EST + "cacerts")[0] == 200, "cacerts with a new certificate")
	s.stop()


def the_device_says_so(s):
	stem = s.factory / "device-0"
	done = subprocess.run([s.binary.with_name("enrolee"), "enrol", "--mef", f"https://localhost:{s.https}{EST}onem2m",
		"--cert", f"{stem}.pem", "--key", f"{stem}.key", "--anchors", s.dir / "ca" / "root.cert.pem", "--out", s.root / "out"],
		capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and "OMEF-1812" in done.stderr, f"enrolee: {done}")
	check(not (s.root / "out" / "current").exists(), "something is in force")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		stem = s.device(0)
		good = s.root / "good"
		shutil.copytree(s.dir / "ca", good)
		an_expired_ca_issues_nothing(s, stem)
		shutil.copytree(good, s.dir / "ca", dirs_exist_ok=True)
		s.start()
		check(s.enrol(stem)[0] == 200, "enrolment under a CA that is good again")
		s.stop()
		a_tls_certificate_out_of_its_dates_is_told_loudly(s, -7200, -60, True)
		a_tls_certificate_out_of_its_dates_is_told_loudly(s, 3600, 7200, False)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	told("certificates out of their dates")


main()
