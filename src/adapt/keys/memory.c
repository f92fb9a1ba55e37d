#include "adapt/keys/memory.h"

#include "base/text.h"
#include "pki/key.h"

enum { PEM_MAX = 16384 };

void keys_memory_init(struct keys_memory *k)
{
	*k = (struct keys_memory){0};
}

void keys_memory_fini(struct keys_memory *k)
{
	for (size_t i = 0; i < k->n; i++)
		key_free(k->rows[i].key);
	keys_memory_init(k);
}

static struct key *find(const struct keys_memory *k, const char *label)
{
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->rows[i].label, label) == 0)
			return k->rows[i].key;
	}
	return NULL;
}

enum err keys_memory_take(struct keys_memory *k, const char *label, struct key *key, struct why *why)
{
	struct key *owned OWNED_KEY = key;

	if (find(k, label))
		return WHY(why, KEYS_TAKEN, "", "key '%s': want a new label", label);
	if (k->n == KEYS_MEMORY_MAX)
		return WHY(why, STORE_SIZE, "", "keys: want at most %d", KEYS_MEMORY_MAX);
	if (!text_copy(k->rows[k->n].label, KEYS_MEMORY_LABEL_MAX, span_text(label)))
		return WHY(why, STORE_SIZE, "", "key label: want at most %d octets", KEYS_MEMORY_LABEL_MAX - 1);
	k->rows[k->n++].key = owned;
	owned = NULL;
	return OK;
}

/* By way of PEM: a copy that shares nothing, whatever a key is made of. */
static enum err open_label(void *self, const char *label, struct key **out, struct why *why)
{
	struct buf pem __attribute__((cleanup(buf_fini_wipe))) = BUF(PEM_MAX);
	const struct key *key = find(self, label);

	if (!key)
		return WHY(why, KEYS_LABEL, "", "key '%s': want it in memory, have none", label);
	TRY(key_write_pem(key, (struct span){0}, &pem, why));
	return key_parse_pem(buf_span(&pem), (struct span){0}, out, why);
}

struct keys keys_memory_port(struct keys_memory *k)
{
	return (struct keys){.self = k, .open = open_label};
}
