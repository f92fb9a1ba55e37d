"""What the tests of requests that wait share: labels that hold, operator's commands, polls with curl."""

import json
import re
import subprocess

from _service import check, run

CHALLENGED = "onem2m"


def label(s, name, **settings):
	"""A label of the configuration file; an existing one gets further keys."""
	path = s.dir / "openmef.conf"
	head = f"[label {name or 'default'}]"
	lines = path.read_text().split("\n")
	if head not in lines:
		lines += [head, ""]
	at = lines.index(head) + 1
	end = next((i for i in range(at, len(lines)) if lines[i].startswith("[")), len(lines))
	lines[at:end] = [line for line in lines[at:end] if line.split("=")[0].strip() not in settings]
	lines[at:at] = [f"{key} = {value}" for key, value in settings.items()]
	path.write_text("\n".join(lines))


def listed(s, *argv):
	return json.loads(run(s.binary, "request", "list", "--json", *argv, "--dir", s.dir))


def the_request(s, *argv):
	rows = listed(s, *argv)
	check(len(rows) == 1, f"requests: {rows}")
	return rows[0]


def decide(s, word, request, *argv, ok=0):
	done = subprocess.run([str(s.binary), "request", word, request, "--dir", str(s.dir), *argv], capture_output=True, text=True,
		timeout=60)
	check(done.returncode == ok, f"request {word}: {done}")
	return done.stdout + done.stderr


def csr(s, stem, subject="/", key=None):
	"""A fresh request by the device's key; its path."""
	out = s.root / f"{stem.name}.{subject.strip('/') or 'empty'}.der"
	run("openssl", "req", "-new", "-key", key or f"{stem}.key", "-subj", subject, "-outform", "DER", "-out", out)
	return out


def curl(s, stem, path, body, *argv, est="simpleenroll"):
	"""(status, Retry-After or None, body) as curl sees them."""
	b64 = subprocess.run(["openssl", "base64", "-in", str(body)], capture_output=True, timeout=60).stdout
	done = subprocess.run(["curl", "-sS", "-i", "--cacert", str(s.dir / "ca/root.cert.pem"), "--cert", f"{stem}.pem", "--key",
		f"{stem}.key", "-H", "Content-Type: application/pkcs10", "--data-binary", "@-", "--max-time", "60", *argv,
		f"https://localhost:{s.https}/.well-known/est/{path}{est}"], input=b64, capture_output=True, timeout=90)
	check(done.returncode == 0, f"curl: {done}")
	head, _, rest = done.stdout.partition(b"\r\n\r\n")
	retry = re.search(rb"(?im)^retry-after: *(\S+)", head)
	return int(head.split()[1]), int(retry.group(1)) if retry else None, rest


def events(s, what):
	rows = json.loads(run(s.binary, "audit", "list", "--json", "--limit", "1000", "--dir", s.dir))
	return [row["event"] for row in rows if row["event"]["what"] == what]
