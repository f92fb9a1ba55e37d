/* The running server of a directory, as commands beside it see it; declared in place.h. */
#include "app/openmef/place.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * The kernel names the process that holds the lock; the number in the file may be anybody's by now. Asking
 * takes no lock, so that it never stands in the way of a server that starts.
 */
static pid_t holder(const struct conf *conf)
{
	char path[CONF_PATH_MAX];
	struct why ignored = {0};
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (cli_path(conf->dir, "run/serve.pid", path, sizeof(path), &ignored) != OK)
		return 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return 0;
	int rc = fcntl(fd, F_GETLK, &lock);
	close(fd);
	return rc == 0 && lock.l_type != F_UNLCK && lock.l_pid > 0 ? lock.l_pid : 0;
}

int cli_server_pid(const struct conf *conf)
{
	return (int)holder(conf);
}

/* Kernels before 5.3 know no pidfd; there the number has to do. */
static int send_signal(const struct conf *conf, pid_t pid, int number)
{
	int process = (int)syscall(SYS_pidfd_open, pid, 0);

	if (process < 0)
		return errno == ENOSYS ? kill(pid, number) : -1;
	/* Still the holder: then the descriptor is the server's, whatever becomes of its number. */
	errno = ESRCH;
	int rc = holder(conf) == pid ? (int)syscall(SYS_pidfd_send_signal, process, number, NULL, 0) : -1;
	int error = errno;
	close(process);
	errno = error;
	return rc;
}

enum err cli_signal(const struct conf *conf, int number, struct why *why)
{
	pid_t pid = holder(conf);

	if (pid && send_signal(conf, pid, number) == 0)
		return OK;
	if (!pid || errno == ESRCH)
		return WHY(why, SERVER_DOWN, "", "%s: no process holds run/serve.pid", conf->dir);
	return WHY(why, SYSTEM, "", "signal to process %d: %s; run this as the server's user", (int)pid, strerror(errno));
}

void cli_poke(const struct conf *conf)
{
	struct why ignored = {0};

	if (cli_signal(conf, SIGUSR1, &ignored) != OK)
		return;
}
