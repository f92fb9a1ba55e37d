#!/usr/bin/env bash
# Builds the release and measures it; BENCH=--quick for a short run.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/install-deps.sh build check
cmake --preset release
cmake --build build/release --target openmef bench_load bench_fill bench_floor
exec python3 bench/run.py build/release ${BENCH:-}
