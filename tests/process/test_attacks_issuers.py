#!/usr/bin/env python3
"""
Other issuers as weapons: certificates that claim authority, processes for other CAs that were taken over, programs of the
operator that try to get out.
"""

import base64
import ctypes
import json
import os
import struct
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import _cmc as cmc  # noqa: E402
from _issuers import Authority, add_sections, csr, enrol, entity_of, keep, service  # noqa: E402
from _roles import CALL, FRONT, REPLY, Role, call, frame, u16  # noqa: E402
from _service import check, run, wait_for  # noqa: E402

CALLER, RUNNER = 4, 5
AWAY, AWAY_CERT, AWAY_REFUSED = 1, 2, 3
COPIES = """#!/bin/sh
set -e
d=$(mktemp -d)
cat > $d/csr
{extra}
openssl x509 -req -in $d/csr -CA {ca}/issuing.pem -CAkey {ca}/issuing.key -set_serial 0x$(openssl rand -hex 8) -days 30 \\
	-copy_extensions copyall {ext} 2>/dev/null
rm -r $d
"""
ESCAPES = """
import ctypes, os, sys
told = []
libc = ctypes.CDLL(None, use_errno=True)

def call(name, *args):
	ctypes.set_errno(0)
	n = libc.syscall(*args)
	told.append(name + ("=done" if n >= 0 else "=no"))

runner = os.getppid()
serve = int(open("%(serve)s").read())
call("ptrace-runner", 101, 16, runner, 0, 0)
call("unshare-user", 272, 0x10000000)
call("pidfd-getfd", 438, os.pidfd_open(runner), 3, 0)
call("io-uring", 425, 1, ctypes.create_string_buffer(256))
call("keyctl", 250, 0, -3, 0)
call("signal-runner", 62, runner, 0)
call("signal-serve", 62, serve, 0)
for name in ("mem", "fd"): # with more to read where all runs as root
	path = f"/proc/{runner}/{name}"
	try:
		os.readlink(path + "/0") if name == "fd" else open(path, "rb").read(16)
		told.append(f"look-{name}=done")
	except OSError as e:
		told.append(f"look-{name}=no")
print("told", *told, file=sys.stderr)
"""
NEWUSER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
for flags, name in ((0x10000000, "user"), (0x20000000, "pid"), (0x40000000, "net"), (0x00020000, "mount"), (0x50000011, "both")):
	pid = libc.syscall(56, flags | 17, 0, 0, 0, 0)
	if pid == 0:
		os._exit(0)
	print("clone-" + name, "done" if pid > 0 else os.strerror(ctypes.get_errno()), file=sys.stderr)
pid = libc.syscall(435, ctypes.create_string_buffer((0x10000000).to_bytes(8, "little") + bytes(80)), 88)
if pid == 0:
	os._exit(0)
print("clone3-user", "done" if pid > 0 else os.strerror(ctypes.get_errno()), file=sys.stderr)
print("works", os.waitstatus_to_exitcode(os.system("exit 7")), os.kill(os.getpid(), 0) is None, file=sys.stderr)
"""
LAYERS = """#!/bin/sh
# each layer leaves the group and waits for the next: killing one hands its child on
python3 - 7 <<'X' &
import os, time
def layer(n):
	if n and os.fork() == 0:
		os.setsid()
		layer(n - 1)
	os.setsid() if os.getsid(0) != os.getpid() and os.getpgid(0) != os.getpid() else None
	os.execvp("sleep", ["sleep", "1009"])
layer(7)
X
sleep 1
exit 1
"""


def program(s, name, text, timeout=60):
	path = s.root / f"program-{name}"
	path.write_text(text)
	path.chmod(0o700)
	return (f"[issuer {name}]\nkind = command\ncommand = {path}\nchain = {s.own.chain}\ntimeout = {timeout}s\n"
		f"[label l-{name}]\nissuer = {name}\n")


def python(code):
	return f"#!/usr/bin/env python3\n{code}\nraise SystemExit(1)\n"


def csr_with(stem, *extensions):
	more = [word for e in extensions for word in ("-addext", e)]
	done = subprocess.run(["openssl", "req", "-new", "-key", f"{stem}.key", "-subj", "/", "-addext", f"subjectAltName=URI:{entity_of(stem)}",
		*more, "-outform", "DER"], capture_output=True, timeout=60)
	check(done.returncode == 0, done.stderr)
	return done.stdout


def another_ca_makes_nobody_an_authority(s, device, other):
	"""RFC 6402 2.10: a CA that copies what it is asked for certifies that a device speaks for others, or for the MEF."""
	for label in ("l-copies", "l-adds-ra"):
		for oid in (28, 27, 29) if label == "l-copies" else (28,):
			der_ = csr_with(device, f"extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.{oid}" if label == "l-copies" else "keyUsage=digitalSignature")
			status, _, body = enrol(s, device, label, der_)
			check(status == 500 and b"OMEF-1460" in body, f"{label}, purpose {oid}: {status} {body[:300]}")
	status, _, body = enrol(s, device, "l-copies")
	check(status == 200, f"without it: {status} {body}")
	mine = keep(device, body, "own")
	status, _, body = enrol(s, device, "behind", csr(other, entity_of(other)), using=mine)
	check(status == 403, f"its holder asks for another: {status} {body}")
	for what, extension in (("a CA certificate", "basicConstraints=critical,CA:TRUE"), ("a signer of certificates", "keyUsage=keyCertSign")):
		status, _, body = enrol(s, device, "l-copies", csr_with(device, extension))
		check(status == 403, f"asks for {what}: {status} {body}")
	for what, name in (("the MEF's name", "DNS:localhost"), ("an address", "IP:127.0.0.1"), ("another's name", "URI:urn:example:node:0002")):
		done = subprocess.run(["openssl", "req", "-new", "-key", f"{device}.key", "-subj", "/", "-addext",
			f"subjectAltName=URI:{entity_of(device)},{name}", "-outform", "DER"], capture_output=True, timeout=60).stdout
		status, _, body = enrol(s, device, "l-copies", done)
		check(status == 403, f"asks for {what}: {status} {body}")


def revoked_elsewhere_signs_nothing(s):
	"""RFC 5272 7: an RA cannot answer for a certificate that was revoked here, whichever CA it is of."""
	where = s.root / "cmc"
	where.mkdir()
	stem = s.device(9)
	run(s.binary, "enrolee", "remove", "device-0009", "--dir", s.dir)
	run(s.binary, "enrolee", "add", "ra-1", "--dir", s.dir, "--type", "fqdn", "--entity", "ra.example.com", "--credential", "serial=SN-0009",
		"--anchor", s.factory / "ca.pem", "--profile", "ra")
	status, _, body = enrol(s, stem, "", csr(stem))
	check(status == 200, f"the RA's certificate: {status} {body}")
	ra = keep(stem, body, "ra")
	device = s.device(3)
	status, _, body = enrol(s, device, "l-copies")
	check(status == 200, f"another CA's certificate: {status} {body}")
	mine = keep(device, body, "own")
	request, _ = cmc.csr(where, name="URI:urn:example:node:0003")
	inner = cmc.sign(where, cmc.data([], [cmc.pkcs10(3, request)]), mine)
	outer = cmc.sign(where, cmc.data([], [], [cmc.nested(8, inner)]), ra)
	cmc.ask(s, where, outer, ra, 200, "/.well-known/est/behind/fullcmc").expect((8, 3), cmc.SUCCESS)
	# its holder has it revoked, and nobody else
	issuer, serial = cmc.names_of(f"{mine}.pem")
	order = cmc.data([cmc.revoke(5, issuer, serial, 1)])
	stranger = s.device(4)
	cmc.ask(s, where, cmc.sign(where, order, stranger), stranger, 403, "/.well-known/est/behind/fullcmc").expect(5, cmc.FAILED, cmc.BAD_CERT_ID, 1366)
	cmc.ask(s, where, cmc.sign(where, order, device), device, 200, "/.well-known/est/behind/fullcmc").expect(5, cmc.SUCCESS)
	row = [r for r in json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json")) if "Command" in (r["issuer"] or "") and r["enrolee"] == "device-0003"][0]
	check(row["state"] == "revoked", f"{row}")
	status, _, body = s.ask("POST", "/.well-known/est/behind/fullcmc", base64.b64encode(outer), "application/pkcs7-mime; smime-type=CMC-request", ra)
	check(status == 403, f"a nested message by a revoked certificate of another CA: {status} {body[:300]}")


def said(s, issuer):
	out = {}
	for line in s.log_text().split("\n"):
		if f"issuer={issuer} " in line and "line=" in line:
			word, _, rest = line.split("line=")[1].strip('"').partition(" ")
			out[word] = rest
	return out


def a_program_stays_inside(s, device):
	(s.root / "serve.pid").write_text(str(s.process.pid))
	check(enrol(s, device, "l-escapes")[0] == 403, "the program that escapes")
	wait_for(lambda: "told" in said(s, "escapes"), "what it tried")
	told = said(s, "escapes")["told"].split()
	if ctypes.CDLL(None).syscall(444, None, 0, 1) < 6: # Landlock with scopes of signals, Linux 6.12
		told = [word.replace("=done", "=no") if word.startswith("signal-") else word for word in told]
	check(len(told) == 9 and not [word for word in told if word.endswith("=done")], f"nothing worked: {told}")
	check(enrol(s, device, "l-newuser")[0] == 403, "the program that wants namespaces")
	wait_for(lambda: "works" in said(s, "newuser"), "what it tried")
	told = said(s, "newuser")
	check(told.pop("works") == "7 True", f"children and signals of its own work: {told}")
	check(len(told) == 6 and all(v != "done" for v in told.values()), f"no namespace: {told}")


def layers_of_daemons_end(s, device):
	check(enrol(s, device, "l-layers")[0] == 403, "the program that leaves layers")
	wait_for(lambda: run("ps", "-eo", "args").count("sleep 1009") == 0, "all layers end", 20)


def taken_over(s, registrar, device, other):
	"""The runner's place at the registrar's channel: whatever comes back, no other order profits."""
	leaf = subprocess.run(["openssl", "x509", "-in", f"{device}.pem", "-outform", "DER"], capture_output=True).stdout
	factory = subprocess.run(["openssl", "x509", "-in", s.factory / "ca.pem", "-outform", "DER"], capture_output=True).stdout
	anchor = subprocess.run(["openssl", "dgst", "-sha256", "-binary"], input=factory, capture_output=True).stdout
	body = base64.b64encode(csr(device, entity_of(device)))
	ask = call(method=3, path=b"/.well-known/est/l-copies/simpleenroll", media=b"application/pkcs10", trust=2, leaf=leaf, anchor=anchor, body=body)

	def sign(stem, ca, extra=""):
		path = s.root / "answer"
		path.with_suffix(".csr").write_bytes(csr(stem, entity_of(stem)))
		path.with_suffix(".ext").write_text(extra)
		run("openssl", "x509", "-req", "-inform", "DER", "-in", path.with_suffix(".csr"), "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-set_serial",
			"0x" + run("openssl", "rand", "-hex", "8").strip(), "-days", "30", "-copy_extensions", "copyall", "-extfile",
			path.with_suffix(".ext"), "-outform", "DER", "-out", path)
		return path.read_bytes()

	own = s.own.file("issuing")
	good = sign(device, own)
	ca_der = subprocess.run(["openssl", "x509", "-in", f"{own}.pem", "-outform", "DER"], capture_output=True).stdout
	refusal = lambda code, retry=1, text=b"x": struct.pack(">HI", code, retry) + u16(b"") + u16(text)
	cases = [("another's certificate", AWAY_CERT, sign(other, own), 500), ("its CA's", AWAY_CERT, ca_der, 500), ("one of the maker", AWAY_CERT, leaf, 500),
		("one with cmcRA", AWAY_CERT, sign(device, own, "extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28"), 500),
		("one by the maker's CA", AWAY_CERT, sign(device, s.factory / "ca"), 500), ("noise", AWAY_CERT, os.urandom(600), 500),
		("nothing", AWAY_CERT, b"", 500), ("a tail", AWAY_CERT, good + b"\0", 500), ("a changed one", AWAY_CERT, good[:-1] + bytes([good[-1] ^ 1]), 500),
		("a wait of 136 years", AWAY_REFUSED, refusal(1715, 0xffffffff), 202),
		("a reason that splits lines", AWAY_REFUSED, refusal(1714, 0, b"a\r\nSet-Cookie: x\r\n\r\n\x1b[2J"), 403),
		("a huge frame", None, struct.pack(">I", 1 << 28), 503), ("a code that does not exist", AWAY_REFUSED, refusal(9), 503),
		("an order", AWAY, b"x" * 40, 503), ("a good one", AWAY_CERT, good, 200)]
	for what, kind, payload, want in cases:
		front, runner = registrar.channel(FRONT), registrar.channel(RUNNER)
		front.send(frame(CALL, 1, ask))
		got = runner.hear()
		check(got and got[0] == AWAY, f"an order arrives: {got}")
		for stray in (got[1] ^ 1, got[1] ^ 0x400, got[1] ^ 0x80000000): # orders of others, of the past, of nobody
			runner.send(frame(AWAY_CERT, stray, good))
		runner.send(payload if kind is None else frame(kind, got[1], payload))
		if kind == AWAY_CERT: # twice
			runner.send(frame(AWAY_CERT, got[1], good))
		answer = front.hear()
		check(answer and answer[:2] == (REPLY, 1), f"{what}: {answer}")
		status = struct.unpack(">H", answer[2][:2])[0]
		check(want == status, f"{what}: want {want}, have {status} {answer[2][:400]}")
		at = 4 + struct.unpack(">H", answer[2][2:4])[0] + 1
		check(struct.unpack(">I", answer[2][at:at + 4])[0] <= 86400, f"{what}: a day at most to wait, {answer[2][at:at + 4].hex()}")
		check(b"\r\n" not in answer[2] or status == 200, f"{what}: no line of its own: {answer[2][:300]}")
		check(b"\x1b" not in answer[2][20:] or status == 200, f"{what}: no control characters: {answer[2][:300]}")
		registrar.lives(what)
		front.close()
		runner.close()
	# a runner that sits where the caller should, or answers for an order that another process has
	front, first, second = registrar.channel(FRONT), registrar.channel(RUNNER), None
	front.send(frame(CALL, 1, ask))
	got = first.hear()
	second = registrar.channel(RUNNER)
	second.send(frame(AWAY_CERT, got[1], good))
	first.send(frame(AWAY_REFUSED, got[1], refusal(1714)))
	check(struct.unpack(">H", front.hear()[2][:2])[0] == 403, "only the process that has the order answers it")
	for c in (front, first, second):
		c.close()


def main():
	with service(sys.argv[1]) as s:
		s.own = Authority(s.root, "Command")
		device, other = s.device(1), s.device(2)
		copies = COPIES.replace("{ca}", str(s.own.dir)).replace("{extra}", "").replace("{ext}", "")
		adds = COPIES.replace("{ca}", str(s.own.dir)).replace("{ext}", "-extfile $d/ext").replace("{extra}",
			"printf 'extendedKeyUsage=clientAuth,1.3.6.1.5.5.7.3.28\\n' > $d/ext")
		add_sections(s, program(s, "copies", copies) + program(s, "adds-ra", adds)
			+ program(s, "escapes", python(ESCAPES % {"serve": s.root / "serve.pid"})) + program(s, "newuser", python(NEWUSER))
			+ program(s, "layers", LAYERS) + "[label behind]\nra = yes\nfullcmc = yes\n"
			+ "[profile ra]\nekus = clientAuth, cmcRA\nsans = dns, uri\n")
		s.start()
		another_ca_makes_nobody_an_authority(s, device, other)
		print("authority: good", flush=True)
		layers_of_daemons_end(s, device)
		print("layers: good", flush=True)
		a_program_stays_inside(s, device)
		revoked_elsewhere_signs_nothing(s)
		s.stop()
		with Role(s, "role-registrar") as registrar:
			taken_over(s, registrar, device, other)
	print("ok")


main()
