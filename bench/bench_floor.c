/*
 * The arithmetic that one enrolment cannot do without on the server, as microseconds of one core:
 * P-256 sign, verify, key generation, and the ECDH of the handshake (X25519 and P-256). Best of
 * three rounds. `openssl speed` measures three of these too; it has no key generation.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 3, TIMES = 2000 };

static EVP_PKEY *key, *peer, *x_key, *x_peer;
static unsigned char signature[256];
static size_t signature_n;
static const unsigned char message[300] = {1};

static void must(int ok)
{
	if (ok != 1) {
		fprintf(stderr, "bench_floor: OpenSSL failed\n");
		exit(1);
	}
}

static void do_sign(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	signature_n = sizeof(signature);
	must(EVP_DigestSignInit(c, NULL, EVP_sha256(), NULL, key));
	must(EVP_DigestSign(c, signature, &signature_n, message, sizeof(message)));
	EVP_MD_CTX_free(c);
}

static void do_verify(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	must(EVP_DigestVerifyInit(c, NULL, EVP_sha256(), NULL, key));
	must(EVP_DigestVerify(c, signature, signature_n, message, sizeof(message)));
	EVP_MD_CTX_free(c);
}

static void derive(EVP_PKEY *mine, EVP_PKEY *other)
{
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new(mine, NULL);
	unsigned char out[64];
	size_t n = sizeof(out);

	must(EVP_PKEY_derive_init(c));
	must(EVP_PKEY_derive_set_peer_ex(c, other, 0));
	must(EVP_PKEY_derive(c, out, &n));
	EVP_PKEY_CTX_free(c);
}

static void do_ecdh_p256(void)
{
	derive(key, peer);
}

static void do_ecdh_x25519(void)
{
	derive(x_key, x_peer);
}

static void do_keygen_x25519(void)
{
	EVP_PKEY_free(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"));
}

static void do_keygen_p256(void)
{
	EVP_PKEY_free(EVP_EC_gen("P-256"));
}

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double best(void (*act)(void))
{
	double least = 1e12;

	for (int r = 0; r < ROUNDS; r++) {
		double start = cpu_us();
		for (int i = 0; i < TIMES; i++)
			act();
		double each = (cpu_us() - start) / TIMES;
		least = each < least ? each : least;
	}
	return least;
}

int main(void)
{
	key = EVP_EC_gen("P-256");
	peer = EVP_EC_gen("P-256");
	x_key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	x_peer = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
	double sign = best(do_sign);
	double verify = best(do_verify);
	double ecdh = best(do_ecdh_x25519);
	double keygen = best(do_keygen_x25519);

	printf("{\"sign_us\": %.2f, \"verify_us\": %.2f, \"ecdh_x25519_us\": %.2f, \"keygen_x25519_us\": %.2f, "
	       "\"ecdh_p256_us\": %.2f, \"keygen_p256_us\": %.2f, \"floor_us\": %.2f}\n",
		sign, verify, ecdh, keygen, best(do_ecdh_p256), best(do_keygen_p256),
		2 * sign + 3 * verify + ecdh + keygen);
	EVP_PKEY_free(key);
	EVP_PKEY_free(peer);
	EVP_PKEY_free(x_key);
	EVP_PKEY_free(x_peer);
	return 0;
}
