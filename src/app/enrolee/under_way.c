#include "app/enrolee/under_way.h"

#include "adapt/sys/generation.h"
#include "base/date.h"
#include "base/hex.h"
#include "pki/csr.h"
#include "pki/digest.h"

#include <stdio.h>

enum { ARENA_MAX = 4 * AGENT_PENDING_MAX };

void under_way_init(struct under_way *w, const struct cli *cli, const struct drive_ask *ask, struct span leaf)
{
	*w = (struct under_way){.cli = cli,
		.dir = ask->dir,
		.is = {.uri = ask->mef_uri, .renew = ask->goal == AGENT_RENEW, .said = ""},
		.kept = BUF(CSR_DER_MAX)};
	if (leaf.n)
		digest_sha256(leaf, w->is.client);
}

void under_way_fini(struct under_way *w)
{
	buf_fini(&w->kept);
}

static enum err read_any(const char *dir, struct arena *arena, struct agent_pending *out, struct why *why)
{
	OWNED_BUF struct buf json = BUF(AGENT_PENDING_MAX);

	TRY(generation_request(dir, &json, why));
	return agent_pending_parse(buf_span(&json), arena, out, why);
}

void under_way_find(struct under_way *w, struct buf *csr_out)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct agent_pending found = {0};
	struct why ignored = {0};

	/* a record that cannot be read is one that does not help: a new request is made */
	if (read_any(w->dir, &arena, &found, &ignored) != OK || !agent_pending_fits(&found, &w->is))
		return;
	buf_put_span(csr_out, found.csr);
	buf_clear(&w->kept);
	buf_put_span(&w->kept, found.csr);
	w->is.since_s = found.since_s;
	w->is.again_s = found.again_s;
	snprintf(w->text, sizeof(w->text), "%s", found.said);
}

static enum err write(struct under_way *w, struct why *why)
{
	OWNED_BUF struct buf json = BUF(AGENT_PENDING_MAX);

	w->is.csr = buf_span(&w->kept);
	w->is.said = w->text;
	TRY(buf_check(&w->kept, "CSR", why));
	TRY(agent_pending_write(&w->is, &json, why));
	return generation_keep_request(w->dir, buf_span(&json), why);
}

enum err under_way_keep(struct under_way *w, struct span csr, struct why *why)
{
	if (span_equal(buf_span(&w->kept), csr))
		return OK;
	buf_clear(&w->kept);
	buf_put_span(&w->kept, csr);
	w->is.since_s = clock_unix_s(&w->cli->clock);
	w->is.again_s = 0;
	w->text[0] = '\0';
	return write(w, why);
}

enum err under_way_told(struct under_way *w, struct span said, int64_t wait_s, struct why *why)
{
	struct why shown = {0};
	struct span line = span_first(said, span_find(said, '\n'));

	/* a reason's text holds nothing that steers a screen */
	(void)WHY(&shown, AGENT_LATER, "", "%.*s", SPAN_FMT(span_first(line, AGENT_PENDING_SAID_MAX - 1)));
	snprintf(w->text, sizeof(w->text), "%s", shown.text);
	w->is.again_s = clock_unix_s(&w->cli->clock) + wait_s;
	return w->kept.n ? write(w, why) : OK;
}

bool under_way_show(const struct cli *cli, const char *dir, struct json *j_out, struct buf *text_out, bool *waits_out)
{
	OWNED_ARENA struct arena arena = ARENA(ARENA_MAX);
	struct agent_pending p = {0};
	struct csr csr = {0};
	struct why ignored = {0};
	uint8_t digest[SHA256_SIZE];
	char key[KEY_NI_SIZE], hex[2 * SHA256_SIZE + 1], since[DATE_TEXT_SIZE], again[DATE_TEXT_SIZE];

	if (read_any(dir, &arena, &p, &ignored) != OK || csr_parse(p.csr, &csr, &ignored) != OK)
		return false;
	key_ni_text(csr.spki, key);
	digest_sha256(p.csr, digest);
	hex_text(digest, sizeof(digest), hex);
	json_put_text(j_out, "mef", p.uri);
	json_put_text(j_out, "kind", p.renew ? "reenrol" : "enrol");
	json_put_date(j_out, "since", p.since_s);
	json_put_date(j_out, "again", p.again_s);
	json_put_text(j_out, "said", p.said[0] ? p.said : NULL);
	json_put_text(j_out, "key", key);
	json_put_text(j_out, "csr_sha256", hex);
	date_text(p.since_s, since);
	date_text(p.again_s, again);
	*waits_out = p.again_s != 0;
	buf_put_fmt(text_out, "Request %s %s with %s, %s%s\n%s%sKey %s\nCSR SHA-256 %s\n", *waits_out ? "under way since" : "of", since, p.uri,
		*waits_out ? "to be asked again at " : "which refused it or was not reached; the same command asks again", *waits_out ? again : "", p.said, p.said[0] ? "\n" : "", key, hex);
	return !text_out->bad;
}
