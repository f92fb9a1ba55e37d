#!/usr/bin/env python3
"""Full CMC (RFC 7030 4.3) against a real service: requests written octet by octet and signed by openssl, answers verified by
openssl; enrolment, renewal, revocation, a registration authority, and those who ask for what is not theirs."""

import base64
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _cmc as cmc  # noqa: E402
from _commands import Operator  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

LABELS = """
[profile ra]
validity = 30d
key_usage = digitalSignature
ekus = clientAuth, 1.3.6.1.5.5.7.3.28
keys = P-256
sans = dns, uri
san_required = yes

[label cmc]
profile = device
challenge = accepted
fullcmc = yes

[label ra]
profile = device
challenge = accepted
fullcmc = yes
ra = yes
"""
RA = "/.well-known/est/ra/"


def enrols_and_renews(s, where):
	device = s.device(1)
	request, key = cmc.csr(where)
	message = cmc.sign(where, cmc.data([cmc.transaction(2, 0x12345678), cmc.nonce(3, b"0123456789abcdef"),
		cmc.control(4, 4, cmc.octets(b"come back")), cmc.control(5, 18, cmc.octets(b"information")),
		cmc.control(6, 2, cmc.utf8("device-0001"))], [cmc.pkcs10(1, request)]), device)
	a = cmc.ask(s, where, message, device, 200)
	a.expect(1, cmc.SUCCESS)
	check(a.controls[5][2] == cmc.integer(0x12345678), "transactionId comes back")
	check(a.controls[7][1] == b"0123456789abcdef", "their senderNonce is our recipientNonce")
	check(len(a.controls[6][1]) == 16, "a senderNonce of ours")
	check(a.controls[4][1] == b"come back", "dataReturn comes back")
	own = cmc.keep(where, a.cert_of(where, key), key)
	check("urn:example:node:0001" in run("openssl", "x509", "-in", f"{own}.pem", "-noout", "-text"), "its identity")
	# the provisioned certificate holds the session and signs; subject and names are those of the current one
	subject = run("openssl", "x509", "-in", f"{own}.pem", "-noout", "-subject", "-nameopt", "RFC2253").strip()
	request, key = cmc.csr(where, "/" + subject.replace("subject=", "").strip(), "URI:urn:example:node:0001")
	a = cmc.ask(s, where, cmc.sign(where, cmc.data([], [cmc.pkcs10(1, request)]), own), own, 200)
	a.expect(1, cmc.SUCCESS)
	check(5 not in a.controls and 7 not in a.controls, "nothing is echoed that was not sent")
	return device, cmc.keep(where, a.cert_of(where, key), key)


def refuses(s, where, device, own):
	"""Who signs is who holds the session; what is for two is for neither but oneself."""
	other = s.device(2)
	before = len(s.serials())
	request, _ = cmc.csr(where)
	message = cmc.sign(where, cmc.data([cmc.transaction(2, 7)], [cmc.pkcs10(1, request)]), device)
	a = cmc.ask(s, where, message, other, 403)
	a.expect(0, cmc.FAILED, cmc.BAD_IDENTITY, 1364)
	own_message = cmc.sign(where, cmc.data([], [cmc.pkcs10(1, request)]), own)
	cmc.ask(s, where, own_message, other, 403).expect(0, cmc.FAILED, cmc.BAD_IDENTITY, 1364)
	broken = bytearray(message)
	broken[-3] ^= 1
	cmc.ask(s, where, bytes(broken), device, 403).expect(0, cmc.FAILED, cmc.BAD_MESSAGE_CHECK, 1298)
	cmc.ask(s, where, cmc.sign(where, cmc.data([], [cmc.crmf(4), cmc.pkcs10(1, request)]), device), device, 400).expect(
		4, cmc.FAILED, cmc.BAD_REQUEST, 1362)
	# encryptedPOP: unknown here, so nothing is done
	a = cmc.ask(s, where, cmc.sign(where, cmc.data([cmc.control(8, 9, cmc.seq())], [cmc.pkcs10(1, request)]), device), device, 400)
	a.expect(8, cmc.NO_SUPPORT, cmc.BAD_REQUEST, 1362)
	a.expect(1, cmc.NO_SUPPORT, cmc.BAD_REQUEST, 1362)
	check(len(s.serials()) == before, "nothing was issued")
	# what cannot be read is refused in words
	for body in (b"MAA=", base64.b64encode(cmc.sign(where, b"none", device)), base64.b64encode(request)):
		status, headers, text = s.ask("POST", cmc.PATH, body, cmc.MEDIA, device)
		check(status == 400 and headers["Content-Type"].startswith("text/plain"), f"{status} {headers}")
	status, _, _ = s.ask("POST", cmc.PATH, base64.b64encode(message), cmc.MEDIA)
	check(status == 403, f"nobody is answered {status}")
	status, _, _ = s.ask("POST", "/.well-known/est/fullcmc", base64.b64encode(message), cmc.MEDIA, device)
	check(status == 404, f"a label without fullcmc answers {status}")
	# two people in one message
	theirs, _ = cmc.csr(where, name="URI:urn:example:node:0002")
	a = cmc.ask(s, where, cmc.sign(where, cmc.data([], [cmc.pkcs10(1, request), cmc.pkcs10(2, theirs)]), device), device, 200)
	a.expect(1, cmc.SUCCESS)
	a.expect(2, cmc.FAILED, cmc.BAD_IDENTITY, 1522)
	return other


def registration_authority(s, op, where, device, other):
	stem = s.device(9)
	op.run("enrolee", "remove", "device-0009")
	op.run("enrolee", "add", "ra-1", "--type", "fqdn", "--entity", "ra.example.com", "--credential", "serial=SN-0009",
		"--anchor", s.factory / "ca.pem", "--profile", "ra")
	request, key = cmc.csr(where)
	a = cmc.ask(s, where, cmc.sign(where, cmc.data([], [cmc.pkcs10(1, request)]), stem), stem, 200)
	ra = cmc.keep(where, a.cert_of(where, key), key)
	check("1.3.6.1.5.5.7.3.28" in run("openssl", "x509", "-in", f"{ra}.pem", "-noout", "-text").replace(
		"CMC Registration Authority", "1.3.6.1.5.5.7.3.28"), "the profile's extended key usage")
	request, key = cmc.csr(where, name="URI:urn:example:node:0002")
	content = cmc.data([], [cmc.pkcs10(1, request)])
	# a label without ra, and the RA's enrolee by its factory certificate
	cmc.ask(s, where, cmc.sign(where, content, ra), ra, 403).expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1570)
	cmc.ask(s, where, cmc.sign(where, content, stem), stem, 403, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1522)
	# a client without the extended key usage, under the label that admits RAs
	cmc.ask(s, where, cmc.sign(where, content, device), device, 403, RA + "fullcmc").expect(1, cmc.FAILED, cmc.BAD_IDENTITY, 1522)
	# the RA's message on another's connection
	cmc.ask(s, where, cmc.sign(where, content, ra), device, 403, RA + "fullcmc").expect(0, cmc.FAILED, cmc.BAD_IDENTITY, 1364)
	a = cmc.ask(s, where, cmc.sign(where, content, ra), ra, 200, RA + "fullcmc")
	a.expect(1, cmc.SUCCESS)
	text = run("openssl", "x509", "-in", f"{cmc.keep(where, a.cert_of(where, key), key)}.pem", "-noout", "-text")
	check("urn:example:node:0002" in text and "1.3.6.1.5.5.7.3.28" not in text and "CMC Registration" not in text,
		"whom it asked for, with that one's own rights")
	given = key
	check(any(e["what"] == "certificate.issued" and e.get("enrolee") == "device-0002" and "authority ra-1" in e.get("detail", "")
		for e in cmc.events(s)), "the audit log names both")
	# RFC 5272 7: it passes on what a client signed
	request, key = cmc.csr(where, name="URI:urn:example:node:0001")
	inner = cmc.sign(where, cmc.data([], [cmc.pkcs10(3, request)]), device)
	a = cmc.ask(s, where, cmc.sign(where, cmc.data([], [], [cmc.nested(8, inner)]), ra), ra, 200, RA + "fullcmc")
	a.expect((8, 3), cmc.SUCCESS)
	check(a.cert_of(where, key), "the client's certificate")
	# simpleenroll and simplereenroll too (RFC 7030 4.2)
	status, _, body = s.ask("POST", RA + "simpleenroll", base64.b64encode(request), "application/pkcs10", ra)
	check(status == 200, f"simpleenroll for another: {status} {body}")
	status, _, body = s.ask("POST", RA + "simpleenroll", base64.b64encode(request), "application/pkcs10", other)
	check(status == 403, f"simpleenroll for another without id-kp-cmcRA: {status} {body}")
	return ra, given


def revocation(s, op, where, device, other, own, ra, given):
	issuer, serial = cmc.names_of(f"{own}.pem")
	content = cmc.data([cmc.transaction(1, 99), cmc.revoke(5, issuer, serial, 1, cmc.utf8("stolen"))])
	cmc.ask(s, where, cmc.sign(where, content, other), other, 403).expect(5, cmc.FAILED, cmc.BAD_CERT_ID, 1366)
	cmc.ask(s, where, cmc.sign(where, content, ra), ra, 403).expect(5, cmc.FAILED, cmc.BAD_CERT_ID, 1366)
	cmc.ask(s, where, cmc.sign(where, content, own), own, 200).expect(5, cmc.SUCCESS)
	# it was on disk before it was answered
	s.signal(signal.SIGKILL)
	s.process.wait(60)
	s.start()
	hex_serial = f"{serial:X}"
	check("keyCompromise" in op.run("cert", "show", hex_serial), "revoked")
	check(any(e["what"] == "certificate.revoked" and "stolen" in e.get("detail", "") for e in cmc.events(s)), "the audit log says why")

	def listed(number):
		status, _, body = s.ask_plain("/crl/issuing.crl")
		(where / "crl").write_bytes(body)
		return status == 200 and f"{number:X}" in run("openssl", "crl", "-inform", "DER", "-in", where / "crl", "-noout", "-text")

	wait_for(lambda: listed(serial), "the CRL lists it")
	# an RA, under the label that admits it, while the service runs
	issuer, serial = cmc.names_of(f"{given}.pem")
	content = cmc.data([cmc.revoke(1, issuer, serial, 4)])
	cmc.ask(s, where, cmc.sign(where, content, ra), ra, 200, RA + "fullcmc").expect(1, cmc.SUCCESS)
	wait_for(lambda: listed(serial), "the CRL lists it soon after")


def main():
	with Service(sys.argv[1]) as s:
		with open(s.dir / "openmef.conf", "a") as conf:
			conf.write(LABELS)
		where = s.root / "cmc"
		where.mkdir()
		op = Operator(s)
		s.start()
		device, own = enrols_and_renews(s, where)
		other = refuses(s, where, device, own)
		ra, given = registration_authority(s, op, where, device, other)
		revocation(s, op, where, device, other, own, ra, given)
		s.stop()
		op.run("audit", "verify")


if __name__ == "__main__":
	main()
