#include "contract/suite/store.h"

static uint8_t csr_octets[STORE_CSR_MAX + 1];
static const uint8_t nonce[STORE_NONCE_SIZE] = {7};

static struct request sample(const char *id, const char *enrolee_id, uint8_t csr)
{
	struct request r = {.id = id, .enrolee_id = enrolee_id, .est_label = "onem2m", .kind = REQUEST_ENROL,
		.csr = span_of(csr_octets, 300), .nonce = span_of(nonce, sizeof(nonce)), .state = REQUEST_WAITING,
		.created_s = 1000, .expires_s = 5000, .decided_by = "", .reason = ""};

	memset(r.csr_sha256, csr, sizeof(r.csr_sha256));
	return r;
}

static void add(struct store_fixture *f, const char *id, const char *enrolee_id, uint8_t csr)
{
	struct request r = sample(id, enrolee_id, csr);

	WORKS(f, CALL(f, request_add, &r));
}

static struct request_decision decision(enum request_state state)
{
	return (struct request_decision){.state = state, .by = "pat", .reason = "seen it", .now_s = 2000, .expires_s = 6000};
}

static void begin(struct store_fixture *f)
{
	WORKS(f, CALL0(f, begin));
}

static void finds_what_was_added(void **state)
{
	struct store_fixture *f = *state;
	struct request names = sample("", "a", 1);
	struct request r = {0};

	begin(f);
	add(f, "REQ1", "a", 1);
	WORKS(f, CALL0(f, commit));
	WORKS(f, CALL(f, request_find, "REQ1", &f->arena, &r));
	assert_string_equal(r.enrolee_id, "a");
	assert_string_equal(r.est_label, "onem2m");
	assert_int_equal(r.kind, REQUEST_ENROL);
	assert_int_equal(r.state, REQUEST_WAITING);
	assert_int_equal(r.csr.n, 300);
	assert_true(span_equal(r.nonce, span_of(nonce, sizeof(nonce))));
	assert_int_equal(r.created_s, 1000);
	assert_int_equal(r.expires_s, 5000);
	assert_int_equal(r.decided_s, 0);
	assert_int_equal(r.serial.n, 0);
	WORKS(f, CALL(f, request_find_csr, &names, &f->arena, &r));
	assert_string_equal(r.id, "REQ1");
	FAILS(f, STORE_NO_REQUEST, CALL(f, request_find, "REQ2", &f->arena, &r));
	FAILS(f, STORE_NO_REQUEST, CALL(f, request_find, "", &f->arena, &r));
}

static void is_known_by_enrolee_label_kind_and_csr(void **state)
{
	struct store_fixture *f = *state;
	struct request r = {0};

	begin(f);
	add(f, "REQ1", "a", 1);
	struct request other[4] = {sample("", "b", 1), sample("", "a", 2), sample("", "a", 1), sample("", "a", 1)};
	other[2].est_label = "";
	other[3].kind = REQUEST_REENROL;
	for (size_t i = 0; i < 4; i++)
		FAILS(f, STORE_NO_REQUEST, CALL(f, request_find_csr, &other[i], &f->arena, &r));
	struct request again = sample("REQ2", "a", 1);
	FAILS(f, STORE_REQUEST_EXISTS, CALL(f, request_add, &again));
	again = sample("REQ1", "a", 2);
	FAILS(f, STORE_REQUEST_EXISTS, CALL(f, request_add, &again));
	other[3].id = "REQ2";
	WORKS(f, CALL(f, request_add, &other[3]));
}

static void an_enrolee_has_so_many_waiting(void **state)
{
	struct store_fixture *f = *state;
	const struct request_decision no = decision(REQUEST_DENIED);
	char id[8];

	begin(f);
	for (int i = 0; i < STORE_REQUESTS_PER_ENROLEE; i++) {
		snprintf(id, sizeof(id), "A%d", i);
		add(f, id, "a", (uint8_t)i);
	}
	struct request more = sample("A9", "a", 99);
	FAILS(f, STORE_REQUESTS_MANY, CALL(f, request_add, &more));
	add(f, "B0", "b", 0); /* another's count for themselves */
	more.created_s = 5000; /* then the others are over */
	more.expires_s = 9000;
	WORKS(f, CALL(f, request_add, &more));
	WORKS(f, CALL(f, request_remove, "A9"));
	WORKS(f, CALL(f, request_decide, "A0", &no)); /* and a decided one waits no more */
	more = sample("A9", "a", 99);
	WORKS(f, CALL(f, request_add, &more));
}

static void so_many_wait_in_all(void **state)
{
	struct store_fixture *f = *state;
	char id[16], who[16];

	begin(f);
	for (int i = 0; i < STORE_REQUESTS_MAX; i++) {
		snprintf(id, sizeof(id), "R%d", i);
		snprintf(who, sizeof(who), "e%d", i);
		struct request r = sample(id, who, 1);
		r.csr.n = 1;
		if (CALL(f, request_add, &r) != OK)
			fail_msg("%d: %s", i, f->why.text);
	}
	struct request more = sample("MORE", "x", 1);
	FAILS(f, STORE_REQUESTS_MANY, CALL(f, request_add, &more));
	WORKS(f, CALL(f, request_remove, "R17"));
	WORKS(f, CALL(f, request_add, &more));
	f->store->ops->rollback(f->store->self);
}

static void one_decision_counts(void **state)
{
	struct store_fixture *f = *state;
	const struct request_decision yes = decision(REQUEST_APPROVED), no = decision(REQUEST_DENIED);
	struct request_decision late = yes;
	struct request r = {0};

	begin(f);
	add(f, "REQ1", "a", 1);
	add(f, "REQ2", "a", 2);
	WORKS(f, CALL(f, request_decide, "REQ1", &no));
	FAILS(f, STORE_REQUEST_DECIDED, CALL(f, request_decide, "REQ1", &yes));
	FAILS(f, STORE_REQUEST_DECIDED, CALL(f, request_done, "REQ1", span_text("s")));
	WORKS(f, CALL(f, request_find, "REQ1", &f->arena, &r));
	assert_int_equal(r.state, REQUEST_DENIED);
	assert_string_equal(r.decided_by, "pat");
	assert_string_equal(r.reason, "seen it");
	assert_int_equal(r.decided_s, 2000);
	assert_int_equal(r.expires_s, 6000);
	late.now_s = 5000; /* its time is over at that second */
	FAILS(f, STORE_REQUEST_OVER, CALL(f, request_decide, "REQ2", &late));
	late.now_s = 4999;
	WORKS(f, CALL(f, request_decide, "REQ2", &late));
	FAILS(f, STORE_NO_REQUEST, CALL(f, request_decide, "REQ3", &yes));
}

static void done_names_its_certificate_once(void **state)
{
	struct store_fixture *f = *state;
	const struct request_decision yes = decision(REQUEST_APPROVED);
	struct request r = {0};

	begin(f);
	add(f, "REQ1", "a", 1);
	WORKS(f, CALL(f, request_decide, "REQ1", &yes));
	WORKS(f, CALL(f, request_done, "REQ1", span_of("\0\x40s", 3)));
	FAILS(f, STORE_REQUEST_DECIDED, CALL(f, request_done, "REQ1", span_text("t")));
	FAILS(f, STORE_REQUEST_DECIDED, CALL(f, request_decide, "REQ1", &yes));
	FAILS(f, STORE_NO_REQUEST, CALL(f, request_done, "REQ2", span_text("t")));
	FAILS(f, STORE_VALUE, CALL(f, request_done, "REQ1", (struct span){0}));
	WORKS(f, CALL(f, request_find, "REQ1", &f->arena, &r));
	assert_int_equal(r.state, REQUEST_DONE);
	assert_true(span_is(r.serial, "@s")); /* one number, one form */
	add(f, "REQ3", "a", 3); /* a label that holds no more issues without a word */
	WORKS(f, CALL(f, request_done, "REQ3", span_text("u")));
}

static enum err see_request(void *arg, const struct request *r, struct why *why)
{
	seen_add(arg, r->id);
	return OK;
}

static void want_listed(struct store_fixture *f, struct request_filter filter, const char *want)
{
	struct seen seen = {.f = f};

	WORKS(f, CALL(f, request_list, &filter, see_request, &seen));
	assert_string_equal(seen.text, want);
}

static void want_due(struct store_fixture *f, int64_t now_s, size_t limit, const char *want)
{
	struct seen seen = {.f = f};

	WORKS(f, CALL(f, request_due, now_s, limit, see_request, &seen));
	assert_string_equal(seen.text, want);
}

static void lists_and_pages(void **state)
{
	struct store_fixture *f = *state;
	const struct request_decision no = decision(REQUEST_DENIED);
	struct store_counts counts = {0};
	struct request over = sample("C", "b", 3);

	over.expires_s = 4000;
	begin(f);
	add(f, "B", "a", 2);
	add(f, "A", "b", 1);
	WORKS(f, CALL(f, request_add, &over));
	WORKS(f, CALL(f, request_decide, "A", &no));
	want_listed(f, (struct request_filter){.limit = 9}, "A B C");
	want_listed(f, (struct request_filter){.after_id = "A", .limit = 1}, "B");
	want_listed(f, (struct request_filter){.enrolee_id = "b", .limit = 9}, "A C");
	want_listed(f, (struct request_filter){.state = REQUEST_WAITING, .limit = 9}, "B C");
	FAILS(f, STORE_PAGE, CALL(f, request_list, &(struct request_filter){.limit = STORE_PAGE_MAX + 1}, see_request, NULL));
	want_due(f, 3999, 9, "");
	want_due(f, 4000, 9, "C");
	want_due(f, 6000, 9, "C B A");
	want_due(f, 6000, 2, "C B");
	FAILS(f, STORE_PAGE, CALL(f, request_due, 1, 0, see_request, NULL));
	WORKS(f, CALL(f, counts, &counts));
	assert_int_equal(counts.waiting, 2);
	WORKS(f, CALL(f, request_remove, "B"));
	FAILS(f, STORE_NO_REQUEST, CALL(f, request_remove, "B"));
	want_listed(f, (struct request_filter){.limit = 9}, "A C");
}

static void goes_with_its_enrolee(void **state)
{
	struct store_fixture *f = *state;

	begin(f);
	add_enrolee(f, "a", "urn:a");
	add_enrolee(f, "b", "urn:b");
	add(f, "A", "a", 1);
	add(f, "B", "b", 1);
	WORKS(f, CALL(f, enrolee_remove, "a", (int64_t)100));
	want_listed(f, (struct request_filter){.limit = 9}, "B");
}

static void undone_as_a_whole(void **state)
{
	struct store_fixture *f = *state;
	const struct request_decision yes = decision(REQUEST_APPROVED);
	struct request r = {0};

	FAILS(f, STORE_USE, CALL(f, request_remove, "A"));
	begin(f);
	add(f, "A", "a", 1);
	WORKS(f, CALL0(f, mark));
	WORKS(f, CALL(f, request_decide, "A", &yes));
	add(f, "B", "b", 1);
	f->store->ops->undo(f->store->self);
	WORKS(f, CALL0(f, commit));
	want_listed(f, (struct request_filter){.limit = 9}, "A");
	WORKS(f, CALL(f, request_find, "A", &f->arena, &r));
	assert_int_equal(r.state, REQUEST_WAITING);
}

static void refuses_what_has_no_place(void **state)
{
	struct store_fixture *f = *state;
	struct request r = sample("A", "a", 1);
	struct request_decision d = decision(REQUEST_APPROVED);
	char longer[STORE_REASON_MAX + 2];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	begin(f);
	r.csr.n = STORE_CSR_MAX + 1;
	FAILS(f, STORE_SIZE, CALL(f, request_add, &r));
	r = sample("THIS-IS-TOO-LONG-", "a", 1);
	FAILS(f, STORE_SIZE, CALL(f, request_add, &r));
	r = sample("A", "", 1);
	FAILS(f, STORE_VALUE, CALL(f, request_add, &r));
	r = sample("A", "a", 1);
	r.nonce.n = 3;
	FAILS(f, STORE_VALUE, CALL(f, request_add, &r));
	r = sample("A", "a", 1);
	r.nonce = (struct span){0};
	r.csr.n = STORE_CSR_MAX;
	WORKS(f, CALL(f, request_add, &r));
	d.reason = longer;
	FAILS(f, STORE_SIZE, CALL(f, request_decide, "A", &d));
	d.reason = longer + 1;
	d.state = REQUEST_DONE;
	FAILS(f, STORE_VALUE, CALL(f, request_decide, "A", &d));
	d.state = REQUEST_DENIED;
	WORKS(f, CALL(f, request_decide, "A", &d));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(finds_what_was_added),
	cmocka_unit_test(is_known_by_enrolee_label_kind_and_csr),
	cmocka_unit_test(an_enrolee_has_so_many_waiting),
	cmocka_unit_test(so_many_wait_in_all),
	cmocka_unit_test(one_decision_counts),
	cmocka_unit_test(done_names_its_certificate_once),
	cmocka_unit_test(lists_and_pages),
	cmocka_unit_test(goes_with_its_enrolee),
	cmocka_unit_test(undone_as_a_whole),
	cmocka_unit_test(refuses_what_has_no_place),
};

const struct store_tests store_request_suite = {"requests", tests, sizeof(tests) / sizeof(tests[0])};
