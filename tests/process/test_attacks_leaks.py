#!/usr/bin/env python3
"""What an intruder could find: logs, the audit log, command lines, environments, files, descriptors, memory."""

import base64
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import (CA, HOST, LEAF, Session, dial, events, hear, make_cert, make_csr, make_key, open_key, passphrase, say)  # noqa: E402
from _service import Service, check, run, wait_for  # noqa: E402

# Names as an attacker writes them: line ends, quotes, escapes, a terminal's sequences, text that runs backwards.
EVIL = [
	"x\n2030-01-01T00:00:00.000Z info serve forged line",
	"x\r\nforged: line",
	'x","event":"forged',
	"x\\",
	"x'\"; DROP TABLE audit; --",
	"\x1b[2J\x1b[31mred",
	"\u009b31mred",
	"\u202egnirts desrever",
	"a\u2028b\u2066c",
	"%s%n%x",
	"caf\u00e9 \U0001f600",
]
STEERING = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class Secrets:
	def __init__(self, s):
		self.text = {"the master key": (s.dir / "secret" / "master.key").read_text().strip()}
		for label in ("ca-issuing", "mef-tls"):
			self.text[f"the passphrase of {label}"] = passphrase(s, label)
		self.text["the root's passphrase"] = (s.dir / "offline" / "root.pass").read_text().strip()
		self.text["a private key"] = "PRIVATE KEY"
		self.challenges = []

	def check(self, where, data):
		if isinstance(data, bytes):
			data = data.decode("latin-1")
		low = data.lower()
		for what, secret in self.text.items():
			check(secret.lower() not in low, f"{where} holds {what}")
		for challenge in self.challenges:
			check(challenge not in data, f"{where} holds a challenge")


def hostile_traffic(s, secrets, device):
	where = s.root / "forged"
	where.mkdir(exist_ok=True)
	unknown = make_cert(where, "unknown-ca", "/CN=Unknown", extensions=CA)
	key = make_key(where / "key.key")
	for i, name in enumerate(EVIL):
		subject = "/CN=" + name.replace("/", "\\/").replace("\\", "\\\\") + f"/serialNumber=S{i}"
		for issuer in (s.factory / "ca", unknown):
			leaf = make_cert(where, f"evil-{i}", subject, issuer, LEAF)
			try:
				with Session(s, leaf) as session:
					session.enrol(make_csr(where, key))
			except OSError:
				pass
		c = dial(s.http)
		say(c, b"GET /" + name.encode().replace(b"\n", b"%0a").replace(b" ", b"+") + b" HTTP/1.1\r\n" + HOST + b"User-Agent: "
			+ name.encode() + b"\r\nConnection: close\r\n\r\n")
		hear(c)
		with Session(s, device) as session:
			csr = make_csr(where, key, subject=subject)
			check(session.enrol(csr)[0] in (400, 403), f"an evil subject: {name!r}")
	own = ["subjectAltName = URI:urn:example:node:0001", "extendedKeyUsage = clientAuth", "keyUsage = critical, digitalSignature"]
	with Session(s, device) as session:
		for label in ("onem2m", ""):
			secrets.challenges.append(session.challenge(label))
			check(session.enrol(make_csr(where, key, extensions=own, challenge=secrets.challenges[-1]), label)[0] == 200, "an enrolment")
		secrets.challenges.append(session.challenge("onem2m"))
		status, _ = session.enrol(make_csr(where, key, extensions=own, challenge=secrets.challenges[-1]), "")
		check(status == 403, "a challenge in the wrong place")


def logs_hold_one_line_an_event_and_no_secrets(s, secrets, form):
	log = (s.root / "serve.log").read_text()
	lines = log.split("\n")
	check(lines.pop() == "", "the last line is whole")
	for line in lines:
		check(not STEERING.search(line), f"a line steers its reader's screen: {line!r}")
		if form == "json":
			row = json.loads(line)
			check(row["event"] != "forged" and set(row) >= {"time", "level", "role", "event"}, f"a forged line: {line}")
		else:
			check(re.match(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warn|error) [a-z0-9-]+ ", line), f"a forged line: {line!r}")
			check("forged line" not in line.split(" ", 4)[3], f"a forged event: {line!r}")
	check("stranger refused" in log and "handshake failed" in log, "the attacks are in the log")
	secrets.check("the log", log)


def the_audit_log_holds_events_and_no_secrets(s, secrets):
	for event in events(s): # parsed as JSON, its chain verified
		check(set(event) <= {"what", "enrolee", "peer", "actor", "serial", "code", "detail"}, f"a forged event: {event}")
		check(not STEERING.search(json.dumps(event, ensure_ascii=False)), f"an event steers its reader's screen: {event}")
		secrets.check("the audit log", json.dumps(event))
	shown = run(s.binary, "audit", "list", "--dir", s.dir)
	check(not STEERING.search(shown), "audit list steers no screen")


def processes(s):
	yield "serve", s.process.pid
	yield from s.roles().items()


def command_lines_and_environments_hold_no_secrets(s, secrets):
	for name, pid in processes(s):
		for file in ("cmdline", "environ"):
			try:
				data = pathlib.Path(f"/proc/{pid}/{file}").read_bytes()
			except PermissionError: # closed even to its own user, who is not root here
				continue
			secrets.check(f"{file} of {name}", data)


def roles_leave_no_core(s, secrets):
	for name, pid in s.roles().items():
		limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
		check(re.search(r"Max core file size +0 +0 ", limits), f"{name} leaves no core:\n{limits}")


def each_role_holds_the_files_of_its_trade(s, secrets):
	"""Descriptors that a thief of the process would inherit."""
	for name, pid in s.roles().items():
		if not os.access(f"/proc/{pid}/fd", os.R_OK):
			continue
		held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
		files = [f for f in held if f.startswith(str(s.dir))]
		if not name.startswith("registrar"):
			check(not files, f"{name} holds no file of the service: {files}")
		check(all("openmef.db" in f for f in files), f"{name} holds the store alone: {files}")
		check(not any(f.endswith((".key", ".pem")) for f in held), f"{name} holds no key file: {held}")


def files_are_closed_to_others(s, secrets):
	for path in [s.dir, *s.dir.rglob("*")]:
		if path.is_symlink():
			continue
		mode = stat.S_IMODE(path.stat().st_mode)
		secret = path.suffix == ".key" or path.name.endswith((".key.pem", "root.pass")) or path.name.startswith("openmef.db")
		if path == s.dir or path.is_dir():
			check(not mode & 0o077, f"{path}: {mode:o}")
		if secret:
			check(not mode & 0o077, f"{path}: {mode:o}")
	for name in ("openmef.db", "openmef.db-wal", "openmef.db-shm"):
		data = (s.dir / name).read_bytes()
		secrets.check(name, data)
		for key in ("issuing", "mef-tls"):
			der = base64.b64decode("".join((s.dir / "ca" / f"{key}.key.pem").read_text().split("\n")[1:-2]))
			check(der[-32:] not in data, f"{name} holds the key {key}, if encrypted")
	for key in ("issuing", "mef-tls"):
		check("BEGIN ENCRYPTED PRIVATE KEY" in (s.dir / "ca" / f"{key}.key.pem").read_text(), f"{key} is encrypted at rest")


def private_number(stem):
	text = run("openssl", "pkey", "-in", f"{stem}.key", "-noout", "-text")
	digits = re.search(r"priv:\n((?: +[0-9a-f:]+\n)+)", text).group(1)
	return bytes.fromhex(re.sub(r"[^0-9a-f]", "", digits))[-32:]


def memory(pid):
	with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
		for line in maps:
			span, rights = line.split()[:2]
			first, last = (int(x, 16) for x in span.split("-"))
			if "r" not in rights or "w" not in rights or last - first > 1 << 28:
				continue
			try:
				mem.seek(first)
				yield mem.read(last - first)
			except OSError:
				pass


def each_role_remembers_its_own_key_only(s, secrets):
	"""The master key is wiped once the keys are open; the CA key is the signer's alone, the TLS key the front's."""
	where = s.root / "stolen"
	where.mkdir(exist_ok=True)
	ca = private_number(open_key(s, "issuing", "ca-issuing", where / "ca"))
	tls = private_number(open_key(s, "mef-tls", "mef-tls", where / "tls"))
	master = bytes.fromhex(secrets.text["the master key"])
	wanted = {"the CA key": ca, "the TLS key": tls, "the master key": master}
	seen = {}
	for name, pid in processes(s):
		try:
			blocks = list(memory(pid))
		except PermissionError:
			print("memory of other processes cannot be read here: not looked at")
			return
		for what, number in wanted.items():
			forms = [number, number[::-1], number.hex().encode(), number.hex().upper().encode()]
			if any(form in block for block in blocks for form in forms):
				seen.setdefault(what, set()).add(name.split("-")[0])
		for what in ("the passphrase of ca-issuing", "the passphrase of mef-tls"):
			text = secrets.text[what].encode()
			if any(form in block for block in blocks for form in (text, text.lower(), bytes.fromhex(text.decode()))):
				seen.setdefault(what, set()).add(name.split("-")[0])
	check(seen.get("the CA key") == {"signer"} and seen.get("the TLS key") == {"front"}, f"the search finds what is there: {seen}")
	check(set(seen) == {"the CA key", "the TLS key"}, f"what was wiped is gone: {seen}")


def main():
	for form, settings in (("json", {"json": "yes"}), ("text", {"json": "no"})):
		with Service(sys.argv[1], {**settings, "fronts": "1"}) as s:
			secrets = Secrets(s)
			device = s.device(1)
			s.start()
			hostile_traffic(s, secrets, device)
			wait_for(lambda: s.ask_plain("/crl/issuing.crl")[0] == 200, "a CRL")
			logs_hold_one_line_an_event_and_no_secrets(s, secrets, form)
			print(f"logs as {form}: good", flush=True)
			if form == "json":
				for case in (the_audit_log_holds_events_and_no_secrets, command_lines_and_environments_hold_no_secrets,
						roles_leave_no_core, each_role_holds_the_files_of_its_trade, files_are_closed_to_others,
						each_role_remembers_its_own_key_only):
					case(s, secrets)
					print(f"{case.__name__}: good", flush=True)
			s.stop()


main()
