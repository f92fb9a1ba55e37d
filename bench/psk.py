"""Pre-shared keys: enrolment exchanges, key retrievals, first contacts with a MAF."""
import json
import os
import re

from service import THREADS, Fleet, Server, drive, make_factory, openssl_speed, run, say

TARGET, TARGET_NUMBER, MAF = "cse1.bench.example.com", 99999999, "maf.bench.example.com"
OTHERS = 1000


def write_preferences(server, scratch):
    """Every device may use the MAF and share keys with the target."""
    path = f"{scratch}/preferences.json"
    with open(path, "w") as out:
        json.dump({"certificate": "offer", "targets": [{"id": TARGET, "usages": [22]}],
                   "mafs": [{"fqdn": MAF, "uri": f"https://{MAF}", "credential": "symmetricKey", "usages": [32]}]}, out)
    server.command("prefs", "set", "--default", path)


def allow_connections(path, n):
    """All clients come from one address here."""
    text = open(path).read()
    with open(path, "w") as out:
        out.write(re.sub(r"(?m)^(connections_per_source = ).*", rf"\g<1>{n}", text))


def measure_enrolments(build, server, fleet, n, keys, add):
    speed = openssl_speed()
    floor = 1e6 / (2 * speed["x25519"])
    for tls in (12, 13):
        start = fleet.take(n)
        f = drive(server, [f"{build}/bench/bench_psk", "enrol", str(server.port), str(THREADS), str(n), str(tls),
                           str(start), keys[tls]])
        name = "psk_enrol_per_cpu_s" if tls == 12 else "psk_enrol_tls13_per_cpu_s"
        add(name, f["per_cpu_s"], "per CPU-second", floor,
            "fresh TCP, ECDHE-PSK handshake, exchange to its end, Ke and Kre durable; floor: 2 X25519 operations")
        add(name.replace("_per_cpu_s", "_p99_ms"), f["p99_ms"], "ms")


def measure_psk(build, scratch, quick, add):
    place = f"{scratch}/psk"
    os.makedirs(place)
    n, first, others = (1000, 200, 200) if quick else (4000, 500, OTHERS)
    server = Server(build, place)
    devices = make_factory(server, place)
    fleet = Fleet(build, server)
    maf = None
    say("  registering devices with pre-provisioned keys")
    fleet.register(2 * n + first + others, psk=True)
    server.command("enrolee", "add", "target", "--type", "cse", "--entity", TARGET, "--credential", f"serial=BENCH-{TARGET_NUMBER}")
    write_preferences(server, place)
    server.start()
    try:
        keys = {12: f"{place}/keys12", 13: f"{place}/keys13"}
        measure_enrolments(build, server, fleet, n, keys, add)
        f = drive(server, [f"{build}/bench/bench_psk", "fetch", str(server.port), str(THREADS), str(n), keys[12], devices,
                           str(TARGET_NUMBER), TARGET, "22"])
        add("key_retrieval_per_cpu_s", f["per_cpu_s"], "per CPU-second", None, "kept-alive mutual TLS, audited, durable")
        add("key_retrieval_per_s", f["per_s"], "per second")
        run(server.openmef, "maf", "new", MAF, "--dir", f"{place}/maf", "--mef-dir", server.dir, "--https", "127.0.0.1:0",
            "--connect", f"127.0.0.1:{server.port}")
        allow_connections(f"{place}/maf/openmef.conf", others + THREADS)
        maf = Server(build, place, f"{place}/maf")
        maf.start()
        drive(server, [f"{build}/bench/bench_psk", "enrol", str(server.port), str(THREADS), str(first + others), "12",
                       str(fleet.take(first + others)), f"{place}/keys", "maf"])
        f = drive([maf, server], [f"{build}/bench/bench_psk", "maf", str(maf.port), str(first), str(others), f"{place}/keys", MAF])
        how = f"key fetched from the MEF during the handshake, {others} other clients being served"
        add("maf_first_handshake_p50_ms", f["p50_ms"], "ms", None, how)
        add("maf_first_handshake_p99_ms", f["p99_ms"], "ms", None, how)
    finally:
        if maf:
            maf.stop()
        server.stop()
