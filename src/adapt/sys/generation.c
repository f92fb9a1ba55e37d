#include "adapt/sys/generation.h"

#include "adapt/sys/erase.h"
#include "adapt/sys/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024, NAME_SIZE = 32, NUMBER_MAX = 1000000000, KEY_FILE_MAX = 64 * 1024 };

#define PENDING_ANY "pending."
#define PENDING PENDING_ANY "pem"
#define PENDING_REQUEST PENDING_ANY "json"
#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

enum { CERT_FILES = 6, FILES = 7, FILE_MAX = 2 * 1024 * 1024 };

static const char *const names[FILES] = {
	GENERATION_KEY, GENERATION_CERT, GENERATION_CHAIN, GENERATION_ANCHORS, GENERATION_MEF, GENERATION_ORIGIN,
	GENERATION_KEYS};

static bool is_secret(const char *name)
{
	return strcmp(name, GENERATION_KEY) == 0 || strcmp(name, GENERATION_KEYS) == 0;
}

static enum err join(const char *dir, const char *name, char out[PATH_SIZE], struct why *why)
{
	int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_SIZE)
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", PATH_SIZE - 1, dir);
	return OK;
}

enum err generation_dir(const char *dir, struct why *why)
{
	char parent[PATH_SIZE];

	if (mkdir(dir, 0700) != 0) {
		if (errno == EEXIST)
			return OK;
		return WHY(why, SYSTEM, "", "mkdir %s: %s", dir, strerror(errno));
	}
	TRY(join(dir, "..", parent, why));
	return file_sync_dir(parent, why);
}

static enum err held(int fd, const char *path, struct why *why)
{
	char pid[NAME_SIZE] = "";
	ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);

	return WHY(why, AGENT_BUSY, "", "%s: held by process %s", path, n > 0 ? pid : "(unknown)");
}

enum err generation_lock(const char *dir, int *fd_out, struct why *why)
{
	char path[PATH_SIZE];
	char pid[NAME_SIZE];

	*fd_out = -1;
	TRY(join(dir, "lock", path, why));
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return WHY(why, AGENT_FILES, "", "%s: want a directory, have none", dir);
	if (fd < 0)
		return WHY(why, SYSTEM, "", "%s: %s", path, strerror(errno));
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		enum err err = errno == EWOULDBLOCK ? held(fd, path, why)
						    : WHY(why, SYSTEM, "", "%s: flock: %s", path, strerror(errno));
		close(fd);
		return err;
	}
	/* The number is for the reader of the refusal above; the lock itself is the kernel's. */
	int n = snprintf(pid, sizeof(pid), "%d", (int)getpid());
	if (ftruncate(fd, 0) != 0 || pwrite(fd, pid, (size_t)n, 0) != n) {
		close(fd);
		return WHY(why, SYSTEM, "", "%s: %s", path, strerror(errno));
	}
	*fd_out = fd;
	return OK;
}

void generation_unlock(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

enum err generation_read(const char *dir, const char *name, struct buf *out, struct why *why)
{
	char current[PATH_SIZE];
	char path[PATH_SIZE];

	TRY(join(dir, "current", current, why));
	TRY(join(current, name, path, why));
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return WHY(why, AGENT_FILES, "", "%s: there is no such file", path);
	return is_secret(name) ? file_read_secret(path, out, why) : file_read(path, out, why);
}

/* N of "gen-N"; 0 for any other name. */
static unsigned int number_of(const char *name)
{
	struct why ignored = {0};
	uint64_t n = 0;

	if (strncmp(name, "gen-", 4) != 0
		|| text_number(span_text(name + 4), 1, NUMBER_MAX, "generation", &n, &ignored) != OK)
		return 0;
	return (unsigned int)n;
}

static unsigned int newest(const char *dir)
{
	unsigned int best = 0;
	DIR *d = opendir(dir);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		unsigned int n = number_of(e->d_name);
		best = n > best ? n : best;
	}
	if (d)
		closedir(d);
	return best;
}

/* The generation in force, which a half-written newer one is not; 0: none. */
static unsigned int in_force(const char *dir)
{
	char path[PATH_SIZE];
	char target[NAME_SIZE];
	struct why ignored = {0};

	if (join(dir, "current", path, &ignored) != OK)
		return 0;
	ssize_t n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	return number_of(target);
}

static bool is_there(const char *dir, const char *name)
{
	char current[PATH_SIZE];
	char path[PATH_SIZE];
	struct why ignored = {0};

	return join(dir, "current", current, &ignored) == OK && join(current, name, path, &ignored) == OK
		&& access(path, F_OK) == 0;
}

/* From the generation in force into the new one, where it is there. */
static enum err copy_file(const char *dir, const char *to, const char *name, struct why *why)
{
	OWNED_SECRET_BUF struct buf content = BUF(FILE_MAX);
	char path[PATH_SIZE];

	if (!is_there(dir, name))
		return OK;
	TRY(generation_read(dir, name, &content, why));
	TRY(join(to, name, path, why));
	return file_write(path, buf_span(&content), is_secret(name) ? 0600 : 0644, why);
}

static enum err write_file(const char *to, const char *name, struct span content, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(to, name, path, why));
	return file_write(path, content, is_secret(name) ? 0600 : 0644, why);
}

static enum err write_certificate(const char *dir, const char *to, const struct generation *g, struct why *why)
{
	struct span contents[CERT_FILES] = {g->key_pem, g->cert_pem, g->chain_pem, g->anchors_pem, span_text(g->mef_uri),
		span_text(g->anchors_origin ? g->anchors_origin : "")};
	bool stays = g->cert_pem.n == 0 && is_there(dir, GENERATION_CERT);

	for (size_t i = 0; i < CERT_FILES; i++) {
		if (stays || (strcmp(names[i], GENERATION_ORIGIN) == 0 && contents[i].n == 0))
			TRY(copy_file(dir, to, names[i], why));
		else if (g->cert_pem.n || contents[i].n)
			TRY(write_file(to, names[i], contents[i], why));
	}
	return OK;
}

static enum err write_files(const char *dir, const char *to, const struct generation *g, struct why *why)
{
	TRY(write_certificate(dir, to, g, why));
	if (g->keys_json.n)
		return write_file(to, GENERATION_KEYS, g->keys_json, why);
	return copy_file(dir, to, GENERATION_KEYS, why);
}

static enum err switch_to(const char *dir, const char *name, struct why *why)
{
	char fresh[PATH_SIZE];
	char current[PATH_SIZE];

	TRY(join(dir, "current.new", fresh, why));
	TRY(join(dir, "current", current, why));
	if ((unlink(fresh) != 0 && errno != ENOENT) || symlink(name, fresh) != 0 || rename(fresh, current) != 0)
		return WHY(why, SYSTEM, "", "switching %s: %s", current, strerror(errno));
	return file_sync_dir(dir, why);
}

/* Files whose name begins so; directories and what cannot be removed stay. */
static void remove_files(const char *dir, const char *prefix)
{
	DIR *d = opendir(dir);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dirfd(d), e->d_name, 0);
	}
	if (d)
		closedir(d);
}

static void remove_generation(const char *dir, const char *name)
{
	char path[PATH_SIZE];
	struct why ignored = {0};

	if (join(dir, name, path, &ignored) != OK)
		return;
	remove_files(path, "");
	rmdir(path);
}

/*
 * Best effort: what stays behind is an old certificate and a key that is no longer used, or the half of a
 * generation that a crash left.
 */
static void sweep(const char *dir, unsigned int keep_a, unsigned int keep_b)
{
	DIR *d = opendir(dir);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		unsigned int n = number_of(e->d_name);
		if (n && n != keep_a && n != keep_b)
			remove_generation(dir, e->d_name);
	}
	if (d)
		closedir(d);
	remove_files(dir, PENDING_ANY);
}

static enum err write_and_switch(const char *dir, const char *name, const struct generation *g, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, name, path, why));
	if (mkdir(path, 0700) != 0)
		return WHY(why, SYSTEM, "", "mkdir %s: %s", path, strerror(errno));
	TRY(write_files(dir, path, g, why));
	TRY(file_sync_dir(dir, why));
	return switch_to(dir, name, why);
}

static enum err erase_keys_of(const char *dir, unsigned int number, struct why *why)
{
	char path[PATH_SIZE];
	char name[NAME_SIZE + sizeof("/" GENERATION_KEYS)];

	if (number == 0)
		return OK;
	snprintf(name, sizeof(name), "gen-%u/" GENERATION_KEYS, number);
	TRY(join(dir, name, path, why));
	return erase_file(path, why);
}

enum err generation_erase_keys(const char *dir, struct why *why)
{
	return erase_keys_of(dir, in_force(dir), why);
}

enum err generation_write_keys(const char *dir, struct span json, struct why *why)
{
	char current[PATH_SIZE];

	TRY(join(dir, "current", current, why));
	return write_file(current, GENERATION_KEYS, json, why);
}

enum err generation_install(const char *dir, const struct generation *g, unsigned int *number_out, struct why *why)
{
	unsigned int before = in_force(dir);
	unsigned int number = newest(dir) + 1;
	char name[NAME_SIZE];

	if (number > NUMBER_MAX)
		return WHY(why, BUF_LIMIT, "", "%s: want at most %d generations", dir, NUMBER_MAX);
	snprintf(name, sizeof(name), "gen-%u", number);
	enum err err = write_and_switch(dir, name, g, why);
	/* A full disk is not helped by halves; but what was switched to stays, whatever failed afterwards. */
	if (err != OK && in_force(dir) != number)
		remove_generation(dir, name);
	if (err != OK)
		return err;
	sweep(dir, number, before);
	TRY(erase_keys_of(dir, before, why));
	*number_out = number;
	return OK;
}

enum err generation_keep_pending(const char *dir, struct span key_pem, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, PENDING, path, why));
	return file_write(path, key_pem, 0600, why);
}

enum err generation_keep_request(const char *dir, struct span json, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, PENDING_REQUEST, path, why));
	return file_write(path, json, 0600, why);
}

enum err generation_request(const char *dir, struct buf *out, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, PENDING_REQUEST, path, why));
	return file_read(path, out, why);
}

/* A crash behind the switch leaves the key pending that is in force already. */
static bool is_in_force(const char *dir, struct span key_pem)
{
	__attribute__((cleanup(buf_fini_wipe))) struct buf current = BUF(KEY_FILE_MAX);
	struct why ignored = {0};

	return generation_read(dir, GENERATION_KEY, &current, &ignored) == OK && span_equal(buf_span(&current), key_pem);
}

enum err generation_pending(const char *dir, struct buf *out, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, PENDING, path, why));
	TRY(file_read_secret(path, out, why));
	if (!is_in_force(dir, buf_span(out)))
		return OK;
	buf_clear(out);
	return WHY(why, AGENT_FILES, "", "%s: the key is in force already", path);
}
