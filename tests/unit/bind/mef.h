#pragma once
/*
 * A whole MEF in memory for the tests of bind: real store, real CA, real keys; a clock that tests turn
 * and random bytes that count. One factory CA stands for the manufacturer.
 */
#include "adapt/issuer/local.h"
#include "adapt/store/memory.h"
#include "base/mem.h"
#include "bind/route.h"
#include "core/registry/enrolee.h"
#include "pki/build.h"
#include "pki/cms.h"
#include "pki/csr.h"
#include "pki/digest.h"
#include "pki/oid.h"
#include "proto/est/attrs.h"
#include "proto/est/body.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CLIENT_AUTH_OID OID("\x2b\x06\x01\x05\x05\x07\x03\x02")

enum { MEF_NOW_S = 1800000000, MEF_YEAR_S = 31536000, MEF_TTL_S = 300, MEF_DER_MAX = 16384 };

struct mef_site {
	int64_t now_s;
	uint64_t random_n;
	struct clock clock;
	struct random_source random;
	struct store *store;
	struct batch *batch;
	struct profile_set profiles;
	struct label_set labels;
	struct secret challenge_key;
	struct key *ca_key, *factory_key;
	struct buf ca_der, factory_der, chain;
	struct ca ca;
	struct issuer_local issuer;
	uint8_t factory_anchor[32];
	struct bind_env env;
	struct why fault; /* the last that the hook was told of */
	unsigned int faults;
	struct why stranger;
	unsigned int strangers;
};

/* A reply, copied out. */
struct got {
	unsigned int calls;
	uint16_t status;
	char media_type[CALL_MEDIA_MAX];
	uint32_t retry_after_s, max_age_s;
	bool base64;
	unsigned int allow;
	struct buf body;
};

static inline void got_fini(struct got *g)
{
	buf_fini(&g->body);
}

#define OWNED_GOT __attribute__((cleanup(got_fini)))

static inline int64_t mef_unix_s(void *self)
{
	return ((struct mef_site *)self)->now_s;
}

static inline enum err mef_fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	struct mef_site *m = self;
	(void)why;

	for (size_t i = 0; i < n; i++) {
		uint8_t digest[SHA256_SIZE];
		m->random_n++;
		digest_sha256(span_of(&m->random_n, sizeof(m->random_n)), digest);
		out[i] = digest[0];
	}
	return OK;
}

static inline void mef_fault(void *arg, const struct why *why)
{
	struct mef_site *m = arg;

	m->fault = *why;
	m->faults++;
}

static inline void mef_stranger(void *arg, const char *address, const struct why *why)
{
	struct mef_site *m = arg;

	assert_non_null(address);
	m->stranger = *why;
	m->strangers++;
}

static inline struct key *mef_key(void)
{
	struct key *k = NULL;
	struct why why = {0};

	assert_int_equal(key_new(KEY_P256, &k, &why), OK);
	return k;
}

/* A certificate with CN and serialNumber; issuer NULL: self-signed CA. */
static inline void mef_cert(struct mef_site *m, const char *cn, const char *serial_number, const struct key *subject_key,
	const struct key *signer, const struct buf *issuer_der, struct buf *out)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf spki OWNED_BUF = BUF(1024);
	struct cert issuer = {0};
	struct why why = {0};
	uint8_t serial[16] = {0};

	assert_int_equal(name_write_cn(cn, serial_number, &name, &why), OK);
	assert_int_equal(key_write_spki(subject_key, &spki, &why), OK);
	assert_int_equal(mef_fill(m, serial + 1, 15, &why), OK);
	serial[0] = 0x11;
	if (issuer_der)
		assert_int_equal(cert_parse(buf_span(issuer_der), &issuer, &why), OK);
	struct cert_plan plan = {
		.serial = span_of(serial, sizeof(serial)),
		.issuer = issuer_der ? issuer.subject : buf_span(&name),
		.subject = buf_span(&name),
		.spki = buf_span(&spki),
		.not_before_s = MEF_NOW_S - 86400,
		.not_after_s = MEF_NOW_S + 10LL * MEF_YEAR_S,
		.is_ca = !issuer_der,
		.path_len = -1,
		.key_usage = issuer_der ? KU_DIGITAL_SIGNATURE : KU_KEY_CERT_SIGN | KU_CRL_SIGN,
		.akid = issuer_der ? issuer.skid : (struct span){NULL, 0},
	};
	enum err err = cert_build(&plan, signer, out, &why);
	if (err != OK)
		fail_msg("certificate of %s: %s", cn, why.text);
}

static inline struct est_label *mef_label(struct mef_site *m, const char *name, enum challenge_mode mode, bool bind_tls)
{
	struct est_label *l = &m->labels.items[m->labels.n++];

	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->profile, sizeof(l->profile), "iot");
	l->challenge = mode;
	l->bind_tls = bind_tls;
	l->challenge_ttl_s = MEF_TTL_S;
	if (mode == CHALLENGE_REQUIRED) {
		l->ask_key = KEY_P256;
		snprintf(l->ask_ekus[0], sizeof(l->ask_ekus[0]), "1.3.6.1.5.5.7.3.2");
		l->ask_ekus_n = 1;
	}
	return l;
}

static inline void mef_profile(struct mef_site *m)
{
	struct profile *p = &m->profiles.items[m->profiles.n++];

	snprintf(p->name, sizeof(p->name), "iot");
	p->validity_s = MEF_YEAR_S;
	p->key_usage = KU_DIGITAL_SIGNATURE;
	snprintf(p->ekus[0], sizeof(p->ekus[0]), "1.3.6.1.5.5.7.3.2");
	p->ekus_n = 1;
	p->keys[0] = KEY_P256;
	p->keys_n = 1;
	p->san_kinds = SAN_RULE_DNS | SAN_RULE_URI;
	p->san_required = true;
}

static inline void mef_enrolee(struct mef_site *m, const char *id, const char *entity_id, const char *serial_number)
{
	const struct enrolee e = {.id = id, .entity_type = ENTITY_FQDN, .entity_id = entity_id,
		.state = ENROLEE_ENABLED, .label = "", .profile = ""};
	const struct credential c = {.kind = CREDENTIAL_SERIAL, .value = serial_number};
	struct why why = {0};

	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	enum err err = registry_add(m->store, &e, &c, 1, m->now_s, &why);
	if (err != OK)
		fail_msg("enrolee %s: %s", id, why.text);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
}

static inline void mef_pki(struct mef_site *m)
{
	struct why why = {0};

	m->ca_key = mef_key();
	m->factory_key = mef_key();
	m->ca_der = m->factory_der = BUF(MEF_DER_MAX);
	m->chain = BUF(2 * MEF_DER_MAX);
	mef_cert(m, "MEF CA", NULL, m->ca_key, m->ca_key, NULL, &m->ca_der);
	mef_cert(m, "Factory CA", NULL, m->factory_key, m->factory_key, NULL, &m->factory_der);
	struct span ca = buf_span(&m->ca_der);
	assert_int_equal(cms_certs_write(&ca, 1, &m->chain, &why), OK);
	m->ca = (struct ca){.profiles = &m->profiles, .key = m->ca_key, .cert_der = ca, .random = m->random};
	assert_int_equal(cert_parse(ca, &m->ca.cert, &why), OK);
	issuer_local_init(&m->issuer, &m->ca, &m->clock);
}

static inline int mef_setup(void **state)
{
	struct mef_site *m = mem_alloc(sizeof(*m));

	assert_non_null(m);
	m->now_s = MEF_NOW_S;
	m->clock = (struct clock){.self = m, .unix_s = mef_unix_s};
	m->random = (struct random_source){.self = m, .fill = mef_fill};
	assert_true(secret_set(&m->challenge_key, span_text("0123456789abcdef0123456789abcdef")));
	mef_profile(m);
	mef_label(m, "", CHALLENGE_ACCEPTED, false);
	mef_label(m, "onem2m", CHALLENGE_REQUIRED, false);
	mef_label(m, "bound", CHALLENGE_REQUIRED, true);
	mef_pki(m);
	m->store = store_memory_new();
	assert_non_null(m->store);
	m->batch = batch_new(m->store);
	assert_non_null(m->batch);
	mef_enrolee(m, "dev1", "dev1.example.com", "SN-1");
	mef_enrolee(m, "dev2", "dev2.example.com", "SN-2");
	digest_sha256(buf_span(&m->factory_der), m->factory_anchor);
	m->env = (struct bind_env){
		.side = {.anchors = m->factory_anchor, .anchors_n = 1},
		.realm = BIND_MEF,
		.enrol = {m->store, m->batch, &m->issuer.issuer, &m->clock},
		.random = m->random,
		.labels = &m->labels,
		.challenge_key = &m->challenge_key,
		.ca_chain_cms = buf_span(&m->chain),
		.cas = {{"issuing", buf_span(&m->ca_der)}},
		.cas_n = 1,
		.fault = mef_fault,
		.stranger = mef_stranger,
		.told_arg = m,
	};
	*state = m;
	return 0;
}

static inline int mef_teardown(void **state)
{
	struct mef_site *m = *state;

	batch_free(m->batch);
	m->store->ops->free(m->store->self);
	key_free(m->ca_key);
	key_free(m->factory_key);
	buf_fini(&m->ca_der);
	buf_fini(&m->factory_der);
	buf_fini(&m->chain);
	mem_free(m);
	return 0;
}

static inline void mef_take_reply(void *arg, const struct reply *reply)
{
	struct got *g = arg;

	g->calls++;
	g->status = reply->status;
	memcpy(g->media_type, reply->media_type, sizeof(g->media_type));
	g->retry_after_s = reply->retry_after_s;
	g->max_age_s = reply->max_age_s;
	g->base64 = reply->base64;
	g->allow = reply->allow;
	g->body = BUF(REPLY_BODY_MAX);
	buf_put_span(&g->body, reply->body);
}

/* One call and its commit; exactly one reply. */
static inline void mef_call(struct mef_site *m, const struct call *call, struct got *g)
{
	got_fini(g);
	*g = (struct got){0};
	bind_call(&m->env, call, mef_take_reply, g);
	batch_flush(m->batch);
	assert_int_equal(g->calls, 1);
	assert_int_not_equal(g->status, 401); /* seed 001: HTTP authentication is never offered */
}

static inline struct peer mef_anonymous(void)
{
	return (struct peer){.tls_version = 0x0304, .exporter = span_text("exporter octets of the session A"),
		.address = "127.0.0.1"};
}

static inline struct peer mef_peer(const struct mef_site *m, enum peer_trust trust, const struct buf *leaf)
{
	struct peer p = mef_anonymous();

	p.trust = trust;
	p.leaf = buf_span(leaf);
	digest_sha256(buf_span(trust == PEER_OWN ? &m->ca_der : &m->factory_der), p.anchor);
	return p;
}

static inline void mef_get(struct mef_site *m, const char *path, const struct peer *peer, struct got *g)
{
	const struct call call = {.method = CALL_GET, .path = span_text(path), .peer = *peer};

	mef_call(m, &call, g);
}

static inline void mef_post(struct mef_site *m, const char *path, const struct peer *peer, struct span body, struct got *g)
{
	const struct call call = {.method = CALL_POST, .path = span_text(path),
		.media_type = span_text("application/pkcs10"), .body = body, .peer = *peer};

	mef_call(m, &call, g);
}

/* The text of a refusal names this code. */
static inline void expect_refusal(struct got *g, unsigned int status, enum code code)
{
	char want[32];

	snprintf(want, sizeof(want), "OMEF-%d:", (int)code);
	if (g->status != status || strncmp(buf_text(&g->body), want, strlen(want)) != 0)
		fail_msg("want %u %s, have %u %s", status, want, (unsigned int)g->status, buf_text(&g->body));
	assert_string_equal(g->media_type, "text/plain; charset=utf-8");
}

static inline struct store_counts mef_counts(struct mef_site *m)
{
	struct store_counts c = {0};
	struct why why = {0};

	assert_int_equal(m->store->ops->counts(m->store->self, &c, &why), OK);
	return c;
}

struct mef_audit {
	char event[STORE_EVENT_MAX];
};

static inline enum err mef_keep_event(void *arg, const struct audit_row *row, struct why *why)
{
	struct mef_audit *a = arg;
	(void)why;

	snprintf(a->event, sizeof(a->event), "%s", row->event);
	return OK;
}

/* The newest audit event holds this text. */
static inline void expect_audit(struct mef_site *m, const char *text)
{
	struct mef_audit last = {0};
	struct why why = {0};

	assert_int_equal(m->store->ops->audit_list(m->store->self, 0, STORE_PAGE_MAX, mef_keep_event, &last, &why), OK);
	if (!strstr(last.event, text))
		fail_msg("want '%s' in the last audit event, have %s", text, last.event);
}
