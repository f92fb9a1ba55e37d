/* Labels with anchors and issuers of their own, and the way to those issuers. */
#include "app/registrar/registrar.h"

#include "adapt/sys/file.h"
#include "base/mem.h"
#include "net/log.h"
#include "pki/cms.h"
#include "pki/digest.h"

#include <unistd.h>

enum { PEM_MAX = 1024 * 1024, CHAIN_BYTES_MAX = 256 * 1024, SIDE_ANCHORS_MAX = 1000 };

_Static_assert((int)ISSUERS_MAX <= (int)AWAY_ISSUERS_MAX, "every issuer of the configuration has its place");

struct sides {
	struct anchors *chains[ISSUERS_MAX]; /* of each issuer */
	struct buf anchors[LABELS_MAX + 1];  /* digests, one after the other; the last one: of [mef] */
	struct buf cacerts[LABELS_MAX];
	struct label_side rows[LABELS_MAX];
};

static enum err add_digest(void *arg, struct span der, struct why *why)
{
	struct buf *digests = arg;
	uint8_t digest[SHA256_SIZE];

	digest_sha256(der, digest);
	buf_put(digests, digest, sizeof(digest));
	return buf_check(digests, "trust anchors", why);
}

static enum err read_anchors(const char *path, bool may_be_empty, struct buf *digests, struct why *why)
{
	struct buf pem OWNED_BUF = BUF(PEM_MAX);
	struct why cause = {0};

	*digests = BUF(SIDE_ANCHORS_MAX * SHA256_SIZE);
	TRY(file_read(path, &pem, why));
	if (pem.n == 0 && may_be_empty)
		return OK;
	if (cert_each_pem(buf_span(&pem), add_digest, digests, &cause) == OK)
		return OK;
	/* the front reads the same file: whoever is first says the same */
	return WHY(why, TLS_ANCHORS, "", "%s: want certificates as PEM, certificate %zu cannot be read: %.120s", path,
		digests->n / SHA256_SIZE + 1, cause.text);
}

/* DER certificates laid one after the other, each once. */
struct bundle {
	struct buf bytes;
	size_t ends[CMS_CERTS_MAX];
	size_t n;
};

static struct span bundle_at(const struct bundle *b, size_t i)
{
	size_t from = i ? b->ends[i - 1] : 0;

	return span_of(b->bytes.p + from, b->ends[i] - from);
}

static enum err bundle_add(void *arg, struct span der, struct why *why)
{
	struct bundle *b = arg;

	for (size_t i = 0; i < b->n; i++) {
		if (span_equal(bundle_at(b, i), der))
			return OK;
	}
	if (b->n == CMS_CERTS_MAX)
		return WHY(why, BUF_LIMIT, "", "CA certificates of a label: want at most %d", CMS_CERTS_MAX);
	buf_put_span(&b->bytes, der);
	b->ends[b->n++] = b->bytes.n;
	return buf_check(&b->bytes, "CA certificates of a label", why);
}

static enum err bundle_file(struct bundle *b, const char *path, struct why *why)
{
	struct buf pem OWNED_BUF = BUF(PEM_MAX);

	TRY(file_read(path, &pem, why));
	return why_within(cert_each_pem(buf_span(&pem), bundle_add, b, why), path, why);
}

/*
 * RFC 7030 4.1.3: what a client needs for a path from what it gets to a current CA. This MEF's own CA stands behind it, as
 * from then on the client checks this server by nothing but these (RFC 7030 3.6.1).
 */
static enum err write_cacerts(const struct registrar *r, const char *chain, struct buf *out, struct why *why)
{
	struct span certs[CMS_CERTS_MAX], own[CMS_CERTS_MAX];
	struct bundle b = {.bytes = BUF(CHAIN_BYTES_MAX)};
	size_t own_n = 0;

	*out = BUF(2 * CHAIN_BYTES_MAX);
	enum err err = bundle_file(&b, chain, why);
	if (err == OK)
		err = cms_certs_parse(buf_span(&r->chain_cms), own, CMS_CERTS_MAX, &own_n, why);
	for (size_t i = 0; i < own_n && err == OK; i++)
		err = bundle_add(&b, own[i], why);
	for (size_t i = 0; i < b.n && err == OK; i++)
		certs[i] = bundle_at(&b, i);
	if (err == OK)
		err = cms_certs_write(certs, b.n, out, why);
	buf_fini(&b.bytes);
	return err;
}

static enum err open_label(struct registrar *r, const struct conf *conf, size_t i, struct why *why)
{
	const struct est_label *label = &conf->labels.items[i];
	const struct conf_issuer *issuer = label->issuer[0] ? conf_issuer_find(conf, label->issuer) : NULL;
	struct sides *s = r->sides;
	const struct buf *digests = &s->anchors[LABELS_MAX];

	if (label->anchors[0]) {
		TRY(read_anchors(label->anchors, false, &s->anchors[i], why));
		digests = &s->anchors[i];
	}
	s->rows[i].anchors = digests->p;
	s->rows[i].anchors_n = digests->n / SHA256_SIZE;
	if (!issuer)
		return OK;
	TRY(write_cacerts(r, issuer->chain, &s->cacerts[i], why));
	s->rows[i].cacerts_cms = buf_span(&s->cacerts[i]);
	return OK;
}

static enum err open_issuer(struct registrar *r, const struct conf_issuer *issuer, size_t i, struct why *why)
{
	struct buf pem OWNED_BUF = BUF(PEM_MAX);

	TRY(file_read(issuer->chain, &pem, why));
	return why_within(anchors_parse_pem(buf_span(&pem), &r->sides->chains[i], why), issuer->chain, why);
}

static enum err open_issuers(struct registrar *r, const struct conf *conf, struct why *why)
{
	struct away_issuer issuers[ISSUERS_MAX];

	for (size_t i = 0; i < conf->issuers.n; i++) {
		const struct conf_issuer *issuer = &conf->issuers.items[i];
		TRY(open_issuer(r, issuer, i, why));
		issuers[i] = (struct away_issuer){.name = issuer->name,
			.via = issuer->kind == ISSUER_EST ? AWAY_CALLER : AWAY_RUNNER,
			.timeout_s = issuer->timeout_s,
			.chain = r->sides->chains[i]};
	}
	return conf->issuers.n ? away_new(r->loop, &r->clock, issuers, conf->issuers.n, &r->away, why) : OK;
}

enum err sides_open(struct registrar *r, const struct conf *conf, struct why *why)
{
	r->sides = mem_alloc(sizeof(*r->sides));
	if (!r->sides)
		return WHY(why, NOMEM, "", "labels: want %zu bytes", sizeof(*r->sides));
	struct buf *mef = &r->sides->anchors[LABELS_MAX];
	*mef = BUF(1);
	if (conf->device_anchors[0])
		TRY(read_anchors(conf->device_anchors, true, mef, why));
	for (size_t i = 0; i < conf->labels.n; i++)
		TRY(open_label(r, conf, i, why));
	return open_issuers(r, conf, why);
}

void sides_close(struct registrar *r)
{
	if (!r->sides)
		return;
	for (size_t i = 0; i < ISSUERS_MAX; i++)
		anchors_free(r->sides->chains[i]);
	for (size_t i = 0; i < LABELS_MAX; i++) {
		buf_fini(&r->sides->anchors[i]);
		buf_fini(&r->sides->cacerts[i]);
	}
	buf_fini(&r->sides->anchors[LABELS_MAX]);
	mem_free(r->sides);
	r->sides = NULL;
}

void sides_show(const struct registrar *r, struct bind_env *env)
{
	if (!r->sides)
		return;
	const struct buf *mef = &r->sides->anchors[LABELS_MAX];
	env->sides = r->sides->rows;
	env->side = (struct label_side){
		.anchors = mef->p, .anchors_n = mef->n / SHA256_SIZE};
}

void registrar_add_away(struct registrar *r, enum away_via via, int fd)
{
	struct why why = {0};

	if (!r->away)
		close(fd);
	else if (away_add(r->away, via, fd, &why) != OK)
		log_why(LOG_ERROR_, "channel to other CAs refused", &why);
}
