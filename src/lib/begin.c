#include "lib/inner.h"

#include "adapt/sys/generation.h"
#include "adapt/sys/random.h"
#include "adapt/sys/random_seed.h"
#include "base/mem.h"
#include "base/text.h"

enum { PSK_MIN = 16, PSK_MAX = 64 }; /* docs/decisions/0013 */

void lib_run_end(struct enrolee *e)
{
	struct lib_run *run = &e->run;

	agent_free(run->est);
	agent_x_free(run->exchange);
	fetch_free(run->fetch);
	key_free(run->key);
	key_free(run->held);
	buf_fini_wipe(&run->key_pem);
	buf_fini_wipe(&run->own_key);
	buf_fini_wipe(&run->json);
	buf_fini(&run->anchors);
	buf_fini(&run->cert);
	buf_fini(&run->mef);
	buf_fini(&run->cert_pem);
	buf_fini(&run->bootstrap_url);
	buf_fini(&run->origin);
	buf_fini(&run->kept);
	buf_fini(&run->leaf);
	generation_unlock(&run->lock);
	mem_wipe(run, sizeof(*run));
	lib_response_clear(&e->response);
	*run = (struct lib_run){.lock = -1, .key_pem = BUF(KEY_PEM_MAX), .own_key = BUF(LIB_PEM_MAX), .json = BUF(DOC_BYTES_MAX + 1),
		.anchors = BUF(LIB_PEM_MAX), .cert = BUF(2 * LIB_PEM_MAX), .mef = BUF(LIB_TEXT_MAX), .cert_pem = BUF(LIB_PEM_MAX), .origin = BUF(2 * LIB_TEXT_MAX), .kept = BUF(CSR_DER_MAX), .leaf = BUF(CERT_DER_MAX),
		.bootstrap_url = BUF(2 * LIB_TEXT_MAX)};
}

static enum err stir(struct enrolee *e, struct why *why)
{
	uint8_t octets[LIB_RANDOM_SIZE];

	if (!e->random)
		return OK;
	if (e->random(e->random_arg, octets, sizeof(octets)) != 0)
		return lib_caller_failed("source of randomness", NULL, why);
	random_seed(span_of(octets, sizeof(octets)));
	mem_wipe(octets, sizeof(octets));
	return OK;
}

static enum err copy(struct buf *out, const struct buf *in, const char *what, struct why *why)
{
	buf_put_span(out, buf_span(in));
	return buf_check(out, what, why);
}

static enum err want(const struct enrolee *e, enum enrolee_blob what, const char *name, struct why *why)
{
	return e->blobs[what].n ? OK : WHY(why, AGENT_OPTION, "", "%s: want it, have none", name);
}

static enum err take_given(struct enrolee *e, struct why *why)
{
	struct lib_run *run = &e->run;

	TRY(lib_take_anchors(e, why));
	TRY(want(e, ENROLEE_CERTIFICATE, "ENROLEE_CERTIFICATE", why));
	if (!e->transport.exchange)
		TRY(want(e, ENROLEE_KEY, "ENROLEE_KEY (or a transport that holds the key)", why));
	TRY(copy(&run->cert, &e->blobs[ENROLEE_CERTIFICATE], "certificate", why));
	return copy(&run->own_key, &e->blobs[ENROLEE_KEY], "key", why);
}

static enum err take_psk(struct enrolee *e, struct why *why)
{
	const struct buf *key = &e->blobs[ENROLEE_PSK];
	const char *identity = lib_text(e, ENROLEE_PSK_IDENTITY);

	if (!identity || key->n < PSK_MIN || key->n > PSK_MAX)
		return WHY(why, AGENT_OPTION, "", "ENROLEE_PSK: want %d to %d octets and ENROLEE_PSK_IDENTITY, have %zu octets and %s",
			PSK_MIN, PSK_MAX, key->n, identity ? identity : "none");
	(void)text_copy(e->run.psk_identity, sizeof(e->run.psk_identity), span_text(identity));
	(void)secret_set(&e->run.psk, buf_span(key));
	e->run.by_psk = true;
	return copy(&e->run.anchors, &e->blobs[ENROLEE_ANCHORS], "anchors", why);
}

/* RFC 7030 3.3.3: the password authenticates both sides; the first anchors come by that session */
static enum err take_srp(struct enrolee *e, struct why *why)
{
	const struct buf *password = &e->blobs[ENROLEE_SRP_PASSWORD];
	const char *user = lib_text(e, ENROLEE_SRP_USER);
	struct lib_run *run = &e->run;

	if (e->blobs[ENROLEE_PSK].n || e->blobs[ENROLEE_CERTIFICATE].n || run->goal != ENROLEE_ENROL || e->numbers[ENROLEE_SERVER_KEY] > 1)
		return WHY(why, AGENT_OPTION, "RFC 7030 3.3.3", "ENROLEE_SRP_USER: want ENROLEE_ENROL, without ENROLEE_PSK, ENROLEE_CERTIFICATE and ENROLEE_SERVER_KEY 2");
	if (!text_copy(run->srp_user, sizeof(run->srp_user), span_text(user)))
		return WHY(why, AGENT_OPTION, "RFC 5054 2.8.1", "ENROLEE_SRP_USER: want at most %d octets", FETCH_SRP_USER_MAX);
	if (password->n == 0 || !text_copy(run->srp_password, sizeof(run->srp_password), buf_span(password)))
		return WHY(why, AGENT_OPTION, "RFC 5054 2.3", "ENROLEE_SRP_PASSWORD: want 1 to %d octets without NUL, have %zu",
			FETCH_SRP_PASSWORD_MAX, password->n);
	run->by_psk = run->by_srp = true;
	buf_put_text(&run->origin, "anchors.pem: explicit trust anchors (RFC 7030 3.6.1); they alone authenticate the MEF.\n"
		"First of them: cacerts; a password authenticated the server (RFC 7030 3.3.3).\n");
	return copy(&run->anchors, &e->blobs[ENROLEE_ANCHORS], "anchors", why);
}

/* A store without it leaves it empty; out must not be NULL. */
static enum err read_if_any(struct enrolee *e, enum enrolee_item item, struct buf *out, struct why *why)
{
	struct why none = {0};
	enum err err = lib_read(e, item, out, &none);

	if (err == OK || err == ERR_NOT_FOUND)
		return OK;
	*why = none;
	return err;
}

/* seed 003 8.3.3.2: KreId and Kre authenticate when re-enrolling to obtain fresh credentials */
static enum err take_kre(struct enrolee *e, struct why *why)
{
	OWNED_AGENT_KEYS struct agent_keys held = {0};

	agent_keys_init(&held);
	TRY(lib_keys(e, &held, why));
	(void)text_copy(e->run.psk_identity, sizeof(e->run.psk_identity), span_text(held.kreid));
	e->run.psk = held.kre;
	e->run.by_psk = true;
	TRY(read_if_any(e, ENROLEE_ITEM_MEF, &e->run.mef, why));
	return read_if_any(e, ENROLEE_ITEM_ANCHORS, &e->run.anchors, why);
}

static enum err take_held(struct enrolee *e, struct why *why)
{
	struct lib_run *run = &e->run;

	TRY(lib_read(e, ENROLEE_ITEM_ANCHORS, &run->anchors, why));
	TRY(lib_read(e, ENROLEE_ITEM_CERTIFICATE, &run->cert, why));
	TRY(read_if_any(e, ENROLEE_ITEM_CHAIN, &run->cert, why));
	TRY(read_if_any(e, ENROLEE_ITEM_KEY, &run->own_key, why));
	TRY(read_if_any(e, ENROLEE_ITEM_MEF, &run->mef, why));
	if (!e->transport.exchange && run->own_key.n == 0)
		return WHY(why, AGENT_OPTION, "", "transport: want one that holds the key in force, have the built-in one");
	return OK;
}

static enum err take_credentials(struct enrolee *e, struct why *why)
{
	bool psk = e->blobs[ENROLEE_PSK].n != 0;

	if (lib_text(e, ENROLEE_SRP_USER) && e->run.goal != ENROLEE_RENEW)
		return take_srp(e, why);
	switch (e->run.goal) {
	case ENROLEE_RENEW:
		return take_held(e, why);
	case ENROLEE_EXCHANGE:
		if (e->numbers[ENROLEE_AGAIN])
			return take_kre(e, why);
		return psk ? take_psk(e, why) : take_given(e, why);
	case ENROLEE_ENROL:
		return psk ? take_psk(e, why) : take_given(e, why);
	}
	return WHY(why, AGENT_OPTION, "", "goal: want 1 to 3, have %d", (int)e->run.goal);
}

/* A passphrase is never asked for: the transport must not meet a key that needs one. */
static enum err check_pair(const struct enrolee *e, struct span leaf, struct why *why)
{
	OWNED_KEY struct key *key = NULL;
	struct cert cert = {0};

	if (e->run.own_key.n == 0)
		return OK;
	TRY(key_parse_pem(buf_span(&e->run.own_key), (struct span){NULL, 0}, &key, why));
	TRY(cert_parse(leaf, &cert, why));
	return key_matches_spki(key, cert.spki) ? OK : WHY(why, AGENT_KEY, "", "want the key of the certificate, have another");
}

static enum key_spec wish(struct enrolee *e, struct span leaf)
{
	const char *name = lib_text(e, ENROLEE_KEY_KIND);
	struct cert cert = {0};
	struct why ignored = {0};

	if (name)
		return key_spec_parse(span_text(name));
	if (e->run.goal != ENROLEE_RENEW || cert_parse(leaf, &cert, &ignored) != OK)
		return KEY_NONE;
	enum key_spec held = key_spec_of_spki(cert.spki);
	return held == KEY_OTHER ? KEY_NONE : held;
}

static enum err check_kind(struct enrolee *e, struct why *why)
{
	const char *name = lib_text(e, ENROLEE_KEY_KIND);

	if (name && key_spec_parse(span_text(name)) == KEY_NONE)
		return WHY(why, AGENT_OPTION, "", "ENROLEE_KEY_KIND: want P-256, P-384, RSA-2048, RSA-3072 or RSA-4096, have '%.40s'", name);
	return OK;
}

/* RFC 7030 4.4.1: for which key of the device the MEF encrypts the one that it makes */
static enum err take_decrypt(struct enrolee *e, struct span leaf, struct agent_config *config, struct why *why)
{
	struct lib_run *run = &e->run;

	if (run->by_psk) {
		config->decrypt_id = run->psk_identity;
		config->decrypt_secret = &run->psk;
		return OK;
	}
	if (run->own_key.n == 0)
		return WHY(why, AGENT_OPTION, "RFC 7030 4.4.1.2", "ENROLEE_SERVER_KEY 2: want ENROLEE_KEY, which decrypts, have none");
	key_free(run->held);
	run->held = NULL;
	TRY(key_parse_pem(buf_span(&run->own_key), (struct span){NULL, 0}, &run->held, why));
	config->decrypt_key = run->held;
	config->decrypt_cert = leaf;
	return OK;
}

/* RFC 7030 4.3: the certificate that authenticates signs the message as well */
static enum err take_signer(struct enrolee *e, struct agent_config *config, struct why *why)
{
	const struct random_source random = random_system();
	struct lib_run *run = &e->run;

	if (run->goal == ENROLEE_EXCHANGE || run->own_key.n == 0 || config->server_key)
		return WHY(why, AGENT_OPTION, "RFC 7030 4.3", "ENROLEE_CMC: want a certificate with its key, which signs, and no ENROLEE_SERVER_KEY");
	key_free(run->held);
	run->held = NULL;
	TRY(key_parse_pem(buf_span(&run->own_key), (struct span){NULL, 0}, &run->held, why));
	TRY(random_fill(&random, config->cmc_random, sizeof(config->cmc_random), why));
	config->cmc_key = run->held;
	return OK;
}

enum err lib_est_begin(struct enrolee *e, const char *uri, struct why *why)
{
	struct buf *leaf = &e->run.leaf;

	buf_clear(leaf);
	if (!e->run.by_psk) {
		TRY(cert_first_pem(buf_span(&e->run.cert), leaf, why));
		TRY(check_pair(e, buf_span(leaf), why));
	}
	struct agent_config config = {
		.goal = e->run.goal == ENROLEE_RENEW ? AGENT_RENEW : AGENT_ENROL,
		.base_uri = uri,
		.anchors_pem = buf_span(&e->run.anchors),
		.client_cert = buf_span(leaf),
		.by_psk = e->run.by_psk,
		.key_wish = wish(e, buf_span(leaf)),
		.reuse_key = e->numbers[ENROLEE_REUSE_KEY] != 0,
		.link_session = e->numbers[ENROLEE_LINK_SESSION] != 0,
		.subject = lib_text(e, ENROLEE_SUBJECT),
		.server_key = e->numbers[ENROLEE_SERVER_KEY] != 0,
		.clock = e->clock,
	};
	if (e->numbers[ENROLEE_SERVER_KEY] > 1)
		TRY(take_decrypt(e, buf_span(leaf), &config, why));
	if (e->numbers[ENROLEE_CMC])
		TRY(take_signer(e, &config, why));
	lib_pending_init(e, uri, buf_span(leaf));
	return agent_new(&config, &e->run.est, why);
}

static enum err exchange_begin(struct enrolee *e, const char *uri, struct why *why)
{
	OWNED_BUF struct buf held = BUF(LIB_PEM_MAX);

	TRY(read_if_any(e, ENROLEE_ITEM_CERTIFICATE, &held, why));
	const struct agent_x_config config = {
		.mef_uri = uri,
		.certificate = !e->numbers[ENROLEE_NO_CERTIFICATE],
		.maf = !e->numbers[ENROLEE_NO_MAF],
		.has_certificate = !e->run.by_psk || held.n != 0,
		.token = lib_text(e, ENROLEE_TOKEN),
		.expiry_s = e->numbers[ENROLEE_EXPIRY_S],
		.form = DOC_JSON,
		.clock = e->clock,
	};
	return agent_x_new(&config, &e->run.exchange, why);
}

static enum err choose_mef(struct enrolee *e, struct why *why)
{
	const char *given = lib_text(e, ENROLEE_MEF);

	if (given) {
		buf_clear(&e->run.mef);
		buf_put_text(&e->run.mef, given);
	}
	if (e->run.mef.n == 0)
		return WHY(why, AGENT_OPTION, "", "ENROLEE_MEF: want the address of a MEF, have none");
	return buf_check(&e->run.mef, "address of the MEF", why);
}

enum err lib_machine_begin(struct enrolee *e, struct why *why)
{
	const char *uri = buf_text(&e->run.mef);

	return e->run.goal == ENROLEE_EXCHANGE ? exchange_begin(e, uri, why) : lib_est_begin(e, uri, why);
}

enum err lib_run_begin(struct enrolee *e, enum enrolee_goal goal, struct why *why)
{
	lib_run_end(e);
	e->run.goal = goal;
	TRY(stir(e, why));
	TRY(check_kind(e, why));
	TRY(lib_lock(e, goal != ENROLEE_RENEW && !e->numbers[ENROLEE_AGAIN], why));
	TRY(take_credentials(e, why));
	TRY(choose_mef(e, why));
	if (e->run.bootstrap != BOOTSTRAP_NONE)
		TRY(lib_bootstrap_url(e, why));
	else
		TRY(lib_machine_begin(e, why));
	e->run.under_way = true;
	return OK;
}
