#!/usr/bin/env python3
"""
Who knocks with a pre-shared key and means no good: identities of every odd form, offers that mix keys and
certificates, renegotiation, and more handshakes than may wait while the registrar stands still.
"""

import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import CACERTS, Watch, events, hear, say  # noqa: E402
from _psk import Service, Session, add_enrolee, check, enrolled, no_fault, records, run, set_prefs  # noqa: E402
from _service import wait_for  # noqa: E402
from _tls12 import ALERT, HANDSHAKE, begin, by_hand, record, show  # noqa: E402

WAITING_MAX = 1000 # net/http_conn.h: HTTP_PSK_WAITING_MAX
HANDSHAKE_S = 8
LOG_PER_S = 20 # net/http_server.c


def odd_identities(s, enrolee):
	known = enrolee[0].encode()
	return {
		"a known one": known,
		"one octet": b"x",
		"none": b"",
		"a NUL first": b"\0" + known,
		"a NUL inside": b"pl\0ain@localhost",
		"a NUL behind": known + b"\0",
		"no UTF-8": b"\xff\xfe\xc3\x28@localhost",
		"overlong UTF-8": b"pl\xc1\xa1in@localhost",
		"controls": b"plain\r\n@localhost\x1b[2J",
		"another MEF": b"plain@mef.example.net",
		"no host": b"plain@",
		"two hosts": b"plain@localhost@localhost",
		"a host with a dot behind": known + b".",
		"a space behind": known + b" ",
		"a KeId that nobody has": b"0" * 32 + b"@localhost",
		"half a KeId": b"0" * 31 + b"@localhost",
		"the decoy": b"nobody@decoy.invalid",
		"a query": b"plain'--@localhost",
		"256 octets": b"x" * 246 + b"@localhost",
	}


def no_identity_tells_anything_on_tls12(s, enrolee):
	"""RFC 4279 2: a Finished that does not fit looks the same whoever was named."""
	shown = odd_identities(s, enrolee)
	known = shown["a known one"]
	want = by_hand(s, known)
	for what, identity in shown.items():
		got = by_hand(s, identity)
		check(got == want, f"{what}: {got}, a known one: {want}")
	for n in (257, 320, 321, 4000): # libssl takes 256: no matter who was named
		check(by_hand(s, b"x" * n) == by_hand(s, known.ljust(n, b"x")), f"{n} octets tell nothing but their number")


def no_identity_tells_anything_on_tls13(s, enrolee):
	wrong = os.urandom(32)
	want = None
	for what, identity in odd_identities(s, enrolee).items():
		if identity == b"":
			continue # a PSK of no name cannot be offered: RFC 8446 4.2.11
		with Session(s, identity, wrong, version="1.3") as session:
			text = any(c < 0x20 or c == 0x7f for c in identity)
			if text: # taken for somebody else's ticket: a handshake without key, which proves nothing
				check(not session.failed, f"{what}: {session.failed}")
				answer = session.start()
				check(answer.status == 403 and not session.fetch(f"/fetchCredentials/{'0' * 32}", "x").status == 200, f"{what}: {answer}")
				continue
			want = want or session.failed
			check(session.failed and session.failed == want, f"{what}: {session.failed}, a known one: {want}")
	for n in (257, 319, 320, 321, 500):
		with Session(s, b"x" * n, wrong, version="1.3") as session:
			check(session.failed == want, f"{n} octets: {session.failed}, a known one: {want}")


def guess(s, n):
	for i in range(100):
		by_hand(s, b"guess-%d-%d@localhost" % (n, i))


def strangers_fill_no_log(s, enrolee):
	had, size = len(events(s)), len(s.log_text())
	began = time.monotonic()
	threads = [threading.Thread(target=guess, args=(s, n)) for n in range(8)]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	seconds = time.monotonic() - began + 2
	check(len(events(s)) == had, "who guesses identities fills no audit log")
	lines = s.log_text()[size:].count("\n")
	check(lines < (LOG_PER_S + 5) * seconds, f"who guesses identities fills no log: {lines} lines in {seconds} s")
	check("\x1b" not in s.log_text() and "\r" not in s.log_text(), "no identity steers a screen")


# ---- mixed offers

def s_client(s, *argv, text):
	# text without an end of input: s_client would hang up before the answer
	p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{s.https}", "-servername", "localhost", "-ign_eof", "-quiet",
		*map(str, argv)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	try:
		return p.communicate(text, timeout=60)[0]
	except subprocess.TimeoutExpired:
		p.kill()
		return p.communicate()[0]


def exchange_text():
	body = b'{"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false}'
	return b"POST /enrolment HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
		len(body), body)


def last_enrolee(s):
	return events(s)[-1].get("enrolee")


def keys_and_certificates_are_not_mixed(s, enrolee, stem):
	"""A session is one client's: the one whose key or certificate made it, not one that was offered beside."""
	identity, key = enrolee
	both = ("-psk_identity", identity, "-psk", key.hex(), "-cert", f"{stem}.pem", "-key", f"{stem}.key")
	for argv, want in (
			(("-tls1_2", "-cipher", "PSK-AES128-CBC-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256", *both), ("plain", "device-0001")),
			(("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", *both), ("device-0001",)),
			(("-tls1_2", "-cipher", "ECDHE-PSK-AES128-CBC-SHA256", *both), ("plain",)),
			(("-tls1_3", *both), ("plain",))):
		got = s_client(s, *argv, text=exchange_text())
		check(b"HTTP/1.1 200" in got and last_enrolee(s) in want, f"{argv}: {got} by {last_enrolee(s)}")
	# the certificate of one, the identity of another without its key
	wrong = ("-psk_identity", identity, "-psk", "00" * 32, "-cert", f"{stem}.pem", "-key", f"{stem}.key")
	had = len(events(s))
	check(b"HTTP/1.1 200" not in s_client(s, "-tls1_3", *wrong, text=exchange_text()), "a wrong key is no key, a certificate beside or not")
	check(len(events(s)) == had, "and nothing happened")


def weak_suites_are_not_spoken(s, enrolee):
	identity, key = enrolee
	for suite in ("PSK-AES128-CBC-SHA", "PSK-AES256-CBC-SHA", "PSK-NULL-SHA256", "ECDHE-PSK-NULL-SHA", "DHE-PSK-AES128-GCM-SHA256", "RSA-PSK-AES128-CBC-SHA256",
			"PSK-CAMELLIA128-SHA256"):
		got = s_client(s, "-tls1_2", "-cipher", f"{suite}:@SECLEVEL=0", "-psk_identity", identity, "-psk", key.hex(), text=exchange_text())
		check(b"HTTP/1.1" not in got, f"{suite}: {got}")
	for version in ("-tls1", "-tls1_1"):
		got = s_client(s, version, "-cipher", "PSK:@SECLEVEL=0", "-psk_identity", identity, "-psk", key.hex(), text=exchange_text())
		check(b"HTTP/1.1" not in got, f"{version}: {got}")


def no_renegotiation(s, enrolee):
	"""docs/decisions/0013: a session is one handshake, so its keys are too."""
	identity, key = enrolee
	p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{s.https}", "-servername", "localhost", "-tls1_2", "-cipher",
		"PSK-AES128-CBC-SHA256", "-psk_identity", identity, "-psk", key.hex()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
	time.sleep(1)
	p.stdin.write(b"R\n")
	p.stdin.flush()
	try:
		got = p.communicate(timeout=30)[0]
	except subprocess.TimeoutExpired:
		p.kill()
		got = p.communicate()[0]
	check(b"RENEGOTIATING" in got and b"no renegotiation" in got.lower(), f"a second handshake: {got[-600:]}")


# ---- a registrar that stands still

def front_state(s):
	pid = s.roles()["front-0"]
	status = pathlib.Path(f"/proc/{pid}/status").read_text()
	return len(os.listdir(f"/proc/{pid}/fd")), int(status.split("VmRSS:")[1].split()[0])


def waiting(s, n):
	out = []
	for i in range(n):
		c = begin(s, f"127.0.{1 + i // 100}.{1 + i % 100}")
		show(c, b"nobody-%d@localhost" % i)
		out.append(c)
	return out


def is_open(c):
	c.setblocking(False)
	try:
		return c.recv(1) != b""
	except BlockingIOError:
		return True
	except OSError:
		return False
	finally:
		c.settimeout(60)


def a_thousand_wait(s, enrolee):
	"""Certificate clients shake hands meanwhile; one more than may wait is cut; all end in their time."""
	registrar = s.roles()["registrar-0"]
	roles = s.roles()
	fds, memory = front_state(s)
	os.kill(registrar, signal.SIGSTOP)
	try:
		began = time.monotonic()
		crowd = waiting(s, WAITING_MAX + 20)
		s.connect().close()
		wait_for(lambda: sum(map(is_open, crowd)) <= WAITING_MAX, "more than a thousand do not wait")
		s.connect().close()
		if time.monotonic() - began < HANDSHAKE_S / 2:
			check(sum(map(is_open, crowd)) > WAITING_MAX - 50, "the others do")
		wait_for(lambda: not any(map(is_open, crowd)), "their time is over, whether the registrar answers or not")
		s.connect().close()
	finally:
		os.kill(registrar, signal.SIGCONT)
	for c in crowd:
		c.close()
	enrolled(s, *enrolee).close()
	wait_for(lambda: front_state(s)[0] <= fds + 2, f"descriptors return: {front_state(s)[0]} of {fds}")
	check(front_state(s)[1] - memory < 100 * 1024, f"memory returns: {memory} KiB, then {front_state(s)[1]}")
	check(s.roles() == roles, f"no role ended: {roles}, {s.roles()}")


def answers_come_late_but_in_time(s, enrolee):
	registrar = s.roles()["registrar-0"]
	os.kill(registrar, signal.SIGSTOP)
	try:
		crowd = waiting(s, 100)
	finally:
		os.kill(registrar, signal.SIGCONT)
	for c in crowd:
		say(c, record(20, b"\1") + record(HANDSHAKE, bytes(range(80))))
	ends = [records(hear(c)) for c in crowd]
	for c in crowd:
		c.close()
	check(sum(bool(e) and e[-1][0] == ALERT for e in ends) == 100, f"all are answered: {ends[:3]}")
	enrolled(s, *enrolee).close()


def main():
	soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
	resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
	with Service(sys.argv[1], {"fronts": "1", "signers": "1", "handshake_timeout": f"{HANDSHAKE_S}s"}) as s:
		stem = s.device(1)
		s.start()
		set_prefs(s, {"certificate": "never"})
		plain = add_enrolee(s, "plain", "cse", "plain.m2m.example.com")
		for case, args in ((no_identity_tells_anything_on_tls12, (plain,)), (no_identity_tells_anything_on_tls13, (plain,)),
				(strangers_fill_no_log, (plain,)), (keys_and_certificates_are_not_mixed, (plain, stem)),
				(weak_suites_are_not_spoken, (plain,)), (no_renegotiation, (plain,)), (a_thousand_wait, (plain,)),
				(answers_come_late_but_in_time, (plain,))):
			if case in (a_thousand_wait, answers_come_late_but_in_time):
				case(s, *args)
			else:
				with Watch(s):
					case(s, *args)
			print(f"{case.__name__}: good", flush=True)
		check(run(s.binary, "audit", "verify", "--dir", s.dir), "the audit log is whole")
		check(s.ask("GET", CACERTS)[0] == 200, "it answers")
		no_fault(s)
		s.stop()
	print("handshakes by key under attack: as they should be")


main()
