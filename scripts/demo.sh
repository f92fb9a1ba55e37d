#!/usr/bin/env bash
# The main job from nothing: install, build, make an MEF and a MAF, serve, enrol one device by certificate and two by
# pre-provisioned key, and let those two agree on a key and use it.
# KEEP=1 leaves the server running; DEMO_DIR names the scratch directory.
set -euo pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"

say() { printf '\n== %s\n' "$*"; }

say "1/10 Installing what the build needs"
scripts/install-deps.sh build

say "2/10 Building (release)"
cmake --preset release
cmake --build build/release --target openmef enrolee
bin=$top/build/release/src

dir=${DEMO_DIR:-$(mktemp -d "${TMPDIR:-/tmp}/openmef-demo.XXXXXX")}
mkdir -p "$dir"
mef=$dir/mef
maf=$dir/maf
servers=
stop() {
	for pid in $servers; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in $servers; do wait "$pid" || true; done
}
trap stop EXIT

# serve DIR: starts it and waits until it listens; its port is in $port
serve() {
	"$bin/openmef" serve --dir "$1" 2>"$1/serve.log" &
	pid=$!
	servers="$servers $pid"
	for _ in $(seq 100); do
		[ -s "$1/run/ports.json" ] && break
		kill -0 "$pid" 2>/dev/null || { cat "$1/serve.log"; exit 1; }
		sleep 0.1
	done
	port=$(sed -n 's/.*"https"[^}]*"port": \([0-9]*\).*/\1/p' "$1/run/ports.json")
}

say "3/10 openmef init: CA hierarchy, keys, database, configuration"
"$bin/openmef" init --fqdn localhost --dir "$mef" --https 127.0.0.1:0 --http 127.0.0.1:0

say "4/10 A device leaves the factory: the maker's CA gives it a certificate"
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

say "5/10 The operator registers it and starts the server"
"$bin/openmef" enrolee add device-0001 --dir "$mef" --type node --entity urn:example:node:0001 \
	--label "Demo device" --credential serial=SN-0001 --anchor "$factory/ca.pem"
serve "$mef"
mef_port=$port
uri=https://localhost:$port/.well-known/est/onem2m
echo "Serving at $uri"

say "6/10 The device enrols"
"$bin/enrolee" enrol --mef "$uri" --cert "$factory/device.pem" --key "$factory/device.key" \
	--anchors "$mef/ca/root.cert.pem" --out "$dir/device"
"$bin/enrolee" status --dir "$dir/device"
echo "Chain, checked by openssl:"
openssl verify -CAfile "$dir/device/current/anchors.pem" -untrusted "$dir/device/current/chain.pem" \
	"$dir/device/current/cert.pem"

say "7/10 The device renews with the certificate it got"
"$bin/enrolee" renew --force --dir "$dir/device"
"$bin/openmef" cert list --dir "$mef"

say "8/10 A MAF joins; two AEs hold nothing but a pre-provisioned key each"
"$bin/openmef" maf new maf.example.com --dir "$maf" --mef-dir "$mef" --https 127.0.0.1:0 --connect "127.0.0.1:$mef_port"
serve "$maf"
maf_port=$port
for ae in alice bob; do
	"$bin/openmef" enrolee add "$ae" --dir "$mef" --type ae --entity "https://$ae.example.com/C$ae" \
		--psk "$ae" --psk-out "$dir/$ae.psk" --certificate never --expiry 30d --maf "maf.example.com=https://maf.example.com:$maf_port"
	"$bin/enrolee" enrol --mef "https://localhost:$mef_port" --psk "$dir/$ae.psk" --psk-id "$ae@localhost" --out "$dir/$ae"
	"$bin/enrolee" keys --dir "$dir/$ae"
done

say "9/10 Each shows its KeId to the MAF, which fetches the key from the MEF; alice registers a key for bob"
for ae in alice bob; do
	"$bin/enrolee" maf connect maf.example.com --connect "127.0.0.1:$maf_port" --dir "$dir/$ae"
done
key=$("$bin/enrolee" maf register-key maf.example.com --target https://bob.example.com/Cbob --suid 32 \
	--connect "127.0.0.1:$maf_port" --dir "$dir/alice" --json | sed -n 's/.*"keyid": "\([^"]*\)".*/\1/p')
"$bin/enrolee" maf fetch-key "$key" --connect "127.0.0.1:$maf_port" --dir "$dir/bob"

say "10/10 A TLS-PSK session between the two, with that key"
"$bin/enrolee" session listen "$key" --say "Hello from bob" --dir "$dir/bob" 2>"$dir/session.log" &
session=$!
session_port=
for _ in $(seq 100); do
	session_port=$(sed -n 's/^listening on 127\.0\.0\.1://p' "$dir/session.log")
	[ -n "$session_port" ] && break
	sleep 0.1
done
"$bin/enrolee" session connect "$key" --port "$session_port" --say "Hello from alice" --dir "$dir/alice"
wait "$session"
"$bin/openmef" audit verify --dir "$mef"
"$bin/openmef" status --dir "$mef"

cat <<EOF

Done. Everything lies in $dir
  $mef            configuration, CA, database, log (serve.log)
  $dir/device     the device's credentials: current/ is the generation in force
  $maf            the MAF; $dir/alice and $dir/bob its clients
Go on:
  $bin/openmef --help
  $bin/openmef audit list --dir $mef
EOF
if [ "${KEEP:-0}" = 1 ]; then
	trap - EXIT
	echo "The servers go on; stop them: kill$servers"
else
	echo "The servers stop now (KEEP=1 make demo leaves them running)."
fi
