#include "core/maf/inner.h"

#include "base/hex.h"
#include "base/text.h"
#include "proto/m2m/derive.h"

enum { VALUE_MIN = 16 }; /* 128 bits, as everywhere in TS-0003 */

/* TS-0003 8.8.2.7: one end point for a connection or an ESPrim session, one or more for data. */
static enum err check_targets(unsigned int suid, size_t n, struct why *why)
{
	enum suid_use use = suid_use_of(suid);
	bool one = use == SUID_SAEF || use == SUID_ESPRIM;

	if (n == 0 || (one && n != 1))
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2.7", "targetIDs: want %s for SUID %u, have %zu", one ? "exactly one" : "at least one",
			suid, n);
	return OK;
}

/* In normal form, so that an authenticated identity finds itself among them. */
static enum err targets_normal(const struct maf_texts *asked, struct arena *arena, struct maf_texts *out, struct why *why)
{
	char id[FORM_SIZE];

	*out = (struct maf_texts){0};
	for (size_t i = 0; i < asked->n; i++) {
		TRY(maf_id_normal(span_text(asked->items[i]), id, why));
		out->items[i] = arena_text(arena, span_text(id));
		if (!out->items[i])
			return WHY(why, NOMEM, "", "registration: want memory for its texts");
		out->n++;
	}
	return OK;
}

static enum err check_suid(unsigned int suid, struct why *why)
{
	if (!suid_known(suid) || suid_origin_of(suid) != SUID_MAF_DISTRIBUTED)
		return WHY(why, MAF_FIELD, "TS-0004 6.3.4.2.39", "SUID: want 32 to 35, a key that a MAF distributes, have %u", suid);
	return OK;
}

static enum err record_of(const struct maf_key *ask, struct arena *arena, struct maf_record *out, struct why *why)
{
	*out = (struct maf_record){.suid = ask->suid, .of_session = ask->value.n == 0};
	TRY(check_suid(ask->suid, why));
	TRY(admin_decide(ask->admin_fqdn, arena, &out->admin_fqdn, why));
	TRY(check_targets(ask->suid, ask->targets.n, why));
	TRY(targets_normal(&ask->targets, arena, &out->targets, why));
	return texts_copy(&ask->labels, arena, &out->labels, why);
}

/* The client's own value under a number of ours, or what both ends of its session have. */
static enum err value_of(struct maf *m, const struct maf_peer *p, const struct maf_key *ask, uint8_t relative[M2M_RELATIVE_SIZE],
	struct secret *out, struct why *why)
{
	if (ask->value.n) {
		if (ask->value.n < VALUE_MIN)
			return WHY(why, MAF_FIELD, "TS-0003 8.8.2.7", "keyValue: want %d to %d octets, have %zu", VALUE_MIN, SECRET_MAX, ask->value.n);
		*out = ask->value;
		return random_fill(&m->env.vault->random, relative, M2M_RELATIVE_SIZE, why);
	}
	if (p->exported.n != M2M_EXPORT_SIZE)
		return WHY(why, MAF_EXPORT, "TS-0003 10.3.1", "TLS session: want one that keys may be exported from, or a keyValue");
	/* TS-0003 10.3.5: RelativeKeyID is hexBinary(KcId) */
	return m2m_split_export(p->exported, relative, out, why);
}

static bool texts_equal(const struct maf_texts *a, const struct maf_texts *b)
{
	bool equal = a->n == b->n;

	for (size_t i = 0; equal && i < a->n; i++)
		equal = strcmp(a->items[i], b->items[i]) == 0;
	return equal;
}

static enum err fill_answer(struct answer *a, const struct symkey *row, const struct maf_record *r, struct why *why)
{
	a->key = (struct maf_key){
		.relative_id = arena_text(&a->arena, span_text(row->id)),
		.source_id = arena_text(&a->arena, span_text(row->owner)),
		.admin_fqdn = r->admin_fqdn,
		.suid = r->suid,
		.expires_s = row->expires_s,
		.has_labels = r->labels.n > 0,
		.has_targets = r->targets.n > 0,
	};
	a->gives = true;
	if (!a->key.relative_id || !a->key.source_id)
		return WHY(why, NOMEM, "", "registration: want memory for its texts");
	TRY(texts_copy(&r->labels, &a->arena, &a->key.labels, why));
	return texts_copy(&r->targets, &a->arena, &a->key.targets, why);
}

/* The key of a session was removed; the row without it stands in the way of a second use. */
static bool is_used_up(const struct symkey *row)
{
	return row->sealed.n == 0;
}

static enum err taken(const char *have, struct why *why)
{
	return WHY(why, MAF_KEY_TAKEN, "TS-0003 8.8.2.7", "key of this TLS session: want one registration, have %s", have);
}

/*
 * An exporter gives one key for a whole session, so a second registration in it is either the first one said again,
 * after a lost answer, or a second use of one key.
 */
static enum err find_repeat(struct maf *m, const struct symkey *fresh, const struct maf_record *r, struct answer *a, bool *found,
	struct why *why)
{
	struct symkey row;
	struct maf_record had;
	struct why missing = {0};
	enum err err = m->env.store->ops->symkey_find(m->env.store->self, SYMKEY_KC, fresh->id, &a->arena, &row, &missing);

	*found = err == OK;
	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK) {
		*why = missing;
		return err;
	}
	if (is_used_up(&row) || row.expires_s <= fresh->created_s)
		return taken("one that was removed or is over", why);
	TRY(record_parse(row.info, &a->arena, &had, why));
	if (strcmp(row.owner, fresh->owner) != 0 || had.suid != r->suid || strcmp(had.admin_fqdn, r->admin_fqdn) != 0
		|| !texts_equal(&had.targets, &r->targets))
		return taken("another one of it", why);
	return fill_answer(a, &row, &had, why);
}

/* The registered keys of one client, and those that were removed. */
struct kept {
	size_t keys, used;
	int64_t oldest_s;
	char oldest[MAF_ID_SIZE]; /* of the used */
};

static enum err look(void *arg, const struct symkey *k, struct why *why)
{
	struct kept *kept = arg;

	if (!is_used_up(k)) {
		kept->keys++;
		return OK;
	}
	if (kept->used++ && k->created_s >= kept->oldest_s)
		return OK;
	kept->oldest_s = k->created_s;
	if (!text_copy(kept->oldest, sizeof(kept->oldest), span_text(k->id)))
		return WHY(why, BUG, "", "registered key: %zu octets", strlen(k->id));
	return OK;
}

static enum err look_around(struct maf *m, const char *owner, struct kept *out, struct why *why)
{
	const struct symkey_filter filter = {.kind = SYMKEY_KC, .owner = owner, .after_id = "", .limit = STORE_KEYS_PER_OWNER_MAX};

	*out = (struct kept){0};
	return m->env.store->ops->symkey_list(m->env.store->self, &filter, look, out, why);
}

static enum err check_room(struct maf *m, const char *owner, struct why *why)
{
	struct kept kept;

	TRY(look_around(m, owner, &kept, why));
	if (kept.keys >= MAF_KEYS_MAX)
		return WHY(why, MAF_MANY, "", "registered keys of one client: want at most %d", MAF_KEYS_MAX);
	return OK;
}

static enum err register_key(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct buf info OWNED_BUF = BUF(STORE_KEY_INFO_MAX + 1);
	struct secret value OWNED_SECRET = {0};
	struct symkey row = {.kind = SYMKEY_KC, .owner = op->peer->id, .created_s = now_s};
	uint8_t relative[M2M_RELATIVE_SIZE];
	char id[MAF_ID_SIZE];
	struct maf_record r;
	bool found = false;

	TRY(record_of(op->key, &a->arena, &r, why));
	TRY(expiry_decide(op->peer, op->key->expires_s, now_s, &row.expires_s, why));
	TRY(value_of(m, op->peer, op->key, relative, &value, why));
	hex_text(relative, sizeof(relative), id);
	row.id = id;
	TRY(find_repeat(m, &row, &r, a, &found, why));
	if (found)
		return OK;
	TRY(check_room(m, row.owner, why));
	TRY(record_write(&r, &info, why));
	row.info = buf_text(&info);
	TRY(vault_add(m->env.vault, &row, &value, why));
	return fill_answer(a, &row, &r, why);
}

static enum err no_key(struct why *why)
{
	return WHY(why, MAF_NO_KEY, "TS-0003 8.8.2.9", "registered key: want one that this client may have, have none");
}

/* RelativeKeyID in either case. */
static enum err relative_normal(const char *text, char out[MAF_ID_SIZE], struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct why form = {0};
	size_t n = 0;

	if (hex_parse(span_text(text), relative, sizeof(relative), &n, &form) != OK || n != sizeof(relative))
		return no_key(why);
	hex_text(relative, n, out);
	return OK;
}

static bool is_target(const struct maf_record *r, const char *id)
{
	for (size_t i = 0; i < r->targets.n; i++) {
		if (strcmp(r->targets.items[i], id) == 0)
			return true;
	}
	return false;
}

/* A live registration, whosever it is. */
static enum err find_row(struct maf *m, const char *relative, int64_t now_s, struct arena *arena, struct symkey *out, struct why *why)
{
	struct why missing = {0};
	char id[MAF_ID_SIZE];

	TRY(relative_normal(relative, id, why));
	enum err err = m->env.store->ops->symkey_find(m->env.store->self, SYMKEY_KC, id, arena, out, &missing);
	if (err != OK && err != ERR_NOT_FOUND) {
		*why = missing;
		return err;
	}
	bool live = err == OK && !is_used_up(out) && out->expires_s > now_s;
	return live ? OK : no_key(why);
}

/* TS-0003 8.8.2.9: the authenticated identity is compared with targetIDs, nothing else */
static enum err retrieve_key(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct secret value OWNED_SECRET = {0};
	struct symkey row;
	struct maf_record r;

	TRY(find_row(m, op->id, now_s, &a->arena, &row, why));
	TRY(record_parse(row.info, &a->arena, &r, why));
	if (!is_target(&r, op->peer->id))
		return no_key(why);
	TRY(vault_find(m->env.vault, SYMKEY_KC, row.id, now_s, &a->arena, &row, &value, why));
	r.targets.n = 0; /* who else may have it is no target's business */
	TRY(fill_answer(a, &row, &r, why));
	a->key.value = value;
	return OK;
}

static enum err find_own(struct maf *m, const struct operation *op, int64_t now_s, struct arena *arena, struct symkey *out,
	struct why *why)
{
	TRY(find_row(m, op->id, now_s, arena, out, why));
	return strcmp(out->owner, op->peer->id) == 0 ? OK : no_key(why);
}

/* TS-0003 8.8.2.8: the answer holds what was sent. */
static enum err fill_changed(struct answer *a, const struct maf_key *ask, const struct symkey *row, const struct maf_record *r,
	struct why *why)
{
	a->key = (struct maf_key){
		.relative_id = "",
		.source_id = "",
		.admin_fqdn = "",
		.expires_s = ask->expires_s ? row->expires_s : 0,
		.has_labels = ask->has_labels,
		.has_targets = ask->has_targets,
	};
	a->gives = true;
	if (ask->has_targets)
		TRY(texts_copy(&r->targets, &a->arena, &a->key.targets, why));
	return texts_copy(&ask->labels, &a->arena, &a->key.labels, why);
}

static enum err update_key(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct buf info OWNED_BUF = BUF(STORE_KEY_INFO_MAX + 1);
	const struct maf_key *ask = op->key;
	struct symkey row;
	struct maf_record r;

	if (!ask->expires_s && !ask->has_labels && !ask->has_targets)
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2.8", "update: want expirationTime, labels or targetIDs, have none of them");
	TRY(find_own(m, op, now_s, &a->arena, &row, why));
	TRY(record_parse(row.info, &a->arena, &r, why));
	if (ask->expires_s)
		TRY(expiry_decide(op->peer, ask->expires_s, now_s, &row.expires_s, why));
	if (ask->has_labels)
		r.labels = ask->labels;
	if (ask->has_targets) {
		TRY(check_targets(r.suid, ask->targets.n, why));
		TRY(targets_normal(&ask->targets, &a->arena, &r.targets, why));
	}
	TRY(record_write(&r, &info, why));
	row.info = buf_text(&info);
	TRY(m->env.store->ops->symkey_set(m->env.store->self, &row, why));
	return fill_changed(a, ask, &row, &r, why);
}

/*
 * The session goes on, and its exporter gives the same key for ever: the row stays without its key until it would
 * have ended.
 */
static enum err use_up(struct maf *m, struct symkey *row, struct why *why)
{
	const struct store *s = m->env.store;
	struct kept kept;

	TRY(look_around(m, row->owner, &kept, why));
	if (kept.used >= MAF_USED_MAX)
		TRY(s->ops->symkey_remove(s->self, SYMKEY_KC, kept.oldest, why));
	row->sealed = (struct span){0};
	row->info = "";
	return s->ops->symkey_set(s->self, row, why);
}

static enum err remove_key(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct symkey row;
	struct maf_record r;

	TRY(find_own(m, op, now_s, &a->arena, &row, why));
	TRY(record_parse(row.info, &a->arena, &r, why));
	if (r.of_session)
		return use_up(m, &row, why);
	return m->env.store->ops->symkey_remove(m->env.store->self, SYMKEY_KC, row.id, why);
}

void maf_key_register(struct maf *m, const struct maf_peer *p, const struct maf_key *ask, maf_key_done done, void *arg)
{
	const struct operation op = {.peer = p, .key = ask, .event = "maf.key.registered", .work = register_key};

	maf_operate(m, &op, NULL, done, arg);
}

void maf_key_retrieve(struct maf *m, const struct maf_peer *p, const char *relative, maf_key_done done, void *arg)
{
	const struct operation op = {.peer = p, .id = relative, .event = "maf.key.retrieved", .work = retrieve_key};

	maf_operate(m, &op, NULL, done, arg);
}

void maf_key_update(
	struct maf *m, const struct maf_peer *p, const char *relative, const struct maf_key *ask, maf_key_done done, void *arg)
{
	const struct operation op = {.peer = p, .id = relative, .key = ask, .event = "maf.key.updated", .work = update_key};

	maf_operate(m, &op, NULL, done, arg);
}

void maf_key_remove(struct maf *m, const struct maf_peer *p, const char *relative, maf_key_done done, void *arg)
{
	const struct operation op = {.peer = p, .id = relative, .event = "maf.key.removed", .work = remove_key};

	maf_operate(m, &op, NULL, done, arg);
}
