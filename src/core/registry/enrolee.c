#include "core/registry/enrolee.h"

#include "base/buf.h"
#include "base/hex.h"
#include "base/text.h"
#include "core/registry/audit.h"
#include "core/registry/form.h"

enum { ROW_ARENA_MAX = STORE_DER_MAX + 8192 }; /* one issued row: its certificate and its texts */

const char *entity_type_name(enum entity_type t)
{
	switch (t) {
	case ENTITY_NODE:
		return "node";
	case ENTITY_CSE:
		return "cse";
	case ENTITY_AE:
		return "ae";
	case ENTITY_FQDN:
		return "fqdn";
	}
	return "unknown";
}

bool entity_type_parse(struct span name, enum entity_type *out)
{
	for (enum entity_type t = ENTITY_NODE; t <= ENTITY_FQDN; t++) {
		if (span_is_nocase(name, entity_type_name(t))) {
			*out = t;
			return true;
		}
	}
	return false;
}

const char *credential_kind_name(enum credential_kind k)
{
	switch (k) {
	case CREDENTIAL_DEVICE:
		return "device";
	case CREDENTIAL_SERIAL:
		return "serial";
	case CREDENTIAL_FQDN:
		return "fqdn";
	case CREDENTIAL_URI:
		return "uri";
	case CREDENTIAL_KEY:
		return "key";
	case CREDENTIAL_CERT:
		return "cert";
	}
	return "unknown";
}

bool credential_kind_parse(struct span name, enum credential_kind *out)
{
	for (enum credential_kind k = CREDENTIAL_DEVICE; k <= CREDENTIAL_CERT; k++) {
		if (span_is_nocase(name, credential_kind_name(k))) {
			*out = k;
			return true;
		}
	}
	return false;
}

/* RFC 5280 5.3.1: without those for CAs and the two that undo or hold. */
static const struct {
	uint8_t reason;
	const char *name;
} reasons[] = {
	{0, "unspecified"},
	{1, "keyCompromise"},
	{3, "affiliationChanged"},
	{4, "superseded"},
	{5, "cessationOfOperation"},
	{9, "privilegeWithdrawn"},
};

enum { REASONS_N = sizeof(reasons) / sizeof(reasons[0]) };

int revoke_reason_parse(struct span name)
{
	for (size_t i = 0; i < REASONS_N; i++) {
		if (span_is_nocase(name, reasons[i].name))
			return reasons[i].reason;
	}
	return -1;
}

const char *revoke_reason_name(uint8_t reason)
{
	for (size_t i = 0; i < REASONS_N; i++) {
		if (reasons[i].reason == reason)
			return reasons[i].name;
	}
	return "unknown";
}

static enum err check_id(const char *id, struct why *why)
{
	struct span s = span_text(id);

	if (s.n > STORE_ID_MAX || !text_is_name(s, "._-:@") || s.p[0] == '-')
		return WHY(why, ENROLEE_ID, "", "id: have '%.*s'", SPAN_FMT(span_first(s, STORE_ID_MAX)));
	return OK;
}

/* The entity id in its normal form. */
static enum err normalise_entity(enum entity_type type, const char *id, char out[FORM_SIZE], struct why *why)
{
	struct span s = span_text(id);
	const char *want = "want node, cse, ae or fqdn";

	switch (type) {
	case ENTITY_NODE:
		want = form_uri(s, false, out);
		break;
	case ENTITY_AE: /* TS-0003 10.1.1: the CA's name constraints are about the host part */
		want = form_uri(s, true, out);
		break;
	case ENTITY_CSE: /* TS-0003 10.1.1: the public domain name of the CSE */
	case ENTITY_FQDN:
		want = form_dns(s, out);
		break;
	}
	if (want)
		return WHY(why, ENTITY_ID, "", "%s: %s, have '%.*s'", entity_type_name(type), want,
			SPAN_FMT(span_first(s, 128)));
	return OK;
}

static enum err check_texts(const struct enrolee *e, struct why *why)
{
	struct span label = span_text(e->label ? e->label : "");
	struct span profile = span_text(e->profile ? e->profile : "");

	if (label.n >= STORE_LABEL_MAX || (label.n && !text_is_utf8(label)))
		return WHY(why, ENROLEE_LABEL, "", "label: want UTF-8 of at most %d bytes, have %zu bytes",
			STORE_LABEL_MAX - 1, label.n);
	if (profile.n >= STORE_PROFILE_MAX || (profile.n && !text_is_name(profile, "._-")))
		return WHY(why, ENROLEE_LABEL, "", "profile: want a name of at most %d characters, have '%.*s'",
			STORE_PROFILE_MAX - 1, SPAN_FMT(span_first(profile, 64)));
	if (e->state != ENROLEE_ENABLED && e->state != ENROLEE_DISABLED)
		return WHY(why, BUG, "", "enrolee state %d", (int)e->state);
	return OK;
}

enum err enrolee_check(const struct enrolee *e, struct why *why)
{
	char normal[FORM_SIZE];

	TRY(check_id(e->id, why));
	TRY(normalise_entity(e->entity_type, e->entity_id, normal, why));
	return check_texts(e, why);
}

static enum err normalise_credential(const struct credential *c, char out[FORM_SIZE], struct why *why)
{
	const char *want = form_credential(c->kind, span_text(c->value), out);

	if (want)
		return WHY(why, CREDENTIAL_FORM, "", "%s: %s, have '%.*s'", credential_kind_name(c->kind), want,
			SPAN_FMT(span_first(span_text(c->value), 80)));
	return OK;
}

enum err credential_check(struct credential *c, struct arena *arena, struct why *why)
{
	char normal[FORM_SIZE];

	TRY(normalise_credential(c, normal, why));
	c->value = arena_text(arena, span_text(normal));
	return c->value ? OK : WHY(why, NOMEM, "", "credential value");
}

static enum err add_credential(struct store *store, const char *id, const struct credential *c, struct why *why)
{
	char normal[FORM_SIZE];
	struct credential row = *c;

	TRY(normalise_credential(c, normal, why));
	row.value = normal;
	return store->ops->credential_add(store->self, id, &row, why);
}

static void describe_added(const struct enrolee *e, const struct credential *creds, size_t n, struct buf *out)
{
	buf_put_fmt(out, "%s %s", entity_type_name(e->entity_type), e->entity_id);
	for (size_t i = 0; i < n; i++)
		buf_put_fmt(out, ", %s=%s", credential_kind_name(creds[i].kind), creds[i].value);
}

enum err registry_add(struct store *store, const struct enrolee *e, const struct credential *creds,
	size_t creds_n, int64_t now_s, struct why *why)
{
	char entity[FORM_SIZE];
	struct buf detail OWNED_BUF = BUF(8192);
	struct enrolee row = *e;

	TRY(enrolee_check(e, why));
	TRY(normalise_entity(e->entity_type, e->entity_id, entity, why));
	row.entity_id = entity;
	row.label = e->label ? e->label : "";
	row.profile = e->profile ? e->profile : "";
	row.created_s = row.changed_s = now_s;
	TRY(store->ops->enrolee_add(store->self, &row, why));
	for (size_t i = 0; i < creds_n; i++)
		TRY(add_credential(store, e->id, &creds[i], why));
	describe_added(&row, creds, creds_n, &detail);
	const struct audit_event event = {.what = "enrolee.added",
		.enrolee_id = e->id,
		.actor = "operator",
		.detail = buf_text(&detail)};
	return audit_write(store, &event, now_s, why);
}

static enum err write_simple(struct store *store, const char *what, const char *id, int64_t now_s, struct why *why)
{
	const struct audit_event event = {.what = what, .enrolee_id = id, .actor = "operator"};

	return audit_write(store, &event, now_s, why);
}

enum err registry_set_state(struct store *store, const char *id, enum enrolee_state state, int64_t now_s, struct why *why)
{
	const char *what = state == ENROLEE_ENABLED ? "enrolee.enabled" : "enrolee.disabled";

	TRY(store->ops->enrolee_set_state(store->self, id, state, now_s, why));
	return write_simple(store, what, id, now_s, why);
}

enum err registry_remove(struct store *store, const char *id, int64_t now_s, struct why *why)
{
	TRY(store->ops->enrolee_remove(store->self, id, now_s, why));
	return write_simple(store, "enrolee.removed", id, now_s, why);
}

enum err registry_revoke(struct store *store, struct span serial, uint8_t reason, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(ROW_ARENA_MAX);
	char hex[2 * STORE_SERIAL_MAX + 1];
	struct issued row = {0};

	if (strcmp(revoke_reason_name(reason), "unknown") == 0)
		return WHY(why, REVOKE_REASON, "RFC 5280 5.3.1", "reason: have code %u", reason);
	TRY(store->ops->issued_find(store->self, serial, &arena, &row, why));
	TRY(store->ops->issued_revoke(store->self, serial, reason, now_s, why));
	hex_text(row.serial.p, row.serial.n <= STORE_SERIAL_MAX ? row.serial.n : STORE_SERIAL_MAX, hex);
	const struct audit_event event = {.what = "certificate.revoked",
		.enrolee_id = row.enrolee_id,
		.actor = "operator",
		.serial = hex,
		.detail = revoke_reason_name(reason)};
	return audit_write(store, &event, now_s, why);
}
