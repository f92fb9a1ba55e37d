#include "proto/est/path.h"

#include "base/text.h"

static const struct {
	const char *name;
	enum est_operation op;
} operations[] = {
	{"cacerts", EST_CACERTS},
	{"csrattrs", EST_CSRATTRS},
	{"simpleenroll", EST_SIMPLEENROLL},
	{"simplereenroll", EST_SIMPLEREENROLL},
	{"serverkeygen", EST_SERVERKEYGEN},
	{"fullcmc", EST_FULLCMC},
};

enum { OPERATIONS = sizeof(operations) / sizeof(operations[0]) };

static size_t operation_find(struct span name)
{
	for (size_t i = 0; i < OPERATIONS; i++) {
		if (span_is(name, operations[i].name))
			return i;
	}
	return OPERATIONS;
}

static bool is_label(struct span s)
{
	/* RFC 7030 3.2.2: a label must differ from every operation's name */
	return s.n <= EST_LABEL_MAX && text_is_name(s, "._-") && !span_is(s, ".") && !span_is(s, "..") &&
		operation_find(s) == OPERATIONS;
}

/* Cuts "/name" off the front of *rest; false when there is none. */
static bool take_segment(struct span *rest, struct span *name)
{
	if (rest->n == 0 || rest->p[0] != '/')
		return false;
	struct span after = span_from(*rest, 1);
	*name = span_first(after, span_find(after, '/'));
	*rest = span_from(after, name->n);
	return true;
}

enum err est_path_parse(struct span path, struct est_path *out, struct why *why)
{
	static const char root[] = "/.well-known/est";
	struct span rest = span_from(path, sizeof(root) - 1);
	struct span name = {NULL, 0};

	*out = (struct est_path){.operation = EST_NONE};
	if (!span_starts(path, root) || !take_segment(&rest, &name))
		return WHY(why, EST_PATH, "RFC 7030 3.2.2", "path: want %s/..., have '%.*s'", root,
			SPAN_FMT(span_first(path, 80)));
	if (rest.n) {
		if (!is_label(name))
			return WHY(why, EST_PATH, "RFC 7030 3.2.2",
				"label: want at most %d letters, digits, . _ - and no operation's name, have '%.*s'",
				EST_LABEL_MAX, SPAN_FMT(span_first(name, 80)));
		out->label = name;
		(void)take_segment(&rest, &name);
	}
	size_t i = operation_find(name);
	if (rest.n || i == OPERATIONS || operations[i].op == EST_NONE)
		return WHY(why, EST_PATH, "RFC 7030 3.2.2", "operation: want one that is offered, have '%.*s%.*s'",
			SPAN_FMT(span_first(name, 80)), SPAN_FMT(span_first(rest, 80)));
	out->operation = operations[i].op;
	return OK;
}

const char *est_operation_name(enum est_operation op)
{
	for (size_t i = 0; i < OPERATIONS && op != EST_NONE; i++) {
		if (operations[i].op == op)
			return operations[i].name;
	}
	return "none";
}
