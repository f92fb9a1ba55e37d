#pragma once
/* An EST label as data: the rules that requests under /.well-known/est/LABEL/ obey. */
#include "pki/key.h"
#include "port/store.h"

enum challenge_mode {
	CHALLENGE_ACCEPTED = 1, /* may be left out; a wrong one is refused */
	CHALLENGE_REQUIRED = 2,
};

enum { LABELS_MAX = 16, LABEL_NAME_MAX = 64 };

struct est_label {
	char name[LABEL_NAME_MAX]; /* "" is the default label */
	char profile[STORE_PROFILE_MAX];
	enum challenge_mode challenge;
	bool bind_tls;            /* challenge is good only in the TLS session that fetched it */
	int64_t challenge_ttl_s;
	bool reuse_key;           /* simplereenroll may keep the key */
	enum key_spec ask_key;    /* asked for in csrattrs; KEY_NONE: no wish */
	char ask_ekus[4][64];     /* dotted, asked for in csrattrs and checked */
	size_t ask_ekus_n;
};

struct label_set {
	struct est_label items[LABELS_MAX];
	size_t n;
};

const struct est_label *label_find(const struct label_set *set, struct span name);
