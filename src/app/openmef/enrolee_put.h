#pragma once
/* One enrolee with all that belongs to it, by one transaction: `enrolee add` and each row of `enrolee import`. */
#include "app/openmef/psk.h"
#include "core/registry/enrolee.h"
#include "proto/m2m/prefs.h"

struct registration {
	struct enrolee enrolee;
	struct credential creds[CLI_REPEAT_MAX];
	size_t creds_n;
	const char *kpmid; /* NULL: no pre-provisioned key */
	struct secret kpm;
	bool has_prefs;
	struct prefs prefs; /* Enrolment Target Identity and Enrolment Expiry of tables 9.2.2.3-1 and -2 */
};

#define OWNED_REGISTRATION __attribute__((cleanup(registration_fini)))
void registration_fini(struct registration *r); /* wipes */

/* "serial=4711" into creds, in normal form, bound to the anchor (zero: any). ERR_SYNTAX; ERR_LIMIT. */
MUST_CHECK enum err registration_credential(struct registration *r, struct span text, const uint8_t anchor[32],
	struct arena *arena, struct why *why);
/* Enrolment Expiry. ERR_SYNTAX. */
MUST_CHECK enum err registration_expiry(struct registration *r, struct span duration, struct why *why);
/* Within a transaction, which the caller undoes when this fails. vault is used only where there is a key. */
MUST_CHECK enum err registration_put(struct store *store, const struct registration *r, const struct vault *vault,
	const char *mef_fqdn, struct why *why);
