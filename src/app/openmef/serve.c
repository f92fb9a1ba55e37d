#define _GNU_SOURCE /* CPU_COUNT */
#include "app/openmef/serve.h"

#include "adapt/sys/clock.h"
#include "adapt/sys/file.h"
#include "app/openmef/commands.h"
#include "app/openmef/place.h"
#include "base/mem.h"
#include "net/log.h"
#include "net/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONF_TEXT_MAX = 1024 * 1024, PORTS_TEXT_MAX = 16 * 1024, PER_CORE_MAX = 64, FILES_MAX = 1024 * 1024 };

int64_t supervisor_now_ms(void)
{
	struct clock c = clock_system();

	return clock_mono_ms(&c);
}

static unsigned int one_per_core(unsigned int configured)
{
	cpu_set_t set;

	if (configured)
		return configured;
	int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	return n > PER_CORE_MAX ? PER_CORE_MAX : (unsigned int)n;
}

unsigned int conf_fronts(const struct conf *conf)
{
	return one_per_core(conf->fronts);
}

unsigned int conf_signers(const struct conf *conf)
{
	return one_per_core(conf->signers);
}

/* ---- the run directory */

static enum err run_path(const struct supervisor *s, const char *name, char out[CONF_PATH_MAX], struct why *why)
{
	int n = snprintf(out, CONF_PATH_MAX, "%s/%s", s->run_dir, name);

	if (n < 0 || n >= CONF_PATH_MAX)
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", CONF_PATH_MAX - 1, s->run_dir);
	return OK;
}

static enum err write_pid(struct supervisor *s, struct why *why)
{
	char text[16] = "";
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct flock holder = lock;

	/* The lock, not the number in the file, says that a server runs and which process it is: a number may
	 * be anybody's after a crash. Others ask with F_GETLK (cli_signal), which takes no lock. */
	if (fcntl(s->pid_fd, F_SETLK, &lock) != 0) {
		bool known = fcntl(s->pid_fd, F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK;
		close(s->pid_fd);
		s->pid_fd = -1; /* neither the file nor its removal is ours */
		return WHY(why, SERVE_RUNNING, "", "%s/serve.pid: held by process %d", s->run_dir,
			known ? (int)holder.l_pid : 0);
	}
	int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	if (ftruncate(s->pid_fd, 0) != 0 || pwrite(s->pid_fd, text, (size_t)n, 0) != n)
		return WHY(why, SERVE_RUN_DIR, "", "%s/serve.pid: %s", s->run_dir, strerror(errno));
	return OK;
}

static enum err run_dir_open(struct supervisor *s, const struct conf *conf, struct why *why)
{
	char path[CONF_PATH_MAX];

	if (snprintf(s->run_dir, sizeof(s->run_dir), "%s/run", conf->dir) >= (int)sizeof(s->run_dir))
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", CONF_PATH_MAX - 1, conf->dir);
	if (mkdir(s->run_dir, 0755) != 0 && errno != EEXIST)
		return WHY(why, SERVE_RUN_DIR, "", "%s: %s", s->run_dir, strerror(errno));
	TRY(run_path(s, "serve.pid", path, why));
	s->pid_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->pid_fd < 0)
		return WHY(why, SERVE_RUN_DIR, "", "%s: %s", path, strerror(errno));
	TRY(write_pid(s, why));
	TRY(run_path(s, "refused", path, why));
	unlink(path);
	TRY(run_path(s, "ports.json", path, why));
	unlink(path);
	return OK;
}

static void run_dir_close(struct supervisor *s)
{
	char path[CONF_PATH_MAX];
	struct why why = {0};

	if (s->pid_fd < 0)
		return;
	if (run_path(s, "refused", path, &why) == OK)
		unlink(path);
	if (run_path(s, "ports.json", path, &why) == OK)
		unlink(path);
	if (run_path(s, "serve.pid", path, &why) == OK)
		unlink(path);
	close(s->pid_fd);
}

/* The same ports again get a new date only, which a full disk allows; `openmef reload` looks at that. */
static bool refresh(const char *path, struct span text)
{
	OWNED_BUF struct buf old = BUF(PORTS_TEXT_MAX);
	struct why ignored = {0};

	return file_read(path, &old, &ignored) == OK && span_equal(buf_span(&old), text)
		&& utimensat(AT_FDCWD, path, NULL, 0) == 0;
}

static enum err write_ports(const struct supervisor *s, const struct conf *conf, struct why *why)
{
	OWNED_BUF struct buf text = BUF(PORTS_TEXT_MAX);
	char path[CONF_PATH_MAX];

	listeners_json(&s->listeners, conf, &text);
	TRY(buf_check(&text, "ports", why));
	TRY(run_path(s, "ports.json", path, why));
	return refresh(path, buf_span(&text)) ? OK : file_write(path, buf_span(&text), 0644, why);
}

/* For `openmef reload`, which waits for this or for a new ports.json. */
static void tell_refused(const struct supervisor *s, const struct why *cause)
{
	char text[WHY_TEXT_MAX + 256];
	char path[CONF_PATH_MAX];
	struct why why = {0};

	size_t n = why_print(cause, text, sizeof(text) - 1);
	text[n] = '\n';
	if (run_path(s, "refused", path, &why) != OK || file_write(path, span_of(text, n + 1), 0644, &why) != OK)
		log_why(LOG_WARN_, "run/refused not written", &why);
}

/* ---- generations */

static enum err read_conf(const struct supervisor *s, struct conf **conf_out, int *fd_out, struct why *why)
{
	OWNED_BUF struct buf text = BUF(CONF_TEXT_MAX);
	OWNED_MEM struct conf *conf = mem_alloc(sizeof(*conf));

	if (!conf)
		return WHY(why, NOMEM, "", "configuration: want %zu bytes", sizeof(*conf));
	TRY(file_read(s->conf_path, &text, why));
	TRY(conf_parse(s->conf_path, buf_span(&text), conf, why));
	TRY(why_within(conf_check_message(conf, why), s->conf_path, why));
	TRY(spawn_conf_file(buf_span(&text), fd_out, why));
	*conf_out = conf;
	conf = NULL;
	return OK;
}

/* Starts a generation with the configuration as it is now. */
static enum err generation_begin(struct supervisor *s, struct conf *conf, int conf_fd, struct why *why)
{
	struct generation *g = NULL;

	enum err err = listeners_open(&s->listeners, conf, conf_fronts(conf), why);
	if (err != OK) {
		mem_free(conf);
		close(conf_fd);
	} else {
		err = generation_new(s, conf, s->conf_path, conf_fd, &g, why);
	}
	if (err != OK) {
		listeners_undo(&s->listeners);
		return err;
	}
	generation_step(g);
	return OK;
}

static void log_serving(const struct supervisor *s, const struct generation *g)
{
	OWNED_BUF struct buf https = BUF(2048);
	OWNED_BUF struct buf http = BUF(2048);
	OWNED_BUF struct buf proxy = BUF(2048);
	char pid[16], roles[16], number[16];

	listeners_text(&s->listeners, g->conf, LISTEN_HTTPS, &https);
	listeners_text(&s->listeners, g->conf, LISTEN_HTTP, &http);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	snprintf(roles, sizeof(roles), "%zu", g->n);
	snprintf(number, sizeof(number), "%u", g->number);
	log_event(LOG_INFO_, "serving", "https", buf_text(&https), "http", buf_text(&http), "fqdn", g->conf->fqdn, "pid",
		pid, "roles", roles, "generation", number, NULL);
	listeners_text(&s->listeners, g->conf, LISTEN_PROXY, &proxy);
	if (proxy.n)
		log_event(LOG_INFO_, "serving behind proxies", "http", buf_text(&proxy), NULL);
}

static void reload(void *arg);

/* A reload that came while another one was under way. */
static void reload_if_asked(struct supervisor *s)
{
	if (!s->reload_again || s->stopping)
		return;
	s->reload_again = false;
	reload(s);
}

void supervisor_serving(struct generation *g)
{
	struct supervisor *s = g->supervisor;
	struct why why = {0};

	log_open(g->conf->log_json ? LOG_JSON : LOG_TEXT, (enum log_level)g->conf->log_level, "serve");
	log_serving(s, g);
	if (write_ports(s, g->conf, &why) != OK)
		log_why(LOG_WARN_, "ports.json not written", &why);
	notify_state("READY=1");
	listeners_keep(&s->listeners, g->conf, conf_fronts(g->conf));
	for (struct generation *old = g->next, *next; old; old = next) {
		next = old->next;
		generation_stop(old);
	}
	reload_if_asked(s);
}

void supervisor_failed(struct generation *g, const struct member *culprit)
{
	struct supervisor *s = g->supervisor;
	struct why why = {0};
	bool first = !g->next;
	const char *rest = first ? "the service does not start" : "the old configuration goes on";

	if (culprit)
		(void)!WHY(&why, SERVE_START, "", "%s-%u: %s", role_name(culprit->role), culprit->index, rest);
	else
		(void)!WHY(&why, SERVE_START, "", "%s", rest);
	log_why(LOG_ERROR_, first ? "start failed" : "reload failed", &why);
	if (first) {
		s->status = 1;
		s->stopping = true;
	} else {
		listeners_undo(&s->listeners);
		notify_state("READY=1");
		tell_refused(s, &why);
	}
	generation_stop(g);
}

void supervisor_gone(struct generation *g)
{
	struct supervisor *s = g->supervisor;

	if (s->stopping && !s->generations)
		loop_stop(s->loop);
	else if (!g->serving)
		reload_if_asked(s);
}

/* ---- signals */

/* One store is either a MEF's or a MAF's. Gives conf and its descriptor up when it fails. */
static enum err same_role(const struct supervisor *s, struct conf *conf, int conf_fd, struct why *why)
{
	if (conf->role == s->generations->conf->role)
		return OK;
	mem_free(conf);
	close(conf_fd);
	return WHY(why, CONF_VALUE, "", "%s: [serve] role: want the one that the service was started with", s->conf_path);
}

static void reload(void *arg)
{
	struct supervisor *s = arg;
	struct why why = {0};
	struct conf *conf = NULL;
	int conf_fd = -1;

	if (s->stopping)
		return;
	if (!s->generations || !s->generations->serving) {
		s->reload_again = true;
		return;
	}
	log_event(LOG_INFO_, "reloading", "conf", s->conf_path, NULL);
	notify_reloading();
	enum err err = read_conf(s, &conf, &conf_fd, &why);
	if (err == OK)
		err = same_role(s, conf, conf_fd, &why);
	if (err == OK)
		err = generation_begin(s, conf, conf_fd, &why);
	if (err != OK) {
		log_why(LOG_ERROR_, "reload refused, the old configuration goes on", &why);
		notify_state("READY=1");
		tell_refused(s, &why);
	}
}

static void on_stop(void *arg)
{
	struct supervisor *s = arg;

	if (s->stopping) {
		log_event(LOG_WARN_, "killing all roles", NULL);
		s->status = 1;
		for (struct generation *g = s->generations; g; g = g->next)
			generation_kill(g);
		return;
	}
	s->stopping = true;
	log_event(LOG_INFO_, "stopping", NULL);
	notify_state("STOPPING=1");
	/* New connections are refused from now on instead of waiting for nobody. */
	listeners_close(&s->listeners);
	for (struct generation *g = s->generations, *next; g; g = next) {
		next = g->next;
		generation_stop(g);
	}
}

static void on_poke(void *arg)
{
	const struct supervisor *s = arg;

	for (struct generation *g = s->generations; g; g = g->next) {
		for (size_t i = 0; i < g->n; i++) {
			if (g->members[i].role == ROLE_REGISTRAR)
				member_poke(&g->members[i]);
		}
	}
}

static void on_child(void *arg)
{
	struct supervisor *s = arg;
	int status;

	for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
		struct member *m = NULL;
		for (struct generation *g = s->generations; g && !m; g = g->next)
			m = generation_find(g, pid);
		if (!m)
			continue;
		member_ended(m, status);
		generation_ended(m);
	}
}

static enum err watch_signals(struct supervisor *s, struct why *why)
{
	TRY(loop_on_signal(s->loop, SIGCHLD, on_child, s, why));
	TRY(loop_on_signal(s->loop, SIGTERM, on_stop, s, why));
	TRY(loop_on_signal(s->loop, SIGINT, on_stop, s, why));
	TRY(loop_on_signal(s->loop, SIGHUP, reload, s, why));
	return loop_on_signal(s->loop, SIGUSR1, on_poke, s, why);
}

/* ---- start */

/* A connection needs a descriptor; the usual soft limit of 1024 is for programs that use select. */
static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max < FILES_MAX ? files.rlim_max : FILES_MAX;
	(void)!setrlimit(RLIMIT_NOFILE, &files);
}

static enum err find_conf(struct supervisor *s, int argc, char **argv, struct why *why)
{
	OWNED_MEM struct cli *cli = mem_alloc(sizeof(*cli));
	OWNED_MEM struct conf *conf = mem_alloc(sizeof(*conf));
	char path[CONF_PATH_MAX];
	char real[PATH_MAX];

	if (!cli || !conf)
		return WHY(why, NOMEM, "", "command line: want %zu bytes", sizeof(*conf));
	cli->command = &command_serve;
	cli->program = openmef_program;
	TRY(cli_parse(cli, argc - 1, argv + 1, why));
	const char *given = cli_value(cli, "conf");
	if (!given) {
		TRY(cli_conf(cli, conf, why)); /* tells what to do where there is none */
		TRY(cli_path(cli->dir, "openmef.conf", path, sizeof(path), why));
		given = path;
	}
	if (!realpath(given, real))
		return WHY(why, SYSTEM, "", "%s: %s", given, strerror(errno));
	if (strlen(real) >= sizeof(s->conf_path))
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", CONF_PATH_MAX - 1, given);
	memcpy(s->conf_path, real, strlen(real) + 1);
	return OK;
}

static enum err start(struct supervisor *s, struct why *why)
{
	struct conf *conf = NULL;
	int conf_fd = -1;

	TRY(read_conf(s, &conf, &conf_fd, why));
	log_open(conf->log_json ? LOG_JSON : LOG_TEXT, (enum log_level)conf->log_level, "serve");
	enum err err = run_dir_open(s, conf, why);
	if (err == OK)
		err = loop_new(&s->loop, why);
	if (err == OK)
		err = watch_signals(s, why);
	if (err != OK) {
		mem_free(conf);
		close(conf_fd);
		return err;
	}
	return generation_begin(s, conf, conf_fd, why);
}

int cmd_serve(int argc, char **argv)
{
	struct supervisor s = {.pid_fd = -1};
	struct why why = {0};

	log_open(LOG_TEXT, LOG_INFO_, "serve");
	enum err err = find_conf(&s, argc, argv, &why);
	if (err == OK) {
		raise_files();
		err = start(&s, &why);
	}
	if (err != OK) {
		log_why(LOG_ERROR_, "start failed", &why);
		s.status = why.code == CODE_CLI_USAGE ? EXIT_USAGE : (int)cli_exit_code(err);
	} else {
		loop_run(s.loop);
		log_event(LOG_INFO_, "stopped", NULL);
	}
	listeners_close(&s.listeners);
	run_dir_close(&s);
	loop_free(s.loop);
	return s.status;
}
