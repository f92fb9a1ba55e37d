#include "wire/doc_codec.h"

#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>

#if LIBXML_VERSION >= 21200
typedef const xmlError *xml_error;
#else
typedef xmlErrorPtr xml_error;
#endif

/* An element that is open. */
struct element {
	struct doc *field;
	bool has_fields;
};

struct xml_reading {
	struct doc_reading fields;
	xmlParserCtxtPtr parser;
	struct doc *top;
	struct element open[DOC_DEPTH_MAX + 1];
	size_t depth;
	struct buf text; /* of the innermost element so far */
	enum err err;
	struct why *why;
};

static void stop(struct xml_reading *r, enum err err)
{
	if (r->err == OK)
		r->err = err;
	xmlStopParser(r->parser);
}

static bool is_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!strchr(" \t\r\n", s.p[i]))
			return false;
	}
	return true;
}

static enum err mixed(struct xml_reading *r)
{
	return WHY(r->why, DOC_SYNTAX, "", "%s: want fields or text, have both", r->open[r->depth - 1].field->name);
}

static enum err begin_top(struct xml_reading *r, struct span name)
{
	if (name.n > DOC_NAME_MAX)
		return WHY(r->why, DOC_LIMIT, "", "name: want at most %d octets, have %zu", DOC_NAME_MAX, name.n);
	char *copy = arena_text(r->fields.arena, name);
	r->top = copy ? doc_new(r->fields.arena, copy) : NULL;
	if (!r->top)
		return doc_no_room(r->fields.arena, r->why);
	r->open[r->depth++] = (struct element){.field = r->top};
	return OK;
}

static enum err begin(struct xml_reading *r, struct span name)
{
	struct doc *field = NULL;

	if (r->depth == 0)
		return begin_top(r, name);
	if (!is_blank(buf_span(&r->text)))
		return mixed(r);
	buf_clear(&r->text);
	TRY(doc_read_field(&r->fields, r->open[r->depth - 1].field, r->depth, name, &field, r->why));
	r->open[r->depth - 1].has_fields = true;
	r->open[r->depth++] = (struct element){.field = field};
	return OK;
}

static void on_start(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaces_n,
	const xmlChar **namespaces, int attributes_n, int defaulted_n, const xmlChar **attributes)
{
	struct xml_reading *r = arg;
	enum err err = r->err == OK ? begin(r, span_text((const char *)name)) : OK;

	if (err != OK)
		stop(r, err);
}

static enum err end(struct xml_reading *r)
{
	struct element e = r->open[r->depth - 1];
	struct span text = buf_span(&r->text);
	bool is_object = e.has_fields || r->depth == 1;

	TRY(buf_check(&r->text, "text of an element", r->why));
	if (is_object && !is_blank(text))
		return mixed(r);
	TRY(is_object ? OK : doc_read_text(&r->fields, e.field, DOC_TEXT, text, r->why));
	buf_clear(&r->text);
	r->depth--;
	return OK;
}

static void on_end(void *arg, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
	struct xml_reading *r = arg;
	enum err err = r->err == OK ? end(r) : OK;

	if (err != OK)
		stop(r, err);
}

static void on_text(void *arg, const xmlChar *text, int n)
{
	struct xml_reading *r = arg;

	if (r->err == OK)
		buf_put(&r->text, text, (size_t)n);
}

/* XML 1.0 2.8: a DTD can name files and hosts and multiply text; none of our messages has one */
static void on_dtd(void *arg, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id)
{
	struct xml_reading *r = arg;

	stop(r, WHY(r->why, DOC_SYNTAX, "", "DTD: want none"));
}

static void on_reference(void *arg, const xmlChar *name)
{
	struct xml_reading *r = arg;

	stop(r, WHY(r->why, DOC_SYNTAX, "", "entity: want none but lt, gt, amp, apos and quot"));
}

/* Without it, libxml2 prints to standard error. */
static void on_error(void *arg, xml_error error)
{
}

static const xmlSAXHandler handler = {
	.initialized = XML_SAX2_MAGIC,
	.internalSubset = on_dtd,
	.reference = on_reference,
	.startElementNs = on_start,
	.endElementNs = on_end,
	.characters = on_text,
	.ignorableWhitespace = on_text,
	.cdataBlock = on_text,
	.serror = on_error,
};

/* The text of "<?xml ... ?>"; empty when there is none. */
static struct span declaration(struct span in)
{
	struct span rest = span_from(in, 5);
	size_t n = 0;

	if (!span_starts(in, "<?xml") || rest.n == 0 || !is_blank(span_first(rest, 1)))
		return (struct span){NULL, 0};
	while (n < rest.n && rest.p[n] != '?')
		n++;
	return span_first(rest, n);
}

static struct span skip_blanks(struct span s)
{
	while (s.n && is_blank(span_first(s, 1)))
		s = span_from(s, 1);
	return s;
}

/* Value of the pseudo-attribute encoding; empty when there is none. */
static struct span encoding_of(struct span decl)
{
	for (; decl.n; decl = span_from(decl, 1)) {
		if (!span_starts(decl, "encoding"))
			continue;
		struct span rest = skip_blanks(span_from(decl, strlen("encoding")));
		rest = span_starts(rest, "=") ? skip_blanks(span_from(rest, 1)) : (struct span){NULL, 0};
		if (rest.n && (rest.p[0] == '"' || rest.p[0] == '\''))
			return span_first(span_from(rest, 1), span_find(span_from(rest, 1), rest.p[0]));
	}
	return decl;
}

/*
 * libxml2 would load a converter for any encoding it is told; it is told to ignore the declaration, so this
 * looks that the declaration does not say otherwise.
 */
static enum err check_encoding(struct span in, struct why *why)
{
	struct span name = encoding_of(declaration(in));

	if (name.n && !span_is_nocase(name, "UTF-8") && !span_is_nocase(name, "US-ASCII"))
		return WHY(why, DOC_SYNTAX, "", "encoding: want UTF-8, have '%.*s'", SPAN_FMT(span_first(name, 40)));
	return OK;
}

static enum err bad_xml(struct xml_reading *r)
{
	xml_error error = xmlCtxtGetLastError(r->parser);

	TRY(r->err);
	if (error && error->code == XML_ERR_NO_MEMORY)
		return WHY(r->why, NOMEM, "", "document");
	const char *text = error && error->message ? error->message : "not well-formed";
	return WHY(r->why, DOC_SYNTAX, "", "line %d: %.*s", error ? error->line : 0, (int)strcspn(text, "\n"), text);
}

static enum err read_all(struct xml_reading *r)
{
	*r->parser->sax = handler;
	r->parser->userData = r;
	if (xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC) != 0)
		return WHY(r->why, BUG, "", "options of libxml2");
	/* An unknown prefix is no fault here: prefixes are passed over. */
	if (xmlParseDocument(r->parser) != 0 || !r->parser->wellFormed || r->err != OK || !r->top || r->depth)
		return bad_xml(r);
	return OK;
}

enum err doc_xml_parse(struct span in, struct arena *arena, struct doc **out, struct why *why)
{
	struct xml_reading r = {.fields = {.arena = arena}, .text = BUF(DOC_TEXT_MAX), .why = why};

	if (span_starts(in, "\xef\xbb\xbf"))
		in = span_from(in, 3);
	if (in.n == 0)
		return WHY(why, DOC_SYNTAX, "", "document: want an XML element, have nothing");
	TRY(check_encoding(in, why));
	r.parser = xmlCreateMemoryParserCtxt((const char *)in.p, (int)in.n);
	if (!r.parser)
		return WHY(why, NOMEM, "", "document");
	enum err err = read_all(&r);
	buf_fini_wipe(&r.text);
	xmlFreeParserCtxt(r.parser);
	xmlResetLastError();
	if (err == OK)
		*out = r.top;
	return err;
}

/* XML 1.0 2.4, 2.11: markup as entities; a carriage return would be read as a line feed */
static void put_text(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		switch (text.p[i]) {
		case '&':
			buf_put_text(out, "&amp;");
			break;
		case '<':
			buf_put_text(out, "&lt;");
			break;
		case '>':
			buf_put_text(out, "&gt;");
			break;
		case '\r':
			buf_put_text(out, "&#13;");
			break;
		default:
			buf_put_u8(out, text.p[i]);
		}
	}
}

static void put_tag(struct buf *out, const char *open, const char *name)
{
	buf_put_text(out, open);
	buf_put_text(out, name);
	buf_put_u8(out, '>');
}

void doc_xml_write(const struct doc *top, struct buf *out)
{
	const struct doc *open[DOC_DEPTH_MAX + 1] = {top};
	const struct doc *at = top->first;
	size_t depth = 1;

	buf_put_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
	put_tag(out, "<", top->name);
	while (depth) {
		if (!at) {
			put_tag(out, "</", open[--depth]->name);
			at = depth ? open[depth]->next : NULL;
			continue;
		}
		put_tag(out, "<", at->name);
		if (at->first) {
			open[depth++] = at;
			at = at->first;
			continue;
		}
		put_text(out, at->text);
		put_tag(out, "</", at->name);
		at = at->next;
	}
}
