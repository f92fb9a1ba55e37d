#include "adapt/sys/erase.h"

#include "adapt/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, BLOCK = 4096 };

static bool overwrite(int fd)
{
	static const uint8_t zeros[BLOCK];
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	for (off_t left = st.st_size; left > 0;) {
		ssize_t put = write(fd, zeros, left < BLOCK ? (size_t)left : BLOCK);
		if (put < 0 && errno != EINTR)
			return false;
		left -= put > 0 ? put : 0;
	}
	return fsync(fd) == 0;
}

static enum err sync_folder_of(const char *path, struct why *why)
{
	char folder[PATH_SIZE];
	const char *slash = strrchr(path, '/');
	size_t n = slash && slash != path ? (size_t)(slash - path) : 1;

	if (n >= sizeof(folder))
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes", PATH_SIZE - 1);
	memcpy(folder, slash ? path : ".", n);
	folder[n] = '\0';
	return file_sync_dir(folder, why);
}

enum err erase_file(const char *path, struct why *why)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return OK;
	/* what cannot be overwritten can still be removed */
	bool wiped = fd >= 0 && overwrite(fd);
	if (fd >= 0)
		close(fd);
	if (unlink(path) != 0)
		return WHY(why, FILE_WRITE, "", "%s: %s%s", path, strerror(errno), wiped ? "" : "; the content is still there");
	return sync_folder_of(path, why);
}
