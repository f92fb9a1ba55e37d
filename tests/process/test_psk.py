#!/usr/bin/env python3
"""
Handshakes by pre-shared key on the running service: every suite, beside certificate clients on one port; wrong
keys, unknown identities and disabled enrolees that look alike on the wire; handshakes that are cut or replayed.
"""

import http.client
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import events  # noqa: E402
from _psk import TLS12, Service, Session, Tap, add_enrolee, check, enrolled, no_fault, records, run, set_prefs  # noqa: E402
from _service import wait_for  # noqa: E402

VERSIONS = [*(("1.2", suite) for suite in TLS12), ("1.3", "TLS_AES_128_GCM_SHA256")]
ALERT = 21


def every_suite(s, enrolee):
	for version, ciphers in VERSIONS:
		with enrolled(s, *enrolee, version=version, ciphers=ciphers) as session:
			check(session.version == f"TLSv{version}" and session.cipher == ciphers, f"{session.version} {session.cipher}")
			check(session.end["keId"] == session.keid, "both ends made the same KeId")
			check(session.ask("GET", "/.well-known/est/cacerts")[0] == 200, "EST over the same session")


def one_port_for_both(s, enrolee, stem):
	faults = []

	def by_certificate():
		for _ in range(10):
			status, serial = s.enrol(stem)
			if status != 200:
				faults.append(f"certificate client: {status} {serial}")

	other = threading.Thread(target=by_certificate)
	other.start()
	for i in range(10):
		version, ciphers = VERSIONS[i % len(VERSIONS)]
		enrolled(s, *enrolee, version=version, ciphers=ciphers).close()
	other.join()
	check(not faults, f"{faults}")


def failure(s, identity, key, version, ciphers):
	"""What a client sees of a handshake that fails: sizes of the records before, then the alert's octets."""
	tap = Tap(s.https)
	session = Session(s, identity, key, version=version, ciphers=ciphers, port=tap.port)
	check(session.failed, f"the handshake of {identity} fails")
	got = records(tap.finish())
	check(got and got[-1][0] == ALERT, f"{identity} over {version}: want an alert last, have {got}")
	return [(kind, len(content)) for kind, content in got[:-1]], got[-1][1], session.failed


def nobody_can_tell_who_is_registered(s, enrolee):
	"""RFC 4279 3: wrong key, unknown identity, malformed identity and disabled enrolee look the same."""
	identity, key = enrolee
	disabled = add_enrolee(s, "asleep", "cse", "asleep.m2m.example.com")
	run(s.binary, "enrolee", "disable", "asleep", "--dir", s.dir)
	for version, ciphers in VERSIONS:
		seen = {
			"wrong key": failure(s, identity, os.urandom(32), version, ciphers),
			"unknown": failure(s, "nobody@localhost", key, version, ciphers),
			"other MEF": failure(s, "plain@mef.example.net", key, version, ciphers),
			"malformed": failure(s, "%s%n /../ @@", key, version, ciphers),
			"other case": failure(s, identity.upper() + "x", key, version, ciphers),
			"KeId of nobody": failure(s, "0" * 32 + "@localhost", key, version, ciphers),
			"disabled": failure(s, *disabled, version, ciphers),
		}
		first = seen["wrong key"]
		for what, got in seen.items():
			check(got == first, f"{version} {ciphers}: {what} looks like {got}, a wrong key like {first}")
	wait_for(lambda: "unknown psk_identity" in s.log_text(), "the operator is told of unknown identities")
	check(not any("nobody@localhost" in str(e) for e in events(s)), "strangers fill no audit log")


def long_identities(s, enrolee):
	"""wire/call.h: 320 octets reach the registrar, one more does not; RFC 4279 5.3 lets a client show more."""
	for n in (128, 319, 320, 321, 500):
		session = Session(s, "x" * (n - len("@localhost")) + "@localhost", enrolee[1], version="1.3")
		check(session.failed, f"an identity of {n} octets")
	enrolled(s, *enrolee).close()


def handshakes_that_are_cut(s, enrolee):
	for version, ciphers in (VERSIONS[0], VERSIONS[-1]):
		whole = Tap(s.https)
		with Session(s, *enrolee, version=version, ciphers=ciphers, port=whole.port) as session:
			check(not session.failed, f"{session.failed}")
		whole.finish()
		for cut in sorted({1, 4, 5, 6, 43, 80, *range(100, len(whole.sent), 37), len(whole.sent) - 1}):
			tap = Tap(s.https, cut=cut)
			session = Session(s, *enrolee, version=version, ciphers=ciphers, port=tap.port)
			session.close()
			tap.finish()
	enrolled(s, *enrolee).close()


def recorded_octets_sent_again(s, enrolee):
	for version, ciphers in (VERSIONS[0], VERSIONS[-1]):
		tap = Tap(s.https)
		session = Session(s, *enrolee, version=version, ciphers=ciphers, port=tap.port)
		check(session.start().status == 200, "an exchange")
		session.close()
		tap.finish()
		had = len(events(s))
		with socket.create_connection(("127.0.0.1", s.https), timeout=60) as c:
			c.sendall(tap.sent)
			got = b""
			try:
				while more := c.recv(65536):
					got += more
			except ConnectionError:
				pass
		check(23 not in [kind for kind, _ in records(got)] or version == "1.3", "no application data for a replay")
		check(len(events(s)) == had, "a replayed session made no exchange")


def who_has_no_key_goes_without(s):
	"""PSK is an offer: certificate and anonymous clients of both versions are served as before."""
	c = http.client.HTTPSConnection("localhost", s.https, timeout=60, context=s.context())
	c.request("GET", "/.well-known/est/cacerts")
	check(c.getresponse().status == 200, "cacerts for anybody")
	c.close()


def a_registered_key_works_at_once_and_no_longer_when_removed(s):
	enrolee = add_enrolee(s, "brief", "cse", "brief.m2m.example.com")
	with enrolled(s, *enrolee) as session:
		run(s.binary, "enrolee", "remove", "brief", "--dir", s.dir)
		status, _, body = session.ask("POST", "/enrolment", b'{"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false}',
			{"Content-Type": "application/json"})
		check(status == 403 and b"OMEF-" in body, f"a session of an enrolee that is gone: {status} {body}")
	for identity, key in (enrolee, (session.kreid, session.kre)):
		check(Session(s, identity, key).failed, f"{identity} is gone")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		stem = s.device(1)
		s.start()
		set_prefs(s, {"certificate": "never"})
		plain = add_enrolee(s, "plain", "cse", "plain.m2m.example.com")
		for case, args in ((every_suite, (plain,)), (one_port_for_both, (plain, stem)),
				(nobody_can_tell_who_is_registered, (plain,)), (long_identities, (plain,)), (handshakes_that_are_cut, (plain,)),
				(recorded_octets_sent_again, (plain,)), (who_has_no_key_goes_without, ()),
				(a_registered_key_works_at_once_and_no_longer_when_removed, ())):
			case(s, *args)
			print(f"{case.__name__}: good", flush=True)
		no_fault(s)
		s.stop()
	print("psk: as it should be")


main()
