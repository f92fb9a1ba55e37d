#pragma once
/*
 * A registration authority asks for others (RFC 7030 3.7, RFC 6402 2.10): an enrolee whose certificate, given by this
 * MEF, holds id-kp-cmcRA, under a label that admits it. docs/decisions/0017.
 */
#include "core/enrol/client.h"
#include "pki/csr.h"

/* By a certificate of this MEF's own CA alone: what factories and other CAs write into theirs is their word. */
bool behalf_is_ra(const struct client *client);
/* Whether it would make its holder one. */
bool behalf_names_ra(const struct cert *cert);
/* The certificate that an RA is about to get for that enrolee makes none: the profile alone knows, so it is looked at last. ERR_FORBIDDEN. */
MUST_CHECK enum err behalf_check_given(const char *enrolee_id, struct span cert_der, struct why *why);

struct behalf_ask {
	const struct client *asker;
	const struct est_label *label;
	const struct csr *csr;
	bool reenrol;
	int64_t now_s;
};
/*
 * Finds whom the request names: by its subjectAltName, or, without one, by a common name that is an enrolee's id or
 * entity id. other_out false: the asker itself (it is no RA, names itself or nobody), out untouched. Else out is that
 * enrolee; with reenrol it is as if it had authenticated by the newest of its valid certificates that has the request's
 * subject, so that the rules of re-enrolment apply to it (policy.h).
 *
 * ERR_FORBIDDEN: the label admits no RA; the request names nobody who is registered, several, or one that is disabled;
 * no certificate to renew. ERR_SYNTAX, ERR_LIMIT for names that cannot be read.
 */
MUST_CHECK enum err behalf_find(struct store *store, const struct behalf_ask *ask, struct arena *arena, struct client *out,
	bool *other_out, struct why *why);
