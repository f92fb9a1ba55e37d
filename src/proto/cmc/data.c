#include "base/text.h"
#include "proto/cmc/control.h"

enum {
	TCR = DER_CONTEXT | 0x20 | 0, /* PKCS#10 */
	CRM = DER_CONTEXT | 0x20 | 1, /* CRMF */
	ORM = DER_CONTEXT | 0x20 | 2,
};

struct reading {
	struct cmc_data *out;
	struct parts parts;
	bool seen[256]; /* by control */
};

static enum err refuse(struct reading *r, uint32_t part, const char *what, bool request, struct span oid, struct why *why)
{
	struct cmc_data *out = r->out;

	if (out->refused_n == CMC_REFUSED_MAX)
		return WHY(why, CMC_LIMIT, "", "body parts that are not supported: have more than %d", CMC_REFUSED_MAX);
	out->refused[out->refused_n++] = (struct cmc_refused){.part = part, .request = request, .what = what, .oid = oid};
	return OK;
}

static enum err read_utf8(struct der *values, const char *what, size_t max, struct span *out, struct why *why)
{
	struct span text = der_take(values, DER_UTF8).body;

	if (values->bad || !text_is_utf8(text))
		return cmc_bad("RFC 5272 6", what, why);
	if (text.n > max)
		return WHY(why, CMC_LIMIT, "", "%s: want at most %zu octets, have %zu", what, max, text.n);
	*out = text;
	return OK;
}

/* RFC 5272 6.11 */
static enum err read_revoke(struct reading *r, struct tagged *t, struct why *why)
{
	struct der d = der_enter(&t->values, DER_SEQUENCE);
	struct cmc_revoke v = {.part = t->part};
	struct der_item item = {0};

	v.issuer = der_take(&d, DER_SEQUENCE).all;
	v.serial = der_take_uint(&d);
	struct span reason = der_take(&d, CMC_ENUMERATED).body;
	if (reason.n != 1)
		return cmc_bad("RFC 5272 6.11", "revokeRequest", why);
	v.reason = reason.p[0];
	if (der_peek(&d) == DER_GENERALIZED_TIME)
		v.invalid_s = der_take_time(&d);
	v.has_passphrase = der_take_if(&d, DER_OCTET_STRING, &item);
	if (der_peek(&d) == DER_UTF8)
		TRY(read_utf8(&d, "comment of a revokeRequest", CMC_COMMENT_MAX, &v.comment, why));
	if (!der_done(&d) || !der_done(&t->values) || v.serial.n == 0)
		return cmc_bad("RFC 5272 6.11", "revokeRequest", why);
	if (r->out->revokes_n == CMC_REVOKES_MAX)
		return WHY(why, CMC_LIMIT, "", "revocation requests: want at most %d, have more", CMC_REVOKES_MAX);
	r->out->revokes[r->out->revokes_n++] = v;
	return OK;
}

static enum err skip_values(struct tagged *t, struct why *why)
{
	while (der_more(&t->values))
		der_next(&t->values);
	return der_done(&t->values) ? OK : cmc_bad("RFC 5272 3.2.1.1", "attrValues", why);
}

/* Those that stand once. */
static enum err read_single(struct reading *r, struct tagged *t, struct why *why)
{
	struct cmc_data *out = r->out;

	switch (t->control) {
	case CONTROL_TRANSACTION_ID:
		return cmc_take_transaction(t, &out->transaction, why);
	case CONTROL_SENDER_NONCE:
		return cmc_take_octets(t, "senderNonce", CMC_NONCE_MAX, &out->sender_nonce, why);
	case CONTROL_RECIPIENT_NONCE:
		return cmc_take_octets(t, "recipientNonce", CMC_NONCE_MAX, &out->recipient_nonce, why);
	case CONTROL_DATA_RETURN:
		out->has_data_return = true;
		return cmc_take_octets(t, "dataReturn", CMC_DATA_RETURN_MAX, &out->data_return, why);
	case CONTROL_QUERY_PENDING:
		out->pending_part = t->part;
		return cmc_take_octets(t, "queryPending", CMC_NONCE_MAX, &out->pending, why);
	case CONTROL_IDENTIFICATION:
		TRY(read_utf8(&t->values, "identification", CMC_COMMENT_MAX, &out->identification, why));
		return der_done(&t->values) ? OK : cmc_bad("RFC 5272 6.2.3", "identification", why);
	case CONTROL_LRA_POP_WITNESS:
		out->witnessed = true;
		return skip_values(t, why);
	case CONTROL_STATUS_INFO:
	case CONTROL_STATUS_INFO_V2:
	case CONTROL_REG_INFO:
	case CONTROL_BATCH_REQUESTS:
		return skip_values(t, why);
	case CONTROL_REVOKE_REQUEST:
	case CONTROL_OTHER:
		break;
	}
	return WHY(why, BUG, "", "control %d", (int)t->control);
}

static bool may_repeat(enum control control)
{
	return control == CONTROL_STATUS_INFO || control == CONTROL_STATUS_INFO_V2 || control == CONTROL_REG_INFO
		|| control == CONTROL_LRA_POP_WITNESS;
}

static enum err read_control(struct reading *r, struct der *list, struct why *why)
{
	struct tagged t = {0};

	TRY(cmc_take_control(list, &r->parts, &t, why));
	if (t.control == CONTROL_OTHER)
		return refuse(r, t.part, "control", false, t.oid, why);
	if (t.control == CONTROL_REVOKE_REQUEST)
		return read_revoke(r, &t, why);
	if (r->seen[t.control] && !may_repeat(t.control))
		return WHY(why, CMC_SYNTAX, "RFC 5272 6", "control id-cmc %d: want it once, have it again", (int)t.control);
	r->seen[t.control] = true;
	return read_single(r, &t, why);
}

static enum err read_pkcs10(struct reading *r, struct span body, struct why *why)
{
	struct der d = der_init(body);
	struct cmc_csr csr = {0};

	TRY(cmc_take_part(&d, &r->parts, &csr.part, why));
	csr.der = der_take(&d, DER_SEQUENCE).all;
	if (!der_done(&d))
		return cmc_bad("RFC 5272 3.2.1.2.1", "TaggedCertificationRequest", why);
	if (r->out->requests_n == CMC_REQUESTS_MAX)
		return WHY(why, CMC_LIMIT, "", "certification requests: want at most %d, have more", CMC_REQUESTS_MAX);
	r->out->requests[r->out->requests_n++] = csr;
	return OK;
}

/* RFC 5272 3.2.1.2.2: CertReqMsg, whose certReqId is its bodyPartID */
static enum err read_crmf(struct reading *r, struct span body, struct why *why)
{
	struct der d = der_init(body);
	struct der request = der_enter(&d, DER_SEQUENCE);
	uint32_t part = 0;

	TRY(cmc_take_part(&request, &r->parts, &part, why));
	return refuse(r, part, "CRMF request", true, (struct span){0}, why);
}

static enum err read_other(struct reading *r, struct span body, const char *what, bool request, struct why *why)
{
	struct der d = der_init(body);
	uint32_t part = 0;

	TRY(cmc_take_part(&d, &r->parts, &part, why));
	struct span oid = der_take_oid(&d);
	if (d.bad)
		return cmc_bad("RFC 5272 3.2.1", what, why);
	return refuse(r, part, what, request, oid, why);
}

static enum err read_request(struct reading *r, struct der *list, struct why *why)
{
	struct der_item item = der_next(list);

	switch (item.tag) {
	case TCR:
		return read_pkcs10(r, item.body, why);
	case CRM:
		return read_crmf(r, item.body, why);
	case ORM:
		return read_other(r, item.body, "request of another kind", true, why);
	default:
		return cmc_bad("RFC 5272 3.2.1.2", "TaggedRequest", why);
	}
}

static enum err read_nested(struct reading *r, struct der *list, struct why *why)
{
	struct der d = der_enter(list, DER_SEQUENCE);
	struct cmc_nested nested = {0};

	TRY(cmc_take_part(&d, &r->parts, &nested.part, why));
	nested.der = der_take(&d, DER_SEQUENCE).all;
	if (!der_done(&d))
		return cmc_bad("RFC 5272 3.2.1.3", "TaggedContentInfo", why);
	if (r->out->nested_n == CMC_NESTED_MAX)
		return WHY(why, CMC_LIMIT, "", "nested messages: want at most %d, have more", CMC_NESTED_MAX);
	r->out->nested[r->out->nested_n++] = nested;
	return OK;
}

static enum err read_other_message(struct reading *r, struct der *list, struct why *why)
{
	struct der_item item = der_take(list, DER_SEQUENCE);

	return read_other(r, item.body, "other message", false, why);
}

enum err cmc_data_parse(struct span der, struct cmc_data *out, struct why *why)
{
	static const struct {
		const char *what;
		enum err (*read)(struct reading *r, struct der *list, struct why *why);
	} lists[] = {
		{"controlSequence", read_control},
		{"reqSequence", read_request},
		{"cmsSequence", read_nested},
		{"otherMsgSequence", read_other_message},
	};
	struct der all = der_init(der);
	struct der d = der_enter(&all, DER_SEQUENCE);
	struct reading r = {.out = out};

	*out = (struct cmc_data){0};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct der list = der_enter(&d, DER_SEQUENCE);
		while (der_more(&list))
			TRY(lists[i].read(&r, &list, why));
		if (!der_done(&list))
			return cmc_bad("RFC 5272 3.2.1", lists[i].what, why);
	}
	return der_done(&d) && der_done(&all) ? OK : cmc_bad("RFC 5272 3.2.1", "PKIData", why);
}

static uint32_t next_part(const struct cmc_data *data)
{
	uint32_t max = 0;

	for (size_t i = 0; i < data->requests_n; i++)
		max = data->requests[i].part > max ? data->requests[i].part : max;
	for (size_t i = 0; i < data->revokes_n; i++)
		max = data->revokes[i].part > max ? data->revokes[i].part : max;
	for (size_t i = 0; i < data->nested_n; i++)
		max = data->nested[i].part > max ? data->nested[i].part : max;
	return max + 1;
}

static void put_revoke(struct buf *out, const struct cmc_revoke *v)
{
	struct opened at = cmc_open_control(out, v->part, CONTROL_REVOKE_REQUEST);
	size_t body = der_open(out, DER_SEQUENCE);

	buf_put_span(out, v->issuer);
	der_put_uint(out, v->serial);
	der_put(out, CMC_ENUMERATED, span_of(&v->reason, 1));
	if (v->invalid_s)
		cmc_put_generalized_time(out, v->invalid_s);
	if (v->comment.n)
		der_put(out, DER_UTF8, v->comment);
	der_close(out, body);
	cmc_close_control(out, at);
}

/* RFC 5272 6.2.5: the RA has checked the proofs of these body parts */
static void put_witness(struct buf *out, const struct cmc_data *data, uint32_t part)
{
	struct opened at = cmc_open_control(out, part, CONTROL_LRA_POP_WITNESS);
	size_t body = der_open(out, DER_SEQUENCE);

	der_put_small(out, 0);
	size_t list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < data->requests_n; i++)
		der_put_small(out, data->requests[i].part);
	der_close(out, list);
	der_close(out, body);
	cmc_close_control(out, at);
}

static void put_identification(struct buf *out, const struct cmc_data *data, uint32_t part)
{
	struct opened at = cmc_open_control(out, part, CONTROL_IDENTIFICATION);

	der_put(out, DER_UTF8, data->identification);
	cmc_close_control(out, at);
}

static void put_controls(struct buf *out, const struct cmc_data *data)
{
	uint32_t part = next_part(data);

	if (data->transaction.n)
		cmc_put_transaction(out, part++, data->transaction);
	if (data->sender_nonce.n)
		cmc_put_octets(out, part++, CONTROL_SENDER_NONCE, data->sender_nonce);
	if (data->recipient_nonce.n)
		cmc_put_octets(out, part++, CONTROL_RECIPIENT_NONCE, data->recipient_nonce);
	if (data->has_data_return)
		cmc_put_octets(out, part++, CONTROL_DATA_RETURN, data->data_return);
	if (data->identification.n)
		put_identification(out, data, part++);
	if (data->witnessed)
		put_witness(out, data, part);
	for (size_t i = 0; i < data->revokes_n; i++)
		put_revoke(out, &data->revokes[i]);
}

static void put_tagged(struct buf *out, uint8_t tag, uint32_t part, struct span der)
{
	size_t at = der_open(out, tag);

	der_put_small(out, part);
	buf_put_span(out, der);
	der_close(out, at);
}

enum err cmc_data_write(const struct cmc_data *data, struct buf *out, struct why *why)
{
	size_t body = der_open(out, DER_SEQUENCE);
	size_t list = der_open(out, DER_SEQUENCE);

	put_controls(out, data);
	der_close(out, list);
	list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < data->requests_n; i++)
		put_tagged(out, TCR, data->requests[i].part, data->requests[i].der);
	der_close(out, list);
	list = der_open(out, DER_SEQUENCE);
	for (size_t i = 0; i < data->nested_n; i++)
		put_tagged(out, DER_SEQUENCE, data->nested[i].part, data->nested[i].der);
	der_close(out, list);
	der_put(out, DER_SEQUENCE, (struct span){0});
	der_close(out, body);
	return buf_check(out, "PKIData", why);
}
