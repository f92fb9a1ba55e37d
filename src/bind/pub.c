#include "bind/turn.h"

#include <stdio.h>

enum {
	CA_MAX_AGE_S = 86400, /* a CA certificate stays for years */
	CRL_MAX_AGE_S = 3600, /* a revocation should be seen within the hour */
};

static void reply_file(const struct turn *t, const char *media_type, struct span body, uint32_t max_age_s)
{
	struct reply reply = {.status = 200, .max_age_s = max_age_s, .body = body};

	snprintf(reply.media_type, sizeof(reply.media_type), "%s", media_type);
	turn_reply(t, &reply);
}

/* A cache never keeps a CRL past its nextUpdate. */
static uint32_t crl_max_age(const struct crl_row *row, int64_t now_s)
{
	int64_t left = row->next_update_s - now_s;

	if (left <= 0)
		return 0;
	return left < CRL_MAX_AGE_S ? (uint32_t)left : CRL_MAX_AGE_S;
}

/* The CA of "/crl/NAME.crl"; NULL: it is none of ours. */
static const struct bind_ca *ca_of(const struct turn *t, const char *folder, const char *kind)
{
	struct span path = t->call->path;
	size_t before = strlen(folder);
	size_t behind = strlen(kind);

	for (size_t i = 0; i < t->env->cas_n; i++) {
		const struct bind_ca *ca = &t->env->cas[i];
		size_t n = strlen(ca->name);
		if (path.n == before + n + behind && span_starts(path, folder)
			&& span_is(span_first(span_from(path, before), n), ca->name) && span_is(span_from(path, before + n), kind))
			return ca;
	}
	return NULL;
}

static void no_such_file(const struct turn *t)
{
	struct why why = {0};

	(void)WHY(&why, PUB_PATH, "RFC 9110 15.5.5", "path: want one that is served, have '%.*s'",
		SPAN_FMT(span_first(t->call->path, 80)));
	turn_fail(t, &why);
}

void bind_crl(const struct turn *t)
{
	const struct enrol_env *env = &t->env->enrol;
	struct arena arena OWNED_ARENA = ARENA(STORE_CRL_MAX + 4096);
	struct crl_row row = {0};
	struct why why = {0};
	struct why told = {0};
	const struct bind_ca *ca = ca_of(t, "/crl/", ".crl");

	if (!ca) {
		no_such_file(t);
		return;
	}
	enum err err = env->store->ops->crl_get(env->store->self, ca->name, &arena, &row, &why);

	if (err == OK && row.der.n > REPLY_BODY_MAX)
		err = WHY(&why, BUG, "", "CRL: want at most %d bytes, have %zu", REPLY_BODY_MAX, row.der.n);
	if (err == OK) {
		/* RFC 5280 4.2.1.13: the DER of one CRL, as application/pkix-crl */
		reply_file(t, "application/pkix-crl", row.der, crl_max_age(&row, clock_unix_s(env->clock)));
		return;
	}
	if (err == ERR_NOT_FOUND)
		(void)WHY(&told, PUB_CRL, "", "CRL: want one in the store, have none");
	turn_fail(t, err == ERR_NOT_FOUND ? &told : &why);
}

void bind_ca_cert(const struct turn *t)
{
	const struct bind_ca *ca = ca_of(t, "/ca/", ".cer");

	/* RFC 5280 4.2.2.1: a single DER certificate, as application/pkix-cert */
	if (ca)
		reply_file(t, "application/pkix-cert", ca->der, CA_MAX_AGE_S);
	else
		no_such_file(t);
}

void bind_ca_chain(const struct turn *t)
{
	/* RFC 5280 4.2.2.1: several as a certs-only CMS message */
	reply_file(t, "application/pkcs7-mime; smime-type=certs-only", t->env->ca_chain_cms, CA_MAX_AGE_S);
}
