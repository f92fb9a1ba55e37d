#include "net/tls_known.h"

#include "base/mem.h"

struct set {
	struct tls_known_chain ways[TLS_KNOWN_WAYS]; /* newest first; trust 0: empty */
};

struct tls_known {
	struct set sets[TLS_KNOWN_SETS];
};

struct tls_known *tls_known_new(void)
{
	return mem_alloc(sizeof(struct tls_known));
}

void tls_known_free(struct tls_known *k)
{
	mem_free(k);
}

/* Keys are digests, so any part of them spreads evenly. */
static size_t set_of(const uint8_t key[TLS_KNOWN_KEY])
{
	return ((size_t)key[0] << 8 | key[1]) % TLS_KNOWN_SETS;
}

const struct tls_known_chain *tls_known_find(const struct tls_known *k, const uint8_t key[TLS_KNOWN_KEY], int64_t now_s)
{
	const struct set *set = &k->sets[set_of(key)];

	for (size_t i = 0; i < TLS_KNOWN_WAYS; i++) {
		const struct tls_known_chain *c = &set->ways[i];
		if (c->trust && memcmp(c->key, key, TLS_KNOWN_KEY) == 0)
			return now_s >= c->from_s && now_s <= c->to_s ? c : NULL;
	}
	return NULL;
}

void tls_known_add(struct tls_known *k, const struct tls_known_chain *chain)
{
	struct set *set = &k->sets[set_of(chain->key)];

	memmove(&set->ways[1], &set->ways[0], sizeof(set->ways[0]) * (TLS_KNOWN_WAYS - 1));
	set->ways[0] = *chain;
}
