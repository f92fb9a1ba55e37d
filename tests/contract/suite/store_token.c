#include "contract/suite/store.h"

static struct token sample_token(const char *id, uint8_t hash, const char *enrolee_id)
{
	struct token t = {.id = id, .enrolee_id = enrolee_id, .created_s = 100, .expires_s = 900};

	memset(t.hash, hash, sizeof(t.hash));
	return t;
}

static void add_token(struct store_fixture *f, const char *id, uint8_t hash, const char *enrolee_id)
{
	struct token t = sample_token(id, hash, enrolee_id);

	WORKS(f, CALL(f, token_add, &t));
}

static const uint8_t *hash_of(uint8_t octet)
{
	static uint8_t hash[32];

	memset(hash, octet, sizeof(hash));
	return hash;
}

static struct token find_token(struct store_fixture *f, uint8_t hash)
{
	struct token t = {0};

	WORKS(f, CALL(f, token_find, hash_of(hash), &f->arena, &t));
	return t;
}

static enum err see_token(void *arg, const struct token *t, struct why *why)
{
	seen_add(arg, t->id);
	return OK;
}

static void list(struct store_fixture *f, const char *after_id, size_t limit, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, token_list, after_id, limit, see_token, &seen));
	assert_string_equal(seen.text, want);
}

static void put(struct store_fixture *f, enum prefs_scope scope, const char *key, const char *json)
{
	WORKS(f, CALL(f, prefs_put, scope, key, span_text(json)));
}

/* "" where none are stored. */
static void want_prefs(struct store_fixture *f, enum prefs_scope scope, const char *key, const char *want)
{
	struct span json = {0};

	if (want[0] == '\0') {
		FAILS(f, STORE_NO_PREFS, CALL(f, prefs_get, scope, key, &f->arena, &json));
		return;
	}
	WORKS(f, CALL(f, prefs_get, scope, key, &f->arena, &json));
	assert_true(span_is(json, want));
}

static void preferences_are_replaced_by_scope_and_key(void **state)
{
	struct store_fixture *f = *state;

	want_prefs(f, PREFS_DEFAULT, "", "");
	WORKS(f, CALL0(f, begin));
	put(f, PREFS_DEFAULT, "", "{\"d\":1}");
	put(f, PREFS_TOKEN, "x", "{\"t\":1}");
	put(f, PREFS_ENROLEE, "x", "{\"e\":1, \"longer\":true}");
	put(f, PREFS_ENROLEE, "x", "{\"e\":2}");
	WORKS(f, CALL0(f, commit));
	want_prefs(f, PREFS_DEFAULT, "", "{\"d\":1}");
	want_prefs(f, PREFS_DEFAULT, NULL, "{\"d\":1}");
	want_prefs(f, PREFS_TOKEN, "x", "{\"t\":1}");
	want_prefs(f, PREFS_ENROLEE, "x", "{\"e\":2}");
	want_prefs(f, PREFS_ENROLEE, "X", "");
	want_prefs(f, PREFS_ENROLEE, "xx", "");
	want_prefs(f, PREFS_ENROLEE, "", "");
}

static void preferences_are_removed_one_by_one(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_NO_PREFS, CALL(f, prefs_remove, PREFS_DEFAULT, ""));
	put(f, PREFS_DEFAULT, "", "{}");
	put(f, PREFS_TOKEN, "x", "{}");
	FAILS(f, STORE_NO_PREFS, CALL(f, prefs_remove, PREFS_ENROLEE, "x"));
	WORKS(f, CALL(f, prefs_remove, PREFS_TOKEN, "x"));
	FAILS(f, STORE_NO_PREFS, CALL(f, prefs_remove, PREFS_TOKEN, "x"));
	want_prefs(f, PREFS_DEFAULT, "", "{}");
	WORKS(f, CALL(f, prefs_remove, PREFS_DEFAULT, ""));
	want_prefs(f, PREFS_DEFAULT, "", "");
}

static void refuses_preferences_past_their_limits(void **state)
{
	struct store_fixture *f = *state;
	static char json[STORE_PREFS_MAX + 1];
	char key[STORE_ID_MAX + 2];

	memset(json, 'j', sizeof(json));
	memset(key, 'k', sizeof(key));
	key[STORE_ID_MAX + 1] = '\0';
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, prefs_put, PREFS_DEFAULT, "", span_of(json, STORE_PREFS_MAX)));
	FAILS(f, STORE_SIZE, CALL(f, prefs_put, PREFS_DEFAULT, "", span_of(json, STORE_PREFS_MAX + 1)));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, PREFS_DEFAULT, "", (struct span){0}));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, PREFS_DEFAULT, "", span_text("\xff")));
	FAILS(f, STORE_SIZE, CALL(f, prefs_put, PREFS_DEFAULT, "x", span_text("{}")));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, PREFS_ENROLEE, "", span_text("{}")));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, PREFS_TOKEN, NULL, span_text("{}")));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, PREFS_ENROLEE, "a b", span_text("{}")));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, (enum prefs_scope)0, "x", span_text("{}")));
	FAILS(f, STORE_VALUE, CALL(f, prefs_put, (enum prefs_scope)(PREFS_ENROLEE + 1), "x", span_text("{}")));
	FAILS(f, STORE_SIZE, CALL(f, prefs_put, PREFS_ENROLEE, key, span_text("{}")));
	key[STORE_ID_MAX] = '\0';
	WORKS(f, CALL(f, prefs_put, PREFS_ENROLEE, key, span_text("{}")));
}

static void a_new_token_is_neither_claimed_nor_spent(void **state)
{
	struct store_fixture *f = *state;
	struct token in = sample_token("t1", 7, "meter");

	in.claimed_s = in.spent_s = 5;
	in.claimed_by = "thief";
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, token_add, &in));
	WORKS(f, CALL0(f, commit));
	struct token out = find_token(f, 7);
	assert_string_equal(out.id, "t1");
	assert_memory_equal(out.hash, in.hash, 32);
	assert_string_equal(out.enrolee_id, "meter");
	assert_int_equal(out.created_s, 100);
	assert_int_equal(out.expires_s, 900);
	assert_int_equal(out.claimed_s, 0);
	assert_string_equal(out.claimed_by, "");
	assert_int_equal(out.spent_s, 0);
}

static void tokens_are_unique_by_id_and_by_hash(void **state)
{
	struct store_fixture *f = *state;
	struct token t = sample_token("t1", 2, "");

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	FAILS(f, STORE_TOKEN_EXISTS, CALL(f, token_add, &t));
	t = sample_token("t2", 1, "");
	FAILS(f, STORE_TOKEN_EXISTS, CALL(f, token_add, &t));
	t = sample_token("t2", 2, "");
	WORKS(f, CALL(f, token_add, &t));
	WORKS(f, CALL0(f, commit));
	list(f, "", 9, "t1 t2");
}

static void finds_no_other_token(void **state)
{
	struct store_fixture *f = *state;
	struct token t = {0};

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_find, hash_of(2), &f->arena, &t));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_claim, hash_of(2), "a", 5));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_spend, hash_of(2), 5));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_remove, "t"));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_remove, NULL));
	assert_int_equal(find_token(f, 1).claimed_s, 0);
}

static void refuses_a_token_that_makes_no_sense(void **state)
{
	struct store_fixture *f = *state;
	char id[STORE_ID_MAX + 2] = "";
	struct token t = sample_token(id, 1, "");

	memset(id, 'i', sizeof(id));
	id[STORE_ID_MAX + 1] = '\0';
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_SIZE, CALL(f, token_add, &t));
	t.id = "";
	FAILS(f, STORE_VALUE, CALL(f, token_add, &t));
	t.id = "a/b";
	FAILS(f, STORE_VALUE, CALL(f, token_add, &t));
	t.id = "t";
	t.enrolee_id = id;
	FAILS(f, STORE_SIZE, CALL(f, token_add, &t));
	t.enrolee_id = "a b";
	FAILS(f, STORE_VALUE, CALL(f, token_add, &t));
	t.enrolee_id = NULL;
	t.expires_s = -1;
	FAILS(f, STORE_VALUE, CALL(f, token_add, &t));
	t.expires_s = 0;
	id[STORE_ID_MAX] = '\0';
	t.id = t.enrolee_id = id;
	WORKS(f, CALL(f, token_add, &t));
	id[STORE_ID_MAX] = 'i';
	FAILS(f, STORE_SIZE, CALL(f, token_claim, hash_of(1), id, 5));
	FAILS(f, STORE_VALUE, CALL(f, token_claim, hash_of(1), "", 5));
	FAILS(f, STORE_VALUE, CALL(f, token_claim, hash_of(1), NULL, 5));
	id[STORE_ID_MAX] = '\0';
	FAILS(f, STORE_VALUE, CALL(f, token_claim, hash_of(1), id, 0));
	WORKS(f, CALL(f, token_claim, hash_of(1), id, 1));
	FAILS(f, STORE_VALUE, CALL(f, token_spend, hash_of(1), 0));
}

static void the_first_claim_counts(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 50));
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 60));
	FAILS(f, STORE_TOKEN_TAKEN, CALL(f, token_claim, hash_of(1), "b", 70));
	FAILS(f, STORE_TOKEN_TAKEN, CALL(f, token_claim, hash_of(1), "A", 70));
	WORKS(f, CALL0(f, commit));
	struct token t = find_token(f, 1);
	assert_int_equal(t.claimed_s, 50);
	assert_string_equal(t.claimed_by, "a");
	assert_string_equal(t.enrolee_id, "");
	assert_int_equal(t.spent_s, 0);
}

static void a_token_for_one_enrolee_is_for_no_other(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "a");
	FAILS(f, STORE_TOKEN_TAKEN, CALL(f, token_claim, hash_of(1), "b", 50));
	assert_int_equal(find_token(f, 1).claimed_s, 0);
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 51));
	FAILS(f, STORE_TOKEN_TAKEN, CALL(f, token_claim, hash_of(1), "b", 52));
	assert_string_equal(find_token(f, 1).claimed_by, "a");
}

/* The core decides when a token is too old. */
static void a_claim_looks_at_no_date(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", INT64_MAX));
	WORKS(f, CALL(f, token_spend, hash_of(1), INT64_MAX));
}

static void a_token_is_spent_once_and_for_all(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	FAILS(f, STORE_TOKEN_UNCLAIMED, CALL(f, token_spend, hash_of(1), 40));
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 50));
	WORKS(f, CALL(f, token_spend, hash_of(1), 60));
	FAILS(f, STORE_TOKEN_SPENT, CALL(f, token_spend, hash_of(1), 70));
	FAILS(f, STORE_TOKEN_SPENT, CALL(f, token_claim, hash_of(1), "a", 70));
	FAILS(f, STORE_TOKEN_SPENT, CALL(f, token_claim, hash_of(1), "b", 70));
	WORKS(f, CALL0(f, commit));
	struct token t = find_token(f, 1);
	assert_int_equal(t.claimed_s, 50);
	assert_int_equal(t.spent_s, 60);
	assert_string_equal(t.claimed_by, "a");
}

static void lists_pages_in_id_order(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_token(f, "b", 1, "");
	add_token(f, "Z", 9, "x");
	add_token(f, "a", 5, "");
	add_token(f, "ab", 2, "");
	list(f, "", 9, "Z a ab b");
	list(f, NULL, 2, "Z a");
	list(f, "a", 2, "ab b");
	list(f, "aa", 1, "ab");
	list(f, "b", 9, "");
	FAILS(f, STORE_PAGE, CALL(f, token_list, "", 0, see_token, &seen));
	FAILS(f, STORE_PAGE, CALL(f, token_list, "", STORE_PAGE_MAX + 1, see_token, &seen));
	WORKS(f, CALL(f, token_list, "", STORE_PAGE_MAX, see_token, &seen));
}

static void a_removed_token_is_gone_with_its_preferences(void **state)
{
	struct store_fixture *f = *state;
	struct token t = {0};

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	add_token(f, "t2", 2, "");
	put(f, PREFS_TOKEN, "t1", "{}");
	put(f, PREFS_TOKEN, "t2", "{}");
	put(f, PREFS_ENROLEE, "t1", "{}");
	WORKS(f, CALL(f, token_remove, "t1"));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_remove, "t1"));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_find, hash_of(1), &f->arena, &t));
	FAILS(f, STORE_NO_TOKEN, CALL(f, token_claim, hash_of(1), "a", 5));
	WORKS(f, CALL0(f, commit));
	want_prefs(f, PREFS_TOKEN, "t1", "");
	want_prefs(f, PREFS_TOKEN, "t2", "{}");
	want_prefs(f, PREFS_ENROLEE, "t1", "{}");
	list(f, "", 9, "t2");
}

/* What a later enrolee of the same name must not inherit. */
static void removal_of_an_enrolee_takes_its_preferences_and_tokens(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	put(f, PREFS_DEFAULT, "", "{}");
	put(f, PREFS_ENROLEE, "a", "{}");
	put(f, PREFS_ENROLEE, "ab", "{}");
	put(f, PREFS_TOKEN, "a", "{}");
	put(f, PREFS_TOKEN, "made", "{}");
	put(f, PREFS_TOKEN, "shown", "{}");
	add_token(f, "made", 1, "a");
	add_token(f, "shown", 2, "");
	add_token(f, "free", 3, "");
	add_token(f, "other", 4, "ab");
	WORKS(f, CALL(f, token_claim, hash_of(2), "a", 5));
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	WORKS(f, CALL0(f, commit));
	list(f, "", 9, "free other");
	want_prefs(f, PREFS_ENROLEE, "a", "");
	want_prefs(f, PREFS_TOKEN, "made", "");
	want_prefs(f, PREFS_TOKEN, "shown", "");
	want_prefs(f, PREFS_DEFAULT, "", "{}");
	want_prefs(f, PREFS_ENROLEE, "ab", "{}");
	want_prefs(f, PREFS_TOKEN, "a", "{}");
}

static void writes_need_a_transaction(void **state)
{
	struct store_fixture *f = *state;
	struct token t = sample_token("t", 1, "");

	FAILS(f, STORE_USE, CALL(f, token_add, &t));
	FAILS(f, STORE_USE, CALL(f, token_claim, t.hash, "a", 5));
	FAILS(f, STORE_USE, CALL(f, token_spend, t.hash, 5));
	FAILS(f, STORE_USE, CALL(f, token_remove, "t"));
	FAILS(f, STORE_USE, CALL(f, prefs_put, PREFS_DEFAULT, "", span_text("{}")));
	FAILS(f, STORE_USE, CALL(f, prefs_remove, PREFS_DEFAULT, ""));
	list(f, "", 9, "");
}

static enum err read_then_write(void *arg, const struct token *t, struct why *why)
{
	struct store_fixture *f = arg;
	struct token again = {0};

	TRY(f->store->ops->token_find(f->store->self, t->hash, &f->arena, &again, why));
	assert_string_equal(again.id, t->id);
	return f->store->ops->token_spend(f->store->self, t->hash, 5, why);
}

static void a_callback_may_read_but_not_write(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 5));
	FAILS(f, STORE_USE, CALL(f, token_list, "", 9, read_then_write, f));
	assert_int_equal(find_token(f, 1).spent_s, 0);
	WORKS(f, CALL(f, token_spend, hash_of(1), 6));
}

static void before(struct store_fixture *f)
{
	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "gone", "urn:gone");
	add_token(f, "claimed", 1, "");
	add_token(f, "spent", 2, "");
	add_token(f, "removed", 3, "");
	add_token(f, "with", 4, "gone");
	WORKS(f, CALL(f, token_claim, hash_of(2), "a", 5));
	put(f, PREFS_ENROLEE, "gone", "{}");
	put(f, PREFS_ENROLEE, "changed", "{}");
	put(f, PREFS_ENROLEE, "removed", "{}");
	WORKS(f, CALL0(f, commit));
}

static void write_all(struct store_fixture *f)
{
	add_token(f, "added", 5, "");
	WORKS(f, CALL(f, token_claim, hash_of(1), "a", 6));
	WORKS(f, CALL(f, token_spend, hash_of(2), 7));
	WORKS(f, CALL(f, token_remove, "removed"));
	put(f, PREFS_ENROLEE, "added", "{}");
	put(f, PREFS_ENROLEE, "changed", "{\"n\":1}");
	WORKS(f, CALL(f, prefs_remove, PREFS_ENROLEE, "removed"));
	WORKS(f, CALL(f, enrolee_remove, "gone", 1));
}

static void want_old(struct store_fixture *f)
{
	list(f, "", 9, "claimed removed spent with");
	assert_int_equal(find_token(f, 1).claimed_s, 0);
	assert_int_equal(find_token(f, 2).spent_s, 0);
	want_prefs(f, PREFS_ENROLEE, "added", "");
	want_prefs(f, PREFS_ENROLEE, "changed", "{}");
	want_prefs(f, PREFS_ENROLEE, "removed", "{}");
	want_prefs(f, PREFS_ENROLEE, "gone", "{}");
}

static void rollback_and_undo_leave_no_trace(void **state)
{
	struct store_fixture *f = *state;

	before(f);
	WORKS(f, CALL0(f, begin));
	write_all(f);
	f->store->ops->rollback(f->store->self);
	want_old(f);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark));
	write_all(f);
	f->store->ops->undo(f->store->self);
	want_old(f);
	WORKS(f, CALL0(f, mark));
	write_all(f);
	WORKS(f, CALL0(f, release));
	WORKS(f, CALL0(f, commit));
	list(f, "", 9, "added claimed spent");
	assert_int_equal(find_token(f, 1).claimed_s, 6);
	assert_int_equal(find_token(f, 2).spent_s, 7);
	want_prefs(f, PREFS_ENROLEE, "changed", "{\"n\":1}");
	want_prefs(f, PREFS_ENROLEE, "removed", "");
	want_prefs(f, PREFS_ENROLEE, "gone", "");
}

static void a_full_arena_is_an_error_not_a_crash(void **state)
{
	struct store_fixture *f = *state;
	struct arena small OWNED_ARENA = ARENA(16);
	struct token t = {0};
	struct span json = {0};

	WORKS(f, CALL0(f, begin));
	add_token(f, "t1", 1, "");
	put(f, PREFS_DEFAULT, "", "{\"long enough to fill it\":true}");
	FAILS(f, NOMEM, CALL(f, token_find, hash_of(1), &small, &t));
	FAILS(f, NOMEM, CALL(f, prefs_get, PREFS_DEFAULT, "", &small, &json));
	assert_null(t.id);
	assert_null(json.p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(preferences_are_replaced_by_scope_and_key),
	cmocka_unit_test(preferences_are_removed_one_by_one),
	cmocka_unit_test(refuses_preferences_past_their_limits),
	cmocka_unit_test(a_new_token_is_neither_claimed_nor_spent),
	cmocka_unit_test(tokens_are_unique_by_id_and_by_hash),
	cmocka_unit_test(finds_no_other_token),
	cmocka_unit_test(refuses_a_token_that_makes_no_sense),
	cmocka_unit_test(the_first_claim_counts),
	cmocka_unit_test(a_token_for_one_enrolee_is_for_no_other),
	cmocka_unit_test(a_claim_looks_at_no_date),
	cmocka_unit_test(a_token_is_spent_once_and_for_all),
	cmocka_unit_test(lists_pages_in_id_order),
	cmocka_unit_test(a_removed_token_is_gone_with_its_preferences),
	cmocka_unit_test(removal_of_an_enrolee_takes_its_preferences_and_tokens),
	cmocka_unit_test(writes_need_a_transaction),
	cmocka_unit_test(a_callback_may_read_but_not_write),
	cmocka_unit_test(rollback_and_undo_leave_no_trace),
	cmocka_unit_test(a_full_arena_is_an_error_not_a_crash),
};

const struct store_tests store_token_suite = {"preferences, tokens", tests, sizeof(tests) / sizeof(tests[0])};
