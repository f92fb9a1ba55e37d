#!/usr/bin/env python3
"""
No key leaves its place: a day of enrolments, retrievals, refusals and kills, then every log, the audit log, every
answer that is no key, command lines, environments and all files of the service are searched for every secret that
was made, raw, in hexadecimal and in base64.
"""

import base64
import json
import os
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import events  # noqa: E402
from _psk import TLS12, Secrets, Service, Session, add_enrolee, check, derive_constrained, enrolled, no_fault, set_prefs  # noqa: E402
from _service import run, wait_for  # noqa: E402

CSE_A, CSE_B = "cse-a.m2m.example.com", "cse-b.m2m.example.com"
PREFS_A = {"certificate": "never", "targets": [{"id": CSE_B, "usages": [22, 23]}],
	"mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444", "credential": "symmetricKey", "usages": [32]}]}


def new_token(s, secrets, *words):
	token = json.loads(run(s.binary, "token", "add", *words, "--dir", s.dir, "--json"))["token"]
	secrets.add(f"token {len(secrets.made)}", token)
	secrets.add(f"token {len(secrets.made)} in its other case", token.lower())
	return token


def traffic(s, secrets):
	a = add_enrolee(s, "cse-a", "cse", CSE_A, prefs=PREFS_A, secrets=secrets)
	b = add_enrolee(s, "cse-b", "cse", CSE_B, prefs={"certificate": "never"}, secrets=secrets)
	bodies = []
	target = enrolled(s, *b, secrets=secrets)
	for version, ciphers in [*(("1.2", suite) for suite in TLS12), ("1.3", "")]:
		token = new_token(s, secrets, "cse-a")
		with Session(s, *a, version=version, ciphers=ciphers, secrets=secrets) as session:
			bodies.append(session.start(maf=True, token=token))
			bodies.append(session.report(1, "mafEnrolment"))
			for suid in (22, 23):
				key = secrets.add(f"{session.keid} {suid}", derive_constrained(session.ke, suid, CSE_B))
				answer = target.fetch(f"/fetchCredentials/{session.keid}/{suid}", CSE_B)
				check(base64.b64decode(answer.doc["Credential"]) == key, f"usage {suid}: {answer}")
			bodies.append(target.fetch(f"/fetchCredentials/{session.keid}/21", CSE_B))
			bodies.append(session.fetch(f"/fetchCredentials/{session.keid}/22", CSE_B))
		with Session(s, session.kreid, session.kre, secrets=secrets) as again:
			bodies.append(again.start(maf=True))
	return a, b, bodies


def hostile(s, secrets, a, b):
	"""Secrets where they do not belong: in paths, headers, identities, bodies."""
	bodies = []
	wrong = secrets.add("a wrong key", os.urandom(32))
	check(Session(s, a[0], wrong).failed, "a wrong key")
	check(Session(s, "nobody@localhost", wrong).failed, "an unknown identity")
	with Session(s, *a, secrets=secrets) as session:
		token = secrets.add("a token that nobody made", base64.b32encode(os.urandom(16)).decode().rstrip("="))
		bodies.append(session.start(token=token))
		bodies.append(session.start(token=new_token(s, secrets, "cse-b")))
		bodies.append(session.say("/enrolment", "enrolmentRequest", {"enrolmentToken": token, "certificateEnrolmentIndication": 7}, "json", None))
		bodies.append(session.say("/enrolment", "enrolmentRequest", {"enrolmentToken": token, "mafEnrolmentIndication": "x"}, "xml", None))
	for role in ("registrar-0", "front-0"):
		old = s.roles()[role]
		os.kill(old, signal.SIGABRT) # what would leave a core, if it could
		wait_for(lambda: s.roles().get(role, old) != old, f"{role} is started again")
		wait_for(lambda: s.ask("GET", "/.well-known/est/cacerts")[0] == 200, "it answers")
	enrolled_again = Session(s, *b, secrets=secrets)
	check(enrolled_again.start().status == 200, "after the kills")
	enrolled_again.close()
	return bodies


def operator(s, secrets):
	"""Commands show rows, never keys."""
	out = ""
	for words in (("key", "list"), ("enrolee", "list"), ("enrolee", "show", "cse-a"), ("prefs", "show", "--enrolee", "cse-a"), ("token", "list"),
			("audit", "list"), ("status",)):
		for more in ((), ("--json",)):
			done = subprocess.run([str(s.binary), *words, *more, "--dir", str(s.dir)], capture_output=True, timeout=120)
			out += done.stdout.decode() + done.stderr.decode()
	secrets.search("what operators see", out.encode())


def processes(s):
	yield "serve", s.process.pid
	yield from s.roles().items()


def search(s, secrets, bodies):
	check(len(secrets.made) > 30, f"the search has something to look for: {len(secrets.made)}")
	for answer in bodies:
		secrets.search("an answer that carries no key", answer.body)
	secrets.search("the log", (s.root / "serve.log").read_bytes())
	secrets.search("the audit log", json.dumps(events(s)).encode())
	for name, pid in processes(s):
		for file in ("cmdline", "environ"):
			try:
				secrets.search(f"{file} of {name}", pathlib.Path(f"/proc/{pid}/{file}").read_bytes())
			except PermissionError:
				continue
	n = 0
	for path in s.dir.rglob("*"):
		if path.is_file():
			secrets.search(str(path), path.read_bytes()) # the store too: sealed means that nothing shows
			n += 1
	check(n > 8 and (s.dir / "openmef.db-wal").exists(), f"files were searched: {n}")


def the_search_finds_what_is_there(s, secrets):
	"""A search that finds nothing must be one that could."""
	name, value = next(iter(secrets.made.items()))
	for form in (value, value.hex().encode(), value.hex().upper().encode(), base64.b64encode(value)):
		check(secrets.found(b"x" * 100 + form + b"y" * 100) == name, f"{name} as {form} is found")


def main():
	secrets = Secrets()
	with Service(sys.argv[1], {"fronts": "1", "signers": "1", "level": "debug"}) as s:
		s.start()
		set_prefs(s, {"certificate": "never"})
		a, b, bodies = traffic(s, secrets)
		bodies += hostile(s, secrets, a, b)
		operator(s, secrets)
		search(s, secrets, bodies)
		the_search_finds_what_is_there(s, secrets)
		cores = [p for p in (*s.dir.rglob("core*"), *pathlib.Path(".").glob("core*")) if p.is_file()]
		check(not cores, f"cores: {cores}")
		no_fault(s)
		s.stop()
		secrets.search("the log after the stop", (s.root / "serve.log").read_bytes())
	print(f"secrets: {len(secrets.made)} made, none found")


main()
