#include "core/ca/profile.h"

#include "base/text.h"

enum {
	MINUTE_S = 60,
	BACKDATE_MAX_S = 30 * 86400,
	USAGES_ADMITTED = KU_DIGITAL_SIGNATURE | KU_NON_REPUDIATION | KU_KEY_ENCIPHERMENT | KU_DATA_ENCIPHERMENT
		| KU_KEY_AGREEMENT,
	SAN_RULES_ALL = SAN_RULE_DNS | SAN_RULE_URI | SAN_RULE_OTHER | SAN_RULE_IP,
	SUIDS_OF_CERTIFICATES = 6, /* TS-0004 6.3.4.2.39: 40 to 45 */
	OID_MAX = 128,
};

static const int64_t validity_max_s = 100LL * 365 * 86400;

const struct profile *profile_find(const struct profile_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->items[i].name, name) == 0)
			return &set->items[i];
	}
	return NULL;
}

/* Texts of a profile are fixed arrays that someone else filled. */
static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

static enum err check_name(const struct profile *p, struct why *why)
{
	if (!is_terminated(p->name, sizeof(p->name)) || !text_is_name(span_text(p->name), "-_"))
		return WHY(why, PROFILE_NAME, "", "profile: want a name of letters, digits, '-' and '_', have '%.*s'",
			(int)sizeof(p->name), p->name);
	return OK;
}

static enum err check_dates(const struct profile *p, struct why *why)
{
	if (p->validity_s < MINUTE_S || p->validity_s > validity_max_s)
		return WHY(why, PROFILE_VALIDITY, "", "profile %s: validity: want 1 minute to 100 years, have %lld s", p->name,
			(long long)p->validity_s);
	if (p->backdate_s < 0 || p->backdate_s > BACKDATE_MAX_S)
		return WHY(why, PROFILE_VALIDITY, "", "profile %s: backdate: want 0 to 30 days, have %lld s", p->name,
			(long long)p->backdate_s);
	return OK;
}

static enum err check_usage(const struct profile *p, struct why *why)
{
	/* TS-0003 10.1.1.1: keyUsage is present; RFC 5280 4.2.1.3: keyCertSign belongs to CAs */
	if (p->key_usage == 0 || p->key_usage & ~USAGES_ADMITTED)
		return WHY(why, PROFILE_USAGE, "RFC 5280 4.2.1.3",
			"profile %s: key usage: want digitalSignature or others for end entities, have bits 0x%x", p->name,
			p->key_usage);
	return OK;
}

static enum err check_oid(const struct profile *p, const char *what, const char *text, size_t size, enum code code, struct why *why)
{
	struct buf oid OWNED_BUF = BUF(OID_MAX);
	struct why ignored = {0};

	if (is_terminated(text, size) && oid_parse(text, &oid, &ignored) == OK)
		return OK;
	return why_set(why, code, "", __FILE__, __LINE__, "profile %s: %s: want a dotted object identifier, have '%.*s'", p->name,
		what, (int)size, text);
}

static enum err check_ekus(const struct profile *p, struct why *why)
{
	size_t max = CERT_EKU_MAX - (p->suid_ekus ? SUIDS_OF_CERTIFICATES : 0);

	if (p->ekus_n > max)
		return WHY(why, PROFILE_EKUS, "RFC 5280 4.2.1.12", "profile %s: extended key usages: want at most %zu, have %zu",
			p->name, max, p->ekus_n);
	for (size_t i = 0; i < p->ekus_n; i++) {
		TRY(check_oid(p, "extended key usage", p->ekus[i], sizeof(p->ekus[i]), CODE_PROFILE_EKUS, why));
		for (size_t j = 0; j < i; j++) {
			if (strcmp(p->ekus[i], p->ekus[j]) == 0)
				return WHY(why, PROFILE_EKUS, "RFC 5280 4.2.1.12", "profile %s: extended key usage %s: want it once, have it twice",
					p->name, p->ekus[i]);
		}
	}
	if (p->suid_ekus)
		TRY(check_oid(p, "suid_arc", p->suid_arc, sizeof(p->suid_arc), CODE_PROFILE_ARC, why));
	return OK;
}

static bool key_is_ours(enum key_spec spec)
{
	switch (spec) {
	case KEY_P256:
	case KEY_P384:
	case KEY_RSA2048:
	case KEY_RSA3072:
	case KEY_RSA4096:
		return true;
	case KEY_NONE:
	case KEY_OTHER:
		break;
	}
	return false;
}

static enum err check_keys(const struct profile *p, struct why *why)
{
	if (p->keys_n == 0 || p->keys_n > PROFILE_KEYS_MAX)
		return WHY(why, PROFILE_KEYS, "", "profile %s: keys: want 1 to %d, have %zu", p->name, PROFILE_KEYS_MAX, p->keys_n);
	for (size_t i = 0; i < p->keys_n; i++) {
		if (!key_is_ours(p->keys[i]))
			return WHY(why, PROFILE_KEYS, "", "profile %s: key %zu: want P-256, P-384 or RSA of 2048 to 4096 bits, have another",
				p->name, i + 1);
	}
	return OK;
}

/* A DNS name without leading or trailing dot, or a URN prefix. */
static bool suffix_is_good(const char *suffix)
{
	struct span s = span_text(suffix);
	bool label_empty = true;

	if (span_starts(s, "urn:"))
		return s.n > 4 && text_is_name(span_from(s, 4), ":-._");
	if (!text_is_name(s, "-."))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '.' && label_empty)
			return false;
		label_empty = s.p[i] == '.';
	}
	return !label_empty;
}

static enum err check_sans(const struct profile *p, struct why *why)
{
	if (p->san_kinds & ~(unsigned int)SAN_RULES_ALL || (p->san_required && !p->san_kinds))
		return WHY(why, PROFILE_SANS, "", "profile %s: names: want dns, uri, other or ip, and at least one where a name is required",
			p->name);
	if (p->suffixes_n > PROFILE_SUFFIXES_MAX)
		return WHY(why, PROFILE_SUFFIX, "", "profile %s: suffixes: want at most %d, have %zu", p->name, PROFILE_SUFFIXES_MAX,
			p->suffixes_n);
	if (p->suffixes_n && !(p->san_kinds & (SAN_RULE_DNS | SAN_RULE_URI)))
		return WHY(why, PROFILE_SANS, "", "profile %s: suffixes: want dns or uri among the kinds of name, have neither", p->name);
	for (size_t i = 0; i < p->suffixes_n; i++) {
		if (!is_terminated(p->suffixes[i], sizeof(p->suffixes[i])) || !suffix_is_good(p->suffixes[i]))
			return WHY(why, PROFILE_SUFFIX, "", "profile %s: suffix: want a DNS name or 'urn:' prefix, have '%.200s'", p->name,
				p->suffixes[i]);
	}
	return OK;
}

enum err profile_check(const struct profile *p, struct why *why)
{
	TRY(check_name(p, why));
	TRY(check_dates(p, why));
	TRY(check_usage(p, why));
	TRY(check_ekus(p, why));
	TRY(check_keys(p, why));
	return check_sans(p, why);
}
