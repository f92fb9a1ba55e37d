#pragma once
/*
 * The caller: HTTPS to MEFs, for the registrar of a MAF (docs/decisions/0014). It holds the MAF's client key and
 * no store, and asks nothing but GET /fetchCredentials of the MEFs that are configured.
 */
#include "app/role.h"

struct caller {
	struct loop *loop;
	struct role_control *control;
};
