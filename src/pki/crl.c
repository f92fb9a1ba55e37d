#include "pki/build.h"

#include "pki/der.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/signature.h"

enum {
	/* serial of 20 octets, date, reason: 57 octets each at most, and the frame */
	ENTRY_MAX = 64,
	FRAME_MAX = 8 * 1024,
	REASON_MAX = 10, /* RFC 5280 5.3.1: aACompromise */
	REASON_UNUSED = 7,
	DER_ENUMERATED = 0x0a,
};

static const int64_t date_min_s = -631152000, date_max_s = 253402300799; /* RFC 5280 4.1.2.5 */

static bool date_is_writable(int64_t at_s)
{
	return at_s >= date_min_s && at_s <= date_max_s;
}

static enum err check_entry(const struct crl_entry *entry, size_t i, struct why *why)
{
	if (entry->serial_n == 0 || entry->serial_n > ISSUER_SERIAL_MAX)
		return WHY(why, CRL_PLAN, "RFC 5280 4.1.2.2", "entry %zu: want a serial of 1 to %d octets, have %zu", i,
			ISSUER_SERIAL_MAX, entry->serial_n);
	if (entry->reason > REASON_MAX || entry->reason == REASON_UNUSED)
		return WHY(why, CRL_PLAN, "RFC 5280 5.3.1", "entry %zu: want a reason of 0 to %d but 7, have %d", i, REASON_MAX,
			entry->reason);
	if (!date_is_writable(entry->revoked_s))
		return WHY(why, CRL_PLAN, "RFC 5280 5.1.2.6", "entry %zu: want a date within 1950 to 9999", i);
	return OK;
}

static void put_reason(struct buf *out, uint8_t reason)
{
	size_t extensions = der_open(out, DER_SEQUENCE);
	size_t extension = der_open(out, DER_SEQUENCE);

	der_put_oid(out, OID_CE_CRL_REASON);
	size_t octets = der_open(out, DER_OCTET_STRING);
	der_put(out, DER_ENUMERATED, span_of(&reason, 1));
	der_close(out, octets);
	der_close(out, extension);
	der_close(out, extensions);
}

static enum err put_entries(struct buf *out, const struct crl_order *order, struct why *why)
{
	/* RFC 5280 5.1.2.6: absent when nothing is revoked */
	if (order->entries_n == 0)
		return OK;
	size_t list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < order->entries_n; i++) {
		const struct crl_entry *entry = &order->entries[i];
		TRY(check_entry(entry, i, why));
		size_t at = der_open(out, DER_SEQUENCE);
		der_put_uint(out, span_of(entry->serial, entry->serial_n));
		der_put_time(out, entry->revoked_s);
		/* RFC 5280 5.3.1: absent rather than unspecified */
		if (entry->reason)
			put_reason(out, entry->reason);
		der_close(out, at);
	}
	der_close(out, list);
	return OK;
}

/* RFC 5280 5.2.1, 5.2.3: authority key identifier and number are in every CRL, neither critical */
static void put_extensions(struct buf *out, uint64_t number, struct span issuer_skid)
{
	uint8_t octets[8];

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(number >> (8 * (sizeof(octets) - 1 - i)));
	size_t wrap = der_open(out, DER_CONTEXT | 0x20 | 0);
	size_t list = der_open(out, DER_SEQUENCE);
	size_t extension = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_CE_AUTHORITY_KEY_ID);
	size_t value = der_open(out, DER_OCTET_STRING);
	size_t akid = der_open(out, DER_SEQUENCE);
	der_put(out, DER_CONTEXT | 0, issuer_skid);
	der_close(out, akid);
	der_close(out, value);
	der_close(out, extension);
	extension = der_open(out, DER_SEQUENCE);
	der_put_oid(out, OID_CE_CRL_NUMBER);
	value = der_open(out, DER_OCTET_STRING);
	der_put_uint(out, span_of(octets, sizeof(octets)));
	der_close(out, value);
	der_close(out, extension);
	der_close(out, list);
	der_close(out, wrap);
}

static enum err check_order(const struct crl_order *order, struct span issuer_name, struct span issuer_skid, struct why *why)
{
	/* RFC 5280 5.1.2.3: the issuer has a name */
	if (issuer_name.n <= 2 || issuer_name.p[0] != DER_SEQUENCE)
		return WHY(why, CRL_PLAN, "RFC 5280 5.1.2.3", "issuer: want a DER Name that is not empty");
	if (issuer_skid.n == 0)
		return WHY(why, CRL_PLAN, "RFC 5280 5.2.1", "issuer key identifier: want it, have none");
	/* RFC 5280 5.1.2.5: nextUpdate is always given */
	if (!date_is_writable(order->this_update_s) || !date_is_writable(order->next_update_s)
		|| order->next_update_s <= order->this_update_s)
		return WHY(why, CRL_PLAN, "RFC 5280 5.1.2.5", "dates: want nextUpdate after thisUpdate, have %lld and %lld",
			(long long)order->next_update_s, (long long)order->this_update_s);
	if (order->entries_n > (SIZE_MAX - FRAME_MAX) / ENTRY_MAX)
		return WHY(why, CRL_PLAN, "", "entries: want fewer, have %zu", order->entries_n);
	return OK;
}

enum err crl_build(const struct crl_order *order, struct span issuer_name, struct span issuer_skid,
	const struct key *signer, struct buf *der_out, struct why *why)
{
	struct span alg;

	TRY(check_order(order, issuer_name, issuer_skid, why));
	TRY(signature_alg(signer, &alg, why));
	struct buf tbs OWNED_BUF = BUF(FRAME_MAX + ENTRY_MAX * order->entries_n);
	size_t all = der_open(&tbs, DER_SEQUENCE);
	der_put_small(&tbs, 1); /* RFC 5280 5.1.2.1: version 2 */
	buf_put_span(&tbs, alg);
	buf_put_span(&tbs, issuer_name);
	der_put_time(&tbs, order->this_update_s);
	der_put_time(&tbs, order->next_update_s);
	TRY(put_entries(&tbs, order, why));
	put_extensions(&tbs, order->number, issuer_skid);
	der_close(&tbs, all);
	TRY(buf_check(&tbs, "CRL", why));
	return signed_write(buf_span(&tbs), signer, der_out, why);
}
