#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "base/date.h"
#include "base/hex.h"

#include <stdio.h>

enum { PEM_MAX = 256 * 1024, CRL_ARENA_MAX = 16 * 1024 * 1024 };

struct showing {
	const struct cli *cli;
	struct json *list;
};

static enum err show_one(void *arg, struct span der, struct why *why)
{
	struct showing *s = arg;
	OWNED_BUF struct buf text = BUF(64 * 1024);
	struct cert cert = {0};
	uint8_t digest[32];
	char hex[65];

	TRY(cert_parse(der, &cert, why));
	cert_sha256(&cert, digest);
	hex_text(digest, sizeof(digest), hex);
	if (s->cli->json) {
		OWNED_BUF struct buf pem = BUF(PEM_MAX);
		struct json *j = json_object_new();
		TRY(cert_write_pem(der, &pem, why));
		json_put_text(j, "sha256", hex);
		json_put_date(j, "not_before", cert.not_before_s);
		json_put_date(j, "not_after", cert.not_after_s);
		json_put_text(j, "pem", buf_text(&pem));
		json_add(s->list, j);
		return OK;
	}
	if (!cli_flag(s->cli, "pem"))
		TRY(cert_describe(der, &text, why));
	if (cli_flag(s->cli, "pem"))
		TRY(cert_write_pem(der, &text, why));
	fputs(buf_text(&text), stdout);
	return OK;
}

static enum err run_show(struct cli *cli, struct why *why)
{
	OWNED_BUF struct buf pem = BUF(PEM_MAX);
	OWNED_JSON struct json *list = json_list_new();
	struct conf conf;
	struct showing s = {cli, list};

	TRY(cli_conf(cli, &conf, why));
	TRY(file_read(conf.ca_cert, &pem, why));
	if (conf.ca_chain[0])
		TRY(file_read(conf.ca_chain, &pem, why));
	if (conf.ca_other_cert[0])
		TRY(file_read(conf.ca_other_cert, &pem, why));
	if (conf.ca_extra[0])
		TRY(file_read(conf.ca_extra, &pem, why));
	TRY(cert_each_pem(buf_span(&pem), show_one, &s, why));
	if (cli->json)
		cli_print_json(list);
	return OK;
}

static const struct cli_option show_options[] = {
	{"pem", NULL, "Print PEM: issuing CA first, then up to the root; in a rollover the other CA and what else cacerts gives to clients."},
	{NULL, NULL, NULL},
};

const struct command command_ca_show = {
	"ca show", "", 0, 0, "Show the issuing CA and its chain.", NULL, show_options, run_show};

static enum err write_crl(const struct cli *cli, const struct crl_row *row, struct why *why)
{
	const char *out = cli_value(cli, "out");
	char this_update[DATE_TEXT_SIZE];
	char next_update[DATE_TEXT_SIZE];
	OWNED_JSON struct json *j = json_object_new();

	date_text(row->this_update_s, this_update);
	date_text(row->next_update_s, next_update);
	if (out)
		TRY(cli_put_file(out, row->der, 0644, why));
	json_put_int(j, "number", (int64_t)row->number);
	json_put_date(j, "this_update", row->this_update_s);
	json_put_date(j, "next_update", row->next_update_s);
	json_put_int(j, "bytes", (int64_t)row->der.n);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "CRL number %llu, %zu bytes\n  this update %s\n  next update %s\n",
		(unsigned long long)row->number, row->der.n, this_update, next_update);
	if (out)
		cli_say(cli, "  written to  %s (DER)\n", out);
	return OK;
}

static enum err run_crl(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(CRL_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct crl_row row = {0};

	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(store->ops->crl_get(store->self, cli_value(cli, "ca") ? cli_value(cli, "ca") : conf.ca_name, &arena, &row, why));
	return write_crl(cli, &row, why);
}

static const struct cli_option crl_options[] = {
	{"ca", "NAME", "Of that CA (in a rollover: other_name); default: the one that issues."},
	{"out", "FILE", "Write the CRL there (DER)."},
	{NULL, NULL, NULL},
};

const struct command command_ca_crl = {
	"ca crl", "", 0, 0, "Show or export the newest CRL.", NULL, crl_options, run_crl};
