#!/usr/bin/env python3
"""
A front taken over and its question for keys: what it may ask, what it learns, and what closes its channel. A front
that answers for a client must present the digest of the key that the client proved.
"""

import hashlib
import os
import socket
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _psk import Service, add_enrolee, check, no_fault, set_prefs  # noqa: E402
from _roles import FRONT, CALL, REPLY, Role, call, frame  # noqa: E402

PSK, PSK_KEY = 3, 4 # net/channels.h: CH_PSK, CH_PSK_KEY
IDENTITY_MAX = 320
PEER_PSK = 4


def ask(channel, number, identity):
	channel.send(frame(PSK, number, identity))
	got = channel.hear()
	check(got and got[:2] == (PSK_KEY, number), f"a key for {identity[:40]}: {got}")
	return got[2]


def every_identity_gets_a_key(registrar, known):
	"""A front learns the key of whom it can name, and cannot tell whom it named. docs/threat-model.md: What remains."""
	c = registrar.channel(FRONT)
	check(ask(c, 1, known[0].encode()) == known[1], "the key of a known identity")
	seen = set()
	for i, identity in enumerate((b"", b"x", b"\0", b"\xff" * 100, b"nobody@localhost", b"x" * IDENTITY_MAX)):
		key = ask(c, 10 + i, identity)
		check(len(key) == 32 and key != known[1], f"a key that nobody holds: {identity[:40]}")
		check(ask(c, 50 + i, identity) == key, "the same again, as a known one would get")
		seen.add(key)
	check(len(seen) == 6, "each has its own")
	for i in range(2000):
		c.send(frame(PSK, 1000 + i, b"flood-%d@localhost" % i))
	check(all(c.hear()[0] == PSK_KEY for _ in range(2000)), "a flood is answered in turn")
	c.close()
	registrar.lives("a flood of questions")


def frames_that_are_none_close_the_channel(registrar):
	for what, data in (("an identity of 321 octets", frame(PSK, 1, b"x" * (IDENTITY_MAX + 1))), ("a key instead of a question", frame(PSK_KEY, 1, b"k" * 32)),
			("a length of 4 GiB", struct.pack(">IHI", 0xffffffff, PSK, 1)), ("half a question", frame(PSK, 1, b"x" * 40)[:30])):
		c = registrar.channel(FRONT)
		c.send(data)
		try:
			c.c.shutdown(socket.SHUT_WR)
		except OSError:
			pass
		got = c.hear()
		check(got is None, f"{what}: the channel is closed, have {got}")
		c.close()
		registrar.lives(what)


def post(known, digest):
	body = b'{"certificateEnrolmentIndication":false,"mafEnrolmentIndication":false}'
	return call(method=3, path=b"/enrolment", media=b"application/json", trust=PEER_PSK, identity=known[0].encode(), anchor=digest,
		exported=os.urandom(96), body=body)


def whose_key_was_proven_must_be_said(registrar, known):
	c = registrar.channel(FRONT)
	for what, digest, want in (("its key", hashlib.sha256(known[1]).digest(), 200), ("no key", bytes(32), 403),
			("another key", hashlib.sha256(b"x").digest(), 403)):
		c.send(frame(CALL, 7, post(known, digest)))
		got = c.hear()
		check(got and got[0] == REPLY and struct.unpack(">H", got[2][:2])[0] == want, f"{what}: {got}")
	c.close()


def main():
	with Service(sys.argv[1]) as s:
		known = add_enrolee(s, "plain", "cse", "plain.m2m.example.com")
		set_prefs(s, {"certificate": "never"})
		with Role(s, "role-registrar") as registrar:
			every_identity_gets_a_key(registrar, known)
			frames_that_are_none_close_the_channel(registrar)
			whose_key_was_proven_must_be_said(registrar, known)
		check(known[1].hex() not in registrar.log_text() and "\0" not in registrar.log_text(), "the log names no key")
		no_fault(s)
	print("a front taken over: it asks, and is told no more than it could ask")


main()
