#!/usr/bin/env python3
"""`cmake --install` into a DESTDIR: programs, manual pages and the unit file, each where it belongs and whole."""

import os
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _service import check, run  # noqa: E402

PREFIX = "/opt/openmef"
WANT = {
	"bin/openmef": 0o755,
	"bin/openmef-caller": 0o755,
	"bin/enrolee": 0o755,
	"share/man/man1/openmef.1": 0o644,
	"share/man/man1/enrolee.1": 0o644,
	"share/man/man5/openmef.conf.5": 0o644,
	"lib/systemd/system/openmef.service": 0o644,
	"lib/sysusers.d/openmef.conf": 0o644,
}


def main():
	with tempfile.TemporaryDirectory(prefix="openmef-install-") as scratch:
		done = subprocess.run(["cmake", "--install", sys.argv[1], "--prefix", PREFIX], env=os.environ | {"DESTDIR": scratch},
			capture_output=True, text=True, timeout=120, umask=0o022)
		check(done.returncode == 0, f"cmake --install: {done.stdout}{done.stderr}")
		top = pathlib.Path(scratch + PREFIX)
		have = {str(p.relative_to(top)): p.stat().st_mode & 0o777 for p in top.rglob("*") if p.is_file()}
		check(have == WANT, f"installed: {have}")
		for program in ("openmef", "enrolee"):
			check(run(top / "bin" / program, "--version").startswith(f"{program} "), f"{program} --version")
			page = (top / f"share/man/man1/{program}.1").read_text()
			check(page == run(top / "bin" / program, "help", "manual", *([program] if program == "openmef" else [])), f"{program}.1")
		unit = (top / "lib/systemd/system/openmef.service").read_text()
		check(f"ExecStart={PREFIX}/bin/openmef serve" in unit and "/usr/bin" not in unit, f"unit: {unit}")
		for page in ("openmef(1)", "openmef.conf(5)"):
			check(f"man:{page}" in unit, f"the unit names {page}")
	print("install: passed")


main()
