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
	"include/enrolee.h": 0o644,
}
# below the folder of libraries, whose name is the system's affair
LIBRARY = {"libenrolee.so": 0o644, "libenrolee.so.0": 0o644, "libenrolee.so.0.1.0": 0o644, "libenrolee.a": 0o644,
	"pkgconfig/enrolee.pc": 0o644}
PAGES = [page.name for page in (pathlib.Path(__file__).resolve().parent.parent.parent / "docs/man").glob("*.3")]


def main():
	with tempfile.TemporaryDirectory(prefix="openmef-install-") as scratch:
		done = subprocess.run(["cmake", "--install", sys.argv[1], "--prefix", PREFIX], env=os.environ | {"DESTDIR": scratch},
			capture_output=True, text=True, timeout=120, umask=0o022)
		check(done.returncode == 0, f"cmake --install: {done.stdout}{done.stderr}")
		top = pathlib.Path(scratch + PREFIX)
		have = {str(p.relative_to(top)): p.stat().st_mode & 0o777 for p in top.rglob("*") if p.is_file()}
		libdir = next(name for name in have if name.endswith("/libenrolee.a")).rsplit("/", 1)[0]
		want = WANT | {f"{libdir}/{name}": mode for name, mode in LIBRARY.items()}
		want |= {f"share/man/man3/{page}": 0o644 for page in PAGES}
		check(len(PAGES) >= 6 and have == want, f"installed: {set(have.items()) ^ set(want.items())}")
		module = (top / libdir / "pkgconfig/enrolee.pc").read_text()
		check(f"prefix={PREFIX}\n" in module and "@" not in module, f"enrolee.pc: {module}")
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
