#include "contract/suite/store.h"

#include <stdio.h>

static struct crl_row sample_crl(uint64_t number)
{
	return (struct crl_row){.ca = "issuing", .number = number, .this_update_s = 10, .next_update_s = 20, .revision = 3,
		.der = span_text(number == 1 ? "first" : "second, longer")};
}

static void keeps_the_newest_crl(void **state)
{
	struct store_fixture *f = *state;
	struct crl_row one = sample_crl(1);
	struct crl_row two = sample_crl(2);
	struct crl_row out = {0};

	FAILS(f, STORE_NO_CRL, CALL(f, crl_get, "issuing", &f->arena, &out));
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, crl_put, &one));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, crl_get, "issuing", &f->arena, &out));
	assert_int_equal(out.number, 1);
	assert_true(span_is(out.der, "first"));
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, crl_put, &two));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, crl_get, "issuing", &f->arena, &out));
	assert_int_equal(out.number, 2);
	assert_int_equal(out.this_update_s, 10);
	assert_int_equal(out.next_update_s, 20);
	assert_int_equal(out.revision, 3);
	assert_true(span_is(out.der, "second, longer"));
}

/* RFC 5280 5.2.3: CRL numbers only grow. */
static void refuses_a_crl_number_that_does_not_grow(void **state)
{
	struct store_fixture *f = *state;
	struct crl_row row = sample_crl(2);
	struct crl_row out = {0};

	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, crl_put, &row));
	FAILS(f, STORE_CRL_NUMBER, CALL(f, crl_put, &row));
	row = sample_crl(1);
	FAILS(f, STORE_CRL_NUMBER, CALL(f, crl_put, &row));
	row.number = (uint64_t)INT64_MAX + 1;
	FAILS(f, STORE_SIZE, CALL(f, crl_put, &row));
	row.number = INT64_MAX;
	WORKS(f, CALL(f, crl_put, &row));
	row.der = (struct span){0};
	FAILS(f, STORE_VALUE, CALL(f, crl_put, &row));
	WORKS(f, CALL(f, crl_get, "issuing", &f->arena, &out));
	assert_int_equal(out.number, INT64_MAX);
}

/* RFC 5280 5.2.3: numbers grow per CA */
static void each_ca_has_a_crl_of_its_own(void **state)
{
	struct store_fixture *f = *state;
	struct crl_row old = sample_crl(2);
	struct crl_row fresh = sample_crl(1);
	struct crl_row out = {0};

	snprintf(fresh.ca, sizeof(fresh.ca), "%s", "issuing-12345678");
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, crl_put, &old));
	WORKS(f, CALL(f, crl_put, &fresh));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, crl_get, "issuing", &f->arena, &out));
	assert_int_equal(out.number, 2);
	assert_string_equal(out.ca, "issuing");
	WORKS(f, CALL(f, crl_get, "issuing-12345678", &f->arena, &out));
	assert_int_equal(out.number, 1);
	assert_true(span_is(out.der, "first"));
	FAILS(f, STORE_NO_CRL, CALL(f, crl_get, "issuing-1", &f->arena, &out));
	memset(old.ca, 'x', sizeof(old.ca)); /* one past the end: no room for its NUL */
	old.number = 3;
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_SIZE, CALL(f, crl_put, &old));
	f->store->ops->rollback(f->store->self);
}

static void keeps_a_crl_of_megabytes(void **state)
{
	struct store_fixture *f = *state;
	static uint8_t der[3 << 20];
	struct arena arena OWNED_ARENA = ARENA(4 << 20);
	struct crl_row row = {.ca = "issuing", .number = 1, .der = span_of(der, sizeof(der))};
	struct crl_row out = {0};

	memset(der, 0x5c, sizeof(der));
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, crl_put, &row));
	WORKS(f, CALL0(f, commit));
	FAILS(f, NOMEM, CALL(f, crl_get, "issuing", &f->arena, &out));
	WORKS(f, CALL(f, crl_get, "issuing", &arena, &out));
	assert_true(span_equal(out.der, row.der));
}

static void secrets_are_replaced_by_name(void **state)
{
	struct store_fixture *f = *state;
	struct span out = {0};

	FAILS(f, STORE_NO_SECRET, CALL(f, secret_get, "challenge", &f->arena, &out));
	WORKS(f, CALL0(f, begin));
	WORKS(f, CALL(f, secret_put, "challenge", span_text("old and long")));
	WORKS(f, CALL(f, secret_put, "other", span_text("o")));
	WORKS(f, CALL(f, secret_put, "challenge", span_of("n\0w", 3)));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, secret_get, "challenge", &f->arena, &out));
	assert_true(span_equal(out, span_of("n\0w", 3)));
	FAILS(f, STORE_NO_SECRET, CALL(f, secret_get, "challeng", &f->arena, &out));
}

static void refuses_a_secret_past_its_limits(void **state)
{
	struct store_fixture *f = *state;
	static uint8_t big[STORE_SECRET_MAX + 1];
	char name[STORE_ID_MAX + 2];

	memset(name, 'n', sizeof(name));
	name[STORE_ID_MAX + 1] = '\0';
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_SIZE, CALL(f, secret_put, name, span_text("s")));
	FAILS(f, STORE_SIZE, CALL(f, secret_put, "n", span_of(big, STORE_SECRET_MAX + 1)));
	FAILS(f, STORE_VALUE, CALL(f, secret_put, "n", (struct span){0}));
	FAILS(f, STORE_VALUE, CALL(f, secret_put, "", span_text("s")));
	FAILS(f, STORE_VALUE, CALL(f, secret_put, "a/b", span_text("s")));
	name[STORE_ID_MAX] = '\0';
	WORKS(f, CALL(f, secret_put, name, span_of(big, STORE_SECRET_MAX)));
}

static void the_audit_log_grows_by_one_without_gaps(void **state)
{
	struct store_fixture *f = *state;
	uint8_t hash[32];
	uint64_t seq = 9;
	uint8_t zero[32] = {0};
	struct audit_row row = sample_audit(2, "{}");

	WORKS(f, CALL(f, audit_head, &seq, hash));
	assert_int_equal(seq, 0);
	assert_memory_equal(hash, zero, 32);
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &row));
	row.seq = 0;
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &row));
	row = sample_audit(1, "{}");
	WORKS(f, CALL(f, audit_add, &row));
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &row));
	row = sample_audit(3, "{}");
	FAILS(f, STORE_AUDIT_ORDER, CALL(f, audit_add, &row));
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, audit_head, &seq, hash));
	assert_int_equal(seq, 1);
	assert_memory_equal(hash, sample_audit(1, "").hash, 32);
}

static enum err check_audit(void *arg, const struct audit_row *row, struct why *why)
{
	struct audit_row want = sample_audit(row->seq, "");

	assert_int_equal(row->time_s, 7000);
	assert_memory_equal(row->prev, want.prev, 32);
	assert_memory_equal(row->hash, want.hash, 32);
	return see_audit(arg, row, why);
}

static void add_events(struct store_fixture *f, uint64_t n)
{
	char event[8];

	WORKS(f, CALL0(f, begin));
	for (uint64_t seq = 1; seq <= n; seq++) {
		snprintf(event, sizeof(event), "%d", (int)seq);
		struct audit_row row = sample_audit(seq, event);
		WORKS(f, CALL(f, audit_add, &row));
	}
	WORKS(f, CALL0(f, commit));
}

static void lists_the_audit_log_from_any_row(void **state)
{
	struct store_fixture *f = *state;
	struct seen all = {0};
	struct seen page = {0};
	struct seen none = {0};

	add_events(f, 12);
	WORKS(f, CALL(f, audit_list, 0, 1000, check_audit, &all));
	assert_string_equal(all.text, "1 2 3 4 5 6 7 8 9 10 11 12");
	WORKS(f, CALL(f, audit_list, 9, 2, check_audit, &page));
	assert_string_equal(page.text, "9 10");
	WORKS(f, CALL(f, audit_list, 13, 2, check_audit, &none));
	WORKS(f, CALL(f, audit_list, UINT64_MAX, 2, check_audit, &none));
	assert_int_equal(none.n, 0);
	FAILS(f, STORE_PAGE, CALL(f, audit_list, 1, 0, check_audit, &none));
	FAILS(f, STORE_PAGE, CALL(f, audit_list, 1, STORE_PAGE_MAX + 1, check_audit, &none));
}

static enum err refuse(void *arg, const struct audit_row *row, struct why *why)
{
	return WHY(why, STORE_VALUE, "", "enough");
}

static void a_failing_callback_ends_the_list(void **state)
{
	struct store_fixture *f = *state;

	add_events(f, 3);
	FAILS(f, STORE_VALUE, CALL(f, audit_list, 1, 9, refuse, NULL));
	struct seen again = {0};
	WORKS(f, CALL(f, audit_list, 1, 9, see_audit, &again));
	assert_int_equal(again.n, 3);
}

static void refuses_an_event_past_its_limits(void **state)
{
	struct store_fixture *f = *state;
	char event[STORE_EVENT_MAX + 2] = "";
	struct audit_row row = sample_audit(1, event);

	memset(event, 'e', sizeof(event));
	event[STORE_EVENT_MAX + 1] = '\0';
	WORKS(f, CALL0(f, begin));
	FAILS(f, STORE_SIZE, CALL(f, audit_add, &row));
	event[0] = '\0';
	FAILS(f, STORE_VALUE, CALL(f, audit_add, &row));
	event[0] = 'e';
	event[STORE_EVENT_MAX] = '\0';
	WORKS(f, CALL(f, audit_add, &row));
}

static void want_counts(struct store_fixture *f, struct store_counts want)
{
	struct store_counts have = {0};

	WORKS(f, CALL(f, counts, &have));
	assert_int_equal(have.enrolees, want.enrolees);
	assert_int_equal(have.enrolees_disabled, want.enrolees_disabled);
	assert_int_equal(have.issued, want.issued);
	assert_int_equal(have.revoked, want.revoked);
	assert_int_equal(have.audit, want.audit);
}

static void counts_follow_every_write(void **state)
{
	struct store_fixture *f = *state;
	struct sample_room room;
	struct enrolee off = sample_enrolee("off", "urn:off");

	off.state = ENROLEE_DISABLED;
	want_counts(f, (struct store_counts){0});
	add_events(f, 4);
	WORKS(f, CALL0(f, begin));
	add_enrolee(f, "a", "urn:a");
	WORKS(f, CALL(f, enrolee_add, &off));
	want_counts(f, (struct store_counts){.enrolees = 2, .enrolees_disabled = 1, .audit = 4});
	WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_DISABLED, 1));
	WORKS(f, CALL(f, enrolee_set_state, "a", ENROLEE_DISABLED, 2));
	want_counts(f, (struct store_counts){.enrolees = 2, .enrolees_disabled = 2, .audit = 4});
	WORKS(f, CALL(f, enrolee_set_state, "off", ENROLEE_ENABLED, 1));
	WORKS(f, CALL(f, enrolee_remove, "a", 1));
	add_issued(f, 1, "off");
	add_issued(f, 2, "off");
	WORKS(f, CALL(f, issued_revoke, sample_issued(1, "", &room).serial, 1, 1));
	WORKS(f, CALL0(f, commit));
	want_counts(f, (struct store_counts){.enrolees = 1, .issued = 2, .revoked = 1, .audit = 4});
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keeps_the_newest_crl),
	cmocka_unit_test(refuses_a_crl_number_that_does_not_grow),
	cmocka_unit_test(each_ca_has_a_crl_of_its_own),
	cmocka_unit_test(keeps_a_crl_of_megabytes),
	cmocka_unit_test(secrets_are_replaced_by_name),
	cmocka_unit_test(refuses_a_secret_past_its_limits),
	cmocka_unit_test(the_audit_log_grows_by_one_without_gaps),
	cmocka_unit_test(lists_the_audit_log_from_any_row),
	cmocka_unit_test(a_failing_callback_ends_the_list),
	cmocka_unit_test(refuses_an_event_past_its_limits),
	cmocka_unit_test(counts_follow_every_write),
};

const struct store_tests store_record_suite = {
	"CRL, secrets, audit log, counts", tests, sizeof(tests) / sizeof(tests[0])};
