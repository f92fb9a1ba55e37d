#pragma once
/* Inside of core/cmc: a message under way. */
#include "core/cmc/message.h"
#include "proto/cmc/cmc.h"

enum {
	JOB_NONCE_SIZE = 16,
	JOB_ARENA_MAX = 1024 * 1024, /* the message twice, clients, CMC_REQUESTS_MAX certificates, texts */
};

struct job;

/* A body part on its way to its status. */
struct job_part {
	struct job *job;
	struct cmc_part status; /* text in the job's arena */
	enum err err;
	struct why why;
	struct span cert; /* copied */
};

struct job {
	struct cmc_env env;
	struct arena arena;
	cmc_done done;
	void *arg;
	const char *address;
	int64_t now_s;
	int64_t retry_s; /* told for a request that waits */
	struct cmc_data data; /* spans in the arena */
	struct client signer; /* the same */
	const struct est_label *label; /* until cmc_run returns */
	struct job_part parts[CMC_STATUSES_MAX];
	size_t parts_n;
	size_t waiting; /* parts without status, and cmc_run itself */
	bool revoked;
	bool readable; /* the answer is a PKIResponse */
	struct why why; /* of a message that is none */
	uint8_t nonce[JOB_NONCE_SIZE];
};

/* run.c: a place for the status of a body part; NULL past CMC_STATUSES_MAX. outer 0: not nested. */
struct job_part *job_part_new(struct job *j, uint32_t outer, uint32_t part);
/* Sets its status from an outcome; why is that of the failure. */
void job_part_end(struct job_part *p, enum err err, const struct why *why);
/* One that job_part_end was called for later: job_hold before, job_release after; the last one answers. */
void job_hold(struct job *j);
void job_release(struct job *j);

/* status.c */
enum cmc_status status_of(const struct why *why);
enum cmc_fail fail_of(const struct why *why);
/* "OMEF-1521: text (clause)" in the arena; of our own faults the code and no text. */
struct span status_text(struct arena *arena, const struct why *why);

/* revoke.c: RFC 5272 6.11, for the job's signer. Ends the part, at once or with the commit. */
void revoke_one(struct job *j, const struct cmc_revoke *ask, struct job_part *p);

/* signer.c */
/* Whose certificate signed: the TLS client's, or another of this MEF that the same enrolee has. */
MUST_CHECK enum err signer_find(struct job *j, const struct client *tls, struct span cert, struct why *why);
/* Opens a message that an RA passes on: content in the arena. A signer that this MEF knows must still be good. */
MUST_CHECK enum err signer_open_nested(struct job *j, struct span message, struct cmc_data *out, struct why *why);
