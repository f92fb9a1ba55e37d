#pragma once
/* What operators do with enrolees and certificates: each checked, each with its audit event. */
#include "port/store.h"

const char *entity_type_name(enum entity_type t); /* "node", "cse", "ae", "fqdn" */
bool entity_type_parse(struct span name, enum entity_type *out);
const char *credential_kind_name(enum credential_kind k); /* "device", "serial", "fqdn", "uri", "key", "cert" */
bool credential_kind_parse(struct span name, enum credential_kind *out);
/* RFC 5280 5.3.1: reason codes usable by an operator, any case; -1 when unknown. */
int revoke_reason_parse(struct span name);
const char *revoke_reason_name(uint8_t reason); /* "keyCompromise"; "unknown" for those no operator may give */

/*
 * Form of id (letters, digits, . _ - : @, no leading '-'), entity id (node: absolute URI; cse, fqdn:
 * host name; ae: URI with a host), label (UTF-8) and profile name. ERR_SYNTAX.
 */
MUST_CHECK enum err enrolee_check(const struct enrolee *e, struct why *why);
/* Replaces the value by its normal form, in the arena (DNS, scheme and host lower, hex upper). ERR_SYNTAX. */
MUST_CHECK enum err credential_check(struct credential *c, struct arena *arena, struct why *why);

/*
 * All of one or nothing: the caller holds the transaction (begin or batch_enter) and undoes it when
 * one of these fails. Checks first; stores normal forms. Faults of the store's contract come as they
 * are (ERR_CONFLICT, ERR_NOT_FOUND). Events: enrolee.added, .enabled, .disabled, .removed,
 * certificate.revoked; actor "operator".
 */
MUST_CHECK enum err registry_add(struct store *store, const struct enrolee *e, const struct credential *creds,
	size_t creds_n, int64_t now_s, struct why *why);
MUST_CHECK enum err registry_set_state(struct store *store, const char *id, enum enrolee_state state, int64_t now_s, struct why *why);
MUST_CHECK enum err registry_remove(struct store *store, const char *id, int64_t now_s, struct why *why);
MUST_CHECK enum err registry_revoke(struct store *store, struct span serial, uint8_t reason, int64_t now_s, struct why *why);
