#pragma once
/* A first certificate by user and password (RFC 7030 3.3.3): neither certificate nor anchors are needed. */
#include "app/enrolee/enrolee.h"

/* ERR_SYNTAX for options that do not go with --srp-user. */
MUST_CHECK enum err srp_check_options(const struct cli *cli, struct why *why);
MUST_CHECK enum err srp_enrol(struct cli *cli, struct why *why);
