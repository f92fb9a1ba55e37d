#include "base/mem.h"
#include "bind/est_turn.h"
#include "core/enrol/keygen.h"
#include "pki/cms.h"
#include "proto/est/body.h"
#include "proto/est/keygen.h"

#include <stdio.h>

/* RFC 7030 3.2.2: what is not offered is not there */
static enum err check_offered(const struct est_label *label, struct why *why)
{
	if (label->serverkeygen == KEYGEN_OFF)
		return WHY(why, EST_PATH, "RFC 7030 3.2.2", "serverkeygen: not offered under this label");
	return OK;
}

static enum err write_answer(
	const struct turn *t, const struct keygen_answer *a, struct buf *body, struct reply *reply, struct why *why)
{
	struct buf cms OWNED_BUF = BUF(CALL_BODY_MAX);
	uint8_t seed[EST_KEYGEN_SEED_SIZE];
	char media_type[EST_KEYGEN_MEDIA_SIZE];

	/* RFC 7030 4.4.2: the certificate part is as simpleenroll's answer */
	TRY(cms_certs_write(&a->cert, 1, &cms, why));
	TRY(random_fill(&t->env->random, seed, sizeof(seed), why));
	const struct est_keygen_parts parts = {.encrypted = a->encrypted, .key = a->key, .cert = buf_span(&cms)};
	TRY(est_keygen_write(&parts, seed, body, media_type, why));
	snprintf(reply->media_type, sizeof(reply->media_type), "%s", media_type);
	reply->body = buf_span(body);
	return OK;
}

static void on_answer(void *arg, enum err err, const struct keygen_answer *a, const struct why *why)
{
	struct turn *t = arg;
	struct buf body __attribute__((cleanup(buf_fini_wipe))) = BUF(EST_KEYGEN_BODY_MAX);
	struct reply reply = {.status = 200};
	struct why own = {0};

	if (err != OK)
		turn_fail(t, why);
	else if (write_answer(t, a, &body, &reply, &own) != OK)
		turn_fail(t, &own);
	else
		turn_reply(t, &reply);
	mem_free(t);
}

static void on_refused(void *arg, enum err err, struct span none, const struct why *why)
{
	struct turn *t = arg;

	turn_fail(t, why);
	mem_free(t);
}

/* How the client wants its key, and whether the label gives it so. */
static enum err read_wish(const struct est_turn *e, struct span der, struct est_keygen *out, struct why *why)
{
	struct csr csr = {0};

	TRY(csr_parse(der, &csr, why));
	TRY(est_keygen_parse(csr.attributes, out, why));
	if (e->label->serverkeygen == KEYGEN_ENCRYPTED && !out->symmetric.n && !out->asymmetric.n)
		return WHY(why, EST_KEYGEN_PLAIN, "RFC 7030 4.4.1",
			"DecryptKeyIdentifier or AsymmetricDecryptKeyIdentifier: label '%s' wants one, have none", e->label->name);
	return OK;
}

static enum err prepare(const struct est_turn *e, struct span der, struct client *client, struct arena *arena,
	struct est_keygen *wish, struct est_asked *asked, struct why *why)
{
	TRY(turn_client(e->turn, e->now_s, arena, client, why));
	TRY(read_wish(e, der, wish, why));
	TRY(est_ask(e, client, false, der, arena, asked, why));
	/* who passes requests on would learn the private keys of others */
	if (asked->ask.ra)
		return WHY(why, EST_KEYGEN_RA, "RFC 7030 3.7", "request: want one for '%s' itself, have one for '%s'",
			client->enrolee.id, asked->subject.enrolee.id);
	return OK;
}

static void keygen(const struct est_turn *e, struct span der, struct turn *kept)
{
	struct arena arena OWNED_ARENA = ARENA(BIND_ARENA_MAX);
	struct client client = {0};
	struct est_keygen wish;
	struct est_asked asked;
	struct why why = {0};

	if (prepare(e, der, &client, &arena, &wish, &asked, &why) != OK) {
		turn_refuse(e->turn, &client, &why, on_refused, kept);
		return;
	}
	const struct keygen_ask ask = {.enrol = &asked.ask,
		.vault = e->turn->env->exchange.vault,
		.symmetric = wish.symmetric,
		.asymmetric = wish.asymmetric,
		.content = wish.content,
		.wrap = wish.wrap,
		.transport = wish.transport,
		.strong = e->turn->call->peer.strong};
	enrol_keygen(&e->turn->env->enrol, &ask, on_answer, kept);
}

void est_serverkeygen(const struct est_turn *e)
{
	const struct call *call = e->turn->call;
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct turn *kept = NULL;
	struct why why = {0};
	enum err err = check_offered(e->label, &why);

	if (err == OK)
		err = est_body_csr(call->media_type, call->body, &der, &why);
	if (err == OK) {
		kept = mem_alloc(sizeof(*kept));
		if (!kept)
			err = WHY(&why, NOMEM, "", "request: want memory for its answer");
	}
	if (err != OK) {
		turn_fail(e->turn, &why);
		return;
	}
	*kept = *e->turn;
	kept->call = NULL;
	keygen(e, buf_span(&der), kept);
}
