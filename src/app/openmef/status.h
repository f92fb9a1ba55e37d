#pragma once
/* What `openmef status` tells: one report, of a MEF's directory or of a MAF's. */
#include "app/openmef/place.h"
#include "base/date.h"

/* What is told, line by line, and what of it needs the operator. */
struct report {
	struct cli *cli;
	struct json *j;
	struct json *findings;
	char first[WHY_TEXT_MAX];
	int64_t now_s;
};

void status_find(struct report *r, const char *title, const char *text);

/* A certificate on a line of its own. */
struct status_cert {
	const char *title, *key; /* for people, for JSON */
	const char *path;
	const char *words;       /* the command that renews it; NULL: none does */
	const char *advice;      /* without one; NULL: openmef init */
};
void status_report_cert(struct report *r, const struct status_cert *c);
/* Certificates of a file of trust anchors; none_text: what is told where there are none. */
struct status_anchors {
	const char *title, *key, *path;
	const char *none; /* told before the path; NULL: none is a finding */
};
void status_report_anchors(struct report *r, const struct status_anchors *a);

/* status_maf.c */
MUST_CHECK enum err status_report_maf(struct report *r, struct store *store, const struct conf *conf, int pid, struct why *why);
