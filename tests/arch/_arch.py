"""What every shape check shares: where it looks, and how it ends."""

import pathlib
import sys

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "scripts"))

import csource  # noqa: E402,F401


def arguments():
	"""(build folder, root of the tree that is looked at)"""
	build = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
	root = pathlib.Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else HERE.parent.parent
	return build, root


def finish(what, faults):
	for fault in faults:
		print(fault)
	print(f"{what}: {len(faults)} faults" if faults else f"{what}: as it should be")
	sys.exit(1 if faults else 0)
