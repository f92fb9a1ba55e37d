#include "unit/core_keys/ring.h"

static const struct symkey kpm = {.kind = SYMKEY_KPM, .id = "gw7@mef.example.com", .owner = "gw7", .created_s = RING_NOW_S,
	.expires_s = RING_NOW_S + 100, .info = ""};

static enum err find(struct ring *r, enum symkey_kind kind, const char *id, struct secret *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	struct symkey row = {0};

	*why = (struct why){0};
	return vault_find(&r->vault, kind, id, r->now_s, &arena, &row, out, why);
}

static void gives_back_what_was_put_in(void **state)
{
	struct ring *r = *state;
	const struct secret key = ring_key(7, 32);
	struct secret out OWNED_SECRET = {0};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_WRITE(r, vault_add(&r->vault, &kpm, &key, &why_));
	good(find(r, SYMKEY_KPM, kpm.id, &out, &why), &why);
	assert_true(secret_equal(secret_span(&out), secret_span(&key)));
	assert_int_equal(find(r, SYMKEY_KRE, kpm.id, &out, &why), ERR_NOT_FOUND);
}

static enum err row_without_key(void *arg, const struct symkey *k, struct why *why)
{
	const uint8_t key[32] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

	(void)arg;
	(void)why;
	assert_true(k->sealed.n > sizeof(key));
	for (size_t i = 0; i + sizeof(key) <= k->sealed.n; i++)
		assert_memory_not_equal(k->sealed.p + i, key, sizeof(key));
	return OK;
}

static void the_store_never_sees_the_key(void **state)
{
	struct ring *r = *state;
	const struct secret key = ring_key(7, 32);
	const struct symkey_filter all = {.owner = "", .after_id = "", .limit = 10};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_WRITE(r, vault_add(&r->vault, &kpm, &key, &why_));
	good(r->store.ops->symkey_list(r->store.self, &all, row_without_key, NULL, &why), &why);
}

/* TS-0003 10.7: a key serves until its end, and not one second longer. */
static void refuses_a_key_from_its_end_on(void **state)
{
	struct ring *r = *state;
	const struct secret key = ring_key(7, 32);
	struct secret out OWNED_SECRET = {0};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_WRITE(r, vault_add(&r->vault, &kpm, &key, &why_));
	r->now_s = kpm.expires_s - 1;
	good(find(r, SYMKEY_KPM, kpm.id, &out, &why), &why);
	r->now_s = kpm.expires_s;
	secret_wipe(&out);
	assert_int_equal(find(r, SYMKEY_KPM, kpm.id, &out, &why), ERR_EXPIRED);
	assert_int_equal(why.code, CODE_KEY_EXPIRED);
	assert_int_equal(out.n, 0);
}

struct taken {
	uint8_t sealed[STORE_KEY_SEALED_MAX];
	size_t n;
};

static enum err take_sealed(void *arg, const struct symkey *k, struct why *why)
{
	struct taken *t = arg;

	(void)why;
	memcpy(t->sealed, k->sealed.p, k->sealed.n);
	t->n = k->sealed.n;
	return OK;
}

static struct taken sealed_of(struct ring *r)
{
	const struct symkey_filter filter = {.kind = SYMKEY_KPM, .owner = "gw7", .after_id = "", .limit = 1};
	struct taken t = {0};
	struct why why = {0};

	good(r->store.ops->symkey_list(r->store.self, &filter, take_sealed, &t, &why), &why);
	return t;
}

/* Whoever can write the store must not make one row's key serve as another's. */
static void sealed_keys_cannot_be_moved(void **state)
{
	static const struct symkey others[] = {
		{.kind = SYMKEY_KPM, .id = "gw8@mef.example.com", .owner = "gw7"},
		{.kind = SYMKEY_KRE, .id = "gw7@mef.example.com", .owner = "gw7"},
		{.kind = SYMKEY_KPM, .id = "gw9@mef.example.com", .owner = "gw8"},
	};
	struct ring *r = *state;
	const struct secret key = ring_key(7, 32);
	struct secret out OWNED_SECRET = {0};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_enrolee(r, "gw8", ENTITY_FQDN, "gw8.example.com");
	RING_WRITE(r, vault_add(&r->vault, &kpm, &key, &why_));
	const struct taken t = sealed_of(r);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct symkey row = others[i];
		row.info = "";
		row.sealed = span_of(t.sealed, t.n);
		RING_WRITE(r, r->store.ops->symkey_add(r->store.self, &row, &why_));
		assert_int_equal(find(r, row.kind, row.id, &out, &why), ERR_CRYPTO);
		assert_int_equal(out.n, 0);
	}
	/* the same row under another owner */
	struct symkey moved = kpm;
	moved.owner = "gw8";
	moved.sealed = span_of(t.sealed, t.n);
	RING_WRITE(r, r->store.ops->symkey_remove(r->store.self, SYMKEY_KPM, kpm.id, &why_));
	RING_WRITE(r, r->store.ops->symkey_add(r->store.self, &moved, &why_));
	assert_int_equal(find(r, SYMKEY_KPM, kpm.id, &out, &why), ERR_CRYPTO);
}

static void another_master_key_opens_nothing(void **state)
{
	struct ring *r = *state;
	const struct secret key = ring_key(7, 32);
	struct secret out OWNED_SECRET = {0};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_WRITE(r, vault_add(&r->vault, &kpm, &key, &why_));
	r->seal_key.bytes[31] ^= 1;
	assert_int_equal(find(r, SYMKEY_KPM, kpm.id, &out, &why), ERR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(gives_back_what_was_put_in),
		RING_TEST(the_store_never_sees_the_key),
		RING_TEST(refuses_a_key_from_its_end_on),
		RING_TEST(sealed_keys_cannot_be_moved),
		RING_TEST(another_master_key_opens_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
