/* The upstream CAs of a MEF: their files, and whether their cacerts is still what the configuration says. */
#include "app/caller/ra.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/date.h"
#include "base/text.h"
#include "net/log.h"
#include "pki/cms.h"
#include "pki/digest.h"
#include "pki/key.h"
#include "proto/est/body.h"
#include "wire/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum { PEM_MAX = 1024 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))
#define OID_CMC_RA "1.3.6.1.5.5.7.3.28"

static enum err open_key(const struct conf *conf, const struct conf_issuer *issuer, struct buf *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};
	OWNED_KEY struct key *key = NULL;
	char label[CONF_ISSUER_LABEL_SIZE];

	conf_issuer_key_label(issuer, label);
	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, label, &pass, why));
	TRY(file_read_secret(issuer->key, &pem, why));
	TRY(why_within(key_parse_pem(buf_span(&pem), secret_span(&pass), &key, why), issuer->key, why));
	return key_write_pem(key, (struct span){0}, out, why);
}

static enum err add_chain(void *arg, struct span der, struct why *why)
{
	struct upstream *up = arg;

	if (up->chain_n == RA_CHAIN_MAX)
		return WHY(why, BUF_LIMIT, "", "CA certificates: want at most %d", RA_CHAIN_MAX);
	digest_sha256(der, up->chain[up->chain_n++]);
	return OK;
}

static enum err read_chain(struct upstream *up, struct why *why)
{
	struct buf pem OWNED_BUF = BUF(PEM_MAX);

	TRY(file_read(up->conf->chain, &pem, why));
	return why_within(cert_each_pem(buf_span(&pem), add_chain, up, why), up->conf->chain, why);
}

/* RFC 7030 3.7, RFC 6402 2.10: without the usage the upstream takes this MEF for a client that asks in another's name. */
static void check_cert(const struct upstream *up, struct span pem)
{
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct buf oid OWNED_BUF = BUF(64);
	struct cert cert = {0};
	struct why why = {0};
	bool ra = false;

	if (cert_first_pem(pem, &der, &why) != OK || cert_parse(buf_span(&der), &cert, &why) != OK
		|| oid_parse(OID_CMC_RA, &oid, &why) != OK) {
		log_why(LOG_WARN_, "certificate towards an upstream CA", &why);
		return;
	}
	for (size_t i = 0; i < cert.ekus.n; i++)
		ra = ra || span_equal(cert.ekus.oids[i], buf_span(&oid));
	if (!ra)
		log_event(LOG_WARN_, "certificate towards an upstream CA lacks extended key usage id-kp-cmcRA", "issuer",
			up->conf->name, "file", up->conf->cert, NULL);
	if (cert.not_after_s < clock_unix_s(&up->ra->clock))
		log_event(LOG_ERROR_, "certificate towards an upstream CA has expired", "issuer", up->conf->name, "file",
			up->conf->cert, NULL);
}

/* "https://host:port" and "/.well-known/est/label" */
static enum err split_uri(struct upstream *up, char *base, size_t size, struct why *why)
{
	struct span text = span_text(up->conf->uri);
	struct uri uri = {0};

	TRY(uri_parse(text, &uri, why));
	while (uri.path.n && uri.path.p[uri.path.n - 1] == '/')
		uri.path.n--;
	size_t n = uri.path.p ? (size_t)(uri.path.p - text.p) : text.n;
	if (uri.path.n == 0 || uri.query.n || !text_copy(base, size, span_first(text, n))
		|| !text_copy(up->path, sizeof(up->path), uri.path))
		return WHY(why, CONF_VALUE, "RFC 7030 3.2.2", "[issuer %s]: uri: want https://HOST[:PORT]/.well-known/est[/LABEL], have '%s'",
			up->conf->name, up->conf->uri);
	return OK;
}

static enum err open_drive(struct upstream *up, struct why *why)
{
	OWNED_BUF struct buf cert = BUF(PEM_MAX);
	OWNED_BUF struct buf anchors = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key = BUF(KEY_PEM_MAX);
	char base[256];

	TRY(split_uri(up, base, sizeof(base), why));
	TRY(file_read(up->conf->cert, &cert, why));
	TRY(file_read(up->conf->anchors, &anchors, why));
	TRY(open_key(up->ra->conf, up->conf, &key, why));
	check_cert(up, buf_span(&cert));
	struct fetch_many_config config = {
		.anchors_pem = buf_span(&anchors),
		.cert_pem = buf_span(&cert),
		.key_pem = buf_span(&key),
		.accept = "*/*",
		.agent = "OpenMEF-ra/" OMEF_VERSION,
		.body_max = RA_BODY_MAX,
		.clock = up->ra->clock,
	};
	TRY(why_within(drive_open(&up->drive, up->ra->loop, &config, why), up->conf->anchors, why));
	return fetch_many_add(up->drive.many, base, up->conf->connect[0] ? up->conf->connect : NULL, why);
}

/* ---- cacerts */

static bool has(const uint8_t list[][32], size_t n, const uint8_t digest[32])
{
	for (size_t i = 0; i < n; i++) {
		if (memcmp(list[i], digest, 32) == 0)
			return true;
	}
	return false;
}

static enum err compare(const struct upstream *up, struct span body, size_t *new_out, size_t *gone_out, struct why *why)
{
	struct buf der OWNED_BUF = BUF(RA_BODY_MAX);
	struct span certs[RA_CHAIN_MAX];
	uint8_t digests[RA_CHAIN_MAX][32];
	size_t n = 0;

	TRY(est_body_der(body, &der, why));
	TRY(cms_certs_parse(buf_span(&der), certs, RA_CHAIN_MAX, &n, why));
	for (size_t i = 0; i < n; i++) {
		digest_sha256(certs[i], digests[i]);
		*new_out += !has(up->chain, up->chain_n, digests[i]);
	}
	for (size_t i = 0; i < up->chain_n; i++)
		*gone_out += !has((const uint8_t(*)[32])digests, n, up->chain[i]);
	return OK;
}

static void tell_difference(const struct upstream *up, size_t added, size_t gone)
{
	char new_text[24], gone_text[24];

	snprintf(new_text, sizeof(new_text), "%zu", added);
	snprintf(gone_text, sizeof(gone_text), "%zu", gone);
	log_event(LOG_WARN_, "cacerts of an upstream CA differs from its chain in the configuration", "issuer", up->conf->name,
		"not in the configuration", new_text, "not at the upstream", gone_text, NULL);
}

/* RFC 7030 4.1: nothing is taken over by itself; the operator decides whom this MEF's devices trust */
static void on_cacerts(void *arg, enum err err, const struct fetch_many_reply *reply, const struct why *cause)
{
	struct upstream *up = arg;
	struct why why = {0};
	size_t added = 0, gone = 0;

	loop_timer_set(up->look, RA_LOOK_MS);
	if (err == OK && reply->status != 200)
		err = WHY(&why, AWAY_ANSWER, "RFC 7030 4.1.3", "issuer '%s': cacerts: want HTTP status 200, have %u", up->conf->name,
			reply->status);
	if (err == OK)
		err = compare(up, reply->body, &added, &gone, &why);
	if (err == OK) {
		if (added || gone)
			tell_difference(up, added, gone);
		return;
	}
	loop_timer_set(up->look, RA_LOOK_SOON_MS);
	log_why(LOG_WARN_, "cacerts of an upstream CA not seen", why.kind == OK ? cause : &why);
}

static void on_look(void *arg)
{
	struct upstream *up = arg;
	char path[sizeof(up->path) + 16];
	const struct fetch_many_ask ask = {.path = path};

	snprintf(path, sizeof(path), "%s/cacerts", up->path);
	fetch_many_send(up->drive.many, 0, &ask, on_cacerts, up);
}

static enum err open_upstream(struct ra *ra, const struct conf_issuer *issuer, struct why *why)
{
	struct upstream *up = &ra->upstreams[ra->n++];

	up->ra = ra;
	up->conf = issuer;
	TRY(read_chain(up, why));
	TRY(open_drive(up, why));
	TRY(loop_timer_new(ra->loop, on_look, up, &up->look, why));
	loop_timer_set(up->look, 0);
	return OK;
}

enum err ra_open(struct ra *ra, struct why *why)
{
	ra->clock = clock_system();
	/* A name server that is away must not hold up the start of all roles. The operator's own choice wins. */
	setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	for (size_t i = 0; i < ra->conf->issuers.n; i++) {
		if (ra->conf->issuers.items[i].kind == ISSUER_EST)
			TRY(open_upstream(ra, &ra->conf->issuers.items[i], why));
	}
	ra->resolved_ms = clock_mono_ms(&ra->clock);
	return OK;
}

void ra_close(struct ra *ra)
{
	for (size_t i = 0; i < ra->n; i++) {
		drive_close(&ra->upstreams[i].drive);
		loop_timer_free(ra->upstreams[i].look);
		ra->upstreams[i].look = NULL;
	}
}
