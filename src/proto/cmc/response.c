#include "base/text.h"
#include "proto/cmc/control.h"

static const char *const fail_names[] = {"badAlg", "badMessageCheck", "badRequest", "badTime", "badCertId",
	"unsupportedExt", "mustArchiveKeys", "badIdentity", "popRequired", "popFailed", "noKeyReuse", "internalCAError",
	"tryLater", "authDataFail"};

const char *cmc_fail_name(enum cmc_fail fail)
{
	if (fail < 0 || (size_t)fail >= sizeof(fail_names) / sizeof(fail_names[0]))
		return "unknown";
	return fail_names[fail];
}

/* RFC 5272 6.1.1 */
static void put_status(struct buf *out, uint32_t part, const struct cmc_part *p)
{
	struct opened at = cmc_open_control(out, part, CONTROL_STATUS_INFO_V2);
	size_t body = der_open(out, DER_SEQUENCE);

	der_put_small(out, (uint32_t)p->status);
	size_t list = der_open(out, DER_SEQUENCE);
	size_t path = p->path_n > 1 ? der_open(out, DER_SEQUENCE) : 0;
	for (size_t i = 0; i < p->path_n; i++)
		der_put_small(out, p->path[i]);
	if (p->path_n > 1)
		der_close(out, path);
	der_close(out, list);
	if (p->text.n)
		der_put(out, DER_UTF8, p->text);
	if (p->status == CMC_PENDING && p->pend_token.n) {
		size_t pend = der_open(out, DER_SEQUENCE);
		der_put(out, DER_OCTET_STRING, p->pend_token);
		cmc_put_generalized_time(out, p->pend_s);
		der_close(out, pend);
	} else if (p->fail != CMC_FAIL_NONE) {
		der_put_small(out, (uint32_t)p->fail);
	}
	der_close(out, body);
	cmc_close_control(out, at);
}

enum err cmc_response_write(const struct cmc_response *response, struct buf *out, struct why *why)
{
	uint32_t part = 1;
	size_t body = der_open(out, DER_SEQUENCE);
	size_t list = der_open(out, DER_SEQUENCE);

	for (size_t i = 0; i < response->parts_n; i++)
		put_status(out, part++, &response->parts[i]);
	if (response->transaction.n)
		cmc_put_transaction(out, part++, response->transaction);
	if (response->sender_nonce.n)
		cmc_put_octets(out, part++, CONTROL_SENDER_NONCE, response->sender_nonce);
	if (response->recipient_nonce.n)
		cmc_put_octets(out, part++, CONTROL_RECIPIENT_NONCE, response->recipient_nonce);
	if (response->has_data_return)
		cmc_put_octets(out, part, CONTROL_DATA_RETURN, response->data_return);
	der_close(out, list);
	der_put(out, DER_SEQUENCE, (struct span){0});
	der_put(out, DER_SEQUENCE, (struct span){0});
	der_close(out, body);
	return buf_check(out, "PKIResponse", why);
}

/* RFC 5272 6.1.1: BodyPartPath */
static void read_path(struct der *list, struct cmc_part *out)
{
	struct der path = der_enter(list, DER_SEQUENCE);

	out->path[0] = cmc_take_id(&path);
	out->path_n = 1;
	if (der_more(&path)) {
		out->path[1] = cmc_take_id(&path);
		out->path_n = 2;
	}
	list->bad |= path.bad;
}

/* The first BodyPartReference of the list; more of the same status are passed over. */
static enum err read_bodies(struct der *d, struct cmc_part *out, struct why *why)
{
	struct der list = der_enter(d, DER_SEQUENCE);

	if (der_peek(&list) == DER_SEQUENCE) {
		read_path(&list, out);
	} else {
		out->path[0] = cmc_take_id(&list);
		out->path_n = 1;
	}
	return list.bad ? cmc_bad("RFC 5272 6.1.1", "bodyList", why) : OK;
}

static enum err read_other_info(struct der *d, struct cmc_part *out, struct why *why)
{
	if (der_peek(d) == DER_INTEGER) {
		uint32_t fail = cmc_take_id(d);
		out->fail = fail <= CMC_FAIL_AUTH_DATA_FAIL ? (enum cmc_fail)fail : CMC_FAIL_NONE;
	} else if (der_peek(d) == DER_SEQUENCE) {
		struct der pend = der_enter(d, DER_SEQUENCE);
		out->pend_token = der_take(&pend, DER_OCTET_STRING).body;
		out->pend_s = der_take_time(&pend);
		if (!der_done(&pend))
			return cmc_bad("RFC 5272 6.1.1", "pendInfo", why);
	} else if (der_more(d)) {
		der_next(d); /* extendedFailInfo */
	}
	return der_done(d) ? OK : cmc_bad("RFC 5272 6.1.1", "CMCStatusInfoV2", why);
}

static enum err read_status(struct tagged *t, struct cmc_response *out, struct why *why)
{
	struct der d = der_enter(&t->values, DER_SEQUENCE);
	struct cmc_part p = {.fail = CMC_FAIL_NONE};
	uint32_t status = cmc_take_id(&d);

	if (d.bad || status > CMC_PARTIAL)
		return cmc_bad("RFC 5272 6.1.2", "cMCStatus", why);
	p.status = (enum cmc_status)status;
	TRY(read_bodies(&d, &p, why));
	if (der_peek(&d) == DER_UTF8) {
		p.text = der_take(&d, DER_UTF8).body;
		if (!text_is_utf8(p.text))
			return cmc_bad("RFC 5272 6.1.1", "statusString", why);
	}
	TRY(read_other_info(&d, &p, why));
	if (!der_done(&t->values))
		return cmc_bad("RFC 5272 6.1.1", "CMCStatusInfoV2", why);
	if (out->parts_n == CMC_STATUSES_MAX)
		return WHY(why, CMC_LIMIT, "", "statuses: want at most %d, have more", CMC_STATUSES_MAX);
	out->parts[out->parts_n++] = p;
	return OK;
}

static enum err read_control(struct tagged *t, struct cmc_response *out, struct why *why)
{
	switch (t->control) {
	case CONTROL_STATUS_INFO:
	case CONTROL_STATUS_INFO_V2:
		return read_status(t, out, why);
	case CONTROL_TRANSACTION_ID:
		return cmc_take_transaction(t, &out->transaction, why);
	case CONTROL_SENDER_NONCE:
		return cmc_take_octets(t, "senderNonce", CMC_NONCE_MAX, &out->sender_nonce, why);
	case CONTROL_RECIPIENT_NONCE:
		return cmc_take_octets(t, "recipientNonce", CMC_NONCE_MAX, &out->recipient_nonce, why);
	case CONTROL_DATA_RETURN:
		out->has_data_return = true;
		return cmc_take_octets(t, "dataReturn", CMC_DATA_RETURN_MAX, &out->data_return, why);
	case CONTROL_IDENTIFICATION:
	case CONTROL_LRA_POP_WITNESS:
	case CONTROL_REVOKE_REQUEST:
	case CONTROL_REG_INFO:
	case CONTROL_QUERY_PENDING:
	case CONTROL_BATCH_REQUESTS:
	case CONTROL_OTHER:
		break;
	}
	return OK;
}

enum err cmc_response_parse(struct span der, struct cmc_response *out, struct why *why)
{
	struct der all = der_init(der);
	struct der d = der_enter(&all, DER_SEQUENCE);
	struct der list = der_enter(&d, DER_SEQUENCE);
	struct parts parts = {.n = 0};

	*out = (struct cmc_response){0};
	while (der_more(&list)) {
		struct tagged t = {0};
		TRY(cmc_take_control(&list, &parts, &t, why));
		TRY(read_control(&t, out, why));
	}
	der_take(&d, DER_SEQUENCE); /* cmsSequence */
	der_take(&d, DER_SEQUENCE); /* otherMsgSequence */
	if (!der_done(&list) || !der_done(&d) || !der_done(&all))
		return cmc_bad("RFC 5272 3.2.2", "PKIResponse", why);
	return OK;
}
