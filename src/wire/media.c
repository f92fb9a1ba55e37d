#include "wire/media.h"

static struct span before(struct span s, uint8_t c)
{
	return span_first(s, span_find(s, c));
}

bool media_is(struct span value, const char *type)
{
	return span_is_nocase(span_trim(before(value, ';')), type);
}

static struct span unquote(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		return span_first(span_from(s, 1), s.n - 2);
	return s;
}

struct span media_param(struct span value, const char *name)
{
	struct span rest = span_from(value, span_find(value, ';') + 1);

	while (rest.n) {
		struct span item = before(rest, ';');
		struct span key = span_trim(before(item, '='));
		if (span_is_nocase(key, name))
			return unquote(span_trim(span_from(item, span_find(item, '=') + 1)));
		rest = span_from(rest, item.n + 1);
	}
	return (struct span){NULL, 0};
}

/* "q=0", "q=0.000": not acceptable (RFC 9110 12.4.2). */
static bool is_refused(struct span range)
{
	struct span q = media_param(range, "q");

	if (q.n == 0 || q.p[0] != '0')
		return false;
	for (size_t i = 1; i < q.n; i++) {
		if (q.p[i] != '.' && q.p[i] != '0')
			return false;
	}
	return true;
}

/* How closely a range names the type: 0 not at all, 1 any type, 2 its family, 3 itself. */
static int precision(struct span range, struct span type)
{
	struct span name = span_trim(before(range, ';'));

	if (span_is(name, "*/*"))
		return 1;
	if (name.n > 2 && span_is(span_from(name, name.n - 2), "/*")) {
		struct span family = span_first(name, name.n - 1);
		return span_equal_nocase(family, span_first(type, family.n)) ? 2 : 0;
	}
	return span_equal_nocase(name, type) ? 3 : 0;
}

bool media_accepts(struct span accept, const char *type)
{
	struct span want = span_trim(before(span_text(type), ';'));
	struct span rest = accept;
	int best = 0;
	bool accepted = span_trim(accept).n == 0;

	/* RFC 9110 12.5.1: the most precise range decides, so a type may be refused beside a wildcard */
	while (rest.n) {
		struct span range = before(rest, ',');
		int found = precision(range, want);
		if (found > best) {
			best = found;
			accepted = !is_refused(range);
		} else if (found && found == best) {
			accepted |= !is_refused(range);
		}
		rest = span_from(rest, range.n + 1);
	}
	return accepted;
}
