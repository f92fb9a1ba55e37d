#pragma once
/*
 * The caller: HTTPS to MEFs, for the registrar of a MAF (docs/decisions/0014). It holds the MAF's client key and
 * no store, and asks nothing but GET /fetchCredentials of the MEFs that are configured.
 *
 * Names are resolved at the start, before the sandbox: getaddrinfo opens files, and a process that may open
 * files of its user could read the store and the master key. When a MEF is not reached any more, and that was some
 * while ago, the caller ends when it is idle, and the parent's next one resolves them anew.
 */
#include "app/caller/drive.h"
#include "app/role.h"
#include "port/clock.h"
#include "port/mef.h"

enum {
	CALLER_ALONE_MS = 30 * 1000,    /* without any registrar for that long: a registrar hung up */
	CALLER_RESOLVED_MS = 60 * 1000, /* addresses are trusted at least that long */
	CALLER_TOLD_PER_S = 20,         /* lines about keys that were not fetched: strangers make them */
};

struct caller {
	struct loop *loop;
	struct role_control *control;
	const struct conf *conf;
	struct clock clock;
	struct drive drive;
	struct loop_timer *alone;
	struct link *links; /* caller.c */
	int64_t resolved_ms;
	bool stale; /* a MEF was not reached */
	int64_t told_second;
	unsigned int told; /* lines in it */
};

/* open.c: certificate, key, anchors and servers, before the sandbox. */
MUST_CHECK enum err caller_open(struct caller *c, const struct conf *conf, struct why *why);
void caller_close(struct caller *c);

/* ra.c: the caller of a MEF, which asks upstream CAs. */
int ra_main(const struct role_start *start);

/* ask.c: one key. */

void caller_ask(struct caller *c, const char *keid, unsigned int suid, mef_done done, void *arg);
