#include "adapt/store/check.h"

#include "base/text.h"

const char *store_text(const char *text)
{
	return text ? text : "";
}

struct span store_serial(struct span serial)
{
	while (serial.n && serial.p[0] == 0)
		serial = span_from(serial, 1);
	return serial;
}

static enum err check_size(const char *what, size_t n, size_t min, size_t max, struct why *why)
{
	if (n < min)
		return WHY(why, STORE_VALUE, "", "%s: want at least %zu octets, have %zu", what, min, n);
	if (n > max)
		return WHY(why, STORE_SIZE, "", "%s: want at most %zu octets, have %zu", what, max, n);
	return OK;
}

static enum err check_text(const char *what, const char *text, size_t min, size_t max, struct why *why)
{
	struct span s = span_text(store_text(text));

	TRY(check_size(what, s.n, min, max, why));
	if (!text_is_utf8(s))
		return WHY(why, STORE_VALUE, "RFC 3629", "%s: want UTF-8, have other bytes", what);
	return OK;
}

static enum err check_name(const char *what, const char *name, size_t max, struct why *why)
{
	struct span s = span_text(store_text(name));

	TRY(check_size(what, s.n, 1, max, why));
	if (!text_is_name(s, "._-:@"))
		return WHY(why, STORE_VALUE, "", "%s: want letters, digits and . _ - : @, have '%.*s'", what,
			SPAN_FMT(span_first(s, 40)));
	return OK;
}

static enum err check_range(const char *what, int64_t v, int64_t min, int64_t max, struct why *why)
{
	if (v < min || v > max)
		return WHY(why, STORE_VALUE, "", "%s: want %lld to %lld, have %lld", what, (long long)min,
			(long long)max, (long long)v);
	return OK;
}

enum err store_check_state(enum enrolee_state state, struct why *why)
{
	return check_range("state", state, ENROLEE_ENABLED, ENROLEE_DISABLED, why);
}

enum err store_check_enrolee(const struct enrolee *e, struct why *why)
{
	TRY(check_name("enrolee id", e->id, STORE_ID_MAX, why));
	TRY(check_range("entity type", e->entity_type, ENTITY_NODE, ENTITY_FQDN, why));
	TRY(check_text("entity id", e->entity_id, 1, STORE_VALUE_MAX, why));
	TRY(store_check_state(e->state, why));
	TRY(check_text("label", e->label, 0, STORE_LABEL_MAX, why));
	return check_text("profile", e->profile, 0, STORE_PROFILE_MAX, why);
}

enum err store_check_credential(const struct credential *c, struct why *why)
{
	TRY(check_range("credential kind", c->kind, CREDENTIAL_DEVICE, CREDENTIAL_CERT, why));
	return check_text("credential value", c->value, 1, STORE_VALUE_MAX, why);
}

enum err store_check_match(size_t n, struct why *why)
{
	if (n > STORE_MATCH_MAX)
		return WHY(why, STORE_SIZE, "", "names to match: want at most %d, have %zu", STORE_MATCH_MAX, n);
	return OK;
}

enum err store_check_issued(const struct issued *i, struct why *why)
{
	/* RFC 5280 4.1.2.2: a positive number of at most 20 octets. */
	TRY(check_size("serial", store_serial(i->serial).n, 1, STORE_SERIAL_MAX, why));
	TRY(check_text("enrolee id", i->enrolee_id, 0, STORE_ID_MAX, why));
	TRY(check_text("profile", i->profile, 0, STORE_PROFILE_MAX, why));
	TRY(check_text("EST label", i->est_label, 0, STORE_LABEL_MAX, why));
	TRY(check_size("certificate", i->der.n, 1, STORE_DER_MAX, why));
	if (i->nonce.n)
		TRY(check_size("nonce", i->nonce.n, STORE_NONCE_SIZE, STORE_NONCE_SIZE, why));
	return check_range("state of a new certificate", i->state, 0, ISSUED_VALID, why);
}

enum err store_check_crl(const struct crl_row *row, struct why *why)
{
	if (row->number > INT64_MAX || row->revision > INT64_MAX)
		return WHY(why, STORE_SIZE, "", "CRL number: want at most 63 bits, have %llu",
			(unsigned long long)row->number);
	if (!memchr(row->ca, 0, sizeof(row->ca)))
		return WHY(why, STORE_SIZE, "", "CA of a CRL: want at most %d octets", STORE_CA_MAX - 1);
	return check_size("CRL", row->der.n, 1, STORE_CRL_MAX, why);
}

enum err store_check_secret(const char *name, struct span sealed, struct why *why)
{
	TRY(check_name("secret name", name, STORE_ID_MAX, why));
	return check_size("sealed secret", sealed.n, 1, STORE_SECRET_MAX, why);
}

enum err store_check_audit(const struct audit_row *row, struct why *why)
{
	return check_text("audit event", row->event, 1, STORE_EVENT_MAX, why);
}

enum err store_check_limit(size_t limit, struct why *why)
{
	if (limit < 1 || limit > STORE_PAGE_MAX)
		return WHY(why, STORE_PAGE, "", "rows: want 1 to %d, have %zu", STORE_PAGE_MAX, limit);
	return OK;
}

enum err store_check_search(const struct enrolee_filter *filter, struct why *why)
{
	TRY(check_size("search text", strlen(store_text(filter->text)), 0, STORE_VALUE_MAX, why));
	return store_check_limit(filter->limit, why);
}

enum err store_check_symkey_values(const struct symkey *k, struct why *why)
{
	TRY(check_size("sealed key", k->sealed.n, 0, STORE_KEY_SEALED_MAX, why));
	TRY(check_range("end of the key's life", k->expires_s, 0, INT64_MAX, why));
	return check_text("key's record", k->info, 0, STORE_KEY_INFO_MAX, why);
}

enum err store_check_symkey(const struct symkey *k, struct why *why)
{
	TRY(check_range("key kind", k->kind, SYMKEY_KPM, SYMKEY_SRP, why));
	TRY(check_text("key id", k->id, 1, STORE_KEY_ID_MAX, why));
	TRY(check_text("key owner", k->owner, 1, STORE_VALUE_MAX, why));
	return store_check_symkey_values(k, why);
}

enum err store_check_symkey_filter(const struct symkey_filter *filter, struct why *why)
{
	TRY(check_range("key kind", filter->kind, 0, SYMKEY_SRP, why));
	if (store_text(filter->after_id)[0])
		TRY(check_range("key kind of a page", filter->kind, SYMKEY_KPM, SYMKEY_SRP, why));
	return store_check_limit(filter->limit, why);
}

struct store_kinds store_family(enum symkey_kind kind)
{
	if (kind == SYMKEY_SRP)
		return (struct store_kinds){SYMKEY_SRP, SYMKEY_SRP};
	return kind <= SYMKEY_KE ? (struct store_kinds){SYMKEY_KPM, SYMKEY_KE}
				 : (struct store_kinds){SYMKEY_KM, SYMKEY_CLIENT};
}

enum err store_check_prefs_key(enum prefs_scope scope, const char *key, struct why *why)
{
	TRY(check_range("preferences' scope", scope, PREFS_DEFAULT, PREFS_ENROLEE, why));
	if (scope == PREFS_DEFAULT)
		return check_size("key of the default preferences", strlen(store_text(key)), 0, 0, why);
	return check_name(scope == PREFS_TOKEN ? "token id" : "enrolee id", key, STORE_ID_MAX, why);
}

enum err store_check_prefs(enum prefs_scope scope, const char *key, struct span json, struct why *why)
{
	TRY(store_check_prefs_key(scope, key, why));
	TRY(check_size("preferences", json.n, 1, STORE_PREFS_MAX, why));
	if (!text_is_utf8(json))
		return WHY(why, STORE_VALUE, "RFC 8259 8.1", "preferences: want UTF-8, have other bytes");
	return OK;
}

enum err store_check_token(const struct token *t, struct why *why)
{
	TRY(check_name("token id", t->id, STORE_ID_MAX, why));
	if (store_text(t->enrolee_id)[0])
		TRY(check_name("enrolee id", t->enrolee_id, STORE_ID_MAX, why));
	return check_range("end of the token's life", t->expires_s, 0, INT64_MAX, why);
}

enum err store_check_claim(const struct token *t, const char *enrolee_id, int64_t now_s, struct why *why)
{
	const char *whose = t->claimed_s ? t->claimed_by : t->enrolee_id;

	TRY(check_name("enrolee id", enrolee_id, STORE_ID_MAX, why));
	TRY(check_range("time of the claim", now_s, 1, INT64_MAX, why)); /* 0 says: not yet */
	if (t->spent_s)
		return WHY(why, STORE_TOKEN_SPENT, "", "token '%s': want one unspent, have one spent", t->id);
	if (whose[0] && strcmp(whose, enrolee_id) != 0)
		return WHY(why, STORE_TOKEN_TAKEN, "", "token '%s': want one for enrolee '%s', have one of '%s'",
			t->id, enrolee_id, whose);
	return OK;
}

enum err store_check_spend(const struct token *t, int64_t now_s, struct why *why)
{
	TRY(check_range("time of spending", now_s, 1, INT64_MAX, why)); /* 0 says: not yet */
	if (t->spent_s)
		return WHY(why, STORE_TOKEN_SPENT, "", "token '%s': want one unspent, have one spent", t->id);
	if (!t->claimed_s)
		return WHY(why, STORE_TOKEN_UNCLAIMED, "", "token '%s': want one claimed, have one not shown yet", t->id);
	return OK;
}

enum err store_check_serial(struct span serial, struct why *why)
{
	return check_size("serial", store_serial(serial).n, 1, STORE_SERIAL_MAX, why);
}

enum err store_check_request(const struct request *r, struct why *why)
{
	TRY(check_name("request id", r->id, STORE_REQUEST_ID_MAX, why));
	TRY(check_name("enrolee id", r->enrolee_id, STORE_ID_MAX, why));
	TRY(check_text("EST label", r->est_label, 0, STORE_LABEL_MAX, why));
	TRY(check_range("request kind", r->kind, REQUEST_ENROL, REQUEST_CMC, why));
	TRY(check_size("CSR", r->csr.n, 1, STORE_CSR_MAX, why));
	TRY(check_range("end of the request", r->expires_s, 1, INT64_MAX, why));
	if (r->nonce.n)
		TRY(check_size("nonce", r->nonce.n, STORE_NONCE_SIZE, STORE_NONCE_SIZE, why));
	return OK;
}

enum err store_check_decision(const struct request_decision *d, struct why *why)
{
	TRY(check_range("decision", d->state, REQUEST_APPROVED, REQUEST_DENIED, why));
	TRY(check_text("name of who decides", d->by, 1, STORE_NAME_MAX, why));
	TRY(check_text("reason", d->reason, 0, STORE_REASON_MAX, why));
	TRY(check_range("time of the decision", d->now_s, 1, INT64_MAX, why)); /* 0 says: not yet */
	return check_range("end of the request", d->expires_s, 1, INT64_MAX, why);
}
