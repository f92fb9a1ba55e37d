#include "app/openmef/serve.h"

#include "net/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	BACKOFF_MIN_MS = 100,
	BACKOFF_MAX_MS = 5000,
	LIVED_MS = 10 * 1000,   /* a role that lived that long starts again at once */
	HUNG_UP_MS = 10 * 1000, /* between the end of its channel and the end of the process */
};

static const char *member_name(const struct member *m, char out[32])
{
	snprintf(out, 32, "%s-%u", role_name(m->role), m->index);
	return out;
}

static void on_frame(void *arg, uint16_t type, uint32_t id, struct span payload, int fd)
{
	struct member *m = arg;
	char name[32];

	if (fd >= 0) /* no role has one to give */
		close(fd);
	if (type != CH_READY || m->ready) {
		log_event(LOG_WARN_, "role speaks nonsense", "of", member_name(m, name), NULL);
		member_kill(m);
		return;
	}
	m->ready = true;
	generation_step(m->generation);
}

/* Its process is ending, or it is out of control. */
static void on_closed(void *arg, const struct why *why)
{
	struct member *m = arg;

	ipc_free(m->control);
	m->control = NULL;
	if (m->pid)
		loop_timer_set(m->timer, HUNG_UP_MS);
}

static void on_time(void *arg)
{
	struct member *m = arg;
	struct why why = {0};

	if (m->pid) {
		member_kill(m);
	} else if (member_start(m, &why) != OK) {
		log_why(LOG_ERROR_, "role not started", &why);
		member_start_later(m);
	}
}

enum err member_init(
	struct member *m, struct generation *g, enum role role, unsigned int index, struct why *why)
{
	*m = (struct member){.generation = g, .role = role, .index = index};
	return loop_timer_new(g->supervisor->loop, on_time, m, &m->timer, why);
}

void member_fini(struct member *m)
{
	ipc_free(m->control);
	m->control = NULL;
	loop_timer_free(m->timer);
	m->timer = NULL;
}

/* Who talks to whom: fronts, signers and the caller to the registrar. */
static bool talk(const struct member *a, const struct member *b)
{
	return (a->role == ROLE_REGISTRAR) != (b->role == ROLE_REGISTRAR);
}

static void give(struct member *to, enum role other, int fd)
{
	const uint8_t octet = (uint8_t)other;
	struct why why = {0};

	if (ipc_send_fd(to->control, CH_CHANNEL, 0, span_of(&octet, 1), fd, &why) != OK)
		log_why(LOG_WARN_, "channel not handed over", &why);
}

static void connect_all(struct member *m)
{
	struct generation *g = m->generation;

	for (size_t i = 0; i < g->n; i++) {
		struct member *other = &g->members[i];
		struct why why = {0};
		int fds[2];
		if (!other->control || !talk(m, other))
			continue;
		if (ipc_pair(fds, &why) != OK) {
			log_why(LOG_ERROR_, "no channel", &why);
			continue;
		}
		give(m, other->role, fds[0]);
		give(other, m->role, fds[1]);
	}
}

static enum err spawn(struct member *m, int *control, struct why *why)
{
	const struct generation *g = m->generation;
	OWNED_BUF struct buf kinds = BUF(1024);
	int fds[ROLE_LISTEN_MAX];
	struct spawn s = {
		.role = m->role, .index = m->index, .conf_fd = g->conf_fd, .conf_path = g->conf_path, .listen_fds = fds};

	if (m->role == ROLE_FRONT)
		s.listen_n = listeners_of(&g->supervisor->listeners, g->conf, m->index, fds, &kinds);
	TRY(buf_check(&kinds, "kinds of sockets", why));
	s.listen_kinds = buf_text(&kinds);
	s.https_port = listeners_https_port(&g->supervisor->listeners, g->conf);
	return spawn_role(&s, &m->pid, control, why);
}

enum err member_start(struct member *m, struct why *why)
{
	const struct ipc_handler h = {on_frame, on_closed, m};
	int control = -1;

	m->started_ms = supervisor_now_ms();
	m->ready = m->told_to_stop = false;
	TRY(spawn(m, &control, why));
	enum err err = ipc_new(m->generation->supervisor->loop, control, &channel_control, &h, &m->control, why);
	if (err != OK) {
		member_kill(m);
		return OK; /* its end comes as a signal, and with it the next try */
	}
	connect_all(m);
	return OK;
}

static void tell(struct member *m, uint16_t type)
{
	struct why why = {0};

	if (m->control && ipc_send(m->control, type, 0, (struct span){0}, &why) != OK)
		log_why(LOG_WARN_, "role not told", &why);
}

void member_stop(struct member *m)
{
	if (m->told_to_stop)
		return;
	m->told_to_stop = true;
	tell(m, CH_STOP);
}

void member_poke(struct member *m)
{
	tell(m, CH_POKE);
}

void member_kill(struct member *m)
{
	if (m->pid)
		kill(m->pid, SIGKILL);
}

static void log_end(const struct member *m, pid_t pid, int status)
{
	bool asked = m->told_to_stop && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	char name[32], number[16], how[96];

	if (WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
			WTERMSIG(status) == SIGSYS ? ": an act outside its sandbox" : "");
	else
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(status));
	snprintf(number, sizeof(number), "%d", (int)pid);
	log_event(asked ? LOG_DEBUG_ : LOG_WARN_, "role ended", "of", member_name(m, name), "pid", number, "how", how, NULL);
}

void member_ended(struct member *m, int status)
{
	log_end(m, m->pid, status);
	m->pid = 0;
	m->ready = false;
	ipc_free(m->control);
	m->control = NULL;
	loop_timer_stop(m->timer);
}

void member_start_later(struct member *m)
{
	int64_t lived_ms = supervisor_now_ms() - m->started_ms;

	if (lived_ms >= LIVED_MS || m->backoff_ms == 0)
		m->backoff_ms = BACKOFF_MIN_MS;
	else
		m->backoff_ms = m->backoff_ms * 2 < BACKOFF_MAX_MS ? m->backoff_ms * 2 : BACKOFF_MAX_MS;
	loop_timer_set(m->timer, m->backoff_ms);
}
