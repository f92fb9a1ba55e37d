#!/usr/bin/env python3
"""
Prints derive.txt and nfkc.txt beside this file: keys by the formulas of TS-0003 10.3.2, 10.3.3 and 10.3.7 and normal
forms, computed by Python's hmac and unicodedata and by nothing of this project. Ke is the octets 10 to 2f.
"""

import hashlib
import hmac
import pathlib
import unicodedata

KE = bytes(range(0x10, 0x30))
LABELS = {
	"km": "oneM2M Enrolment Key to Master Credential derivation",
	"kpsa": "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation",
}
CONSTRAINED = "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation"

# Hosts in lower case: what a host's case means is this project's decision, not the formulas'.
IDS = ["maf.example.com", "cse1.m2m.example.com", "//m2m.example.com/cse1", "cse1.m2m.example.com/C12Ab", "a",
	"m\u00fcnchen", "mu\u0308nchen", "\u212bngstr\u00f6m", "A\u030angstro\u0308m", "\uff4d\uff41\uff46\uff11", "\ufb01rst",
	"\u1e9b\u0323", "\u2460\u2461", "\u33a5", "\ufdfa", "\u30ac\u30ae", "\uff76\uff9e\uff77\uff9e", "\ud55c\uae00",
	"\u1112\u1161\u11ab\u1100\u1173\u11af", "\u0958", "q\u0323\u0307", "q\u0307\u0323", "\U0001d400\U0001d7ce", "\u2f0a", "\U0002f800",
	"x\u00b2", "\u00bd", "\u2126", "\u0344", "\u0f73\u0f71", "z\u0300\u0316\u0301", "\u00a0a"]


def key(rule, text):
	label = LABELS.get(rule) or CONSTRAINED + rule
	return hmac.new(KE, label.encode() + unicodedata.normalize("NFKC", text).encode(), hashlib.sha256).hexdigest()


def main():
	here = pathlib.Path(__file__).parent
	head = f"# By derive.py with Unicode {unicodedata.unidata_version} of Python.\n"
	with open(here / "derive.txt", "w", encoding="ascii") as f:
		f.write(head + "# rule (km, kpsa, or a SUID), identifier in hex, key\n")
		for i, text in enumerate(IDS):
			for rule in ("km", "kpsa", str(21 + i % 5)):
				f.write(f"{rule} {text.encode().hex()} {key(rule, text)}\n")
	with open(here / "nfkc.txt", "w", encoding="ascii") as f:
		f.write(head + "# text in hex, its normal form in hex\n")
		for point in range(0x80, 0x110000):
			text = chr(point)
			form = unicodedata.normalize("NFKC", text) if not 0xd800 <= point < 0xe000 else text
			# every tenth of those that change, so that the file stays readable
			if form != text and (point % 10 == 0 or len(form) > 6):
				f.write(f"{text.encode().hex()} {form.encode().hex()}\n")
		for text in IDS:
			f.write(f"{text.encode().hex()} {unicodedata.normalize('NFKC', text).encode().hex()}\n")


main()
