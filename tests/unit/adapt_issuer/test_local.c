#include "unit/pki/made.h"

#include "adapt/issuer/local.h"
#include "pki/chain.h"
#include "pki/csr.h"

static int64_t unix_s(void *self)
{
	return *(int64_t *)self;
}

static int64_t mono_ms(void *self)
{
	return 0;
}

static enum err fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	memset(out, 0x21, n);
	return OK;
}

struct answer {
	int calls;
	enum err err;
	enum code code;
	bool has_result;
	size_t serial_n;
	struct buf der;
};

static void issued(void *arg, enum err err, const struct issue_result *result, const struct why *why)
{
	struct answer *a = arg;

	a->calls++;
	a->err = err;
	a->code = why->code;
	a->has_result = result != NULL;
	if (result) {
		a->serial_n = result->serial_n;
		buf_put_span(&a->der, result->der);
	}
}

static void crl_signed(void *arg, enum err err, struct span der, const struct why *why)
{
	struct answer *a = arg;

	a->calls++;
	a->err = err;
	a->code = why->code;
	buf_put_span(&a->der, der);
}

static void orders_are_answered_once_and_at_once(void **state)
{
	static const uint8_t serial[] = {0x11};
	int64_t now_s = made_now_s;
	const struct clock clock = {.self = &now_s, .unix_s = unix_s, .mono_ms = mono_ms};
	struct profile_set profiles = {.n = 1, .items = {{.name = "device", .validity_s = DAY_S, .key_usage = KU_DIGITAL_SIGNATURE,
						    .keys = {KEY_P256}, .keys_n = 1}}};
	struct made authority OWNED_MADE, device OWNED_MADE;
	struct answer answer = {.der = BUF(CERT_DER_MAX)}, crl = {.der = BUF(CERT_DER_MAX)}, late = {.der = BUF(CERT_DER_MAX)};
	struct buf csr OWNED_BUF = BUF(4096);
	struct issuer_local local;
	struct cert c;
	struct why why = {0};

	made_ca(&authority, KEY_P256, "CA", NULL);
	struct ca ca = {.profiles = &profiles, .key = authority.key, .cert_der = buf_span(&authority.der), .random = {.fill = fill}};
	must(cert_parse(ca.cert_der, &ca.cert, &why));
	made_plan(&device, KEY_P256, "device");
	must(csr_write(&(struct csr_plan){.subject = buf_span(&device.name)}, device.key, &csr, &why));
	issuer_local_init(&local, &ca, &clock);
	struct issue_order order = {.profile = "device", .csr = buf_span(&csr), .subject = buf_span(&device.name)};

	local.issuer.issue(local.issuer.self, &order, issued, &answer);
	assert_int_equal(answer.calls, 1);
	assert_int_equal(answer.err, OK);
	assert_int_equal(answer.serial_n, 16);
	must(cert_parse(buf_span(&answer.der), &c, &why));
	assert_int_equal(c.not_after_s, now_s + DAY_S);

	const struct crl_entry entry = {.serial = {0x11}, .serial_n = 1, .revoked_s = now_s};
	struct crl_order crl_order = {.number = 1, .this_update_s = now_s, .next_update_s = now_s + 1, .entries = &entry, .entries_n = 1};
	local.issuer.sign_crl(local.issuer.self, &crl_order, crl_signed, &crl);
	assert_int_equal(crl.calls, 1);
	assert_int_equal(crl.err, OK);
	refused(chain_check_crl(buf_span(&crl.der), ca.cert_der, span_of(serial, 1), now_s, &refusal), CRL_REVOKED);

	now_s = ca.cert.not_after_s + 1; /* the clock is asked at each order */
	local.issuer.issue(local.issuer.self, &order, issued, &late);
	assert_int_equal(late.calls, 1);
	assert_int_equal(late.err, ERR_SYSTEM);
	assert_int_equal(late.code, CODE_CA_EXPIRED);
	assert_false(late.has_result);
	buf_fini(&answer.der);
	buf_fini(&crl.der);
	buf_fini(&late.der);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_answered_once_and_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
