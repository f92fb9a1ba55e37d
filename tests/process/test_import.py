#!/usr/bin/env python3
"""`openmef enrolee import`: rows good and bad, many rows, an import that is killed, keys in and out."""

import csv
import io
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _commands import DONE, FAILED, NOT_FOUND, USAGE, Operator  # noqa: E402
from _service import Service, check, wait_for  # noqa: E402

MANY = 10000
COLUMNS = ["id", "type", "entity", "label", "credential", "psk_id", "psk", "targets", "mafs", "expiry"]


def table(rows, columns=COLUMNS):
	out = io.StringIO()
	writer = csv.writer(out)
	writer.writerow(columns)
	for row in rows:
		writer.writerow([row.get(c, "") for c in columns])
	return out.getvalue()


def put(o, name, text, mode=0o600):
	path = o.s.root / name
	path.write_text(text, newline="")
	path.chmod(mode)
	return path


def load(o, *argv, want=DONE, told=None, **more):
	"""Results by line, and the summary."""
	out = o.run("enrolee", "import", *argv, "--json", want=want, told=told, **more)
	rows = [json.loads(line) for line in out.split("\n") if line.startswith("{")]
	check(rows and rows[-1]["result"] == "summary", f"no summary: {out[-300:]}")
	return {r["line"]: r for r in rows[:-1]}, rows[-1]


def node(i, **more):
	return {"id": f"n{i}", "type": "node", "entity": f"urn:example:n:{i}", **more}


def registered(o):
	with sqlite3.connect(f"file:{o.s.dir}/openmef.db?mode=ro", uri=True) as db:
		return db.execute("select count(*) from enrolee").fetchone()[0]


# ----

def takes_every_column(o):
	key = "0f" * 32
	path = put(o, "all.csv", table([
		node(1, label='Pump "A",\r\nroom 7', credential="serial=SN-1;key=sha-256;" + "A" * 43, psk_id="n1", psk=key,
			targets="cse1.example.com=saef|esprim;app.example.com/ae/C1=24", mafs="maf.example.com=https://maf.example.com:8444",
			expiry="30d"),
		{"id": "c1", "type": "cse", "entity": "gw.example.com", "credential": "fqdn=gw.example.com"},
	]))
	rows, summary = load(o, path)
	check(summary == {"result": "summary", "rows": 2, "added": 2, "exists": 0, "refused": 0, "dry_run": False}, f"{summary}")
	check(rows[2] == {"line": 2, "id": "n1", "result": "added"} and rows[4]["id"] == "c1", f"rows: {rows}")
	shown = o.json("enrolee", "show", "n1")
	check(shown["label"] == 'Pump "A",\r\nroom 7' and len(shown["credentials"]) == 2, f"shown: {shown}")
	check([k["id"] for k in shown["keys"]] == ["n1@localhost"], f"keys: {shown}")
	prefs = json.loads(shown["preferences"])
	check(prefs["enrolmentExpiry"] == 30 * 86400 and len(prefs["targets"]) == 2 and prefs["mafs"][0]["fqdn"] == "maf.example.com",
		f"preferences: {prefs}")
	check(key not in o.told and key.upper() not in o.told, "the key in the output")


def takes_json_lines(o):
	text = "\n".join(json.dumps(r) for r in (
		{"id": "j1", "type": "fqdn", "entity": "j1.example.com", "credential": ["serial=J1", "fqdn=j1.example.com"], "label": "Größe"},
		{"id": "j2", "type": "fqdn", "entity": "j2.example.com", "psk_id": "j2", "psk": "ZjI0IG9jdGV0cyBvZiBiYXNlNjQ=",
			"targets": ["cse1.example.com=saef"]}))
	rows, summary = load(o, put(o, "rows.jsonl", text))
	check(summary["added"] == 2, f"{rows}")
	check(len(o.json("enrolee", "show", "j1")["credentials"]) == 2, "a list of credentials")
	rows, summary = load(o, "-", "--format", "jsonl", "--resume", input=text)
	check(summary["exists"] == 2 and rows[1]["result"] == "exists", f"from standard input: {rows}")
	o.run("enrolee", "import", "-", "--format", "xml", want=USAGE, told="csv or jsonl", input="")


def a_bad_row_undoes_only_itself(o):
	good = [node(i, credential=f"serial=B{i}") for i in range(100, 104)]
	bad = [
		(node(200), "OMEF-1920", "credential or a psk_id"),
		(node(201, type="pump", credential="serial=b201"), "OMEF-1920", "type: want node"),
		(node(202, id="a b", credential="serial=b202"), "OMEF-", "a b"),
		(node(203, entity="pump", credential="serial=b203"), "OMEF-", "node"),
		(node(204, credential="imei=1"), "OMEF-1929", "serial="),
		(node(205, credential="serial=B100"), "OMEF-1624", ""),
		(node(100, credential="serial=b206"), "OMEF-1621", ""),
		(node(206, entity="urn:example:n:100", credential="serial=b206"), "OMEF-1622", ""),
		(node(207, psk="00" * 16, credential="serial=b207"), "OMEF-1920", "psk_id"),
		(node(208, psk_id="n208", psk="00" * 15), "OMEF-1925", "16 to 64"),
		(node(209, psk_id="n209", psk="hunter2 hunter2 hunter2"), "OMEF-1925", "hexadecimal"),
		(node(210, psk_id="n210@elsewhere", psk="00" * 16), "OMEF-1931", "localhost"),
		(node(211, psk_id="n1", psk="00" * 16), "OMEF-", ""),
		(node(212, psk_id="n212"), "OMEF-1920", "--psk-dir"),
		(node(213, credential="serial=b213", targets="cse1"), "OMEF-1927", "ID=USAGE"),
		(node(214, credential="serial=b214", targets="cse1.example.com=21"), "OMEF-", ""),
		(node(215, credential="serial=b215", expiry="soon"), "OMEF-1012", "expiry"),
		(node(216, credential="serial=b216", label="x" * 200), "OMEF-", "label"),
		(node(217, credential=";".join(f"serial=b217-{i}" for i in range(17))), "OMEF-1922", "16"),
	]
	rows = [good[0]] + [b[0] for b in bad[:8]] + [good[1]] + [b[0] for b in bad[8:]] + [good[2]]
	text = table(rows) + 'x"y,node\n' + table([good[3]]).split("\n", 1)[1]
	got, summary = load(o, put(o, "bad.csv", text), want=FAILED, told="OMEF-1924")
	check(summary["added"] == 4 and summary["refused"] == len(bad) + 1, f"{summary}")
	for line, row in enumerate(rows, 2):
		match = [b for b in bad if b[0] is row]
		r = got[line]
		check(r["id"] == row["id"] and r["result"] == ("refused" if match else "added"), f"line {line}: {r}")
		if match:
			check(r["code"].startswith(match[0][1]) and match[0][2] in r["reason"], f"line {line}: want {match[0][1:]}, have {r}")
	check("hunter2" not in o.told, "a refused key is not quoted")
	for i in (200, 205, 207, 208, 211, 214):
		o.run("enrolee", "show", f"n{i}", want=NOT_FOUND)
	kept = {k["id"] for k in o.json("key", "list", "--limit", "1000")}
	check(kept == {"n1@localhost", "j2@localhost"}, f"keys: {kept}")
	again = o.run("enrolee", "import", o.s.root / "bad.csv", "--quiet", want=FAILED)
	check(again.count(" refused OMEF-") == len(rows) + 2 and " added" not in again, f"--quiet: {again}")


def a_wrong_file_is_refused_whole(o):
	before = registered(o)
	for text, told in (("", "empty"), ("id;type;entity\n", "column 1"), ("id,type\n", "'entity'"), ("id,type,entity,id\n", "once"),
			("id,type,entity,imei\n", "imei")):
		o.run("enrolee", "import", put(o, "wrong.csv", text), want=FAILED, told=told)
	o.run("enrolee", "import", "/nonexistent", want=NOT_FOUND, told="/nonexistent")
	o.run("enrolee", "import", o.s.root, want=FAILED)
	o.run("enrolee", "import", want=USAGE, told="FILE")
	check(registered(o) == before, "nothing was added")
	# a quote that is never closed: rows before it are kept, nothing behind it is taken for a row
	text = table([node(300, credential="serial=b300")]) + '"n301,node\n' + table([node(302, credential="serial=b302")]).split("\n", 1)[1]
	rows, summary = load(o, put(o, "open.csv", text), want=FAILED, told="OMEF-1923")
	check(summary["added"] == 1 and list(rows) == [2], f"{rows} {summary}")
	o.run("enrolee", "show", "n300")
	o.run("enrolee", "show", "n302", want=NOT_FOUND)


def an_open_file_of_keys_is_refused(o):
	text = table([node(400, credential="serial=b400"), node(401, psk_id="n401", psk="ab" * 16)])
	o.run("enrolee", "import", put(o, "keys.csv", text, 0o644), want=FAILED, told="chmod 600")
	o.run("enrolee", "show", "n400", want=NOT_FOUND) # the batch was undone
	rows, summary = load(o, put(o, "keys.csv", text))
	check(summary["added"] == 2, f"{rows}")
	rows, _ = load(o, put(o, "plain.csv", table([node(402, credential="serial=b402")]), 0o644))
	check(rows[2]["result"] == "added", "a file without keys may be read by all")


def a_dry_run_stores_nothing(o):
	before = registered(o)
	text = table([node(500, psk_id="n500"), node(501), node(1, credential="serial=x")])
	rows, summary = load(o, put(o, "dry.csv", text), "--dry-run", "--psk-dir", o.s.root / "dry", want=FAILED)
	check([rows[i]["result"] for i in (2, 3, 4)] == ["added", "refused", "refused"] and summary["dry_run"], f"{rows}")
	check(registered(o) == before and not (o.s.root / "dry").exists(), "something was stored")


def made_keys_go_to_their_folder(o):
	folder = o.s.root / "made"
	rows, summary = load(o, put(o, "made.csv", table([node(600, psk_id="n600"), node(1, psk_id="n601"), node(602, psk_id="n602@LOCALHOST")])),
		"--psk-dir", folder, want=FAILED)
	check([rows[i]["result"] for i in (2, 3, 4)] == ["added", "refused", "added"], f"{rows}")
	check(sorted(p.name for p in folder.iterdir()) == ["n600@localhost", "n602@localhost"], "the files, without that of the refused row")
	check(stat.S_IMODE(folder.stat().st_mode) == 0o700, "the folder's mode")
	keys = set()
	for p in folder.iterdir():
		check(stat.S_IMODE(p.stat().st_mode) == 0o600 and re.fullmatch(r"[0-9A-F]{64}\n", p.read_text()), f"{p}")
		keys.add(p.read_text().strip())
	data = b"".join(p.read_bytes() for p in o.s.dir.rglob("openmef.db*"))
	for key in keys:
		check(key not in o.told and key.encode() not in data and bytes.fromhex(key) not in data, "a made key shows")
	put(o, "made/n603@localhost", "mine\n")
	rows, _ = load(o, put(o, "made2.csv", table([node(603, psk_id="n603")])), "--psk-dir", folder, want=FAILED)
	check(rows[2]["code"] == "OMEF-1926" and (folder / "n603@localhost").read_text() == "mine\n", f"a file that exists: {rows}")


def resume_is_for_the_same_entity(o):
	text = table([node(700, credential="serial=b700"), node(701, credential="serial=b701")])
	load(o, put(o, "again.csv", text))
	rows, _ = load(o, o.s.root / "again.csv", want=FAILED)
	check({r["code"] for r in rows.values()} == {"OMEF-1621"}, f"without --resume: {rows}")
	rows, summary = load(o, o.s.root / "again.csv", "--resume")
	check(summary["exists"] == 2, f"with --resume: {rows}")
	rows, _ = load(o, put(o, "other.csv", table([node(700, entity="urn:example:other", credential="serial=b700")])), "--resume", want=FAILED)
	check(rows[2]["code"] == "OMEF-1621" and "urn:example:n:700" in rows[2]["reason"], f"another entity: {rows}")


def many_rows_and_a_kill(o):
	"""Killed without warning, then resumed: every row once, and every key that the store has in its file."""
	before = registered(o)
	folder = o.s.root / "fleet"
	path = put(o, "fleet.csv", table([node(f"x{i}", psk_id=f"x{i}") for i in range(MANY)], ["id", "type", "entity", "psk_id"]))
	argv = [str(o.s.binary), "enrolee", "import", str(path), "--psk-dir", str(folder), "--dir", str(o.s.dir), "--json"]
	with open(o.s.root / "first.out", "w+b") as out:
		process = subprocess.Popen(argv, stdout=out, stderr=subprocess.DEVNULL)
		wait_for(lambda: (o.s.root / "first.out").stat().st_size > 40000, "the first results")
		process.send_signal(signal.SIGKILL)
		process.wait()
	told = [json.loads(line) for line in (o.s.root / "first.out").read_text().split("\n")[:-1]]
	kept = registered(o) - before
	check(0 < len(told) < MANY and kept >= len(told) and kept % 100 == 0, f"told {len(told)}, stored {kept}")
	check(kept < MANY, "the kill came too late to show anything")
	for r in told:
		check((folder / f"{r['id'][1:]}@localhost").stat().st_size == 65, f"the key of {r}")
	(folder / f"x{MANY - 1}@localhost").touch(0o600) # as a kill between making and writing leaves it
	start = time.monotonic()
	rows, summary = load(o, path, "--psk-dir", folder, "--resume", timeout=280)
	print(f"  {MANY} rows, {kept} of them before the kill; the rest took {time.monotonic() - start:.1f} s")
	check(summary == {"result": "summary", "rows": MANY, "added": MANY - kept, "exists": kept, "refused": 0, "dry_run": False}, f"{summary}")
	check(registered(o) - before == MANY, "every row once")
	check(len(list(folder.iterdir())) == MANY, "every key in its file")
	_, summary = load(o, path, "--psk-dir", folder, "--resume", timeout=280)
	check(summary["exists"] == MANY, f"again: {summary}")
	o.run("audit", "verify")


def main():
	with Service(sys.argv[1]) as s:
		o = Operator(s)
		for test in (takes_every_column, takes_json_lines, a_bad_row_undoes_only_itself, a_wrong_file_is_refused_whole,
				an_open_file_of_keys_is_refused, a_dry_run_stores_nothing, made_keys_go_to_their_folder, resume_is_for_the_same_entity,
				many_rows_and_a_kill):
			start = time.monotonic()
			test(o)
			print(f"{test.__name__}: passed ({time.monotonic() - start:.1f} s)", flush=True)


main()
