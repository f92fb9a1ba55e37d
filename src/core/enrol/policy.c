#include "core/enrol/policy.h"

#include "base/buf.h"
#include "base/text.h"

#include <stdio.h>

enum { CN_MAX = 64 /* RFC 5280 appendix A ub-common-name */, SHOWN_MAX = 110 };

static bool is_dns_type(enum entity_type t)
{
	return t == ENTITY_CSE || t == ENTITY_FQDN;
}

static struct san_list identity_of(const struct enrolee *e)
{
	struct san_list list = {.n = 1};

	/* TS-0003 10.1.1: the CSE's public domain name as dNSName, AE-ID and Node-ID as URI. */
	list.items[0].kind = is_dns_type(e->entity_type) ? SAN_DNS : SAN_URI;
	list.items[0].value = span_text(e->entity_id);
	return list;
}

enum err policy_identity(const struct enrolee *e, struct buf *der_out, struct why *why)
{
	const struct san_list list = identity_of(e);

	return san_write(&list, der_out, why);
}

static enum err keep(struct arena *arena, struct span in, struct span *out, struct why *why)
{
	*out = arena_copy(arena, in);
	return out->n == in.n ? OK : WHY(why, NOMEM, "", "issue order");
}

static enum err check_no_ca(const struct csr *csr, struct why *why)
{
	bool signs = csr->has_key_usage && (csr->key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0;

	if (csr->asks_ca || signs)
		return WHY(why, POLICY_CA, "RFC 5280 4.2.1.9", "request: want an end entity's, have %s",
			csr->asks_ca ? "basicConstraints cA" : "keyUsage keyCertSign or cRLSign");
	return OK;
}

/* Exactly CN = text. Ids and URIs are told apart by case, host names are not. */
static enum err subject_is_cn(struct span subject, const char *text, bool nocase, struct arena *arena,
	bool *out, struct why *why)
{
	struct buf want OWNED_BUF = BUF(NAME_DER_MAX);
	struct span cn = {0};

	*out = false;
	if (strlen(text) > CN_MAX)
		return OK;
	TRY(name_write_cn(text, NULL, &want, why));
	TRY(name_equal(subject, buf_span(&want), out, why));
	TRY(name_cn(subject, arena, &cn, why));
	*out = *out && (nocase ? span_is_nocase(cn, text) : span_is(cn, text));
	return OK;
}

static const char *default_cn(const struct enrolee *e)
{
	if (strlen(e->entity_id) <= CN_MAX)
		return e->entity_id;
	/* An id with dots reads as a host name, which a common name must not claim. */
	return strlen(e->id) <= CN_MAX && !strchr(e->id, '.') ? e->id : "";
}

static enum err refuse_subject(const struct client *client, struct span subject, struct arena *arena, struct why *why)
{
	const char *have = "";

	TRY(name_text(subject, arena, &have, why));
	return WHY(why, POLICY_SUBJECT, "TS-0003 8.3.6.2",
		"subject: want empty, CN=%.*s or CN=%.*s, have '%.*s'",
		SPAN_FMT(span_first(span_text(client->enrolee.id), 64)),
		SPAN_FMT(span_first(span_text(client->enrolee.entity_id), 80)),
		SPAN_FMT(span_first(span_text(have), SHOWN_MAX)));
}

static enum err take_subject(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct span *out, struct why *why)
{
	const struct enrolee *e = &client->enrolee;
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	bool good = false;

	*out = csr->subject;
	if (asked->subject.n && (asked->must || asked_subject(asked, e, csr->subject, arena, &(struct why){0}) == OK))
		return asked_subject(asked, e, csr->subject, arena, why);
	/* No registration authority can write into a request that the client signed: another CA may add a subject. */
	if (name_is_empty(csr->subject) && asked->label->issuer[0])
		return OK;
	if (name_is_empty(csr->subject)) {
		TRY(name_write_cn(default_cn(e), NULL, &name, why));
		return keep(arena, buf_span(&name), out, why);
	}
	TRY(subject_is_cn(csr->subject, e->id, false, arena, &good, why));
	if (!good)
		TRY(subject_is_cn(csr->subject, e->entity_id, is_dns_type(e->entity_type), arena, &good, why));
	if (!good && !client->self_named && client->leaf.subject.n && !name_is_empty(client->leaf.subject))
		TRY(name_equal(csr->subject, client->leaf.subject, &good, why));
	return good ? OK : refuse_subject(client, csr->subject, arena, why);
}

static void put_sans(struct buf *out, const struct san_list *list)
{
	san_put_text(out, list);
	if (list->n == 0)
		buf_put_text(out, "none");
}

static enum err refuse_sans(const char *clause, const struct san_list *want, const struct san_list *have, struct why *why)
{
	struct buf want_text OWNED_BUF = BUF(64 * 1024);
	struct buf have_text OWNED_BUF = BUF(64 * 1024);

	put_sans(&want_text, want);
	put_sans(&have_text, have);
	return WHY(why, POLICY_SAN, clause, "subjectAltName: want %.*s, have %.*s",
		SPAN_FMT(span_first(buf_span(&want_text), SHOWN_MAX)),
		SPAN_FMT(span_first(buf_span(&have_text), SHOWN_MAX)));
}

static enum err parse_sans(struct span der, struct arena *arena, struct san_list *out, struct why *why)
{
	*out = (struct san_list){0};
	return der.n ? san_parse(der, arena, out, why) : OK;
}

static enum err take_sans(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct span *out, struct why *why)
{
	const struct san_list want = identity_of(&client->enrolee);
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct san_list have = {0};

	TRY(parse_sans(csr->san, arena, &have, why));
	/* TS-0003 10.1.4: the CSR carries the identity; plain RFC 7030 clients leave it to the MEF to add. */
	bool absent = have.n == 0 && !asked->must;
	if (!absent && !san_same_set(&want, &have))
		return refuse_sans("TS-0003 8.3.6.2", &want, &have, why);
	TRY(san_write(&want, &der, why));
	return keep(arena, buf_span(&der), out, why);
}

static enum err begin_order(const struct client *client, const struct est_label *label, const struct csr *csr,
	struct issue_order *out, struct why *why)
{
	const char *own = client->enrolee.profile;
	const char *profile = own && own[0] ? own : label->profile;

	*out = (struct issue_order){.csr = csr->der};
	if (!text_copy(out->profile, sizeof(out->profile), span_text(profile)))
		return WHY(why, ENROLEE_LABEL, "", "profile: want less than %d characters, have '%s'", ISSUER_PROFILE_MAX,
			profile);
	snprintf(out->issuer, sizeof(out->issuer), "%s", label->issuer);
	return OK;
}

enum err policy_enrol(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why)
{
	TRY(begin_order(client, asked->label, csr, out, why));
	TRY(check_no_ca(csr, why));
	TRY(take_subject(client, asked, csr, arena, &out->subject, why));
	TRY(take_sans(client, asked, csr, arena, &out->sans, why));
	return asked_rest(asked, csr, arena, why);
}

/* RFC 7030 4.2.2: subject identical to the current certificate's, compared as RFC 5280 7.1 says. */
static enum err same_subject(const struct cert *current, const struct csr *csr, struct arena *arena, struct why *why)
{
	const char *want = "";
	const char *have = "";
	bool same = name_is_empty(current->subject) && name_is_empty(csr->subject);

	if (!same)
		TRY(name_equal(current->subject, csr->subject, &same, why));
	if (same)
		return OK;
	TRY(name_text(current->subject, arena, &want, why));
	TRY(name_text(csr->subject, arena, &have, why));
	return WHY(why, POLICY_SUBJECT, "RFC 7030 4.2.2", "subject: want '%.*s', have '%.*s'",
		SPAN_FMT(span_first(span_text(want), SHOWN_MAX)), SPAN_FMT(span_first(span_text(have), SHOWN_MAX)));
}

static enum err same_sans(const struct client *client, const struct csr *csr, struct arena *arena, struct why *why)
{
	const struct san_list identity = identity_of(&client->enrolee);
	struct san_list want = {0};
	struct san_list have = {0};

	TRY(parse_sans(client->leaf.san, arena, &want, why));
	TRY(parse_sans(csr->san, arena, &have, why));
	/* RFC 7030 4.2.2: subjectAltName identical to the current certificate's. */
	if (!san_same_set(&want, &have))
		return refuse_sans("RFC 7030 4.2.2", &want, &have, why);
	/* TS-0003 8.3.6.2: and it is still the identity that the MEF associates with this client. */
	if (!san_has(&want, &identity.items[0]))
		return refuse_sans("TS-0003 8.3.6.2", &identity, &have, why);
	return OK;
}

static enum err check_reuse(const struct client *client, const struct est_label *label, const struct csr *csr, struct why *why)
{
	if (!label->reuse_key && span_equal(csr->spki, client->leaf.spki))
		return WHY(why, POLICY_KEY_REUSE, "RFC 7030 4.2.2", "key: want a new one, have that of the current certificate");
	return OK;
}

enum err policy_reenrol(const struct client *client, const struct attrs_asked *asked, const struct csr *csr,
	struct arena *arena, struct issue_order *out, struct why *why)
{
	if (!client->provisioned)
		return WHY(why, POLICY_NOT_PROVISIONED, "TS-0003 8.3.6.2",
			"client '%s': want a certificate of this MEF, have a bootstrap credential", client->enrolee.id);
	TRY(begin_order(client, asked->label, csr, out, why));
	TRY(check_no_ca(csr, why));
	TRY(same_subject(&client->leaf, csr, arena, why));
	TRY(same_sans(client, csr, arena, why));
	TRY(asked_rest(asked, csr, arena, why));
	TRY(check_reuse(client, asked->label, csr, why));
	out->subject = csr->subject;
	return keep(arena, client->leaf.san, &out->sans, why);
}
