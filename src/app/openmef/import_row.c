#include "app/openmef/import.h"

#include "app/import/targets.h"
#include "core/registry/form.h"

static enum err take_identity(const struct row *row, const struct conf *conf, int64_t now_s, struct enrolee *e, struct why *why)
{
	if (!entity_type_parse(span_text(row->texts[ROW_TYPE]), &e->entity_type))
		return WHY(why, IMPORT_CSV, "", "type: want node, cse, ae or fqdn, have '%.20s'", row->texts[ROW_TYPE]);
	e->id = row->texts[ROW_ID];
	e->entity_id = row->texts[ROW_ENTITY];
	e->label = row->texts[ROW_LABEL];
	e->profile = row->texts[ROW_PROFILE];
	e->state = ENROLEE_ENABLED;
	e->created_s = e->changed_s = now_s;
	if (e->profile[0] && !profile_find(&conf->profiles, e->profile))
		return WHY(why, CLI_NOT_FOUND, "", "[profile %.32s]: the configuration has no such section", e->profile);
	return enrolee_check(e, why);
}

static enum err take_credentials(const struct row *row, struct arena *arena, struct registration *out, struct why *why)
{
	static const uint8_t any[32];

	for (size_t i = 0; i < row->lists_n[ROW_CREDENTIALS]; i++)
		TRY(registration_credential(out, span_text(row->lists[ROW_CREDENTIALS][i]), any, arena, why));
	return OK;
}

static enum err take_prefs(const struct row *row, struct arena *arena, struct registration *out, struct why *why)
{
	const char *expiry = row->texts[ROW_EXPIRY];

	prefs_defaults(&out->prefs);
	for (size_t i = 0; i < row->lists_n[ROW_TARGETS]; i++)
		TRY(target_add(&out->prefs, span_text(row->lists[ROW_TARGETS][i]), arena, why));
	for (size_t i = 0; i < row->lists_n[ROW_MAFS]; i++)
		TRY(maf_add(&out->prefs, span_text(row->lists[ROW_MAFS][i]), arena, why));
	out->has_prefs = out->prefs.targets_n || out->prefs.mafs_n;
	return expiry[0] ? registration_expiry(out, span_text(expiry), why) : OK;
}

static enum err take_psk_name(const struct row *row, const struct conf *conf, struct arena *arena, struct registration *out,
	struct why *why)
{
	char kpmid[M2M_KEYID_SIZE];

	if (!row->texts[ROW_PSK_ID][0])
		return row->texts[ROW_PSK][0] ? WHY(why, IMPORT_CSV, "", "psk_id: want a KpmId for the psk, have none") : OK;
	TRY(psk_name(row->texts[ROW_PSK_ID], conf, kpmid, why));
	out->kpmid = arena_text(arena, span_text(kpmid));
	return out->kpmid ? OK : WHY(why, NOMEM, "", "psk_id");
}

enum err import_registration(const struct row *row, const struct conf *conf, int64_t now_s, struct arena *arena,
	struct registration *out, struct why *why)
{
	TRY(take_identity(row, conf, now_s, &out->enrolee, why));
	TRY(take_credentials(row, arena, out, why));
	TRY(take_psk_name(row, conf, arena, out, why));
	if (!out->creds_n && !out->kpmid)
		return WHY(why, IMPORT_CSV, "", "want a credential or a psk_id: else the device cannot show who it is");
	return take_prefs(row, arena, out, why);
}

static bool same_entity(const struct enrolee *a, const struct enrolee *kept)
{
	bool uri = a->entity_type == ENTITY_NODE || a->entity_type == ENTITY_AE;
	char normal[FORM_SIZE];

	if (a->entity_type != kept->entity_type)
		return false;
	const char *want = uri ? form_uri(span_text(a->entity_id), a->entity_type == ENTITY_AE, normal)
			       : form_dns(span_text(a->entity_id), normal);
	return !want && strcmp(normal, kept->entity_id) == 0;
}

enum err import_exists(struct store *store, const struct enrolee *e, struct arena *arena, bool *out, struct why *why)
{
	struct enrolee kept = {0};
	struct why none = {0};

	*out = false;
	enum err err = store->ops->enrolee_find(store->self, e->id, arena, &kept, &none);
	if (err == ERR_NOT_FOUND)
		return OK;
	if (err != OK) {
		*why = none;
		return err;
	}
	if (!same_entity(e, &kept))
		return WHY(why, STORE_ENROLEE_EXISTS, "", "%s: want %s %.100s, have %s %.100s under this id", e->id,
			entity_type_name(e->entity_type), e->entity_id, entity_type_name(kept.entity_type), kept.entity_id);
	*out = true;
	return OK;
}
