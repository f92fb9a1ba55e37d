#include "contract/suite/store.h"

static struct symkey sample_key(enum symkey_kind kind, const char *id, const char *owner)
{
	return (struct symkey){.kind = kind, .id = id, .owner = owner, .sealed = span_text("sealed"),
		.created_s = 100, .info = ""};
}

static void add_key(struct store_fixture *f, enum symkey_kind kind, const char *id, const char *owner, int64_t expires_s)
{
	struct symkey k = sample_key(kind, id, owner);

	k.expires_s = expires_s;
	WORKS(f, CALL(f, symkey_add, &k));
}

static enum err see_key(void *arg, const struct symkey *k, struct why *why)
{
	char text[400];

	snprintf(text, sizeof(text), "%d/%s/%s", (int)k->kind, k->id, k->owner);
	seen_add(arg, text);
	return OK;
}

static bool known(struct store_fixture *f, enum symkey_kind kind, const char *id)
{
	struct symkey out = {0};
	enum err err = CALL(f, symkey_find, kind, id, &f->arena, &out);

	assert_true(err == OK || f->why.code == CODE_STORE_NO_KEY);
	why_clear(&f->why);
	return err == OK;
}

static void gives_back_what_was_added(void **state)
{
	struct store_fixture *f = *state;
	struct symkey in = {.kind = SYMKEY_KE, .id = "00FF@mef.example", .owner = "meter-1",
		.sealed = span_of("s\0\xff", 3), .created_s = 11, .expires_s = 12, .info = "{\"a\":\"\xc3\xa9\"}"};
	struct symkey out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, symkey_add, &in));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "00FF@mef.example", &f->arena, &out));
	assert_int_equal(out.kind, SYMKEY_KE);
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.owner, "meter-1");
	assert_true(span_equal(out.sealed, in.sealed));
	assert_int_equal(out.created_s, 11);
	assert_int_equal(out.expires_s, 12);
	assert_string_equal(out.info, in.info);
}

static void a_row_needs_neither_key_nor_record(void **state)
{
	struct store_fixture *f = *state;
	struct symkey in = {.kind = SYMKEY_CLIENT, .id = "c1", .owner = "//ae.example/a b"};
	struct symkey out = {.info = NULL};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, symkey_add, &in));
	WORKS(f, CALL(f, symkey_find, SYMKEY_CLIENT, "c1", &f->arena, &out));
	assert_int_equal(out.sealed.n, 0);
	assert_string_equal(out.info, "");
	assert_int_equal(out.expires_s, 0);
}

static void what_was_found_outlives_the_row(void **state)
{
	struct store_fixture *f = *state;
	struct symkey out = {0};

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "k", "a", 0);
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "k", &f->arena, &out));
	WORKS(f, CALL(f, symkey_remove, SYMKEY_KE, "k"));
	add_key(f, SYMKEY_KE, "other", "b", 0);
	WORKS(f, CALL0(f, commit));
	assert_string_equal(out.id, "k");
	assert_string_equal(out.owner, "a");
	assert_true(span_is(out.sealed, "sealed"));
}

static void finds_no_other_key(void **state)
{
	struct store_fixture *f = *state;
	struct symkey k = sample_key(SYMKEY_KE, "nothing", "a");
	char huge[STORE_KEY_ID_MAX + 2];

	memset(huge, 'k', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "abc", "a", 0);
	assert_true(known(f, SYMKEY_KE, "abc"));
	assert_false(known(f, SYMKEY_KRE, "abc"));
	assert_false(known(f, SYMKEY_KE, "ab"));
	assert_false(known(f, SYMKEY_KE, "abcd"));
	assert_false(known(f, SYMKEY_KE, "ABC"));
	assert_false(known(f, SYMKEY_KE, ""));
	assert_false(known(f, SYMKEY_KE, NULL));
	assert_false(known(f, SYMKEY_KE, huge));
	FAILS(f, STORE_NO_KEY, CALL(f, symkey_set, &k));
	FAILS(f, STORE_NO_KEY, CALL(f, symkey_remove, SYMKEY_KE, "nothing"));
	FAILS(f, STORE_NO_KEY, CALL(f, symkey_remove, SYMKEY_KM, "abc"));
	assert_true(known(f, SYMKEY_KE, "abc"));
}

static void ids_are_unique_within_their_kind(void **state)
{
	struct store_fixture *f = *state;
	struct symkey again = sample_key(SYMKEY_KE, "k", "b");

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "k", "a", 0);
	FAILS(f, STORE_KEY_EXISTS, CALL(f, symkey_add, &again));
	again.owner = "a";
	FAILS(f, STORE_KEY_EXISTS, CALL(f, symkey_add, &again));
	again.kind = SYMKEY_KRE;
	WORKS(f, CALL(f, symkey_add, &again));
	WORKS(f, CALL0(f, commit));
	assert_true(known(f, SYMKEY_KRE, "k"));
}

static void set_changes_key_expiry_and_record_only(void **state)
{
	struct store_fixture *f = *state;
	struct symkey k = {.kind = SYMKEY_KE, .id = "k", .owner = "thief", .sealed = span_text("another and longer"),
		.created_s = 999, .expires_s = 50, .info = "{}"};
	struct symkey out = {0};

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "k", "a", 0);
	WORKS(f, CALL(f, symkey_set, &k));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "k", &f->arena, &out));
	assert_string_equal(out.owner, "a");
	assert_int_equal(out.created_s, 100);
	assert_int_equal(out.expires_s, 50);
	assert_true(span_is(out.sealed, "another and longer"));
	assert_string_equal(out.info, "{}");
	k.sealed = (struct span){0};
	k.info = NULL;
	k.expires_s = 0;
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, symkey_set, &k));
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "k", &f->arena, &out));
	assert_int_equal(out.sealed.n, 0);
	assert_string_equal(out.info, "");
	assert_int_equal(out.expires_s, 0);
}

static void refuses_a_key_one_past_each_limit(void **state)
{
	struct store_fixture *f = *state;
	char id[STORE_KEY_ID_MAX + 2] = "";
	char owner[STORE_VALUE_MAX + 2] = "";
	char info[STORE_KEY_INFO_MAX + 2] = "";
	static const uint8_t sealed[STORE_KEY_SEALED_MAX + 1];
	struct symkey k = {.kind = SYMKEY_KM, .id = id, .owner = owner, .info = info,
		.sealed = span_of(sealed, STORE_KEY_SEALED_MAX)};

	memset(id, 'i', STORE_KEY_ID_MAX);
	memset(owner, 'o', STORE_VALUE_MAX);
	memset(info, 'j', STORE_KEY_INFO_MAX);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, symkey_add, &k));
	WORKS(f, CALL(f, symkey_set, &k));
	k.sealed = span_of(sealed, STORE_KEY_SEALED_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, symkey_set, &k));
	k.id = "k";
	FAILS(f, STORE_SIZE, CALL(f, symkey_add, &k));
	k.sealed = (struct span){0};
	info[STORE_KEY_INFO_MAX] = 'j';
	FAILS(f, STORE_SIZE, CALL(f, symkey_add, &k));
	k.id = id;
	FAILS(f, STORE_SIZE, CALL(f, symkey_set, &k));
	k.info = "";
	id[STORE_KEY_ID_MAX] = 'i';
	FAILS(f, STORE_SIZE, CALL(f, symkey_add, &k));
	k.id = "k";
	owner[STORE_VALUE_MAX] = 'o';
	FAILS(f, STORE_SIZE, CALL(f, symkey_add, &k));
	k.owner = "o";
	WORKS(f, CALL(f, symkey_add, &k));
}

static void refuses_a_key_that_makes_no_sense(void **state)
{
	struct store_fixture *f = *state;
	const struct symkey good = sample_key(SYMKEY_KE, "k", "a");
	struct symkey k = good;

	WORKS(f, CALL0(f, begin));
	k.kind = (enum symkey_kind)0;
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k.kind = (enum symkey_kind)(SYMKEY_SRP + 1);
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k = good;
	k.id = "";
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k.id = NULL;
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k.id = "k\xff";
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k = good;
	k.owner = "";
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k = good;
	k.expires_s = -1;
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	k = good;
	k.info = "\xc0\x80";
	FAILS(f, STORE_VALUE, CALL(f, symkey_add, &k));
	WORKS(f, CALL(f, symkey_add, &good));
	FAILS(f, STORE_VALUE, CALL(f, symkey_set, &k));
}

static void fill_up(struct store_fixture *f, enum symkey_kind first, enum symkey_kind last, const char *owner)
{
	char id[32];

	for (int i = 0; i < STORE_KEYS_PER_OWNER_MAX; i++) {
		snprintf(id, sizeof(id), "%s-%02d", owner, i);
		add_key(f, i % 2 ? first : last, id, owner, 0);
	}
}

static void an_owner_has_only_so_many_keys(void **state)
{
	struct store_fixture *f = *state;
	struct symkey one_more = sample_key(SYMKEY_KRE, "one-more", "a");
	struct symkey known_one = sample_key(SYMKEY_KPM, "a-01", "a");

	WORKS(f, CALL0(f, begin));
	fill_up(f, SYMKEY_KPM, SYMKEY_KE, "a");
	FAILS(f, STORE_KEYS_MANY, CALL(f, symkey_add, &one_more));
	FAILS(f, STORE_KEY_EXISTS, CALL(f, symkey_add, &known_one));
	add_key(f, SYMKEY_KRE, "another's", "b", 0);
	WORKS(f, CALL(f, symkey_remove, SYMKEY_KPM, "a-01"));
	WORKS(f, CALL(f, symkey_add, &one_more));
	FAILS(f, STORE_KEYS_MANY, CALL(f, symkey_add, &known_one));
}

/* Whoever names itself like an enrolee at the MAF takes none of the enrolee's room at the MEF. */
static void an_enrolee_and_a_client_of_the_same_name_are_two_owners(void **state)
{
	struct store_fixture *f = *state;
	struct symkey more = sample_key(SYMKEY_KC, "one-more", "a");

	WORKS(f, CALL0(f, begin));
	fill_up(f, SYMKEY_KM, SYMKEY_CLIENT, "a");
	FAILS(f, STORE_KEYS_MANY, CALL(f, symkey_add, &more));
	more.kind = SYMKEY_KPM;
	WORKS(f, CALL(f, symkey_add, &more));
	more.kind = SYMKEY_KE;
	WORKS(f, CALL(f, symkey_add, &more));
}

static void list(struct store_fixture *f, struct symkey_filter filter, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, symkey_list, &filter, see_key, &seen));
	assert_string_equal(seen.text, want);
}

static void add_some(struct store_fixture *f)
{
	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "k2", "b", 0);
	add_key(f, SYMKEY_KE, "k1", "a", 0);
	add_key(f, SYMKEY_KE, "K9", "a", 0);
	add_key(f, SYMKEY_KPM, "z", "a", 0);
	add_key(f, SYMKEY_CLIENT, "0", "a", 0);
	add_key(f, SYMKEY_KE, "k10", "a", 0);
	WORKS(f, CALL0(f, commit));
}

static void lists_pages_in_order_of_kind_and_id(void **state)
{
	struct store_fixture *f = *state;

	add_some(f);
	list(f, (struct symkey_filter){.limit = 9}, "1/z/a 3/K9/a 3/k1/a 3/k10/a 3/k2/b 7/0/a");
	list(f, (struct symkey_filter){.limit = 2}, "1/z/a 3/K9/a");
	list(f, (struct symkey_filter){.limit = 9, .kind = SYMKEY_KE}, "3/K9/a 3/k1/a 3/k10/a 3/k2/b");
	list(f, (struct symkey_filter){.limit = 2, .kind = SYMKEY_KE, .after_id = "K9"}, "3/k1/a 3/k10/a");
	list(f, (struct symkey_filter){.limit = 2, .kind = SYMKEY_KE, .after_id = "k10"}, "3/k2/b");
	list(f, (struct symkey_filter){.limit = 2, .kind = SYMKEY_KE, .after_id = "k2"}, "");
	list(f, (struct symkey_filter){.limit = 2, .kind = SYMKEY_KE, .after_id = "k11"}, "3/k2/b");
	list(f, (struct symkey_filter){.limit = 2, .kind = SYMKEY_KC}, "");
}

static void lists_the_keys_of_one_owner(void **state)
{
	struct store_fixture *f = *state;

	add_some(f);
	list(f, (struct symkey_filter){.limit = 9, .owner = "a"}, "1/z/a 3/K9/a 3/k1/a 3/k10/a 7/0/a");
	list(f, (struct symkey_filter){.limit = 3, .owner = "a"}, "1/z/a 3/K9/a 3/k1/a");
	list(f, (struct symkey_filter){.limit = 9, .owner = "b"}, "3/k2/b");
	list(f, (struct symkey_filter){.limit = 9, .owner = "c"}, "");
	list(f, (struct symkey_filter){.limit = 1, .owner = "a", .kind = SYMKEY_KE, .after_id = "K9"}, "3/k1/a");
	list(f, (struct symkey_filter){.limit = 9, .owner = "a", .kind = SYMKEY_KE, .after_id = "k1"}, "3/k10/a");
	list(f, (struct symkey_filter){.limit = 9, .owner = "b", .kind = SYMKEY_KPM}, "");
}

static void refuses_a_list_that_makes_no_sense(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};
	struct symkey_filter filter = {.limit = 0};

	FAILS(f, STORE_PAGE, CALL(f, symkey_list, &filter, see_key, &seen));
	filter.limit = STORE_PAGE_MAX + 1;
	FAILS(f, STORE_PAGE, CALL(f, symkey_list, &filter, see_key, &seen));
	filter.limit = STORE_PAGE_MAX;
	WORKS(f, CALL(f, symkey_list, &filter, see_key, &seen));
	filter.after_id = "k";
	FAILS(f, STORE_VALUE, CALL(f, symkey_list, &filter, see_key, &seen));
	filter.kind = SYMKEY_SRP + 1;
	FAILS(f, STORE_VALUE, CALL(f, symkey_list, &filter, see_key, &seen));
	FAILS(f, STORE_PAGE, CALL(f, symkey_due, 9, 0, see_key, &seen));
	FAILS(f, STORE_PAGE, CALL(f, symkey_due, 9, STORE_PAGE_MAX + 1, see_key, &seen));
	WORKS(f, CALL(f, symkey_due, 9, STORE_PAGE_MAX, see_key, &seen));
	assert_int_equal(seen.n, 0);
}

static void due(struct store_fixture *f, int64_t now_s, size_t limit, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, symkey_due, now_s, limit, see_key, &seen));
	assert_string_equal(seen.text, want);
}

static void what_is_due_comes_oldest_first(void **state)
{
	struct store_fixture *f = *state;
	struct symkey later = sample_key(SYMKEY_KE, "b", "o");

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "never", "o", 0);
	add_key(f, SYMKEY_KE, "c", "o", 30);
	add_key(f, SYMKEY_KC, "a", "o", 20);
	add_key(f, SYMKEY_KE, "b", "o", 20);
	add_key(f, SYMKEY_KPM, "d", "o", 10);
	add_key(f, SYMKEY_KE, "a", "o", 20);
	WORKS(f, CALL0(f, commit));
	due(f, 9, 9, "");
	due(f, 10, 9, "1/d/o");
	due(f, 29, 9, "1/d/o 3/a/o 3/b/o 6/a/o");
	due(f, INT64_MAX, 9, "1/d/o 3/a/o 3/b/o 6/a/o 3/c/o");
	due(f, INT64_MAX, 3, "1/d/o 3/a/o 3/b/o");
	WORKS(f, CALL0(f, begin));
	later.expires_s = 40;
	WORKS(f, CALL(f, symkey_set, &later));
	WORKS(f, CALL(f, symkey_remove, SYMKEY_KE, "a"));
	due(f, INT64_MAX, 9, "1/d/o 6/a/o 3/c/o 3/b/o");
	later.expires_s = 0;
	WORKS(f, CALL(f, symkey_set, &later));
	due(f, INT64_MAX, 9, "1/d/o 6/a/o 3/c/o");
}

static void removal_of_an_enrolee_takes_its_keys(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "ab", "urn:ab");
	for (int kind = SYMKEY_KPM; kind <= SYMKEY_SRP; kind++)
		add_key(f, (enum symkey_kind)kind, "k", "a", 0);
	add_key(f, SYMKEY_KE, "k-ab", "ab", 0);
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	WORKS(f, CALL0(f, commit));
	list(f, (struct symkey_filter){.limit = 9}, "3/k-ab/ab 4/k/a 5/k/a 6/k/a 7/k/a");
}

static enum err stop_at_second(void *arg, const struct symkey *k, struct why *why)
{
	struct seen *seen = arg;

	seen_add(seen, k->id);
	return seen->n == 2 ? WHY(why, STORE_VALUE, "", "enough") : OK;
}

static void a_failing_callback_ends_the_list(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};
	struct seen seen_due = {0};

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "a", "o", 1);
	add_key(f, SYMKEY_KE, "b", "o", 2);
	add_key(f, SYMKEY_KE, "c", "o", 3);
	FAILS(f, STORE_VALUE, CALL(f, symkey_list, (&(struct symkey_filter){.limit = 9}), stop_at_second, &seen));
	assert_string_equal(seen.text, "a b");
	FAILS(f, STORE_VALUE, CALL(f, symkey_due, 9, 9, stop_at_second, &seen_due));
	assert_string_equal(seen_due.text, "a b");
	due(f, 9, 9, "3/a/o 3/b/o 3/c/o");
}

static enum err read_then_write(void *arg, const struct symkey *k, struct why *why)
{
	struct store_fixture *f = arg;
	struct symkey again = {0};

	TRY(f->store->ops->symkey_find(f->store->self, k->kind, k->id, &f->arena, &again, why));
	assert_string_equal(again.owner, k->owner);
	return f->store->ops->symkey_remove(f->store->self, k->kind, k->id, why);
}

static void a_callback_may_read_but_not_write(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "a", "o", 1);
	FAILS(f, STORE_USE, CALL(f, symkey_due, 9, 9, read_then_write, f));
	FAILS(f, STORE_USE, CALL(f, symkey_list, (&(struct symkey_filter){.limit = 9}), read_then_write, f));
	assert_true(known(f, SYMKEY_KE, "a"));
	WORKS(f, CALL(f, symkey_remove, SYMKEY_KE, "a"));
}

static void writes_need_a_transaction(void **state)
{
	struct store_fixture *f = *state;
	struct symkey k = sample_key(SYMKEY_KE, "k", "a");

	FAILS(f, STORE_USE, CALL(f, symkey_add, &k));
	FAILS(f, STORE_USE, CALL(f, symkey_set, &k));
	FAILS(f, STORE_USE, CALL(f, symkey_remove, SYMKEY_KE, "k"));
	assert_false(known(f, SYMKEY_KE, "k"));
}

/* One of each: added, changed, removed, gone with its enrolee. */
static void write_all(struct store_fixture *f)
{
	struct symkey changed = sample_key(SYMKEY_KE, "changed", "a");

	changed.expires_s = 77;
	changed.sealed = span_text("new");
	add_key(f, SYMKEY_KE, "added", "a", 5);
	WORKS(f, CALL(f, symkey_set, &changed));
	WORKS(f, CALL(f, symkey_remove, SYMKEY_KE, "removed"));
	WORKS(f, CALL(f, enrolee_remove, "gone", 1));
}

static void want_old(struct store_fixture *f)
{
	struct symkey out = {0};

	list(f, (struct symkey_filter){.limit = 9}, "3/changed/a 3/gone/gone 3/removed/a");
	due(f, INT64_MAX, 9, "");
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "changed", &f->arena, &out));
	assert_true(span_is(out.sealed, "sealed"));
}

static void rollback_and_undo_leave_no_trace(void **state)
{
	struct store_fixture *f = *state;
	struct symkey out = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "gone", "urn:gone");
	add_key(f, SYMKEY_KE, "changed", "a", 0);
	add_key(f, SYMKEY_KE, "removed", "a", 0);
	add_key(f, SYMKEY_KE, "gone", "gone", 0);
	WORKS(f, CALL0(f, commit));
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
	list(f, (struct symkey_filter){.limit = 9}, "3/added/a 3/changed/a");
	due(f, INT64_MAX, 9, "3/added/a 3/changed/a");
	WORKS(f, CALL(f, symkey_find, SYMKEY_KE, "changed", &f->arena, &out));
	assert_true(span_is(out.sealed, "new"));
}

static void a_refusal_leaves_the_transaction_usable(void **state)
{
	struct store_fixture *f = *state;
	struct symkey again = sample_key(SYMKEY_KE, "a", "o");

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "a", "o", 0);
	FAILS(f, STORE_KEY_EXISTS, CALL(f, symkey_add, &again));
	FAILS(f, STORE_NO_KEY, CALL(f, symkey_remove, SYMKEY_KE, "b"));
	add_key(f, SYMKEY_KE, "c", "o", 0);
	WORKS(f, CALL0(f, commit));
	list(f, (struct symkey_filter){.limit = 9}, "3/a/o 3/c/o");
}

static void a_full_arena_is_an_error_not_a_crash(void **state)
{
	struct store_fixture *f = *state;
	struct arena small OWNED_ARENA = ARENA(16);
	struct symkey out = {0};

	WORKS(f, CALL0(f, begin));
	add_key(f, SYMKEY_KE, "k", "a", 0);
	FAILS(f, NOMEM, CALL(f, symkey_find, SYMKEY_KE, "k", &small, &out));
	assert_null(out.id);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gives_back_what_was_added),
	cmocka_unit_test(a_row_needs_neither_key_nor_record),
	cmocka_unit_test(what_was_found_outlives_the_row),
	cmocka_unit_test(finds_no_other_key),
	cmocka_unit_test(ids_are_unique_within_their_kind),
	cmocka_unit_test(set_changes_key_expiry_and_record_only),
	cmocka_unit_test(refuses_a_key_one_past_each_limit),
	cmocka_unit_test(refuses_a_key_that_makes_no_sense),
	cmocka_unit_test(an_owner_has_only_so_many_keys),
	cmocka_unit_test(an_enrolee_and_a_client_of_the_same_name_are_two_owners),
	cmocka_unit_test(lists_pages_in_order_of_kind_and_id),
	cmocka_unit_test(lists_the_keys_of_one_owner),
	cmocka_unit_test(refuses_a_list_that_makes_no_sense),
	cmocka_unit_test(what_is_due_comes_oldest_first),
	cmocka_unit_test(removal_of_an_enrolee_takes_its_keys),
	cmocka_unit_test(a_failing_callback_ends_the_list),
	cmocka_unit_test(a_callback_may_read_but_not_write),
	cmocka_unit_test(writes_need_a_transaction),
	cmocka_unit_test(rollback_and_undo_leave_no_trace),
	cmocka_unit_test(a_refusal_leaves_the_transaction_usable),
	cmocka_unit_test(a_full_arena_is_an_error_not_a_crash),
};

const struct store_tests store_symkey_suite = {"symmetric keys", tests, sizeof(tests) / sizeof(tests[0])};
