"""The client's side of a TLS 1.2 handshake by pre-shared key, written by hand: what no library would send."""

import os

from _attacks import dial, hear, say
from _psk import check, records

ALERT, HANDSHAKE = 21, 22


def record(kind, content):
	return bytes([kind, 3, 3]) + len(content).to_bytes(2, "big") + content


def message(kind, body):
	return bytes([kind]) + len(body).to_bytes(3, "big") + body


def hello(name, suites=(0x00ae,)):
	sni = b"\0\0" + (len(name) + 5).to_bytes(2, "big") + (len(name) + 3).to_bytes(2, "big") + b"\0" + len(name).to_bytes(2, "big") + name
	extensions = sni + b"\0\x17\0\0" # RFC 7627
	body = (b"\3\3" + os.urandom(32) + b"\0" + (2 * len(suites)).to_bytes(2, "big") + b"".join(s.to_bytes(2, "big") for s in suites)
		+ b"\1\0" + len(extensions).to_bytes(2, "big") + extensions)
	return record(HANDSHAKE, message(1, body))


def begin(s, source="127.0.0.1", name=b"localhost"):
	"""A connection on which the server has said ServerHelloDone."""
	c = dial(s.https, source)
	c.sendall(hello(name))
	got = b""
	while message(14, b"") not in got:
		more = c.recv(65536)
		check(more, f"a ServerHelloDone, have {got}")
		got += more
	return c


def show(c, identity):
	say(c, record(HANDSHAKE, message(16, len(identity).to_bytes(2, "big") + identity)))


def by_hand(s, identity, **how):
	"""The alert that answers an identity and a Finished that nobody could have made."""
	c = begin(s, **how)
	show(c, identity)
	say(c, record(20, b"\1") + record(HANDSHAKE, bytes(range(80))))
	got = records(hear(c))
	c.close()
	check(got and got[-1][0] == ALERT, f"{identity[:40]}: want an alert, have {got}")
	return got
