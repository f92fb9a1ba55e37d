#!/usr/bin/env python3
"""Measures the server: real binaries, real TLS, durable records, on loopback.

usage: bench/run.py BUILD-DIR [--quick]
Prints a table and writes bench-results.json in the current directory. The server's processes are
pinned to core 0 and the load to core 1. Rates are per CPU-second of all server processes together,
from the scheduler's own counters, so they do not depend on the load being fast enough.
"""
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

THREADS = 8
ROUNDS = 3


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def say(text):
    print(text, flush=True)


class Server:
    def __init__(self, build, scratch):
        self.openmef = f"{build}/src/openmef"
        self.dir = f"{scratch}/mef"
        run(self.openmef, "init", "--fqdn", "localhost", "--dir", self.dir,
            "--https", "127.0.0.1:0", "--http", "127.0.0.1:0")
        self.process = None

    def command(self, *words):
        return run(self.openmef, *words, "--dir", self.dir)

    def start(self):
        ports = f"{self.dir}/run/ports.json"
        if os.path.exists(ports):
            os.unlink(ports)
        log = open(f"{self.dir}/serve.log", "a")
        self.process = subprocess.Popen(["taskset", "-c", "0", self.openmef, "serve", "--dir", self.dir], stderr=log)
        for _ in range(200):
            if os.path.exists(ports) and os.path.getsize(ports):
                break
            time.sleep(0.05)
        self.port = first_port(json.load(open(ports)))
        time.sleep(0.5)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait()
            self.process = None

    def pids(self):
        children = run("pgrep", "-P", str(self.process.pid)).split()
        return [self.process.pid] + [int(p) for p in children]

    def cpu_s(self):
        """CPU seconds of every server process, by the scheduler's nanosecond counters."""
        total = 0
        for pid in self.pids():
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                total += int(open(path).read().split()[0])
        return total / 1e9

    def memory_mib(self):
        """Largest resident memory of each role."""
        found = {}
        for pid in self.pids():
            role = open(f"/proc/{pid}/cmdline").read().split("\0")[1]
            for line in open(f"/proc/{pid}/status"):
                if line.startswith("VmRSS"):
                    found[role] = max(found.get(role, 0), int(line.split()[1]) / 1024)
        return found


def first_port(ports):
    return int(ports["https"][0]["port"])


def make_factory(server, scratch):
    """The CA of a device maker; the server trusts it from its next start on."""
    at = f"{scratch}/factory"
    os.makedirs(at)
    run("openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{at}/ca.key")
    run("openssl", "req", "-x509", "-new", "-key", f"{at}/ca.key", "-subj", "/CN=Factory", "-days", "3650", "-sha256",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign", "-out", f"{at}/ca.pem")
    with open(f"{server.dir}/anchors/devices.pem", "a") as out:
        out.write(open(f"{at}/ca.pem").read())
    return at


class Fleet:
    """Devices registered so far; each is used once, so no run meets what another one warmed up."""

    def __init__(self, build, server):
        self.fill, self.server, self.registered, self.used = f"{build}/bench/bench_fill", server, 0, 0

    def register(self, total):
        if total > self.registered:
            run(self.fill, f"{self.server.dir}/openmef.db", str(self.registered), str(total))
            self.registered = total

    def take(self, count):
        start = self.used
        self.used += count
        if self.used > self.registered:
            sys.exit("bench: more devices wanted than registered")
        return start


def load(build, server, devices, fleet, count, tls, mode, stride=1):
    """One run; returns the load's figures with the server's CPU added."""
    start = fleet.take(count if mode == "fresh" else THREADS)
    process = subprocess.Popen(
        ["taskset", "-c", "1", f"{build}/bench/bench_load", str(server.port), devices, str(start * stride), str(stride), str(THREADS), str(count), str(tls), mode],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stderr.readline()  # "ready": requests are made, the clock starts
    before = server.cpu_s()
    out, err = process.communicate()
    after = server.cpu_s()
    figures = json.loads(out)
    if figures["bad"]:
        sys.exit(f"bench: {figures['bad']} enrolments failed: {err}")
    figures["cpu_us"] = (after - before) / figures["good"] * 1e6
    figures["per_cpu_s"] = 1e6 / figures["cpu_us"]
    return figures


def openssl_speed():
    """Sign, verify and ECDH of `openssl speed` in microseconds, for the same run."""
    text = run("taskset", "-c", "0", "openssl", "speed", "-mr", "-seconds", "1", "ecdsap256", "ecdhp256")
    found = {}
    for line in text.splitlines():
        part = line.split(":")
        if part[0] == "+F4" and part[2] == "256":
            found["sign"], found["verify"] = 1e6 / float(part[3]), 1e6 / float(part[4])
        if part[0] == "+F5" and part[2] == "256":
            found["ecdh"] = 1e6 / float(part[3])
    return found


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
        finally:
            server.stop()
    with open("bench-results.json", "w") as out:
        json.dump(results, out, indent=1)
    say("written: bench-results.json")


main()
