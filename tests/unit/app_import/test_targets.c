#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/import/targets.h"
#include "base/buf.h"

enum { ARENA_MAX = 64 * 1024 };

static void takes_targets(void **state)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct prefs p = {0};
	struct why why = {0};

	assert_int_equal(target_add(&p, span_text("cse1.example.com=saef,23"), &arena, &why), OK);
	assert_int_equal(target_add(&p, span_text(" host.example.com/ae/C=1 = esdata|esprim"), &arena, &why), OK);
	assert_int_equal(p.targets_n, 2);
	assert_string_equal(p.targets[0].id, "cse1.example.com");
	assert_true(suid_list_has(&p.targets[0].usages, SUID_RSPF_SAEF) && suid_list_has(&p.targets[0].usages, SUID_RSPF_ESPRIM));
	assert_string_equal(p.targets[1].id, "host.example.com/ae/C=1");
	assert_int_equal(p.targets[1].usages.n, 2);
}

static void takes_mafs(void **state)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct prefs p = {0};
	struct why why = {0};

	assert_int_equal(maf_add(&p, span_text("maf.example.com"), &arena, &why), OK);
	assert_int_equal(maf_add(&p, span_text("maf2.example.com=https://maf2.example.com:8444/x?a=b"), &arena, &why), OK);
	assert_int_equal(p.mafs_n, 2);
	assert_string_equal(p.mafs[0].uri, "https://maf.example.com");
	assert_string_equal(p.mafs[1].fqdn, "maf2.example.com");
	assert_string_equal(p.mafs[1].uri, "https://maf2.example.com:8444/x?a=b");
	assert_int_equal(p.mafs[1].credential, MAF_BY_SYMMETRIC_KEY);
}

static void refuses_what_is_neither(void **state)
{
	static const char *const targets[] = {"", "cse1", "=saef", "cse1=", "cse1=,saef", "cse1=colour", "cse1=99", "cse1=22|x"};
	static const char *const mafs[] = {"", "=https://x", "maf=", " "};
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct prefs p = {0};

	for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
		struct why why = {0};
		assert_int_equal(target_add(&p, span_text(targets[i]), &arena, &why), ERR_SYNTAX);
		assert_int_equal(why.code, CODE_TARGET_FORM);
	}
	for (size_t i = 0; i < sizeof(mafs) / sizeof(mafs[0]); i++) {
		struct why why = {0};
		assert_int_equal(maf_add(&p, span_text(mafs[i]), &arena, &why), ERR_SYNTAX);
	}
	assert_int_equal(p.targets_n + p.mafs_n, 0);
}

static void holds_so_many(void **state)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct prefs p = {0};
	struct why why = {0};

	for (size_t i = 0; i < PREFS_TARGETS_MAX; i++)
		assert_int_equal(target_add(&p, span_text("c=saef"), &arena, &why), OK);
	assert_int_equal(target_add(&p, span_text("c=saef"), &arena, &why), ERR_LIMIT);
	for (size_t i = 0; i < PREFS_MAFS_MAX; i++)
		assert_int_equal(maf_add(&p, span_text("m"), &arena, &why), OK);
	why_clear(&why);
	assert_int_equal(maf_add(&p, span_text("m"), &arena, &why), ERR_LIMIT);
}

static void knows_when_a_certificate_is_wanted(void **state)
{
	enum prefs_certificate c = PREFS_CERT_OFFER;

	assert_true(prefs_certificate_parse(span_text("require"), &c));
	assert_int_equal(c, PREFS_CERT_REQUIRE);
	assert_false(prefs_certificate_parse(span_text("perhaps"), &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_targets),
		cmocka_unit_test(takes_mafs),
		cmocka_unit_test(refuses_what_is_neither),
		cmocka_unit_test(holds_so_many),
		cmocka_unit_test(knows_when_a_certificate_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
