#include "wire/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct arena arena;

static int fresh_arena(void **state)
{
	(void)state;
	arena = ARENA(DOC_ARENA_MAX);
	return 0;
}

static int drop_arena(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static struct doc *parse(enum doc_form form, const char *text)
{
	struct why why = {0};
	struct doc *doc = NULL;

	if (doc_parse(form, span_text(text), &arena, &doc, &why) != OK)
		fail_msg("%.200s: %s", text, why.text);
	return doc;
}

static void refused(enum doc_form form, struct span in, enum err kind, const char *part)
{
	struct why why = {0};
	struct doc *doc = NULL;

	if (doc_parse(form, in, &arena, &doc, &why) != kind || !strstr(why.text, part))
		fail_msg("'%.*s': want %s with '%s', have %s '%s'", SPAN_FMT(span_first(in, 200)), err_name(kind), part,
			err_name(why.kind), why.text);
	assert_null(doc);
}

static const char *text_of(const struct doc *parent, const char *name)
{
	struct why why = {0};
	const char *text = "(absent)";

	if (doc_text(parent, name, DOC_TEXT_MAX, &text, &why) != OK)
		fail_msg("%s", why.text);
	return text;
}

/* Same names, texts and nesting in the same order; XML has one kind of leaf. */
static void same_trees(const struct doc *a, const struct doc *b)
{
	const struct doc *x = a->first;
	const struct doc *y = b->first;

	for (; x && y; x = x->next, y = y->next) {
		assert_string_equal(x->name, y->name);
		assert_true(span_equal(x->text, y->text));
		assert_int_equal(x->first != NULL, y->first != NULL);
		if (x->first)
			same_trees(x, y);
	}
	assert_true(!x && !y);
}

static const char *write(const struct doc *doc, enum doc_form form, struct buf *out)
{
	struct why why = {0};

	if (doc_write(doc, form, out, &why) != OK)
		fail_msg("%s", why.text);
	return buf_text(out);
}

static struct doc *sample(void)
{
	struct doc *top = doc_new(&arena, "sample");
	struct doc *in = NULL;

	doc_put_text(&arena, top, "text", span_text("a <b> & \"c\" ]]> 'd' \\ \t\r\n\xc3\xa9"));
	doc_put_bool(&arena, top, "yes", true);
	doc_put_bool(&arena, top, "no", false);
	doc_put_number(&arena, top, "least", INT64_MIN);
	doc_put_number(&arena, top, "most", INT64_MAX);
	doc_put_list_text(&arena, top, "labels", span_text("one"));
	doc_put_list_text(&arena, top, "labels", span_text(""));
	doc_put_list_number(&arena, top, "single", 7);
	for (int i = 0; i < 3; i++) {
		in = doc_put_object(&arena, top, "pair", true);
		doc_put_number(&arena, in, "suid", 22 + i);
		doc_put_list_number(&arena, in, "usages", i);
		doc_put_list_number(&arena, in, "usages", i + 1);
	}
	in = doc_put_object(&arena, top, "inner", false);
	in = doc_put_object(&arena, in, "deeper", false);
	doc_put_text(&arena, in, "leaf", span_text(" kept  as it is "));
	return top;
}

static void what_is_written_is_read_back_equal_in_both_forms(void **state)
{
	struct doc *top = sample();
	struct buf json OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct buf xml OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct doc *from_json = parse(DOC_JSON, write(top, DOC_JSON, &json));
	struct doc *from_xml = parse(DOC_XML, write(top, DOC_XML, &xml));
	(void)state;

	same_trees(top, from_json);
	same_trees(top, from_xml);
	same_trees(from_json, from_xml);
	assert_string_equal(from_json->name, "");
	assert_string_equal(from_xml->name, "sample");
	assert_true(doc_find(from_json, "single")->in_list);
	/* and XML that was read is written as the same JSON, but for a list of one */
	struct buf again OWNED_BUF = BUF(DOC_BYTES_MAX);
	write(from_json, DOC_JSON, &again);
	assert_true(span_equal(buf_span(&json), buf_span(&again)));
}

static void json_and_xml_are_written_without_blanks(void **state)
{
	struct buf out OWNED_BUF = BUF(1024);
	struct doc *top = doc_new(&arena, "m");
	struct doc *in = doc_put_object(&arena, top, "o", true);
	(void)state;

	doc_put_bool(&arena, in, "a", true);
	doc_put_list_text(&arena, top, "l", span_text("<"));
	doc_put_object(&arena, top, "e", false);
	assert_string_equal(write(top, DOC_JSON, &out), "{\"o\":[{\"a\":true}],\"l\":[\"<\"],\"e\":{}}");
	buf_clear(&out);
	assert_string_equal(write(top, DOC_XML, &out),
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<m><o><a>true</a></o><l>&lt;</l><e></e></m>");
	buf_clear(&out);
	assert_string_equal(write(doc_new(&arena, "m"), DOC_JSON, &out), "{}");
}

static void lists_are_arrays_in_json_and_repeated_elements_in_xml(void **state)
{
	static const struct {
		enum doc_form form;
		const char *text;
	} docs[] = {{DOC_JSON, "{\"id\": [\"a\", \"b\", \"c\"], \"other\": 1, \"none\": []}"},
		{DOC_XML, "<m><id>a</id><id>b</id><other>1</other><id>c</id></m>"}};
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		const struct doc *doc = parse(docs[i].form, docs[i].text);
		const struct doc *id = doc_find(doc, "id");
		assert_true(span_is(id->text, "a"));
		id = doc_again(id);
		assert_true(span_is(id->text, "b"));
		id = doc_again(id);
		assert_true(span_is(id->text, "c"));
		assert_null(doc_again(id));
		assert_null(doc_find(doc, "none"));
		assert_null(doc_again(NULL));
		assert_null(doc_find(NULL, "id"));
	}
}

static void values_are_read_by_what_is_wanted(void **state)
{
	static const struct {
		enum doc_form form;
		const char *text;
	} docs[] = {
		{DOC_JSON, "{\"b\": true, \"c\": false, \"n\": -42, \"t\": \"x\", \"z\": null}"},
		{DOC_XML, "<m><b> true </b><c>0</c><n>\n-42</n><t>x</t></m>"},
		{DOC_XML, "<m><b>True</b><c>False</c><n>-0042</n><t><![CDATA[x]]></t></m>"}};
	(void)state;

	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
		const struct doc *doc = parse(docs[i].form, docs[i].text);
		struct why why = {0};
		bool b = false, c = true, z = true;
		int64_t n = 0, absent = 5;
		assert_int_equal(doc_bool(doc, "b", &b, &why), OK);
		assert_int_equal(doc_bool(doc, "c", &c, &why), OK);
		assert_int_equal(doc_bool(doc, "z", &z, &why), OK);
		assert_int_equal(doc_number(doc, "n", -42, -42, &n, &why), OK);
		assert_int_equal(doc_number(doc, "absent", 0, 1, &absent, &why), OK);
		assert_true(b && !c && z && n == -42 && absent == 5);
		assert_string_equal(text_of(doc, "t"), "x");
		assert_string_equal(text_of(doc, "z"), "(absent)");
	}
}

static void numbers_reach_both_ends_of_64_bits_and_no_further(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t v;
	} cases[] = {{"9223372036854775807", true, INT64_MAX}, {"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0}, {"99999999999999999999", false, 0},
		{"", false, 0}, {"-", false, 0}, {"+1", false, 0}, {"1.0", false, 0}, {"1 2", false, 0}, {"0x1", false, 0}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[80];
		struct why why = {0};
		int64_t v = 3;
		snprintf(text, sizeof(text), "<m><n>%s</n></m>", cases[i].text);
		enum err err = doc_number(parse(DOC_XML, text), "n", INT64_MIN, INT64_MAX, &v, &why);
		assert_int_equal(err, cases[i].good ? OK : ERR_SYNTAX);
		assert_true(v == (cases[i].good ? cases[i].v : 3));
	}
}

static void wrong_values_are_refused_by_their_name_and_never_quoted(void **state)
{
	static const char json[] = "{\"t\": \"opensesame\", \"n\": 9, \"b\": true, \"l\": [\"opensesame\"], \"o\": {}, \"r\": 1.5}";
	const struct doc *doc = parse(DOC_JSON, json);
	static const struct {
		const char *name;
		char want;
		const char *says;
	} cases[] = {{"t", 'b', "t: want true or false, have another text"}, {"n", 'b', "n: want true or false, have a number"},
		{"o", 'b', "o: want true or false, have an object"}, {"t", 'n', "t: want a whole number, have another"},
		{"b", 'n', "b: want a whole number, have a truth value"}, {"n", 'n', "n: want 1 to 8, have 9"},
		{"r", 'n', "r: want a whole number, have another"}, {"n", 't', "n: want text, have a number"},
		{"t", 't', "t: want at most 9 octets, have 10"}, {"l", 't', "l: want one value, have a list"},
		{"l", 'b', "l: want one value, have a list"}, {"l", 'n', "l: want one value, have a list"}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct why why = {0};
		const char *text = NULL;
		bool b = false;
		int64_t n = 0;
		enum err err = cases[i].want == 'b' ? doc_bool(doc, cases[i].name, &b, &why)
			: cases[i].want == 'n' ? doc_number(doc, cases[i].name, 1, 8, &n, &why)
					       : doc_text(doc, cases[i].name, 9, &text, &why);
		assert_int_equal(err, ERR_SYNTAX);
		assert_int_equal(why.code, CODE_DOC_FIELD);
		assert_string_equal(why.text, cases[i].says);
	}
	struct why why = {0};
	bool b = false;
	assert_int_equal(doc_bool(parse(DOC_XML, "<m><b>true</b><b>false</b></m>"), "b", &b, &why), ERR_SYNTAX);
	assert_false(b);
}

/* RFC 8259 4: what a doubled name means differs from reader to reader */
static void malformed_json_is_refused_with_its_place(void **state)
{
	static const char *const bad[] = {"", " ", "{", "}", "[]", "[{}]", "1", "\"a\"", "null", "{}x", "{\"a\":}", "{\"a\" 1}",
		"{a:1}", "{\"a\":1,}", "{\"a\":1,\"a\":1}", "{\"o\":{\"a\":1,\"a\":2}}", "{\"a\":\"\\u0000\"}", "{\"a\\u0000\":1}",
		"{\"a\":\"\\u0001\"}", "{\"a\":\"\x01\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\uffff\"}", "{\"\\u0007\":1}",
		"{\"a\":[[1]]}", "{\"a\":01}", "{\"a\":9223372036854775808}", "{\"a\":1e999}", "{\"a\":NaN}", "{\"a\":'b'}",
		"{\"a\":tru}", "<m/>", "\xef\xbb\xbf{}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}", "{\"a\":\"\xed\xa0\x80\"}"};
	(void)state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(DOC_JSON, span_text(bad[i]), ERR_SYNTAX, "");
	refused(DOC_JSON, span_of("{}\0", 3), ERR_SYNTAX, "without NUL");
	refused(DOC_JSON, span_text("{\"a\": 1,\n \"a\": 2}"), ERR_SYNTAX, "line 2");
}

static void a_reason_never_quotes_the_input(void **state)
{
	static const char *const json[] = {"{\"keyValue\": \"c2VjcmV0", "{\"keyValue\": c2VjcmV0}", "{\"keyValue\": \"c2VjcmV0\" x}",
		"{\"keyValue\": \"c2VjcmV0\\u0001\"}", "{\"keyValue\": \"c2VjcmV0\", \"keyValue\": \"c2VjcmV0\"}"};
	static const char *const xml[] = {"<m><keyValue>c2VjcmV0</m>", "<m><keyValue>c2VjcmV0", "<m><keyValue>c2VjcmV0<x/></keyValue></m>",
		"<m><keyValue>c2VjcmV0&</keyValue></m>", "<m>c2VjcmV0</m>", "<m><keyValue>c2VjcmV0\x01</keyValue></m>"};
	(void)state;

	for (size_t i = 0; i < sizeof(json) / sizeof(json[0]) + sizeof(xml) / sizeof(xml[0]); i++) {
		bool first = i < sizeof(json) / sizeof(json[0]);
		struct why why = {0};
		struct doc *doc = NULL;
		const char *text = first ? json[i] : xml[i - sizeof(json) / sizeof(json[0])];
		assert_int_equal(doc_parse(first ? DOC_JSON : DOC_XML, span_text(text), &arena, &doc, &why), ERR_SYNTAX);
		if (strstr(why.text, "c2Vj"))
			fail_msg("'%s' quotes the value", why.text);
	}
}

static char *repeated(const char *open, const char *middle, const char *close, size_t n)
{
	struct buf out = BUF(1 << 20);

	for (size_t i = 0; i < n; i++)
		buf_put_text(&out, open);
	buf_put_text(&out, middle);
	for (size_t i = 0; i < n; i++)
		buf_put_text(&out, close);
	char *text = arena_text(&arena, buf_span(&out));
	buf_fini(&out);
	assert_non_null(text);
	return text;
}

static void depth_ends_at_its_limit_in_both_forms(void **state)
{
	(void)state;

	/* the innermost field is a leaf in the last object that may be */
	parse(DOC_JSON, repeated("{\"a\":", "1", "}", DOC_DEPTH_MAX));
	parse(DOC_XML, repeated("<a>", "1", "</a>", DOC_DEPTH_MAX + 1));
	refused(DOC_JSON, span_text(repeated("{\"a\":", "1", "}", DOC_DEPTH_MAX + 1)), ERR_LIMIT, "depth");
	refused(DOC_XML, span_text(repeated("<a>", "1", "</a>", DOC_DEPTH_MAX + 2)), ERR_LIMIT, "depth");
	refused(DOC_JSON, span_text(repeated("{\"a\":[", "1", "]}", DOC_DEPTH_MAX + 1)), ERR_LIMIT, "depth");
	parse(DOC_JSON, repeated("{\"a\":[", "1", "]}", DOC_DEPTH_MAX));
	refused(DOC_XML, span_text(repeated("<a>", "", "</a>", 5000)), ERR_LIMIT, "depth");
	refused(DOC_JSON, span_text(repeated("[", "", "]", 5000)), ERR_SYNTAX, "");
}

static void fields_end_at_their_limit_in_both_forms(void **state)
{
	struct buf json OWNED_BUF = BUF(1 << 20);
	struct buf xml OWNED_BUF = BUF(1 << 20);
	(void)state;

	buf_put_text(&json, "{\"a\":[");
	buf_put_text(&xml, "<m>");
	for (int i = 0; i < DOC_FIELDS_MAX; i++) {
		buf_put_text(&json, i ? ",1" : "1");
		buf_put_text(&xml, "<a/>");
	}
	size_t json_n = json.n, xml_n = xml.n;
	buf_put_text(&json, "]}");
	buf_put_text(&xml, "</m>");
	parse(DOC_JSON, buf_text(&json));
	parse(DOC_XML, buf_text(&xml));
	arena_fini(&arena);
	json.n = json_n;
	xml.n = xml_n;
	buf_put_text(&json, ",1]}");
	buf_put_text(&xml, "<a/></m>");
	refused(DOC_JSON, buf_span(&json), ERR_LIMIT, "fields");
	refused(DOC_XML, buf_span(&xml), ERR_LIMIT, "fields");
}

static void names_texts_and_documents_end_at_their_limits(void **state)
{
	static const size_t most[] = {DOC_NAME_MAX, DOC_TEXT_MAX};
	(void)state;

	for (size_t i = 0; i < 2; i++) {
		for (size_t over = 0; over < 2; over++) {
			const char *longest = repeated("a", "", "", most[i] + over);
			char *json = arena_alloc(&arena, most[i] + 64);
			char *xml = arena_alloc(&arena, 2 * most[i] + 64);
			snprintf(json, most[i] + 64, i ? "{\"n\":\"%s\"}" : "{\"%s\":1}", longest);
			snprintf(xml, 2 * most[i] + 64, i ? "<m><n>%s</n></m>" : "<m><%s/></m>", longest);
			if (over) {
				refused(DOC_JSON, span_text(json), ERR_LIMIT, "want at most");
				refused(DOC_XML, span_text(xml), ERR_LIMIT, i ? "" : "want at most");
			} else {
				parse(DOC_JSON, json);
				parse(DOC_XML, xml);
			}
		}
	}
	char *blanks = repeated(" ", "", "", DOC_BYTES_MAX + 1);
	memcpy(blanks, "{}", 2);
	refused(DOC_JSON, span_of(blanks, DOC_BYTES_MAX + 1), ERR_LIMIT, "65536");
	blanks[DOC_BYTES_MAX] = '\0';
	parse(DOC_JSON, blanks);
	memcpy(blanks, "<m/>", 4);
	parse(DOC_XML, blanks);
}

static void writing_tells_what_could_not_be_put(void **state)
{
	struct arena small = ARENA(32);
	struct buf out OWNED_BUF = BUF(1024);
	struct buf tiny OWNED_BUF = BUF(8);
	struct why why = {0};
	(void)state;

	assert_int_equal(doc_write(NULL, DOC_JSON, &out, &why), ERR_NOMEM);
	doc_put_text(&arena, NULL, "a", span_text("b"));
	struct doc *top = doc_new(&arena, "m");
	assert_null(doc_put_object(&small, top, "o", false));
	why_clear(&why);
	assert_int_equal(doc_write(top, DOC_JSON, &out, &why), ERR_NOMEM);
	top = doc_new(&arena, "m");
	doc_put_text(&small, doc_put_object(&arena, top, "o", false), "leaf", span_text("x"));
	why_clear(&why);
	assert_int_equal(doc_write(top, DOC_XML, &out, &why), ERR_NOMEM);
	top = doc_new(&arena, "m");
	doc_put_text(&arena, top, "leaf", span_text("xxxxxxxxxxxxxxx"));
	why_clear(&why);
	assert_int_equal(doc_write(top, DOC_JSON, &tiny, &why), ERR_LIMIT);
	arena_fini(&small);
}

static void writing_refuses_what_a_form_cannot_carry(void **state)
{
	static const struct {
		const char *name, *text;
		bool json, xml;
	} cases[] = {{"a", "\x01", false, false}, {"a", "\xff", false, false}, {"a", "\xef\xbf\xbf", false, false},
		{"a b", "x", true, false}, {"1a", "x", true, false}, {"", "x", true, false}, {"m:a", "x", true, false},
		{"a>", "x", true, false}, {"a.b-c_d1", "\x7f\xef\xbf\xbd", true, true}};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buf out OWNED_BUF = BUF(1024);
		struct why why = {0};
		struct doc *top = doc_new(&arena, "m");
		doc_put_text(&arena, top, cases[i].name, span_text(cases[i].text));
		assert_int_equal(doc_write(top, DOC_JSON, &out, &why), cases[i].json ? OK : ERR_SYNTAX);
		why_clear(&why);
		assert_int_equal(doc_write(top, DOC_XML, &out, &why), cases[i].xml ? OK : ERR_SYNTAX);
	}
	/* a tree deeper than a reader takes */
	struct buf out OWNED_BUF = BUF(1024);
	struct why why = {0};
	struct doc *top = doc_new(&arena, "m");
	struct doc *in = top;
	for (int i = 1; i < DOC_DEPTH_MAX; i++)
		in = doc_put_object(&arena, in, "o", false);
	doc_put_bool(&arena, in, "leaf", true);
	assert_int_equal(doc_write(top, DOC_XML, &out, &why), OK);
	doc_put_bool(&arena, doc_put_object(&arena, in, "o", false), "leaf", true);
	assert_int_equal(doc_write(top, DOC_XML, &out, &why), ERR_LIMIT);
	/* and one longer than a reader takes */
	top = doc_new(&arena, "m");
	for (int i = 0; i < 4; i++)
		doc_put_text(&arena, top, "long", span_text(repeated("a", "", "", DOC_TEXT_MAX)));
	struct buf large OWNED_BUF = BUF(1 << 20);
	why_clear(&why);
	assert_int_equal(doc_write(top, DOC_JSON, &large, &why), ERR_LIMIT);
}

static void a_document_at_every_limit_fits_the_named_arena(void **state)
{
	struct arena exact = ARENA(DOC_ARENA_MAX);
	struct buf json OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct why why = {0};
	struct doc *doc = NULL;
	(void)state;

	buf_put_text(&json, "{");
	for (int i = 0; i < DOC_FIELDS_MAX; i++)
		buf_put_fmt(&json, "%s\"%050d\":\"%06d\"", i ? "," : "", i, i);
	buf_put_text(&json, "}");
	assert_int_equal(buf_check(&json, "test", &why), OK);
	assert_int_equal(doc_parse(DOC_JSON, buf_span(&json), &exact, &doc, &why), OK);
	assert_true(exact.used < DOC_ARENA_MAX - DOC_BYTES_MAX);
	arena_fini(&exact);
	struct arena small = ARENA(1000);
	/* a cap is reached by the peer's doing, not by ours */
	assert_int_equal(doc_parse(DOC_JSON, buf_span(&json), &small, &doc, &why), ERR_LIMIT);
	arena_fini(&small);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh_arena, drop_arena)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_written_is_read_back_equal_in_both_forms),
		TEST(json_and_xml_are_written_without_blanks),
		TEST(lists_are_arrays_in_json_and_repeated_elements_in_xml),
		TEST(values_are_read_by_what_is_wanted),
		TEST(numbers_reach_both_ends_of_64_bits_and_no_further),
		TEST(wrong_values_are_refused_by_their_name_and_never_quoted),
		TEST(malformed_json_is_refused_with_its_place),
		TEST(a_reason_never_quotes_the_input),
		TEST(depth_ends_at_its_limit_in_both_forms),
		TEST(fields_end_at_their_limit_in_both_forms),
		TEST(names_texts_and_documents_end_at_their_limits),
		TEST(writing_tells_what_could_not_be_put),
		TEST(writing_refuses_what_a_form_cannot_carry),
		TEST(a_document_at_every_limit_fits_the_named_arena),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
