#include "adapt/sys/master.h"

#include "adapt/sys/file.h"
#include "base/hex.h"
#include "base/text.h"
#include "pki/digest.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_MAX_OCTETS = 4096, FILE_OCTETS_MAX = 256 };

/* A name that holds a slash could leave the folder of credentials. */
static enum err credential_path(struct span name, struct buf *out, struct why *why)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");

	if (!text_is_name(name, "._-") || name.p[0] == '.')
		return WHY(why, MASTER_SOURCE, "", "credential: want a name, have '%.*s'", SPAN_FMT(span_first(name, 60)));
	if (!folder || folder[0] != '/')
		return WHY(why, MASTER_SOURCE, "", "credential:%.*s: want $CREDENTIALS_DIRECTORY set, have nothing",
			SPAN_FMT(span_first(name, 60)));
	buf_put_fmt(out, "%s/%.*s", folder, SPAN_FMT(name));
	return buf_check(out, "path of the credential", why);
}

static enum err path_of(const char *source, struct buf *out, struct why *why)
{
	struct span s = span_text(source);

	if (span_starts(s, "credential:"))
		return credential_path(span_from(s, strlen("credential:")), out, why);
	if (!span_starts(s, "file:") || s.n == strlen("file:"))
		return WHY(why, MASTER_SOURCE, "", "master key: want file:PATH or credential:NAME, have '%.*s'",
			SPAN_FMT(span_first(s, 20)));
	buf_put_span(out, span_from(s, strlen("file:")));
	return buf_check(out, "path of the master key", why);
}

static struct span trim_lines(struct span s)
{
	while (s.n && strchr(" \t\r\n", s.p[s.n - 1]))
		s.n--;
	while (s.n && strchr(" \t\r\n", s.p[0]))
		s = span_from(s, 1);
	return s;
}

/* The text is not quoted in the reason: it is a secret, however malformed. */
static enum err parse(struct span text, const char *path, struct secret *out, struct why *why)
{
	struct secret key OWNED_SECRET = {0};
	struct why ignored = {0};

	text = trim_lines(text);
	if (text.n != MASTER_SIZE * 2 || hex_parse(text, key.bytes, MASTER_SIZE, &key.n, &ignored) != OK ||
		key.n != MASTER_SIZE)
		return WHY(why, MASTER_KEY, "", "%s: want %d hexadecimal digits, have %zu octets of other text", path,
			MASTER_SIZE * 2, text.n);
	*out = key;
	return OK;
}

enum err master_load(const char *source, struct secret *out, struct why *why)
{
	struct buf path OWNED_BUF = BUF(PATH_MAX_OCTETS);
	struct buf text __attribute__((cleanup(buf_fini_wipe))) = BUF(FILE_OCTETS_MAX);

	/* systemd grants a service user its credential by an ACL, whose mask shows as the group's read bit. */
	mode_t forbidden = span_starts(span_text(source), "credential:") ? 037 : 077;

	TRY(path_of(source, &path, why));
	TRY(file_read_guarded(buf_text(&path), forbidden, &text, why));
	return parse(buf_span(&text), buf_text(&path), out, why);
}

enum err master_derive(const struct secret *master, const char *purpose, struct secret *out, struct why *why)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "openmef %s", purpose);

	if (n < 0 || (size_t)n >= sizeof(text))
		return WHY(why, KEYS_LABEL, "", "purpose '%.20s...': want a shorter one", purpose);
	secret_wipe(out);
	out->n = MASTER_SIZE;
	return digest_hkdf_sha256(secret_span(master), text, out->bytes, MASTER_SIZE, why);
}

enum err key_file_passphrase(const struct secret *master, const char *label, struct secret *out,
	struct why *why)
{
	struct secret raw OWNED_SECRET = {.n = MASTER_SIZE};
	char purpose[96];
	char text[MASTER_SIZE * 2 + 1];
	int n = snprintf(purpose, sizeof(purpose), "openmef key file %s", label);

	if (n < 0 || (size_t)n >= sizeof(purpose))
		return WHY(why, KEYS_LABEL, "", "key label '%.20s...': want a shorter one", label);
	TRY(digest_hkdf_sha256(secret_span(master), purpose, raw.bytes, MASTER_SIZE, why));
	hex_text(raw.bytes, MASTER_SIZE, text);
	bool fits = secret_set(out, span_of(text, MASTER_SIZE * 2));
	explicit_bzero(text, sizeof(text));
	return fits ? OK : WHY(why, BUG, "", "passphrase: want room for %d digits", MASTER_SIZE * 2);
}
