#include "app/openmef/hierarchy.h"

#include <stdio.h>

enum { DER_MAX = 16 * 1024, SERIAL_SIZE = 16, SLOW_CLOCK_S = 300 };

void authority_fini(struct authority *a)
{
	key_free(a->key);
	a->key = NULL;
	buf_fini(&a->cert);
}

static enum err fresh_serial(const struct hierarchy_ask *ask, uint8_t out[SERIAL_SIZE], struct why *why)
{
	TRY(random_fill(ask->random, out, SERIAL_SIZE, why));
	out[0] = (out[0] & 0x7f) | 0x40; /* positive, always 16 octets */
	return OK;
}

static enum err sign(const struct cert_plan *plan, const struct key *signer, struct authority *out, struct why *why)
{
	TRY(cert_build(plan, signer, &out->cert, why));
	return cert_parse(buf_span(&out->cert), &out->view, why);
}

static enum err name_of(const char *role, const char *fqdn, struct buf *out, struct why *why)
{
	char cn[NAME_VALUE_MAX + 1];

	/* A long domain name is cut, never the role: root and issuing CA must not bear one name. */
	snprintf(cn, sizeof(cn), "%.*s %s", (int)(NAME_VALUE_MAX - strlen(role) - 1), fqdn, role);
	return name_write_cn(cn, NULL, out, why);
}

enum err hierarchy_ca(const struct hierarchy_ask *ask, const struct authority *parent, struct authority *out,
	struct why *why)
{
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf spki = BUF(4096);
	OWNED_BUF struct buf constraints = BUF(8192);
	uint8_t serial[SERIAL_SIZE];
	int years = parent ? ISSUING_YEARS : ROOT_YEARS;

	*out = (struct authority){.cert = BUF(DER_MAX)};
	TRY(fresh_serial(ask, serial, why));
	TRY(key_new(ask->key, &out->key, why));
	TRY(key_write_spki(out->key, &spki, why));
	buf_put_span(&subject, ask->subject);
	if (!ask->subject.n)
		TRY(name_of(!parent ? "Root CA" : ask->issuing ? ask->issuing : "Issuing CA", ask->fqdn, &subject, why));
	/* TS-0003 8.1.2.2: CA certificates carry name constraints, where the operator knows them */
	if (parent)
		buf_put_span(&constraints, ask->constraints);
	if (parent && ask->permit_n)
		TRY(name_constraints_write(ask->permit, ask->permit_n, &constraints, why));
	struct cert_plan plan = {
		.serial = span_of(serial, sizeof(serial)),
		.issuer = parent ? parent->view.subject : buf_span(&subject),
		.subject = buf_span(&subject),
		.spki = buf_span(&spki),
		.not_before_s = ask->now_s - SLOW_CLOCK_S,
		.not_after_s = ask->now_s + (int64_t)years * 365 * 86400,
		.is_ca = true,
		.path_len = parent ? 0 : 1,
		.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN,
		.akid = parent ? parent->view.skid : (struct span){0},
		.permitted_subtrees = buf_span(&constraints),
	};
	return sign(&plan, parent ? parent->key : out->key, out, why);
}

enum err hierarchy_cross(const struct hierarchy_ask *ask, const struct authority *of, const struct authority *by,
	struct authority *out, struct why *why)
{
	int64_t of_end_s = of->view.not_after_s;
	int64_t by_end_s = by->view.not_after_s;
	uint8_t serial[SERIAL_SIZE];
	bool same = false;

	*out = (struct authority){.cert = BUF(DER_MAX)};
	TRY(name_equal(of->view.subject, by->view.subject, &same, why));
	if (!same)
		return WHY(why, ROLLOVER_ROOT, "RFC 4210 4.4", "roots: want one name for both, have two");
	TRY(fresh_serial(ask, serial, why));
	struct cert_plan plan = {
		.serial = span_of(serial, sizeof(serial)),
		/* the octets that certificates below either root carry */
		.issuer = by->view.subject,
		.subject = of->view.subject,
		.spki = of->view.spki,
		.not_before_s = of->view.not_before_s,
		.not_after_s = of_end_s < by_end_s ? of_end_s : by_end_s,
		.is_ca = true,
		.path_len = 1,
		.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN,
		.akid = by->view.skid,
	};
	return sign(&plan, by->key, out, why);
}

static enum err tls_key(const struct hierarchy_ask *ask, struct key **out, struct why *why)
{
	if (!ask->reuse)
		return key_new(ask->key, out, why);
	*out = *ask->reuse;
	*ask->reuse = NULL;
	return OK;
}

static enum err tls_names(const struct hierarchy_ask *ask, struct buf *out, struct why *why)
{
	struct san_list names = {.n = 1};

	names.items[0] = (struct san){.kind = SAN_DNS, .value = span_text(ask->fqdn)};
	for (size_t i = 0; i < ask->alt_n; i++) {
		if (names.n == SAN_MAX)
			return WHY(why, CLI_USAGE, "", "--alt: want at most %d names", SAN_MAX - 1);
		names.items[names.n++] = (struct san){.kind = SAN_DNS, .value = span_text(ask->alt[i])};
	}
	return san_write(&names, out, why);
}

enum err hierarchy_tls(const struct hierarchy_ask *ask, const struct authority *issuer, struct authority *out,
	struct why *why)
{
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf spki = BUF(4096);
	OWNED_BUF struct buf sans = BUF(8192);
	OWNED_BUF struct buf server_auth = BUF(64);
	OWNED_BUF struct buf client_auth = BUF(64);
	uint8_t serial[SERIAL_SIZE];
	int64_t not_after_s = ask->now_s + (int64_t)(ask->days ? ask->days : TLS_DAYS) * 86400;

	*out = (struct authority){.cert = BUF(DER_MAX)};
	TRY(fresh_serial(ask, serial, why));
	TRY(tls_key(ask, &out->key, why));
	TRY(key_write_spki(out->key, &spki, why));
	TRY(name_write_cn(strlen(ask->fqdn) <= NAME_VALUE_MAX ? ask->fqdn : NULL, NULL, &subject, why));
	TRY(tls_names(ask, &sans, why));
	TRY(oid_parse("1.3.6.1.5.5.7.3.1", &server_auth, why));
	TRY(oid_parse("1.3.6.1.5.5.7.3.2", &client_auth, why));
	struct cert_plan plan = {
		.serial = span_of(serial, sizeof(serial)),
		.issuer = issuer->view.subject,
		.subject = buf_span(&subject),
		.spki = buf_span(&spki),
		.not_before_s = ask->now_s - SLOW_CLOCK_S,
		.not_after_s = not_after_s < issuer->view.not_after_s ? not_after_s : issuer->view.not_after_s,
		.path_len = -1,
		/* TS-0003 10.1.1.1: at least digitalSignature */
		.key_usage = KU_DIGITAL_SIGNATURE,
		.ekus = {buf_span(&server_auth), buf_span(&client_auth)},
		.ekus_n = ask->client_auth ? 2 : 1,
		.sans = buf_span(&sans),
		.akid = issuer->view.skid,
	};
	return sign(&plan, issuer->key, out, why);
}

enum err hierarchy_message(const struct hierarchy_ask *ask, const struct authority *issuer, struct authority *out,
	struct why *why)
{
	OWNED_BUF struct buf subject = BUF(NAME_DER_MAX);
	OWNED_BUF struct buf spki = BUF(4096);
	OWNED_BUF struct buf cmc_ca = BUF(64);
	OWNED_BUF struct buf email = BUF(64);
	uint8_t serial[SERIAL_SIZE];
	int64_t not_after_s = ask->now_s + (int64_t)TLS_DAYS * 86400;

	*out = (struct authority){.cert = BUF(DER_MAX)};
	TRY(fresh_serial(ask, serial, why));
	TRY(key_new(ask->key, &out->key, why));
	TRY(key_write_spki(out->key, &spki, why));
	TRY(name_of("Messages", ask->fqdn, &subject, why));
	TRY(oid_parse("1.3.6.1.5.5.7.3.27", &cmc_ca, why)); /* RFC 6402 2.10 */
	TRY(oid_parse("1.3.6.1.5.5.7.3.4", &email, why));
	struct cert_plan plan = {
		.serial = span_of(serial, sizeof(serial)),
		.issuer = issuer->view.subject,
		.subject = buf_span(&subject),
		.spki = buf_span(&spki),
		.not_before_s = ask->now_s - SLOW_CLOCK_S,
		.not_after_s = not_after_s < issuer->view.not_after_s ? not_after_s : issuer->view.not_after_s,
		.path_len = -1,
		.key_usage = KU_DIGITAL_SIGNATURE,
		.ekus = {buf_span(&cmc_ca), buf_span(&email)},
		.ekus_n = 2,
		.akid = issuer->view.skid,
	};
	return sign(&plan, issuer->key, out, why);
}
