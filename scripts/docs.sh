#!/bin/bash
# Renews the generated pages and builds the man pages into build/man.
set -euo pipefail
. "$(dirname "$0")/_run.sh"

scripts/install-deps.sh docs
python3 scripts/errors.py
python3 scripts/conformance.py
mkdir -p build/man
shopt -s nullglob
for page in docs/man/*.scd; do
	name=$(basename "$page" .scd)
	scdoc <"$page" >"build/man/$name"
	say "build/man/$name"
done
