"""
What the tests of faults share: copies of one MEF directory to break, a start that must be refused, small
disks to fill, and certificates with other dates.
"""

import hashlib
import hmac
import os
import pathlib
import shutil
import subprocess
import sys
import time

from _service import check, run

NOBODY = 65534
skips = []


def skip(what, why):
	print(f"skipped: {what}: {why}")
	skips.append(what)


def told(name):
	print(f"{name}: as it should be" + (f", {len(skips)} skipped" if skips else ""))


# ---- starts that are refused

def copy_of(s, name):
	"""A copy of the service's directory, which holds no path of its own."""
	to = s.root / name
	shutil.copytree(s.dir, to)
	return to


def put(d, name, value):
	"""A line of the configuration file."""
	path = d / "openmef.conf"
	lines = path.read_text().split("\n")
	at = [i for i, line in enumerate(lines) if line.split("=")[0].strip() == name][0]
	lines[at] = f"{name} = {value}"
	path.write_text("\n".join(lines))


def become_nobody():
	os.setgroups([])
	os.setgid(NOBODY)
	os.setuid(NOBODY)


def refused_start(s, d, code, words, before=None, status=1):
	"""The start ends at once, names the code and the words, and leaves no process and no pid file."""
	p = subprocess.Popen([str(s.binary), "serve", "--dir", str(d)], stderr=subprocess.PIPE, text=True,
		start_new_session=True, preexec_fn=before)
	try:
		text = p.communicate(timeout=60)[1]
	except subprocess.TimeoutExpired:
		p.kill()
		check(False, f"{d.name}: it serves\n{p.communicate()[1]}")
	check(p.returncode == status, f"{d.name}: exit {p.returncode}, want {status}\n{text}")
	reasons = [line for line in text.split("\n") if f"code={code} " in line]
	check(reasons, f"{d.name}: no {code}\n{text}")
	for word in words:
		check(str(word) in reasons[0], f"{d.name}: the reason does not name {word}\n{text}")
	check(' next="' in reasons[0] and ' next=""' not in reasons[0], f"{d.name}: no word on what to do\n{text}")
	if "role ended" in text: # the parent says that it gives up, and because of whom
		last = [line for line in text.split("\n") if "code=OMEF-1722 " in line]
		check(len(last) == 1 and "the service does not start" in last[0], f"{d.name}: the parent's reason\n{text}")
		check(any(f'reason="{role}' in last[0] for role in ("signer-", "registrar-", "front-")), f"{d.name}: who\n{text}")
	check_nothing_left(p.pid, d)
	return text


def check_nothing_left(group, d):
	try:
		os.killpg(group, 0)
		check(False, f"{d.name}: processes are left")
	except ProcessLookupError:
		pass
	check(not (d / "run" / "serve.pid").exists(), f"{d.name}: a pid file is left")


# ---- small disks

def with_mounts(name):
	"""
	Runs this script again where it may mount: as root in a mount namespace of its own, else in a user
	namespace. False where neither is to be had.
	"""
	if os.environ.get("FAULTS_MOUNTS"):
		return True
	how = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-r", "-m"]
	try:
		probe = subprocess.run([*how, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", "/mnt"], capture_output=True, timeout=60)
	except FileNotFoundError:
		probe = None
	if not probe or probe.returncode != 0:
		skip(name, "no right to mount a small disk: " + (probe.stderr.decode().strip() if probe else "no unshare"))
		return False
	sys.exit(subprocess.run([*how, sys.executable, *sys.argv], env={**os.environ, "FAULTS_MOUNTS": "1"}).returncode)


class Disk:
	"""A disk of that many KiB at the path; what was there is on it afterwards."""

	def __init__(self, path, kib):
		self.path = pathlib.Path(path)
		aside = self.path.with_name(self.path.name + ".aside")
		self.path.mkdir(mode=0o700, exist_ok=True)
		self.path.rename(aside)
		self.path.mkdir(mode=0o700)
		run("mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=700", "tmpfs", self.path)
		shutil.copytree(aside, self.path, dirs_exist_ok=True)

	def fill(self, leave=0):
		"""Leaves that many blocks of 4 KiB free."""
		n = 0
		self.free()
		with open(self.path / "filler", "wb", buffering=0) as f:
			try:
				while True:
					n += f.write(b"x" * 4096)
			except OSError:
				pass
			f.truncate(max(0, n - leave * 4096))

	def free(self):
		(self.path / "filler").unlink(missing_ok=True)

	def __enter__(self):
		return self

	def __exit__(self, kind, value, trace):
		subprocess.run(["umount", "-l", str(self.path)], check=False)


# ---- certificates with other dates

def passphrase(d, label):
	"""As openmef derives it from the master key: HKDF-SHA256 (RFC 5869), as hexadecimal digits."""
	master = bytes.fromhex((d / "secret" / "master.key").read_text().strip())
	prk = hmac.new(b"\0" * 32, master, hashlib.sha256).digest()
	okm = hmac.new(prk, f"openmef key file {label}".encode() + b"\1", hashlib.sha256).digest()
	return okm.hex().upper()


def stamp(seconds_from_now):
	return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds_from_now))


def redate(d, cert, key, key_pass, issuer, issuer_key, issuer_pass, extensions, start_s, end_s, serial="4200"):
	"""The certificate in the file again, with these dates counted from now."""
	work = d.parent / f"{d.name}-redate"
	work.mkdir(exist_ok=True)
	for name, text in (("index", ""), ("serial", f"{serial}\n"), ("ext", extensions),
			("conf", f"[ca]\ndefault_ca=x\n[x]\ndatabase={work}/index\nserial={work}/serial\nnew_certs_dir={work}\n"
				"default_md=sha256\npolicy=any\npreserve=yes\nunique_subject=no\n[any]\n"
				"commonName=optional\norganizationName=optional\n")):
		(work / name).write_text(text)
	run("openssl", "x509", "-x509toreq", "-in", cert, "-signkey", key, "-passin", f"pass:{key_pass}", "-out", work / "req")
	run("openssl", "ca", "-batch", "-notext", "-config", work / "conf", "-cert", issuer, "-keyfile", issuer_key, "-passin",
		f"pass:{issuer_pass}", "-in", work / "req", "-startdate", stamp(start_s), "-enddate", stamp(end_s), "-extfile",
		work / "ext", "-out", work / "cert.pem")
	return (work / "cert.pem").read_text()


def redate_ca(d, start_s, end_s):
	pem = redate(d, d / "ca" / "issuing.cert.pem", d / "ca" / "issuing.key.pem", passphrase(d, "ca-issuing"),
		d / "ca" / "root.cert.pem", d / "offline" / "root.key.pem", (d / "offline" / "root.pass").read_text().strip(),
		"basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign\n"
		"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n", start_s, end_s)
	(d / "ca" / "issuing.cert.pem").write_text(pem)


def redate_tls(d, start_s, end_s):
	issuing = d / "ca" / "issuing.cert.pem"
	pem = redate(d, d / "ca" / "mef-tls.cert.pem", d / "ca" / "mef-tls.key.pem", passphrase(d, "mef-tls"), issuing,
		d / "ca" / "issuing.key.pem", passphrase(d, "ca-issuing"),
		"keyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost\n"
		"subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n", start_s, end_s)
	(d / "ca" / "mef-tls.cert.pem").write_text(pem + issuing.read_text())
