#!/usr/bin/env python3
"""
openssl s_client and gnutls-cli as PSK clients (seed 003 8.3.2.1): both finish the PPSK handshake over every suite that they
know and call the enrolment exchange by hand-made HTTP, in JSON and XML.
"""

import json
import pathlib
import subprocess
import sys
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "process"))

from _psk import FQDN, TLS12, Service, add_enrolee, check, no_fault, set_prefs, write  # noqa: E402

# The suites by their key exchange and cipher. Not ECDHE-PSK of TLS 1.2: there gnutls-cli 3.7 ends with a fault of its own, with
# other servers too.
GNUTLS = {
	"PSK-AES128-CBC-SHA256": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256",
	"PSK-AES128-GCM-SHA256": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK:-CIPHER-ALL:+AES-128-GCM",
	"TLS 1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK",
}
REQUEST = {"certificateEnrolmentIndication": False, "mafEnrolmentIndication": False}


def request(form):
	body = write(form, "enrolmentRequest", REQUEST)
	return (f"POST /enrolment HTTP/1.1\r\nHost: {FQDN}\r\nConnection: close\r\nContent-Type: application/{form}\r\n"
		f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def talk(argv, data):
	"""Standard input stays open until the server has closed: its end would close the connection first."""
	p = subprocess.Popen([str(a) for a in argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	try:
		p.stdin.write(data)
		p.stdin.flush()
		answer = p.stdout.read()
		p.wait(60)
	except BrokenPipeError:
		answer = p.stdout.read()
	finally:
		p.kill()
		p.wait()
	return answer


def by_openssl(s, identity, key, suite, form):
	how = ["-tls1_3"] if suite == "TLS 1.3" else ["-tls1_2", "-cipher", suite]
	return talk(["openssl", "s_client", "-quiet", "-ign_eof", "-connect", f"127.0.0.1:{s.https}", "-servername", FQDN, *how,
		"-psk_identity", identity, "-psk", key.hex()], request(form))


def by_gnutls(s, identity, key, suite, form):
	return talk(["gnutls-cli", "-p", s.https, "--sni-hostname", FQDN, "--priority", GNUTLS[suite], "--logfile", s.root / "gnutls.log",
		"--pskusername", identity, "--pskkey", key.hex(), "127.0.0.1"], request(form))


def instruction(answer, form, what):
	check(b"HTTP/1.1 200 " in answer, f"{what}: {answer}")
	head, _, body = answer[answer.index(b"HTTP/1.1 200 "):].partition(b"\r\n\r\n")
	check(f"Content-Type: application/{form}".encode() in head, f"{what}: {head}")
	if form == "json":
		doc, _ = json.JSONDecoder().raw_decode(body.decode(errors="replace"))
		return doc["instructionType"], doc["keId"]
	top = xml.etree.ElementTree.fromstring(body[:body.rindex(b">") + 1])
	check(top.tag.endswith("enrolmentInstruction"), f"{what}: {top.tag}")
	return tuple(next(e.text for e in top if e.tag.endswith(name)) for name in ("instructionType", "keId"))


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		s.start()
		set_prefs(s, {"certificate": "never"})
		enrolee = add_enrolee(s, "plain", "cse", "plain.m2m.example.com")
		keids = set()
		for name, client, suites in (("openssl", by_openssl, (*TLS12, "TLS 1.3")), ("gnutls", by_gnutls, GNUTLS)):
			for suite in suites:
				for form in ("json", "xml"):
					what = f"{name}, {suite}, {form}"
					kind, keid = instruction(client(s, *enrolee, suite, form), form, what)
					check(kind == "end" and keid.endswith(f"@{FQDN}") and len(keid) == 33 + len(FQDN), f"{what}: {kind} {keid}")
					check(keid not in keids, f"{what}: a key of its own")
					keids.add(keid)
					print(f"{what}: good", flush=True)
			for suite in (TLS12[0], "TLS 1.3"):
				for identity, key in ((enrolee[0], b"\x01" * 32), ("nobody@" + FQDN, enrolee[1])):
					answer = client(s, identity, key, suite, "json")
					check(b"HTTP/1.1" not in answer, f"{name}, {suite}: a wrong key or name is served: {answer}")
		no_fault(s)
		s.stop()
	print("psk clients: passed")


main()
