/* The configuration: what is read, what is refused and how it is told, what `init` writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "app/conf/conf.h"

#include <stdlib.h>

static struct conf conf; /* large: off the stack */

static enum err parse(const char *text, struct why *why)
{
	*why = (struct why){0};
	return conf_parse("/etc/x/openmef.conf", span_text(text), &conf, why);
}

#define LEAST "[mef]\nfqdn = mef.example.com\n[profile device]\n[label default]\n"

static void least_configuration_takes_defaults(void **state)
{
	struct why why;

	assert_int_equal(parse(LEAST, &why), OK);
	assert_string_equal(conf.fqdn, "mef.example.com");
	assert_int_equal(conf.https_n, 1);
	assert_int_equal(conf.https[0].port, 8443);
	assert_int_equal(conf.profiles.items[0].validity_s, 90 * 86400);
	assert_int_equal(conf.labels.items[0].challenge, CHALLENGE_ACCEPTED);
}

static void relative_paths_start_where_the_file_lies(void **state)
{
	struct why why;

	assert_int_equal(parse(LEAST "[ca]\nkey = /abs/key.pem\n", &why), OK);
	assert_string_equal(conf.ca_cert, "/etc/x/ca/issuing.cert.pem");
	assert_string_equal(conf.ca_key, "/abs/key.pem");
	assert_string_equal(conf.store, "sqlite:/etc/x/openmef.db");
	assert_string_equal(conf.master_key, "file:/etc/x/secret/master.key");
}

static void credential_is_no_path(void **state)
{
	struct why why;

	assert_int_equal(parse(LEAST "[keys]\nmaster = credential:openmef\n", &why), OK);
	assert_string_equal(conf.master_key, "credential:openmef");
}

static void assert_refused(const char *text, const char *part)
{
	struct why why;

	assert_int_equal(parse(text, &why), ERR_SYNTAX);
	if (!strstr(why.text, part))
		fail_msg("'%s' lacks '%s'", why.text, part);
}

static void faults_are_told_with_file_line_want_and_have(void **state)
{
	assert_refused(LEAST "[mef]\ncolour = red\n", "openmef.conf:6: [mef] has no key 'colour'");
	assert_refused(LEAST "[garden]\nx = y\n", "openmef.conf:5: [garden] is no section");
	assert_refused(LEAST "[ca]\ncrl_lifetime = soon\n", "openmef.conf:6: [ca] crl_lifetime: ");
	assert_refused("[mef]\nfqdn = a\nhttps = 127.0.0.1\n", "want 127.0.0.1:8443");
	assert_refused("[mef]\nfqdn = a\nhttps =\n", "at least one");
	assert_refused("[mef\n", "openmef.conf:1: want [section]");
	assert_refused("[profile device]\n[label default]\n", "fqdn");
	assert_refused("[mef]\nfqdn = a\n", "[label default]");
	assert_refused("[mef]\nfqdn = a\n[label default]\nprofile = x\n", "[profile x]");
	assert_refused(LEAST "[ca]\ncrl_overlap = 8d\n", "crl_overlap");
	assert_refused(LEAST "[profile]\nvalidity = 1d\n", "[profile] is no section");
	assert_refused(LEAST "[profile device]\nkeys = P-257\n", "P-257");
	assert_refused(LEAST "[profile device]\nekus = 1.2.x\n", "1.2.x");
	assert_refused(LEAST "[profile device]\nsuid_ekus = maybe\n", "yes or no");
	assert_refused(LEAST "[label default]\nchallenge = perhaps\n", "perhaps");
	assert_refused(LEAST "[label default]\nattrs = both\nask_subject = CN, X=1\n", "ask_subject: attribute: want CN");
	assert_refused(LEAST "[label default]\nask_subject = CN\n", "ask_subject wants attrs = template or both");
}

static void numbers_are_checked_one_past_their_bounds(void **state)
{
	struct why why;

	assert_int_equal(parse(LEAST "[mef]\nfronts = 64\n", &why), OK);
	assert_refused(LEAST "[mef]\nfronts = 65\n", "0 to 64");
	assert_int_equal(parse(LEAST "[mef]\nbody_max = 65536\n", &why), OK);
	assert_refused(LEAST "[mef]\nbody_max = 65537\n", "1024 to 65536");
	assert_int_equal(parse(LEAST "[mef]\nhandshake_timeout = 600s\n", &why), OK);
	assert_refused(LEAST "[mef]\nhandshake_timeout = 601s\n", "600");
}

static void too_many_sections_and_items_are_refused(void **state)
{
	OWNED_BUF struct buf text = BUF(64 * 1024);
	struct why why;

	buf_put_text(&text, LEAST);
	for (int i = 1; i < LABELS_MAX; i++)
		buf_put_fmt(&text, "[label l%d]\nprofile = device\n", i);
	assert_int_equal(parse(buf_text(&text), &why), OK);
	assert_int_equal(conf.labels.n, LABELS_MAX);
	buf_put_text(&text, "[label one-more]\nprofile = device\n");
	assert_refused(buf_text(&text), "one too many");
	assert_refused("[mef]\nfqdn = a\nhttps = 1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5,1.1.1.1:6,1.1.1.1:7,"
		       "1.1.1.1:8,1.1.1.1:9\n",
		"at most 8");
}

static void long_lines_are_read_whole(void **state)
{
	OWNED_BUF struct buf text = BUF(64 * 1024);
	struct why why;

	buf_put_text(&text, LEAST "[profile device]\nsuffixes = ");
	for (int i = 0; i < 8; i++)
		buf_put_fmt(&text, "%s%0*d.example.com", i ? ", " : "", 100, i);
	buf_put_text(&text, "\n");
	assert_int_equal(parse(buf_text(&text), &why), OK);
	assert_int_equal(conf.profiles.items[0].suffixes_n, 8);
	assert_int_equal(strlen(conf.profiles.items[0].suffixes[7]), 112);
}

static void what_init_writes_reads_back_the_same(void **state)
{
	static const char *const presets[] = {"iot", "it"};

	for (size_t i = 0; i < 2; i++) {
		OWNED_BUF struct buf first = BUF(256 * 1024);
		struct conf *made = calloc(1, sizeof(*made));
		struct why why = {0};
		conf_defaults(made);
		snprintf(made->fqdn, sizeof(made->fqdn), "mef.example.com");
		assert_int_equal(conf_preset(made, presets[i], &why), OK);
		conf_write(made, &first);
		assert_false(first.bad);
		assert_int_equal(conf_parse("openmef.conf", buf_span(&first), &conf, &why), OK);
		assert_memory_equal(&conf.profiles, &made->profiles, sizeof(conf.profiles));
		assert_memory_equal(&conf.labels, &made->labels, sizeof(conf.labels));
		assert_memory_equal(conf.https, made->https, sizeof(conf.https));
		assert_int_equal(conf.crl_lifetime_s, made->crl_lifetime_s);
		free(made);
	}
}

static void every_key_is_commented_and_written(void **state)
{
	OWNED_BUF struct buf text = BUF(256 * 1024);
	struct conf *made = calloc(1, sizeof(*made));
	struct conf_row row;
	struct why why = {0};

	conf_defaults(made);
	assert_int_equal(conf_preset(made, "iot", &why), OK);
	conf_write(made, &text);
	conf_defaults_maf(made);
	conf_write(made, &text);
	for (size_t i = 0; conf_row_at(i, &row); i++) {
		char line[128];
		assert_true(strlen(row.comment) > 10);
		snprintf(line, sizeof(line), strcmp(row.section, "issuer") == 0 ? "\n# %s = " : "\n%s = ", row.name);
		assert_non_null(strstr(buf_text(&text), line));
	}
	free(made);
}

static void iot_keeps_to_p256_and_asks_for_the_challenge(void **state)
{
	struct conf *made = calloc(1, sizeof(*made));
	struct why why = {0};

	/* TS-0003 10.1.1.1: P-256 throughout */
	assert_int_equal(conf_preset(made, "iot", &why), OK);
	assert_int_equal(made->profiles.items[0].keys_n, 1);
	assert_int_equal(made->profiles.items[0].keys[0], KEY_P256);
	assert_int_equal(made->labels.items[1].challenge, CHALLENGE_REQUIRED);
	assert_true(made->labels.items[1].bind_tls);
	assert_int_equal(conf_preset(made, "toys", &why), ERR_SYNTAX);
	free(made);
}

/* RFC 7030 4.5.2: what csrattrs has to say */
static void the_only_kind_of_key_of_a_profile_is_known(void **state)
{
	struct why why;

	assert_int_equal(parse("[mef]\nfqdn = a.b\n[profile device]\nkeys = P-384\n[label default]\n", &why), OK);
	assert_int_equal(conf.labels.items[0].only_key, KEY_P384);
	assert_int_equal(parse("[mef]\nfqdn = a.b\n[profile device]\nkeys = P-384, P-256\n[label default]\n", &why), OK);
	assert_int_equal(conf.labels.items[0].only_key, KEY_NONE);
}

/* Off by default, and never beside what needs the TLS session. */
static void proxies_are_named_before_they_count(void **state)
{
	static const char *const labels[] = {"proxied = yes\nbind_tls = yes\n", "proxied = yes\nlinking = required\n"};
	char text[256];
	struct why why;

	assert_int_equal(parse(LEAST, &why), OK);
	assert_int_equal(conf.behind_proxy_n + conf.proxy_from.n, 0);
	assert_int_equal(conf.proxy_protocol, PROXY_OFF);
	assert_false(conf.labels.items[0].proxied);
	assert_int_equal(parse("[mef]\nfqdn = a.b\nproxy_from = 192.0.2.0/24, ::1\nbehind_proxy = 127.0.0.1:9000, [::1]:9000\n"
		"proxy_protocol = v2\n[profile device]\n[label default]\nproxied = yes\n", &why), OK);
	assert_int_equal(conf.proxy_from.n, 2);
	assert_int_equal(conf.behind_proxy_n, 2);
	assert_refused("[mef]\nfqdn = a.b\nbehind_proxy = 127.0.0.1:9000\n[profile device]\n[label default]\n", "proxy_from");
	assert_refused("[mef]\nfqdn = a.b\nproxy_protocol = v2\n[profile device]\n[label default]\n", "proxy_from");
	assert_refused("[mef]\nfqdn = a.b\nproxy_from = 0.0.0.0/0\n[profile device]\n[label default]\n", "bits");
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), LEAST "%s", labels[i]);
		assert_refused(text, "proxied");
	}
}

static void proxies_are_bounded(void **state)
{
	static const char rest[] = "\n[profile device]\n[label default]\n";
	struct buf OWNED_BUF text = BUF(1024);
	struct why why;

	buf_put_text(&text, "[mef]\nfqdn = a.b\nproxy_from =");
	for (size_t i = 0; i < CONF_NETWORKS_MAX; i++)
		buf_put_text(&text, " 192.0.2.1");
	size_t n = text.n;
	buf_put_text(&text, rest);
	assert_int_equal(parse(buf_text(&text), &why), OK);
	text.n = n;
	buf_put_text(&text, " 192.0.2.2");
	buf_put_text(&text, rest);
	assert_refused(buf_text(&text), "at most 16");
}

static void names_that_go_into_certificates_are_checked(void **state)
{
	struct why why;

	assert_refused("[mef]\nfqdn = mef example\n[profile device]\n[label default]\n", "domain name");
	assert_refused(LEAST "[mef]\npublic_http = https://mef.example.com\n", "http://HOST");
	assert_refused(LEAST "[mef]\npublic_http = http://mef.example.com/\n", "final '/'");
	assert_refused(LEAST "[mef]\npublic_http = http://mef example.com\n", "http://HOST");
	assert_refused(LEAST "[mef]\npublic_http = http://\n", "http://HOST");
	assert_int_equal(parse(LEAST "[mef]\npublic_http = http://mef.example.com:8080/pki\n", &why), OK);
	assert_int_equal(parse(LEAST "[mef]\npublic_http =\n", &why), OK);
}

#define LEAST_MAF "[serve]\nrole = maf\n[maf]\nfqdn = maf.example.com\n"
#define TWO_MEFS "mef = mef.example.com=https://mef.example.com:8443, b.example.org=https://b.example.org\n"

static void a_maf_needs_its_own_section_and_no_more(void **state)
{
	struct why why;

	assert_int_equal(parse(LEAST_MAF TWO_MEFS "connect = MEF.example.com=127.0.0.1:1\n", &why), OK);
	assert_int_equal(conf.role, CONF_ROLE_MAF);
	assert_string_equal(conf.fqdn, "maf.example.com");
	assert_int_equal(conf.https[0].port, 8444);
	assert_int_equal(conf.http_n, 0);
	assert_string_equal(conf.tls_cert, "/etc/x/tls/maf.cert.pem");
	assert_string_equal(conf.ca_cert, "/etc/x/anchors/clients.pem");
	assert_string_equal(conf.mef_anchors, "/etc/x/anchors/mef.pem");
	assert_string_equal(conf.ca_chain, "");
	assert_string_equal(conf.device_anchors, "");
	assert_string_equal(conf_pair_find(&conf.mefs, "B.example.org"), "https://b.example.org");
	assert_string_equal(conf_pair_find(&conf.connects, "mef.example.com"), "127.0.0.1:1");
	assert_null(conf_pair_find(&conf.connects, "b.example.org"));
	/* the order of the sections does not count */
	assert_int_equal(parse("[maf]\nfqdn = maf.example.com\n[serve]\nrole = maf\n", &why), OK);
}

static void each_role_refuses_the_section_of_the_other(void **state)
{
	assert_refused(LEAST "[maf]\nfqdn = maf.example.com\n", "[maf]: want no such section");
	assert_refused(LEAST_MAF "[mef]\nfqdn = mef.example.com\n", "[mef]: want no such section");
	assert_refused("[serve]\nrole = maf\n", "[maf] fqdn");
	assert_refused("[serve]\nrole = bsf\n", "want mef or maf");
}

static void mefs_of_a_maf_are_checked(void **state)
{
	OWNED_BUF struct buf text = BUF(16 * 1024);
	struct why why;

	assert_refused(LEAST_MAF "mef = mef.example.com\n", "want FQDN=VALUE");
	assert_refused(LEAST_MAF "mef = mef.example.com=http://mef.example.com\n", "https://mef.example.com[:PORT]");
	assert_refused(LEAST_MAF "mef = mef.example.com=https://other.example.com\n", "https://mef.example.com[:PORT]");
	assert_refused(LEAST_MAF "mef = mef.example.com=https://mef.example.com:0\n", "https://mef.example.com[:PORT]");
	assert_refused(LEAST_MAF "mef = mef.example.com=https://mef.example.com/x\n", "https://mef.example.com[:PORT]");
	assert_refused(LEAST_MAF "mef = a.b=https://a.b, A.b=https://a.b\n", "once");
	assert_refused(LEAST_MAF "connect = mef.example.com=127.0.0.1:1\n", "not among those");
	assert_refused(LEAST_MAF TWO_MEFS "connect = mef.example.com=127.0.0.1\n", "HOST:PORT");
	buf_put_text(&text, LEAST_MAF "mef = a0=https://a0");
	for (int i = 1; i < CONF_MEFS_MAX; i++)
		buf_put_fmt(&text, ",a%d=https://a%d", i, i);
	assert_int_equal(parse(buf_text(&text), &why), OK);
	assert_int_equal(conf.mefs.n, CONF_MEFS_MAX);
	buf_put_text(&text, ",b=https://b");
	assert_refused(buf_text(&text), "at most 16");
}

static void what_maf_new_writes_reads_back_the_same(void **state)
{
	OWNED_BUF struct buf text = BUF(64 * 1024);
	OWNED_BUF struct buf again = BUF(64 * 1024);
	struct why why;

	assert_int_equal(parse(LEAST_MAF TWO_MEFS "connect = mef.example.com=127.0.0.1:1\n", &why), OK);
	conf_write(&conf, &text);
	assert_null(strstr(buf_text(&text), "\n[ca]\n"));
	assert_int_equal(conf_parse("/etc/x/openmef.conf", buf_span(&text), &conf, &why), OK);
	conf_write(&conf, &again);
	assert_string_equal(buf_text(&text), buf_text(&again));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(least_configuration_takes_defaults),
		cmocka_unit_test(relative_paths_start_where_the_file_lies),
		cmocka_unit_test(credential_is_no_path),
		cmocka_unit_test(faults_are_told_with_file_line_want_and_have),
		cmocka_unit_test(numbers_are_checked_one_past_their_bounds),
		cmocka_unit_test(too_many_sections_and_items_are_refused),
		cmocka_unit_test(long_lines_are_read_whole),
		cmocka_unit_test(what_init_writes_reads_back_the_same),
		cmocka_unit_test(every_key_is_commented_and_written),
		cmocka_unit_test(iot_keeps_to_p256_and_asks_for_the_challenge),
		cmocka_unit_test(the_only_kind_of_key_of_a_profile_is_known),
		cmocka_unit_test(names_that_go_into_certificates_are_checked),
		cmocka_unit_test(proxies_are_named_before_they_count),
		cmocka_unit_test(proxies_are_bounded),
		cmocka_unit_test(a_maf_needs_its_own_section_and_no_more),
		cmocka_unit_test(each_role_refuses_the_section_of_the_other),
		cmocka_unit_test(mefs_of_a_maf_are_checked),
		cmocka_unit_test(what_maf_new_writes_reads_back_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
