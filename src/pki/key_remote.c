/* Private keys that are elsewhere; declared in key.h and signature.h. */
#include "pki/key_inner.h"

enum err key_new_remote(struct span spki, key_sign sign, void *arg, struct key **out, struct why *why)
{
	TRY(key_parse_spki(spki, out, why));
	(*out)->sign = sign;
	(*out)->sign_arg = arg;
	return OK;
}

bool key_is_remote(const struct key *k)
{
	return k->sign != NULL;
}

enum err key_sign_remote(const struct key *k, struct span digest, uint8_t *sig, size_t *sig_n, struct why *why)
{
	return k->sign(k->sign_arg, digest, sig, sig_n, why);
}
