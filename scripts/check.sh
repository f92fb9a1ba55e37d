#!/bin/bash
# Builds with AddressSanitizer and UndefinedBehaviorSanitizer, runs every test, and ends with one
# line "N passed, N failed". The gcc build comes along, because warnings are errors in both compilers.
set -euo pipefail
. "$(dirname "$0")/_run.sh"

export ASAN_OPTIONS=${ASAN_OPTIONS:-halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}

give_up()
{
	say "$1"
	echo "0 passed, 1 failed"
	exit 1
}

say "make check: packages, two builds, then the tests"
scripts/install-deps.sh build check || give_up "packages could not be installed"

say "build with clang, AddressSanitizer and UndefinedBehaviorSanitizer (build/asan)"
loudly cmake --preset asan || give_up "the asan build could not be configured"
loudly cmake --build build/asan -j "$JOBS" || give_up "the asan build failed"

say "build with gcc, warnings are errors (build/dev)"
loudly cmake --preset dev || give_up "the gcc build could not be configured"
loudly cmake --build build/dev -j "$JOBS" || give_up "the gcc build failed"

say "tests (build/asan, $JOBS at a time)"
log=build/asan/check.log
failed=0
loudly ctest --test-dir build/asan -j "$JOBS" --output-on-failure --no-tests=error | tee "$log" || failed=1

summary=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" | tail -1 || true)
bad=$(sed -E 's/.*passed, ([0-9]+) tests failed.*/\1/' <<<"$summary")
all=$(sed -E 's/.*out of ([0-9]+).*/\1/' <<<"$summary")
[ -n "$all" ] || give_up "the tests did not run"
echo "$((all - bad)) passed, $bad failed"
[ "$failed" -eq 0 ] && [ "$bad" -eq 0 ]
