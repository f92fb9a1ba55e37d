#pragma once
/* What a profile says about the names in a certificate. */
#include "core/ca/profile.h"

/*
 * sans: DER GeneralNames or empty. Kinds, suffixes, presence, form; no wildcards. ERR_FORBIDDEN, ERR_SYNTAX
 * and ERR_LIMIT for GeneralNames that cannot be read, ERR_NOMEM.
 */
MUST_CHECK enum err names_check(const struct profile *p, struct span sans, struct why *why);
/* A DER Name whose values are character strings that follow their type; may be empty. ERR_SYNTAX. */
MUST_CHECK enum err subject_check(struct span name, struct why *why);
/*
 * subject and sans as those two accepted them. No name is own_host ("": none), and no common name reads as
 * a host that is not among the dNSNames. ERR_FORBIDDEN.
 */
MUST_CHECK enum err hosts_check(const char *own_host, struct span subject, struct span sans, struct why *why);
