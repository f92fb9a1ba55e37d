#!/usr/bin/env bash
# Runs the README's block marked test:curl and behind it that of docs/est.md, word for word, on ports that are free here.
set -euo pipefail
build=$1
top=$PWD
scratch=$(mktemp -d "${TMPDIR:-/tmp}/openmef-readme.XXXXXX")
trap 'kill %1 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$scratch"' EXIT
export PATH=$build/src:$PATH

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
https=$(free_port)
http=$(free_port)
take() { # FILE MARK: a block to block.sh
	sed -n "/<!-- test:$2 -->/,/^\`\`\`\$/p" "$top/$1" | sed '1,2d;$d' |
		sed "s/8443/$https/g; s/8080/$http/g" >"$scratch/$2.sh"
	[ "$(wc -l <"$scratch/$2.sh")" -gt 20 ] || { echo "no block $2 in $1"; exit 1; }
}
take README.md curl
take docs/est.md est
cd "$scratch"
set -x
. ./curl.sh
openssl x509 -in device.pem -noout -ext subjectAltName | grep -q DNS:laptop-7.example.com
. ./est.sh
openssl x509 -in made.pem -noout -ext subjectAltName | grep -q DNS:laptop-7.example.com
set +x
kill -TERM %1
wait %1
echo "README and docs/est.md: passed"
