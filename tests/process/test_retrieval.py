#!/usr/bin/env python3
"""
MEF key retrieval on the running service: by a MAF with a certificate, by a CSE with its Kre; who asks for whom,
what each refusal tells, a right that is taken away, and a registrar that is killed between exchange and retrieval.
"""

import base64
import http.client
import json
import os
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import LEAF, events, make_cert  # noqa: E402
from _psk import TYPES, Answer, Service, Session, add_enrolee, check, derive_constrained, enrolled, no_fault, run, set_prefs  # noqa: E402
from _service import wait_for  # noqa: E402

MAF, CSE_A, CSE_B, CSE_C, AE = "maf.example.com", "cse-a.m2m.example.com", "cse-b.m2m.example.com", "cse-c.m2m.example.com", "https://ae.example.com/meter"
PREFS = {"certificate": "never", "enrolmentExpiry": 3600,
	"mafs": [{"fqdn": MAF, "uri": f"https://{MAF}:8444", "credential": "symmetricKey", "usages": [32]}],
	"targets": [{"id": CSE_B, "usages": [22]}, {"id": "ae.example.com/meter", "usages": [22, 23]}]}
REFUSED, ORIGIN = "OMEF-2221", "OMEF-2220"


def target_by_certificate(s, name, kind, entity):
	"""A device certificate of the factory's CA; its serial number is the credential."""
	stem = make_cert(s.root, name, f"/O=Example/serialNumber=SN-{name}", s.factory / "ca", LEAF)
	run(s.binary, "enrolee", "add", name, "--dir", s.dir, "--type", kind, "--entity", entity, "--credential", f"serial=SN-{name}",
		"--anchor", s.factory / "ca.pem")
	return stem


def fetch(s, stem, path, origin, accept="json", field="X-M2M-Origin"):
	c = http.client.HTTPSConnection("localhost", s.https, timeout=60, context=s.context(stem))
	try:
		c.request("GET", path, headers={"Accept": TYPES[accept], **({field: origin} if origin else {})})
		r = c.getresponse()
		return Answer(r.status, {k.lower(): v for k, v in r.headers.items()}, r.read())
	finally:
		c.close()


def granted(answer, key, enrolee, text):
	check(answer.status == 200, f"{text}: {answer}")
	doc = answer.doc
	check(doc["Status"] in (True, "true") and base64.b64decode(doc["Credential"]) == key, f"{text}: another key: {answer}")
	check(doc["EnroleeID"] == enrolee and 0 < int(doc["Lifetime"]) <= 3600, f"{text}: {answer}")


def refused(answer, code, text, status=403):
	check(answer.status == status, f"{text}: want {status}, have {answer}")
	check(answer.doc.get("Status") in (False, "false") and answer.doc.get("ErrorString") and "Credential" not in answer.doc,
		f"{text}: want Status False and a reason, have {answer}")
	check(answer.code == code, f"{text}: want {code}, have {answer}")


def audited(s, what, enrolee, words=""):
	last = events(s)[-1]
	check(last["what"] == what and last.get("enrolee") == enrolee and words in last.get("detail", ""), f"audit: {last}")


class World:
	def __init__(self, s):
		self.s = s
		self.maf = target_by_certificate(s, "maf", "fqdn", MAF)
		self.foreign_maf = target_by_certificate(s, "maf-2", "fqdn", "maf.example.net")
		self.ae = target_by_certificate(s, "ae", "ae", AE)
		a = add_enrolee(s, "cse-a", "cse", CSE_A, prefs=PREFS)
		with Session(s, *a) as session:
			check(session.start(maf=True).status == 200 and session.report(1, "mafEnrolment").status == 200, "exchange of A")
			self.a = session
		self.b = enrolled(s, *add_enrolee(s, "cse-b", "cse", CSE_B, prefs={"certificate": "never"}))
		self.c = enrolled(s, *add_enrolee(s, "cse-c", "cse", CSE_C, prefs={"certificate": "never"}))
		self.short = f"/fetchCredentials/{self.a.relative}"
		self.full = f"/fetchCredentials/{self.a.keid}"


def a_maf_gets_its_key(w):
	key = derive_constrained(w.a.ke, 21, MAF)
	for accept in ("json", "xml"):
		for path in (w.short, f"{w.full}/21", f"{w.full.replace('@', '%40')}/21", w.short.lower().replace("fetchc", "fetchC")):
			a = fetch(w.s, w.maf, path, MAF, accept)
			granted(a, key, CSE_A, f"{path} as {accept}")
			check(a.type == TYPES[accept], f"{a}")
	granted(fetch(w.s, w.maf, w.short, MAF, field="From"), key, CSE_A, "From stands in for X-M2M-Origin")
	audited(w.s, "key.retrieved", "cse-a", "usage 21")


def a_cse_gets_its_key_by_kre(w):
	with Session(w.s, w.b.kreid, w.b.kre) as target:
		check(not target.failed, f"handshake by Kre: {target.failed}")
		key = derive_constrained(w.a.ke, 22, CSE_B)
		granted(target.fetch(w.short, CSE_B), key, CSE_A, "the one usage")
		granted(target.fetch(f"{w.full}/22", CSE_B, "xml"), key, CSE_A, "usage 22")
		refused(target.fetch(f"{w.full}/23", CSE_B), REFUSED, "a usage that is not granted")
		refused(target.fetch(f"{w.full}/21", CSE_B), REFUSED, "a MAF's usage for a CSE")


def an_ae_names_the_usage(w):
	for suid in (22, 23):
		granted(fetch(w.s, w.ae, f"{w.full}/{suid}", AE), derive_constrained(w.a.ke, suid, "ae.example.com/meter"), CSE_A, f"usage {suid}")
	refused(fetch(w.s, w.ae, w.short, AE), REFUSED, "two usages, none named")


def origin_must_be_the_credentials_own(w):
	for origin in (None, CSE_B, "maf.example.net", "x", MAF + ".evil.example"):
		refused(fetch(w.s, w.maf, w.short, origin), ORIGIN, f"origin {origin}")
		audited(w.s, "key.refused", "maf")
	with Session(w.s, w.c.kreid, w.c.kre) as thief:
		refused(thief.fetch(f"{w.full}/22", CSE_B), ORIGIN, "C says that it is B")


def others_learn_nothing(w):
	"""Unknown, expired and somebody else's: one text (docs/decisions/0013)."""
	with Session(w.s, w.c.kreid, w.c.kre) as other:
		answers = [other.fetch(path, CSE_C) for path in (w.short, f"{w.full}/22", f"/fetchCredentials/{'0' * 32}",
			f"/fetchCredentials/{'0' * 32}@localhost/22", f"/fetchCredentials/{w.a.relative}@mef.example.net/22", f"{w.full}/21")]
	for a in answers:
		refused(a, REFUSED, "another target")
		check(a.body == answers[0].body, f"one text for all: {a} {answers[0]}")
	refused(fetch(w.s, w.foreign_maf, w.short, "maf.example.net"), REFUSED, "another MAF")
	audited(w.s, "key.refused", "maf-2")


def who_shows_nothing_gets_nothing(w):
	refused(fetch(w.s, None, w.short, MAF), "OMEF-1510", "no credential")
	stranger = make_cert(w.s.root, "stranger", "/serialNumber=SN-stranger", w.s.factory / "ca", LEAF)
	refused(fetch(w.s, stranger, w.short, MAF), "OMEF-1511", "a stranger")


def paths_that_are_none(w):
	for path in ("/fetchCredentials/", f"{w.full}/", f"{w.full}/21/", f"{w.full}/x", f"{w.full}/999", f"{w.short}0", "/fetchCredentials/%20",
			f"/fetchCredentials/{w.a.relative}@/22", "/fetchCredentials/" + "A" * 900):
		a = fetch(w.s, w.maf, path, MAF)
		check(a.status in (400, 403) and a.doc.get("Status") is False and a.doc["ErrorString"], f"{path}: {a}")
	for method in ("POST", "PUT", "DELETE", "HEAD"):
		c = http.client.HTTPSConnection("localhost", w.s.https, timeout=60, context=w.s.context(w.maf))
		c.request(method, w.short, headers={"X-M2M-Origin": MAF})
		status = c.getresponse().status
		c.close()
		check(status == 405, f"{method}: {status}")


def the_key_outlives_the_registrar(w):
	old = w.s.roles()["registrar-0"]
	os.kill(old, signal.SIGKILL)
	wait_for(lambda: w.s.roles().get("registrar-0", old) != old, "the registrar is started again")
	wait_for(lambda: fetch(w.s, w.maf, w.short, MAF).status == 200, "the key is there")
	granted(fetch(w.s, w.maf, w.short, MAF), derive_constrained(w.a.ke, 21, MAF), CSE_A, "after a kill")


def a_right_that_is_taken_away_ends_at_once(w):
	set_prefs(w.s, {**PREFS, "mafs": [], "targets": []}, "--enrolee", "cse-a")
	refused(fetch(w.s, w.maf, w.short, MAF), REFUSED, "no right any more")
	with Session(w.s, w.b.kreid, w.b.kre) as target:
		refused(target.fetch(w.short, CSE_B), REFUSED, "no right any more")
	more = [*PREFS["targets"], {"id": CSE_C, "usages": [22]}]
	set_prefs(w.s, {**PREFS, "targets": more}, "--enrolee", "cse-a")
	granted(fetch(w.s, w.maf, w.short, MAF), derive_constrained(w.a.ke, 21, MAF), CSE_A, "given back")
	with Session(w.s, w.c.kreid, w.c.kre) as late:
		refused(late.fetch(w.short, CSE_C), REFUSED, "a right that the exchange did not grant")


def a_disabled_enrolee_and_a_disabled_target(w):
	with Session(w.s, w.b.kreid, w.b.kre) as target:
		run(w.s.binary, "enrolee", "disable", "cse-a", "--dir", w.s.dir)
		refused(target.fetch(w.short, CSE_B), REFUSED, "its enrolee is disabled")
		run(w.s.binary, "enrolee", "enable", "cse-a", "--dir", w.s.dir)
		check(target.fetch(w.short, CSE_B).status == 200, "enabled again")
		run(w.s.binary, "enrolee", "disable", "cse-b", "--dir", w.s.dir)
		a = target.fetch(w.short, CSE_B)
		check(a.status == 403 and a.doc["Status"] is False, f"a target that was disabled meanwhile: {a}")
	check(Session(w.s, w.b.kreid, w.b.kre).failed, "no handshake either")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		s.start()
		w = World(s)
		for case in (a_maf_gets_its_key, a_cse_gets_its_key_by_kre, an_ae_names_the_usage, origin_must_be_the_credentials_own,
				others_learn_nothing, who_shows_nothing_gets_nothing, paths_that_are_none, the_key_outlives_the_registrar,
				a_right_that_is_taken_away_ends_at_once, a_disabled_enrolee_and_a_disabled_target):
			case(w)
			print(f"{case.__name__}: good", flush=True)
		w.b.close()
		w.c.close()
		check(json.dumps(events(s)).count("key.retrieved") > 5, "retrievals are audited")
		no_fault(s)
		s.stop()
	print("retrieval: as it should be")


main()
