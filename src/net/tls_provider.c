#include "net/tls_provider.h"

#include "base/mem.h"
#include "net/tls_inner.h"

#include <openssl/core_dispatch.h>
#include <openssl/crypto.h>
#include <openssl/provider.h>

/* A row of the default provider that stays, by its operation, first name and a part of its properties. */
struct pick {
	int operation;
	const char *name;
	const char *property;
};

/* What our suites, groups and certificates need; the random generator works in the plain context. */
static const struct pick picks[] = {
	{OSSL_OP_DIGEST, "SHA1", ""}, /* hashes of certificates inside libcrypto, no signatures */
	{OSSL_OP_DIGEST, "SHA2-256", ""},
	{OSSL_OP_DIGEST, "SHA2-384", ""},
	{OSSL_OP_DIGEST, "SHA2-512", ""},
	{OSSL_OP_CIPHER, "AES-128-GCM", ""},
	{OSSL_OP_CIPHER, "AES-256-GCM", ""},
	{OSSL_OP_CIPHER, "ChaCha20-Poly1305", ""},
	{OSSL_OP_CIPHER, "AES-128-CBC", ""},
	{OSSL_OP_CIPHER, "AES-256-CBC", ""}, /* ECDHE-PSK-AES256-CBC-SHA384 */
	{OSSL_OP_MAC, "HMAC", ""},
	{OSSL_OP_KDF, "HKDF", ""},
	{OSSL_OP_KDF, "TLS13-KDF", ""},
	{OSSL_OP_KDF, "TLS1-PRF", ""},
	{OSSL_OP_RAND, "CTR-DRBG", ""},
	{OSSL_OP_RAND, "SEED-SRC", ""},
	{OSSL_OP_KEYMGMT, "EC", ""},
	{OSSL_OP_KEYMGMT, "RSA", ""},
	{OSSL_OP_KEYMGMT, "RSA-PSS", ""},
	{OSSL_OP_KEYMGMT, "X25519", ""},
	{OSSL_OP_KEYMGMT, "HMAC", ""},
	{OSSL_OP_KEYEXCH, "X25519", ""},
	{OSSL_OP_KEYEXCH, "ECDH", ""},
	{OSSL_OP_SIGNATURE, "ECDSA", ""},
	{OSSL_OP_SIGNATURE, "RSA", ""},
	{OSSL_OP_SIGNATURE, "HMAC", ""},
	/* public keys as certificates hold them */
	{OSSL_OP_DECODER, "EC", "input=der,structure=SubjectPublicKeyInfo"},
	{OSSL_OP_DECODER, "RSA", "input=der,structure=SubjectPublicKeyInfo"},
};

enum {
	PICKS_N = sizeof(picks) / sizeof(picks[0]),
	OPERATIONS_N = OSSL_OP__HIGHEST + 1,
};

struct tls_provider {
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *filter;
};

/*
 * The one mutable global of this folder besides log.c: OpenSSL calls a built-in provider with the
 * context of the provider behind it, which has no room for a pointer of ours. Written once, by the
 * first user; emptied by the last.
 */
static struct {
	unsigned int users;
	OSSL_LIB_CTX *lib;
	OSSL_PROVIDER *provider;
	OSSL_ALGORITHM rows[PICKS_N + OPERATIONS_N]; /* by operation, each run ended by an empty row */
	const OSSL_ALGORITHM *first[OPERATIONS_N];
} plain;

static bool is_picked(const OSSL_ALGORITHM *a, int operation)
{
	size_t n = strcspn(a->algorithm_names, ":");

	for (size_t i = 0; i < PICKS_N; i++) {
		if (picks[i].operation == operation && n == strlen(picks[i].name)
			&& memcmp(a->algorithm_names, picks[i].name, n) == 0
			&& strstr(a->property_definition, picks[i].property))
			return true;
	}
	return false;
}

/* False when the default provider has not all that was picked. */
static bool keep_picked(void)
{
	size_t n = 0, found = 0;

	for (int operation = 0; operation < OPERATIONS_N; operation++) {
		int no_cache = 0;
		const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(plain.provider, operation, &no_cache);
		plain.first[operation] = &plain.rows[n];
		for (; a && a->algorithm_names && found < PICKS_N; a++) {
			if (!is_picked(a, operation))
				continue;
			plain.rows[n++] = *a;
			found++;
		}
		plain.rows[n++] = (OSSL_ALGORITHM){0};
	}
	return found == PICKS_N;
}

static const OSSL_ALGORITHM *filter_query(void *context, int operation, int *no_cache)
{
	*no_cache = 0;
	return operation >= 0 && operation < OPERATIONS_N ? plain.first[operation] : NULL;
}

static int filter_capabilities(void *context, const char *name, OSSL_CALLBACK *fn, void *arg)
{
	return OSSL_PROVIDER_get_capabilities(plain.provider, name, fn, arg);
}

static int filter_init(
	const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context)
{
	static const OSSL_DISPATCH functions[] = {
		{OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))filter_query},
		{OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))filter_capabilities},
		{0, NULL},
	};

	*context = OSSL_PROVIDER_get0_provider_ctx(plain.provider);
	*out = functions;
	return 1;
}

static void leave_plain(void)
{
	if (plain.users == 0 || --plain.users > 0)
		return;
	if (plain.provider)
		OSSL_PROVIDER_unload(plain.provider);
	OSSL_LIB_CTX_free(plain.lib);
	plain.provider = NULL;
	plain.lib = NULL;
}

static bool enter_plain(void)
{
	if (plain.users++ > 0)
		return true;
	plain.lib = OSSL_LIB_CTX_new();
	plain.provider = plain.lib ? OSSL_PROVIDER_load(plain.lib, "default") : NULL;
	return plain.provider && keep_picked();
}

static bool fill(struct tls_provider *p)
{
	static const char name[] = "openmef-tls";

	p->lib = OSSL_LIB_CTX_new();
	if (!p->lib || OSSL_PROVIDER_add_builtin(p->lib, name, filter_init) != 1)
		return false;
	p->filter = OSSL_PROVIDER_load(p->lib, name);
	return p->filter != NULL;
}

enum err tls_provider_new(struct tls_provider **out, OSSL_LIB_CTX **lib, struct why *why)
{
	struct tls_provider *p = mem_alloc(sizeof(*p));

	if (!p)
		return WHY(why, NOMEM, "", "TLS provider: want %zu bytes", sizeof(*p));
	if (!enter_plain() || !fill(p)) {
		enum err e = WHY(why, TLS_SETUP, "", "library context: %s", tls_reason());
		tls_provider_free(p);
		return e;
	}
	*out = p;
	*lib = p->lib;
	return OK;
}

void tls_provider_free(struct tls_provider *p)
{
	if (!p)
		return;
	if (p->filter)
		OSSL_PROVIDER_unload(p->filter);
	OSSL_LIB_CTX_free(p->lib);
	mem_free(p);
	leave_plain();
}
