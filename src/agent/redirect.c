#include "agent/run.h"

#include "wire/uri.h"

/* RFC 9110 15.4: 307 and 308 keep the method; what else moves a POST would make a GET of it */
static bool moves(const struct agent *a, unsigned int status)
{
	bool any = status == 301 || status == 302 || status == 303;

	return status == 307 || status == 308 || (any && !a->posts);
}

/* RFC 6454 4: scheme, host and port */
static bool same_origin(struct span left, struct span right)
{
	struct uri l = {0};
	struct uri r = {0};
	struct why ignored = {0};

	return uri_parse(left, &l, &ignored) == OK && uri_parse(right, &r, &ignored) == OK
		&& span_equal_nocase(l.scheme, r.scheme) && span_equal_nocase(l.host, r.host) && l.port == r.port;
}

bool run_moves(struct agent *a, const struct agent_reply *reply)
{
	struct span to = span_text(reply->location ? reply->location : "");

	if (!moves(a, reply->status) || a->moves == AGENT_MOVES_MAX || to.n >= sizeof(a->moved) || to.n == 0
		|| !same_origin(to, span_text(a->base)))
		return false;
	a->moves++;
	memcpy(a->moved, to.p, to.n);
	a->moved[to.n] = '\0';
	return true;
}
