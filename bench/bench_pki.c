/*
 * What reading and verifying one certificate request costs, beside the bare mathematics in the same
 * run: one EVP_DigestVerify with a key that is ready.
 */
#include "pki/csr.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 5, PER_ROUND = 1000 };

struct subject {
	struct span der;
	struct csr csr;
	struct key *key;
	EVP_MD *md;
};

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static bool parse(const struct subject *s)
{
	struct csr csr;
	struct why why = {0};

	return csr_parse(s->der, &csr, &why) == OK;
}

static bool verify(const struct subject *s)
{
	struct why why = {0};

	return csr_verify(&s->csr, &why) == OK;
}

static bool read_key(const struct subject *s)
{
	struct key *k OWNED_KEY = NULL;
	struct why why = {0};

	return key_parse_spki(s->csr.spki, &k, &why) == OK;
}

static bool floor_verify(const struct subject *s)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool good = ctx && EVP_DigestVerifyInit(ctx, NULL, s->md, NULL, key_native(s->key)) == 1
		&& EVP_DigestVerify(ctx, s->csr.signature.p, s->csr.signature.n, s->csr.info.p, s->csr.info.n) == 1;

	EVP_MD_CTX_free(ctx);
	return good;
}

/* The best of some rounds, in microseconds of CPU. */
static double measure(bool (*act)(const struct subject *), const struct subject *s)
{
	double best = 1e9;

	for (int round = 0; round < ROUNDS; round++) {
		double from = cpu_us();
		for (int i = 0; i < PER_ROUND; i++) {
			if (!act(s))
				abort();
		}
		double each = (cpu_us() - from) / PER_ROUND;
		if (each < best)
			best = each;
	}
	return best;
}

static void make_request(enum key_spec spec, struct subject *s, struct buf *der)
{
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	struct why why = {0};

	if (key_new(spec, &s->key, &why) != OK || name_write_cn("device-1", NULL, &subject, &why) != OK)
		abort();
	const struct csr_plan plan = {
		.subject = buf_span(&subject), .challenge = span_text("0123456789abcdef0123456789abcdef"), .digital_signature = true};
	if (csr_write(&plan, s->key, der, &why) != OK)
		abort();
	s->der = buf_span(der);
	if (csr_parse(s->der, &s->csr, &why) != OK)
		abort();
}

static void show(enum key_spec spec)
{
	struct buf der OWNED_BUF = BUF(CSR_DER_MAX);
	struct subject s = {.md = EVP_MD_fetch(NULL, spec == KEY_P384 ? "SHA384" : "SHA256", NULL)};

	make_request(spec, &s, &der);
	double floor = measure(floor_verify, &s);
	double parsed = measure(parse, &s);
	double key = measure(read_key, &s);
	double verified = measure(verify, &s);
	printf("%-9s parse %6.2f us  key %6.2f us  verify %6.2f us  parse+verify %6.2f us  floor %6.2f us  ratio %.2f\n",
		key_spec_name(spec), parsed, key, verified, parsed + verified, floor, (parsed + verified) / floor);
	key_free(s.key);
	EVP_MD_free(s.md);
}

int main(void)
{
	show(KEY_P256);
	show(KEY_P384);
	show(KEY_RSA2048);
	return 0;
}
