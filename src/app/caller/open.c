#include "app/caller/caller.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "pki/key.h"
#include "wire/doc.h"

#include <stdlib.h>

enum { PEM_MAX = 1024 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

/* Decrypted once, not for every connection. */
static enum err open_key(const struct conf *conf, struct buf *out, struct why *why)
{
	OWNED_SECRET_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_SECRET struct secret master = {0};
	OWNED_SECRET struct secret pass = {0};
	OWNED_KEY struct key *key = NULL;

	TRY(master_load(conf->master_key, &master, why));
	TRY(key_file_passphrase(&master, "mef-tls", &pass, why));
	TRY(file_read_secret(conf->tls_key, &pem, why));
	TRY(why_within(key_parse_pem(buf_span(&pem), secret_span(&pass), &key, why), conf->tls_key, why));
	return key_write_pem(key, (struct span){0}, out, why);
}

static enum err add_servers(struct caller *c, const struct conf *conf, struct why *why)
{
	/* A name server that is away must not hold up the start of all roles. The operator's own choice wins. */
	setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	for (size_t i = 0; i < conf->mefs.n; i++)
		TRY(fetch_many_add(c->drive.many, conf->mefs.items[i].value, conf_pair_find(&conf->connects, conf->mefs.items[i].name), why));
	c->resolved_ms = clock_mono_ms(&c->clock);
	return OK;
}

enum err caller_open(struct caller *c, const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf cert = BUF(PEM_MAX);
	OWNED_BUF struct buf anchors = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key = BUF(KEY_PEM_MAX);

	c->conf = conf;
	c->clock = clock_system();
	TRY(file_read(conf->tls_cert, &cert, why));
	TRY(file_read(conf->mef_anchors, &anchors, why));
	TRY(open_key(conf, &key, why));
	struct fetch_many_config config = {
		.anchors_pem = buf_span(&anchors),
		.cert_pem = buf_span(&cert),
		.key_pem = buf_span(&key),
		.origin = conf->fqdn,
		.accept = doc_media_type(DOC_JSON),
		.clock = c->clock,
	};
	TRY(why_within(drive_open(&c->drive, c->loop, &config, why), conf->mef_anchors, why));
	return add_servers(c, conf, why);
}

void caller_close(struct caller *c)
{
	drive_close(&c->drive);
}
