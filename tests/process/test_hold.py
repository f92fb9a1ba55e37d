#!/usr/bin/env python3
"""
A label that holds requests for a person (RFC 7030 4.2.3), as curl sees it: 202 with Retry-After, the same request
again, approval and denial, a restart and kill -9 in between, the limit, expiry, two operators at once.
"""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _hold import csr, curl, decide, events, label, listed, the_request  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402


def waits_and_is_approved(s, stem):
	body = csr(s, stem)
	status, retry, text = curl(s, stem, "", body)
	check(status == 202 and retry == 7, f"first answer: {status} {retry} {text}")
	row = the_request(s)
	check(row["id"].encode() in text and b"OMEF-1530" in text, f"the text names the request: {text}")
	check(row["state"] == "waiting" and row["enrolee"] == "device-0001" and row["kind"] == "enrol", f"row: {row}")
	check(curl(s, stem, "", body)[:2] == (202, 7), "the same request again")
	check(len(listed(s)) == 1 and len(events(s, "request.waiting")) == 1, "one request, one event")
	shown = run(s.binary, "request", "show", row["id"], "--dir", s.dir)
	check("sha-256;" in shown and "P-256" in shown, f"show: {shown}")
	check("1 waiting" in run(s.binary, "status", "--dir", s.dir), "status counts it")
	decide(s, "approve", row["id"], "--as", "Pat", "--reason", "ticket 4711")
	check(b"OMEF-1693" in decide(s, "deny", row["id"], "--reason", "late", ok=1).encode(), "the second decision is told")
	check(s.serials() == set(), "nothing is issued before the device asks")
	os.kill(s.roles()["registrar-0"], signal.SIGKILL)
	wait_for(lambda: "registrar-0" in s.roles(), "a new registrar")
	s.process.kill()
	s.process.wait()
	s.start()
	status, _, text = curl(s, stem, "", body)
	check(status == 200, f"after the approval: {status} {text}")
	serial = serial_of(text)
	check(s.serials() == {serial}, "one certificate")
	check(serial_of(curl(s, stem, "", body)[2]) == serial and s.serials() == {serial}, "the answer again, no second certificate")
	check(the_request(s, "--state", "done")["serial"].lower().lstrip("0") == serial, "the row names it")
	approved = events(s, "request.approved")
	check(len(approved) == 1 and "Pat" in approved[0]["detail"] and approved[0]["actor"] == "operator", f"audit: {approved}")
	check(row["id"] in events(s, "certificate.issued")[0]["detail"], "the issue names the request")
	return serial


def is_denied(s, stem):
	body = csr(s, stem, "/CN=device-0001")
	check(curl(s, stem, "", body)[0] == 202, "another CSR is another request")
	row = the_request(s, "--state", "waiting")
	check(decide(s, "deny", row["id"], ok=2), "a denial needs a reason")
	decide(s, "deny", row["id"], "--reason", "key differs")
	status, _, text = curl(s, stem, "", body)
	check(status == 403 and b"key differs" in text and b"OMEF-1531" in text, f"denied: {status} {text}")
	check("denied" in decide(s, "approve", row["id"], ok=1), "approval after denial")
	check(decide(s, "approve", "AAAAAAAA", ok=3), "a request that is not there")


def what_changed_since_counts(s, stem):
	body = csr(s, stem)
	check(curl(s, stem, "", body)[0] == 202, "it waits")
	row = the_request(s, "--state", "waiting", "--enrolee", "device-0002")
	decide(s, "approve", row["id"])
	run(s.binary, "enrolee", "disable", "device-0002", "--dir", s.dir)
	check(curl(s, stem, "", body)[0] == 403, "approved, but disabled since")
	run(s.binary, "enrolee", "enable", "device-0002", "--dir", s.dir)
	run(s.binary, "enrolee", "remove", "device-0002", "--dir", s.dir)
	check(listed(s, "--enrolee", "device-0002") == [], "requests go with their enrolee")


def so_many_wait(s, stem):
	for i in range(4):
		key = s.root / f"key-{i}.pem"
		run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
		check(curl(s, stem, "", csr(s, stem, "/", key))[0] == 202, f"request {i}")
	status, _, text = curl(s, stem, "", csr(s, stem, "/CN=device-0003"))
	check(status in (413, 429, 503) and b"OMEF-1692" in text, f"one too many: {status} {text}")
	check(len(listed(s, "--enrolee", "device-0003")) == 4, "four wait")


def a_stolen_public_key_does_not_wait(s, stem):
	body = bytearray(csr(s, stem).read_bytes())
	body[-1] ^= 1
	bad = s.root / "bad.der"
	bad.write_bytes(body)
	before = len(listed(s))
	check(curl(s, stem, "", bad)[0] == 403, "a signature that does not verify")
	check(len(listed(s)) == before, "nothing waits")


def expires(s, stem):
	label(s, "", hold_ttl="60s")
	s.stop()
	s.start()
	body = csr(s, stem)
	check(curl(s, stem, "", body)[0] == 202, "it waits")
	row = the_request(s, "--enrolee", "device-0004")
	s.stop()
	with contextlib.closing(sqlite3.connect(s.dir / "openmef.db")) as db, db:
		db.execute("UPDATE request SET created_s = created_s - 60, expires_s = expires_s - 60 WHERE id = ?", (row["id"],))
	check(the_request(s, "--enrolee", "device-0004")["state"] == "expired", "past its time")
	check("OMEF-1694" in decide(s, "approve", row["id"], ok=4), "approval past its time")
	s.start()
	wait_for(lambda: listed(s, "--enrolee", "device-0004") == [], "it is removed at the start")
	check(any(row["id"] in e["detail"] for e in events(s, "request.expired")), "and that is audited")
	began = int(time.time())
	wait_for(lambda: int(time.time()) > began, "another second: ids tell requests of two seconds apart")
	check(curl(s, stem, "", body)[0] == 202, "the same CSR is a fresh request")
	fresh = the_request(s, "--enrolee", "device-0004")
	check(fresh["id"] != row["id"] and fresh["state"] == "waiting", f"fresh: {fresh}")
	return fresh["id"], body


def two_operators_at_once(s, request):
	procs = [subprocess.Popen([str(s.binary), "request", "approve" if i % 2 else "deny", request, "--reason", str(i), "--as",
		f"operator-{i}", "--dir", str(s.dir)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for i in range(8)]
	said = [p.communicate(timeout=60)[0] for p in procs]
	won = [i for i, p in enumerate(procs) if p.returncode == 0]
	check(len(won) == 1, f"winners: {won} {said}")
	check(all("OMEF-1693" in text for i, text in enumerate(said) if i not in won), f"losers are told: {said}")
	row = json_show(s, request)
	check(row["decided_by"] == f"operator-{won[0]}" and row["state"] == ("approved" if won[0] % 2 else "denied"), f"row: {row}")


def json_show(s, request):
	return json.loads(run(s.binary, "request", "show", request, "--json", "--dir", s.dir))


def polls_at_once(s, stem):
	"""Approved, then eight polls at a time: one certificate."""
	body = csr(s, stem)
	check(curl(s, stem, "", body)[0] == 202, "it waits")
	decide(s, "approve", the_request(s, "--enrolee", "device-0005")["id"])
	with ThreadPoolExecutor(8) as pool:
		answers = list(pool.map(lambda _: curl(s, stem, "", body), range(8)))
	check([a[0] for a in answers] == [200] * 8, f"answers: {[a[0] for a in answers]}")
	check(len({serial_of(a[2]) for a in answers}) == 1, "one certificate for all of them")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "2"}) as s:
		label(s, "", hold="enrol", hold_retry="7s")
		stems = {i: s.device(i) for i in range(1, 6)}
		s.start()
		waits_and_is_approved(s, stems[1])
		is_denied(s, stems[1])
		what_changed_since_counts(s, stems[2])
		so_many_wait(s, stems[3])
		a_stolen_public_key_does_not_wait(s, stems[4])
		request, _ = expires(s, stems[4])
		two_operators_at_once(s, request)
		polls_at_once(s, stems[5])
		s.stop()
		run(s.binary, "audit", "verify", "--dir", s.dir)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	print("requests that wait: as they should")


main()
