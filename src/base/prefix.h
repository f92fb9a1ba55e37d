#pragma once
/* IP addresses and networks as bytes. IPv4 stands as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), so there is one form. */
#include "base/span.h"
#include "base/why.h"

enum { ADDRESS_SIZE = 16 };

struct prefix {
	uint8_t address[ADDRESS_SIZE];
	unsigned int bits; /* 96 + n for IPv4 */
};

/* "192.0.2.1", "2001:db8::1": no zone, no leading zeros in IPv4. False: no address. */
bool address_parse(struct span text, uint8_t out[ADDRESS_SIZE]);
/*
 * An address, or RFC 4632 3.1's ADDRESS/BITS with nothing but zeros behind the network's bits. A network of everything
 * (0 bits) is refused. ERR_SYNTAX.
 */
MUST_CHECK enum err prefix_parse(struct span text, struct prefix *out, struct why *why);
enum { PREFIX_TEXT_SIZE = 48 };
/* In a form that prefix_parse reads to the same; IPv6 without "::". */
void prefix_text(const struct prefix *p, char out[PREFIX_TEXT_SIZE]);
bool prefix_holds(const struct prefix *p, const uint8_t address[ADDRESS_SIZE]);
