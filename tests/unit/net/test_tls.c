#include "net/tls.h"

#include "base/mem.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/net/certs.h"

/* One small world for all tests. */
static struct {
	struct id root, issuing, server, own;        /* the MEF's */
	struct id maker, maker_sub, device, orphan;  /* the manufacturers' */
	struct tls_server *tls;
} w;

struct talk {
	SSL *server, *client;
	SSL_CTX *ctx;
	int server_ok;   /* 1: handshake done */
	int alert;       /* received by the client, 0: none */
	struct why why;  /* of the server */
	struct peer peer;
};

static struct tls_config config_of(struct buf *cert, struct buf *key, struct buf *own, struct buf *devices)
{
	put_cert(&w.server, cert);
	put_cert(&w.issuing, cert);
	put_key(&w.server, NULL, key);
	put_cert(&w.issuing, own);
	put_cert(&w.root, own);
	put_cert(&w.maker, devices);
	return (struct tls_config){.cert_pem = buf_span(cert), .key_pem = buf_span(key), .own_ca_pem = buf_span(own),
		.device_anchors_pem = buf_span(devices), .fqdn = "mef.example"};
}

static int make_world(void **state)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384), devices = BUF(16384);
	struct why why = {0};

	w.root = id_new(&(struct id_plan){.cn = "MEF Root", .ca = true});
	w.issuing = id_new(&(struct id_plan){.cn = "MEF Issuing", .ca = true, .issuer = &w.root});
	w.server = id_new(&(struct id_plan){.cn = "MEF", .issuer = &w.issuing, .san = "DNS:mef.example", .eku = "serverAuth"});
	w.own = id_new(&(struct id_plan){.cn = "enrolled", .issuer = &w.issuing});
	w.maker = id_new(&(struct id_plan){.cn = "Maker", .ca = true});
	w.maker_sub = id_new(&(struct id_plan){.cn = "Maker Line 7", .ca = true, .issuer = &w.maker});
	w.device = id_new(&(struct id_plan){.cn = "device", .issuer = &w.maker_sub, .eku = "clientAuth"});
	w.orphan = id_new(&(struct id_plan){.cn = "Unknown Maker", .ca = true});
	struct tls_config config = config_of(&cert, &key, &own, &devices);
	if (tls_server_new(&config, &w.tls, &why) != OK)
		fail_msg("%s", why.text);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	buf_fini(&devices);
	return 0;
}

static int drop_world(void **state)
{
	tls_server_free(w.tls);
	struct id *ids[] = {&w.root, &w.issuing, &w.server, &w.own, &w.maker, &w.maker_sub, &w.device, &w.orphan};
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		id_free(ids[i]);
	return 0;
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct talk *t = SSL_get_app_data(ssl);

	if ((where & SSL_CB_READ_ALERT) && t)
		t->alert = value & 0xff;
}

static SSL_CTX *client_ctx(int version, const struct id *id, const struct id *above)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_mode(ctx, SSL_MODE_NO_AUTO_CHAIN);
	if (id) {
		assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
	}
	if (above)
		assert_int_equal(SSL_CTX_add1_chain_cert(ctx, above->cert), 1);
	SSL_CTX_set_info_callback(ctx, on_info);
	return ctx;
}

/* Runs both ends until neither moves. */
static void shake(struct talk *t)
{
	BIO *a, *b;
	char byte;

	assert_int_equal(BIO_new_bio_pair(&a, 128 * 1024, &b, 128 * 1024), 1);
	SSL_set_bio(t->server, a, a);
	SSL_set_bio(t->client, b, b);
	SSL_set_connect_state(t->client);
	for (int i = 0; i < 10; i++) {
		SSL_do_handshake(t->client);
		if (t->server_ok == 1)
			break;
		ERR_clear_error();
		t->server_ok = SSL_do_handshake(t->server);
		if (t->server_ok != 1 && SSL_get_error(t->server, t->server_ok) != SSL_ERROR_WANT_READ) {
			enum err e = tls_failure(t->server, &t->why);
			assert_int_not_equal(e, OK);
			assert_int_equal(e, t->why.kind);
			break;
		}
	}
	/* In TLS 1.3 a refusal reaches the client after its handshake. */
	SSL_read(t->client, &byte, 1);
	ERR_clear_error();
}

static struct talk talk_to(struct tls_server *s, SSL_CTX *ctx, const char *sni)
{
	struct talk t = {.ctx = ctx, .client = SSL_new(ctx)};
	struct why why = {0};
	char name[64];

	snprintf(name, sizeof(name), "%s", sni ? sni : "");
	assert_int_equal(tls_accept(s, &t.server, &why), OK);
	SSL_set_app_data(t.client, &t);
	/* what SSL_set_tlsext_host_name does, without its cast */
	if (sni)
		SSL_ctrl(t.client, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name);
	shake(&t);
	if (t.server_ok == 1) {
		assert_int_equal(tls_peer(t.server, &t.peer, &why), OK);
		assert_int_equal(t.peer.exporter.n, 0); /* not before somebody asks */
		assert_int_equal(tls_export(t.server, EXPORT_BINDING, &t.peer, &why), OK);
	}
	SSL_set_app_data(t.client, NULL);
	return t;
}

static struct talk talk(int version, const struct id *id, const struct id *above)
{
	return talk_to(w.tls, client_ctx(version, id, above), "mef.example");
}

static void talk_end(struct talk *t)
{
	tls_free(t->server);
	SSL_free(t->client);
	SSL_CTX_free(t->ctx);
}

static void assert_trust(const struct talk *t, enum peer_trust trust, const struct id *leaf, const struct id *anchor)
{
	uint8_t digest[32] = {0};
	unsigned char *der = NULL;

	if (t->server_ok != 1)
		fail_msg("refused: %s", t->why.text);
	assert_int_equal(t->peer.trust, trust);
	if (anchor)
		X509_digest(anchor->cert, EVP_sha256(), digest, NULL);
	assert_memory_equal(t->peer.anchor, digest, 32);
	int n = leaf ? i2d_X509(leaf->cert, &der) : 0;
	assert_true(span_equal(t->peer.leaf, span_of(der, (size_t)n)));
	OPENSSL_free(der);
}

static void assert_refused(const struct talk *t, enum code code, int alert, const char *says)
{
	assert_int_not_equal(t->server_ok, 1);
	assert_int_equal(t->why.code, code);
	assert_int_equal(t->alert, alert);
	if (says && !strstr(t->why.text, says))
		fail_msg("want \"%s\" in: %s", says, t->why.text);
}

static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
#define BOTH_VERSIONS(v) for (int i_ = 0, v; i_ < 2 && (v = versions[i_], true); i_++)

static void own_certificate_is_own_by_its_issuing_ca(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &w.own, NULL);
		assert_trust(&t, PEER_OWN, &w.own, &w.issuing);
		assert_int_equal(t.peer.tls_version, v);
		assert_string_equal(t.peer.sni, "mef.example");
		talk_end(&t);
	}
}

static void device_with_intermediate_leads_to_its_makers_anchor(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &w.device, &w.maker_sub);
		assert_trust(&t, PEER_THIRD_PARTY, &w.device, &w.maker);
		talk_end(&t);
	}
}

static void device_without_its_intermediate_is_unknown(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &w.device, NULL);
		assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, "CN=device");
		talk_end(&t);
	}
}

/* Claims the public key of one and signs with another. */
static EVP_PKEY *false_key(EVP_PKEY *claimed)
{
	EVP_PKEY *other = EVP_EC_gen("P-256"), *key = NULL;
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	unsigned char point[80];
	size_t n = 0;
	BIGNUM *secret = NULL;

	EVP_PKEY_get_octet_string_param(claimed, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &n);
	EVP_PKEY_get_bn_param(other, OSSL_PKEY_PARAM_PRIV_KEY, &secret);
	OSSL_PARAM_BLD_push_utf8_string(bld, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
	OSSL_PARAM_BLD_push_octet_string(bld, OSSL_PKEY_PARAM_PUB_KEY, point, n);
	OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_PRIV_KEY, secret);
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(bld);
	assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
	assert_int_equal(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params), 1);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	BN_free(secret);
	EVP_PKEY_free(other);
	return key;
}

static void known_chain_gets_the_same_verdict_and_no_other_does(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "often", .issuer = &w.maker_sub});
	struct id impostor = {.key = false_key(id.key), .cert = id.cert};

	BOTH_VERSIONS (v) {
		for (int i = 0; i < 3; i++) {
			struct talk t = talk(v, &id, &w.maker_sub);
			assert_trust(&t, PEER_THIRD_PARTY, &id, &w.maker);
			talk_end(&t);
		}
		/* what was seen with its intermediate is not believed without it */
		struct talk t = talk(v, &id, NULL);
		assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, NULL);
		talk_end(&t);
		/* RFC 8446 4.4.3: a known certificate still needs its key */
		t = talk(v, &impostor, &w.maker_sub);
		assert_refused(&t, CODE_TLS_HANDSHAKE, SSL_AD_DECRYPT_ERROR, "bad signature");
		talk_end(&t);
	}
	EVP_PKEY_free(impostor.key);
	id_free(&id);
}

static void client_without_certificate_is_anonymous(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, NULL, NULL);
		assert_trust(&t, PEER_ANONYMOUS, NULL, NULL);
		talk_end(&t);
	}
}

static void unknown_ca_is_refused_with_its_alert(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "stray", .issuer = &w.orphan});

	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &id, NULL);
		assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, "CN=stray");
		talk_end(&t);
		t = talk(v, &id, &w.orphan);
		assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, NULL);
		talk_end(&t);
	}
	id_free(&id);
}

static void what_the_root_issued_directly_is_not_own(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "other branch", .issuer = &w.root});
	struct talk t = talk(TLS1_3_VERSION, &id, &w.root);

	assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, NULL);
	talk_end(&t);
	id_free(&id);
}

static void same_name_with_another_key_is_refused(void **state)
{
	struct id false_ca = id_new(&(struct id_plan){.cn = "MEF Issuing", .ca = true});
	struct id id = id_new(&(struct id_plan){.cn = "forged", .issuer = &false_ca});

	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &id, &false_ca);
		assert_int_not_equal(t.server_ok, 1);
		talk_end(&t);
	}
	id_free(&id);
	id_free(&false_ca);
}

static void expired_certificate_is_refused_with_dates_and_clock(void **state)
{
	struct id own = id_new(&(struct id_plan){.cn = "old", .issuer = &w.issuing, .from_s = -7200, .to_s = -1});
	struct id theirs = id_new(&(struct id_plan){.cn = "older", .issuer = &w.maker, .from_s = -7200, .to_s = -1});
	const struct id *ids[] = {&own, &theirs};

	BOTH_VERSIONS (v) {
		for (size_t i = 0; i < 2; i++) {
			/* RFC 8446 6.2: certificate_expired */
			struct talk t = talk(v, ids[i], NULL);
			assert_refused(&t, CODE_TLS_PEER_TIME, SSL_AD_CERTIFICATE_EXPIRED, "our clock has 20");
			assert_non_null(strstr(t.why.text, i ? "CN=older" : "CN=old"));
			talk_end(&t);
		}
	}
	id_free(&own);
	id_free(&theirs);
}

/* RFC 7030 4.2.2: a server of that window, for nothing but the end of a leaf of ours. */
static void a_leaf_of_ours_gets_through_for_a_while_after_its_end(void **state)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384), devices = BUF(16384);
	struct tls_config config = config_of(&cert, &key, &own, &devices);
	struct id old_ca = id_new(&(struct id_plan){.cn = "old CA", .ca = true, .issuer = &w.issuing, .from_s = -7200, .to_s = -10});
	const struct {
		struct id id;
		bool passes;
	} cases[] = {
		{id_new(&(struct id_plan){.cn = "late", .issuer = &w.issuing, .from_s = -7200, .to_s = -900}), true},
		{id_new(&(struct id_plan){.cn = "too late", .issuer = &w.issuing, .from_s = -7200, .to_s = -1100}), false},
		{id_new(&(struct id_plan){.cn = "early", .issuer = &w.issuing, .from_s = 900, .to_s = 7200}), false},
		{id_new(&(struct id_plan){.cn = "theirs", .issuer = &w.maker, .from_s = -7200, .to_s = -10}), false},
		{id_new(&(struct id_plan){.cn = "server", .issuer = &w.issuing, .from_s = -7200, .to_s = -10, .eku = "serverAuth"}), false},
		{id_new(&(struct id_plan){.cn = "of an old CA", .issuer = &old_ca}), false},
	};
	struct why why = {0};
	struct tls_server *s = NULL;

	config.own_expired_s = 1000;
	assert_int_equal(tls_server_new(&config, &s, &why), OK);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int again = 0; again < 2; again++) { /* the second time its chain is known */
			struct talk t = talk_to(s, client_ctx(TLS1_3_VERSION, &cases[i].id, i == 5 ? &old_ca : NULL), "mef.example");
			if (cases[i].passes)
				assert_trust(&t, PEER_OWN, &cases[i].id, &w.issuing);
			else
				assert_int_not_equal(t.server_ok, 1);
			talk_end(&t);
		}
		struct id id = cases[i].id;
		id_free(&id);
	}
	tls_server_free(s);
	id_free(&old_ca);
	struct buf *bufs[] = {&cert, &key, &own, &devices};
	for (size_t i = 0; i < 4; i++)
		buf_fini(bufs[i]);
}

static void certificate_of_the_future_is_refused(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "early", .issuer = &w.issuing, .from_s = 3600, .to_s = 7200});
	struct talk t = talk(TLS1_3_VERSION, &id, NULL);

	assert_refused(&t, CODE_TLS_PEER_TIME, SSL_AD_BAD_CERTIFICATE, "CN=early");
	talk_end(&t);
	id_free(&id);
}

static void server_certificates_are_none_for_clients(void **state)
{
	struct id theirs = id_new(&(struct id_plan){.cn = "web", .issuer = &w.maker, .eku = "serverAuth"});

	BOTH_VERSIONS (v) {
		/* RFC 5280 4.2.1.12 */
		struct talk t = talk(v, &theirs, NULL);
		assert_refused(&t, CODE_TLS_PEER_PURPOSE, SSL_AD_UNSUPPORTED_CERTIFICATE, "CN=web");
		talk_end(&t);
		t = talk(v, &w.server, NULL);
		assert_refused(&t, CODE_TLS_PEER_PURPOSE, SSL_AD_UNSUPPORTED_CERTIFICATE, "CN=MEF");
		talk_end(&t);
	}
	id_free(&theirs);
}

static void own_certificate_may_carry_other_uses(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "suid", .issuer = &w.issuing, .eku = "1.3.6.1.4.1.99999.1.21"});
	struct talk t = talk(TLS1_3_VERSION, &id, NULL);

	assert_trust(&t, PEER_OWN, &id, &w.issuing);
	talk_end(&t);
	id_free(&id);
}

static void self_signed_end_entity_proves_a_key(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "raw"});
	struct id v1 = id_new(&(struct id_plan){.cn = "raw v1", .no_constraints = true});

	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &id, NULL);
		assert_trust(&t, PEER_RAW_KEY, &id, NULL);
		talk_end(&t);
		t = talk(v, &v1, NULL);
		assert_trust(&t, PEER_RAW_KEY, &v1, NULL);
		talk_end(&t);
	}
	id_free(&id);
	id_free(&v1);
}

static void self_signed_ca_or_expired_or_broken_proves_nothing(void **state)
{
	struct id ca = id_new(&(struct id_plan){.cn = "self CA", .ca = true});
	struct id old = id_new(&(struct id_plan){.cn = "raw old", .from_s = -7200, .to_s = -1});
	struct id other = id_new(&(struct id_plan){.cn = "other"});
	struct id broken = id_new(&(struct id_plan){.cn = "broken"});
	struct talk t = talk(TLS1_3_VERSION, &ca, NULL);

	assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, NULL);
	talk_end(&t);
	t = talk(TLS1_3_VERSION, &old, NULL);
	assert_refused(&t, CODE_TLS_PEER_TIME, SSL_AD_CERTIFICATE_EXPIRED, NULL);
	talk_end(&t);
	X509_sign(broken.cert, other.key, EVP_sha256());
	t = talk(TLS1_3_VERSION, &broken, NULL);
	assert_int_not_equal(t.server_ok, 1);
	talk_end(&t);
	id_free(&ca);
	id_free(&old);
	id_free(&other);
	id_free(&broken);
}

static void weak_keys_and_hashes_are_refused(void **state)
{
	struct id weak = id_new(&(struct id_plan){.cn = "rsa1024", .issuer = &w.maker, .key = EVP_RSA_gen(1024)});
	struct id sha1 = id_new(&(struct id_plan){.cn = "sha1", .issuer = &w.maker, .md = EVP_sha1()});
	struct id raw = id_new(&(struct id_plan){.cn = "raw1024", .key = EVP_RSA_gen(1024)});
	const struct id *ids[] = {&weak, &sha1, &raw};

	for (size_t i = 0; i < 3; i++) {
		struct talk t = talk(TLS1_2_VERSION, ids[i], NULL);
		assert_int_not_equal(t.server_ok, 1);
		assert_int_not_equal(t.why.kind, OK);
		talk_end(&t);
	}
	id_free(&weak);
	id_free(&sha1);
	id_free(&raw);
}

static void rsa_device_is_served(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "rsa", .issuer = &w.maker, .key = EVP_RSA_gen(2048)});

	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &id, NULL);
		assert_trust(&t, PEER_THIRD_PARTY, &id, &w.maker);
		talk_end(&t);
	}
	id_free(&id);
}

static void p384_device_is_served(void **state)
{
	struct id id = id_new(&(struct id_plan){.cn = "p384", .issuer = &w.maker, .key = EVP_EC_gen("P-384"),
		.md = EVP_sha384()});

	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &id, NULL);
		assert_trust(&t, PEER_THIRD_PARTY, &id, &w.maker);
		talk_end(&t);
	}
	id_free(&id);
}

/* Nine intermediates are one more than the limit admits. */
static void chain_holds_up_to_the_limit_and_not_one_past(void **state)
{
	enum { N = TLS_CHAIN_MAX + 1 };
	struct id cas[N];

	for (int i = 0; i < N; i++) {
		const char cn[] = {'L', (char)('0' + i), '\0'};
		cas[i] = id_new(&(struct id_plan){.cn = cn, .ca = true, .issuer = i ? &cas[i - 1] : &w.maker});
	}
	for (int n = N - 1; n <= N; n++) {
		struct id leaf = id_new(&(struct id_plan){.cn = "deep", .issuer = &cas[n - 1]});
		SSL_CTX *ctx = client_ctx(TLS1_3_VERSION, &leaf, NULL);
		for (int i = n - 1; i >= 0; i--)
			SSL_CTX_add1_chain_cert(ctx, cas[i].cert);
		struct talk t = talk_to(w.tls, ctx, NULL);
		if ((t.server_ok == 1) != (n <= TLS_CHAIN_MAX))
			fail_msg("%d intermediates: %s", n, t.why.text);
		talk_end(&t);
		id_free(&leaf);
	}
	for (int i = 0; i < N; i++)
		id_free(&cas[i]);
}

static void exporter_is_equal_on_both_ends(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &w.own, NULL);
		uint8_t theirs[32];
		assert_int_equal(t.peer.exporter.n, 32);
		/* RFC 9266 2: label, empty context, 32 octets */
		assert_int_equal(SSL_export_keying_material(t.client, theirs, 32, "EXPORTER-Channel-Binding", 24,
					 (const unsigned char *)"", 0, 1),
			1);
		assert_memory_equal(t.peer.exporter.p, theirs, 32);
		talk_end(&t);
	}
}

static void exporter_needs_the_extended_master_secret(void **state)
{
	SSL_CTX *ctx = client_ctx(TLS1_2_VERSION, &w.own, NULL);

	/* RFC 9266 2: not defined in TLS 1.2 without RFC 7627 */
	SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	struct talk t = talk_to(w.tls, ctx, NULL);
	assert_int_equal(t.server_ok, 1);
	assert_int_equal(t.peer.exporter.n, 0);
	talk_end(&t);
}

static void unique_is_the_clients_finished_and_only_in_12(void **state)
{
	struct talk t = talk(TLS1_2_VERSION, &w.own, NULL);
	uint8_t theirs[64];

	/* RFC 5929 3.1 */
	size_t n = SSL_get_finished(t.client, theirs, sizeof(theirs));
	assert_int_equal(n, 12);
	assert_true(span_equal(t.peer.unique, span_of(theirs, n)));
	talk_end(&t);
	t = talk(TLS1_3_VERSION, &w.own, NULL);
	assert_int_equal(t.peer.unique.n, 0);
	talk_end(&t);
}

static void only_its_own_name_is_served(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk_to(w.tls, client_ctx(v, NULL, NULL), "other.example");
		assert_refused(&t, CODE_TLS_NAME, SSL_AD_UNRECOGNIZED_NAME, "have other.example");
		talk_end(&t);
		t = talk_to(w.tls, client_ctx(v, NULL, NULL), "MEF.Example");
		assert_int_equal(t.server_ok, 1);
		talk_end(&t);
		t = talk_to(w.tls, client_ctx(v, NULL, NULL), NULL);
		assert_int_equal(t.server_ok, 1);
		assert_string_equal(t.peer.sni, "");
		talk_end(&t);
	}
}

static struct talk talk_alpn(const char *protocols, unsigned int n)
{
	SSL_CTX *ctx = client_ctx(TLS1_3_VERSION, NULL, NULL);

	SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)protocols, n);
	return talk_to(w.tls, ctx, NULL);
}

static void assert_chosen(const char *protocols, unsigned int protocols_n, const char *want)
{
	struct talk t = talk_alpn(protocols, protocols_n);
	const unsigned char *chosen = NULL;
	unsigned int n = 0;

	assert_int_equal(t.server_ok, 1);
	SSL_get0_alpn_selected(t.client, &chosen, &n);
	assert_true(span_is(span_of(chosen, n), want));
	talk_end(&t);
}

static void http11_is_chosen_before_http10_and_others_alone_are_refused(void **state)
{
	assert_chosen("\x02h2\x08http/1.1", 12, "http/1.1");
	assert_chosen("\x08http/1.0\x08http/1.1", 18, "http/1.1");
	assert_chosen("\x08http/1.0", 9, "http/1.0");
	struct talk t = talk_alpn("\x02h2\x08http/0.9", 12); /* RFC 7301 3.2 */
	assert_refused(&t, CODE_TLS_HANDSHAKE, SSL_AD_NO_APPLICATION_PROTOCOL, "http/1.1");
	talk_end(&t);
}

static void mandatory_cipher_suite_works(void **state)
{
	SSL_CTX *ctx = client_ctx(TLS1_2_VERSION, &w.own, NULL);

	/* TS-0003 10.2.3: TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 */
	SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-SHA256");
	struct talk t = talk_to(w.tls, ctx, NULL);
	assert_trust(&t, PEER_OWN, &w.own, &w.issuing);
	talk_end(&t);
}

static void old_versions_and_suites_are_refused(void **state)
{
	struct talk t = talk(TLS1_1_VERSION, NULL, NULL);

	assert_refused(&t, CODE_TLS_HANDSHAKE, SSL_AD_PROTOCOL_VERSION, NULL);
	talk_end(&t);
	SSL_CTX *ctx = client_ctx(TLS1_2_VERSION, NULL, NULL);
	SSL_CTX_set_cipher_list(ctx, "AES128-SHA");
	t = talk_to(w.tls, ctx, NULL);
	assert_refused(&t, CODE_TLS_HANDSHAKE, SSL_AD_HANDSHAKE_FAILURE, "no shared cipher");
	talk_end(&t);
}

static void no_session_is_resumed(void **state)
{
	BOTH_VERSIONS (v) {
		struct talk t = talk(v, &w.own, NULL);
		SSL_SESSION *session = SSL_get1_session(t.client);
		SSL_CTX *ctx = client_ctx(v, &w.own, NULL);
		struct talk again = {.ctx = ctx, .client = SSL_new(ctx)};
		struct why why = {0};
		assert_int_equal(tls_accept(w.tls, &again.server, &why), OK);
		SSL_set_app_data(again.client, &again);
		SSL_set_session(again.client, session);
		shake(&again);
		assert_int_equal(again.server_ok, 1);
		assert_int_equal(SSL_session_reused(again.server), 0);
		assert_int_equal(SSL_SESSION_has_ticket(session), 0);
		SSL_SESSION_free(session);
		talk_end(&t);
		talk_end(&again);
	}
}

static void encrypted_key_needs_its_passphrase(void **state)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384), devices = BUF(16384);
	struct tls_config config = config_of(&cert, &key, &own, &devices);
	struct tls_server *s = NULL;
	struct why why = {0};

	buf_clear(&key);
	put_key(&w.server, "open sesame", &key);
	config.key_pem = buf_span(&key);
	assert_int_equal(tls_server_new(&config, &s, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_TLS_CONFIG);
	why_clear(&why);
	config.key_pass = span_text("wrong");
	assert_int_equal(tls_server_new(&config, &s, &why), ERR_SYNTAX);
	why_clear(&why);
	config.key_pass = span_text("open sesame");
	assert_int_equal(tls_server_new(&config, &s, &why), OK);
	struct talk t = talk_to(s, client_ctx(TLS1_3_VERSION, &w.own, NULL), NULL);
	assert_trust(&t, PEER_OWN, &w.own, &w.issuing);
	talk_end(&t);
	tls_server_free(s);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	buf_fini(&devices);
}

static void assert_config_fault(const struct tls_config *config, enum code code)
{
	struct tls_server *s = NULL;
	struct why why = {0};

	assert_int_equal(tls_server_new(config, &s, &why), ERR_SYNTAX);
	assert_int_equal(why.code, code);
	assert_null(s);
}

static void unusable_files_are_told(void **state)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384), devices = BUF(16384), other = BUF(16384);
	const struct tls_config good = config_of(&cert, &key, &own, &devices);
	struct tls_config config = good;

	put_key(&w.own, NULL, &other);
	config.key_pem = buf_span(&other);
	assert_config_fault(&config, CODE_TLS_CONFIG);
	config = good;
	config.fqdn = "else.example";
	assert_config_fault(&config, CODE_TLS_CONFIG);
	config = good;
	config.cert_pem = span_text("no PEM");
	assert_config_fault(&config, CODE_TLS_CONFIG);
	config = good;
	config.own_ca_pem = span_text("");
	assert_config_fault(&config, CODE_TLS_ANCHORS);
	config = good;
	config.device_anchors_pem = span_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_config_fault(&config, CODE_TLS_ANCHORS);
	config = good;
	config.device_anchors_pem = span_text("");
	struct tls_server *s = NULL;
	struct why why = {0};
	assert_int_equal(tls_server_new(&config, &s, &why), OK);
	struct talk t = talk_to(s, client_ctx(TLS1_3_VERSION, &w.device, &w.maker_sub), NULL);
	assert_refused(&t, CODE_TLS_PEER_UNKNOWN, SSL_AD_UNKNOWN_CA, NULL);
	talk_end(&t);
	tls_server_free(s);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	buf_fini(&devices);
	buf_fini(&other);
}

static void rsa_server_certificate_works(void **state)
{
	struct buf cert = BUF(16384), key = BUF(16384), own = BUF(16384), devices = BUF(16384);
	struct tls_config config = config_of(&cert, &key, &own, &devices);
	struct id id = id_new(&(struct id_plan){.cn = "rsa", .issuer = &w.issuing, .san = "DNS:mef.example",
		.key = EVP_RSA_gen(2048)});
	struct tls_server *s = NULL;
	struct why why = {0};

	buf_clear(&cert);
	buf_clear(&key);
	put_cert(&id, &cert);
	put_key(&id, NULL, &key);
	config.cert_pem = buf_span(&cert);
	config.key_pem = buf_span(&key);
	assert_int_equal(tls_server_new(&config, &s, &why), OK);
	BOTH_VERSIONS (v) {
		struct talk t = talk_to(s, client_ctx(v, &w.own, NULL), NULL);
		assert_trust(&t, PEER_OWN, &w.own, &w.issuing);
		talk_end(&t);
	}
	tls_server_free(s);
	id_free(&id);
	buf_fini(&cert);
	buf_fini(&key);
	buf_fini(&own);
	buf_fini(&devices);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_certificate_is_own_by_its_issuing_ca),
		cmocka_unit_test(device_with_intermediate_leads_to_its_makers_anchor),
		cmocka_unit_test(device_without_its_intermediate_is_unknown),
		cmocka_unit_test(known_chain_gets_the_same_verdict_and_no_other_does),
		cmocka_unit_test(client_without_certificate_is_anonymous),
		cmocka_unit_test(unknown_ca_is_refused_with_its_alert),
		cmocka_unit_test(what_the_root_issued_directly_is_not_own),
		cmocka_unit_test(same_name_with_another_key_is_refused),
		cmocka_unit_test(expired_certificate_is_refused_with_dates_and_clock),
		cmocka_unit_test(a_leaf_of_ours_gets_through_for_a_while_after_its_end),
		cmocka_unit_test(certificate_of_the_future_is_refused),
		cmocka_unit_test(server_certificates_are_none_for_clients),
		cmocka_unit_test(own_certificate_may_carry_other_uses),
		cmocka_unit_test(self_signed_end_entity_proves_a_key),
		cmocka_unit_test(self_signed_ca_or_expired_or_broken_proves_nothing),
		cmocka_unit_test(weak_keys_and_hashes_are_refused),
		cmocka_unit_test(rsa_device_is_served),
		cmocka_unit_test(p384_device_is_served),
		cmocka_unit_test(chain_holds_up_to_the_limit_and_not_one_past),
		cmocka_unit_test(exporter_is_equal_on_both_ends),
		cmocka_unit_test(exporter_needs_the_extended_master_secret),
		cmocka_unit_test(unique_is_the_clients_finished_and_only_in_12),
		cmocka_unit_test(only_its_own_name_is_served),
		cmocka_unit_test(http11_is_chosen_before_http10_and_others_alone_are_refused),
		cmocka_unit_test(mandatory_cipher_suite_works),
		cmocka_unit_test(old_versions_and_suites_are_refused),
		cmocka_unit_test(no_session_is_resumed),
		cmocka_unit_test(encrypted_key_needs_its_passphrase),
		cmocka_unit_test(unusable_files_are_told),
		cmocka_unit_test(rsa_server_certificate_works),
	};

	return cmocka_run_group_tests(tests, make_world, drop_world);
}
