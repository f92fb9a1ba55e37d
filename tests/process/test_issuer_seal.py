#!/usr/bin/env python3
"""`openmef issuer seal`: the key towards an upstream CA is encrypted where it lies, and the server goes on with it."""

import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _issuers import add_sections, enrol, service  # noqa: E402
from _service import check, run  # noqa: E402
from _upstream import Upstream  # noqa: E402

USAGE = 2


def seal(s, name, ok=(0,)):
	return run(s.binary, "issuer", "seal", name, "--dir", s.dir, ok=ok)


def main():
	with service(sys.argv[1]) as s:
		up = Upstream(s.root)
		key = s.root / "ra.key"
		shutil.copy(f"{up.ra_stem}.key", key)
		own = up.section("first", "up").replace(f"{up.ra_stem}.key", str(key))
		add_sections(s, own + up.section("twin", "up-twin") + up.section("twin2", "up-twin2"))
		before = key.read_text()
		key.chmod(0o644)
		seal(s, "first", ok=(1,))
		check(key.read_text() == before, "a file that others may read is not taken")
		key.chmod(0o600)
		seal(s, "first")
		sealed = key.read_text()
		check("ENCRYPTED PRIVATE KEY" in sealed and "ENCRYPTED" not in before, "the file is encrypted")
		check(key.stat().st_mode & 0o777 == 0o600, f"mode {key.stat().st_mode:o}")
		seal(s, "first")
		seal(s, "twin", ok=(USAGE,))
		check("ENCRYPTED" not in open(f"{up.ra_stem}.key").read(), "a file that two issuers name stays as it is")
		seal(s, "nobody", ok=(USAGE,))
		device = s.device(1)
		s.start()
		up.mode = "good"
		status, _, body = enrol(s, device, "up")
		check(status == 200, f"the caller opens it: {status} {body}")
		told = json.loads(run(s.binary, "status", "--dir", s.dir, "--json"))
		check(told["issuer_first_not_after"].startswith("20"), f"{told}")
		s.stop()
	print("ok")


main()
