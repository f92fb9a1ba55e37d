#include "core/registry/audit.h"

#include "adapt/store/memory.h"
#include "base/hex.h"
#include "pki/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW = 1700000000 };

/* What an intruder with write access did to one row, shown by the store when it lists rows. */
static struct {
	const struct store_ops *real;
	uint64_t seq; /* 0: nothing */
	enum { TAMPER_EVENT, TAMPER_TIME, TAMPER_PREV, TAMPER_HASH, TAMPER_DROP, TAMPER_REHASH, TAMPER_TWICE } how;
	size_t at; /* octet */
	audit_each each;
	void *arg;
} tamper;

static enum err tampered_row(void *arg, const struct audit_row *row, struct why *why)
{
	static char event[STORE_EVENT_MAX];
	struct audit_row r = *row;

	(void)arg;
	if (row->seq != tamper.seq)
		return tamper.each(tamper.arg, &r, why);
	snprintf(event, sizeof(event), "%s", row->event);
	r.event = event;
	switch (tamper.how) {
	case TAMPER_EVENT:
		event[tamper.at] ^= 1;
		break;
	case TAMPER_TIME:
		r.time_s ^= 1LL << tamper.at;
		break;
	case TAMPER_PREV:
		r.prev[tamper.at] ^= 1;
		break;
	case TAMPER_HASH:
		r.hash[tamper.at] ^= 1;
		break;
	case TAMPER_DROP:
		return OK;
	case TAMPER_REHASH: { /* a clever one makes the row's own hash good again */
		event[2] ^= 1;
		uint8_t numbers[16] = {[7] = (uint8_t)r.seq};
		for (int i = 0; i < 8; i++)
			numbers[8 + i] = (uint8_t)((uint64_t)r.time_s >> (56 - 8 * i));
		const struct span parts[] = {span_of(r.prev, 32), span_of(numbers, 16), span_text(event)};
		digest_sha256_parts(parts, 3, r.hash);
		break;
	}
	case TAMPER_TWICE: {
		enum err err = tamper.each(tamper.arg, &r, why);
		if (err != OK)
			return err;
		break;
	}
	}
	return tamper.each(tamper.arg, &r, why);
}

static enum err tampered_list(void *self, uint64_t from, size_t limit, audit_each each, void *arg, struct why *why)
{
	tamper.each = each;
	tamper.arg = arg;
	return tamper.real->audit_list(self, from, limit, tampered_row, NULL, why);
}

struct fixture {
	struct store *real;
	struct store_ops ops;
	struct store store;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->real = store_memory_new();
	tamper.real = f->real->ops;
	tamper.seq = 0;
	f->ops = *f->real->ops;
	f->ops.audit_list = tampered_list;
	f->store = (struct store){.self = f->real->self, .ops = &f->ops};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->real->ops->free(f->real->self);
	free(f);
	return 0;
}

static void write_one(struct fixture *f, const struct audit_event *e, int64_t now_s)
{
	struct why why = {0};

	assert_int_equal(f->ops.begin(f->store.self, &why), OK);
	assert_int_equal(audit_write(&f->store, e, now_s, &why), OK);
	assert_int_equal(f->ops.commit(f->store.self, &why), OK);
}

static void write_many(struct fixture *f, int n)
{
	char detail[32];
	struct why why = {0};
	struct audit_event e = {.what = "test.event", .enrolee_id = "gw7", .actor = "mef", .detail = detail};

	assert_int_equal(f->ops.begin(f->store.self, &why), OK);
	for (int i = 1; i <= n; i++) {
		snprintf(detail, sizeof(detail), "number %d", i);
		assert_int_equal(audit_write(&f->store, &e, NOW + i, &why), OK);
	}
	assert_int_equal(f->ops.commit(f->store.self, &why), OK);
}

static enum err copy_event(void *arg, const struct audit_row *row, struct why *why)
{
	snprintf(arg, STORE_EVENT_MAX, "%s", row->event);
	return OK;
}

static const char *last_event(struct fixture *f)
{
	static char event[STORE_EVENT_MAX];
	struct why why = {0};
	uint8_t hash[32];
	uint64_t seq = 0;

	assert_int_equal(f->ops.audit_head(f->store.self, &seq, hash, &why), OK);
	assert_int_equal(f->ops.audit_list(f->store.self, seq, 1, copy_event, event, &why), OK);
	return event;
}

static void events_are_json_with_keys_in_fixed_order(void **state)
{
	struct fixture *f = *state;
	const struct audit_event full = {.what = "enrol.refused", .enrolee_id = "gw7", .peer = "192.0.2.7", .actor = "mef",
		.serial = "0A0B", .detail = "subject: have 'a\"b'\n", .code = 1521};
	const struct audit_event bare = {.what = "x", .enrolee_id = "", .actor = "operator"};

	write_one(f, &full, NOW);
	assert_string_equal(last_event(f),
		"{\"what\":\"enrol.refused\",\"enrolee\":\"gw7\",\"peer\":\"192.0.2.7\",\"actor\":\"mef\","
		"\"serial\":\"0A0B\",\"code\":1521,\"detail\":\"subject: have 'a\\\"b'\\u000a\"}");
	write_one(f, &bare, NOW);
	assert_string_equal(last_event(f), "{\"what\":\"x\",\"actor\":\"operator\"}");
}

static void long_texts_are_cut_at_a_character(void **state)
{
	struct fixture *f = *state;
	char detail[AUDIT_DETAIL_MAX + 8];
	struct audit_event e = {.what = "x", .detail = detail};

	memset(detail, 'd', sizeof(detail));
	detail[AUDIT_DETAIL_MAX] = '\0';
	write_one(f, &e, NOW);
	assert_null(strstr(last_event(f), "..."));
	assert_int_equal(strlen(last_event(f)), strlen("{\"what\":\"x\",\"detail\":\"\"}") + AUDIT_DETAIL_MAX);
	memcpy(detail + AUDIT_DETAIL_MAX - 1, "\xc3\xbcxx", 5); /* the limit lies within a character */
	write_one(f, &e, NOW);
	assert_non_null(strstr(last_event(f), "d...\"}"));
	assert_null(strstr(last_event(f), "\\ufffd"));
}

static void the_worst_texts_still_fit(void **state)
{
	struct fixture *f = *state;
	char bad[1024];
	const struct audit_event e = {.what = bad, .enrolee_id = bad, .peer = bad, .actor = bad, .serial = bad, .detail = bad,
		.code = 1999};

	memset(bad, 1, sizeof(bad) - 1);
	bad[sizeof(bad) - 1] = '\0';
	write_one(f, &e, NOW);
	assert_true(strlen(last_event(f)) > 3000);
}

static void hashes_chain_previous_number_time_and_event(void **state)
{
	struct fixture *f = *state;
	const char *event = "{\"what\":\"a\"}";
	const struct audit_event e = {.what = "a"};
	struct why why = {0};
	uint8_t want[32], have[32];
	uint64_t seq = 0;
	uint8_t in[48] = {[39] = 1, [47] = 0x05, [46] = 0x01}; /* zero hash, seq 1, time 0x105 */
	const struct span parts[] = {span_of(in, sizeof(in)), span_text(event)};

	write_one(f, &e, 0x105);
	digest_sha256_parts(parts, 2, want);
	assert_int_equal(f->ops.audit_head(f->store.self, &seq, have, &why), OK);
	assert_int_equal(seq, 1);
	assert_memory_equal(have, want, 32);
}

static struct audit_report verify(struct fixture *f, struct why *why)
{
	struct audit_report report;

	*why = (struct why){0};
	assert_int_equal(audit_verify(&f->store, &report, why), OK);
	return report;
}

static void an_empty_log_is_good(void **state)
{
	struct why why;
	struct audit_report r = verify(*state, &why);
	const uint8_t zero[32] = {0};

	assert_int_equal(r.rows, 0);
	assert_int_equal(r.bad_seq, 0);
	assert_memory_equal(r.head, zero, 32);
}

static void a_long_log_is_good_and_its_head_is_told(void **state)
{
	struct fixture *f = *state;
	struct why why;
	uint8_t head[32];
	uint64_t seq = 0;

	write_many(f, 1203); /* more than two pages */
	struct audit_report r = verify(f, &why);
	assert_int_equal(r.bad_seq, 0);
	assert_int_equal(why.kind, OK);
	assert_int_equal(r.rows, 1203);
	assert_int_equal(f->ops.audit_head(f->store.self, &seq, head, &why), OK);
	assert_memory_equal(r.head, head, 32);
}

static void found(struct fixture *f, uint64_t seq, const char *how)
{
	struct why why;
	struct audit_report r = verify(f, &why);

	assert_int_equal(r.bad_seq, seq);
	assert_int_equal(why.code, CODE_AUDIT_CHAIN);
	assert_non_null(strstr(why.text, how));
}

static void every_flipped_octet_is_found(void **state)
{
	struct fixture *f = *state;

	write_many(f, 5);
	size_t length = strlen(last_event(f));
	tamper.seq = 3;
	tamper.how = TAMPER_EVENT;
	for (tamper.at = 0; tamper.at < length; tamper.at++)
		found(f, 3, "changed");
	tamper.how = TAMPER_TIME;
	for (tamper.at = 0; tamper.at < 63; tamper.at++)
		found(f, 3, "changed");
	tamper.how = TAMPER_HASH;
	for (tamper.at = 0; tamper.at < 32; tamper.at++)
		found(f, 3, "changed");
	tamper.how = TAMPER_PREV;
	for (tamper.at = 0; tamper.at < 32; tamper.at++)
		found(f, 3, "does not follow");
}

static void the_first_and_the_last_row_are_covered(void **state)
{
	struct fixture *f = *state;

	write_many(f, 5);
	tamper.how = TAMPER_EVENT;
	tamper.at = 3;
	tamper.seq = 1;
	found(f, 1, "changed");
	tamper.seq = 5;
	found(f, 5, "changed");
}

static void a_missing_a_doubled_and_a_rehashed_row_are_found(void **state)
{
	struct fixture *f = *state;

	write_many(f, 600); /* also across a page */
	tamper.how = TAMPER_DROP;
	tamper.seq = 4;
	found(f, 4, "missing");
	tamper.seq = 1;
	found(f, 1, "missing");
	tamper.seq = 500;
	found(f, 500, "head");
	tamper.seq = 600;
	found(f, 600, "head");
	tamper.how = TAMPER_REHASH;
	tamper.seq = 4;
	found(f, 5, "does not follow");
	tamper.how = TAMPER_TWICE;
	found(f, 5, "stands twice");
}

static void the_rows_before_a_bad_one_are_counted(void **state)
{
	struct fixture *f = *state;
	struct why why;

	write_many(f, 20);
	tamper.how = TAMPER_EVENT;
	tamper.seq = 11;
	struct audit_report r = verify(f, &why);
	assert_int_equal(r.rows, 10);
	assert_int_equal(r.bad_seq, 11);
}

static struct fixture *growing;

/* Whoever serves goes on writing while an operator verifies. */
static enum err grown_list(void *self, uint64_t from, size_t limit, audit_each each, void *arg, struct why *why)
{
	const struct audit_event e = {.what = "test.meanwhile"};
	enum err err = tampered_list(self, from, limit, each, arg, why);

	growing->ops.audit_list = tampered_list;
	write_one(growing, &e, NOW);
	return err;
}

static void rows_that_come_meanwhile_are_no_fault(void **state)
{
	struct fixture *f = *state;
	struct why why;

	write_many(f, 5);
	growing = f;
	f->ops.audit_list = grown_list;
	struct audit_report r = verify(f, &why);
	assert_int_equal(r.bad_seq, 0);
	assert_int_equal(r.rows, 5);
}

static void writing_outside_a_transaction_fails(void **state)
{
	struct fixture *f = *state;
	const struct audit_event e = {.what = "a"};
	struct why why = {0};

	assert_int_not_equal(audit_write(&f->store, &e, NOW, &why), OK);
}

/* The code comes from the reason, and so does the text where the event has none. */
static void a_failure_is_told_with_code_reason_and_clause(void **state)
{
	struct fixture *f = *state;
	struct batch *b = batch_new(&f->store);
	struct audit_event e = {.what = "test.refused", .enrolee_id = "gw7"};
	struct why cause = {0}, why = {0};

	assert_int_equal(WHY(&cause, TEXT_DATE, "RFC 5280 4.1.2.5", "want a date"), ERR_SYNTAX);
	assert_int_equal(audit_failure(&f->store, b, e, &cause, NOW, &why), OK);
	batch_flush(b);
	assert_non_null(strstr(last_event(f), "\"code\":1011,\"detail\":\"want a date (RFC 5280 4.1.2.5)\""));
	e.detail = "more than the peer hears";
	cause.clause[0] = '\0';
	assert_int_equal(audit_failure(&f->store, b, e, &cause, NOW, &why), OK);
	batch_flush(b);
	assert_non_null(strstr(last_event(f), "\"code\":1011,\"detail\":\"more than the peer hears\""));
	batch_free(b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(events_are_json_with_keys_in_fixed_order),
		TEST(long_texts_are_cut_at_a_character),
		TEST(the_worst_texts_still_fit),
		TEST(hashes_chain_previous_number_time_and_event),
		TEST(an_empty_log_is_good),
		TEST(a_long_log_is_good_and_its_head_is_told),
		TEST(every_flipped_octet_is_found),
		TEST(the_first_and_the_last_row_are_covered),
		TEST(a_missing_a_doubled_and_a_rehashed_row_are_found),
		TEST(the_rows_before_a_bad_one_are_counted),
		TEST(rows_that_come_meanwhile_are_no_fault),
		TEST(writing_outside_a_transaction_fails),
		TEST(a_failure_is_told_with_code_reason_and_clause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
