#pragma once
/*
 * MEF Key Retrieval (seed 003 8.3.3.6; TS-0003 8.3.2.1): GET /fetchCredentials/<RelativeKeId>, or
 * /fetchCredentials/<KeId>/<SUID>, '@' plain or as %40. The first form means SUID 21 for a MAF and the
 * one usage that is authorised for another target (docs/decisions/0013).
 */
#include "base/arena.h"
#include "base/secret.h"
#include "proto/m2m/ids.h"
#include "wire/doc.h"

#define M2M_RETRIEVAL_PATH "/fetchCredentials"

struct retrieval_ask {
	uint8_t relative[M2M_RELATIVE_SIZE];
	char fqdn[M2M_FQDN_MAX + 1]; /* "" when the path had none */
	unsigned int suid;           /* 0 when the path had none */
};

/* "fetchedCredential": Status, Credential (base64), EnroleeID, Lifetime (seconds) or ErrorString. */
struct retrieval_answer {
	bool status;
	struct secret credential;
	const char *enrolee_id; /* "" when there is none */
	int64_t lifetime_s;
	const char *error;      /* with status false */
};

/* ERR_NOT_FOUND for other paths, ERR_SYNTAX for malformed ones. */
MUST_CHECK enum err retrieval_path_parse(struct span path, struct retrieval_ask *out, struct why *why);
/* "/fetchCredentials/KEID/SUID", percent-encoded. */
MUST_CHECK enum err retrieval_path_write(const char *keid, unsigned int suid, struct buf *out, struct why *why);
/* The writer's buffer holds a key: wipe it. */
MUST_CHECK enum err retrieval_answer_write(const struct retrieval_answer *a, enum doc_form form, struct buf *out, struct why *why);
MUST_CHECK enum err retrieval_answer_parse(enum doc_form form, struct span in, struct arena *arena, struct retrieval_answer *out, struct why *why);
