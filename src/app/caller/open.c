#include "app/caller/caller.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/mem.h"
#include "net/log.h"
#include "pki/key.h"
#include "wire/doc.h"

#include <stdlib.h>

enum { PEM_MAX = 1024 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

/* One socket of libcurl. */
struct watched {
	struct caller *caller;
	struct loop_watch *watch;
	int fd;
};

static void on_ready(void *arg, int ready)
{
	const struct watched *w = arg;

	fetch_many_ready(w->caller->many, w->fd,
		(ready & LOOP_READ ? FETCH_MANY_READ : 0) | (ready & LOOP_WRITE ? FETCH_MANY_WRITE : 0));
}

static void unwatch(struct watched *w)
{
	if (w)
		loop_watch_free(w->watch);
	mem_free(w);
}

static void *watch(void *arg, void *had, int fd, int interest)
{
	struct caller *c = arg;
	struct watched *w = had;
	struct why why = {0};
	int loop_interest = (interest & FETCH_MANY_READ ? LOOP_READ : 0) | (interest & FETCH_MANY_WRITE ? LOOP_WRITE : 0);

	if (!interest) {
		unwatch(w);
		return NULL;
	}
	if (w) {
		loop_watch_set(w->watch, loop_interest);
		return w;
	}
	w = mem_alloc(sizeof(*w));
	if (!w)
		return NULL; /* the transfer runs into its deadline */
	w->caller = c;
	w->fd = fd;
	if (loop_watch_new(c->loop, fd, loop_interest, on_ready, w, &w->watch, &why) != OK) {
		log_why(LOG_ERROR_, "socket not watched", &why);
		mem_free(w);
		return NULL;
	}
	return w;
}

static void timer(void *arg, int64_t after_ms)
{
	struct caller *c = arg;

	if (after_ms < 0)
		loop_timer_stop(c->many_timer);
	else
		loop_timer_set(c->many_timer, after_ms);
}

static void on_time(void *arg)
{
	fetch_many_time(((struct caller *)arg)->many);
}

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
		TRY(fetch_many_add(c->many, conf->mefs.items[i].value, conf_pair_find(&conf->connects, conf->mefs.items[i].name), why));
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
	TRY(loop_timer_new(c->loop, on_time, c, &c->many_timer, why));
	TRY(file_read(conf->tls_cert, &cert, why));
	TRY(file_read(conf->mef_anchors, &anchors, why));
	TRY(open_key(conf, &key, why));
	const struct fetch_many_config config = {
		.anchors_pem = buf_span(&anchors),
		.cert_pem = buf_span(&cert),
		.key_pem = buf_span(&key),
		.origin = conf->fqdn,
		.accept = doc_media_type(DOC_JSON),
		.clock = c->clock,
		.watch = watch,
		.timer = timer,
		.arg = c,
	};
	TRY(why_within(fetch_many_new(&config, &c->many, why), conf->mef_anchors, why));
	return add_servers(c, conf, why);
}

void caller_close(struct caller *c)
{
	fetch_many_free(c->many);
	loop_timer_free(c->many_timer);
}
