#include "app/openmef/init.h"
#include "app/openmef/maf.h"

#include "adapt/sys/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PEM_MAX = 1024 * 1024, LINK_MAX = CONF_PATH_MAX + 32 };

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

static const char current[] = "current";
static const char key_name[] = "key.pem";
static const char cert_name[] = "cert.pem";

static enum err refuse(const char *path, struct why *why)
{
	return WHY(why, FILE_WRITE, "", "%s: %s", path, strerror(errno));
}

/* link(2) names cannot be replaced: a new one takes the place by its renaming. */
static enum err put_link(const char *folder, const char *path, const char *to, struct why *why)
{
	char fresh[LINK_MAX];

	snprintf(fresh, sizeof(fresh), "%s.link", path);
	unlink(fresh);
	if (symlink(to, fresh) != 0 || rename(fresh, path) != 0)
		return refuse(path, why);
	TRY(making_give(folder, path, why));
	return file_sync_dir(folder, why);
}

static bool leads_to(const char *path, const char *to)
{
	char text[LINK_MAX];
	ssize_t n = readlink(path, text, sizeof(text));

	return n >= 0 && span_is(span_of(text, (size_t)n), to);
}

/* FOLDER/NAME holds the pair, whole and synced; nobody reads it yet. */
static enum err put_pair(const char *folder, const struct maf_pair *pair, struct why *why)
{
	char dir[CONF_PATH_MAX];
	char path[CONF_PATH_MAX];

	TRY(cli_path(folder, pair->name, dir, sizeof(dir), why));
	TRY(making_folder(folder, pair->name, why));
	TRY(cli_path(dir, key_name, path, sizeof(path), why));
	TRY(cli_put_file(path, pair->key_pem, 0600, why));
	TRY(cli_path(dir, cert_name, path, sizeof(path), why));
	TRY(cli_put_file(path, pair->cert_pem, 0644, why));
	return file_sync_dir(folder, why);
}

struct place {
	char folder[CONF_PATH_MAX];      /* of the key */
	char current[CONF_PATH_MAX];     /* in it */
	char key_to[LINK_MAX], cert_to[LINK_MAX]; /* what the two paths link to */
};

static enum err find_place(const struct conf *maf, struct place *out, struct why *why)
{
	const char *slash = strrchr(maf->tls_key, '/');
	size_t n = slash ? (size_t)(slash - maf->tls_key) : 0;

	if (!slash || !text_copy(out->folder, sizeof(out->folder), span_of(maf->tls_key, n ? n : 1)))
		return WHY(why, BUG, "", "tls_key: want an absolute path");
	TRY(cli_path(out->folder, current, out->current, sizeof(out->current), why));
	snprintf(out->key_to, sizeof(out->key_to), "%s/%s", current, key_name);
	bool beside = strncmp(maf->tls_cert, out->folder, n) == 0 && strrchr(maf->tls_cert, '/') == maf->tls_cert + n;
	snprintf(out->cert_to, sizeof(out->cert_to), "%s/%s", beside ? current : out->current, cert_name);
	return OK;
}

/* The pair in force goes below `current` as it is: each link that then takes the place of a file leads to the same octets. */
static enum err adopt(const struct conf *maf, const struct place *p, struct why *why)
{
	OWNED_SECRET_BUF struct buf key = BUF(PEM_MAX);
	OWNED_BUF struct buf cert = BUF(PEM_MAX);

	if (leads_to(maf->tls_key, p->key_to) && leads_to(maf->tls_cert, p->cert_to))
		return OK;
	TRY(file_read_secret(maf->tls_key, &key, why));
	TRY(file_read(maf->tls_cert, &cert, why));
	const struct maf_pair pair = {.key_pem = buf_span(&key), .cert_pem = buf_span(&cert), .name = "first"};
	TRY(put_pair(p->folder, &pair, why));
	TRY(put_link(p->folder, p->current, pair.name, why));
	TRY(put_link(p->folder, maf->tls_key, p->key_to, why));
	return put_link(p->folder, maf->tls_cert, p->cert_to, why);
}

/* Nobody reads the old pair any more; what cannot be removed does no harm. */
static void remove_pair(const char *folder, const char *name)
{
	static const char *const names[] = {key_name, cert_name};
	char dir[CONF_PATH_MAX];
	char path[CONF_PATH_MAX];
	struct why ignored = {0};

	if (cli_path(folder, name, dir, sizeof(dir), &ignored) != OK)
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (cli_path(dir, names[i], path, sizeof(path), &ignored) == OK)
			unlink(path);
	}
	rmdir(dir);
}

enum err maf_pair_install(const struct conf *maf, const struct maf_pair *pair, struct why *why)
{
	struct place p;
	char old[LINK_MAX];

	TRY(find_place(maf, &p, why));
	TRY(adopt(maf, &p, why));
	ssize_t n = readlink(p.current, old, sizeof(old) - 1);
	if (n <= 0)
		return refuse(p.current, why);
	old[n] = '\0';
	TRY(put_pair(p.folder, pair, why));
	TRY(put_link(p.folder, p.current, pair->name, why));
	if (strcmp(old, pair->name) != 0 && !strchr(old, '/'))
		remove_pair(p.folder, old);
	return OK;
}
