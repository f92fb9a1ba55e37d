#pragma once
/*
 * The header of the PROXY protocol, version 2 (proxy-protocol.txt, 2020): the bytes that a proxy writes before those of
 * its client. Version 1, a line of text, is refused. Read from a configured proxy only (net/http_proxy.c).
 */
#include "base/prefix.h"

enum {
	PROXY_HEAD = 16,   /* signature, version and command, family, length */
	PROXY_MAX = 2048,  /* header with addresses and TLVs; a proxy with every TLV it knows stays below 1 KiB */
	PROXY_TLVS_MAX = 32,
};

struct proxy_header {
	bool local;         /* the proxy speaks for itself, as in a health check: the address is the connection's own */
	bool has_address;   /* false also for AF_UNSPEC and AF_UNIX */
	uint8_t address[ADDRESS_SIZE];
	bool has_tls;       /* PP2_TYPE_SSL was there, so the next are known */
	bool tls;           /* the client connected to the proxy by TLS */
	bool cert;          /* it proved a certificate, in this connection or in the session resumed */
	bool verified;      /* and the proxy found no fault in it */
	uint16_t tls_version; /* 0x0303; 0: not told */
};

/*
 * How many bytes the whole header has: PROXY_HEAD as long as `in` has less than that. ERR_SYNTAX as soon as a byte
 * contradicts; ERR_LIMIT.
 */
MUST_CHECK enum err proxy_size(struct span in, size_t *size_out, struct why *why);
/* in: the whole header and nothing else. ERR_SYNTAX, ERR_LIMIT, ERR_UNSUPPORTED. */
MUST_CHECK enum err proxy_parse(struct span in, struct proxy_header *out, struct why *why);
