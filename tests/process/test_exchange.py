#!/usr/bin/env python3
"""
The enrolment exchange on the running service: every step in JSON and XML, repeats, replays, reordered steps,
exchanges and tokens of others, sessions without keys, and a registrar that is killed between the steps.
"""

import base64
import http.client
import json
import os
import signal
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import CSRATTRS, ENROL, challenge_of, events, make_csr, make_key  # noqa: E402
from _psk import FQDN, TLS12, Answer, Service, Session, add_enrolee, check, no_fault, run, set_prefs, write  # noqa: E402
from _service import serial_of, wait_for  # noqa: E402

NEVER = {"certificate": "never"}
FULL = {"certificate": "require", "certificateUsages": [42], "estLabel": "onem2m", "enrolmentExpiry": 86400,
	"mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444", "credential": "symmetricKey", "usages": [32]}],
	"targets": [{"id": "cse1.m2m.example.com", "usages": [22, 23]}]}


def refused(answer, status, code, text):
	check(answer.status == status and answer.code == code, f"{text}: want {status} {code}, have {answer}")


def audited(s, enrolee, code, what="exchange.refused"):
	"""The newest event: a refusal of that enrolee with that code."""
	last = events(s)[-1]
	check(last["what"] == what and last.get("enrolee") == enrolee and f"OMEF-{last['code']}" == code, f"audit: want {code}, have {last}")


def opened(s, enrolee, **how):
	session = Session(s, *enrolee, **how)
	check(not session.failed, f"handshake: {session.failed}")
	return session


# ---- the whole flow

def certificate_by_est(s, session, name, entity):
	"""Seed 003 8.3.3.3, over the PSK session itself: RFC 7030 3.3.3."""
	status, _, body = session.ask("GET", "/.well-known/est/onem2m/cacerts")
	check(status == 200, f"cacerts: {status} {body}")
	status, _, body = session.ask("GET", CSRATTRS.format("onem2m/"))
	check(status == 200, f"csrattrs: {status} {body}")
	key = make_key(s.root / f"{name}.est.key")
	csr = make_csr(s.root, key, extensions=[f"subjectAltName = {entity}", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"], challenge=challenge_of(body))
	status, _, body = session.ask("POST", ENROL.format("onem2m/"), base64.b64encode(csr), {"Content-Type": "application/pkcs10"})
	check(status == 200, f"simpleenroll: {status} {body}")
	check(serial_of(body) in s.serials(), "the certificate is on record")


def the_whole_exchange(s, form):
	enrolee = add_enrolee(s, f"full-{form}", "cse", f"full-{form}.m2m.example.com", prefs=FULL)
	with opened(s, enrolee) as session:
		a = session.start(form, certificate=True, maf=True)
		check(a.status == 200 and a.type == f"application/{form}", f"start: {a}")
		check(int(a.doc["instructionNumber"]) == 1 and a.doc["instructionType"] == "certificateEnrolment", f"step 5: {a}")
		check(a.doc["keId"] == session.keid, f"KeId: want {session.keid}, have {a}")
		check(a.doc["uri"] == f"https://{FQDN}:{s.https}/.well-known/est/onem2m", f"EST URI: {a}")
		check(0 < int(a.doc["lifetime"]) <= 86400 and a.doc["enroleeID"] == f"full-{form}.m2m.example.com", f"step 5: {a}")
		refused(session.report(1, "certificateEnrolment", form=form), 409, "OMEF-2207", "a certificate that was not made")
		certificate_by_est(s, session, f"full-{form}", f"DNS:full-{form}.m2m.example.com")
		a = session.report(1, "certificateEnrolment", form=form)
		check(a.status == 200 and a.doc["instructionType"] == "mafEnrolment" and a.doc["mafID"] == "maf.example.com"
			and a.doc["credentialType"] == "symmetricKey", f"step 7: {a}")
		b = session.report(1, "certificateEnrolment", form=form)
		check(b.body == a.body or b.doc["instructionNumber"] == a.doc["instructionNumber"], f"a lost answer: {b}")
		a = session.report(2, "mafEnrolment", form=form)
		check(a.status == 200 and a.doc["instructionType"] == "end", f"step 9: {a}")
		pairs = [(p["enroleeBID"], int(p["securityUsage"])) for p in a.doc["authorizedPairs"]]
		check(pairs == [("cse1.m2m.example.com", 22), ("cse1.m2m.example.com", 23)], f"pairs: {pairs}")
		refused(session.report(3, "end", form=form), 409, "OMEF-2206", "a report of the end")


def forms_mix(s, enrolee):
	with opened(s, enrolee) as session:
		a = session.start("json", accept="xml")
		check(a.status == 200 and a.type == "application/xml" and a.doc["instructionType"] == "end", f"JSON in, XML out: {a}")
		b = session.start("xml", accept="json")
		check(b.status == 200 and b.type == "application/json" and b.doc["keId"] == session.keid, f"XML in, JSON out: {b}")
		a = session.start(colour="blue")
		check(a.status == 200, f"unknown fields are passed over: {a}")


def every_version_and_suite(s, enrolee):
	keids = set()
	for version, ciphers in [*(("1.2", suite) for suite in TLS12), ("1.3", "")]:
		with opened(s, enrolee, version=version, ciphers=ciphers) as session:
			a = session.start()
			check(a.status == 200 and a.doc["keId"] == session.keid, f"{version} {ciphers}: {a}")
			keids.add(session.keid)
			a = session.start()
			check(a.status == 200 and a.doc["keId"] == session.keid, f"again: {a}")
	check(len(keids) == 4, "each session its own key")


# ---- bad input

def bad_messages(s, enrolee):
	with opened(s, enrolee) as session:
		for form in ("json", "xml"):
			for message, code in (({}, "OMEF-20"), ({"certificateEnrolmentIndication": True}, "OMEF-20"),
					({"certificateEnrolmentIndication": "perhaps", "mafEnrolmentIndication": True}, "OMEF-20")):
				a = session.say("/enrolment", "enrolmentRequest", message, form, None)
				check(a.status == 400 and a.code and b"8.3.3.1" in a.body, f"{form} {message}: {a}")
		for path, body, media, status in (
				("/enrolment", b"{", "application/json", 400),
				("/enrolment", b"<a><b></a>", "application/xml", 400),
				("/enrolment", b"<!DOCTYPE a [<!ENTITY b 'c'>]><enrolmentRequest/>", "application/xml", 400),
				("/enrolment", b"{}", "text/plain", 415),
				("/enrolment/" + "G" * 32, b"{}", "application/json", 404),
				("/enrolment/" + "A" * 31, b"{}", "application/json", 404),
				("/enrolment/", b"{}", "application/json", 404),
				("/enrolment", b"[" * 20000, "application/json", 400)):
			got, _, text = session.ask("POST", path, body, {"Content-Type": media})
			check(got == status and b"OMEF-" in text, f"{path} {media} {body[:40]}: want {status}, have {got} {text}")
		check(session.ask("GET", "/enrolment")[0] == 405 and session.ask("PUT", "/enrolment", b"{}")[0] == 405, "methods")
		check(session.start().status == 200, "the session goes on")


def a_certificate_client_may_exchange(s, stem):
	"""Seed 003 8.3.3.1: whichever framework the session came from."""
	body = write("json", "enrolmentRequest", {"certificateEnrolmentIndication": False, "mafEnrolmentIndication": False})
	a = ask(s, "POST", "/enrolment", body, {"Content-Type": "application/json"}, stem)
	check(a.status == 200 and a.doc["instructionType"] == "end", f"by certificate: {a}")
	a = ask(s, "POST", "/enrolment", body, {"Content-Type": "application/json"})
	refused(a, 403, "OMEF-1510", "without any credential")


def ask(s, method, path, body, headers, stem=None):
	c = http.client.HTTPSConnection("localhost", s.https, timeout=60, context=s.context(stem))
	try:
		c.request(method, path, body, headers)
		r = c.getresponse()
		return Answer(r.status, {k.lower(): v for k, v in r.headers.items()}, r.read())
	finally:
		c.close()


def steps_out_of_order(s):
	enrolee = add_enrolee(s, "order", "cse", "order.m2m.example.com", prefs={**FULL, "certificate": "never"})
	with opened(s, enrolee) as session:
		refused(session.report(1, "mafEnrolment"), 404, "OMEF-2208", "a report before the request")
		a = session.start(maf=True)
		check(a.doc["instructionType"] == "mafEnrolment", f"start: {a}")
		for step, kind in ((2, "mafEnrolment"), (1, "certificateEnrolment"), (1, "end"), (2, "end"), (999, "mafEnrolment")):
			refused(session.report(step, kind), 409, "OMEF-2206", f"{step} {kind}")
			audited(s, "order", "OMEF-2206")
		check(session.report(1, "mafEnrolment").status == 200, "the step that is due")
		refused(session.report(1, "mafEnrolment", success=False), 409, "OMEF-2205", "the same step with another word")
		refused(session.start(maf=False), 409, "OMEF-2205", "another request in the same session")


def exchanges_of_others(s, enrolee):
	other = add_enrolee(s, "other", "cse", "other.m2m.example.com", prefs={**FULL, "certificate": "never"})
	with opened(s, other) as victim, opened(s, enrolee) as thief:
		check(victim.start(maf=True).doc["instructionType"] == "mafEnrolment", "start of the victim")
		refused(thief.report(1, "mafEnrolment", relative=victim.relative), 403, "OMEF-2204", "another's KeId")
		audited(s, "plain", "OMEF-2204")
		check(victim.report(1, "mafEnrolment").status == 200, "the victim goes on")


def replays(s, enrolee):
	"""The octets of one session mean nothing in another: the key is the session's."""
	with opened(s, enrolee) as first, opened(s, enrolee) as second:
		a, b = first.start(), second.start()
		check(a.doc["keId"] != b.doc["keId"], "a replayed request makes another key")
	with opened(s, enrolee) as third:
		refused(third.report(1, "end", relative="0" * 32), 404, "OMEF-2208", "a KeId that nobody has")


def tokens(s):
	add_enrolee(s, "token-a", "cse", "token-a.m2m.example.com", key=b"k" * 32, prefs=NEVER)
	a = ("token-a@localhost", b"k" * 32)
	b = add_enrolee(s, "token-b", "cse", "token-b.m2m.example.com", prefs=NEVER)
	token = new_token(s, "token-a")
	with opened(s, b) as session:
		refused(session.start(token=token), 403, "OMEF-2202", "another's token")
		audited(s, "token-b", "OMEF-2202")
		refused(session.start(token="AAAAAAAAAAAAAAAAAAAAAAAAAA"), 403, "OMEF-2202", "a token that nobody has")
		refused(session.start(token="not a token!"), 403, "OMEF-2202", "no token at all")
	with opened(s, a) as session:
		check(session.start(token=token).doc["instructionType"] == "end", "the right one")
		check(session.start(token=token).status == 200, "a lost answer")
	with opened(s, a) as session:
		check(session.start(token=token).status == 200, "a lost answer whose session is gone too (docs/decisions/0013)")
	anybodys = new_token(s)
	with opened(s, a) as session:
		check(session.start(token=anybodys).doc["instructionType"] == "end", "a token of whoever shows it first")
	with opened(s, b) as session:
		refused(session.start(token=anybodys), 403, "OMEF-2202", "who shows it second")
	db = sqlite3.connect(s.dir / "openmef.db", timeout=30)
	with db:
		db.execute("UPDATE token SET spent_s = spent_s - 601, claimed_s = claimed_s - 601 WHERE spent_s <> 0")
	db.close()
	with opened(s, a) as session:
		for spent in (token, anybodys):
			refused(session.start(token=spent), 403, "OMEF-2202", "a spent token, later")
			audited(s, "token-a", "OMEF-2202")


def new_token(s, *words):
	return json.loads(run(s.binary, "token", "add", *words, "--dir", s.dir, "--json"))["token"]


def a_session_without_keys(s, enrolee):
	"""RFC 7627: without the extended master secret nothing is exported."""
	with opened(s, enrolee, ems=False, ciphers="PSK-AES128-CBC-SHA256") as session:
		a = session.start()
		check(a.status == 400 and a.code == "OMEF-2200", f"no extended master secret: {a}")
		audited(s, "plain", "OMEF-2200")


# ---- a registrar that ends

def killed_between_steps(s):
	enrolee = add_enrolee(s, "kill", "cse", "kill.m2m.example.com", prefs={**FULL, "certificate": "never"})
	with opened(s, enrolee) as session:
		first = session.start(maf=True)
		check(first.status == 200, f"start: {first}")
		kill_registrar(s)
		again = session.start(maf=True)
		check(again.status == 200 and again.doc["keId"] == session.keid, f"the request once more: {again}")
		kill_registrar(s)
		a = session.report(1, "mafEnrolment")
		check(a.status == 200 and a.doc["instructionType"] == "end", f"the report: {a}")
		kill_registrar(s)
		b = session.report(1, "mafEnrolment")
		check(b.status == 200 and b.doc["instructionType"] == "end", f"the report once more: {b}")
	# Kre of a killed registrar's time is on disk.
	with opened(s, (session.kreid, session.kre)) as session:
		check(session.start(maf=True).status == 200, "re-authentication by Kre")


def kill_registrar(s):
	old = s.roles()["registrar-0"]
	os.kill(old, signal.SIGKILL)
	wait_for(lambda: s.roles().get("registrar-0", old) != old, "the registrar is started again")
	wait_for(lambda: s.ask("GET", "/.well-known/est/cacerts")[0] == 200, "the registrar answers")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		stem = s.device(1)
		s.start()
		set_prefs(s, NEVER)
		plain = add_enrolee(s, "plain", "cse", "plain.m2m.example.com")
		for case, args in ((the_whole_exchange, ("json",)), (the_whole_exchange, ("xml",)), (forms_mix, (plain,)),
				(every_version_and_suite, (plain,)), (bad_messages, (plain,)), (a_certificate_client_may_exchange, (stem,)),
				(steps_out_of_order, ()), (exchanges_of_others, (plain,)), (replays, (plain,)), (tokens, ()),
				(a_session_without_keys, (plain,)), (killed_between_steps, ())):
			case(s, *args)
			print(f"{case.__name__}: good", flush=True)
		no_fault(s)
		s.stop()
	print("exchange: as it should be")


main()
