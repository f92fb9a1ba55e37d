#!/usr/bin/env python3
"""The operator's commands without a server and beside a running one, each by what it prints, does and exits with."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _commands import DENIED, DONE, FAILED, NOT_FOUND, UNREACHABLE, USAGE, Operator  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

# ---- the registry, no server

def adds_with_every_kind_of_credential(o):
	device = o.s.factory / "device-1.pem"
	spki = run("openssl", "x509", "-in", device, "-noout", "-pubkey")
	check("BEGIN PUBLIC KEY" in spki, "the device's key")
	kinds = {
		"serial": ("serial=SN/4711 A", "SN/4711 A"),
		"fqdn": ("fqdn=GW7.Example.com", "gw7.example.com"),
		"uri": ("uri=urn:example:Pump:17", "urn:example:Pump:17"),
		"device": ("device=1.3.6.1.5.5.7.8.4;1.3.6.1.4.1.6175.10.1:01a2b3", "1.3.6.1.5.5.7.8.4;1.3.6.1.4.1.6175.10.1:01A2B3"),
		"key": ("key=sha-256;" + "A" * 43, "sha-256;" + "A" * 43),
		"cert": ("cert=" + "ab" * 32, "AB" * 32),
	}
	for kind, (given, kept) in kinds.items():
		added = o.json("enrolee", "add", f"by-{kind}", "--type", "fqdn", "--entity", f"{kind}.example.com", "--credential", given)
		check(added["credentials"] == [{"kind": kind, "value": kept}], f"{kind}: {added}")
		shown = o.json("enrolee", "show", f"by-{kind}")
		check(shown["credentials"] == [{"kind": kind, "value": kept, "anchor_sha256": None}], f"{kind}: {shown}")
	anchor = o.s.factory / "ca.pem"
	o.run("enrolee", "add", "by-files", "--type", "ae", "--entity", "m2m://sp.example.com/cse1/Cae7", "--cert", device,
		"--key-of", device, "--anchor", anchor, "--label", "Pümpe <&>")
	shown = o.json("enrolee", "show", "by-files")
	digest = run("openssl", "x509", "-in", anchor, "-noout", "-fingerprint", "-sha256").split("=")[1].replace(":", "").strip()
	cert = run("openssl", "x509", "-in", device, "-noout", "-fingerprint", "-sha256").split("=")[1].replace(":", "").strip()
	kinds = {c["kind"]: c for c in shown["credentials"]}
	check(kinds["cert"]["value"] == cert and kinds["cert"]["anchor_sha256"] == digest, f"--cert: {shown}")
	check(re.fullmatch(r"sha-256;[\w-]{43}", kinds["key"]["value"]), f"--key-of: {shown}")
	check(shown["label"] == "Pümpe <&>" and shown["type"] == "ae" and shown["state"] == "enabled", f"texts: {shown}")


def tells_the_device_where_to_go(o):
	out = o.run("enrolee", "add", "hint", "--type", "cse", "--entity", "hint.example.com", "--credential", "serial=hint")
	check("enrolee enrol --mef https://localhost:PORT/.well-known/est/onem2m" in out, f"the label of oneM2M: {out}")
	check(str(o.s.dir / "ca/root.cert.pem") in out and "Note:" not in out, f"the root: {out}")
	out = o.run("enrolee", "add", "hint-2", "--type", "fqdn", "--entity", "hint-2.example.com", "--credential", "serial=hint-2",
		"--anchor", o.s.dir / "ca/root.cert.pem")
	check("/.well-known/est \\" in out, f"the path without a label: {out}")
	check("--anchor is not among those trusted" in out, f"an anchor that nobody trusts: {out}")
	for name in ("hint", "hint-2"):
		o.run("enrolee", "remove", name)


def refuses_wrong_values_with_the_right_ones(o):
	add = ("enrolee", "add", "bad")
	fqdn = ("--type", "fqdn", "--entity", "bad.example.com")
	serial = ("--credential", "serial=bad")
	for argv, want, told in (
			(add + serial, USAGE, "--type node, cse, ae or fqdn"),
			(add + ("--type", "x", "--entity", "y") + serial, USAGE, "--type node, cse, ae or fqdn"),
			(add + ("--type", "ae") + serial, USAGE, "--entity m2m://"),
			(add + fqdn, USAGE, "--credential serial="),
			(add + fqdn + ("--credential", "serial"), USAGE, "serial=, device="),
			(add + fqdn + ("--credential", "imei=1"), USAGE, "serial=, device="),
			(add + fqdn + ("--credential", "serial="), FAILED, "1 to 512"),
			(add + fqdn + ("--credential", "key=abc"), FAILED, "43 base64url"),
			(add + fqdn + ("--credential", "cert=ab"), FAILED, "64 hexadecimal"),
			(add + fqdn + ("--credential", "fqdn=*.x"), FAILED, "no wildcard"),
			(add + fqdn + ("--credential", "uri=pump"), FAILED, "absolute URI"),
			(add + fqdn + ("--credential", "device=7"), FAILED, "type OID"),
			(add + fqdn + ("--cert", "/nonexistent"), NOT_FOUND, "/nonexistent"),
			(add + fqdn + ("--cert", o.s.factory / "ca.key"), NOT_FOUND, "CERTIFICATE"),
			(add + ("--type", "node", "--entity", "pump") + serial, FAILED, "urn:gsma:imei"),
			(add + ("--type", "ae", "--entity", "urn:x:1") + serial, FAILED, "m2m://sp.example.com"),
			(add + ("--type", "cse", "--entity", "10.0.0.1") + serial, FAILED, "host name"),
			(add + fqdn + serial + ("--profile", "none"), NOT_FOUND, "[profile none]"),
			(add + fqdn + serial + ("--label", "x" * 128), FAILED, "127"),
			(("enrolee", "add", "-x") + fqdn + serial, FAILED, "-x"),
			(("enrolee", "add", "a b") + fqdn + serial, FAILED, "a b"),
			(("enrolee", "add", "x" * 129) + fqdn + serial, FAILED, "128"),
			(("enrolee", "add") + fqdn + serial, USAGE, "want ID"),
			(add + ("more",) + fqdn + serial, USAGE, "one argument too many: more"),
			(add + fqdn + serial * 17, USAGE, "too many times"),
			(add + fqdn + serial + ("--colour", "red"), USAGE, "unknown option --colour")):
		o.run(*argv, want=want, told=told)
	o.run("enrolee", "show", "bad", want=NOT_FOUND, told="openmef enrolee list")


def tells_conflicts(o):
	one = ("--type", "fqdn", "--entity", "one.example.com", "--credential", "serial=one")
	o.run("enrolee", "add", "one", *one)
	o.run("enrolee", "add", "one", "--type", "fqdn", "--entity", "two.example.com", "--credential", "serial=two", want=FAILED,
		told="OMEF-1621")
	o.run("enrolee", "add", "two", "--type", "fqdn", "--entity", "ONE.example.com", "--credential", "serial=two", want=FAILED,
		told="OMEF-1622")
	o.run("enrolee", "add", "two", "--type", "fqdn", "--entity", "two.example.com", "--credential", "serial=two", "--credential",
		"serial=one", want=FAILED, told="OMEF-1624")
	o.run("enrolee", "show", "two", want=NOT_FOUND) # all of it or nothing


def disables_enables_removes(o):
	check(o.json("enrolee", "disable", "one") == {"id": "one", "state": "disabled"}, "disable --json")
	check(o.json("enrolee", "show", "one")["state"] == "disabled", "disabled")
	check("disabled" in o.run("enrolee", "list", "--find", "one.example"), "the list tells the state")
	check(o.json("status")["enrolees_disabled"] == 1, "status counts it")
	o.run("enrolee", "enable", "one", told="Enabled one.")
	check(o.json("enrolee", "show", "one")["state"] == "enabled", "enabled")
	check(o.json("enrolee", "remove", "one") == {"id": "one", "state": "removed"}, "remove --json")
	for word in ("show", "disable", "enable", "remove"):
		o.run("enrolee", word, "one", want=NOT_FOUND, told="OMEF-1620")


def lists_in_pages(o):
	everything = [e["id"] for e in o.json("enrolee", "list")]
	check(everything == sorted(everything) and len(everything) == 8, f"all enrolees: {everything}")
	pages, after = [], []
	while True:
		page = o.json("enrolee", "list", "--limit", "3", *after)
		pages += [e["id"] for e in page]
		if len(page) < 3:
			break
		after = ["--after", page[-1]["id"]]
	check(pages == everything, f"pages: {pages}")
	check(f"--after {everything[2]}" in o.run("enrolee", "list", "--limit", "3"), "how to go on")
	found = [e["id"] for e in o.json("enrolee", "list", "--find", "PÜMPE".replace("Ü", "ü"))]
	check(found == ["by-files"], f"--find by label: {found}")
	check([e["id"] for e in o.json("enrolee", "list", "--find", "KEY.example")] == ["by-key"], "--find by entity, any case")
	check(o.json("enrolee", "list", "--find", "100%") == [], "--find takes no wildcards")
	for bad in ("0", "1001", "x", "-1", ""):
		o.run("enrolee", "list", "--limit", bad, want=USAGE, told="--limit")


def finds_the_directory(o):
	o.run("enrolee", "list", env=o.env | {"OPENMEF_DIR": str(o.s.dir)})
	o.run("enrolee", "list", cwd=o.s.dir)
	o.run("enrolee", "list", env=o.env | {"OPENMEF_DIR": "/nonexistent"}, want=NOT_FOUND, told="OMEF-1911")
	o.run("enrolee", "list", "--dir", "/nonexistent", want=NOT_FOUND, told="OMEF-1911")
	link = o.s.root / "link"
	link.mkdir()
	(link / "openmef.conf").symlink_to(o.s.dir / "openmef.conf")
	check(len(o.json("enrolee", "list", "--dir", link)) == 8, "paths start where the file lies, not where a link to it does")


def helps(o):
	overview = o.run("--help", cwd="/")
	commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +[A-Z]", overview, re.M)
	check(len(commands) >= 30, f"commands in the overview: {commands}")
	for command in commands:
		for argv in (command.split() + ["--help"], command.split() + ["-h"], ["help"] + command.split()):
			out = o.run(*argv, cwd="/") if argv[:2] not in (["help", "help"],) else o.run(*argv[1:], "--help", cwd="/")
			check(f"Usage: openmef {command}" in out and "Exit codes:" in out, f"{argv}: {out}")
			check(all(len(line) <= 100 for line in out.split("\n")), f"{argv}: a line of more than 100 columns")
	check(o.run("help", cwd="/") == overview, "help alone")
	for group in ("enrolee", "key", "prefs", "token", "cert", "ca", "audit"):
		check(f"openmef {group} " in o.run(group, "--help", cwd="/"), f"{group} --help")
	check(re.fullmatch(r"openmef \d+\.\d+\.\d+\n", o.run("--version", cwd="/")), "--version")
	for argv in ([], ["nothing"], ["enrolee"], ["enrolee", "nothing"], ["help", "nothing"], ["serve", "--nothing"], ["cert", "show"]):
		done = subprocess.run([o.s.binary] + argv, capture_output=True, text=True, timeout=60)
		check(done.returncode == USAGE, f"{argv}: exit {done.returncode}")


def explains(o):
	for given in ("OMEF-1912", "omef-1912", "1912"):
		o.run("explain", given, told="holds an OpenMEF already")
	check(o.json("explain", "1912")["kind"] == "CONFLICT", "explain --json")
	o.run("explain", "1999", want=NOT_FOUND)
	o.run("explain", "x", want=USAGE, told="OMEF-1300")
	check("[mef] fqdn = (must be given)" in o.run("help", "conf"), "help conf")


def manual_pages_are_clean(o):
	enrolee = o.s.binary.parent / "enrolee"
	for binary, argv, head in ((o.s.binary, ["openmef"], ".TH openmef 1"), (o.s.binary, ["openmef.conf"], ".TH openmef.conf 5"),
			(enrolee, [], ".TH enrolee 1")):
		page = run(binary, "help", "manual", *argv)
		check(page.startswith(head), f"{argv}: {page[:60]}")
		done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8", "-Kutf8"], input=page, capture_output=True, text=True,
			timeout=60)
		check(done.returncode == 0 and not done.stderr, f"manual {argv}: {done.stderr}")
		words = run("sh", "-c", f"{binary} help manual {' '.join(argv)} | groff -man -Tascii -P-cbou")
		check("SEE ALSO" in words and ("EXIT STATUS" in words or head.endswith("5")), f"manual {argv}: sections")
	o.run("help", "manual", "nothing", want=USAGE, told="openmef.conf")


# ---- beside a running server

def status_tells_and_checks(o, running):
	state = o.json("status")
	check(state["running"] is running and state["pid"] == (o.s.process.pid if running else None), f"status: {state}")
	for key in ("root_ca_not_after", "issuing_ca_not_after", "server_tls_not_after"):
		check(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", state[key]), f"status {key}: {state}")
	check(state["device_anchors"] == 1 and state["findings"] == [], f"status: {state}")
	if running:
		check(state["crl_number"] >= 1, f"status: {state}")
		o.run("status", "--check", told="serving")
	else:
		o.run("status", "--check", want=UNREACHABLE, told="OMEF-1915")
	o.run("status", "--quiet")
	check(o.run("status", "--quiet") == "", "--quiet")


def a_finding_is_told(o):
	cert = o.s.dir / "ca/mef-tls.cert.pem"
	kept = cert.read_text()
	old = o.s.root / "old"
	run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{old}.key", "-subj",
		"/CN=old", "-out", f"{old}.req")
	run("openssl", "x509", "-req", "-in", f"{old}.req", "-signkey", f"{old}.key", "-days", "-1", "-extfile",
		o.s.factory / "ext", "-out", cert)
	o.run("status", told="EXPIRED: openmef ca tls")
	o.run("status", "--check", want=FAILED, told="OMEF-1916")
	cert.write_text("nothing")
	check(len(o.json("status")["findings"]) == 1, "an unreadable certificate is a finding")
	o.run("status", "--check", want=FAILED, told="server TLS")
	cert.write_text(kept)
	o.run("status", "--check")


def serials(o, *argv):
	return [c["serial"] for c in o.json("cert", "list", *argv)]


def certificates_are_listed_and_shown(o, stems):
	for stem in stems:
		status, serial = o.s.enrol(stem)
		check(status == 200, f"enrolment of {stem}: {status}")
	check(len(serials(o)) == 3 and serials(o) == sorted(serials(o)), f"cert list: {serials(o)}")
	one = o.json("cert", "list", "--enrolee", "device-0001")[0]
	check(one["state"] == "valid" and one["enrolee"] == "device-0001" and one["profile"] == "device", f"row: {one}")
	first = serials(o, "--limit", "2")
	check(first + serials(o, "--after", first[-1]) == serials(o), "pages of certificates")
	check(serials(o, "--expires-within", "1d") == [] and len(serials(o, "--expires-within", "100d")) == 3, "--expires-within")
	check(serials(o, "--revoked") == [], "--revoked")
	for bad in (("--limit", "0"), ("--expires-within", "soon"), ("--after", "xyz")):
		o.run("cert", "list", *bad, want=USAGE, told=bad[0] if bad[0] != "--after" else "hexadecimal")
	pem = o.run("cert", "show", one["serial"], "--pem")
	path = o.s.root / "issued.pem"
	path.write_text(pem)
	run("openssl", "verify", "-CAfile", o.s.dir / "ca/root.cert.pem", "-untrusted", o.s.dir / "ca/issuing.cert.pem", path)
	serial = run("openssl", "x509", "-in", path, "-noout", "-serial").strip().split("=")[1]
	check(o.json("cert", "show", serial)["serial"] == one["serial"], "a serial number as openssl prints it")
	colons = ":".join(re.findall("..", serial.lower()))
	check("urn:example:node:0001" in o.run("cert", "show", colons), "a serial number with colons, in words")
	check(o.json("cert", "show", serial)["pem"] == pem, "cert show --json")
	o.run("cert", "show", "00ff", want=NOT_FOUND, told="openmef cert list")
	o.run("cert", "show", "12345", want=NOT_FOUND, told="012345")
	o.run("cert", "show", "1234g", want=USAGE, told="hexadecimal")
	o.run("cert", "show", "ab" * 21, want=USAGE, told="hexadecimal")
	shown = o.json("enrolee", "show", "device-0001")["certificates"]
	check([c["serial"] for c in shown] == [one["serial"]], f"enrolee show: {shown}")
	o.run("enrolee", "remove", "device-0001", want=FAILED, told="OMEF-1623")


def crl_over_http(o):
	status, _, der = o.s.ask_plain("/crl/issuing.crl")
	check(status == 200, f"CRL: {status}")
	path = o.s.root / "http.crl"
	path.write_bytes(der)
	done = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-text", "-verify", "-CAfile",
		o.s.dir / "ca/issuing.cert.pem"], capture_output=True, text=True, timeout=60)
	check("verify OK" in done.stderr, f"openssl crl: {done.stderr}")
	return done.stdout


def a_revocation_is_published(o, stem):
	serial = o.json("cert", "list", "--enrolee", "device-0002")[0]["serial"]
	o.run("cert", "revoke", serial, "--reason", "bored", want=USAGE, told="keyCompromise")
	check(serial not in crl_over_http(o), "not on the list before")
	time.sleep(1.5) # the server looks again by itself a second after a publication; it must not need that
	done = o.json("cert", "revoke", serial, "--reason", "keyCompromise")
	check(done["published"] and done["crl_number"] >= 2, f"cert revoke: {done}")
	text = crl_over_http(o) # no waiting: the command has waited
	check(serial in text and "Key Compromise" in text, f"the CRL: {text}")
	check(o.json("ca", "crl")["number"] == done["crl_number"], "ca crl")
	out = o.s.root / "out.crl"
	o.run("ca", "crl", "--out", out)
	check(out.read_bytes() == (o.s.root / "http.crl").read_bytes(), "ca crl --out is what HTTP serves")
	row = o.json("cert", "show", serial)
	check(row["state"] == "revoked" and row["reason"] == "keyCompromise" and row["revoked"], f"cert show: {row}")
	check("REVOKED" in o.run("cert", "show", serial) and serials(o, "--revoked") == [serial], "revoked in words and list")
	o.run("cert", "revoke", serial, want=FAILED)
	o.run("cert", "revoke", "00ff", want=NOT_FOUND)
	o.run("cert", "revoke", want=USAGE)
	o.run("enrolee", "remove", "device-0002") # its certificate is revoked
	check(o.s.enrol(stem)[0] == 403, "a removed device enrols no more")


def a_disabled_device_is_turned_away_at_once(o, stem):
	o.run("enrolee", "disable", "device-0003")
	check(o.s.enrol(stem)[0] == 403, "a disabled device")
	o.run("enrolee", "enable", "device-0003")
	check(o.s.enrol(stem)[0] == 200, "an enabled device")


def the_refusal_carries_a_command_that_works(o):
	stem = o.s.device(9)
	o.run("enrolee", "remove", "device-0009")
	csr = pathlib.Path(f"{stem}.req").read_text().split("-----")[2].encode()
	status, _, body = o.s.ask("POST", "/.well-known/est/simpleenroll", csr, "application/pkcs10", stem)
	text = body.decode()
	check(status == 403 and "OMEF-1511" in text, f"unregistered: {status} {text}")
	command = re.search(r"(openmef enrolee add .*?--credential '[^']*')", text)
	check(command, f"the command that registers it: {text}")
	given = command.group(1).replace("ID --type TYPE --entity ENTITY-ID", "nine --type node --entity urn:example:node:0009")
	path = f"{o.s.binary.parent}:{os.environ['PATH']}"
	subprocess.run(["sh", "-c", f"{given} --dir '{o.s.dir}'"], check=True, env=o.env | {"PATH": path}, capture_output=True, timeout=60)
	check(o.s.enrol(stem)[0] == 200, "after the command that the refusal told")


def reload_tells_the_outcome(o):
	o.run("reload", told=f"Process {o.s.process.pid} serves")
	check(o.json("reload") == {"pid": o.s.process.pid, "taken": True}, "reload --json")
	conf = o.s.dir / "openmef.conf"
	kept = conf.read_text()
	conf.write_text(kept.replace("idle_timeout = 1min", "idle_timeout = soon"))
	o.run("reload", want=FAILED, told="idle_timeout")
	key = o.s.dir / "ca/mef-tls.key.pem"
	other = key.read_text()
	conf.write_text(kept)
	key.write_text((o.s.dir / "ca/issuing.key.pem").read_text())
	o.run("reload", want=FAILED, told="OMEF-1722") # a role's failure, told at once and not after a minute
	check(o.s.ask("GET", "/.well-known/est/cacerts")[0] == 200, "the old configuration goes on")
	key.write_text(other)
	with socket.socket() as taken:
		taken.bind(("127.0.0.1", 0))
		taken.listen()
		conf.write_text(kept.replace("http = 127.0.0.1:0", f"http = 127.0.0.1:{taken.getsockname()[1]}"))
		o.run("reload", want=FAILED, told="OMEF-1720")
	conf.write_text(kept)
	o.run("reload")
	before = o.s.log_text().count(" serving ")
	o.run("reload", "--no-wait", told="its log says")
	wait_for(lambda: o.s.log_text().count(" serving ") > before, "a reload without waiting")


def a_new_server_certificate(o):
	def served():
		with o.s.connect() as c:
			return c.getpeercert()
	before = served()
	made = o.json("ca", "tls", "--alt", "other.example.com")
	check(made["names"] == ["localhost", "other.example.com"], f"ca tls: {made}")
	check(served()["serialNumber"] == before["serialNumber"], "the running server keeps the old one")
	o.run("reload")
	wait_for(lambda: served()["serialNumber"] != before["serialNumber"], "reload takes the new one")
	after = served()
	check(("DNS", "other.example.com") in after["subjectAltName"], f"names: {after}")
	check(o.json("ca", "tls")["names"] == made["names"], "without --alt the names stay")
	check("ENCRYPTED PRIVATE KEY" in (o.s.dir / "ca/mef-tls.key.pem").read_text(), "the new key is encrypted")
	check((o.s.dir / "ca/mef-tls.key.pem").stat().st_mode & 0o777 == 0o600, "the new key is its owner's only")
	o.run("ca", "tls", "--alt", "10.0.0.1", want=USAGE, told="no address")
	o.run("reload")


def the_ca_is_shown(o):
	rows = o.json("ca", "show")
	check(len(rows) == 2 and all("BEGIN CERTIFICATE" in r["pem"] for r in rows), f"ca show --json: {rows}")
	check("Issuing CA" in o.run("ca", "show") and "Root CA" in o.run("ca", "show"), "ca show")
	path = o.s.root / "chain.pem"
	path.write_text(o.run("ca", "show", "--pem"))
	run("openssl", "verify", "-CAfile", path, o.s.dir / "ca/mef-tls.cert.pem")


def no_secret_shows(o):
	"""The master key and passphrases are in no process' arguments or environment, and in no log."""
	secrets = [(o.s.dir / name).read_text().strip().encode() for name in ("secret/master.key", "offline/root.pass")]
	for pid in [o.s.process.pid] + list(o.s.roles().values()):
		for name in ("cmdline", "environ"):
			try:
				text = pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
			except PermissionError:
				continue # a role that is not dumpable shows nobody its environment
			check(not any(s in text for s in secrets), f"/proc/{pid}/{name} holds a secret")
	log = o.s.log_text().encode()
	check(not any(s in log for s in secrets), "the log holds a secret")


def a_stale_pid_file_harms_nobody(o):
	"""The number in serve.pid is another process now: it must get no signal."""
	innocent = subprocess.Popen(["sleep", "60"])
	try:
		(o.s.dir / "run" / "serve.pid").write_text(f"{innocent.pid}\n")
		check(o.json("status")["running"] is False, "a process that holds no lock is no server")
		o.run("reload", want=UNREACHABLE, told="OMEF-1915")
		serial = o.json("cert", "list", "--enrolee", "device-0003")[0]["serial"]
		done = o.json("cert", "revoke", serial)
		check(done["published"] is False and done["crl_number"] is None, f"revocation without a server: {done}")
		check(innocent.poll() is None, "the innocent process was signalled") # SIGHUP and SIGUSR1 would end it
	finally:
		innocent.kill()
		innocent.wait()


def the_audit_log(o):
	rows = o.json("audit", "list", "--limit", "1000")
	check([r["seq"] for r in rows] == list(range(1, len(rows) + 1)), "events are numbered from 1")
	what = {r["event"]["what"] for r in rows}
	check(what >= {"mef.created", "enrolee.added", "enrolee.disabled", "enrolee.enabled", "enrolee.removed",
		"certificate.issued", "certificate.revoked", "crl.published", "enrol.refused"}, f"events: {what}")
	check([r["seq"] for r in o.json("audit", "list", "--limit", "2")] == [len(rows) - 1, len(rows)], "the newest by default")
	check([r["seq"] for r in o.json("audit", "list", "--from", "3", "--limit", "2")] == [3, 4], "--from")
	check("--from 5" in o.run("audit", "list", "--from", "3", "--limit", "2"), "how to go on")
	check(o.json("audit", "list", "--from", str(len(rows) + 1)) == [], "nothing behind the end")
	o.run("audit", "list", "--from", "0", want=USAGE)
	report = o.json("audit", "verify")
	check(report["rows"] == len(rows) and report["bad_seq"] == 0 and re.fullmatch("[0-9A-F]{64}", report["head"]), f"{report}")
	o.run("audit", "verify", told=f"{len(rows)} events holds")
	return rows


def a_flipped_byte_is_found(o, rows):
	"""In the file itself, where no trigger of the database can forbid it."""
	victim = next(r for r in rows if r["event"]["what"] == "enrolee.disabled")
	copy = o.s.root / "tampered"
	shutil.copytree(o.s.dir, copy)
	db = copy / "openmef.db"
	raw = bytearray(db.read_bytes())
	check(not (copy / "openmef.db-wal").exists() or (copy / "openmef.db-wal").stat().st_size == 0, "a log beside the database")
	at = raw.find(b'{"what":"enrolee.disabled"')
	check(at > 0 and raw.count(b'{"what":"enrolee.disabled"', 0, at) == 0, "the event in the file")
	raw[at + len('{"what":"enrolee.')] ^= 0x01 # "eisabled"
	db.write_bytes(raw)
	o.run("audit", "verify", "--dir", copy, want=FAILED, told="OMEF-1541")
	done = subprocess.run([o.s.binary, "audit", "verify", "--dir", copy, "--json"], capture_output=True, text=True, timeout=60)
	check(done.returncode == FAILED and json.loads(done.stdout)["bad_seq"] > 0, f"audit verify --json: {done}")
	number = json.loads(done.stdout)["bad_seq"]
	check(f"row {number}:" in done.stderr and number in [r["seq"] for r in rows if r["event"]["what"] == "enrolee.disabled"],
		f"the row is named: {done.stderr}, victim {victim['seq']}")


def a_damaged_or_missing_store_is_told(o):
	copy = o.s.root / "damaged"
	shutil.copytree(o.s.dir, copy)
	(copy / "openmef.db").write_bytes(b"this is no database, and was never one" * 100)
	o.run("enrolee", "list", "--dir", copy, want=FAILED, told="OMEF-16")
	(copy / "openmef.db").unlink()
	o.run("status", "--dir", copy, want=NOT_FOUND, told="OMEF-1609")
	check(not (copy / "openmef.db").exists(), "looking makes no database")
	(copy / "secret/master.key").chmod(0o644)
	o.run("ca", "tls", "--dir", copy, want=FAILED, told="chmod 600")
	(copy / "secret/master.key").chmod(0o600)
	(copy / "secret/master.key").write_text("00" * 32 + "\n")
	o.run("ca", "tls", "--dir", copy, want=DENIED, told="OMEF-1206")
	(copy / "openmef.conf").write_text("[mef]\nfqdn x\n")
	o.run("enrolee", "list", "--dir", copy, want=FAILED, told="openmef.conf:2")


def main():
	def do(test, *args):
		start = time.monotonic()
		out = test(*args)
		print(f"{test.__name__}: passed ({time.monotonic() - start:.1f} s)", flush=True)
		return out

	with Service(sys.argv[1]) as s:
		o = Operator(s)
		stem = s.device(1)
		o.run("enrolee", "remove", "device-0001")
		for test in (adds_with_every_kind_of_credential, tells_the_device_where_to_go, refuses_wrong_values_with_the_right_ones,
				tells_conflicts, disables_enables_removes):
			do(test, o)
		o.run("enrolee", "add", "device-0001", "--type", "node", "--entity", "urn:example:node:0001", "--credential", "serial=SN-0001")
		for test in (lists_in_pages, finds_the_directory, helps, explains, manual_pages_are_clean):
			do(test, o)
		o.run("enrolee", "remove", "by-files") # it names the key of device-0001
		do(status_tells_and_checks, o, False)
		stems = [stem, s.device(2), s.device(3)]
		s.start()
		wait_for(lambda: s.ask_plain("/crl/issuing.crl")[0] == 200, "the first CRL")
		do(status_tells_and_checks, o, True)
		do(a_finding_is_told, o)
		do(certificates_are_listed_and_shown, o, stems)
		do(a_revocation_is_published, o, stems[1])
		do(a_disabled_device_is_turned_away_at_once, o, stems[2])
		do(the_refusal_carries_a_command_that_works, o)
		do(reload_tells_the_outcome, o)
		do(a_new_server_certificate, o)
		do(the_ca_is_shown, o)
		do(no_secret_shows, o)
		s.stop()
		do(a_stale_pid_file_harms_nobody, o)
		rows = do(the_audit_log, o)
		do(a_flipped_byte_is_found, o, rows)
		do(a_damaged_or_missing_store_is_told, o)


main()
