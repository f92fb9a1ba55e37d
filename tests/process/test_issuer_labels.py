#!/usr/bin/env python3
"""
Labels side by side, each with anchors and an issuer of its own: who counts where, whose CA certificates are told, and
what a reload picks up.
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _issuers import Authority, add_sections, enrol, keep, pem_of, service  # noqa: E402
from _service import check, run  # noqa: E402
from _upstream import Upstream  # noqa: E402


def factory_device(s, maker, number):
	"""A device of that maker, registered by its own certificate."""
	stem = maker.sign(f"device-{number}", f"/O=Example Devices/serialNumber=SN-{number:04d}",
		"keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\n", by="issuing")
	with open(f"{stem}.pem", "a") as f:
		f.write(maker.file("issuing.pem").read_text())
	run(s.binary, "enrolee", "add", f"device-{number:04d}", "--dir", s.dir, "--type", "node", "--entity",
		f"urn:example:node:{number:04d}", "--credential", f"serial=SN-{number:04d}")
	return stem


def counts(s, device, label, want):
	status, _, body = enrol(s, device, label)
	check((status == 200) == want, f"{device} under '{label}': {status} {body}")
	if not want:
		check(status == 403 and b"OMEF-1519" in body, f"{body}")
	return body


def exchange_is_closed(s, device, closed):
	"""The enrolment exchange is no label's: [mef] device_anchors alone open it."""
	status, _, body = s.ask("POST", "/enrolment", b"{}", "application/json", device)
	check((b"OMEF-1519" in body) == closed, f"exchange: {status} {body}")


def start_fails(s, text):
	"""With that configuration the service does not start."""
	conf = s.dir / "openmef.conf"
	before = conf.read_text()
	add_sections(s, text)
	done = subprocess.run([str(s.binary), "serve", "--dir", str(s.dir)], capture_output=True, text=True, timeout=60)
	check(done.returncode != 0 and "other" in done.stderr, f"{done.returncode} {done.stderr}")
	conf.write_text(before)


def main():
	with service(sys.argv[1]) as s:
		up, a, b = Upstream(s.root), Authority(s.root, "MakerA"), Authority(s.root, "MakerB")
		both = s.root / "both.pem"
		both.write_text(a.file("root.pem").read_text() + b.file("root.pem").read_text())
		plain = s.device(1)
		of_a, of_b = factory_device(s, a, 11), factory_device(s, b, 12)
		(s.root / "other-empty.pem").write_text("")
		(s.root / "other-none.pem").write_text("no certificate\n")
		for name in ("other-empty.pem", "other-none.pem", "other-missing.pem"):
			start_fails(s, f"[label x]\nanchors = {s.root / name}\n")
		add_sections(s, f"[label a]\nanchors = {a.file('root.pem')}\n[label b]\nanchors = {b.file('root.pem')}\n"
			f"[label both]\nanchors = {both}\n" + up.section("up", "up-a", anchors=a.file("root.pem")))
		s.start()
		for device, labels in ((plain, set()), (of_a, {"a", "both", "up-a"}), (of_b, {"b", "both"})):
			for label in ("a", "b", "both", "up-a"):
				counts(s, device, label, label in labels)
		check(enrol(s, plain, "c")[0] == 404, "no such label")
		for device, want in ((plain, True), (of_a, False), (of_b, False)):
			counts(s, device, "", want)
		for device, closed in ((plain, False), (of_a, True), (of_b, True)):
			exchange_is_closed(s, device, closed)
		# what the MEF gave counts under every label, whoever issued it
		mine = keep(of_a, enrol(s, of_a, "up-a")[2], "up")
		for label in ("a", "b", "both"):
			check(enrol(s, of_a, label, using=mine, operation="simplereenroll")[0] in (200, 403), label)
		told = {label: len(pem_of(s.ask("GET", f"/.well-known/est/{label}/cacerts")[2])) for label in ("a", "b", "both", "up-a")}
		check(told["a"] == told["b"] == told["both"] == told["up-a"] - 2, f"{told}")
		# a reload takes anchors in and out
		both.write_text(b.file("root.pem").read_text())
		run(s.binary, "reload", "--dir", s.dir)
		s.read_ports()
		counts(s, of_a, "both", False)
		counts(s, of_b, "both", True)
		counts(s, of_a, "a", True)
		s.stop()
	print("ok")


main()
