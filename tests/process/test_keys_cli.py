#!/usr/bin/env python3
"""Symmetric keys, preferences and tokens in the hands of an operator: what is stored, what is written, and what is never told."""

import base64
import json
import os
import pathlib
import re
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _commands import DONE, FAILED, NOT_FOUND, USAGE, Operator  # noqa: E402
from _service import Service, check  # noqa: E402

secrets = [] # every key and token of this test, as octets


def remember(key):
	secrets.append(key)
	return key


def key_in(path):
	"""The key that a command wrote: one line of hex, its owner's only."""
	text = pathlib.Path(path).read_text()
	check(re.fullmatch(r"[0-9A-F]{64}\n", text), f"{path}: no line of 64 digits")
	check(stat.S_IMODE(os.stat(path).st_mode) == 0o600, f"{path}: mode {os.stat(path).st_mode:o}")
	return remember(bytes.fromhex(text))


def secret_file(o, name, content):
	path = o.s.root / name
	path.write_bytes(content)
	path.chmod(0o600)
	return path


def node(name):
	return ("enrolee", "add", name, "--type", "node", "--entity", f"urn:example:{name}")


# ---- enrolee add

def a_key_is_made(o):
	added = o.json(*node("made"), "--psk", "made")
	check(added["psk"] == "made@localhost" and added["credentials"] == [], f"add: {added}")
	usual = o.s.dir / "secret/psk/made@localhost"
	check(added["psk_file"] == str(usual), f"where the key is: {added}")
	check(stat.S_IMODE(usual.parent.stat().st_mode) == 0o700, "the folder of keys")
	first = key_in(usual)
	out = o.s.root / "out.key"
	text = o.run(*node("made-2"), "--psk", "made-2@LOCALHOST", "--psk-out", out, "--credential", "serial=made-2")
	check(str(out) in text and "psk         made-2@localhost" in text and text.count("enrolee enrol --mef https://localhost") == 2, f"add: {text}")
	check(key_in(out) != first, "each key is its own")
	keys = o.json("enrolee", "show", "made")["keys"]
	check([(k["id"], k["kind"], k["owner"], k["expires"]) for k in keys] == [("made@localhost", "kpm", "made", None)], f"{keys}")
	check("kpm made@localhost, expires never" in o.run("enrolee", "show", "made"), "show in words")


def a_key_is_taken(o):
	for name, content, argv in (
			("hex", b"a1" * 16 + b"\n", ()),
			("hex-64", b"b2" * 64, ()),
			("base64", base64.b64encode(remember(b"base64 of a key!")), ()),
			("raw", remember(bytes(range(0xc0, 0xc0 + 33))), ()),
			("text", remember(b"these are the very octets"), ("--psk-format", "raw")),
			("plain64", base64.b64encode(remember(b"24 octets, hence no pad.")), ("--psk-format", "base64"))):
		o.run(*node(f"taken-{name}"), "--psk", f"taken-{name}", "--psk-from", secret_file(o, f"{name}.key", content), *argv)
		check(not (o.s.dir / f"secret/psk/taken-{name}@localhost").exists(), "a key that came from elsewhere is not written")
	secrets.extend((b"\xa1" * 16, b"\xb2" * 64))
	o.run(*node("taken-input"), "--psk", "taken-input", "--psk-from", "-", input="c3" * 20 + "\n")
	remember(b"\xc3" * 20)


def wrong_keys_are_refused(o):
	good = secret_file(o, "good.key", b"d4" * 16)
	remember(b"\xd4" * 16)
	for content, argv, told in (
			(b"d4" * 15, (), "16 to 64 octets"),
			(b"d4" * 65, (), "hexadecimal"),
			(b"d4" * 16 + b"d", (), "two for each octet"),
			(b"\xff" * 15, (), "16 to 64 octets"),
			(b"\xff" * 65, (), "16 to 64 octets"),
			(b"MTIzNDU2Nzg5MDEyMzQ1Ng=", (), "base64"),
			(b"a passphrase of some length", (), "say which"),
			(b"", (), "say which"),
			(b"x" * 2000, (), "")):
		out = o.run(*node("bad"), "--psk", "bad", "--psk-from", secret_file(o, "bad.key", content), *argv, want=FAILED, told=told)
		check(not content or content.decode("latin-1")[:8] not in out, "a refusal quotes no key")
	open_key = secret_file(o, "open.key", b"d4" * 16)
	open_key.chmod(0o640)
	psk = ("--psk", "bad")
	for argv, want, told in (
			(psk + ("--psk-from", open_key), FAILED, "chmod 600"),
			(psk + ("--psk-from", "/nonexistent"), NOT_FOUND, "/nonexistent"),
			(psk + ("--psk-from", good, "--psk-out", "x"), USAGE, "--psk-out"),
			(psk + ("--psk-from", good, "--psk-format", "pem"), USAGE, "hex, base64 or raw"),
			(psk + ("--psk-format", "hex"), USAGE, "--psk-from"),
			(("--credential", "serial=bad", "--psk-from", good), USAGE, "--psk KPMID"),
			(("--credential", "serial=bad", "--psk-out", "x"), USAGE, "--psk KPMID"),
			((), USAGE, "--psk KPMID"),
			(("--psk", "bad@elsewhere.example", "--psk-from", good), FAILED, "NAME@localhost"),
			(("--psk", "b d", "--psk-from", good), FAILED, "KpmId"),
			(("--psk", "", "--psk-from", good), FAILED, "KpmId"),
			(("--psk", "../../x", "--psk-from", good), FAILED, "KpmId"),
			(("--psk", "x" * 400, "--psk-from", good), FAILED, "KpmId"),
			(("--psk", "0123456789abcdef" * 2, "--psk-from", good), FAILED, "OMEF-21"),
			(psk + ("--psk-out", o.s.root / "no/such/folder"), FAILED, "no/such/folder")):
		o.run(*node("bad"), *argv, want=want, told=told)
	o.run("enrolee", "show", "bad", want=NOT_FOUND)


def nothing_is_overwritten_or_left(o):
	there = secret_file(o, "there.key", b"mine\n")
	o.run(*node("over"), "--psk", "over", "--psk-out", there, want=FAILED, told="OMEF-1926")
	check(there.read_bytes() == b"mine\n", "a file that exists")
	link = o.s.root / "link.key"
	link.symlink_to(o.s.root / "behind.key")
	o.run(*node("over"), "--psk", "over", "--psk-out", link, want=FAILED, told="OMEF-1926")
	check(not (o.s.root / "behind.key").exists(), "a link is not followed")
	# made's KpmId is taken: nothing of this enrolee may stay, nor the file of its key
	out = o.s.root / "undone.key"
	o.run(*node("over"), "--psk", "made", "--psk-out", out, want=FAILED)
	o.run(*node("made"), "--psk", "over", "--psk-out", out, want=FAILED, told="OMEF-1621")
	o.run(*node("over"), "--psk", "over", "--target", "cse1.example.com=21", "--psk-out", out, want=FAILED)
	check(not out.exists(), "the key of an enrolee that was not added")
	o.run("enrolee", "show", "over", want=NOT_FOUND)


def targets_become_preferences(o):
	o.run(*node("wanting"), "--psk", "wanting", "--target", "CSE1.example.com=saef,esprim", "--target", "app.example.com/ae/C1=24",
		"--maf", "maf.example.com=https://maf.example.com:8444", "--expiry", "30d", "--certificate", "never")
	key_in(o.s.dir / "secret/psk/wanting@localhost")
	prefs = json.loads(o.run("prefs", "show", "--enrolee", "wanting"))
	check(prefs["certificate"] == "never" and prefs["enrolmentExpiry"] == 30 * 86400, f"preferences: {prefs}")
	check([(t["id"], t["usages"]) for t in prefs["targets"]] == [("cse1.example.com", [22, 23]), ("app.example.com/ae/C1", [24])],
		f"targets: {prefs}")
	check([(m["fqdn"], m["uri"]) for m in prefs["mafs"]] == [("maf.example.com", "https://maf.example.com:8444")], f"mafs: {prefs}")
	shown = o.json("enrolee", "show", "wanting")
	check(json.loads(shown["preferences"]) == prefs, f"enrolee show: {shown}")
	for argv, told in (
			(("--target", "cse1"), "ID=USAGE"),
			(("--target", "cse1=colour"), "saef, esprim"),
			(("--maf", "=x"), "FQDN"),
			(("--expiry", "soon"), "expiry"),
			(("--certificate", "perhaps"), "never, offer or require")):
		o.run(*node("bad"), "--credential", "serial=bad", *argv, want=USAGE, told=told)
	for argv in (("--target", "cse1.example.com=21"), ("--expiry", "1s"), ("--maf", "maf.example.com=mailto:x")):
		o.run(*node("bad"), "--credential", "serial=bad", *argv, want=FAILED)
	o.run("enrolee", "show", "bad", want=NOT_FOUND)


# ---- key

def keys_are_added_listed_removed(o):
	out = o.s.root / "second.key"
	added = o.json("key", "add", "made", "--id", "second", "--make", "--out", out, "--expires", "90d")
	check(added["id"] == "second@localhost" and added["file"] == str(out) and added["expires"], f"key add: {added}")
	key_in(out)
	o.run("key", "add", "made", "--id", "third", "--from", "-", input="e5" * 32)
	remember(b"\xe5" * 32)
	for argv, want, told in (
			(("made", "--id", "third", "--make"), FAILED, ""),
			(("nobody", "--id", "fourth", "--make"), NOT_FOUND, "nobody"),
			(("made", "--make"), USAGE, "--id"),
			(("made", "--id", "x"), USAGE, "--make"),
			(("made", "--id", "x", "--make", "--from", "-"), USAGE, "one of them"),
			(("made", "--id", "x", "--from", "-", "--out", "y"), USAGE, "--out"),
			(("made", "--id", "x", "--make", "--expires", "0"), USAGE, "--expires"),
			(("made", "--id", "x", "--make", "--expires", "never"), USAGE, "--expires"),
			(("--id", "x", "--make"), USAGE, "ENROLEE")):
		o.run("key", "add", *argv, want=want, told=told)
	check(not (o.s.dir / "secret/psk/fourth@localhost").exists(), "the file of a key that was not added")
	rows = o.json("key", "list", "made")
	check([r["id"] for r in rows] == ["made@localhost", "second@localhost", "third@localhost"], f"key list: {rows}")
	check(set(rows[0]) == {"id", "kind", "owner", "created", "expires"}, f"what a row tells: {rows[0]}")
	everything = [r["id"] for r in o.json("key", "list", "--limit", "1000")]
	pages, after = [], []
	while True:
		page = [r["id"] for r in o.json("key", "list", "--kind", "kpm", "--limit", "2", *after)]
		pages += page
		if len(page) < 2:
			break
		after = ["--after", page[-1]]
	check(pages == everything and len(pages) > 8, f"pages: {pages}, all: {everything}")
	check(f"--kind kpm --after {everything[1]}" in o.run("key", "list", "--limit", "2"), "how to go on")
	check(o.json("key", "list", "--kind", "ke") == [], "no enrolment key yet")
	o.run("key", "list", "--kind", "rsa", want=USAGE, told="kpm, kre, ke")
	o.run("key", "list", "--after", "x", want=USAGE, told="--kind")
	check(o.json("key", "remove", "third@LOCALHOST")["state"] == "removed", "key remove")
	o.run("key", "remove", "third@localhost", want=NOT_FOUND, told="openmef key list")
	o.run("key", "remove", "third", want=USAGE, told="id")
	o.run("key", "remove", "second@localhost", "--kind", "ke", want=NOT_FOUND)
	o.run("enrolee", "remove", "made")
	check(o.json("key", "list", "made") == [], "keys go with their enrolee")


# ---- preferences

def preferences_are_set_and_shown(o):
	example = o.run("prefs", "example")
	builtin = o.run("prefs", "show", "--default")
	check(json.loads(builtin)["certificate"] == "offer", f"the built-in default: {builtin}")
	o.run("prefs", "set", "--default", "-", input=example)
	stored = json.loads(o.run("prefs", "show", "--default"))
	check(stored == json.loads(example), f"the example as it is stored: {stored}")
	path = o.s.root / "prefs.json"
	path.write_text('{"certificate": "require"}')
	check(o.json("prefs", "set", "--enrolee", "made-2", path) == {"scope": "enrolee", "id": "made-2", "state": "set"}, "prefs set --json")
	check(json.loads(o.run("prefs", "show", "--enrolee", "made-2"))["certificate"] == "require", "prefs set")
	for text, told in (
			("{", ""), ("[]", ""), ('{"certificate": "perhaps"}', "certificate"), ('{"colour": "red"}', "colour"),
			('{"targets": [{"id": "cse1.example.com", "usages": [21]}]}', "usages"), ('{"enrolmentExpiry": 1}', "enrolmentExpiry"),
			("x" * 20000, "")):
		path.write_text(text)
		out = o.run("prefs", "set", "--default", path, want=FAILED, told=told)
		check(not told or str(path) in out, f"the file is named: {out}")
	check(json.loads(o.run("prefs", "show", "--default")) == stored, "a wrong document changes nothing")
	for argv, want, told in (
			(("show",), USAGE, "--default, --enrolee ID or --token ID"),
			(("show", "--default", "--enrolee", "x"), USAGE, "one of them"),
			(("show", "--enrolee", "wanted"), NOT_FOUND, "prefs show --default"),
			(("show", "--token", "none"), NOT_FOUND, "OMEF-1930"),
			(("set", "--default", "/nonexistent"), NOT_FOUND, "/nonexistent"),
			(("remove", "--enrolee", "taken-hex"), NOT_FOUND, "")):
		o.run("prefs", *argv, want=want, told=told)
	path.write_text("{}")
	o.run("prefs", "set", "--enrolee", "nobody", path, want=NOT_FOUND)
	o.run("prefs", "remove", "--enrolee", "made-2", told="Removed the preferences of made-2")
	o.run("prefs", "show", "--enrolee", "made-2", want=NOT_FOUND)
	o.run("prefs", "remove", "--default")
	check(o.run("prefs", "show", "--default") == builtin, "the built-in default holds again")


# ---- tokens

def tokens_are_shown_once(o):
	now = time.time()
	made = o.json("token", "add", "made-2")
	check(re.fullmatch(r"[A-Z2-7]{26}", made["token"]) and made["enrolee"] == "made-2", "the token")
	remember(made["token"].encode())
	ends = time.mktime(time.strptime(made["expires"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
	check(abs(ends - now - 7 * 86400) < 600, f"seven days: {made['expires']}")
	quiet = o.run("token", "add", "--ttl", "12h", "--quiet")
	check(re.fullmatch(r"[A-Z2-7]{26}\n", quiet), "the token alone")
	remember(quiet.strip().encode())
	words = o.run("token", "add")
	remember(words.split("\n")[0].encode())
	check("shown once" in words and "openmef token remove" in words, "what to do with it")
	rows = o.json("token", "list")
	check(len(rows) == 3 and {r["state"] for r in rows} == {"unused"}, f"token list: {rows}")
	check(made["id"] in [r["id"] for r in rows], "the id of the list")
	first = o.json("token", "list", "--limit", "2")
	check(first + o.json("token", "list", "--after", first[-1]["id"]) == rows, "pages of tokens")
	check(f"--after {first[-1]['id']}" in o.run("token", "list", "--limit", "2"), "how to go on")
	for argv, want in ((("nobody",), NOT_FOUND), (("made-2", "--ttl", "soon"), USAGE), (("--ttl", "0"), USAGE), (("--ttl", "11y"), USAGE)):
		o.run("token", "add", *argv, want=want)
	o.run("prefs", "set", "--token", made["id"], "-", input="{}")
	o.run("prefs", "set", "--token", "nothing", "-", input="{}", want=NOT_FOUND)
	check(o.json("token", "remove", made["id"]) == {"id": made["id"], "state": "removed"}, "token remove")
	o.run("token", "remove", made["id"], want=NOT_FOUND)
	o.run("prefs", "show", "--token", made["id"], want=NOT_FOUND)


# ---- what nobody may see

def the_audit_log_tells_who_did_what(o):
	rows = [r["event"] for r in o.json("audit", "list", "--limit", "1000")]
	what = {r["what"] for r in rows}
	check(what >= {"key.added", "key.removed", "preferences.changed", "token.added", "token.removed"}, f"events: {what}")
	check(all(r["actor"] == "operator" for r in rows if r["what"].split(".")[0] in ("key", "token", "preferences")), "the actor")
	o.run("audit", "verify")


def no_secret_shows(o):
	"""In no output, error or event, and in no file but those that were asked for."""
	o.run("audit", "list", "--limit", "1000", "--json")
	asked = {o.s.root / "second.key", o.s.root / "out.key"}
	given = {p for p in o.s.root.iterdir() if p.suffix in (".key", ".json")}
	forms = set()
	for s in secrets:
		forms |= {s, s.hex().encode(), s.hex().upper().encode(), base64.b64encode(s)}
	told = o.told.encode()
	tokens = {s for s in secrets if re.fullmatch(rb"[A-Z2-7]{26}", s)}
	for form in forms:
		want = 1 if form in tokens else 0
		check(told.count(form) == want, f"a secret stands in the output {told.count(form)} times, want {want}")
		check(form not in o.argv.encode(), "a secret stands on a command line")
	for path in o.s.root.rglob("*"):
		if path.is_file() and path not in asked | given and path.parent.name != "psk":
			data = path.read_bytes()
			check(not any(f in data for f in forms), f"{path} holds a secret")


def main():
	with Service(sys.argv[1]) as s:
		o = Operator(s)
		for test in (a_key_is_made, a_key_is_taken, wrong_keys_are_refused, nothing_is_overwritten_or_left, targets_become_preferences,
				keys_are_added_listed_removed, preferences_are_set_and_shown, tokens_are_shown_once,
				the_audit_log_tells_who_did_what, no_secret_shows):
			start = time.monotonic()
			test(o)
			print(f"{test.__name__}: passed ({time.monotonic() - start:.1f} s)", flush=True)


main()
