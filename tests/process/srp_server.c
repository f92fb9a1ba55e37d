/*
 * A TLS-SRP server in the MEF's place: srp_server USER PASSWORD BITS. BITS 0: a group of 2048 bits that RFC 5054 does not
 * know. Tells its port, and for each connection whether the handshake was done. OpenSSL's own s_server loses the user's name.
 */
#undef OPENSSL_NO_DEPRECATED
#undef OPENSSL_API_COMPAT
#define OPENSSL_API_COMPAT 10101
#define OPENSSL_SUPPRESS_DEPRECATED
#include <arpa/inet.h>
#include <openssl/bn.h>
#include <openssl/ssl.h>
#include <openssl/srp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char **words;

static int strange_group(SSL *ssl)
{
	BIGNUM *n = BN_new(), *g = BN_new(), *salt = NULL, *v = NULL;
	char info[] = "";
	int fine = n && g && BN_generate_prime_ex(n, 2048, 0, NULL, NULL, NULL) == 1 && BN_set_word(g, 2) == 1
		&& SRP_create_verifier_BN(words[1], words[2], &salt, &v, n, g) == 1
		&& SSL_set_srp_server_param(ssl, n, g, salt, v, info) == 1;

	BN_free(n);
	BN_free(g);
	BN_free(salt);
	BN_free(v);
	return fine;
}

static int on_user(SSL *ssl, int *alert, void *arg)
{
	int fine = strcmp(words[3], "0") == 0 ? strange_group(ssl) : SSL_set_srp_server_param_pw(ssl, words[1], words[2], words[3]) == 1;

	*alert = SSL_AD_INTERNAL_ERROR;
	return fine ? SSL_ERROR_NONE : SSL3_AL_FATAL;
}

static void serve(SSL_CTX *ctx, int fd)
{
	SSL *ssl = SSL_new(ctx);

	SSL_set_fd(ssl, fd);
	printf("%s\n", SSL_accept(ssl) == 1 ? "done" : "failed");
	fflush(stdout);
	SSL_free(ssl);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	words = argv;
	if (argc != 4 || !ctx || SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) != 1 || SSL_CTX_set_cipher_list(ctx, "SRP") != 1
		|| SSL_CTX_set_srp_username_callback(ctx, on_user) != 1 || bind(fd, (struct sockaddr *)&at, n) != 0 || listen(fd, 8) != 0
		|| getsockname(fd, (struct sockaddr *)&at, &n) != 0)
		return 1;
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	for (int i = 0; i < 8; i++) {
		int link = accept(fd, NULL, NULL);
		if (link < 0)
			break;
		serve(ctx, link);
	}
	SSL_CTX_free(ctx);
	return 0;
}
