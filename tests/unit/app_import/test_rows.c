#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "app/import/rows.h"

/* A text that comes in pieces. */
struct pieces {
	struct span rest;
	size_t step;
};

static enum err read_piece(void *self, uint8_t *out, size_t n, size_t *n_out, struct why *why)
{
	struct pieces *p = self;
	struct span piece = span_first(p->rest, p->step < n ? p->step : n);

	if (piece.n)
		memcpy(out, piece.p, piece.n);
	p->rest = span_from(p->rest, piece.n);
	*n_out = piece.n;
	return OK;
}

struct reading {
	struct pieces pieces;
	struct import_rows rows;
	struct arena arena;
	struct row row;
	struct why why;
};

static enum err begin(struct reading *r, enum rows_form form, struct span text, size_t step)
{
	struct rows_input input = {&r->pieces, read_piece};

	r->pieces = (struct pieces){text, step};
	r->arena = ARENA(ROW_ARENA_MAX);
	return import_rows_begin(&r->rows, form, &input, &r->why);
}

static enum rows_next next(struct reading *r)
{
	arena_fini(&r->arena);
	r->why = (struct why){0};
	return import_rows_next(&r->rows, &r->arena, &r->row, &r->why);
}

static void end(struct reading *r)
{
	arena_fini(&r->arena);
	import_rows_fini(&r->rows);
}

static void reads_csv_however_it_comes(void **state)
{
	static const char text[] = "\xEF\xBB\xBFid,type,ENTITY,credential,label\r\n"
		"one,node,urn:x:1,serial=1;key=sha-256;AbC;fqdn=a.example,\"Pump\r\nroom\"\r\n"
		"\r\n"
		"two,cse,gw.example,device=1.2;1.3:AA; uri=urn:y ,\n"
		"three,ae";
	for (size_t step = 1; step < 64; step++) {
		struct reading r = {0};
		assert_int_equal(begin(&r, ROWS_CSV, span_text(text), step), OK);
		assert_int_equal(next(&r), ROWS_ROW);
		assert_int_equal(r.row.line, 2);
		assert_string_equal(r.row.texts[ROW_ID], "one");
		assert_string_equal(r.row.texts[ROW_ENTITY], "urn:x:1");
		assert_string_equal(r.row.texts[ROW_LABEL], "Pump\r\nroom");
		assert_string_equal(r.row.texts[ROW_PSK], "");
		assert_int_equal(r.row.lists_n[ROW_CREDENTIALS], 3);
		assert_string_equal(r.row.lists[ROW_CREDENTIALS][1], "key=sha-256;AbC");
		assert_int_equal(next(&r), ROWS_ROW);
		assert_int_equal(r.row.line, 5);
		assert_int_equal(r.row.lists_n[ROW_CREDENTIALS], 2);
		assert_string_equal(r.row.lists[ROW_CREDENTIALS][0], "device=1.2;1.3:AA");
		assert_string_equal(r.row.lists[ROW_CREDENTIALS][1], "uri=urn:y");
		assert_int_equal(next(&r), ROWS_BAD);
		assert_string_equal(r.row.texts[ROW_ID], "three");
		assert_int_equal(r.why.code, CODE_IMPORT_CSV);
		assert_int_equal(next(&r), ROWS_END);
		assert_int_equal(next(&r), ROWS_END);
		end(&r);
	}
}

static void a_bad_row_costs_itself_only(void **state)
{
	struct reading r = {0};

	assert_int_equal(begin(&r, ROWS_CSV, span_text("id,type,entity\na,\"b\"x,c\na\"b,c,d\none,two\nok,node,urn:x:1\n"), 7), OK);
	for (uint64_t line = 2; line < 5; line++) {
		assert_int_equal(next(&r), ROWS_BAD);
		assert_int_equal(r.row.line, line);
	}
	assert_int_equal(next(&r), ROWS_ROW);
	assert_string_equal(r.row.texts[ROW_ID], "ok");
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
}

static void an_open_quote_ends_the_reading(void **state)
{
	static const char *const texts[] = {"id,type,entity\n\"a,node,urn:x:1\nb,node,urn:x:2\n", "id,type,entity\n\""};

	for (size_t i = 0; i < 2; i++) {
		struct reading r = {0};
		assert_int_equal(begin(&r, ROWS_CSV, span_text(texts[i]), 5), OK);
		assert_int_equal(next(&r), ROWS_FAILED);
		assert_int_equal(r.why.code, CODE_IMPORT_LOST);
		end(&r);
	}
}

/* A field of n octets behind a good row, quoted or not; then another row. */
static void put_long(struct buf *b, const char *head, size_t n, const char *tail)
{
	buf_put_text(b, head);
	while (n--)
		buf_put_u8(b, 'x');
	buf_put_text(b, tail);
}

static void limits_a_row(void **state)
{
	static const struct {
		enum rows_form form;
		const char *head, *tail;
		size_t more; /* than fit */
		enum rows_next want, then;
	} cases[] = {
		{ROWS_CSV, "a,", ",urn:x\n", 0, ROWS_ROW, ROWS_END},
		{ROWS_CSV, "a,", ",urn:x\n", 1, ROWS_FAILED, 0},
		/* what stands in a quoted field is no row, however long the field */
		{ROWS_CSV, "a,\"\nevil,node,urn:x:1\n", "\",urn:x\n", 1, ROWS_FAILED, 0},
		{ROWS_JSONL, "{\"id\":\"a\",\"label\":\"", "\"}\n", 1, ROWS_BAD, ROWS_END},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		OWNED_BUF struct buf b = BUF(4 * CSV_RECORD_MAX);
		struct reading r = {0};
		size_t rest = strlen(cases[i].head) + strlen(cases[i].tail);
		if (cases[i].form == ROWS_CSV)
			buf_put_text(&b, "id,type,entity\n");
		put_long(&b, cases[i].head, CSV_RECORD_MAX - rest + cases[i].more, cases[i].tail);
		assert_int_equal(begin(&r, cases[i].form, buf_span(&b), 1000), OK);
		assert_int_equal(next(&r), cases[i].want);
		if (cases[i].then)
			assert_int_equal(next(&r), cases[i].then);
		end(&r);
	}
}

static void a_long_line_of_json_is_passed_over(void **state)
{
	OWNED_BUF struct buf b = BUF(8 * CSV_RECORD_MAX);
	struct reading r = {0};

	put_long(&b, "{\"id\":\"", 3 * CSV_RECORD_MAX, "\"}\n{\"id\":\"ok\"}\n");
	assert_int_equal(begin(&r, ROWS_JSONL, buf_span(&b), 4096), OK);
	assert_int_equal(next(&r), ROWS_BAD);
	assert_int_equal(r.why.code, CODE_IMPORT_LIMIT);
	assert_int_equal(r.row.line, 1);
	assert_int_equal(next(&r), ROWS_ROW);
	assert_int_equal(r.row.line, 2);
	assert_string_equal(r.row.texts[ROW_ID], "ok");
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
}

static void header_is(const char *header, const char *told)
{
	struct reading r = {0};

	enum err err = begin(&r, ROWS_CSV, span_text(header), 100);
	if (!told) {
		assert_int_equal(err, OK);
	} else {
		assert_int_not_equal(err, OK);
		assert_int_equal(r.why.code, CODE_IMPORT_HEADER);
		if (!strstr(r.why.text, told))
			fail_msg("%s: %s", header, r.why.text);
	}
	end(&r);
}

static void wants_a_header_that_it_knows(void **state)
{
	header_is("id,type,entity", NULL);
	header_is(" Entity , id,TYPE\n", NULL);
	header_is("id,type,entity,label,profile,credential,psk_id,psk,targets,mafs,expiry\r\n", NULL);
	header_is("", "empty");
	header_is("\n\n", "empty");
	header_is("id,type", "'entity'");
	header_is("id;type;entity", "column 1");
	header_is("id,type,entity,colour", "colour");
	header_is("id,type,entity,id", "once");
}

static void reads_json_lines(void **state)
{
	static const char text[] = "{\"id\":\"a\",\"type\":\"node\",\"entity\":\"urn:x:1\",\"label\":null,"
		"\"credential\":[\"serial=1;fqdn=b\",\"uri=urn:y\"],\"targets\":\"c=saef;d=esprim\"}\n"
		"\n"
		"{\"id\":\"b\",\"colour\":\"red\"}\n"
		"{\"id\":\"c\",\"type\":7}\n"
		"{\"id\":\"d\",\"id\":\"e\"}\n"
		"[1]\n"
		"{\"id\":\"f\"\n"
		"{\"id\":\"g\\u0000h\"}\n"
		"{\"id\":\"z\"}";
	struct reading r = {0};

	assert_int_equal(begin(&r, ROWS_JSONL, span_text(text), 11), OK);
	assert_int_equal(next(&r), ROWS_ROW);
	assert_string_equal(r.row.texts[ROW_ENTITY], "urn:x:1");
	assert_string_equal(r.row.texts[ROW_LABEL], "");
	/* an array's items are taken as they are */
	assert_int_equal(r.row.lists_n[ROW_CREDENTIALS], 2);
	assert_string_equal(r.row.lists[ROW_CREDENTIALS][0], "serial=1;fqdn=b");
	assert_int_equal(r.row.lists_n[ROW_TARGETS], 2);
	for (uint64_t line = 3; line <= 8; line++) {
		assert_int_equal(next(&r), ROWS_BAD);
		assert_int_equal(r.row.line, line);
	}
	assert_int_equal(next(&r), ROWS_ROW);
	assert_string_equal(r.row.texts[ROW_ID], "z");
	assert_int_equal(next(&r), ROWS_END);
	end(&r);
}

static void limits_lists(void **state)
{
	OWNED_BUF struct buf b = BUF(4096);
	struct reading r = {0};

	buf_put_text(&b, "id,type,entity,targets\na,b,c,t=22");
	for (size_t i = 1; i < ROW_LIST_MAX; i++)
		buf_put_text(&b, ";t=22");
	buf_put_text(&b, "\na,b,c,t=22");
	for (size_t i = 0; i < ROW_LIST_MAX; i++)
		buf_put_text(&b, ";t=22");
	assert_int_equal(begin(&r, ROWS_CSV, buf_span(&b), 99), OK);
	assert_int_equal(next(&r), ROWS_ROW);
	assert_int_equal(r.row.lists_n[ROW_TARGETS], ROW_LIST_MAX);
	assert_int_equal(next(&r), ROWS_BAD);
	assert_int_equal(r.why.code, CODE_IMPORT_LIMIT);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_csv_however_it_comes),
		cmocka_unit_test(a_bad_row_costs_itself_only),
		cmocka_unit_test(an_open_quote_ends_the_reading),
		cmocka_unit_test(limits_a_row),
		cmocka_unit_test(a_long_line_of_json_is_passed_over),
		cmocka_unit_test(wants_a_header_that_it_knows),
		cmocka_unit_test(reads_json_lines),
		cmocka_unit_test(limits_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
