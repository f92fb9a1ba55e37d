#pragma once
/*
 * Typed, length-bounded frames over a socket pair, many calls in flight, descriptors ride along on
 * control channels. Frame: u32 length of what follows, u16 type, u32 id, payload. An unknown type or
 * an ill-sized frame closes the channel: the table of a channel is its whole vocabulary.
 */
#include "base/span.h"
#include "base/why.h"
#include "net/loop.h"

enum {
	IPC_HEAD_SIZE = 10,
	IPC_QUEUE_MAX = 64 * 1024 * 1024, /* bytes that a peer which does not read may make us keep */
	IPC_FDS_MAX = 256,                /* descriptors waiting to leave, or come before their frame */
};

struct ipc_type {
	uint16_t type;
	uint32_t max_payload;
	bool carries_fd; /* a descriptor comes with every frame of this type, with no other */
	bool holds_keys; /* may hold keys: a channel with such frames overwrites its buffers once sent, or handled */
};

struct ipc_vocabulary {
	const char *name; /* "front-registrar" */
	const struct ipc_type *types;
	size_t n;
};

struct ipc;

struct ipc_handler {
	/* payload is borrowed; fd is -1 or owned by the callee. */
	void (*frame)(void *arg, uint16_t type, uint32_t id, struct span payload, int fd);
	/* The channel is dead (peer gone, bad frame): why tells. The callee frees the channel. Never called
	 * from inside ipc_send. */
	void (*closed)(void *arg, const struct why *why);
	void *arg;
};

/* Takes the descriptor (non-blocking stream socket). */
MUST_CHECK enum err ipc_new(struct loop *l, int fd, const struct ipc_vocabulary *v, const struct ipc_handler *h,
	struct ipc **out, struct why *why);
void ipc_free(struct ipc *c); /* what is queued is lost; allowed inside both handlers */
size_t ipc_queued(const struct ipc *c); /* bytes not yet taken by the kernel */
/*
 * Queues; frames of one turn leave in one write. ERR_LIMIT when the peer does not read (nothing was
 * queued), ERR_SYSTEM once the channel is dead (closed() comes or has come).
 */
MUST_CHECK enum err ipc_send(struct ipc *c, uint16_t type, uint32_t id, struct span payload, struct why *why);
/* Sends with a descriptor, which is closed here afterwards. */
MUST_CHECK enum err ipc_send_fd(struct ipc *c, uint16_t type, uint32_t id, struct span payload, int fd, struct why *why);
MUST_CHECK enum err ipc_pair(int fds[2], struct why *why); /* close-on-exec, non-blocking */

/* Pure part, for tests and fuzzing: one frame from the front of `in`; *used 0: need more. */
MUST_CHECK enum err ipc_frame_parse(const struct ipc_vocabulary *v, struct span in, size_t *used, uint16_t *type,
	uint32_t *id, struct span *payload, struct why *why);
