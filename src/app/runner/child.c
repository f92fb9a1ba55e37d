#define _GNU_SOURCE /* memfd_create, close_range, execvpe's environ */
#include "app/runner/runner.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { COMMAND_SIZE = CONF_PATH_MAX, ENV_SIZE = 256, ENV_MAX = 6, EXIT_NOT_RUN = 127, FD_HIGH = 64 };

#define PATH_OF_PROGRAMS "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Everything that the child needs, made before the fork: afterwards it only makes system calls. */
struct plan {
	char words[COMMAND_SIZE];
	char *argv[RUNNER_ARGS_MAX + 1];
	char vars[ENV_MAX][ENV_SIZE];
	char *envp[ENV_MAX + 1];
	int in, out, err;
	int64_t timeout_s;
};

/* No shell: words are parted by blanks, nothing in them means anything. */
static enum err split(struct plan *p, const char *command, struct why *why)
{
	size_t n = 0;
	char *rest = p->words;
	char *word;

	if (!text_copy(p->words, sizeof(p->words), span_text(command)))
		return WHY(why, CONF_VALUE, "", "command: want less than %d characters", COMMAND_SIZE);
	while ((word = strsep(&rest, " \t")) != NULL) {
		if (!*word)
			continue;
		if (n == RUNNER_ARGS_MAX)
			return WHY(why, CONF_VALUE, "", "command: want at most %d words", RUNNER_ARGS_MAX);
		p->argv[n++] = word;
	}
	if (n == 0)
		return WHY(why, CONF_VALUE, "", "command: want a program, have none");
	return OK;
}

static void name_facts(struct plan *p, const struct child_order *order)
{
	const char *const facts[][2] = {{"OPENMEF_ISSUER", order->issuer}, {"OPENMEF_PROFILE", order->profile},
		{"OPENMEF_ENROLEE", order->enrolee}, {"OPENMEF_LABEL", order->label}};
	size_t n = 0;

	snprintf(p->vars[n], ENV_SIZE, "%s", PATH_OF_PROGRAMS);
	p->envp[n] = p->vars[n];
	n++;
	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++, n++) {
		snprintf(p->vars[n], ENV_SIZE, "%s=%s", facts[i][0], facts[i][1]);
		p->envp[n] = p->vars[n];
	}
}

static enum err system_failed(const char *what, struct why *why)
{
	int error = errno;
	enum err err = WHY(why, AWAY_UNAVAILABLE, "", "program: %s: %s", what, strerror(error));

	why->retry_s = RUNNER_RETRY_S;
	return err;
}

/* A file in memory: no pipe that fills, no reader that must be waited for. */
static enum err make_stdin(struct span pem, int *out, struct why *why)
{
	int fd = memfd_create("request", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	*out = fd;
	if (fd < 0 || write(fd, pem.p, pem.n) != (ssize_t)pem.n || lseek(fd, 0, SEEK_SET) != 0
		|| fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0)
		return system_failed("request in memory", why);
	return OK;
}

static void bound(int what, rlim_t most)
{
	struct rlimit limit;

	if (getrlimit(what, &limit) == 0 && limit.rlim_max != RLIM_INFINITY && limit.rlim_max < most)
		most = limit.rlim_max;
	limit = (struct rlimit){most, most};
	if (setrlimit(what, &limit) != 0)
		_exit(EXIT_NOT_RUN);
}

static void bound_all(int64_t timeout_s)
{
	bound(RLIMIT_CPU, (rlim_t)timeout_s + 1);
	bound(RLIMIT_AS, RUNNER_MEMORY);
	bound(RLIMIT_FSIZE, RUNNER_FILE_SIZE);
	bound(RLIMIT_NPROC, RUNNER_PROCESSES);
	bound(RLIMIT_NOFILE, RUNNER_FILES);
	bound(RLIMIT_CORE, 0);
}

/* Signals that this role ignores would stay ignored in the program. */
static void reset_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* As the kernel has it since 6.12; older headers know less of it, older kernels refuse it. */
struct scopes {
	uint64_t files, network, scoped;
};

enum { SCOPE_ABSTRACT_SOCKET = 1, SCOPE_SIGNAL = 2, LANDLOCK_CREATE = 444, LANDLOCK_RESTRICT = 446 };

/* No signal to, and no tracing of, what it did not start: all processes of the service are the same user's. */
static void keep_to_its_own(void)
{
	const struct scopes scopes = {.scoped = SCOPE_ABSTRACT_SOCKET | SCOPE_SIGNAL};
	long fd = syscall(LANDLOCK_CREATE, &scopes, sizeof(scopes), 0U);

	if (fd < 0)
		return;
	if (syscall(LANDLOCK_RESTRICT, (int)fd, 0U) != 0)
		_exit(EXIT_NOT_RUN);
	close((int)fd);
}

__attribute__((noreturn)) static void become(const struct plan *p)
{
	/* Sources lie above FD_HIGH, so that none is a target. */
	if (setsid() < 0 || dup2(p->in, 0) < 0 || dup2(p->out, 1) < 0 || dup2(p->err, 2) < 0
		|| syscall(SYS_close_range, 3U, ~0U, 0U) != 0 || chdir("/") != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		_exit(EXIT_NOT_RUN);
	umask(077);
	bound_all(p->timeout_s);
	keep_to_its_own();
	reset_signals();
	execve(p->argv[0], p->argv, p->envp);
	_exit(EXIT_NOT_RUN);
}

static int lift(int fd)
{
	int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);

	if (fd >= 0)
		close(fd);
	return high;
}

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static enum err fork_child(const struct plan *p, struct child *out, struct why *why)
{
	pid_t pid = fork();

	if (pid == 0)
		become(p);
	if (pid < 0)
		return system_failed("fork", why);
	out->pid = pid;
	out->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0U);
	if (out->pid_fd >= 0)
		return OK;
	enum err err = system_failed("pidfd_open", why);
	child_kill(out);
	return err;
}

static enum err start(struct plan *p, const struct child_order *order, struct child *out, struct why *why)
{
	int outs[2] = {-1, -1}, errs[2] = {-1, -1};

	TRY(split(p, order->command, why));
	name_facts(p, order);
	TRY(make_stdin(order->csr_pem, &p->in, why));
	p->in = lift(p->in);
	if (pipe2(outs, O_CLOEXEC) != 0)
		return system_failed("pipe", why);
	p->out = lift(outs[1]);
	out->out_fd = outs[0];
	if (pipe2(errs, O_CLOEXEC) != 0)
		return system_failed("pipe", why);
	p->err = lift(errs[1]);
	out->err_fd = errs[0];
	if (p->in < 0 || p->out < 0 || p->err < 0 || fcntl(outs[0], F_SETFL, O_NONBLOCK) != 0
		|| fcntl(errs[0], F_SETFL, O_NONBLOCK) != 0)
		return system_failed("descriptors", why);
	return fork_child(p, out, why);
}

enum err child_start(const struct child_order *order, struct child *out, struct why *why)
{
	struct plan p = {.in = -1, .out = -1, .err = -1, .timeout_s = order->timeout_s};

	*out = (struct child){.pid_fd = -1, .out_fd = -1, .err_fd = -1};
	enum err err = start(&p, order, out, why);
	shut(&p.in);
	shut(&p.out);
	shut(&p.err);
	if (err != OK)
		child_close(out);
	return err;
}

void child_kill(struct child *c)
{
	if (c->pid == 0)
		return;
	kill(c->pid, SIGKILL); /* the group is there only once setsid was called */
	kill(-c->pid, SIGKILL);
	waitpid(c->pid, NULL, 0);
	c->pid = 0;
}

bool child_ended(struct child *c, int *status_out)
{
	siginfo_t info = {0};

	if (c->pid == 0 || waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != c->pid)
		return false;
	/* What it started belongs to its group and ends with it; until it is reaped the group's number is nobody else's. */
	kill(-c->pid, SIGKILL);
	bool ended = waitpid(c->pid, status_out, 0) == c->pid;
	c->pid = 0;
	return ended;
}

void child_close(struct child *c)
{
	shut(&c->pid_fd);
	shut(&c->out_fd);
	shut(&c->err_fd);
}

enum err child_prepare(struct why *why)
{
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
		return WHY(why, SANDBOX, "", "prctl(PR_SET_CHILD_SUBREAPER): %s", strerror(errno));
	return OK;
}

static bool is_mine(pid_t pid, const pid_t *mine, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (mine[i] == pid)
			return true;
	}
	return false;
}

/* One that left its group, too, comes to the runner when its parent ends. How many there were. */
static size_t kill_strays(const pid_t *mine, size_t n)
{
	char text[4096];
	int fd = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
	char *rest = text;
	char *word;
	size_t killed = 0;

	if (fd >= 0)
		close(fd);
	text[got > 0 ? got : 0] = '\0';
	while ((word = strsep(&rest, " ")) != NULL) {
		pid_t pid = (pid_t)strtol(word, NULL, 10);
		if (pid > 0 && !is_mine(pid, mine, n)) {
			kill(pid, SIGKILL);
			killed++;
		}
	}
	return killed;
}

bool child_sweep(const pid_t *mine, size_t n)
{
	siginfo_t info = {0};

	size_t killed = kill_strays(mine, n);
	/* Those of an order are reaped with their status, by child_ended. */
	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid && !is_mine(info.si_pid, mine, n)) {
		waitpid(info.si_pid, NULL, WNOHANG);
		info.si_pid = 0;
	}
	return killed > 0;
}
