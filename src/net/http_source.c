#include "net/http_source.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum {
	BUCKETS = 4096, /* power of two */
	KEY_SIZE = 8,
};

struct http_source {
	uint8_t key[KEY_SIZE];
	unsigned int count;
	struct http_source *next;
};

struct http_sources {
	struct http_source *buckets[BUCKETS];
};

struct http_sources *http_sources_new(void)
{
	return mem_alloc(sizeof(struct http_sources));
}

void http_sources_free(struct http_sources *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (t->buckets[i]) {
			struct http_source *source = t->buckets[i];
			t->buckets[i] = source->next;
			mem_free(source);
		}
	}
	mem_free(t);
}

static const struct in6_addr *v6_of(const struct sockaddr *from)
{
	return from->sa_family == AF_INET6 ? &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr : NULL;
}

static const void *v4_of(const struct sockaddr *from)
{
	const struct in6_addr *v6 = v6_of(from);

	if (v6)
		return IN6_IS_ADDR_V4MAPPED(v6) ? v6->s6_addr + 12 : NULL;
	return from->sa_family == AF_INET ? &((const struct sockaddr_in *)(const void *)from)->sin_addr : NULL;
}

static void key_of(const struct sockaddr *from, uint8_t key[KEY_SIZE])
{
	const void *v4 = v4_of(from);
	const struct in6_addr *v6 = v6_of(from);

	memset(key, 0, KEY_SIZE);
	if (v4)
		memcpy(key + 4, v4, 4);
	else if (v6)
		memcpy(key, v6->s6_addr, KEY_SIZE); /* one customer usually has a whole /64 */
}

static struct http_source **bucket_of(struct http_sources *t, const uint8_t key[KEY_SIZE])
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < KEY_SIZE; i++)
		hash = (hash ^ key[i]) * 16777619u;
	return &t->buckets[(hash ^ hash >> 15) % BUCKETS];
}

struct http_source *http_source_enter(struct http_sources *t, const struct sockaddr *from, unsigned int max)
{
	uint8_t key[KEY_SIZE];

	key_of(from, key);
	struct http_source **bucket = bucket_of(t, key);
	struct http_source *source = *bucket;
	while (source && memcmp(source->key, key, KEY_SIZE) != 0)
		source = source->next;
	if (source)
		return source->count < max ? source->count++, source : NULL;
	source = max ? mem_alloc(sizeof(*source)) : NULL;
	if (!source)
		return NULL;
	memcpy(source->key, key, KEY_SIZE);
	source->count = 1;
	source->next = *bucket;
	*bucket = source;
	return source;
}

void http_source_leave(struct http_sources *t, struct http_source *source)
{
	if (!source || --source->count > 0)
		return;
	struct http_source **at = bucket_of(t, source->key);
	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	mem_free(source);
}

bool http_source_bytes(const struct sockaddr *from, uint8_t out[16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const void *v4 = v4_of(from);
	const struct in6_addr *v6 = v6_of(from);

	if (!v4 && !v6)
		return false;
	memcpy(out, v4 ? (const void *)mapped : v6->s6_addr, v4 ? sizeof(mapped) : 16);
	if (v4)
		memcpy(out + sizeof(mapped), v4, 4);
	return true;
}

void http_source_text(const struct sockaddr *from, char out[HTTP_ADDRESS_MAX])
{
	const void *v4 = v4_of(from);
	const struct in6_addr *v6 = v6_of(from);

	if (v4 && inet_ntop(AF_INET, v4, out, HTTP_ADDRESS_MAX))
		return;
	if (!v4 && v6 && inet_ntop(AF_INET6, v6, out, HTTP_ADDRESS_MAX))
		return;
	memcpy(out, "local", sizeof("local"));
}
