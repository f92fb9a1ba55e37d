#!/usr/bin/env python3
"""
The MAF as a service: first contact by KeId, whose key is fetched during the handshake; KmId afterwards; registrations
and keys for targets; a MEF that refuses, hangs or is away; roles that are killed; no secret anywhere.
"""

import base64
import json
import os
import signal
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, FakeMef, Maf  # noqa: E402
from _psk import Answer, Secrets, no_fault  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

JSON = {"Content-Type": "application/json"}
CSE_A, CSE_B, CSE_C = "cse-a.example.com", "cse-b.example.com", "cse-c.example.com"


class World:
	def __init__(self, maf, mef):
		self.maf, self.mef, self.secrets, self.count = maf, mef, Secrets(), 0

	def client(self, enrolee, lifetime=3600):
		"""A KeId and its Km at the MEF."""
		self.count += 1
		keid, key = os.urandom(16).hex().upper() + "@localhost", os.urandom(32)
		self.secrets.add(f"Km of {enrolee}", key)
		self.mef.keys[keid] = (key, enrolee, lifetime)
		return keid, key


def later(seconds):
	return time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() + seconds))


def ask(session, method, path, message=None):
	body = json.dumps(message).encode() if message is not None else b""
	return Answer(*session.ask(method, path, body, JSON if body else None))


def register(session, seconds=600):
	a = ask(session, "POST", "/maf/clientReg", {"adminFQDN": "admin.example.com", "expirationTime": later(seconds)})
	check(a.status == 201, f"client registration: {a}")
	return a.doc.get("mafClientReg", a.doc)


def key_ask(target, **more):
	return {"adminFQDN": "admin.example.com", "expirationTime": later(600), "SUID": 32, "targetIDs": [target], **more}


def first_contact_fetches_and_kmid_follows(w):
	for version in ("1.2", "1.3"):
		keid, key = w.client(CSE_A)
		with w.maf.works(keid, key, f"first contact on TLS {version}", version=version) as session:
			doc = register(session)
		check(w.mef.asked.count(keid) == 1, f"the MEF was asked once: {w.mef.asked}")
		kmid = doc["assignedSymmKeyID"]
		check(kmid.endswith("@" + MAF), f"KmId: {kmid}")
		check(doc["clientID"] == CSE_A, f"client: {doc}")
		w.maf.works(kmid, key, "KmId", version=version).close()
		w.maf.works(kmid.swapcase().replace(MAF.upper(), MAF), key, "KmId in another case", version=version).close()
		w.maf.works(keid, key, "KeId again", version=version).close()
		check(w.mef.asked.count(keid) == 1, "a stored key is not fetched again")
	check(MAF in w.mef.callers, f"the MAF shows its FQDN certificate: {w.mef.callers}")


def unknown_keid_looks_like_a_wrong_key(w):
	keid, key = w.client(CSE_A)
	unknown = os.urandom(16).hex().upper() + "@localhost"
	for version in ("1.2", "1.3"):
		wrong = w.maf.fails(keid, os.urandom(32), "wrong key", version=version)
		check(w.maf.fails(unknown, key, "unknown KeId", version=version) == wrong, "unknown and wrong look the same")
		check(w.maf.fails("x" * 32 + "@localhost", key, "no KeId", version=version) == wrong, "malformed and wrong look the same")
		check(w.maf.fails(f"{'0' * 32}@elsewhere.example.com", key, "no MEF of ours", version=version) == wrong, "foreign looks the same")
	check(w.mef.asked.count(unknown) == 1, "a refusal is remembered")


def others_are_served_while_one_waits(w):
	keid, key = w.client(CSE_A)
	known, known_key = w.client(CSE_B)
	w.maf.works(known, known_key, "a known client").close()
	w.mef.hold = threading.Event()
	done = []
	threads = [threading.Thread(target=lambda: done.append(w.maf.session(keid, key))) for _ in range(4)]
	for t in threads:
		t.start()
	wait_for(lambda: keid in w.mef.asked, "the MEF is asked")
	for _ in range(20):
		with w.maf.works(known, known_key, "another client meanwhile") as session:
			register(session)
	check(not done, "the first ones still wait")
	w.mef.hold.set()
	for t in threads:
		t.join()
	w.mef.hold = None
	check(len(done) == 4 and not any(s.failed for s in done), f"all of them come in: {[s.failed for s in done]}")
	for s in done:
		s.close()
	check(w.mef.asked.count(keid) == 1, "they share one fetch")


def mef_that_is_away_or_hangs_fails_its_clients_only(w):
	keid, key = w.client(CSE_A)
	known, known_key = w.client(CSE_B)
	w.maf.works(known, known_key, "a known client").close()
	w.mef.down()
	w.maf.fails(keid, key, "the MEF is down")
	w.maf.works(known, known_key, "others go on").close()
	w.mef.up()
	w.maf.works(keid, key, "the MEF is back").close()
	keid, key = w.client(CSE_A)
	w.mef.hold = threading.Event()
	failed = []
	t = threading.Thread(target=lambda: failed.append(w.maf.fails(keid, key, "the MEF hangs")))
	t.start()
	wait_for(lambda: keid in w.mef.asked, "the MEF is asked")
	w.maf.works(known, known_key, "others go on").close()
	t.join(60)
	check(not t.is_alive() and failed, "the handshake ends")
	w.mef.hold.set()
	w.mef.hold = None
	w.maf.works(keid, key, "the MEF answers again").close()


def killed_roles_are_replaced(w):
	for role in ("caller-0", "registrar-0"):
		keid, key = w.client(CSE_A)
		known, known_key = w.client(CSE_B)
		w.maf.works(known, known_key, "a known client").close()
		w.mef.hold = threading.Event()
		failed = []
		t = threading.Thread(target=lambda: failed.append(w.maf.fails(keid, key, f"{role} is killed")))
		t.start()
		wait_for(lambda: keid in w.mef.asked, "the MEF is asked")
		pid = w.maf.roles()[role]
		os.kill(pid, signal.SIGKILL)
		t.join(60)
		check(failed, f"the handshake ends when {role} does")
		w.mef.hold.set()
		w.mef.hold = None
		wait_for(lambda: w.maf.roles().get(role, pid) != pid, f"{role} is replaced")
		wait_for(lambda: come_in(w, keid, key), f"the client comes in behind a new {role}")
		w.maf.works(known, known_key, "what was stored stays").close()


def come_in(w, keid, key):
	with w.maf.session(keid, key) as session:
		return not session.failed


def keys_go_to_the_named_target_only(w):
	a, b, c = (w.maf.works(*w.client(name), name) for name in (CSE_A, CSE_B, CSE_C))
	w.secrets.add("Kc", a.connection[16:])
	answer = ask(a, "POST", "/maf/symmKeyReg", key_ask(CSE_B))
	check(answer.status == 201, f"key registration: {answer}")
	relative = answer.doc["relativeKeyID"]
	check(relative == a.connection[:16].hex().upper(), f"KcId is of the session: {answer}")
	check("keyValue" not in answer.doc, f"no key to its source: {answer}")
	again = ask(a, "POST", "/maf/symmKeyReg", key_ask(CSE_B))
	check(again.status == 201 and again.doc["relativeKeyID"] == relative, f"the same again: {again}")
	check(ask(a, "POST", "/maf/symmKeyReg", key_ask(CSE_C)).status == 409, "one registration per session")
	for session, name in ((c, "a third one"), (a, "its source")):
		got = ask(session, "GET", f"/maf/symmKeyReg/{relative}")
		check(got.status == 404 and "keyValue" not in got.body.decode(), f"{name}: {got}")
	got = ask(b, "GET", f"/maf/symmKeyReg/{relative}")
	check(got.status == 200 and base64.b64decode(got.doc["keyValue"]) == a.connection[16:], f"the target: {got}")
	check(got.doc["sourceClientID"] == CSE_A, f"of whom: {got}")
	check(ask(b, "DELETE", f"/maf/symmKeyReg/{relative}").status == 404, "a target cannot remove it")
	check(ask(a, "PUT", f"/maf/symmKeyReg/{relative}", {"targetIDs": [CSE_C]}).status == 200, "another target")
	check(ask(b, "GET", f"/maf/symmKeyReg/{relative}").status == 404, "the old target has no right any more")
	check(ask(c, "GET", f"/maf/symmKeyReg/{relative}").status == 200, "the new one has")
	check(ask(a, "DELETE", f"/maf/symmKeyReg/{relative}").status == 200, "removed by its source")
	check(ask(c, "GET", f"/maf/symmKeyReg/{relative}").status == 404, "gone")
	own = os.urandom(32)
	w.secrets.add("key of the client", own)
	answer = ask(a, "POST", "/maf/symmKeyReg", key_ask(CSE_B, keyValue=base64.b64encode(own).decode()))
	check(answer.status == 201, f"a value of its own: {answer}")
	got = ask(b, "GET", f"/maf/symmKeyReg/{answer.doc['relativeKeyID']}")
	check(base64.b64decode(got.doc["keyValue"]) == own, f"the same value: {got}")
	for session in (a, b, c):
		session.close()


def nobody_speaks_for_another(w):
	with w.maf.works(*w.client(CSE_A), CSE_A) as session:
		body = json.dumps({"adminFQDN": "admin.example.com", "expirationTime": later(60)}).encode()
		for origin, want in ((CSE_B, 403), (CSE_A, 201)):
			status = session.ask("POST", "/maf/clientReg", body, {**JSON, "X-M2M-Origin": origin})[0]
			check(status == want, f"X-M2M-Origin {origin}: {status}")
		check(ask(session, "GET", "/maf/elsewhere").status == 404, "unknown path")
		check(ask(session, "GET", "/maf/clientReg").status == 405, "method")
		check(ask(session, "GET", "/crl/issuing.crl").status == 404, "a MEF's path")
	status = w.maf.ask("GET", "/maf/symmKeyReg/" + "0" * 32, context=anonymous(w))[0]
	check(status == 403, f"without a MAF handshake: {status}")


def anonymous(w):
	c = ssl.create_default_context(cafile=str(w.maf.dir / "anchors" / "clients.pem"))
	c.check_hostname = False
	old = c.wrap_socket
	c.wrap_socket = lambda raw, server_hostname=None, **how: old(raw, server_hostname=MAF, **how)
	return c


def expired_km_is_refused_and_erased(w):
	keid, key = w.client(CSE_A, lifetime=3)
	with w.maf.works(keid, key, "in its time") as session:
		kmid = register(session)["assignedSymmKeyID"]
		time.sleep(3.1)
		check(ask(session, "POST", "/maf/clientReg", {"adminFQDN": "a.example.com", "expirationTime": later(60)}).status == 403,
			"a session does not outlive its Km")
	w.mef.keys.pop(keid)
	w.maf.fails(kmid, key, "expired KmId")
	w.maf.fails(keid, key, "expired KeId")
	w.maf.signal(signal.SIGUSR1)
	wait_for(lambda: "key.expired" in run(w.maf.binary, "audit", "list", "--dir", w.maf.dir), "the erasure is audited")


def reload_and_stop(w):
	keid, key = w.client(CSE_A)
	w.maf.works(keid, key, "before the reload").close()
	w.maf.signal(signal.SIGHUP)
	w.maf.wait_notice("RELOADING=1")
	w.maf.wait_notice("READY=1")
	w.maf.works(keid, key, "behind it").close()
	w.maf.works(*w.client(CSE_B), "a new one").close()
	check("caller-0" in w.maf.roles() and "signer-0" not in w.maf.roles(), f"roles: {w.maf.roles()}")
	w.maf.stop()


def no_secret_left_the_house(w):
	w.secrets.search("log", w.maf.log_text().encode())
	for path in w.maf.dir.rglob("*"):
		if path.is_file():
			w.secrets.search(str(path), path.read_bytes())
	run(w.maf.binary, "audit", "verify", "--dir", w.maf.dir)
	no_fault(w.maf)


def main():
	with Service(sys.argv[1]) as mef_dir:
		mef = FakeMef(mef_dir.root, mef_dir.dir / "ca" / "root.cert.pem")
		with Maf(mef_dir, f"127.0.0.1:{mef.port}", mef.ca) as maf:
			maf.start()
			w = World(maf, mef)
			for test in (first_contact_fetches_and_kmid_follows, unknown_keid_looks_like_a_wrong_key, others_are_served_while_one_waits,
					mef_that_is_away_or_hangs_fails_its_clients_only, killed_roles_are_replaced, keys_go_to_the_named_target_only,
					nobody_speaks_for_another, expired_km_is_refused_and_erased, reload_and_stop, no_secret_left_the_house):
				began = time.monotonic()
				test(w)
				print(f"{test.__name__}: passed ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
	main()
