#!/bin/bash
# A long run of every fuzz target: FUZZ_SECONDS each (60), or only those named as arguments. Inputs
# that reach new code land in build/fuzz/found/<target>; a crash stops the run and keeps its input.
set -euo pipefail
. "$(dirname "$0")/_run.sh"
seconds=${FUZZ_SECONDS:-60}

scripts/install-deps.sh build check
say "build with libFuzzer (build/fuzz)"
loudly cmake --preset fuzz
targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
	for source in fuzz/fuzz_*.c; do
		targets+=("$(basename "$source" .c)")
	done
fi
loudly cmake --build build/fuzz -j "$JOBS" --target "${targets[@]}"

for target in "${targets[@]}"; do
	found=build/fuzz/found/$target
	crashes=build/fuzz/crashes/$target
	mkdir -p "$found" "$crashes"
	say "$target for $seconds s"
	loudly "build/fuzz/fuzz/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
		-max_len=131072 -print_final_stats=1 -artifact_prefix="$crashes/" "$found" "fuzz/corpus/$target" |
		grep -v -E '^#[0-9]+[[:space:]]+(NEW|REDUCE|RELOAD)' || {
		say "$target failed; its input is in $crashes. Copy it to fuzz/corpus/$target before the repair."
		exit 1
	}
done
say "${#targets[@]} targets, $seconds s each: nothing found"
