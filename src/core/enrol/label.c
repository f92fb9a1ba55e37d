#include "core/enrol/label.h"

const struct est_label *label_find(const struct label_set *set, struct span name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (span_is(name, set->items[i].name))
			return &set->items[i];
	}
	return NULL;
}
