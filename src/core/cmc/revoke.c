#include "base/hex.h"
#include "core/cmc/job.h"
#include "core/enrol/behalf.h"
#include "core/registry/audit.h"
#include "core/registry/enrolee.h"
#include "core/registry/record.h"

#include <stdio.h>

enum { REVOKE_ARENA_MAX = STORE_DER_MAX + 16384 };

static bool may_ask_for_others(const struct job *j)
{
	return j->label->ra && behalf_is_ra(&j->signer);
}

static enum err not_theirs(const struct cmc_revoke *ask, struct why *why)
{
	char hex[2 * STORE_SERIAL_MAX + 1] = "";

	hex_text(ask->serial.p, ask->serial.n < STORE_SERIAL_MAX ? ask->serial.n : STORE_SERIAL_MAX, hex);
	return WHY(why, CMC_REVOKE, "RFC 5272 6.11", "certificate %s: want one of the client's own, by its issuer and serial number",
		hex);
}

/* One of this MEF's own CA stands under its serial number, one of another CA under a number of its own. */
static enum err find_record(
	const struct store *store, const struct cmc_revoke *ask, struct arena *arena, struct issued *row, struct why *why)
{
	const struct cert named = {.issuer = ask->issuer, .serial = ask->serial};
	uint8_t foreign[RECORD_FOREIGN_SIZE];

	record_foreign(&named, foreign);
	enum err err = store->ops->issued_find(store->self, span_of(foreign, sizeof(foreign)), arena, row, why);
	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(why);
	return store->ops->issued_find(store->self, ask->serial, arena, row, why);
}

/* Whether it exists is told to nobody who may not revoke it. */
static enum err find_row(const struct job *j, const struct cmc_revoke *ask, struct arena *arena, struct issued *row, struct why *why)
{
	const struct store *store = j->env.enrol.store;
	struct cert cert = {0};
	bool same = false;

	if (ask->serial.n > STORE_SERIAL_MAX)
		return not_theirs(ask, why);
	enum err err = find_record(store, ask, arena, row, why);
	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return not_theirs(ask, why);
	}
	TRY(err);
	TRY(cert_parse(row->der, &cert, why));
	TRY(name_equal(cert.issuer, ask->issuer, &same, why));
	bool own = strcmp(row->enrolee_id, j->signer.enrolee.id) == 0;
	/* its peers are none of its clients: an operator revokes them */
	if (!same || (!own && (!may_ask_for_others(j) || behalf_names_ra(&cert))))
		return not_theirs(ask, why);
	return OK;
}

static enum err audit_revoked(const struct job *j, const struct cmc_revoke *ask, const struct issued *row, struct why *why)
{
	bool own = strcmp(row->enrolee_id, j->signer.enrolee.id) == 0;
	char hex[2 * STORE_SERIAL_MAX + 1];
	char detail[512];

	hex_text(row->serial.p, row->serial.n, hex);
	snprintf(detail, sizeof(detail), "%s, asked for by %s%s%s%.*s", revoke_reason_name(ask->reason),
		own ? "its enrolee" : "registration authority ", own ? "" : j->signer.enrolee.id, ask->comment.n ? ": " : "",
		SPAN_FMT(ask->comment));
	const struct audit_event event = {.what = "certificate.revoked",
		.enrolee_id = row->enrolee_id,
		.peer = j->address,
		.actor = own ? "enrolee" : "ra",
		.serial = hex,
		.detail = detail};
	return audit_write(j->env.enrol.store, &event, j->now_s, why);
}

static enum err write_revoked(struct job *j, const struct cmc_revoke *ask, const struct issued *row, struct why *why)
{
	const struct store *store = j->env.enrol.store;

	TRY(batch_enter(j->env.enrol.batch, why));
	enum err err = store->ops->issued_revoke(store->self, row->serial, ask->reason, j->now_s, why);
	if (err == OK)
		err = audit_revoked(j, ask, row, why);
	enum err left = batch_leave(j->env.enrol.batch, err == OK, why);
	return err != OK ? err : left;
}

static void on_commit(void *arg, enum err err, const struct why *why)
{
	struct job_part *p = arg;
	struct job *j = p->job;

	j->revoked |= err == OK;
	job_part_end(p, err, why);
	job_release(j);
}

static enum err check(const struct cmc_revoke *ask, struct why *why)
{
	if (ask->has_passphrase)
		return WHY(why, CMC_UNSUPPORTED, "RFC 5272 6.11", "revokeRequest: a shared secret is not supported");
	/* RFC 5280 5.3.1: no hold, and no end of one */
	if (strcmp(revoke_reason_name(ask->reason), "unknown") == 0)
		return WHY(why, REVOKE_REASON, "RFC 5280 5.3.1", "reason: have code %u", ask->reason);
	return OK;
}

static enum err revoke(struct job *j, const struct cmc_revoke *ask, struct job_part *p, bool *waits_out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(REVOKE_ARENA_MAX);
	struct issued row = {0};

	TRY(check(ask, why));
	TRY(find_row(j, ask, &arena, &row, why));
	/* whose answer was lost asks again */
	if (row.state == ISSUED_REVOKED)
		return OK;
	TRY(write_revoked(j, ask, &row, why));
	TRY(batch_defer(j->env.enrol.batch, on_commit, p, why));
	*waits_out = true;
	return OK;
}

void revoke_one(struct job *j, const struct cmc_revoke *ask, struct job_part *p)
{
	struct why why = {0};
	bool waits = false;

	job_hold(j);
	enum err err = revoke(j, ask, p, &waits, &why);
	if (waits)
		return;
	job_part_end(p, err, &why);
	job_release(j);
}
