#pragma once
#include "unit/pki/made.h"

#include "core/ca/issue.h"
#include "pki/csr.h"

/* A CA with one profile, and a device's request. */
struct bench {
	struct made ca;
	struct profile_set profiles;
	struct ca engine;
	struct key *device;
	struct buf spki, subject, sans, csr;
	uint64_t drawn; /* state of the counted stream of random bytes */
};

__attribute__((unused)) static enum err fill(void *self, uint8_t *out, size_t n, struct why *why)
{
	uint64_t *state = self;

	for (size_t i = 0; i < n; i++) {
		*state = *state * 6364136223846793005u + 1442695040888963407u;
		out[i] = (uint8_t)(*state >> 56);
	}
	return OK;
}

__attribute__((unused)) static void csr_for(struct buf *out, const struct key *key, const struct bench *b)
{
	struct csr_plan plan = {.subject = buf_span(&b->subject), .sans = buf_span(&b->sans), .digital_signature = true};
	struct why why = {0};

	buf_clear(out);
	must(csr_write(&plan, key, out, &why));
}

__attribute__((unused)) static void engine_of(struct bench *b)
{
	struct why why = {0};

	b->engine = (struct ca){.profiles = &b->profiles, .key = b->ca.key, .cert_der = buf_span(&b->ca.der),
		.cdp_uri = "http://mef.example.com/crl", .aia_uri = "http://mef.example.com/ca",
		.random = {.self = &b->drawn, .fill = fill}};
	must(cert_parse(b->engine.cert_der, &b->engine.cert, &why));
}

__attribute__((unused)) static void bench_init(struct bench *b)
{
	struct why why = {0};

	*b = (struct bench){.spki = BUF(512), .subject = BUF(512), .sans = BUF(512), .csr = BUF(4096)};
	made_ca(&b->ca, KEY_P256, "Issuing CA", NULL);
	must(key_new(KEY_P256, &b->device, &why));
	must(key_write_spki(b->device, &b->spki, &why));
	must(name_write_cn("device-1", NULL, &b->subject, &why));
	made_dns(&b->sans, "d1.example.com");
	b->profiles.n = 1;
	b->profiles.items[0] = (struct profile){.name = "device", .validity_s = 90 * DAY_S, .backdate_s = 300,
		.key_usage = KU_DIGITAL_SIGNATURE, .ekus = {"1.3.6.1.5.5.7.3.2"}, .ekus_n = 1, .keys = {KEY_P256}, .keys_n = 1,
		.san_kinds = SAN_RULE_DNS, .suffixes = {"example.com"}, .suffixes_n = 1};
	engine_of(b);
	csr_for(&b->csr, b->device, b);
}

__attribute__((unused)) static void bench_fini(struct bench *b)
{
	made_fini(&b->ca);
	key_free(b->device);
	buf_fini(&b->spki);
	buf_fini(&b->subject);
	buf_fini(&b->sans);
	buf_fini(&b->csr);
}
#define OWNED_BENCH __attribute__((cleanup(bench_fini)))

__attribute__((unused)) static struct issue_order order_of(const struct bench *b)
{
	return (struct issue_order){.profile = "device", .csr = buf_span(&b->csr), .subject = buf_span(&b->subject),
		.sans = buf_span(&b->sans)};
}

__attribute__((unused)) static enum err issue(const struct bench *b, const struct issue_order *order, int64_t now_s, struct why *why)
{
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result;

	enum err err = ca_issue(&b->engine, order, now_s, &der, &result, why);
	if (err != OK)
		assert_int_equal(der.n, 0); /* nothing is issued */
	return err;
}

__attribute__((unused)) static void issue_ok(const struct bench *b, const struct issue_order *order)
{
	struct why why = {0};

	must(issue(b, order, made_now_s, &why));
}
