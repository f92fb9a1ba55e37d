#pragma once
/* One connection to a MEF or MAF, by the certificate in force, one that is given, or a shared key. */
#include "app/enrolee/enrolee.h"

struct link {
	struct fetch *fetch;
	struct enrolee_held held;
	struct enrolee_given given;
};
void link_fini(struct link *l);
#define OWNED_LINK __attribute__((cleanup(link_fini)))

MUST_CHECK enum err link_by_key(const struct cli *cli, const char *identity, const struct secret *key, struct link *l, struct why *why);
/* --cert, --key and --anchors, or else what is in force in dir: ERR_NOT_FOUND when that is nothing. */
MUST_CHECK enum err link_by_certificate(const struct cli *cli, const char *dir, struct link *l, struct why *why);
/* "https://FQDN:PORT" of a URI, or "https://FQDN" without one. The host must be fqdn. */
MUST_CHECK enum err link_base(const char *uri, struct span fqdn, struct buf *out, struct why *why);
/* The answer's body where its status is 200 or 201, else its reason. name: of the request, for people. */
MUST_CHECK enum err link_check(const char *name, const struct fetch_reply *reply, struct why *why);
