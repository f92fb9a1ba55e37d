#include "core/exchange/state.h"

#include "base/hex.h"
#include "base/text.h"
#include "port/store.h"

enum { STEP_NUMBER_MAX = STATE_STEPS_MAX + 1 };

static void put_usages(struct arena *arena, struct doc *at, const struct suid_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		doc_put_list_number(arena, at, "usages", l->items[i]);
}

static void put_step(struct arena *arena, struct doc *top, const struct step *s)
{
	struct doc *d = doc_put_object(arena, top, "steps", true);

	doc_put_number(arena, d, "kind", s->kind);
	doc_put_number(arena, d, "outcome", s->outcome);
	if (s->kind == EXCHANGE_CERTIFICATE) {
		doc_put_text(arena, d, "uri", span_text(s->est_uri));
		put_usages(arena, d, &s->usages);
		return;
	}
	doc_put_text(arena, d, "id", span_text(s->maf.fqdn));
	doc_put_text(arena, d, "uri", span_text(s->maf.uri));
	doc_put_number(arena, d, "credential", s->maf.credential);
	put_usages(arena, d, &s->maf.usages);
}

static void put_target(struct arena *arena, struct doc *top, const struct prefs_target *t)
{
	struct doc *d = doc_put_object(arena, top, "targets", true);

	doc_put_text(arena, d, "id", span_text(t->id));
	put_usages(arena, d, &t->usages);
}

enum err state_write(const struct state *s, struct arena *arena, struct buf *out, struct why *why)
{
	struct doc *top = doc_new(arena, "");
	char hash[2 * STATE_TOKEN_SIZE + 1];

	doc_put_bool(arena, top, "certificate", s->certificate);
	doc_put_bool(arena, top, "maf", s->maf);
	doc_put_bool(arena, top, "required", s->required);
	if (s->has_token) {
		hex_text(s->token, STATE_TOKEN_SIZE, hash);
		doc_put_text(arena, top, "token", span_text(hash));
	}
	doc_put_text(arena, top, "kreId", span_text(s->kreid));
	doc_put_number(arena, top, "at", (int64_t)s->at);
	doc_put_number(arena, top, "told", (int64_t)s->told);
	for (size_t i = 0; i < s->steps_n; i++)
		put_step(arena, top, &s->steps[i]);
	for (size_t i = 0; i < s->targets_n; i++)
		put_target(arena, top, &s->targets[i]);
	TRY(doc_write(top, DOC_JSON, out, why));
	if (out->n > STORE_KEY_INFO_MAX)
		return WHY(why, EXCHANGE_LONG, "", "exchange: want at most %d octets, have %zu",
			STORE_KEY_INFO_MAX, out->n);
	return OK;
}

static enum err get_size(
	const struct doc *d, const char *name, int64_t max, size_t *out, struct why *why)
{
	int64_t v = 0;

	TRY(doc_number(d, name, 0, max, &v, why));
	*out = (size_t)v;
	return OK;
}

static enum err get_usages(const struct doc *d, struct suid_list *out, struct why *why)
{
	uint64_t v = 0;

	for (const struct doc *u = doc_find(d, "usages"); u; u = doc_again(u)) {
		TRY(text_number(u->text, 0, 255, "usages", &v, why));
		if (!suid_list_add(out, (unsigned int)v))
			return WHY(why, EXCHANGE_STORED, "", "usages: have %u", (unsigned int)v);
	}
	return OK;
}

static enum err get_step(const struct doc *d, struct step *out, struct why *why)
{
	size_t kind = 0, outcome = 0, credential = 0;

	TRY(get_size(d, "kind", EXCHANGE_MAF, &kind, why));
	TRY(get_size(d, "outcome", STEP_SKIPPED, &outcome, why));
	out->kind = (enum exchange_kind)kind;
	out->outcome = (enum step_outcome)outcome;
	if (out->kind == EXCHANGE_CERTIFICATE) {
		TRY(doc_text(d, "uri", PREFS_URI_MAX * 2, &out->est_uri, why));
		TRY(get_usages(d, &out->usages, why));
	} else {
		TRY(doc_text(d, "id", M2M_FQDN_MAX, &out->maf.fqdn, why));
		TRY(doc_text(d, "uri", PREFS_URI_MAX, &out->maf.uri, why));
		TRY(get_size(d, "credential", MAF_BY_CERTIFICATE, &credential, why));
		out->maf.credential = (enum maf_credential)credential;
		TRY(get_usages(d, &out->maf.usages, why));
	}
	bool certificate = out->kind == EXCHANGE_CERTIFICATE && out->est_uri;
	bool maf = out->kind == EXCHANGE_MAF && out->maf.fqdn && out->maf.uri && credential;
	return certificate || maf ? OK : WHY(why, EXCHANGE_STORED, "", "steps: one lacks a field");
}

static enum err get_target(const struct doc *d, struct prefs_target *out, struct why *why)
{
	TRY(doc_text(d, "id", M2M_ID_MAX, &out->id, why));
	TRY(get_usages(d, &out->usages, why));
	return out->id ? OK : WHY(why, EXCHANGE_STORED, "", "targets: one lacks its id");
}

static enum err get_lists(const struct doc *top, struct state *out, struct why *why)
{
	for (const struct doc *d = doc_find(top, "steps"); d; d = doc_again(d)) {
		if (out->steps_n == STATE_STEPS_MAX)
			return WHY(why, EXCHANGE_STORED, "", "steps: want at most %d",
				STATE_STEPS_MAX);
		TRY(get_step(d, &out->steps[out->steps_n++], why));
	}
	for (const struct doc *d = doc_find(top, "targets"); d; d = doc_again(d)) {
		if (out->targets_n == PREFS_TARGETS_MAX)
			return WHY(why, EXCHANGE_STORED, "", "targets: want at most %d",
				PREFS_TARGETS_MAX);
		TRY(get_target(d, &out->targets[out->targets_n++], why));
	}
	return OK;
}

static enum err get_token(const struct doc *top, struct state *out, struct why *why)
{
	const char *text = NULL;
	size_t n = 0;

	TRY(doc_text(top, "token", 2 * STATE_TOKEN_SIZE, &text, why));
	if (!text)
		return OK;
	out->has_token = true;
	TRY(hex_parse(span_text(text), out->token, STATE_TOKEN_SIZE, &n, why));
	return n == STATE_TOKEN_SIZE ? OK
				     : WHY(why, EXCHANGE_STORED, "", "token: have %zu octets", n);
}

static enum err get_all(const char *info, struct arena *arena, struct state *out, struct why *why)
{
	struct doc *top = NULL;

	TRY(doc_parse(DOC_JSON, span_text(info), arena, &top, why));
	TRY(doc_bool(top, "certificate", &out->certificate, why));
	TRY(doc_bool(top, "maf", &out->maf, why));
	TRY(doc_bool(top, "required", &out->required, why));
	TRY(get_token(top, out, why));
	TRY(doc_text(top, "kreId", M2M_KEYID_SIZE, &out->kreid, why));
	TRY(get_size(top, "at", STEP_NUMBER_MAX, &out->at, why));
	TRY(get_size(top, "told", STEP_NUMBER_MAX, &out->told, why));
	TRY(get_lists(top, out, why));
	bool whole =
		out->kreid && out->at >= 1 && out->at <= out->steps_n + 1 && out->told < out->at;
	return whole ? OK
		     : WHY(why, EXCHANGE_STORED, "", "exchange: step %zu of %zu", out->at,
			       out->steps_n);
}

enum err state_parse(const char *info, struct arena *arena, struct state *out, struct why *why)
{
	struct why inner = {0};

	*out = (struct state){0};
	enum err err = get_all(info, arena, out, &inner);
	if (err == OK)
		return OK;
	if (err > ERR_PENDING) {
		*why = inner;
		return err;
	}
	return WHY(why, EXCHANGE_STORED, "", "exchange: %s", inner.text);
}

void state_granted(const struct state *s, struct prefs *out)
{
	*out = (struct prefs){0};
	for (size_t i = 0; i < s->steps_n && i < s->at; i++) {
		const struct step *step = &s->steps[i];
		bool granted = step->outcome == STEP_OPEN || step->outcome == STEP_DONE;
		if (step->kind == EXCHANGE_MAF && granted && out->mafs_n < PREFS_MAFS_MAX)
			out->mafs[out->mafs_n++] = step->maf;
	}
	if (!state_ended(s))
		return;
	memcpy(out->targets, s->targets, sizeof(s->targets));
	out->targets_n = s->targets_n;
}
