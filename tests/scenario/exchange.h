#pragma once
/* A MEF's exchange and key retrieval in memory: sessions are numbers, a fake clock, clients found as in the product. */
#include "unit/core_keys/ring.h"

#include "core/enrol/client.h"
#include "core/exchange/exchange.h"
#include "pki/digest.h"
#include "proto/m2m/derive.h"

#define MEF_HTTPS "https://mef.example.com:8443"

struct scene {
	struct ring ring;
	struct exchange_env env;
	uint8_t serial;
};

static inline struct scene *scene_new(bool sqlite)
{
	struct scene *s = mem_alloc(sizeof(*s));

	if (sqlite)
		ring_init_sqlite(&s->ring);
	else
		ring_init(&s->ring, store_memory_new());
	s->env = (struct exchange_env){.store = &s->ring.store, .batch = s->ring.batch, .clock = &s->ring.clock,
		.vault = &s->ring.vault, .fqdn = RING_FQDN, .public_https = MEF_HTTPS};
	return s;
}

static inline int scene_setup(void **state)
{
	*state = scene_new(false);
	return 0;
}

static inline int scene_setup_sqlite(void **state)
{
	*state = scene_new(true);
	return 0;
}

static inline int scene_teardown(void **state)
{
	struct scene *s = *state;

	ring_fini(&s->ring);
	mem_free(s);
	return 0;
}

#define SCENE_TEST(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
#define SCENE_TEST_SQLITE(name) {#name "_sqlite", name, scene_setup_sqlite, scene_teardown, NULL}

/* An enrolee with Kpm ID@FQDN, an AE or CSE. */
static inline void scene_device(struct scene *s, const char *id, enum entity_type type, const char *entity_id)
{
	char kpmid[64];

	ring_enrolee(&s->ring, id, type, entity_id);
	snprintf(kpmid, sizeof(kpmid), "%s@%s", id, RING_FQDN);
	ring_kpm(&s->ring, id, kpmid, 9, 0);
}

static inline void scene_prefs(struct scene *s, const char *id, const char *json)
{
	RING_WRITE(&s->ring, register_prefs(&s->ring.store, id ? PREFS_ENROLEE : PREFS_DEFAULT, id ? id : "", span_text(json),
		s->ring.now_s, &why_));
}

/* A certificate of the enrolee on record, good for a day. */
static inline void scene_certificate(struct scene *s, const char *id)
{
	const uint8_t serial[] = {0x20, ++s->serial};
	const struct issued row = {.serial = span_of(serial, 2), .enrolee_id = id, .profile = "device", .est_label = "",
		.issued_s = s->ring.now_s, .not_before_s = s->ring.now_s - 60, .not_after_s = s->ring.now_s + RING_DAY_S,
		.der = span_text("certificate"), .state = ISSUED_VALID};

	RING_WRITE(&s->ring, s->ring.store.ops->issued_add(s->ring.store.self, &row, &why_));
}

/* What session number n exports. */
static inline void scene_export(unsigned int n, uint8_t out[96])
{
	for (uint8_t i = 0; i < 3; i++) {
		const uint8_t seed[] = {(uint8_t)n, (uint8_t)(n >> 8), i};
		digest_sha256(span_of(seed, sizeof(seed)), out + 32 * i);
	}
}

static inline void scene_keid(unsigned int session, char out[M2M_KEYID_SIZE])
{
	uint8_t exported[96];
	struct why why = {0};

	scene_export(session, exported);
	good(m2m_keyid_write(exported, span_text(RING_FQDN), out, &why), &why);
}

static inline void scene_kreid(unsigned int session, char out[M2M_KEYID_SIZE])
{
	uint8_t exported[96];
	struct why why = {0};

	scene_export(session, exported);
	good(m2m_keyid_write(exported + 48, span_text(RING_FQDN), out, &why), &why);
}

/* What exchange_done was told; texts are kept here. */
struct told {
	unsigned int times;
	enum err err;
	struct why why;
	struct exchange_instruction m;
	char keid[M2M_KEYID_SIZE], enrolee_id[256], est_uri[600], maf_fqdn[256], maf_uri[256];
	char pairs[4096]; /* "id/suid id/suid" */
	unsigned int commits;
};

static inline void on_told(void *arg, enum err err, const struct exchange_instruction *m, const struct why *why)
{
	struct told *t = arg;

	assert_non_null(why);
	assert_true((err == OK) == (m != NULL));
	t->times++;
	t->err = err;
	t->why = *why;
	t->commits = port.commits;
	if (!m)
		return;
	t->m = *m;
	snprintf(t->keid, sizeof(t->keid), "%s", m->keid);
	snprintf(t->enrolee_id, sizeof(t->enrolee_id), "%s", m->enrolee_id);
	snprintf(t->est_uri, sizeof(t->est_uri), "%s", m->est_uri);
	snprintf(t->maf_fqdn, sizeof(t->maf_fqdn), "%s", m->maf_fqdn);
	snprintf(t->maf_uri, sizeof(t->maf_uri), "%s", m->maf_uri);
	for (size_t i = 0; i < m->pairs_n; i++) {
		size_t n = strlen(t->pairs);
		snprintf(t->pairs + n, sizeof(t->pairs) - n, "%s%s/%u", i ? " " : "", m->pairs[i].enrolee_b, m->pairs[i].suid);
	}
}

/* identity: a psk_identity; the client is found as at every call. */
static inline void scene_call(struct scene *s, const char *identity, struct exchange_ask *ask, struct told *t)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	const struct client_facts facts = {.trust = CLIENT_PSK, .identity = span_text(identity)};
	struct client client = {0};
	unsigned int before = port.commits;

	*t = (struct told){0};
	t->err = client_find(&s->ring.store, &facts, s->ring.now_s, &arena, &client, &t->why);
	if (t->err != OK)
		return;
	ask->client = &client;
	ask->address = "192.0.2.7";
	exchange_call(&s->env, ask, on_told, t);
	arena_fini(&arena); /* nothing of the request is needed later */
	assert_int_equal(t->times, 0);
	batch_flush(s->ring.batch);
	assert_int_equal(t->times, 1);
	if (t->err == OK)
		assert_true(t->commits > before || port.commit_fails == false);
}

struct wish {
	bool certificate, maf;
	const char *token;
};

static inline struct told scene_start(struct scene *s, const char *identity, unsigned int session, struct wish wish)
{
	uint8_t exported[96];
	struct told t;

	scene_export(session, exported);
	struct exchange_ask ask = {.start = true, .exported = span_of(exported, 96),
		.request = {.certificate = wish.certificate, .maf = wish.maf, .token = wish.token ? wish.token : ""}};
	scene_call(s, identity, &ask, &t);
	return t;
}

static inline struct told scene_report(struct scene *s, const char *identity, unsigned int session, unsigned int step,
	enum exchange_kind kind, bool success)
{
	uint8_t exported[96];
	struct told t;

	scene_export(session, exported);
	struct exchange_ask ask = {.report = {.step = step, .kind = kind, .success = success, .error = success ? "" : "radio is off"}};
	memcpy(ask.relative, exported, M2M_RELATIVE_SIZE);
	scene_call(s, identity, &ask, &t);
	return t;
}

#define TOLD(t, kind_, step_) \
	do { \
		const struct told t_ = (t); \
		good(t_.err, &t_.why); \
		assert_int_equal(t_.m.kind, kind_); \
		assert_int_equal(t_.m.step, step_); \
	} while (0)

#define TOLD_NO(t, kind_, code_) \
	do { \
		const struct told t_ = (t); \
		assert_int_equal(t_.err, kind_); \
		assert_int_equal(t_.why.code, CODE_##code_); \
	} while (0)

/* What retrieval_done was told. */
struct fetched {
	unsigned int times;
	enum err err;
	struct why why;
	bool answered, status;
	struct secret key;
	char enrolee_id[256], error[WHY_TEXT_MAX];
	int64_t lifetime_s;
};

static inline void on_fetched(void *arg, enum err err, const struct retrieval_answer *a, const struct why *why)
{
	struct fetched *f = arg;

	assert_non_null(why);
	f->times++;
	f->err = err;
	f->why = *why;
	f->answered = a != NULL;
	assert_int_equal(f->answered, err <= ERR_PENDING);
	if (!a)
		return;
	assert_int_equal(a->status, err == OK);
	assert_int_equal(a->credential.n, err == OK ? M2M_KEY_SIZE : 0);
	f->status = a->status;
	f->key = a->credential;
	f->lifetime_s = a->lifetime_s;
	snprintf(f->enrolee_id, sizeof(f->enrolee_id), "%s", a->enrolee_id);
	snprintf(f->error, sizeof(f->error), "%s", a->error);
}

/* The client of that PSK asks for the key of that session's Ke. suid 0 and fqdn "": the short path. */
static inline struct fetched scene_fetch(struct scene *s, const char *identity, const char *origin, unsigned int session,
	unsigned int suid, const char *fqdn)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	const struct client_facts facts = {.trust = CLIENT_PSK, .identity = span_text(identity)};
	struct client client = {0};
	uint8_t exported[96];
	struct fetched f = {0};
	struct retrieval_call call = {.client = &client, .address = "192.0.2.9", .origin = span_text(origin), .ask = {.suid = suid}};

	good(client_find(&s->ring.store, &facts, s->ring.now_s, &arena, &client, &f.why), &f.why);
	scene_export(session, exported);
	memcpy(call.ask.relative, exported, M2M_RELATIVE_SIZE);
	snprintf(call.ask.fqdn, sizeof(call.ask.fqdn), "%s", fqdn);
	retrieval_do(&s->env, &call, on_fetched, &f);
	arena_fini(&arena);
	assert_int_equal(f.times, 0);
	batch_flush(s->ring.batch);
	assert_int_equal(f.times, 1);
	return f;
}

/* The same key as the enrolee derives from its session. */
static inline void expect_same_key(const struct fetched *f, unsigned int session, unsigned int suid, const char *target)
{
	struct secret ke OWNED_SECRET = {0};
	struct secret want OWNED_SECRET = {0};
	uint8_t exported[96], relative[M2M_RELATIVE_SIZE];
	struct why why = {0};

	good(f->err, &f->why);
	scene_export(session, exported);
	good(m2m_split_export(span_of(exported, 48), relative, &ke, &why), &why);
	good(m2m_derive_constrained(&ke, suid, span_text(target), &want, &why), &why);
	assert_true(secret_equal(secret_span(&f->key), secret_span(&want)));
}
