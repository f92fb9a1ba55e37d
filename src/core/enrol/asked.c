#include "core/enrol/asked.h"

#include "pki/csr.h"
#include "pki/oid.h"
#include "proto/m2m/prefs.h"


enum { SHOWN_MAX = 110, PREFS_ARENA_MAX = 256 * 1024 };

static enum err take_label(const struct est_label *label, struct arena *arena, struct attrs_asked *out, struct why *why)
{
	*out = (struct attrs_asked){
		.label = label, .key = label->ask_key, .must = label->challenge == CHALLENGE_REQUIRED};
	for (size_t i = 0; i < label->ask_ekus_n; i++) {
		struct buf oid OWNED_BUF = BUF(64);
		TRY(oid_parse(label->ask_ekus[i], &oid, why));
		out->ekus.oids[i] = arena_copy(arena, buf_span(&oid));
		if (!out->ekus.oids[i].p)
			return WHY(why, NOMEM, "", "extended key usages asked for");
		out->ekus.n++;
	}
	return name_template_read(span_text(label->ask_subject), arena, &out->subject, why);
}

static enum err take_own(const struct prefs *own, struct arena *arena, struct attrs_asked *out, struct why *why)
{
	/* RFC 9908 1: a list cannot ask for a subject, and what was not asked is not enforced */
	if (own->ask_subject && own->ask_subject[0] && out->label->attrs != ATTRS_LEGACY)
		TRY(name_template_read(span_text(own->ask_subject), arena, &out->subject, why));
	if (own->ask_ekus && own->ask_ekus[0])
		TRY(eku_list_read(span_text(own->ask_ekus), arena, &out->ekus, why));
	if (own->ask_key && own->ask_key[0])
		out->key = key_spec_parse(span_text(own->ask_key));
	return OK;
}

enum err asked_find(struct store *store, const struct est_label *label, const char *enrolee_id,
	struct arena *arena, struct attrs_asked *out, struct why *why)
{
	struct arena scratch OWNED_ARENA = ARENA(PREFS_ARENA_MAX);
	struct span json = {NULL, 0};
	struct prefs own;
	struct why found = {0};

	TRY(take_label(label, arena, out, why));
	if (!enrolee_id)
		return OK;
	enum err err = store->ops->prefs_get(store->self, PREFS_ENROLEE, enrolee_id, &scratch, &json, &found);
	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK) {
		*why = found;
		return err;
	}
	if (prefs_parse(json, &scratch, &own, &found) != OK)
		return WHY(why, PREFS_STORED, "", "preferences of '%.60s': %s", enrolee_id, found.text);
	return take_own(&own, arena, out, why);
}

static enum err refuse_part(const struct attrs_asked *a, size_t at, struct span subject, struct arena *arena, struct why *why)
{
	struct buf want OWNED_BUF = BUF(1024);
	const char *have = "";

	if (at < a->subject.n)
		name_part_put(&want, &a->subject.parts[at]);
	else
		buf_put_text(&want, "nothing more");
	TRY(name_text(subject, arena, &have, why));
	return WHY(why, POLICY_ASK_SUBJECT, "RFC 9908 3.4", "subject, attribute %zu: want %.*s, have '%.*s'", at + 1,
		SPAN_FMT(span_first(buf_span(&want), SHOWN_MAX)), SPAN_FMT(span_first(span_text(have), SHOWN_MAX)));
}

static bool leaves_cn(const struct name_template *t)
{
	for (size_t i = 0; i < t->n; i++) {
		if (span_equal(t->parts[i].type, OID_COMMON_NAME) && t->parts[i].value.n == 0)
			return true;
	}
	return false;
}

enum err asked_subject(const struct attrs_asked *a, const struct enrolee *e, struct span subject, struct arena *arena,
	struct why *why)
{
	struct span cn = {NULL, 0};
	size_t at = 0;

	if (!name_template_fits(&a->subject, subject, &at))
		return refuse_part(a, at, subject, arena, why);
	if (!leaves_cn(&a->subject))
		return OK;
	/* TS-0003 8.3.6.2: whoever fills it in can only name itself */
	TRY(name_cn(subject, arena, &cn, why));
	if (span_is(cn, e->id) || span_is(cn, e->entity_id))
		return OK;
	return WHY(why, POLICY_ASK_SUBJECT, "TS-0003 8.3.6.2", "subject: want CN=%.*s or CN=%.*s, have CN=%.*s",
		SPAN_FMT(span_first(span_text(e->id), 64)), SPAN_FMT(span_first(span_text(e->entity_id), 80)),
		SPAN_FMT(span_first(cn, SHOWN_MAX)));
}

static bool list_has(const struct eku_list *list, struct span oid)
{
	for (size_t i = 0; i < list->n; i++) {
		if (span_equal(list->oids[i], oid))
			return true;
	}
	return false;
}

static enum err refuse_eku(const char *clause, const char *how, struct span oid, struct arena *arena, struct why *why)
{
	const char *name = oid_text(oid, arena);

	return WHY(why, POLICY_EKU, clause, "extendedKeyUsage: want %s%s", how, name ? name : "another");
}

static enum err check_ekus(const struct attrs_asked *a, const struct csr *csr, struct arena *arena, struct why *why)
{
	if (a->ekus.n == 0)
		return OK;
	for (size_t i = 0; i < a->ekus.n && a->must; i++) {
		if (!list_has(&csr->ekus, a->ekus.oids[i]))
			return refuse_eku("TS-0003 8.3.6.2", csr->ekus.n ? "among others " : "", a->ekus.oids[i], arena, why);
	}
	for (size_t i = 0; i < csr->ekus.n; i++) {
		if (!list_has(&a->ekus, csr->ekus.oids[i]))
			return refuse_eku("TS-0003 8.3.6.2", "only those that csrattrs asks for, have ", csr->ekus.oids[i], arena, why);
	}
	return OK;
}

enum err asked_rest(const struct attrs_asked *a, const struct csr *csr, struct arena *arena, struct why *why)
{
	TRY(check_ekus(a, csr, arena, why));
	if (!a->must)
		return OK;
	if (a->key != KEY_NONE && csr->key_spec != a->key)
		return WHY(why, POLICY_KEY, "TS-0003 10.1.1.1", "key: want %s, have %s", key_spec_name(a->key),
			key_spec_name(csr->key_spec));
	/* csrattrs always asks for it; RFC 9908 3.2: an extension that is given a value is to be there with it */
	if (!csr->has_key_usage || !(csr->key_usage & KU_DIGITAL_SIGNATURE))
		return WHY(why, POLICY_KEY_USAGE, "TS-0003 10.1.1.1", "keyUsage: want digitalSignature, have %s",
			csr->has_key_usage ? "other bits" : "none");
	return OK;
}
