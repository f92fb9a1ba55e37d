#include "app/front/front.h"

#include "adapt/sys/file.h"
#include "adapt/sys/master.h"

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

enum err front_open_tls(const struct conf *conf, struct tls_server **out, struct why *why)
{
	OWNED_BUF struct buf cert = BUF(PEM_MAX);
	OWNED_SECRET_BUF struct buf key = BUF(PEM_MAX);
	OWNED_BUF struct buf own = BUF(PEM_MAX);
	OWNED_BUF struct buf anchors = BUF(PEM_MAX);
	OWNED_SECRET struct secret pass = {0};

	TRY(key_pass(conf, &pass, why));
	TRY(file_read(conf->tls_cert, &cert, why));
	TRY(file_read_secret(conf->tls_key, &key, why));
	TRY(file_read(conf->ca_cert, &own, why));
	TRY(read_optional(conf->ca_chain, &own, why));
	TRY(read_optional(conf->device_anchors, &anchors, why));
	struct tls_config config = {
		.cert_pem = buf_span(&cert),
		.key_pem = buf_span(&key),
		.key_pass = secret_span(&pass),
		.own_ca_pem = buf_span(&own),
		.device_anchors_pem = buf_span(&anchors),
		.fqdn = conf->fqdn,
	};
	return tls_server_new(&config, out, why);
}
