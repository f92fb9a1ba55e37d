#include "app/openmef/shown.h"

#include "base/date.h"

#include <stdio.h>

const char *key_word(enum symkey_kind kind)
{
	switch (kind) {
	case SYMKEY_KPM:
		return "kpm";
	case SYMKEY_KRE:
		return "kre";
	case SYMKEY_KE:
		return "ke";
	case SYMKEY_KM:
		return "km";
	case SYMKEY_KC:
		return "kc";
	case SYMKEY_SRP:
		return "srp";
	case SYMKEY_KM_KEID:
	case SYMKEY_CLIENT:
		return NULL;
	}
	return NULL;
}

enum err key_kind_option(const struct cli *cli, enum symkey_kind *out, struct why *why)
{
	const char *name = cli_value(cli, "kind");

	if (!name)
		return OK;
	for (enum symkey_kind kind = SYMKEY_KPM; kind <= SYMKEY_SRP; kind++) {
		if (key_word(kind) && span_is_nocase(span_text(name), key_word(kind))) {
			*out = kind;
			return OK;
		}
	}
	return WHY(why, CLI_USAGE, "", "--kind: want kpm, kre, ke, srp, km or kc, have '%.20s'", name);
}

struct json *key_json(const struct symkey *k)
{
	struct json *j = json_object_new();

	json_put_text(j, "id", k->id);
	json_put_text(j, "kind", key_word(k->kind));
	json_put_text(j, "owner", k->owner);
	json_put_date(j, "created", k->created_s);
	json_put_date(j, "expires", k->expires_s);
	return j;
}

const char *key_ends(const struct symkey *k, int64_t now_s, char out[KEY_ENDS_SIZE])
{
	char date[DATE_TEXT_SIZE];

	if (!k->expires_s)
		return "never";
	date_text(k->expires_s, date);
	snprintf(out, KEY_ENDS_SIZE, "%s%s", date, k->expires_s <= now_s ? " (over)" : "");
	return out;
}
