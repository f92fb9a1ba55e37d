#pragma once
/*
 * Full PKI Requests and Responses of CMC (RFC 5272 3.2, RFC 6402), unwrapped: PKIData and PKIResponse as values, for
 * both sides. The CMS SignedData around them is pki/cms_signed.h. Spans of what was read point into the input.
 */
#include "base/buf.h"
#include "pki/oid.h"

#define OID_CCT_PKI_DATA OID("\x2b\x06\x01\x05\x05\x07\x0c\x02")
#define OID_CCT_PKI_RESPONSE OID("\x2b\x06\x01\x05\x05\x07\x0c\x03")

#define CMC_MEDIA_REQUEST "application/pkcs7-mime; smime-type=CMC-request"
#define CMC_MEDIA_RESPONSE "application/pkcs7-mime; smime-type=CMC-response"

enum {
	/* A message may carry 48 KiB of DER; these keep the work that one may ask for near that of as many requests. */
	CMC_REQUESTS_MAX = 8,
	CMC_REVOKES_MAX = 8,
	CMC_NESTED_MAX = 4,
	CMC_REFUSED_MAX = 8,
	CMC_BODY_PARTS_MAX = 64, /* of one PKIData, controls included */
	CMC_STATUSES_MAX = 64,
	CMC_NONCE_MAX = 64,      /* octets; usual ones have 16 */
	CMC_TRANSACTION_MAX = 64,
	CMC_DATA_RETURN_MAX = 4096,
	CMC_COMMENT_MAX = 256,
	CMC_STATUS_TEXT_MAX = 480,
};

/* RFC 5272 6.1.2 */
enum cmc_status {
	CMC_SUCCESS = 0,
	CMC_FAILED = 2,
	CMC_PENDING = 3,
	CMC_NO_SUPPORT = 4,
	CMC_CONFIRM_REQUIRED = 5,
	CMC_POP_REQUIRED = 6,
	CMC_PARTIAL = 7,
};

/* RFC 5272 6.1.4 */
enum cmc_fail {
	CMC_FAIL_BAD_ALG = 0,
	CMC_FAIL_BAD_MESSAGE_CHECK = 1,
	CMC_FAIL_BAD_REQUEST = 2,
	CMC_FAIL_BAD_TIME = 3,
	CMC_FAIL_BAD_CERT_ID = 4,
	CMC_FAIL_UNSUPPORTED_EXT = 5,
	CMC_FAIL_MUST_ARCHIVE_KEYS = 6,
	CMC_FAIL_BAD_IDENTITY = 7,
	CMC_FAIL_POP_REQUIRED = 8,
	CMC_FAIL_POP_FAILED = 9,
	CMC_FAIL_NO_KEY_REUSE = 10,
	CMC_FAIL_INTERNAL_CA_ERROR = 11,
	CMC_FAIL_TRY_LATER = 12,
	CMC_FAIL_AUTH_DATA_FAIL = 13,
	CMC_FAIL_NONE = -1,
};
const char *cmc_fail_name(enum cmc_fail fail); /* "badRequest"; "unknown" for numbers that have none */

struct cmc_csr {
	uint32_t part;
	struct span der; /* PKCS#10, not looked into */
};

/* RFC 5272 6.11 */
struct cmc_revoke {
	uint32_t part;
	struct span issuer; /* DER Name */
	struct span serial; /* big-endian, no sign octet */
	uint8_t reason;     /* RFC 5280 5.3.1 */
	int64_t invalid_s;  /* invalidityDate; 0: none */
	bool has_passphrase;
	struct span comment; /* UTF-8 */
};

/* A message inside of an RA's (RFC 5272 section 7): ContentInfo. */
struct cmc_nested {
	uint32_t part;
	struct span der;
};

/* A body part that this MEF does not do: who reads decides what that means for the rest. */
struct cmc_refused {
	uint32_t part;
	bool request;         /* CRMF or another kind of request, not a control */
	const char *what;     /* "CRMF request", "control", ... */
	struct span oid;      /* of the control or message; empty for CRMF */
};

struct cmc_data {
	struct span transaction;     /* the INTEGER as encoded; empty: none */
	struct span sender_nonce, recipient_nonce; /* octets; empty: none */
	struct span data_return;
	bool has_data_return;
	struct span identification;  /* UTF-8, for people only */
	bool witnessed;              /* lraPOPWitness: an RA says that it has seen the proofs of possession */
	struct span pending;         /* token of queryPending */
	uint32_t pending_part;       /* 0: none */
	struct cmc_csr requests[CMC_REQUESTS_MAX];
	size_t requests_n;
	struct cmc_revoke revokes[CMC_REVOKES_MAX];
	size_t revokes_n;
	struct cmc_nested nested[CMC_NESTED_MAX];
	size_t nested_n;
	struct cmc_refused refused[CMC_REFUSED_MAX];
	size_t refused_n;
};

/*
 * Consumes exactly. Body part identifiers are unique and not 0, a control stands once but for revokeRequest.
 * statusInfo, regInfo and the lists of batchRequests are passed over. ERR_SYNTAX, ERR_LIMIT.
 */
MUST_CHECK enum err cmc_data_parse(struct span der, struct cmc_data *out, struct why *why);
/* Client's side: everything but pending and refused. Controls get body part numbers of their own, above all that are given. */
MUST_CHECK enum err cmc_data_write(const struct cmc_data *data, struct buf *out, struct why *why);

/* RFC 5272 6.1: what became of one body part. */
struct cmc_part {
	uint32_t path[2]; /* a body part, or a nested message and a body part of that; 0: the message itself */
	size_t path_n;
	enum cmc_status status;
	enum cmc_fail fail; /* CMC_FAIL_NONE: not told */
	struct span text;   /* UTF-8; empty: none */
	struct span pend_token; /* CMC_PENDING */
	int64_t pend_s;         /* when to ask again */
};

struct cmc_response {
	struct span transaction; /* as in cmc_data */
	struct span sender_nonce, recipient_nonce;
	struct span data_return;
	bool has_data_return;
	struct cmc_part parts[CMC_STATUSES_MAX];
	size_t parts_n;
};

MUST_CHECK enum err cmc_response_write(const struct cmc_response *response, struct buf *out, struct why *why);
/* Consumes exactly; CMCStatusInfo of RFC 2797 is read too, other controls are passed over. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err cmc_response_parse(struct span der, struct cmc_response *out, struct why *why);
