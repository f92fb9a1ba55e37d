#pragma once
/*
 * How a child of `openmef serve` starts. The parent runs its own program again as `openmef role-front N`,
 * `role-registrar N`, `role-signer N`, `role-caller N` or `role-runner N` and leaves descriptors behind: ROLE_FD_CONTROL, a stream socket
 * that speaks channel_control; ROLE_FD_CONF, a sealed memory file with the configuration's text; from
 * ROLE_FD_LISTEN on the listening sockets (fronts only). A role's main loads its files, makes its loop
 * and its control, enters the sandbox, says ready, and runs until told to stop.
 */
#include "app/conf/conf.h"
#include "net/channels.h"
#include "net/loop.h"

/* As ROLE_ENV_LISTEN names them: listen_kind_names. */
enum listen_kind { LISTEN_HTTPS, LISTEN_HTTP, LISTEN_PROXY, LISTEN_KINDS };
extern const char *const listen_kind_names[LISTEN_KINDS];

enum {
	ROLE_FD_CONTROL = 3,
	ROLE_FD_CONF = 4,
	ROLE_FD_LISTEN = 5,
	ROLE_LISTEN_MAX = LISTEN_KINDS * CONF_LISTEN_MAX,
	ROLE_DRAIN_MS = 10 * 1000, /* what a front gives its requests in flight after a stop */
};

/* The parent tells the path of the configuration, the kinds of the sockets ("https,https,http,behind_proxy") and the first https port. */
#define ROLE_ENV_CONF "OPENMEF_ROLE_CONF"
#define ROLE_ENV_LISTEN "OPENMEF_ROLE_LISTEN"
#define ROLE_ENV_HTTPS "OPENMEF_ROLE_HTTPS"

struct role_listen {
	int fd; /* bound, listening, non-blocking; owned by the role */
	enum listen_kind kind;
};

struct role_start {
	enum role role;
	unsigned int index; /* from 0, within the role */
	const struct conf *conf;
	int control_fd;
	struct role_listen listen[ROLE_LISTEN_MAX];
	size_t listen_n;
	uint16_t https_port; /* the first one, as it was bound */
};

/* Each returns the exit status of its process. Logging is open when they are called. */
int front_main(const struct role_start *start);
int registrar_main(const struct role_start *start);
int signer_main(const struct role_start *start);
int runner_main(const struct role_start *start);
int caller_main(const struct role_start *start);

/* The roles that a program holds: openmef/roles.c, caller/main.c. */
struct role_word {
	const char *word; /* "role-front" */
	const char *what;
	enum role role;
	int (*main)(const struct role_start *start);
};
extern const struct role_word role_words[];
extern const size_t role_words_n;

/* `openmef role-...`: argv[0] is the role's word. By hand it says what it is and returns 2. */
int cmd_role(int argc, char **argv);
/* `openmef serve`: the parent. argv[0] is "serve". */
int cmd_serve(int argc, char **argv);

/* What the parent tells a role. Unused ones may be NULL. */
struct role_events {
	/* A channel to a (new) process of that role; fd is owned by the callee. It replaces nothing by itself:
	 * the old channel, if any, closes when its process is gone. */
	void (*channel)(void *arg, enum role other, int fd);
	/* Finish what is in flight, then loop_stop. */
	void (*stop)(void *arg);
	/* Another process changed the store. */
	void (*poke)(void *arg);
	void *arg;
};

struct role_control;

/* When the parent is gone the process ends at once, with status 1: nothing supervises it any more. */
MUST_CHECK enum err role_control_new(struct loop *l, const struct role_start *start, const struct role_events *events,
	struct role_control **out, struct why *why);
/* Once, after sandbox_enter. */
MUST_CHECK enum err role_control_ready(struct role_control *c, struct why *why);
void role_control_free(struct role_control *c);
