#!/usr/bin/env python3
"""Every number in docs/psk-enrolment.md follows from the octets of its handshake."""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from _psk import derive, derive_constrained, split  # noqa: E402
from _service import check  # noqa: E402

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "psk-enrolment.md"
MEF, MAF, CSE = "mef.example.com", "maf.example.com", "cse1.m2m.example.com"


def prf(key, label, seed, n):
	"""RFC 5246 5: P_SHA256."""
	out, a = b"", label.encode() + seed
	while len(out) < n:
		a = hmac.digest(key, a, "sha256")
		out += hmac.digest(key, a + label.encode() + seed, "sha256")
	return out[:n]


def main():
	text = PAGE.read_text()
	octets = {name: bytes.fromhex(body) for name, body in re.findall(r"```hex (\S+)\n(.*?)```", text, re.S)}
	documents = [json.loads(body) for body in re.findall(r"```json\n(\{.*?\})\n```", text, re.S)]
	kpm = octets["kpm"]
	hello, answer, exchange = octets["client-hello"], octets["server-hello"], octets["client-key-exchange"]

	check(exchange[6:].decode() == f"pump-17@{MEF}", "the identity in ClientKeyExchange")
	check(answer[39 + answer[38]:][:2] == b"\x00\xae", "the suite")
	# RFC 4279 2, RFC 7627 3, RFC 7627 4
	premaster = len(kpm).to_bytes(2, "big") + bytes(len(kpm)) + len(kpm).to_bytes(2, "big") + kpm
	session_hash = hashlib.sha256(hello + answer + octets["server-hello-done"] + exchange).digest()
	master = prf(premaster, "extended master secret", session_hash, 48)
	check(master == octets["master-secret"], "the master secret")
	# RFC 5705 4, TS-0003 10.3.1
	randoms = hello[6:38] + answer[6:38]
	check(prf(master, "EXPORTER-oneM2M-Bootstrap", randoms, 48) == octets["export-bootstrap"], "Ke's exporter value")
	check(prf(master, "EXPERIMENTAL-OpenMEF-ReAuthentication", randoms, 48) == octets["export-reauth"], "Kre's exporter value")

	relative, ke = split(octets["export-bootstrap"])
	keid, kreid = f"{relative}@{MEF}", f"{split(octets['export-reauth'])[0]}@{MEF}"
	check(f"| KeId | `{keid}` |" in text and f"| KreId | `{kreid}` |" in text, "the identifiers")
	first, last, fetched = documents[:3]
	check(first["keId"] == last["keId"] == keid, "KeId in the instructions")
	check(f"POST /enrolment/{relative} " in text and f"GET /fetchCredentials/{relative} " in text and f"<keId>{keid}</keId>" in text, "paths")
	for length, body in re.findall(r"```http\nPOST.*?Content-Length: (\d+)\n.*?\n\n(.*?)\n```", text, re.S):
		check(int(length) == len(body), f"Content-Length of {body}")

	check(derive_constrained(ke, 21, MAF) == octets["usage-21-maf"] == base64.b64decode(fetched["Credential"]), "the MAF's key")
	check(derive_constrained(ke, 22, CSE) == octets["usage-22-cse1"], "10.3.7 for the CSE")
	check(derive(ke, "oneM2M Enrolment Key to Master Credential derivation", MAF) == octets["km-maf"], "10.3.2")
	check(derive(ke, "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation", CSE) == octets["kpsa-cse1"], "10.3.3")
	print("the page: as it should be")


main()
