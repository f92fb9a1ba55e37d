#pragma once
/*
 * Under which number a certificate stands in the store (docs/decisions/0021). One of this MEF's own CA: its serial
 * number. One of another CA, whose serial numbers may meet ours or those of a third: 20 octets made of issuer and serial
 * number, the first bit set, which no serial number of RFC 5280 4.1.2.2 has at that length.
 */
#include "pki/cert.h"
#include "port/store.h"

enum { RECORD_FOREIGN_SIZE = STORE_SERIAL_MAX };

void record_foreign(const struct cert *cert, uint8_t out[RECORD_FOREIGN_SIZE]);
bool record_is_foreign(struct span record);
