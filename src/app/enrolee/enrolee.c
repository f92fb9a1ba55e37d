#include "app/enrolee/enrolee.h"

#include "adapt/sys/file.h"
#include "adapt/sys/generation.h"

enum err enrolee_want(const struct cli *cli, const char *name, const char **out, struct why *why)
{
	*out = cli_value(cli, name);
	if (!*out)
		return WHY(why, CLI_USAGE, "", "enrolee %s: want --%s (see: enrolee %s --help)", cli->command->path, name,
			cli->command->path);
	return OK;
}

const char *enrolee_dir(const struct cli *cli)
{
	return cli_value(cli, "out") ? cli_value(cli, "out") : cli->dir ? cli->dir : "enrolee";
}

enum err enrolee_key_option(const struct cli *cli, enum key_spec *out, struct why *why)
{
	const char *name = cli_value(cli, "key-type");

	*out = name ? key_spec_parse(span_text(name)) : KEY_NONE;
	if (name && (*out == KEY_NONE || *out == KEY_OTHER))
		return WHY(why, CLI_USAGE, "", "--key-type: want P-256, P-384, RSA-2048, RSA-3072 or RSA-4096, have '%s'",
			name);
	return OK;
}

static void tell(const struct cli *cli, const char *dir, const struct drive_result *result)
{
	OWNED_JSON struct json *j = json_object_new();

	json_put_text(j, "dir", dir);
	json_put_int(j, "generation", result->generation);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "Installed generation %u in %s/current: key.pem, cert.pem, chain.pem, anchors.pem.\n",
		result->generation, dir);
}

void enrolee_given_fini(struct enrolee_given *g)
{
	buf_fini(&g->anchors);
	buf_fini(&g->cert);
	buf_fini_wipe(&g->key);
}

enum err enrolee_given_pair(const struct cli *cli, struct enrolee_given *g, struct why *why)
{
	const char *cert = NULL;
	const char *key = NULL;

	*g = (struct enrolee_given){.anchors = BUF(ENROLEE_PEM_MAX), .cert = BUF(ENROLEE_PEM_MAX), .key = BUF(ENROLEE_PEM_MAX)};
	TRY(enrolee_want(cli, "cert", &cert, why));
	TRY(enrolee_want(cli, "key", &key, why));
	TRY(file_read(cert, &g->cert, why));
	return file_read_secret(key, &g->key, why);
}

enum err enrolee_given(const struct cli *cli, struct enrolee_given *g, struct why *why)
{
	const char *anchors = NULL;

	TRY(enrolee_given_pair(cli, g, why));
	TRY(enrolee_want(cli, "anchors", &anchors, why));
	return file_read(anchors, &g->anchors, why);
}

enum err enrolee_drive(const struct cli *cli, const struct drive_ask *ask, struct why *why)
{
	struct drive_result result = {0};

	TRY(drive_agent(cli, ask, &result, why));
	tell(cli, ask->dir, &result);
	return OK;
}

void enrolee_held_fini(struct enrolee_held *h)
{
	buf_fini(&h->anchors);
	buf_fini(&h->cert);
	buf_fini(&h->chain);
	buf_fini_wipe(&h->key);
	buf_fini(&h->mef);
	buf_fini(&h->leaf);
}

enum err enrolee_held(const char *dir, struct enrolee_held *h, struct why *why)
{
	*h = (struct enrolee_held){.anchors = BUF(ENROLEE_PEM_MAX), .cert = BUF(ENROLEE_PEM_MAX), .chain = BUF(ENROLEE_PEM_MAX), .key = BUF(ENROLEE_PEM_MAX),
		.mef = BUF(ENROLEE_URI_MAX), .leaf = BUF(CERT_DER_MAX)};
	TRY(generation_read(dir, GENERATION_ANCHORS, &h->anchors, why));
	TRY(generation_read(dir, GENERATION_CERT, &h->cert, why));
	TRY(generation_read(dir, GENERATION_CHAIN, &h->chain, why));
	TRY(generation_read(dir, GENERATION_KEY, &h->key, why));
	TRY(generation_read(dir, GENERATION_MEF, &h->mef, why));
	TRY(cert_first_pem(buf_span(&h->cert), &h->leaf, why));
	return cert_parse(buf_span(&h->leaf), &h->view, why);
}


enum err enrolee_suid_option(const struct cli *cli, unsigned int *out, struct why *why)
{
	const char *text = NULL;

	TRY(enrolee_want(cli, "suid", &text, why));
	*out = suid_parse(span_text(text));
	if (*out == 0)
		return WHY(why, CLI_USAGE, "TS-0004 6.3.4.2.39",
			"--suid: want a security usage identifier such as 21, or maf, saef, esprim, esdata, esdata-sign; have '%s'", text);
	return OK;
}
