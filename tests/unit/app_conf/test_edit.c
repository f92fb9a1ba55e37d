#include "app/conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void expect(const char *text, const struct conf_edit *edits, size_t n, const char *want)
{
	OWNED_BUF struct buf out = BUF(4096);
	struct why why = {0};

	assert_int_equal(conf_edit(span_text(text), edits, n, &out, &why), OK);
	assert_string_equal(buf_text(&out), want);
}

static void only_the_key_of_its_section_changes(void **state)
{
	static const struct conf_edit edits[] = {{"ca", "cert", "new.pem"}};

	expect("# cert = x\n[issuer a]\ncert = 1\n[ca]\n# comment\n cert=old.pem ; why\nkey = k\n", edits, 1,
		"# cert = x\n[issuer a]\ncert = 1\n[ca]\n# comment\ncert = new.pem\nkey = k\n");
	expect("[ca]\ncert : old\n\n[mef]\ncertain = 2\n", edits, 1, "[ca]\ncert = new.pem\n\n[mef]\ncertain = 2\n");
	/* of two lines the last counts, so both change */
	expect("[ca]\ncert = 1\ncert = 2\n", edits, 1, "[ca]\ncert = new.pem\ncert = new.pem\n");
	expect("[ca]\ncert = 1", edits, 1, "[ca]\ncert = new.pem\n");
}

static void a_missing_key_and_a_missing_section_are_added(void **state)
{
	static const struct conf_edit edits[] = {{"ca", "cert", "a"}, {"ca", "key", ""}, {"mef", "tls_cert", "t"}};

	expect("[ca]\nkey = k\n", edits, 3, "[ca]\ncert = a\nkey = \n\n[mef]\ntls_cert = t\n");
	expect("", edits, 2, "\n[ca]\ncert = a\nkey = \n");
	expect("[ca]\nkey = 1\n[mef]\n[ca]\n", edits, 1, "[ca]\ncert = a\nkey = 1\n[mef]\n[ca]\n");
}

static void edits_are_bounded(void **state)
{
	struct conf_edit edits[CONF_EDITS_MAX + 1];
	OWNED_BUF struct buf out = BUF(64 * 1024);
	struct why why = {0};

	for (size_t i = 0; i < CONF_EDITS_MAX + 1; i++)
		edits[i] = (struct conf_edit){"ca", "cert", "x"};
	assert_int_equal(conf_edit(span_text("[ca]\n"), edits, CONF_EDITS_MAX, &out, &why), OK);
	assert_int_equal(conf_edit(span_text("[ca]\n"), edits, CONF_EDITS_MAX + 1, &out, &why), ERR_BUG);
}

static enum err parse(const char *ca, struct why *why)
{
	OWNED_BUF struct buf text = BUF(64 * 1024);
	struct conf *conf = calloc(1, sizeof(*conf));

	buf_put_fmt(&text, "[mef]\nfqdn = mef.example.com\n[label default]\n[profile device]\n[ca]\n%s\n", ca);
	enum err err = conf_parse("/etc/openmef/openmef.conf", buf_span(&text), conf, why);
	free(conf);
	return err;
}

/* The names stand in the addresses of CRLs. */
static void the_other_ca_of_a_rollover_has_a_key_and_a_name_of_its_own(void **state)
{
	static const struct {
		const char *ca;
		const char *want;
	} rows[] = {
		{"name = issuing", NULL},
		{"name = a/b", "letters, digits"},
		{"name = 12345678901234567890123456789012", "name"}, /* one past the limit */
		{"name = 1234567890123456789012345678901", NULL},
		{"other_cert = x", "other_key and other_name"},
		{"other_cert = x\nother_key = y", "other_key and other_name"},
		{"other_cert = x\nother_key = y\nother_name = issuing", "twice"},
		{"other_cert = x\nother_key = y\nother_name = ../x", "other_key and other_name"},
		{"other_cert = x\nother_key = y\nother_name = issuing-2", NULL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct why why = {0};
		enum err err = parse(rows[i].ca, &why);
		if ((err == OK) != !rows[i].want || (rows[i].want && !strstr(why.text, rows[i].want)))
			fail_msg("%s: %s", rows[i].ca, why.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_key_of_its_section_changes),
		cmocka_unit_test(a_missing_key_and_a_missing_section_are_added),
		cmocka_unit_test(edits_are_bounded),
		cmocka_unit_test(the_other_ca_of_a_rollover_has_a_key_and_a_name_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
