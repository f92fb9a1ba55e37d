#!/usr/bin/env python3
"""
A database that is locked by somebody else, damaged, or moved away under a running server: requests get
503 and a code, the log names the file, and what can go on goes on.
"""

import base64
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _faults import copy_of, refused_start, told  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

EST = "/.well-known/est/"
PAGE = 8192


def enrol(s, stem):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
	return s.ask("POST", EST + "simpleenroll", csr, "application/pkcs10", stem)


def unavailable(answer, code, title):
	status, headers, body = answer
	check(status == 503 and int(headers["Retry-After"]) > 0, f"want 503 and Retry-After: {status} {body}")
	check(body.startswith(f"{code}: {title}: ".encode()), f"body: {body}")
	check(b"openmef.db" not in body, f"the body names a file: {body}")


def logged(s, code, *words):
	lines = [line for line in s.log_text().split("\n") if f"code={code} " in line]
	return any(all(word in line for word in words) for line in lines)


class Together:
	"""Calls at the same time; their results in the order in which they ended."""

	def __init__(self):
		self.results, self.threads = [], []

	def begin(self, name, call, *args):
		t = threading.Thread(target=lambda: self.results.append((name, call(*args))))
		self.threads.append(t)
		t.start()

	def finish(self):
		for t in self.threads:
			t.join()
		check(len(self.results) == len(self.threads), "a request ended without an answer")
		return self.results


def command(s, *argv):
	return subprocess.run([str(s.binary), *argv, "--dir", str(s.dir)], capture_output=True, text=True, timeout=120)


def a_locked_database_delays_everybody_once(s, stems):
	"""
	Another process holds the write lock for as long as anybody asks. The one who waits is told after the
	busy timeout, everybody behind him at once: with twelve requests nobody meets the request timeout.
	"""
	before = s.serials()
	other = sqlite3.connect(s.dir / "openmef.db", isolation_level=None)
	other.execute("BEGIN IMMEDIATE")
	try:
		together = Together()
		for stem in stems * 6:
			together.begin("enrol", enrol, s, stem)
		together.begin("cacerts", s.ask, "GET", EST + "cacerts")
		together.begin("command", command, s, "enrolee", "disable", "device-0001")
		results = together.finish()
		check(s.ask("GET", EST + "cacerts")[0] == 200, "cacerts while the database is locked")
		unavailable(enrol(s, stems[0]), "OMEF-1601", "The database is locked by another process")
		check(s.serials() == before, "readers see the last commit meanwhile")
	finally:
		other.execute("ROLLBACK")
		other.close()
	for name, result in results:
		if name == "enrol":
			unavailable(result, "OMEF-1601", "The database is locked by another process")
		elif name == "cacerts":
			check(result[0] == 200, f"cacerts: {result}")
		else:
			check(result.returncode == 1 and "OMEF-1601" in result.stderr and f"{s.dir}/openmef.db" in result.stderr
				and "fuser" in result.stderr, f"a command: {result}")
	check(logged(s, "OMEF-1601", f"{s.dir}/openmef.db", "fuser"), "the log names the file")
	status, serial = s.enrol(stems[0])
	check(status == 200, f"after the lock: {status}")
	check(s.serials() == before | {serial}, "nothing of the refused requests is in the store")
	run(s.binary, "audit", "verify", "--dir", s.dir)


def a_start_meets_a_lock(s):
	d = copy_of(s, "locked")
	other = sqlite3.connect(d / "openmef.db", isolation_level=None)
	other.execute("BEGIN IMMEDIATE")
	refused_start(s, d, "OMEF-1601", [f"{d}/openmef.db", "fuser"])
	other.execute("ROLLBACK")
	other.close()


def nothing_is_written_into_a_file_that_is_gone(s, stems):
	"""A commit into an unlinked file would be answered and lost."""
	path, aside = s.dir / "openmef.db", s.dir / "aside.db"
	before = s.serials()
	path.rename(aside)
	unavailable(enrol(s, stems[0]), "OMEF-1612", "The database file was moved or removed while it was open")
	check(logged(s, "OMEF-1612", f"{s.dir}/openmef.db", "Move it back"), "the log says what to do")
	check(s.ask("GET", EST + "cacerts")[0] == 200, "cacerts without a database")
	aside.rename(path)
	status, serial = s.enrol(stems[0])
	check(status == 200 and s.serials() == before | {serial}, f"after it was moved back: {status}")


def a_registrar_that_cannot_start_says_why_and_comes_back(s, stems):
	"""The parent tries again and again, slower and slower, and each try leaves its reason in the log."""
	path, aside = s.dir / "openmef.db", s.dir / "aside.db"
	front = s.roles()["front-0"]
	path.rename(aside)
	os.kill(s.roles()["registrar-0"], signal.SIGKILL)
	wait_for(lambda: logged(s, "OMEF-1609", "registrar-0 start failed", f"{s.dir}/openmef.db", "backup"), "the reason is logged")
	unavailable(enrol(s, stems[0]), "OMEF-1770", "The registrar is not available")
	time.sleep(3)
	tries = s.log_text().count("registrar-0 start failed code=OMEF-1609 ")
	check(1 <= tries <= 10, f"{tries} starts in a few seconds")
	check(s.process.poll() is None and s.roles()["front-0"] == front, "the rest of the service stands")
	aside.rename(path)
	wait_for(lambda: enrol(s, stems[0])[0] == 200, "enrolments after the file is back")


def overwrite_pages_with(path, word):
	data = bytearray(path.read_bytes())
	pages = [at for at in range(PAGE, len(data), PAGE) if word in data[at:at + PAGE]]
	for at in pages:
		data[at:at + PAGE] = b"\xa5" * PAGE
	path.write_bytes(data)
	return len(pages)


def damage_is_told_when_it_is_met(s, stems):
	"""Pages of the audit log are lost while the server is down; what does not need them still works."""
	s.stop()
	check(overwrite_pages_with(s.dir / "openmef.db", b'"certificate.issued"') > 0, "no page to damage")
	s.start()
	unavailable(enrol(s, stems[0]), "OMEF-1603", "The database is damaged")
	check(logged(s, "OMEF-1603", f"{s.dir}/openmef.db", "integrity_check", "restore the last backup"), "the log says what to do")
	check(s.ask("GET", EST + "cacerts")[0] == 200, "cacerts with a damaged database")
	done = command(s, "audit", "verify")
	check(done.returncode == 1 and "OMEF-1603" in done.stderr and f"{s.dir}/openmef.db" in done.stderr, f"verify: {done}")
	check(len(s.roles()) == 3, "every role runs")
	s.stop()


def the_backup_is_a_remedy(s, backup, stems):
	for name in ("openmef.db", "openmef.db-wal", "openmef.db-shm"):
		(s.dir / name).unlink(missing_ok=True)
	(s.dir / "openmef.db").write_bytes(backup)
	s.start()
	check(s.enrol(stems[0])[0] == 200, "enrolment after the backup was restored")
	run(s.binary, "audit", "verify", "--dir", s.dir)
	s.stop()


def a_second_server_is_refused(s):
	done = command(s, "serve")
	check(done.returncode != 0 and "OMEF-1724" in done.stderr and f"held by process {s.process.pid}" in done.stderr,
		f"a second server: {done}")
	check(s.ask("GET", EST + "cacerts")[0] == 200, "the first one goes on")
	check((s.dir / "run" / "serve.pid").read_text() == f"{s.process.pid}\n", "serve.pid is still the first one's")


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		stems = [s.device(i) for i in range(2)]
		s.start()
		a_second_server_is_refused(s)
		a_locked_database_delays_everybody_once(s, stems)
		nothing_is_written_into_a_file_that_is_gone(s, stems)
		a_registrar_that_cannot_start_says_why_and_comes_back(s, stems)
		s.stop()
		a_start_meets_a_lock(s)
		backup = (s.dir / "openmef.db").read_bytes()
		s.start()
		damage_is_told_when_it_is_met(s, stems)
		the_backup_is_a_remedy(s, backup, stems)
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	told("locked and damaged database")


main()
