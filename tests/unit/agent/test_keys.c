/* keys.json and the files of shared keys: written, read back, refused when wrong. */
#include "agent/keys.h"
#include "agent/shared.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KEID "000102030405060708090A0B0C0D0E0F@mef.example.com"
#define KREID "808182838485868788898A8B8C8D8E8F@mef.example.com"

static void must(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s (%s)", why->text, why->clause);
}

static void fill(struct secret *s, uint8_t from)
{
	s->n = M2M_KEY_SIZE;
	for (size_t i = 0; i < s->n; i++)
		s->bytes[i] = (uint8_t)(from + i);
}

static void make(struct agent_keys *k, size_t pairs, size_t mafs)
{
	agent_keys_init(k);
	snprintf(k->keid, sizeof(k->keid), "%s", KEID);
	snprintf(k->kreid, sizeof(k->kreid), "%s", KREID);
	fill(&k->ke, 1);
	fill(&k->kre, 101);
	k->expires_s = 1770000000;
	k->enrolee_id = "cse1.m2m.example.com";
	suid_list_add(&k->certificate_usages, 42);
	for (size_t i = 0; i < mafs; i++) {
		struct agent_maf *m = &k->mafs[k->mafs_n++];
		char name[64];
		snprintf(name, sizeof(name), "maf%zu.example.com", i);
		m->fqdn = arena_text(&k->arena, span_text(name));
		m->uri = "https://maf.example.com:8444";
		m->kmid = i ? "" : "km-1@maf0.example.com";
		m->credential = i % 2 ? MAF_BY_CERTIFICATE : MAF_BY_SYMMETRIC_KEY;
		suid_list_add(&m->usages, 32);
		suid_list_add(&m->usages, 33);
		if (m->credential == MAF_BY_SYMMETRIC_KEY)
			fill(&m->km, 200);
	}
	for (size_t i = 0; i < pairs; i++)
		k->pairs[k->pairs_n++] = (struct exchange_pair){"cse2.m2m.example.com", (uint8_t)(22 + i % 4)};
}

static void what_is_written_is_read_back(void **state)
{
	static const size_t counts[][2] = {{0, 0}, {1, 1}, {EXCHANGE_PAIRS_MAX, PREFS_MAFS_MAX}};

	for (size_t i = 0; i < 3; i++) {
		struct agent_keys k OWNED_AGENT_KEYS;
		struct agent_keys back OWNED_AGENT_KEYS;
		struct buf first __attribute__((cleanup(buf_fini_wipe))) = BUF(DOC_BYTES_MAX);
		struct buf second __attribute__((cleanup(buf_fini_wipe))) = BUF(DOC_BYTES_MAX);
		struct why why = {0};
		make(&k, counts[i][0], counts[i][1]);
		agent_keys_init(&back);
		must(agent_keys_write(&k, &first, &why), &why);
		must(agent_keys_parse(buf_span(&first), &back, &why), &why);
		must(agent_keys_write(&back, &second, &why), &why);
		assert_string_equal(buf_text(&first), buf_text(&second));
		assert_int_equal(back.pairs_n, counts[i][0]);
		assert_int_equal(back.mafs_n, counts[i][1]);
		assert_true(secret_equal(secret_span(&k.kre), secret_span(&back.kre)));
		assert_string_equal(back.keid, KEID);
		assert_true(suid_list_has(&back.certificate_usages, 42));
	}
}

static void a_maf_is_found_in_any_case(void **state)
{
	struct agent_keys k OWNED_AGENT_KEYS;

	make(&k, 0, 2);
	assert_non_null(agent_keys_maf(&k, span_text("MAF1.Example.com")));
	assert_null(agent_keys_maf(&k, span_text("maf2.example.com")));
}

/* TS-0003 10.7 */
static void keys_end_at_their_time(void **state)
{
	struct agent_keys k OWNED_AGENT_KEYS;

	make(&k, 0, 0);
	assert_false(agent_keys_expired(&k, k.expires_s - 1));
	assert_true(agent_keys_expired(&k, k.expires_s));
}

/* The file of a good set with one text replaced. */
static void expect_refused(const char *from, const char *to)
{
	struct agent_keys k OWNED_AGENT_KEYS;
	struct agent_keys back OWNED_AGENT_KEYS;
	struct buf good OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct buf bad OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct why why = {0};

	make(&k, 1, 1);
	agent_keys_init(&back);
	must(agent_keys_write(&k, &good, &why), &why);
	const char *text = buf_text(&good);
	const char *at = strstr(text, from);
	if (!at)
		fail_msg("no %s in %s", from, text);
	buf_put(&bad, text, (size_t)(at - text));
	buf_put_text(&bad, to);
	buf_put_text(&bad, at + strlen(from));
	enum err err = agent_keys_parse(buf_span(&bad), &back, &why);
	if (err != ERR_SYNTAX && err != ERR_LIMIT)
		fail_msg("%s instead of %s: %s", to, from, err_name(err));
	assert_null(strstr(why.text, "0102030405")); /* no key in a reason */
}

static void wrong_files_are_refused_and_show_no_key(void **state)
{
	static const char *const rows[][2] = {
		{KEID, "x@mef.example.com"},
		{KREID, ""},
		{"\"0102030405", "\"xx02030405"},
		{"\"0102030405", "\"02030405"},
		{"\"ke\"", "\"kf\""},
		{"\"kre\"", "\"krf\""},
		{"1770000000", "0"},
		{"1770000000", "-1"},
		{"\"expires\"", "\"expired\""},
		{"42", "99"},
		{"\"maf0.example.com\"", "\"\""},
		{"\"km\"", "\"kn\""},
		{"\"cse2.m2m.example.com\"", "\"\""},
		{"22", "0"},
		{"{", "["},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect_refused(rows[i][0], rows[i][1]);
}

static struct agent_shared shared(void)
{
	struct agent_shared s = {.keyid = KEID, .suid = 22, .peer = "cse1.m2m.example.com", .expires_s = 1770000000};

	fill(&s.key, 1);
	return s;
}

static void a_shared_key_is_read_back(void **state)
{
	struct agent_shared s = shared();
	struct agent_shared back OWNED_SHARED = {0};
	struct buf file __attribute__((cleanup(buf_fini_wipe))) = BUF(AGENT_SHARED_FILE_MAX);
	struct why why = {0};
	char name[AGENT_SHARED_NAME_SIZE];

	must(agent_shared_write(&s, &file, &why), &why);
	must(agent_shared_parse(buf_span(&file), &back, &why), &why);
	assert_memory_equal(&s.key, &back.key, sizeof(s.key));
	assert_string_equal(back.peer, s.peer);
	assert_int_equal(back.expires_s, s.expires_s);
	agent_shared_name(back.keyid, back.suid, name);
	assert_string_equal(name, KEID "-22.json");
}

static void wrong_shared_files_are_refused(void **state)
{
	static const char *const files[] = {"", "{}", "{\"keyId\":\"" KEID "\"}",
		"{\"keyId\":\"../../etc/passwd\",\"securityUsage\":22,\"key\":\"00\",\"expires\":1}",
		"{\"keyId\":\"" KEID "\",\"securityUsage\":22,\"key\":\"00\",\"peer\":\"\",\"expires\":1}",
		"{\"keyId\":\"" KEID "\",\"securityUsage\":0,\"key\":\"00\",\"peer\":\"\",\"expires\":1}"};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct agent_shared s OWNED_SHARED = {0};
		struct why why = {0};
		if (agent_shared_parse(span_text(files[i]), &s, &why) != ERR_SYNTAX)
			fail_msg("%s", files[i]);
	}
}

static void answers_with_other_lengths_or_lifetimes_are_refused(void **state)
{
	struct agent_shared s = shared();
	struct why why = {0};

	must(agent_shared_check(&s.key, 1, &why), &why);
	must(agent_shared_check(&s.key, PREFS_EXPIRY_MAX_S, &why), &why);
	assert_int_equal(agent_shared_check(&s.key, 0, &why), ERR_SYNTAX);
	assert_int_equal(agent_shared_check(&s.key, (int64_t)PREFS_EXPIRY_MAX_S + 1, &why), ERR_SYNTAX);
	s.key.n = AGENT_SHARED_KEY_MIN;
	why_clear(&why);
	must(agent_shared_check(&s.key, 1, &why), &why);
	s.key.n--;
	assert_int_equal(agent_shared_check(&s.key, 1, &why), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_maf_is_found_in_any_case),
		cmocka_unit_test(keys_end_at_their_time),
		cmocka_unit_test(wrong_files_are_refused_and_show_no_key),
		cmocka_unit_test(a_shared_key_is_read_back),
		cmocka_unit_test(wrong_shared_files_are_refused),
		cmocka_unit_test(answers_with_other_lengths_or_lifetimes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
