#include "adapt/sys/generation.h"

#include "adapt/sys/file.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

static const char *const names[] = {
	GENERATION_KEY, GENERATION_CERT, GENERATION_CHAIN, GENERATION_ANCHORS, GENERATION_MEF};

static enum err join(const char *dir, const char *name, char out[PATH_SIZE], struct why *why)
{
	int n = snprintf(out, PATH_SIZE, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_SIZE)
		return WHY(why, BUF_LIMIT, "", "path: want at most %d bytes: %s", PATH_SIZE - 1, dir);
	return OK;
}

static enum err make_dir(const char *path, struct why *why)
{
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return WHY(why, SYSTEM, "", "mkdir %s: %s", path, strerror(errno));
	return OK;
}

enum err generation_dir(const char *dir, struct why *why)
{
	return make_dir(dir, why);
}

enum err generation_read(const char *dir, const char *name, struct buf *out, struct why *why)
{
	char current[PATH_SIZE];
	char path[PATH_SIZE];

	TRY(join(dir, "current", current, why));
	TRY(join(current, name, path, why));
	return strcmp(name, GENERATION_KEY) == 0 ? file_read_secret(path, out, why) : file_read(path, out, why);
}

/* Highest N of gen-N; 0 when there is none. */
static unsigned int newest(const char *dir)
{
	unsigned int best = 0;
	DIR *d = opendir(dir);

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		struct why why = {0};
		uint64_t n = 0;
		if (strncmp(e->d_name, "gen-", 4) == 0
			&& text_number(span_text(e->d_name + 4), 1, 1000000000, "generation", &n, &why) == OK && n > best)
			best = (unsigned int)n;
	}
	if (d)
		closedir(d);
	return best;
}

static enum err write_files(const char *dir, const struct generation *g, struct why *why)
{
	struct span contents[] = {g->key_pem, g->cert_pem, g->chain_pem, g->anchors_pem, span_text(g->mef_uri)};
	char path[PATH_SIZE];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		TRY(join(dir, names[i], path, why));
		TRY(file_write(path, contents[i], i == 0 ? 0600 : 0644, why));
	}
	return file_sync_dir(dir, why);
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

/* Best effort: what stays behind is only an old certificate and a key that is no longer used. */
static void remove_generation(const char *dir, unsigned int number)
{
	char base[PATH_SIZE];
	char path[PATH_SIZE];
	char name[32];
	struct why why = {0};

	snprintf(name, sizeof(name), "gen-%u", number);
	if (join(dir, name, base, &why) != OK)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (join(base, names[i], path, &why) == OK)
			unlink(path);
	}
	rmdir(base);
}

static void remove_pending(const char *dir)
{
	char path[PATH_SIZE];
	struct why why = {0};

	if (join(dir, "pending.pem", path, &why) == OK)
		unlink(path);
}

enum err generation_install(const char *dir, const struct generation *g, unsigned int *number_out, struct why *why)
{
	unsigned int number = newest(dir) + 1;
	char name[32];
	char path[PATH_SIZE];

	snprintf(name, sizeof(name), "gen-%u", number);
	TRY(join(dir, name, path, why));
	TRY(make_dir(path, why));
	TRY(write_files(path, g, why));
	TRY(file_sync_dir(dir, why));
	TRY(switch_to(dir, name, why));
	remove_pending(dir);
	for (unsigned int old = number > 2 ? number - 2 : 0; old > 0 && old + 8 > number; old--)
		remove_generation(dir, old);
	*number_out = number;
	return OK;
}

enum err generation_keep_pending(const char *dir, struct span key_pem, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, "pending.pem", path, why));
	return file_write(path, key_pem, 0600, why);
}

enum err generation_pending(const char *dir, struct buf *out, struct why *why)
{
	char path[PATH_SIZE];

	TRY(join(dir, "pending.pem", path, why));
	return file_read_secret(path, out, why);
}
