#!/usr/bin/env python3
"""
Devices with pre-provisioned keys and their MAF, as `make demo` shows them: KeId, KmId, a key registered for a target,
fetched by it and used; and what goes wrong on the way. Real MEF, real MAF, the program `enrolee`.
"""

import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, Maf  # noqa: E402
from _maf_device import Device, call, no_secret_is_told, session  # noqa: E402
from _psk import Answer, Secrets, Tap, no_fault  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

ALICE, BOB, EVE = (f"https://{name}.example.com/C{name}" for name in ("alice", "bob", "eve"))
JSON = {"Content-Type": "application/json"}


def events(s, what):
	return run(s.binary, "audit", "list", "--dir", s.dir, "--limit", "1000").count(f'"{what}"')


def the_second_connect_shows_the_kmid(w):
	for n, (d, more) in enumerate(((w.alice, []), (w.bob, ["--tls12"]), (w.eve, []))):
		d.enrol()
		keid = d.keys()["keid"]
		shown = []
		for _ in range(2):
			tap = Tap(w.maf.https)
			told = json.loads(call([d.binary, "maf", "connect", MAF, "--json", "--connect", f"127.0.0.1:{tap.port}", "--dir", d.dir, *more]))
			tap.finish()
			shown.append([name for name in (keid, told["kmid"]) if name.encode() in tap.sent])
		check(told["client_id"] == d.entity and told["kmid"].endswith("@" + MAF), f"{told}")
		check(shown == [[keid], [told["kmid"]]], f"{d.name}: KeId first, then KmId: {shown}")
		check(d.keys()["mafs"][0]["kmid"] == told["kmid"], "the KmId is kept")
		check(events(w.mef, "key.retrieved") == n + 1, "its key was fetched once")


def a_key_for_a_target_ends_in_a_session(w):
	for more, version in (([], "TLSv1.3"), (["--tls12"], "TLSv1.2")):
		keid = w.alice.register(BOB, *more)
		check(keid.endswith("@" + MAF), keid)
		told = w.bob.fetch(keid, *more)
		check(told["peer"] == ALICE and told["suid"] == 32, f"{told}")
		check(w.alice.pairwise(keid) == w.bob.pairwise(keid), "both hold the same key")
		check(session(w.bob, w.alice, keid, *more) == version, f"a session of {version}")


def another_target_gets_nothing(w):
	keid = w.alice.register(BOB)
	for d in (w.eve, w.alice):
		before = sorted(p.name for p in (d.dir / "pairwise").iterdir()) if (d.dir / "pairwise").exists() else []
		d.fetch(keid, want=4, says="OMEF-2304")
		after = sorted(p.name for p in (d.dir / "pairwise").iterdir()) if (d.dir / "pairwise").exists() else []
		check(before == after, "nothing was stored")
	w.alice.register("", want=4, says="OMEF-2300")
	w.eve.fetch("0" * 32 + "@" + MAF, want=4, says="OMEF-2304")
	w.bob.fetch(keid)


def a_registration_that_is_over_gives_nothing(w):
	keid = w.alice.register(BOB, "--lifetime", "3s")
	time.sleep(3.1)
	w.bob.fetch(keid, want=4, says="OMEF-2304")
	call([w.alice.binary, "session", "listen", keid, "--dir", w.alice.dir], want=4, says="OMEF-1827")
	w.maf.signal(signal.SIGUSR1)
	wait_for(lambda: events(w.maf, "key.expired"), "the MAF erases it")


def the_other_rule_for_km_is_refused_and_told(w):
	for d in (w.alice, w.bob):
		for more in ([], ["--tls12"]):
			d.connect("--km-rule", "10.3.2", *more, want=4, says="--km-rule")
	w.alice.connect("--km-rule", "10.3.3", want=2, says="OMEF-1910")
	w.alice.connect("--km-rule", "10.3.7")


def register(s):
	body = {"adminFQDN": "admin.example.com", "SUID": 32, "targetIDs": [BOB],
		"expirationTime": time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() + 600))}
	return "POST", "/maf/symmKeyReg", json.dumps(body).encode(), JSON


def a_lost_answer_is_given_again(w):
	"""The registrar is killed before and behind the commit; the client asks again in its session."""
	told = w.alice.keys()["mafs"][0]
	for behind in (False, True):
		pid = w.maf.roles()["registrar-0"]
		with w.maf.works(told["kmid"], bytes.fromhex(told["km"]), "alice") as s:
			w.secrets.add("Kc of a session", s.connection[16:])
			before = events(w.maf, "maf.key.registered")
			if not behind:
				os.kill(pid, signal.SIGSTOP)
			s.send(*register(s))
			if behind:
				wait_for(lambda: events(w.maf, "maf.key.registered") == before + 1, "the commit")
			os.kill(pid, signal.SIGKILL)
			first = Answer(*s.hear())
			check(first.status in (201, 503), f"the first answer: {first}")
			wait_for(lambda: w.maf.roles().get("registrar-0", pid) != pid, "another registrar")
			again = None
			for _ in range(60):
				again = Answer(*s.ask(*register(s)))
				if again.status != 503:
					break
				time.sleep(0.2)
			relative = s.connection[:16].hex().upper()
			check(again.status == 201 and again.doc["relativeKeyID"] == relative, f"again: {again}")
			check("keyValue" not in again.doc, "no key to its source")
		told_bob = w.bob.fetch(f"{relative}@{MAF}")
		check(told_bob["peer"] == ALICE, f"the target: {told_bob}")
		check(w.bob.pairwise(f"{relative}@{MAF}").lower() == s.connection[16:].hex(), "the same key")


def a_removed_key_is_not_made_again_in_its_session(w):
	told = w.alice.keys()["mafs"][0]
	with w.maf.works(told["kmid"], bytes.fromhex(told["km"]), "alice") as s:
		w.secrets.add("Kc of a removed key", s.connection[16:])
		path = "/maf/symmKeyReg/" + s.connection[:16].hex()
		check(s.ask(*register(s))[0] == 201, "registered")
		update = Answer(*s.ask("PUT", path, json.dumps({"labels": ["pump"]}).encode(), JSON))
		check(update.status == 200 and update.doc == {"labels": ["pump"]}, f"an update tells what was sent: {update}")
		check(s.ask("DELETE", path)[0] == 200, "removed")
		again = Answer(*s.ask(*register(s)))
		check(again.status == 409 and again.code == "OMEF-2305", f"again in that session: {again}")
		check(s.ask("DELETE", path)[0] == 404, "it is gone")
	w.bob.fetch(f"{s.connection[:16].hex().upper()}@{MAF}", want=4, says="OMEF-2304")


class World:
	pass


def main():
	w = World()
	w.secrets = Secrets()
	with Service(sys.argv[1]) as w.mef:
		w.mef.start()
		with Maf(w.mef, f"127.0.0.1:{w.mef.https}") as w.maf:
			w.maf.start()
			w.alice, w.bob, w.eve = (Device(w.mef, w.maf, name, "ae", entity, w.secrets)
				for name, entity in (("alice", ALICE), ("bob", BOB), ("eve", EVE)))
			for test in (the_second_connect_shows_the_kmid, a_key_for_a_target_ends_in_a_session, another_target_gets_nothing,
					a_registration_that_is_over_gives_nothing, the_other_rule_for_km_is_refused_and_told, a_lost_answer_is_given_again,
					a_removed_key_is_not_made_again_in_its_session):
				test(w)
				print(f"{test.__name__}: passed", flush=True)
			w.maf.stop()
			w.mef.stop()
			no_secret_is_told(w.secrets, w.maf, w.mef)
			for s in (w.mef, w.maf):
				run(s.binary, "audit", "verify", "--dir", s.dir)
				no_fault(s)


if __name__ == "__main__":
	main()
