#include "bind/est_turn.h"
#include "core/enrol/behalf.h"

/* A request that cannot be read names nobody: enrol_certificate refuses it. */
static enum err find_subject(
	const struct est_turn *e, struct span der, struct arena *arena, struct est_asked *out, bool *other_out, struct why *why)
{
	struct csr csr = {0};
	struct why unread = {0};
	const struct behalf_ask ask = {.asker = out->ask.client, .label = e->label, .csr = &csr,
		.reenrol = out->ask.reenrol, .now_s = e->now_s};

	*other_out = false;
	if (!behalf_is_ra(ask.asker) || csr_parse(der, &csr, &unread) != OK)
		return OK;
	return behalf_find(e->turn->env->enrol.store, &ask, arena, &out->subject, other_out, why);
}

/* RFC 7030 3.5: an RA passes requests on that were made elsewhere; what they echo may be of its own MEF. */
static void forgive(struct est_asked *out)
{
	bool challenge = out->why.code == CODE_CHALLENGE_FORGED || out->why.code == CODE_CHALLENGE_CLIENT;
	if (!challenge && out->why.code != CODE_LINKING_WRONG && out->why.code != CODE_LINKING_NONE)
		return;
	why_clear(&out->why);
	out->ask.challenge_err = OK;
}

enum err est_ask(const struct est_turn *e, const struct client *client, bool reenrol, struct span csr,
	struct arena *arena, struct est_asked *out, struct why *why)
{
	bool other = false;

	*out = (struct est_asked){.ask = {.client = client, .address = e->turn->call->peer.address, .label = e->label,
		.reenrol = reenrol, .csr = csr, .challenge_why = &out->why}};
	TRY(find_subject(e, csr, arena, out, &other, why));
	out->ask.challenge_err = est_prove(e, client, csr, &out->proof, &out->why);
	out->ask.nonce = out->proof.nonce;
	out->ask.linked = out->proof.linked;
	if (other) {
		out->ask.client = &out->subject;
		out->ask.ra = client;
		forgive(out);
	}
	if (out->ask.challenge_err <= ERR_PENDING)
		return OK;
	*why = out->why;
	return out->ask.challenge_err;
}
