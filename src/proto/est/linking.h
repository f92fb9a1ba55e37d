#pragma once
/*
 * Linking of identity and proof of possession (RFC 7030 3.5): the CSR carries a value of the TLS session that it
 * travels in, as base64 text in challengePassword or estIdentityLinking (RFC 7894 3.3). On TLS 1.2 that value is
 * tls-unique (RFC 5929), on TLS 1.3 the tls-exporter binding (RFC 9266).
 */
#include "base/buf.h"

enum {
	LINKING_UNIQUE_SIZE = 12,   /* RFC 5246 7.4.9: verify_data of every suite that we speak */
	LINKING_EXPORTER_SIZE = 32, /* RFC 9266 2 */
	LINKING_TEXT_MAX = 88,      /* of 64 octets */
};

struct linking_session {
	struct span unique;   /* empty: none, as on TLS 1.3 */
	struct span exporter; /* empty: none */
};

/* The client's text: of tls-unique where the session has it, else of the exporter; nothing without either. */
void linking_write(const struct linking_session *s, struct buf *text_out);
/* Whether a text reads as such a value, of whatever session. */
bool linking_is_value(struct span text);
/*
 * Whether text is a value of this very session: tls-unique, or the exporter, which RFC 9266 2 also defines for
 * TLS 1.2 with the extended master secret. Compared in constant time.
 */
bool linking_is_of(const struct linking_session *s, struct span text);
