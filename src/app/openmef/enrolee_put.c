#include "app/openmef/enrolee_put.h"

#include "base/text.h"

void registration_fini(struct registration *r)
{
	secret_wipe(&r->kpm);
}

enum err registration_credential(struct registration *r, struct span text, const uint8_t anchor[32], struct arena *arena,
	struct why *why)
{
	size_t equals = span_find(text, '=');
	enum credential_kind kind = CREDENTIAL_CERT;

	if (equals == text.n || !credential_kind_parse(span_first(text, equals), &kind))
		return WHY(why, CREDENTIAL_WANTED, "", "want serial=, device=, fqdn=, uri=, key= or cert= and a value, have '%.*s'",
			SPAN_FMT(span_first(text, 80)));
	if (r->creds_n == CLI_REPEAT_MAX)
		return WHY(why, IMPORT_LIMIT, "", "credentials: want at most %d", CLI_REPEAT_MAX);
	struct credential *c = &r->creds[r->creds_n];
	*c = (struct credential){.kind = kind, .value = arena_text(arena, span_from(text, equals + 1))};
	if (!c->value)
		return WHY(why, NOMEM, "", "credential");
	memcpy(c->anchor, anchor, sizeof(c->anchor));
	TRY(credential_check(c, arena, why));
	r->creds_n++;
	return OK;
}

enum err registration_expiry(struct registration *r, struct span duration, struct why *why)
{
	TRY(text_duration(duration, "expiry", &r->prefs.enrolment_expiry_s, why));
	r->has_prefs = true;
	return OK;
}

enum err registration_put(struct store *store, const struct registration *r, const struct vault *vault, const char *mef_fqdn,
	struct why *why)
{
	const struct enrolee *e = &r->enrolee;
	OWNED_BUF struct buf json = BUF(STORE_PREFS_MAX);

	TRY(registry_add(store, e, r->creds, r->creds_n, e->created_s, why));
	if (r->kpmid)
		TRY(register_kpm(vault, e->id, r->kpmid, mef_fqdn, &r->kpm, 0, e->created_s, why));
	if (!r->has_prefs)
		return OK;
	TRY(prefs_write(&r->prefs, &json, why));
	return register_prefs(store, PREFS_ENROLEE, e->id, buf_span(&json), e->created_s, why);
}
