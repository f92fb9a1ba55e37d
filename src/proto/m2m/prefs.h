#pragma once
/*
 * How an enrolee is to be provisioned, as data (seed 003 8.3.3.1: "preferences"): by enrolee, by
 * Enrolment-Token, or by default; the first that exists decides. Written as JSON in the store and in files.
 *
 *	{"certificate": "offer", "certificateUsages": [42], "estLabel": "onem2m", "enrolmentExpiry": 7776000,
 *	 "mafs": [{"fqdn": "maf.example.com", "uri": "https://maf.example.com:8444", "credential": "symmetricKey", "usages": [32]}],
 *	 "targets": [{"id": "cse1.m2m.example.com", "usages": [22, 23]}],
 *	 "askSubject": "CN, O=Acme", "askEkus": "clientAuth", "askKey": "P-384"}
 */
#include "base/arena.h"
#include "base/buf.h"
#include "proto/m2m/ids.h"
#include "proto/m2m/suid.h"

enum { PREFS_MAFS_MAX = 8, PREFS_TARGETS_MAX = 64, PREFS_TEXT_MAX = 16 * 1024,
	PREFS_WRITTEN_MAX = 14 * 1024, /* without blanks: an exchange stores them and 2 KiB more in one row (STORE_KEY_INFO_MAX) */
	PREFS_URI_MAX = 255, PREFS_LABEL_MAX = 63, PREFS_ASK_MAX = 255 };

enum prefs_certificate {
	PREFS_CERT_NEVER = 1,
	PREFS_CERT_OFFER = 2,   /* when the enrolee says that it can */
	PREFS_CERT_REQUIRE = 3, /* an enrolee that cannot is refused */
};

enum maf_credential { MAF_BY_SYMMETRIC_KEY = 1, MAF_BY_CERTIFICATE = 2 };

struct prefs_maf {
	const char *fqdn; /* MAF-ID, lower case */
	const char *uri;  /* where its clients connect */
	enum maf_credential credential;
	struct suid_list usages; /* what the MAF may be used for (3x) */
};

struct prefs_target {
	const char *id; /* Enrolee B-ID in FQDN form: CSE-ID or AE-ID; lower case host */
	struct suid_list usages; /* 2x, no 21 */
};

struct prefs {
	enum prefs_certificate certificate;
	struct suid_list certificate_usages; /* 4x */
	const char *est_label;               /* "" is the default label */
	int64_t enrolment_expiry_s;          /* lifetime of Ke */
	struct prefs_maf mafs[PREFS_MAFS_MAX];
	size_t mafs_n;
	struct prefs_target targets[PREFS_TARGETS_MAX];
	size_t targets_n;
	/* What csrattrs asks of this enrolee instead of what its label asks; NULL or "": what the label asks */
	const char *ask_subject; /* pki/name_template.h */
	const char *ask_ekus;
	const char *ask_key;
};

enum { PREFS_EXPIRY_DEFAULT_S = 90 * 86400, PREFS_EXPIRY_MIN_S = 60, PREFS_EXPIRY_MAX_S = 10 * 365 * 86400 };

void prefs_defaults(struct prefs *out); /* certificate offered, no MAF, no target */
/* Absent fields take the defaults; unknown fields are refused: an operator's slip must not pass. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err prefs_parse(struct span json, struct arena *arena, struct prefs *out, struct why *why);
MUST_CHECK enum err prefs_write(const struct prefs *p, struct buf *out, struct why *why);
/* May that target fetch a key for that use? A MAF: SUID 21 and credential symmetricKey. target_id in any case of its host. */
bool prefs_allow(const struct prefs *p, struct span target_id, unsigned int suid);
