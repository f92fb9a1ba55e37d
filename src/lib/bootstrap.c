#include "lib/inner.h"

#include "agent/bootstrap.h"
#include "base/hex.h"

#define EXPLICIT "anchors.pem: explicit trust anchors (RFC 7030 3.6.1); they alone authenticate the MEF.\nFirst of them: "

/* RFC 7030 3.6.2: the implicit database is for when there is no explicit one */
static enum err check_no_explicit(struct enrolee *e, struct why *why)
{
	OWNED_BUF struct buf held = BUF(LIB_PEM_MAX);
	struct why none = {0};
	enum err err = lib_read(e, ENROLEE_ITEM_ANCHORS, &held, &none);

	if (err == ERR_NOT_FOUND)
		return OK;
	if (err == OK)
		return WHY(why, AGENT_EXPLICIT, "RFC 7030 3.6.2", "ENROLEE_IMPLICIT_ANCHORS: explicit ones are held");
	*why = none;
	return err;
}

static enum err take_fingerprint(struct enrolee *e, const char *given, struct why *why)
{
	struct why cause = {0};
	size_t n = 0;

	if (hex_parse(span_text(given), e->run.root_sha256, sizeof(e->run.root_sha256), &n, &cause) != OK
		|| n != sizeof(e->run.root_sha256))
		return WHY(why, AGENT_OPTION, "", "ENROLEE_ROOT_SHA256: want 64 hexadecimal digits, have '%.100s'", given);
	buf_put_fmt(&e->run.origin, EXPLICIT "cacerts; a person gave its fingerprint %s (RFC 7030 4.1.1).\n", given);
	e->run.bootstrap = BOOTSTRAP_FINGERPRINT;
	return OK;
}

static enum err take_implicit(struct enrolee *e, struct why *why)
{
	TRY(check_no_explicit(e, why));
	buf_put_text(&e->run.origin,
		EXPLICIT "cacerts; its server was authenticated by implicit anchors of the program, which count no more.\n");
	e->run.bootstrap = BOOTSTRAP_IMPLICIT;
	return OK;
}

enum err lib_take_anchors(struct enrolee *e, struct why *why)
{
	const char *fingerprint = lib_text(e, ENROLEE_ROOT_SHA256);
	bool implicit = e->blobs[ENROLEE_IMPLICIT_ANCHORS].n != 0;
	bool given = e->blobs[ENROLEE_ANCHORS].n != 0;

	if (given + implicit + (fingerprint != NULL) != 1)
		return WHY(why, AGENT_OPTION, "RFC 7030 3.6", "want one of ENROLEE_ANCHORS, ENROLEE_IMPLICIT_ANCHORS and ENROLEE_ROOT_SHA256, have %d",
			given + implicit + (fingerprint != NULL));
	if (fingerprint)
		return take_fingerprint(e, fingerprint, why);
	if (implicit)
		return take_implicit(e, why);
	/* RFC 7030 3.6.1: nobody is trusted but whom the explicit anchors vouch for */
	buf_put_span(&e->run.anchors, buf_span(&e->blobs[ENROLEE_ANCHORS]));
	buf_put_text(&e->run.origin, EXPLICIT "given to libenrolee by the program.\n");
	return buf_check(&e->run.anchors, "anchors", why);
}

enum err lib_bootstrap_url(struct enrolee *e, struct why *why)
{
	TRY(agent_base_write(buf_text(&e->run.mef), &e->run.bootstrap_url, why));
	buf_put_text(&e->run.bootstrap_url, "/cacerts");
	return buf_check(&e->run.bootstrap_url, "URL", why);
}

enum err lib_bootstrapped(struct enrolee *e, struct why *why)
{
	const struct enrolee_response *r = &e->response;
	const uint8_t *root = e->run.bootstrap == BOOTSTRAP_FINGERPRINT ? e->run.root_sha256 : NULL;

	if (r->status != 200)
		return WHY(why, AGENT_REPLY, "RFC 7030 4.1.3", "cacerts: want status 200, have %u", r->status);
	TRY(agent_bootstrap(span_text(r->media_type), buf_span(&r->body), root, &e->run.anchors, why));
	/* the next connection is authenticated by what came, and shows who the device is */
	fetch_free(e->run.fetch);
	e->run.fetch = NULL;
	TRY(lib_machine_begin(e, why));
	e->run.bootstrap = BOOTSTRAP_NONE;
	return OK;
}
