#include "net/log.h"

#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error is a pipe while a line is written. */
static char line[2 * LOG_LINE_MAX];
static int saved = -1, pipes[2];

static void capture(void)
{
	assert_int_equal(pipe(pipes), 0);
	saved = dup(STDERR_FILENO);
	dup2(pipes[1], STDERR_FILENO);
}

static size_t release(void)
{
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(pipes[1]);
	ssize_t n = read(pipes[0], line, sizeof(line) - 1);
	close(pipes[0]);
	line[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

static json_t *parsed(void)
{
	json_error_t error;
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, &error);

	if (!object)
		fail_msg("not JSON: %s: %s", error.text, line);
	return object;
}

static const char *field(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static void a_json_line_holds_its_fields(void **state)
{
	log_open(LOG_JSON, LOG_INFO_, "front-0");
	capture();
	log_event(LOG_WARN_, "started", "fqdn", "mef.example.com", "none", (const char *)NULL, NULL);
	size_t n = release();
	json_t *o = parsed();

	assert_int_equal(line[n - 1], '\n');
	assert_string_equal(field(o, "level"), "warn");
	assert_string_equal(field(o, "role"), "front-0");
	assert_string_equal(field(o, "event"), "started");
	assert_string_equal(field(o, "fqdn"), "mef.example.com");
	assert_string_equal(field(o, "none"), "");
	const char *time = field(o, "time");
	assert_int_equal(strlen(time), strlen("2026-01-31T12:00:00.123Z"));
	assert_int_equal(time[19], '.');
	assert_int_equal(time[23], 'Z');
	json_decref(o);
}

static void every_byte_a_peer_may_send_keeps_the_line_valid(void **state)
{
	char all[256];

	for (int i = 0; i < 255; i++)
		all[i] = (char)(i + 1);
	all[255] = '\0';
	log_open(LOG_JSON, LOG_INFO_, "x");
	capture();
	log_event(LOG_INFO_, "e", "a", all, "b", "h\xc3\xa9 \xf0\x9f\x98\x80", "c", "cut \xe2\x82", NULL);
	size_t n = release();
	json_t *o = parsed();

	assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
	assert_string_equal(field(o, "b"), "h\xc3\xa9 \xf0\x9f\x98\x80");
	assert_string_equal(field(o, "c"), "cut \xef\xbf\xbd\xef\xbf\xbd");
	assert_memory_equal(field(o, "a"), all, 0x7e);
	json_decref(o);
}

static void a_text_line_quotes_what_could_mislead(void **state)
{
	log_open(LOG_TEXT, LOG_INFO_, "registrar");
	capture();
	log_event(LOG_INFO_, "e", "plain", "a-b", "odd", "a b\n\"=", "empty", "", NULL);
	size_t n = release();

	assert_non_null(strstr(line, " info registrar e plain=a-b odd=\"a b\\u000a\\\"=\" empty=\"\"\n"));
	assert_ptr_equal(memchr(line, '\n', n), line + n - 1);
}

static void a_line_too_long_is_cut_and_still_reads(void **state)
{
	static char big[3 * LOG_LINE_MAX];

	for (int form = LOG_TEXT; form <= LOG_JSON; form++) {
		/* Every remainder, and escapes of six bytes at the edge. */
		for (size_t n = LOG_LINE_MAX - 200; n < LOG_LINE_MAX + 20; n++) {
			memset(big, n % 3 ? 'x' : '\x01', n);
			big[n] = '\0';
			log_open((enum log_form)form, LOG_INFO_, "x");
			capture();
			log_event(LOG_INFO_, "e", "a", big, "b", "after", NULL);
			size_t got = release();
			assert_in_range(got, 1, LOG_LINE_MAX);
			assert_int_equal(line[got - 1], '\n');
			if (form == LOG_JSON)
				json_decref(parsed());
		}
	}
}

static void lines_below_the_level_are_not_written(void **state)
{
	log_open(LOG_TEXT, LOG_WARN_, "x");
	capture();
	log_event(LOG_INFO_, "quiet", NULL);
	log_event(LOG_WARN_, "loud", NULL);
	release();
	assert_null(strstr(line, "quiet"));
	assert_non_null(strstr(line, "loud"));
}

static void a_reader_that_does_not_keep_up_never_blocks_us_and_learns_the_count(void **state)
{
	static char rest[1024 * 1024];

	log_open(LOG_TEXT, LOG_INFO_, "x");
	capture();
	for (int i = 0; i < 2000; i++)
		log_event(LOG_INFO_, "flood", "text", "0123456789012345678901234567890123456789", NULL);
	assert_true(read(pipes[0], rest, sizeof(rest)) > 0);
	log_event(LOG_INFO_, "later", NULL);
	release();
	assert_non_null(strstr(line, "later lines_lost="));
}

static void a_reason_is_told_with_code_clause_and_advice(void **state)
{
	struct why why = {0};

	(void)!WHY(&why, IPC_FRAME, "RFC 7030 4.2.1", "frame: want A, have B");
	log_open(LOG_JSON, LOG_INFO_, "x");
	capture();
	log_why(LOG_ERROR_, "channel", &why);
	release();
	json_t *o = parsed();
	assert_string_equal(field(o, "code"), "OMEF-1701");
	assert_string_equal(field(o, "reason"), "frame: want A, have B");
	assert_string_equal(field(o, "clause"), "RFC 7030 4.2.1");
	assert_string_equal(field(o, "kind"), "SYNTAX");
	assert_null(strchr(field(o, "place"), '/'));
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_json_line_holds_its_fields),
		cmocka_unit_test(every_byte_a_peer_may_send_keeps_the_line_valid),
		cmocka_unit_test(a_text_line_quotes_what_could_mislead),
		cmocka_unit_test(a_line_too_long_is_cut_and_still_reads),
		cmocka_unit_test(lines_below_the_level_are_not_written),
		cmocka_unit_test(a_reader_that_does_not_keep_up_never_blocks_us_and_learns_the_count),
		cmocka_unit_test(a_reason_is_told_with_code_clause_and_advice),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
