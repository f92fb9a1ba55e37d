#include "core/maf/inner.h"

#include "base/mem.h"
#include "base/text.h"

struct maf *maf_new(const struct maf_env *env)
{
	struct maf *m = mem_alloc(sizeof(*m));
	char host[FORM_SIZE];

	if (!m)
		return NULL;
	m->env = *env;
	if (form_dns(span_text(env->fqdn), host) != NULL)
		text_copy(host, sizeof(host), span_text(env->fqdn)); /* "localhost.": as configured */
	text_copy(m->fqdn, sizeof(m->fqdn), span_text(host));
	m->env.fqdn = m->fqdn;
	return m;
}

/* "//m2m.example.com/cse1": an absolute CSE-ID or AE-ID. */
static bool absolute_normal(struct span id, char out[FORM_SIZE])
{
	struct span host = span_from(id, 2);
	struct span path = span_from(host, span_find(host, '/'));
	char name[FORM_SIZE];

	host = span_first(host, host.n - path.n);
	if (!span_starts(id, "//") || form_dns(host, name) != NULL)
		return false;
	bool fits = text_copy(out, FORM_SIZE, id);
	memcpy(out + 2, name, host.n); /* the same name in lower case */
	return fits;
}

static bool has_controls(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	}
	return false;
}

enum err maf_id_normal(struct span id, char out[FORM_SIZE], struct why *why)
{
	if (id.n == 0 || id.n >= FORM_SIZE || !text_is_utf8(id) || has_controls(id))
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2", "identifier of a client: want 1 to %d octets of UTF-8 without control characters, have %zu", FORM_SIZE - 1, id.n);
	/* An AE-ID-Stem looks like a host name of one label, but its case counts (TS-0001 7.2). */
	if (span_find(id, '.') < id.n && form_dns(id, out) == NULL)
		return OK;
	if (absolute_normal(id, out) || form_uri(id, false, out) == NULL)
		return OK;
	text_copy(out, FORM_SIZE, id);
	return OK;
}

enum err expiry_decide(const struct maf_peer *p, int64_t asked_s, int64_t now_s, int64_t *out, struct why *why)
{
	int64_t last_s = now_s + MAF_CLIENT_LIFETIME_MAX_S;

	if (asked_s <= now_s)
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2", "expirationTime: want a time to come, have %s", asked_s ? "one that is past" : "none");
	/* TS-0003 10.7: nothing that was made under a key outlives it */
	if (p->expires_s && p->expires_s < last_s)
		last_s = p->expires_s;
	*out = asked_s < last_s ? asked_s : last_s;
	return OK;
}

enum err admin_decide(const char *asked, struct arena *arena, const char **out, struct why *why)
{
	char host[FORM_SIZE];
	const char *want = form_dns(span_text(asked ? asked : ""), host);

	if (want)
		return WHY(why, MAF_FIELD, "TS-0003 8.8.2.3", "adminFQDN: %s", want);
	*out = arena_text(arena, span_text(host));
	return *out ? OK : WHY(why, NOMEM, "", "registration: want memory for its texts");
}
