#!/usr/bin/env python3
"""Measures the server: real binaries, real TLS, durable records, on loopback.

usage: bench/run.py BUILD-DIR [--quick]
Prints a table and writes bench-results.json in the current directory. The server's processes are
pinned to core 0 and the load to core 1. Rates are per CPU-second of all server processes together,
from the scheduler's own counters, so they do not depend on the load being fast enough.
"""
import json
import os
import sys
import tempfile
import time

from psk import measure_psk
from service import THREADS, Fleet, Server, drive, make_factory, openssl_speed, run, say

ROUNDS = 3


def load(build, server, devices, fleet, count, tls, mode, stride=1):
    """One run of enrolments by EST."""
    start = fleet.take(count if mode == "fresh" else THREADS)
    return drive(server, [f"{build}/bench/bench_load", str(server.port), devices, str(start * stride), str(stride),
                          str(THREADS), str(count), str(tls), mode])


def measure_round(build, server, devices, fleet, n):
    """The arithmetic floor, then both TLS versions: {"floor": per second, 12: figures, 13: figures}."""
    own = json.loads(run("taskset", "-c", "0", f"{build}/bench/bench_floor"))
    speed = openssl_speed()
    floor_us = 2 * speed["sign"] + 3 * speed["verify"] + speed["ecdh"] + own["keygen_p256_us"]
    figures = {"floor": 1e6 / floor_us}
    for tls in (12, 13):
        figures[tls] = load(build, server, devices, fleet, n, tls, "fresh")
    say(f"  round: floor {floor_us:.0f} us (2 signs, 3 verifies, 1 ECDH, 1 key generation), "
        f"TLS 1.2 {figures[12]['cpu_us']:.0f} us, TLS 1.3 {figures[13]['cpu_us']:.0f} us")
    return figures


def compare_sizes(build, scratch, quick, add):
    """CPU of an enrolment beside a thousand registered enrolees and beside a million."""
    small, large, n = (1000, 20000, 900) if quick else (1000, 1000000, 900)
    cost = {}
    for size in (small, large):
        place = f"{scratch}/{size}"
        os.makedirs(place)
        server = Server(build, place)
        devices = make_factory(server, place)
        fleet = Fleet(build, server)
        say(f"  registering {size} enrolees")
        fleet.register(size)
        server.start()
        try:
            runs = [load(build, server, devices, fleet, n // 3, 12, "fresh", size // 1000)["cpu_us"] for _ in range(3)]
        finally:
            server.stop()
        cost[size] = sorted(runs)[1]
        add(f"enrol_cpu_us_at_{size}", cost[size], "us", None, "median of three runs, each device new, spread over all")
    add("cost_1m_over_1k", cost[large] / cost[small], "ratio", None, f"{large} over {small} registered enrolees")


def main():
    build = os.path.abspath(sys.argv[1])
    quick = "--quick" in sys.argv
    results = []

    def add(name, value, unit, floor=None, how=""):
        ratio = None if floor is None else round(value / floor, 3)
        results.append({"name": name, "value": round(value, 3), "unit": unit,
                        "floor": None if floor is None else round(floor, 3), "ratio": ratio, "how": how})
        note = "" if ratio is None else f"   floor {floor:10.1f}   ratio {ratio:.2f}"
        say(f"  {name:<34} {value:12.2f} {unit:<14}{note}")

    with tempfile.TemporaryDirectory(prefix="openmef-bench.") as scratch:
        server = Server(build, scratch)
        try:
            devices = make_factory(server, scratch)
            fleet = Fleet(build, server)
            n = 1000 if quick else 4000
            fleet.register(2000 + 2 * ROUNDS * n)
            server.start()
            load(build, server, devices, fleet, 500, 13, "fresh")
            rounds = [measure_round(build, server, devices, fleet, n) for _ in range(ROUNDS)]
            for tls in (12, 13):
                # the machine's speed changes from minute to minute: floor and service are taken together
                mid = sorted(rounds, key=lambda r: r[tls]["per_cpu_s"] / r["floor"])[ROUNDS // 2]
                f = mid[tls]
                add(f"est_enrol_tls{tls}_per_cpu_s", f["per_cpu_s"], "per CPU-second", mid["floor"],
                    "fresh TCP, full mutual TLS, new device, fresh CSR, durable record; median round by ratio to its floor")
                add(f"est_enrol_tls{tls}_best_per_cpu_s", max(r[tls]["per_cpu_s"] for r in rounds), "per CPU-second",
                    max(r["floor"] for r in rounds), f"best of {ROUNDS} rounds, service and floor")
                add(f"est_enrol_tls{tls}_per_s", f["per_s"], "per second")
                add(f"est_enrol_tls{tls}_p50_ms", f["p50_ms"], "ms")
                add(f"est_enrol_tls{tls}_p99_ms", f["p99_ms"], "ms")
            speed = openssl_speed()
            f = load(build, server, devices, fleet, n, 13, "keep")
            add("est_keepalive_per_cpu_s", f["per_cpu_s"], "per CPU-second", 1e6 / (speed["sign"] + speed["verify"]),
                "one connection a thread; floor: 1 sign, 1 verify")
            server.stop()
            server.start()
            time.sleep(1)
            before = server.cpu_s()
            time.sleep(5)
            add("idle_cpu_ms_in_5_s", (server.cpu_s() - before) * 1e3, "ms")
            fresh = server.memory_mib()
            done, total = 0, 5000 if quick else 100000
            marks = {}
            for goal in (total // 10, total):
                load(build, server, devices, fleet, goal - done, 12, "keep")
                done = goal
                marks[goal] = server.memory_mib()
                for role, mib in marks[goal].items():
                    add(f"rss_mib_{role}_after_{goal}", mib, "MiB", None, f"at start {fresh.get(role, 0):.1f} MiB")
            add("rss_mib_after_100k", max(marks[total].values()), "MiB", None, "largest role")
            server.stop()
            compare_sizes(build, scratch, quick, add)
            measure_psk(build, scratch, quick, add)
        finally:
            server.stop()
    with open("bench-results.json", "w") as out:
        json.dump(results, out, indent=1)
    say("written: bench-results.json")


main()
