#include "adapt/sys/fetch_server.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

static enum err keep(struct fetch_server *s, const STACK_OF(X509) *shown, struct why *why)
{
	size_t ends[FETCH_CERTS_MAX];
	int n = sk_X509_num(shown);

	s->certs_n = 0;
	buf_clear(&s->der);
	if (n < 1 || n > FETCH_CERTS_MAX)
		return WHY(why, CHAIN_LIMIT, "", "server: want 1 to %d certificates, have %d", FETCH_CERTS_MAX, n);
	for (int i = 0; i < n; i++) {
		unsigned char *der = NULL;
		int size = i2d_X509(sk_X509_value(shown, i), &der);
		buf_put(&s->der, der, size > 0 ? (size_t)size : 0);
		OPENSSL_free(der);
		ends[i] = s->der.n;
	}
	TRY(buf_check(&s->der, "server's certificates", why));
	for (int i = 0; i < n; i++) {
		size_t from = i ? ends[i - 1] : 0;
		s->certs[s->certs_n++] = span_of(s->der.p + from, ends[i] - from);
	}
	return OK;
}

static enum err check(struct fetch_server *s, const STACK_OF(X509) *shown, struct why *why)
{
	struct cert leaf = {0};
	uint8_t anchor[32];

	TRY(keep(s, shown, why));
	if (s->provisional)
		return OK;
	/* RFC 7030 3.6.1: the path ends at an explicit anchor, and the name is that of the URI */
	TRY(chain_check(s->anchors, s->certs[0], s->certs + 1, s->certs_n - 1, CHAIN_SERVER, clock_unix_s(&s->clock),
		anchor, why));
	TRY(cert_parse(s->certs[0], &leaf, why));
	/* TS-0003 10.1.1: neither wildcards nor common names, which libcurl would take */
	return chain_check_host(&leaf, span_text(s->host), why);
}

static int verify(X509_STORE_CTX *ctx, void *arg)
{
	struct fetch_server *s = arg;

	s->why = (struct why){0};
	enum err err = check(s, X509_STORE_CTX_get0_untrusted(ctx), &s->why);
	X509_STORE_CTX_set_error(ctx, err == OK ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
	ERR_clear_error();
	return err == OK;
}

void fetch_server_arm(void *ssl_ctx, struct fetch_server *s)
{
	SSL_CTX_set_options(ssl_ctx, SSL_OP_CLEANSE_PLAINTEXT); /* keys come in answers */
	SSL_CTX_set_cert_verify_callback(ssl_ctx, verify, s);
}
