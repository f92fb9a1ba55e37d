#include "core/maf/inner.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/registry/audit.h"

#include <stdio.h>

struct waiter {
	maf_psk_done done;
	void *arg;
};

/* One KeId on its way from its MEF, and who waits for it. */
struct fetch {
	struct maf *m; /* NULL: the MAF has ended, and everybody was told */
	char keid[M2M_KEYID_SIZE];
	struct waiter waiters[MAF_WAITERS_MAX];
	size_t n;
	struct secret key;   /* once it is stored; until then empty */
	struct secret decoy; /* what this identity gets otherwise */
	struct fetch *next;
};

static void fetch_free(struct fetch *f)
{
	secret_wipe(&f->key);
	secret_wipe(&f->decoy);
	mem_free(f);
}

static void fetch_leave(struct fetch *f)
{
	struct fetch **at = &f->m->fetches;

	while (*at != f)
		at = &(*at)->next;
	*at = f->next;
	f->m->fetches_n--;
	f->m = NULL;
}

static void fetch_tell(struct fetch *f, const struct secret *key)
{
	for (size_t i = 0; i < f->n; i++)
		f->waiters[i].done(f->waiters[i].arg, key);
	f->n = 0;
}

/* Out of the list first: who is told may ask again. */
static void fetch_end(struct fetch *f, const struct secret *key)
{
	if (f->m)
		fetch_leave(f);
	fetch_tell(f, key);
	fetch_free(f);
}

static struct fetch *fetch_find(const struct maf *m, const char *keid)
{
	struct fetch *f = m->fetches;

	while (f && strcmp(f->keid, keid) != 0)
		f = f->next;
	return f;
}

void maf_free(struct maf *m)
{
	if (!m)
		return;
	/* The MEF's answer, or the commit, still finds its fetch and frees it. */
	while (m->fetches) {
		struct fetch *f = m->fetches;
		fetch_leave(f);
		fetch_tell(f, &f->decoy);
	}
	mem_free(m);
}

/* ---- refusals of the last minute */

static bool was_refused(const struct maf *m, const char *keid)
{
	int64_t now_ms = clock_mono_ms(m->env.clock);

	for (size_t i = 0; i < MAF_REFUSED_MAX; i++) {
		if (m->refused[i].until_ms > now_ms && strcmp(m->refused[i].keid, keid) == 0)
			return true;
	}
	return false;
}

static void remember_refused(struct maf *m, const char *keid)
{
	struct refused *r = &m->refused[m->refused_at++ % MAF_REFUSED_MAX];

	text_copy(r->keid, sizeof(r->keid), span_text(keid));
	r->until_ms = clock_mono_ms(m->env.clock) + MAF_REFUSED_MS;
}

/* ---- what was fetched becomes a Km */

struct assigning {
	struct maf *m;
	const char *keid;
	const char *owner;
	int64_t now_s, expires_s;
	char kmid[M2M_KEYID_SIZE];
	const struct secret *key;
};

/*
 * TS-0003 8.8.2.3, 10.6: KmId is assigned by the MAF; its left part is random. Written in the form in which a
 * psk_identity is looked up.
 */
static enum err make_kmid(struct assigning *g, struct why *why)
{
	uint8_t bytes[M2M_RELATIVE_SIZE];
	char text[2 * M2M_RELATIVE_SIZE + 1 + M2M_FQDN_MAX + 1];
	char hex[2 * M2M_RELATIVE_SIZE + 1];

	TRY(random_fill(&g->m->env.vault->random, bytes, sizeof(bytes), why));
	hex_text(bytes, sizeof(bytes), hex);
	snprintf(text, sizeof(text), "%s@%s", hex, g->m->fqdn);
	return m2m_psk_identity_parse(span_text(text), g->kmid, why);
}

/* The Km of one client, oldest first to go. */
struct oldest {
	size_t n;
	int64_t created_s;
	char id[M2M_KEYID_SIZE];
	struct arena *arena;
	struct maf_record record;
};

static enum err look_oldest(void *arg, const struct symkey *k, struct why *why)
{
	struct oldest *o = arg;

	if (o->n++ && k->created_s >= o->created_s)
		return OK;
	o->created_s = k->created_s;
	if (!text_copy(o->id, sizeof(o->id), span_text(k->id)))
		return WHY(why, BUG, "", "KmId: %zu octets", strlen(k->id));
	return record_parse(k->info, o->arena, &o->record, why);
}

static enum err remove_if_there(struct store *s, enum symkey_kind kind, const char *id, struct why *why)
{
	struct why missing = {0};
	enum err err = s->ops->symkey_remove(s->self, kind, id, &missing);

	if (err != OK && err != ERR_NOT_FOUND) {
		*why = missing;
		return err;
	}
	return OK;
}

static enum err make_room(struct assigning *g, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(MAF_ARENA_MAX);
	struct oldest o = {.arena = &arena};
	struct store *s = g->m->env.store;
	const struct symkey_filter filter = {.kind = SYMKEY_KM, .owner = g->owner, .after_id = "", .limit = STORE_KEYS_PER_OWNER_MAX};

	TRY(s->ops->symkey_list(s->self, &filter, look_oldest, &o, why));
	if (o.n < MAF_KMS_MAX)
		return OK;
	TRY(remove_if_there(s, SYMKEY_KM_KEID, o.record.other_id, why));
	return remove_if_there(s, SYMKEY_KM, o.id, why);
}

static enum err add_row(struct assigning *g, enum symkey_kind kind, const char *id, const char *other_id, struct why *why)
{
	struct buf info OWNED_BUF = BUF(STORE_KEY_INFO_MAX + 1);
	const struct maf_record r = {.other_id = other_id};

	TRY(record_write(&r, &info, why));
	const struct symkey row = {.kind = kind, .id = id, .owner = g->owner, .created_s = g->now_s, .expires_s = g->expires_s,
		.info = buf_text(&info)};
	return vault_add(g->m->env.vault, &row, g->key, why);
}

static enum err write_rows(struct assigning *g, struct why *why)
{
	TRY(make_kmid(g, why));
	TRY(make_room(g, why));
	TRY(add_row(g, SYMKEY_KM, g->kmid, g->keid, why));
	TRY(add_row(g, SYMKEY_KM_KEID, g->keid, g->kmid, why));
	const struct audit_event event = {.what = "maf.key.assigned", .enrolee_id = g->owner, .actor = "maf", .detail = g->kmid};
	return audit_write(g->m->env.store, &event, g->now_s, why);
}

/* Another registrar of this store may have been quicker: its rows are as good. */
static enum err find_twin(struct maf *m, const char *keid, int64_t now_s, struct secret *key, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(MAF_ARENA_MAX);
	struct symkey row;

	return vault_find(m->env.vault, SYMKEY_KM_KEID, keid, now_s, &arena, &row, key, why);
}

static enum err store_key(struct assigning *g, struct secret *out, struct why *why)
{
	struct why cause = {0};

	TRY(batch_enter(g->m->env.batch, why));
	enum err err = write_rows(g, &cause);
	enum err left = batch_leave(g->m->env.batch, err == OK, &cause);
	*out = *g->key;
	if (err == ERR_CONFLICT && left == OK)
		return find_twin(g->m, g->keid, g->now_s, out, why);
	if (err == OK && left == OK)
		return OK;
	*why = cause;
	return err != OK ? err : left;
}

/* What a MEF says is a stranger's word too. */
static enum err check_fetched(const struct mef_key *key, char owner[FORM_SIZE], struct why *why)
{
	if (key->key.n != M2M_KEY_SIZE || key->lifetime_s <= 0)
		return WHY(why, MAF_FETCH, "TS-0003 8.3.2.1", "fetched key: want %d octets and a lifetime, have %zu octets for %lld s",
			M2M_KEY_SIZE, key->key.n, (long long)key->lifetime_s);
	return maf_id_normal(span_text(key->enrolee_id ? key->enrolee_id : ""), owner, why);
}

static enum err take_key(struct fetch *f, const struct mef_key *key, struct why *why)
{
	struct maf *m = f->m;
	char owner[FORM_SIZE];
	int64_t now_s = clock_unix_s(m->env.clock);
	int64_t lifetime_s = key->lifetime_s < MAF_KM_LIFETIME_MAX_S ? key->lifetime_s : MAF_KM_LIFETIME_MAX_S;
	struct assigning g = {.m = m, .keid = f->keid, .owner = owner, .now_s = now_s, .expires_s = now_s + lifetime_s, .key = &key->key};

	TRY(check_fetched(key, owner, why));
	return store_key(&g, &f->key, why);
}

/* Nobody proves possession of a key that a power cut would take away again. */
static void on_durable(void *arg, enum err err, const struct why *why)
{
	struct fetch *f = arg;

	fetch_end(f, err == OK ? &f->key : &f->decoy);
}

static void tell_fault(const struct maf *m, const struct why *why)
{
	if (why->kind > ERR_PENDING && m->env.fault)
		m->env.fault(m->env.fault_arg, why);
}

static void on_fetched(void *arg, enum err err, const struct mef_key *key, const struct why *why)
{
	struct fetch *f = arg;
	struct maf *m = f->m;
	struct why own = {0};

	if (!m) {
		fetch_free(f);
		return;
	}
	/* A MEF's word lasts a while; that it could not be asked does not. */
	if (err != OK && err <= ERR_PENDING)
		remember_refused(m, f->keid);
	if (err == OK && take_key(f, key, &own) == OK && batch_defer(m->env.batch, on_durable, f, &own) == OK)
		return;
	tell_fault(m, &own);
	fetch_end(f, &f->decoy);
}

/* ---- the question of a handshake */

/* A row that is over and waits to be erased is an answer too: its MEF is not asked again. */
static bool is_stored(const struct maf *m, const char *keid)
{
	struct arena arena OWNED_ARENA = ARENA(MAF_ARENA_MAX);
	struct symkey row;
	struct why ignored = {0};

	return m->env.store->ops->symkey_find(m->env.store->self, SYMKEY_KM_KEID, keid, &arena, &row, &ignored) != ERR_NOT_FOUND;
}

/* TS-0003 8.8.2.3: the first contact is by KeId, whose FQDN is that of the MEF that has Ke */
static bool is_foreign_keid(const struct maf *m, struct span identity, char keid[M2M_KEYID_SIZE])
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct span fqdn = {0};
	struct why ignored = {0};

	return m2m_keyid_parse(identity, relative, keid, &fqdn, &ignored) == OK && !span_is_nocase(fqdn, m->fqdn);
}

static struct fetch *fetch_start(struct maf *m, const char *keid, const struct secret *decoy)
{
	struct fetch *f = m->fetches_n < MAF_FETCHES_MAX ? mem_alloc(sizeof(*f)) : NULL;

	if (!f)
		return NULL;
	f->m = m;
	f->decoy = *decoy;
	text_copy(f->keid, sizeof(f->keid), span_text(keid));
	f->next = m->fetches;
	m->fetches = f;
	m->fetches_n++;
	return f;
}

/* True when the answer comes later. */
static bool wait_for_mef(struct maf *m, const char *keid, const struct secret *decoy, maf_psk_done done, void *arg)
{
	struct fetch *f = fetch_find(m, keid);
	bool fresh = !f;

	if (fresh)
		f = fetch_start(m, keid, decoy);
	if (!f || f->n == MAF_WAITERS_MAX)
		return false;
	f->waiters[f->n++] = (struct waiter){done, arg};
	if (fresh)
		m->env.mef->fetch(m->env.mef->self, f->keid, SUID_RSPF_MAF, on_fetched, f);
	return true;
}

void maf_psk(struct maf *m, struct span identity, maf_psk_done done, void *arg)
{
	struct secret key OWNED_SECRET = {0};
	struct why why = {0};
	char keid[M2M_KEYID_SIZE];
	bool known = false;

	enum err err = psk_find(m->env.vault, m->env.decoy, PSK_REALM_MAF, identity, clock_unix_s(m->env.clock), &key, &known, &why);
	if (err != OK) { /* a store out of order: everybody is unknown */
		tell_fault(m, &why);
		key = m->env.decoy->key;
	}
	if (err == OK && !known && is_foreign_keid(m, identity, keid) && !was_refused(m, keid) && !is_stored(m, keid)
		&& wait_for_mef(m, keid, &key, done, arg))
		return;
	done(arg, &key);
}

static enum err stranger(struct why *why)
{
	return WHY(why, MAF_PEER, "TS-0003 8.8.2.3", "psk_identity: want one that this MAF assigned or fetched, have another");
}

static enum err find_km(struct maf *m, const char *id, struct arena *arena, struct symkey *row, bool *by_keid, struct why *why)
{
	const struct store *s = m->env.store;
	struct why missing = {0};
	enum err err = s->ops->symkey_find(s->self, SYMKEY_KM, id, arena, row, &missing);

	*by_keid = err == ERR_NOT_FOUND;
	if (*by_keid) {
		why_clear(&missing);
		err = s->ops->symkey_find(s->self, SYMKEY_KM_KEID, id, arena, row, &missing);
	}
	if (err == ERR_NOT_FOUND)
		return stranger(why);
	if (err != OK)
		*why = missing;
	return err;
}

enum err maf_peer_by_psk(struct maf *m, struct span identity, struct arena *arena, struct maf_peer *out, struct why *why)
{
	char id[M2M_KEYID_SIZE];
	struct why form = {0};
	struct symkey row;
	struct maf_record r;
	bool by_keid = false;

	*out = (struct maf_peer){0};
	if (m2m_psk_identity_parse(identity, id, &form) != OK)
		return stranger(why);
	TRY(find_km(m, id, arena, &row, &by_keid, why));
	/* TS-0003 10.7: a session that outlives its Km is of no use */
	if (row.expires_s <= clock_unix_s(m->env.clock))
		return WHY(why, MAF_PEER_EXPIRED, "TS-0003 10.7", "Km: want one that lasts, have one that is over");
	TRY(record_parse(row.info, arena, &r, why));
	out->id = row.owner;
	out->key_id = by_keid ? r.other_id : row.id;
	out->expires_s = row.expires_s;
	return OK;
}
