#include "proto/est/challenge.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* corpus/fuzz_challenge/valid was sealed under this key, with this nonce, for these facts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t key[CHALLENGE_KEY_SIZE] = "openmef fuzz challenge key";
	static const uint8_t known[CHALLENGE_NONCE_SIZE + 1] = "known fuzz nonce";
	const struct challenge_facts facts = {.identity = span_text("device"), .label = span_text("label"),
		.binding = span_text("session")};
	uint8_t nonce[CHALLENGE_NONCE_SIZE] = {0};
	struct why why = {0};
	enum err err = challenge_check(span_of(key, sizeof(key)), span_of(data, size), &facts, 0, nonce, &why);

	if (err == OK)
		assert(memcmp(nonce, known, sizeof(nonce)) == 0);
	else
		assert(err == ERR_FORBIDDEN && why.code == CODE_CHALLENGE_FORGED);
	return 0;
}
