#include "app/registrar/registrar.h"

#include "adapt/store/memory.h"
#include "adapt/store/sqlite.h"
#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "adapt/sys/random.h"
#include "net/log.h"
#include "pki/cert.h"
#include "pki/cms.h"
#include "pki/seal.h"

#include <stdio.h>

enum {
	PEM_MAX = 256 * 1024, CHAIN_BYTES_MAX = 256 * 1024, CHALLENGE_KEY_SIZE = 32, SEALED_MAX = 256,
	STRANGERS_PER_S = 20, FAULT_AGAIN_MS = 10 * 1000,
};

/* Name of the row, and what its seal is bound to. */
#define CHALLENGE_KEY_NAME "challenge-key"

static enum err open_store(struct registrar *r, const struct conf *conf, struct why *why)
{
	static const char sqlite[] = "sqlite:";

	struct store_sqlite_options options = STORE_SQLITE_OPTIONS;

	options.keep_log = true; /* the sandbox lets nobody remove a file */
	if (strncmp(conf->store, sqlite, strlen(sqlite)) == 0)
		return store_sqlite_open_with(conf->store + strlen(sqlite), STORE_SQLITE_EXISTING, &options, &r->store, why);
	/* conf_parse admits no third kind. */
	r->store = store_memory_new();
	return r->store ? OK : WHY(why, NOMEM, "", "store: want one in memory");
}

static enum err put_key(struct registrar *r, const struct secret *master, struct why *why)
{
	struct random_source random = random_system();
	OWNED_BUF struct buf sealed = BUF(SEALED_MAX);
	uint8_t iv[12];

	TRY(random_fill(&random, iv, sizeof(iv), why));
	TRY(seal_write(secret_span(master), iv, span_text(CHALLENGE_KEY_NAME), secret_span(&r->challenge_key),
		&sealed, why));
	return r->store->ops->secret_put(r->store->self, CHALLENGE_KEY_NAME, buf_span(&sealed), why);
}

static enum err make_key(struct registrar *r, const struct secret *master, struct why *why)
{
	struct random_source random = random_system();

	r->challenge_key.n = CHALLENGE_KEY_SIZE;
	TRY(random_fill(&random, r->challenge_key.bytes, r->challenge_key.n, why));
	return put_key(r, master, why);
}

static enum err unseal_key(struct registrar *r, const struct secret *master, struct span sealed, struct why *why)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf plain = BUF(SECRET_MAX);
	struct why cause = {0};

	if (seal_open(secret_span(master), span_text(CHALLENGE_KEY_NAME), sealed, &plain, &cause) != OK ||
		plain.n != CHALLENGE_KEY_SIZE || !secret_set(&r->challenge_key, buf_span(&plain)))
		return WHY(why, CHALLENGE_KEY, "", "challenge-key in the store: want it sealed under this master key: %s",
			cause.kind ? cause.text : "its length differs");
	return OK;
}

/* Every registrar of the store uses one key, so that any of them can check a challenge of another. */
static enum err find_or_make_key(struct registrar *r, const struct secret *master, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(4096);
	struct why missing = {0};
	struct span sealed;

	enum err err = r->store->ops->secret_get(r->store->self, CHALLENGE_KEY_NAME, &arena, &sealed, &missing);
	if (err == ERR_NOT_FOUND)
		return make_key(r, master, why);
	if (err != OK) {
		*why = missing;
		return err;
	}
	return unseal_key(r, master, sealed, why);
}

/* The write lock is taken first: of two that start at once, the second one finds a key. */
static enum err with_key(struct registrar *r, const struct secret *master,
	enum err (*fn)(struct registrar *r, const struct secret *master, struct why *why), struct why *why)
{
	TRY(r->store->ops->begin(r->store->self, why));
	enum err err = fn(r, master, why);
	if (err == OK)
		err = r->store->ops->commit(r->store->self, why);
	if (err != OK)
		r->store->ops->rollback(r->store->self);
	return err;
}

/*
 * Sealed anew, the key makes the first write of this process, so that a store that cannot be written is told
 * here. A disk that is full now is no reason not to start: once it was cleared, enrolments go on.
 */
static enum err open_challenge_key(
	struct registrar *r, const struct conf *conf, const struct secret *master, struct why *why)
{
	struct why unwritten = {0};
	enum err err = with_key(r, master, find_or_make_key, why);

	if (err != OK)
		return why->code == CODE_CHALLENGE_KEY ? why_within(err, conf->master_key, why) : err;
	if (with_key(r, master, put_key, &unwritten) != OK)
		log_why(LOG_WARN_, "store not writable", &unwritten);
	return OK;
}

/* A key of their own seals the symmetric keys: who takes over this process has no master key. */
static enum err open_vault(struct registrar *r, const struct secret *master, struct why *why)
{
	TRY(master_derive(master, VAULT_PURPOSE, &r->seal_key, why));
	r->vault = (struct vault){.store = r->store, .seal_key = &r->seal_key, .random = random_system()};
	TRY(srp_decoy_init(&r->srp_decoy, &r->vault, why));
	return psk_decoy_init(&r->decoy, &r->vault, why);
}

static enum err open_keys(struct registrar *r, const struct conf *conf, struct why *why)
{
	OWNED_SECRET struct secret master = {0};

	TRY(master_load(conf->master_key, &master, why));
	TRY(open_challenge_key(r, conf, &master, why));
	return open_vault(r, &master, why);
}

/* Where clients find this MEF, told to them in the exchange. */
static void open_address(struct registrar *r, const struct role_start *start)
{
	const struct conf *conf = start->conf;
	uint16_t port = start->https_port;

	if (conf->public_https[0])
		snprintf(r->public_https, sizeof(r->public_https), "%s", conf->public_https);
	else if (port == 0 || port == 443)
		snprintf(r->public_https, sizeof(r->public_https), "https://%s", conf->fqdn);
	else
		snprintf(r->public_https, sizeof(r->public_https), "https://%s:%u", conf->fqdn, port);
}

/* DER certificates laid one after the other, issuing CA first. */
struct chain {
	struct buf bytes;
	size_t at[CMS_CERTS_MAX], len[CMS_CERTS_MAX];
	size_t n;
	size_t other; /* where the other CA of a rollover stands; 0: there is none */
};

static enum err chain_add(void *arg, struct span der, struct why *why)
{
	struct chain *c = arg;

	if (c->n == CMS_CERTS_MAX)
		return WHY(why, BUF_LIMIT, "", "CA chain: want at most %d certificates", CMS_CERTS_MAX);
	c->at[c->n] = c->bytes.n;
	c->len[c->n] = der.n;
	c->n++;
	buf_put_span(&c->bytes, der);
	return buf_check(&c->bytes, "CA chain", why);
}

static enum err chain_file(struct chain *c, const char *path, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);

	TRY(file_read(path, &pem, why));
	return why_within(cert_each_pem(buf_span(&pem), chain_add, c, why), path, why);
}

static enum err keep_ca(struct registrar *r, size_t i, struct span der, struct why *why)
{
	buf_put_span(&r->ca_der[i], der);
	return buf_check(&r->ca_der[i], "CA certificate", why);
}

static enum err chain_write(struct registrar *r, const struct chain *c, struct why *why)
{
	struct span certs[CMS_CERTS_MAX] = {0};

	for (size_t i = 0; i < c->n; i++)
		certs[i] = span_of(c->bytes.p + c->at[i], c->len[i]);
	TRY(keep_ca(r, 0, certs[0], why));
	if (c->other)
		TRY(keep_ca(r, 1, certs[c->other], why));
	return cms_certs_write(certs, c->n, &r->chain_cms, why);
}

/* RFC 7030 4.1.3: in a rollover the other root, OldWithNew and NewWithOld too */
static enum err chain_rollover(struct chain *c, const struct conf *conf, struct why *why)
{
	size_t at = c->n;

	if (conf->ca_other_cert[0]) {
		TRY(chain_file(c, conf->ca_other_cert, why));
		c->n = at + 1;
		c->other = at;
	}
	return conf->ca_extra[0] ? chain_file(c, conf->ca_extra, why) : OK;
}

static enum err open_chain(struct registrar *r, const struct conf *conf, struct why *why)
{
	struct chain c = {.bytes = BUF(CHAIN_BYTES_MAX)};

	enum err err = chain_file(&c, conf->ca_cert, why);
	if (err == OK)
		c.n = 1; /* what follows the issuing CA in its own file comes again from the chain's */
	if (err == OK && conf->ca_chain[0])
		err = chain_file(&c, conf->ca_chain, why);
	if (err == OK)
		err = chain_rollover(&c, conf, why);
	if (err == OK)
		err = chain_write(r, &c, why);
	buf_fini(&c.bytes);
	return err;
}

/*
 * A fault of ours, whose text no client sees: the operator must. Once in FAULT_AGAIN_MS, as every request
 * may meet the same one, and a full disk is not helped by a line for each.
 */
static void on_fault(void *arg, const struct why *why)
{
	struct registrar *r = arg;
	int64_t now_ms = clock_mono_ms(&r->clock);
	char n[16];

	if (strcmp(r->fault.text, why->text) == 0 && now_ms - r->fault.at_ms < FAULT_AGAIN_MS) {
		r->fault.dropped++;
		return;
	}
	if (r->fault.dropped) {
		snprintf(n, sizeof(n), "%u", r->fault.dropped);
		log_event(LOG_WARN_, "faults like the last one", "lines", n, NULL);
	}
	memcpy(r->fault.text, why->text, sizeof(r->fault.text));
	r->fault.at_ms = now_ms;
	r->fault.dropped = 0;
	log_why(LOG_ERROR_, "fault", why);
}

/* Strangers must not be able to fill a disk with log lines either. */
static void on_stranger(void *arg, const char *address, const struct why *why)
{
	struct registrar *r = arg;
	int64_t second = clock_mono_ms(&r->clock) / 1000;
	char text[WHY_TEXT_MAX + 512], dropped[16];

	if (second != r->strangers_second) {
		snprintf(dropped, sizeof(dropped), "%u", r->strangers > STRANGERS_PER_S ? r->strangers - STRANGERS_PER_S : 0);
		if (r->strangers > STRANGERS_PER_S)
			log_event(LOG_WARN_, "lines about strangers dropped", "lines", dropped, NULL);
		r->strangers_second = second;
		r->strangers = 0;
	}
	if (r->strangers++ >= STRANGERS_PER_S)
		return;
	why_print(why, text, sizeof(text));
	log_event(LOG_WARN_, "stranger refused", "client", address, "reason", text, NULL);
}

static struct bind_env env_of(struct registrar *r, const struct conf *conf)
{
	return (struct bind_env){
		.realm = conf->role == CONF_ROLE_MAF ? BIND_MAF : BIND_MEF,
		.enrol = {.store = r->store,
			.batch = r->batch,
			.issuer = r->issuer ? &r->router.port : NULL,
			.clock = &r->clock},
		.exchange = {.store = r->store,
			.batch = r->batch,
			.clock = &r->clock,
			.vault = &r->vault,
			.fqdn = conf->fqdn,
			.public_https = r->public_https,
			.token_required = conf->token_required},
		.random = random_system(),
		.labels = &conf->labels,
		.challenge_key = &r->challenge_key,
		.ca_chain_cms = buf_span(&r->chain_cms),
		.cas = {{conf->ca_name, buf_span(&r->ca_der[0])}, {conf->ca_other_name, buf_span(&r->ca_der[1])}},
		.cas_n = conf->ca_other_cert[0] ? 2 : 1,
		.fault = on_fault,
		.stranger = on_stranger,
		.revoked = crl_due_now,
		.told_arg = r,
	};
}

enum err registrar_open(struct registrar *r, const struct role_start *start, struct why *why)
{
	const struct conf *conf = start->conf;

	r->clock = clock_system();
	r->chain_cms = BUF(CHAIN_BYTES_MAX);
	for (size_t i = 0; i < BIND_CAS_MAX; i++)
		r->ca_der[i] = BUF(CERT_DER_MAX);
	TRY(open_store(r, conf, why));
	TRY(open_keys(r, conf, why));
	open_address(r, start);
	r->batch = batch_new(r->store);
	if (!r->batch)
		return WHY(why, NOMEM, "", "batch: want one");
	if (conf->role == CONF_ROLE_MEF) { /* a MAF issues nothing */
		TRY(open_chain(r, conf, why));
		TRY(issuer_remote_new(r->loop, &r->clock, &r->issuer, why));
		TRY(sides_open(r, conf, why));
		issuer_router_init(&r->router, issuer_remote_port(r->issuer), r->away);
	}
	r->env = env_of(r, conf);
	sides_show(r, &r->env);
	return OK;
}

void registrar_close(struct registrar *r)
{
	away_free(r->away);
	issuer_remote_free(r->issuer);
	sides_close(r);
	batch_free(r->batch);
	if (r->store)
		r->store->ops->free(r->store->self);
	secret_wipe(&r->challenge_key);
	secret_wipe(&r->seal_key);
	psk_decoy_wipe(&r->decoy);
	srp_decoy_wipe(&r->srp_decoy);
	buf_fini(&r->chain_cms);
	for (size_t i = 0; i < BIND_CAS_MAX; i++)
		buf_fini(&r->ca_der[i]);
}
