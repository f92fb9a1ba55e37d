#include "proto/m2m/maf.h"

#include "base/date.h"
#include "base/text.h"
#include "proto/m2m/message.h"

#define CLAUSE_CLIENT "TS-0003 8.8.2.3"
#define CLAUSE_KEY "TS-0003 8.8.2.7"

enum { MAF_KEY_MIN = 16 }; /* octets: 128 bits */

/*
 * Every name of the Mmaf reference point that is ours, not TS-0003's. TS-0032 has the right ones: when it can be read,
 * this table changes and nothing else (docs/decisions/0014).
 */
#define ELEMENT_CLIENT "mafClientReg"
#define ELEMENT_KEY "symmKeyReg"
static const struct {
	const char *name; /* behind M2M_MAF_PATH */
	enum maf_path all, one;
} paths[] = {
	{"clientReg", MAF_PATH_CLIENTS, MAF_PATH_CLIENT},
	{"symmKeyReg", MAF_PATH_KEYS, MAF_PATH_KEY},
};
#define CLIENT_REG_ID "clientRegID"
#define CLIENT_ID "clientID"
#define ASSIGNED_KEY_ID "assignedSymmKeyID"
#define ADMIN_FQDN "adminFQDN"
#define EXPIRATION_TIME "expirationTime"
#define LABELS "labels"
#define RELATIVE_KEY_ID "relativeKeyID"
#define SOURCE_CLIENT_ID "sourceClientID"
#define SUID "SUID"
#define TARGET_IDS "targetIDs"
#define KEY_VALUE "keyValue"

enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

/* TS-0003 12.2: letters, digits, '.', '_' and '-'; what may be a RelativeKeyID in its normal form */
static bool parse_reg_id(struct span text, char out[MAF_ID_SIZE])
{
	uint8_t relative[M2M_RELATIVE_SIZE];

	if (!text_is_name(text, "._-") || !text_copy(out, MAF_ID_SIZE, text))
		return false;
	for (size_t i = 0; m2m_relative_parse(text, relative) && i < text.n; i++)
		out[i] = (char)(out[i] >= 'a' ? out[i] - ('a' - 'A') : out[i]);
	return true;
}

enum err maf_path_parse(struct span path, enum maf_path *out, char id_out[MAF_ID_SIZE], struct why *why)
{
	struct span rest = span_from(path, strlen(M2M_MAF_PATH));
	struct span name = span_first(rest, span_find(rest, '/'));
	size_t i = 0;

	id_out[0] = '\0';
	while (i < PATHS && !span_is(name, paths[i].name))
		i++;
	if (!span_starts(path, M2M_MAF_PATH) || i == PATHS)
		return WHY(why, M2M_PATH, "TS-0003 8.8.2", "path: want %sclientReg or %ssymmKeyReg, have '%.*s'", M2M_MAF_PATH, M2M_MAF_PATH,
			SPAN_FMT(span_first(path, 80)));
	*out = name.n == rest.n ? paths[i].all : paths[i].one;
	if (name.n < rest.n && !parse_reg_id(span_from(rest, name.n + 1), id_out)) {
		id_out[0] = '\0';
		return WHY(why, M2M_PATH_SYNTAX, "TS-0003 12.2", "path: want %s%s/ and 1 to %d letters, digits, . _ -", M2M_MAF_PATH,
			paths[i].name, MAF_ID_SIZE - 1);
	}
	return OK;
}

/* TS-0004 6.3.3: m2m:timestamp */
static enum err read_time(const struct message *m, int64_t *out, struct why *why)
{
	const char *text = "";

	TRY(message_text(m, EXPIRATION_TIME, OPTIONAL, DATE_TEXT_SIZE, &text, why));
	return text[0] ? why_within(date_basic_parse(span_text(text), out, why), EXPIRATION_TIME, why) : OK;
}

static void put_time(struct arena *arena, struct doc *top, int64_t expires_s)
{
	char text[DATE_TEXT_SIZE];

	date_basic(expires_s, text);
	if (expires_s)
		doc_put_text(arena, top, EXPIRATION_TIME, span_text(text));
}

static enum err read_reg_id(const struct message *m, const char *name, const char **out, struct why *why)
{
	char id[MAF_ID_SIZE];
	const char *text = "";

	TRY(message_text(m, name, OPTIONAL, MAF_ID_SIZE - 1, &text, why));
	if (!text[0])
		return OK;
	if (!parse_reg_id(span_text(text), id))
		return WHY(why, MESSAGE_FIELD, "TS-0003 12.2", "%s: want letters, digits, . _ -", name);
	*out = arena_text(m->arena, span_text(id));
	return *out ? OK : WHY(why, NOMEM, "", "message");
}

struct texts_rule {
	const char *name;
	size_t most, octets;
	bool ids; /* CSE-IDs and AE-IDs: in normal form */
};

static enum err read_item(const struct message *m, const struct texts_rule *rule, const struct doc *f, const char **out,
	struct why *why)
{
	char normal[M2M_ID_MAX + 1];

	if (f->kind != DOC_TEXT || f->text.n == 0 || f->text.n > rule->octets)
		return WHY(why, MESSAGE_FIELD, m->clause, "%s: want texts of 1 to %zu octets", rule->name, rule->octets);
	*out = (const char *)f->text.p;
	if (!rule->ids)
		return OK;
	TRY(why_within(m2m_id_normal(f->text, normal, why), rule->name, why));
	*out = arena_text(m->arena, span_text(normal));
	return *out ? OK : WHY(why, NOMEM, "", "message");
}

/* XML has no empty list: one that is to become empty is written as one empty text. */
static enum err read_texts(const struct message *m, const struct texts_rule *rule, struct maf_texts *out, bool *has, struct why *why)
{
	const struct doc *first = doc_find(m->doc, rule->name);

	*has = first != NULL;
	if (first && !doc_again(first) && first->text.n == 0 && (first->kind == DOC_TEXT || first->kind == DOC_NULL))
		return OK;
	for (const struct doc *f = first; f; f = doc_again(f)) {
		if (out->n == rule->most)
			return WHY(why, MESSAGE_LIMIT, m->clause, "%s: want at most %zu", rule->name, rule->most);
		TRY(read_item(m, rule, f, &out->items[out->n++], why));
	}
	return OK;
}

static void put_texts(struct arena *arena, struct doc *top, const char *name, bool has, const struct maf_texts *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		doc_put_list_text(arena, top, name, span_text(texts->items[i]));
	if (has && texts->n == 0)
		doc_put_list_text(arena, top, name, span_text(""));
}

static const struct texts_rule labels_rule = {LABELS, MAF_LABELS_MAX, MAF_LABEL_MAX, false};
static const struct texts_rule targets_rule = {TARGET_IDS, MAF_TARGETS_MAX, M2M_ID_MAX, true};

/* KmId, in the form in which a psk_identity is looked up */
static enum err read_key_id(const struct message *m, const char **out, struct why *why)
{
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {NULL, 0};
	const char *text = "";

	TRY(message_text(m, ASSIGNED_KEY_ID, OPTIONAL, M2M_KEYID_SIZE - 1, &text, why));
	if (!text[0])
		return OK;
	/* TS-0003 10.6: the left part of a KmId is not case sensitive */
	TRY(why_within(m2m_named_parse(span_text(text), true, normal, &fqdn, why), ASSIGNED_KEY_ID, why));
	*out = arena_text(m->arena, span_text(normal));
	return *out ? OK : WHY(why, NOMEM, "", "message");
}

enum err maf_client_parse(enum doc_form form, struct span in, struct arena *arena, struct maf_client *out, struct why *why)
{
	struct message m = {.clause = CLAUSE_CLIENT};

	*out = (struct maf_client){.id = "", .client_id = "", .key_id = "", .admin_fqdn = ""};
	TRY(message_open(form, in, ELEMENT_CLIENT, arena, &m, why));
	TRY(read_reg_id(&m, CLIENT_REG_ID, &out->id, why));
	TRY(message_id(&m, CLIENT_ID, OPTIONAL, &out->client_id, why));
	TRY(read_key_id(&m, &out->key_id, why));
	TRY(message_fqdn(&m, ADMIN_FQDN, OPTIONAL, &out->admin_fqdn, why));
	TRY(read_time(&m, &out->expires_s, why));
	return read_texts(&m, &labels_rule, &out->labels, &out->has_labels, why);
}

enum err maf_client_write(const struct maf_client *c, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, ELEMENT_CLIENT);

	message_put_text(&arena, top, CLIENT_REG_ID, c->id);
	message_put_text(&arena, top, CLIENT_ID, c->client_id);
	message_put_text(&arena, top, ASSIGNED_KEY_ID, c->key_id);
	message_put_text(&arena, top, ADMIN_FQDN, c->admin_fqdn);
	put_time(&arena, top, c->expires_s);
	put_texts(&arena, top, LABELS, c->has_labels, &c->labels);
	return doc_write(top, form, out, why);
}

static enum err read_suid(const struct message *m, unsigned int *out, struct why *why)
{
	int64_t v = 0;

	TRY(message_number(m, SUID, OPTIONAL, 0, 99, &v, why));
	if (v && !suid_known((unsigned int)v))
		return WHY(why, M2M_SUID, "TS-0004 6.3.4.2.39", "SUID: want a known one, have %d", (int)v);
	*out = (unsigned int)v;
	return OK;
}

static enum err read_key(const struct message *m, struct maf_key *out, struct why *why)
{
	TRY(read_reg_id(m, RELATIVE_KEY_ID, &out->relative_id, why));
	TRY(message_id(m, SOURCE_CLIENT_ID, OPTIONAL, &out->source_id, why));
	TRY(message_fqdn(m, ADMIN_FQDN, OPTIONAL, &out->admin_fqdn, why));
	TRY(read_suid(m, &out->suid, why));
	TRY(read_time(m, &out->expires_s, why));
	TRY(read_texts(m, &labels_rule, &out->labels, &out->has_labels, why));
	TRY(read_texts(m, &targets_rule, &out->targets, &out->has_targets, why));
	return message_secret(m, KEY_VALUE, OPTIONAL, MAF_KEY_MIN, SECRET_MAX, &out->value, why);
}

enum err maf_key_parse(enum doc_form form, struct span in, struct arena *arena, struct maf_key *out, struct why *why)
{
	struct message m = {.clause = CLAUSE_KEY};

	*out = (struct maf_key){.relative_id = "", .source_id = "", .admin_fqdn = ""};
	TRY(message_open(form, in, ELEMENT_KEY, arena, &m, why));
	return read_key(&m, out, why);
}

enum err maf_key_write(const struct maf_key *k, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, ELEMENT_KEY);

	message_put_text(&arena, top, RELATIVE_KEY_ID, k->relative_id);
	message_put_text(&arena, top, SOURCE_CLIENT_ID, k->source_id);
	message_put_text(&arena, top, ADMIN_FQDN, k->admin_fqdn);
	if (k->suid)
		doc_put_number(&arena, top, SUID, k->suid);
	put_time(&arena, top, k->expires_s);
	put_texts(&arena, top, LABELS, k->has_labels, &k->labels);
	put_texts(&arena, top, TARGET_IDS, k->has_targets, &k->targets);
	if (k->value.n)
		message_put_secret(&arena, top, KEY_VALUE, &k->value);
	return doc_write(top, form, out, why);
}
