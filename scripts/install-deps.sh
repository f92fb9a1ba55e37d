#!/bin/bash
# Installs from Debian's packages what a group of commands needs, and only what is missing: a machine
# that has all of it needs neither network nor root.
#   scripts/install-deps.sh build          to build and run
#   scripts/install-deps.sh build check    also to test
set -euo pipefail

build="gcc libc6-dev make cmake ninja-build pkg-config libssl-dev libevent-dev libsqlite3-dev
	libcurl4-openssl-dev libjansson-dev libxml2-dev libutf8proc-dev libinih-dev libseccomp-dev libcmocka-dev openssl"
check="clang g++ libclang-rt-14-dev llvm python3 curl sqlite3 gnutls-bin strongswan-pki
	libstrongswan-standard-plugins groff-base binutils
	procps haproxy"
tidy="clang-tidy clang-format cppcheck python3"
docs="python3"

[ $# -gt 0 ] || set -- build
wanted=
for group in "$@"; do
	case $group in
	build | check | tidy | docs) wanted="$wanted ${!group}" ;;
	*)
		echo "install-deps: unknown group '$group'; there are: build check tidy docs" >&2
		exit 2
		;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "install-deps: this is no Debian system; install by hand:" $wanted >&2
	exit 1
fi

missing=
for package in $wanted; do
	state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
	echo "== packages: all there"
	exit 0
fi

echo "== packages: installing$missing"
root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "install-deps: run as root, or install sudo, or install by hand:$missing" >&2
		exit 1
	fi
	root="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
$root apt-get update
$root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
