#!/usr/bin/env python3
"""Line coverage from gcov's JSON: cov.py BUILD_FOLDER. Prints folders, then files, least covered first."""

import collections
import json
import pathlib
import subprocess
import sys


def collect(build, root):
	lines = collections.defaultdict(dict)
	for data in sorted(build.rglob("*.gcda")):
		run = subprocess.run(
			["gcov", "--json-format", "--stdout", data.name],
			cwd=data.parent, capture_output=True, text=True, check=False)
		for text in run.stdout.splitlines():
			if not text.startswith("{"):
				continue
			report = json.loads(text)
			base = pathlib.Path(report.get("current_working_directory", data.parent))
			for entry in report["files"]:
				path = (base / entry["file"]).resolve()
				if root / "src" not in path.parents:
					continue
				counts = lines[str(path.relative_to(root))]
				for line in entry["lines"]:
					number = line["line_number"]
					counts[number] = counts.get(number, 0) + line["count"]
	return lines


def show(title, rows):
	print(title)
	for name, hit, total in sorted(rows, key=lambda r: (r[1] / r[2], r[0])):
		print(f"  {100 * hit / total:6.1f} %  {hit:5} of {total:5}  {name}")


def main():
	build = pathlib.Path(sys.argv[1]).resolve()
	root = pathlib.Path(__file__).resolve().parent.parent
	files = {name: (sum(1 for c in counts.values() if c), len(counts))
		for name, counts in collect(build, root).items() if counts}
	if not files:
		print("no coverage data: did the tests run?", file=sys.stderr)
		return 1
	folders = collections.defaultdict(lambda: [0, 0])
	for name, (hit, total) in files.items():
		folder = folders[str(pathlib.Path(name).parent)]
		folder[0] += hit
		folder[1] += total
	show("files", [(n, h, t) for n, (h, t) in files.items()])
	show("folders", [(n, h, t) for n, (h, t) in folders.items()])
	show("all", [("src", sum(h for h, _ in files.values()), sum(t for _, t in files.values()))])
	return 0


if __name__ == "__main__":
	sys.exit(main())
