#!/usr/bin/env python3
"""
A MEF as registration authority in front of an EST CA that it does not own: good days, bad days, and an upstream that lies.
"""

import json
import os
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _issuers import add_sections, csr, enrol, entity_of, keep, pem_of, service  # noqa: E402
from _service import check, run, wait_for  # noqa: E402
from _upstream import Upstream  # noqa: E402


def records(s):
	return json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json", "--limit", "1000"))


def audit(s):
	return run(s.binary, "audit", "list", "--dir", s.dir, "--limit", "1000")


def ask(s, up, mode, device, label="up", **more):
	up.mode = mode
	return enrol(s, device, label, **more)


def it_enrols_and_renews(s, up, device):
	status, _, body = ask(s, up, "good", device)
	check(status == 200 and len(pem_of(body)) == 1, f"{status} {body}")
	mine = keep(device, body, "up")
	status, _, body = ask(s, up, "good", device, using=mine, operation="simplereenroll")
	check(status == 200, f"renewal: {status} {body}")
	check(ask(s, up, "with-chain", device)[0] == 200, "others beside the certificate")
	check(ask(s, up, "adds", device)[0] == 200, "a name more")
	check(all("Upstream Issuing" in row["issuer"] and row["issuer_serial"] for row in records(s)), f"{records(s)}")
	status, _, body = s.ask("GET", "/.well-known/est/up/cacerts")
	names = [run("openssl", "x509", "-noout", "-subject", "-in", put(s, pem)) for pem in pem_of(body)]
	check(status == 200 and "Upstream Issuing" in names[0] and any("Upstream Root" in n for n in names), f"{names}")
	_, _, body = s.ask("GET", "/.well-known/est/cacerts")
	check("Upstream" not in "".join(run("openssl", "x509", "-noout", "-subject", "-in", put(s, pem)) for pem in pem_of(body)),
		"the MEF's own CA alone under other labels")
	return mine


def put(s, pem):
	path = s.root / "one.pem"
	path.write_text(pem)
	return path


def keys_made_here_are_certified_there(s, up, device):
	"""RFC 7030 4.4: the request that goes upstream is by the key that the MEF made, under the ordered names."""
	up.mode = "good"
	status, headers, body = enrol(s, device, "up", operation="serverkeygen")
	check(status == 200 and "multipart/mixed" in headers["Content-Type"] and b"BEGIN" not in body, f"{status} {body[:200]}")
	check(entity_of(device) in run("openssl", "x509", "-noout", "-text", "-in", put(s, newest(s))), "its name")


def newest(s):
	row = max(records(s), key=lambda row: row["issued"])
	return run(s.binary, "cert", "show", row["serial"], "--pem", "--dir", s.dir)


def connections_are_kept(s, up, device):
	before = up.connections
	for _ in range(5):
		check(ask(s, up, "good", device)[0] == 200, "again")
	check(up.connections - before <= 1, f"{up.connections - before} connections for 5 orders")


def lies_reach_nobody(s, up, device):
	before, refused = len(records(s)), {}
	for mode, code in (("drops", 1462), ("wrong-name", 1462), ("wrong-key", 1461), ("wrong-ca", 1461), ("wrong-subject", 1462)):
		der = csr(device, entity_of(device), f"/CN=device-0001") if mode == "wrong-subject" else None
		status, _, body = ask(s, up, mode, device, der=der)
		check(status == 500 and f"OMEF-{code}".encode() in body and b"BEGIN" not in body, f"{mode}: {status} {body}")
		refused[mode] = [line for line in audit(s).split("\n") if f'"code":{code}' in line][-1]
		check("serial " in refused[mode], f"{mode}: {refused[mode]}")
	for mode in ("garbage", "empty"):
		status, _, body = ask(s, up, mode, device)
		check(status == 500 and b"OMEF-1718" in body, f"{mode}: {status} {body}")
	check(ask(s, up, "good", device)[0] == 200, "good again")
	check(len(records(s)) == before + 1, "nothing of that is recorded")


def nothing_goes_upstream_unasked(s, up, device, other):
	"""Identity and proof of possession are judged here first."""
	up.mode, before = "good", up.orders
	check(enrol(s, device, "up", der=csr(device, entity_of(other)))[0] == 403, "another's name")
	der = bytearray(csr(device, entity_of(device)))
	der[-1] ^= 1
	check(enrol(s, device, "up", der=bytes(der))[0] in (400, 403), "a broken signature")
	check(s.ask("POST", "/.well-known/est/up/simpleenroll", b"AAAA", "application/pkcs10")[0] in (400, 403), "nobody")
	check(up.orders == before, "the upstream saw one of them")


def its_words_are_passed_on(s, up, device):
	status, _, body = ask(s, up, "refuses", device)
	check(status == 403 and b"quota of this RA is used up" in body and b"more lines" not in body and b"OMEF-1714" in body, f"{body}")
	status, headers, _ = ask(s, up, "waits", device)
	check(status == 202 and headers["Retry-After"] == "123", f"{status} {headers}")
	check(ask(s, up, "good", device)[0] == 200, "and then")


def what_was_not_acted_on_goes_out_again(s, up, device):
	up.fails, before = 1, up.orders
	check(ask(s, up, "good", device)[0] == 200 and up.orders == before + 2, "503 with Retry-After: once more")
	for mode in ("cut-body", "huge"):
		before = up.orders
		status, headers, body = ask(s, up, mode, device)
		check(status == 503 and headers["Retry-After"] and up.orders == before + 1, f"{mode}: {status} {body} {up.orders - before}")
	check(ask(s, up, "good", device)[0] == 200, "good again")
	status, _, _ = ask(s, up, "slow", device, label="up-fast")
	check(status == 503, f"slower than timeout: {status}")
	check(ask(s, up, "good", device)[0] == 200, "good again")


def failures_open_the_circuit(s, up, device):
	for _ in range(5):
		check(ask(s, up, "unwell", device)[0] == 503, "unwell")
	before = up.orders
	status, headers, body = ask(s, up, "good", device)
	check(status == 503 and b"OMEF-1719" in body and 1 <= int(headers["Retry-After"]) <= 5 and up.orders == before, f"{status} {body}")
	check(ask(s, up, "good", device, label="up-fast")[0] == 200, "another issuer's circuit")
	wait_for(lambda: enrol(s, device, "up")[0] == 200, "the probe closes the circuit")
	check(enrol(s, device, "up")[0] == 200, "closed")


def it_is_away_and_comes_back(s, up, device):
	up.stop()
	check(ask(s, up, "good", device, label="up-fast")[0] == 503, "nobody there")
	up.again()
	wait_for(lambda: enrol(s, device, "up-fast")[0] == 200, "there again")


def killed_under_load(s, up, devices):
	"""Each time while orders go through it: however slow the machine is."""
	done, over = [], threading.Event()

	def work(stem):
		while not over.is_set():
			done.append(enrol(s, stem, "up")[0])

	def kill_once():
		before = done.count(200)
		wait_for(lambda: done.count(200) > before and s.roles().get("caller-0"), "orders go through the caller", 60)
		os.kill(s.roles()["caller-0"], signal.SIGKILL)
	up.mode = "good"
	threads = [threading.Thread(target=work, args=(d,), daemon=True) for d in devices for _ in range(2)]
	for t in threads:
		t.start()
	try:
		for _ in range(3):
			kill_once()
	finally:
		over.set()
		for t in threads:
			t.join()
	check(set(done) <= {200, 503} and 200 in done, f"{set(done)}")
	wait_for(lambda: enrol(s, devices[0], "up")[0] == 200, "the caller is back")


def a_changed_chain_is_told(s, up):
	up.cacerts = up.ca.file("root.pem")
	run(s.binary, "reload", "--dir", s.dir)
	wait_for(lambda: "cacerts of an upstream CA differs" in s.log_text(), "no warning")


def main():
	with service(sys.argv[1]) as s:
		up = Upstream(s.root)
		devices = [s.device(n) for n in (1, 2)]
		add_sections(s, up.section("first", "up", serverkeygen="yes") + up.section("fast", "up-fast", "3s"))
		s.start()
		check("caller-0" in s.roles() and "runner-0" not in s.roles(), f"{s.roles()}")
		it_enrols_and_renews(s, up, devices[0])
		keys_made_here_are_certified_there(s, up, devices[0])
		connections_are_kept(s, up, devices[0])
		check("differs" not in s.log_text() and "lacks extended" not in s.log_text(), "no warning without a reason")
		lies_reach_nobody(s, up, devices[0])
		nothing_goes_upstream_unasked(s, up, *devices)
		its_words_are_passed_on(s, up, devices[0])
		what_was_not_acted_on_goes_out_again(s, up, devices[0])
		failures_open_the_circuit(s, up, devices[0])
		it_is_away_and_comes_back(s, up, devices[0])
		killed_under_load(s, up, devices)
		a_changed_chain_is_told(s, up)
		s.stop()
		check("outside its sandbox" not in s.log_text(), "a role died of its sandbox")
	print("ok")


main()
