#pragma once
/* The kernel's clocks. */
#include "port/clock.h"

struct clock clock_system(void);
