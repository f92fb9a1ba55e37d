#include "wire/doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static enum err read(struct span in, struct arena *arena, struct doc **out, struct why *why)
{
	return doc_parse(DOC_XML, in, arena, out, why);
}

static void refused(const char *text, const char *part)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct why why = {0};
	struct doc *doc = NULL;
	enum err err = read(span_text(text), &arena, &doc, &why);

	if (err != ERR_SYNTAX || !strstr(why.text, part))
		fail_msg("'%.200s': want a refusal with '%s', have %s '%s'", text, part, err_name(err), why.text);
}

static void reads_as(const char *text, const char *value)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct why why = {0};
	struct doc *doc = NULL;
	const char *got = "(absent)";

	if (read(span_text(text), &arena, &doc, &why) != OK || doc_text(doc, "a", 1000, &got, &why) != OK)
		fail_msg("'%.200s': %s", text, why.text);
	assert_string_equal(got, value);
}

/* XML 1.0 2.8: a document type declaration is where outside files and multiplied text come in */
static void a_dtd_is_refused_whatever_it_holds(void **state)
{
	static const char *const docs[] = {
		"<!DOCTYPE m><m/>",
		"<!DOCTYPE m SYSTEM \"file:///etc/passwd\"><m/>",
		"<!DOCTYPE m PUBLIC \"x\" \"http://127.0.0.1/x\"><m/>",
		"<!DOCTYPE m [<!ENTITY a \"b\">]><m><a>&a;</a></m>",
		"<!DOCTYPE m [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><m><a>&a;</a></m>",
		"<!DOCTYPE m [<!ENTITY a \"aaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;\">]><m><a>&c;</a></m>",
		"<!DOCTYPE m [<!ENTITY % p SYSTEM \"file:///etc/passwd\"> %p;]><m/>",
		"<!DOCTYPE m [<!ATTLIST m x CDATA \"y\">]><m/>",
		"<?xml version=\"1.0\"?>\n<!-- a --><!DOCTYPE m [ ]><m/>",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		refused(docs[i], "DTD: want none");
	refused("<m><!DOCTYPE m></m>", "");
	refused("<m/><!DOCTYPE m>", "");
}

static void entities_are_the_five_of_xml_and_characters_by_number(void **state)
{
	(void)state;

	reads_as("<m><a>&lt;&gt;&amp;&apos;&quot;</a></m>", "<>&'\"");
	reads_as("<m><a>&#65;&#x42;&#13;&#10;&#xe9;</a></m>", "AB\r\n\xc3\xa9");
	refused("<m><a>&b;</a></m>", "");
	refused("<m><a>&nbsp;</a></m>", "");
	refused("<m><a>&#0;</a></m>", "");
	refused("<m><a>&#1;</a></m>", "");
	refused("<m><a>&#xd800;</a></m>", "");
	refused("<m><a>&#x110000;</a></m>", "");
	refused("<m><a x=\"&b;\">1</a></m>", "");
}

static void what_is_no_field_is_passed_over(void **state)
{
	(void)state;

	reads_as("<m><a>x</a></m>", "x");
	reads_as("\xef\xbb\xbf<?xml version='1.0' encoding='utf-8' standalone='yes'?>\r\n<m>\n\t<a>x</a>\n</m>\n<!-- end -->", "x");
	reads_as("<s:m xmlns:s=\"http://www.onem2m.org/xml/securityProtocols\" s:y='1'><s:a type=\"t\">x</s:a></s:m>", "x");
	reads_as("<m xmlns='urn:x'><?pi data?><!-- c --><a>x</a></m>", "x");
	reads_as("<u:m><u:a>x</u:a></u:m>", "x");
	reads_as("<m><a>x<!-- c -->y<![CDATA[<z>]]></a></m>", "xy<z>");
	reads_as("<m><a> x\r\ny </a></m>", " x\ny ");
	reads_as("<m><a/></m>", "");
	reads_as("<m/>", "(absent)");
	reads_as("<m>\n</m>", "(absent)");
}

static void what_is_not_well_formed_is_refused(void **state)
{
	static const char *const docs[] = {"", " ", "x", "<", "<m", "<m>", "</m>", "<m></n>", "<m><a></m></a>", "<m/><m/>", "<m/>x",
		"<m a></m>", "<m a=b/>", "<m a='1' a='2'/>", "<m>\x01</m>", "<m><a>]]></a></m>", "<m><a>&lt</a></m>", "<1/>", "<m><1/></m>",
		"<!-- -- --><m/>", "<?xml?><m/>", " <?xml version='1.0'?><m/>", "<m><?xml version='1.0'?></m>", "\xef\xbb\xbf", "{}"};
	(void)state;

	for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++)
		refused(docs[i], "");
	refused("<m>\n<a>1</b></m>", "line 2");
	refused("<m>text</m>", "fields or text");
	refused("<m><a>1</a>text</m>", "m: want fields or text");
	refused("<m><o>text<a>1</a></o></m>", "o: want fields or text");
	refused("<m><o><a>1</a>text</o></m>", "o: want fields or text");
}

static void other_encodings_are_refused(void **state)
{
	static const char utf16[] = "\xff\xfe<\0m\0/\0>\0";
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct why why = {0};
	struct doc *doc = NULL;
	(void)state;

	reads_as("<?xml version='1.0' encoding = \"US-ASCII\"?><m><a>x</a></m>", "x");
	refused("<?xml version='1.0' encoding='ISO-8859-1'?><m><a>x</a></m>", "encoding: want UTF-8, have 'ISO-8859-1'");
	refused("<?xml version='1.0' encoding='UTF-16'?><m><a>x</a></m>", "encoding");
	refused("<?xml version='1.0' encoding='UTF-7'?><m><a>+ADw-x</a></m>", "encoding");
	refused("<?xml version='1.0' encoding='ISO-2022-KR'?><m/>", "encoding");
	refused("<m><a>\xe9</a></m>", "UTF-8");
	assert_int_equal(read(span_of(utf16, sizeof(utf16) - 1), &arena, &doc, &why), ERR_SYNTAX);
}

static void nothing_is_printed_about_a_bad_document(void **state)
{
	char log[] = "/tmp/omef-doc-XXXXXX";
	int fd = mkstemp(log);
	(void)state;

	assert_true(fd >= 0);
	FILE *kept = stderr;
	FILE *f = fdopen(fd, "w+");
	assert_non_null(f);
	stderr = f;
	refused("<m><a>&undefined;</a></m>", "");
	refused("<m", "");
	stderr = kept;
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	assert_int_equal(ftell(f), 0);
	fclose(f);
	remove(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dtd_is_refused_whatever_it_holds),
		cmocka_unit_test(entities_are_the_five_of_xml_and_characters_by_number),
		cmocka_unit_test(what_is_no_field_is_passed_over),
		cmocka_unit_test(what_is_not_well_formed_is_refused),
		cmocka_unit_test(other_encodings_are_refused),
		cmocka_unit_test(nothing_is_printed_about_a_bad_document),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
