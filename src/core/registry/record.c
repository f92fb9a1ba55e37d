#include "core/registry/record.h"

#include "pki/digest.h"

enum { NO_SERIAL = 0x80 };

void record_foreign(const struct cert *cert, uint8_t out[RECORD_FOREIGN_SIZE])
{
	uint8_t digest[SHA256_SIZE];
	const struct span parts[] = {cert->issuer, cert->serial}; /* a DER Name tells its own end */

	digest_sha256_parts(parts, 2, digest);
	memcpy(out, digest, RECORD_FOREIGN_SIZE);
	/* RFC 5280 4.1.2.2: a serial number is positive and at most 20 octets long, so there it never begins so */
	out[0] |= NO_SERIAL;
}

bool record_is_foreign(struct span record)
{
	return record.n == RECORD_FOREIGN_SIZE && (record.p[0] & NO_SERIAL);
}
