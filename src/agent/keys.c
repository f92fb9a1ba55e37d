#include "agent/keys.h"

#include "base/hex.h"
#include "base/mem.h"
#include "proto/m2m/derive.h"

#define KEYS_EXPIRES_MAX INT64_C(253402300799) /* the year 9999 */

void agent_keys_init(struct agent_keys *k)
{
	*k = (struct agent_keys){.arena = ARENA(AGENT_KEYS_ARENA_MAX), .enrolee_id = ""};
}

void agent_keys_fini(struct agent_keys *k)
{
	arena_fini(&k->arena);
	secret_wipe(&k->ke);
	secret_wipe(&k->kre);
	for (size_t i = 0; i < PREFS_MAFS_MAX; i++)
		secret_wipe(&k->mafs[i].km);
}

bool agent_keys_expired(const struct agent_keys *k, int64_t now_s)
{
	return now_s >= k->expires_s;
}

struct agent_maf *agent_keys_maf(struct agent_keys *k, struct span fqdn)
{
	for (size_t i = 0; i < k->mafs_n; i++) {
		if (span_is_nocase(fqdn, k->mafs[i].fqdn))
			return &k->mafs[i];
	}
	return NULL;
}

bool agent_keys_granted(const struct agent_keys *k, struct span target)
{
	for (size_t i = 0; i < k->mafs_n; i++) {
		if (span_is_nocase(target, k->mafs[i].fqdn))
			return true;
	}
	for (size_t i = 0; i < k->pairs_n; i++) {
		if (span_is_nocase(target, k->pairs[i].enrolee_b))
			return true;
	}
	return false;
}

enum err agent_keys_km(const struct secret *ke, struct span maf_id, bool by_10_3_2, struct secret *out, struct why *why)
{
	return by_10_3_2 ? m2m_derive_km(ke, maf_id, out, why)
			 : m2m_derive_constrained(ke, SUID_RSPF_MAF, maf_id, out, why);
}

static void put_secret(struct arena *arena, struct doc *parent, const char *name, const struct secret *s)
{
	char hex[2 * SECRET_MAX + 1];

	if (s->n == 0)
		return;
	hex_text(s->bytes, s->n, hex);
	doc_put_text(arena, parent, name, span_text(hex));
	mem_wipe(hex, sizeof(hex));
}

static void put_usages(struct arena *arena, struct doc *parent, const char *name, const struct suid_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		doc_put_list_number(arena, parent, name, l->items[i]);
}

static const char *credential_name(enum maf_credential c)
{
	return c == MAF_BY_CERTIFICATE ? "certificate" : "symmetricKey";
}

static void put_maf(struct arena *arena, struct doc *top, const struct agent_maf *m)
{
	struct doc *d = doc_put_object(arena, top, "mafs", true);

	doc_put_text(arena, d, "mafID", span_text(m->fqdn));
	doc_put_text(arena, d, "uri", span_text(m->uri));
	doc_put_text(arena, d, "credentialType", span_text(credential_name(m->credential)));
	put_usages(arena, d, "securityUsages", &m->usages);
	put_secret(arena, d, "km", &m->km);
	doc_put_text(arena, d, "kmId", span_text(m->kmid));
}

static void put_pair(struct arena *arena, struct doc *top, const struct exchange_pair *p)
{
	struct doc *d = doc_put_object(arena, top, "authorizedPairs", true);

	doc_put_text(arena, d, "enroleeBID", span_text(p->enrolee_b));
	doc_put_number(arena, d, "securityUsage", p->suid);
}

enum err agent_keys_write(const struct agent_keys *k, struct buf *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(AGENT_KEYS_ARENA_MAX);
	struct doc *top = doc_new(&arena, "");

	doc_put_text(&arena, top, "keId", span_text(k->keid));
	put_secret(&arena, top, "ke", &k->ke);
	doc_put_text(&arena, top, "kreId", span_text(k->kreid));
	put_secret(&arena, top, "kre", &k->kre);
	doc_put_number(&arena, top, "expires", k->expires_s);
	doc_put_text(&arena, top, "enroleeID", span_text(k->enrolee_id));
	put_usages(&arena, top, "certificateUsages", &k->certificate_usages);
	for (size_t i = 0; i < k->mafs_n; i++)
		put_maf(&arena, top, &k->mafs[i]);
	for (size_t i = 0; i < k->pairs_n; i++)
		put_pair(&arena, top, &k->pairs[i]);
	TRY(doc_write(top, DOC_JSON, out, why));
	/* what could not be read again must not be written */
	return out->n <= DOC_BYTES_MAX ? OK
		: WHY(why, AGENT_LIMIT, "", "keys: want at most %d octets, have %zu", DOC_BYTES_MAX, out->n);
}

static enum err wrong(const char *name, const char *want, struct why *why)
{
	return WHY(why, AGENT_KEYS_FILE, "", "keys.json: %s: want %s", name, want);
}

static enum err get_text(struct agent_keys *k, const struct doc *d, const char *name, size_t max, const char **out, struct why *why)
{
	const char *text = "";

	TRY(doc_text(d, name, max, &text, why));
	*out = arena_text(&k->arena, span_text(text));
	return *out ? OK : WHY(why, NOMEM, "", "%s", name);
}

static enum err get_secret(const struct doc *d, const char *name, bool must, struct secret *out, struct why *why)
{
	const char *hex = "";
	uint8_t octets[SECRET_MAX];
	size_t n = 0;
	struct why ignored = {0};

	TRY(doc_text(d, name, 2 * SECRET_MAX, &hex, why));
	if (!hex[0] && !must)
		return OK;
	/* the reason of the failure would quote the key */
	enum err err = hex_parse(span_text(hex), octets, sizeof(octets), &n, &ignored);
	bool good = err == OK && n == M2M_KEY_SIZE && secret_set(out, span_of(octets, n));
	mem_wipe(octets, sizeof(octets));
	return good ? OK : wrong(name, "64 hexadecimal digits", why);
}

static enum err get_keyid(const struct doc *d, const char *name, char out[M2M_KEYID_SIZE], struct why *why)
{
	const char *text = "";
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct span fqdn = {0};

	TRY(doc_text(d, name, M2M_KEYID_SIZE - 1, &text, why));
	return m2m_keyid_parse(span_text(text), relative, out, &fqdn, why);
}

static enum err get_usages(const struct doc *d, const char *name, struct suid_list *out, struct why *why)
{
	for (const struct doc *f = doc_find(d, name); f; f = doc_again(f)) {
		if (f->kind == DOC_NULL)
			continue;
		unsigned int suid = suid_parse(f->text);
		if (suid == 0 || !suid_list_add(out, suid))
			return wrong(name, "security usage identifiers", why);
	}
	return OK;
}

static enum err get_maf(struct agent_keys *k, const struct doc *d, struct why *why)
{
	struct agent_maf *m = &k->mafs[k->mafs_n];
	const char *credential = "";

	if (k->mafs_n == PREFS_MAFS_MAX)
		return wrong("mafs", "fewer", why);
	TRY(get_text(k, d, "mafID", M2M_FQDN_MAX, &m->fqdn, why));
	TRY(get_text(k, d, "uri", PREFS_URI_MAX, &m->uri, why));
	TRY(get_text(k, d, "kmId", M2M_KEYID_SIZE - 1, &m->kmid, why));
	TRY(doc_text(d, "credentialType", 32, &credential, why));
	m->credential = span_is(span_text(credential), "certificate") ? MAF_BY_CERTIFICATE : MAF_BY_SYMMETRIC_KEY;
	TRY(get_usages(d, "securityUsages", &m->usages, why));
	TRY(get_secret(d, "km", m->credential == MAF_BY_SYMMETRIC_KEY, &m->km, why));
	k->mafs_n++;
	return m->fqdn[0] ? OK : wrong("mafID", "a name", why);
}

static enum err get_pair(struct agent_keys *k, const struct doc *d, struct why *why)
{
	struct exchange_pair *p = &k->pairs[k->pairs_n];
	int64_t suid = 0;

	if (k->pairs_n == EXCHANGE_PAIRS_MAX)
		return wrong("authorizedPairs", "fewer", why);
	TRY(get_text(k, d, "enroleeBID", M2M_ID_MAX, &p->enrolee_b, why));
	TRY(doc_number(d, "securityUsage", 1, UINT8_MAX, &suid, why));
	p->suid = (uint8_t)suid;
	k->pairs_n++;
	return p->enrolee_b[0] && suid_known(p->suid) ? OK : wrong("authorizedPairs", "pairs of identifier and usage", why);
}

static enum err get_lists(struct agent_keys *k, const struct doc *top, struct why *why)
{
	for (const struct doc *d = doc_find(top, "mafs"); d; d = doc_again(d))
		TRY(get_maf(k, d, why));
	for (const struct doc *d = doc_find(top, "authorizedPairs"); d; d = doc_again(d))
		TRY(get_pair(k, d, why));
	return OK;
}

enum err agent_keys_parse(struct span json, struct agent_keys *k, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(AGENT_KEYS_ARENA_MAX);
	struct doc *top = NULL;

	TRY(doc_parse(DOC_JSON, json, &arena, &top, why));
	TRY(get_keyid(top, "keId", k->keid, why));
	TRY(get_keyid(top, "kreId", k->kreid, why));
	TRY(get_secret(top, "ke", true, &k->ke, why));
	TRY(get_secret(top, "kre", true, &k->kre, why));
	TRY(doc_number(top, "expires", 1, KEYS_EXPIRES_MAX, &k->expires_s, why));
	if (k->expires_s == 0)
		return wrong("expires", "a time", why);
	TRY(get_text(k, top, "enroleeID", M2M_ID_MAX, &k->enrolee_id, why));
	TRY(get_usages(top, "certificateUsages", &k->certificate_usages, why));
	return get_lists(k, top, why);
}
