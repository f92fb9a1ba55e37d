"""CAs of others for the tests beside this file: a root and an issuing CA made by openssl, and a service that uses them."""

import base64
import os
import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import Service, check, run  # noqa: E402

# Of an operator: asks to come back while a file is there, else signs what it is given.
PROGRAM = """#!/bin/sh
set -e
[ -e {waits} ] && {{ echo 77; exit 3; }}
d=$(mktemp -d)
cat > $d/csr
printf 'extendedKeyUsage=clientAuth\\n' > $d/ext
openssl x509 -req -in $d/csr -CA {ca}/issuing.pem -CAkey {ca}/issuing.key -set_serial 0x$(openssl rand -hex 8) -days 30 \\
	-copy_extensions copyall -extfile $d/ext 2>/dev/null
rm -r $d
"""


class Authority:
	"""root -> issuing, and whatever it signs."""

	def __init__(self, root, name):
		self.dir = root / name
		self.dir.mkdir()
		self.name = name
		self._self_signed("root", f"/O={name}/CN={name} Root")
		self.sign("issuing", f"/O={name}/CN={name} Issuing", "basicConstraints=critical,CA:TRUE,pathlen:0\n"
			"keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n", by="root")
		self.chain = self.dir / "chain.pem"
		self.chain.write_text(self.file("issuing.pem").read_text() + self.file("root.pem").read_text())

	def file(self, name):
		return self.dir / name

	def _self_signed(self, stem, subject):
		run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
			self.file(f"{stem}.key"), "-out", self.file(f"{stem}.pem"), "-subj", subject, "-days", "3650", "-addext",
			"basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")

	def sign(self, stem, subject, extensions, by="issuing"):
		"""A key and a certificate; returns the stem of both files."""
		ext = self.file(f"{stem}.ext")
		ext.write_text(extensions)
		run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
			self.file(f"{stem}.key"), "-out", self.file(f"{stem}.req"), "-subj", subject)
		os.chmod(self.file(f"{stem}.key"), 0o600)
		run("openssl", "x509", "-req", "-in", self.file(f"{stem}.req"), "-CA", self.file(f"{by}.pem"), "-CAkey",
			self.file(f"{by}.key"), "-CAcreateserial", "-days", "3000", "-extfile", ext, "-out", self.file(f"{stem}.pem"))
		return self.dir / stem


def csr(stem, entity=None, subject="/"):
	"""DER of a request by the device's key; entity: a URI for subjectAltName."""
	more = ["-addext", f"subjectAltName=URI:{entity}"] if entity else []
	done = subprocess.run(["openssl", "req", "-new", "-key", f"{stem}.key", "-subj", subject, *more, "-outform", "DER"],
		capture_output=True, timeout=60)
	check(done.returncode == 0, done.stderr)
	return done.stdout


def entity_of(stem):
	return f"urn:example:node:{int(str(stem).rsplit('-', 1)[1]):04d}"


def enrol(s, stem, label, der=None, using=None, timeout=60, operation="simpleenroll"):
	"""(status, headers, body) of an enrolment under a label."""
	der = der or csr(stem, entity_of(stem))
	return s.ask("POST", f"/.well-known/est/{label + '/' if label else ''}{operation}", base64.b64encode(der), "application/pkcs10", using or stem,
		timeout=timeout)


def pem_of(body):
	"""The certificates of a certs-only answer as PEM texts."""
	text = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=base64.b64decode(body),
		capture_output=True, timeout=60).stdout.decode()
	return ["-----BEGIN" + part.split("-----END")[0] + "-----END CERTIFICATE-----\n" for part in text.split("-----BEGIN")[1:]]


def keep(stem, body, name):
	"""Stores the answer's certificate beside a copy of the device's key; returns the new stem."""
	new = f"{stem}-{name}"
	pathlib.Path(f"{new}.pem").write_text(pem_of(body)[0])
	pathlib.Path(f"{new}.key").write_bytes(pathlib.Path(f"{stem}.key").read_bytes())
	return new


def add_sections(s, text):
	with open(s.dir / "openmef.conf", "a") as f:
		f.write("\n" + text)


def service(build):
	return Service(build)
