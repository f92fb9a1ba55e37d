#pragma once
/* A MAF in memory: store, batch, vault, a MEF that answers when it is told to, one clock that tests turn. */
#include "core/maf/maf.h"

#include "adapt/store/memory.h"
#include "core/keys/psk.h"
#include "core/keys/register.h"
#include "proto/m2m/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { T0 = 1760000000, DAY = 86400, ASKS_MAX = 1200 };

#define KEID "000102030405060708090A0B0C0D0E0F@mef.example.com"
#define AE "m2m://sp.example.com/cse1/Cae7"
#define CSE "cse2.example.com"

struct told {
	unsigned int n;
	struct secret key;
};

struct asked {
	char keid[M2M_KEYID_SIZE];
	unsigned int suid;
	mef_done done;
	void *arg;
};

struct world {
	struct store *store;
	struct batch *batch;
	struct clock clock;
	struct secret seal_key;
	struct vault vault;
	struct psk_decoy decoy;
	struct mef mef;
	struct maf *maf;
	int64_t now_s, now_ms;
	uint32_t counter;
	struct asked asked[ASKS_MAX];
	size_t asked_n;
	/* the last answer of an operation */
	unsigned int answers;
	enum err err;
	enum code code;
	bool gave;
	char id[64], key_id[M2M_KEYID_SIZE], admin[128], source[128];
	int64_t expires_s;
	unsigned int suid;
	struct secret value;
	size_t targets, labels;
};

static inline void good(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s: %s", err_name(err), why->text);
}

static inline int64_t world_unix_s(void *self)
{
	return ((struct world *)self)->now_s;
}

static inline int64_t world_mono_ms(void *self)
{
	return ((struct world *)self)->now_ms;
}

static inline enum err world_fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	struct world *w = self;

	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(0x30 + (i < 4 ? w->counter >> (8 * i) : i));
	w->counter++;
	return OK;
}

static inline void world_fetch(void *self, const char *keid, unsigned int suid, mef_done done, void *arg)
{
	struct world *w = self;
	struct asked *a = &w->asked[w->asked_n++];

	assert_true(w->asked_n <= ASKS_MAX);
	snprintf(a->keid, sizeof(a->keid), "%s", keid);
	a->suid = suid;
	a->done = done;
	a->arg = arg;
}

static inline void world_maf(struct world *w)
{
	const struct maf_env env = {.store = w->store, .batch = w->batch, .clock = &w->clock, .vault = &w->vault, .decoy = &w->decoy,
		.mef = &w->mef, .fqdn = "MAF.example.com"};

	w->maf = maf_new(&env);
	assert_non_null(w->maf);
}

static inline int world_setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct why why = {0};

	w->store = store_memory_new();
	w->batch = batch_new(w->store);
	w->clock = (struct clock){w, world_unix_s, world_mono_ms};
	w->mef = (struct mef){w, world_fetch};
	w->now_s = T0;
	w->seal_key.n = 32;
	memset(w->seal_key.bytes, 7, 32);
	w->vault = (struct vault){.store = w->store, .seal_key = &w->seal_key, .random = {w, world_fill}};
	good(psk_decoy_init(&w->decoy, &w->vault, &why), &why);
	world_maf(w);
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	maf_free(w->maf);
	batch_free(w->batch);
	w->store->ops->free(w->store->self);
	psk_decoy_wipe(&w->decoy);
	free(w);
	return 0;
}

static inline void on_told(void *arg, const struct secret *key)
{
	struct told *t = arg;

	t->n++;
	t->key = *key;
}

static inline void ask(struct world *w, const char *identity, struct told *t)
{
	maf_psk(w->maf, span_text(identity), on_told, t);
}

static inline struct secret km_of(uint8_t fill)
{
	struct secret s = {.n = 32};

	memset(s.bytes, fill, s.n);
	return s;
}

/* The MEF's answer to a question, and the commit behind it. */
static inline void mef_gives(struct world *w, size_t i, const char *enrolee_id, int64_t lifetime_s, uint8_t fill)
{
	const struct mef_key key = {.key = km_of(fill), .enrolee_id = enrolee_id, .lifetime_s = lifetime_s};
	const struct why none = {0};

	w->asked[i].done(w->asked[i].arg, OK, &key, &none);
	batch_flush(w->batch);
}

static inline void mef_refuses(struct world *w, size_t i)
{
	struct why why = {0};

	enum err err = WHY(&why, MAF_FETCH, "", "no");
	w->asked[i].done(w->asked[i].arg, err, NULL, &why);
	batch_flush(w->batch);
}

static inline void mef_is_away(struct world *w, size_t i)
{
	struct why why = {0};

	enum err err = WHY(&why, MAF_CALL, "", "away");
	w->asked[i].done(w->asked[i].arg, err, NULL, &why);
	batch_flush(w->batch);
}

static inline bool is_key(const struct told *t, uint8_t fill)
{
	const struct secret want = km_of(fill);

	return secret_equal(secret_span(&t->key), secret_span(&want));
}

/* ---- operations of clients */

static inline void on_client(void *arg, enum err err, const struct maf_client *c, const struct why *why)
{
	struct world *w = arg;

	w->answers++;
	w->err = err;
	w->code = why->code;
	w->gave = c != NULL;
	if (!c)
		return;
	snprintf(w->id, sizeof(w->id), "%s", c->id);
	snprintf(w->key_id, sizeof(w->key_id), "%s", c->key_id);
	snprintf(w->admin, sizeof(w->admin), "%s", c->admin_fqdn);
	snprintf(w->source, sizeof(w->source), "%s", c->client_id);
	w->expires_s = c->expires_s;
	w->labels = c->labels.n;
}

static inline void on_key(void *arg, enum err err, const struct maf_key *k, const struct why *why)
{
	struct world *w = arg;

	w->answers++;
	w->err = err;
	w->code = why->code;
	w->gave = k != NULL;
	if (!k)
		return;
	snprintf(w->id, sizeof(w->id), "%s", k->relative_id);
	snprintf(w->admin, sizeof(w->admin), "%s", k->admin_fqdn);
	snprintf(w->source, sizeof(w->source), "%s", k->source_id);
	w->expires_s = k->expires_s;
	w->suid = k->suid;
	w->value = k->value;
	w->targets = k->targets.n;
	w->labels = k->labels.n;
}

/* Nobody hears anything before the commit. */
static inline void settled(struct world *w, enum err want)
{
	unsigned int before = w->answers;

	batch_flush(w->batch);
	assert_int_equal(w->answers, before + 1);
	if (w->err != want)
		fail_msg("want %s, have %s (%d)", err_name(want), err_name(w->err), (int)w->code);
}

/* ---- the audit log */

struct counting {
	const char *what;
	size_t n;
};

static inline enum err count_event(void *arg, const struct audit_row *row, struct why *why)
{
	struct counting *c = arg;

	(void)why;
	c->n += strstr(row->event, c->what) != NULL;
	return OK;
}

static inline size_t events(struct world *w, const char *part)
{
	struct counting c = {.what = part};
	struct why why = {0};

	good(w->store->ops->audit_list(w->store->self, 1, 1000, count_event, &c, &why), &why);
	return c.n;
}
