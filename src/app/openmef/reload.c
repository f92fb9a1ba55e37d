/* `openmef reload`, and the table row of `openmef serve`, which app/openmef/serve.c runs. */
#include "app/openmef/commands.h"

#include "adapt/sys/file.h"

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAIT_MS = 60 * 1000, STEP_MS = 50 };

/* Written anew with every generation that serves (ports.json) or was given up (refused). */
struct marks {
	struct stat ports, refused;
};

static void look(const struct conf *conf, const char *name, struct stat *out)
{
	char path[CONF_PATH_MAX];
	struct why ignored = {0};

	if (cli_path(conf->dir, name, path, sizeof(path), &ignored) != OK || stat(path, out) != 0)
		*out = (struct stat){0};
}

static void look_all(const struct conf *conf, struct marks *out)
{
	look(conf, "run/ports.json", &out->ports);
	look(conf, "run/refused", &out->refused);
}

static bool differs(const struct stat *a, const struct stat *b)
{
	return b->st_ino != 0
		&& (a->st_ino != b->st_ino || a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec);
}

/* With the parent's own reason; what a role found stands in the log only. */
static enum err refused(const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf text = BUF(4096);
	char path[CONF_PATH_MAX];
	struct why ignored = {0};

	if (cli_path(conf->dir, "run/refused", path, sizeof(path), &ignored) != OK || file_read(path, &text, &ignored) != OK)
		return WHY(why, RELOAD_REFUSED, "", "%s", conf->dir);
	const char *line = buf_text(&text);
	const char *next = strstr(line, ". Next: ");
	return WHY(why, RELOAD_REFUSED, "", "%.*s", next ? (int)(next - line) : (int)strcspn(line, "\n"), line);
}

static enum err wait_for_answer(const struct conf *conf, const struct marks *before, struct why *why)
{
	struct marks now = {0};

	for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
		look_all(conf, &now);
		if (differs(&before->ports, &now.ports))
			return OK;
		if (differs(&before->refused, &now.refused))
			return refused(conf, why);
		if (!cli_server_pid(conf))
			return WHY(why, SERVER_DOWN, "", "%s: the server ended meanwhile", conf->dir);
		usleep(STEP_MS * 1000);
	}
	return WHY(why, RELOAD_REFUSED, "", "%s: want an answer within %d s, have none", conf->dir, WAIT_MS / 1000);
}

static enum err run_reload(struct cli *cli, struct why *why)
{
	OWNED_JSON struct json *j = json_object_new();
	struct conf conf;
	struct marks before = {0};

	/* A file that the server would refuse is told here, where a person looks. */
	TRY(cli_conf(cli, &conf, why));
	TRY(conf_check_message(&conf, why));
	look_all(&conf, &before);
	TRY(cli_signal(&conf, SIGHUP, why));
	int pid = cli_server_pid(&conf);
	if (!cli_flag(cli, "no-wait"))
		TRY(wait_for_answer(&conf, &before, why));
	json_put_int(j, "pid", pid);
	json_put_bool(j, "taken", !cli_flag(cli, "no-wait"));
	if (cli->json)
		cli_print_json(j);
	if (cli_flag(cli, "no-wait"))
		cli_say(cli, "Told process %d to read its configuration again; its log says what came of it.\n", pid);
	else
		cli_say(cli, "Process %d serves with the new configuration.\n", pid);
	return OK;
}

static const struct cli_option reload_options[] = {
	{"no-wait", NULL, "Do not wait for the server's answer."},
	{NULL, NULL, NULL},
};

const struct command command_reload = {"reload", "", 0, 0,
	"Check the configuration and let the running server take it.",
	"Connections under way are served to their end by the old processes. What the server cannot start with it refuses, and goes on as before: exit code 1.",
	reload_options, run_reload};

static const struct cli_option serve_options[] = {
	{"conf", "FILE", "Configuration file, instead of DIR/openmef.conf."},
	{NULL, NULL, NULL},
};

const struct command command_serve = {"serve", "", 0, 0, "Run the server in the foreground.",
	"Starts front, registrar and signer processes and watches over them. SIGHUP reloads, SIGTERM stops after the requests in flight are answered. systemd's notification socket is served. DIR/run/ports.json tells the ports once it is ready.",
	serve_options, NULL};
