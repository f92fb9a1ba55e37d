"""The operator's commands as the tests beside this file run them: exit code, next steps, JSON."""

import json
import os
import re
import subprocess

from _service import check

DONE, FAILED, USAGE, NOT_FOUND, DENIED, UNREACHABLE = 0, 1, 2, 3, 4, 5


class Operator:
	"""Runs commands in the directory of a service."""

	def __init__(self, service):
		self.s = service
		self.env = {k: v for k, v in os.environ.items() if k != "OPENMEF_DIR"}
		self.told = "" # all that was ever printed
		self.argv = "" # all that was ever typed

	def run(self, *argv, want=DONE, told=None, **more):
		argv = [str(self.s.binary)] + [str(a) for a in argv]
		if "--dir" not in argv and not set(more) - {"input", "timeout"}:
			argv += ["--dir", str(self.s.dir)]
		done = subprocess.run(argv, capture_output=True, text=True, timeout=more.pop("timeout", 120),
			env=more.pop("env", self.env), **more)
		self.told += done.stdout + done.stderr
		self.argv += " ".join(argv) + "\n"
		check(done.returncode == want, f"{argv[1:]}: exit {done.returncode}, want {want}\n{done.stdout}{done.stderr}")
		check(want != DONE or not done.stderr, f"{argv[1:]}: on standard error: {done.stderr}")
		if want != DONE:
			check(re.match(r"openmef: OMEF-\d+: .*\. Next: .*\.\n", done.stderr), f"{argv[1:]}: no next step: {done.stderr}")
		if told:
			check(told in done.stdout + done.stderr, f"{argv[1:]}: want '{told}' in: {done.stdout}{done.stderr}")
		return done.stdout + (done.stderr if want != DONE else "")

	def json(self, *argv, **more):
		return json.loads(self.run(*argv, "--json", **more))
