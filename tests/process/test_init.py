#!/usr/bin/env python3
"""`openmef init` as an operator meets it: what it makes, what it refuses, and what an interruption leaves."""

import hashlib
import json
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import check, run, wait_for  # noqa: E402

BINARY = pathlib.Path(sys.argv[1]).resolve() / "src" / "openmef"
KEYS = ("secret/master.key", "offline/root.pass", "offline/root.key.pem", "ca/issuing.key.pem", "ca/mef-tls.key.pem")
MARK = ".init-unfinished"


def openmef(*argv, **more):
	env = {k: v for k, v in os.environ.items() if k != "OPENMEF_DIR"} | more.pop("env", {})
	return subprocess.run([str(BINARY)] + [str(a) for a in argv], capture_output=True, text=True, timeout=120, env=env,
		**more)


def init(where, *more, want=0, **kw):
	done = openmef("init", "--dir", where, *more, **kw)
	check(done.returncode == want, f"init {more}: exit {done.returncode}, want {want}\n{done.stdout}{done.stderr}")
	return done


def tree(where):
	"""Every file with mode and content."""
	out = {}
	for p in sorted(pathlib.Path(where).rglob("*")):
		content = hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else ""
		out[str(p.relative_to(where))] = (oct(p.stat().st_mode), content)
	return out


def check_chain(d, fqdn):
	run("openssl", "verify", "-x509_strict", "-CAfile", d / "ca/root.cert.pem", "-untrusted", d / "ca/issuing.cert.pem",
		"-purpose", "sslserver", "-verify_hostname", fqdn, d / "ca/mef-tls.cert.pem")


def check_secrets(d):
	for p in [d] + [p for p in d.rglob("*") if p.is_dir()]:
		check(stat.S_IMODE(p.stat().st_mode) == 0o700, f"{p}: want mode 700, have {oct(p.stat().st_mode)}")
	for name in KEYS:
		mode = stat.S_IMODE((d / name).stat().st_mode)
		check(mode == 0o600, f"{name}: want mode 600, have {oct(mode)}")
	check(stat.S_IMODE((d / "openmef.db").stat().st_mode) == 0o600, "the database is its owner's only")
	for p in d.rglob("*.pem"):
		text = p.read_text()
		check("BEGIN PRIVATE KEY" not in text and "BEGIN EC PRIVATE KEY" not in text and "BEGIN RSA" not in text,
			f"{p}: a private key lies open")
		if ".key" in p.name:
			check(text.startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), f"{p}: want encrypted PKCS#8")


def check_root_opens(d):
	argv = ["openssl", "pkey", "-in", d / "offline/root.key.pem", "-passin", f"file:{d / 'offline/root.pass'}"]
	key = run(*argv, "-pubout")
	check(key == run("openssl", "x509", "-in", d / "ca/root.cert.pem", "-noout", "-pubkey"), "the root's key is another one")
	run("openssl", "pkey", "-in", d / "offline/root.key.pem", "-passin", "pass:wrong", "-noout", ok=(1,))
	run("openssl", "pkey", "-in", d / "ca/issuing.key.pem", "-passin", f"file:{d / 'offline/root.pass'}", "-noout", ok=(1,))


def check_conf(d):
	"""What was written is read again, and holds every key with its comment."""
	done = openmef("status", "--dir", d, "--json")
	check(done.returncode == 0 and not json.loads(done.stdout)["running"], f"status after init: {done.stderr}")
	text = (d / "openmef.conf").read_text()
	for row in json.loads(openmef("help", "conf", "--json").stdout):
		if row["section"] == "maf": # of another role
			continue
		check(re.search(rf"^(# )?{row['key']} =", text, re.M), f"openmef.conf lacks {row['key']}")
		check(row["comment"].split()[0] in text, f"openmef.conf does not explain {row['key']}")


def key_kinds(scratch):
	kinds = {"P-256": "P-256", "P-384": "P-384", "RSA-3072": "(3072 bit)"}
	for number, (kind, shown) in enumerate(kinds.items()):
		for preset in ("iot", "it") if kind == "P-256" else ("iot",):
			d = scratch / f"kind-{number}-{preset}"
			done = init(d, "--fqdn", "mef.example.com", "--key", kind, "--profile", preset, "--alt", "b.example.com",
				umask=0)
			check_secrets(d)
			check_chain(d, "mef.example.com")
			check_chain(d, "b.example.com")
			check_root_opens(d)
			check_conf(d)
			for name in ("root", "issuing", "mef-tls"):
				text = run("openssl", "x509", "-in", d / f"ca/{name}.cert.pem", "-noout", "-text")
				check(shown in text, f"{name}: want a key of kind {kind}")
			fingerprint = run("openssl", "x509", "-in", d / "ca/root.cert.pem", "-noout", "-fingerprint", "-sha256")
			check(fingerprint.split("=")[1].replace(":", "").strip() in done.stdout, "the root's fingerprint is printed")
			check(f"openmef serve --dir {d}" in done.stdout, "the next command is printed")
			for name in ("secret/master.key", "offline/root.pass"):
				check((d / name).read_text().strip() not in done.stdout + done.stderr, f"{name} was printed")
			validity = re.search(r"^validity = (\S+)", (d / "openmef.conf").read_text(), re.M).group(1)
			check(validity == {"iot": "90d", "it": "397d"}[preset], f"preset {preset}: validity {validity}")


def a_second_init_changes_nothing(scratch):
	d = scratch / "twice"
	init(d, "--fqdn", "mef.example.com")
	before = tree(d)
	done = init(d, "--fqdn", "other.example.com", want=1)
	check("OMEF-1912" in done.stderr and "nothing was changed" in done.stderr, done.stderr)
	check(tree(d) == before, "a second init changed something")
	# keys without their configuration are a loss to repair, not a free place
	(d / "openmef.conf").unlink()
	before = tree(d)
	done = init(d, "--fqdn", "mef.example.com", want=1)
	check("OMEF-1912" in done.stderr and "restore" in done.stderr, done.stderr)
	check(tree(d) == before, "init over a lost configuration changed something")


def names_and_addresses(scratch):
	d = scratch / "names"
	init(d, "--fqdn", "MEF.Example.COM", "--permit", "devices.example.com", "--public-http", "http://crl.example.com/x")
	conf = (d / "openmef.conf").read_text()
	check("fqdn = mef.example.com\n" in conf and "public_http = http://crl.example.com/x\n" in conf, "names in openmef.conf")
	check("suffixes = devices.example.com\n" in conf, "--permit confines the profile too")
	text = run("openssl", "x509", "-in", d / "ca/issuing.cert.pem", "-noout", "-ext", "nameConstraints")
	check("critical" in text and "DNS:devices.example.com" in text, f"name constraints: {text}")
	check_chain(d, "mef.example.com") # which is not under devices.example.com
	d = scratch / "long"
	fqdn = ".".join(["a" * 60, "b" * 60, "c" * 60, "example"])
	init(d, "--fqdn", fqdn)
	check_chain(d, fqdn)
	subjects = {run("openssl", "x509", "-in", d / f"ca/{name}.cert.pem", "-noout", "-subject") for name in ("root", "issuing")}
	check(len(subjects) == 2, f"a long name is cut so that root and issuing CA differ: {subjects}")
	d = scratch / "defaults"
	init(d, "--fqdn", "mef.example.com", "--http", "[::1]:80")
	check("public_http = http://mef.example.com\n" in (d / "openmef.conf").read_text(), "the CRL's address by default")


def usage_is_told_and_nothing_made(scratch):
	d = scratch / "none"
	for bad in (("--fqdn", "under_score"), ("--fqdn", "10.0.0.1"), ("--fqdn", "a..b"), ("--fqdn", ""), ("--fqdn", "x" * 64),
			("--alt", "10.0.0.1"), ("--alt", "*.example.com"), ("--key", "P-521"), ("--key", "RSA-2048"), ("--key", ""),
			("--profile", "big"), ("--https", "8443"), ("--https", "1.2.3.4:70000"), ("--http", "x"),
			("--public-http", "https://x"), ("--public-http", "http://x/"), ("--public-http", "x"), ("--permit", ".x"),
			("--permit", "a b"), ("--nothing", "x"), ("--fqdn",), ("--json=1",), ("word",)):
		given = bad if "--fqdn" in bad else ("--fqdn", "mef.example.com") + bad
		done = init(d, *given, want=2)
		check("OMEF-1910" in done.stderr and "Next:" in done.stderr, f"{bad}: {done.stderr}")
		check(not d.exists(), f"{bad}: something was made")
	done = init(d, *(["--fqdn", "mef.example.com"] + ["--alt", "b.example.com"] * 16), want=2)
	check("--alt" in done.stderr and not d.exists(), f"16 further names: {done.stderr}")
	done = init(d, *(["--fqdn", "mef.example.com"] + ["--permit", "example.com"] * 9), want=2)
	check("--permit" in done.stderr and not d.exists(), f"9 domains: {done.stderr}")


def limit_files(size):
	def apply():
		signal.signal(signal.SIGXFSZ, signal.SIG_IGN) # then the write fails, as on a full disk
		resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
	return apply


def a_failure_leaves_no_configuration(scratch):
	for size, named in ((10, "master.key"), (300, "root.key.pem"), (1000, "mef-tls.cert.pem"), (20000, "OMEF-16")):
		d = scratch / f"full-{size}"
		done = init(d, "--fqdn", "mef.example.com", want=1, preexec_fn=limit_files(size))
		check(named in done.stderr and "Next:" in done.stderr, f"disk full after {size}: {done.stderr}")
		check(not (d / "openmef.conf").exists(), f"disk full after {size}: a configuration stands")
		done = openmef("status", "--dir", d)
		check(done.returncode == 3 and "OMEF-1911" in done.stderr, f"status after a failed init: {done.stderr}")
		init(d, "--fqdn", "mef.example.com")
		check(not (d / MARK).exists(), "the mark of an unfinished init stays")
		check_secrets(d)
		check_chain(d, "mef.example.com")
		rows = json.loads(openmef("audit", "list", "--dir", d, "--json").stdout)
		check(len(rows) == 1 and rows[0]["event"]["what"] == "mef.created", f"one beginning, have {rows}")


def a_killed_init_is_run_again(scratch):
	d = scratch / "killed"
	process = subprocess.Popen([str(BINARY), "init", "--dir", str(d), "--fqdn", "mef.example.com", "--key", "RSA-4096"],
		stdout=subprocess.DEVNULL)
	wait_for(lambda: (d / MARK).exists() or process.poll() is not None, "init begins")
	process.kill()
	process.wait()
	if (d / "openmef.conf").exists():
		return # three RSA keys within one look: nothing was interrupted
	init(d, "--fqdn", "mef.example.com")
	check_chain(d, "mef.example.com")


def an_init_cut_off_before_its_end_begins_anew(scratch):
	d = scratch / "cut"
	init(d, "--fqdn", "mef.example.com")
	(d / "openmef.conf").unlink()
	(d / MARK).touch()
	init(d, "--fqdn", "mef.example.com", want=0)
	check_chain(d, "mef.example.com")
	check_root_opens(d)
	rows = json.loads(openmef("audit", "list", "--dir", d, "--json").stdout)
	check(len(rows) == 1, f"one beginning, have {rows}")


def what_stands_in_the_way_is_named(scratch):
	file = scratch / "file"
	file.write_text("x")
	done = init(file, "--fqdn", "mef.example.com", want=1)
	check("OMEF-1914" in done.stderr and str(file) in done.stderr, done.stderr)
	done = init(scratch / "no" / "such", "--fqdn", "mef.example.com", want=1)
	check("OMEF-1914" in done.stderr and "No such file" in done.stderr, done.stderr)
	if os.geteuid() != 0:
		closed = scratch / "closed"
		closed.mkdir(0o500)
		done = init(closed, "--fqdn", "mef.example.com", want=1)
		check("OMEF-1914" in done.stderr and "Permission denied" in done.stderr, done.stderr)


def what_was_there_stays(scratch):
	d = scratch / "there"
	(d / "anchors").mkdir(parents=True)
	(d / "anchors" / "devices.pem").write_text("# makers\n")
	done = openmef("init", "--fqdn", "mef.example.com", env={"OPENMEF_DIR": str(d)})
	check(done.returncode == 0, f"OPENMEF_DIR: {done.stderr}")
	check((d / "anchors" / "devices.pem").read_text() == "# makers\n", "anchors of the operator are kept")
	check("openmef serve\n" in done.stdout, "no --dir is proposed where OPENMEF_DIR does")


def root_makes_it_for_the_owner(scratch):
	if os.geteuid() != 0:
		return
	d = scratch / "owned"
	d.mkdir(0o700)
	os.chown(d, 65534, 65534)
	init(d, "--fqdn", "mef.example.com")
	run(BINARY, "ca", "tls", "--dir", d)
	for p in [d] + list(d.rglob("*")):
		check(p.stat().st_uid == 65534, f"{p}: want the directory's owner, have uid {p.stat().st_uid}")


def main():
	with tempfile.TemporaryDirectory(prefix="openmef-init-") as name:
		scratch = pathlib.Path(name)
		for test in (key_kinds, a_second_init_changes_nothing, names_and_addresses, usage_is_told_and_nothing_made,
				a_failure_leaves_no_configuration, a_killed_init_is_run_again,
				an_init_cut_off_before_its_end_begins_anew, what_stands_in_the_way_is_named,
				what_was_there_stays, root_makes_it_for_the_owner):
			start = time.monotonic()
			test(scratch)
			print(f"{test.__name__}: passed ({time.monotonic() - start:.1f} s)")


main()
