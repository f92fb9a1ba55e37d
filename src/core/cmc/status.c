#include "core/cmc/job.h"

#include <stdio.h>

enum cmc_status status_of(const struct why *why)
{
	if (why->kind == OK)
		return CMC_SUCCESS;
	if (why->kind == ERR_PENDING)
		return CMC_PENDING;
	return why->code == CODE_CMC_UNSUPPORTED ? CMC_NO_SUPPORT : CMC_FAILED;
}

/* Codes that say more than their kind. */
static enum cmc_fail fail_of_code(enum code code)
{
	static const struct {
		enum code code;
		enum cmc_fail fail;
	} rows[] = {
		{CODE_CSR_SIGNATURE, CMC_FAIL_POP_FAILED},
		/* RFC 7030 3.5: what fails for its link to the TLS session is popFailed */
		{CODE_LINKING_WRONG, CMC_FAIL_POP_FAILED},
		{CODE_LINKING_NONE, CMC_FAIL_POP_FAILED},
		{CODE_LINKING_MISSING, CMC_FAIL_POP_FAILED},
		{CODE_CMS_SIGNED_WRONG, CMC_FAIL_BAD_MESSAGE_CHECK},
		{CODE_CMS_SIGNED_SIGNER, CMC_FAIL_BAD_MESSAGE_CHECK},
		{CODE_CMS_SIGNED_ALG, CMC_FAIL_BAD_ALG},
		{CODE_SIGNATURE_ALG, CMC_FAIL_BAD_ALG},
		{CODE_POLICY_KEY, CMC_FAIL_BAD_ALG},
		{CODE_POLICY_KEY_REUSE, CMC_FAIL_NO_KEY_REUSE},
		{CODE_POLICY_CA, CMC_FAIL_UNSUPPORTED_EXT},
		{CODE_POLICY_EKU, CMC_FAIL_UNSUPPORTED_EXT},
		{CODE_CHALLENGE_MISSING, CMC_FAIL_POP_REQUIRED},
		{CODE_CMC_REVOKE, CMC_FAIL_BAD_CERT_ID},
		{CODE_REVOKE_REASON, CMC_FAIL_BAD_REQUEST},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].code == code)
			return rows[i].fail;
	}
	return CMC_FAIL_NONE;
}

enum cmc_fail fail_of(const struct why *why)
{
	enum cmc_fail fail = fail_of_code(why->code);

	if (fail != CMC_FAIL_NONE)
		return fail;
	switch (why->kind) {
	case OK:
	case ERR_PENDING:
		return CMC_FAIL_NONE;
	case ERR_SYNTAX:
	case ERR_UNSUPPORTED:
	case ERR_CONFLICT:
	case ERR_LIMIT:
		return CMC_FAIL_BAD_REQUEST;
	case ERR_UNAUTHENTICATED:
	case ERR_FORBIDDEN:
		return CMC_FAIL_BAD_IDENTITY;
	case ERR_NOT_FOUND:
		return CMC_FAIL_BAD_CERT_ID;
	case ERR_EXPIRED:
		return CMC_FAIL_BAD_TIME;
	case ERR_NOMEM:
	case ERR_SYSTEM:
	case ERR_STORE:
		return CMC_FAIL_TRY_LATER;
	case ERR_CRYPTO:
	case ERR_BUG:
		break;
	}
	return CMC_FAIL_INTERNAL_CA_ERROR;
}

struct span status_text(struct arena *arena, const struct why *why)
{
	char text[CMC_STATUS_TEXT_MAX];
	bool ours = why->kind > ERR_PENDING;

	if (why->kind == OK)
		return (struct span){0};
	snprintf(text, sizeof(text), "OMEF-%d: %s%s%s%s", (int)why->code, ours ? "the MEF's log has the details" : why->text,
		!ours && why->clause[0] ? " (" : "", ours ? "" : why->clause, !ours && why->clause[0] ? ")" : "");
	return arena_copy(arena, span_text(text)); /* without memory the code of the failInfo has to do */
}
