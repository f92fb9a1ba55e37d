#include "adapt/sys/random_seed.h"

#include <openssl/rand.h>

void random_seed(struct span octets)
{
	RAND_add(octets.p, (int)octets.n, 0);
}
