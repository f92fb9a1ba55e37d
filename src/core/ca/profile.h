#pragma once
/* Certificate profiles as data: what the signer will issue, whoever asks. */
#include "pki/cert.h"
#include "pki/key.h"
#include "port/issuer.h"

enum { PROFILE_KEYS_MAX = 6, PROFILE_SUFFIXES_MAX = 8, PROFILES_MAX = 16, PROFILE_URI_MAX = 256 };

enum san_rule { SAN_RULE_DNS = 1, SAN_RULE_URI = 2, SAN_RULE_OTHER = 4, SAN_RULE_IP = 8 };

struct profile {
	char name[ISSUER_PROFILE_MAX];
	int64_t validity_s;
	int64_t backdate_s;        /* notBefore lies this much in the past, for devices with slow clocks */
	uint16_t key_usage;        /* enum key_usage */
	char ekus[CERT_EKU_MAX][64]; /* dotted */
	size_t ekus_n;
	enum key_spec keys[PROFILE_KEYS_MAX]; /* admitted subject keys */
	size_t keys_n;
	unsigned int san_kinds;    /* enum san_rule bits admitted */
	bool san_required;
	char suffixes[PROFILE_SUFFIXES_MAX][256]; /* DNS names and URI hosts must end in one; none: any */
	size_t suffixes_n;
	bool suid_ekus;            /* SUIDs become EKUs under suid_arc (TS-0003 assigns none) */
	char suid_arc[64];         /* dotted; EKU = arc.SUID */
};

struct profile_set {
	struct profile items[PROFILES_MAX];
	size_t n;
};

const struct profile *profile_find(const struct profile_set *set, const char *name);
/* A profile that makes no sense is refused at start: validity, key list, OIDs, arc. ERR_SYNTAX. */
MUST_CHECK enum err profile_check(const struct profile *p, struct why *why);
