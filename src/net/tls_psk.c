#include "net/tls_inner.h"

#include "base/mem.h"

#include <openssl/async.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

/*
 * TS-0003 10.2.2: TLS_PSK_WITH_AES_128_CBC_SHA256 is mandatory. RFC 5489, RFC 7905: those with ECDHE keep what
 * was said when the key is told later, so they stand first. DHE costs a server too much.
 */
const char tls_psk_ciphers[] = "ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:ECDHE-PSK-AES256-CBC-SHA384:"
			       "PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384:PSK-AES128-CBC-SHA256";
static const uint16_t cipher_ids[] = {0xccac, 0xc037, 0xc038, 0x00a8, 0x00a9, 0x00ae};

/* RFC 8446 4.2.11: SHA-256 is the hash of a key that comes with none; TLS_AES_128_GCM_SHA256 */
static const unsigned char cipher_13[] = {0x13, 0x01};

enum { DECOY_SIZE = 32 };

static bool offers_psk(SSL *ssl)
{
	const unsigned char *p = NULL;
	size_t n = SSL_client_hello_get0_ciphers(ssl, &p), extension_n = 0;
	const unsigned char *extension = NULL;

	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_psk, &extension, &extension_n) == 1)
		return true;
	for (size_t i = 0; i + 1 < n; i += 2) {
		uint16_t id = (uint16_t)(p[i] << 8 | p[i + 1]);
		for (size_t j = 0; j < sizeof(cipher_ids) / sizeof(cipher_ids[0]); j++) {
			if (id == cipher_ids[j])
				return true;
		}
	}
	return false;
}

/* Asks tls_handshake for a stack that can stand still, before anything is done on this one. */
static int on_hello(SSL *ssl, int *alert, void *arg)
{
	struct tls_link *link = tls_link_of(ssl);

	if (link->psk || !offers_psk(ssl))
		return SSL_CLIENT_HELLO_SUCCESS;
	link->psk = mem_alloc(sizeof(*link->psk));
	if (link->psk)
		return SSL_CLIENT_HELLO_RETRY;
	*alert = SSL_AD_INTERNAL_ERROR;
	return SSL_CLIENT_HELLO_ERROR;
}

/*
 * RFC 4279 5.3: an unknown identity may be answered like a wrong key. One that is too long to be anybody's
 * gets a key that nobody has, as the registrar gives to identities that it does not know.
 */
static bool give_decoy(struct tls_psk *psk)
{
	psk->key.n = DECOY_SIZE;
	psk->state = RAND_bytes(psk->key.bytes, DECOY_SIZE) == 1 ? TLS_PSK_GIVEN : TLS_PSK_REFUSED;
	return psk->state == TLS_PSK_GIVEN;
}

/* On the handshake's own stack: comes back when the key is there. */
static bool await_key(struct tls_psk *psk, struct span identity)
{
	if (psk->state != TLS_PSK_UNASKED)
		return psk->state == TLS_PSK_GIVEN && span_equal(identity, span_of(psk->identity, psk->identity_n));
	if (identity.n > sizeof(psk->identity))
		return give_decoy(psk);
	if (identity.n)
		memcpy(psk->identity, identity.p, identity.n);
	psk->identity_n = identity.n;
	psk->state = ASYNC_get_current_job() ? TLS_PSK_WAITS : TLS_PSK_REFUSED;
	while (psk->state == TLS_PSK_WAITS) {
		if (ASYNC_pause_job() != 1)
			psk->state = TLS_PSK_REFUSED;
	}
	return psk->state == TLS_PSK_GIVEN;
}

static unsigned int on_identity_12(SSL *ssl, const char *identity, unsigned char *out, unsigned int max)
{
	struct tls_psk *psk = tls_link_of(ssl)->psk;

	/* libssl asks here too when the callback of TLS 1.3 gave no session */
	if (!psk || SSL_version(ssl) >= TLS1_3_VERSION || !await_key(psk, span_text(identity)) || psk->key.n > max)
		return 0;
	memcpy(out, psk->key.bytes, psk->key.n);
	return (unsigned int)psk->key.n;
}

/*
 * RFC 8446 4.2.11: what a client shows may also be the ticket of another server, and then it expects a full
 * handshake. Tickets are random octets, identities are text (RFC 4279 5.1).
 */
static bool is_identity(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	}
	return s.n > 0;
}

static bool make_session(SSL *ssl, const struct secret *key, SSL_SESSION **out)
{
	const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, cipher_13);
	SSL_SESSION *session = cipher ? SSL_SESSION_new() : NULL;

	if (!session || SSL_SESSION_set1_master_key(session, key->bytes, key->n) != 1
		|| SSL_SESSION_set_cipher(session, cipher) != 1
		|| SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
		SSL_SESSION_free(session);
		return false;
	}
	*out = session;
	return true;
}

static int on_identity_13(SSL *ssl, const unsigned char *identity, size_t n, SSL_SESSION **out)
{
	struct tls_psk *psk = tls_link_of(ssl)->psk;
	struct span shown = span_of(identity, n);

	*out = NULL;
	if (!psk || !is_identity(shown))
		return 1;
	if (await_key(psk, shown))
		return make_session(ssl, &psk->key, out);
	/* A second identity is not asked for: one question a connection. */
	return psk->state == TLS_PSK_GIVEN;
}

enum err tls_psk_setup(struct tls_server *s, struct why *why)
{
	static const unsigned char context[] = "openmef";

	/* libssl wants a name for the sessions that the callback of TLS 1.3 makes; none is ever resumed. */
	if (SSL_CTX_set_session_id_context(s->ctx, context, sizeof(context) - 1) != 1 || ASYNC_is_capable() != 1)
		return WHY(why, TLS_SETUP, "", "pre-shared keys: %s", tls_reason());
	SSL_CTX_set_client_hello_cb(s->ctx, on_hello, NULL);
	SSL_CTX_set_psk_server_callback(s->ctx, on_identity_12);
	SSL_CTX_set_psk_find_session_callback(s->ctx, on_identity_13);
	return OK;
}

/* The stack of a job is small and has no guard page: only what may have to wait runs on it, no chain of a client. */
static bool may_ask(const SSL *ssl, const struct tls_psk *psk)
{
	const SSL_CIPHER *cipher = SSL_get_pending_cipher(ssl);

	if (psk->state == TLS_PSK_WAITS)
		return true;
	/* In TLS 1.3 the first message holds all that is asked for; in TLS 1.2 it comes with the ClientKeyExchange. */
	return psk->state == TLS_PSK_UNASKED && SSL_version(ssl) < TLS1_3_VERSION && cipher
		&& SSL_CIPHER_get_auth_nid(cipher) == NID_auth_psk;
}

int tls_handshake(SSL *ssl)
{
	struct tls_link *link = tls_link_of(ssl);
	int result = SSL_do_handshake(ssl);

	if (!link->psk)
		return result;
	if (result != 1 && SSL_get_error(ssl, result) == SSL_ERROR_WANT_CLIENT_HELLO_CB) {
		SSL_set_mode(ssl, SSL_MODE_ASYNC);
		result = SSL_do_handshake(ssl);
	}
	if (!may_ask(ssl, link->psk))
		SSL_clear_mode(ssl, SSL_MODE_ASYNC);
	if (result == 1)
		secret_wipe(&link->psk->key);
	return result;
}

bool tls_psk_waits(const SSL *ssl, struct span *identity_out)
{
	const struct tls_psk *psk = tls_link_of(ssl)->psk;

	if (!psk || psk->state != TLS_PSK_WAITS)
		return false;
	*identity_out = span_of(psk->identity, psk->identity_n);
	return true;
}

void tls_psk_give(SSL *ssl, const struct secret *key)
{
	struct tls_psk *psk = tls_link_of(ssl)->psk;

	if (!psk || psk->state != TLS_PSK_WAITS)
		return;
	psk->state = key && key->n && SHA256(key->bytes, key->n, psk->digest) ? TLS_PSK_GIVEN : TLS_PSK_REFUSED;
	if (psk->state == TLS_PSK_GIVEN)
		psk->key = *key;
	else /* libssl would tell the client that its identity is unknown, which nobody said */
		SSL_set0_wbio(ssl, BIO_new(BIO_s_null()));
}

bool tls_psk_proven(const SSL *ssl)
{
	const struct tls_psk *psk = tls_link_of(ssl)->psk;

	if (!psk || psk->state != TLS_PSK_GIVEN)
		return false;
	/* There are no tickets and no cached sessions, so a resumed one is of on_identity_13. */
	if (SSL_version(ssl) >= TLS1_3_VERSION)
		return SSL_session_reused(ssl) == 1;
	return SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(ssl)) == NID_auth_psk;
}

void tls_psk_abort(SSL *ssl)
{
	if (!SSL_waiting_for_async(ssl))
		return;
	tls_psk_give(ssl, NULL);
	SSL_do_handshake(ssl);
	ERR_clear_error();
}
