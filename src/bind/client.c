#include "bind/turn.h"

#include "core/keys/psk.h"
#include "core/keys/srp.h"
#include "proto/est/path.h"

_Static_assert((int)CLIENT_ANONYMOUS == (int)PEER_ANONYMOUS && (int)CLIENT_OWN == (int)PEER_OWN &&
	(int)CLIENT_THIRD_PARTY == (int)PEER_THIRD_PARTY && (int)CLIENT_RAW_KEY == (int)PEER_RAW_KEY &&
	(int)CLIENT_PSK == (int)PEER_PSK && (int)CLIENT_SRP == (int)PEER_SRP,
	"client_find reads the front's word");

const struct label_side *turn_side(const struct turn *t)
{
	const struct bind_env *env = t->env;
	struct est_path path = {0};
	struct why none = {0};

	if (env->sides && env->labels && est_path_parse(t->call->path, &path, &none) == OK) {
		const struct est_label *label = label_find(env->labels, path.label);
		if (label)
			return &env->sides[label - env->labels->items];
	}
	return &env->side;
}

/*
 * The front takes the anchors of all labels together. RFC 7030 3.6, TS-0003 10.1.4: a third party's certificate counts
 * where an anchor of that place vouches for it, and nowhere else.
 */
static enum err check_anchor(const struct turn *t, struct why *why)
{
	const struct peer *peer = &t->call->peer;
	const struct label_side *side = turn_side(t);

	if (peer->trust != PEER_THIRD_PARTY)
		return OK;
	for (size_t i = 0; i < side->anchors_n; i++) {
		if (memcmp(side->anchors + i * sizeof(peer->anchor), peer->anchor, sizeof(peer->anchor)) == 0)
			return OK;
	}
	return WHY(why, CLIENT_ANCHOR, "RFC 7030 3.6", "client certificate: want one of a trust anchor that counts here, have another's");
}

enum err turn_client(const struct turn *t, int64_t now_s, struct arena *arena, struct client *out, struct why *why)
{
	return turn_client_late(t, now_s, 0, arena, out, why);
}

enum err turn_client_late(const struct turn *t, int64_t now_s, int64_t expired_s, struct arena *arena,
	struct client *out, struct why *why)
{
	const struct peer *peer = &t->call->peer;
	const struct client_facts facts = {
		.trust = (int)peer->trust, .leaf = peer->leaf, .anchor = peer->anchor, .identity = peer->identity,
		.expired_s = expired_s};

	*out = (struct client){0};
	TRY(check_anchor(t, why));
	TRY(client_find(t->env->enrol.store, &facts, now_s, arena, out, why));
	if (!out->key_id)
		return OK;
	const struct vault *vault = t->env->exchange.vault;
	enum err err = out->by_srp ? srp_check_used(vault, out->key_id, peer->anchor, why)
				   : psk_check_used(vault, out->key_id, peer->anchor, why);
	/* who holds an earlier key is a stranger: he writes nothing under the name of who has the new one */
	if (err != OK)
		*out = (struct client){0};
	return err;
}

/*
 * Our own faults go straight out, and so do refusals of strangers: whoever reaches the port could fill the
 * disk with rows that nobody may delete.
 */
void turn_refuse(const struct turn *t, const struct client *client, const struct why *why, enrol_done done, void *arg)
{
	/* a revoked certificate's owner is known by the record of its issue */
	const struct enrol_refusal refusal = {
		.enrolee_id = client->enrolee.id ? client->enrolee.id : client->current.enrolee_id,
		.address = t->call->peer.address,
		.why = why};

	if (why->kind <= ERR_PENDING && refusal.enrolee_id) {
		enrol_refuse(&t->env->enrol, &refusal, done, arg);
		return;
	}
	if (why->kind <= ERR_PENDING && t->env->stranger)
		t->env->stranger(t->env->told_arg, refusal.address, why);
	done(arg, why->kind, (struct span){NULL, 0}, why);
}
