#include "agent/bootstrap.h"

#include "agent/run.h"
#include "base/hex.h"
#include "pki/cms.h"
#include "proto/est/body.h"
#include "wire/media.h"

enum { HEX_SIZE = 2 * 32 + 1 };

static bool is_named(struct span der, const uint8_t *root_sha256, char hex[HEX_SIZE])
{
	const struct cert view = {.der = der};
	uint8_t digest[32];

	cert_sha256(&view, digest);
	hex_text(digest, sizeof(digest), hex);
	return !root_sha256 || memcmp(digest, root_sha256, sizeof(digest)) == 0;
}

/* The last root that was seen is told where none is the one that was named. */
static enum err take(struct span der, const uint8_t *root_sha256, struct buf *pem_out, char seen[HEX_SIZE], struct why *why)
{
	struct cert c = {0};
	bool root = false;

	TRY(cert_parse(der, &c, why));
	TRY(chain_self_signed(der, &root, why));
	if (!root || !c.is_ca || (c.has_key_usage && !(c.key_usage & KU_KEY_CERT_SIGN)))
		return OK;
	return is_named(der, root_sha256, seen) ? cert_write_pem(der, pem_out, why) : OK;
}

enum err agent_bootstrap(struct span media_type, struct span body, const uint8_t *root_sha256, struct buf *pem_out,
	struct why *why)
{
	OWNED_BUF struct buf der = BUF(AGENT_REPLY_MAX);
	OWNED_BUF struct buf pem = BUF(RUN_PEM_MAX);
	struct span certs[RUN_CERTS_MAX];
	char seen[HEX_SIZE] = "";
	size_t n = 0;

	if (!media_is(media_type, "application/pkcs7-mime"))
		return WHY(why, AGENT_REPLY, "RFC 7030 4.1.3", "Content-Type: want application/pkcs7-mime, have '%.*s'",
			SPAN_FMT(span_first(media_type, 60)));
	TRY(est_body_der(body, &der, why));
	TRY(cms_certs_parse(buf_span(&der), certs, RUN_CERTS_MAX, &n, why));
	for (size_t i = 0; i < n; i++)
		TRY(take(certs[i], root_sha256, &pem, seen, why));
	if (pem.n) {
		buf_put_span(pem_out, buf_span(&pem));
		return buf_check(pem_out, "trust anchors", why);
	}
	if (!seen[0])
		return WHY(why, AGENT_TRUST, "RFC 7030 4.1.3", "cacerts: want a self-signed root, have none among %zu certificates", n);
	/* RFC 7030 4.1.1: a person has compared it out of band */
	return WHY(why, AGENT_BOOTSTRAP, "RFC 7030 4.1.1", "cacerts: want the root whose SHA-256 was given, have one of %s", seen);
}
