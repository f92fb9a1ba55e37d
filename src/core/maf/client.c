#include "core/maf/inner.h"

#include "base/hex.h"

/* The registrations of one client. */
struct search {
	const char *admin;
	int64_t now_s;
	struct arena *arena;
	size_t n;
	bool found;
	char id[MAF_ID_SIZE];
	struct maf_record record;
	int64_t expires_s;
};

static enum err look(void *arg, const struct symkey *k, struct why *why)
{
	struct search *s = arg;
	struct maf_record r;

	if (k->expires_s <= s->now_s) /* waits to be erased */
		return OK;
	s->n++;
	TRY(record_parse(k->info, s->arena, &r, why));
	if (strcmp(r.admin_fqdn, s->admin) != 0 || strlen(k->id) >= sizeof(s->id))
		return OK;
	s->found = true;
	s->record = r;
	s->expires_s = k->expires_s;
	memcpy(s->id, k->id, strlen(k->id) + 1);
	return OK;
}

static enum err fill_answer(struct answer *a, const struct maf_peer *p, const char *id, int64_t expires_s,
	const struct maf_record *r, struct why *why)
{
	a->client = (struct maf_client){
		.id = arena_text(&a->arena, span_text(id)),
		.client_id = arena_text(&a->arena, span_text(p->id)),
		.key_id = p->key_id ? arena_text(&a->arena, span_text(p->key_id)) : "",
		.admin_fqdn = r->admin_fqdn,
		.expires_s = expires_s,
		.has_labels = r->labels.n > 0,
	};
	a->gives = true;
	if (!a->client.id || !a->client.client_id || !a->client.key_id)
		return WHY(why, NOMEM, "", "registration: want memory for its texts");
	return texts_copy(&r->labels, &a->arena, &a->client.labels, why);
}

static enum err put_row(struct maf *m, bool fresh, const char *id, const char *owner, int64_t created_s, int64_t expires_s,
	const struct maf_record *r, struct why *why)
{
	struct buf info OWNED_BUF = BUF(STORE_KEY_INFO_MAX + 1);
	const struct store *s = m->env.store;

	TRY(record_write(r, &info, why));
	const struct symkey row = {.kind = SYMKEY_CLIENT, .id = id, .owner = owner, .created_s = created_s, .expires_s = expires_s,
		.info = buf_text(&info)};
	return fresh ? s->ops->symkey_add(s->self, &row, why) : s->ops->symkey_set(s->self, &row, why);
}

static enum err new_id(struct maf *m, char out[MAF_ID_SIZE], struct why *why)
{
	uint8_t bytes[(MAF_ID_SIZE - 1) / 2];

	TRY(random_fill(&m->env.vault->random, bytes, sizeof(bytes), why));
	hex_text(bytes, sizeof(bytes), out);
	return OK;
}

/* TS-0003 8.8.2.3: one registration per administrating stakeholder; asked for again it is as it was. */
static enum err register_client(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct search s = {.now_s = now_s, .arena = &a->arena};
	struct symkey_filter filter = {.kind = SYMKEY_CLIENT, .owner = op->peer->id, .after_id = "", .limit = STORE_KEYS_PER_OWNER_MAX};
	struct maf_record r = {.labels = op->client->labels, .other_id = op->peer->key_id};
	char id[MAF_ID_SIZE];
	int64_t expires_s = 0;

	TRY(admin_decide(op->client->admin_fqdn, &a->arena, &r.admin_fqdn, why));
	TRY(expiry_decide(op->peer, op->client->expires_s, now_s, &expires_s, why));
	s.admin = r.admin_fqdn;
	TRY(m->env.store->ops->symkey_list(m->env.store->self, &filter, look, &s, why));
	if (s.found)
		return fill_answer(a, op->peer, s.id, s.expires_s, &s.record, why);
	if (s.n >= MAF_CLIENTS_MAX)
		return WHY(why, MAF_MANY, "", "registrations of one client: want at most %d", MAF_CLIENTS_MAX);
	TRY(new_id(m, id, why));
	TRY(put_row(m, true, id, op->peer->id, now_s, expires_s, &r, why));
	return fill_answer(a, op->peer, id, expires_s, &r, why);
}

/* Somebody else's is as unknown as one that never was. */
static enum err find_own(struct maf *m, const struct operation *op, int64_t now_s, struct arena *arena, struct symkey *out,
	struct why *why)
{
	struct why missing = {0};
	enum err err = m->env.store->ops->symkey_find(m->env.store->self, SYMKEY_CLIENT, op->id, arena, out, &missing);

	if (err != OK && err != ERR_NOT_FOUND) {
		*why = missing;
		return err;
	}
	if (err != OK || strcmp(out->owner, op->peer->id) != 0 || out->expires_s <= now_s)
		return WHY(why, MAF_NO_CLIENT, "TS-0003 8.8.2.5", "client registration: want one of this client, have none");
	return OK;
}

/* TS-0003 8.8.2.5: the answer holds what was sent, and the KmId where a new Km came since it was told. */
static enum err fill_changed(struct answer *a, const struct operation *op, int64_t expires_s, bool new_km, struct why *why)
{
	const struct maf_client *ask = op->client;

	a->client = (struct maf_client){
		.id = "",
		.client_id = "",
		.admin_fqdn = "",
		.key_id = new_km ? arena_text(&a->arena, span_text(op->peer->key_id)) : "",
		.expires_s = ask->expires_s ? expires_s : 0,
		.has_labels = ask->has_labels,
	};
	a->gives = true;
	if (!a->client.key_id)
		return WHY(why, NOMEM, "", "registration: want memory for its texts");
	return texts_copy(&ask->labels, &a->arena, &a->client.labels, why);
}

static enum err update_client(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct symkey row;
	struct maf_record r;

	if (!op->client->expires_s && !op->client->has_labels)
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2.5", "update: want expirationTime or labels, have neither");
	TRY(find_own(m, op, now_s, &a->arena, &row, why));
	TRY(record_parse(row.info, &a->arena, &r, why));
	if (op->client->expires_s)
		TRY(expiry_decide(op->peer, op->client->expires_s, now_s, &row.expires_s, why));
	if (op->client->has_labels)
		r.labels = op->client->labels;
	bool new_km = op->peer->key_id && strcmp(r.other_id, op->peer->key_id) != 0;
	if (new_km)
		r.other_id = op->peer->key_id;
	TRY(put_row(m, false, row.id, row.owner, row.created_s, row.expires_s, &r, why));
	return fill_changed(a, op, row.expires_s, new_km, why);
}

static enum err remove_client(struct maf *m, const struct operation *op, int64_t now_s, struct answer *a, struct why *why)
{
	struct symkey row;

	TRY(find_own(m, op, now_s, &a->arena, &row, why));
	return m->env.store->ops->symkey_remove(m->env.store->self, SYMKEY_CLIENT, op->id, why);
}

void maf_client_register(struct maf *m, const struct maf_peer *p, const struct maf_client *ask, maf_client_done done, void *arg)
{
	const struct operation op = {.peer = p, .client = ask, .event = "maf.client.registered", .work = register_client};

	maf_operate(m, &op, done, NULL, arg);
}

void maf_client_update(
	struct maf *m, const struct maf_peer *p, const char *id, const struct maf_client *ask, maf_client_done done, void *arg)
{
	const struct operation op = {.peer = p, .id = id, .client = ask, .event = "maf.client.updated", .work = update_client};

	maf_operate(m, &op, done, NULL, arg);
}

void maf_client_remove(struct maf *m, const struct maf_peer *p, const char *id, maf_client_done done, void *arg)
{
	const struct operation op = {.peer = p, .id = id, .event = "maf.client.removed", .work = remove_client};

	maf_operate(m, &op, done, NULL, arg);
}
