#include "net/ipc.h"

#include "base/buf.h"
#include "base/cursor.h"
#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	READ_CHUNK = 64 * 1024,
	READ_ROUNDS = 4,             /* then others get their turn */
	KEEP_BUFFER = 256 * 1024,    /* an empty buffer above this is given back */
	FRAME_LEAST = IPC_HEAD_SIZE - 4, /* type and id */
};

struct fd_at {
	uint64_t at; /* position in the stream of the frame that it belongs to */
	int fd;
};

struct ipc {
	struct loop *loop;
	int fd;
	const struct ipc_vocabulary *v;
	struct ipc_handler h;
	bool passes_fds;
	bool holds_keys;
	struct loop_watch *watch;
	struct loop_task flush;
	struct buf in;
	int fds_in[IPC_FDS_MAX];
	size_t fds_in_n;
	struct buf out;
	size_t out_at;    /* bytes of `out` that have left */
	uint64_t out_pos; /* position in the stream of the next byte to leave */
	struct fd_at fds_out[IPC_FDS_MAX];
	size_t fds_out_n;
	bool deaf; /* the peer will not read again; what it sent before is still read */
	bool dead;
	bool freed;
	int busy; /* handlers and their callers on the stack */
};

static const struct ipc_type *type_find(const struct ipc_vocabulary *v, uint16_t type)
{
	for (size_t i = 0; i < v->n; i++) {
		if (v->types[i].type == type)
			return &v->types[i];
	}
	return NULL;
}

static uint32_t longest_payload(const struct ipc_vocabulary *v)
{
	uint32_t most = 0;

	for (size_t i = 0; i < v->n; i++) {
		if (v->types[i].max_payload > most)
			most = v->types[i].max_payload;
	}
	return most;
}

static enum err head_parse(const struct ipc_vocabulary *v, struct span in, uint32_t *length, struct why *why)
{
	struct cursor c = cursor_init(in);

	*length = cursor_u32(&c);
	/* Judged before its bytes arrive: a bad length must not make us wait, or keep room, for them. */
	if (*length < FRAME_LEAST || *length - FRAME_LEAST > longest_payload(v))
		return WHY(why, IPC_FRAME, "", "%s: frame length: want %d to %lu, have %lu", v->name, FRAME_LEAST,
			(unsigned long)longest_payload(v) + FRAME_LEAST, (unsigned long)*length);
	if (in.n < IPC_HEAD_SIZE)
		return OK;
	uint16_t type = cursor_u16(&c);
	const struct ipc_type *t = type_find(v, type);
	if (!t)
		return WHY(why, IPC_FRAME, "", "%s: frame type: want one of the channel, have %u", v->name, type);
	if (*length - FRAME_LEAST > t->max_payload)
		return WHY(why, IPC_FRAME, "", "%s: payload of type %u: want at most %lu, have %lu", v->name, type,
			(unsigned long)t->max_payload, (unsigned long)*length - FRAME_LEAST);
	return OK;
}

enum err ipc_frame_parse(const struct ipc_vocabulary *v, struct span in, size_t *used, uint16_t *type,
	uint32_t *id, struct span *payload, struct why *why)
{
	uint32_t length = 0;

	*used = 0;
	if (in.n < 4)
		return OK;
	TRY(head_parse(v, in, &length, why));
	if (in.n < IPC_HEAD_SIZE || in.n - 4 < length)
		return OK;
	struct cursor c = cursor_init(span_from(in, 4));
	*type = cursor_u16(&c);
	*id = cursor_u32(&c);
	*payload = cursor_bytes(&c, length - FRAME_LEAST);
	*used = (size_t)length + 4;
	return OK;
}

/* The channel does nothing any more; memory stays while a caller is on the stack. */
static void shut(struct ipc *c)
{
	if (c->dead)
		return;
	c->dead = true;
	loop_task_disarm(c->loop, &c->flush);
	loop_watch_free(c->watch);
	c->watch = NULL;
	close(c->fd);
	for (size_t i = 0; i < c->fds_in_n; i++)
		close(c->fds_in[i]);
	for (size_t i = 0; i < c->fds_out_n; i++)
		close(c->fds_out[i].fd);
	c->fds_in_n = c->fds_out_n = 0;
	buf_fini_wipe(&c->out);
	c->out_at = 0;
}

static void release(struct ipc *c)
{
	buf_fini_wipe(&c->in);
	mem_free(c);
}

void ipc_free(struct ipc *c)
{
	if (!c)
		return;
	shut(c);
	c->freed = true;
	if (c->busy == 0)
		release(c);
}

static void enter(struct ipc *c)
{
	c->busy++;
}

static void leave(struct ipc *c)
{
	if (--c->busy == 0 && c->freed)
		release(c);
}

/* buf_drop that leaves no copy behind where frames may hold keys. */
static void drop_front(const struct ipc *c, struct buf *b, size_t n)
{
	size_t before = b->n;

	buf_drop(b, n);
	if (c->holds_keys && b->p)
		mem_wipe(b->p + b->n, before - b->n);
}

static void fail(struct ipc *c, const struct why *why)
{
	if (c->dead)
		return;
	shut(c);
	c->h.closed(c->h.arg, why);
}

static void fail_closed(struct ipc *c, int error)
{
	struct why why = {0};

	(void)!WHY(&why, IPC_CLOSED, "", "%s: %s%s", c->v->name, error ? strerror(error) : "the other end is gone",
		c->in.n ? ", in the middle of a frame" : "");
	fail(c, &why);
}

static int take_fd(struct ipc *c)
{
	int fd = c->fds_in[0];

	c->fds_in_n--;
	memmove(c->fds_in, c->fds_in + 1, c->fds_in_n * sizeof(c->fds_in[0]));
	return fd;
}

static enum err frame_fd(struct ipc *c, uint16_t type, int *fd, struct why *why)
{
	const struct ipc_type *t = type_find(c->v, type);

	*fd = -1;
	if (!t || !t->carries_fd)
		return OK;
	if (c->fds_in_n == 0)
		return WHY(why, IPC_FRAME, "", "%s: frame of type %u: want a descriptor, have none", c->v->name, type);
	*fd = take_fd(c);
	return OK;
}

static void dispatch(struct ipc *c)
{
	size_t at = 0;

	while (!c->dead) {
		struct why why = {0};
		struct span payload = {0};
		size_t used = 0;
		uint16_t type = 0;
		uint32_t id = 0;
		int fd = -1;
		enum err err = ipc_frame_parse(
			c->v, span_from(buf_span(&c->in), at), &used, &type, &id, &payload, &why);
		if (err == OK && used)
			err = frame_fd(c, type, &fd, &why);
		if (err != OK) {
			fail(c, &why);
			return;
		}
		if (!used)
			break;
		at += used;
		c->h.frame(c->h.arg, type, id, payload, fd);
	}
	drop_front(c, &c->in, at);
	if (c->in.n == 0 && c->in.cap > KEEP_BUFFER)
		buf_fini(&c->in);
}

/* SCM_RIGHTS from one message; false when more came than we hold. */
static bool keep_fds(struct ipc *c, struct msghdr *msg)
{
	bool good = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
		if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (m->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(m) + i * sizeof(int), sizeof(fd));
			if (c->fds_in_n < IPC_FDS_MAX) {
				c->fds_in[c->fds_in_n++] = fd;
			} else {
				close(fd);
				good = false;
			}
		}
	}
	return good;
}

static ssize_t receive(struct ipc *c, uint8_t *to, size_t n)
{
	/* A plain recv drops descriptors that the peer had no business to send. */
	if (!c->passes_fds)
		return recv(c->fd, to, n, MSG_DONTWAIT);
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int) * IPC_FDS_MAX)];
	} control;
	struct iovec iov = {to, n};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
	ssize_t got = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got > 0 && !keep_fds(c, &msg)) {
		errno = EBADMSG;
		return -1;
	}
	return got;
}

static void read_frames(struct ipc *c)
{
	for (int round = 0; round < READ_ROUNDS && !c->dead; round++) {
		uint8_t *to = buf_room(&c->in, READ_CHUNK);
		if (!to) {
			fail_closed(c, ENOMEM);
			return;
		}
		ssize_t got = receive(c, to, READ_CHUNK);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (got <= 0) {
			fail_closed(c, got < 0 ? errno : 0);
			return;
		}
		buf_grew(&c->in, (size_t)got);
		dispatch(c);
		if (got < READ_CHUNK && !c->passes_fds)
			return;
	}
}

/* One write up to the next descriptor's frame, which begins a message of its own. */
static ssize_t write_some(struct ipc *c)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {c->out.p + c->out_at, c->out.n - c->out_at};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	size_t next = 0;

	if (c->fds_out_n && c->fds_out[0].at == c->out_pos) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		control.align = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(&control.align), &c->fds_out[0].fd, sizeof(int));
		next = 1;
	}
	if (c->fds_out_n > next && c->fds_out[next].at - c->out_pos < iov.iov_len)
		iov.iov_len = (size_t)(c->fds_out[next].at - c->out_pos);
	ssize_t sent = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0 && next) {
		close(c->fds_out[0].fd);
		c->fds_out_n--;
		memmove(c->fds_out, c->fds_out + 1, c->fds_out_n * sizeof(c->fds_out[0]));
	}
	return sent;
}

static void drop_queue(struct ipc *c)
{
	for (size_t i = 0; i < c->fds_out_n; i++)
		close(c->fds_out[i].fd);
	c->fds_out_n = 0;
	c->out_at = 0;
	drop_front(c, &c->out, c->out.n);
	if (c->out.cap > KEEP_BUFFER)
		buf_fini(&c->out);
	else
		buf_clear(&c->out);
}

static void write_frames(struct ipc *c)
{
	while (!c->deaf && c->out_at < c->out.n) {
		ssize_t sent = write_some(c);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			loop_watch_set(c->watch, LOOP_READ | LOOP_WRITE);
			return;
		}
		if (sent < 0) {
			/* Its last words may still wait to be read; reading then finds the end. */
			c->deaf = true;
			break;
		}
		c->out_at += (size_t)sent;
		c->out_pos += (size_t)sent;
	}
	drop_queue(c);
	loop_watch_set(c->watch, LOOP_READ);
}

static void on_ready(void *arg, int ready)
{
	struct ipc *c = arg;

	enter(c);
	if (ready & LOOP_WRITE)
		write_frames(c);
	if (ready & LOOP_READ)
		read_frames(c);
	leave(c);
}

static void on_turn_end(void *arg)
{
	struct ipc *c = arg;

	enter(c);
	write_frames(c);
	leave(c);
}

enum err ipc_new(struct loop *l, int fd, const struct ipc_vocabulary *v, const struct ipc_handler *h,
	struct ipc **out, struct why *why)
{
	struct ipc *c = mem_alloc(sizeof(*c));

	if (!c) {
		close(fd);
		return WHY(why, NOMEM, "", "%s: want %zu bytes", v->name, sizeof(*c));
	}
	*c = (struct ipc){.loop = l, .fd = fd, .v = v, .h = *h};
	c->in = BUF((size_t)longest_payload(v) + IPC_HEAD_SIZE + READ_CHUNK);
	c->out = BUF((size_t)2 * IPC_QUEUE_MAX); /* what has left counts until it is dropped */
	c->flush = (struct loop_task){.fn = on_turn_end, .arg = c};
	for (size_t i = 0; i < v->n; i++) {
		c->passes_fds |= v->types[i].carries_fd;
		c->holds_keys |= v->types[i].holds_keys;
	}
	enum err err = loop_watch_new(l, fd, LOOP_READ, on_ready, c, &c->watch, why);
	if (err != OK) {
		close(fd);
		mem_free(c);
		return err;
	}
	*out = c;
	return OK;
}

size_t ipc_queued(const struct ipc *c)
{
	return c->out.n - c->out_at;
}

static enum err queue(
	struct ipc *c, uint16_t type, uint32_t id, struct span payload, bool with_fd, struct why *why)
{
	const struct ipc_type *t = type_find(c->v, type);

	if (!t || payload.n > t->max_payload || t->carries_fd != with_fd)
		return WHY(why, BUG, "", "%s: frame of type %u with %zu bytes is not in the vocabulary", c->v->name,
			type, payload.n);
	if (c->dead || c->deaf)
		return WHY(why, IPC_CLOSED, "", "%s: the other end is gone", c->v->name);
	if (ipc_queued(c) + IPC_HEAD_SIZE + payload.n > IPC_QUEUE_MAX)
		return WHY(why, IPC_QUEUE, "", "%s: queue: want at most %d bytes, have %zu", c->v->name,
			IPC_QUEUE_MAX, ipc_queued(c) + IPC_HEAD_SIZE + payload.n);
	if (c->out_at > c->out.n / 2) {
		drop_front(c, &c->out, c->out_at);
		c->out_at = 0;
	}
	size_t before = c->out.n;
	buf_put_u32(&c->out, (uint32_t)(payload.n + FRAME_LEAST));
	buf_put_u16(&c->out, type);
	buf_put_u32(&c->out, id);
	buf_put_span(&c->out, payload);
	if (c->out.bad) { /* no half frame may stay */
		c->out.n = before;
		c->out.bad = false;
		return WHY(why, NOMEM, "", "%s: queue: want %zu bytes more", c->v->name, payload.n);
	}
	loop_task_arm(c->loop, &c->flush);
	return OK;
}

enum err ipc_send(struct ipc *c, uint16_t type, uint32_t id, struct span payload, struct why *why)
{
	return queue(c, type, id, payload, false, why);
}

enum err ipc_send_fd(struct ipc *c, uint16_t type, uint32_t id, struct span payload, int fd, struct why *why)
{
	uint64_t at = c->out_pos + ipc_queued(c);
	enum err err = OK;

	if (c->fds_out_n == IPC_FDS_MAX)
		err = WHY(why, IPC_QUEUE, "", "%s: descriptors waiting: want at most %d", c->v->name, IPC_FDS_MAX);
	if (err == OK)
		err = queue(c, type, id, payload, true, why);
	if (err != OK) {
		close(fd);
		return err;
	}
	c->fds_out[c->fds_out_n++] = (struct fd_at){at, fd};
	return OK;
}

enum err ipc_pair(int fds[2], struct why *why)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0)
		return WHY(why, SYSTEM, "", "socketpair: %s", strerror(errno));
	return OK;
}
