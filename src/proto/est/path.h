#pragma once
/* RFC 7030 3.2.2: /.well-known/est[/LABEL]/OPERATION. */
#include "base/span.h"
#include "base/why.h"

enum { EST_LABEL_MAX = 64 };

enum est_operation {
	EST_NONE = 0,
	EST_CACERTS,
	EST_CSRATTRS,
	EST_SIMPLEENROLL,
	EST_SIMPLEREENROLL,
	EST_SERVERKEYGEN,
	EST_FULLCMC,
};

struct est_path {
	enum est_operation operation;
	struct span label; /* empty: none */
};

/* ERR_NOT_FOUND for anything else; labels are letters, digits, . _ - and never an operation's name. */
MUST_CHECK enum err est_path_parse(struct span path, struct est_path *out, struct why *why);
const char *est_operation_name(enum est_operation op);
