/* What a CSR proves of csrattrs and of its TLS session: the MEF's challenge, and linking (RFC 7030 3.5). */
#include "bind/est_turn.h"

#include "pki/csr.h"
#include "proto/est/linking.h"

/* The label alone decides whether the session counts, when a challenge is made and when it is checked. */
static enum err challenge_facts_of(
	const struct est_turn *e, const struct client *client, struct challenge_facts *out, struct why *why)
{
	const struct peer *peer = &e->turn->call->peer;

	*out = (struct challenge_facts){
		.identity = span_of(client->identity, sizeof(client->identity)),
		.label = span_text(e->label->name),
		.ttl_s = e->label->challenge_ttl_s,
	};
	if (!e->label->bind_tls)
		return OK;
	if (peer->exporter.n == 0)
		return WHY(why, CHALLENGE_BINDING, "RFC 9266 3", "TLS session: want exporter octets, have none");
	out->binding = peer->exporter;
	return OK;
}

enum err est_make_challenge(
	const struct est_turn *e, const struct client *client, struct buf *text_out, struct why *why)
{
	const struct bind_env *env = e->turn->env;
	struct challenge_facts facts = {0};
	uint8_t random[28];

	TRY(challenge_facts_of(e, client, &facts, why));
	TRY(random_fill(&env->random, random, sizeof(random), why));
	return challenge_write(secret_span(env->challenge_key), random, &facts,
		e->now_s + e->label->challenge_ttl_s, text_out, why);
}

static enum err check_challenge(const struct est_turn *e, const struct client *client, struct span text,
	struct est_proof *out, struct why *why)
{
	struct challenge_facts facts = {0};

	TRY(challenge_facts_of(e, client, &facts, why));
	/* TS-0003 8.3.6.2: the echo is checked wherever it is sent, not only where it must be */
	TRY(challenge_check(secret_span(e->turn->env->challenge_key), text, &facts, e->now_s, out->nonce_octets, why));
	out->nonce = span_of(out->nonce_octets, CHALLENGE_NONCE_SIZE);
	return OK;
}

/* RFC 7030 3.5: a value of another session, replayed or passed on, proves the opposite of what it is for. */
static enum err check_linking(const struct est_turn *e, const char *clause, const char *attribute, struct span text,
	struct est_proof *out, struct why *why)
{
	const struct peer *peer = &e->turn->call->peer;
	const struct linking_session session = {.unique = peer->unique, .exporter = peer->exporter};

	/* behind a proxy the session is the proxy's, whatever it has */
	if (peer->proxied || session.unique.n + session.exporter.n == 0)
		return WHY(why, LINKING_NONE, clause, "%s: want none, this TLS session has no value to link to", attribute);
	if (!linking_is_of(&session, text))
		return WHY(why, LINKING_WRONG, clause, "%s: want the base64 of this TLS session's %s, have another value",
			attribute, peer->tls_version >= 0x0304 ? "tls-exporter" : "tls-unique");
	out->linked = true;
	return OK;
}

/* One attribute, two uses: what reads as a linking value is one, unless the label takes none. */
static enum err check_password(const struct est_turn *e, const struct client *client, struct span text,
	struct est_proof *out, struct why *why)
{
	if (e->label->linking != LINKING_OFF && linking_is_value(text))
		return check_linking(e, "RFC 7030 3.5", "challengePassword", text, out, why);
	return check_challenge(e, client, text, out, why);
}

enum err est_prove(const struct est_turn *e, const struct client *client, struct span der, struct est_proof *out,
	struct why *why)
{
	struct csr csr = {0};

	*out = (struct est_proof){.linked = false};
	TRY(csr_parse(der, &csr, why));
	if (csr.has_challenge)
		TRY(check_password(e, client, csr.challenge, out, why));
	if (csr.linking.n && e->label->linking != LINKING_OFF)
		TRY(check_linking(e, "RFC 7894 3.3", "estIdentityLinking", csr.linking, out, why));
	return OK;
}
