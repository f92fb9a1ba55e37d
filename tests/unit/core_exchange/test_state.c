#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "core/exchange/state.h"
#include "port/store.h"

static void good(enum err err, const struct why *why)
{
	if (err != OK)
		fail_msg("%s", why->text);
}

static struct state sample(void)
{
	struct state s = {.certificate = true, .maf = true, .required = true, .has_token = true, .kreid = "00@mef.example.com",
		.at = 2, .told = 1, .steps_n = 2, .targets_n = 2};

	memset(s.token, 0xab, sizeof(s.token));
	s.steps[0] = (struct step){.kind = EXCHANGE_CERTIFICATE, .outcome = STEP_DONE, .est_uri = "https://mef.example.com/x",
		.usages = {.items = {42}, .n = 1}};
	s.steps[1] = (struct step){.kind = EXCHANGE_MAF, .maf = {.fqdn = "maf.example.com", .uri = "https://maf.example.com",
		.credential = MAF_BY_CERTIFICATE, .usages = {.items = {32, 33}, .n = 2}}};
	s.targets[0] = (struct prefs_target){.id = "a.example.com", .usages = {.items = {22, 23}, .n = 2}};
	s.targets[1] = (struct prefs_target){.id = "b.example.com/\"x\"", .usages = {.items = {24}, .n = 1}};
	return s;
}

static void is_read_as_it_was_written(void **state)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct buf again OWNED_BUF = BUF(64 * 1024);
	const struct state s = sample();
	struct state back = {0};
	struct why why = {0};

	(void)state;
	good(state_write(&s, &arena, &text, &why), &why);
	good(state_parse(buf_text(&text), &arena, &back, &why), &why);
	assert_int_equal(back.at, 2);
	assert_int_equal(back.told, 1);
	assert_true(back.required && back.certificate && back.maf && back.has_token);
	assert_memory_equal(back.token, s.token, sizeof(s.token));
	assert_string_equal(back.steps[1].maf.uri, "https://maf.example.com");
	assert_int_equal(back.steps[0].outcome, STEP_DONE);
	assert_string_equal(back.targets[1].id, "b.example.com/\"x\"");
	good(state_write(&back, &arena, &again, &why), &why);
	assert_string_equal(buf_text(&again), buf_text(&text));
}

/* What does not read is a fault of the store, never the enrolee's. */
static void what_is_no_state_is_refused(void **state)
{
	static const char *const bad[] = {"", "{}", "[]", "{\"kreId\":\"x\",\"at\":2}", "{\"kreId\":\"x\",\"at\":0}", "{\"at\":1}",
		"{\"kreId\":\"x\",\"at\":1,\"told\":1}", "{\"kreId\":\"x\",\"at\":1,\"steps\":[{\"kind\":1}]}",
		"{\"kreId\":\"x\",\"at\":1,\"steps\":[{\"kind\":2,\"id\":\"m\",\"uri\":\"u\"}]}",
		"{\"kreId\":\"x\",\"at\":1,\"steps\":[{\"kind\":9}]}", "{\"kreId\":\"x\",\"at\":1,\"targets\":[{\"usages\":[22]}]}",
		"{\"kreId\":\"x\",\"at\":1,\"targets\":[{\"id\":\"a\",\"usages\":[1]}]}", "{\"kreId\":\"x\",\"at\":1,\"token\":\"AB\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct arena arena OWNED_ARENA = ARENA(256 * 1024);
		struct state s = {0};
		struct why why = {0};
		if (state_parse(bad[i], &arena, &s, &why) != ERR_SYSTEM)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(why.code, CODE_EXCHANGE_STORED);
	}
}

static void has_as_many_steps_and_targets_as_preferences_have(void **state)
{
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct state s = {.kreid = "k", .at = 1, .steps_n = STATE_STEPS_MAX, .targets_n = PREFS_TARGETS_MAX};
	struct state back = {0};
	struct why why = {0};

	(void)state;
	for (size_t i = 0; i < STATE_STEPS_MAX; i++)
		s.steps[i] = sample().steps[1];
	for (size_t i = 0; i < PREFS_TARGETS_MAX; i++)
		s.targets[i] = sample().targets[0];
	good(state_write(&s, &arena, &text, &why), &why);
	good(state_parse(buf_text(&text), &arena, &back, &why), &why);
	assert_int_equal(back.steps_n, STATE_STEPS_MAX);
	assert_int_equal(back.targets_n, PREFS_TARGETS_MAX);
}

/* As long as prefs_write lets them be: eight MAFs of the longest names, and targets for the rest. */
static void fill(struct prefs *p, char fqdn[M2M_FQDN_MAX + 1], char uri[PREFS_URI_MAX + 1], char id[M2M_ID_MAX + 1],
	char last[M2M_ID_MAX + 1])
{
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct why why = {0};

	prefs_defaults(p);
	memset(fqdn, 'm', M2M_FQDN_MAX);
	memset(uri, 'u', PREFS_URI_MAX);
	memset(id, 't', M2M_ID_MAX);
	for (; p->mafs_n < PREFS_MAFS_MAX; p->mafs_n++)
		p->mafs[p->mafs_n] = (struct prefs_maf){.fqdn = fqdn, .uri = uri, .credential = MAF_BY_CERTIFICATE,
			.usages = {.items = {32, 33, 34, 35}, .n = 4}};
	for (enum err err = OK; err == OK && p->targets_n < PREFS_TARGETS_MAX;) {
		p->targets[p->targets_n++] = (struct prefs_target){.id = id, .usages = {.items = {22, 23, 24, 25}, .n = 4}};
		buf_clear(&text);
		err = prefs_write(p, &text, &why);
	}
	assert_int_equal(why.code, CODE_PREFS_LIMIT);
	memcpy(last, id, M2M_ID_MAX);
	p->targets[p->targets_n - 1].id = last;
	for (size_t n = M2M_ID_MAX; why.kind != OK; n--) {
		assert_true(n > 0);
		last[n] = '\0';
		why_clear(&why);
		buf_clear(&text);
		(void)!prefs_write(p, &text, &why);
	}
}

/* Preferences that are taken must not make every enrolment fail. */
static void fits_in_the_store_whatever_the_preferences(void **state)
{
	static char fqdn[M2M_FQDN_MAX + 1], uri[PREFS_URI_MAX + 1], id[M2M_ID_MAX + 1], last[M2M_ID_MAX + 1], est[2 * PREFS_URI_MAX + 1], kreid[M2M_KEYID_SIZE];
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct state s = {.certificate = true, .maf = true, .required = true, .has_token = true, .kreid = kreid, .at = STATE_STEPS_MAX,
		.told = STATE_STEPS_MAX - 1, .steps_n = STATE_STEPS_MAX};
	struct prefs p = {0};
	struct why why = {0};

	(void)state;
	fill(&p, fqdn, uri, id, last);
	memset(est, 'e', sizeof(est) - 1);
	memset(kreid, 'k', sizeof(kreid) - 1);
	s.steps[0] = (struct step){.kind = EXCHANGE_CERTIFICATE, .outcome = STEP_DONE, .est_uri = est,
		.usages = {.items = {40, 41, 42, 43, 44, 45}, .n = 6}};
	for (size_t i = 0; i < p.mafs_n; i++)
		s.steps[1 + i] = (struct step){.kind = EXCHANGE_MAF, .outcome = STEP_DONE, .maf = p.mafs[i]};
	memcpy(s.targets, p.targets, sizeof(s.targets));
	s.targets_n = p.targets_n;
	good(state_write(&s, &arena, &text, &why), &why);
}

static enum err write_long(size_t extra)
{
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	static char name[STORE_KEY_INFO_MAX + 1];
	struct state s = {.kreid = "", .at = 1};
	struct why why = {0};

	good(state_write(&s, &arena, &text, &why), &why);
	size_t room = STORE_KEY_INFO_MAX - text.n + extra;
	memset(name, 'a', room);
	name[room] = '\0';
	s.kreid = name;
	buf_clear(&text);
	return state_write(&s, &arena, &text, &why);
}

static void is_no_longer_than_the_store_takes(void **state)
{
	(void)state;
	assert_int_equal(write_long(0), OK);
	assert_int_equal(write_long(1), ERR_LIMIT);
}

static void one_step_or_target_more_is_refused(void **state)
{
	struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
	struct buf text OWNED_BUF = BUF(64 * 1024);
	struct state s = {0};
	struct why why = {0};

	(void)state;
	buf_put_text(&text, "{\"kreId\":\"k\",\"at\":1,\"targets\":[");
	for (int i = 0; i <= PREFS_TARGETS_MAX; i++)
		buf_put_fmt(&text, "%s{\"id\":\"t\",\"usages\":[22]}", i ? "," : "");
	buf_put_text(&text, "]}");
	assert_int_equal(state_parse(buf_text(&text), &arena, &s, &why), ERR_SYSTEM);
	why_clear(&why);
	buf_clear(&text);
	buf_put_text(&text, "{\"kreId\":\"k\",\"at\":1,\"steps\":[");
	for (int i = 0; i <= STATE_STEPS_MAX; i++)
		buf_put_fmt(&text, "%s{\"kind\":1,\"uri\":\"u\"}", i ? "," : "");
	buf_put_text(&text, "]}");
	assert_int_equal(state_parse(buf_text(&text), &arena, &s, &why), ERR_SYSTEM);
}

/* seed 003 8.3.3.6: what has been authorised so far. */
static void grants_as_far_as_it_went(void **state)
{
	struct state s = sample();
	struct prefs granted;

	(void)state;
	s.at = 1;
	state_granted(&s, &granted);
	assert_int_equal(granted.mafs_n, 0);
	s.at = 2;
	state_granted(&s, &granted);
	assert_int_equal(granted.mafs_n, 1);
	assert_int_equal(granted.targets_n, 0);
	s.at = 3;
	s.steps[1].outcome = STEP_FAILED;
	state_granted(&s, &granted);
	assert_int_equal(granted.mafs_n, 0);
	assert_int_equal(granted.targets_n, 2);
	s.steps[1].outcome = STEP_SKIPPED;
	state_granted(&s, &granted);
	assert_int_equal(granted.mafs_n, 0);
	s.steps[1].outcome = STEP_DONE;
	state_granted(&s, &granted);
	assert_int_equal(granted.mafs_n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_state_is_refused),
		cmocka_unit_test(has_as_many_steps_and_targets_as_preferences_have),
		cmocka_unit_test(fits_in_the_store_whatever_the_preferences),
		cmocka_unit_test(is_no_longer_than_the_store_takes),
		cmocka_unit_test(one_step_or_target_more_is_refused),
		cmocka_unit_test(grants_as_far_as_it_went),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
