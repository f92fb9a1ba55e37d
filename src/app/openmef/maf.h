#pragma once
/* What `maf new` and `maf renew` share. */
#include "app/openmef/hierarchy.h"
#include "app/openmef/place.h"

enum { MAF_TLS_DAYS = 397 };

/* The certificate in the MEF's store, as issued to the MAF's enrolee, with its event. Defined in maf.c. */
MUST_CHECK enum err maf_record_issued(
	struct store *store, const char *fqdn, const struct authority *tls, int64_t now_s, struct why *why);

/* A key with its certificate and chain. */
struct maf_pair {
	struct span key_pem; /* encrypted */
	struct span cert_pem;
	const char *name;    /* of its folder: not used before */
};

/*
 * Puts the pair in force where maf says that its key and certificate are, in one step: both paths become links into
 * the folder `current` beside the key, which is itself a link. A crash at any point leaves the old pair or the new one.
 * ERR_SYSTEM. Defined in maf_pair.c.
 */
MUST_CHECK enum err maf_pair_install(const struct conf *maf, const struct maf_pair *pair, struct why *why);
