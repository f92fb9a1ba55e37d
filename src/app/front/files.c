#include "app/front/front.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "adapt/sys/master.h"
#include "base/date.h"
#include "net/log.h"
#include "pki/cert.h"

enum { PEM_MAX = 1024 * 1024 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static enum err key_pass(const struct conf *conf, struct secret *out, struct why *why)
{
	OWNED_SECRET struct secret master = {0};

	TRY(master_load(conf->master_key, &master, why));
	return key_file_passphrase(&master, "mef-tls", out, why);
}

static enum err read_optional(const char *path, struct buf *out, struct why *why)
{
	return path[0] ? file_read(path, out, why) : OK;
}

/* The largest of all labels: which label a connection is for is known only once its request has come. */
static int64_t expired_window(const struct conf *conf)
{
	int64_t max_s = 0;

	for (size_t i = 0; i < conf->labels.n; i++)
		max_s = conf->labels.items[i].expired_s > max_s ? conf->labels.items[i].expired_s : max_s;
	return max_s;
}

/*
 * RFC 7030 3.3.2: one handshake serves all labels, and which label follows it nobody knows yet. The union is taken here;
 * under which label an anchor counts is looked at with each request (bind/client.c).
 */
static enum err read_all(const struct conf *conf, struct buf *own, struct buf *anchors, struct why *why)
{
	TRY(file_read(conf->ca_cert, own, why));
	TRY(read_optional(conf->ca_chain, own, why));
	TRY(read_optional(conf->ca_other_cert, own, why));
	for (size_t i = 0; i < conf->issuers.n; i++) {
		buf_put_text(own, "\n");
		TRY(file_read(conf->issuers.items[i].chain, own, why));
	}
	TRY(read_optional(conf->device_anchors, anchors, why));
	for (size_t i = 0; i < conf->labels.n; i++) {
		const char *path = conf->labels.items[i].anchors;
		if (path[0] && anchors->n)
			buf_put_text(anchors, "\n");
		TRY(read_optional(path, anchors, why));
	}
	return OK;
}

enum err front_open_tls(const struct conf *conf, struct tls_server **out, struct why *why)
{
	OWNED_BUF struct buf cert = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key = BUF(PEM_MAX);
	OWNED_BUF struct buf own = BUF(PEM_MAX);
	OWNED_BUF struct buf anchors = BUF(PEM_MAX);
	OWNED_SECRET struct secret pass = {0};

	TRY(key_pass(conf, &pass, why));
	TRY(file_read(conf->tls_cert, &cert, why));
	TRY(read_optional(conf->ca_bridge, &cert, why));
	TRY(file_read_secret(conf->tls_key, &key, why));
	TRY(read_all(conf, &own, &anchors, why));
	struct tls_config config = {
		.cert_pem = buf_span(&cert),
		.key_pem = buf_span(&key),
		.key_pass = secret_span(&pass),
		.own_ca_pem = buf_span(&own),
		.device_anchors_pem = buf_span(&anchors),
		.fqdn = conf->fqdn,
		.psk = conf->psk,
		.srp = conf->srp,
		.own_expired_s = expired_window(conf),
		.ems_optional = !conf->ems_required,
		.cert_path = conf->tls_cert,
		.key_path = conf->tls_key,
		.own_ca_path = conf->ca_cert,
		.device_anchors_path = conf->device_anchors,
	};
	return tls_server_new(&config, out, why);
}

static enum err check_dates(const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_BUF struct buf der = BUF(CERT_DER_MAX);
	const struct clock clock = clock_system();
	struct cert cert = {0};
	char from[DATE_TEXT_SIZE], until[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	TRY(file_read(conf->tls_cert, &pem, why));
	TRY(cert_first_pem(buf_span(&pem), &der, why));
	TRY(cert_parse(buf_span(&der), &cert, why));
	int64_t now_s = clock_unix_s(&clock);
	if (now_s >= cert.not_before_s && now_s <= cert.not_after_s)
		return OK;
	date_text(cert.not_before_s, from);
	date_text(cert.not_after_s, until);
	date_text(now_s, now);
	return WHY(why, TLS_OWN_DATES, "RFC 5280 4.1.2.5", "%s: good from %s until %s, this machine's clock says %s",
		conf->tls_cert, from, until, now);
}

void front_tell_dates(const struct conf *conf)
{
	struct why why = {0};

	if (check_dates(conf, &why) != OK)
		log_why(LOG_ERROR_, "devices will not connect", &why);
}
