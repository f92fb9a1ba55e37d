#pragma once
/* The kernel's random bytes, by getrandom(2). */
#include "port/random.h"

struct random_source random_system(void);
