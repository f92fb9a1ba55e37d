/*
 * Registers COUNT enrolees in a store, as `openmef enrolee add` would but thousands in a transaction and
 * without audit events: for measuring how the server behaves beside many rows.
 */
#include "adapt/store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 5000 };

static void die(const struct why *why)
{
	fprintf(stderr, "bench_fill: %s\n", why->text);
	exit(1);
}

static enum err add(struct store *s, long i, struct why *why)
{
	char id[64];
	char entity[96];
	char serial[64];
	int64_t now_s = time(NULL);

	snprintf(id, sizeof(id), "bench-%08ld", i);
	snprintf(entity, sizeof(entity), "urn:example:bench:%08ld", i);
	snprintf(serial, sizeof(serial), "BENCH-%08ld", i);
	struct enrolee e = {id, ENTITY_NODE, entity, ENROLEE_ENABLED, "", "", now_s, now_s};
	struct credential c = {.kind = CREDENTIAL_SERIAL, .value = serial};
	TRY(s->ops->enrolee_add(s->self, &e, why));
	return s->ops->credential_add(s->self, id, &c, why);
}

int main(int argc, char **argv)
{
	struct store *s = NULL;
	struct why why = {0};

	if (argc != 4) {
		fprintf(stderr, "usage: bench_fill DATABASE FROM TO\n");
		return 2;
	}
	long to = atol(argv[3]);
	if (store_sqlite_open(argv[1], STORE_SQLITE_EXISTING, &s, &why) != OK)
		die(&why);
	for (long i = atol(argv[2]); i < to;) {
		if (s->ops->begin(s->self, &why) != OK)
			die(&why);
		for (long end = i + BATCH; i < end && i < to; i++) {
			if (add(s, i, &why) != OK)
				die(&why);
		}
		if (s->ops->commit(s->self, &why) != OK)
			die(&why);
		if (i % 100000 == 0)
			fprintf(stderr, "  %ld enrolees\n", i);
	}
	s->ops->free(s->self);
	return 0;
}
