#pragma once
/* The request under way: what DIR/pending.json keeps of it, for this run and for the one after a reboot. */
#include "agent/pending.h"
#include "app/enrolee/drive.h"

struct under_way {
	const struct cli *cli;
	const char *dir;
	struct agent_pending is; /* uri, renew, client: of this run; csr in kept, said in text */
	struct buf kept;
	char text[WHY_TEXT_MAX];
};

/* leaf: DER of the certificate that authenticates; empty: by shared key. */
void under_way_init(struct under_way *w, const struct cli *cli, const struct drive_ask *ask, struct span leaf);
void under_way_fini(struct under_way *w);
/* The CSR that an earlier run of the same kind left; appends nothing when there is none. */
void under_way_find(struct under_way *w, struct buf *csr_out);
/* Durable before it returns; nothing when it is kept already. */
MUST_CHECK enum err under_way_keep(struct under_way *w, struct span csr, struct why *why);
/* 202 came: when to ask again, and what the MEF said. */
MUST_CHECK enum err under_way_told(struct under_way *w, struct span said, int64_t wait_s, struct why *why);

/* `enrolee status`: the request of DIR, whatever its kind. waits_out: the MEF said "later"; else it refused or was not reached. False when there is none. */
bool under_way_show(const struct cli *cli, const char *dir, struct json *j_out, struct buf *text_out, bool *waits_out);
