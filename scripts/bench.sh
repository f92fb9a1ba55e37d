#!/usr/bin/env bash
# Builds the release and measures it; BENCH=--quick for a short run.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh build check
cmake --preset release
cmake --build build/release
exec python3 bench/run.py build/release ${BENCH:-}
