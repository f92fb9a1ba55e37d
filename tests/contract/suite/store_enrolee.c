#include "contract/suite/store.h"

static const struct credential any = {.kind = CREDENTIAL_DEVICE, .value = "1.2.3.4"};

static void fill(char *out, size_t n)
{
	memset(out, 'x', n);
	out[n] = '\0';
}

static void gives_back_what_was_added(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee in = {.id = "meter-1", .entity_type = ENTITY_CSE, .entity_id = "/cse\xc3\xa9.example",
		.state = ENROLEE_DISABLED, .label = "Keller links", .profile = "iot", .created_s = 11,
		.changed_s = -12};
	struct enrolee out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, enrolee_add, &in));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, enrolee_find, "meter-1", &f->arena, &out));
	assert_string_equal(out.id, in.id);
	assert_int_equal(out.entity_type, ENTITY_CSE);
	assert_string_equal(out.entity_id, in.entity_id);
	assert_int_equal(out.state, ENROLEE_DISABLED);
	assert_string_equal(out.label, in.label);
	assert_string_equal(out.profile, "iot");
	assert_int_equal(out.created_s, 11);
	assert_int_equal(out.changed_s, -12);
}

static void takes_a_missing_label_and_profile_as_empty(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee in = sample_enrolee("a", "urn:a");
	struct enrolee out = {0};

	in.label = NULL;
	in.profile = NULL;
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, enrolee_add, &in));
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	assert_string_equal(out.label, "");
	assert_string_equal(out.profile, "");
}

static void texts_of_a_found_enrolee_outlive_its_removal(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	add_enrolee(f, "b", "urn:b");
	WORKS(f, CALL0(f, commit));
	assert_string_equal(out.id, "a");
	assert_string_equal(out.entity_id, "urn:a");
}

static void finds_by_type_and_entity_id_together(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	WORKS(f, CALL(f, enrolee_by_entity, ENTITY_NODE, "urn:b", &f->arena, &out));
	assert_string_equal(out.id, "b");
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_by_entity, ENTITY_AE, "urn:b", &f->arena, &out));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_by_entity, ENTITY_NODE, "urn:", &f->arena, &out));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_by_entity, ENTITY_NODE, "URN:B", &f->arena, &out));
	WORKS(f, CALL(f, enrolee_remove, "b", 1));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_by_entity, ENTITY_NODE, "urn:b", &f->arena, &out));
}

static void finds_no_stranger(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};

	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_find, "nobody", &f->arena, &out));
	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "meter", "urn:m");
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_find, "mete", &f->arena, &out));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_find, "METER", &f->arena, &out));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_set_state, "nobody", ENROLEE_ENABLED, 1));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_remove, "nobody", 1));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, credential_add, "nobody", &any));
}

static void refuses_a_second_enrolee_of_the_same_id(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee again = sample_enrolee("a", "urn:other");

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	FAILS(f, STORE_ENROLEE_EXISTS, CALL(f, enrolee_add, &again));
	again.entity_id = "urn:a";
	FAILS(f, STORE_ENROLEE_EXISTS, CALL(f, enrolee_add, &again));
}

static void entity_ids_are_unique_within_their_type(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee again = sample_enrolee("b", "urn:a");

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	FAILS(f, STORE_ENTITY_EXISTS, CALL(f, enrolee_add, &again));
	again.entity_type = ENTITY_AE;
	WORKS(f, CALL(f, enrolee_add, &again));
}

static void a_conflict_leaves_the_transaction_usable(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee again = sample_enrolee("b", "urn:a");
	struct store_counts counts = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	FAILS(f, STORE_ENTITY_EXISTS, CALL(f, enrolee_add, &again));
	add_enrolee(f, "c", "urn:c");
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, counts, &counts));
	assert_int_equal(counts.enrolees, 2);
}

static void refuses_an_enrolee_one_past_each_limit(void **state)
{
	struct store_fixture *f = *state;
	char id[STORE_ID_MAX + 2];
	char value[STORE_VALUE_MAX + 2];
	char label[STORE_LABEL_MAX + 2];
	char profile[STORE_PROFILE_MAX + 2];
	struct enrolee e = sample_enrolee(id, value);

	e.label = label;
	e.profile = profile;
	fill(id, STORE_ID_MAX);
	fill(value, STORE_VALUE_MAX);
	fill(label, STORE_LABEL_MAX);
	fill(profile, STORE_PROFILE_MAX);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, enrolee_add, &e));
	fill(id, STORE_ID_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, enrolee_add, &e));
	fill(id, 3);
	fill(value, STORE_VALUE_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, enrolee_add, &e));
	fill(value, 3);
	fill(label, STORE_LABEL_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, enrolee_add, &e));
	fill(label, 3);
	fill(profile, STORE_PROFILE_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, enrolee_add, &e));
}

static void refuses_an_enrolee_that_makes_no_sense(void **state)
{
	struct store_fixture *f = *state;
	static const struct enrolee good = {.id = "a", .entity_type = ENTITY_NODE, .entity_id = "urn:a",
		.state = ENROLEE_ENABLED};
	struct enrolee e = good;

	WORKS(f, CALL0(f, begin));
	e.id = "";
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e.id = NULL;
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e.id = "a b";
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e = good;
	e.entity_id = "";
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e.entity_id = "urn:\xff";
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e = good;
	e.entity_type = (enum entity_type)0;
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e.entity_type = (enum entity_type)(ENTITY_FQDN + 1);
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e = good;
	e.state = (enum enrolee_state)0;
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	e.state = (enum enrolee_state)(ENROLEE_DISABLED + 1);
	FAILS(f, STORE_VALUE, CALL(f, enrolee_add, &e));
	WORKS(f, CALL(f, enrolee_add, &good));
	FAILS(f, STORE_VALUE, CALL(f, enrolee_set_state, "a", (enum enrolee_state)3, 1));
}

static void changes_a_state_and_says_when(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_DISABLED, 2222));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	assert_int_equal(out.state, ENROLEE_DISABLED);
	assert_int_equal(out.changed_s, 2222);
	assert_int_equal(out.created_s, 1000);
}

static void removal_takes_the_credentials_and_frees_all_names(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	WORKS(f, CALL(f, credential_add, "a", &any));
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_find, "a", &f->arena, &out));
	WORKS(f, CALL(f, credential_list, "a", see_credential, &seen));
	WORKS(f, CALL(f, credential_match, any.kind, any.value, see_credential, &seen));
	assert_int_equal(seen.n, 0);
	WORKS(f, CALL(f, credential_add, "b", &any));
	add_enrolee(f, "a", "urn:a");
}

static void removal_waits_for_valid_certificates_and_keeps_old_ones(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued issued = sample_issued(1, "a", &room);
	struct issued found = {0};
	struct enrolee out = {0};
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, issued_add, &issued));
	FAILS(f, STORE_ENROLEE_IN_USE, CALL(f, enrolee_remove, "a", issued.not_after_s - 1));
	FAILS(f, STORE_ENROLEE_IN_USE, CALL(f, enrolee_remove, "a", issued.not_after_s));
	WORKS(f, CALL(f, enrolee_remove, "a", issued.not_after_s + 1));
	WORKS(f, CALL0(f, commit));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, enrolee_find, "a", &f->arena, &out));
	WORKS(f, CALL(f, issued_find, issued.serial, &f->arena, &found));
	assert_string_equal(found.enrolee_id, "a");
	WORKS(f, CALL(f, enrolee_list, (&(struct enrolee_filter){.limit = 9}), see_enrolee, &seen));
	assert_int_equal(seen.n, 0);
}

static void an_enrolee_may_return_after_its_removal(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee back = sample_enrolee("a", "urn:new");
	struct enrolee out = {0};
	struct store_counts counts = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_issued(f, 1, "a");
	WORKS(f, CALL(f, enrolee_remove, "a", 1000000));
	WORKS(f, CALL(f, enrolee_add, &back));
	FAILS(f, STORE_ENROLEE_EXISTS, CALL(f, enrolee_add, &back));
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	assert_string_equal(out.entity_id, "urn:new");
	add_enrolee(f, "b", "urn:a");
	WORKS(f, CALL(f, counts, &counts));
	assert_int_equal(counts.enrolees, 2);
}

static void a_revoked_certificate_does_not_hold_its_enrolee(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued issued = sample_issued(1, "a", &room);

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, issued_add, &issued));
	WORKS(f, CALL(f, issued_revoke, issued.serial, 1, 10));
	WORKS(f, CALL(f, enrolee_remove, "a", 20));
}

static void list(struct store_fixture *f, struct enrolee_filter filter, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
	assert_string_equal(seen.text, want);
}

static void lists_pages_in_id_order(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "b", "urn:b");
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "Z", "urn:z");
	add_enrolee(f, "ab", "urn:ab");
	WORKS(f, CALL0(f, commit));
	list(f, (struct enrolee_filter){.limit = 10}, "Z a ab b");
	list(f, (struct enrolee_filter){.limit = 2}, "Z a");
	list(f, (struct enrolee_filter){.limit = 2, .after_id = "a"}, "ab b");
	list(f, (struct enrolee_filter){.limit = 2, .after_id = "aa"}, "ab b");
	list(f, (struct enrolee_filter){.limit = 2, .after_id = "b"}, "");
}

static void lists_by_state_and_by_part_of_a_text(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee labelled = sample_enrolee("c", "urn:c");

	labelled.label = "100%_sure";
	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "Meter-a", "urn:a");
	add_enrolee(f, "b", "urn:METER:b");
	WORKS(f, CALL(f, enrolee_add, &labelled));
	WORKS(f, CALL(f, enrolee_set_state, "b", ENROLEE_DISABLED, 1));
	WORKS(f, CALL0(f, commit));
	list(f, (struct enrolee_filter){.limit = 10, .text = "meter"}, "Meter-a b");
	list(f, (struct enrolee_filter){.limit = 10, .text = "0%_S"}, "c");
	list(f, (struct enrolee_filter){.limit = 10, .text = "%"}, "c");
	list(f, (struct enrolee_filter){.limit = 10, .text = "100%_sure!"}, "");
	list(f, (struct enrolee_filter){.limit = 10, .state = ENROLEE_DISABLED}, "b");
	list(f, (struct enrolee_filter){.limit = 10, .state = ENROLEE_ENABLED, .text = "meter"}, "Meter-a");
}

static void refuses_pages_of_none_and_of_too_many(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};
	struct enrolee_filter filter = {.limit = 0};
	char text[STORE_VALUE_MAX + 2];

	FAILS(f, STORE_PAGE, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
	filter.limit = STORE_PAGE_MAX + 1;
	FAILS(f, STORE_PAGE, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
	filter.limit = STORE_PAGE_MAX;
	WORKS(f, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
	fill(text, STORE_VALUE_MAX + 1);
	filter.text = text;
	FAILS(f, STORE_SIZE, CALL(f, enrolee_list, &filter, see_enrolee, &seen));
}

static void credentials_are_unique_per_kind_value_and_anchor(void **state)
{
	struct store_fixture *f = *state;
	struct credential c = sample_credential(CREDENTIAL_SERIAL, "S1", 1);
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	WORKS(f, CALL(f, credential_add, "a", &c));
	FAILS(f, STORE_CREDENTIAL_EXISTS, CALL(f, credential_add, "a", &c));
	FAILS(f, STORE_CREDENTIAL_EXISTS, CALL(f, credential_add, "b", &c));
	c.anchor[0] = 2;
	WORKS(f, CALL(f, credential_add, "b", &c));
	memset(c.anchor, 0, sizeof(c.anchor));
	WORKS(f, CALL(f, credential_add, "b", &c));
	c.kind = CREDENTIAL_FQDN;
	WORKS(f, CALL(f, credential_add, "a", &c));
	WORKS(f, CALL(f, credential_match, CREDENTIAL_SERIAL, "S1", see_credential, &seen));
	assert_string_equal(seen.text, "b/2/S1/0 a/2/S1/1 b/2/S1/1");
}

static void lists_and_matches_credentials(void **state)
{
	struct store_fixture *f = *state;
	struct credential rows[] = {sample_credential(CREDENTIAL_FQDN, "h.example", 0),
		sample_credential(CREDENTIAL_DEVICE, "1.2:3", 9), sample_credential(CREDENTIAL_FQDN, "g.example", 7)};
	struct seen seen = {0};
	struct seen other = {0};
	struct seen match = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	for (size_t i = 0; i < 3; i++)
		WORKS(f, CALL(f, credential_add, "a", &rows[i]));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, credential_list, "a", see_credential, &seen));
	assert_string_equal(seen.text, "a/1/1.2:3/9 a/3/g.example/7 a/3/h.example/0");
	WORKS(f, CALL(f, credential_list, "b", see_credential, &other));
	WORKS(f, CALL(f, credential_match, CREDENTIAL_URI, "h.example", see_credential, &other));
	WORKS(f, CALL(f, credential_match, CREDENTIAL_FQDN, "H.example", see_credential, &other));
	WORKS(f, CALL(f, credential_match, CREDENTIAL_FQDN, "h.exampl", see_credential, &other));
	assert_int_equal(other.n, 0);
	WORKS(f, CALL(f, credential_match, CREDENTIAL_FQDN, "h.example", see_credential, &match));
	assert_string_equal(match.text, "a/3/h.example/0");
}

static void match_any(struct store_fixture *f, const struct credential_name *names, size_t n, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, credential_match_any, names, n, see_credential, &seen));
	assert_string_equal(seen.text, want);
}

static void matches_several_names_in_their_order(void **state)
{
	struct store_fixture *f = *state;
	struct credential rows[] = {sample_credential(CREDENTIAL_FQDN, "h", 9), sample_credential(CREDENTIAL_FQDN, "h", 2),
		sample_credential(CREDENTIAL_URI, "h", 0), sample_credential(CREDENTIAL_SERIAL, "s", 5)};
	static const struct credential_name names[] = {{CREDENTIAL_URI, "h"}, {CREDENTIAL_KEY, "none"},
		{CREDENTIAL_FQDN, "h"}, {CREDENTIAL_FQDN, "H"}, {CREDENTIAL_SERIAL, NULL}, {CREDENTIAL_SERIAL, "h"},
		{CREDENTIAL_SERIAL, "s"}, {CREDENTIAL_URI, "h"}};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	for (size_t i = 0; i < 4; i++)
		WORKS(f, CALL(f, credential_add, i ? "a" : "b", &rows[i]));
	match_any(f, names, 8, "a/4/h/0 a/3/h/2 b/3/h/9 a/2/s/5 a/4/h/0");
	WORKS(f, CALL0(f, commit));
	match_any(f, names, 8, "a/4/h/0 a/3/h/2 b/3/h/9 a/2/s/5 a/4/h/0");
	match_any(f, names + 2, 1, "a/3/h/2 b/3/h/9");
	match_any(f, names + 3, 3, "");
	match_any(f, names, 0, "");
	match_any(f, NULL, 0, "");
	match_any(f, names + 6, 1, "a/2/s/5"); /* nothing is left over from longer questions */
}

static enum err stop_at_first(void *arg, const char *enrolee_id, const struct credential *c, struct why *why)
{
	TRY(see_credential(arg, enrolee_id, c, why));
	return WHY(why, STORE_VALUE, "", "enough");
}

static void refuses_one_name_too_many(void **state)
{
	struct store_fixture *f = *state;
	struct credential_name names[STORE_MATCH_MAX + 1];
	struct seen seen = {0};

	for (size_t i = 0; i < STORE_MATCH_MAX + 1; i++)
		names[i] = (struct credential_name){any.kind, any.value};
	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, credential_add, "a", &any));
	FAILS(f, STORE_SIZE, CALL(f, credential_match_any, names, STORE_MATCH_MAX + 1, see_credential, &seen));
	assert_int_equal(seen.n, 0);
	WORKS(f, CALL(f, credential_match_any, names, STORE_MATCH_MAX, see_credential, &seen));
	assert_int_equal(seen.n, STORE_MATCH_MAX);
	FAILS(f, STORE_VALUE, CALL(f, credential_match_any, names, STORE_MATCH_MAX, stop_at_first, &seen));
	assert_int_equal(seen.n, STORE_MATCH_MAX + 1);
}

static void refuses_a_credential_past_its_limits(void **state)
{
	struct store_fixture *f = *state;
	char value[STORE_VALUE_MAX + 2];
	struct credential c = {.kind = CREDENTIAL_URI, .value = value};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	fill(value, STORE_VALUE_MAX);
	WORKS(f, CALL(f, credential_add, "a", &c));
	fill(value, STORE_VALUE_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, credential_add, "a", &c));
	fill(value, 0);
	FAILS(f, STORE_VALUE, CALL(f, credential_add, "a", &c));
	fill(value, 1);
	c.kind = (enum credential_kind)0;
	FAILS(f, STORE_VALUE, CALL(f, credential_add, "a", &c));
	c.kind = (enum credential_kind)(CREDENTIAL_CERT + 1);
	FAILS(f, STORE_VALUE, CALL(f, credential_add, "a", &c));
}

static enum err stop_at_second(void *arg, const struct enrolee *e, struct why *why)
{
	struct seen *seen = arg;

	seen_add(seen, e->id);
	return seen->n == 2 ? WHY(why, STORE_VALUE, "", "enough") : OK;
}

static void a_failing_callback_ends_the_list(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	add_enrolee(f, "c", "urn:c");
	WORKS(f, CALL0(f, commit));
	FAILS(f, STORE_VALUE, CALL(f, enrolee_list, (&(struct enrolee_filter){.limit = 9}), stop_at_second, &seen));
	assert_string_equal(seen.text, "a b");
	list(f, (struct enrolee_filter){.limit = 9}, "a b c");
}

static enum err read_more(void *arg, const struct enrolee *e, struct why *why)
{
	struct seen *seen = arg;
	const struct store *store = seen->f->store;
	struct enrolee again = {0};

	TRY(store->ops->enrolee_find(store->self, e->id, &seen->f->arena, &again, why));
	assert_string_equal(again.entity_id, e->entity_id);
	return store->ops->credential_list(store->self, e->id, see_credential, seen, why);
}

static void a_callback_may_read_other_things(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {.f = f};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	WORKS(f, CALL(f, credential_add, "b", &any));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, enrolee_list, (&(struct enrolee_filter){.limit = 9}), read_more, &seen));
	assert_string_equal(seen.text, "b/1/1.2.3.4/0");
}

static enum err write_inside(void *arg, const struct enrolee *e, struct why *why)
{
	const struct store_fixture *f = arg;

	return f->store->ops->enrolee_remove(f->store->self, e->id, 0, why);
}

static void a_callback_may_not_write(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	FAILS(f, STORE_USE, CALL(f, enrolee_list, (&(struct enrolee_filter){.limit = 9}), write_inside, f));
	list(f, (struct enrolee_filter){.limit = 9}, "a");
	WORKS(f, CALL0(f, commit));
}

static void a_full_arena_is_an_error_not_a_crash(void **state)
{
	struct store_fixture *f = *state;
	struct arena small OWNED_ARENA = ARENA(16);
	struct enrolee out = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	FAILS(f, NOMEM, CALL(f, enrolee_find, "a", &small, &out));
	assert_null(out.id);
	WORKS(f, CALL0(f, commit));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gives_back_what_was_added),
	cmocka_unit_test(takes_a_missing_label_and_profile_as_empty),
	cmocka_unit_test(texts_of_a_found_enrolee_outlive_its_removal),
	cmocka_unit_test(finds_by_type_and_entity_id_together),
	cmocka_unit_test(finds_no_stranger),
	cmocka_unit_test(refuses_a_second_enrolee_of_the_same_id),
	cmocka_unit_test(entity_ids_are_unique_within_their_type),
	cmocka_unit_test(a_conflict_leaves_the_transaction_usable),
	cmocka_unit_test(refuses_an_enrolee_one_past_each_limit),
	cmocka_unit_test(refuses_an_enrolee_that_makes_no_sense),
	cmocka_unit_test(changes_a_state_and_says_when),
	cmocka_unit_test(removal_takes_the_credentials_and_frees_all_names),
	cmocka_unit_test(removal_waits_for_valid_certificates_and_keeps_old_ones),
	cmocka_unit_test(an_enrolee_may_return_after_its_removal),
	cmocka_unit_test(a_revoked_certificate_does_not_hold_its_enrolee),
	cmocka_unit_test(lists_pages_in_id_order),
	cmocka_unit_test(lists_by_state_and_by_part_of_a_text),
	cmocka_unit_test(refuses_pages_of_none_and_of_too_many),
	cmocka_unit_test(credentials_are_unique_per_kind_value_and_anchor),
	cmocka_unit_test(lists_and_matches_credentials),
	cmocka_unit_test(matches_several_names_in_their_order),
	cmocka_unit_test(refuses_one_name_too_many),
	cmocka_unit_test(refuses_a_credential_past_its_limits),
	cmocka_unit_test(a_failing_callback_ends_the_list),
	cmocka_unit_test(a_callback_may_read_other_things),
	cmocka_unit_test(a_callback_may_not_write),
	cmocka_unit_test(a_full_arena_is_an_error_not_a_crash),
};

const struct store_tests store_enrolee_suite = {"enrolees", tests, sizeof(tests) / sizeof(tests[0])};
