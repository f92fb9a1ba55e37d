#!/usr/bin/env bash
# Runs the README's block marked test:curl word for word, on ports that are free here.
set -euo pipefail
build=$1
top=$PWD
scratch=$(mktemp -d "${TMPDIR:-/tmp}/openmef-readme.XXXXXX")
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"' EXIT
export PATH=$build/src:$PATH

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
https=$(free_port)
http=$(free_port)
sed -n '/<!-- test:curl -->/,/^```$/p' "$top/README.md" | sed '1,2d;$d' |
	sed "s/8443/$https/g; s/8080/$http/g" >"$scratch/block.sh"
[ "$(wc -l <"$scratch/block.sh")" -gt 20 ] || { echo "the block was not found in README.md"; exit 1; }
cd "$scratch"
set -x
. ./block.sh
set +x
openssl x509 -in device.pem -noout -ext subjectAltName | grep -q DNS:laptop-7.example.com
kill -TERM %1
wait %1
echo "README block: passed"
