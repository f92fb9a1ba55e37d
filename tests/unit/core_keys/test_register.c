#include "unit/core_keys/ring.h"

#include "proto/m2m/prefs.h"

static enum err kpm(struct ring *r, const char *id, const char *kpmid, size_t n, int64_t expires_s, struct why *why)
{
	const struct secret key = ring_key(9, n);

	return register_kpm(&r->vault, id, kpmid, RING_FQDN, &key, expires_s, r->now_s, why);
}

static void kpm_are_checked(void **state)
{
	struct ring *r = *state;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_REFUSED(r, KEY_LENGTH, kpm(r, "gw7", "a@mef.example.com", KPM_MIN - 1, 0, &why_));
	RING_WRITE(r, kpm(r, "gw7", "a@mef.example.com", KPM_MIN, 0, &why_));
	RING_WRITE(r, kpm(r, "gw7", "b@MEF.example.com", KPM_MAX, 0, &why_));
	assert_true(ring_has(r, SYMKEY_KPM, "b@mef.example.com"));
	RING_REFUSED(r, KEY_LENGTH, kpm(r, "gw7", "c@mef.example.com", 0, 0, &why_));
	RING_REFUSED(r, KEY_ID, kpm(r, "gw7", "c@other.example.com", 32, 0, &why_));
	RING_REFUSED(r, KEY_ID, kpm(r, "gw7", "000102030405060708090a0b0c0d0e0f@mef.example.com", 32, 0, &why_));
	RING_REFUSED(r, KEY_END, kpm(r, "gw7", "c@mef.example.com", 32, r->now_s, &why_));
	RING_REFUSED(r, STORE_NO_ENROLEE, kpm(r, "gw8", "c@mef.example.com", 32, 0, &why_));
	struct why why = {0};
	good(batch_enter(r->batch, &why), &why);
	assert_int_equal(kpm(r, "gw7", "nothing", 32, 0, &why), ERR_SYNTAX);
	why_clear(&why);
	assert_int_equal(kpm(r, "gw7", "a@mef.example.com", 32, 0, &why), ERR_CONFLICT);
	why_clear(&why);
	good(batch_leave(r->batch, false, &why), &why);
}

static void keys_come_and_go_with_events(void **state)
{
	struct ring *r = *state;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_kpm(r, "gw7", "gw7@mef.example.com", 1, 0);
	assert_int_equal(ring_count(r, "key.added"), 1);
	assert_non_null(strstr(ring_event(r, "key.added"), "gw7@mef.example.com"));
	RING_WRITE(r, register_key_remove(&r->store, SYMKEY_KPM, "gw7@mef.example.com", r->now_s, &why_));
	assert_non_null(strstr(ring_event(r, "key.removed"), "\"enrolee\":\"gw7\""));
	assert_false(ring_has(r, SYMKEY_KPM, "gw7@mef.example.com"));
	struct why why = {0};
	good(batch_enter(r->batch, &why), &why);
	assert_int_equal(register_key_remove(&r->store, SYMKEY_KPM, "gw7@mef.example.com", r->now_s, &why), ERR_NOT_FOUND);
	why_clear(&why);
	good(batch_leave(r->batch, false, &why), &why);
	/* key material: 32 octets 0x01, as text in either base */
	assert_int_equal(ring_count(r, "01010101"), 0);
	assert_int_equal(ring_count(r, "AQEBAQ"), 0);
}

static void preferences_are_checked_and_made_canonical(void **state)
{
	static const char json[] = " {\"certificate\" : \"never\", \"targets\":[{\"id\":\"CSE1.example.com\",\"usages\":[22]}]} ";
	struct ring *r = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct span stored = {0};
	struct prefs prefs = {0};
	struct why why = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	RING_WRITE(r, register_prefs(&r->store, PREFS_ENROLEE, "gw7", span_text(json), r->now_s, &why_));
	RING_WRITE(r, register_prefs(&r->store, PREFS_DEFAULT, "", span_text("{}"), r->now_s, &why_));
	good(r->store.ops->prefs_get(r->store.self, PREFS_ENROLEE, "gw7", &arena, &stored, &why), &why);
	good(prefs_parse(stored, &arena, &prefs, &why), &why);
	assert_string_equal(prefs.targets[0].id, "cse1.example.com");
	assert_int_equal(prefs.certificate, PREFS_CERT_NEVER);
	assert_int_equal(ring_count(r, "preferences.changed"), 2);
	RING_REFUSED(r, PREFS_KEY, register_prefs(&r->store, PREFS_DEFAULT, "gw7", span_text("{}"), r->now_s, &why_));
	RING_REFUSED(r, STORE_NO_ENROLEE, register_prefs(&r->store, PREFS_ENROLEE, "gw8", span_text("{}"), r->now_s, &why_));
	RING_REFUSED(r, TOKEN_NONE, register_prefs(&r->store, PREFS_TOKEN, "0011", span_text("{}"), r->now_s, &why_));
	good(batch_enter(r->batch, &why), &why);
	assert_int_equal(register_prefs(&r->store, PREFS_DEFAULT, "", span_text("{\"certificat\":1}"), r->now_s, &why), ERR_SYNTAX);
	why_clear(&why);
	good(batch_leave(r->batch, false, &why), &why);
}

struct made {
	char token[TOKEN_TEXT_SIZE];
	char id[17];
};

static struct made make_token(struct ring *r, const char *enrolee_id, int64_t expires_s)
{
	struct made m;

	RING_WRITE(r, register_token(&r->store, &r->random, enrolee_id, expires_s, r->now_s, m.token, m.id, &why_));
	return m;
}

static enum err find_token(struct ring *r, const char *text, struct token *out, struct arena *arena)
{
	uint8_t hash[32];
	struct why why = {0};

	good(token_hash(span_text(text), hash, &why), &why);
	return r->store.ops->token_find(r->store.self, hash, arena, out, &why);
}

static void tokens_are_shown_once_and_known_by_hash(void **state)
{
	struct ring *r = *state;
	struct arena arena OWNED_ARENA = ARENA(64 * 1024);
	char spelled[64];
	struct token t = {0};

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	struct made m = make_token(r, "gw7", r->now_s + 10);
	struct made other = make_token(r, "", 0);
	assert_int_equal(strlen(m.token), TOKEN_TEXT_SIZE - 1);
	assert_int_equal(strlen(m.id), 16);
	assert_string_not_equal(m.token, other.token);
	assert_int_equal(find_token(r, m.token, &t, &arena), OK);
	assert_string_equal(t.enrolee_id, "gw7");
	assert_string_equal(t.id, m.id);
	/* as people type it: small letters, blanks and hyphens */
	snprintf(spelled, sizeof(spelled), " %.5s-%.5s %s", m.token, m.token + 5, m.token + 10);
	for (char *p = spelled; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	assert_int_equal(find_token(r, spelled, &t, &arena), OK);
	assert_int_equal(ring_count(r, "token.added"), 2);
	assert_int_equal(ring_count(r, m.token), 0);
	RING_WRITE(r, register_prefs(&r->store, PREFS_TOKEN, m.id, span_text("{}"), r->now_s, &why_));
	RING_WRITE(r, register_token_remove(&r->store, m.id, r->now_s, &why_));
	assert_int_equal(find_token(r, m.token, &t, &arena), ERR_NOT_FOUND);
	assert_non_null(strstr(ring_event(r, "token.removed"), "gw7"));
	RING_REFUSED(r, TOKEN_NONE, register_token_remove(&r->store, m.id, r->now_s, &why_));
	RING_REFUSED(r, KEY_END, register_token(&r->store, &r->random, "", r->now_s, r->now_s, m.token, m.id, &why_));
	RING_REFUSED(r, STORE_NO_ENROLEE, register_token(&r->store, &r->random, "gw8", 0, r->now_s, m.token, m.id, &why_));
}

static void tokens_have_a_form(void **state)
{
	char text[TOKEN_CHARS_MAX + 2];
	uint8_t hash[32];
	struct why why = {0};

	(void)state;
	memset(text, 'A', sizeof(text));
	assert_int_equal(token_hash(span_of(text, TOKEN_CHARS_MAX), hash, &why), OK);
	assert_int_equal(token_hash(span_of(text, TOKEN_CHARS_MAX + 1), hash, &why), ERR_SYNTAX);
	assert_int_equal(token_hash(span_text(" - "), hash, &why), ERR_SYNTAX);
	assert_int_equal(token_hash(span_text("AB_C"), hash, &why), ERR_SYNTAX);
	assert_int_equal(token_hash(span_of("AB\0C", 4), hash, &why), ERR_SYNTAX);
}

/* seed 003 8.3.3.6 step 3: what has expired is forgotten. */
static void keys_are_erased_when_their_time_is_over(void **state)
{
	struct ring *r = *state;
	struct why why = {0};
	char id[64];
	size_t n = 0;

	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_kpm(r, "gw7", "stays@mef.example.com", 1, 0);
	for (int i = 1; i <= 5; i++) {
		snprintf(id, sizeof(id), "k%d@mef.example.com", i);
		ring_kpm(r, "gw7", id, 1, r->now_s + 10 * i);
	}
	RING_WRITE(r, keys_erase_due(&r->store, r->now_s + 9, 10, &n, &why_));
	assert_int_equal(n, 0);
	RING_WRITE(r, keys_erase_due(&r->store, r->now_s + 30, 2, &n, &why_));
	assert_int_equal(n, 2);
	RING_WRITE(r, keys_erase_due(&r->store, r->now_s + 30, 2, &n, &why_));
	assert_int_equal(n, 1);
	assert_false(ring_has(r, SYMKEY_KPM, "k3@mef.example.com"));
	assert_true(ring_has(r, SYMKEY_KPM, "k4@mef.example.com"));
	assert_true(ring_has(r, SYMKEY_KPM, "stays@mef.example.com"));
	assert_int_equal(ring_count(r, "key.expired"), 3);
	assert_non_null(strstr(ring_event(r, "key.expired"), "k3@mef.example.com"));
	(void)why;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(kpm_are_checked),
		RING_TEST(keys_come_and_go_with_events),
		RING_TEST(preferences_are_checked_and_made_canonical),
		RING_TEST(tokens_are_shown_once_and_known_by_hash),
		RING_TEST(tokens_have_a_form),
		RING_TEST(keys_are_erased_when_their_time_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
