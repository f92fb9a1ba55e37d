#include "proto/est/challenge.h"

#include "base/base64.h"
#include "base/cursor.h"
#include "base/secret.h"
#include "pki/digest.h"
#include "pki/seal.h"

enum {
	VERSION = 1,
	PART = 16, /* of a SHA-256: 128 bits tell clients, labels and sessions apart */
	PLAIN_SIZE = 1 + CHALLENGE_NONCE_SIZE + 8 + 3 * PART,
	SEALED_SIZE = PLAIN_SIZE + SEAL_OVERHEAD,
};

_Static_assert((SEALED_SIZE + 2) / 3 * 4 <= CHALLENGE_TEXT_MAX, "challengePassword holds 255 characters");

static const char place[] = "est-challenge";

static void put_part(struct buf *b, struct span of)
{
	uint8_t digest[SHA256_SIZE];

	digest_sha256(of, digest);
	buf_put(b, digest, PART);
}

/* An empty binding is zero octets, so that "not bound" differs from every session. */
static void put_binding(struct buf *b, struct span binding)
{
	static const uint8_t none[PART];

	if (binding.n)
		put_part(b, binding);
	else
		buf_put(b, none, PART);
}

enum err challenge_write(struct span key, const uint8_t random[28], const struct challenge_facts *facts,
	int64_t expires_s, struct buf *text_out, struct why *why)
{
	struct buf plain OWNED_BUF = BUF(PLAIN_SIZE);
	struct buf sealed OWNED_BUF = BUF(SEALED_SIZE);

	buf_put_u8(&plain, VERSION);
	buf_put(&plain, random + 12, CHALLENGE_NONCE_SIZE);
	buf_put_u64(&plain, (uint64_t)expires_s);
	put_part(&plain, facts->identity);
	put_part(&plain, facts->label);
	put_binding(&plain, facts->binding);
	TRY(buf_check(&plain, "challenge", why));
	TRY(seal_write(key, random, span_text(place), buf_span(&plain), &sealed, why));
	base64_write(text_out, buf_span(&sealed), 0);
	return buf_check(text_out, "challenge", why);
}

struct opened {
	uint8_t bytes[PLAIN_SIZE];
	struct span nonce, identity, label, binding;
	int64_t expires_s;
};

static bool read_plain(struct span plain, struct opened *out)
{
	if (plain.n != PLAIN_SIZE)
		return false;
	memcpy(out->bytes, plain.p, PLAIN_SIZE);
	struct cursor c = cursor_init(span_of(out->bytes, PLAIN_SIZE));
	bool version_ok = cursor_u8(&c) == VERSION;
	out->nonce = cursor_bytes(&c, CHALLENGE_NONCE_SIZE);
	out->expires_s = (int64_t)cursor_u64(&c);
	out->identity = cursor_bytes(&c, PART);
	out->label = cursor_bytes(&c, PART);
	out->binding = cursor_bytes(&c, PART);
	return version_ok && cursor_done(&c);
}

static enum err forged(struct why *why, const char *have)
{
	return WHY(why, CHALLENGE_FORGED, "TS-0003 8.3.6.2",
		"challengePassword: want the value from csrattrs, have %s", have);
}

static enum err open_text(struct span key, struct span text, struct opened *out, struct why *why)
{
	struct buf sealed OWNED_BUF = BUF(CHALLENGE_TEXT_MAX);
	struct buf plain OWNED_BUF = BUF(CHALLENGE_TEXT_MAX);
	struct why inner = {0};

	if (text.n > CHALLENGE_TEXT_MAX)
		return forged(why, "a longer text");
	if (base64_parse(text, &sealed, &inner) != OK)
		return forged(why, "no base64");
	if (sealed.n != SEALED_SIZE)
		return forged(why, "another length");
	enum err err = seal_open(key, span_text(place), buf_span(&sealed), &plain, &inner);
	if (err == ERR_CRYPTO)
		return forged(why, "one that this MEF did not make");
	if (err != OK) {
		*why = inner;
		return err;
	}
	return read_plain(buf_span(&plain), out) ? OK : forged(why, "one of another version");
}

static bool same_part(struct span have, struct span of)
{
	uint8_t digest[SHA256_SIZE];

	digest_sha256(of, digest);
	return secret_equal(have, span_of(digest, PART));
}

static bool same_binding(struct span have, struct span binding)
{
	static const uint8_t none[PART];

	return binding.n ? same_part(have, binding) : secret_equal(have, span_of(none, PART));
}

enum err challenge_check(struct span key, struct span text, const struct challenge_facts *facts,
	int64_t now_s, uint8_t nonce_out[CHALLENGE_NONCE_SIZE], struct why *why)
{
	struct opened got = {0};

	TRY(open_text(key, text, &got, why));
	/* TS-0003 8.3.6.2: the echo is checked against what this very client was given */
	if (!same_part(got.identity, facts->identity))
		return WHY(why, CHALLENGE_CLIENT, "TS-0003 8.3.6.2",
			"challengePassword: want one made for this client, have another client's");
	if (!same_part(got.label, facts->label))
		return WHY(why, CHALLENGE_LABEL, "RFC 7030 3.2.2",
			"challengePassword: want one made under label '%.*s', have another label's",
			SPAN_FMT(span_first(facts->label, 64)));
	if (!same_binding(got.binding, facts->binding))
		return WHY(why, CHALLENGE_SESSION, "RFC 9266 3",
			"challengePassword: want one made in this TLS session, have another session's");
	if (now_s >= got.expires_s)
		return WHY(why, CHALLENGE_EXPIRED, "TS-0003 8.3.6.2",
			"challengePassword: want one that is still good, have one that ended %lld s ago",
			(long long)(now_s - got.expires_s));
	if (facts->ttl_s && got.expires_s - now_s > 2 * facts->ttl_s)
		return WHY(why, CHALLENGE_EXPIRED, "TS-0003 8.3.6.2",
			"challengePassword: want one of at most %lld s, have one that ends in %lld s: the MEF's clock was set back",
			(long long)facts->ttl_s, (long long)(got.expires_s - now_s));
	memcpy(nonce_out, got.nonce.p, CHALLENGE_NONCE_SIZE);
	return OK;
}
