#pragma once
/* The master key: it seals the secrets of the store and, by derived passphrases, the private key files. */
#include "base/secret.h"
#include "base/why.h"

enum { MASTER_SIZE = 32 };

/*
 * source is "file:PATH" or "credential:NAME" (systemd's $CREDENTIALS_DIRECTORY/NAME); the file holds
 * 64 hex digits, blanks and line ends around them are skipped. ERR_SYNTAX; ERR_NOT_FOUND; ERR_SYSTEM
 * also when others may read the file, or, but for a credential, its group.
 */
MUST_CHECK enum err master_load(const char *source, struct secret *out, struct why *why);
/* Passphrase of the key file of that label: HKDF-SHA256 of the master key, as 64 hex digits. */
MUST_CHECK enum err key_file_passphrase(
	const struct secret *master, const char *label, struct secret *out, struct why *why);
/*
 * A key of MASTER_SIZE octets for one purpose (core/keys: VAULT_PURPOSE), so that its holder needs no master
 * key. ERR_CRYPTO; ERR_SYNTAX for a purpose that is too long.
 */
MUST_CHECK enum err master_derive(
	const struct secret *master, const char *purpose, struct secret *out, struct why *why);
