#!/usr/bin/env bash
# The main job from nothing: install, build, make an MEF, serve, enrol a simulated device, renew it.
# KEEP=1 leaves the server running; DEMO_DIR names the scratch directory.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"

say() { printf '\n== %s\n' "$*"; }

say "1/7 Installing what the build needs"
scripts/install-deps.sh build

say "2/7 Building (release)"
cmake --preset release
cmake --build build/release --target openmef enrolee
bin=$top/build/release/src

dir=${DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/openmef-demo.XXXXXX")}
mkdir -p "$dir"
mef=$dir/mef
server=
stop() { [ -z "$server" ] || kill -TERM "$server" 2>/dev/null || true; [ -z "$server" ] || wait "$server" || true; }
trap stop EXIT

say "3/7 openmef init: CA hierarchy, keys, database, configuration"
"$bin/openmef" init --fqdn localhost --dir "$mef" --https 127.0.0.1:0 --http 127.0.0.1:0

say "4/7 A device leaves the factory: the maker's CA gives it a certificate"
factory=$dir/factory
mkdir -p "$factory"
openssl ecparam -name prime256v1 -genkey -noout -out "$factory/ca.key"
openssl req -x509 -new -key "$factory/ca.key" -subj "/O=Example Devices/CN=Factory CA" -days 3650 -sha256 \
	-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -out "$factory/ca.pem"
(umask 077 && openssl ecparam -name prime256v1 -genkey -noout -out "$factory/device.key")
openssl req -new -key "$factory/device.key" -subj "/O=Example Devices/serialNumber=SN-0001" -out "$factory/device.csr"
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=URI:urn:example:device:SN-0001\n' >"$factory/ext"
openssl x509 -req -in "$factory/device.csr" -CA "$factory/ca.pem" -CAkey "$factory/ca.key" -CAcreateserial \
	-days 3650 -sha256 -extfile "$factory/ext" -out "$factory/device.pem"
cat "$factory/ca.pem" >>"$mef/anchors/devices.pem"

say "5/7 The operator registers it and starts the server"
"$bin/openmef" enrolee add device-0001 --dir "$mef" --type node --entity urn:example:node:0001 \
	--label "Demo device" --credential serial=SN-0001 --anchor "$factory/ca.pem"
"$bin/openmef" serve --dir "$mef" 2>"$mef/serve.log" &
server=$!
for _ in $(seq 100); do
	[ -s "$mef/run/ports.json" ] && break
	kill -0 "$server" 2>/dev/null || { cat "$mef/serve.log"; exit 1; }
	sleep 0.1
done
port=$(sed -n 's/.*"https"[^}]*"port": \([0-9]*\).*/\1/p' "$mef/run/ports.json")
uri=https://localhost:$port/.well-known/est/onem2m
echo "Serving at $uri"

say "6/7 The device enrols"
"$bin/enrolee" enrol --mef "$uri" --cert "$factory/device.pem" --key "$factory/device.key" \
	--anchors "$mef/ca/root.cert.pem" --out "$dir/device"
"$bin/enrolee" status --dir "$dir/device"
echo "Chain, checked by openssl:"
openssl verify -CAfile "$dir/device/current/anchors.pem" -untrusted "$dir/device/current/chain.pem" \
	"$dir/device/current/cert.pem"

say "7/7 The device renews with the certificate it got"
"$bin/enrolee" renew --force --dir "$dir/device"
"$bin/openmef" cert list --dir "$mef"
"$bin/openmef" audit verify --dir "$mef"
"$bin/openmef" status --dir "$mef"

cat <<EOF

Done. Everything lies in $dir
  $mef            configuration, CA, database, log (serve.log)
  $dir/device     the device's credentials: current/ is the generation in force
Go on:
  $bin/openmef --help
  $bin/openmef audit list --dir $mef
EOF
if [ "${KEEP:-0}" = 1 ]; then
	trap - EXIT
	echo "The server goes on as process $server; stop it: kill $server"
else
	echo "The server stops now (KEEP=1 make demo leaves it running)."
fi
