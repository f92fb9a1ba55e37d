#define _GNU_SOURCE /* memfd_create */
#include "app/openmef/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FD_MIN = 64 }; /* no source of a dup2 may be a target of another one */

enum err spawn_conf_file(struct span text, int *fd_out, struct why *why)
{
	int low = memfd_create("openmef.conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, FD_MIN);

	if (low >= 0)
		close(low);
	if (fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0) {
		*fd_out = fd;
		return OK;
	}
	int error = errno;
	if (fd >= 0)
		close(fd);
	return WHY(why, SERVE_SPAWN, "", "configuration in memory: %s", strerror(error));
}

static int place(posix_spawn_file_actions_t *actions, const struct spawn *s, int control)
{
	int rc = posix_spawn_file_actions_adddup2(actions, control, ROLE_FD_CONTROL);

	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, s->conf_fd, ROLE_FD_CONF);
	for (size_t i = 0; i < s->listen_n && rc == 0; i++)
		rc = posix_spawn_file_actions_adddup2(actions, s->listen_fds[i], ROLE_FD_LISTEN + (int)i);
	return rc;
}

/* Signals that the parent handles or blocks mean nothing to a child before it says so itself. */
static int reset_signals(posix_spawnattr_t *attr)
{
	sigset_t none, handled;

	sigemptyset(&none);
	sigemptyset(&handled);
	sigaddset(&handled, SIGCHLD);
	int rc = posix_spawnattr_setsigmask(attr, &none);
	if (rc == 0)
		rc = posix_spawnattr_setsigdefault(attr, &handled);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	return rc;
}

/*
 * The program that runs, even when another one has taken its name since; the caller is a program of its own
 * beside it. The kernel marks a program that was replaced by " (deleted)".
 */
static int find_program(enum role role, char *out, size_t size)
{
	static const char caller[] = "/openmef-caller";

	if (role != ROLE_CALLER)
		return snprintf(out, size, "/proc/self/exe") > 0 ? 0 : EINVAL;
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	if (n < 0)
		return errno;
	out[n] = '\0';
	char *slash = strrchr(out, '/');
	if (!slash || (size_t)(slash - out) + sizeof(caller) > size)
		return ENAMETOOLONG;
	memcpy(slash, caller, sizeof(caller));
	return 0;
}

static int run(const struct spawn *s, int control, pid_t *pid)
{
	char path[4096];
	char program[] = "openmef", word[32], index[16];
	char *argv[] = {program, word, index, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;

	snprintf(word, sizeof(word), "role-%s", role_name(s->role));
	snprintf(index, sizeof(index), "%u", s->index);
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc != 0)
		return rc;
	rc = posix_spawnattr_init(&attr);
	if (rc == 0) {
		rc = place(&actions, s, control);
		if (rc == 0)
			rc = reset_signals(&attr);
		if (rc == 0)
			rc = find_program(s->role, path, sizeof(path));
		if (rc == 0)
			rc = posix_spawn(pid, path, &actions, &attr, argv, environ);
		posix_spawnattr_destroy(&attr);
	}
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

/* OpenSSL takes and gives back hundreds of small blocks in a handshake; with more of them kept per size
 * a handshake costs a fourteenth less. The operator's own choice wins. */
static int tell_by_environment(const struct spawn *s)
{
	char port[8];

	snprintf(port, sizeof(port), "%u", s->https_port);
	if (setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127", 0) != 0
		|| setenv(ROLE_ENV_CONF, s->conf_path, 1) != 0 || setenv(ROLE_ENV_LISTEN, s->listen_kinds, 1) != 0
		|| setenv(ROLE_ENV_HTTPS, port, 1) != 0)
		return errno;
	return 0;
}

enum err spawn_role(const struct spawn *s, pid_t *pid_out, int *control_out, struct why *why)
{
	int fds[2];

	TRY(ipc_pair(fds, why));
	int control = fcntl(fds[1], F_DUPFD_CLOEXEC, FD_MIN);
	int rc = control < 0 ? errno : 0;
	close(fds[1]);
	if (rc == 0)
		rc = tell_by_environment(s);
	if (rc == 0)
		rc = run(s, control, pid_out);
	if (control >= 0)
		close(control);
	if (rc != 0) {
		close(fds[0]);
		return WHY(why, SERVE_SPAWN, "", "%s-%u: %s", role_name(s->role), s->index, strerror(rc));
	}
	*control_out = fds[0];
	return OK;
}
