#pragma once
/* The real openssl program in a folder of its own that vanishes after the tests. */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char temp_dir[] = "/tmp/omef-pki-XXXXXX";

static inline int temp_make(void **state)
{
	return mkdtemp(temp_dir) ? 0 : -1;
}

/* Exit status of a shell command run inside the folder. */
static inline int run(const char *command)
{
	char line[2048];

	if ((size_t)snprintf(line, sizeof(line), "cd '%s' && { %s; }", temp_dir, command) >= sizeof(line))
		return -1;
	return system(line);
}

static inline int temp_remove(void **state)
{
	char line[64];

	snprintf(line, sizeof(line), "rm -rf '%s'", temp_dir);
	return system(line);
}

static inline FILE *temp_open(const char *name, const char *mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", temp_dir, name);
	FILE *f = fopen(path, mode);
	assert_non_null(f);
	return f;
}

static inline void temp_write(const char *name, struct span bytes)
{
	FILE *f = temp_open(name, "wb");

	assert_int_equal(fwrite(bytes.p, 1, bytes.n, f), bytes.n);
	assert_int_equal(fclose(f), 0);
}

static inline void temp_read(const char *name, struct buf *out)
{
	FILE *f = temp_open(name, "rb");
	uint8_t part[4096];
	size_t n = 0;

	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		buf_put(out, part, n);
	fclose(f);
	assert_false(out->bad);
}
