"""A generated page: written, or with --check compared. A root folder may be given as an argument."""

import pathlib
import sys


def main(name, render):
	arguments = [a for a in sys.argv[1:] if a != "--check"]
	check = "--check" in sys.argv[1:]
	root = pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent.parent).resolve()
	text, faults = render(root)
	for fault in faults:
		print(fault, file=sys.stderr)
	target = root / name
	if check:
		if not target.is_file() or target.read_text(encoding="utf-8") != text:
			print(f"{name}: not current; run 'make docs' and commit it", file=sys.stderr)
			return 1
		return 1 if faults else 0
	target.parent.mkdir(parents=True, exist_ok=True)
	target.write_text(text, encoding="utf-8")
	print(f"{name}: written")
	return 1 if faults else 0
