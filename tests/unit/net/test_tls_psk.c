#include "net/tls.h"

#include "base/mem.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/net/certs.h"

static const char KEY[] = "0123456789abcdef0123456789abcdef";
static const char OTHER_KEY[] = "fedcba9876543210fedcba9876543210";

static struct {
	struct id ca, cert, device;
	struct tls_server *tls;      /* psk */
	struct tls_server *lenient;  /* psk, ems_optional */
	struct tls_server *certs;    /* no psk */
} w;

static struct tls_server *server_of(bool psk, bool ems_optional)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384);
	struct tls_server *s = NULL;
	struct why why = {0};

	put_cert(&w.cert, &cert);
	put_key(&w.cert, NULL, &key);
	put_cert(&w.ca, &own);
	struct tls_config config = {.cert_pem = buf_span(&cert), .key_pem = buf_span(&key), .own_ca_pem = buf_span(&own),
		.fqdn = "mef.example", .psk = psk, .ems_optional = ems_optional};
	if (tls_server_new(&config, &s, &why) != OK)
		fail_msg("%s", why.text);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	return s;
}

static int make_world(void **state)
{
	w.ca = id_new(&(struct id_plan){.cn = "MEF CA", .ca = true});
	w.cert = id_new(&(struct id_plan){.cn = "MEF", .issuer = &w.ca, .san = "DNS:mef.example"});
	w.device = id_new(&(struct id_plan){.cn = "device", .issuer = &w.ca});
	w.tls = server_of(true, false);
	w.lenient = server_of(true, true);
	w.certs = server_of(false, false);
	return 0;
}

static int drop_world(void **state)
{
	tls_server_free(w.tls);
	tls_server_free(w.lenient);
	tls_server_free(w.certs);
	id_free(&w.ca);
	id_free(&w.cert);
	id_free(&w.device);
	return 0;
}

struct talk {
	SSL_CTX *ctx;
	SSL *client, *server;
	char identity[512]; /* what the client shows */
	const char *key;    /* what the client has */
	int done;           /* of the server */
	int alert;          /* received by the client */
	unsigned int asks;  /* how often a key was waited for */
	size_t written;     /* bytes that the server said */
	struct why why;
	struct peer peer;
};

static unsigned int show(
	SSL *ssl, const char *hint, char *identity, unsigned int max, unsigned char *key, unsigned int key_max)
{
	const struct talk *t = SSL_get_app_data(ssl);

	if (strlen(t->identity) > max)
		return 0;
	memcpy(identity, t->identity, strlen(t->identity) + 1);
	memcpy(key, t->key, strlen(t->key));
	return (unsigned int)strlen(t->key);
}

/* TLS 1.3: identities of any length. */
static int show_session(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *n, SSL_SESSION **out)
{
	static const unsigned char suite[] = {0x13, 0x01};
	const struct talk *t = SSL_get_app_data(ssl);

	*out = SSL_SESSION_new();
	SSL_SESSION_set1_master_key(*out, (const unsigned char *)t->key, strlen(t->key));
	SSL_SESSION_set_cipher(*out, SSL_CIPHER_find(ssl, suite));
	SSL_SESSION_set_protocol_version(*out, TLS1_3_VERSION);
	*id = (const unsigned char *)t->identity;
	*n = strlen(t->identity);
	return 1;
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct talk *t = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) && t)
		t->alert = value & 0xff;
}

/* ciphers NULL: TLS 1.3. */
static struct talk *talk_new(struct tls_server *s, const char *ciphers, const char *identity, const char *key)
{
	struct talk *t = mem_alloc(sizeof(*t));
	struct why why = {0};
	int version = ciphers ? TLS1_2_VERSION : TLS1_3_VERSION;
	BIO *a, *b;

	snprintf(t->identity, sizeof(t->identity), "%s", identity);
	t->key = key;
	t->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(t->ctx, version);
	SSL_CTX_set_max_proto_version(t->ctx, version);
	if (ciphers)
		assert_int_equal(SSL_CTX_set_cipher_list(t->ctx, ciphers), 1);
	if (key && ciphers)
		SSL_CTX_set_psk_client_callback(t->ctx, show);
	if (key && !ciphers)
		SSL_CTX_set_psk_use_session_callback(t->ctx, show_session);
	SSL_CTX_set_info_callback(t->ctx, on_info);
	t->client = SSL_new(t->ctx);
	SSL_set_app_data(t->client, t);
	assert_int_equal(tls_accept(s, &t->server, &why), OK);
	assert_int_equal(BIO_new_bio_pair(&a, 128 * 1024, &b, 128 * 1024), 1);
	SSL_set_bio(t->server, a, a);
	SSL_set_bio(t->client, b, b);
	SSL_set_connect_state(t->client);
	return t;
}

static void talk_end(struct talk *t)
{
	tls_free(t->server);
	SSL_free(t->client);
	SSL_CTX_free(t->ctx);
	mem_free(t);
}

/* Both ends until neither moves or the server waits for a key. */
static bool shake(struct talk *t)
{
	struct span identity;
	char byte;

	for (int i = 0; i < 10 && t->done != 1; i++) {
		SSL_do_handshake(t->client);
		ERR_clear_error();
		t->done = tls_handshake(t->server);
		if (t->done == 1)
			break;
		if (tls_psk_waits(t->server, &identity)) {
			t->asks++;
			assert_true(span_is(identity, t->identity));
			return false;
		}
		if (SSL_get_error(t->server, t->done) != SSL_ERROR_WANT_READ) {
			assert_int_not_equal(tls_failure(t->server, &t->why), OK);
			break;
		}
	}
	t->written = (size_t)BIO_number_written(SSL_get_rbio(t->server));
	SSL_do_handshake(t->client);
	SSL_read(t->client, &byte, 1);
	ERR_clear_error();
	if (t->done == 1)
		assert_int_equal(tls_peer(t->server, &t->peer, &t->why), OK);
	return true;
}

static void give(struct talk *t, const char *key)
{
	struct secret secret = {0};

	if (key)
		assert_true(secret_set(&secret, span_text(key)));
	tls_psk_give(t->server, key ? &secret : NULL);
}

static struct talk *talk(struct tls_server *s, const char *ciphers, const char *key, const char *servers_key)
{
	struct talk *t = talk_new(s, ciphers, "kpm7@mef.example", key);

	if (!shake(t)) {
		give(t, servers_key);
		assert_true(shake(t));
	}
	return t;
}

static void assert_psk(const struct talk *t, const char *cipher)
{
	if (t->done != 1)
		fail_msg("%s: %s", cipher, t->why.text);
	assert_int_equal(t->asks, 1);
	assert_int_equal(t->peer.trust, PEER_PSK);
	assert_true(span_is(t->peer.identity, "kpm7@mef.example"));
	assert_int_equal(t->peer.leaf.n, 0);
	assert_string_equal(SSL_get_cipher_name(t->server), cipher);
	assert_false(SSL_get_mode(t->server) & SSL_MODE_ASYNC);
}

static const char *const suites[] = {"ECDHE-PSK-CHACHA20-POLY1305", "ECDHE-PSK-AES128-CBC-SHA256",
	"ECDHE-PSK-AES256-CBC-SHA384", "PSK-AES128-GCM-SHA256", "PSK-AES256-GCM-SHA384", "PSK-AES128-CBC-SHA256"};
enum { SUITES = sizeof(suites) / sizeof(suites[0]) };

/* TS-0003 10.2.2, RFC 5487 */
static void every_suite_of_12_proves_its_key(void **state)
{
	for (size_t i = 0; i < SUITES; i++) {
		struct talk *t = talk(w.tls, suites[i], KEY, KEY);
		char byte = 'x';
		assert_psk(t, suites[i]);
		assert_int_equal(t->peer.tls_version, TLS1_2_VERSION);
		assert_int_equal(SSL_write(t->client, &byte, 1), 1);
		byte = 0;
		assert_int_equal(SSL_read(t->server, &byte, 1), 1);
		assert_int_equal(byte, 'x');
		talk_end(t);
	}
}

static void external_key_works_in_13(void **state)
{
	struct talk *t = talk(w.tls, NULL, KEY, KEY);

	assert_psk(t, "TLS_AES_128_GCM_SHA256");
	assert_int_equal(t->peer.tls_version, TLS1_3_VERSION);
	assert_int_equal(SSL_SESSION_has_ticket(SSL_get0_session(t->client)), 0);
	talk_end(t);
	/* RFC 8446 4.2.9: psk_dhe_ke also when the client has to be asked for another group */
	t = talk_new(w.tls, NULL, "kpm7@mef.example", KEY);
	char groups[] = "P-521:P-256";
	SSL_set1_groups_list(t->client, groups);
	assert_false(shake(t));
	give(t, KEY);
	assert_true(shake(t));
	assert_psk(t, "TLS_AES_128_GCM_SHA256");
	talk_end(t);
}

static void psk_goes_before_certificates_and_both_are_served(void **state)
{
	/* a client that could do both */
	struct talk *t = talk(w.tls, "ECDHE-ECDSA-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256", KEY, KEY);

	assert_psk(t, "PSK-AES128-CBC-SHA256");
	talk_end(t);
	static const char *const certs[] = {"ECDHE-ECDSA-AES128-GCM-SHA256", NULL};
	for (int i = 0; i < 2; i++) {
		t = talk_new(w.tls, certs[i], "", NULL);
		SSL_use_certificate(t->client, w.device.cert);
		SSL_use_PrivateKey(t->client, w.device.key);
		assert_true(shake(t));
		assert_int_equal(t->done, 1);
		assert_int_equal(t->asks, 0);
		assert_int_equal(t->peer.trust, PEER_OWN);
		assert_int_equal(t->peer.identity.n, 0);
		talk_end(t);
	}
}

static void suites_without_use_are_refused(void **state)
{
	static const char *const others[] = {"DHE-PSK-AES128-GCM-SHA256", "RSA-PSK-AES128-GCM-SHA256",
		"PSK-AES128-CBC-SHA", "PSK-AES128-CCM8:@SECLEVEL=0", "PSK-NULL-SHA256:@SECLEVEL=0"};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct talk *t = talk(w.tls, others[i], KEY, KEY);
		assert_int_not_equal(t->done, 1);
		assert_int_equal(t->asks, 0);
		assert_int_equal(t->alert, SSL_AD_HANDSHAKE_FAILURE);
		talk_end(t);
	}
}

static void nothing_is_asked_without_psk(void **state)
{
	for (size_t i = 0; i < SUITES; i++) {
		struct talk *t = talk(w.certs, suites[i], KEY, KEY);
		assert_int_not_equal(t->done, 1);
		assert_int_equal(t->asks, 0);
		assert_int_equal(t->alert, SSL_AD_HANDSHAKE_FAILURE);
		talk_end(t);
	}
	struct talk *t = talk(w.certs, NULL, KEY, KEY);
	assert_int_equal(t->done, 1);
	assert_int_equal(t->asks, 0);
	assert_int_equal(t->peer.trust, PEER_ANONYMOUS);
	talk_end(t);
}

static void wrong_key_fails(void **state)
{
	for (size_t i = 0; i <= SUITES; i++) {
		struct talk *t = talk(w.tls, i < SUITES ? suites[i] : NULL, OTHER_KEY, KEY);
		assert_int_not_equal(t->done, 1);
		assert_int_equal(t->why.code, CODE_TLS_PSK_WRONG);
		assert_non_null(strstr(t->why.text, "kpm7@mef.example"));
		assert_null(strstr(t->why.text, "0123456789"));
		assert_int_equal(t->alert, i < SUITES ? SSL_AD_BAD_RECORD_MAC : SSL_AD_ILLEGAL_PARAMETER);
		talk_end(t);
	}
}

static void identity_too_long_fails_like_a_wrong_key(void **state)
{
	struct talk *t = talk_new(w.tls, NULL, "", KEY);

	memset(t->identity, 'i', CALL_IDENTITY_MAX + 1);
	assert_true(shake(t)); /* nobody is asked */
	assert_int_not_equal(t->done, 1);
	assert_int_equal(t->asks, 0);
	assert_int_equal(t->alert, SSL_AD_ILLEGAL_PARAMETER);
	assert_int_equal(t->why.code, CODE_TLS_PSK_WRONG);
	talk_end(t);
	t = talk_new(w.tls, NULL, "", KEY);
	memset(t->identity, 'i', CALL_IDENTITY_MAX);
	assert_false(shake(t));
	give(t, KEY);
	assert_true(shake(t));
	assert_int_equal(t->done, 1);
	assert_int_equal(t->peer.identity.n, CALL_IDENTITY_MAX);
	talk_end(t);
	/* OpenSSL's limit on TLS 1.2 */
	t = talk_new(w.tls, "PSK-AES128-CBC-SHA256", "", KEY);
	memset(t->identity, 'i', 256);
	assert_false(shake(t));
	give(t, KEY);
	assert_true(shake(t));
	assert_int_equal(t->peer.identity.n, 256);
	talk_end(t);
}

/* RFC 8446 4.2.11: an identity that is not known leads to a full handshake */
static void foreign_ticket_is_passed_over(void **state)
{
	struct talk *t = talk_new(w.tls, NULL, "\x01\xfeticket\x80", KEY);

	assert_true(shake(t));
	assert_int_equal(t->done, 1);
	assert_int_equal(t->asks, 0);
	assert_int_equal(t->peer.trust, PEER_ANONYMOUS);
	assert_int_equal(t->peer.identity.n, 0);
	talk_end(t);
}

static void without_a_key_the_server_says_nothing(void **state)
{
	for (size_t i = 0; i <= SUITES; i++) {
		struct talk *t = talk_new(w.tls, i < SUITES ? suites[i] : NULL, "kpm7@mef.example", KEY);
		assert_false(shake(t));
		uint64_t before = BIO_number_written(SSL_get_rbio(t->server));
		give(t, NULL);
		assert_true(shake(t));
		assert_int_not_equal(t->done, 1);
		assert_int_equal(t->alert, 0);
		assert_int_equal(t->why.code, CODE_TLS_PSK_UNAVAILABLE);
		assert_int_equal(BIO_number_written(SSL_get_rbio(t->server)), before);
		talk_end(t);
	}
}

/* Leaks show under the address sanitizer. */
static void waiting_handshakes_may_be_given_up(void **state)
{
	enum { N = 40 };
	struct talk *all[N];

	for (size_t i = 0; i < N; i++) {
		all[i] = talk_new(w.tls, i % (SUITES + 1) < SUITES ? suites[i % (SUITES + 1)] : NULL, "kpm7@mef.example", KEY);
		assert_false(shake(all[i]));
		/* going on without an answer only waits again */
		tls_handshake(all[i]->server);
		assert_true(SSL_waiting_for_async(all[i]->server));
	}
	for (size_t i = 0; i < N; i += 2)
		talk_end(all[i]);
	for (size_t i = 1; i < N; i += 2) {
		give(all[i], KEY);
		assert_true(shake(all[i]));
		assert_int_equal(all[i]->done, 1);
		talk_end(all[i]);
	}
}

static void export_theirs(SSL *ssl, const char *label, bool context, uint8_t *out, size_t n)
{
	assert_int_equal(
		SSL_export_keying_material(ssl, out, n, label, strlen(label), (const unsigned char *)"", 0, context), 1);
}

/* TS-0003 10.3.1, RFC 9266 2 */
static void exported_values_are_equal_at_both_ends(void **state)
{
	static const char *const ways[] = {"ECDHE-PSK-CHACHA20-POLY1305", "PSK-AES256-GCM-SHA384", NULL};
	uint8_t theirs[96];

	for (int i = 0; i < 3; i++) {
		struct talk *t = talk(w.tls, ways[i], KEY, KEY);
		struct peer p = t->peer;
		assert_int_equal(p.exporter.n + p.exported.n, 0);
		assert_int_equal(tls_export(t->server, EXPORT_NONE, &p, &t->why), OK);
		assert_int_equal(p.exporter.n + p.exported.n, 0);
		assert_int_equal(tls_export(t->server, EXPORT_BINDING, &p, &t->why), OK);
		export_theirs(t->client, "EXPORTER-Channel-Binding", true, theirs, 32);
		assert_true(span_equal(p.exporter, span_of(theirs, 32)));
		assert_int_equal(p.exported.n, 0);
		for (int again = 0; again < 2; again++) {
			p = t->peer;
			assert_int_equal(tls_export(t->server, EXPORT_ENROLMENT, &p, &t->why), OK);
			export_theirs(t->client, "EXPORTER-oneM2M-Bootstrap", false, theirs, 48);
			export_theirs(t->client, "EXPERIMENTAL-OpenMEF-ReAuthentication", false, theirs + 48, 48);
			assert_true(span_equal(p.exported, span_of(theirs, 96)));
			assert_int_equal(tls_export(t->server, EXPORT_CONNECTION, &p, &t->why), OK);
			export_theirs(t->client, "EXPORTER-oneM2M-Connection", false, theirs, 48);
			assert_true(span_equal(p.exported, span_of(theirs, 48)));
			assert_int_equal(p.exporter.n, 0);
		}
		talk_end(t);
	}
}

/* RFC 7627 */
static void export_needs_the_extended_master_secret_unless_told(void **state)
{
	for (int lenient = 0; lenient < 2; lenient++) {
		struct talk *t =
			talk_new(lenient ? w.lenient : w.tls, "PSK-AES128-GCM-SHA256", "kpm7@mef.example", KEY);
		SSL_set_options(t->client, SSL_OP_NO_EXTENDED_MASTER_SECRET);
		assert_false(shake(t));
		give(t, KEY);
		assert_true(shake(t));
		assert_int_equal(t->done, 1);
		static const enum call_export kinds[] = {EXPORT_ENROLMENT, EXPORT_CONNECTION};
		for (int i = 0; i < 2; i++) {
			struct peer p = t->peer;
			assert_int_equal(tls_export(t->server, kinds[i], &p, &t->why), OK);
			assert_int_equal(p.exported.n, !lenient ? 0 : i == 0 ? 96 : 48);
		}
		/* RFC 9266 2: the binding always */
		assert_int_equal(tls_export(t->server, EXPORT_BINDING, &t->peer, &t->why), OK);
		assert_int_equal(t->peer.exporter.n, 0);
		talk_end(t);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_suite_of_12_proves_its_key),
		cmocka_unit_test(external_key_works_in_13),
		cmocka_unit_test(psk_goes_before_certificates_and_both_are_served),
		cmocka_unit_test(suites_without_use_are_refused),
		cmocka_unit_test(nothing_is_asked_without_psk),
		cmocka_unit_test(wrong_key_fails),
		cmocka_unit_test(identity_too_long_fails_like_a_wrong_key),
		cmocka_unit_test(foreign_ticket_is_passed_over),
		cmocka_unit_test(without_a_key_the_server_says_nothing),
		cmocka_unit_test(waiting_handshakes_may_be_given_up),
		cmocka_unit_test(exported_values_are_equal_at_both_ends),
		cmocka_unit_test(export_needs_the_extended_master_secret_unless_told),
	};

	return cmocka_run_group_tests(tests, make_world, drop_world);
}
