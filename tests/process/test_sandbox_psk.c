#include "net/sandbox.h"
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "unit/net/certs.h"

/* Many handshakes by shared key stand still and go on within the filter of a front. docs/decisions/0015 */
enum { TALKS = 100 };

static const char KEY[] = "0123456789abcdef";

static unsigned int show(
	SSL *ssl, const char *hint, char *identity, unsigned int max, unsigned char *key, unsigned int key_max)
{
	snprintf(identity, max, "kpm7@mef.example");
	memcpy(key, KEY, sizeof(KEY) - 1);
	return sizeof(KEY) - 1;
}

static struct tls_server *make_server(void)
{
	struct buf cert = BUF(16384), key = BUF(16384);
	struct id id = id_new(&(struct id_plan){.cn = "mef.example", .ca = true, .san = "DNS:mef.example"});
	struct tls_server *s = NULL;
	struct why why = {0};

	put_cert(&id, &cert);
	put_key(&id, NULL, &key);
	struct tls_config config = {
		.cert_pem = buf_span(&cert), .key_pem = buf_span(&key), .own_ca_pem = buf_span(&cert), .psk = true};
	assert_int_equal(tls_server_new(&config, &s, &why), OK);
	buf_fini(&cert);
	buf_fini(&key);
	id_free(&id);
	return s;
}

static void connect_pair(struct tls_server *s, SSL_CTX *ctx, SSL **client, SSL **server)
{
	struct why why = {0};
	BIO *a, *b;

	*client = SSL_new(ctx);
	assert_int_equal(tls_accept(s, server, &why), OK);
	assert_int_equal(BIO_new_bio_pair(&a, 32 * 1024, &b, 32 * 1024), 1);
	SSL_set_bio(*client, a, a);
	SSL_set_bio(*server, b, b);
	SSL_set_connect_state(*client);
}

static bool shake(SSL *client, SSL *server, const struct secret *key)
{
	struct span identity;

	for (int i = 0; i < 10; i++) {
		ERR_clear_error();
		SSL_do_handshake(client);
		if (tls_handshake(server) == 1)
			return true;
		if (!tls_psk_waits(server, &identity))
			continue;
		if (!key)
			return false;
		tls_psk_give(server, key);
		if (tls_handshake(server) == 1)
			return true;
	}
	return false;
}

static int talk(struct tls_server *s, SSL_CTX *ctx)
{
	SSL *clients[TALKS], *servers[TALKS];
	struct secret key = {0};
	int good = 0;

	if (!secret_set(&key, span_text(KEY)))
		return 1;
	for (int i = 0; i < TALKS; i++) {
		connect_pair(s, ctx, &clients[i], &servers[i]);
		if (i % 2)
			SSL_set_max_proto_version(clients[i], TLS1_2_VERSION);
		good += !shake(clients[i], servers[i], NULL);
	}
	/* every tenth is given up */
	for (int i = 0; i < TALKS; i++) {
		good += i % 10 == 0 || shake(clients[i], servers[i], &key);
		tls_free(servers[i]);
		SSL_free(clients[i]);
	}
	return good == 2 * TALKS ? 0 : 1;
}

static void handshakes_wait_within_the_filter_of_a_front(void **state)
{
	struct tls_server *s = make_server();
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_psk_client_callback(ctx, show);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		struct why why = {0};
		if (sandbox_enter(ROLE_FRONT, &why) != OK)
			_exit(99);
		_exit(talk(s, ctx));
	}
	int status = 0;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	SSL_CTX_free(ctx);
	tls_server_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handshakes_wait_within_the_filter_of_a_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
