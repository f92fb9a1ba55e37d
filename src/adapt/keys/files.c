#include "adapt/keys/files.h"

#include "base/buf.h"
#include "pki/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY_FILE_MAX = 16384 }; /* an encrypted RSA-4096 key in PEM takes 3.4 kB */

static enum err check_file(int fd, const char *path, struct why *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return WHY(why, KEYS_FILE, "", "%s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > KEY_FILE_MAX)
		return WHY(why, KEYS_FILE, "", "%s: want a regular file of at most %d octets", path, KEY_FILE_MAX);
	if (st.st_mode & 077)
		return WHY(why, KEYS_EXPOSED, "", "%s: want mode 600 or 400, have %o; run: chmod 600 %s", path,
			(unsigned)st.st_mode & 07777, path);
	return OK;
}

static enum err read_pem(int fd, const char *path, struct buf *out, struct why *why)
{
	ssize_t got = 1;

	TRY(check_file(fd, path, why));
	while (got > 0 && out->n <= KEY_FILE_MAX) {
		uint8_t *room = buf_room(out, 4096);
		if (!room)
			return buf_check(out, path, why);
		got = read(fd, room, 4096);
		if (got < 0 && errno == EINTR)
			got = 1;
		else if (got > 0)
			buf_grew(out, (size_t)got);
	}
	return got < 0 ? WHY(why, KEYS_FILE, "", "%s: %s", path, strerror(errno)) : buf_check(out, path, why);
}

static enum err open_file(const struct keys_files *k, const struct keys_file *file,
	struct key **out, struct why *why)
{
	struct buf pem __attribute__((cleanup(buf_fini_wipe))) = BUF(KEY_FILE_MAX + 8192);
	struct secret passphrase OWNED_SECRET = {0};
	/* Without O_NONBLOCK a pipe in the file's place would hold us for ever. */
	int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return WHY(why, KEYS_LABEL, "", "key '%s': want the file %s, have none", file->label, file->path);
	if (fd < 0)
		return WHY(why, KEYS_FILE, "", "%s: %s", file->path, strerror(errno));
	enum err err = read_pem(fd, file->path, &pem, why);
	close(fd);
	TRY(err);
	if (k->passphrase)
		TRY(k->passphrase(k->arg, file->label, &passphrase, why));
	return why_within(key_parse_pem(buf_span(&pem), secret_span(&passphrase), out, why), file->path, why);
}

static enum err open_label(void *self, const char *label, struct key **out, struct why *why)
{
	const struct keys_files *k = self;

	for (size_t i = 0; i < k->files_n; i++) {
		if (strcmp(k->files[i].label, label) == 0)
			return open_file(k, &k->files[i], out, why);
	}
	return WHY(why, KEYS_LABEL, "", "key '%s': want a file named for it, have none", label);
}

void keys_files_init(struct keys_files *k, const struct keys_file *files, size_t files_n,
	keys_passphrase passphrase, void *arg)
{
	*k = (struct keys_files){.files = files, .files_n = files_n, .passphrase = passphrase, .arg = arg};
}

struct keys keys_files_port(struct keys_files *k)
{
	return (struct keys){.self = k, .open = open_label};
}
