# The commands that a person types. All building is CMake's, all doing is in scripts/.
.DEFAULT_GOAL := help
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS

help:
	@echo "OpenMEF: device enrolment for oneM2M"
	@echo
	@echo "  make demo    install what is missing, build, enrol a simulated device, show the result"
	@echo "               (KEEP=1 leaves the server running)"
	@echo "  make check   install what is missing, build with sanitizers, run every test"
	@echo "  make build   the release build, in build/release"
	@echo "  make bench   measure enrolments per second; results in bench-results.json"
	@echo "  make fuzz    FUZZ_SECONDS=$(FUZZ_SECONDS) for each parser, new inputs kept in build/fuzz/found"
	@echo "  make tidy    clang-tidy, cppcheck and gcc -fanalyzer over src/"
	@echo "  make cov     line coverage of the tests by folder and file"
	@echo "  make docs    renew docs/errors.md, docs/conformance.md and docs/man, build the man pages"
	@echo "  make clean   remove build/"

demo:
	@scripts/demo.sh

check:
	@scripts/check.sh

build:
	@scripts/install-deps.sh build
	@cmake --preset release
	@cmake --build build/release

bench:
	@scripts/bench.sh

fuzz:
	@scripts/fuzz.sh

tidy:
	@scripts/tidy.sh

cov:
	@scripts/cov.sh

docs:
	@scripts/docs.sh

clean:
	rm -rf build

.PHONY: help demo check build bench fuzz tidy cov docs clean
