#include "core/enrol/again.h"

#include <string.h>

static enum err key_is_gone(const char *what, struct why *why)
{
	return WHY(why, CHALLENGE_SPENT, "RFC 7030 4.4",
		"%s: want an unused one, have one spent; a made key is not kept to be sent again", what);
}

/* row->serial.n is 0 when there is none. */
static enum err or_none(enum err err, struct issued *row, struct why *why)
{
	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(why);
	*row = (struct issued){0};
	return OK;
}

enum err again_by_nonce(const struct again *a, struct span nonce, struct span *cert_out, struct why *why)
{
	struct issued row = {0};

	if (nonce.n == 0)
		return OK;
	TRY(or_none(a->store->ops->issued_by_nonce(a->store->self, nonce, a->arena, &row, why), &row, why));
	if (!row.serial.n)
		return OK;
	if (a->key_made)
		return key_is_gone("challengePassword", why);
	bool same = memcmp(row.csr_sha256, a->csr_sha256, sizeof(row.csr_sha256)) == 0
		&& strcmp(row.enrolee_id, a->enrolee_id) == 0;
	if (!same || row.state != ISSUED_VALID)
		return WHY(why, CHALLENGE_SPENT, "TS-0003 8.3.6.2", "challengePassword: want an unused one, have one spent on %s",
			same ? "a certificate that is revoked" : "another request");
	*cert_out = row.der;
	return OK;
}

enum err again_by_request(const struct again *a, const struct request *held, struct span *cert_out, struct why *why)
{
	struct issued row = {0};

	if (held->state != REQUEST_DONE)
		return OK;
	if (a->key_made)
		return key_is_gone("request", why);
	TRY(a->store->ops->issued_find(a->store->self, held->serial, a->arena, &row, why));
	if (row.state != ISSUED_VALID)
		return WHY(why, REQUEST_SPENT, "RFC 7030 4.2.3", "request %s: its certificate was revoked", held->id);
	*cert_out = row.der;
	return OK;
}

enum err again_by_record(const struct again *a, struct span record, struct span der, struct span *cert_out, struct why *why)
{
	struct issued row = {0};

	TRY(or_none(a->store->ops->issued_find(a->store->self, record, a->arena, &row, why), &row, why));
	if (row.serial.n && span_equal(row.der, der) && strcmp(row.enrolee_id, a->enrolee_id) == 0 && row.state == ISSUED_VALID)
		*cert_out = row.der;
	return OK;
}
