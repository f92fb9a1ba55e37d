#include "unit/pki/made.h"

#include "pki/chain.h"
#include "pki/der.h"

enum { MANY = 100000 };

static struct crl_entry entry(uint8_t last, uint8_t reason)
{
	return (struct crl_entry){.serial = {0x40, last}, .serial_n = 2, .revoked_s = made_now_s - DAY_S, .reason = reason};
}

static struct crl_order order_of(const struct crl_entry *entries, size_t n)
{
	return (struct crl_order){.number = 7, .this_update_s = made_now_s, .next_update_s = made_now_s + DAY_S,
		.entries = entries, .entries_n = n};
}

static void build(const struct made *ca, const struct crl_order *order, struct buf *out)
{
	struct why why = {0};

	must(crl_build(order, buf_span(&ca->name), span_of(ca->key_id, 20), ca->key, out, &why));
}

static void openssl_verifies_and_shows_a_crl(void **state)
{
	static const enum key_spec specs[] = {KEY_P256, KEY_P384, KEY_RSA2048};
	const struct crl_entry entries[] = {entry(9, 1), entry(3, 0), entry(5, 4)};
	struct folder f OWNED_FOLDER = folder_new();

	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++) {
		struct made ca OWNED_MADE;
		struct buf crl OWNED_BUF = BUF(8192);
		struct crl_order order = order_of(entries, 3);
		made_ca(&ca, specs[i], "Root", NULL);
		build(&ca, &order, &crl);
		folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
		folder_write(&f, "crl.der", buf_span(&crl));
		ran(&f, "openssl crl -inform DER -in crl.der -CAfile ca.pem -verify -noout");
		said(&f, "verify OK");
	}
	ran(&f, "openssl crl -inform DER -in crl.der -noout -text");
	said(&f, "Version 2");
	said(&f, "Key Compromise");
	said(&f, "Superseded");
	said(&f, "X509v3 CRL Number");
	said(&f, "X509v3 Authority Key Identifier");
	said(&f, "Last Update: Jan  1 00:00:00 2026 GMT");
	said(&f, "Next Update: Jan  2 00:00:00 2026 GMT");
	/* in the order given; RFC 5280 5.3.1: reason 0 is left out */
	ran(&f, "openssl crl -inform DER -in crl.der -noout -text | grep 'Serial Number' | tr -d ' \\n'");
	said(&f, "SerialNumber:4009SerialNumber:4003SerialNumber:4005");
	ran(&f, "test $(openssl crl -inform DER -in crl.der -noout -text | grep -c 'CRL Reason') = 2");
}

/* RFC 5280 5.1.2.6: no list when nothing is revoked */
static void a_crl_of_nothing_has_no_list(void **state)
{
	static const uint8_t serial[] = {0x40, 9};
	struct folder f OWNED_FOLDER = folder_new();
	struct made ca OWNED_MADE;
	struct buf crl OWNED_BUF = BUF(8192);
	struct crl_order order = order_of(NULL, 0);
	struct why why = {0};

	made_ca(&ca, KEY_P256, "Root", NULL);
	build(&ca, &order, &crl);
	folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
	folder_write(&f, "crl.der", buf_span(&crl));
	ran(&f, "openssl crl -inform DER -in crl.der -CAfile ca.pem -verify -noout -text");
	said(&f, "No Revoked Certificates.");
	struct der all = der_init(buf_span(&crl));
	struct der outer = der_enter(&all, DER_SEQUENCE);
	struct der tbs = der_enter(&outer, DER_SEQUENCE);
	for (int i = 0; i < 5; i++)
		der_next(&tbs); /* version, algorithm, issuer, both dates */
	assert_int_equal(der_peek(&tbs), 0xa0); /* the extensions follow at once */
	must(chain_check_crl(buf_span(&crl), buf_span(&ca.der), span_of(serial, 2), made_now_s, &why));
}

static void a_hundred_thousand_entries_go_into_one_crl(void **state)
{
	struct crl_entry *entries OWNED_MEM = mem_array(MANY, sizeof(*entries));
	struct folder f OWNED_FOLDER = folder_new();
	struct made ca OWNED_MADE;
	struct buf crl OWNED_BUF = BUF(16 * 1024 * 1024);
	struct why why = {0};

	for (uint32_t i = 0; i < MANY; i++) {
		entries[i] = (struct crl_entry){.serial = {0xff, [17] = (uint8_t)(i >> 16), [18] = (uint8_t)(i >> 8), [19] = (uint8_t)i},
			.serial_n = 19, .revoked_s = made_now_s - i, .reason = 10};
		memmove(entries[i].serial + 1, entries[i].serial + 2, 18);
	}
	struct crl_order order = order_of(entries, MANY);
	made_ca(&ca, KEY_P256, "Root", NULL);
	build(&ca, &order, &crl);
	folder_write_pem(&f, "ca.pem", buf_span(&ca.der));
	folder_write(&f, "crl.der", buf_span(&crl));
	ran(&f, "openssl crl -inform DER -in crl.der -CAfile ca.pem -verify -noout");
	refused(chain_check_crl(buf_span(&crl), buf_span(&ca.der), span_of(entries[MANY - 1].serial, 19), made_now_s, &refusal),
		CRL_REVOKED);
	entries[0].serial[1] ^= 1;
	must(chain_check_crl(buf_span(&crl), buf_span(&ca.der), span_of(entries[0].serial, 19), made_now_s, &why));
}

static void orders_that_rfc_5280_forbids_are_refused(void **state)
{
	static const uint8_t empty[] = {0x30, 0x00};
	struct made ca OWNED_MADE;
	struct buf out OWNED_BUF = BUF(8192);
	struct crl_entry e = entry(1, 0);
	struct crl_order order = order_of(&e, 1);

	made_ca(&ca, KEY_P256, "Root", NULL);
	struct span name = buf_span(&ca.name), id = span_of(ca.key_id, 20);
	e.serial_n = 0;
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	e.serial_n = ISSUER_SERIAL_MAX + 1;
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	e = entry(1, 7);
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	e = entry(1, 11);
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	e = entry(1, 10);
	e.revoked_s = INT64_MAX;
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	e = entry(1, 10);
	order.next_update_s = order.this_update_s;
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	order = order_of(&e, 1);
	refused(crl_build(&order, span_of(empty, 2), id, ca.key, &out, &refusal), CRL_PLAN);
	refused(crl_build(&order, name, (struct span){0}, ca.key, &out, &refusal), CRL_PLAN);
	order.entries_n = SIZE_MAX;
	refused(crl_build(&order, name, id, ca.key, &out, &refusal), CRL_PLAN);
	assert_int_equal(out.n, 0);
}

static void a_revoked_serial_is_found_and_another_is_not(void **state)
{
	const struct crl_entry entries[] = {entry(9, 1), entry(3, 0)};
	struct crl_order order = order_of(entries, 2);
	struct made ca OWNED_MADE;
	struct buf crl OWNED_BUF = BUF(8192);
	uint8_t serial[] = {0x40, 3};
	struct why why = {0};

	made_ca(&ca, KEY_P256, "Root", NULL);
	build(&ca, &order, &crl);
	refused(chain_check_crl(buf_span(&crl), buf_span(&ca.der), span_of(serial, 2), made_now_s, &refusal), CRL_REVOKED);
	serial[1] = 4;
	must(chain_check_crl(buf_span(&crl), buf_span(&ca.der), span_of(serial, 2), made_now_s, &why));
}

/* RFC 5280 6.3.3 */
static void a_crl_out_of_its_dates_is_refused(void **state)
{
	static const uint8_t serial[] = {0x40, 9};
	struct crl_order order = order_of(NULL, 0);
	struct made ca OWNED_MADE;
	struct buf crl OWNED_BUF = BUF(8192);
	struct why why = {0};

	made_ca(&ca, KEY_P256, "Root", NULL);
	build(&ca, &order, &crl);
	struct span der = buf_span(&crl), cert = buf_span(&ca.der), s = span_of(serial, 2);
	must(chain_check_crl(der, cert, s, order.next_update_s, &why));
	refused(chain_check_crl(der, cert, s, order.next_update_s + 1, &refusal), CRL_STALE);
	refused(chain_check_crl(der, cert, s, order.this_update_s - 1, &refusal), CRL_STALE);
}

static void a_crl_of_another_issuer_or_with_a_changed_bit_is_refused(void **state)
{
	static const uint8_t serial[] = {0x40, 9};
	const struct crl_entry entries[] = {entry(8, 1)};
	struct crl_order order = order_of(entries, 1);
	struct made ca OWNED_MADE, same_name OWNED_MADE, other OWNED_MADE, no_sign OWNED_MADE;
	struct buf crl OWNED_BUF = BUF(8192);

	made_ca(&ca, KEY_P256, "Root", NULL);
	made_ca(&same_name, KEY_P256, "Root", NULL);
	made_ca(&other, KEY_P256, "Other", NULL);
	struct cert_plan plan = made_plan(&no_sign, KEY_P256, "Root");
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN;
	made_sign(&no_sign, &plan, NULL);
	build(&ca, &order, &crl);
	struct span s = span_of(serial, 2);
	refused(chain_check_crl(buf_span(&crl), buf_span(&other.der), s, made_now_s, &refusal), CRL_ISSUER);
	refused(chain_check_crl(buf_span(&crl), buf_span(&no_sign.der), s, made_now_s, &refusal), CRL_ISSUER);
	refused(chain_check_crl(buf_span(&crl), buf_span(&same_name.der), s, made_now_s, &refusal), SIGNATURE_WRONG);
	for (size_t i = 0; i < crl.n; i++) {
		struct why why = {0};
		crl.p[i] ^= 0x04;
		if (chain_check_crl(buf_span(&crl), buf_span(&ca.der), s, made_now_s, &why) == OK)
			fail_msg("octet %zu is not protected", i);
		crl.p[i] ^= 0x04;
	}
	for (size_t n = 0; n < crl.n; n++)
		refused(chain_check_crl(span_first(buf_span(&crl), n), buf_span(&ca.der), s, made_now_s, &refusal), CRL_SYNTAX);
}

/* RFC 5280 5.2.4, 5.2.5: deltas and parts say less than a complete CRL, and mark it critical */
static void a_critical_extension_makes_the_crl_unusable(void **state)
{
	static const uint8_t serial[] = {0x40, 9};
	struct folder f OWNED_FOLDER = folder_new();
	static const char conf[] = "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n"
		"default_crl_days=30\ncrl_extensions=x\n[x]\nissuingDistributionPoint=critical,@i\n[i]\nonlyuser=TRUE\n";
	uint8_t der[4096];
	char path[128];

	folder_write(&f, "conf", span_text(conf));
	folder_write(&f, "index", (struct span){0});
	folder_write(&f, "number", span_text("01\n"));
	ran(&f, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k.pem -out ca.pem -subj /CN=Root -days 2"
		" && openssl x509 -in ca.pem -outform DER -out ca.der"
		" && openssl ca -config conf -gencrl -keyfile k.pem -cert ca.pem -out crl.pem"
		" && openssl crl -in crl.pem -outform DER -out crl.der");
	snprintf(path, sizeof(path), "%s/crl.der", f.path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	size_t n = fread(der, 1, sizeof(der), file);
	fclose(file);
	refused(chain_check_crl(span_of(der, n), (struct span){0}, span_of(serial, 2), made_now_s, &refusal), CRL_KIND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_verifies_and_shows_a_crl),
		cmocka_unit_test(a_crl_of_nothing_has_no_list),
		cmocka_unit_test(a_hundred_thousand_entries_go_into_one_crl),
		cmocka_unit_test(orders_that_rfc_5280_forbids_are_refused),
		cmocka_unit_test(a_revoked_serial_is_found_and_another_is_not),
		cmocka_unit_test(a_crl_out_of_its_dates_is_refused),
		cmocka_unit_test(a_crl_of_another_issuer_or_with_a_changed_bit_is_refused),
		cmocka_unit_test(a_critical_extension_makes_the_crl_unusable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
