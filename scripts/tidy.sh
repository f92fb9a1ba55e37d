#!/bin/bash
# Three readers of the source: clang-tidy, cppcheck, gcc -fanalyzer. Arguments: files, else all of src/.
set -uo pipefail
. "$(dirname "$0")/_run.sh"

scripts/install-deps.sh build tidy || exit 1
loudly cmake --preset tidy || exit 1
files=("$@")
[ ${#files[@]} -gt 0 ] || mapfile -t files < <(find src -name '*.c' | sort)
bad=0

say "clang-tidy: ${#files[@]} files"
printf '%s\n' "${files[@]}" | loudly xargs -P "$JOBS" -n 4 clang-tidy -p build/tidy --quiet || bad=1

say "cppcheck"
loudly cppcheck --enable=warning,performance,portability --inline-suppr --std=c11 -q -j "$JOBS" \
	--error-exitcode=1 --suppress=missingIncludeSystem --suppress=varFuncNullUB \
	-I src -D_DEFAULT_SOURCE '-DOMEF_VERSION="0"' "${files[@]}" || bad=1

say "gcc -fanalyzer (known false findings: scripts/tidy.known)"
mkdir -p build/analyze
flags="-std=c17 -D_DEFAULT_SOURCE -DOMEF_VERSION=\"0\" -DOPENSSL_API_COMPAT=30000 -Isrc -O1 -fanalyzer -c"
printf '%s\n' "${files[@]}" | loudly xargs -P "$JOBS" -I{} sh -c \
	'gcc $1 -fdiagnostics-plain-output "$2" -o /dev/null' sh "$flags" {} >build/analyze/log
python3 -B scripts/tidy_known.py build/analyze/log || bad=1

[ "$bad" -eq 0 ] && say "nothing found" || say "findings above"
exit "$bad"
