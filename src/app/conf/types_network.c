#include "app/conf/schema.h"

static enum err networks_set(void *base, const struct conf_key *key, struct span value, struct why *why)
{
	struct conf_networks *list = (struct conf_networks *)(void *)((uint8_t *)base + key->offset);
	struct span item;

	list->n = 0;
	while (conf_list_next(&value, &item)) {
		if (list->n == CONF_NETWORKS_MAX)
			return WHY(why, CONF_VALUE, "", "%s: want at most %d entries", key->name, CONF_NETWORKS_MAX);
		TRY(prefix_parse(item, &list->items[list->n++], why));
	}
	return OK;
}

static void networks_show(const void *base, const struct conf_key *key, struct buf *out)
{
	const struct conf_networks *list = (const struct conf_networks *)(const void *)((const uint8_t *)base + key->offset);
	char text[PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < list->n; i++) {
		prefix_text(&list->items[i], text);
		buf_put_fmt(out, "%s%s", i ? ", " : "", text);
	}
}

const struct conf_type conf_type_networks = {networks_set, networks_show};
