/* Clients of TLS-PSK sessions: found by their key, enrolled without a certificate (RFC 7030 3.3.3). */
#include "world.h"

#include "core/keys/register.h"

#define KPMID "gw7@mef.example.com"
#define KREID "000102030405060708090A0B0C0D0E0F@mef.example.com"

static struct secret seal_key = {.n = 32, .bytes = {1, 2, 3}};

static struct vault vault_of(struct world *w)
{
	return (struct vault){.store = w->store, .seal_key = &seal_key, .random = {.self = w, .fill = world_fill}};
}

#define WRITE(w, call) \
	do { \
		struct why why_ = {0}; \
		good(batch_enter((w)->batch, &why_), &why_); \
		good((call), &why_); \
		good(batch_leave((w)->batch, true, &why_), &why_); \
		batch_flush((w)->batch); \
	} while (0)

static void put_key(struct world *w, enum symkey_kind kind, const char *id, const char *owner, int64_t expires_s)
{
	const struct vault v = vault_of(w);
	const struct secret key = {.n = 32};
	const struct symkey row = {.kind = kind, .id = id, .owner = owner, .created_s = w->now_s, .expires_s = expires_s, .info = ""};

	WRITE(w, vault_add(&v, &row, &key, &why_));
}

static void devices(struct world *w)
{
	world_add(w, "gw7", ENTITY_NODE, "urn:dev:ops:7", NULL, 0);
	world_add(w, "gw8", ENTITY_NODE, "urn:dev:ops:8", NULL, 0);
	put_key(w, SYMKEY_KPM, KPMID, "gw7", 0);
	put_key(w, SYMKEY_KRE, KREID, "gw7", w->now_s + DAY);
}

static enum err find(struct world *w, const char *identity, struct arena *arena, struct client *c, struct why *why)
{
	const struct client_facts facts = {.trust = CLIENT_PSK, .identity = span_text(identity)};

	*why = (struct why){0};
	return client_find(w->store, &facts, w->now_s, arena, c, why);
}

static void refuses(struct world *w, const char *identity, enum err err, enum code code)
{
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	struct client c;
	struct why why;

	assert_int_equal(find(w, identity, &arena, &c, &why), err);
	if (code)
		assert_int_equal(why.code, code);
}

/* TS-0003 8.3.2.1, seed 003 8.3.3.2: by Kpm and by Kre, whatever the case of hex and host. */
static void keys_lead_to_their_enrolee(void **state)
{
	static const struct {
		const char *shown, *key_id;
	} rows[] = {{KPMID, KPMID}, {"gw7@MEF.EXAMPLE.com", KPMID}, {KREID, KREID},
		{"000102030405060708090a0b0c0d0e0f@mef.example.com", KREID}};
	struct world *w = *state;

	devices(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(64 * 1024);
		struct client c;
		struct why why;
		good(find(w, rows[i].shown, &arena, &c, &why), &why);
		assert_string_equal(c.enrolee.id, "gw7");
		assert_string_equal(c.key_id, rows[i].key_id);
		assert_false(c.provisioned);
		assert_int_equal(c.leaf.der.n, 0);
	}
}

static void others_are_refused(void **state)
{
	struct world *w = *state;

	devices(w);
	refuses(w, "", ERR_UNAUTHENTICATED, CODE_CLIENT_ANONYMOUS);
	refuses(w, "gw7", ERR_SYNTAX, CODE_NONE);
	refuses(w, "GW7@mef.example.com", ERR_FORBIDDEN, CODE_CLIENT_PSK_UNKNOWN);
	refuses(w, "gw8@mef.example.com", ERR_FORBIDDEN, CODE_CLIENT_PSK_UNKNOWN);
	put_key(w, SYMKEY_KE, "0F0102030405060708090A0B0C0D0E0F@mef.example.com", "gw7", 0);
	refuses(w, "0F0102030405060708090A0B0C0D0E0F@mef.example.com", ERR_FORBIDDEN, CODE_CLIENT_PSK_UNKNOWN);
	w->now_s += DAY - 1;
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	struct client c;
	struct why why;
	good(find(w, KREID, &arena, &c, &why), &why);
	w->now_s++;
	assert_int_equal(find(w, KREID, &arena, &c, &why), ERR_EXPIRED);
	assert_int_equal(why.code, CODE_CLIENT_PSK_EXPIRED);
	assert_string_equal(c.enrolee.id, "gw7"); /* the audit log gets a name */
	world_set_state(w, "gw7", ENROLEE_DISABLED);
	refuses(w, KPMID, ERR_FORBIDDEN, CODE_CLIENT_DISABLED);
}

/* A challenge made for one identity is good for no other. */
static void every_key_and_certificate_is_an_identity_of_its_own(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct credential cred = {.kind = CREDENTIAL_SERIAL, .value = "SN-7"};
	struct client c[4];
	struct why why = {0};

	devices(w);
	put_key(w, SYMKEY_KPM, "x@mef.example.com", "gw8", 0);
	world_leaf(w, "Factory box", "SN-7", NULL, &leaf);
	WRITE(w, w->store->ops->credential_add(w->store->self, "gw7", &cred, &why_));
	good(find(w, KPMID, &arena, &c[0], &why), &why);
	good(find(w, KREID, &arena, &c[1], &why), &why);
	good(find(w, "x@mef.example.com", &arena, &c[2], &why), &why);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&leaf), &arena, &c[3], &why), &why);
	for (size_t i = 0; i < 4; i++) {
		for (size_t k = i + 1; k < 4; k++)
			assert_memory_not_equal(c[i].identity, c[k].identity, sizeof(c[i].identity));
	}
}

struct attempt {
	struct arena arena;
	struct buf csr;
	struct client client;
	struct answer a;
};

static void attempt_fini(struct attempt *t)
{
	arena_fini(&t->arena);
	buf_fini(&t->csr);
	answer_fini(&t->a);
}

/* Finds the client and orders a certificate; the answer waits for the flush. */
static void enrol(struct world *w, const char *identity, struct csr_wish wish, bool reenrol, struct attempt *t)
{
	const struct enrol_env env = world_env(w);
	struct why why;

	*t = (struct attempt){.arena = ARENA(64 * 1024), .csr = BUF(CSR_DER_MAX), .a = ANSWER};
	good(find(w, identity, &t->arena, &t->client, &why), &why);
	make_csr(&wish, w->device_key, &t->csr);
	const struct enrol_ask ask = {.client = &t->client, .address = "192.0.2.7", .label = &w->label, .reenrol = reenrol,
		.csr = buf_span(&t->csr)};
	enrol_certificate(&env, &ask, on_answer, &t->a);
}

/* RFC 7030 3.3.3: the key authenticates; names are those that the registry holds. */
static void a_key_is_enough_to_enrol(void **state)
{
	static const struct {
		const char *cn;
		enum err err;
		enum code code;
	} rows[] = {
		{NULL, OK, CODE_NONE},
		{"gw7", OK, CODE_NONE},
		{"urn:dev:ops:7", OK, CODE_NONE},
		{"gw8", ERR_FORBIDDEN, CODE_POLICY_SUBJECT},
		{KPMID, ERR_FORBIDDEN, CODE_POLICY_SUBJECT},
	};
	struct world *w = *state;

	devices(w);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct attempt t __attribute__((cleanup(attempt_fini)));
		enrol(w, i % 2 ? KREID : KPMID, (struct csr_wish){.cn = rows[i].cn}, false, &t);
		batch_flush(w->batch);
		assert_int_equal(t.a.times, 1);
		assert_int_equal(t.a.err, rows[i].err);
		assert_int_equal(t.a.why.code, rows[i].code);
	}
	assert_int_equal(world_counts(w).issued, 3);
}

/* RFC 7030 4.2.2: renewal compares with a certificate that is shown. */
static void a_key_renews_nothing(void **state)
{
	struct world *w = *state;
	struct attempt t __attribute__((cleanup(attempt_fini)));

	devices(w);
	enrol(w, KREID, (struct csr_wish){.cn = "gw7"}, true, &t);
	batch_flush(w->batch);
	assert_int_equal(t.a.err, ERR_FORBIDDEN);
	assert_int_equal(t.a.why.code, CODE_POLICY_NOT_PROVISIONED);
}

static void a_key_removed_or_over_meanwhile_gets_nothing(void **state)
{
	struct world *w = *state;
	struct attempt first __attribute__((cleanup(attempt_fini)));
	struct attempt second __attribute__((cleanup(attempt_fini)));

	devices(w);
	w->hold = true;
	enrol(w, KPMID, (struct csr_wish){.cn = "gw7"}, false, &first);
	enrol(w, KREID, (struct csr_wish){.cn = "gw7"}, false, &second);
	WRITE(w, register_key_remove(w->store, SYMKEY_KPM, KPMID, w->now_s, &why_));
	w->now_s += DAY;
	world_release(w);
	batch_flush(w->batch);
	assert_int_equal(first.a.err, ERR_FORBIDDEN);
	assert_int_equal(first.a.why.code, CODE_CLIENT_PSK_UNKNOWN);
	assert_int_equal(second.a.err, ERR_EXPIRED);
	assert_int_equal(second.a.why.code, CODE_CLIENT_PSK_EXPIRED);
	assert_int_equal(world_counts(w).issued, 0);
}

/* The key's name went to another enrolee between handshake and answer. */
static void a_key_that_changed_hands_gets_nothing(void **state)
{
	struct world *w = *state;
	struct attempt t __attribute__((cleanup(attempt_fini)));

	devices(w);
	w->hold = true;
	enrol(w, KPMID, (struct csr_wish){.cn = "gw7"}, false, &t);
	WRITE(w, register_key_remove(w->store, SYMKEY_KPM, KPMID, w->now_s, &why_));
	put_key(w, SYMKEY_KPM, KPMID, "gw8", 0);
	world_release(w);
	batch_flush(w->batch);
	assert_int_equal(t.a.err, ERR_FORBIDDEN);
	assert_int_equal(t.a.why.code, CODE_CLIENT_PSK_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(keys_lead_to_their_enrolee),
		WORLD_TEST(others_are_refused),
		WORLD_TEST(every_key_and_certificate_is_an_identity_of_its_own),
		WORLD_TEST(a_key_is_enough_to_enrol),
		WORLD_TEST(a_key_renews_nothing),
		WORLD_TEST(a_key_removed_or_over_meanwhile_gets_nothing),
		WORLD_TEST(a_key_that_changed_hands_gets_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
