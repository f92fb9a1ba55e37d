#!/bin/bash
# Renews the generated pages, those of the library in docs/man among them; has the programs print their man pages, which they hold themselves, into build/dev/man.
set -euo pipefail
. "$(dirname "$0")/_run.sh"

scripts/install-deps.sh build docs
python3 -B scripts/errors.py
python3 -B scripts/conformance.py
python3 -B scripts/man3.py

say "man pages (build/dev/man)"
loudly cmake --preset dev
loudly cmake --build build/dev -j "$JOBS" --target manual
ls build/dev/man/*
