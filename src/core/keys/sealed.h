#pragma once
/* Sealing of one row's key: what vault and psk share. */
#include "base/buf.h"
#include "core/keys/vault.h"

/* row: kind, id and owner make the place; row->sealed is ignored. */
MUST_CHECK enum err sealed_write(const struct vault *v, const struct symkey *row, const struct secret *key,
	struct buf *out, struct why *why);
/* The same for what is no key; plain is appended to and holds a secret. */
MUST_CHECK enum err sealed_write_bytes(const struct vault *v, const struct symkey *row, struct span plain,
	struct buf *out, struct why *why);
MUST_CHECK enum err sealed_open_bytes(const struct vault *v, const struct symkey *row, struct buf *plain, struct why *why);
/* ERR_CRYPTO. */
MUST_CHECK enum err sealed_open(const struct vault *v, const struct symkey *row, struct secret *out, struct why *why);
