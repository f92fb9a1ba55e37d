#!/usr/bin/env python3
"""
No descriptor left: a front lets go of connections that only idle, else it rests instead of spinning,
tells the operator, and serves again as soon as one is free.
"""

import os
import resource
import socket
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _faults import skip, told  # noqa: E402
from _service import Service, check, wait_for  # noqa: E402

FILES = 64     # a front has some ten files open without any connection
CLIENTS = 120
LOOK_S = 2
CACERTS = "/.well-known/est/cacerts"


def cpu_s(pid):
	with open(f"/proc/{pid}/stat") as f:
		fields = f.read().rsplit(")", 1)[1].split()
	return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_files(pid):
	"""None: roles keep that from other processes of their user, not from root."""
	try:
		return len(os.listdir(f"/proc/{pid}/fd"))
	except PermissionError:
		return None


def set_files(pid, soft):
	"""As `ulimit -n` would have at the start."""
	hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
	resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft or hard, hard))


def busy_connections_make_it_rest(s, front):
	"""Clients that are in the middle of a handshake are not let go of."""
	clients = [socket.create_connection(("127.0.0.1", s.https), timeout=60) for _ in range(CLIENTS)]
	wait_for(lambda: "no descriptor for a connection" in s.log_text(), "the operator is told")
	before, lines = cpu_s(front), s.log_text().count("\n")
	time.sleep(LOOK_S)
	spent = cpu_s(front) - before
	# A front that spins takes all of the time or, among others, a good part of it; this one looks ten times a second.
	check(spent < LOOK_S / 4, f"{spent} s of processor time in {LOOK_S} s without a descriptor")
	check(s.log_text().count("\n") - lines <= 25 * (LOOK_S + 1), "the log is flooded")
	line = [line for line in s.log_text().split("\n") if "no descriptor for a connection" in line][0]
	check("OMEF-1760" in line and "Too many open files" in line, line)
	for c in clients:
		c.close()
	wait_for(lambda: s.ask("GET", CACERTS)[0] == 200, "served when descriptors are free")


def idle_connections_give_way(s):
	clients = []
	for _ in range(CLIENTS):
		c = s.connect()
		c.sendall(b"GET " + CACERTS.encode() + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		check(c.recv(4096).startswith(b"HTTP/1.1 200 "), f"client {len(clients)} of more than there are descriptors for")
		clients.append(c)
	for c in clients:
		c.close()


def main():
	with Service(sys.argv[1], {"fronts": "1", "signers": "1", "handshake_timeout": "60s"}) as s:
		s.start()
		front = s.roles()["front-0"]
		before = open_files(front)
		set_files(front, FILES)
		busy_connections_make_it_rest(s, front)
		idle_connections_give_way(s)
		set_files(front, None)
		if before is None:
			skip("no descriptor is lost", "needs root to count them")
		else:
			wait_for(lambda: open_files(front) == before, "no descriptor is lost")
		check(s.roles()["front-0"] == front, "the front is the same process")
		s.stop()
		check("outside its sandbox" not in s.log_text(), "a role was killed by its sandbox")
	told("no descriptors")


main()
