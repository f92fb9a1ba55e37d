#include "contract/suite/store.h"

static const struct credential cred = {.kind = CREDENTIAL_SERIAL, .value = "S"};

static void writes_need_a_transaction(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee e = sample_enrolee("a", "urn:a");
	struct sample_room room;
	struct issued issued = sample_issued(1, "a", &room);
	struct crl_row crl = {.number = 1, .der = span_text("crl")};
	struct audit_row audit = sample_audit(1, "{}");
	struct store_counts counts = {0};

	FAILS(f, STORE_USE, CALL(f, enrolee_add, &e));
	FAILS(f, STORE_USE, CALL(f, enrolee_set_state, "a", ENROLEE_ENABLED, 1));
	FAILS(f, STORE_USE, CALL(f, enrolee_remove, "a", 1));
	FAILS(f, STORE_USE, CALL(f, credential_add, "a", &cred));
	FAILS(f, STORE_USE, CALL(f, issued_add, &issued));
	FAILS(f, STORE_USE, CALL(f, issued_revoke, issued.serial, 1, 1));
	FAILS(f, STORE_USE, CALL(f, crl_put, &crl));
	FAILS(f, STORE_USE, CALL(f, secret_put, "s", span_text("s")));
	FAILS(f, STORE_USE, CALL(f, audit_add, &audit));
	WORKS(f, CALL(f, counts, &counts));
	assert_int_equal(counts.enrolees + counts.issued + counts.audit, 0);
}

static void calls_out_of_order_are_refused(void **state)
{
	struct store_fixture *f = *state;

	FAILS(f, STORE_USE, CALL0(f, commit));
	FAILS(f, STORE_USE, CALL0(f, mark));
	FAILS(f, STORE_USE, CALL0(f, release));
	f->store->ops->undo(f->store->self);
	f->store->ops->rollback(f->store->self);
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_USE, CALL0(f, begin));
	FAILS(f, STORE_USE, CALL0(f, release));
	WORKS(f, CALL0(f, mark));
	FAILS(f, STORE_USE, CALL0(f, mark));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL0(f, release));
	FAILS(f, STORE_USE, CALL0(f, release));
	WORKS(f, CALL0(f, commit));
	FAILS(f, STORE_USE, CALL0(f, commit));
}

static bool known(struct store_fixture *f, const char *id)
{
	struct enrolee out = {0};
	enum err err = CALL(f, enrolee_find, id, &f->arena, &out);

	why_clear(&f->why);
	return err == OK;
}

/* One write of every kind. */
static void write_all(struct store_fixture *f, uint32_t n)
{
	struct sample_room room;
	struct crl_row crl = {.ca = "issuing", .number = n + 2, .der = span_text("crl")};
	struct credential c = cred;
	uint64_t seq = 0;
	uint8_t hash[32];
	char id[16];

	snprintf(id, sizeof(id), "w%u", (unsigned)n);
	c.kind = (enum credential_kind)(CREDENTIAL_DEVICE + n);
	add_enrolee(f, id, id);
	WORKS(f, CALL(f, enrolee_set_state, id, ENROLEE_DISABLED, 1));
	WORKS(f, CALL(f, credential_add, id, &c));
	add_issued(f, n, id);
	WORKS(f, CALL(f, issued_revoke, sample_issued(n, "", &room).serial, 1, 1));
	WORKS(f, CALL(f, crl_put, &crl));
	WORKS(f, CALL(f, secret_put, "s", span_text(id)));
	WORKS(f, CALL(f, audit_head, &seq, hash));
	struct audit_row audit = sample_audit(seq + 1, "{}");
	WORKS(f, CALL(f, audit_add, &audit));
}

struct picture {
	struct store_counts counts;
	uint64_t revision, head, crl;
	char secret[16];
};

static struct picture look(struct store_fixture *f)
{
	struct picture p = {0};
	struct crl_row crl = {0};
	struct span secret = {0};
	uint8_t hash[32];

	WORKS(f, CALL(f, counts, &p.counts));
	WORKS(f, CALL(f, revocation_revision, &p.revision));
	WORKS(f, CALL(f, audit_head, &p.head, hash));
	if (CALL(f, crl_get, "issuing", &f->arena, &crl) == OK)
		p.crl = crl.number;
	if (CALL(f, secret_get, "s", &f->arena, &secret) == OK)
		memcpy(p.secret, secret.p, secret.n);
	why_clear(&f->why);
	return p;
}

static void rollback_leaves_no_trace(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	write_all(f, 0);
	WORKS(f, CALL0(f, commit));
	struct picture before = look(f);
	WORKS(f, CALL0(f, begin));
	write_all(f, 1);
	WORKS(f, CALL(f, enrolee_remove, "w0", 1));
	f->store->ops->rollback(f->store->self);
	struct picture after = look(f);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true(known(f, "w0"));
	assert_false(known(f, "w1"));
	WORKS(f, CALL(f, credential_list, "w0", see_credential, &seen));
	WORKS(f, CALL(f, credential_match, CREDENTIAL_SERIAL, "S", see_credential, &seen));
	assert_int_equal(seen.n, 1);
	WORKS(f, CALL0(f, begin));
	write_all(f, 1);
	WORKS(f, CALL0(f, commit));
}

static void undo_takes_back_only_what_follows_the_mark(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	write_all(f, 0);
	struct picture before = look(f);
	WORKS(f, CALL0(f, mark));
	write_all(f, 1);
	WORKS(f, CALL(f, enrolee_remove, "w0", 1));
	f->store->ops->undo(f->store->self);
	struct picture after = look(f);
	assert_memory_equal(&before, &after, sizeof(before));
	WORKS(f, CALL0(f, mark));
	write_all(f, 2);
	WORKS(f, CALL0(f, release));
	f->store->ops->undo(f->store->self); /* the mark is gone: nothing to undo */
	WORKS(f, CALL0(f, commit));
	assert_true(known(f, "w0"));
	assert_false(known(f, "w1"));
	assert_true(known(f, "w2"));
	assert_int_equal(look(f).counts.revoked, 2);
}

static void rollback_takes_released_marks_too(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark));
	write_all(f, 0);
	WORKS(f, CALL0(f, release));
	WORKS(f, CALL0(f, mark));
	write_all(f, 1);
	f->store->ops->rollback(f->store->self);
	assert_int_equal(look(f).counts.enrolees, 0);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark)); /* the old mark went with its transaction */
	write_all(f, 1);
	WORKS(f, CALL0(f, commit)); /* an open mark does not hold the commit */
	assert_int_equal(look(f).counts.enrolees, 1);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark));
	WORKS(f, CALL0(f, commit));
}

static void a_transaction_reads_its_own_writes(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	assert_false(known(f, "a"));
	add_enrolee(f, "a", "urn:a");
	assert_true(known(f, "a"));
	f->store->ops->rollback(f->store->self);
	assert_false(known(f, "a"));
}

static void add_event(struct store_fixture *f, uint64_t seq)
{
	struct audit_row row = sample_audit(seq, "{}");

	WORKS(f, CALL(f, audit_add, &row));
}

static void want_head(struct store_fixture *f, uint64_t want)
{
	uint8_t zero[32] = {0};
	uint8_t hash[32];
	uint64_t seq = 99;

	WORKS(f, CALL(f, audit_head, &seq, hash));
	assert_int_equal(seq, want);
	assert_memory_equal(hash, want ? sample_audit(want, "").hash : zero, 32);
}

/* A store may remember what it read; never beyond what takes it back. */
static void the_audit_head_follows_undo_and_rollback(void **state)
{
	struct store_fixture *f = *state;
	struct audit_row gap = sample_audit(3, "{}");

	WORKS(f, CALL0(f, begin));
	want_head(f, 0);
	add_event(f, 1);
	want_head(f, 1);
	WORKS(f, CALL0(f, mark));
	add_event(f, 2);
	want_head(f, 2);
	f->store->ops->undo(f->store->self);
	want_head(f, 1);
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &gap));
	add_event(f, 2);
	f->store->ops->rollback(f->store->self);
	want_head(f, 0);
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &gap));
	add_event(f, 1);
	WORKS(f, CALL0(f, commit));
	want_head(f, 1);
}

static void want_issued(struct store_fixture *f, uint32_t number, const char *enrolee_id, const char *profile)
{
	struct sample_room room;
	struct issued out = {0};

	WORKS(f, CALL(f, issued_find, sample_issued(number, "", &room).serial, &f->arena, &out));
	assert_string_equal(out.enrolee_id, enrolee_id);
	assert_string_equal(out.profile, profile);
}

static void add_with_profile(struct store_fixture *f, uint32_t number, const char *enrolee_id, const char *profile)
{
	struct sample_room room;
	struct issued i = sample_issued(number, enrolee_id, &room);

	i.profile = profile;
	WORKS(f, CALL(f, issued_add, &i));
}

/* Texts and enrolees first met in a request that was undone, then others, then the same again. */
static void what_was_undone_is_not_remembered(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark));
	add_with_profile(f, 1, "ghost", "undone");
	f->store->ops->undo(f->store->self);
	add_with_profile(f, 2, "other", "first");
	add_with_profile(f, 3, "ghost", "undone");
	f->store->ops->rollback(f->store->self);
	WORKS(f, CALL0(f, begin));
	add_with_profile(f, 4, "third", "second");
	add_with_profile(f, 5, "other", "first");
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL0(f, begin));
	add_with_profile(f, 6, "ghost", "undone");
	add_with_profile(f, 7, "other", "second");
	WORKS(f, CALL0(f, commit));
	want_issued(f, 4, "third", "second");
	want_issued(f, 5, "other", "first");
	want_issued(f, 6, "ghost", "undone");
	want_issued(f, 7, "other", "second");
}

/* More texts than any store remembers, each still its own. */
static void many_profiles_stay_apart(void **state)
{
	struct store_fixture *f = *state;
	char profile[16];

	WORKS(f, CALL0(f, begin));
	for (uint32_t n = 0; n < 60; n++) {
		snprintf(profile, sizeof(profile), "p%u", (unsigned)(n % 30));
		add_with_profile(f, n, "", profile);
	}
	WORKS(f, CALL0(f, commit));
	for (uint32_t n = 0; n < 60; n++) {
		snprintf(profile, sizeof(profile), "p%u", (unsigned)(n % 30));
		want_issued(f, n, "", profile);
	}
}

/* An enrolee that was looked up, removed and added again is a new one. */
static void a_found_enrolee_may_go_and_return(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};
	struct seen seen = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	FAILS(f, STORE_NO_ENROLEE, CALL(f, credential_add, "a", &cred));
	add_enrolee(f, "b", "urn:b");
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, credential_add, "a", &cred));
	WORKS(f, CALL(f, enrolee_find, "b", &f->arena, &out));
	add_issued(f, 1, "a");
	WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
	add_issued(f, 2, "a");
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, credential_match, cred.kind, cred.value, see_credential, &seen));
	assert_string_equal(seen.text, "a/2/S/0");
	want_issued(f, 1, "a", "device");
	want_issued(f, 2, "a", "device");
}

static void a_state_changes_after_it_was_read(void **state)
{
	struct store_fixture *f = *state;
	struct enrolee out = {0};
	struct store_counts counts = {0};

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	for (int i = 0; i < 3; i++) {
		WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
		WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_DISABLED, 1));
		WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_DISABLED, 1));
		WORKS(f, CALL(f, counts, &counts));
		assert_int_equal(counts.enrolees_disabled, 1);
		WORKS(f, CALL(f, enrolee_find, "a", &f->arena, &out));
		assert_int_equal(out.state, ENROLEE_DISABLED);
		WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_ENABLED, 1));
	}
	WORKS(f, CALL0(f, commit));
}

/* Group commit: failed requests in the middle leave no trace, the others stand. */
static void one_transaction_holds_a_batch_of_a_thousand(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct store_counts counts = {0};
	struct issued out = {0};
	char id[16];

	WORKS(f, CALL0(f, begin));
	for (uint32_t n = 0; n < 1000; n++) {
		snprintf(id, sizeof(id), "d%u", (unsigned)n);
		WORKS(f, CALL0(f, mark));
		add_enrolee(f, id, id);
		add_issued(f, n, id);
		struct audit_row audit = sample_audit(n + 1 - n / 10, "{}");
		WORKS(f, CALL(f, audit_add, &audit));
		if (n % 10 == 9)
			f->store->ops->undo(f->store->self);
		else
			WORKS(f, CALL0(f, release));
	}
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, counts, &counts));
	assert_int_equal(counts.enrolees, 900);
	assert_int_equal(counts.issued, 900);
	assert_int_equal(counts.audit, 900);
	assert_true(known(f, "d998"));
	assert_false(known(f, "d999"));
	WORKS(f, CALL(f, issued_find, sample_issued(500, "", &room).serial, &f->arena, &out));
	assert_string_equal(out.enrolee_id, "d500");
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, sample_issued(509, "", &room).serial, &f->arena, &out));
}

static void a_store_may_be_freed_within_a_transaction(void **state)
{
	struct store_fixture *f = *state;

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL0(f, mark));
	write_all(f, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(writes_need_a_transaction),
	cmocka_unit_test(calls_out_of_order_are_refused),
	cmocka_unit_test(rollback_leaves_no_trace),
	cmocka_unit_test(undo_takes_back_only_what_follows_the_mark),
	cmocka_unit_test(rollback_takes_released_marks_too),
	cmocka_unit_test(a_transaction_reads_its_own_writes),
	cmocka_unit_test(the_audit_head_follows_undo_and_rollback),
	cmocka_unit_test(what_was_undone_is_not_remembered),
	cmocka_unit_test(many_profiles_stay_apart),
	cmocka_unit_test(a_found_enrolee_may_go_and_return),
	cmocka_unit_test(a_state_changes_after_it_was_read),
	cmocka_unit_test(one_transaction_holds_a_batch_of_a_thousand),
	cmocka_unit_test(a_store_may_be_freed_within_a_transaction),
};

const struct store_tests store_transaction_suite = {"transactions", tests, sizeof(tests) / sizeof(tests[0])};
