#!/usr/bin/env python3
"""
What a thief of a process would find once its clients are gone: no Kpm, Ke, Kre, no derived key and no token in the
readable memory of any role, after whole exchanges, refusals, retrievals and handshakes that were cut.
"""

import base64
import json
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _memory import found, no_role_remembers, processes  # noqa: E402
from _psk import TLS12, Secrets, Service, Session, Tap, add_enrolee, check, derive_constrained, no_fault, run, set_prefs  # noqa: E402

CSE_A, CSE_B = "cse-a.m2m.example.com", "cse-b.m2m.example.com"
PREFS = {"certificate": "never", "targets": [{"id": CSE_B, "usages": [22]}],
	"mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444", "credential": "symmetricKey", "usages": [32]}]}
ROUNDS = 2


def new_token(s, secrets):
	token = json.loads(run(s.binary, "token", "add", "--dir", s.dir, "--json"))["token"]
	return secrets.add(f"token {len(secrets.made)}", token)


def traffic(s, secrets, a, target):
	for i in range(ROUNDS):
		for version, ciphers in [*(("1.2", suite) for suite in TLS12), ("1.3", "")]:
			form = "xml" if i % 2 else "json"
			with Session(s, *a, version=version, ciphers=ciphers, secrets=secrets) as session:
				check(not session.failed, f"handshake: {session.failed}")
				check(session.start(form, maf=True, token=new_token(s, secrets)).status == 200, "an exchange")
				check(session.report(1, "mafEnrolment", form=form).status == 200, "its report")
				key = secrets.add(f"{session.keid} 22", derive_constrained(session.ke, 22, CSE_B))
				answer = target.fetch(f"/fetchCredentials/{session.keid}/22", CSE_B, form)
				check(base64.b64decode(answer.doc["Credential"]) == key, f"a retrieval: {answer}")
				session.start(form, maf=True, token=new_token(s, secrets))
			with Session(s, session.kreid, session.kre, version=version, secrets=secrets) as again:
				check(again.start(form, token="X" * 26).status == 403, "a refusal")


def hostile(s, secrets, a):
	for version in ("1.2", "1.3"):
		check(Session(s, a[0], secrets.add(f"a wrong key on {version}", os.urandom(32)), version=version).failed, "a wrong key")
		for cut in (43, 120, 200, 260, 330, 400):
			tap = Tap(s.https, cut=cut)
			Session(s, *a, version=version, port=tap.port).close()
			tap.finish()


def the_search_finds_what_is_there(s, secrets, a):
	"""While a session lives, its key is in the front: a search that finds nothing then is none."""
	seen = Secrets()
	with Session(s, *a, secrets=seen) as session:
		check(session.ask("GET", "/.well-known/est/cacerts")[0] == 200, "a session that lives")
		front = s.roles()["front-0"]
		known = Secrets()
		known.add("the server's name", b"localhost")
		check(found(front, known), "the memory can be read")
	return front


def main():
	secrets = Secrets()
	with Service(sys.argv[1], {"fronts": "1", "signers": "1", "level": "debug"}) as s:
		s.start()
		if not os.access(f"/proc/{s.roles()['front-0']}/mem", os.R_OK):
			print("memory of other processes cannot be read here: not looked at")
			return
		set_prefs(s, {"certificate": "never"})
		a = add_enrolee(s, "cse-a", "cse", CSE_A, prefs=PREFS, secrets=secrets)
		b = add_enrolee(s, "cse-b", "cse", CSE_B, secrets=secrets)
		the_search_finds_what_is_there(s, secrets, a)
		with Session(s, *b, secrets=secrets) as target:
			check(target.start().status == 200, "the target's exchange")
			traffic(s, secrets, a, target)
			hostile(s, secrets, a)
		check(s.ask("GET", "/.well-known/est/cacerts")[0] == 200, "one more turn of every loop")
		check(len(secrets.made) > 40, f"the search has something to look for: {len(secrets.made)}")
		no_role_remembers(s, secrets, "behind the last client")
		for name, pid in processes(s):
			limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
			check(name == "serve" or re.search(r"Max core file size +0 +0 ", limits), f"{name} leaves no core")
		no_fault(s)
		s.stop()
	print(f"memory: {len(secrets.made)} secrets made, as it should be")


main()
