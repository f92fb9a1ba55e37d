#pragma once
/*
 * The written form of names that identify clients, made comparable: what an operator registers and
 * what a certificate shows pass through the same function, so that they meet byte for byte. Each
 * returns NULL and fills out, or a text that says what was wanted.
 */
#include "port/store.h"

enum { FORM_SIZE = STORE_VALUE_MAX + 1 };

/* RFC 1123 2.1: host name in lower case: labels of 1..63, 253 in all, no wildcard, no address, no final dot. */
const char *form_dns(struct span name, char out[FORM_SIZE]);
/*
 * RFC 3986 4.3: an absolute URI in ASCII, scheme and host in lower case. An authority must be a host name
 * with or without a port (RFC 5280 4.2.1.10 constrains no others); no user-info. need_host: it must have one.
 */
const char *form_uri(struct span uri, bool need_host, char out[FORM_SIZE]);
/* Value of that credential kind (see port/store.h). */
const char *form_credential(enum credential_kind kind, struct span value, char out[FORM_SIZE]);
