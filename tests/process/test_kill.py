#!/usr/bin/env python3
"""
kill -9 of each role, again and again, while devices enrol: no answered certificate is missing in the
store, no serial number is there twice, the audit chain holds, every role comes back.
"""

import http.client
import os
import random
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run, wait_for  # noqa: E402

DEVICES = 4
ROUNDS = int(os.environ.get("KILL_ROUNDS", "3"))


class Devices:
	"""One thread a device: enrols all the time and keeps the serial numbers that it was told."""

	def __init__(self, s, stems):
		self.s, self.ended = s, False
		self.serials, self.refused, self.broken = [], {}, 0
		self.lock = threading.Lock()
		self.threads = [threading.Thread(target=self._enrol, args=(stem,)) for stem in stems]
		for t in self.threads:
			t.start()

	def _enrol(self, stem):
		context = self.s.context(stem)
		while not self.ended:
			try:
				status, serial = self.s.enrol(stem, context)
			except (OSError, http.client.HTTPException):
				self.broken += 1
				time.sleep(0.02)
				continue
			with self.lock:
				if serial:
					self.serials.append(serial)
				else:
					self.refused[status] = self.refused.get(status, 0) + 1

	def finish(self):
		self.ended = True
		for t in self.threads:
			t.join()


def kill_role(s, devices, name):
	roles = s.roles()
	had = len(devices.serials)
	os.kill(roles[name], signal.SIGKILL)
	wait_for(lambda: s.roles().get(name, roles[name]) != roles[name], f"{name} is started again")
	wait_for(lambda: len(devices.serials) >= had + 2, f"enrolments after the end of {name}")


def verify(s, devices):
	check(len(devices.serials) == len(set(devices.serials)), "a serial number was issued twice")
	missing = set(devices.serials) - s.serials()
	check(not missing, f"{len(missing)} of {len(devices.serials)} answered certificates are not in the store")
	run(s.binary, "audit", "verify", "--dir", s.dir)


def main():
	with Service(sys.argv[1], {"fronts": "2", "signers": "2"}) as s:
		stems = [s.device(i) for i in range(DEVICES)]
		s.start()
		devices = Devices(s, stems)
		try:
			wait_for(lambda: len(devices.serials) >= 4, "enrolments at the start")
			names = sorted(s.roles())
			for _ in range(ROUNDS):
				random.shuffle(names)
				for name in names:
					kill_role(s, devices, name)
			# The parent too: its roles end with it, and a new one takes over the directory.
			orphans = s.roles()
			s.process.kill()
			s.process.wait()
			wait_for(lambda: not any(alive(pid, "role-") for pid in orphans.values()), "roles end with their parent")
			s.start()
			had = len(devices.serials)
			wait_for(lambda: len(devices.serials) >= had + 4, "enrolments after a new start")
		finally:
			devices.finish()
		# While a role is missing a client is told to come again, or its connection ends; never another word.
		check(set(devices.refused) <= {503}, f"refusals: {devices.refused}")
		verify(s, devices)
		s.stop()
		verify(s, devices)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
		print(f"kill: {len(devices.serials)} certificates answered and kept, {devices.broken} connections broken, "
			f"refused {devices.refused}")


def alive(pid, word):
	try:
		with open(f"/proc/{pid}/cmdline") as f:
			return word in f.read()
	except OSError:
		return False


main()
