#include "agent/shared.h"

#include "base/arena.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/text.h"
#include "proto/m2m/prefs.h"
#include "wire/doc.h"

#include <stdio.h>

enum { SHARED_ARENA_MAX = 64 * 1024 };

#define SHARED_EXPIRES_MAX INT64_C(253402300799) /* the year 9999 */

void agent_shared_wipe(struct agent_shared *s)
{
	mem_wipe(s, sizeof(*s));
}

void agent_shared_name(const char *keyid, unsigned int suid, char out[AGENT_SHARED_NAME_SIZE])
{
	snprintf(out, AGENT_SHARED_NAME_SIZE, "%s-%u.json", keyid, suid % 100);
}

enum err agent_shared_check(const struct secret *key, int64_t lifetime_s, struct why *why)
{
	if (key->n < AGENT_SHARED_KEY_MIN)
		return WHY(why, AGENT_REPLY, "TS-0003 8.8.2.7", "key: want %d octets or more, have %zu", AGENT_SHARED_KEY_MIN, key->n);
	if (lifetime_s < 1 || lifetime_s > PREFS_EXPIRY_MAX_S)
		return WHY(why, AGENT_REPLY, "TS-0003 10.7", "lifetime: want 1 to %d seconds, have %lld", PREFS_EXPIRY_MAX_S,
			(long long)lifetime_s);
	return OK;
}

enum err agent_shared_write(const struct agent_shared *s, struct buf *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(SHARED_ARENA_MAX);
	struct doc *top = doc_new(&arena, "");
	char hex[2 * SECRET_MAX + 1];

	hex_text(s->key.bytes, s->key.n, hex);
	doc_put_text(&arena, top, "keyId", span_text(s->keyid));
	doc_put_number(&arena, top, "securityUsage", s->suid);
	doc_put_text(&arena, top, "key", span_text(hex));
	doc_put_text(&arena, top, "peer", span_text(s->peer));
	doc_put_number(&arena, top, "expires", s->expires_s);
	mem_wipe(hex, sizeof(hex));
	return doc_write(top, DOC_JSON, out, why);
}

static enum err take_key(const struct doc *top, struct secret *out, struct why *why)
{
	const char *hex = "";
	uint8_t octets[SECRET_MAX];
	size_t n = 0;
	struct why ignored = {0};

	TRY(doc_text(top, "key", 2 * SECRET_MAX, &hex, why));
	/* the reason of the failure would quote the key */
	enum err err = hex_parse(span_text(hex), octets, sizeof(octets), &n, &ignored);
	bool good = err == OK && n >= AGENT_SHARED_KEY_MIN && secret_set(out, span_of(octets, n));
	mem_wipe(octets, sizeof(octets));
	return good ? OK : WHY(why, AGENT_KEYS_FILE, "", "key: want %d to %d hexadecimal digits", 2 * AGENT_SHARED_KEY_MIN,
		2 * SECRET_MAX);
}

enum err agent_shared_parse(struct span json, struct agent_shared *out, struct why *why)
{
	OWNED_ARENA struct arena arena = ARENA(SHARED_ARENA_MAX);
	struct doc *top = NULL;
	const char *keyid = "";
	const char *peer = "";
	int64_t suid = 0;
	uint8_t relative[M2M_RELATIVE_SIZE];
	struct span fqdn = {0};

	TRY(doc_parse(DOC_JSON, json, &arena, &top, why));
	TRY(doc_text(top, "keyId", M2M_KEYID_SIZE - 1, &keyid, why));
	TRY(m2m_keyid_parse(span_text(keyid), relative, out->keyid, &fqdn, why));
	TRY(doc_number(top, "securityUsage", 1, 99, &suid, why));
	TRY(doc_number(top, "expires", 1, SHARED_EXPIRES_MAX, &out->expires_s, why));
	TRY(doc_text(top, "peer", M2M_ID_MAX, &peer, why));
	TRY(take_key(top, &out->key, why));
	out->suid = (unsigned int)suid;
	return suid && out->expires_s && text_copy(out->peer, sizeof(out->peer), span_text(peer))
		? OK : WHY(why, AGENT_KEYS_FILE, "", "want securityUsage and expires");
}
