#pragma once
/* More entropy for OpenSSL's generator, beside what it takes from the kernel itself. */
#include "base/span.h"

/* Mixed in; it counts as no entropy, so that a poor source makes nothing worse. */
void random_seed(struct span octets);
