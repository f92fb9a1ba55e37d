/*
 * Registers COUNT enrolees in a store, as `openmef enrolee add` would but thousands in a transaction and
 * without audit events: for measuring how the server behaves beside many rows. With a master key each
 * gets a pre-provisioned key too: identity bench-%08d@localhost, key its SHA-256.
 */
#include "adapt/store/sqlite.h"
#include "adapt/sys/master.h"
#include "adapt/sys/random.h"
#include "core/keys/vault.h"
#include "pki/digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 5000 };

static void die(const struct why *why)
{
	fprintf(stderr, "bench_fill: %s\n", why->text);
	exit(1);
}

static enum err add_psk(const struct vault *v, const char *id, int64_t now_s, struct why *why)
{
	char identity[STORE_KEY_ID_MAX];
	struct secret kpm = {.n = SHA256_SIZE};

	snprintf(identity, sizeof(identity), "%s@localhost", id);
	digest_sha256(span_text(identity), kpm.bytes);
	struct symkey row = {.kind = SYMKEY_KPM, .id = identity, .owner = id, .created_s = now_s, .info = ""};
	return vault_add(v, &row, &kpm, why);
}

static enum err add(struct store *s, const struct vault *v, long i, struct why *why)
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
	TRY(s->ops->credential_add(s->self, id, &c, why));
	return v ? add_psk(v, id, now_s, why) : OK;
}

int main(int argc, char **argv)
{
	struct store *s = NULL;
	struct why why = {0};

	struct secret master = {0};
	struct secret seal_key = {0};

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: bench_fill DATABASE FROM TO [MASTER-KEY-SOURCE]\n");
		return 2;
	}
	long to = atol(argv[3]);
	if (store_sqlite_open(argv[1], STORE_SQLITE_EXISTING, &s, &why) != OK)
		die(&why);
	if (argc == 5 && (master_load(argv[4], &master, &why) != OK || master_derive(&master, VAULT_PURPOSE, &seal_key, &why) != OK))
		die(&why);
	struct vault vault = {.store = s, .seal_key = &seal_key, .random = random_system()};
	for (long i = atol(argv[2]); i < to;) {
		if (s->ops->begin(s->self, &why) != OK)
			die(&why);
		for (long end = i + BATCH; i < end && i < to; i++) {
			if (add(s, argc == 5 ? &vault : NULL, i, &why) != OK)
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
