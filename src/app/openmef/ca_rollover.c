/* `openmef ca rollover`: the stages, each put in force by one change of the configuration file. */
#include "app/openmef/commands.h"
#include "app/openmef/init.h"
#include "app/openmef/rollover.h"

#include "adapt/sys/file.h"
#include "app/conf/schema.h"
#include "base/date.h"
#include "base/text.h"
#include "core/registry/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONF_TEXT_MAX = 1024 * 1024, COMMAND_MAX = CONF_PATH_MAX + 64, DETAIL_MAX = 256 };

/* ---- one change of the configuration */

struct change {
	const char *what; /* for the audit log */
	struct conf_edit edits[CONF_EDITS_MAX]; /* paths are absolute */
	size_t n;
};

static void change_put(struct change *c, const char *section, const char *name, const char *value)
{
	c->edits[c->n++] = (struct conf_edit){section, name, value};
}

/* What lies below the file's folder is named from there, as init does. */
static const char *shown_path(const struct conf *conf, const char *value)
{
	size_t n = strlen(conf->dir);

	return strncmp(value, conf->dir, n) == 0 && value[n] == '/' ? value + n + 1 : value;
}

/* A value that the file cannot carry must not come out as another. */
static enum err check_edited(const struct rollover *r, const struct change *c, struct span text, struct why *why)
{
	struct conf conf;

	TRY(conf_parse(r->conf_path, text, &conf, why));
	for (size_t i = 0; i < c->n; i++) {
		const struct conf_edit *e = &c->edits[i];
		const struct conf_key *key = conf_key_find(span_text(e->section), span_text(e->name));
		if (!key || strcmp((const char *)&conf + key->offset, e->value) != 0)
			return WHY(why, CONF_VALUE, "", "%s: [%s] %s: want '%s', which does not fit into the file", r->conf_path, e->section,
				e->name, e->value);
	}
	return OK;
}

struct event {
	const struct rollover *r;
	const char *what;
};

static enum err write_event(struct store *store, void *arg, struct why *why)
{
	const struct event *e = arg;
	char detail[DETAIL_MAX];

	snprintf(detail, sizeof(detail), "%s, at stage %s%s%s", e->what, rollover_stage_name(e->r->stage), e->r->name[0] ? ": " : "",
		e->r->name);
	const struct audit_event event = {.what = "ca.rollover", .actor = "operator", .detail = detail};
	return audit_write(store, &event, e->r->now_s, why);
}

/* The file keeps owner and mode: the server must still be able to read it. */
static enum err replace(const char *path, struct span text, struct why *why)
{
	struct stat before, after;

	if (stat(path, &before) != 0)
		return WHY(why, CONF_FILE, "", "%s: %s", path, strerror(errno));
	TRY(cli_put_file(path, text, before.st_mode & 0777, why));
	if (stat(path, &after) == 0 && (after.st_uid != before.st_uid || after.st_gid != before.st_gid)
		&& lchown(path, before.st_uid, before.st_gid) != 0)
		return WHY(why, CONF_FILE, "", "%s: its owner was %u:%u: %s", path, (unsigned int)before.st_uid,
			(unsigned int)before.st_gid, strerror(errno));
	return OK;
}

static enum err put_in_force(const struct rollover *r, const struct change *c, struct why *why)
{
	OWNED_BUF struct buf old = BUF(CONF_TEXT_MAX);
	OWNED_BUF struct buf fresh = BUF(CONF_TEXT_MAX);
	struct event event = {r, c->what};
	struct change shown = *c;

	for (size_t i = 0; i < c->n; i++)
		shown.edits[i].value = shown_path(r->conf, c->edits[i].value);
	TRY(file_read(r->conf_path, &old, why));
	TRY(conf_edit(buf_span(&old), shown.edits, shown.n, &fresh, why));
	TRY(check_edited(r, c, buf_span(&fresh), why));
	/* Before it happens: an event of what a crash kept from happening is better than none of what happened. */
	TRY(cli_change(r->store, write_event, &event, why));
	return replace(r->conf_path, buf_span(&fresh), why);
}

/* ---- the stages */

/* Paths of the rollover's folder, for the edits of one change. */
struct paths {
	char items[CONF_EDITS_MAX][CONF_PATH_MAX];
	size_t n;
};

static enum err put_file(const struct rollover *r, struct change *c, struct paths *p, const char *section, const char *name,
	const char *file, struct why *why)
{
	char *path = p->items[p->n++];

	TRY(rollover_path(r, file, path, why));
	change_put(c, section, name, path);
	return OK;
}

static enum err prepare(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "prepare"};
	char name[ISSUER_NAME_MAX];
	char folder[CONF_PATH_MAX];
	char path[CONF_PATH_MAX];

	TRY(rollover_make(r, name, why));
	snprintf(path, sizeof(path), "ca/%s", name);
	TRY(cli_path(r->conf->dir, path, folder, sizeof(folder), why));
	change_put(&c, "ca", "rollover", folder);
	TRY(put_in_force(r, &c, why));
	TRY(cli_path(r->conf->dir, ROLLOVER_MAKING, path, sizeof(path), why));
	unlink(path); /* next to that configuration it means nothing */
	return OK;
}

static enum err publish(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "publish"};
	struct paths p = {0};

	TRY(rollover_check(r, why));
	TRY(rollover_write_published(r, why));
	TRY(put_file(r, &c, &p, "ca", "other_cert", ROLLOVER_CERT, why));
	TRY(put_file(r, &c, &p, "ca", "other_key", ROLLOVER_KEY, why));
	change_put(&c, "ca", "other_name", r->name);
	TRY(put_file(r, &c, &p, "ca", "extra", ROLLOVER_EXTRA_PUBLISHED, why));
	TRY(put_file(r, &c, &p, "ca", "bridge", ROLLOVER_BRIDGE_PUBLISHED, why));
	return put_in_force(r, &c, why);
}

static enum err switch_over(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "switch"};
	struct paths p = {0};

	TRY(rollover_check(r, why));
	TRY(rollover_write_switched(r, why));
	TRY(put_file(r, &c, &p, "mef", "tls_cert", ROLLOVER_TLS_CERT, why));
	TRY(put_file(r, &c, &p, "mef", "tls_key", ROLLOVER_TLS_KEY, why));
	TRY(put_file(r, &c, &p, "ca", "cert", ROLLOVER_CERT, why));
	TRY(put_file(r, &c, &p, "ca", "key", ROLLOVER_KEY, why));
	TRY(put_file(r, &c, &p, "ca", "chain", ROLLOVER_ROOT_CERT, why));
	change_put(&c, "ca", "name", r->name);
	change_put(&c, "ca", "other_cert", r->conf->ca_cert);
	change_put(&c, "ca", "other_key", r->conf->ca_key);
	change_put(&c, "ca", "other_name", r->conf->ca_name);
	if (conf_has_message(r->conf)) {
		TRY(put_file(r, &c, &p, "ca", "message_cert", ROLLOVER_MESSAGE_CERT, why));
		TRY(put_file(r, &c, &p, "ca", "message_key", ROLLOVER_MESSAGE_KEY, why));
	}
	TRY(put_file(r, &c, &p, "ca", "extra", ROLLOVER_EXTRA_SWITCHED, why));
	TRY(put_file(r, &c, &p, "ca", "bridge", ROLLOVER_BRIDGE_SWITCHED, why));
	return put_in_force(r, &c, why);
}

/* NewWithOld goes on being sent: a device that slept through everything verifies this server by it. */
static enum err finish(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "finish"};
	struct paths p = {0};

	TRY(rollover_write_finished(r, why));
	change_put(&c, "ca", "other_cert", "");
	change_put(&c, "ca", "other_key", "");
	change_put(&c, "ca", "other_name", "");
	TRY(put_file(r, &c, &p, "ca", "extra", ROLLOVER_EXTRA_FINISHED, why));
	change_put(&c, "ca", "rollover", "");
	return put_in_force(r, &c, why);
}

/* ---- back */

static enum err unprepare(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "back"};

	/* Its keys first: the old root has certified them. A crash in between leaves what the next `back` clears away. */
	TRY(rollover_remove(r->conf, r->conf->ca_rollover, r->name, why));
	change_put(&c, "ca", "rollover", "");
	return put_in_force(r, &c, why);
}

static enum err unpublish(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "back"};
	struct conf before;

	TRY(rollover_before(r, &before, why));
	change_put(&c, "ca", "other_cert", "");
	change_put(&c, "ca", "other_key", "");
	change_put(&c, "ca", "other_name", "");
	change_put(&c, "ca", "extra", before.ca_extra);
	change_put(&c, "ca", "bridge", before.ca_bridge);
	return put_in_force(r, &c, why);
}

/* What the new CA has issued stays good: it goes on being accepted, and publishes its CRL. */
static enum err unswitch(const struct rollover *r, struct why *why)
{
	struct change c = {.what = "back"};
	struct paths p = {0};
	struct conf before;

	TRY(rollover_before(r, &before, why));
	TRY(rollover_write_published(r, why));
	change_put(&c, "mef", "tls_cert", before.tls_cert);
	change_put(&c, "mef", "tls_key", before.tls_key);
	change_put(&c, "ca", "message_cert", before.message_cert);
	change_put(&c, "ca", "message_key", before.message_key);
	change_put(&c, "ca", "cert", r->conf->ca_other_cert);
	change_put(&c, "ca", "key", r->conf->ca_other_key);
	change_put(&c, "ca", "name", r->conf->ca_other_name);
	change_put(&c, "ca", "chain", before.ca_chain);
	change_put(&c, "ca", "other_cert", r->conf->ca_cert);
	change_put(&c, "ca", "other_key", r->conf->ca_key);
	change_put(&c, "ca", "other_name", r->conf->ca_name);
	TRY(put_file(r, &c, &p, "ca", "extra", ROLLOVER_EXTRA_PUBLISHED, why));
	TRY(put_file(r, &c, &p, "ca", "bridge", ROLLOVER_BRIDGE_PUBLISHED, why));
	return put_in_force(r, &c, why);
}

static enum err back(const struct rollover *r, struct why *why)
{
	switch (r->stage) {
	case ROLLOVER_NONE:
		return OK;
	case ROLLOVER_PREPARED:
		return unprepare(r, why);
	case ROLLOVER_PUBLISHED:
		return unpublish(r, why);
	case ROLLOVER_SWITCHED:
		return unswitch(r, why);
	}
	return OK;
}

/* ---- what is told */

static void cas_of(const struct rollover *r, struct rollover_ca out[2], size_t *n_out)
{
	const struct conf *c = r->conf;
	bool switched = r->stage == ROLLOVER_SWITCHED;
	bool both = c->ca_other_cert[0] != '\0';

	out[0] = switched ? (struct rollover_ca){.name = c->ca_other_name, .path = c->ca_other_cert}
			  : (struct rollover_ca){.name = c->ca_name, .path = c->ca_cert};
	out[1] = switched ? (struct rollover_ca){.name = c->ca_name, .path = c->ca_cert}
			  : (struct rollover_ca){.name = c->ca_other_name, .path = c->ca_other_cert};
	*n_out = both ? 2 : 1;
}

static void put_ca(struct json *j, const char *key, const struct rollover_ca *ca)
{
	struct json *o = json_object_new();

	json_put_text(o, "name", ca->name);
	json_put_text(o, "certificate", ca->path);
	json_put_int(o, "certificates", (int64_t)ca->certificates);
	json_put_int(o, "enrolees", (int64_t)ca->enrolees);
	json_put_date(o, "last_not_after", ca->last_s);
	json_put(j, key, o);
}

static void say_ca(const struct cli *cli, const char *title, const struct rollover_ca *ca)
{
	char until[DATE_TEXT_SIZE] = "";

	if (ca->last_s)
		date_text(ca->last_s, until);
	cli_say(cli, "  %-7s %-18s %llu certificates are good%s%s; %llu enrolees have no newer one\n", title, ca->name,
		(unsigned long long)ca->certificates,
		ca->last_s ? ", the last until " : "", until, (unsigned long long)ca->enrolees);
}

struct advice {
	const char *meaning, *when, *next;
};

static const struct advice advices[] = {
	[ROLLOVER_NONE] = {"No CA rollover is under way.", "", "ca rollover prepare"},
	[ROLLOVER_PREPARED] = {"The new root and issuing CA are made; nobody knows of them, devices notice nothing.",
		"Safe to go on: at once.", "ca rollover publish"},
	[ROLLOVER_PUBLISHED] = {"The old CA issues. Devices learn the new root whenever they enrol or renew, vouched for by the old one; "
				"with either root they verify this server.",
		"Safe to go on: once each MAF of this MEF has the new root among its mef_anchors and the new issuing CA among its "
		"client_anchors, and whoever checks devices' certificates elsewhere has the new root. Devices need no waiting: one "
		"with the old root alone verifies the new server certificate too.",
		"ca rollover switch"},
	[ROLLOVER_SWITCHED] = {"The new CA issues. Certificates of the old one are accepted until they end and renew onto the new one; both "
			       "publish their CRLs.",
		"Safe to go on: when no certificate of the old CA is good any more. Once all enrolees have a newer one, finish --force "
		"costs nothing but the revocation list of those that they no longer use.", "ca rollover finish"},
};

static bool newer(const char *a, const char *b)
{
	struct stat first, second;

	if (stat(a, &first) != 0 || stat(b, &second) != 0)
		return false;
	if (first.st_mtim.tv_sec != second.st_mtim.tv_sec)
		return first.st_mtim.tv_sec > second.st_mtim.tv_sec;
	return first.st_mtim.tv_nsec > second.st_mtim.tv_nsec;
}

/* A server runs that started its generation before the file was changed. */
static bool needs_reload(const struct rollover *r)
{
	char ports[CONF_PATH_MAX];
	struct why ignored = {0};

	return cli_server_pid(r->conf) != 0 && cli_path(r->conf->dir, "run/ports.json", ports, sizeof(ports), &ignored) == OK
		&& newer(r->conf_path, ports);
}

static enum err tell(const struct rollover *r, bool changed, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	const struct advice *a = &advices[r->stage];
	struct rollover_ca cas[2] = {0};
	size_t n = 0;
	bool reload = needs_reload(r);
	char command[COMMAND_MAX];

	cas_of(r, cas, &n);
	TRY(rollover_count(r, cas, n, why));
	bool safe = r->stage != ROLLOVER_SWITCHED || cas[0].certificates == 0;
	cli_command(r->cli, reload ? "reload" : a->next, command, sizeof(command));
	json_put_text(j, "stage", rollover_stage_name(r->stage));
	json_put_bool(j, "changed", changed);
	json_put_bool(j, "reload_needed", reload);
	put_ca(j, r->stage == ROLLOVER_NONE ? "ca" : "old", &cas[0]);
	if (n == 2)
		put_ca(j, "new", &cas[1]);
	json_put_bool(j, "safe", safe && !reload);
	json_put_text(j, "next", command);
	if (r->cli->json)
		cli_print_json(j);
	cli_say(r->cli, "Stage: %s%s%s\n  %s\n", rollover_stage_name(r->stage), r->name[0] ? ", to " : "", r->name, a->meaning);
	say_ca(r->cli, r->stage == ROLLOVER_NONE ? "CA" : "old CA", &cas[0]);
	if (n == 2)
		say_ca(r->cli, "new CA", &cas[1]);
	if (a->when[0])
		cli_say(r->cli, "  %s\n", a->when);
	if (reload)
		cli_say(r->cli, "  The running server does not know of it yet.\n");
	cli_say(r->cli, "Next: %s%s\n", command, safe ? "" : "  (not yet)");
	if (r->stage != ROLLOVER_NONE)
		cli_say(r->cli, "Back: %s\n", cli_command(r->cli, "ca rollover back", command, sizeof(command)));
	return OK;
}

/* ---- the command */

static const struct verb {
	const char *name;
	enum rollover_stage from, to;
	enum err (*run)(const struct rollover *r, struct why *why);
} verbs[] = {
	{"prepare", ROLLOVER_NONE, ROLLOVER_PREPARED, prepare},
	{"publish", ROLLOVER_PREPARED, ROLLOVER_PUBLISHED, publish},
	{"switch", ROLLOVER_PUBLISHED, ROLLOVER_SWITCHED, switch_over},
	{"finish", ROLLOVER_SWITCHED, ROLLOVER_NONE, finish},
	{"back", ROLLOVER_NONE, ROLLOVER_NONE, back},
	{"status", ROLLOVER_NONE, ROLLOVER_NONE, NULL},
};

static enum err find_verb(const struct cli *cli, const struct verb **out, struct why *why)
{
	const char *name = cli->args_n ? cli->args[0] : "status";

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].name, name) == 0) {
			*out = &verbs[i];
			return OK;
		}
	}
	return WHY(why, CLI_USAGE, "", "ca rollover: want prepare, publish, switch, finish, back or status, have '%.40s'", name);
}

/* What hangs on the CA that leaves: the old one with finish, the new one with back. */
static enum err check_left(const struct rollover *r, const struct verb *v, struct why *why)
{
	struct rollover_ca cas[2] = {0};
	char until[DATE_TEXT_SIZE];
	size_t n = 0;
	bool leaves_new = v->run == back && r->stage == ROLLOVER_PUBLISHED;

	if ((v->run != finish && !leaves_new) || cli_flag(r->cli, "force"))
		return OK;
	cas_of(r, cas, &n);
	TRY(rollover_count(r, cas, n, why));
	const struct rollover_ca *ca = &cas[leaves_new ? 1 : 0];
	if (ca->certificates == 0)
		return OK;
	date_text(ca->last_s, until);
	return WHY(why, ROLLOVER_USED, "", "%s: want no good certificate of it, have %llu, the last until %s; %llu enrolees have no newer one", ca->name,
		(unsigned long long)ca->certificates, until, (unsigned long long)ca->enrolees);
}

static enum err run_verb(const struct rollover *r, const struct verb *v, bool *changed, struct why *why)
{
	*changed = false;
	if (!v->run || (r->stage == v->to && v->run != back) || (v->run == back && r->stage == ROLLOVER_NONE))
		return OK; /* again: nothing to do */
	if (v->run != back && r->stage != v->from)
		return WHY(why, ROLLOVER_STAGE, "", "%s: want the stage %s, have %s", v->name, rollover_stage_name(v->from),
			rollover_stage_name(r->stage));
	/* Who issues is known only of a server that knows of the last change. */
	if ((v->run == switch_over || v->run == finish) && needs_reload(r))
		return WHY(why, ROLLOVER_RELOAD, "", "%s: changed after the running server read it", r->conf_path);
	TRY(check_left(r, v, why));
	TRY(v->run(r, why));
	*changed = true;
	return OK;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static enum err lock(const struct conf *conf, int *out, struct why *why)
{
	char folder[CONF_PATH_MAX];

	TRY(cli_path(conf->dir, "ca", folder, sizeof(folder), why));
	TRY(making_folder(conf->dir, "ca", why));
	*out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*out < 0)
		return WHY(why, FILE_READ, "", "%s: %s", folder, strerror(errno));
	if (flock(*out, LOCK_EX | LOCK_NB) != 0)
		return WHY(why, ROLLOVER_BUSY, "", "%s: %s", folder, strerror(errno));
	return OK;
}

/* What a prepare that was killed left behind, keys among it. */
static enum err clear_unfinished(const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf text = BUF(ISSUER_NAME_MAX);
	char path[CONF_PATH_MAX], folder[CONF_PATH_MAX], relative[64];
	struct why none = {0};

	TRY(cli_path(conf->dir, ROLLOVER_MAKING, path, sizeof(path), why));
	enum err err = file_read(path, &text, &none);
	if (err == ERR_NOT_FOUND)
		return OK;
	const char *name = buf_text(&text);
	if (err != OK || !text_is_name(span_text(name), "-") || strncmp(name, "issuing-", 8) != 0)
		return WHY(why, ROLLOVER_FILES, "", "%s: want the name of a CA that was being made", path);
	snprintf(relative, sizeof(relative), "ca/%s", name);
	TRY(cli_path(conf->dir, relative, folder, sizeof(folder), why));
	if (strcmp(folder, conf->ca_rollover) != 0)
		TRY(rollover_remove(conf, folder, name, why));
	return unlink(path) == 0 ? OK : WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
}

static enum err find_file(const struct cli *cli, char out[PATH_MAX], struct why *why)
{
	char path[CONF_PATH_MAX];

	TRY(cli_path(cli->dir, "openmef.conf", path, sizeof(path), why));
	return realpath(path, out) ? OK : WHY(why, CONF_FILE, "", "%s: %s", path, strerror(errno));
}

static struct rollover open_rollover(const struct cli *cli, const struct conf *conf, const char *path, struct store *store)
{
	const char *slash = strrchr(conf->ca_rollover, '/');

	return (struct rollover){.cli = cli, .conf = conf, .conf_path = path, .store = store, .stage = rollover_stage_of(conf),
		.name = slash ? slash + 1 : conf->ca_rollover, .now_s = clock_unix_s(&cli->clock)};
}

static enum err run_rollover(struct cli *cli, struct why *why)
{
	__attribute__((cleanup(close_fd))) int fd = -1;
	OWNED_STORE struct store *store = NULL;
	const struct verb *verb = NULL;
	char path[PATH_MAX];
	struct conf conf;
	bool changed = false;

	TRY(find_verb(cli, &verb, why));
	TRY(cli_conf(cli, &conf, why));
	if (conf.role != CONF_ROLE_MEF)
		return WHY(why, CLI_USAGE, "", "ca rollover: want the directory of a MEF, have that of a MAF");
	TRY(find_file(cli, path, why));
	if (verb->run) {
		TRY(lock(&conf, &fd, why));
		TRY(cli_conf(cli, &conf, why)); /* another command may have changed it meanwhile */
		TRY(clear_unfinished(&conf, why));
	}
	TRY(cli_store(cli, &conf, &store, why));
	struct rollover r = open_rollover(cli, &conf, path, store);
	TRY(run_verb(&r, verb, &changed, why));
	TRY(cli_conf(cli, &conf, why));
	r = open_rollover(cli, &conf, path, store);
	return tell(&r, changed, why);
}

static const struct cli_option rollover_options[] = {
	{"ca-key", "KIND", "prepare: keys of the new CAs: P-256, P-384, RSA-3072, RSA-4096; default: the issuing CA's kind."},
	{"root-key", "FILE", "prepare: the present root's key, PEM; default: where init put it, below offline/."},
	{"root-pass", "FILE", "prepare: the file of its passphrase; default: root.pass beside it."},
	{"force", NULL, "finish, back: also while certificates of the CA that leaves are in use; their devices must enrol anew."},
	{NULL, NULL, NULL},
};

const struct command command_ca_rollover = {"ca rollover", "[prepare|publish|switch|finish|back|status]", 0, 1,
	"Replace root and issuing CA, step by step.",
	"prepare makes a new root, a new issuing CA, and the certificates of each root by the other (OldWithNew, NewWithOld). publish gives them to devices (cacerts); the old CA still issues. switch lets the new CA issue and renews the server certificate; the old CA's certificates stay good, and both publish CRLs. finish drops the old CA. back undoes the last step, until finish. Each step is put in force by one change of openmef.conf and can be run again after an interruption; then openmef reload. Without a word it tells where the rollover is, what that means for devices, when it is safe to go on, and the next command. prepare alone needs the root's key; the new root's is put below offline/.",
	rollover_options, run_rollover};
