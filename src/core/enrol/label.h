#pragma once
/* An EST label as data: the rules that requests under /.well-known/est/LABEL/ obey. */
#include "pki/key.h"
#include "port/issuer.h"
#include "port/store.h"

enum challenge_mode {
	CHALLENGE_ACCEPTED = 1, /* may be left out; a wrong one is refused */
	CHALLENGE_REQUIRED = 2,
};

/* Proof-of-possession linking (RFC 7030 3.5): the CSR carries a value of the TLS session that it comes in. */
enum linking_mode {
	LINKING_OFF = 0,
	LINKING_ACCEPTED = 1, /* may be left out; a wrong one is refused */
	LINKING_REQUIRED = 2,
};

/* RFC 7030 4.4: keys that the MEF makes. */
enum keygen_mode {
	KEYGEN_OFF = 0,
	KEYGEN_ON = 1,        /* plain over TLS, or encrypted where the CSR asks for it */
	KEYGEN_ENCRYPTED = 2, /* only where the CSR asks for encryption (4.4.1.1, 4.4.1.2) */
};

/* What csrattrs answers. */
enum attrs_form {
	ATTRS_LEGACY = 0,   /* RFC 7030 4.5.2: a list of OIDs and attributes */
	ATTRS_TEMPLATE = 1, /* RFC 9908 3.4: a CertificationRequestInfoTemplate, beside what it cannot say */
	ATTRS_BOTH = 2,
};

/* Which requests wait for a person (RFC 7030 4.2.3: 202). */
enum hold_mode {
	HOLD_NONE = 0,
	HOLD_ENROL = 1, /* all but renewals */
	HOLD_ALL = 2,
};

enum { LABELS_MAX = 16, LABEL_NAME_MAX = 64, LABEL_PATH_MAX = 512, LABEL_SUBJECT_MAX = 256 };

struct est_label {
	char name[LABEL_NAME_MAX]; /* "" is the default label */
	char profile[STORE_PROFILE_MAX];
	char issuer[ISSUER_NAME_MAX]; /* of a section [issuer NAME]; "": this MEF's own CA */
	char anchors[LABEL_PATH_MAX]; /* PEM: the third-party anchors that count here, apart from all others; "": those of [mef] */
	enum challenge_mode challenge;
	bool bind_tls;            /* challenge is good only in the TLS session that fetched it */
	int64_t challenge_ttl_s;
	enum linking_mode linking;
	enum attrs_form attrs;
	bool reuse_key;           /* simplereenroll may keep the key */
	bool foreign_reenrol;     /* simplereenroll with a third-party certificate counts as simpleenroll */
	int64_t expired_s;        /* renewal for so long after the current certificate's end; 0: never */
	enum keygen_mode serverkeygen;
	bool fullcmc;
	bool ra;                  /* a client with id-kp-cmcRA may ask for other enrolees */
	enum hold_mode hold;
	int64_t hold_ttl_s;       /* how long a held request lives */
	int64_t hold_retry_s;     /* told to its client */
	bool proxied;             /* clients whose TLS ends at a proxy of [mef] count here */
	enum key_spec ask_key;    /* asked for in csrattrs; KEY_NONE: no wish */
	enum key_spec only_key;   /* follows from the profile, where that takes one kind of key only; else KEY_NONE */
	char ask_ekus[4][64];     /* dotted, asked for in csrattrs and checked */
	size_t ask_ekus_n;
	char ask_subject[LABEL_SUBJECT_MAX]; /* template asked for in csrattrs and checked (pki/name_template.h); "": no wish */
};

struct label_set {
	struct est_label items[LABELS_MAX];
	size_t n;
};

const struct est_label *label_find(const struct label_set *set, struct span name);
