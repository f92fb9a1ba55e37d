#include "core/cmc/job.h"
#include "core/registry/record.h"
#include "pki/cms_signed.h"

/* Rows and texts of the client live in the job's arena. */
enum err signer_find(struct job *j, const struct client *tls, struct span cert, struct why *why)
{
	struct store *store = j->env.enrol.store;
	const struct client_facts facts = {.trust = CLIENT_OWN, .leaf = arena_copy(&j->arena, cert)};
	struct why other = {0};

	if (tls->leaf.der.n && span_equal(cert, tls->leaf.der)) {
		j->signer = *tls;
		return OK;
	}
	if (facts.leaf.n != cert.n)
		return WHY(why, NOMEM, "", "signer's certificate");
	/* RFC 7030 3.7: what a client may do follows from who it is; a message that was taken from another is none of its own */
	enum err err = client_find(store, &facts, j->now_s, &j->arena, &j->signer, &other);
	if (err > ERR_PENDING) {
		*why = other;
		return err;
	}
	/* whose it is, and what became of it, is told to its holder alone */
	if (err != OK)
		return WHY(why, CMC_SIGNER, "RFC 5272 6.2",
			"signer: want '%s', who holds the TLS session, have a certificate that does not count (OMEF-%d)",
			tls->enrolee.id, (int)other.code);
	if (strcmp(j->signer.enrolee.id, tls->enrolee.id) != 0)
		return WHY(why, CMC_SIGNER, "RFC 5272 6.2", "signer: want '%s', who holds the TLS session, have another enrolee",
			tls->enrolee.id);
	return OK;
}

static enum err check_record(struct job *j, struct span cert_der, struct span record, struct why *why)
{
	const struct store *store = j->env.enrol.store;
	struct issued row = {0};
	enum err err = store->ops->issued_find(store->self, record, &j->arena, &row, why);

	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return OK;
	}
	TRY(err);
	if (row.state == ISSUED_REVOKED && span_equal(row.der, cert_der))
		return WHY(why, CLIENT_REVOKED, "RFC 5272 7", "signer of the nested message: its certificate is revoked");
	return OK;
}

/* RFC 5272 7: the RA answers for its clients; one that this MEF has revoked, whoever issued it, it cannot answer for. */
static enum err check_known(struct job *j, struct span cert_der, struct why *why)
{
	uint8_t foreign[RECORD_FOREIGN_SIZE];
	struct cert cert = {0};

	TRY(cert_parse(cert_der, &cert, why));
	record_foreign(&cert, foreign);
	TRY(check_record(j, cert_der, cert.serial, why));
	return check_record(j, cert_der, span_of(foreign, sizeof(foreign)), why);
}

enum err signer_open_nested(struct job *j, struct span message, struct cmc_data *out, struct why *why)
{
	struct cms_signed *cms OWNED_CMS_SIGNED = NULL;
	struct buf signer OWNED_BUF = BUF(CERT_DER_MAX);

	TRY(cms_signed_parse(message, OID_CCT_PKI_DATA, &cms, why));
	TRY(cms_signed_verify(cms, (struct span){0}, &signer, why));
	TRY(check_known(j, buf_span(&signer), why));
	struct span content = arena_copy(&j->arena, cms_signed_content(cms));
	if (!content.p)
		return WHY(why, NOMEM, "", "nested message");
	return cmc_data_parse(content, out, why);
}
