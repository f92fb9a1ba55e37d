"""What the measurements share: the service under load, devices, the arithmetic floor."""
import glob
import json
import os
import signal
import subprocess
import sys
import time

THREADS = 8


def run(*command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def say(text):
    print(text, flush=True)


class Server:
    """One `openmef serve`; without a directory that exists it makes an MEF."""

    def __init__(self, build, scratch, existing=None):
        self.openmef = f"{build}/src/openmef"
        self.dir = existing or f"{scratch}/mef"
        if not existing:
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

    def register(self, total, psk=False):
        if total > self.registered:
            keys = [f"file:{self.server.dir}/secret/master.key"] if psk else []
            run(self.fill, f"{self.server.dir}/openmef.db", str(self.registered), str(total), *keys)
            self.registered = total

    def take(self, count):
        start = self.used
        self.used += count
        if self.used > self.registered:
            sys.exit("bench: more devices wanted than registered")
        return start


def openssl_speed():
    """Sign, verify and ECDH of `openssl speed` in microseconds, for the same run."""
    text = run("taskset", "-c", "0", "openssl", "speed", "-mr", "-seconds", "1", "ecdsap256", "ecdhp256", "ecdhx25519")
    found = {}
    for line in text.splitlines():
        part = line.split(":")
        if part[0] == "+F4" and part[2] == "256":
            found["sign"], found["verify"] = 1e6 / float(part[3]), 1e6 / float(part[4])
        if part[0] == "+F5" and part[2] == "256":
            found["ecdh"] = 1e6 / float(part[3])
        if part[0] == "+F5" and part[2] == "253":
            found["x25519"] = 1e6 / float(part[3])
    return found


def drive(server, command):
    """Runs a load generator on core 1; its figures with the servers' CPU added. server: one or a list."""
    servers = server if isinstance(server, list) else [server]
    process = subprocess.Popen(["taskset", "-c", "1", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    first = process.stderr.readline()  # "ready": requests are made, the clock starts
    before = sum(s.cpu_s() for s in servers)
    out, err = process.communicate()
    after = sum(s.cpu_s() for s in servers)
    figures = json.loads(out or '{"bad": 1}')
    if figures["bad"]:
        sys.exit(f"bench: {figures['bad']} failed: {first}{err}")
    figures["cpu_us"] = (after - before) / figures["good"] * 1e6
    figures["per_cpu_s"] = 1e6 / figures["cpu_us"]
    return figures
