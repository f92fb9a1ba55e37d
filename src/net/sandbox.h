#pragma once
/*
 * seccomp filters by role: a system call that the role does not need kills it. Entered after all files
 * are open. The front reads and writes its sockets; the signer reads and writes one channel; the
 * registrar also works on the store's files. None of them may open a socket, connect, listen, run a program. The caller
 * connects over IP, and may not listen or open a file.
 */
#include "net/channels.h"

/* No new privileges, not dumpable, core size 0, then the filter. ERR_SYSTEM. */
MUST_CHECK enum err sandbox_enter(enum role role, struct why *why);
