#!/usr/bin/env python3
"""
The device's program while a person decides: it comes back with the same key and the same request after it was killed,
after its challenge was over, in an exchange too; a denial is told and asks for nothing new.
"""

import json
import os
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _device import Device  # noqa: E402
from _hold import decide, label, listed, the_request  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402


def waits_and_comes_back(s):
	d = Device(s, 1)
	d.enrol("onem2m", 7, ("OMEF-1808", "come back in 1 s", "request "))
	before = d.pending()
	check(set(before) == {"pending.pem", "pending.json"}, f"kept: {before.keys()}")
	row = the_request(s)
	told = d.status()
	shown = run(s.binary, "request", "show", row["id"], "--dir", s.dir)
	check(told["state"] == "waiting" and told["pending"]["key"] in shown, f"both show the same key: {told} {shown}")
	check(told["pending"]["csr_sha256"] in shown and row["id"] in told["pending"]["said"], f"and the same request: {told}")
	time.sleep(11) # the challenge's minutes are over, as its label has it
	d.enrol("onem2m", 7)
	check(len(listed(s)) == 1, "the same request")
	check(d.pending()["pending.pem"] == before["pending.pem"], "the same key")
	decide(s, "approve", row["id"])
	d.enrol("onem2m")
	check(d.pending() == {} and s.serials() == {d.serial()}, "one certificate, nothing pending")
	key = run("openssl", "pkey", "-in", d.out / "current" / "key.pem", "-pubout")
	held = d.out / "held.pem"
	held.write_bytes(before["pending.pem"])
	held.chmod(0o600)
	check(run("openssl", "pkey", "-in", held, "-pubout") == key, "for the key that waited")
	check(d.status()["pending"] is None, "status tells of none")


def killed_while_it_waits(s):
	d = Device(s, 2)
	p = subprocess.Popen(d.words("onem2m"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	try:
		wait_for(lambda: listed(s, "--enrolee", d.id), "it waits")
		wait_for(lambda: json.loads(d.pending().get("pending.json", b"{}")).get("again"), "and has been told")
	finally:
		p.send_signal(signal.SIGKILL)
		p.communicate()
	row = the_request(s, "--enrolee", d.id)
	s.process.kill()
	s.process.wait()
	decide(s, "approve", row["id"])
	s.start()
	d.enrol("onem2m")
	check(len(listed(s, "--enrolee", d.id)) == 1 and d.pending() == {}, "one request, answered")


def sleeps_until_it_is_approved(s):
	d = Device(s, 3)
	p = subprocess.Popen(d.words("onem2m"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	wait_for(lambda: listed(s, "--enrolee", d.id), "it waits")
	time.sleep(1.5) # it asks meanwhile
	decide(s, "approve", the_request(s, "--enrolee", d.id)["id"])
	text = p.communicate(timeout=60)[0]
	check(p.returncode == 0 and "OMEF-1530" in text, f"enrolee: {text}")
	check(len(listed(s, "--enrolee", d.id)) == 1, "one request")


def a_denial_is_told(s):
	d = Device(s, 4)
	d.enrol("onem2m", 7)
	decide(s, "deny", the_request(s, "--enrolee", d.id)["id"], "--reason", "not in this hall")
	d.enrol("onem2m", 4, ("not in this hall", "OMEF-1531"))
	d.enrol("onem2m", 4, ("not in this hall",))
	check(len(listed(s, "--enrolee", d.id)) == 1, "no new request by itself")


def a_record_that_is_broken_helps_nobody(s):
	d = Device(s, 5)
	d.enrol("onem2m", 7)
	(d.out / "pending.json").write_bytes(b'{"csr":"AAAA"}')
	d.enrol("onem2m", 7)
	check(len(listed(s, "--enrolee", d.id)) == 2, "another request then")


def an_exchange_waits_too(s):
	d = Device(s, 6)
	d.enrol("", 7, ("OMEF-1808",), ("--exchange",))
	row = the_request(s, "--enrolee", d.id)
	check(run(s.binary, "audit", "list", "--dir", s.dir).find("exchange.refused") < 0, "the MEF is not told of a failure")
	p = subprocess.Popen(d.words("", "--exchange"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	time.sleep(1.5)
	decide(s, "approve", row["id"])
	text = p.communicate(timeout=60)[0]
	check(p.returncode == 0, f"exchange: {text}")
	check(len(listed(s, "--enrolee", d.id)) == 1 and (d.out / "current" / "keys.json").exists(), "certificate and keys")


def renewal_waits_where_all_do(s):
	label(s, "onem2m", hold="all")
	run(s.binary, "reload", "--dir", s.dir)
	d = Device(s, 7)
	d.enrol("onem2m", 7)
	decide(s, "approve", the_request(s, "--enrolee", d.id)["id"])
	d.enrol("onem2m")
	first = d.serial()
	d.renew(7, ("OMEF-1808",))
	row = the_request(s, "--enrolee", d.id, "--state", "waiting")
	check(row["kind"] == "reenrol" and d.serial() == first, f"row: {row}")
	check(d.status()["pending"]["kind"] == "reenrol" and d.status()["state"] == "good", "status shows both")
	decide(s, "approve", row["id"])
	d.renew()
	check(d.serial() != first, "renewed")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		for name in ("", "onem2m"):
			label(s, name, hold="enrol", hold_retry="1s", challenge_ttl="10s")
		s.start()
		s.set("https", f"127.0.0.1:{s.https}") # the same address after a restart
		waits_and_comes_back(s)
		killed_while_it_waits(s)
		sleeps_until_it_is_approved(s)
		a_denial_is_told(s)
		a_record_that_is_broken_helps_nobody(s)
		an_exchange_waits_too(s)
		renewal_waits_where_all_do(s)
		s.stop()
		run(s.binary, "audit", "verify", "--dir", s.dir)
	print("a device that waits: as it should")


main()
