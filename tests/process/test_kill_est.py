#!/usr/bin/env python3
"""
kill -9 of each role, the caller and the runner too, while devices use every way to a certificate: keys made by the MEF, full
CMC, requests that wait for a person, an upstream CA, a program. No answered certificate is missing, none comes twice, no
request that was told to wait is forgotten.
"""

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _cmc as cmc  # noqa: E402
from _hold import listed  # noqa: E402
from _issuers import PROGRAM, Authority, add_sections, csr, entity_of  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402
from _upstream import Upstream  # noqa: E402

ROUNDS = int(os.environ.get("KILL_ROUNDS", "1"))
ROUND_TRIPS = 1 # of every way, before the next role ends


class Way(threading.Thread):
	"""One device that asks all the time, one way."""

	def __init__(self, s, number, label, operation="simpleenroll"):
		super().__init__()
		self.s, self.stem, self.label, self.operation = s, s.device(number), label, operation
		self.where = s.root / f"way-{number}"
		self.where.mkdir()
		self.serials, self.waiting, self.refused, self.fault, self.ended = [], set(), set(), None, False

	def run(self):
		try:
			while not self.ended:
				self.once()
		except BaseException as e: # told by the main thread
			self.fault = repr(e)
			raise

	def request(self):
		if self.operation == "fullcmc":
			self.key = self.where / "fresh"
			run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", f"{self.key}.key")
			der, _ = cmc.csr(self.where, "/", f"URI:{entity_of(self.stem)}", self.key)
			return cmc.sign(self.where, cmc.data([], [cmc.pkcs10(1, der)]), self.stem), cmc.MEDIA
		if self.label == "held":
			key = self.where / "fresh.key"
			run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
			return csr(self.where / "fresh", entity_of(self.stem)), "application/pkcs10"
		return csr(self.stem, entity_of(self.stem)), "application/pkcs10"

	def once(self):
		body, media = self.request()
		while True: # the same bytes until they are answered
			try:
				status, _, answer = self.s.ask("POST", f"/.well-known/est/{self.label}/{self.operation}", base64.b64encode(body), media,
					self.stem)
			except (OSError, http.client.HTTPException):
				time.sleep(0.05)
				continue
			if status == 200:
				self.serials.append(self.serial(answer))
				return
			if status == 202:
				self.waiting.add(re.search(rb"request ([A-Z2-7]{8}) waits", answer).group(1).decode())
			else:
				self.refused.add(status)
			if self.ended and status != 202:
				return
			time.sleep(0.05)

	def serial(self, answer):
		if self.operation == "serverkeygen":
			return serial_of(answer.split(b"certs-only")[1].split(b"\r\n\r\n")[1].split(b"--")[0])
		if self.operation == "fullcmc":
			pem = cmc.Answer(self.where, self.s.dir / "ca" / "root.cert.pem", answer).cert_of(self.where, self.key)
			(self.where / "own.pem").write_text(pem)
			return run("openssl", "x509", "-in", self.where / "own.pem", "-noout", "-serial").strip().split("=")[1].lower().lstrip("0")
		return serial_of(answer)


class Person(threading.Thread):
	"""Approves whatever waits."""

	def __init__(self, s):
		super().__init__()
		self.s, self.ended = s, False

	def run(self):
		while not self.ended:
			for row in listed(self.s, "--state", "waiting"):
				subprocess.run([str(self.s.binary), "request", "approve", row["id"], "--dir", str(self.s.dir)], capture_output=True,
					timeout=60)
			time.sleep(0.2)


def prepare(s):
	up, own = Upstream(s.root), Authority(s.root, "Program")
	program = s.root / "program"
	program.write_text(PROGRAM.format(ca=own.dir, waits=s.root / "never"))
	program.chmod(0o700)
	add_sections(s, "[label keys]\nserverkeygen = yes\n[label cmc]\nfullcmc = yes\n[label held]\nhold = enrol\n"
		+ up.section("up", "up") + f"[issuer program]\nkind = command\ncommand = {program}\nchain = {own.chain}\n"
		"[label program]\nissuer = program\n")
	return [Way(s, 1, "keys", "serverkeygen"), Way(s, 2, "cmc", "fullcmc"), Way(s, 3, "held"), Way(s, 4, "up"), Way(s, 5, "program")]


def go_on(ways, what):
	had = [len(w.serials) for w in ways]
	wait_for(lambda: any(w.fault for w in ways) or all(len(w.serials) >= n + ROUND_TRIPS for w, n in zip(ways, had)),
		f"every way goes on after the end of {what}: had {had}, have {[(w.label, len(w.serials), w.refused) for w in ways]}")
	check(not any(w.fault for w in ways), f"{[w.fault for w in ways]}")


def verify(s, ways):
	serials = [(w.label, x) for w in ways for x in w.serials]
	check(len(serials) == len(set(serials)), "a certificate came twice")
	rows = json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json", "--limit", "1000"))
	known = {str(row.get(key) or "").replace(":", "").lower().lstrip("0") for row in rows for key in ("serial", "issuer_serial")}
	missing = {x for _, x in serials} - known
	check(not missing, f"answered and not in the store: {missing}")
	told = {x for w in ways for x in w.waiting}
	kept = {row["id"] for row in listed(s)}
	check(told and not told - kept, f"told to wait and forgotten: {told - kept}")
	run(s.binary, "audit", "verify", "--dir", s.dir)


def main():
	with Service(sys.argv[1], {"fronts": "2", "signers": "2"}) as s:
		ways = prepare(s)
		s.start()
		person = Person(s)
		try:
			for thread in (*ways, person):
				thread.start()
			go_on(ways, "nobody")
			names = sorted(s.roles())
			check({n.rsplit("-", 1)[0] for n in names} >= {"front", "registrar", "signer", "caller", "runner"}, f"roles: {names}")
			for name in names * ROUNDS:
				pid = s.roles()[name]
				os.kill(pid, signal.SIGKILL)
				wait_for(lambda: s.roles().get(name, pid) != pid, f"{name} is started again")
				go_on(ways, name)
		finally:
			for w in ways:
				w.ended = True
			for w in ways:
				w.join()
			person.ended = True
			person.join()
		check(not any(w.refused - {503} for w in ways), f"refusals: {[(w.label, w.refused) for w in ways]}")
		verify(s, ways)
		s.stop()
		verify(s, ways)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
		print("kill:", ", ".join(f"{w.label} {len(w.serials)}" for w in ways), "answered and kept")


if __name__ == "__main__":
	main()
