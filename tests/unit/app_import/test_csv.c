#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/import/csv.h"
#include "base/buf.h"

enum { ARENA_MAX = 512 * 1024 };

static void parses(const char *record, size_t n, const char *const *want)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct csv_fields fields = {0};
	struct why why = {0};

	if (csv_parse(span_text(record), &arena, &fields, &why) != OK)
		fail_msg("%s: %s", record, why.text);
	assert_int_equal(fields.n, n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(fields.items[i], want[i]);
}
#define PARSES(record, ...) \
	parses(record, sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *), (const char *[]){__VA_ARGS__})

static void refuses(struct span record, enum code code)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct csv_fields fields = {0};
	struct why why = {0};

	assert_int_not_equal(csv_parse(record, &arena, &fields, &why), OK);
	assert_int_equal(why.code, code);
}

static void takes_fields_apart(void **state)
{
	/* RFC 4180 2.4: fields parted by commas */
	PARSES("a,b,c\r\n", "a", "b", "c");
	PARSES("a,b,c\n", "a", "b", "c");
	PARSES("a,b,c", "a", "b", "c");
	PARSES("a,,c\r\n", "a", "", "c");
	PARSES(",\r\n", "", "");
	PARSES("a,\r\n", "a", "");
	PARSES("", "");
	PARSES(" a , b", " a ", " b");
	PARSES("P\xc3\xbcmpe", "P\xc3\xbcmpe");
}

static void unquotes_fields(void **state)
{
	/* RFC 4180 2.5: quotes around; 2.7: a quote within is doubled */
	PARSES("\"a\",\"b\"\r\n", "a", "b");
	PARSES("\"a,b\",c", "a,b", "c");
	PARSES("\"a\r\nb\",c", "a\r\nb", "c");
	PARSES("\"say \"\"hi\"\"\",c", "say \"hi\"", "c");
	PARSES("\"\"", "");
	PARSES("\"\"\"\"", "\"");
	PARSES("\"\",\"\"", "", "");
}

static void refuses_wrong_quotes(void **state)
{
	/* RFC 4180 2.5: a quote within a field that is not quoted, text behind one, none at the end */
	refuses(span_text("a\"b,c"), CODE_IMPORT_CSV);
	refuses(span_text("\"a\"b,c"), CODE_IMPORT_CSV);
	refuses(span_text("\"a,b"), CODE_IMPORT_CSV);
	refuses(span_text("\"a\"\""), CODE_IMPORT_CSV);
	refuses(span_text("\""), CODE_IMPORT_CSV);
	refuses(span_text("a\rb,c"), CODE_IMPORT_CSV);
	refuses(span_text("a \"b\""), CODE_IMPORT_CSV);
}

static void refuses_what_is_no_text(void **state)
{
	refuses(span_of("a\0b,c", 5), CODE_IMPORT_CSV);
	refuses(span_text("a,\xff"), CODE_IMPORT_CSV);
}

static void limits_columns(void **state)
{
	OWNED_BUF struct buf record = BUF(1024);
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct csv_fields fields = {0};
	struct why why = {0};

	for (size_t i = 1; i < CSV_FIELDS_MAX; i++)
		buf_put_u8(&record, ',');
	assert_int_equal(csv_parse(buf_span(&record), &arena, &fields, &why), OK);
	assert_int_equal(fields.n, CSV_FIELDS_MAX);
	buf_put_u8(&record, ',');
	refuses(buf_span(&record), CODE_IMPORT_LIMIT);
}

static void limits_octets(void **state)
{
	OWNED_BUF struct buf record = BUF(CSV_RECORD_MAX + 1);
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct csv_fields fields = {0};
	struct why why = {0};

	for (size_t i = 0; i < CSV_RECORD_MAX; i++)
		buf_put_u8(&record, 'a');
	assert_int_equal(csv_parse(buf_span(&record), &arena, &fields, &why), OK);
	buf_put_u8(&record, 'a');
	refuses(buf_span(&record), CODE_IMPORT_LIMIT);
}

static void scans(const char *in, enum csv_end want, size_t length, size_t lines)
{
	size_t n = 0;
	size_t lines_n = 0;

	assert_int_equal(csv_scan(span_text(in), &n, &lines_n), want);
	assert_int_equal(n, length);
	assert_int_equal(lines_n, lines);
}

static void finds_where_a_record_ends(void **state)
{
	scans("a,b\nc", CSV_COMPLETE, 4, 1);
	scans("a,b\r\nc", CSV_COMPLETE, 5, 1);
	scans("\n", CSV_COMPLETE, 1, 1);
	scans("\"a\nb\",c\nd", CSV_COMPLETE, 8, 2);
	scans("\"a\"\"\nb\"\nd", CSV_COMPLETE, 8, 2);
	scans("\"\"\nb", CSV_COMPLETE, 3, 1);
	scans("a", CSV_UNFINISHED, 1, 0);
	scans("", CSV_UNFINISHED, 0, 0);
	scans("\"a\n", CSV_OPEN_QUOTE, 3, 1);
	/* a quote within a field that is not quoted opens nothing */
	scans("a\"\nb\"\n", CSV_COMPLETE, 3, 1);
	scans("a\"\"\nb", CSV_COMPLETE, 4, 1);
	scans("\"a\"x\"\nb", CSV_COMPLETE, 6, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_fields_apart),
		cmocka_unit_test(unquotes_fields),
		cmocka_unit_test(refuses_wrong_quotes),
		cmocka_unit_test(refuses_what_is_no_text),
		cmocka_unit_test(limits_columns),
		cmocka_unit_test(limits_octets),
		cmocka_unit_test(finds_where_a_record_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
