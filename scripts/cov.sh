#!/bin/bash
# Line coverage of the whole test suite, by folder and file.
set -euo pipefail
. "$(dirname "$0")/_run.sh"

scripts/install-deps.sh build check
say "build for coverage (build/cov)"
loudly cmake --preset cov
loudly cmake --build build/cov -j "$JOBS"
find build/cov -name '*.gcda' -delete
say "tests"
loudly ctest --test-dir build/cov -j "$JOBS" || say "some tests failed; the figures count what ran"
python3 scripts/cov.py build/cov
