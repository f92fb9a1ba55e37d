#include "lib/inner.h"

#include "adapt/sys/generation.h"
#include "base/hex.h"
#include "base/text.h"

#include <stdio.h>

enum { DAY_S = 86400, NAME_ARENA_MAX = 64 * 1024, SERIAL_MAX = 20 };

/* Two thirds of the lifetime: time for many tries before the end. */
static int64_t renew_from(const struct cert *c)
{
	return c->not_before_s + (c->not_after_s - c->not_before_s) / 3 * 2;
}

static enum enrolee_state state_of(const struct cert *c, int64_t now_s)
{
	if (now_s > c->not_after_s)
		return ENROLEE_STATE_EXPIRED;
	if (now_s < c->not_before_s)
		return ENROLEE_STATE_NOT_YET;
	return now_s >= renew_from(c) ? ENROLEE_STATE_DUE : ENROLEE_STATE_GOOD;
}

static enum err describe(struct enrolee *e, struct span der, struct enrolee_status *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(NAME_ARENA_MAX);
	int64_t now_s = clock_unix_s(&e->clock);
	struct cert c = {0};
	const char *subject = "";

	TRY(cert_parse(der, &c, why));
	TRY(name_text(c.subject, &arena, &subject, why));
	snprintf(out->subject, sizeof(out->subject), "%s", subject);
	hex_text(c.serial.p, c.serial.n < SERIAL_MAX ? c.serial.n : SERIAL_MAX, out->serial);
	out->not_before_s = c.not_before_s;
	out->not_after_s = c.not_after_s;
	out->renew_from_s = renew_from(&c);
	out->days_left = now_s < c.not_after_s ? (c.not_after_s - now_s) / DAY_S : 0;
	out->state = state_of(&c, now_s);
	return OK;
}

static enum err tell_certificate(struct enrolee *e, struct enrolee_status *out, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(LIB_PEM_MAX);
	OWNED_BUF struct buf leaf = BUF(CERT_DER_MAX);
	struct why none = {0};
	enum err err = lib_read(e, ENROLEE_ITEM_CERTIFICATE, &pem, &none);

	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK) {
		*why = none;
		return err;
	}
	TRY(cert_first_pem(buf_span(&pem), &leaf, why));
	return describe(e, buf_span(&leaf), out, why);
}

static enum err tell_symmetric(struct enrolee *e, struct enrolee_status *out, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys k = {0};
	struct why none = {0};

	agent_keys_init(&k);
	enum err err = lib_keys(e, &k, &none);
	if (err == ERR_NOT_FOUND || err == ERR_EXPIRED)
		return OK;
	if (err != OK) {
		*why = none;
		return err;
	}
	out->has_symmetric = 1;
	out->symmetric_until_s = k.expires_s;
	snprintf(out->keid, sizeof(out->keid), "%s", k.keid);
	return OK;
}

int enrolee_status(struct enrolee *e, struct enrolee_status *out)
{
	enum err err = OK;

	lib_open(e);
	if (out->size < sizeof(*out))
		return lib_close(e, WHY(&e->why, AGENT_OPTION, "", "status: size: want %zu, have %zu", sizeof(*out), out->size));
	*out = (struct enrolee_status){.size = out->size};
	err = tell_certificate(e, out, &e->why);
	if (err == OK)
		err = tell_symmetric(e, out, &e->why);
	if (err == OK)
		err = lib_pending_status(e, out, &e->why);
	return lib_close(e, err);
}

static enum err check_item(int item, struct why *why)
{
	return item >= 1 && item < LIB_ITEMS ? OK : WHY(why, AGENT_OPTION, "", "item: want 1 to %d, have %d", LIB_ITEMS - 1, item);
}

int enrolee_held(struct enrolee *e, enum enrolee_item item, const unsigned char **p_out, size_t *n_out)
{
	lib_open(e);
	*p_out = NULL;
	*n_out = 0;
	enum err err = check_item((int)item, &e->why);
	if (err == OK) {
		buf_fini_wipe(&e->items[item]);
		e->items[item] = BUF(LIB_PEM_MAX);
		err = lib_read(e, item, &e->items[item], &e->why);
	}
	if (err == OK) {
		*p_out = (const unsigned char *)buf_text(&e->items[item]);
		*n_out = e->items[item].n;
	}
	return lib_close(e, err);
}

static const char *file_of(enum enrolee_item item)
{
	switch (item) {
	case ENROLEE_ITEM_KEY:
		return GENERATION_KEY;
	case ENROLEE_ITEM_CERTIFICATE:
		return GENERATION_CERT;
	case ENROLEE_ITEM_CHAIN:
		return GENERATION_CHAIN;
	case ENROLEE_ITEM_ANCHORS:
		return GENERATION_ANCHORS;
	case ENROLEE_ITEM_MEF:
	case ENROLEE_ITEM_SYMMETRIC:
	case ENROLEE_ITEM_REQUEST:
		break;
	}
	return NULL;
}

int enrolee_path(struct enrolee *e, enum enrolee_item item, char *out, size_t size)
{
	const char *dir = lib_text(e, ENROLEE_DIR);
	const char *file = file_of(item);
	enum err err = OK;

	lib_open(e);
	if (!dir || e->store.read || !file)
		return lib_close(e, WHY(&e->why, AGENT_OPTION, "", "path: want ENROLEE_DIR and key, certificate, chain or anchors, have item %d",
			(int)item));
	int n = snprintf(out, size, "%s/current/%s", dir, file);
	if (n < 0 || (size_t)n >= size)
		err = WHY(&e->why, BUF_LIMIT, "", "path: want room for %d octets, have %zu", n + 1, size);
	return lib_close(e, err);
}

static const enum chain_use uses[] = {
	[ENROLEE_PEER_ANY] = CHAIN_ANY, [ENROLEE_PEER_CLIENT] = CHAIN_CLIENT, [ENROLEE_PEER_SERVER] = CHAIN_SERVER};

static enum err verify(struct enrolee *e, enum enrolee_peer peer, const char *host, const struct enrolee_octets *chain, size_t n,
	struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	OWNED_BUF struct buf pem = BUF(LIB_PEM_MAX);
	struct span certs[FETCH_CERTS_MAX];
	struct cert leaf = {0};
	uint8_t anchor[32];

	if (n == 0 || n > FETCH_CERTS_MAX || (unsigned int)peer > ENROLEE_PEER_SERVER)
		return WHY(why, AGENT_OPTION, "", "chain: want 1 to %d certificates of a known kind of peer, have %zu", FETCH_CERTS_MAX, n);
	for (size_t i = 0; i < n; i++)
		certs[i] = span_of(chain[i].p, chain[i].n);
	TRY(lib_read(e, ENROLEE_ITEM_ANCHORS, &pem, why));
	TRY(anchors_parse_pem(buf_span(&pem), &anchors, why));
	TRY(chain_check(anchors, certs[0], certs + 1, n - 1, uses[peer], clock_unix_s(&e->clock), anchor, why));
	if (!host)
		return OK;
	TRY(cert_parse(certs[0], &leaf, why));
	return chain_check_host(&leaf, span_text(host), why);
}

int enrolee_verify(struct enrolee *e, enum enrolee_peer peer, const char *host, const struct enrolee_octets *chain, size_t n)
{
	lib_open(e);
	return lib_close(e, verify(e, peer, host, chain, n, &e->why));
}
