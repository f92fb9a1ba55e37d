#!/usr/bin/env python3
"""The service as an operator sees it: start, notices, reload under requests, stop with a request in flight."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, exchange, run, wait_for  # noqa: E402

CACERTS = "/.well-known/est/cacerts"


def starts_with_every_role(s):
	check(sorted(s.roles()) == ["front-0", "front-1", "registrar-0", "signer-0", "signer-1"], f"roles: {s.roles()}")
	check(s.ask("GET", CACERTS)[0] == 200, "cacerts over TLS")
	check(s.ask_plain("/ca/issuing.cer")[0] == 200, "CA certificate over HTTP")
	wait_for(lambda: s.ask_plain("/crl/issuing.crl")[0] == 200, "a CRL is published at the start")


def a_second_one_in_the_same_directory_is_refused(s):
	done = subprocess.run([s.binary, "serve", "--dir", s.dir], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and "OMEF-1724" in done.stderr, f"second serve: {done.returncode} {done.stderr}")
	check((s.dir / "run" / "serve.pid").read_text().strip() == str(s.process.pid), "serve.pid is still ours")


def a_taken_port_is_told(s):
	with Service(os.path.dirname(os.path.dirname(s.binary)), {"https": f"127.0.0.1:{s.https}"}) as other:
		done = subprocess.run([other.binary, "serve", "--dir", other.dir], capture_output=True, text=True, timeout=60)
		check(done.returncode != 0 and "OMEF-1720" in done.stderr, f"taken port: {done.returncode} {done.stderr}")


def a_role_by_hand_says_what_it_is(s):
	for role in ("role-front", "role-registrar", "role-signer"):
		done = subprocess.run([s.binary, role, "0"], capture_output=True, text=True, timeout=60)
		check(done.returncode == 2 and "openmef serve" in done.stderr, f"{role}: {done.returncode} {done.stderr}")


class Askers:
	"""Threads that ask all the time, each request on a new connection, until told to stop."""

	def __init__(self, s, n):
		self.s, self.answers, self.faults, self.ended = s, 0, [], False
		self.threads = [threading.Thread(target=self._ask) for _ in range(n)]
		for t in self.threads:
			t.start()

	def _ask(self):
		context = self.s.context()
		while not self.ended:
			try:
				status = self.s.ask("GET", CACERTS, context=context)[0]
				if status != 200:
					self.faults.append(f"status {status}")
				self.answers += 1
			except OSError as e:
				self.faults.append(repr(e))
			except http.client.HTTPException as e:
				self.faults.append(repr(e))

	def finish(self):
		self.ended = True
		for t in self.threads:
			t.join()


def reloads_fail_no_request(s):
	before = s.roles()
	askers = Askers(s, 4)
	for _ in range(3):
		had = askers.answers
		s.signal(signal.SIGHUP)
		s.wait_notice("RELOADING=1")
		s.wait_notice("READY=1")
		wait_for(lambda: askers.answers > had + 10, "answers after a reload")
	askers.finish()
	check(not askers.faults, f"{len(askers.faults)} of {askers.answers} requests failed: {askers.faults[:5]}")
	wait_for(lambda: len(s.roles()) == 5, "the old generation ends")
	check(not set(before.values()) & set(s.roles().values()), "every role was replaced")


def a_bad_configuration_is_refused_and_the_old_one_goes_on(s):
	good = (s.dir / "openmef.conf").read_text()
	before = s.roles()
	for name, value in (("https", "nonsense"), ("cert", "missing.pem")):
		s.set(name, value)
		s.signal(signal.SIGHUP)
		s.wait_notice("RELOADING=1")
		s.wait_notice("READY=1")
		check(s.ask("GET", CACERTS)[0] == 200, f"after a reload with {name} = {value}")
		(s.dir / "openmef.conf").write_text(good)
	wait_for(lambda: s.roles() == before, "the old roles go on, no new one stays")


def a_reload_opens_and_closes_ports(s):
	s.set("https", "127.0.0.1:0, [::1]:0")
	s.set("fronts", "1")
	s.signal(signal.SIGHUP)
	s.wait_notice("RELOADING=1")
	s.wait_notice("READY=1")
	old = s.https
	s.read_ports()
	check(s.https == old, "the port of an address that stays does not change")
	wait_for(lambda: sorted(s.roles()) == ["front-0", "registrar-0", "signer-0", "signer-1"], f"roles: {s.roles()}")
	check("[::1]:" in s.log_text(), "the new address is told")


def every_role_comes_back(s):
	for name in sorted(s.roles()):
		old = s.roles()[name]
		os.kill(old, signal.SIGKILL)
		wait_for(lambda: s.roles().get(name, old) != old, f"{name} is started again")
		wait_for(lambda: s.ask("GET", CACERTS)[0] == 200, f"answers after the end of {name}")


def a_revocation_is_on_the_list_at_once(s, device):
	status, serial = s.enrol(device)
	check(status == 200, f"enrolment: {status}")
	run(s.binary, "cert", "revoke", serial, "--dir", s.dir, "--reason", "keyCompromise")

	def listed():
		text = subprocess.run(["openssl", "crl", "-inform", "DER", "-noout", "-text"],
			input=s.ask_plain("/crl/issuing.crl")[2], capture_output=True, timeout=60).stdout.decode()
		return serial in text.lower().replace(":", "").replace("\n", "")

	wait_for(listed, "the revoked certificate is on the list that is served")


def idle_means_idle(s):
	"""No process wakes up while nothing happens."""
	def wakes(pid):
		with open(f"/proc/{pid}/status") as f:
			return [line for line in f if line.startswith("voluntary_ctxt_switches")][0]

	def quiet():
		pids = [*s.roles().values(), s.process.pid]
		try:
			before = [wakes(p) for p in pids]
			time.sleep(3)
			return before == [wakes(p) for p in pids]
		except OSError: # a role of the generation before was still ending
			return False

	wait_for(quiet, "no wake-ups while idle")


def a_burst_of_reloads_ends_in_one_that_serves(s):
	for _ in range(7):
		s.signal(signal.SIGHUP)
		time.sleep(0.03)
	time.sleep(0.5)
	wait_for(lambda: len(s.roles()) == 4, "one generation is left")
	wait_for(lambda: s.ask("GET", CACERTS)[0] == 200, "answers after a burst of reloads")


def a_second_stop_does_not_wait(s):
	"""A client that keeps a request open holds the first stop up, not the second."""
	s.start()
	c = s.connect()
	c.sendall(b"GET " + CACERTS.encode() + b" HTTP/1.1\r\n")
	time.sleep(0.3)
	s.signal(signal.SIGTERM)
	s.wait_notice("STOPPING=1")
	check(s.process.poll() is None, "the first stop waits for the request")
	s.signal(signal.SIGTERM)
	check(s.process.wait(60) == 1, f"exit status {s.process.returncode}")
	s.process = None
	c.close()


def a_role_that_cannot_start_ends_the_start(s):
	s.set("cert", "missing.pem")
	done = subprocess.run([s.binary, "serve", "--dir", s.dir], capture_output=True, text=True, timeout=120)
	check(done.returncode == 1 and "OMEF-1722" in done.stderr and "missing.pem" in done.stderr,
		f"start without a CA certificate: {done.returncode} {done.stderr}")


def a_stop_answers_the_request_in_flight(s):
	c = s.connect()
	c.sendall(b"GET " + CACERTS.encode() + b" HTTP/1.1\r\nHost: localhost\r\n")
	time.sleep(0.5) # the first half is read as far as it came
	s.signal(signal.SIGTERM)
	s.wait_notice("STOPPING=1")
	wait_for(lambda: refused(s), "new connections are refused while the old ones end")
	c.sendall(b"\r\n")
	check(c.recv(4096).startswith(b"HTTP/1.1 200 "), "the request in flight is answered")
	c.close()
	check(s.process.wait(60) == 0, f"exit status {s.process.returncode}\n{s.log_text()}")
	s.process = None
	check(not list((s.dir / "run").iterdir()), "the run directory is empty after a stop")


def refused(s):
	try:
		s.ask_plain("/ca/issuing.cer")
		return False
	except ConnectionRefusedError:
		return True
	except (OSError, http.client.HTTPException):
		return False


def no_act_left_its_sandbox(s):
	check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	for fault in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
		check(fault not in s.log_text(), fault)


def main():
	with Service(sys.argv[1], {"fronts": "2", "signers": "2"}) as s:
		device = s.device(1)
		s.start()
		starts_with_every_role(s)
		a_second_one_in_the_same_directory_is_refused(s)
		a_taken_port_is_told(s)
		a_role_by_hand_says_what_it_is(s)
		reloads_fail_no_request(s)
		a_bad_configuration_is_refused_and_the_old_one_goes_on(s)
		a_revocation_is_on_the_list_at_once(s, device)
		every_role_comes_back(s)
		a_reload_opens_and_closes_ports(s)
		a_burst_of_reloads_ends_in_one_that_serves(s)
		idle_means_idle(s)
		a_stop_answers_the_request_in_flight(s)
		no_act_left_its_sandbox(s)
		a_second_stop_does_not_wait(s)
		a_role_that_cannot_start_ends_the_start(s)
	print("serve: as it should be")


main()
