#include "pki/name_template.h"

#include "pki/name.h"
#include "pki/oid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum err read(const char *text, struct arena *arena, struct name_template *out, struct why *why)
{
	why_clear(why);
	return name_template_read(span_text(text), arena, out, why);
}

/* As operators write them, put out again by part. */
static void templates_are_read_as_they_are_written(void **state)
{
	static const char *const rows[][2] = {
		{"CN, O=Acme, OU", "CN|O=Acme|OU|"},
		{" cn ,o = Acme\\, Inc. , serialnumber", "CN|O=Acme, Inc.|serialNumber|"},
		{"C=DE, DC=example, UID=a\\\\b", "C=DE|DC=example|UID=a\\b|"},
		{"", ""},
	};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(4096);
		struct buf text OWNED_BUF = BUF(1024);
		struct name_template t;
		struct why why = {0};
		if (read(rows[i][0], &arena, &t, &why) != OK)
			fail_msg("%s: %s", rows[i][0], why.text);
		for (size_t k = 0; k < t.n; k++) {
			name_part_put(&text, &t.parts[k]);
			buf_put_text(&text, "|");
		}
		assert_string_equal(buf_text(&text), rows[i][1]);
	}
}

static void what_no_template_may_say_is_refused(void **state)
{
	static const char *const rows[] = {"X=1", "CN=", "CN,,O", "C=DEU", "serialNumber=a;b", "=x", "O=\xff"};
	char many[17 * 3 + 1] = "";
	struct arena arena OWNED_ARENA = ARENA(16384);
	struct name_template t;
	struct why why = {0};
	(void)state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (read(rows[i], &arena, &t, &why) != ERR_SYNTAX)
			fail_msg("%s", rows[i]);
	}
	for (size_t i = 0; i < NAME_PARTS_MAX + 1; i++)
		memcpy(many + 3 * i, "OU,", 4);
	many[3 * NAME_PARTS_MAX - 1] = '\0';
	assert_int_equal(read(many, &arena, &t, &why), OK);
	assert_int_equal(t.n, NAME_PARTS_MAX);
	many[3 * NAME_PARTS_MAX - 1] = ',';
	many[3 * NAME_PARTS_MAX + 2] = '\0';
	assert_int_equal(read(many, &arena, &t, &why), ERR_LIMIT);
}

/* RFC 5280 7.1: values without case; all attributes, in order, none beside */
static void names_fit_or_the_part_that_does_not_is_told(void **state)
{
	static const struct {
		const char *name;
		bool fits;
		size_t at;
	} rows[] = {
		{"CN=gw7, O=Acme, OU=yard", true, 3},
		{"CN=gw7, O=ACME, OU=yard", true, 3},
		{"CN=gw7, O=Other, OU=yard", false, 1},
		{"CN=gw7, O=Acme", false, 2},
		{"CN=gw7, O=Acme, OU=yard, OU=more", false, 3},
		{"O=Acme, CN=gw7, OU=yard", false, 0},
		{"", false, 0},
	};
	struct arena arena OWNED_ARENA = ARENA(16384);
	struct name_template want;
	struct why why = {0};
	(void)state;

	assert_int_equal(read("CN, O=Acme, OU", &arena, &want, &why), OK);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf der OWNED_BUF = BUF(NAME_DER_MAX);
		struct name_template name;
		size_t at = 99;
		assert_int_equal(read(rows[i].name, &arena, &name, &why), OK);
		name_template_write(&name, &der);
		assert_int_equal(name_check(buf_span(&der), &why), OK);
		if (name_template_fits(&want, buf_span(&der), &at) != rows[i].fits || at != rows[i].at)
			fail_msg("%s: %zu", rows[i].name, at);
	}
}

static void attributes_are_found_by_type(void **state)
{
	struct buf der OWNED_BUF = BUF(NAME_DER_MAX);
	struct name_part part = {.tag = 0};
	struct why why = {0};
	(void)state;

	assert_int_equal(name_write_cn("gw7", "SN-1", &der, &why), OK);
	assert_true(name_find(buf_span(&der), OID_SERIAL_NUMBER, &part));
	assert_true(span_is(part.value, "SN-1"));
	assert_false(name_find(buf_span(&der), OID("\x55\x04\x0b"), &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_are_read_as_they_are_written),
		cmocka_unit_test(what_no_template_may_say_is_refused),
		cmocka_unit_test(names_fit_or_the_part_that_does_not_is_told),
		cmocka_unit_test(attributes_are_found_by_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
