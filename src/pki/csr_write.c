/* Requests as the device makes them; declared in csr.h. */
#include "pki/csr.h"

#include "base/text.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/ossl.h"
#include "pki/signature.h"

#include <openssl/pem.h>

enum {
	TAG_ATTRIBUTES = DER_CONTEXT | 0x20 | 0,
	CSR_PEM_MAX = 2 * CSR_DER_MAX, /* base64 and line ends take 1.4, the rest is for text around it */
};

static void put_text(struct buf *out, struct span oid, struct span text)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	size_t values = der_open(out, DER_SET);
	/* RFC 2985 5.4.1, RFC 7894 3.3: PrintableString where it fits, else UTF8String */
	der_put(out, der_is_printable(text) ? DER_PRINTABLE : DER_UTF8, text);
	der_close(out, values);
	der_close(out, attribute);
}

static void put_extension(struct buf *out, struct span oid, bool critical, struct span value)
{
	size_t extension = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	if (critical)
		der_put_bool(out, true);
	der_put(out, DER_OCTET_STRING, value);
	der_close(out, extension);
}

static void put_key_usage(struct buf *out)
{
	struct buf value OWNED_BUF = BUF(16);

	der_put_flags(&value, KU_DIGITAL_SIGNATURE);
	out->bad |= value.bad;
	put_extension(out, OID_CE_KEY_USAGE, true, buf_span(&value)); /* RFC 5280 4.2.1.3: critical */
}

static void put_ekus(struct buf *out, const struct eku_list *ekus, bool critical)
{
	struct buf value OWNED_BUF = BUF(CSR_DER_MAX);
	size_t list = der_open(&value, DER_SEQUENCE);

	for (size_t i = 0; i < ekus->n; i++)
		der_put_oid(&value, ekus->oids[i]);
	der_close(&value, list);
	out->bad |= value.bad;
	put_extension(out, OID_CE_EXT_KEY_USAGE, critical, buf_span(&value));
}

static void put_extensions(struct buf *out, const struct csr_plan *plan)
{
	size_t attribute = der_open(out, DER_SEQUENCE);

	der_put_oid(out, OID_EXTENSION_REQUEST);
	size_t values = der_open(out, DER_SET);
	size_t extensions = der_open(out, DER_SEQUENCE);
	if (plan->digital_signature)
		put_key_usage(out);
	if (plan->ekus && plan->ekus->n)
		put_ekus(out, plan->ekus, plan->critical_ekus);
	if (plan->sans.n) /* RFC 5280 4.2.1.6: critical when the subject is empty */
		put_extension(out, OID_CE_SUBJECT_ALT_NAME, plan->critical_sans || name_is_empty(plan->subject), plan->sans);
	buf_put_span(out, plan->more_extensions);
	der_close(out, extensions);
	der_close(out, values);
	der_close(out, attribute);
}

static enum err check_text(const char *clause, const char *what, struct span text, struct why *why)
{
	if (text.n > CSR_CHALLENGE_MAX)
		return WHY(why, CSR_PLAN, clause, "%s: want at most %d octets, have %zu", what, CSR_CHALLENGE_MAX, text.n);
	if (!text_is_utf8(text))
		return WHY(why, CSR_PLAN, clause, "%s: want UTF-8, have other bytes", what);
	return OK;
}

static enum err check_plan(const struct csr_plan *plan, struct why *why)
{
	TRY(name_check(plan->subject, why));
	TRY(check_text("RFC 2985 5.4.1", "challengePassword", plan->challenge, why));
	return check_text("RFC 7894 3.3", "estIdentityLinking", plan->linking, why);
}

enum err csr_write(const struct csr_plan *plan, const struct key *key, struct buf *out, struct why *why)
{
	struct buf info OWNED_BUF = BUF(CSR_DER_MAX);
	size_t before = out->n;

	TRY(check_plan(plan, why));
	size_t whole = der_open(&info, DER_SEQUENCE);
	der_put_small(&info, 0);
	buf_put_span(&info, plan->subject);
	TRY(key_write_spki(key, &info, why));
	size_t attributes = der_open(&info, TAG_ATTRIBUTES);
	if (plan->challenge.n)
		put_text(&info, OID_CHALLENGE_PASSWORD, plan->challenge);
	if (plan->linking.n)
		put_text(&info, OID_EST_IDENTITY_LINKING, plan->linking);
	if (plan->sans.n || plan->digital_signature || plan->more_extensions.n || (plan->ekus && plan->ekus->n))
		put_extensions(&info, plan);
	buf_put_span(&info, plan->attributes);
	der_close(&info, attributes);
	der_close(&info, whole);
	TRY(buf_check(&info, "certificate request", why));
	TRY(signed_write(buf_span(&info), key, out, why));
	/* what it wrote is what it reads: the extensions given from outside are checked this way */
	struct csr back;
	enum err err = csr_parse(span_from(buf_span(out), before), &back, why);
	if (err != OK)
		out->n = before;
	return err;
}

struct pem_block {
	char *name;
	char *header;
	unsigned char *bytes;
	long n;
};

static void pem_block_fini(struct pem_block *b)
{
	OPENSSL_free(b->name);
	OPENSSL_free(b->header);
	OPENSSL_free(b->bytes);
	*b = (struct pem_block){0};
}

static bool pem_next(BIO *bio, struct pem_block *b)
{
	pem_block_fini(b);
	return PEM_read_bio(bio, &b->name, &b->header, &b->bytes, &b->n) == 1;
}

enum err csr_parse_pem(struct span pem, struct buf *out, struct why *why)
{
	struct pem_block b __attribute__((cleanup(pem_block_fini))) = {0};
	BIO *bio OWNED_BIO = NULL;

	if (pem.n > CSR_PEM_MAX)
		return WHY(why, CSR_LIMIT, "", "PEM request: want at most %d bytes, have %zu", CSR_PEM_MAX, pem.n);
	bio = BIO_new_mem_buf(pem.n ? (const void *)pem.p : "", (int)pem.n);
	if (!bio)
		return WHY(why, NOMEM, "", "PEM request");
	while (pem_next(bio, &b)) {
		/* RFC 7468 7: the second label is the older one */
		if (strcmp(b.name, PEM_STRING_X509_REQ) != 0 && strcmp(b.name, PEM_STRING_X509_REQ_OLD) != 0)
			continue;
		buf_put(out, b.bytes, (size_t)b.n);
		return buf_check(out, "certificate request", why);
	}
	ossl_forget();
	return WHY(why, CSR_PEM, "RFC 7468 7", "PEM request: want a block CERTIFICATE REQUEST, have none");
}
