#include "core/enrol/hold.h"

#include "base/date.h"
#include "core/registry/audit.h"
#include "core/registry/request.h"
#include "pki/csr.h"

#include <stdio.h>

bool hold_wanted(const struct est_label *label, enum request_kind kind)
{
	return label->hold == HOLD_ALL || (label->hold == HOLD_ENROL && kind != REQUEST_REENROL);
}

static enum err find_any(
	struct store *store, const struct request *names, struct arena *arena, struct request *out, struct why *why)
{
	enum err err = store->ops->request_find_csr(store->self, names, arena, out, why);

	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(why);
	*out = (struct request){0};
	return OK;
}

enum err hold_find(struct store *store, const struct request *names, int64_t now_s, struct arena *arena,
	struct request *out, struct why *why)
{
	TRY(find_any(store, names, arena, out, why));
	if (out->state && out->expires_s <= now_s)
		*out = (struct request){0};
	return OK;
}

static enum err remove_old(struct store *store, const struct request *r, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(STORE_CSR_MAX + 8192);
	struct request old = {0};

	TRY(find_any(store, r, &arena, &old, why));
	return old.state ? store->ops->request_remove(store->self, old.id, why) : OK;
}

static enum err audit_waiting(struct store *store, const struct request *r, const char *peer, struct why *why)
{
	char until[DATE_TEXT_SIZE];
	char detail[AUDIT_DETAIL_MAX];

	date_text(r->expires_s, until);
	snprintf(detail, sizeof(detail), "request %s (%s, label '%s') until %s", r->id, request_kind_name(r->kind),
		r->est_label, until);
	const struct audit_event event = {
		.what = "request.waiting", .enrolee_id = r->enrolee_id, .peer = peer, .actor = "mef", .detail = detail};
	return audit_write(store, &event, r->created_s, why);
}

enum err hold_add(struct store *store, const struct request *r, const char *peer, char *id_out, struct why *why)
{
	struct request row = *r;
	struct csr csr = {0};

	TRY(csr_parse(r->csr, &csr, why));
	/* A person's time is for requests whose sender holds the key (RFC 7030 3.4); 4.4.1: serverkeygen's have none. */
	if (r->kind != REQUEST_KEYGEN)
		TRY(csr_verify(&csr, why));
	request_name(r, id_out);
	row.id = id_out;
	TRY(remove_old(store, r, why));
	TRY(store->ops->request_add(store->self, &row, why));
	return audit_waiting(store, &row, peer, why);
}

enum err hold_answer(const struct request *r, struct why *why)
{
	switch (r->state) {
	case REQUEST_WAITING:
		/* RFC 7030 4.2.3: 202, and a text that says what is waited for */
		return WHY(why, REQUEST_WAITS, "RFC 7030 4.2.3", "request %s waits for an operator to approve it", r->id);
	case REQUEST_DENIED:
		return WHY(why, REQUEST_DENIED, "RFC 7030 4.2.3", "request %s: %s", r->id, r->reason);
	case REQUEST_APPROVED:
	case REQUEST_DONE:
		return OK;
	}
	return OK;
}
