#include "wire/doc.h"

#include "wire/media.h"

enum { FORMS = 2, QUALITY_ONE = 1000 };

static const char *const types[FORMS] = {"application/json", "application/xml"};
static const char *const suffixes[FORMS] = {"+json", "+xml"};

static enum doc_form form_at(size_t i)
{
	return i == 0 ? DOC_JSON : DOC_XML;
}

static struct span type_of(struct span media_type)
{
	return span_trim(span_first(media_type, span_find(media_type, ';')));
}

static bool ends_nocase(struct span s, const char *end)
{
	size_t n = strlen(end);

	return s.n > n && span_is_nocase(span_from(s, s.n - n), end);
}

/* RFC 6839: what ends in +json or +xml has that syntax, whatever it means */
static bool is_form(struct span type, size_t i)
{
	if (span_is_nocase(type, types[i]) || (i == 1 && span_is_nocase(type, "text/xml")))
		return true;
	return span_is_nocase(span_first(type, strlen("application/")), "application/") && ends_nocase(type, suffixes[i]);
}

enum err doc_form_of(struct span media_type, enum doc_form *out, struct why *why)
{
	struct span type = type_of(media_type);

	*out = DOC_JSON;
	if (type.n == 0)
		return OK;
	for (size_t i = 0; i < FORMS; i++) {
		if (is_form(type, i)) {
			*out = form_at(i);
			return OK;
		}
	}
	return WHY(why, DOC_MEDIA, "RFC 9110 8.3", "Content-Type: want application/json or application/xml, have '%.*s'",
		SPAN_FMT(span_first(type, 80)));
}

/* RFC 9110 12.4.2: "0.8" in thousandths; what is malformed or absent counts as 1. */
static int quality(struct span range)
{
	struct span q = media_param(range, "q");
	int value = 0;
	int worth = QUALITY_ONE / 10;

	if (q.n == 0 || q.n > 5 || q.p[0] != '0' || (q.n > 1 && q.p[1] != '.'))
		return QUALITY_ONE;
	for (size_t i = 2; i < q.n; i++) {
		if (q.p[i] < '0' || q.p[i] > '9')
			return QUALITY_ONE;
		value += (q.p[i] - '0') * worth;
		worth /= 10;
	}
	return value;
}

/* 0: not at all; 1: any type; 2: its family; 3: itself */
static int precision(struct span range, size_t i)
{
	struct span type = type_of(range);

	if (span_is(type, "*/*"))
		return 1;
	if (span_is_nocase(type, "application/*"))
		return 2;
	return is_form(type, i) ? 3 : 0;
}

/* How welcome that form is; among equals, the one that is named. */
static int welcome(struct span accept, size_t i)
{
	int best = 0;
	int value = 0;

	for (struct span rest = accept; rest.n;) {
		struct span range = span_first(rest, span_find(rest, ','));
		int found = precision(range, i);
		int q = found ? quality(range) : 0;
		if (found > best || (found == best && q > value)) {
			best = found;
			value = q;
		}
		rest = span_from(rest, range.n + 1);
	}
	return value ? value * 4 + best : 0;
}

enum doc_form doc_form_wanted(struct span accept, enum doc_form request)
{
	int json = welcome(accept, 0);
	int xml = welcome(accept, 1);

	if (json == xml)
		return request;
	return json > xml ? DOC_JSON : DOC_XML;
}

const char *doc_media_type(enum doc_form form)
{
	return types[form == DOC_XML];
}
