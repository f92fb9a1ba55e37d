#!/usr/bin/env python3
"""Hostile bytes: framing, paths, slow and many connections. Every time a clear status or a close; nobody else notices."""

import os
import re
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import warnings

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _attacks import CACERTS, HOST, Session, Watch, dial, hear, say, statuses  # noqa: E402
from _service import Service, check, wait_for  # noqa: E402

GET = b"GET /ca/issuing.cer HTTP/1.1\r\n" + HOST
POST = b"POST /.well-known/est/simpleenroll HTTP/1.1\r\n" + HOST + b"Content-Type: application/pkcs10\r\n"
NEXT = GET + b"\r\n" # what a smuggler hides behind the body
LIMITS = {"request_timeout": "6s", "handshake_timeout": "6s", "idle_timeout": "6s", "connections_per_source": "40", "fronts": "1"}


def framed(*fields, body=b""):
	return POST + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


def chunked(body):
	return framed(b"Transfer-Encoding: chunked", body=body)


# (what, the clause it rests on, bytes, admitted statuses)
REFUSED = [
	("both lengths", "RFC 9112 6.1", framed(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"), {400}),
	("both lengths, chunked first", "RFC 9112 6.1",
		framed(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"), {400}),
	("two different lengths", "RFC 9112 6.3", framed(b"Content-Length: 0", b"Content-Length: 44"), {400}),
	("the same length twice", "RFC 9112 6.3", framed(b"Content-Length: 0", b"Content-Length: 0"), {400}),
	("a list of lengths", "RFC 9112 6.3", framed(b"Content-Length: 0, 0"), {400}),
	("a signed length", "RFC 9110 8.6", framed(b"Content-Length: +0"), {400}),
	("a negative length", "RFC 9110 8.6", framed(b"Content-Length: -1"), {400}),
	("a hexadecimal length", "RFC 9110 8.6", framed(b"Content-Length: 0x0"), {400}),
	("an empty length", "RFC 9110 8.6", framed(b"Content-Length:"), {400}),
	("a length with a blank", "RFC 9110 8.6", framed(b"Content-Length: 1 0"), {400}),
	("a length past 64 bits", "RFC 9110 15.5.14", framed(b"Content-Length: 18446744073709551616"), {413}),
	("a length of 300 digits", "RFC 9110 15.5.14", framed(b"Content-Length: " + b"9" * 300), {413}),
	("one byte more than body_max", "RFC 9110 15.5.14", framed(b"Content-Length: 65537"), {413}),
	("no length", "RFC 9112 6.3", framed(), {411}),
	("chunked twice", "RFC 9112 6.1", framed(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), {400}),
	("chunked, identity", "RFC 9112 6.1", framed(b"Transfer-Encoding: chunked, identity"), {501}),
	("xchunked", "RFC 9112 6.1", framed(b"Transfer-Encoding: xchunked"), {501}),
	("chunked behind a vertical tab", "RFC 9110 5.5", framed(b"Transfer-Encoding: \x0bchunked"), {400}),
	("chunked in HTTP/1.0", "RFC 9112 6.1",
		chunked(b"0\r\n\r\n").replace(b"HTTP/1.1", b"HTTP/1.0"), {400}),
	("a chunk of 2^64 - 1", "RFC 9112 7.1", chunked(b"ffffffffffffffff\r\n"), {400, 413}),
	("a chunk of 2^64 + 5", "RFC 9112 7.1", chunked(b"10000000000000005\r\nhello\r\n"), {400, 413}),
	("a negative chunk", "RFC 9112 7.1", chunked(b"-5\r\nhello\r\n0\r\n\r\n"), {400}),
	("a chunk written 0x5", "RFC 9112 7.1", chunked(b"0x5\r\nhello\r\n0\r\n\r\n"), {400}),
	("a chunk without size", "RFC 9112 7.1", chunked(b"\r\nhello\r\n0\r\n\r\n"), {400}),
	("a chunk size ended by LF", "RFC 9112 2.2", chunked(b"5\nhello\r\n0\r\n\r\n"), {400}),
	("a chunk longer than its size", "RFC 9112 7.1", chunked(b"3\r\nhello\r\n0\r\n\r\n"), {400}),
	("a chunk line of 300 bytes", "RFC 9112 7.1.1", chunked(b"5;" + b"x" * 300 + b"\r\nhello\r\n0\r\n\r\n"), {400}),
	("chunks past body_max", "RFC 9110 15.5.14", chunked(b"8000\r\n" + b"M" * 32768 + b"\r\n8001\r\n"), {413}),
	("a trailer without end", "RFC 6585 5", chunked(b"0\r\n" + b"a: b\r\n" * 65), {431}),
	("lines ended by LF", "RFC 9112 2.2", NEXT.replace(b"\r\n", b"\n"), {400}),
	("one line ended by LF", "RFC 9112 2.2", GET + b"X: y\n\r\n", {400}),
	("a CR within a line", "RFC 9112 2.2", GET + b"X: y\rTransfer-Encoding: chunked\r\n\r\n", {400}),
	("a folded line", "RFC 9112 5.2", GET + b"X: y\r\n z\r\n\r\n", {400}),
	("a NUL in a value", "RFC 9110 5.5", GET + b"X: y\x00z\r\n\r\n", {400}),
	("a NUL in a name", "RFC 9112 5.1", GET + b"X\x00: y\r\n\r\n", {400}),
	("a blank before the colon", "RFC 9112 5.1", framed(b"Content-Length : 0"), {400}),
	("a field without colon", "RFC 9112 5.1", GET + b"X\r\n\r\n", {400}),
	("a field without name", "RFC 9112 5.1", GET + b": y\r\n\r\n", {400}),
	("a head of 17 KiB", "RFC 6585 5", GET + b"X: " + b"y" * 17 * 1024 + b"\r\n\r\n", {431}),
	("65 fields", "RFC 6585 5", GET + b"X: y\r\n" * 64 + b"\r\n", {431}),
	("a body with GET", "RFC 9110 9.3.1", GET + b"Content-Length: 5\r\n\r\nhello", {400}),
	("no Host", "RFC 9112 3.2", b"GET " + CACERTS.encode() + b" HTTP/1.1\r\n\r\n", {400}),
	("two Hosts", "RFC 9112 3.2", GET + b"Host: elsewhere\r\n\r\n", {400}),
	("a Host with a user", "RFC 9110 4.2.4", b"GET / HTTP/1.1\r\nHost: a@localhost\r\n\r\n", {400}),
	("another host in the target", "RFC 9112 3.2.2",
		b"GET http://elsewhere.example/crl/issuing.crl HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("a user in the target", "RFC 9110 4.2.4", b"GET http://a@localhost/ HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("a target of 1025 bytes", "RFC 9112 3", b"GET /" + b"a" * 1024 + b" HTTP/1.1\r\n" + HOST + b"\r\n", {414}),
	("a request line without end", "RFC 9112 3", b"GET /" + b"a" * 20000, {414}),
	("a target with a raw byte", "RFC 9112 3.2", b"GET /\xc0\xae\xc0\xae/ HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("a target with %zz", "RFC 9112 3.2", b"GET /%zz HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("a target with a fragment", "RFC 9112 3.2", b"GET /#x HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("two blanks in the request line", "RFC 9112 3", b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", {400}),
	("a method of lower case", "RFC 9110 9.1", b"get / HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
	("CONNECT", "RFC 9110 9.1", b"CONNECT localhost:22 HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
	("TRACE", "RFC 9110 9.1", b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
	("OPTIONS *", "RFC 9110 9.1", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", {501}),
	("the preface of HTTP/2", "RFC 9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", {501, 505}),
	("HTTP/2.0", "RFC 9110 15.6.6", b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", {505}),
	("HTTP/0.9", "RFC 9112 3", b"GET /\r\n", {400}),
	("an unknown expectation", "RFC 9110 10.1.1", GET + b"Expect: the-unexpected\r\n\r\n", {417}),
	("noise", "RFC 9112 3", b"\x00\xff\xfe\x01" * 64, {400}),
]


def connections(s):
	"""The two ports, each as a way to connect."""
	yield "https", lambda: s.context().wrap_socket(dial(s.https), server_hostname="localhost")
	yield "http", lambda: dial(s.http)


def every_bad_frame_is_refused_and_hides_nothing(s):
	for what, clause, data, want in REFUSED:
		for port, connect in connections(s):
			with connect() as c:
				say(c, data + NEXT)
				got = hear(c)
			have = statuses(got)
			check(len(have) == 1 and have[0] in want, f"{what} ({clause}) on {port}: want {want} and no more, have {got[:300]}")
			check(b"Connection: close" in got, f"{what} on {port}: the connection is told to close")


def a_good_request_is_answered_before_the_garbage_behind_it(s):
	for port, connect in connections(s):
		for garbage in (b"\x16\x03\x01", b"GARBAGE\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"):
			with connect() as c:
				say(c, NEXT + NEXT + garbage)
				have = statuses(hear(c))
			check(len(have) == 3 and have[:2] == [have[0]] * 2 and have[0] == 200 and have[2] in (400, 501),
				f"garbage {garbage} behind two requests on {port}: {have}")


def half_closed_connections_get_their_answer(s):
	c = dial(s.http)
	c.sendall(b"GET /ca/issuing.cer HTTP/1.1\r\n" + HOST + b"\r\n")
	c.shutdown(socket.SHUT_WR)
	check(statuses(hear(c)) == [200], "an answer to a half-closed connection")
	c = dial(s.http)
	c.sendall(b"GET /ca/issuing.cer HTT")
	c.shutdown(socket.SHUT_WR)
	check(hear(c) == b"", "half a request is no request")


def a_reset_in_the_middle_disturbs_nobody(s):
	for _ in range(20):
		c = dial(s.http)
		c.sendall(b"GET /crl/issuing.crl HTTP/1.1\r\n" + HOST + b"\r\n")
		c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		c.close()


def dripped(c, data):
	"""Byte by byte, each well within every timeout for silence; b"" when the other end never spoke. None: no end."""
	end = time.monotonic() + 100
	got = b""
	c.settimeout(0.1)
	for i in range(len(data)):
		try:
			c.sendall(data[i:i + 1])
			got += c.recv(65536)
			break
		except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
			break
		except (socket.timeout, ssl.SSLError):
			if time.monotonic() > end:
				return None
	c.settimeout(60)
	return got + hear(c)


def client_hello(s):
	out = ssl.MemoryBIO()
	tls = s.context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
	try:
		tls.do_handshake()
	except ssl.SSLWantReadError:
		pass
	return out.read()


def slow_and_silent_clients_meet_a_deadline(s):
	"""RFC 9110 15.5.9. All at once, since waiting is all they do."""
	long_head, long_body = GET + b"X: " + b"y" * 1000, chunked(b"1000\r\n" + b"M" * 1000)
	clients, heard, want = [], {}, {}
	for port, connect in connections(s):
		for what, data in (("a dripped head", long_head), ("a dripped body", long_body), ("silence", b"")):
			clients.append((f"{what} on {port}", connect(), data))
			want[clients[-1][0]] = [408] if data else []
	for what, data in (("a dripped handshake", client_hello(s)), ("the head of a record", b"\x16\x03\x01\x00\xf0")):
		clients.append((what, dial(s.https), data))
		want[what] = []

	def wait(what, c, data):
		heard[what] = dripped(c, data)
		c.close()

	threads = [threading.Thread(target=wait, args=client) for client in clients]
	for thread in threads:
		thread.start()
	for thread in threads:
		thread.join()
	for what, statuses_wanted in want.items():
		got = heard.get(what)
		check(got is not None and statuses(got) == statuses_wanted, f"{what}: want {statuses_wanted} and the end, have {got}")


def each_port_speaks_one_language(s):
	c = dial(s.https)
	say(c, NEXT)
	check(b"HTTP/1.1 200" not in hear(c), "no HTTP without TLS on the TLS port")
	c = dial(s.http)
	try:
		s.context().wrap_socket(c, server_hostname="localhost")
		check(False, "no TLS on the plain port")
	except (ssl.SSLError, ConnectionError):
		c.close()
	status = s.ask_plain(CACERTS)[0]
	check(status in (400, 403), f"EST without TLS (RFC 7030 3.3): {status}")


def old_tls_is_not_spoken(s):
	warnings.simplefilter("ignore", DeprecationWarning) # of the old versions, which are the point here
	for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
		context = s.context()
		context.set_ciphers("ALL:@SECLEVEL=0")
		context.minimum_version = context.maximum_version = version
		try:
			context.wrap_socket(dial(s.https), server_hostname="localhost")
			check(False, f"{version} (RFC 8996) is refused")
		except ssl.SSLError as e:
			check("PROTOCOL_VERSION" in (e.reason or ""), f"{version}: {e}")


def sessions_are_neither_renegotiated_nor_resumed(s):
	"""RFC 5929 and RFC 9266 bind challenges to sessions that are one handshake each"""
	kept = s.root / "session"
	for version, words in (("-tls1_2", b"R\n"), ("-tls1_3", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")):
		done = subprocess.run(["openssl", "s_client", version, "-connect", f"127.0.0.1:{s.https}", "-servername", "localhost",
			"-CAfile", s.dir / "ca" / "root.cert.pem", "-brief", "-sess_out", kept], input=words, capture_output=True, timeout=60)
		check(b"Verification: OK" in done.stderr, f"{version}: {done.stderr}")
		if version == "-tls1_2":
			check(b"no renegotiation" in done.stderr, f"a renegotiation is refused: {done.stderr}")
	check(not kept.exists() or b"Session-ID: \n" in subprocess.run(["openssl", "sess_id", "-in", kept, "-noout", "-text"],
		capture_output=True).stdout, "no session to come back to")


# (method, target, clause, admitted statuses)
PATHS = [
	("GET", "/.well-known/est/../est/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/../../etc/passwd", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/%2e%2e/%2e%2e/openmef.conf", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/..%2fcacerts", "RFC 7030 3.2.2", {404}),
	("GET", "//.well-known/est/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known//est/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est//cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/cacerts/", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/./cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/%63acerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.WELL-KNOWN/est/cacerts", "RFC 3986 6.2.2.1", {404}),
	("GET", "/.well-known/est", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/nolabel/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/'%3bDROP%20TABLE%20enrolee/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/" + "l" * 900 + "/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/a/b/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/cacerts/cacerts", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/serverkeygen", "RFC 7030 3.2.2", {404, 405}),
	("GET", "/.well-known/est/fullcmc", "RFC 7030 3.2.2", {404, 405}),
	("GET", "/.well-known/est/cacerts;x=y", "RFC 7030 3.2.2", {404}),
	("GET", "/.well-known/est/cacerts%00", "RFC 7030 3.2.2", {404}),
	("GET", "/ca/../secret/master.key", "RFC 9110 15.5.5", {404}),
	("GET", "/ca/issuing.key.pem", "RFC 9110 15.5.5", {404}),
	("GET", "/crl/issuing.crl/../../openmef.db", "RFC 9110 15.5.5", {404}),
	("GET", "/.well-known/est/cacerts?" + "q" * 900, "RFC 9110 4.2.1", {200}),
	("GET", "https://localhost/.well-known/est/cacerts", "RFC 9112 3.2.2", {200}),
	("POST", CACERTS, "RFC 7030 3.2.2", {405}),
	("PUT", CACERTS, "RFC 7030 3.2.2", {405}),
	("DELETE", "/.well-known/est/simpleenroll", "RFC 7030 3.2.2", {405}),
	("GET", "/.well-known/est/simpleenroll", "RFC 7030 3.2.2", {405}),
	("DELETE", "/crl/issuing.crl", "RFC 9110 15.5.6", {405}),
	("POST", "/ca/issuing.cer", "RFC 9110 15.5.6", {405}),
]


def only_the_paths_that_exist_exist(s):
	for method, target, clause, want in PATHS:
		with Session(s) as session:
			status, body = session.ask(method, target)
		check(status in want, f"{method} {target[:60]} ({clause}): want {want}, have {status} {body[:200]}")


def refusals_tell_no_secrets_of_the_house(s):
	bodies = []
	for method, target, _, want in PATHS:
		with Session(s) as session:
			status, body = session.ask(method, target)
		if status != 200:
			bodies.append(body)
	for _, _, data, _ in REFUSED:
		c = dial(s.http)
		say(c, data)
		c.shutdown(socket.SHUT_WR)
		bodies.append(hear(c))
	for body in bodies:
		leak = re.search(rb"openmef-test|/tmp/|/var/|\.[ch]:\d|\.db\b.*sqlite|PRIVATE|0x[0-9a-f]{8}", body.replace(b"openmef.db'", b""))
		check(not leak, f"a refusal tells {leak and leak.group()}: {body}")


def a_flood_from_one_source_is_cut_there(s):
	held = [dial(s.https) for _ in range(40)]
	refused = 0
	for _ in range(30):
		c = dial(s.https)
		refused += hear_at_once(c) == b""
		c.close()
	check(refused == 30, f"connections past connections_per_source are closed at once: {refused} of 30")
	with Session(s, source="127.0.0.3") as other:
		check(other.ask("GET", CACERTS)[0] == 200, "another source is served")
	for c in held:
		c.close()

	def served():
		try:
			with Session(s) as session:
				return session.ask("GET", CACERTS)[0] == 200
		except OSError:
			return False

	wait_for(served, "the source is served again once it lets go")


def hear_at_once(c):
	c.settimeout(20)
	try:
		return c.recv(1)
	except ConnectionError:
		return b""


def requests_by_the_thousand_are_answered_in_order(s):
	with dial(s.http) as c:
		many = b"GET /ca/issuing.cer HTTP/1.1\r\n" + HOST + b"\r\n"
		c.sendall(many * 500)
		c.shutdown(socket.SHUT_WR)
		check(statuses(hear(c)) == [200] * 500, "500 pipelined requests")


CASES = [
	every_bad_frame_is_refused_and_hides_nothing,
	a_good_request_is_answered_before_the_garbage_behind_it,
	half_closed_connections_get_their_answer,
	a_reset_in_the_middle_disturbs_nobody,
	slow_and_silent_clients_meet_a_deadline,
	each_port_speaks_one_language,
	old_tls_is_not_spoken,
	sessions_are_neither_renegotiated_nor_resumed,
	only_the_paths_that_exist_exist,
	refusals_tell_no_secrets_of_the_house,
	a_flood_from_one_source_is_cut_there,
	requests_by_the_thousand_are_answered_in_order,
]


def main():
	with Service(sys.argv[1], LIMITS) as s:
		s.start()
		wait_for(lambda: s.ask_plain("/crl/issuing.crl")[0] == 200, "a CRL")
		for case in CASES:
			if len(sys.argv) > 2 and sys.argv[2] not in case.__name__:
				continue
			began = time.monotonic()
			with Watch(s):
				case(s)
			print(f"{case.__name__}: good ({time.monotonic() - began:.1f} s)", flush=True)
		s.stop()


main()
