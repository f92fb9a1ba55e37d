#pragma once
/* Where private keys live: encrypted files, memory (tests), later a PKCS#11 token. */
#include "base/why.h"

struct key; /* pki/key.h */

struct keys {
	void *self;
	/* Loads the key of that label ("ca-issuing", "mef-tls"); the caller owns it (key_free). ERR_NOT_FOUND. */
	enum err (*open)(void *self, const char *label, struct key **out, struct why *why);
};
