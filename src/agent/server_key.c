/* The key that the MEF made (RFC 7030 4.4): asked for, opened, checked. */
#include "agent/run.h"

#include "pki/cms_signed.h"
#include "pki/der.h"
#include "pki/oid.h"
#include "proto/est/body.h"
#include "proto/est/keygen.h"

#define OID_CT_KEY_PACKAGE OID("\x60\x86\x48\x01\x65\x02\x01\x02\x4e\x05") /* RFC 5958 2 */
#define OID_KP_CMC_CA OID("\x2b\x06\x01\x05\x05\x07\x03\x1b")             /* RFC 6402 2.10 */

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static bool wants_encrypted(const struct agent *a)
{
	return a->config.decrypt_id || a->config.decrypt_key;
}

enum err run_put_decrypt(const struct agent *a, struct buf *out, struct why *why)
{
	struct est_keygen ask = {0};
	struct cert cert = {0};

	if (!a->config.server_key || !wants_encrypted(a))
		return OK;
	if (a->config.decrypt_id) {
		ask.symmetric = span_text(a->config.decrypt_id);
	} else {
		TRY(cert_parse(a->config.decrypt_cert, &cert, why));
		TRY(cms_recipient_check(&cert, why));
		ask.asymmetric = cert.skid;
	}
	est_keygen_put(out, &ask);
	return buf_check(out, "attributes of the request", why);
}

static enum err open_envelope(const struct agent *a, struct span der, struct buf *out, struct why *why)
{
	OWNED_SECRET struct secret kek = {0};
	struct cms_opener opener = {.key = a->config.decrypt_key, .cert = a->config.decrypt_cert};

	if (a->config.decrypt_id) {
		TRY(cms_kek_derive(secret_span(a->config.decrypt_secret), CMS_AES_256, &kek, why));
		opener = (struct cms_opener){.kek = secret_span(&kek), .kek_id = span_text(a->config.decrypt_id)};
	}
	return cms_envelope_open(der, &opener, out, why);
}

static bool may_make_keys(const struct cert *c)
{
	for (size_t i = 0; i < c->ekus.n; i++) {
		if (span_equal(c->ekus.oids[i], OID_KP_CMC_CA))
			return true;
	}
	return c->is_ca;
}

/* RFC 7030 4.4.2: signed by the party that made the key; any device's certificate chains to the same anchors. */
static enum err check_signer(struct agent *a, struct span der, struct why *why)
{
	struct cert cert = {0};

	TRY(cert_parse(der, &cert, why));
	if (!may_make_keys(&cert))
		return WHY(why, AGENT_SERVER_KEY, "RFC 7030 4.4.2", "signer of the key: want a certificate with id-kp-cmcCA, or a CA's, have another");
	return run_check_path(a, der, why);
}

/* RFC 5958 2: a package of one key */
static enum err take_package(struct agent *a, struct span package, struct why *why)
{
	struct der outer = der_init(package);
	struct der list = der_enter(&outer, DER_SEQUENCE);
	struct span one = der_take(&list, DER_SEQUENCE).all;

	if (!der_done(&list) || !der_done(&outer))
		return WHY(why, AGENT_SERVER_KEY, "RFC 5958 2", "AsymmetricKeyPackage: want one key, have other bytes");
	return key_parse_pkcs8(one, &a->made, why);
}

static enum err take_encrypted(struct agent *a, struct span der, struct why *why)
{
	OWNED_SECRET_BUF struct buf plain = BUF(CMS_ENVELOPE_MAX);
	OWNED_BUF struct buf signer = BUF(CERT_DER_MAX);
	OWNED_CMS_SIGNED struct cms_signed *package = NULL;

	TRY(open_envelope(a, der, &plain, why));
	TRY(cms_signed_parse(buf_span(&plain), OID_CT_KEY_PACKAGE, &package, why));
	TRY(cms_signed_verify(package, (struct span){NULL, 0}, &signer, why));
	TRY(check_signer(a, buf_span(&signer), why));
	return take_package(a, cms_signed_content(package), why);
}

static enum err take_key(struct agent *a, const struct est_keygen_parts *parts, struct why *why)
{
	OWNED_SECRET_BUF struct buf der = BUF(CMS_ENVELOPE_MAX);

	/* RFC 7030 4.4.2: what was asked for encrypted comes encrypted */
	if (parts->encrypted != wants_encrypted(a))
		return WHY(why, AGENT_SERVER_KEY, "RFC 7030 4.4.2", "key: want it %s, have it %s",
			wants_encrypted(a) ? "encrypted" : "plain", parts->encrypted ? "encrypted" : "plain");
	TRY(est_body_der(parts->key, &der, why));
	return parts->encrypted ? take_encrypted(a, buf_span(&der), why) : key_parse_pkcs8(buf_span(&der), &a->made, why);
}

static enum err take_server_key(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	struct est_keygen_parts parts = {0};
	struct agent_reply certs = *reply;

	key_free(a->made);
	a->made = NULL;
	TRY(est_keygen_read(reply->media_type, reply->body, &parts, why));
	TRY(take_key(a, &parts, why));
	/* the certificate is checked as any other, for this key */
	a->key = a->made;
	certs.media_type = span_text("application/pkcs7-mime; smime-type=certs-only");
	certs.body = parts.cert;
	return run_take_issued(a, &certs, why);
}

enum err run_take_enrolled(struct agent *a, const struct agent_reply *reply, struct why *why)
{
	return a->config.server_key ? take_server_key(a, reply, why) : run_take_issued(a, reply, why);
}
