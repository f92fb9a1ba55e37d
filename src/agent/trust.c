#include "agent/cmc.h"
#include "agent/run.h"

#include "base/date.h"
#include "pki/cms.h"
#include "proto/est/body.h"
#include "wire/media.h"

static enum err reply_certs(struct agent *a, const struct agent_reply *reply, struct span *certs, size_t *n,
	struct why *why)
{
	OWNED_BUF struct buf der = BUF(AGENT_REPLY_MAX);

	if (!media_is(reply->media_type, "application/pkcs7-mime"))
		return WHY(why, AGENT_REPLY, "RFC 7030 4.1.3", "Content-Type: want application/pkcs7-mime, have '%.*s'",
			SPAN_FMT(span_first(reply->media_type, 60)));
	TRY(est_body_der(reply->body, &der, why));
	struct span kept = arena_copy(&a->arena, buf_span(&der));
	if (!kept.p)
		return WHY(why, NOMEM, "", "reply of %zu bytes", der.n);
	return cms_certs_parse(kept, certs, RUN_CERTS_MAX, n, why);
}

static bool has(const struct cert_set *set, struct span der)
{
	for (size_t i = 0; i < set->n; i++) {
		if (span_equal(set->ders[i], der))
			return true;
	}
	return false;
}

enum err cert_set_add(struct cert_set *set, struct span der, struct why *why)
{
	if (has(set, der))
		return OK;
	if (set->n == RUN_SET_MAX)
		return WHY(why, AGENT_LIMIT, "", "certificates: want at most %d, have more", RUN_SET_MAX);
	set->ders[set->n++] = der;
	return OK;
}

/* RFC 7030 4.1.3: the answer holds CA certificates: roots, what they certify, and root rollovers */
static enum err take_ca_cert(struct agent *a, struct span der, size_t number, struct why *why)
{
	struct cert c = {0};
	bool root = false;

	TRY(cert_parse(der, &c, why));
	if (!c.is_ca || (c.has_key_usage && !(c.key_usage & KU_KEY_CERT_SIGN)))
		return WHY(why, AGENT_TRUST, "RFC 7030 4.1.3", "cacerts: want CA certificates, number %zu is none", number);
	TRY(chain_self_signed(der, &root, why));
	return cert_set_add(root ? &a->anchors : &a->inner, der, why);
}

enum err run_make_anchors(const struct cert_set *set, struct anchors **out, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(RUN_PEM_MAX);

	for (size_t i = 0; i < set->n; i++)
		TRY(cert_write_pem(set->ders[i], &pem, why));
	return anchors_parse_pem(buf_span(&pem), out, why);
}

static bool certifies(struct span upper, struct span lower)
{
	struct cert up = {0};
	struct cert low = {0};
	bool same = false;
	struct why ignored = {0};

	if (cert_parse(upper, &up, &ignored) != OK || cert_parse(lower, &low, &ignored) != OK
		|| name_equal(up.subject, low.issuer, &same, &ignored) != OK)
		return false;
	return same && (!up.skid.n || !low.akid.n || span_equal(up.skid, low.akid));
}

/*
 * What of the pool may stand above the leaf, by names and key identifiers, nearest first; path validation
 * decides afterwards. A MEF's cacerts may hold more than a path may, such as those of other CAs.
 */
size_t run_gather_path(struct span leaf, const struct cert_set *pool, struct span path[CHAIN_MAX])
{
	size_t n = 0;
	bool taken[RUN_SET_MAX] = {false};

	for (size_t at = 0; at <= n; at++) {
		for (size_t i = 0; i < pool->n && n < CHAIN_MAX; i++) {
			if (taken[i] || !certifies(pool->ders[i], at ? path[at - 1] : leaf))
				continue;
			taken[i] = true;
			path[n++] = pool->ders[i];
		}
	}
	return n;
}

/* Would the MEF that we are talking to still be trusted with the new anchors alone? */
static enum err server_fits(const struct agent *a, const struct agent_reply *reply, bool *out, struct why *why)
{
	OWNED_ANCHORS struct anchors *fresh = NULL;
	struct cert_set pool = a->inner;
	struct span path[CHAIN_MAX];
	uint8_t anchor[32];
	struct why ignored = {0};

	*out = false;
	if (reply->server_certs_n == 0 || a->anchors.n == 0)
		return OK;
	for (size_t i = 1; i < reply->server_certs_n; i++)
		TRY(cert_set_add(&pool, reply->server_certs[i], why));
	TRY(run_make_anchors(&a->anchors, &fresh, why));
	size_t n = run_gather_path(reply->server_certs[0], &pool, path);
	*out = chain_check(fresh, reply->server_certs[0], path, n, CHAIN_SERVER, clock_unix_s(&a->config.clock), anchor,
		&ignored) == OK;
	return OK;
}

/*
 * seed 001 8.3.Z.1: the MEF CA's certificates serve from now on to validate the MEF. Where its TLS
 * certificate comes from another CA, the anchors that vouched for it must stay, else the device has
 * locked itself out. An old anchor that cacerts no longer holds goes once the MEF does without it.
 */
static enum err decide_anchors(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	bool fits = false;

	TRY(server_fits(a, reply, &fits, why));
	for (size_t i = 0; !fits && i < a->held.n; i++)
		TRY(cert_set_add(&a->anchors, a->held.ders[i], why));
	buf_clear(&a->anchors_pem);
	for (size_t i = 0; i < a->anchors.n; i++)
		TRY(cert_write_pem(a->anchors.ders[i], &a->anchors_pem, why));
	return OK;
}

enum err run_take_ca_certs(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	struct span certs[RUN_CERTS_MAX];
	size_t n = 0;

	a->anchors.n = a->inner.n = 0;
	TRY(reply_certs(a, reply, certs, &n, why));
	if (n == 0)
		return WHY(why, AGENT_TRUST, "RFC 7030 4.1.3", "cacerts: want at least one certificate, have none");
	for (size_t i = 0; i < n; i++)
		TRY(take_ca_cert(a, certs[i], i + 1, why));
	TRY(run_adopt(a, why));
	return decide_anchors(a, reply, why);
}

enum err run_cmc_certs(struct agent *a, const struct agent_reply *reply, struct span *certs, size_t *n, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	const struct agent_cmc ask = {.key = a->config.cmc_key, .cert = a->config.client_cert, .random = a->config.cmc_random};
	struct agent_cmc_answer answer = {.arena = &a->arena, .now_s = clock_unix_s(&a->config.clock)};

	TRY(run_make_anchors(&a->anchors, &anchors, why));
	answer.anchors = anchors;
	TRY(agent_cmc_read(&ask, reply, &answer, why));
	for (*n = 0; *n < answer.certs_n && *n < RUN_CERTS_MAX; (*n)++)
		certs[*n] = answer.certs[*n];
	return OK;
}

static enum err check_sans(const struct agent *a, const struct cert *cert, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(64 * 1024);
	struct san_list want = {0};
	struct san_list have = {0};

	if (a->sans.n == 0)
		return OK;
	TRY(san_parse(a->sans, &arena, &want, why));
	if (cert->san.n)
		TRY(san_parse(cert->san, &arena, &have, why));
	/* seed 000 step 9: the CA may add identifiers to those of the request, never drop one */
	for (size_t i = 0; i < want.n; i++) {
		if (!san_has(&have, &want.items[i]))
			return WHY(why, AGENT_ISSUED, "RFC 7030 4.2.3", "subjectAltName: want '%.*s', it is not there",
				SPAN_FMT(span_first(want.items[i].value, 120)));
	}
	return OK;
}

/* RFC 7030 4.2.2: a renewal keeps the subject, where that alone names the device. */
static enum err check_subject(const struct agent *a, const struct cert *cert, struct why *why)
{
	bool same = false;

	if (a->config.goal != AGENT_RENEW || a->sans.n)
		return OK;
	TRY(name_equal(cert->subject, a->current.subject, &same, why));
	return same ? OK : WHY(why, AGENT_ISSUED, "RFC 7030 4.2.2", "subject: want that of the certificate in force");
}

static enum err check_ekus(const struct agent *a, const struct cert *cert, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(4096);

	for (size_t i = 0; i < a->attrs.ekus.n; i++) {
		bool found = false;
		for (size_t k = 0; k < cert->ekus.n; k++)
			found |= span_equal(a->attrs.ekus.oids[i], cert->ekus.oids[k]);
		const char *name = found ? NULL : oid_text(a->attrs.ekus.oids[i], &arena);
		if (!found)
			return WHY(why, AGENT_ISSUED, "seed 000 step 9", "extended key usage: want %s, it is not there",
				name ? name : "all that were asked for");
	}
	return OK;
}

/*
 * RFC 5280 4.1.2.5: by this device's clock. Clocks of devices run slow: a certificate that begins a little
 * ahead is judged at its beginning, and its user finds it valid that little later.
 */
static enum err check_dates(const struct agent *a, const struct cert *cert, int64_t *at_out, struct why *why)
{
	int64_t now_s = clock_unix_s(&a->config.clock);
	char from[DATE_TEXT_SIZE];
	char until[DATE_TEXT_SIZE];
	char now[DATE_TEXT_SIZE];

	*at_out = now_s < cert->not_before_s ? cert->not_before_s : now_s;
	if (*at_out - now_s <= AGENT_SLOW_CLOCK_S && now_s <= cert->not_after_s)
		return OK;
	date_text(cert->not_before_s, from);
	date_text(cert->not_after_s, until);
	date_text(now_s, now);
	return WHY(why, AGENT_DATES, "RFC 5280 4.1.2.5",
		"issued certificate: good from %s until %s, this device's clock says %s", from, until, now);
}

static enum err check_chain(struct agent *a, const struct cert_set *pool, int64_t at_s, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	struct span path[CHAIN_MAX];
	struct why cause = {0};
	uint8_t anchor[32];

	size_t n = run_gather_path(a->issued, pool, path);
	TRY(run_make_anchors(&a->anchors, &anchors, why));
	enum err err = chain_check(anchors, a->issued, path, n, CHAIN_ANY, at_s, anchor, &cause);
	if (err == ERR_FORBIDDEN && cause.code == CODE_CHAIN_UNKNOWN_ISSUER && a->strangers)
		return WHY(why, AGENT_ROOT, "RFC 4210 4.4", "cacerts: want each new root certified by one that this device holds, have %zu without; %s",
			a->strangers, cause.text);
	if (err != OK) {
		*why = cause;
		return err;
	}
	buf_clear(&a->chain_pem);
	for (size_t i = 0; i < n; i++) {
		/* of a root that the device holds, the others need no certificate by another root from it */
		if (!cert_set_has_key_of(&a->anchors, path[i]))
			TRY(cert_write_pem(path[i], &a->chain_pem, why));
	}
	return OK;
}

enum err run_check_path(struct agent *a, struct span der, struct why *why)
{
	OWNED_ANCHORS struct anchors *anchors = NULL;
	struct span path[CHAIN_MAX];
	struct cert cert = {0};
	uint8_t anchor[32];
	int64_t at_s = 0;

	TRY(cert_parse(der, &cert, why));
	TRY(check_dates(a, &cert, &at_s, why));
	size_t n = run_gather_path(der, &a->inner, path);
	TRY(run_make_anchors(&a->anchors, &anchors, why));
	return chain_check(anchors, der, path, n, CHAIN_ANY, at_s, anchor, why);
}

static enum err check_issued(struct agent *a, const struct cert *cert, const struct cert_set *pool, struct why *why)
{
	int64_t at_s = 0;

	if (cert->is_ca)
		return WHY(why, AGENT_ISSUED, "RFC 5280 4.2.1.9", "basicConstraints: want an end entity's, have a CA's");
	TRY(check_sans(a, cert, why));
	TRY(check_subject(a, cert, why));
	TRY(check_ekus(a, cert, why));
	TRY(check_dates(a, cert, &at_s, why));
	return check_chain(a, pool, at_s, why);
}

enum err run_take_issued(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	struct span certs[RUN_CERTS_MAX];
	struct cert_set pool = a->inner;
	struct cert issued = {0};
	size_t n = 0;

	a->issued = (struct span){0};
	TRY((a->config.cmc_key ? run_cmc_certs : reply_certs)(a, reply, certs, &n, why));
	for (size_t i = 0; i < n; i++) {
		struct cert c = {0};
		bool root = false;
		TRY(cert_parse(certs[i], &c, why));
		TRY(chain_self_signed(certs[i], &root, why));
		if (a->issued.n == 0 && key_matches_spki(a->key, c.spki)) {
			a->issued = certs[i];
			issued = c;
		} else if (!root) {
			TRY(cert_set_add(&pool, certs[i], why));
		}
	}
	if (a->issued.n == 0)
		return WHY(why, AGENT_ISSUED, "RFC 7030 4.2.3",
			"want a certificate for the key of this device, have %zu for others", n);
	return check_issued(a, &issued, &pool, why);
}
