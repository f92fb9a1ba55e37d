#include "core/enrol/keygen.h"

#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/enrol/asked.h"
#include "proto/m2m/ids.h"

enum { KEYGEN_ARENA_MAX = 2 * STORE_DER_MAX, ID_SHOWN_MAX = 100, FIND_ARENA_MAX = 64 * 1024 };

/* One key from order to answer. */
struct keygen {
	struct enrol_env env;
	struct keygen_ask ask; /* its spans are copies in the arena; enrol is not kept */
	struct arena arena;
	keygen_done done;
	void *arg;
	const char *enrolee_id;
	struct span leaf; /* that the client authenticated with; empty for a PSK */
	enum key_spec spec;
	bool strong;
	struct buf key; /* what the client gets */
	enrol_key_made made;
	void *flow;
};

static void keygen_free(struct keygen *k)
{
	buf_fini_wipe(&k->key);
	arena_fini(&k->arena);
	mem_free(k);
}

static bool is_encrypted(const struct keygen *k)
{
	return k->ask.symmetric.n || k->ask.asymmetric.n;
}

/* Encrypting for the client */

static enum err refuse_id(const char *clause, const char *what, struct span id, struct why *why)
{
	char hex[2 * ID_SHOWN_MAX + 1];
	struct span shown = span_first(id, ID_SHOWN_MAX);

	why_clear(why);
	if (text_is_name(id, "@.-_"))
		return WHY(why, KEYGEN_KEY_ID, clause, "%s: want that of a key of this enrolee, have '%.*s'", what, SPAN_FMT(shown));
	hex_text(shown.p, shown.n < ID_SHOWN_MAX / 2 ? shown.n : ID_SHOWN_MAX / 2, hex);
	return WHY(why, KEYGEN_KEY_ID, clause, "%s: want that of a key of this enrolee, have %s (hexadecimal)", what, hex);
}

static enum err look_up(const struct keygen *k, const char *id, struct secret *out, bool *found_out, struct why *why)
{
	static const enum symkey_kind kinds[] = {SYMKEY_KPM, SYMKEY_KRE, SYMKEY_KE};
	struct arena arena OWNED_ARENA = ARENA(FIND_ARENA_MAX);

	*found_out = false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !*found_out; i++) {
		struct symkey row = {0};
		enum err err = vault_find(k->ask.vault, kinds[i], id, clock_unix_s(k->env.clock), &arena, &row, out, why);
		if (err > ERR_PENDING)
			return err;
		*found_out = err == OK && strcmp(row.owner, k->enrolee_id) == 0;
		why_clear(why);
	}
	return OK;
}

/* RFC 7030 4.4.1.1: a secret key that both hold, here by its KpmId, KreId or KeId */
static enum err find_kek(const struct keygen *k, struct secret *out, struct why *why)
{
	char normal[M2M_KEYID_SIZE];
	struct secret key OWNED_SECRET = {0};
	bool found = false;

	if (m2m_psk_identity_parse(k->ask.symmetric, normal, why) == OK)
		TRY(look_up(k, normal, &key, &found, why));
	if (!found)
		return refuse_id("RFC 7030 4.4.1.1", "DecryptKeyIdentifier", k->ask.symmetric, why);
	return cms_kek_derive(secret_span(&key), k->ask.wrap, out, why);
}

struct recipient_search {
	struct keygen *k;
	struct cert found;      /* der.n 0: none */
	struct why unfit; /* of one that bears the identifier and may not be used */
	struct span last;
	uint8_t last_serial[STORE_SERIAL_MAX];
	size_t rows;
};

/* A key may stand in several certificates; one that admits the use is enough. */
static bool fits(struct recipient_search *s, const struct cert *cert)
{
	return span_equal(cert->skid, s->k->ask.asymmetric) && cms_recipient_check(cert, &s->unfit) == OK;
}

static enum err look_at(void *arg, const struct issued *row, struct why *why)
{
	struct recipient_search *s = arg;
	int64_t now_s = clock_unix_s(s->k->env.clock);
	struct cert cert = {0};

	s->rows++;
	if (row->serial.n > sizeof(s->last_serial))
		return WHY(why, BUG, "", "serial of %zu octets", row->serial.n);
	memcpy(s->last_serial, row->serial.p, row->serial.n);
	s->last = span_of(s->last_serial, row->serial.n);
	if (s->found.der.n || now_s < row->not_before_s || now_s > row->not_after_s)
		return OK;
	TRY(cert_parse(row->der, &cert, why));
	if (!fits(s, &cert))
		return OK;
	struct span kept = arena_copy(&s->k->arena, row->der);
	return kept.n ? cert_parse(kept, &s->found, why) : WHY(why, NOMEM, "", "certificate");
}

/* RFC 7030 4.4.1.2: the certificate that it authenticated with, or a valid one that it was given here */
static enum err find_recipient(struct keygen *k, struct cert *out, struct why *why)
{
	struct recipient_search s = {.k = k};
	struct issued_filter filter = {.enrolee_id = k->enrolee_id, .state = ISSUED_VALID, .limit = STORE_PAGE_MAX};
	struct store *store = k->env.store;

	if (k->leaf.n) {
		TRY(cert_parse(k->leaf, out, why));
		if (fits(&s, out))
			return OK;
	}
	do {
		s.rows = 0;
		TRY(store->ops->issued_list(store->self, &filter, look_at, &s, why));
		filter.after = s.last;
	} while (s.rows == STORE_PAGE_MAX && !s.found.der.n);
	if (!s.found.der.n && s.unfit.kind != OK) {
		*why = s.unfit;
		return s.unfit.kind;
	}
	if (!s.found.der.n)
		return refuse_id("RFC 7030 4.4.1.2", "AsymmetricDecryptKeyIdentifier", k->ask.asymmetric, why);
	*out = s.found;
	return OK;
}

static enum err encrypt(struct keygen *k, struct span package, struct why *why)
{
	struct secret kek OWNED_SECRET = {0};
	struct cert recipient = {0};

	if (k->ask.symmetric.n) {
		TRY(find_kek(k, &kek, why));
		return cms_envelop_kek(package, k->ask.content, secret_span(&kek), k->ask.symmetric, &k->key, why);
	}
	TRY(find_recipient(k, &recipient, why));
	return cms_envelop_cert(package, k->ask.content, &recipient, k->ask.transport, &k->key, why);
}

/* Looked at before a key is made: what nobody can open need not be made. */
static enum err check_recipient(struct keygen *k, struct why *why)
{
	struct secret kek OWNED_SECRET = {0};
	struct cert recipient = {0};

	if (k->ask.symmetric.n)
		return find_kek(k, &kek, why);
	if (!k->ask.asymmetric.n)
		return OK;
	return find_recipient(k, &recipient, why);
}

/* The flow */

static enum err take_key(struct keygen *k, const struct made_key *made, struct why *why)
{
	if (is_encrypted(k))
		return encrypt(k, made->package, why);
	buf_put_span(&k->key, made->pkcs8);
	return buf_check(&k->key, "made key", why);
}

static void on_key(void *arg, enum err err, const struct made_key *made, const struct why *reason)
{
	struct keygen *k = arg;
	struct why why = {0};

	if (err == OK) {
		err = take_key(k, made, &why);
		reason = &why;
	}
	/* what comes next may end in on_certificate, which frees k */
	k->made(k->flow, err, err == OK ? made->csr : (struct span){0}, reason);
}

static enum err check(struct keygen *k, struct why *why)
{
	if (k->spec == KEY_NONE || k->spec == KEY_OTHER)
		return WHY(why, KEYGEN_KIND, "RFC 7030 4.4", "subjectPKInfo: want P-256, P-384 or RSA of 2048 to 4096 bits, have another");
	/* RFC 7030 4.4: the suite protects as well as the key deserves; 192 bits are more than AES-128 has */
	if (k->spec == KEY_P384 && !is_encrypted(k) && !k->strong)
		return WHY(why, KEYGEN_SUITE, "RFC 7030 4.4", "TLS suite: want AES-256 or ChaCha20 for a plain P-384 key, have AES-128");
	return check_recipient(k, why);
}

static void make(void *arg, const struct issue_order *order, enrol_key_made made, void *flow)
{
	struct keygen *k = arg;
	struct key_order key = {.spec = (int)k->spec, .subject = order->subject, .sans = order->sans, .package = is_encrypted(k)};
	struct why why = {0};
	enum err err = check(k, &why);

	if (!order->issuer[0]) /* another CA has its own rules */
		memcpy(key.profile, order->profile, sizeof(key.profile));
	k->made = made;
	k->flow = flow;
	if (err != OK)
		made(flow, err, (struct span){0}, &why);
	else
		k->env.issuer->make_key(k->env.issuer->self, &key, on_key, k);
}

static void on_certificate(void *arg, enum err err, struct span cert, const struct why *why)
{
	struct keygen *k = arg;
	const struct keygen_answer a = {.encrypted = is_encrypted(k), .key = buf_span(&k->key), .cert = cert};

	k->done(k->arg, err, err == OK ? &a : NULL, why);
	keygen_free(k);
}

static bool keep(struct keygen *k, struct span *s)
{
	size_t n = s->n;

	*s = arena_copy(&k->arena, *s);
	return s->n == n;
}

static struct keygen *keygen_new(const struct enrol_env *env, const struct keygen_ask *ask)
{
	struct keygen *k = mem_alloc(sizeof(*k));

	if (!k)
		return NULL;
	k->env = *env;
	k->arena = ARENA(KEYGEN_ARENA_MAX);
	k->ask = *ask;
	k->ask.enrol = NULL;
	k->key = BUF(CMS_ENVELOPE_MAX);
	k->leaf = ask->enrol->client->leaf.der;
	k->enrolee_id = arena_text(&k->arena, span_text(ask->enrol->client->enrolee.id));
	if (k->enrolee_id && keep(k, &k->ask.symmetric) && keep(k, &k->ask.asymmetric) && keep(k, &k->leaf))
		return k;
	keygen_free(k);
	return NULL;
}

/* What csrattrs asks of this enrolee, else the kind of the key that signed the request. What cannot be read is refused by the flow. */
static enum key_spec wanted_spec(const struct enrol_env *env, const struct enrol_ask *ask)
{
	struct arena arena OWNED_ARENA = ARENA(FIND_ARENA_MAX);
	struct attrs_asked asked = {0};
	struct csr csr = {0};
	struct why unread = {0};

	if (asked_find(env->store, ask->label, ask->client->enrolee.id, &arena, &asked, &unread) == OK && asked.key != KEY_NONE)
		return asked.key;
	why_clear(&unread);
	return csr_parse(ask->csr, &csr, &unread) == OK ? csr.key_spec : KEY_NONE;
}

void enrol_keygen(const struct enrol_env *env, const struct keygen_ask *ask, keygen_done done, void *arg)
{
	struct keygen *k = keygen_new(env, ask);
	struct enrol_ask enrol = *ask->enrol;
	struct why why = {0};

	if (!k) {
		done(arg, WHY(&why, NOMEM, "", "key for a client"), NULL, &why);
		return;
	}
	k->done = done;
	k->arg = arg;
	k->spec = wanted_spec(env, ask->enrol);
	k->strong = ask->strong;
	const struct enrol_key_maker maker = {.spec = k->spec, .make = make, .arg = k};
	enrol.maker = &maker;
	enrol_certificate(env, &enrol, on_certificate, k);
}
