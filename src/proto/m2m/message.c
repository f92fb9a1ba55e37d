#include "proto/m2m/message.h"

#include "base/base64.h"
#include "wire/uri.h"

#include <stdio.h>

enum { BASE64_MAX = (SECRET_MAX + 2) / 3 * 4 + 16 /* line breaks */ };

enum err message_cite(enum err err, const char *clause, struct why *why)
{
	if (err != OK && why->kind == ERR_SYNTAX && !why->clause[0])
		snprintf(why->clause, sizeof(why->clause), "%s", clause);
	return err;
}

enum err message_open(enum doc_form form, struct span in, const char *name, struct arena *arena,
	struct message *out, struct why *why)
{
	struct doc *top = NULL;

	TRY(message_cite(doc_parse(form, in, arena, &top, why), out->clause, why));
	if (form == DOC_XML && strcmp(top->name, name) != 0)
		return WHY(why, MESSAGE_NAME, out->clause, "message: want element %s, have %s", name, top->name);
	out->doc = top;
	out->arena = arena;
	return OK;
}

enum err message_need(const struct message *m, const char *name, enum presence p, struct why *why)
{
	const struct doc *f = doc_find(m->doc, name);

	if (p == MANDATORY && (!f || f->kind == DOC_NULL))
		return WHY(why, MESSAGE_FIELD, m->clause, "%s: want it, have none", name);
	return OK;
}

enum err message_bool(const struct message *m, const char *name, enum presence p, bool *out, struct why *why)
{
	TRY(message_need(m, name, p, why));
	return message_cite(doc_bool(m->doc, name, out, why), m->clause, why);
}

enum err message_number(const struct message *m, const char *name, enum presence p, int64_t min, int64_t max,
	int64_t *out, struct why *why)
{
	TRY(message_need(m, name, p, why));
	return message_cite(doc_number(m->doc, name, min, max, out, why), m->clause, why);
}

enum err message_text(const struct message *m, const char *name, enum presence p, size_t max, const char **out, struct why *why)
{
	const char *text = "";

	TRY(message_need(m, name, p, why));
	TRY(message_cite(doc_text(m->doc, name, max, &text, why), m->clause, why));
	if (p == MANDATORY && !text[0])
		return WHY(why, MESSAGE_FIELD, m->clause, "%s: want text, have an empty one", name);
	if (text[0])
		*out = text;
	return OK;
}

/* Copies a normal form; empty text of an optional field counts as absent. */
static enum err keep(const struct message *m, const char *normal, const char **out, struct why *why)
{
	char *copy = arena_text(m->arena, span_text(normal));

	if (!copy)
		return WHY(why, NOMEM, "", "message");
	*out = copy;
	return OK;
}

enum err message_id(const struct message *m, const char *name, enum presence p, const char **out, struct why *why)
{
	char normal[M2M_ID_MAX + 1];
	const char *text = "";

	TRY(message_text(m, name, p, M2M_ID_MAX, &text, why));
	if (!text[0])
		return OK;
	TRY(why_within(m2m_id_normal(span_text(text), normal, why), name, why));
	return keep(m, normal, out, why);
}

enum err message_fqdn(const struct message *m, const char *name, enum presence p, const char **out, struct why *why)
{
	char normal[M2M_FQDN_MAX + 1];
	const char *text = "";

	TRY(message_text(m, name, p, M2M_FQDN_MAX, &text, why));
	if (!text[0])
		return OK;
	TRY(why_within(m2m_fqdn_parse(span_text(text), normal, why), name, why));
	return keep(m, normal, out, why);
}

enum err message_uri(const struct message *m, const char *name, enum presence p, const char **out, struct why *why)
{
	const char *text = "";
	struct uri uri;

	TRY(message_text(m, name, p, MESSAGE_URI_MAX, &text, why));
	if (!text[0])
		return OK;
	TRY(why_within(uri_parse(span_text(text), &uri, why), name, why));
	if (!span_is_nocase(uri.scheme, "https"))
		return WHY(why, MESSAGE_FIELD, m->clause, "%s: want an https URI", name);
	*out = text;
	return OK;
}

unsigned int message_suid(const struct doc *leaf)
{
	/* the names that people may use are no part of messages */
	bool digits = leaf->text.n == 2 && leaf->text.p[0] >= '0' && leaf->text.p[0] <= '9';

	return digits && (leaf->kind == DOC_NUMBER || leaf->kind == DOC_TEXT) ? suid_parse(leaf->text) : 0;
}

enum err message_usages(const struct message *m, const char *name, enum suid_origin origin, struct suid_list *out, struct why *why)
{
	*out = (struct suid_list){.n = 0};
	for (const struct doc *f = doc_find(m->doc, name); f; f = doc_again(f)) {
		unsigned int suid = message_suid(f);
		if (suid == 0 || suid_origin_of(suid) != origin || !suid_list_add(out, suid))
			return WHY(why, MESSAGE_FIELD, m->clause, "%s: want SUIDs of TS-0004 6.3.4.2.39 that begin with %d", name,
				(int)origin);
	}
	return OK;
}

enum err message_secret(const struct message *m, const char *name, enum presence p, size_t min, size_t max,
	struct secret *out, struct why *why)
{
	struct buf bytes __attribute__((cleanup(buf_fini_wipe))) = BUF(SECRET_MAX + 3);
	const char *text = "";

	TRY(message_text(m, name, p, BASE64_MAX, &text, why));
	if (!text[0])
		return OK;
	TRY(buf_room(&bytes, SECRET_MAX + 3) ? OK : WHY(why, NOMEM, "", "message")); /* so that it never moves */
	TRY(why_within(base64_parse(span_text(text), &bytes, why), name, why));
	if (bytes.n < min || bytes.n > max || !secret_set(out, buf_span(&bytes)))
		return WHY(why, MESSAGE_FIELD, m->clause, "%s: want %zu to %zu octets, have %zu", name, min, max, bytes.n);
	return OK;
}

void message_put_usages(struct arena *arena, struct doc *to, const char *name, const struct suid_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		doc_put_list_number(arena, to, name, l->items[i]);
}

void message_put_text(struct arena *arena, struct doc *to, const char *name, const char *text)
{
	if (text && text[0])
		doc_put_text(arena, to, name, span_text(text));
}

void message_put_secret(struct arena *arena, struct doc *to, const char *name, const struct secret *s)
{
	struct buf text __attribute__((cleanup(buf_fini_wipe))) = BUF(BASE64_MAX);

	base64_write(&text, secret_span(s), 0);
	if (text.bad && to)
		to->bad = true;
	else
		doc_put_text(arena, to, name, buf_span(&text));
}
