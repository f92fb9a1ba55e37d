#include "adapt/sys/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void fd_cleanup(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define OWNED_FD __attribute__((cleanup(fd_cleanup)))

static enum err read_all(int fd, const char *path, struct buf *out, struct why *why)
{
	for (;;) {
		uint8_t chunk[4096];
		ssize_t got = read(fd, chunk, sizeof(chunk));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return WHY(why, FILE_READ, "", "%s: %s", path, strerror(errno));
		if (got > 0 && (size_t)got > out->max - out->n) {
			mem_wipe(chunk, sizeof(chunk));
			return WHY(why, FILE_LIMIT, "", "%s: want at most %zu octets", path, out->max);
		}
		buf_put(out, chunk, (size_t)got);
		mem_wipe(chunk, sizeof(chunk));
		if (got == 0)
			return buf_check(out, path, why);
	}
}

enum err file_read_guarded(const char *path, mode_t forbidden, struct buf *out, struct why *why)
{
	struct stat st;
	/* Without O_NONBLOCK a pipe in the file's place would hold us for ever. */
	int fd OWNED_FD = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return WHY(why, FILE_MISSING, "", "%s: want a file, have none", path);
	if (fd < 0 || fstat(fd, &st) != 0)
		return WHY(why, FILE_READ, "", "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return WHY(why, FILE_READ, "", "%s: want a regular file, have something else", path);
	if (st.st_mode & forbidden)
		return WHY(why, FILE_EXPOSED, "", "%s: want mode 600 or 400, have %o; run: chmod 600 %s", path,
			(unsigned)st.st_mode & 07777, path);
	return read_all(fd, path, out, why);
}

enum err file_read(const char *path, struct buf *out, struct why *why)
{
	return file_read_guarded(path, 0, out, why);
}

enum err file_read_secret(const char *path, struct buf *out, struct why *why)
{
	return file_read_guarded(path, 077, out, why);
}

/* "." for a bare name. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = mem_text(slash ? path : ".");

	if (folder && slash)
		folder[slash == path ? 1 : slash - path] = '\0';
	return folder;
}

enum err file_sync_dir(const char *dir, struct why *why)
{
	int fd OWNED_FD = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) != 0)
		return WHY(why, FILE_WRITE, "", "%s: fsync: %s", dir, strerror(errno));
	return OK;
}

static bool write_all(int fd, struct span content)
{
	while (content.n) {
		ssize_t put = write(fd, content.p, content.n);
		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0)
			content = span_from(content, (size_t)put);
	}
	return true;
}

/* The mode before the content: no moment in which others could read it. */
static bool fill(int fd, struct span content, mode_t mode)
{
	return fchmod(fd, mode) == 0 && write_all(fd, content) && fsync(fd) == 0;
}

enum err file_write(const char *path, struct span content, mode_t mode, struct why *why)
{
	size_t n = strlen(path) + sizeof(".XXXXXX");
	char *beside OWNED_MEM = mem_alloc(n);
	char *folder OWNED_MEM = folder_of(path);

	if (!beside || !folder)
		return WHY(why, NOMEM, "", "%s", path);
	snprintf(beside, n, "%s.XXXXXX", path);
	int fd OWNED_FD = mkstemp(beside);
	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
	if (!fill(fd, content, mode) || rename(beside, path) != 0) {
		int reason = errno;
		unlink(beside);
		return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(reason));
	}
	return file_sync_dir(folder, why);
}
