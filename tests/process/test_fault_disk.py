#!/usr/bin/env python3
"""
A full disk: of the server, of `openmef init` and of the device. Requests are refused with 503 and a time
to come back, nothing is half-written, and freed space is enough to go on without a restart.
"""

import base64
import os
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _faults import Disk, refused_start, told, with_mounts  # noqa: E402
from _service import Service, check, run, serial_of, wait_for  # noqa: E402

EST = "/.well-known/est/"


def enrol(s, stem):
	csr = base64.b64encode(pathlib.Path(f"{stem}.csr").read_bytes())
	return s.ask("POST", EST + "simpleenroll", csr, "application/pkcs10", stem)


def fails(*argv):
	done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=120)
	check(done.returncode == 1, f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
	return done.stderr


class Answered:
	"""Serial numbers that a client was given."""

	def __init__(self, s, before):
		self.s, self.serials = s, set(before)

	def take(self, answer, text):
		status, _, body = answer
		check(status == 200, f"{text}: {status} {body}")
		self.serials.add(serial_of(body))

	def verify(self, text):
		check(self.s.serials() == self.serials, f"{text}: the store holds what was answered and nothing else")
		run(self.s.binary, "audit", "verify", "--dir", self.s.dir)


def fill_until_refused(s, disk, stem, answered):
	"""The write-ahead log may have some room of its own."""
	disk.fill()
	for _ in range(200):
		answer = enrol(s, stem)
		if answer[0] != 200:
			return answer
		answered.take(answer, "enrolment")
	check(False, "a full disk refuses nothing")


def the_client_is_told_to_come_back_and_no_path(s, answer):
	status, headers, body = answer
	check(status == 503, f"enrolment on a full disk: {status} {body}")
	check(int(headers["Retry-After"]) > 0, "Retry-After")
	check(body.startswith(b"OMEF-1602: The disk of the database is full: "), f"body: {body}")
	check(b"openmef.db" not in body and str(s.dir).encode() not in body, f"the body names a file: {body}")


def the_operator_is_told_which_file(s):
	lines = [line for line in s.log_text().split("\n") if "code=OMEF-1602 " in line]
	check(lines, "no OMEF-1602 in the log")
	check(f"{s.dir}/openmef.db" in lines[0] and "Free some space" in lines[0], f"log: {lines[0]}")
	return len(lines)


def what_needs_no_disk_goes_on(s):
	check(s.ask("GET", EST + "cacerts")[0] == 200, "cacerts on a full disk")
	check(s.ask_plain("/crl/issuing.crl")[0] == 200, "CRL on a full disk")
	run(s.binary, "status", "--dir", s.dir)


def commands_say_so(s):
	text = fails(s.binary, "enrolee", "disable", "device-0001", "--dir", s.dir)
	check("OMEF-1602" in text and f"{s.dir}/openmef.db" in text, text)
	key = (s.dir / "ca" / "mef-tls.key.pem").read_bytes()
	text = fails(s.binary, "ca", "tls", "--dir", s.dir)
	check("OMEF-1683" in text and "mef-tls.key.pem" in text and "No space left" in text, text)
	check((s.dir / "ca" / "mef-tls.key.pem").read_bytes() == key, "the key in force is untouched")


def a_flood_of_requests_is_no_flood_of_lines(s, stem):
	before = the_operator_is_told_which_file(s)
	for _ in range(20):
		check(enrol(s, stem)[0] == 503, "enrolment on a full disk")
	check(the_operator_is_told_which_file(s) <= before + 2, "a line for every request")


def processes(s):
	"""Also two of one name."""
	done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(s.process.pid)], capture_output=True, text=True, timeout=60)
	return len(done.stdout.split())


def a_full_disk_stops_no_server(s, stems, before):
	answered = Answered(s, before)
	with Disk(s.dir, 2048) as disk:
		s.start()
		answered.take(enrol(s, stems[0]), "before")
		pids = s.roles()
		the_client_is_told_to_come_back_and_no_path(s, fill_until_refused(s, disk, stems[0], answered))
		the_operator_is_told_which_file(s)
		what_needs_no_disk_goes_on(s)
		commands_say_so(s)
		a_flood_of_requests_is_no_flood_of_lines(s, stems[1])
		answered.verify("while the disk is full")
		disk.free()
		answered.take(enrol(s, stems[1]), "after space was freed")
		check(s.roles() == pids, "no process was replaced")
		# A reload and a kill on a full disk: the new processes serve what can be served.
		fill_until_refused(s, disk, stems[1], answered)
		run(s.binary, "reload", "--dir", s.dir)
		wait_for(lambda: s.ask("GET", EST + "cacerts")[0] == 200, "cacerts after a reload on a full disk")
		# The last one that closes the database frees its log, so the old generation must be gone before the kill.
		wait_for(lambda: processes(s) == 3, "the old generation ends")
		fill_until_refused(s, disk, stems[1], answered)
		os.kill(s.roles()["registrar-0"], signal.SIGKILL)
		wait_for(lambda: s.log_text().count("store not writable") >= 2, "the next one says that it cannot write")
		wait_for(lambda: s.ask("GET", EST + "cacerts")[0] == 200, "cacerts after a kill on a full disk")
		registrar = s.roles()["registrar-0"]
		disk.free()
		answered.take(enrol(s, stems[0]), "after a kill on a full disk")
		check(s.roles()["registrar-0"] == registrar, "the registrar that met the full disk goes on")
		answered.verify("at the end")
		s.stop()
		answered.verify("after a stop")
		disk.fill()
		refused_start(s, s.dir, "OMEF-1723", [f"{s.dir}/run/serve.pid", "No space left"])
		disk.fill(leave=1)
		refused_start(s, s.dir, "OMEF-1602", [f"{s.dir}/openmef.db", "Free some space"])
		disk.free()
		answered.verify("after starts that were refused")


def init_begins_anew_when_there_is_space(s):
	"""Whatever was reached when the disk was full: no half of an OpenMEF, and the same command again makes a whole one."""
	place = s.root / "small"
	with Disk(place, 1024) as disk:
		codes = set()
		for leave in (0, 1, 2, 3, 4, 5, 8, 20, 40, 43):
			disk.fill(leave)
			text = fails(s.binary, "init", "--fqdn", "localhost", "--dir", place / "mef")
			check(str(place / "mef") in text and ("No space left" in text or "is full" in text), text)
			codes.add(text.split(":")[1].strip())
			check(not (place / "mef" / "openmef.conf").exists(), "a configuration without the rest")
			text = fails_to_serve(s, place / "mef")
			check("OMEF-1911" in text, text)
		check(codes == {"OMEF-1914", "OMEF-1602"}, f"codes: {codes}")
		disk.free()
		run(s.binary, "init", "--fqdn", "localhost", "--dir", place / "mef")
		run(s.binary, "audit", "verify", "--dir", place / "mef")
		check(not list((place / "mef").glob(".init*")), "no mark is left")


def fails_to_serve(s, d):
	done = subprocess.run([str(s.binary), "serve", "--dir", str(d)], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0, "half an OpenMEF is served")
	return done.stderr


def in_force(out):
	return {path.name: path.read_bytes() for path in (out / "current").iterdir()}


def the_device_keeps_what_is_in_force(s, stem):
	"""No space for the new key, for part of the new generation, for its last file: the old one stays."""
	enrolee = s.binary.with_name("enrolee")
	out = s.root / "flash" / "credentials"
	first = [enrolee, "enrol", "--mef", f"https://localhost:{s.https}{EST}onem2m", "--cert", f"{stem}.pem", "--key",
		f"{stem}.key", "--anchors", s.dir / "ca" / "root.cert.pem", "--out", out]
	with Disk(out.parent, 256) as disk:
		for leave in range(5):
			disk.fill(leave)
			text = fails(*first)
			check("No space left" in text and str(out) in text, text)
			check(not (out / "current").exists(), "half a generation is in force")
			check(not list(out.glob("gen-*")), "half a generation takes the space")
		disk.free()
		run(*first)
		before = in_force(out)
		for leave in range(5):
			disk.fill(leave)
			text = fails(enrolee, "renew", "--force", "--out", out)
			check("OMEF-1683" in text and "No space left" in text, text)
			check(in_force(out) == before, "the generation in force was touched")
			check(len(list(out.glob("gen-*"))) == 1, "half a generation takes the space")
			run(enrolee, "status", "--out", out)
		disk.free()
		run(enrolee, "renew", "--force", "--out", out)
		check(in_force(out)["cert.pem"] != before["cert.pem"], "the renewed certificate is in force")
		run(enrolee, "status", "--out", out)


def main():
	if not with_mounts("full disk"):
		return told("full disk")
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		stems = [s.device(i) for i in range(3)]
		init_begins_anew_when_there_is_space(s)
		s.start()
		the_device_keeps_what_is_in_force(s, stems[2])
		s.stop()
		a_full_disk_stops_no_server(s, stems, s.serials())
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	return told("full disk")


main()
