#pragma once
/* Where an enrolment takes its trust anchors from: one way of three, and never two of them silently. */
#include "app/enrolee/enrolee.h"

enum { ORIGIN_MAX = 1024 };

/*
 * --cert and --key, and g->anchors by --anchors (explicit, RFC 7030 3.6.1), by --implicit-anchors (3.6.2: they authenticate
 * the server of the first cacerts and are then done), or by --root-fingerprint (4.1.1: a person has compared it).
 * origin_out: what the generation tells of it; empty at first. ERR_SYNTAX: usage; ERR_CONFLICT: AGENT_EXPLICIT.
 */
MUST_CHECK enum err bootstrap_given(const struct cli *cli, const char *mef_uri, const char *dir, struct enrolee_given *g,
	struct buf *origin_out, struct why *why);
