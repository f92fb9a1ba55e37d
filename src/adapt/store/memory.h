#pragma once
/* The store in memory: nothing outlives the process. For tests and as the model that SQLite must match. */
#include "port/store.h"

/* NULL without memory. Freed by store->ops->free(store->self); the struct store goes with it. */
struct store *store_memory_new(void);
