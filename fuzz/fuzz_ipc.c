#include "net/channels.h"

#include <stdlib.h>

/* First octet: which channel; the rest: what its peer sends, read frame by frame. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ipc_type *type_find(const struct ipc_vocabulary *v, uint16_t type)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->types[i].type == type)
			return &v->types[i];
	}
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ipc_vocabulary *all[] = {&channel_calls, &channel_orders, &channel_control};
	struct span in = span_of(data, size);

	if (size == 0)
		return 0;
	const struct ipc_vocabulary *v = all[data[0] % 3];
	in = span_from(in, 1);
	while (in.n) {
		struct why why = {0};
		struct span payload = {0};
		size_t used = 0;
		uint16_t type = 0;
		uint32_t id = 0;
		if (ipc_frame_parse(v, in, &used, &type, &id, &payload, &why) != OK || used == 0)
			break;
		const struct ipc_type *t = type_find(v, type);
		/* What is delivered is a word of the channel, within its bound and within what came. */
		if (!t || payload.n > t->max_payload || used != payload.n + IPC_HEAD_SIZE || used > in.n)
			abort();
		in = span_from(in, used);
	}
	return 0;
}
