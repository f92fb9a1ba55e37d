#pragma once
/* Bulk registration: each row a unit of its own, a hundred rows a transaction. */
#include "app/import/rows.h"
#include "app/openmef/enrolee_put.h"

/* All of a row but its key. Texts in the arena. ERR_SYNTAX, ERR_LIMIT, ERR_NOT_FOUND: the row's fault. */
MUST_CHECK enum err import_registration(const struct row *row, const struct conf *conf, int64_t now_s, struct arena *arena,
	struct registration *out, struct why *why);
/* Whether that enrolee is there already, by id and with the same entity. ERR_CONFLICT when with another one. */
MUST_CHECK enum err import_exists(struct store *store, const struct enrolee *e, struct arena *arena, bool *out, struct why *why);

/* What became of the rows, told when it is durable. */
enum import_result { IMPORT_ADDED, IMPORT_EXISTS, IMPORT_WAS_REFUSED, IMPORT_RESULTS_N };
struct import_report {
	const struct cli *cli;
	struct buf lines; /* of the rows since the last flush */
	uint64_t counts[IMPORT_RESULTS_N];       /* of all that was flushed */
	uint64_t ahead[IMPORT_RESULTS_N];        /* of the rows since */
};
void import_report_row(struct import_report *r, const struct row *row, enum import_result result, const struct why *why);
MUST_CHECK enum err import_report_flush(struct import_report *r, struct why *why);
void import_report_summary(struct import_report *r, bool dry_run);
