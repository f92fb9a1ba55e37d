#include "core/status/crl.h"

#include "adapt/issuer/local.h"
#include "core/registry/audit.h"
#include "faulty_store.h"
#include "pki/build.h"
#include "pki/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { T0 = 1760000000, HOUR = 3600, DAY = 86400 };

struct bench {
	struct faulty_store *f;
	struct store *store;
	struct batch *batch;
	struct key *key;
	struct buf ca_der;
	struct profile_set profiles;
	struct ca ca;
	struct clock clock;
	struct issuer_local local;
	struct issuer issuer;
	bool hold;
	const struct crl_order *held[2];
	crl_done held_done[2];
	void *held_arg[2];
	size_t held_n;
	int64_t now_s;
	struct crl_rules rules;
};

struct told {
	unsigned int times;
	enum err err;
	enum code code;
	uint64_t number;
};

static void good(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s: %s", err_name(err), why->text);
}

static int64_t unix_s(void *self)
{
	return ((struct bench *)self)->now_s;
}

static void sign_crl(void *self, const struct crl_order *order, crl_done done, void *arg)
{
	struct bench *b = self;

	if (!b->hold) {
		b->local.issuer.sign_crl(b->local.issuer.self, order, done, arg);
		return;
	}
	b->held[b->held_n] = order;
	b->held_done[b->held_n] = done;
	b->held_arg[b->held_n++] = arg;
}

static void release_held(struct bench *b)
{
	b->hold = false;
	for (size_t i = 0; i < b->held_n; i++)
		sign_crl(b, b->held[i], b->held_done[i], b->held_arg[i]);
	b->held_n = 0;
}

static void make_ca(struct bench *b)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct buf spki OWNED_BUF = BUF(2048);
	struct why why = {0};

	good(key_new(KEY_P256, &b->key, &why), &why);
	good(name_write_cn("Test issuing CA", NULL, &name, &why), &why);
	good(key_write_spki(b->key, &spki, &why), &why);
	const struct cert_plan plan = {.serial = span_of("\x01", 1), .issuer = buf_span(&name), .subject = buf_span(&name),
		.spki = buf_span(&spki), .not_before_s = T0 - DAY, .not_after_s = T0 + 3650LL * DAY, .is_ca = true,
		.path_len = -1, .key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN};
	good(cert_build(&plan, b->key, &b->ca_der, &why), &why);
	b->ca = (struct ca){.profiles = &b->profiles, .key = b->key, .cert_der = buf_span(&b->ca_der)};
	good(cert_parse(b->ca.cert_der, &b->ca.cert, &why), &why);
}

static int setup(void **state)
{
	struct bench *b = mem_alloc(sizeof(*b));

	b->f = faulty_store_new();
	b->store = &b->f->store;
	b->batch = batch_new(b->store);
	b->ca_der = BUF(CERT_DER_MAX);
	b->now_s = T0;
	b->rules = (struct crl_rules){.lifetime_s = DAY, .overlap_s = 6 * HOUR};
	b->clock = (struct clock){.self = b, .unix_s = unix_s};
	make_ca(b);
	issuer_local_init(&b->local, &b->ca, &b->clock);
	b->issuer = (struct issuer){.self = b, .sign_crl = sign_crl};
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	batch_free(b->batch);
	faulty_store_free(b->f);
	key_free(b->key);
	buf_fini(&b->ca_der);
	mem_free(b);
	return 0;
}

static void on_published(void *arg, enum err err, uint64_t number, const struct why *why)
{
	struct told *t = arg;

	assert_non_null(why);
	t->times++;
	t->err = err;
	t->code = why->code;
	t->number = number;
}

static void publish(struct bench *b, struct told *t)
{
	const struct crl_env env = {.store = b->store, .batch = b->batch, .issuer = &b->issuer, .rules = b->rules};

	crl_publish(&env, b->now_s, on_published, t);
}

static struct told publish_now(struct bench *b)
{
	struct told t = {0};

	publish(b, &t);
	assert_int_equal(t.times, 0); /* not before it is on disk */
	batch_flush(b->batch);
	assert_int_equal(t.times, 1);
	return t;
}

static int64_t due(struct bench *b)
{
	struct why why = {0};
	int64_t wait_s = -1;

	good(crl_due(b->store, "", &b->rules, b->now_s, &wait_s, &why), &why);
	return wait_s;
}

static void issue(struct bench *b, uint8_t serial, int64_t not_after_s)
{
	const struct issued row = {.serial = {&serial, 1}, .enrolee_id = "gw7", .profile = "p", .est_label = "",
		.issued_s = T0, .not_before_s = T0, .not_after_s = not_after_s, .der = {&serial, 1}, .state = ISSUED_VALID};
	struct why why = {0};

	good(b->store->ops->begin(b->store->self, &why), &why);
	good(b->store->ops->issued_add(b->store->self, &row, &why), &why);
	good(b->store->ops->commit(b->store->self, &why), &why);
}

static void revoke(struct bench *b, uint8_t serial)
{
	struct why why = {0};

	good(b->store->ops->begin(b->store->self, &why), &why);
	good(b->store->ops->issued_revoke(b->store->self, span_of(&serial, 1), 1, b->now_s, &why), &why);
	good(b->store->ops->commit(b->store->self, &why), &why);
}

static struct crl_row newest(struct bench *b, struct arena *arena)
{
	struct crl_row row = {0};
	struct why why = {0};

	good(b->store->ops->crl_get(b->store->self, "", arena, &row, &why), &why);
	return row;
}

/* Is the serial on the CRL that is served? Checks the signature on the way. */
static bool lists(struct bench *b, uint8_t serial)
{
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
	struct why why = {0};
	const struct crl_row row = newest(b, &arena);
	enum err err = chain_check_crl(row.der, buf_span(&b->ca_der), span_of(&serial, 1), b->now_s, &why);

	if (err != OK && why.code != CODE_CRL_REVOKED)
		fail_msg("CRL: %s", why.text);
	return err != OK;
}

static void the_first_crl_is_due_at_once(void **state)
{
	struct bench *b = *state;

	assert_int_equal(due(b), 0);
	struct told t = publish_now(b);
	assert_int_equal(t.err, OK);
	assert_int_equal(t.number, 1);
	assert_int_equal(due(b), 18 * HOUR);
}

static void the_next_is_due_before_the_last_one_ends(void **state)
{
	struct bench *b = *state;

	publish_now(b);
	b->now_s = T0 + 18 * HOUR - 1;
	assert_int_equal(due(b), 1);
	b->now_s++;
	assert_int_equal(due(b), 0);
	b->now_s = T0 + 30 * DAY; /* after a long sleep */
	assert_int_equal(due(b), 0);
}

static void a_revocation_makes_one_due(void **state)
{
	struct bench *b = *state;

	issue(b, 7, T0 + 90 * DAY);
	publish_now(b);
	assert_true(due(b) > 0);
	revoke(b, 7);
	assert_int_equal(due(b), 0);
	assert_int_equal(publish_now(b).err, OK);
	assert_true(due(b) > 0);
}

static void a_clock_that_went_back_makes_one_due(void **state)
{
	struct bench *b = *state;

	publish_now(b);
	b->now_s = T0 - 1;
	assert_int_equal(due(b), 0);
	assert_int_equal(publish_now(b).number, 2);
	assert_true(due(b) > 0);
}

static void an_overlap_as_long_as_the_lifetime_does_not_spin(void **state)
{
	struct bench *b = *state;

	b->rules.overlap_s = 10 * DAY;
	publish_now(b);
	assert_int_equal(due(b), 12 * HOUR);
}

/* RFC 5280 5: who is revoked is listed until the certificate's end, others are not. */
static void revoked_certificates_are_listed(void **state)
{
	struct bench *b = *state;

	issue(b, 7, T0 + 90 * DAY);
	issue(b, 8, T0 + 90 * DAY);
	issue(b, 9, T0 + 10);
	revoke(b, 7);
	revoke(b, 9);
	publish_now(b);
	assert_true(lists(b, 7));
	assert_false(lists(b, 8));
	assert_true(lists(b, 9));
	b->now_s = T0 + 11;
	publish_now(b);
	assert_true(lists(b, 7));
	assert_false(lists(b, 9));
}

/* RFC 5280 5.1.2.4, 5.1.2.5, 5.2.3. */
static void number_and_dates_are_stored(void **state)
{
	struct bench *b = *state;
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);

	publish_now(b);
	b->now_s += HOUR;
	assert_int_equal(publish_now(b).number, 2);
	const struct crl_row row = newest(b, &arena);
	assert_int_equal(row.number, 2);
	assert_int_equal(row.this_update_s, T0 + HOUR);
	assert_int_equal(row.next_update_s, T0 + HOUR + DAY);
}

static enum err keep_event(void *arg, const struct audit_row *row, struct why *why)
{
	snprintf(arg, STORE_EVENT_MAX, "%s", row->event);
	return OK;
}

static void publication_is_audited(void **state)
{
	struct bench *b = *state;
	char event[STORE_EVENT_MAX] = "";
	struct why why = {0};

	issue(b, 7, T0 + 90 * DAY);
	revoke(b, 7);
	publish_now(b);
	good(b->store->ops->audit_list(b->store->self, 1, 10, keep_event, event, &why), &why);
	assert_string_equal(event, "{\"what\":\"crl.published\",\"actor\":\"mef\","
				   "\"detail\":\"number 1, 1 entries, next update 2025-10-10T08:53:20Z\"}");
}

static void a_failed_commit_publishes_nothing(void **state)
{
	struct bench *b = *state;
	struct told t = {0};

	publish(b, &t);
	faults.commit_fails = true;
	batch_flush(b->batch);
	assert_int_equal(t.times, 1);
	assert_int_equal(t.err, ERR_STORE);
	assert_int_equal(t.number, 0);
	assert_int_equal(due(b), 0);
	faults.commit_fails = false;
	assert_int_equal(publish_now(b).number, 1);
}

static void what_cannot_be_audited_is_not_published(void **state)
{
	struct bench *b = *state;
	struct told t = {0};

	faults.audit_fails = true;
	publish(b, &t);
	faults.audit_fails = false;
	batch_flush(b->batch);
	assert_int_equal(t.times, 1);
	assert_int_equal(t.err, ERR_STORE);
	assert_int_equal(due(b), 0);
}

static void an_expired_ca_is_told(void **state)
{
	struct bench *b = *state;
	struct told t = {0};

	b->now_s = T0 + 3651LL * DAY;
	publish(b, &t);
	assert_int_equal(t.times, 1);
	assert_int_equal(t.err, ERR_SYSTEM);
	assert_int_equal(t.code, CODE_CA_EXPIRED);
}

static void the_loser_of_two_at_once_is_told(void **state)
{
	struct bench *b = *state;
	struct told first = {0}, second = {0};

	b->hold = true;
	publish(b, &first);
	publish(b, &second);
	release_held(b);
	batch_flush(b->batch);
	assert_int_equal(first.err, OK);
	assert_int_equal(first.number, 1);
	assert_int_equal(second.times, 1);
	assert_int_equal(second.err, ERR_CONFLICT);
}

static void a_revocation_during_the_signature_makes_the_next_due(void **state)
{
	struct bench *b = *state;
	struct told t = {0};

	issue(b, 7, T0 + 90 * DAY);
	b->hold = true;
	publish(b, &t);
	revoke(b, 7);
	release_held(b);
	batch_flush(b->batch);
	assert_int_equal(t.err, OK);
	assert_false(lists(b, 7));
	assert_int_equal(due(b), 0);
}

static void on_other(void *arg, enum err err, const struct why *why)
{
	*(enum err *)arg = err;
}

/* A revocation in a batch that might still fail must not look published. */
static void only_revocations_on_disk_are_listed(void **state)
{
	struct bench *b = *state;
	struct told t = {0};
	struct why why = {0};
	const uint8_t serial = 7;
	enum err other = OK;

	issue(b, 7, T0 + 90 * DAY);
	good(batch_enter(b->batch, &why), &why);
	good(b->store->ops->issued_revoke(b->store->self, span_of(&serial, 1), 1, T0, &why), &why);
	good(batch_leave(b->batch, true, &why), &why);
	good(batch_defer(b->batch, on_other, &other, &why), &why);
	faults.commit_fails = true;
	publish(b, &t);
	faults.commit_fails = false;
	batch_flush(b->batch);
	assert_int_equal(other, ERR_STORE);
	assert_int_equal(t.err, OK);
	assert_false(lists(b, 7));
	revoke(b, 7);
	assert_int_equal(due(b), 0);
}

static size_t many;

static enum err list_many(void *self, int64_t now_s, issued_each each, void *arg, struct why *why)
{
	for (size_t i = 0; i < many; i++) {
		const uint8_t serial[] = {1, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};
		const struct issued row = {.serial = {serial, sizeof(serial)}, .revoked_s = T0, .state = ISSUED_REVOKED};
		enum err err = each(arg, &row, why);
		if (err != OK)
			return err;
	}
	return OK;
}

static void a_crl_holds_as_many_as_are_promised_and_no_more(void **state)
{
	struct bench *b = *state;
	struct told t = {0};

	b->f->ops.revoked_list = list_many;
	many = CRL_ENTRIES_MAX;
	assert_int_equal(publish_now(b).err, OK);
	many = CRL_ENTRIES_MAX + 1;
	publish(b, &t);
	assert_int_equal(t.times, 1);
	assert_int_equal(t.err, ERR_LIMIT);
	assert_int_equal(t.code, CODE_CRL_TOO_LONG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_crl_is_due_at_once),
		TEST(the_next_is_due_before_the_last_one_ends),
		TEST(a_revocation_makes_one_due),
		TEST(a_clock_that_went_back_makes_one_due),
		TEST(an_overlap_as_long_as_the_lifetime_does_not_spin),
		TEST(revoked_certificates_are_listed),
		TEST(number_and_dates_are_stored),
		TEST(publication_is_audited),
		TEST(a_failed_commit_publishes_nothing),
		TEST(what_cannot_be_audited_is_not_published),
		TEST(an_expired_ca_is_told),
		TEST(the_loser_of_two_at_once_is_told),
		TEST(a_revocation_during_the_signature_makes_the_next_due),
		TEST(only_revocations_on_disk_are_listed),
		TEST(a_crl_holds_as_many_as_are_promised_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
