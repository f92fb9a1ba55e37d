#!/usr/bin/env python3
"""
A label whose certificates a program of the operator issues: real service, real programs, good ones and bad ones.
"""

import json
import os
import signal
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _issuers import Authority, add_sections, csr, enrol, entity_of, keep, pem_of, service  # noqa: E402
from _service import check, run, wait_for  # noqa: E402

GOOD = """#!/bin/sh
set -e
d=$(mktemp -d)
cat > $d/csr
printf 'extendedKeyUsage=clientAuth\\n' > $d/ext
{extra}
openssl x509 -req -in $d/csr -CA {ca}/issuing.pem -CAkey {ca}/issuing.key -set_serial 0x$(openssl rand -hex 8) -days 30 \\
	-copy_extensions {copy} -extfile $d/ext 2>/dev/null
rm -r $d
"""

PROGRAMS = {
	"good": GOOD,
	"drops": GOOD.replace("{copy}", "none"),
	"adds": GOOD.replace("{extra}", "printf 'subjectAltName=URI:urn:example:node:0001,DNS:added.example.com\\n' >> $d/ext"),
	"ca": GOOD.replace("{extra}", "printf 'basicConstraints=critical,CA:TRUE\\n' >> $d/ext"),
	"otherkey": GOOD.replace("{extra}", "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null "
		"-subj / -addext subjectAltName=URI:urn:example:node:0001 -out $d/csr 2>/dev/null"),
	"stranger": GOOD.replace("{ca}", "{other}"),
	"hangs": "#!/bin/sh\necho waiting for the card >&2\nsleep 1000\n",
	"floods": "#!/bin/sh\nyes\n",
	"chatters": "#!/bin/sh\nyes complaint | head -c 1000000 >&2\nexit 1\n",
	"forks": "#!/bin/sh\nsleep 1001 &\nsetsid sleep 1002 &\n(setsid sleep 1003 &)\nexit 1\n",
	"refuses": "#!/bin/sh\necho 'secret reason: card 17' >&2\necho second line >&2\nexit 1\n",
	"waits": "#!/bin/sh\necho 77\nexit 3\n",
	"waits-long": "#!/bin/sh\necho 86401\nexit 3\n",
	"waits-silent": "#!/bin/sh\nexit 3\n",
	"garbage": "#!/bin/sh\necho hello\n",
	"dies": "#!/bin/sh\nkill -SEGV $$\n",
	"looks": "#!/bin/sh\nenv >&2\nexit 1\n",
	"descriptors": "#!/bin/sh\necho $(for f in /proc/self/fd/*; do readlink $f; done) $# $1 $2 >&2\nexit 1\n",
	"greedy": "#!/bin/sh\nexec python3 -c 'x = bytearray(3 << 30)'\n",
}


def sections(s, names):
	"""At most eight issuers at once, so the programs take turns."""
	s.own = getattr(s, "own", None) or Authority(s.root, "Command")
	s.other = getattr(s, "other", None) or Authority(s.root, "Other")
	conf = s.dir / "openmef.conf"
	s.plain = getattr(s, "plain", None) or conf.read_text()
	conf.write_text(s.plain)
	for name in names:
		program = PROGRAMS[name]
		for key, value in (("{extra}", ""), ("{copy}", "copyall"), ("{ca}", str(s.own.dir)), ("{other}", str(s.other.dir))):
			program = program.replace(key, value)
		path = s.root / f"program-{name}"
		path.write_text(program)
		path.chmod(0o700)
		timeout = 3 if name == "hangs" else 60
		add_sections(s, f"[issuer {name}]\nkind = command\ncommand = {path} one  two\nchain = {s.own.chain}\n"
			f"timeout = {timeout}s\n[label l-{name}]\nissuer = {name}\n")


def records(s):
	return json.loads(run(s.binary, "cert", "list", "--dir", s.dir, "--json"))


def audit(s):
	return run(s.binary, "audit", "list", "--dir", s.dir, "--limit", "1000")


def left_behind():
	return run("ps", "-eo", "args,stat").count("sleep 100")


def good_certificates_are_issued_and_count_here(s, device):
	status, _, body = enrol(s, device, "l-good")
	check(status == 200, f"{status} {body}")
	certs = pem_of(body)
	check(len(certs) == 1, "one certificate")
	mine = keep(device, body, "good")
	status, _, body = enrol(s, device, "l-good", using=mine, operation="simplereenroll")
	check(status == 200, f"renewal with it: {status} {body}")
	rows = records(s)
	check(len(rows) == 2 and all("Command Issuing" in row["issuer"] for row in rows), f"{rows}")
	# revoked here, it counts here no more, and our CRL says nothing of it
	for row in rows:
		run(s.binary, "cert", "revoke", row["serial"], "--dir", s.dir)
	status, _, body = enrol(s, device, "l-good", using=mine, operation="simplereenroll")
	check(status == 403 and b"OMEF-1514" in body, f"{status} {body}")
	(s.root / "crl").write_bytes(s.ask_plain("/crl/issuing.crl")[2])
	text = run("openssl", "crl", "-inform", "DER", "-in", s.root / "crl", "-noout", "-text")
	check("No Revoked Certificates" in text, text)


def names_may_be_added_only(s, device):
	check(enrol(s, device, "l-adds")[0] == 200, "a name more")
	before = len(records(s))
	for label, code in (("l-drops", "OMEF-1462"), ("l-otherkey", "OMEF-1461"), ("l-ca", "OMEF-1460"), ("l-stranger", "OMEF-1460")):
		status, _, body = enrol(s, device, label)
		check(status == 500 and code.encode() in body and b"serial" not in body, f"{label}: {status} {body}")
		check(f'"code":{code[5:]}' in audit(s), f"{label}: no event in {audit(s)}")
	check(len(records(s)) == before, "nothing of that is recorded")
	check("serial" in [line for line in audit(s).split("\n") if '"code":1462' in line][0], "the operator finds the serial number")


def refusals_and_waits(s, device):
	status, _, body = enrol(s, device, "l-refuses")
	check(status == 403 and b"OMEF-1714" in body and b"secret" not in body, f"{status} {body}")
	wait_for(lambda: "secret reason: card 17" in s.log_text(), "the operator's log has the first line")
	for label, seconds in (("l-waits", "77"), ("l-waits-silent", "300")):
		status, headers, body = enrol(s, device, label)
		check(status == 202 and headers["Retry-After"] == seconds, f"{label}: {status} {headers}")
	status, _, body = enrol(s, device, "l-waits-long")
	check(status == 503, f"more than a day: {status} {body}")


def bad_programs_harm_nobody(s, device):
	check(left_behind() == 0, "sleepers of another test")
	for label, want in (("l-hangs", 503), ("l-floods", 503), ("l-chatters", 403), ("l-forks", 403), ("l-garbage", 500),
			("l-dies", 503), ("l-greedy", 403)):
		status, _, body = enrol(s, device, label)
		check(status == want, f"{label}: {status} {body}")
	wait_for(lambda: left_behind() == 0, "processes left behind")
	check(len(s.log_text()) < 200000, "a flood of stderr is no flood of the log")


def it_sees_little(s, device):
	status, _, _ = enrol(s, device, "l-looks")
	check(status == 403, str(status))
	wait_for(lambda: "OPENMEF_ENROLEE=device-0001" in s.log_text(), "the enrolee is told")
	said = [line.split("line=")[1] for line in s.log_text().split("\n") if "issuer=looks" in line and "line=" in line]
	names = {line.strip('"').split("=")[0] for line in said}
	check(names <= {"PATH", "PWD", "OPENMEF_ISSUER", "OPENMEF_PROFILE", "OPENMEF_ENROLEE", "OPENMEF_LABEL"}, f"{names}")
	check(enrol(s, device, "l-descriptors")[0] == 403, "descriptors")
	wait_for(lambda: "issuer=descriptors" in s.log_text(), "its line")
	line = [line for line in s.log_text().split("\n") if "issuer=descriptors" in line and "line=" in line][0]
	check("memfd:request" in line and line.count("pipe:") == 2 and "socket" not in line and "openmef" not in line.split("line=")[1]
		and "2 one two" in line, line)


def killed_under_load(s, devices):
	done = []

	def work(stem):
		for _ in range(6):
			done.append(enrol(s, stem, "l-good")[0])
	threads = [threading.Thread(target=work, args=(d,)) for d in devices for _ in range(2)]
	for t in threads:
		t.start()
	for _ in range(3):
		time.sleep(0.3)
		pid = s.roles().get("runner-0")
		if pid:
			os.kill(pid, signal.SIGKILL)
	for t in threads:
		t.join()
	check(set(done) <= {200, 503} and 200 in done, f"{done}")
	wait_for(lambda: enrol(s, devices[0], "l-good")[0] == 200, "the runner is back")
	check(len(records(s)) >= done.count(200), "what was answered is recorded")


def main():
	with service(sys.argv[1]) as s:
		devices = [s.device(n) for n in (1, 2)]
		sections(s, ["good", "drops", "adds", "ca", "otherkey", "stranger", "refuses", "waits"])
		s.start()
		check("runner-0" in s.roles() and "caller-0" not in s.roles(), f"{s.roles()}")
		good_certificates_are_issued_and_count_here(s, devices[0])
		names_may_be_added_only(s, devices[0])
		for names in (["refuses", "waits", "waits-long", "waits-silent", "good"],
				["hangs", "floods", "chatters", "forks", "garbage", "dies", "greedy"]):
			sections(s, names)
			run(s.binary, "reload", "--dir", s.dir)
			s.read_ports()
			(refusals_and_waits if "good" in names else bad_programs_harm_nobody)(s, devices[0])
		sections(s, ["looks", "descriptors", "good"])
		run(s.binary, "reload", "--dir", s.dir)
		s.read_ports()
		it_sees_little(s, devices[0])
		killed_under_load(s, devices)
		s.stop()
	with service(sys.argv[1]) as s:
		s.start()
		check("runner-0" not in s.roles(), "no issuer, no runner")
		s.stop()
	print("ok")


main()
