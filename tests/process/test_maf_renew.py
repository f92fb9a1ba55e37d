#!/usr/bin/env python3
"""
`openmef maf new`, `maf renew` and `status` on a MAF's directory: another certificate, with the same key or a new one,
that MEF and clients take after a reload.
"""

import hashlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _maf import MAF, FakeMef, Maf  # noqa: E402
from _psk import no_fault  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

CSE_A = "cse-a.example.com"


def refused(binary, want, *words):
	done = subprocess.run([str(binary), *map(str, words)], capture_output=True, text=True, timeout=120)
	check(done.returncode != 0 and want in done.stderr, f"{words}: want {want}, have {done.returncode} {done.stderr}")


def status(maf, *more):
	return json.loads(run(maf.binary, "status", "--dir", maf.dir, "--json", *more))


def renew(maf, mef, *more):
	return json.loads(run(maf.binary, "maf", "renew", "--dir", maf.dir, "--mef-dir", mef.dir, "--json", *more))


def shown(maf):
	"""Serial number and public key of the certificate that clients see."""
	c = ssl.create_default_context(cafile=str(maf.dir / "anchors" / "clients.pem"))
	c.check_hostname = False
	with socket.create_connection(("127.0.0.1", maf.https), 60) as raw, c.wrap_socket(raw, server_hostname=MAF) as tls:
		der = tls.getpeercert(binary_form=True)
	text = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-serial", "-pubkey"], input=der, capture_output=True).stdout
	lines = text.decode().split("\n")
	return lines[0].split("=")[1], hashlib.sha256("".join(lines[1:]).encode()).hexdigest()


def new_tells_an_address_that_can_be_used(s):
	for n, (https, want) in enumerate((("127.0.0.1:0", '"https://maf-0.example.com:PORT"'), ("127.0.0.1:443", '"https://maf-1.example.com"'),
			("127.0.0.1:8444", '"https://maf-2.example.com:8444"'))):
		told = run(s.binary, "maf", "new", f"maf-{n}.example.com", "--dir", s.root / f"maf-{n}", "--mef-dir", s.dir, "--https", https)
		check(want in told and ("ports.json" in told) == (n == 0), f"{https}: {told}")


def a_renewed_certificate_is_taken_by_a_reload(maf, mef_dir, mef):
	first = shown(maf)
	for more, same_key in (([], True), (["--new-key"], False), ([], True)):
		before = shown(maf)
		told = renew(maf, mef_dir, *more)
		check(told["serial"] in mef_dir_serials(mef_dir), "on record at the MEF")
		check(shown(maf) == before, "the running MAF goes on with the old one")
		run(maf.binary, "reload", "--dir", maf.dir)
		after = shown(maf)
		check(after[0] == told["serial"] and (after[1] == before[1]) == same_key, f"{more}: {before} {after}")
		mef.callers.clear()
		keid, key = os.urandom(16).hex().upper() + "@localhost", os.urandom(32)
		mef.keys[keid] = (key, CSE_A, 3600)
		maf.works(keid, key, "the MEF is asked with the new certificate").close()
		check(told["serial"].lower().lstrip("0") in mef.serials, f"certificate of the caller: {mef.serials}")
	check(shown(maf)[0] != first[0], "another certificate")
	check(len([p for p in (maf.dir / "tls").iterdir() if p.is_dir() and not p.is_symlink()]) == 1, "one pair is kept")


def mef_dir_serials(mef_dir):
	return {row["serial"].replace(":", "").upper() for row in json.loads(run(mef_dir.binary, "cert", "list", "--dir", mef_dir.dir, "--json"))}


def files_stay_a_pair(maf, mef_dir):
	"""What an interrupted change leaves is still a pair, and the next one goes on from there."""
	tls = maf.dir / "tls"
	pair = [(tls / name).read_bytes() for name in ("maf.key.pem", "maf.cert.pem")]
	(tls / "maf.cert.pem").unlink()
	(tls / "maf.cert.pem").write_bytes(pair[1])
	renew(maf, mef_dir, "--new-key")
	check((tls / "maf.cert.pem").is_symlink() and (tls / "maf.cert.pem").read_bytes() != pair[1], "a link again, another certificate")
	check((tls / "maf.key.pem").stat().st_mode & 0o777 == 0o600, "mode of the key")
	run(maf.binary, "reload", "--dir", maf.dir)


def callers(maf):
	lines = subprocess.run(["ps", "-o", "args=", "--ppid", str(maf.process.pid)], capture_output=True, text=True).stdout.split("\n")
	return sum(" role-caller " in line for line in lines)


def status_tells_what_a_maf_is(maf):
	wait_for(lambda: callers(maf) == 1, "the old generation has ended")
	told = status(maf)
	check(told["running"] and told["fqdn"] == MAF and not told["findings"], f"status: {told}")
	check(told["client_keys"] == 3 and told["client_registrations"] == 0 and told["registered_keys"] == 0, f"counts: {told}")
	check([m["fqdn"] for m in told["mefs"]] == ["localhost"] and told["mefs"][0]["connect"], f"MEFs: {told}")
	check(told["caller_pid"] == maf.roles()["caller-0"], f"caller: {told}")
	run(maf.binary, "status", "--check", "--dir", maf.dir)
	os.kill(maf.process.pid, signal.SIGSTOP)
	try:
		pid = told["caller_pid"]
		os.kill(pid, signal.SIGKILL)
		wait_for(lambda: gone(pid), "the caller is gone")
		refused(maf.binary, "OMEF-1916", "status", "--check", "--dir", maf.dir)
		check(status(maf)["findings"] == ["caller: not running"], "a caller that is not there")
	finally:
		os.kill(maf.process.pid, signal.SIGCONT)
	wait_for(lambda: status(maf)["caller_pid"] not in (None, pid), "another caller")
	text = run(maf.binary, "status", "--dir", maf.dir)
	for word in ("certificate", "MEF ", "caller", "client anchors", "MEF anchors", "shared keys"):
		check(word in text, f"{word}: {text}")
	check("CRL" not in text and "issuing CA" not in text, f"nothing of a MEF: {text}")


def gone(pid):
	try:
		with open(f"/proc/{pid}/stat") as f:
			return f.read().rsplit(")", 1)[1].split()[0] == "Z"
	except OSError:
		return True


def status_tells_when_it_is_due(maf, mef_dir):
	"""A certificate that ends within thirty days, and one that is over, put there by hand."""
	cert = maf.dir / "tls" / "maf.cert.pem"
	had = cert.read_bytes()
	key, req = mef_dir.root / "short.key", mef_dir.root / "short.req"
	run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
	run("openssl", "req", "-new", "-key", key, "-subj", "/CN=x", "-out", req)
	for days, want, code in ((29, "ends soon: openmef maf renew --mef-dir", 0), (31, "good until", 0), (-1, "EXPIRED: openmef maf renew --mef-dir", 1)):
		run("openssl", "x509", "-req", "-in", req, "-signkey", key, "-days", days, "-out", mef_dir.root / "short.pem")
		cert.write_bytes((mef_dir.root / "short.pem").read_bytes())
		text = run(maf.binary, "status", "--dir", maf.dir)
		check(want in text, f"{days} days: {text}")
		check(("renew" in text) == (days != 31), f"{days} days: {text}")
		run(maf.binary, "status", "--check", "--dir", maf.dir, ok=(code,))
	cert.write_bytes(had)


def what_cannot_be_renewed_is_told(maf, mef_dir):
	b = maf.binary
	refused(b, "OMEF-1910", "maf", "renew", "--dir", maf.dir)
	refused(b, "OMEF-1910", "maf", "renew", "--dir", mef_dir.dir, "--mef-dir", mef_dir.dir)
	refused(b, "OMEF-1910", "maf", "renew", "--dir", maf.dir, "--mef-dir", maf.dir)
	before = mef_dir_serials(mef_dir)
	run(b, "enrolee", "disable", MAF, "--dir", mef_dir.dir)
	refused(b, "OMEF-2317", "maf", "renew", "--dir", maf.dir, "--mef-dir", mef_dir.dir)
	run(b, "enrolee", "enable", MAF, "--dir", mef_dir.dir)
	other = mef_dir.root / "other"
	run(b, "init", "--fqdn", "localhost", "--dir", other, "--https", "127.0.0.1:0", "--http", "127.0.0.1:0")
	refused(b, "OMEF-2316", "maf", "renew", "--dir", maf.dir, "--mef-dir", other)
	check(mef_dir_serials(mef_dir) == before, "nothing was made")


def another_ca_of_the_same_name_is_refused(maf, mef_dir):
	"""A MEF that made a MAF of that name too, but is not the one that this MAF and its clients trust."""
	other = mef_dir.root / "other"
	run(maf.binary, "maf", "new", MAF, "--dir", mef_dir.root / "other-maf", "--mef-dir", other)
	refused(maf.binary, "OMEF-", "maf", "renew", "--dir", maf.dir, "--mef-dir", other)


def main():
	with Service(sys.argv[1]) as mef_dir:
		new_tells_an_address_that_can_be_used(mef_dir)
		mef = FakeMef(mef_dir.root, mef_dir.dir / "ca" / "root.cert.pem")
		with Maf(mef_dir, f"127.0.0.1:{mef.port}", mef.ca) as maf:
			maf.start()
			for test, words in ((a_renewed_certificate_is_taken_by_a_reload, (maf, mef_dir, mef)), (files_stay_a_pair, (maf, mef_dir)),
					(status_tells_what_a_maf_is, (maf,)), (status_tells_when_it_is_due, (maf, mef_dir)),
					(what_cannot_be_renewed_is_told, (maf, mef_dir)), (another_ca_of_the_same_name_is_refused, (maf, mef_dir))):
				test(*words)
				print(f"{test.__name__}: passed", flush=True)
			maf.stop()
			for directory in (mef_dir.dir, maf.dir):
				run(maf.binary, "audit", "verify", "--dir", directory)
			no_fault(maf)


if __name__ == "__main__":
	main()
