#pragma once
/*
 * The runner of a MEF (docs/decisions/0021): programs of the operator that issue certificates, [issuer NAME] of kind
 * command. The one role that may start programs; it holds no key, no store, no listening socket.
 *
 * A program gets the request as PEM on stdin, a file in memory, and writes the certificate as PEM to stdout. Exit status
 * 0: that is it; 3: the request waits, stdout may hold the seconds after which to ask again; anything else: refused,
 * the first line of stderr is for the operator's log alone. It runs in a session and a process group of its own, with
 * nothing open but those three, an environment of PATH and what the order says, and bounds on time, memory, files and
 * processes. It ends with all that it started.
 */
#include "adapt/issuer/away_server.h"
#include "app/role.h"
#include "port/clock.h"

#include <sys/types.h>

enum {
	RUNNER_AT_ONCE = 8,      /* programs; what is above waits within its timeout */
	RUNNER_WAITING_MAX = 256,
	RUNNER_OUT_MAX = 64 * 1024, /* octets of stdout: a certificate with a chain around it */
	RUNNER_ERR_MAX = 4 * 1024,  /* octets of stderr that are kept and logged; the rest is read and dropped */
	RUNNER_ERR_LINES = 8,
	RUNNER_ARGS_MAX = 32,
	RUNNER_EXIT_WAITS = 3,
	RUNNER_WAIT_S = 300,     /* where the program named no time */
	RUNNER_WAIT_MAX_S = 24 * 3600,
	RUNNER_RETRY_S = 30,
	RUNNER_SWEEP_MS = 200,
	RUNNER_MEMORY = 1 << 30,
	RUNNER_FILES = 256,
	RUNNER_PROCESSES = 1024, /* the kernel counts all of the user's, those of the service too */
	RUNNER_FILE_SIZE = 64 << 20,
};

struct run;

struct runner {
	struct loop *loop;
	struct role_control *control;
	const struct conf *conf;
	struct clock clock;
	struct away_server *server;
	struct run *running, *waiting, **waiting_last;
	size_t running_n, waiting_n;
	struct loop_task next;     /* starts what waits */
	struct loop_timer *sweep;  /* again: what was killed takes a moment to end, and may leave children */
};

/* run.c: orders. */
void runner_take(void *arg, struct away_job *job, const struct away_order *order);
void runner_next(void *arg);
void runner_sweep(void *arg);
void runner_drop(struct runner *r); /* kills and refuses all */

/* child.c: one program. */

struct child {
	pid_t pid; /* also its process group; 0: none */
	int pid_fd;
	int out_fd, err_fd; /* non-blocking */
};

struct child_order {
	const char *command; /* absolute path and arguments, parted by blanks */
	const char *issuer, *profile, *enrolee, *label;
	struct span csr_pem;
	int64_t timeout_s;
};

MUST_CHECK enum err child_start(const struct child_order *order, struct child *out, struct why *why);
/* Kills its group and reaps it. */
void child_kill(struct child *c);
/* Reaps it; false while it runs. */
bool child_ended(struct child *c, int *status_out);
void child_close(struct child *c);
/*
 * Processes that a program left behind come to the runner; they end. `mine` are those that run by order. True when there
 * were some: each may have handed on children of its own.
 */
bool child_sweep(const pid_t *mine, size_t n);
/* Before the first child: what is left behind comes here. */
MUST_CHECK enum err child_prepare(struct why *why);
