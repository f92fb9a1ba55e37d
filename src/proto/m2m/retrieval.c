#include "proto/m2m/retrieval.h"

#include "base/text.h"
#include "proto/m2m/message.h"

#include <stdio.h>

#define ANSWER "fetchedCredential"
#define CLAUSE_PATH "seed 003 8.3.3.6 step 2"
#define CLAUSE_ANSWER "seed 003 8.3.3.6 step 3"
#define CLAUSE_ERROR "seed 003 8.3.3.6 step 4"

/* RFC 3986 2.4: '@' may come as %40; nothing else in a KeId needs an escape, so none is read */
static bool decode_at(struct span in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.n; i++) {
		struct span rest = span_from(in, i);
		bool escaped = span_starts(rest, "%40");
		if (n + 1 >= size || (in.p[i] == '%' && !escaped) || in.p[i] == 0)
			return false;
		out[n++] = escaped ? '@' : (char)in.p[i];
		i += escaped ? 2 : 0;
	}
	out[n] = '\0';
	return true;
}

static enum err malformed(struct span path, struct why *why)
{
	return WHY(why, M2M_PATH_SYNTAX, CLAUSE_PATH, "path: want %s/ and 32 hex digits, or %s/KEID/SUID, have '%.*s'",
		M2M_RETRIEVAL_PATH, M2M_RETRIEVAL_PATH, SPAN_FMT(span_first(path, 80)));
}

/* TS-0003 8.3.2.1: /fetchCredentials/<KeId>/<SUID> */
static enum err parse_published(struct span path, struct span id, struct span suid, struct retrieval_ask *out, struct why *why)
{
	char text[M2M_KEYID_SIZE];
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {NULL, 0};
	uint64_t v = 0;

	if (!decode_at(id, text, sizeof(text)))
		return malformed(path, why);
	TRY(m2m_keyid_parse(span_text(text), out->relative, normal, &fqdn, why));
	memcpy(out->fqdn, fqdn.p, fqdn.n + 1);
	TRY(text_number(span_first(suid, 8), 0, 99999999, "SUID", &v, why));
	if (suid.n != 2 || !suid_known((unsigned int)v))
		return WHY(why, M2M_SUID, "TS-0004 6.3.4.2.39", "SUID: want a known one, have '%.*s'", SPAN_FMT(span_first(suid, 20)));
	out->suid = (unsigned int)v;
	return OK;
}

enum err retrieval_path_parse(struct span path, struct retrieval_ask *out, struct why *why)
{
	*out = (struct retrieval_ask){.suid = 0};
	if (!span_starts(path, M2M_RETRIEVAL_PATH "/"))
		return WHY(why, M2M_PATH, CLAUSE_PATH, "path: want %s/..., have '%.*s'", M2M_RETRIEVAL_PATH, SPAN_FMT(span_first(path, 80)));
	struct span rest = span_from(path, strlen(M2M_RETRIEVAL_PATH) + 1);
	struct span id = span_first(rest, span_find(rest, '/'));
	struct retrieval_ask ask = {.suid = 0};
	if (id.n < rest.n) {
		TRY(parse_published(path, id, span_from(rest, id.n + 1), &ask, why));
	} else if (!m2m_relative_parse(id, ask.relative)) {
		return malformed(path, why);
	}
	*out = ask;
	return OK;
}

enum err retrieval_path_write(const char *keid, unsigned int suid, struct buf *out, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {NULL, 0};

	TRY(m2m_keyid_parse(span_text(keid), relative, normal, &fqdn, why));
	if (!suid_known(suid))
		return WHY(why, M2M_SUID, "TS-0004 6.3.4.2.39", "SUID: want a known one, have %u", suid);
	buf_put_fmt(out, "%s/%.*s%%40%s/%u", M2M_RETRIEVAL_PATH, 2 * M2M_RELATIVE_SIZE, normal, (const char *)fqdn.p, suid);
	return buf_check(out, "path", why);
}

enum err retrieval_answer_write(const struct retrieval_answer *a, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, ANSWER);

	doc_put_bool(&arena, top, "Status", a->status);
	if (a->status) {
		message_put_secret(&arena, top, "Credential", &a->credential);
		message_put_text(&arena, top, "EnroleeID", a->enrolee_id);
		doc_put_number(&arena, top, "Lifetime", a->lifetime_s);
	} else {
		doc_put_text(&arena, top, "ErrorString", span_text(a->error ? a->error : ""));
	}
	return doc_write(top, form, out, why);
}

static enum err read_answer(struct message *m, struct retrieval_answer *out, struct why *why)
{
	TRY(message_bool(m, "Status", MANDATORY, &out->status, why));
	if (!out->status) {
		m->clause = CLAUSE_ERROR;
		return message_text(m, "ErrorString", OPTIONAL, MESSAGE_TEXT_MAX, &out->error, why);
	}
	TRY(message_secret(m, "Credential", MANDATORY, M2M_KEY_SIZE, M2M_KEY_SIZE, &out->credential, why));
	TRY(message_id(m, "EnroleeID", OPTIONAL, &out->enrolee_id, why));
	return message_number(m, "Lifetime", MANDATORY, 0, MESSAGE_LIFETIME_MAX_S, &out->lifetime_s, why);
}

enum err retrieval_answer_parse(enum doc_form form, struct span in, struct arena *arena, struct retrieval_answer *out, struct why *why)
{
	struct message m = {.clause = CLAUSE_ANSWER};

	*out = (struct retrieval_answer){.enrolee_id = "", .error = ""};
	TRY(message_open(form, in, ANSWER, arena, &m, why));
	enum err err = read_answer(&m, out, why);
	if (err != OK) {
		secret_wipe(&out->credential);
		out->status = false;
	}
	return err;
}
