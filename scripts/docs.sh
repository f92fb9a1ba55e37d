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
build/dev/src/openmef help manual openmef >build/man/openmef.1
build/dev/src/openmef help manual openmef.conf >build/man/openmef.conf.5
build/dev/src/enrolee help manual >build/man/enrolee.1
ls build/man/*
