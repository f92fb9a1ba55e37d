#pragma once
/*
 * What OpenSSL frees: its encoders and CMS let go of private keys that they wrote, and overwrite nothing. Called by a
 * process that makes or passes on keys of others, before anything of OpenSSL; without effect afterwards, which it tells.
 */
#include <stdbool.h>

bool pki_heap_wipe_freed(void);
