#include "base/mem.h"
#include "base/text.h"
#include "bind/turn.h"
#include "core/maf/maf.h"
#include "core/registry/form.h"
#include "pki/cert.h"

#include <stdio.h>

/* What outlives bind_call while the answer is being made durable. */
struct waiting {
	struct turn turn;
	enum doc_form form;
	uint16_t status; /* when all is well */
};

static void reply_body(const struct waiting *w, const struct buf *body)
{
	struct reply reply = {.status = w->status, .body = buf_span(body)};

	if (body->n)
		snprintf(reply.media_type, sizeof(reply.media_type), "%s", doc_media_type(w->form));
	turn_reply(&w->turn, &reply);
}

static void on_client(void *arg, enum err err, const struct maf_client *c, const struct why *why)
{
	struct buf body OWNED_BUF = BUF(DOC_BYTES_MAX);
	struct waiting *w = arg;
	struct why own = {0};

	if (err == OK && c)
		err = maf_client_write(c, w->form, &body, &own);
	if (err == OK)
		reply_body(w, &body);
	else
		turn_fail(&w->turn, own.kind != OK ? &own : why);
	mem_free(w);
}

static void on_key(void *arg, enum err err, const struct maf_key *k, const struct why *why)
{
	struct buf body __attribute__((cleanup(buf_fini_wipe))) = BUF(DOC_BYTES_MAX);
	struct waiting *w = arg;
	struct why own = {0};

	if (err == OK && k)
		err = maf_key_write(k, w->form, &body, &own);
	if (err == OK)
		reply_body(w, &body);
	else
		turn_fail(&w->turn, own.kind != OK ? &own : why);
	mem_free(w);
}

/* ---- who speaks */

static enum err no_identity(const char *what, struct why *why)
{
	return WHY(why, MAF_PEER, "TS-0003 8.8.2.2", "%s", what);
}

/* TS-0003 10.1.1: an AE-ID stands in a URI, a CSE-ID or a gateway's name in a dNSName; several names are nobody's. */
static enum err certificate_id(const struct cert *leaf, struct arena *arena, const char **out, struct why *why)
{
	const struct san *found = NULL;
	struct san_list sans = {0};
	char normal[FORM_SIZE];

	if (leaf->san.n)
		TRY(san_parse(leaf->san, arena, &sans, why));
	for (size_t i = 0; i < sans.n; i++) {
		if (sans.items[i].kind != SAN_URI && sans.items[i].kind != SAN_DNS)
			continue;
		if (found)
			return no_identity("client certificate: want one URI or dNSName, have several", why);
		found = &sans.items[i];
	}
	if (!found)
		return no_identity("client certificate: want a URI or dNSName, have none", why);
	if ((found->kind == SAN_URI ? form_uri(found->value, false, normal) : form_dns(found->value, normal)) != NULL)
		return no_identity("client certificate: want a URI or dNSName that can be read, have another", why);
	*out = arena_text(arena, span_text(normal));
	return *out ? OK : WHY(why, NOMEM, "", "client: want memory for its name");
}

static enum err by_certificate(const struct peer *peer, int64_t now_s, struct arena *arena, struct maf_peer *out, struct why *why)
{
	struct cert leaf = {0};

	TRY(cert_parse(peer->leaf, &leaf, why));
	if (now_s > leaf.not_after_s) /* the handshake may be older */
		return WHY(why, MAF_PEER_EXPIRED, "RFC 5280 4.1.2.5", "client certificate: want one that lasts, have one that is over");
	*out = (struct maf_peer){0};
	return certificate_id(&leaf, arena, &out->id, why);
}

/* TS-0003 8.8.2.2: the MAF handshake, by Km or by a certificate of the MEF's CA, comes before everything. */
static enum err find_peer(const struct turn *t, struct arena *arena, struct maf_peer *out, struct why *why)
{
	const struct peer *peer = &t->call->peer;
	int64_t now_s = clock_unix_s(t->env->enrol.clock);

	if (peer->trust == PEER_PSK)
		TRY(maf_peer_by_psk(t->env->maf, peer->identity, arena, out, why));
	else if (peer->trust == PEER_OWN)
		TRY(by_certificate(peer, now_s, arena, out, why));
	else
		return no_identity("client: want a MAF handshake, have none", why);
	out->address = peer->address;
	out->exported = peer->exported;
	return OK;
}

/* Who a request says that it is from must be who the handshake proved. */
static enum err check_origin(const struct turn *t, const struct maf_peer *p, struct why *why)
{
	struct span origin = t->call->origin;

	if (origin.n && !span_equal_nocase(origin, span_text(p->id)))
		return WHY(why, MAF_ORIGIN, "TS-0003 8.8.2", "X-M2M-Origin: want the identity of the TLS session, have '%.*s'",
			SPAN_FMT(span_first(origin, 100)));
	return OK;
}

/* ---- what it asks */

static enum err read_client(const struct turn *t, enum doc_form form, struct arena *arena, struct maf_client *out, struct why *why)
{
	return maf_client_parse(form, t->call->body, arena, out, why);
}

static enum err clients(const struct turn *t, const struct maf_peer *p, enum doc_form form, struct waiting *w, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct maf_client ask = {0};

	TRY(read_client(t, form, &arena, &ask, why));
	w->status = 201;
	maf_client_register(t->env->maf, p, &ask, on_client, w);
	return OK;
}

static enum err client(
	const struct turn *t, const struct maf_peer *p, const char *id, enum doc_form form, struct waiting *w, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct maf_client ask = {0};

	if (t->call->method == CALL_DELETE) {
		maf_client_remove(t->env->maf, p, id, on_client, w);
		return OK;
	}
	TRY(read_client(t, form, &arena, &ask, why));
	maf_client_update(t->env->maf, p, id, &ask, on_client, w);
	return OK;
}

static enum err keys(const struct turn *t, const struct maf_peer *p, enum doc_form form, struct waiting *w, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct maf_key ask = {0};

	enum err err = maf_key_parse(form, t->call->body, &arena, &ask, why);
	if (err == OK) {
		w->status = 201;
		maf_key_register(t->env->maf, p, &ask, on_key, w);
	}
	secret_wipe(&ask.value);
	return err;
}

static enum err update_key(
	const struct turn *t, const struct maf_peer *p, const char *id, enum doc_form form, struct waiting *w, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct maf_key ask = {0};

	enum err err = maf_key_parse(form, t->call->body, &arena, &ask, why);
	if (err == OK)
		maf_key_update(t->env->maf, p, id, &ask, on_key, w);
	secret_wipe(&ask.value);
	return err;
}

static enum err key(
	const struct turn *t, const struct maf_peer *p, const char *id, enum doc_form form, struct waiting *w, struct why *why)
{
	if (t->call->method == CALL_PUT)
		return update_key(t, p, id, form, w, why);
	if (t->call->method == CALL_DELETE)
		maf_key_remove(t->env->maf, p, id, on_key, w);
	else
		maf_key_retrieve(t->env->maf, p, id, on_key, w);
	return OK;
}

static unsigned int methods_of(enum maf_path what)
{
	switch (what) {
	case MAF_PATH_CLIENTS:
	case MAF_PATH_KEYS:
		return 1u << CALL_POST;
	case MAF_PATH_CLIENT:
		return 1u << CALL_PUT | 1u << CALL_DELETE;
	case MAF_PATH_KEY:
		return 1u << CALL_GET | 1u << CALL_PUT | 1u << CALL_DELETE;
	}
	return 0;
}

static enum err check_method(enum maf_path what, enum call_method method, struct why *why)
{
	return methods_of(what) & 1u << method
		? OK
		: WHY(why, EST_METHOD, "RFC 9110 15.5.6", "method: want one that this resource takes");
}

/* For the Allow of a 405; nothing where the path is none of ours. */
static unsigned int methods_at(struct span path)
{
	enum maf_path what = MAF_PATH_CLIENTS;
	char id[MAF_ID_SIZE];
	struct why why = {0};

	return maf_path_parse(path, &what, id, &why) == OK ? methods_of(what) : 0;
}

/* OK: w is taken, and answered or will be. */
static enum err perform(const struct turn *t, const struct maf_peer *p, struct waiting *w, struct why *why)
{
	char id[MAF_ID_SIZE];
	enum maf_path what = MAF_PATH_CLIENTS;
	enum doc_form form = DOC_JSON;

	TRY(maf_path_parse(t->call->path, &what, id, why));
	TRY(check_method(what, t->call->method, why));
	TRY(doc_form_of(t->call->media_type, &form, why));
	w->form = doc_form_wanted(t->call->accept, form);
	switch (what) {
	case MAF_PATH_CLIENTS:
		return clients(t, p, form, w, why);
	case MAF_PATH_CLIENT:
		return client(t, p, id, form, w, why);
	case MAF_PATH_KEYS:
		return keys(t, p, form, w, why);
	case MAF_PATH_KEY:
		return key(t, p, id, form, w, why);
	}
	return WHY(why, BUG, "", "path of the MAF: %d", (int)what);
}

static enum err identify(const struct turn *t, struct arena *arena, struct maf_peer *out, struct why *why)
{
	enum err err = find_peer(t, arena, out, why);

	if (err != OK && err <= ERR_PENDING && t->env->stranger)
		t->env->stranger(t->env->told_arg, t->call->peer.address, why);
	TRY(err);
	return check_origin(t, out, why);
}

void bind_maf(const struct turn *t)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct waiting *w = mem_alloc(sizeof(*w));
	struct maf_peer peer = {0};
	struct why why = {0};
	enum err err = w ? OK : WHY(&why, NOMEM, "", "request: want memory for its answer");

	if (err == OK) {
		*w = (struct waiting){.turn = *t, .form = DOC_JSON, .status = 200};
		w->turn.call = NULL;
		err = identify(t, &arena, &peer, &why);
	}
	if (err == OK)
		err = perform(t, &peer, w, &why);
	if (err == OK)
		return;
	turn_fail_method(t, methods_at(t->call->path), &why);
	mem_free(w);
}
