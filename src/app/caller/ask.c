#include "app/caller/caller.h"

#include "adapt/mef/msg.h"
#include "base/mem.h"
#include "net/log.h"
#include "proto/m2m/retrieval.h"

#include <string.h>

enum { PATH_MAX_BYTES = 1024, ANSWER_ARENA_MAX = 128 * 1024, FIRST_5XX = 500 };

struct ask {
	struct caller *caller;
	mef_done done;
	void *arg;
	char mef[256];
};

static void ask_end(struct ask *a, const struct mef_key *key, const struct why *why)
{
	a->done(a->arg, why->kind, key, why);
	mem_free(a);
}

/* TS-0003 8.3.2.1: Status True with Credential, EnroleeID and Lifetime, or False with ErrorString */
static enum err read_key(const struct ask *a, unsigned int status, const char *media_type, struct span body, struct arena *arena,
	struct mef_key *out, struct why *why)
{
	struct retrieval_answer answer = {0};
	enum doc_form form = DOC_JSON;
	struct why unread = {0};

	/* A MEF in trouble gave no verdict. */
	if (status >= FIRST_5XX)
		return WHY(why, MAF_CALL, "", "%s: HTTP status %u", a->mef, status);
	if (doc_form_of(span_text(media_type), &form, &unread) != OK
		|| retrieval_answer_parse(form, body, arena, &answer, &unread) != OK) {
		secret_wipe(&answer.credential);
		return WHY(why, MAF_FETCH, "TS-0003 8.3.2.1", "%s: HTTP status %u: %s", a->mef, status, unread.text);
	}
	out->key = answer.credential;
	secret_wipe(&answer.credential);
	if (!answer.status || status != 200)
		return WHY(why, MAF_FETCH, "TS-0003 8.3.2.1", "%s: HTTP status %u: %.150s", a->mef, status, answer.error ? answer.error : "");
	/* what the registrar would not understand closes the channel, for the clients of every MEF */
	size_t n = strlen(answer.enrolee_id);
	if (n == 0 || n >= MEF_ENROLEE_SIZE)
		return WHY(why, MAF_FETCH, "TS-0003 8.3.2.1", "%s: EnroleeID: want 1 to %d octets, have %zu", a->mef, MEF_ENROLEE_SIZE - 1, n);
	out->enrolee_id = answer.enrolee_id;
	out->lifetime_s = answer.lifetime_s;
	return OK;
}

static void tell(struct caller *c, enum log_level level, const char *event, const struct why *why)
{
	int64_t second = clock_mono_ms(&c->clock) / 1000;

	if (second != c->told_second)
		c->told = 0;
	c->told_second = second;
	if (c->told++ < CALLER_TOLD_PER_S)
		log_why(level, event, why);
}

static void on_answer(void *arg, enum err err, unsigned int status, const char *media_type, struct span body, const struct why *why)
{
	struct ask *a = arg;
	struct arena arena OWNED_ARENA = ARENA(ANSWER_ARENA_MAX);
	struct mef_key key = {0};
	struct why own = {0};

	if (err != OK) {
		a->caller->stale = true;
		(void)!WHY(&own, MAF_CALL, why->clause, "%s", why->text);
		tell(a->caller, LOG_WARN_, "MEF not asked", &own);
	} else if (read_key(a, status, media_type, body, &arena, &key, &own) != OK) {
		tell(a->caller, LOG_INFO_, "no key from the MEF", &own);
	}
	ask_end(a, own.kind == OK ? &key : NULL, &own);
	secret_wipe(&key.key);
}

/* The number of the MEF that a KeId names; mefs.n when it is none of ours. */
static size_t server_of(const struct conf *conf, const char *keid)
{
	const char *at = strchr(keid, '@');
	size_t i = 0;

	while (i < conf->mefs.n && (!at || !span_equal_nocase(span_text(conf->mefs.items[i].name), span_text(at + 1))))
		i++;
	return i;
}

static enum err start(struct ask *a, const char *keid, unsigned int suid, struct why *why)
{
	struct buf path OWNED_BUF = BUF(PATH_MAX_BYTES);
	const struct conf *conf = a->caller->conf;
	size_t server = server_of(conf, keid);

	if (server == conf->mefs.n)
		return WHY(why, MAF_MEF, "TS-0003 8.8.2.3", "KeId: want one of a MEF that is configured, have '%.100s'", keid);
	memcpy(a->mef, conf->mefs.items[server].name, sizeof(a->mef));
	TRY(retrieval_path_write(keid, suid, &path, why));
	fetch_many_get(a->caller->drive.many, server, buf_text(&path), on_answer, a);
	return OK;
}

void caller_ask(struct caller *c, const char *keid, unsigned int suid, mef_done done, void *arg)
{
	struct ask *a = mem_alloc(sizeof(*a));
	struct why why = {0};

	if (!a) {
		enum err err = WHY(&why, NOMEM, "", "question: want %zu bytes", sizeof(*a));
		done(arg, err, NULL, &why);
		return;
	}
	*a = (struct ask){.caller = c, .done = done, .arg = arg};
	if (start(a, keid, suid, &why) != OK)
		ask_end(a, NULL, &why);
}
