#pragma once
/* https and http URIs (RFC 3986), as far as MEF and CRL addresses need them. */
#include "base/text.h"

struct uri {
	struct span scheme; /* without ':' */
	struct span host;   /* without brackets */
	uint16_t port;      /* default of the scheme when absent */
	struct span path;   /* "" or starts with '/' */
	struct span query;
};

/* ERR_SYNTAX; user-info and fragments are refused. Spans point into `in`. */
MUST_CHECK enum err uri_parse(struct span in, struct uri *out, struct why *why);
/* Percent-decodes into out, terminated; ERR_SYNTAX for bad escapes, %00, or lack of room. */
MUST_CHECK enum err uri_decode(struct span in, char *out, size_t size, struct why *why);
