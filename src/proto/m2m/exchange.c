#include "proto/m2m/exchange.h"

#include "proto/m2m/message.h"

#include <stdio.h>

#define REQUEST "enrolmentRequest"
#define REPORT "enrolmentReport"
#define INSTRUCTION "enrolmentInstruction"
#define CLAUSE "seed 003 8.3.3.1"

enum { STEPS_MAX = 1000 }; /* one certificate, eight MAFs and the end are ten */

static const char *const kinds[] = {
	[EXCHANGE_CERTIFICATE] = "certificateEnrolment",
	[EXCHANGE_MAF] = "mafEnrolment",
	[EXCHANGE_END] = "end",
};

static const char *const credentials[] = {
	[MAF_BY_SYMMETRIC_KEY] = "symmetricKey",
	[MAF_BY_CERTIFICATE] = "certificate",
};

const char *exchange_kind_name(enum exchange_kind k)
{
	return k >= EXCHANGE_CERTIFICATE && k <= EXCHANGE_END ? kinds[k] : "none";
}

/* seed 003 8.3.3.1 step 2: two indications, and the token if there is one */
enum err exchange_request_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_request *out, struct why *why)
{
	struct message m = {.clause = CLAUSE " step 2"};

	*out = (struct exchange_request){.token = ""};
	TRY(message_open(form, in, REQUEST, arena, &m, why));
	TRY(message_bool(&m, "certificateEnrolmentIndication", MANDATORY, &out->certificate, why));
	TRY(message_bool(&m, "mafEnrolmentIndication", MANDATORY, &out->maf, why));
	return message_text(&m, "enrolmentToken", OPTIONAL, M2M_TOKEN_MAX, &out->token, why);
}

enum err exchange_request_write(const struct exchange_request *r, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, REQUEST);

	doc_put_bool(&arena, top, "certificateEnrolmentIndication", r->certificate);
	doc_put_bool(&arena, top, "mafEnrolmentIndication", r->maf);
	message_put_text(&arena, top, "enrolmentToken", r->token);
	return doc_write(top, form, out, why);
}

static enum err read_step(const struct message *m, unsigned int *out, struct why *why)
{
	int64_t step = 0;

	TRY(message_number(m, "instructionNumber", MANDATORY, 1, STEPS_MAX, &step, why));
	*out = (unsigned int)step;
	return OK;
}

static enum err read_kind(const struct message *m, enum exchange_kind *out, struct why *why)
{
	const char *name = "";

	TRY(message_text(m, "instructionType", MANDATORY, MESSAGE_TEXT_MAX, &name, why));
	for (enum exchange_kind k = EXCHANGE_CERTIFICATE; k <= EXCHANGE_END; k++) {
		if (strcmp(name, kinds[k]) == 0) {
			*out = k;
			return OK;
		}
	}
	return WHY(why, MESSAGE_FIELD, m->clause, "instructionType: want certificateEnrolment, mafEnrolment or end, have '%.40s'", name);
}

/* seed 003 8.3.3.1 step 6, seed 003 8.3.3.1 step 8: how an instruction ended */
enum err exchange_report_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_report *out, struct why *why)
{
	struct message m = {.clause = CLAUSE " step 6"};

	*out = (struct exchange_report){.error = ""};
	TRY(message_open(form, in, REPORT, arena, &m, why));
	TRY(read_kind(&m, &out->kind, why));
	m.clause = out->kind == EXCHANGE_MAF ? CLAUSE " step 8" : m.clause;
	TRY(read_step(&m, &out->step, why));
	TRY(message_bool(&m, "status", MANDATORY, &out->success, why));
	return message_text(&m, "errorString", OPTIONAL, MESSAGE_TEXT_MAX, &out->error, why);
}

enum err exchange_report_write(const struct exchange_report *r, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, REPORT);

	doc_put_number(&arena, top, "instructionNumber", r->step);
	doc_put_text(&arena, top, "instructionType", span_text(exchange_kind_name(r->kind)));
	doc_put_bool(&arena, top, "status", r->success);
	message_put_text(&arena, top, "errorString", r->error);
	return doc_write(top, form, out, why);
}

/* seed 003 8.3.3.1 step 5: where to enrol, and what the certificate may be used for */
static enum err read_certificate(struct message *m, struct exchange_instruction *out, struct why *why)
{
	m->clause = CLAUSE " step 5";
	TRY(message_uri(m, "uri", MANDATORY, &out->est_uri, why));
	return message_usages(m, "securityUsages", SUID_CERTIFICATE, &out->usages, why);
}

/* seed 003 8.3.3.4 step 1: usages, certificate or symmetric key, and which MAF */
static enum err read_maf(struct message *m, struct exchange_instruction *out, struct why *why)
{
	const char *name = "";

	m->clause = "seed 003 8.3.3.4 step 1";
	TRY(message_fqdn(m, "mafID", MANDATORY, &out->maf_fqdn, why));
	TRY(message_uri(m, "uri", MANDATORY, &out->maf_uri, why));
	TRY(message_text(m, "credentialType", MANDATORY, MESSAGE_TEXT_MAX, &name, why));
	for (enum maf_credential c = MAF_BY_SYMMETRIC_KEY; c <= MAF_BY_CERTIFICATE; c++) {
		if (strcmp(name, credentials[c]) == 0)
			out->credential = c;
	}
	if (!out->credential)
		return WHY(why, MESSAGE_FIELD, m->clause, "credentialType: want symmetricKey or certificate, have '%.40s'", name);
	return message_usages(m, "securityUsages", SUID_MAF_DISTRIBUTED, &out->usages, why);
}

static enum err read_pair(const struct message *m, struct exchange_pair *out, struct why *why)
{
	int64_t suid = 0;

	TRY(message_id(m, "enroleeBID", MANDATORY, &out->enrolee_b, why));
	TRY(message_number(m, "securityUsage", MANDATORY, SUID_RSPF_SAEF, SUID_RSPF_ESDATA + 1, &suid, why));
	out->suid = (uint8_t)suid;
	return OK;
}

/* seed 003 8.3.3.1 step 9: zero or more pairs for which keys may be derived from Ke */
static enum err read_pairs(struct message *m, struct exchange_instruction *out, struct why *why)
{
	const struct doc *first = doc_find(m->doc, "authorizedPairs");
	size_t n = 0;

	m->clause = CLAUSE " step 9";
	if (first && first->kind == DOC_NULL && !first->in_list)
		return OK;
	for (const struct doc *f = first; f; f = doc_again(f))
		n++;
	if (n > EXCHANGE_PAIRS_MAX)
		return WHY(why, MESSAGE_LIMIT, m->clause, "authorizedPairs: want at most %d, have %zu", EXCHANGE_PAIRS_MAX, n);
	struct exchange_pair *pairs = arena_alloc(m->arena, (n ? n : 1) * sizeof(*pairs));
	if (!pairs)
		return WHY(why, NOMEM, "", "message");
	for (const struct doc *f = first; f; f = doc_again(f)) {
		struct message pair = {.doc = f, .clause = m->clause, .arena = m->arena};
		TRY(read_pair(&pair, &pairs[out->pairs_n++], why));
	}
	out->pairs = pairs;
	return OK;
}

/* What every instruction holds. */
static enum err read_common(const struct message *m, struct exchange_instruction *out, struct why *why)
{
	uint8_t relative[M2M_RELATIVE_SIZE];
	char normal[M2M_KEYID_SIZE];
	struct span fqdn = {NULL, 0};

	TRY(read_step(m, &out->step, why));
	TRY(message_text(m, "keId", MANDATORY, M2M_KEYID_SIZE, &out->keid, why));
	TRY(why_within(m2m_keyid_parse(span_text(out->keid), relative, normal, &fqdn, why), "keId", why));
	out->keid = arena_text(m->arena, span_text(normal));
	if (!out->keid)
		return WHY(why, NOMEM, "", "message");
	TRY(message_number(m, "lifetime", MANDATORY, 0, MESSAGE_LIFETIME_MAX_S, &out->lifetime_s, why));
	return message_id(m, "enroleeID", OPTIONAL, &out->enrolee_id, why);
}

enum err exchange_instruction_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_instruction *out, struct why *why)
{
	struct message m = {.clause = CLAUSE};

	*out = (struct exchange_instruction){.keid = "", .enrolee_id = "", .est_uri = "", .maf_fqdn = "", .maf_uri = ""};
	TRY(message_open(form, in, INSTRUCTION, arena, &m, why));
	TRY(read_kind(&m, &out->kind, why));
	TRY(read_common(&m, out, why));
	switch (out->kind) {
	case EXCHANGE_CERTIFICATE:
		return read_certificate(&m, out, why);
	case EXCHANGE_MAF:
		return read_maf(&m, out, why);
	case EXCHANGE_END:
		return read_pairs(&m, out, why);
	}
	return WHY(why, BUG, "", "instruction");
}

static void put_pairs(struct arena *arena, struct doc *top, const struct exchange_instruction *r)
{
	for (size_t i = 0; i < r->pairs_n; i++) {
		struct doc *pair = doc_put_object(arena, top, "authorizedPairs", true);
		doc_put_text(arena, pair, "enroleeBID", span_text(r->pairs[i].enrolee_b));
		doc_put_number(arena, pair, "securityUsage", r->pairs[i].suid);
	}
}

static void put_maf(struct arena *arena, struct doc *top, const struct exchange_instruction *r)
{
	bool named = r->credential == MAF_BY_SYMMETRIC_KEY || r->credential == MAF_BY_CERTIFICATE;

	message_put_text(arena, top, "mafID", r->maf_fqdn);
	message_put_text(arena, top, "uri", r->maf_uri);
	message_put_text(arena, top, "credentialType", named ? credentials[r->credential] : "");
	message_put_usages(arena, top, "securityUsages", &r->usages);
}

enum err exchange_instruction_write(const struct exchange_instruction *r, enum doc_form form, struct buf *out, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(DOC_ARENA_MAX);
	struct doc *top = doc_new(&arena, INSTRUCTION);

	doc_put_number(&arena, top, "instructionNumber", r->step);
	doc_put_text(&arena, top, "instructionType", span_text(exchange_kind_name(r->kind)));
	message_put_text(&arena, top, "keId", r->keid);
	doc_put_number(&arena, top, "lifetime", r->lifetime_s);
	message_put_text(&arena, top, "enroleeID", r->enrolee_id);
	switch (r->kind) {
	case EXCHANGE_CERTIFICATE:
		message_put_text(&arena, top, "uri", r->est_uri);
		message_put_usages(&arena, top, "securityUsages", &r->usages);
		break;
	case EXCHANGE_MAF:
		put_maf(&arena, top, r);
		break;
	case EXCHANGE_END:
		put_pairs(&arena, top, r);
		break;
	}
	return doc_write(top, form, out, why);
}

enum err exchange_path_parse(struct span path, bool *start, uint8_t relative_out[M2M_RELATIVE_SIZE], struct why *why)
{
	size_t n = strlen(M2M_EXCHANGE_PATH);

	memset(relative_out, 0, M2M_RELATIVE_SIZE);
	*start = span_is(path, M2M_EXCHANGE_PATH);
	if (*start)
		return OK;
	if (span_starts(path, M2M_EXCHANGE_PATH "/") && m2m_relative_parse(span_from(path, n + 1), relative_out))
		return OK;
	memset(relative_out, 0, M2M_RELATIVE_SIZE);
	return WHY(why, M2M_PATH, CLAUSE, "path: want %s or %s/ and 32 hex digits, have '%.*s'", M2M_EXCHANGE_PATH,
		M2M_EXCHANGE_PATH, SPAN_FMT(span_first(path, 80)));
}
