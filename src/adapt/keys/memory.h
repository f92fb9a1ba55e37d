#pragma once
/* Private keys in memory, for tests and short-lived commands. */
#include "port/keys.h"

enum { KEYS_MEMORY_MAX = 8, KEYS_MEMORY_LABEL_MAX = 32 };

struct keys_memory {
	size_t n;
	struct {
		char label[KEYS_MEMORY_LABEL_MAX];
		struct key *key;
	} rows[KEYS_MEMORY_MAX];
};

void keys_memory_init(struct keys_memory *k);
void keys_memory_fini(struct keys_memory *k); /* frees the keys */
/* Takes the key, also when it fails. ERR_LIMIT: no more room or label too long; ERR_CONFLICT: label taken. */
MUST_CHECK enum err keys_memory_take(struct keys_memory *k, const char *label, struct key *key,
	struct why *why);
/* The port. open gives a copy that the caller owns. */
struct keys keys_memory_port(struct keys_memory *k);
