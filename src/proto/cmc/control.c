#include "proto/cmc/control.h"

#include "base/date.h"

/* id-cmc without its last octet */
static const uint8_t arc[] = {0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x07};

enum err cmc_bad(const char *clause, const char *what, struct why *why)
{
	return WHY(why, CMC_SYNTAX, clause, "%s: want it in DER as the clause says, have other bytes", what);
}

uint32_t cmc_take_id(struct der *d)
{
	struct span v = der_take_uint(d);
	uint32_t id = 0;

	/* RFC 5272 3.2.1.1: bodyIdMax is 4294967295 */
	if (v.n > 4)
		d->bad = true;
	for (size_t i = 0; !d->bad && i < v.n; i++)
		id = id << 8 | v.p[i];
	return id;
}

enum err cmc_take_part(struct der *d, struct parts *parts, uint32_t *out, struct why *why)
{
	uint32_t id = cmc_take_id(d);

	if (d->bad)
		return cmc_bad("RFC 5272 3.2.1", "bodyPartID", why);
	/* RFC 5272 3.2.1: unique within the PKIData; 0 is the PKIData itself */
	if (id == 0)
		return WHY(why, CMC_SYNTAX, "RFC 5272 3.2.1", "bodyPartID: want one from 1, have 0");
	for (size_t i = 0; i < parts->n; i++) {
		if (parts->ids[i] == id)
			return WHY(why, CMC_SYNTAX, "RFC 5272 3.2.1", "bodyPartID %lu: want it once, have it again",
				(unsigned long)id);
	}
	if (parts->n == CMC_BODY_PARTS_MAX)
		return WHY(why, CMC_LIMIT, "", "body parts: want at most %d, have more", CMC_BODY_PARTS_MAX);
	parts->ids[parts->n++] = id;
	*out = id;
	return OK;
}

static enum control control_of(struct span oid)
{
	if (oid.n != sizeof(arc) + 1 || memcmp(oid.p, arc, sizeof(arc)) != 0)
		return CONTROL_OTHER;
	switch (oid.p[sizeof(arc)]) {
	case CONTROL_STATUS_INFO:
	case CONTROL_IDENTIFICATION:
	case CONTROL_DATA_RETURN:
	case CONTROL_TRANSACTION_ID:
	case CONTROL_SENDER_NONCE:
	case CONTROL_RECIPIENT_NONCE:
	case CONTROL_LRA_POP_WITNESS:
	case CONTROL_REVOKE_REQUEST:
	case CONTROL_REG_INFO:
	case CONTROL_QUERY_PENDING:
	case CONTROL_STATUS_INFO_V2:
	case CONTROL_BATCH_REQUESTS:
		return (enum control)oid.p[sizeof(arc)];
	default:
		return CONTROL_OTHER;
	}
}

enum err cmc_take_control(struct der *list, struct parts *parts, struct tagged *out, struct why *why)
{
	struct der d = der_enter(list, DER_SEQUENCE);

	TRY(cmc_take_part(&d, parts, &out->part, why));
	out->oid = der_take_oid(&d);
	out->control = control_of(out->oid);
	out->values = der_enter(&d, DER_SET);
	return der_done(&d) ? OK : cmc_bad("RFC 5272 3.2.1.1", "TaggedAttribute", why);
}

enum err cmc_take_octets(struct tagged *t, const char *what, size_t max, struct span *out, struct why *why)
{
	struct span octets = der_take(&t->values, DER_OCTET_STRING).body;

	if (!der_done(&t->values))
		return cmc_bad("RFC 5272 6", what, why);
	if (octets.n > max)
		return WHY(why, CMC_LIMIT, "", "%s: want at most %zu octets, have %zu", what, max, octets.n);
	*out = octets;
	return OK;
}

enum err cmc_take_transaction(struct tagged *t, struct span *out, struct why *why)
{
	struct der_item number = der_take(&t->values, DER_INTEGER);

	if (!der_done(&t->values) || number.body.n == 0)
		return cmc_bad("RFC 5272 6.6", "transactionId", why);
	if (number.body.n > CMC_TRANSACTION_MAX)
		return WHY(why, CMC_LIMIT, "", "transactionId: want at most %d octets, have %zu", CMC_TRANSACTION_MAX,
			number.body.n);
	*out = number.all;
	return OK;
}

struct opened cmc_open_control(struct buf *out, uint32_t part, enum control control)
{
	uint8_t oid[sizeof(arc) + 1];
	struct opened at = {.outer = der_open(out, DER_SEQUENCE)};

	memcpy(oid, arc, sizeof(arc));
	oid[sizeof(arc)] = (uint8_t)control;
	der_put_small(out, part);
	der_put_oid(out, span_of(oid, sizeof(oid)));
	at.values = der_open(out, DER_SET);
	return at;
}

void cmc_close_control(struct buf *out, struct opened at)
{
	der_close(out, at.values);
	der_close(out, at.outer);
}

void cmc_put_octets(struct buf *out, uint32_t part, enum control control, struct span octets)
{
	struct opened at = cmc_open_control(out, part, control);

	der_put(out, DER_OCTET_STRING, octets);
	cmc_close_control(out, at);
}

void cmc_put_transaction(struct buf *out, uint32_t part, struct span transaction)
{
	struct opened at = cmc_open_control(out, part, CONTROL_TRANSACTION_ID);

	buf_put_span(out, transaction);
	cmc_close_control(out, at);
}

void cmc_put_generalized_time(struct buf *out, int64_t unix_s)
{
	struct date t = date_from_s(unix_s);
	struct buf text OWNED_BUF = BUF(32);

	if (!date_is_valid(&t)) {
		out->bad = true;
		return;
	}
	buf_put_fmt(&text, "%04d%02d%02d%02d%02d%02dZ", t.year, t.month, t.day, t.hour, t.minute, t.second);
	der_put(out, DER_GENERALIZED_TIME, buf_span(&text));
}
