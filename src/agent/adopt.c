/* Which roots of cacerts become anchors; declared in run.h. docs/decisions/0020 */
#include "agent/run.h"

/* An anchor is a name and a key (RFC 5280 6.1.1): a root that was signed anew with its key is the same one. */
static enum err same_anchor(struct span a, struct span b, bool *out, struct why *why)
{
	struct cert one = {0};
	struct cert two = {0};

	*out = false;
	TRY(cert_parse(a, &one, why));
	TRY(cert_parse(b, &two, why));
	if (!span_equal(one.spki, two.spki))
		return OK;
	return name_equal(one.subject, two.subject, out, why);
}

bool cert_set_has_key_of(const struct cert_set *set, struct span der)
{
	for (size_t i = 0; i < set->n; i++) {
		struct why ignored = {0};
		bool same = false;
		if (same_anchor(set->ders[i], der, &same, &ignored) == OK && same)
			return true;
	}
	return false;
}

/*
 * RFC 4210 4.4: certificates between roots are self-issued, as a root keeps its name. No other may vouch for a root: an
 * issuing CA's key lies on a machine in the network, and its path length does not count the last certificate of a path.
 */
static enum err take_bridges(const struct agent *a, struct cert_set *out, struct why *why)
{
	for (size_t i = 0; i < a->inner.n; i++) {
		struct cert c = {0};
		bool same = false;
		TRY(cert_parse(a->inner.ders[i], &c, why));
		TRY(name_equal(c.subject, c.issuer, &same, why));
		if (same)
			TRY(cert_set_add(out, a->inner.ders[i], why));
	}
	return OK;
}

/* RFC 4210 4.4: NewWithOld, a certificate of that root's name and key which leads to an anchor that the device holds. */
static enum err vouched(const struct agent *a, const struct anchors *held, const struct cert_set *bridges, struct span root,
	bool *out, struct why *why)
{
	int64_t now_s = clock_unix_s(&a->config.clock);

	*out = cert_set_has_key_of(&a->held, root);
	for (size_t i = 0; !*out && i < bridges->n; i++) {
		struct span path[CHAIN_MAX];
		struct why ignored = {0};
		uint8_t anchor[32];
		bool same = false;
		TRY(same_anchor(bridges->ders[i], root, &same, why));
		if (!same)
			continue;
		size_t n = run_gather_path(bridges->ders[i], bridges, path);
		*out = chain_check(held, bridges->ders[i], path, n, CHAIN_ANY, now_s, anchor, &ignored) == OK;
	}
	return OK;
}

/*
 * RFC 7030 4.1.3, 3.6.1: the first answer fills the explicit database, on the word of the session that brought it. From
 * then on a root needs that of an anchor that is there: a session proves the server's key, which lies on a machine in the
 * network, and must not be enough to plant a root that outlives it.
 */
enum err run_adopt(struct agent *a, struct why *why)
{
	OWNED_ANCHORS struct anchors *held = NULL;
	struct cert_set roots = a->anchors, bridges = {0};

	a->strangers = 0;
	if (a->config.goal == AGENT_ENROL || a->held.n == 0)
		return OK;
	TRY(run_make_anchors(&a->held, &held, why));
	TRY(take_bridges(a, &bridges, why));
	a->anchors.n = 0;
	for (size_t i = 0; i < roots.n; i++) {
		bool good = false;
		TRY(vouched(a, held, &bridges, roots.ders[i], &good, why));
		if (good)
			TRY(cert_set_add(&a->anchors, roots.ders[i], why));
		else
			a->strangers++;
	}
	return OK;
}
