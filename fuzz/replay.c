#ifdef OMEF_FUZZ_DER
#include "der_mutate.h"
#endif

#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Runs a fuzz target over a corpus without a fuzzer: every file as it is, then a few hundred
 * variants of it that are the same on every machine, so that a failure can be repeated. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	INPUT_MAX = 1 << 20,  /* a corpus file beyond this is a mistake, no test */
	TRUNCATIONS = 96,     /* per file, evenly spread */
	BIT_FLIPS = 160,      /* per file */
	BYTE_CHANGES = 96,    /* per file: a byte set to a value that parsers trip over */
	RUN_CHANGES = 48,     /* per file: a stretch cut out, or doubled */
};

struct input {
	uint8_t *data;
	size_t len;
};

static unsigned long runs;
static unsigned long changed; /* of them, with one field of DER changed */

/* An exact heap copy each time, so that a read one past the end is seen by AddressSanitizer. */
static int run(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	if (!copy) {
		fprintf(stderr, "replay: no memory for %zu bytes\n", len);
		return -1;
	}
	if (len > 0)
		memcpy(copy, data, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	runs++;
	return 0;
}

/* xorshift64: fixed seed per file, no clock and no entropy */
static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static int truncate_input(const struct input *in)
{
	for (size_t i = 0; i < TRUNCATIONS; i++) {
		size_t len = in->len * i / TRUNCATIONS;
		if (run(in->data, len))
			return -1;
	}
	return in->len > 0 ? run(in->data, in->len - 1) : 0;
}

static int flip_bits(const struct input *in, uint64_t *state)
{
	for (size_t i = 0; i < BIT_FLIPS; i++) {
		uint64_t r = next(state);
		uint8_t *byte = &in->data[(r >> 3) % in->len];
		uint8_t kept = *byte;
		*byte ^= (uint8_t)(1u << (r & 7));
		int failed = run(in->data, in->len);
		*byte = kept;
		if (failed)
			return -1;
	}
	return 0;
}

static int change_bytes(const struct input *in, uint64_t *state)
{
	static const uint8_t awkward[] = {0x00, 0xff, 0x7f, 0x80, 0x30, '\r', '\n', '%', '=', ' '};
	for (size_t i = 0; i < BYTE_CHANGES; i++) {
		uint64_t r = next(state);
		uint8_t *byte = &in->data[(r >> 8) % in->len];
		uint8_t kept = *byte;
		*byte = awkward[(r & 0xff) % sizeof awkward];
		int failed = run(in->data, in->len);
		*byte = kept;
		if (failed)
			return -1;
	}
	return 0;
}

/* One stretch [at, at + n) left out (odd rounds) or written twice (even rounds). */
static int change_runs(const struct input *in, uint64_t *state)
{
	uint8_t *work = malloc(in->len * 2);
	if (!work)
		return -1;
	int failed = 0;
	for (size_t i = 0; i < RUN_CHANGES && !failed; i++) {
		size_t at = next(state) % in->len;
		size_t n = 1 + next(state) % (in->len - at);
		size_t keep = (i & 1) ? 0 : n;
		memcpy(work, in->data, at + keep);
		size_t rest = (i & 1) ? at + n : at;
		memcpy(work + at + keep, in->data + rest, in->len - rest);
		failed = run(work, at + keep + in->len - rest);
	}
	free(work);
	return failed;
}

#ifdef OMEF_FUZZ_DER
/* Messages of a corpus share certificates and requests: a field that stood in the same place of the grammar with the same
 * octets before was changed there. */
static int is_new_field(const struct input *in, const struct der_fields *fields, size_t i)
{
	static uint64_t seen[1 << 16];
	uint64_t hash = 0xcbf29ce484222325u;
	const struct der_field *f = &fields->list[i];

	for (size_t at = 0; at < f->all; at++)
		hash = (hash ^ in->data[f->at + at]) * 0x100000001b3u;
	for (int up = f->parent; up >= 0; up = fields->list[up].parent)
		hash = (hash ^ in->data[fields->list[up].at]) * 0x100000001b3u;
	size_t slot = hash >> 48;
	for (size_t tries = 0; tries < sizeof seen / sizeof seen[0]; tries++) {
		if (seen[slot] == hash)
			return 0;
		if (seen[slot] == 0) {
			seen[slot] = hash;
			return 1;
		}
		slot = (slot + 1) % (sizeof seen / sizeof seen[0]);
	}
	return 1;
}

/* Every field of the message changed in every way, each once; what is no DER has none. */
static int change_fields(const struct input *in)
{
	static struct der_fields fields;
	static uint8_t out[INPUT_MAX];

	if (!der_fields_read(in->data, in->len, &fields))
		return 0;
	for (size_t i = 0; i < fields.n * DER_CHANGES; i++) {
		if (i % DER_CHANGES == 0 && !is_new_field(in, &fields, i / DER_CHANGES)) {
			i += DER_CHANGES - 1;
			continue;
		}
		size_t n = der_field_change(in->data, in->len, &fields, i / DER_CHANGES, (enum der_change)(i % DER_CHANGES), out,
			sizeof out);
		if (n && run(out, n))
			return -1;
		changed += n > 0;
	}
	return 0;
}
#else
static int change_fields(const struct input *in)
{
	return 0;
}
#endif

static int read_file(const char *path, struct input *in)
{
	FILE *f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return -1;
	}
	in->data = malloc(INPUT_MAX + 1);
	in->len = in->data ? fread(in->data, 1, INPUT_MAX + 1, f) : 0;
	int bad = !in->data || ferror(f) || in->len > INPUT_MAX;
	fclose(f);
	if (bad) {
		fprintf(stderr, "replay: %s: cannot be read, or beyond %d bytes\n", path, INPUT_MAX);
		free(in->data);
		return -1;
	}
	return 0;
}

static int replay_file(const char *path)
{
	struct input in = {0};
	if (read_file(path, &in))
		return -1;
	uint64_t state = 0x9e3779b97f4a7c15u ^ in.len;
	int failed = run(in.data, in.len) || truncate_input(&in);
	if (!failed && in.len > 0)
		failed = flip_bits(&in, &state) || change_bytes(&in, &state) ||
			change_runs(&in, &state) || change_fields(&in);
	free(in.data);
	return failed ? -1 : 1;
}

/* Returns how many files were replayed, or -1. */
static int replay_folder(const char *path)
{
	struct dirent **names = NULL;
	int n = scandir(path, &names, NULL, alphasort);
	if (n < 0) {
		perror(path);
		return -1;
	}
	int files = 0;
	for (int i = 0; i < n; i++) {
		char full[PATH_MAX];
		int len = snprintf(full, sizeof full, "%s/%s", path, names[i]->d_name);
		struct stat st;
		int hidden = names[i]->d_name[0] == '.';
		free(names[i]);
		if (files < 0 || hidden || len < 0 || (size_t)len >= sizeof full)
			continue;
		if (stat(full, &st) || !S_ISREG(st.st_mode))
			continue;
		files = replay_file(full) < 0 ? -1 : files + 1;
	}
	free(names);
	return files;
}

int main(int argc, char **argv)
{
	int inputs = 0;
	for (int i = 1; i < argc; i++) {
		struct stat st;
		int got = -1;
		if (stat(argv[i], &st))
			perror(argv[i]);
		else
			got = S_ISDIR(st.st_mode) ? replay_folder(argv[i]) : replay_file(argv[i]);
		if (got < 0)
			return 1;
		inputs += got;
	}
	printf("%d inputs, %lu runs, %lu with one field changed\n", inputs, runs, changed);
	if (inputs == 0) {
		fprintf(stderr, "replay: the corpus is empty; a target without inputs tests nothing\n");
		return 1;
	}
#ifdef OMEF_FUZZ_DER
	if (changed == 0) {
		fprintf(stderr, "replay: no input is DER; this target's fields were not changed\n");
		return 1;
	}
#endif
	return 0;
}
