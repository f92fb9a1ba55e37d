/* `openmef prefs`: how enrolees are to be provisioned, as JSON documents (proto/m2m/prefs.h). */
#include "app/openmef/commands.h"

#include "adapt/sys/file.h"
#include "core/keys/register.h"
#include "core/registry/audit.h"
#include "proto/m2m/prefs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { PREFS_ARENA_MAX = 256 * 1024 };

/* Whose preferences are meant. */
struct place {
	enum prefs_scope scope;
	const char *key;
};

static enum err take_place(const struct cli *cli, struct place *out, struct why *why)
{
	const char *enrolee = cli_value(cli, "enrolee");
	const char *token = cli_value(cli, "token");
	int given = cli_flag(cli, "default") + (enrolee != NULL) + (token != NULL);

	if (given != 1)
		return WHY(why, CLI_USAGE, "", "want --default, --enrolee ID or --token ID, one of them");
	*out = enrolee ? (struct place){PREFS_ENROLEE, enrolee} : token ? (struct place){PREFS_TOKEN, token}
									  : (struct place){PREFS_DEFAULT, ""};
	return OK;
}

static const char *place_name(const struct place *p)
{
	return p->scope == PREFS_DEFAULT ? "the default" : p->key;
}

/* ---- show */

static void print_document(struct span json)
{
	fwrite(json.p, 1, json.n, stdout);
	putchar('\n');
}

/* Where nobody wrote a default, the built-in one is in force. */
static enum err show_builtin(struct why *why)
{
	OWNED_BUF struct buf json = BUF(STORE_PREFS_MAX);
	struct prefs p;

	prefs_defaults(&p);
	TRY(prefs_write(&p, &json, why));
	print_document(buf_span(&json));
	return OK;
}

static enum err run_show(struct cli *cli, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(PREFS_ARENA_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct place place = {0};
	struct span json = {0};
	struct why cause = {0};

	TRY(take_place(cli, &place, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	enum err err = store->ops->prefs_get(store->self, place.scope, place.key, &arena, &json, &cause);
	if (err == ERR_NOT_FOUND && place.scope == PREFS_DEFAULT)
		return show_builtin(why);
	if (err == ERR_NOT_FOUND)
		return WHY(why, PREFS_NONE, "", "%.128s: want preferences of its own, have none", place.key);
	if (err != OK) {
		*why = cause;
		return err;
	}
	print_document(json);
	return OK;
}

static const struct cli_option show_options[] = {
	{"default", NULL, "Those that hold where there are no others."},
	{"enrolee", "ID", "Those of this enrolee."},
	{"token", "ID", "Those of this Enrolment-Token, by the id that `openmef token list` shows."},
	{NULL, NULL, NULL},
};

const struct command command_prefs_show = {"prefs show", "", 0, 0, "Print preferences as the JSON document that `prefs set` takes.",
	"  openmef prefs show --default > default.json\n"
	"  openmef prefs show --enrolee pump-17",
	show_options, run_show};

/* ---- set, remove */

struct change {
	struct place place;
	struct span json;
	int64_t now_s;
};

static enum err do_set(struct store *store, void *arg, struct why *why)
{
	const struct change *c = arg;

	return register_prefs(store, c->place.scope, c->place.key, c->json, c->now_s, why);
}

static enum err do_remove(struct store *store, void *arg, struct why *why)
{
	const struct change *c = arg;
	char detail[STORE_ID_MAX + 32];

	TRY(store->ops->prefs_remove(store->self, c->place.scope, c->place.key, why));
	snprintf(detail, sizeof(detail), "removed those of %s", place_name(&c->place));
	const struct audit_event event = {.what = "preferences.changed", .actor = "operator", .detail = detail,
		.enrolee_id = c->place.scope == PREFS_ENROLEE ? c->place.key : ""};
	return audit_write(store, &event, c->now_s, why);
}

static enum err read_document(const char *path, struct buf *out, struct why *why)
{
	if (strcmp(path, "-") != 0)
		return file_read(path, out, why);
	for (;;) {
		uint8_t chunk[4096];
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return WHY(why, FILE_READ, "", "standard input: %s", strerror(errno));
		buf_put(out, chunk, (size_t)n);
		if (n == 0)
			return buf_check(out, "standard input", why);
	}
}

static void tell(const struct cli *cli, const struct change *c, const char *said, const char *state)
{
	OWNED_JSON struct json *j = json_object_new();
	static const char *const scopes[] = {[PREFS_DEFAULT] = "default", [PREFS_TOKEN] = "token", [PREFS_ENROLEE] = "enrolee"};

	json_put_text(j, "scope", scopes[c->place.scope]);
	json_put_text(j, "id", c->place.scope == PREFS_DEFAULT ? NULL : c->place.key);
	json_put_text(j, "state", state);
	if (cli->json)
		cli_print_json(j);
	cli_say(cli, "%s preferences of %s.\n", said, place_name(&c->place));
}

/* Its device would be sent to an address that answers 404. What cannot be read is refused by register_prefs. */
static enum err check_label(const struct conf *conf, struct span json, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(PREFS_ARENA_MAX);
	struct prefs p = {0};
	struct why unread = {0};

	if (prefs_parse(json, &arena, &p, &unread) != OK || !p.est_label[0] || label_find(&conf->labels, span_text(p.est_label)))
		return OK;
	return WHY(why, PREFS_EST_LABEL, "RFC 7030 3.2.2", "estLabel: want a label of openmef.conf, have '%s'", p.est_label);
}

static enum err run_set(struct cli *cli, struct why *why)
{
	OWNED_BUF struct buf json = BUF(STORE_PREFS_MAX);
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct change c = {.now_s = clock_unix_s(&cli->clock)};
	const char *path = cli->args_n ? cli->args[0] : "-";

	TRY(take_place(cli, &c.place, why));
	TRY(read_document(path, &json, why));
	c.json = buf_span(&json);
	TRY(cli_conf(cli, &conf, why));
	TRY(check_label(&conf, c.json, why));
	TRY(cli_store(cli, &conf, &store, why));
	enum err err = cli_change(store, do_set, &c, why);
	TRY(err == ERR_SYNTAX || err == ERR_LIMIT ? why_within(err, strcmp(path, "-") == 0 ? "standard input" : path, why) : err);
	tell(cli, &c, "Set the", "set");
	return OK;
}

static enum err run_remove(struct cli *cli, struct why *why)
{
	OWNED_STORE struct store *store = NULL;
	struct conf conf;
	struct change c = {.now_s = clock_unix_s(&cli->clock)};

	TRY(take_place(cli, &c.place, why));
	TRY(cli_conf(cli, &conf, why));
	TRY(cli_store(cli, &conf, &store, why));
	TRY(cli_change(store, do_remove, &c, why));
	tell(cli, &c, "Removed the", "removed");
	return OK;
}

static const struct cli_option change_options[] = {
	{"default", NULL, "For enrolees without preferences of their own."},
	{"enrolee", "ID", "For this enrolee."},
	{"token", "ID", "For whoever enrols with this Enrolment-Token, by the id that `openmef token list` shows."},
	{NULL, NULL, NULL},
};

const struct command command_prefs_set = {"prefs set", "[FILE|-]", 0, 1, "Set preferences from a JSON document.",
	"They decide what an enrolee is provisioned with (TS-0003 8.3.3.1): those of the enrolee, or else of its "
	"Enrolment-Token, or else the default. The whole document is replaced; a field that is not known is refused.\n"
	"\n"
	"  certificate        \"never\", \"offer\" or \"require\" a certificate\n"
	"  certificateUsages  what the certificate is for: security usage identifiers 40 to 45\n"
	"  estLabel           EST label of the certificate enrolment, \"\" for the one without a name\n"
	"  enrolmentExpiry    Enrolment Expiry: seconds that the enrolment key (Ke) lives\n"
	"  mafs               Enrolment Target Identities of MAFs: fqdn (MAF-ID), uri, credential, usages\n"
	"  targets            Enrolment Target Identities of CSEs and AEs: id (of Enrolee B) and usages\n"
	"  askSubject, askEkus, askKey\n"
	"                     of an enrolee's own preferences: what its csrattrs ask for instead of ask_subject, ask_ekus and\n"
	"                     ask_key of its label; askSubject counts where the label has attrs = template or both\n"
	"\n"
	"  openmef prefs example > prefs.json\n"
	"  openmef prefs set --default prefs.json\n"
	"  openmef prefs set --enrolee pump-17 - < prefs.json",
	change_options, run_set};

const struct command command_prefs_remove = {"prefs remove", "", 0, 0, "Remove preferences.",
	"After --enrolee or --token the default holds for it again, after --default the built-in one: a certificate is "
	"offered, and there is no MAF and no target. A target that an enrolee's preferences name no more gets no key from "
	"then on.\n"
	"\n"
	"  openmef prefs remove --enrolee pump-17",
	change_options, run_remove};

/* ---- example */

static enum err run_example(struct cli *cli, struct why *why)
{
	/* Written out, not built: it shows every field, those that carry their default too. */
	static const char text[] =
		"{\n"
		"  \"certificate\": \"offer\",\n"
		"  \"certificateUsages\": [42],\n"
		"  \"estLabel\": \"onem2m\",\n"
		"  \"enrolmentExpiry\": 7776000,\n"
		"  \"mafs\": [\n"
		"    {\n"
		"      \"fqdn\": \"maf.example.com\",\n"
		"      \"uri\": \"https://maf.example.com:8444\",\n"
		"      \"credential\": \"symmetricKey\",\n"
		"      \"usages\": [32]\n"
		"    }\n"
		"  ],\n"
		"  \"targets\": [\n"
		"    {\"id\": \"cse1.m2m.example.com\", \"usages\": [22, 23]},\n"
		"    {\"id\": \"app.example.com/ae/Cmeter\", \"usages\": [24]}\n"
		"  ],\n"
		"  \"askSubject\": \"CN, O=Acme\",\n"
		"  \"askEkus\": \"clientAuth\",\n"
		"  \"askKey\": \"P-256\"\n"
		"}\n";

	fputs(text, stdout);
	return OK;
}

const struct command command_prefs_example = {"prefs example", "", 0, 0, "Print a complete document to begin with.",
	"It shows every field; `openmef prefs set --help` says what each is for.\n"
	"\n"
	"  openmef prefs example > prefs.json",
	NULL, run_example};
