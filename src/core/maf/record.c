#include "core/maf/inner.h"

#include "wire/doc.h"

/* A row that does not read back was not written by us, or the store is damaged. */
static enum err damaged(struct why *why)
{
	return WHY(why, MAF_RECORD, "", "record of a key: want the fields that were written, have others");
}

static void put_texts(struct arena *arena, struct doc *top, const char *name, const struct maf_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		doc_put_list_text(arena, top, name, span_text(texts->items[i]));
}

enum err record_write(const struct maf_record *r, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(MAF_ARENA_MAX);
	struct doc *top = doc_new(&arena, "record");
	struct why cause = {0};

	if (r->admin_fqdn)
		doc_put_text(&arena, top, "admin", span_text(r->admin_fqdn));
	if (r->suid)
		doc_put_number(&arena, top, "suid", r->suid);
	if (r->other_id)
		doc_put_text(&arena, top, "other", span_text(r->other_id));
	if (r->of_session)
		doc_put_bool(&arena, top, "session", true);
	put_texts(&arena, top, "labels", &r->labels);
	put_texts(&arena, top, "targets", &r->targets);
	enum err err = doc_write(top, DOC_JSON, out, &cause);
	if (err == ERR_LIMIT || (err == OK && out->n > STORE_KEY_INFO_MAX))
		return WHY(why, MAF_SIZE, "TS-0003 8.8.2.7", "labels and targetIDs: want at most %d octets together", STORE_KEY_INFO_MAX);
	if (err != OK && why->kind == OK)
		*why = cause;
	return err;
}

static enum err get_texts(const struct doc *top, const char *name, struct maf_texts *out, struct why *why)
{
	for (const struct doc *d = doc_find(top, name); d; d = doc_again(d)) {
		if (out->n == MAF_TARGETS_MAX || d->kind != DOC_TEXT)
			return damaged(why);
		out->items[out->n++] = (const char *)d->text.p;
	}
	return OK;
}

enum err record_parse(const char *info, struct arena *arena, struct maf_record *out, struct why *why)
{
	struct doc *top = NULL;
	struct why cause = {0};
	int64_t suid = 0;

	*out = (struct maf_record){.admin_fqdn = "", .other_id = ""};
	if (doc_parse(DOC_JSON, span_text(info), arena, &top, &cause) != OK
		|| doc_text(top, "admin", M2M_FQDN_MAX, &out->admin_fqdn, &cause) != OK
		|| doc_text(top, "other", M2M_KEYID_SIZE, &out->other_id, &cause) != OK
		|| doc_number(top, "suid", 0, 99, &suid, &cause) != OK
		|| doc_bool(top, "session", &out->of_session, &cause) != OK)
		return damaged(why);
	out->suid = (unsigned int)suid;
	TRY(get_texts(top, "labels", &out->labels, why));
	return get_texts(top, "targets", &out->targets, why);
}

enum err texts_copy(const struct maf_texts *from, struct arena *arena, struct maf_texts *out, struct why *why)
{
	*out = (struct maf_texts){0};
	for (size_t i = 0; i < from->n; i++) {
		out->items[i] = arena_text(arena, span_text(from->items[i]));
		if (!out->items[i])
			return WHY(why, NOMEM, "", "registration: want memory for its texts");
		out->n++;
	}
	return OK;
}
