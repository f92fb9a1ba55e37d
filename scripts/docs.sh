#!/bin/bash
# Renews the generated pages, and prints the man pages, which the programs hold themselves, into build/man.
set -euo pipefail
. "$(dirname "$0")/_run.sh"

scripts/install-deps.sh build docs
python3 -B scripts/errors.py
python3 -B scripts/conformance.py

say "man pages (build/man)"
loudly cmake --preset dev
loudly cmake --build build/dev -j "$JOBS" --target openmef enrolee
mkdir -p build/man
for program in openmef enrolee; do
	"build/dev/src/$program" help manual >"build/man/$program.1"
	say "build/man/$program.1"
done
