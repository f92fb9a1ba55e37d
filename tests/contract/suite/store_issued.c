#include "contract/suite/store.h"

static void gives_back_what_was_issued(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, issued_find, in.serial, &f->arena, &out));
	assert_true(span_equal(out.serial, in.serial));
	assert_string_equal(out.enrolee_id, "meter");
	assert_string_equal(out.profile, "device");
	assert_string_equal(out.est_label, "onem2m");
	assert_int_equal(out.issued_s, 5007);
	assert_int_equal(out.not_before_s, 4000);
	assert_int_equal(out.not_after_s, 9000);
	assert_true(span_equal(out.der, in.der));
	assert_memory_equal(out.spki_sha256, in.spki_sha256, 32);
	assert_memory_equal(out.csr_sha256, in.csr_sha256, 32);
	assert_true(span_equal(out.nonce, in.nonce));
	assert_int_equal(out.state, ISSUED_VALID);
	assert_int_equal(out.revoked_s, 0);
	assert_int_equal(out.reason, 0);
}

static void finds_by_nonce(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	add_issued(f, 6, "other");
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL(f, issued_by_nonce, in.nonce, &f->arena, &out));
	assert_true(span_equal(out.serial, in.serial));
	room.nonce[0] ^= 1;
	FAILS(f, STORE_NO_CERT, CALL(f, issued_by_nonce, in.nonce, &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_by_nonce, (struct span){0}, &f->arena, &out));
}

static void finds_no_serial_that_was_not_issued(void **state)
{
	struct store_fixture *f = *state;
	uint8_t serial[21] = {0x40};
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	add_issued(f, 0, "meter");
	WORKS(f, CALL(f, issued_find, span_of(serial, 16), &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, span_of(serial, 15), &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, span_of(serial, 17), &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, span_of(serial, 21), &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, (struct span){0}, &f->arena, &out));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_revoke, span_of(serial, 15), 1, 1));
}

/* RFC 5280 4.1.2.2: serial numbers are unique for a CA. */
static void issues_no_serial_twice(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	uint8_t longer[17] = {0};
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, issued_add, &in));
	in.nonce = (struct span){0};
	FAILS(f, STORE_SERIAL_EXISTS, CALL(f, issued_add, &in));
	memcpy(longer + 1, room.serial, 16);
	in.serial = span_of(longer, 17); /* the same number, written longer */
	FAILS(f, STORE_SERIAL_EXISTS, CALL(f, issued_add, &in));
	WORKS(f, CALL(f, issued_find, in.serial, &f->arena, &out));
	assert_int_equal(out.serial.n, 16);
	WORKS(f, CALL(f, issued_revoke, in.serial, 1, 1));
}

static void one_challenge_yields_one_certificate(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL0(f, commit));
	room.serial[0] = 0x41;
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_NONCE_EXISTS, CALL(f, issued_add, &in));
	FAILS(f, STORE_NO_CERT, CALL(f, issued_find, in.serial, &f->arena, &out));
	in.nonce = (struct span){0};
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL0(f, commit));
}

static void many_certificates_may_have_no_nonce(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued out = {0};

	WORKS(f, CALL0(f, begin));
	for (uint32_t n = 0; n < 5; n++) {
		struct issued in = sample_issued(n, "", &room);
		in.nonce = (struct span){0};
		WORKS(f, CALL(f, issued_add, &in));
	}
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, issued_find, span_of(room.serial, 16), &f->arena, &out));
	assert_int_equal(out.nonce.n, 0);
	assert_string_equal(out.enrolee_id, "");
}

static void refuses_a_certificate_past_its_limits(void **state)
{
	struct store_fixture *f = *state;
	static uint8_t big[STORE_DER_MAX + 1];
	uint8_t serial[STORE_SERIAL_MAX + 1] = {1};
	char text[STORE_LABEL_MAX + 2];
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued bad = in;

	memset(text, 'x', sizeof(text));
	WORKS(f, CALL0(f, begin));
	bad.serial = span_of(serial, STORE_SERIAL_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, issued_add, &bad));
	bad.serial = span_of(serial + 1, 3); /* zero */
	FAILS(f, STORE_VALUE, CALL(f, issued_add, &bad));
	bad.serial = (struct span){0};
	FAILS(f, STORE_VALUE, CALL(f, issued_add, &bad));
	bad = in;
	bad.nonce.n = STORE_NONCE_SIZE - 1;
	FAILS(f, STORE_VALUE, CALL(f, issued_add, &bad));
	bad.nonce = span_of(big, STORE_NONCE_SIZE + 1);
	FAILS(f, STORE_SIZE, CALL(f, issued_add, &bad));
	bad = in;
	bad.der = (struct span){0};
	FAILS(f, STORE_VALUE, CALL(f, issued_add, &bad));
	bad.der = span_of(big, STORE_DER_MAX + 1);
	FAILS(f, STORE_SIZE, CALL(f, issued_add, &bad));
	bad = in;
	bad.state = ISSUED_REVOKED;
	FAILS(f, STORE_VALUE, CALL(f, issued_add, &bad));
	bad = in;
	text[STORE_LABEL_MAX + 1] = '\0';
	bad.est_label = text;
	FAILS(f, STORE_SIZE, CALL(f, issued_add, &bad));
	bad = in;
	text[STORE_PROFILE_MAX + 1] = '\0';
	bad.profile = text;
	FAILS(f, STORE_SIZE, CALL(f, issued_add, &bad));
	in.serial = span_of(serial, STORE_SERIAL_MAX);
	in.der = span_of(big, STORE_DER_MAX);
	WORKS(f, CALL(f, issued_add, &in));
}

static void revocation_is_kept_with_time_and_reason(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued out = {0};
	uint64_t before = 9;
	uint64_t after = 9;

	WORKS(f, CALL(f, revocation_revision, &before));
	assert_int_equal(before, 0);
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL(f, issued_revoke, in.serial, 4, 6000));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, issued_find, in.serial, &f->arena, &out));
	assert_int_equal(out.state, ISSUED_REVOKED);
	assert_int_equal(out.revoked_s, 6000);
	assert_int_equal(out.reason, 4);
	assert_true(span_equal(out.der, in.der));
	assert_true(span_equal(out.nonce, in.nonce));
	WORKS(f, CALL(f, revocation_revision, &after));
	assert_int_equal(after, 1);
}

static void revokes_once(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct issued in = sample_issued(7, "meter", &room);
	struct issued out = {0};
	uint64_t revision = 0;

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, issued_add, &in));
	WORKS(f, CALL(f, issued_revoke, in.serial, 4, 6000));
	FAILS(f, STORE_REVOKED, CALL(f, issued_revoke, in.serial, 1, 7000));
	WORKS(f, CALL(f, issued_find, in.serial, &f->arena, &out));
	assert_int_equal(out.revoked_s, 6000);
	WORKS(f, CALL(f, revocation_revision, &revision));
	assert_int_equal(revision, 1);
}

static void list(struct store_fixture *f, struct issued_filter filter, const char *want)
{
	struct seen seen = {0};

	WORKS(f, CALL(f, issued_list, &filter, see_issued, &seen));
	assert_string_equal(seen.text, want);
}

static void add_six(struct store_fixture *f)
{
	static const char *const owners[] = {"b", "a", "a", "", "b", "a"};
	static const uint8_t order[] = {4, 1, 5, 2, 0, 3};
	struct sample_room room;

	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	for (size_t i = 0; i < 6; i++) {
		struct issued in = sample_issued(order[i], owners[order[i]], &room);
		in.not_after_s = 9000 + 10 * order[i];
		WORKS(f, CALL(f, issued_add, &in));
		if (order[i] == 2 || order[i] == 4)
			WORKS(f, CALL(f, issued_revoke, in.serial, 1, 100));
	}
	WORKS(f, CALL0(f, commit));
}

static void lists_pages_in_serial_order(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;

	add_six(f);
	list(f, (struct issued_filter){.limit = 10}, "0 1 2 3 4 5");
	list(f, (struct issued_filter){.limit = 4}, "0 1 2 3");
	struct span after = sample_issued(3, "", &room).serial;
	list(f, (struct issued_filter){.limit = 4, .after = after}, "4 5");
	list(f, (struct issued_filter){.limit = 1, .after = after}, "4");
	list(f, (struct issued_filter){.limit = 4, .after = sample_issued(5, "", &room).serial}, "");
}

static void lists_by_enrolee_state_and_expiry(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct span first = sample_issued(1, "", &room).serial;

	add_six(f);
	list(f, (struct issued_filter){.limit = 9, .enrolee_id = "a"}, "1 2 5");
	list(f, (struct issued_filter){.limit = 2, .enrolee_id = "a"}, "1 2");
	list(f, (struct issued_filter){.limit = 2, .enrolee_id = "a", .after = first}, "2 5");
	list(f, (struct issued_filter){.limit = 9, .enrolee_id = "b"}, "0 4");
	list(f, (struct issued_filter){.limit = 9, .enrolee_id = "c"}, "");
	list(f, (struct issued_filter){.limit = 9, .state = ISSUED_REVOKED}, "2 4");
	list(f, (struct issued_filter){.limit = 9, .state = ISSUED_VALID, .enrolee_id = "a"}, "1 5");
	list(f, (struct issued_filter){.limit = 9, .expires_before_s = 9020}, "0 1");
	list(f, (struct issued_filter){.limit = 9, .expires_before_s = 9021}, "0 1 2");
}

static void refuses_pages_of_none_and_of_too_many(void **state)
{
	struct store_fixture *f = *state;
	struct seen seen = {0};
	struct issued_filter filter = {.limit = 0};

	FAILS(f, STORE_PAGE, CALL(f, issued_list, &filter, see_issued, &seen));
	filter.limit = STORE_PAGE_MAX + 1;
	FAILS(f, STORE_PAGE, CALL(f, issued_list, &filter, see_issued, &seen));
	filter.limit = STORE_PAGE_MAX;
	WORKS(f, CALL(f, issued_list, &filter, see_issued, &seen));
}

static enum err check_bare(void *arg, const struct issued *i, struct why *why)
{
	assert_int_equal(i->der.n, 0);
	assert_string_equal(i->enrolee_id, "");
	assert_string_equal(i->profile, "");
	assert_int_equal(i->state, ISSUED_REVOKED);
	assert_int_equal(i->revoked_s, 100);
	assert_int_equal(i->reason, 1);
	return see_issued(arg, i, why);
}

static void lists_what_a_crl_names(void **state)
{
	struct store_fixture *f = *state;
	struct seen all = {0};
	struct seen edge = {0};
	struct seen later = {0};

	add_six(f);
	WORKS(f, CALL(f, revoked_list, 0, check_bare, &all));
	assert_string_equal(all.text, "2 4");
	WORKS(f, CALL(f, revoked_list, 9020, check_bare, &edge));
	assert_string_equal(edge.text, "2 4");
	WORKS(f, CALL(f, revoked_list, 9021, check_bare, &later));
	assert_string_equal(later.text, "4");
}

static enum err refuse(void *arg, const struct issued *i, struct why *why)
{
	return WHY(why, STORE_VALUE, "", "enough");
}

static void a_failing_callback_ends_the_lists(void **state)
{
	struct store_fixture *f = *state;

	add_six(f);
	FAILS(f, STORE_VALUE, CALL(f, issued_list, (&(struct issued_filter){.limit = 9}), refuse, NULL));
	FAILS(f, STORE_VALUE, CALL(f, revoked_list, 0, refuse, NULL));
	list(f, (struct issued_filter){.limit = 1}, "0");
}

static void results_belong_to_the_callers_arena(void **state)
{
	struct store_fixture *f = *state;
	struct arena small OWNED_ARENA = ARENA(256);
	struct sample_room room;
	struct span serial = sample_issued(1, "", &room).serial;
	struct issued out = {0};
	struct issued other = {0};

	add_six(f);
	FAILS(f, NOMEM, CALL(f, issued_find, serial, &small, &out));
	assert_int_equal(out.der.n, 0);
	WORKS(f, CALL(f, issued_find, serial, &f->arena, &out));
	WORKS(f, CALL(f, issued_find, sample_issued(2, "", &room).serial, &f->arena, &other));
	assert_int_equal(out.serial.p[15], 1);
	assert_int_equal(out.der.p[0], 1);
	assert_int_equal(other.der.p[599], 2);
	assert_string_equal(out.enrolee_id, "a");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(gives_back_what_was_issued),
	cmocka_unit_test(finds_by_nonce),
	cmocka_unit_test(finds_no_serial_that_was_not_issued),
	cmocka_unit_test(issues_no_serial_twice),
	cmocka_unit_test(one_challenge_yields_one_certificate),
	cmocka_unit_test(many_certificates_may_have_no_nonce),
	cmocka_unit_test(refuses_a_certificate_past_its_limits),
	cmocka_unit_test(revocation_is_kept_with_time_and_reason),
	cmocka_unit_test(revokes_once),
	cmocka_unit_test(lists_pages_in_serial_order),
	cmocka_unit_test(lists_by_enrolee_state_and_expiry),
	cmocka_unit_test(refuses_pages_of_none_and_of_too_many),
	cmocka_unit_test(lists_what_a_crl_names),
	cmocka_unit_test(a_failing_callback_ends_the_lists),
	cmocka_unit_test(results_belong_to_the_callers_arena),
};

const struct store_tests store_issued_suite = {"certificates", tests, sizeof(tests) / sizeof(tests[0])};
