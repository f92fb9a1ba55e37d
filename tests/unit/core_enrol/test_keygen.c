#include "world.h"

#include "core/ca/message.h"
#include "core/enrol/keygen.h"

static const char nonce_a[] = "0123456789abcdef";

/* gw7, whose Kpm the MEF holds; a neighbour has one too. */
struct bench {
	struct world *w;
	struct arena arena;
	struct buf leaf, message_der, csr;
	struct client client;
	struct message message;
	struct secret seal_key;
	struct vault vault;
	unsigned int made; /* orders to the signer */
	bool strong;       /* the TLS suite */
};

static struct bench *current; /* world_issue's issuer has no room for it */

static void bench_make_key(void *self, const struct key_order *order, key_done done, void *arg)
{
	struct world *w = self;

	current->made++;
	w->local.issuer.make_key(w->local.issuer.self, order, done, arg);
}

static void add_kpm(struct bench *b, const char *id, const char *owner)
{
	struct secret kpm OWNED_SECRET = {.n = 32, .bytes = {7}};
	const struct symkey row = {.kind = SYMKEY_KPM, .id = id, .owner = owner, .created_s = T0, .info = ""};
	struct why why = {0};

	good(batch_enter(b->w->batch, &why), &why);
	good(vault_add(&b->vault, &row, &kpm, &why), &why);
	good(batch_leave(b->w->batch, true, &why), &why);
	batch_flush(b->w->batch);
}

static void bench_init(struct bench *b, struct world *w)
{
	static const struct credential cred = {.kind = CREDENTIAL_SERIAL, .value = "SN-7"};
	static const struct credential other = {.kind = CREDENTIAL_SERIAL, .value = "SN-8"};
	struct csr_wish wish = {.cn = "gw7", .challenge = "value", .san = san_of(SAN_URI, "urn:dev:ops:7")};
	struct why why = {0};

	*b = (struct bench){.w = w, .arena = ARENA(256 * 1024), .leaf = BUF(CERT_DER_MAX), .message_der = BUF(CERT_DER_MAX),
		.csr = BUF(CSR_DER_MAX), .seal_key = {.n = 32}};
	current = b;
	b->vault = (struct vault){.store = w->store, .seal_key = &b->seal_key, .random = {.self = w, .fill = world_fill}};
	make_cert("MEF Messages", NULL, NULL, w->factory_key, w->ca.cert.subject, w->ca_key, false, T0 - DAY, T0 + DAY, &b->message_der);
	b->message = (struct message){.key = w->factory_key, .cert_der = buf_span(&b->message_der)};
	good(cert_parse(b->message.cert_der, &b->message.cert, &why), &why);
	good(message_check(&b->message, &why), &why);
	w->local.message = &b->message;
	w->issuer.make_key = bench_make_key;
	world_leaf(w, "Factory box", "SN-7", NULL, &b->leaf);
	world_add(w, "gw7", ENTITY_NODE, "urn:dev:ops:7", &cred, 1);
	world_add(w, "gw8", ENTITY_NODE, "urn:dev:ops:8", &other, 1);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&b->leaf), &b->arena, &b->client, &why), &why);
	make_csr(&wish, w->device_key, &b->csr);
	add_kpm(b, "gw7@mef.example.com", "gw7");
	add_kpm(b, "gw8@mef.example.com", "gw8");
}

static void bench_fini(struct bench *b)
{
	arena_fini(&b->arena);
	buf_fini(&b->leaf);
	buf_fini(&b->message_der);
	buf_fini(&b->csr);
}

#define OWNED_BENCH __attribute__((cleanup(bench_fini)))

struct got {
	unsigned int times;
	enum err err;
	struct why why;
	bool has_answer, encrypted;
	struct buf key, cert;
};

static void got_fini(struct got *g)
{
	buf_fini_wipe(&g->key);
	buf_fini(&g->cert);
}

#define GOT ((struct got){.key = BUF(CMS_ENVELOPE_MAX), .cert = BUF(CERT_DER_MAX)})
#define OWNED_GOT __attribute__((cleanup(got_fini)))

static void on_got(void *arg, enum err err, const struct keygen_answer *a, const struct why *why)
{
	struct got *g = arg;

	g->times++;
	g->err = err;
	g->why = *why;
	g->has_answer = a != NULL;
	if (!a)
		return;
	g->encrypted = a->encrypted;
	buf_put_span(&g->key, a->key);
	buf_put_span(&g->cert, a->cert);
}

static void ask(struct bench *b, const char *symmetric, const char *nonce, struct got *g)
{
	const struct enrol_env env = world_env(b->w);
	const struct enrol_ask enrol = {.client = &b->client, .address = "192.0.2.7", .label = &b->w->label, .csr = buf_span(&b->csr),
		.nonce = span_of(nonce, STORE_NONCE_SIZE)};
	const struct keygen_ask what = {.enrol = &enrol, .vault = &b->vault, .strong = b->strong, .symmetric = span_text(symmetric),
		.content = CMS_AES_256, .wrap = CMS_AES_256};

	enrol_keygen(&env, &what, on_got, g);
	batch_flush(b->w->batch);
	assert_int_equal(g->times, 1);
	assert_int_equal(g->has_answer, g->err == OK);
}

static void refused(const struct got *g, enum err err, enum code code)
{
	assert_int_equal(g->err, err);
	assert_int_equal(g->why.code, code);
	assert_int_equal(g->key.n, 0);
}

/* RFC 7030 4.4.1: the request's own key counts for nothing */
static void the_certificate_is_for_the_made_key(void **state)
{
	struct bench b OWNED_BENCH;
	struct got g OWNED_GOT = GOT;
	struct key *key OWNED_KEY = NULL;
	struct issued row;
	struct cert cert;
	struct why why = {0};
	uint8_t digest[32];

	bench_init(&b, *state);
	ask(&b, "", nonce_a, &g);
	good(g.err, &g.why);
	assert_false(g.encrypted);
	good(key_parse_pkcs8(buf_span(&g.key), &key, &why), &why);
	good(cert_parse(buf_span(&g.cert), &cert, &why), &why);
	assert_true(key_matches_spki(key, cert.spki));
	assert_false(key_matches_spki(b.w->device_key, cert.spki));
	good(b.w->store->ops->issued_find(b.w->store->self, cert.serial, &b.arena, &row, &why), &why);
	digest_sha256(cert.spki, digest);
	assert_memory_equal(row.spki_sha256, digest, 32);
	assert_non_null(strstr(world_last_event(b.w), "a key made here"));
}

/* docs/decisions/0016: a lost answer is not sent again */
static void a_spent_challenge_brings_no_key_again(void **state)
{
	struct bench b OWNED_BENCH;
	struct got first OWNED_GOT = GOT;
	struct got second OWNED_GOT = GOT;

	bench_init(&b, *state);
	ask(&b, "", nonce_a, &first);
	good(first.err, &first.why);
	ask(&b, "", nonce_a, &second);
	refused(&second, ERR_CONFLICT, CODE_CHALLENGE_SPENT);
	assert_int_equal(b.made, 1);
}

/* RFC 7030 4.4.1.1 */
static void a_key_of_this_enrolee_opens_the_envelope(void **state)
{
	struct bench b OWNED_BENCH;
	struct got g OWNED_GOT = GOT;
	struct secret kek OWNED_SECRET = {0};
	struct secret kpm OWNED_SECRET = {.n = 32, .bytes = {7}};
	struct buf plain __attribute__((cleanup(buf_fini_wipe))) = BUF(CMS_ENVELOPE_MAX);
	struct why why = {0};

	bench_init(&b, *state);
	ask(&b, "gw7@MEF.example.com", nonce_a, &g);
	good(g.err, &g.why);
	assert_true(g.encrypted);
	good(cms_kek_derive(secret_span(&kpm), CMS_AES_256, &kek, &why), &why);
	const struct cms_opener opener = {.kek = secret_span(&kek), .kek_id = span_text("gw7@MEF.example.com")};
	good(cms_envelope_open(buf_span(&g.key), &opener, &plain, &why), &why);
}

static void keys_of_others_and_unknown_ones_are_refused_before_one_is_made(void **state)
{
	static const char *const ids[] = {"gw8@mef.example.com", "gw9@mef.example.com", "no identifier"};
	struct bench b OWNED_BENCH;

	bench_init(&b, *state);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct got g OWNED_GOT = GOT;
		ask(&b, ids[i], nonce_a, &g);
		refused(&g, ERR_FORBIDDEN, CODE_KEYGEN_KEY_ID);
		assert_non_null(strstr(g.why.text, "DecryptKeyIdentifier"));
	}
	assert_int_equal(b.made, 0);
	assert_non_null(strstr(world_last_event(b.w), "enrol.refused"));
}

static void without_a_message_key_none_is_made(void **state)
{
	struct bench b OWNED_BENCH;
	struct got g OWNED_GOT = GOT;

	bench_init(&b, *state);
	b.w->local.message = NULL;
	ask(&b, "", nonce_a, &g);
	refused(&g, ERR_UNSUPPORTED, CODE_MESSAGE_NONE);
}

/* Nothing is acknowledged before it is durable: then the key is not told either. */
static void a_key_whose_certificate_is_not_kept_is_not_told(void **state)
{
	struct bench b OWNED_BENCH;
	struct got g OWNED_GOT = GOT;

	bench_init(&b, *state);
	faults.commit_fails = true;
	ask(&b, "", nonce_a, &g);
	faults.commit_fails = false;
	assert_int_equal(g.err, ERR_STORE);
	assert_int_equal(g.key.n, 0);
	assert_int_equal(b.made, 1);
}

static void the_labels_wish_decides_the_kind(void **state)
{
	struct bench b OWNED_BENCH;
	struct got g OWNED_GOT = GOT;
	struct key *key OWNED_KEY = NULL;
	struct why why = {0};

	bench_init(&b, *state);
	b.w->label.ask_key = KEY_P384;
	ask(&b, "", nonce_a, &g);
	/* RFC 7030 4.4: 192 bits do not go over AES-128 */
	assert_int_equal(g.why.code, CODE_KEYGEN_SUITE);
	got_fini(&g);
	g = GOT;
	b.strong = true;
	ask(&b, "", nonce_a, &g);
	good(g.err, &g.why);
	good(key_parse_pkcs8(buf_span(&g.key), &key, &why), &why);
	assert_int_equal(key_spec_of(key), KEY_P384);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(the_certificate_is_for_the_made_key),
		WORLD_TEST(a_spent_challenge_brings_no_key_again),
		WORLD_TEST(a_key_of_this_enrolee_opens_the_envelope),
		WORLD_TEST(keys_of_others_and_unknown_ones_are_refused_before_one_is_made),
		WORLD_TEST(without_a_message_key_none_is_made),
		WORLD_TEST(a_key_whose_certificate_is_not_kept_is_not_told),
		WORLD_TEST(the_labels_wish_decides_the_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
