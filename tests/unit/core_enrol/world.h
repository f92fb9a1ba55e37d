#pragma once
/* A small MEF in memory: store, batch, CA with real keys, a factory CA, one clock that tests turn. */
#include "adapt/issuer/local.h"
#include "core/enrol/certificate.h"
#include "core/registry/audit.h"
#include "core/registry/enrolee.h"
#include "pki/build.h"
#include "pki/digest.h"

#include "faulty_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { T0 = 1760000000, DAY = 86400 };

#define CLIENT_AUTH "1.3.6.1.5.5.7.3.2"
#define SERVER_AUTH "1.3.6.1.5.5.7.3.1"

struct world {
	struct faulty_store *f;
	struct store *store;
	struct batch *batch;
	struct key *ca_key, *factory_key, *device_key;
	struct buf ca_der, factory_der;
	uint8_t factory_anchor[32];
	struct profile_set profiles;
	struct ca ca;
	struct clock clock;
	struct issuer_local local;
	struct issuer issuer; /* holds orders back while hold is set */
	bool hold;
	struct {
		const struct issue_order *order;
		issue_done done;
		void *arg;
	} held[8];
	size_t held_n;
	unsigned int issued;
	int64_t now_s;
	uint8_t counter;
	bool stuck; /* the random source repeats itself */
	struct est_label label;
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

static inline enum err world_fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	struct world *w = self;

	(void)why;
	memset(out, 0x5a, n);
	out[n - 1] = w->counter;
	if (!w->stuck)
		w->counter++;
	return OK;
}

static inline void world_issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct world *w = self;

	w->issued++;
	if (!w->hold) {
		w->local.issuer.issue(w->local.issuer.self, order, done, arg);
		return;
	}
	assert_true(w->held_n < 8);
	w->held[w->held_n].order = order;
	w->held[w->held_n].done = done;
	w->held[w->held_n++].arg = arg;
}

/* Lets the signer answer what was held back, in order. */
static inline void world_release(struct world *w)
{
	w->hold = false;
	for (size_t i = 0; i < w->held_n; i++)
		w->local.issuer.issue(w->local.issuer.self, w->held[i].order, w->held[i].done, w->held[i].arg);
	w->held_n = 0;
}

static inline void make_cert(const char *cn, const char *serial, const struct san_list *sans, const struct key *key,
	struct span issuer_name, const struct key *signer, bool is_ca, int64_t from_s, int64_t to_s, struct buf *out)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf spki OWNED_BUF = BUF(2048);
	struct buf san OWNED_BUF = BUF(8192);
	struct why why = {0};
	static uint8_t number;
	uint8_t serial_octets[] = {0x11, ++number};
	static const uint8_t key_id[20] = {1};

	good(name_write_cn(cn, serial, &name, &why), &why);
	good(key_write_spki(key, &spki, &why), &why);
	if (sans)
		good(san_write(sans, &san, &why), &why);
	const struct cert_plan plan = {
		.serial = span_of(serial_octets, 2),
		.issuer = issuer_name.n ? issuer_name : buf_span(&name),
		.subject = buf_span(&name),
		.spki = buf_span(&spki),
		.not_before_s = from_s,
		.not_after_s = to_s,
		.is_ca = is_ca,
		.path_len = -1,
		.key_usage = is_ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN : KU_DIGITAL_SIGNATURE,
		.sans = buf_span(&san),
		.akid = issuer_name.n ? span_of(key_id, 20) : (struct span){0},
	};
	good(cert_build(&plan, signer, out, &why), &why);
}

static inline int world_setup(void **state)
{
	struct world *w = mem_alloc(sizeof(*w));
	struct why why = {0};

	w->f = faulty_store_new();
	w->store = &w->f->store;
	w->batch = batch_new(w->store);
	w->now_s = T0;
	w->clock = (struct clock){.self = w, .unix_s = world_unix_s};
	good(key_new(KEY_P256, &w->ca_key, &why), &why);
	good(key_new(KEY_P256, &w->factory_key, &why), &why);
	good(key_new(KEY_P256, &w->device_key, &why), &why);
	w->ca_der = BUF(CERT_DER_MAX);
	w->factory_der = BUF(CERT_DER_MAX);
	make_cert("Test issuing CA", NULL, NULL, w->ca_key, (struct span){0}, w->ca_key, true, T0 - DAY, T0 + 3650LL * DAY,
		&w->ca_der);
	make_cert("Factory CA", NULL, NULL, w->factory_key, (struct span){0}, w->factory_key, true, T0 - DAY,
		T0 + 3650LL * DAY, &w->factory_der);
	digest_sha256(buf_span(&w->factory_der), w->factory_anchor);
	w->profiles.n = 1;
	w->profiles.items[0] = (struct profile){.name = "device", .validity_s = 90 * DAY, .backdate_s = 3600,
		.key_usage = KU_DIGITAL_SIGNATURE, .ekus = {CLIENT_AUTH}, .ekus_n = 1, .keys = {KEY_P256, KEY_P384},
		.keys_n = 2, .san_kinds = SAN_RULE_DNS | SAN_RULE_URI, .san_required = true};
	w->ca = (struct ca){.profiles = &w->profiles, .key = w->ca_key, .cert_der = buf_span(&w->ca_der),
		.random = {.self = w, .fill = world_fill}};
	good(cert_parse(w->ca.cert_der, &w->ca.cert, &why), &why);
	good(ca_check(&w->ca, w->now_s, &why), &why);
	issuer_local_init(&w->local, &w->ca, &w->clock);
	w->issuer = (struct issuer){.self = w, .issue = world_issue};
	w->label = (struct est_label){.profile = "device", .challenge = CHALLENGE_ACCEPTED};
	*state = w;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct world *w = *state;

	batch_free(w->batch);
	faulty_store_free(w->f);
	key_free(w->ca_key);
	key_free(w->factory_key);
	key_free(w->device_key);
	buf_fini(&w->ca_der);
	buf_fini(&w->factory_der);
	mem_free(w);
	return 0;
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

static inline void world_add(struct world *w, const char *id, enum entity_type type, const char *entity_id,
	const struct credential *creds, size_t n)
{
	const struct enrolee e = {.id = id, .entity_type = type, .entity_id = entity_id, .state = ENROLEE_ENABLED};
	struct why why = {0};

	good(batch_enter(w->batch, &why), &why);
	good(registry_add(w->store, &e, creds, n, w->now_s, &why), &why);
	good(batch_leave(w->batch, true, &why), &why);
	batch_flush(w->batch);
}

static inline void world_set_state(struct world *w, const char *id, enum enrolee_state state)
{
	struct why why = {0};

	good(batch_enter(w->batch, &why), &why);
	good(registry_set_state(w->store, id, state, w->now_s, &why), &why);
	good(batch_leave(w->batch, true, &why), &why);
	batch_flush(w->batch);
}

static inline void world_revoke(struct world *w, struct span serial)
{
	struct why why = {0};

	good(batch_enter(w->batch, &why), &why);
	good(registry_revoke(w->store, serial, 1, w->now_s, &why), &why);
	good(batch_leave(w->batch, true, &why), &why);
	batch_flush(w->batch);
}

static inline struct san san_of(enum san_kind kind, const char *text)
{
	return (struct san){.kind = kind, .value = span_text(text)};
}

/* A leaf of the factory's CA, valid from yesterday for ten years. */
static inline void world_leaf(struct world *w, const char *cn, const char *serial, const struct san_list *sans, struct buf *out)
{
	struct cert ca;
	struct why why = {0};

	good(cert_parse(buf_span(&w->factory_der), &ca, &why), &why);
	make_cert(cn, serial, sans, w->device_key, ca.subject, w->factory_key, false, T0 - DAY, T0 + 3650LL * DAY, out);
}

static inline enum err world_find(struct world *w, enum client_trust trust, struct span leaf, struct arena *arena,
	struct client *out, struct why *why)
{
	static const uint8_t none[32];
	const struct client_facts facts = {.trust = trust, .leaf = leaf,
		.anchor = trust == CLIENT_THIRD_PARTY ? w->factory_anchor : none};

	*why = (struct why){0};
	return client_find(w->store, &facts, w->now_s, arena, out, why);
}

struct csr_wish {
	const char *cn;      /* NULL: empty subject */
	const char *serial;  /* of the subject */
	struct span subject; /* DER; instead of cn */
	struct span sans;
	struct san san;      /* instead of sans */
	const char *challenge;
	const char *ekus[3]; /* dotted */
	bool no_usage;       /* without keyUsage */
};

static inline void make_csr(const struct csr_wish *wish, const struct key *key, struct buf *out)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf san OWNED_BUF = BUF(8192);
	struct buf oids[3] = {BUF(64), BUF(64), BUF(64)};
	struct eku_list ekus = {0};
	struct why why = {0};

	good(name_write_cn(wish->cn ? wish->cn : "", wish->serial, &name, &why), &why);
	if (wish->san.kind) {
		const struct san_list list = {.items = {wish->san}, .n = 1};
		good(san_write(&list, &san, &why), &why);
	}
	for (size_t i = 0; i < 3 && wish->ekus[i]; i++) {
		good(oid_parse(wish->ekus[i], &oids[i], &why), &why);
		ekus.oids[ekus.n++] = buf_span(&oids[i]);
	}
	const struct csr_plan plan = {
		.subject = wish->subject.n ? wish->subject : buf_span(&name),
		.challenge = span_text(wish->challenge),
		.sans = wish->san.kind ? buf_span(&san) : wish->sans,
		.ekus = ekus.n ? &ekus : NULL,
		.digital_signature = !wish->no_usage,
	};
	good(csr_write(&plan, key, out, &why), &why);
	for (size_t i = 0; i < 3; i++)
		buf_fini(&oids[i]);
}

/* What enrol_done was told. */
struct answer {
	unsigned int times;
	enum err err;
	struct why why;
	struct buf cert;
	unsigned int commits; /* at that time */
};

#define ANSWER ((struct answer){.cert = BUF(CERT_DER_MAX)})
#define OWNED_ANSWER __attribute__((cleanup(answer_fini)))

static inline void answer_fini(struct answer *a)
{
	buf_fini(&a->cert);
}

static inline void on_answer(void *arg, enum err err, struct span cert, const struct why *why)
{
	struct answer *a = arg;

	assert_non_null(why);
	assert_true((err == OK) == (cert.n > 0));
	assert_int_equal(why->kind, err);
	a->times++;
	a->err = err;
	a->why = *why;
	a->commits = faults.commits;
	if (cert.n)
		buf_put_span(&a->cert, cert);
}

static inline struct enrol_env world_env(struct world *w)
{
	return (struct enrol_env){.store = w->store, .batch = w->batch, .issuer = &w->issuer, .clock = &w->clock};
}

static inline enum err keep_last_event(void *arg, const struct audit_row *row, struct why *why)
{
	(void)why;
	snprintf(arg, STORE_EVENT_MAX, "%s", row->event);
	return OK;
}

static inline const char *world_last_event(struct world *w)
{
	static char event[STORE_EVENT_MAX];
	struct why why = {0};
	uint8_t hash[32];
	uint64_t seq = 0;

	event[0] = '\0';
	good(w->store->ops->audit_head(w->store->self, &seq, hash, &why), &why);
	if (seq)
		good(w->store->ops->audit_list(w->store->self, seq, 1, keep_last_event, event, &why), &why);
	return event;
}

static inline struct store_counts world_counts(struct world *w)
{
	struct store_counts counts = {0};
	struct why why = {0};

	good(w->store->ops->counts(w->store->self, &counts, &why), &why);
	return counts;
}
