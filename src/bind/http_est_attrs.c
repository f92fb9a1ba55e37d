/* RFC 7030 4.5: what this MEF asks of a CSR, made for who asks. */
#include "bind/est_turn.h"

#include "proto/est/attrs.h"
#include "proto/est/body.h"

_Static_assert((int)ATTRS_LEGACY == (int)EST_ATTRS_LIST && (int)ATTRS_TEMPLATE == (int)EST_ATTRS_TEMPLATE
	&& (int)ATTRS_BOTH == (int)EST_ATTRS_BOTH, "the label says the form");

/* RFC 7030 4.5.2: a kind of key that is demanded is said, also where the label has no wish */
static enum key_spec key_of(const struct attrs_asked *asked, const struct client *client)
{
	bool own = client && client->enrolee.profile && client->enrolee.profile[0];

	return asked->key != KEY_NONE || own ? asked->key : asked->label->only_key;
}

/* client NULL: what the label asks of everybody, without challenge and identity. */
static enum err write_attrs(const struct est_turn *e, const struct client *client, struct arena *arena,
	struct buf *der_out, struct why *why)
{
	const struct est_label *label = e->label;
	bool link = label->linking == LINKING_REQUIRED;
	/* RFC 7030 3.5: challengePassword is the place for linking where no challenge has to stand there */
	bool challenged = label->challenge == CHALLENGE_REQUIRED || !link;
	struct buf challenge OWNED_BUF = BUF(CHALLENGE_TEXT_MAX);
	struct buf sans OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct attrs_asked asked;

	TRY(asked_find(e->turn->env->enrol.store, label, client ? client->enrolee.id : NULL, arena, &asked, why));
	/* TS-0003 10.1.1.1: keyUsage holds at least digitalSignature */
	struct est_attrs attrs = {.key = key_of(&asked, client), .digital_signature = true, .ekus = asked.ekus,
		.subject = asked.subject, .asks_challenge = link && !challenged, .asks_linking = link && challenged};
	if (client) {
		/* TS-0003 8.3.6.2: a challengePassword and the identity that the MEF associates with the client */
		if (challenged)
			TRY(est_make_challenge(e, client, &challenge, why));
		TRY(policy_identity(&client->enrolee, &sans, why));
		attrs.challenge = buf_span(&challenge);
		attrs.sans = buf_span(&sans);
	}
	return est_attrs_write(&attrs, (enum est_attrs_form)label->attrs, der_out, why);
}

void est_csrattrs(const struct est_turn *e)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct client client = {0};
	struct why why = {0};
	/* who may renew late may fetch what the renewal must carry; the challenge is good for that certificate alone */
	enum err err = turn_client_late(e->turn, e->now_s, e->label->expired_s, &arena, &client, &why);
	bool known = err == OK;

	/* RFC 7030 4.5: no client authentication, unless the answer must be made for one client */
	if (err == ERR_UNAUTHENTICATED && e->label->challenge == CHALLENGE_ACCEPTED) {
		why_clear(&why);
		err = OK;
	}
	if (err == OK)
		err = write_attrs(e, known ? &client : NULL, &arena, &der, &why);
	if (err != OK)
		turn_fail(e->turn, &why);
	else
		turn_est_body(e->turn, EST_MEDIA_CSRATTRS, buf_span(&der), e->turn->call->user_agent);
}
