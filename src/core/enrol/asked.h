#pragma once
/*
 * What csrattrs asks of one enrolee, and what its CSR is then held to: the label's wishes, each replaced by the
 * enrolee's own where its preferences have one (proto/m2m/prefs.h: askSubject, askEkus, askKey).
 */
#include "core/enrol/label.h"
#include "pki/cert.h"
#include "pki/name_template.h"

struct attrs_asked {
	const struct est_label *label;
	enum key_spec key;  /* KEY_NONE: any */
	struct eku_list ekus; /* in the arena */
	struct name_template subject; /* n == 0: no wish */
	/*
	 * The client has seen csrattrs, so its CSR must be as asked. TS-0003 8.3.6.2: always where the label requires
	 * the challenge; elsewhere whoever echoes one. RFC 7030 4.5 makes csrattrs optional: others only keep the rules
	 * that need no asking.
	 */
	bool must;
};

/* enrolee_id NULL: nobody that we know. ERR_STORE, ERR_NOMEM; ERR_STORE too for preferences that cannot be read. */
MUST_CHECK enum err asked_find(struct store *store, const struct est_label *label, const char *enrolee_id,
	struct arena *arena, struct attrs_asked *out, struct why *why);
/* Exactly the subject asked for; a common name that is left to the client must be id or entity id. ERR_FORBIDDEN. */
MUST_CHECK enum err asked_subject(const struct attrs_asked *a, const struct enrolee *e, struct span subject, struct arena *arena,
	struct why *why);
/* What was asked for is there, and no extended key usage beside. ERR_FORBIDDEN. */
struct csr;
MUST_CHECK enum err asked_rest(const struct attrs_asked *a, const struct csr *csr, struct arena *arena, struct why *why);
