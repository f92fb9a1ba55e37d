#include "core/enrol/client.h"

#include "base/date.h"
#include "base/hex.h"
#include "core/enrol/client_psk.h"
#include "core/registry/enrolee.h"
#include "core/registry/form.h"
#include "core/registry/record.h"
#include "pki/digest.h"

enum {
	STANDING_ARENA_MAX = STORE_DER_MAX + 16384, /* an enrolee and an issued row with its certificate */
	SHOWN_MAX = 110,                /* what the certificate shows, of the reason's 320 octets */
	HINT_VALUE_MAX = 90,
};

/* The search for the one enrolee that all names of a leaf lead to. */
struct search {
	struct store *store;
	struct arena *arena;
	const uint8_t *anchor;
	const char *found, *other;
	enum credential_kind found_kind, other_kind;
	char values[STORE_MATCH_MAX][FORM_SIZE]; /* of names, which wait to be looked up together */
	struct credential_name names[STORE_MATCH_MAX];
	size_t names_n;
	struct buf shown;
	char hint[HINT_VALUE_MAX + 16]; /* "kind=value", the first that can stand in quotes */
};

static void search_fini(struct search *s)
{
	buf_fini(&s->shown);
}

static bool anchor_counts(const struct credential *c, const uint8_t *anchor)
{
	static const uint8_t none[32];

	return memcmp(c->anchor, none, 32) == 0 || (anchor && memcmp(c->anchor, anchor, 32) == 0);
}

static enum err on_match(void *arg, const char *enrolee_id, const struct credential *c, struct why *why)
{
	struct search *s = arg;

	if (!anchor_counts(c, s->anchor) || s->other || (s->found && strcmp(s->found, enrolee_id) == 0))
		return OK;
	const char *id = arena_text(s->arena, span_text(enrolee_id));
	if (!id)
		return WHY(why, NOMEM, "", "enrolee id");
	*(s->found ? &s->other_kind : &s->found_kind) = c->kind;
	*(s->found ? &s->other : &s->found) = id;
	return OK;
}

/* A command that people copy must not carry what a peer wrote into a shell. */
static bool is_safe_in_quotes(struct span value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < 0x20 || value.p[i] > 0x7e || value.p[i] == '\'' || value.p[i] == '\\')
			return false;
	}
	return value.n <= HINT_VALUE_MAX;
}

static void show(struct search *s, enum credential_kind kind, const char *value)
{
	struct buf hint OWNED_BUF = BUF(sizeof(s->hint) - 1);

	buf_put_fmt(&s->shown, "%s%s=%s", s->shown.n ? ", " : "", credential_kind_name(kind), value);
	if (s->hint[0] || !is_safe_in_quotes(span_text(value)))
		return;
	buf_put_fmt(&hint, "%s=%s", credential_kind_name(kind), value);
	if (!hint.bad)
		memcpy(s->hint, buf_text(&hint), hint.n + 1);
}

static enum err look_up_waiting(struct search *s, struct why *why)
{
	size_t n = s->names_n;

	s->names_n = 0;
	return n ? s->store->ops->credential_match_any(s->store->self, s->names, n, on_match, s, why) : OK;
}

/* Names that no operator could have registered (wildcards, odd forms) lead to nobody. */
static enum err look_up(struct search *s, enum credential_kind kind, struct span value, struct why *why)
{
	char *normal = s->values[s->names_n];

	if (form_credential(kind, value, normal) != NULL)
		return OK;
	show(s, kind, normal);
	s->names[s->names_n++] = (struct credential_name){kind, normal};
	return s->names_n == STORE_MATCH_MAX ? look_up_waiting(s, why) : OK;
}

static enum err look_up_sans(struct search *s, const struct cert *leaf, struct why *why)
{
	static const struct {
		enum san_kind san;
		enum credential_kind kind;
	} order[] = {
		{SAN_OTHER, CREDENTIAL_DEVICE},
		{SAN_URI, CREDENTIAL_URI},
		{SAN_DNS, CREDENTIAL_FQDN},
	};
	struct san_list sans = {0};

	if (leaf->san.n == 0)
		return OK;
	TRY(san_parse(leaf->san, s->arena, &sans, why));
	for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
		for (size_t i = 0; i < sans.n; i++) {
			if (sans.items[i].kind == order[k].san)
				TRY(look_up(s, order[k].kind, sans.items[i].value, why));
		}
	}
	return OK;
}

static enum err look_up_digests(struct search *s, const struct cert *leaf, struct why *why)
{
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];
	char key[KEY_NI_SIZE];

	key_ni_text(leaf->spki, key);
	TRY(look_up(s, CREDENTIAL_KEY, span_text(key), why));
	cert_sha256(leaf, digest);
	hex_text(digest, sizeof(digest), hex);
	return look_up(s, CREDENTIAL_CERT, span_text(hex), why);
}

/*
 * TS-0003 10.1.1, RFC 6920 3: a raw key may also be registered by a truncated digest. 120 bits are the
 * first 20 characters; 128 bits the first 21 and the two upper bits of the next.
 */
static enum err look_up_short_digests(struct search *s, const struct cert *leaf, struct why *why)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char full[KEY_NI_SIZE];
	struct buf text OWNED_BUF = BUF(KEY_NI_SIZE);

	key_ni_text(leaf->spki, full);
	const char *digest = full + strlen("sha-256;");
	const char *last = strchr(alphabet, digest[21]);
	if (!last)
		return WHY(why, BUG, "", "key digest '%s'", full);
	buf_put_fmt(&text, "sha-256-128;%.21s%c", digest, alphabet[(last - alphabet) & 0x30]);
	TRY(look_up(s, CREDENTIAL_KEY, buf_span(&text), why));
	buf_clear(&text);
	buf_put_fmt(&text, "sha-256-120;%.20s", digest);
	return look_up(s, CREDENTIAL_KEY, buf_span(&text), why);
}

static enum err look_up_leaf(struct search *s, int trust, const struct cert *leaf, struct why *why)
{
	struct span serial = {0};

	if (trust == CLIENT_RAW_KEY) { /* nobody vouches for its names */
		TRY(look_up_digests(s, leaf, why));
		return look_up_short_digests(s, leaf, why);
	}
	TRY(name_serial(leaf->subject, s->arena, &serial, why));
	if (serial.n)
		TRY(look_up(s, CREDENTIAL_SERIAL, serial, why));
	TRY(look_up_sans(s, leaf, why));
	return look_up_digests(s, leaf, why);
}

static enum err judge(struct search *s, struct why *why)
{
	if (s->other)
		return WHY(why, CLIENT_AMBIGUOUS, "TS-0003 8.3.6.2",
			"client: want one enrolee, have '%s' by its %s and '%s' by its %s", s->found,
			credential_kind_name(s->found_kind), s->other, credential_kind_name(s->other_kind));
	if (!s->found)
		return WHY(why, CLIENT_UNKNOWN, "RFC 7030 3.7",
			"certificate: have %.*s; register it with: openmef enrolee add ID --type TYPE --entity ENTITY-ID "
			"--credential '%s'",
			SPAN_FMT(span_first(buf_span(&s->shown), SHOWN_MAX)), s->hint);
	return OK;
}

static enum err find_foreign(struct store *store, const struct client_facts *facts, struct arena *arena,
	struct client *out, struct why *why)
{
	struct search s __attribute__((cleanup(search_fini))) = {
		.store = store, .arena = arena, .anchor = facts->anchor, .shown = BUF(64 * 1024)};

	TRY(look_up_leaf(&s, facts->trust, &out->leaf, why));
	TRY(look_up_waiting(&s, why));
	TRY(judge(&s, why));
	return store->ops->enrolee_find(store->self, s.found, arena, &out->enrolee, why);
}

static enum err check_revoked(const struct issued *row, struct why *why)
{
	char date[DATE_TEXT_SIZE];

	if (row->state == ISSUED_VALID)
		return OK;
	date_text(row->revoked_s, date);
	return WHY(why, CLIENT_REVOKED, "RFC 7030 3.7", "certificate of '%s': revoked at %s, %s",
		row->enrolee_id, date, revoke_reason_name(row->reason));
}

/* By its serial number; a certificate of another CA, as which it may have a number of ours, by its record. */
static enum err find_record(struct store *store, struct arena *arena, struct client *out, struct why *why)
{
	uint8_t record[RECORD_FOREIGN_SIZE];
	enum err err = store->ops->issued_find(store->self, out->leaf.serial, arena, &out->current, why);

	if ((err == OK && span_equal(out->current.der, out->leaf.der)) || (err != OK && err != ERR_NOT_FOUND))
		return err;
	why_clear(why);
	record_foreign(&out->leaf, record);
	return store->ops->issued_find(store->self, span_of(record, sizeof(record)), arena, &out->current, why);
}

static enum err find_own(struct store *store, struct arena *arena, struct client *out, struct why *why)
{
	char hex[2 * STORE_SERIAL_MAX + 1] = "";
	struct span serial = out->leaf.serial;
	enum err err = find_record(store, arena, out, why);

	if (err != OK && err != ERR_NOT_FOUND)
		return err;
	if (err != OK || !span_equal(out->current.der, out->leaf.der)) {
		why_clear(why);
		hex_text(serial.p, serial.n < STORE_SERIAL_MAX ? serial.n : STORE_SERIAL_MAX, hex);
		return WHY(why, CLIENT_NOT_ISSUED, "RFC 7030 3.7", "serial %s: want the certificate on record, have %s",
			hex, err != OK ? "no record" : "another one");
	}
	TRY(check_revoked(&out->current, why));
	out->provisioned = true;
	return store->ops->enrolee_find(store->self, out->current.enrolee_id, arena, &out->enrolee, why);
}

/* window_s: after the end; before the beginning there is none. */
static enum err check_dates(const struct cert *leaf, int64_t now_s, int64_t window_s, struct why *why)
{
	char from[DATE_TEXT_SIZE], to[DATE_TEXT_SIZE], now[DATE_TEXT_SIZE];

	if (now_s >= leaf->not_before_s && (now_s <= leaf->not_after_s || now_s - leaf->not_after_s <= window_s))
		return OK;
	date_text(leaf->not_before_s, from);
	date_text(leaf->not_after_s, to);
	date_text(now_s, now);
	return WHY(why, CLIENT_EXPIRED, "RFC 5280 6.1.3", "certificate: %s, valid %s to %s; the MEF's clock says %s",
		now_s < leaf->not_before_s ? "not valid yet" : "expired", from, to, now);
}

static enum err check_enabled(const struct enrolee *e, struct why *why)
{
	if (e->state != ENROLEE_ENABLED)
		return WHY(why, CLIENT_DISABLED, "RFC 7030 3.7", "enrolee '%s': want enabled, have disabled", e->id);
	return OK;
}

static void digest_identity(struct client *c)
{
	uint8_t leaf[SHA256_SIZE];

	cert_sha256(&c->leaf, leaf);
	/* The id's NUL is hashed too, so that no id runs into the digest. */
	const struct span parts[] = {span_of(c->enrolee.id, strlen(c->enrolee.id) + 1), span_of(leaf, sizeof(leaf))};
	digest_sha256_parts(parts, 2, c->identity);
}

enum err client_find(struct store *store, const struct client_facts *facts, int64_t now_s,
	struct arena *arena, struct client *out, struct why *why)
{
	*out = (struct client){0};
	if (facts->trust == CLIENT_PSK) {
		TRY(client_psk_find(store, facts->identity, now_s, arena, out, why));
		return check_enabled(&out->enrolee, why);
	}
	if (facts->trust == CLIENT_SRP) {
		TRY(client_srp_find(store, facts->identity, now_s, arena, out, why));
		return check_enabled(&out->enrolee, why);
	}
	if (facts->trust == CLIENT_ANONYMOUS || facts->leaf.n == 0)
		return WHY(why, CLIENT_ANONYMOUS, "RFC 7030 3.3.2", "TLS client certificate or PSK: want one, have none");
	TRY(cert_parse(facts->leaf, &out->leaf, why));
	TRY(check_dates(&out->leaf, now_s, facts->trust == CLIENT_OWN ? facts->expired_s : 0, why));
	out->late_s = now_s > out->leaf.not_after_s ? now_s - out->leaf.not_after_s : 0;
	switch (facts->trust) {
	case CLIENT_OWN:
		TRY(find_own(store, arena, out, why));
		break;
	case CLIENT_THIRD_PARTY:
	case CLIENT_RAW_KEY:
		TRY(find_foreign(store, facts, arena, out, why));
		break;
	default:
		return WHY(why, BUG, "", "client trust %d", facts->trust);
	}
	out->self_named = facts->trust == CLIENT_RAW_KEY;
	TRY(check_enabled(&out->enrolee, why));
	digest_identity(out);
	return OK;
}

struct standing client_standing(const struct client *client)
{
	return (struct standing){.enrolee_id = client->enrolee.id,
		.serial = client->provisioned ? client->current.serial : (struct span){0},
		.key_id = client->key_id,
		.by_srp = client->by_srp};
}

enum err client_check_standing(struct store *store, const struct standing *s, int64_t now_s, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(STANDING_ARENA_MAX);
	struct enrolee enrolee = {0};
	struct issued row = {0};

	enum err err = store->ops->enrolee_find(store->self, s->enrolee_id, &arena, &enrolee, why);
	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return WHY(why, CLIENT_UNKNOWN, "RFC 7030 3.7", "enrolee '%s' was removed meanwhile", s->enrolee_id);
	}
	TRY(err);
	TRY(check_enabled(&enrolee, why));
	if (s->key_id)
		return client_psk_check(store, s, now_s, why);
	if (s->serial.n == 0)
		return OK;
	TRY(store->ops->issued_find(store->self, s->serial, &arena, &row, why));
	return check_revoked(&row, why);
}
