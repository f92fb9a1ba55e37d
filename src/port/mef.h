#pragma once
/* A MEF as its Enrolment Target sees it: key retrieval over the network, answered later. */
#include "base/secret.h"
#include "base/why.h"

struct mef_key {
	struct secret key;
	const char *enrolee_id; /* borrowed for the call of done */
	int64_t lifetime_s;
};

/* key NULL unless err is OK. Runs exactly once, possibly before fetch returns. */
typedef void (*mef_done)(void *arg, enum err err, const struct mef_key *key, const struct why *why);

struct mef {
	void *self;
	/* keid in normal form; its FQDN is one of the MEFs that are configured, else ERR_NOT_FOUND at once. */
	void (*fetch)(void *self, const char *keid, unsigned int suid, mef_done done, void *arg);
};
