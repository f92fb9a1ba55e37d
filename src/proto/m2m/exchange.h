#pragma once
/*
 * Messages of the enrolment exchange (seed 003 8.3.3.1; TS-0003 8.3.2.1), JSON or XML. Reading ignores
 * unknown fields and refuses wrong ones with the clause.
 *
 * POST /enrolment             enrolmentRequest    -> enrolmentInstruction
 * POST /enrolment/RELATIVE    enrolmentReport     -> enrolmentInstruction (the next one, or the end)
 *
 * RELATIVE is hexBinary(RelativeKeId). The same message sent again gets the same answer.
 */
#include "base/arena.h"
#include "proto/m2m/prefs.h"
#include "wire/doc.h"

#define M2M_EXCHANGE_PATH "/enrolment"
enum { M2M_TOKEN_MAX = 128 };

enum exchange_kind {
	EXCHANGE_CERTIFICATE = 1, /* step 5: perform certificate enrolment */
	EXCHANGE_MAF = 2,         /* step 7: perform remote MAF enrolment */
	EXCHANGE_END = 3,         /* step 9: the list of authorised pairs */
};

/* "enrolmentRequest", step 2. */
struct exchange_request {
	bool certificate;  /* certificateEnrolmentIndication, mandatory */
	bool maf;          /* mafEnrolmentIndication, mandatory */
	const char *token; /* enrolmentToken; "" when absent */
};

/* "enrolmentReport", steps 6 and 8: of the instruction with that number. */
struct exchange_report {
	unsigned int step;       /* instructionNumber, mandatory, from 1 */
	enum exchange_kind kind; /* instructionType, mandatory */
	bool success;            /* status, mandatory */
	const char *error;       /* errorString; "" */
};

struct exchange_pair {
	const char *enrolee_b; /* enroleeBID */
	uint8_t suid;          /* securityUsage */
};

enum { EXCHANGE_PAIRS_MAX = PREFS_TARGETS_MAX * 4 };

/* "enrolmentInstruction". */
struct exchange_instruction {
	unsigned int step;       /* instructionNumber */
	enum exchange_kind kind; /* instructionType: certificateEnrolment, mafEnrolment, end */
	const char *keid;        /* keId: both sides compare it with their own */
	int64_t lifetime_s;      /* lifetime: seconds that Ke still has */
	const char *enrolee_id;  /* enroleeID: the CSE-ID or AE-ID assigned to it */
	/* EXCHANGE_CERTIFICATE */
	const char *est_uri;       /* uri: estBaseURI */
	struct suid_list usages;   /* securityUsages; of EXCHANGE_MAF too */
	/* EXCHANGE_MAF */
	const char *maf_fqdn, *maf_uri;    /* mafID, uri */
	enum maf_credential credential;    /* credentialType: symmetricKey, certificate */
	/* EXCHANGE_END: authorizedPairs */
	const struct exchange_pair *pairs;
	size_t pairs_n;
};

/* Texts live in the arena. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err exchange_request_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_request *out, struct why *why);
MUST_CHECK enum err exchange_report_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_report *out, struct why *why);
MUST_CHECK enum err exchange_instruction_parse(enum doc_form form, struct span in, struct arena *arena,
	struct exchange_instruction *out, struct why *why);
MUST_CHECK enum err exchange_request_write(const struct exchange_request *m, enum doc_form form, struct buf *out, struct why *why);
MUST_CHECK enum err exchange_report_write(const struct exchange_report *m, enum doc_form form, struct buf *out, struct why *why);
MUST_CHECK enum err exchange_instruction_write(const struct exchange_instruction *m, enum doc_form form, struct buf *out, struct why *why);
const char *exchange_kind_name(enum exchange_kind k); /* "certificateEnrolment", "mafEnrolment", "end" */

/* "/enrolment" (relative_out all zero, *start true) or "/enrolment/HEX32". ERR_NOT_FOUND for other paths. */
MUST_CHECK enum err exchange_path_parse(struct span path, bool *start, uint8_t relative_out[M2M_RELATIVE_SIZE], struct why *why);
