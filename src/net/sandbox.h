#pragma once
/* seccomp filters by role: what the role does not need kills it. Entered after all files are open. */
#include "net/channels.h"

/* No new privileges, not dumpable, core size 0, then the filter. ERR_SYSTEM. */
MUST_CHECK enum err sandbox_enter(enum role role, struct why *why);
