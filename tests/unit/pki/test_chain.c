#include "unit/pki/made.h"

#include "pki/chain.h"
#include "pki/digest.h"

#define BYTES(literal) ((struct span){(const uint8_t *)(literal), sizeof(literal) - 1})
#define SERVER_AUTH BYTES("\x2b\x06\x01\x05\x05\x07\x03\x01")
#define CLIENT_AUTH BYTES("\x2b\x06\x01\x05\x05\x07\x03\x02")

/* Root, issuing CA under it, and a device's certificate under that. */
struct family {
	struct made root, issuing, leaf;
	struct anchors *anchors;
};

static void family_fini(struct family *f)
{
	made_fini(&f->root);
	made_fini(&f->issuing);
	made_fini(&f->leaf);
	anchors_free(f->anchors);
}
#define OWNED_FAMILY __attribute__((cleanup(family_fini)))

static struct anchors *anchors_of(const struct made *m)
{
	struct anchors *a = NULL;
	struct buf pem OWNED_BUF = BUF(16 * 1024);
	struct why why = {0};

	must(cert_write_pem(buf_span(&m->der), &pem, &why));
	must(anchors_parse_pem(buf_span(&pem), &a, &why));
	return a;
}

static struct cert_plan leaf_plan(struct made *m)
{
	struct cert_plan plan = made_plan(m, KEY_P256, "device-1");

	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.ekus[0] = CLIENT_AUTH;
	plan.ekus_n = 1;
	return plan;
}

static void family_make(struct family *f)
{
	made_ca(&f->root, KEY_P256, "Root", NULL);
	made_ca(&f->issuing, KEY_P256, "Issuing", &f->root);
	struct cert_plan plan = leaf_plan(&f->leaf);
	made_sign(&f->leaf, &plan, &f->issuing);
	f->anchors = anchors_of(&f->root);
}

static enum err check(const struct family *f, enum chain_use use, int64_t now_s, struct why *why)
{
	const struct span between[] = {buf_span(&f->issuing.der)};
	uint8_t anchor[32];

	return chain_check(f->anchors, buf_span(&f->leaf.der), between, 1, use, now_s, anchor, why);
}

static void a_good_chain_ends_at_its_anchor(void **state)
{
	struct family f OWNED_FAMILY;
	uint8_t anchor[32], want[32];
	struct why why = {0};

	family_make(&f);
	const struct span between[] = {buf_span(&f.issuing.der)};
	must(chain_check(f.anchors, buf_span(&f.leaf.der), between, 1, CHAIN_CLIENT, made_now_s, anchor, &why));
	digest_sha256(buf_span(&f.root.der), want);
	assert_memory_equal(anchor, want, 32);
	must(check(&f, CHAIN_ANY, made_now_s, &why));
}

/* RFC 5280 6.1.1 (d): an anchor is any CA that one trusts */
static void an_anchor_need_not_sign_itself(void **state)
{
	struct family f OWNED_FAMILY;
	struct anchors *a OWNED_ANCHORS = NULL;
	uint8_t anchor[32], want[32];
	struct why why = {0};

	family_make(&f);
	a = anchors_of(&f.issuing);
	must(chain_check(a, buf_span(&f.leaf.der), NULL, 0, CHAIN_CLIENT, made_now_s, anchor, &why));
	digest_sha256(buf_span(&f.issuing.der), want);
	assert_memory_equal(anchor, want, 32);
}

static void several_anchors_stand_side_by_side(void **state)
{
	struct family f OWNED_FAMILY, g OWNED_FAMILY;
	struct why why = {0};

	family_make(&f);
	family_make(&g); /* the same names, other keys */
	refused(chain_check(f.anchors, buf_span(&g.leaf.der), &(struct span){g.issuing.der.p, g.issuing.der.n}, 1, CHAIN_CLIENT,
			made_now_s, (uint8_t[32]){0}, &refusal),
		CHAIN_UNKNOWN_ISSUER);
	must(anchors_add(f.anchors, buf_span(&g.root.der), &why));
	must(anchors_add(f.anchors, buf_span(&g.root.der), &why)); /* twice does no harm */
	must(check(&f, CHAIN_CLIENT, made_now_s, &why));
	must(chain_check(f.anchors, buf_span(&g.leaf.der), &(struct span){g.issuing.der.p, g.issuing.der.n}, 1, CHAIN_CLIENT,
		made_now_s, (uint8_t[32]){0}, &why));
}

/* The clock is an argument: a machine whose clock moved gets the reason and the dates. */
static void the_dates_count_as_the_clock_says(void **state)
{
	struct family f OWNED_FAMILY;
	struct why why = {0};

	family_make(&f);
	must(check(&f, CHAIN_CLIENT, made_now_s + 365 * DAY_S - 1, &why));
	assert_int_equal(check(&f, CHAIN_CLIENT, made_now_s + 365 * DAY_S + 1, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CHAIN_EXPIRED);
	assert_non_null(strstr(why.text, "valid until 2027-01-01T00:00:00Z, now is 2027-01-01T00:00:01Z"));
	refused(check(&f, CHAIN_CLIENT, made_now_s - 366 * DAY_S, &refusal), CHAIN_NOT_YET);
	refused(check(&f, CHAIN_CLIENT, 0, &refusal), CHAIN_NOT_YET);
	must(check(&f, CHAIN_CLIENT, made_now_s, &(struct why){0}));
}

static void an_expired_leaf_is_named_with_its_depth(void **state)
{
	struct family f OWNED_FAMILY;
	struct why why = {0};

	family_make(&f);
	made_fini(&f.leaf);
	struct cert_plan plan = leaf_plan(&f.leaf);
	plan.not_after_s = made_now_s - 1;
	made_sign(&f.leaf, &plan, &f.issuing);
	assert_int_equal(check(&f, CHAIN_CLIENT, made_now_s, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CHAIN_EXPIRED);
	assert_non_null(strstr(why.text, "'CN=device-1' at depth 0"));
}

static void an_unknown_issuer_is_refused(void **state)
{
	struct family f OWNED_FAMILY;
	struct made other OWNED_MADE;
	struct anchors *a OWNED_ANCHORS = NULL;
	uint8_t anchor[32];

	family_make(&f);
	made_ca(&other, KEY_P256, "Other root", NULL);
	a = anchors_of(&other);
	const struct span between[] = {buf_span(&f.issuing.der), buf_span(&f.root.der)};
	refused(chain_check(a, buf_span(&f.leaf.der), between, 2, CHAIN_CLIENT, made_now_s, anchor, &refusal), CHAIN_UNKNOWN_ISSUER);
	/* the intermediate is missing */
	refused(chain_check(f.anchors, buf_span(&f.leaf.der), NULL, 0, CHAIN_CLIENT, made_now_s, anchor, &refusal),
		CHAIN_UNKNOWN_ISSUER);
	/* self-signed and unknown */
	refused(chain_check(a, buf_span(&f.root.der), NULL, 0, CHAIN_ANY, made_now_s, anchor, &refusal), CHAIN_UNKNOWN_ISSUER);
}

/* RFC 5280 4.2.1.12 */
static void a_purpose_other_than_the_use_is_refused(void **state)
{
	struct family f OWNED_FAMILY;
	struct why why = {0};

	family_make(&f);
	refused(check(&f, CHAIN_SERVER, made_now_s, &refusal), CHAIN_USE);
	made_fini(&f.leaf);
	struct cert_plan plan = leaf_plan(&f.leaf);
	plan.ekus[0] = SERVER_AUTH;
	made_sign(&f.leaf, &plan, &f.issuing);
	must(check(&f, CHAIN_SERVER, made_now_s, &why));
	refused(check(&f, CHAIN_CLIENT, made_now_s, &refusal), CHAIN_USE);
	plan.ekus_n = 0; /* no restriction: good for both */
	made_sign(&f.leaf, &plan, &f.issuing);
	must(check(&f, CHAIN_SERVER, made_now_s, &why));
	must(check(&f, CHAIN_CLIENT, made_now_s, &why));
}

/* RFC 5280 4.2.1.10, TS-0003 8.1.2.2 */
static void a_name_outside_the_constraints_of_the_ca_is_refused(void **state)
{
	static const char *const suffixes[] = {"example.com"};
	struct family f OWNED_FAMILY;
	struct buf names OWNED_BUF = BUF(256), other OWNED_BUF = BUF(256), constraints OWNED_BUF = BUF(256);
	struct why why = {0};

	family_make(&f);
	must(name_constraints_write(suffixes, 1, &constraints, &why));
	made_fini(&f.issuing);
	struct cert_plan plan = made_plan(&f.issuing, KEY_P256, "Issuing");
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	plan.permitted_subtrees = buf_span(&constraints);
	made_sign(&f.issuing, &plan, &f.root);
	made_dns(&names, "d1.example.com");
	made_dns(&other, "d1.example.org");
	made_fini(&f.leaf);
	plan = leaf_plan(&f.leaf);
	plan.sans = buf_span(&names);
	made_sign(&f.leaf, &plan, &f.issuing);
	must(check(&f, CHAIN_CLIENT, made_now_s, &why));
	plan.sans = buf_span(&other);
	made_sign(&f.leaf, &plan, &f.issuing);
	refused(check(&f, CHAIN_CLIENT, made_now_s, &refusal), CHAIN_NAMES);
}

/* RFC 5280 6.1.4 (k): whoever signs a certificate is a CA */
static void a_device_cannot_sign_for_another(void **state)
{
	struct family f OWNED_FAMILY;
	struct made child OWNED_MADE;
	uint8_t anchor[32];

	family_make(&f);
	struct cert_plan plan = leaf_plan(&child);
	made_sign(&child, &plan, &f.leaf);
	const struct span between[] = {buf_span(&f.leaf.der), buf_span(&f.issuing.der)};
	struct why why = {0};
	assert_int_equal(chain_check(f.anchors, buf_span(&child.der), between, 2, CHAIN_CLIENT, made_now_s, anchor, &why),
		ERR_FORBIDDEN);
	/* also when the device itself is an anchor */
	struct anchors *a OWNED_ANCHORS = anchors_of(&f.leaf);
	why_clear(&why);
	assert_int_equal(chain_check(a, buf_span(&child.der), NULL, 0, CHAIN_CLIENT, made_now_s, anchor, &why), ERR_FORBIDDEN);
}

static void a_changed_bit_in_a_signature_is_refused(void **state)
{
	struct family f OWNED_FAMILY;
	struct why why = {0};

	family_make(&f);
	f.leaf.der.p[f.leaf.der.n - 1] ^= 1;
	assert_int_equal(check(&f, CHAIN_CLIENT, made_now_s, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CHAIN_FAILED);
}

/* Chains of i intermediates under one root. */
static void eight_intermediates_are_followed_and_nine_are_not(void **state)
{
	struct made root OWNED_MADE;
	struct made cas[CHAIN_MAX + 1];
	struct span ders[CHAIN_MAX + 1];
	struct anchors *a OWNED_ANCHORS = NULL;
	uint8_t anchor[32];

	made_ca(&root, KEY_P256, "Root", NULL);
	a = anchors_of(&root);
	for (size_t i = 0; i <= CHAIN_MAX; i++) {
		char name[16];
		snprintf(name, sizeof(name), "CA %zu", i);
		made_ca(&cas[i], KEY_P256, name, i ? &cas[i - 1] : &root);
		ders[i] = buf_span(&cas[i].der);
	}
	for (size_t n = CHAIN_MAX; n <= CHAIN_MAX + 1; n++) {
		struct made leaf OWNED_MADE;
		struct why why = {0};
		struct cert_plan plan = leaf_plan(&leaf);
		made_sign(&leaf, &plan, &cas[n - 1]);
		if (n == CHAIN_MAX)
			must(chain_check(a, buf_span(&leaf.der), ders, n, CHAIN_CLIENT, made_now_s, anchor, &why));
		else
			refused(chain_check(a, buf_span(&leaf.der), ders, n, CHAIN_CLIENT, made_now_s, anchor, &refusal), CHAIN_LIMIT);
	}
	for (size_t i = 0; i <= CHAIN_MAX; i++)
		made_fini(&cas[i]);
}

/* Certificates as factories make them: no key identifiers, subject not unusual, from the openssl program. */
static void a_factory_certificate_without_key_identifiers_is_accepted(void **state)
{
	struct folder f OWNED_FOLDER = folder_new();
	struct anchors *a OWNED_ANCHORS = NULL;
	struct buf pem OWNED_BUF = BUF(8192);
	uint8_t der[4096], anchor[32];
	char path[128];
	struct why why = {0};

	folder_write(&f, "conf", span_text("[req]\ndistinguished_name=d\n[d]\n[ca]\nbasicConstraints=CA:TRUE\n"
					    "subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n"
					    "[leaf]\nkeyUsage=digitalSignature\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n"));
	ran(&f, "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config conf -extensions ca -keyout ca.key"
		" -out ca.pem -subj /CN=Factory -days 2"
		" && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout d.key -out d.csr -subj /serialNumber=1"
		" && openssl x509 -req -in d.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile conf -extensions leaf"
		" -outform DER -out d.der && openssl x509 -inform DER -in d.der -noout -text");
	assert_false(folder_said(&f, "Key Identifier"));
	ran(&f, "cat ca.pem; date +%s > now");
	snprintf(path, sizeof(path), "%s/ca.pem", f.path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	buf_grew(&pem, fread(buf_room(&pem, 4096), 1, 4096, file));
	fclose(file);
	must(anchors_parse_pem(buf_span(&pem), &a, &why));
	snprintf(path, sizeof(path), "%s/d.der", f.path);
	file = fopen(path, "rb");
	assert_non_null(file);
	size_t n = fread(der, 1, sizeof(der), file);
	fclose(file);
	struct cert c;
	must(cert_parse(span_of(der, n), &c, &why));
	must(chain_check(a, span_of(der, n), NULL, 0, CHAIN_CLIENT, c.not_before_s, anchor, &why));
}

/* OpenSSL's level 2: RSA below 2048 bits and SHA-1 are refused */
static void weak_keys_and_digests_are_refused(void **state)
{
	static const char *const kinds[] = {"-newkey rsa:1024 -sha256", "-newkey rsa:2048 -sha1"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct folder f OWNED_FOLDER = folder_new();
		struct anchors *a OWNED_ANCHORS = NULL;
		struct buf pem OWNED_BUF = BUF(8192), command OWNED_BUF = BUF(2048);
		uint8_t der[4096], anchor[32];
		char path[128];
		struct why why = {0};
		folder_write(&f, "ext", span_text("keyUsage=digitalSignature\nauthorityKeyIdentifier=keyid\n"));
		buf_put_fmt(&command, "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=CA -days 2"
			" && openssl req %s -nodes -keyout d.key -out d.csr -subj /CN=d"
			" && openssl x509 -req %s -in d.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile ext"
			" -outform DER -out d.der", kinds[i], i ? "-sha1" : "-sha256");
		ran(&f, buf_text(&command));
		snprintf(path, sizeof(path), "%s/ca.pem", f.path);
		FILE *file = fopen(path, "rb");
		assert_non_null(file);
		buf_grew(&pem, fread(buf_room(&pem, 4096), 1, 4096, file));
		fclose(file);
		must(anchors_parse_pem(buf_span(&pem), &a, &why));
		snprintf(path, sizeof(path), "%s/d.der", f.path);
		file = fopen(path, "rb");
		assert_non_null(file);
		size_t n = fread(der, 1, sizeof(der), file);
		fclose(file);
		struct cert c;
		must(cert_parse(span_of(der, n), &c, &why));
		refused(chain_check(a, span_of(der, n), NULL, 0, CHAIN_CLIENT, c.not_before_s, anchor, &refusal), CHAIN_FAILED);
	}
}

static void anchors_that_are_no_certificates_are_refused(void **state)
{
	struct anchors *a = NULL;

	refused(anchors_parse_pem(span_text(""), &a, &refusal), CERT_NONE);
	refused(anchors_parse_pem(span_text("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"), &a, &refusal), CERT_SYNTAX);
	assert_null(a);
}

/* A certificate view with these names and nothing else. */
static struct cert cert_with(struct buf *names, const struct san *sans, size_t n)
{
	struct san_list list = {.n = n};
	struct why why = {0};

	memcpy(list.items, sans, n * sizeof(*sans));
	must(san_write(&list, names, &why));
	return (struct cert){.san = buf_span(names)};
}

/* RFC 9525 6.3: dNSName without case; TS-0003 10.1.1: no wildcards */
static void a_host_is_covered_by_its_own_dns_name_only(void **state)
{
	struct buf names OWNED_BUF = BUF(512);
	const struct san sans[] = {{.kind = SAN_URI, .value = span_text("https://uri.example.com/")},
		{.kind = SAN_DNS, .value = span_text("other.example.com")}, {.kind = SAN_DNS, .value = span_text("MEF.Example.com")},
		{.kind = SAN_DNS, .value = span_text("*.wild.example.com")}};
	static const char *const wrong[] = {"example.com", "a.mef.example.com", "mef.example.co", "uri.example.com",
		"a.wild.example.com", "*.wild.example.com", "", ".", "CN=mef.example.com"};
	struct cert c = cert_with(&names, sans, 4);
	struct why why = {0};

	must(chain_check_host(&c, span_text("mef.example.com"), &why));
	must(chain_check_host(&c, span_text("mef.EXAMPLE.com."), &why));
	must(chain_check_host(&c, span_text("other.example.com"), &why));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		refused(chain_check_host(&c, span_text(wrong[i]), &refusal), CHAIN_HOST);
}

/* RFC 9525 6.3: the common name is not looked at */
static void a_certificate_without_dns_names_covers_no_host(void **state)
{
	struct made m OWNED_MADE;
	struct cert c;
	struct why why = {0};

	made_ca(&m, KEY_P256, "mef.example.com", NULL);
	must(cert_parse(buf_span(&m.der), &c, &why));
	assert_int_equal(chain_check_host(&c, span_text("mef.example.com"), &why), ERR_FORBIDDEN);
	assert_non_null(strstr(why.text, "without any dNSName"));
}

static void a_host_of_254_octets_is_refused(void **state)
{
	struct buf names OWNED_BUF = BUF(1024), host OWNED_BUF = BUF(512);
	struct why why = {0};

	while (host.n < 253)
		buf_put_text(&host, "a");
	const struct san sans[] = {{.kind = SAN_DNS, .value = buf_span(&host)}};
	struct cert c = cert_with(&names, sans, 1);
	must(chain_check_host(&c, buf_span(&host), &why));
	buf_put_text(&host, "a");
	refused(chain_check_host(&c, buf_span(&host), &refusal), CHAIN_HOST);
}

/* RFC 9525 6.5: an address equals an iPAddress, octet by octet */
static void an_address_needs_the_same_address_in_the_certificate(void **state)
{
	static const uint8_t names[] = {0x30, 0x18, 0x87, 0x04, 192, 0, 2, 1, 0x87, 0x10, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 1};
	struct cert c = {.san = span_of(names, sizeof(names))};
	struct why why = {0};

	must(chain_check_host(&c, span_text("192.0.2.1"), &why));
	must(chain_check_host(&c, span_text("2001:db8::1"), &why));
	must(chain_check_host(&c, span_text("[2001:DB8::1]"), &why));
	refused(chain_check_host(&c, span_text("192.0.2.2"), &refusal), CHAIN_HOST);
	assert_int_equal(chain_check_host(&c, span_text("2001:db8::2"), &why), ERR_FORBIDDEN);
	assert_non_null(strstr(why.text, "the address 2001:db8::2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_chain_ends_at_its_anchor),
		cmocka_unit_test(an_anchor_need_not_sign_itself),
		cmocka_unit_test(several_anchors_stand_side_by_side),
		cmocka_unit_test(the_dates_count_as_the_clock_says),
		cmocka_unit_test(an_expired_leaf_is_named_with_its_depth),
		cmocka_unit_test(an_unknown_issuer_is_refused),
		cmocka_unit_test(a_purpose_other_than_the_use_is_refused),
		cmocka_unit_test(a_name_outside_the_constraints_of_the_ca_is_refused),
		cmocka_unit_test(a_device_cannot_sign_for_another),
		cmocka_unit_test(a_changed_bit_in_a_signature_is_refused),
		cmocka_unit_test(eight_intermediates_are_followed_and_nine_are_not),
		cmocka_unit_test(a_factory_certificate_without_key_identifiers_is_accepted),
		cmocka_unit_test(weak_keys_and_digests_are_refused),
		cmocka_unit_test(anchors_that_are_no_certificates_are_refused),
		cmocka_unit_test(a_host_is_covered_by_its_own_dns_name_only),
		cmocka_unit_test(a_certificate_without_dns_names_covers_no_host),
		cmocka_unit_test(a_host_of_254_octets_is_refused),
		cmocka_unit_test(an_address_needs_the_same_address_in_the_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
