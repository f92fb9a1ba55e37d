#include "core/keys/psk.h"

#include "base/mem.h"
#include "core/keys/sealed.h"
#include "pki/digest.h"
#include "proto/m2m/ids.h"

/* What is looked up for those who are not there. RFC 2606 2: nobody can own such a name. */
static const char nobody[] = "nobody@decoy.invalid";

static struct symkey decoy_row(void)
{
	return (struct symkey){.kind = SYMKEY_KPM, .id = nobody, .owner = nobody, .info = ""};
}

enum err psk_decoy_init(struct psk_decoy *d, const struct vault *v, struct why *why)
{
	struct buf sealed OWNED_BUF = BUF(sizeof(d->sealed));
	const struct symkey row = decoy_row();
	uint8_t bytes[M2M_KEY_SIZE];

	*d = (struct psk_decoy){0};
	TRY(random_fill(&v->random, bytes, sizeof(bytes), why));
	bool fits = secret_set(&d->key, span_of(bytes, sizeof(bytes)));
	mem_wipe(bytes, sizeof(bytes));
	if (!fits)
		return WHY(why, BUG, "", "decoy key");
	TRY(sealed_write(v, &row, &d->key, &sealed, why));
	memcpy(d->sealed, sealed.p, sealed.n);
	d->sealed_n = sealed.n;
	return OK;
}

void psk_decoy_wipe(struct psk_decoy *d)
{
	mem_wipe(d, sizeof(*d));
}

/* A look-up in progress: what was found, and whether it still counts. */
struct hunt {
	const struct vault *v;
	struct arena arena;
	int64_t now_s;
	struct symkey row;
	bool found;
};

static void hunt_fini(struct hunt *h)
{
	arena_fini(&h->arena);
}

static enum err look_up(struct hunt *h, enum symkey_kind kind, const char *id, struct why *why)
{
	struct symkey row = {0};
	enum err err =
		h->v->store->ops->symkey_find(h->v->store->self, kind, id, &h->arena, &row, why);

	if (err == ERR_NOT_FOUND) {
		why_clear(why);
		return OK;
	}
	TRY(err);
	if (!h->found)
		h->row = row;
	h->found = true;
	return OK;
}

/* Looked up for everybody: an enrolee that is disabled, or removed, holds no key. */
static enum err look_up_owner(struct hunt *h, struct why *why)
{
	struct enrolee e = {0};
	const char *id = h->found ? h->row.owner : nobody;
	enum err err = h->v->store->ops->enrolee_find(h->v->store->self, id, &h->arena, &e, why);

	if (err == ERR_NOT_FOUND)
		why_clear(why);
	else
		TRY(err);
	h->found = h->found && err == OK && e.state == ENROLEE_ENABLED;
	return OK;
}

static const struct {
	enum symkey_kind first, second;
	bool enrolees; /* owners are enrolees of this store */
} realms[] = {
	[PSK_REALM_MEF] = {SYMKEY_KPM, SYMKEY_KRE, true},
	[PSK_REALM_MAF] = {SYMKEY_KM, SYMKEY_KM_KEID, false},
};

static enum err hunt_row(
	struct hunt *h, enum psk_realm realm, struct span identity, struct why *why)
{
	char normal[M2M_KEYID_SIZE];
	struct why form = {0};
	const char *id = m2m_psk_identity_parse(identity, normal, &form) == OK ? normal : nobody;

	TRY(look_up(h, realms[realm].first, id, why));
	TRY(look_up(h, realms[realm].second, id, why));
	if (realms[realm].enrolees)
		TRY(look_up_owner(h, why));
	h->found = h->found && (h->row.expires_s == 0 || h->row.expires_s > h->now_s);
	return OK;
}

/*
 * RFC 4279 3: unknown_psk_identity may be withheld; so that decrypt_error comes for all, and after
 * the same work: two rows and the owner looked up, one key opened, one HMAC made, whoever asks.
 */
enum err psk_find(const struct vault *v, const struct psk_decoy *d, enum psk_realm realm,
	struct span identity, int64_t now_s, struct secret *out, bool *known_out, struct why *why)
{
	struct hunt h __attribute__((cleanup(hunt_fini))) = {
		.v = v, .arena = ARENA(256 * 1024), .now_s = now_s};
	struct secret opened OWNED_SECRET = {0};
	struct secret decoy OWNED_SECRET = {.n = SHA256_SIZE};
	struct symkey row = decoy_row();

	*known_out = false;
	row.sealed = span_of(d->sealed, d->sealed_n);
	TRY(hunt_row(&h, realm, identity, why));
	if (h.found)
		row = h.row;
	TRY(sealed_open(v, &row, &opened, why));
	TRY(digest_hmac_sha256(secret_span(&d->key), identity, decoy.bytes, why));
	*known_out = h.found;
	*out = h.found ? opened : decoy;
	return OK;
}

static enum err earlier(const char *id, struct why *why)
{
	why_clear(why);
	return WHY(why, CLIENT_PSK_UNKNOWN, "TS-0003 8.3.2.1",
		"psk_identity '%s': want a session by the key that it has now, have one by an earlier key", id);
}

enum err psk_check_used(
	const struct vault *v, const char *id, const uint8_t digest[32], struct why *why)
{
	struct hunt h __attribute__((cleanup(hunt_fini))) = {.v = v, .arena = ARENA(256 * 1024)};
	struct secret key OWNED_SECRET = {0};
	uint8_t have[SHA256_SIZE];

	TRY(look_up(&h, SYMKEY_KPM, id, why));
	if (!h.found)
		TRY(look_up(&h, SYMKEY_KRE, id, why));
	if (!h.found)
		return earlier(id, why);
	TRY(sealed_open(v, &h.row, &key, why));
	digest_sha256(secret_span(&key), have);
	return secret_equal(span_of(have, sizeof(have)), span_of(digest, sizeof(have))) ? OK
											: earlier(id, why);
}
