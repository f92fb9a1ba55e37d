#!/usr/bin/env python3
"""
`openmef serve` with files that are missing, broken, foreign, exposed or not readable: each start is
refused with a reason that names the file and what to do, and nothing is left running.
"""

import os
import shutil
import sqlite3
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _faults import NOBODY, become_nobody, copy_of, put, redate_ca, refused_start, skip, told  # noqa: E402
from _service import Service, run  # noqa: E402

RUBBISH = bytes(range(256)) * 8


def cut(name, size):
	def do(d):
		os.truncate(d / name, size)
	return do


def rubbish(name, content=RUBBISH):
	def do(d):
		(d / name).write_bytes(content)
	return do


def remove(name):
	def do(d):
		(d / name).unlink()
	return do


def mode(name, bits):
	def do(d):
		(d / name).chmod(bits)
	return do


def instead(name, other):
	def do(d):
		shutil.copy(d / other, d / name)
	return do


def foreign_database(d):
	(d / "openmef.db").unlink()
	with sqlite3.connect(d / "openmef.db") as c:
		c.execute("CREATE TABLE theirs (x)")
	c.close()


def overwrite_pages(d):
	"""All but the first, which holds the schema's own row."""
	with open(d / "openmef.db", "r+b") as f:
		f.seek(8192)
		f.write(b"\xa5" * (os.fstat(f.fileno()).st_size - 8192))


def cut_conf(d):
	text = (d / "openmef.conf").read_text()
	(d / "openmef.conf").write_text(text[:text.index("[label default]")])


# name, what happened, code, what the reason names beside the directory's own path
BROKEN = [
	("conf-cut", cut_conf, "OMEF-1903", ["openmef.conf", "[label default]"]),
	("conf-empty", cut("openmef.conf", 0), "OMEF-1903", ["openmef.conf", "fqdn"]),
	("conf-rubbish", rubbish("openmef.conf"), "OMEF-1901", ["openmef.conf"]),
	("conf-value", lambda d: put(d, "https", "nonsense"), "OMEF-1902", ["openmef.conf:", "https", "nonsense"]),
	("anchors-missing", remove("anchors/devices.pem"), "OMEF-1680", ["anchors/devices.pem"]),
	("anchors-rubbish", rubbish("anchors/devices.pem"), "OMEF-1751", ["anchors/devices.pem", "PEM"]),
	("anchors-cut", cut("anchors/devices.pem", 300), "OMEF-1751", ["anchors/devices.pem", "certificate 1"]),
	("tls-key-exposed", mode("ca/mef-tls.key.pem", 0o644), "OMEF-1684", ["chmod 600", "ca/mef-tls.key.pem"]),
	("tls-key-rubbish", rubbish("ca/mef-tls.key.pem"), "OMEF-1750", ["ca/mef-tls.key.pem"]),
	("tls-key-missing", remove("ca/mef-tls.key.pem"), "OMEF-1680", ["ca/mef-tls.key.pem"]),
	("tls-cert-rubbish", rubbish("ca/mef-tls.cert.pem"), "OMEF-1750", ["ca/mef-tls.cert.pem"]),
	("tls-cert-of-another", instead("ca/mef-tls.cert.pem", "ca/root.cert.pem"), "OMEF-1750",
		["ca/mef-tls.cert.pem", "localhost"]),
	("ca-key-exposed", mode("ca/issuing.key.pem", 0o640), "OMEF-1672", ["chmod 600", "ca/issuing.key.pem"]),
	("ca-key-cut", cut("ca/issuing.key.pem", 100), "OMEF-1205", ["ca/issuing.key.pem"]),
	("ca-key-missing", remove("ca/issuing.key.pem"), "OMEF-1670", ["ca/issuing.key.pem"]),
	("ca-cert-cut", cut("ca/issuing.cert.pem", 200), "OMEF-1252", ["ca/issuing.cert.pem", "END"]),
	("ca-cert-of-another", instead("ca/issuing.cert.pem", "ca/root.cert.pem"), "OMEF-1440", ["ca/issuing.cert.pem"]),
	("chain-rubbish", rubbish("ca/root.cert.pem"), "OMEF-1253", ["ca/root.cert.pem"]),
	("master-exposed", mode("secret/master.key", 0o604), "OMEF-1684", ["chmod 600", "secret/master.key"]),
	("master-missing", remove("secret/master.key"), "OMEF-1680", ["secret/master.key"]),
	("master-rubbish", rubbish("secret/master.key", b"secret\n"), "OMEF-1687", ["secret/master.key", "backup"]),
	("master-of-another", rubbish("secret/master.key", b"0" * 64 + b"\n"), "OMEF-1206", ["ca/issuing.key.pem", "master key"]),
	("store-missing", remove("openmef.db"), "OMEF-1609", ["openmef.db", "backup"]),
	("store-empty", cut("openmef.db", 0), "OMEF-1603", ["openmef.db", "backup"]),
	("store-rubbish", rubbish("openmef.db"), "OMEF-1603", ["openmef.db", "backup"]),
	("store-cut", cut("openmef.db", 20000), "OMEF-1603", ["openmef.db", "backup"]),
	("store-overwritten", overwrite_pages, "OMEF-1603", ["openmef.db", "integrity_check", "backup"]),
	("store-foreign", foreign_database, "OMEF-1608", ["openmef.db"]),
	("store-nowhere", lambda d: put(d, "database", "sqlite:nowhere/openmef.db"), "OMEF-1609", ["nowhere/openmef.db"]),
	("ca-expired", lambda d: redate_ca(d, -86400, -60), "OMEF-1442", ["ca/issuing.cert.pem", "valid until", "now is"]),
	("ca-not-yet", lambda d: redate_ca(d, 86400, 2 * 86400), "OMEF-1443", ["ca/issuing.cert.pem", "valid from", "clock"]),
]


def theirs(d, name):
	os.chown(d / name, 0, 0)
	(d / name).chmod(0o600)


def folder_only_read(d):
	d.chmod(0o555)


# What a service user may not do: root may do everything, so as root the start gives its rights up.
RIGHTS = [
	("store-read-only", mode("openmef.db", 0o400), "OMEF-1604", ["openmef.db"]),
	("store-unreadable", mode("openmef.db", 0o000), "OMEF-1600", ["openmef.db", "Permission denied"]),
	("folder-read-only", folder_only_read, "OMEF-1604", ["openmef.db", "folder"]),
	("run-read-only", mode("run", 0o500), "OMEF-1723", ["run/serve.pid", "Permission denied"]),
	("ca-key-unreadable", mode("ca/issuing.key.pem", 0o000), "OMEF-1671", ["ca/issuing.key.pem", "Permission denied"]),
	("conf-unreadable", mode("openmef.conf", 0o000), "OMEF-1900", ["openmef.conf", "Permission denied"]),
]
OWNERS = [
	("store-of-root", lambda d: theirs(d, "openmef.db"), "OMEF-1600", ["openmef.db", "Permission denied"]),
	("ca-key-of-root", lambda d: theirs(d, "ca/issuing.key.pem"), "OMEF-1671", ["ca/issuing.key.pem", "owner"]),
	("tls-key-of-root", lambda d: theirs(d, "ca/mef-tls.key.pem"), "OMEF-1681", ["ca/mef-tls.key.pem", "owner"]),
	("master-of-root", lambda d: theirs(d, "secret/master.key"), "OMEF-1681", ["secret/master.key", "owner"]),
]


def refuse(s, case, before=None):
	name, spoil, code, words = case
	d = copy_of(s, name)
	if before:
		for path in (d, *d.rglob("*")):
			os.chown(path, NOBODY, NOBODY)
	spoil(d)
	refused_start(s, d, code, [d, *words], before)
	d.chmod(0o700) # so that it can be removed


def a_store_of_another_is_refused(s):
	"""Its secrets are sealed under another master key."""
	s.start()
	s.stop()
	d = s.root / "store-of-another"
	run(s.binary, "init", "--fqdn", "localhost", "--dir", d, "--https", "127.0.0.1:0", "--http", "127.0.0.1:0")
	shutil.copy(s.dir / "openmef.db", d / "openmef.db")
	refused_start(s, d, "OMEF-1726", [d / "secret" / "master.key", "same backup"])


def may_become_nobody(s):
	"""In a user namespace there may be no other user, and the build folder may be closed to others."""
	pid = os.fork()
	if pid == 0:
		try:
			become_nobody()
			os._exit(0 if os.access(s.binary, os.X_OK) else 1)
		except OSError:
			os._exit(1)
	return os.waitpid(pid, 0)[1] == 0


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1"}) as s:
		s.root.chmod(0o755)
		for case in BROKEN:
			refuse(s, case)
		gone = copy_of(s, "conf-missing")
		remove("openmef.conf")(gone)
		refused_start(s, gone, "OMEF-1911", [gone, "openmef.conf", "openmef init"], status=3)
		if os.geteuid() != 0:
			for case in RIGHTS:
				refuse(s, case)
			for case in OWNERS:
				skip(case[0], "needs root to give a file away")
		elif may_become_nobody(s):
			for case in RIGHTS + OWNERS:
				refuse(s, case, become_nobody)
		else:
			for case in RIGHTS + OWNERS:
				skip(case[0], "root here cannot become another user that may run the build")
		a_store_of_another_is_refused(s)
		# After all that the directory itself starts: it was never touched.
		s.start()
		run(s.binary, "status", "--check", "--dir", s.dir)
		s.stop()
	told("refused starts")


main()
