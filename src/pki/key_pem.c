/* Private keys as PEM files; declared in key.h. */
#include "pki/key.h"

#include "pki/ossl.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <limits.h>

enum {
	SALT_SIZE = 16,
	/* 20 milliseconds: the usual passphrase is the master key of 256 bits, which needs no stretching */
	PBKDF2_ROUNDS = 100000,
};

struct passphrase {
	struct span text;
	bool asked;
};

static int give_passphrase(char *to, int size, int writing, void *arg)
{
	struct passphrase *pass = arg;

	pass->asked = true;
	if (pass->text.n == 0 || size < 0 || pass->text.n > (size_t)size)
		return -1;
	memcpy(to, pass->text.p, pass->text.n);
	return (int)pass->text.n;
}

enum err key_parse_pem(struct span pem, struct span passphrase, struct key **out, struct why *why)
{
	struct passphrase pass = {.text = passphrase};
	struct key *k OWNED_KEY = NULL;

	if (pem.n > KEY_PEM_MAX)
		return WHY(why, KEY_PEM, "", "key file: want at most %d bytes, have %zu", KEY_PEM_MAX, pem.n);
	BIO *bio OWNED_BIO = BIO_new_mem_buf(pem.n ? (const void *)pem.p : "", (int)pem.n);
	if (!bio)
		return WHY(why, NOMEM, "", "key file");
	EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &pass);
	ossl_forget();
	if (!pkey && pass.asked)
		return WHY(why, KEY_PASSPHRASE, "RFC 5958 3", "encrypted key: want its passphrase, have %s",
			passphrase.n ? "another" : "none");
	if (!pkey)
		return WHY(why, KEY_PEM, "RFC 5958 2", "key file: want one PEM private key, have none that can be read");
	k = key_adopt(pkey);
	if (!k)
		return WHY(why, NOMEM, "", "key");
	if (key_spec_of(k) == KEY_OTHER)
		return WHY(why, KEY_KIND, "TS-0003 10.1.1.1", "private key: want P-256, P-384 or RSA of 2048 to 4096 bits, have %s",
			key_spec_name(key_spec_of(k)));
	*out = k;
	k = NULL;
	return OK;
}

static void p8_cleanup(PKCS8_PRIV_KEY_INFO **p8)
{
	PKCS8_PRIV_KEY_INFO_free(*p8);
}

static void sig_cleanup(X509_SIG **sig)
{
	X509_SIG_free(*sig);
}

/* RFC 8018 6.2: PBES2; the PRF is named, since the standard's default is HMAC-SHA1 */
static X509_SIG *encrypted(struct span passphrase, PKCS8_PRIV_KEY_INFO *p8)
{
	uint8_t salt[SALT_SIZE];

	if (RAND_bytes(salt, sizeof(salt)) != 1)
		return NULL;
	X509_ALGOR *pbe = PKCS5_pbe2_set_iv(
		EVP_aes_256_cbc(), PBKDF2_ROUNDS, salt, sizeof(salt), NULL, NID_hmacWithSHA256);
	if (!pbe)
		return NULL;
	X509_SIG *sig = PKCS8_set0_pbe((const char *)passphrase.p, (int)passphrase.n, p8, pbe);
	if (!sig)
		X509_ALGOR_free(pbe);
	return sig;
}

static bool write_p8(BIO *bio, PKCS8_PRIV_KEY_INFO *p8, struct span passphrase)
{
	X509_SIG *sig __attribute__((cleanup(sig_cleanup))) = NULL;

	if (passphrase.n == 0)
		return PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio, p8) == 1;
	sig = encrypted(passphrase, p8);
	return sig && PEM_write_bio_PKCS8(bio, sig) == 1;
}

enum err key_write_pem(const struct key *k, struct span passphrase, struct buf *out, struct why *why)
{
	PKCS8_PRIV_KEY_INFO *p8 __attribute__((cleanup(p8_cleanup))) = EVP_PKEY2PKCS8(key_native(k));
	BIO *bio OWNED_BIO = BIO_new(BIO_s_mem()); /* wiped when freed */
	char *text = NULL;

	if (passphrase.n > PEM_BUFSIZE) /* the size that OpenSSL's reader offers */
		return WHY(why, KEY_PASSPHRASE, "", "passphrase: want at most %d octets, have %zu", PEM_BUFSIZE, passphrase.n);
	if (!p8 || !bio || !write_p8(bio, p8, passphrase))
		return ossl_failed("writing a private key", why);
	long n = BIO_get_mem_data(bio, &text);
	buf_put(out, text, n > 0 ? (size_t)n : 0);
	return buf_check(out, "private key", why);
}
