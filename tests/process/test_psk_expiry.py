#!/usr/bin/env python3
"""
The end of a key (TS-0003 10.7; seed 003 8.3.2.1): with an Enrolment Expiry of a minute Ke and Kre are refused
from their last second on and erased within the next minute; at a start whatever is due goes, however much.
"""

import os
import sqlite3
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import events  # noqa: E402
from _psk import Service, Session, add_enrolee, check, enrolled, no_fault, set_prefs  # noqa: E402
from _service import run, wait_for  # noqa: E402

EXPIRY_S = 60 # proto/m2m/prefs.h: PREFS_EXPIRY_MIN_S
CSE_B = "cse-b.m2m.example.com"
CROWD = 250 # more than are erased at once


def rows(s, more=""):
	db = sqlite3.connect(f"file:{s.dir}/openmef.db?mode=ro", uri=True, timeout=30)
	try:
		return db.execute(f"SELECT id FROM symkey WHERE expires_s <> 0 {more}").fetchall()
	finally:
		db.close()


def a_key_ends_on_time(s):
	target = enrolled(s, *add_enrolee(s, "cse-b", "cse", CSE_B, prefs={"certificate": "never"}))
	a = add_enrolee(s, "cse-a", "cse", "cse-a.m2m.example.com", prefs={"certificate": "never", "enrolmentExpiry": EXPIRY_S,
		"targets": [{"id": CSE_B, "usages": [22]}]})
	before = time.time()
	with enrolled(s, *a) as session:
		made = time.time()
		check(0 < int(session.end["lifetime"]) <= EXPIRY_S, f"lifetime: {session.end}")
		path = f"/fetchCredentials/{session.relative}"
		answer = target.fetch(path, CSE_B)
		check(answer.status == 200 and int(answer.doc["Lifetime"]) <= EXPIRY_S, f"in time: {answer}")
		with Session(s, session.kreid, session.kre) as again:
			check(not again.failed, "Kre is good")
			while time.time() < made + EXPIRY_S + 1:
				time.sleep(0.2)
			# A handshake that is older than its key's end: the call is refused all the same.
			status, _, body = again.ask("POST", "/enrolment",
				b'{"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false}', {"Content-Type": "application/json"})
			check(status == 403 and b"OMEF-" in body, f"a session by an expired Kre: {status} {body}")
		late = target.fetch(path, CSE_B)
		check(late.status == 403 and late.doc["Status"] is False, f"after its end: {late}")
		check(Session(s, session.kreid, session.kre).failed, "no handshake by an expired Kre")
		status, _, body = session.ask("POST", f"/enrolment/{session.relative}",
			b'{"instructionNumber":1,"instructionType":"end","status":true}', {"Content-Type": "application/json"})
		check(status in (403, 404), f"an exchange whose key has ended: {status} {body}")
	wait_for(lambda: not rows(s, "AND owner = 'cse-a'"), "the keys are erased", 90)
	check(time.time() >= before + EXPIRY_S, "not before their time")
	told = [e for e in events(s) if e["what"] == "key.expired"]
	check(len(told) == 2 and all(e["enrolee"] == "cse-a" for e in told), f"an event for each: {told}")
	check(target.fetch("/.well-known/est/cacerts", CSE_B).status == 200 and rows(s, "AND owner = 'cse-b'"), "other keys stay")
	target.close()
	enrolled(s, *a).close() # Kpm does not end with them


def whatever_is_due_goes_at_the_start(s):
	s.stop()
	db = sqlite3.connect(s.dir / "openmef.db", timeout=30)
	past = int(time.time()) - 10
	with db:
		for i in range(CROWD):
			db.execute("INSERT INTO symkey SELECT kind, ? || substr(id, 9), owner, sealed, created_s, ?, info FROM symkey"
				" WHERE owner = 'cse-b' AND kind = 3 LIMIT 1", (f"{i:08X}", past - i))
	db.close()
	check(len(rows(s, f"AND expires_s <= {past}")) == CROWD, "they are there")
	s.start()
	wait_for(lambda: not rows(s, f"AND expires_s <= {past}"), "they are gone soon after the start", 30)
	run(s.binary, "audit", "verify", "--dir", s.dir)


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1", "idle_timeout": "5min"}) as s:
		s.start()
		set_prefs(s, {"certificate": "never"})
		a_key_ends_on_time(s)
		print("a key ends on time: good", flush=True)
		whatever_is_due_goes_at_the_start(s)
		no_fault(s)
		s.stop()
	print("expiry: as it should be")


main()
