/* RFC 4210 4.4: around a rollover one CA has several certificates; every way to an anchor must be found. */
#include "unit/pki/made.h"

#include "pki/chain.h"
#include "pki/oid.h"

#define good(expr) \
	do { \
		if ((expr) != OK) \
			fail_msg("%s: %s", #expr, refusal.text); \
	} while (0)

/* Three roots of one name, one after the other, and their certificates by each other. */
struct line {
	struct made root[3];
	struct made issuing[3];
	struct made up[2];   /* root i+1 by root i: NewWithOld */
	struct made down[2]; /* root i by root i+1: OldWithNew */
	struct made leaf[3];
};

static void cross(struct made *out, const struct made *of, const struct made *by)
{
	struct cert_plan plan = made_plan(out, KEY_P256, "MEF Root");

	plan.spki = buf_span(&of->spki);
	plan.is_ca = true;
	plan.path_len = 1;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	made_sign(out, &plan, by);
}

static void line_init(struct line *l)
{
	*l = (struct line){0};
	for (size_t i = 0; i < 3; i++) {
		struct cert_plan plan;
		made_ca(&l->root[i], KEY_P256, "MEF Root", NULL);
		made_ca(&l->issuing[i], KEY_P256, i == 0 ? "Issuing 0" : i == 1 ? "Issuing 1" : "Issuing 2", &l->root[i]);
		plan = made_plan(&l->leaf[i], KEY_P256, "mef");
		plan.key_usage = KU_DIGITAL_SIGNATURE;
		made_sign(&l->leaf[i], &plan, &l->issuing[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		cross(&l->up[i], &l->root[i + 1], &l->root[i]);
		cross(&l->down[i], &l->root[i], &l->root[i + 1]);
	}
}

static void line_fini(struct line *l)
{
	for (size_t i = 0; i < 3; i++) {
		made_fini(&l->root[i]);
		made_fini(&l->issuing[i]);
		made_fini(&l->leaf[i]);
	}
	for (size_t i = 0; i < 2; i++) {
		made_fini(&l->up[i]);
		made_fini(&l->down[i]);
	}
}

static enum err check(const struct made *anchor, const struct made *leaf, const struct made *const *above, size_t n)
{
	struct anchors *anchors OWNED_ANCHORS = NULL;
	struct buf pem OWNED_BUF = BUF(16 * 1024);
	struct span ders[CHAIN_MAX];
	uint8_t found[32];

	refusal = (struct why){0};
	good(cert_write_pem(buf_span(&anchor->der), &pem, &refusal));
	good(anchors_parse_pem(buf_span(&pem), &anchors, &refusal));
	for (size_t i = 0; i < n; i++)
		ders[i] = buf_span(&above[i]->der);
	return chain_check(anchors, buf_span(&leaf->der), ders, n, CHAIN_ANY, made_now_s, found, &refusal);
}

static void each_root_leads_to_the_other_ca(void **state)
{
	struct line l __attribute__((cleanup(line_fini)));

	line_init(&l);
	const struct made *old[] = {&l.issuing[0], &l.down[0]};
	const struct made *fresh[] = {&l.issuing[1], &l.up[0]};
	good(check(&l.root[0], &l.leaf[0], old, 2));
	good(check(&l.root[1], &l.leaf[0], old, 2));
	good(check(&l.root[0], &l.leaf[1], fresh, 2));
	good(check(&l.root[1], &l.leaf[1], fresh, 2));
	refused(check(&l.root[1], &l.leaf[0], old, 1), CHAIN_UNKNOWN_ISSUER);
	refused(check(&l.root[0], &l.leaf[1], fresh, 1), CHAIN_UNKNOWN_ISSUER);
	refused(check(&l.root[2], &l.leaf[1], fresh, 2), CHAIN_UNKNOWN_ISSUER);
}

/* The middle root has a certificate by each of its neighbours, and only one of them leads on. */
static void of_twins_the_one_that_leads_to_the_anchor_is_found(void **state)
{
	struct line l __attribute__((cleanup(line_fini)));

	line_init(&l);
	const struct made *one[] = {&l.issuing[1], &l.down[1], &l.up[0]};
	const struct made *other[] = {&l.issuing[1], &l.up[0], &l.down[1]};
	for (size_t i = 0; i < 3; i++) {
		good(check(&l.root[i], &l.leaf[1], one, 3));
		good(check(&l.root[i], &l.leaf[1], other, 3));
	}
	const struct made *all[] = {&l.issuing[2], &l.down[1], &l.down[0], &l.up[1], &l.up[0]};
	for (size_t i = 0; i < 3; i++)
		good(check(&l.root[i], &l.leaf[2], all, 5));
}

/* The extension is found by its identifier, and nothing where it is not. */
static void an_extension_is_found(void **state)
{
	struct line l __attribute__((cleanup(line_fini)));
	struct cert c = {0};
	struct why why = {0};

	line_init(&l);
	must(cert_parse(buf_span(&l.up[0].der), &c, &why));
	struct span skid = cert_extension(&c, OID_CE_SUBJECT_KEY_ID);
	assert_int_equal(skid.n, 2 + c.skid.n);
	assert_memory_equal(skid.p + 2, c.skid.p, c.skid.n);
	assert_int_equal(cert_extension(&c, OID_CE_NAME_CONSTRAINTS).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_root_leads_to_the_other_ca),
		cmocka_unit_test(of_twins_the_one_that_leads_to_the_anchor_is_found),
		cmocka_unit_test(an_extension_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
