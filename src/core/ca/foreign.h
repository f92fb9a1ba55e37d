#pragma once
/* What another CA gave for an order of ours, judged before anybody gets it. Pure. */
#include "pki/chain.h"
#include "port/issuer.h"

/*
 * The certificate is for the request's key, by a path to one of the issuer's own CA certificates, in its dates, an end
 * entity's, and holds the names that were ordered: subjectAltName at least those, the subject the same unless the
 * ordered one is empty. Names may be added, none changed or dropped. out->der is der. ERR_CRYPTO (FOREIGN_...) with the
 * certificate's serial number in the text, so that the issuer's operator can revoke it.
 */
MUST_CHECK enum err foreign_check(const struct issue_order *order, const struct anchors *chain, struct span der, int64_t now_s,
	struct issue_result *out, struct why *why);
