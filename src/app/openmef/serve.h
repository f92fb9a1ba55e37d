#pragma once
/*
 * Inside of `openmef serve`, the parent: it opens sockets, starts roles, watches them and replaces them.
 * It parses no byte of a peer. One generation is all roles of one configuration; a reload starts a new
 * one beside the old and stops the old when the new is ready.
 */
#include "app/role.h"

#include "net/ipc.h"

#include <sys/types.h>

/* ---- serve_listen.c: listening sockets, kept over reloads */

struct listener {
	char address[64];
	uint16_t port;   /* as configured; 0: any */
	uint16_t actual;
	enum listen_kind kind;
	unsigned int front; /* each front has its own socket of every address (SO_REUSEPORT) */
	int fd;
	bool fresh; /* opened for a configuration that does not serve yet */
};

struct listeners {
	struct listener *rows;
	size_t n, cap;
};

/* Opens what is missing. After a failure listeners_undo closes what this call opened. ERR_SYSTEM. */
MUST_CHECK enum err listeners_open(
	struct listeners *l, const struct conf *conf, unsigned int fronts, struct why *why);
void listeners_undo(struct listeners *l);
void listeners_keep(struct listeners *l, const struct conf *conf, unsigned int fronts); /* closes all others */
void listeners_close(struct listeners *l);
/* The sockets of one front, in the order of the configuration; returns their number. kinds: "https,http,behind_proxy". */
size_t listeners_of(const struct listeners *l, const struct conf *conf, unsigned int front,
	int fds[ROLE_LISTEN_MAX], struct buf *kinds);
/* Of the first https address, as it was bound; 0 without any. */
uint16_t listeners_https_port(const struct listeners *l, const struct conf *conf);
/* "127.0.0.1:8443 [::1]:8443" */
void listeners_text(const struct listeners *l, const struct conf *conf, enum listen_kind kind, struct buf *out);
void listeners_json(const struct listeners *l, const struct conf *conf, struct buf *out);

/* ---- serve_spawn.c: one process */

struct spawn {
	enum role role;
	unsigned int index;
	int conf_fd;
	const char *conf_path;
	const int *listen_fds;
	size_t listen_n;
	const char *listen_kinds;
	uint16_t https_port;
};

/* A sealed memory file with that text. */
MUST_CHECK enum err spawn_conf_file(struct span text, int *fd_out, struct why *why);
/* control_out: the parent's end. */
MUST_CHECK enum err spawn_role(const struct spawn *s, pid_t *pid_out, int *control_out, struct why *why);

/* ---- serve_member.c: one role of a generation; restarts, channels */

struct supervisor;
struct generation;

struct member {
	struct generation *generation;
	enum role role;
	unsigned int index;
	pid_t pid; /* 0: not running */
	struct ipc *control;
	struct loop_timer *timer; /* starts it again, or ends one that hung up and stayed */
	int64_t started_ms;
	int64_t backoff_ms;
	bool ready;
	bool told_to_stop;
};

struct generation {
	struct supervisor *supervisor;
	unsigned int number;
	struct conf *conf;
	char *conf_path;
	int conf_fd;
	struct member *members; /* signers or a caller, registrar, fronts */
	size_t n;
	bool serving;  /* was ready once */
	bool stopping;
	enum role stop_stage;
	struct loop_timer *limit;
	struct generation *next;
};

MUST_CHECK enum err member_init(
	struct member *m, struct generation *g, enum role role, unsigned int index, struct why *why);
void member_fini(struct member *m);
MUST_CHECK enum err member_start(struct member *m, struct why *why);
void member_stop(struct member *m); /* tells it to finish; again: nothing */
void member_kill(struct member *m);
void member_poke(struct member *m);
/* Its process is gone: cleans up. The generation decides what follows. */
void member_ended(struct member *m, int status);
void member_start_later(struct member *m);

/* ---- serve_generation.c */

MUST_CHECK enum err generation_new(struct supervisor *s, struct conf *conf, const char *path, int conf_fd,
	struct generation **out, struct why *why); /* takes conf and conf_fd, also when it fails */
void generation_step(struct generation *g); /* starts the next role when the one before is ready */
void generation_stop(struct generation *g);
void generation_kill(struct generation *g);
void generation_ended(struct member *m);    /* a member's process is gone */
struct member *generation_find(struct generation *g, pid_t pid);

/* ---- serve.c */

struct supervisor {
	struct loop *loop;
	char conf_path[CONF_PATH_MAX];
	char run_dir[CONF_PATH_MAX];
	int pid_fd;
	struct listeners listeners;
	struct generation *generations; /* newest first */
	unsigned int count;
	bool stopping;
	bool reload_again;
	int status;
};

/* As configured, else one per core that we may use. */
unsigned int conf_fronts(const struct conf *conf);
unsigned int conf_signers(const struct conf *conf);
void supervisor_serving(struct generation *g);
/* culprit: who ended before it was ready; NULL: it could not even be started, which is told already. */
void supervisor_failed(struct generation *g, const struct member *culprit);
void supervisor_gone(struct generation *g); /* frees it */
int64_t supervisor_now_ms(void);
