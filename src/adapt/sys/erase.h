#pragma once
/* Removing a file that held a secret. */
#include "base/why.h"

/*
 * Overwrites the octets, syncs, removes, syncs the folder. File systems and disks may still keep copies
 * elsewhere. OK when there is no such file. ERR_SYSTEM.
 */
MUST_CHECK enum err erase_file(const char *path, struct why *why);
