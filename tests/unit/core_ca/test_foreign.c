/* A certificate of another CA is judged by what was ordered. */
#include "unit/core_ca/engine.h"

#include "core/ca/foreign.h"

/* What the other CA, the bench's engine, gives for an order. */
struct answer {
	struct bench b;
	struct issue_order order;
	struct buf der;
	struct anchors *chain;
};

static void anchor(const struct made *ca, struct anchors **out)
{
	struct buf pem OWNED_BUF = BUF(8192);
	struct why why = {0};

	must(cert_write_pem(buf_span(&ca->der), &pem, &why));
	must(anchors_parse_pem(buf_span(&pem), out, &why));
}

static void answer_init(struct answer *a)
{
	struct issue_result result = {0};
	struct why why = {0};

	bench_init(&a->b);
	a->order = order_of(&a->b);
	snprintf(a->order.issuer, sizeof(a->order.issuer), "up");
	a->der = BUF(CERT_DER_MAX);
	a->chain = NULL;
	anchor(&a->b.ca, &a->chain);
	must(ca_issue(&a->b.engine, &a->order, made_now_s, &a->der, &result, &why));
}

static void answer_fini(struct answer *a)
{
	buf_fini(&a->der);
	anchors_free(a->chain);
	bench_fini(&a->b);
}

static enum code judge(const struct answer *a, struct span der, int64_t now_s)
{
	struct issue_result result = {0};
	struct why why = {0};

	enum err err = foreign_check(&a->order, a->chain, der, now_s, &result, &why);
	assert_int_equal(err, why.kind);
	/* never a refusal of the client: the fault is the other CA's */
	assert_true(err == OK || err == ERR_CRYPTO);
	assert_true((err == OK) == (result.der.n > 0));
	return why.code;
}

static enum code judge_now(const struct answer *a)
{
	return judge(a, buf_span(&a->der), made_now_s);
}

static void what_was_ordered_is_taken(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));
	struct issue_result result = {0};
	struct cert cert = {0};
	struct why why = {0};

	answer_init(&a);
	must(foreign_check(&a.order, a.chain, buf_span(&a.der), made_now_s, &result, &why));
	must(cert_parse(buf_span(&a.der), &cert, &why));
	assert_true(span_equal(span_of(result.serial, result.serial_n), cert.serial));
	assert_int_equal(result.not_after_s, cert.not_after_s);
	assert_int_equal(result.not_before_s, cert.not_before_s);
}

static void names_may_be_added(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));

	answer_init(&a);
	a.order.sans = (struct span){0};
	assert_int_equal(judge_now(&a), CODE_NONE);
	a.order.subject = (struct span){(const uint8_t *)"\x30\x00", 2};
	assert_int_equal(judge_now(&a), CODE_NONE);
}

static void names_are_never_changed_or_dropped(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));
	struct buf name OWNED_BUF = BUF(512), sans OWNED_BUF = BUF(512);
	struct why why = {0};

	answer_init(&a);
	struct span subject = a.order.subject;
	must(name_write_cn("device-2", NULL, &name, &why));
	a.order.subject = buf_span(&name);
	assert_int_equal(judge_now(&a), CODE_FOREIGN_NAMES);
	/* RFC 5280 7.1: case is no difference */
	buf_clear(&name);
	must(name_write_cn("DEVICE-1", NULL, &name, &why));
	a.order.subject = buf_span(&name);
	assert_int_equal(judge_now(&a), CODE_NONE);
	a.order.subject = subject;
	made_dns(&sans, "d2.example.com");
	a.order.sans = buf_span(&sans);
	assert_int_equal(judge_now(&a), CODE_FOREIGN_NAMES);
	buf_clear(&sans);
	made_dns(&sans, "D1.example.COM");
	a.order.sans = buf_span(&sans);
	assert_int_equal(judge_now(&a), CODE_NONE);
}

static void another_key_is_refused(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));
	struct key *key OWNED_KEY = NULL;
	struct buf csr OWNED_BUF = BUF(4096);
	struct why why = {0};

	answer_init(&a);
	must(key_new(KEY_P256, &key, &why));
	csr_for(&csr, key, &a.b);
	a.order.csr = buf_span(&csr);
	assert_int_equal(judge_now(&a), CODE_FOREIGN_KEY);
}

static void another_ca_or_time_is_refused(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));
	struct made other;
	struct cert cert = {0};
	struct why why = {0};

	answer_init(&a);
	must(cert_parse(buf_span(&a.der), &cert, &why));
	assert_int_equal(judge(&a, buf_span(&a.der), cert.not_after_s + 1), CODE_FOREIGN_CERT);
	assert_int_equal(judge(&a, buf_span(&a.der), cert.not_before_s - 1), CODE_FOREIGN_CERT);
	a.order.not_after_s = cert.not_after_s - 1;
	assert_int_equal(judge_now(&a), CODE_FOREIGN_CERT);
	a.order.not_after_s = cert.not_after_s;
	assert_int_equal(judge_now(&a), CODE_NONE);
	made_ca(&other, KEY_P256, "Issuing CA", NULL); /* the same name, another key */
	anchors_free(a.chain);
	a.chain = NULL;
	anchor(&other, &a.chain);
	assert_int_equal(judge_now(&a), CODE_FOREIGN_CERT);
	made_fini(&other);
}

static void a_ca_certificate_is_refused(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct cert_plan plan = {.serial = span_text("\x11"), .is_ca = true, .path_len = -1, .key_usage = KU_KEY_CERT_SIGN,
		.not_before_s = made_now_s - 10, .not_after_s = made_now_s + DAY_S};
	struct why why = {0};

	answer_init(&a);
	plan.issuer = a.b.engine.cert.subject;
	plan.subject = a.order.subject;
	plan.spki = buf_span(&a.b.spki);
	plan.sans = a.order.sans;
	plan.akid = a.b.engine.cert.skid;
	must(cert_build(&plan, a.b.ca.key, &der, &why));
	assert_int_equal(judge(&a, buf_span(&der), made_now_s), CODE_FOREIGN_CERT);
}

/* RFC 6402 2.10: one octet tells the three from purposes that give nobody anything */
static void authority_is_not_anothers_to_give(void **state)
{
	static const struct {
		const char *eku;
		enum code code;
	} rows[] = {{"1.3.6.1.5.5.7.3.26", CODE_NONE}, {"1.3.6.1.5.5.7.3.27", CODE_FOREIGN_CERT}, {"1.3.6.1.5.5.7.3.28", CODE_FOREIGN_CERT},
		{"1.3.6.1.5.5.7.3.29", CODE_FOREIGN_CERT}, {"1.3.6.1.5.5.7.3.30", CODE_NONE}, {"1.3.6.1.5.5.7.3.1.28", CODE_NONE}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct answer a __attribute__((cleanup(answer_fini)));
		struct issue_result result = {0};
		struct why why = {0};
		answer_init(&a);
		snprintf(a.b.profiles.items[0].ekus[1], sizeof(a.b.profiles.items[0].ekus[1]), "%s", rows[i].eku);
		a.b.profiles.items[0].ekus_n = 2;
		buf_clear(&a.der);
		must(ca_issue(&a.b.engine, &a.order, made_now_s, &a.der, &result, &why));
		assert_int_equal(judge_now(&a), rows[i].code);
	}
}

static void what_is_no_certificate_is_refused(void **state)
{
	struct answer a __attribute__((cleanup(answer_fini)));

	answer_init(&a);
	for (size_t n = 0; n < a.der.n; n += 5)
		assert_int_equal(judge(&a, span_first(buf_span(&a.der), n), made_now_s), CODE_FOREIGN_CERT);
	/* the signature no longer fits */
	a.der.p[a.der.n - 1] ^= 1;
	assert_int_equal(judge_now(&a), CODE_FOREIGN_CERT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_ordered_is_taken),
		cmocka_unit_test(names_may_be_added),
		cmocka_unit_test(names_are_never_changed_or_dropped),
		cmocka_unit_test(another_key_is_refused),
		cmocka_unit_test(another_ca_or_time_is_refused),
		cmocka_unit_test(a_ca_certificate_is_refused),
		cmocka_unit_test(authority_is_not_anothers_to_give),
		cmocka_unit_test(what_is_no_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
