#!/usr/bin/env python3
"""
A registered client by pre-shared key gone bad: EST in other names, challenges and tokens of others, keys that were
replaced, removed or given to somebody new, and documents that were made to break their reader.
"""

import base64
import json
import os
import socket
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import CSRATTRS, ENROL, REENROL, Watch, challenge_of, events, make_csr, make_key  # noqa: E402
from _psk import Answer, Service, Session, add_enrolee, check, enrolled, no_fault, run, set_prefs  # noqa: E402

FULL = {"certificate": "require", "certificateUsages": [42], "estLabel": "onem2m", "enrolmentExpiry": 86400}
NEVER = {"certificate": "never"}
CSE_B = "target.m2m.example.com"
GUESSES = 200


def opened(s, enrolee, **how):
	session = Session(s, *enrolee, **how)
	check(not session.failed, f"handshake: {session.failed}")
	return session


def refused(answer, statuses, text):
	check(answer.status in statuses and answer.code, f"{text}: want a refusal, have {answer}")


# ---- EST by a key

def challenge(session):
	status, _, body = session.ask("GET", CSRATTRS.format("onem2m/"))
	check(status == 200, f"csrattrs: {status} {body}")
	return challenge_of(body)


def enrol(s, session, names, with_challenge, path=ENROL, label="onem2m/", subject="/"):
	key = make_key(s.root / "attack.key")
	ext = [f"subjectAltName = {names}", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"] if names else ()
	csr = make_csr(s.root, key, subject=subject, extensions=ext, challenge=with_challenge)
	status, _, body = session.ask("POST", path.format(label), base64.b64encode(csr), {"Content-Type": "application/pkcs10"})
	return status, body


def est_gives_nobody_elses_name(s):
	"""RFC 7030 3.3.3, 3.7: the key says who asks, whatever the request says."""
	a = add_enrolee(s, "est-a", "cse", "est-a.m2m.example.com", prefs=FULL)
	add_enrolee(s, "est-b", "cse", "est-b.m2m.example.com", prefs=FULL)
	with opened(s, a) as session, opened(s, a) as other:
		for names in ("DNS:est-b.m2m.example.com", "DNS:est-a.m2m.example.com,DNS:est-b.m2m.example.com", "DNS:localhost", "DNS:*.m2m.example.com",
				"URI:urn:example:node:0001"):
			status, body = enrol(s, session, names, challenge(session))
			check(status in (400, 403), f"{names}: {status} {body}")
		status, body = enrol(s, session, "DNS:est-a.m2m.example.com", challenge(other))
		check(status == 403, f"the challenge of another session: {status} {body}")
		status, body = enrol(s, session, "DNS:est-a.m2m.example.com", None)
		check(status == 403, f"no challenge: {status} {body}")
		mine = challenge(session)
		status, body = enrol(s, session, "DNS:est-a.m2m.example.com", mine)
		check(status == 200, f"its own name: {status} {body}")
		status, body = enrol(s, session, "DNS:est-a.m2m.example.com", mine)
		check(status == 409, f"a challenge twice: {status} {body}")
		# RFC 7030 4.2.2: a re-enrolment renews the certificate that the client shows; a key shows none
		status, body = enrol(s, session, "DNS:est-a.m2m.example.com", challenge(session), path=REENROL)
		check(status in (400, 403), f"simplereenroll by a key: {status} {body}")


# ---- keys that ended

def a_kre_ends_with_its_ke(s):
	a = add_enrolee(s, "kre", "cse", "kre.m2m.example.com", prefs=NEVER)
	first = enrolled(s, *a)
	first.close()
	with opened(s, (first.kreid, first.kre)):
		pass
	newer = []
	time.sleep(1.1) # the store knows whole seconds
	for _ in range(4): # docs/decisions/0013: four Ke, the oldest goes
		newer.append(enrolled(s, *a))
		newer[-1].close()
	check(Session(s, first.kreid, first.kre).failed, "a Kre whose Ke was replaced")
	with opened(s, (newer[0].kreid, newer[0].kre)) as session:
		run(s.binary, "key", "remove", newer[0].kreid, "--dir", s.dir)
		refused(session.start(), (403,), "a session whose key was removed")
		refused(session.fetch(f"/fetchCredentials/{newer[1].relative}", "kre.m2m.example.com"), (403,), "and no retrieval")
	check(Session(s, newer[0].kreid, newer[0].kre).failed, "a Kre that was removed")
	run(s.binary, "key", "remove", newer[1].keid, "--dir", s.dir)
	check(Session(s, newer[1].keid, newer[1].ke).failed, "a KeId is nobody's psk_identity at a MEF")


def ke_is_no_credential(s):
	a = add_enrolee(s, "ke", "cse", "ke.m2m.example.com", prefs=NEVER)
	with enrolled(s, *a) as session:
		for version in ("1.2", "1.3"):
			check(Session(s, session.keid, session.ke, version=version).failed, "Ke opens no session: TS-0003 10.3.1")
			check(Session(s, session.keid, session.kre, version=version).failed, "nor does Kre under KeId")
			check(Session(s, a[0], session.kre, version=version).failed, "nor under KpmId")


def who_comes_back_under_an_id_inherits_nothing(s):
	target = enrolled(s, *add_enrolee(s, "target", "cse", CSE_B, prefs=NEVER))
	prefs = {**NEVER, "targets": [{"id": CSE_B, "usages": [22]}]}
	a = add_enrolee(s, "reborn", "cse", "reborn.m2m.example.com", prefs=prefs)
	old = enrolled(s, *a)
	path = f"/fetchCredentials/{old.relative}"
	check(target.fetch(path, CSE_B).status == 200, "the target has its key")
	run(s.binary, "enrolee", "remove", "reborn", "--dir", s.dir)
	refused(target.fetch(path, CSE_B), (403,), "a removed enrolee's key")
	b = add_enrolee(s, "reborn", "cse", "reborn.m2m.example.com", prefs=prefs)
	check(a[1] != b[1], "the new one has a key of its own")
	check(Session(s, *a).failed and Session(s, old.kreid, old.kre).failed, "old keys open nothing")
	refused(target.fetch(path, CSE_B), (403,), "the old Ke serves nobody")
	refused(old.report(1, "end"), (403, 404, 409), "an old session has no exchange")
	refused(old.start(), (403,), "an old session is not the new one's")
	with opened(s, b) as new:
		check(new.start().status == 200, "the new one enrols")
	target.close()
	return a, old


# ---- tokens

def new_token(s, *words):
	return json.loads(run(s.binary, "token", "add", *words, "--dir", s.dir, "--json"))


def a_token_shown_by_many_at_once_serves_one(s):
	crowd = [opened(s, add_enrolee(s, f"crowd-{i}", "cse", f"crowd-{i}.m2m.example.com", prefs=NEVER)) for i in range(6)]
	token = new_token(s)["token"]
	answers = []
	threads = [threading.Thread(target=lambda one=one: answers.append(one.start(token=token))) for one in crowd]
	for t in threads:
		t.start()
	for t in threads:
		t.join()
	check(sorted(a.status for a in answers) == [200] + [403] * 5, f"one of them: {[str(a) for a in answers]}")
	for one in crowd:
		one.close()


def a_removed_token_serves_nobody(s):
	a = add_enrolee(s, "late", "cse", "late.m2m.example.com", prefs={**NEVER, "mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444",
		"credential": "symmetricKey", "usages": [32]}]})
	token = new_token(s, "late")
	other = new_token(s, "late")
	run(s.binary, "token", "remove", token["id"], "--dir", s.dir)
	with opened(s, a) as session:
		refused(session.start(token=token["token"]), (403,), "a token that was removed")
		check(session.start(maf=True, token=other["token"]).status == 200, "another one")
		run(s.binary, "token", "remove", other["id"], "--dir", s.dir)
		refused(session.report(1, "mafEnrolment"), (403,), "a token that was removed in the middle")


def guesses_are_counted_and_short(s):
	"""128 bits are not guessed; what each try costs is one line of the audit log, of a bounded length."""
	a = add_enrolee(s, "guesser", "cse", "guesser.m2m.example.com", prefs=NEVER)
	had = events(s)
	with opened(s, a) as session:
		for i in range(GUESSES):
			token = base64.b32encode(i.to_bytes(16, "big")).decode().rstrip("=") if i % 2 else "A" * (i % 60 + 1)
			refused(session.start(token=token), (400, 403), "a guess")
		for odd in ("A" * 5000, "\u202e" * 30, "A\\u0000B", "' OR 1=1 --", "%s%n" * 10):
			refused(session.start(token=odd), (400, 403, 413), "an odd token")
	new = [e for e in events(s)[len(had):] if e.get("enrolee") == "guesser"]
	check(len(new) <= GUESSES + 8, f"one event a try: {len(new)}")
	check(all(len(json.dumps(e)) < 600 for e in new), f"events are short: {max(len(json.dumps(e)) for e in new)}")
	check(not any("AAAAAAAA" in json.dumps(e) for e in new), "and quote no token")


# ---- documents

class Trap:
	"""A listener that nobody may contact."""

	def __init__(self):
		self.c = socket.create_server(("127.0.0.1", 0))
		self.c.setblocking(False)
		self.port = self.c.getsockname()[1]

	def untouched(self, text):
		try:
			self.c.accept()
		except BlockingIOError:
			return
		check(False, f"{text}: somebody was contacted")


def documents(port):
	fine = '"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false'
	inner = "<certificateEnrolmentIndication>false</certificateEnrolmentIndication><mafEnrolmentIndication>false</mafEnrolmentIndication>"
	top = f"<enrolmentRequest>{inner}</enrolmentRequest>"
	lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
	yield "json", "depth", "[" * 30000
	yield "json", "depth of objects", '{"a":' * 10000 + "1" + "}" * 10000
	yield "json", "a wide list", '{%s,"x":[%s]}' % (fine, ",".join("1" * 20000))
	yield "json", "a long name", '{"%s":1,%s}' % ("n" * 50000, fine)
	yield "json", "a long text", '{"enrolmentToken":"%s",%s}' % ("A" * 60000, fine)
	yield "json", "a doubled name", '{"enrolmentToken":"A",%s,"enrolmentToken":"B"}' % fine
	yield "json", "a huge number", '{"certificateEnrolmentIndication":%s}' % ("9" * 5000)
	yield "json", "1e999", '{"certificateEnrolmentIndication":1e999}'
	yield "json", "no UTF-8", b'{"enrolmentToken":"\xff\xfe"}'
	yield "json", "a NUL", '{"enrolmentToken":"a\\u0000b",%s}' % fine
	yield "json", "half a surrogate", '{"enrolmentToken":"\\ud800",%s}' % fine
	yield "json", "two documents", "{%s}{%s}" % (fine, fine)
	yield "json", "text for truth", '{"certificateEnrolmentIndication":"false","mafEnrolmentIndication":0}'
	yield "json", "XML", top
	yield "xml", "JSON", "{%s}" % fine
	yield "xml", "a bomb", f'<!DOCTYPE lolz [<!ENTITY l0 "lol">{lol}]><enrolmentRequest><enrolmentToken>&l9;</enrolmentToken></enrolmentRequest>'
	yield "xml", "a square bomb", f'<!DOCTYPE q [<!ENTITY a "{"x" * 20000}">]><enrolmentRequest><enrolmentToken>{"&a;" * 5000}</enrolmentToken></enrolmentRequest>'
	for what, name in (("a file", "file:///etc/passwd"), ("a host", f"http://127.0.0.1:{port}/x"), ("ftp", f"ftp://127.0.0.1:{port}/x")):
		yield "xml", f"an entity of {what}", f'<!DOCTYPE x [<!ENTITY e SYSTEM "{name}">]><enrolmentRequest><enrolmentToken>&e;</enrolmentToken>{inner}</enrolmentRequest>'
		yield "xml", f"a parameter entity of {what}", f'<!DOCTYPE x [<!ENTITY % e SYSTEM "{name}"> %e;]>{top}'
		yield "xml", f"a DTD of {what}", f'<!DOCTYPE enrolmentRequest SYSTEM "{name}">{top}'
		yield "xml", f"XInclude of {what}", (f'<enrolmentRequest xmlns:xi="http://www.w3.org/2001/XInclude"><enrolmentToken><xi:include href="{name}" parse="text"/>'
			f"</enrolmentToken>{inner}</enrolmentRequest>")
	yield "xml", "an empty DTD", f"<!DOCTYPE enrolmentRequest>{top}"
	yield "xml", "depth", "<a>" * 15000 + "</a>" * 5000
	yield "xml", "a doubled field", f"<enrolmentRequest>{inner}<mafEnrolmentIndication>true</mafEnrolmentIndication></enrolmentRequest>"
	yield "xml", "another top", f"<enrolmentReport>{inner}</enrolmentReport>"
	yield "xml", "UTF-16", f'<?xml version="1.0" encoding="UTF-16"?>{top}'.encode("utf-16")
	yield "xml", "UTF-7", f'<?xml version="1.0" encoding="UTF-7"?>{top}'
	yield "xml", "an entity that nobody knows", f"<enrolmentRequest><enrolmentToken>&nobody;</enrolmentToken>{inner}</enrolmentRequest>"
	yield "xml", "many attributes", "<enrolmentRequest %s>%s</enrolmentRequest>" % (" ".join(f'a{i}="x"' for i in range(5000)), inner)
	yield "xml", "no end", top[:-5]
	yield "xml", "two tops", top + top


# These say nothing wrong: what is not known is passed over (decision 0013), or was only written strangely.
HARMLESS = ("a wide list", "many attributes", "a long text", "a long name")


def documents_break_nothing(s):
	a = add_enrolee(s, "writer", "cse", "writer.m2m.example.com", prefs=NEVER)
	trap = Trap()
	passwd = open("/etc/passwd", "rb").read()[:20]
	for form, what, text in documents(trap.port):
		with opened(s, a) as session:
			body = text if isinstance(text, bytes) else text.encode()
			for path in ("/enrolment", f"/enrolment/{session.relative}"):
				got = session.ask("POST", path, body, {"Content-Type": f"application/{form}"})
				answer = Answer(*got)
				check(answer.status in (400, 403, 404, 409, 413, 415, 422) or what in HARMLESS and answer.status == 200, f"{form}, {what}: {answer}")
				check(passwd not in answer.body and len(answer.body) < 2000, f"{form}, {what}: {answer}")
		trap.untouched(what)


def media_types_are_meant(s):
	a = add_enrolee(s, "typist", "cse", "typist.m2m.example.com", prefs=NEVER)
	body = b'{"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false}'
	with opened(s, a) as session:
		for media in ("text/plain", "application/x-www-form-urlencoded", "application/json, application/xml", "application/cbor", "*/*", "json"):
			status, _, text = session.ask("POST", "/enrolment", body, {"Content-Type": media})
			check(status in (400, 415), f"{media}: {status} {text}")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		s.device(1)
		s.start()
		set_prefs(s, NEVER)
		with Watch(s):
			for case in (est_gives_nobody_elses_name, a_kre_ends_with_its_ke, ke_is_no_credential, who_comes_back_under_an_id_inherits_nothing,
					a_token_shown_by_many_at_once_serves_one, a_removed_token_serves_nobody, guesses_are_counted_and_short,
					documents_break_nothing, media_types_are_meant):
				case(s)
				print(f"{case.__name__}: good", flush=True)
		no_fault(s)
		s.stop()
	print("clients by key gone bad: refused as they should be")


main()
