#!/usr/bin/env python3
"""
strongSwan's pki as EST client (5.9.8 in Debian 12). Given a certificate it always calls simplereenroll: with a
factory certificate that is refused with a reason in the audit log, unless the label takes it as simpleenroll; with
one of this MEF it renews. It polls while a person decides.
"""

import json
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "process"))

from _hold import decide, label, listed, the_request  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

NAME = "gw7.example.com"


def pki(s, *argv, ok=0):
	done = subprocess.run(["pki"] + [str(a) for a in argv], capture_output=True, timeout=60, cwd=s.root)
	text = "\n".join(line for line in done.stderr.decode(errors="replace").split("\n") if "failed to load" not in line)
	check(done.returncode == ok, f"pki {argv}: exit {done.returncode}, want {ok}\n{text}")
	return done.stdout, text


def request(s, stem):
	"""A key and a PKCS#10 request, both by strongSwan."""
	(s.root / f"{stem}.key").write_bytes(pki(s, "--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem")[0])
	(s.root / f"{stem}.req").write_bytes(pki(s, "--req", "--in", f"{stem}.key", "--type", "ecdsa", "--dn", f"CN={NAME}", "--san",
		NAME, "--outform", "pem")[0])


def enrol(s, stem, cert, key, ok=0):
	out, text = pki(s, "--est", "--url", f"https://localhost:{s.https}", "--in", f"{stem}.req", "--cacert",
		s.dir / "ca/root.cert.pem", "--cacert", s.dir / "ca/issuing.cert.pem", "--cert", cert, "--key", key, "--outform", "pem",
		ok=ok)
	(s.root / f"{stem}.pem").write_bytes(out)
	return text


def reads_the_ca_certificates(s):
	_, text = pki(s, "--estca", "--url", f"https://localhost:{s.https}", "--cacert", s.dir / "ca/root.cert.pem", "--caout",
		"ca.pem", "--outform", "pem")
	check("Root CA equals trusted TLS Root CA" in text and "Sub CA cert is trusted" in text, f"pki --estca: {text}")
	for got, kept in (("ca.pem", "root"), ("ca-1.pem", "issuing")):
		check((s.root / got).read_text() == (s.dir / f"ca/{kept}.cert.pem").read_text(), f"{got} is not the {kept} certificate")


def a_factory_certificate_does_not_renew(s, factory):
	request(s, "first")
	text = enrol(s, "first", f"{factory}.pem", f"{factory}.key", ok=1)
	check("HTTP 403" in text, f"pki --est with a factory certificate: {text}")
	last = json.loads(run(s.binary, "audit", "list", "--json", "--limit", "1", "--dir", s.dir))[0]["event"]
	check(last["what"] == "enrol.refused" and last["code"] == 1525, f"audit log: {last}")


def renews(s, factory):
	csr = "".join((s.root / "first.req").read_text().split("\n")[1:-2])
	status, _, body = s.ask("POST", "/.well-known/est/simpleenroll", csr.encode(), "application/pkcs10", factory)
	check(status == 200, f"simpleenroll of a request by strongSwan: {status}")
	pem = subprocess.run(["openssl", "base64", "-d", "-A"], input=body.replace(b"\n", b""), capture_output=True, timeout=60).stdout
	pem = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=pem, capture_output=True, timeout=60).stdout
	(s.root / "first.pem").write_bytes(pem)
	request(s, "second")
	text = enrol(s, "second", "first.pem", "first.key")
	check("Issued certificate is trusted" in text, f"pki --est: {text}")
	run("openssl", "verify", "-x509_strict", "-CAfile", s.dir / "ca/root.cert.pem", "-untrusted", s.dir / "ca/issuing.cert.pem",
		s.root / "second.pem")
	key = run("openssl", "pkey", "-in", s.root / "second.key", "-pubout")
	check(key == run("openssl", "x509", "-in", s.root / "second.pem", "-noout", "-pubkey"), "the new key is in the new certificate")
	check(len(s.serials()) == 2, f"certificates on record: {s.serials()}")


def a_factory_certificate_enrols_where_the_label_says_so(s, factory):
	label(s, "", foreign_reenrol="yes")
	run(s.binary, "reload", "--dir", s.dir)
	before = s.serials()
	request(s, "third")
	text = enrol(s, "third", f"{factory}.pem", f"{factory}.key")
	check("Issued certificate is trusted" in text, f"pki --est: {text}")
	check(len(s.serials()) == len(before) + 1, "one more certificate")
	last = json.loads(run(s.binary, "audit", "list", "--json", "--limit", "1", "--dir", s.dir))[0]["event"]
	check(last["what"] == "certificate.issued" and last["detail"].startswith("enrolment"), f"audit log: {last}")


def it_polls_while_a_person_decides(s, factory):
	label(s, "", hold="all", hold_retry="1s")
	run(s.binary, "reload", "--dir", s.dir)
	request(s, "fourth")
	p = subprocess.Popen(["pki", "--est", "--url", f"https://localhost:{s.https}", "--in", "fourth.req", "--cacert",
		str(s.dir / "ca/root.cert.pem"), "--cacert", str(s.dir / "ca/issuing.cert.pem"), "--cert", f"{factory}.pem", "--key",
		f"{factory}.key", "--interval", "1", "--maxpolltime", "50"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=s.root)
	try:
		wait_for(lambda: listed(s), "it waits")
		decide(s, "approve", the_request(s)["id"])
		_, text = p.communicate(timeout=60)
	finally:
		p.kill()
	check(p.returncode == 0 and b"Issued certificate is trusted" in text, f"pki --est: {text}")
	check(the_request(s)["state"] == "done", "answered")


def main():
	with Service(sys.argv[1]) as s:
		factory = s.device(1)
		run(s.binary, "enrolee", "remove", "device-0001", "--dir", s.dir)
		run(s.binary, "enrolee", "add", "gw7", "--type", "fqdn", "--entity", NAME, "--credential", "serial=SN-0001", "--dir", s.dir)
		s.start()
		reads_the_ca_certificates(s)
		a_factory_certificate_does_not_renew(s, factory)
		renews(s, factory)
		a_factory_certificate_enrols_where_the_label_says_so(s, factory)
		it_polls_while_a_person_decides(s, factory)
		s.stop()
	print("strongSwan pki: passed")


main()
