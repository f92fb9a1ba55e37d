#pragma once
/* How many connections each source has. A source is an IPv4 address or an IPv6 network of 64 bits. */
#include "base/why.h"

#include <stdbool.h>

struct sockaddr;
struct http_sources;
struct http_source;

enum { HTTP_ADDRESS_MAX = 64 };

struct http_sources *http_sources_new(void); /* NULL without memory */
void http_sources_free(struct http_sources *t);
/* NULL when the source has `max` already, or without memory. */
struct http_source *http_source_enter(struct http_sources *t, const struct sockaddr *from, unsigned int max);
void http_source_leave(struct http_sources *t, struct http_source *source);
/* IPv4 as ::ffff:a.b.c.d; false for others. */
bool http_source_bytes(const struct sockaddr *from, uint8_t out[16]);
/* "127.0.0.1", "2001:db8::1"; IPv4 in IPv6 as IPv4; "local" for others. */
void http_source_text(const struct sockaddr *from, char out[HTTP_ADDRESS_MAX]);
