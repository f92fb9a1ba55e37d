#pragma once
/* The device's symmetric keys on disk, and the files in which people hand keys over. */
#include "agent/keys.h"
#include "agent/shared.h"
#include "app/cli/cli.h"

#define STORE_FETCHED "fetched"   /* keys fetched from a MEF as Enrolment Target */
#define STORE_PAIRWISE "pairwise" /* keys shared by way of a MAF */

#define OWNED_SECRET_BUF __attribute__((cleanup(buf_fini_wipe)))

/*
 * keys.json of the generation in force. Keys that expired are erased where they are met, and refused: ERR_EXPIRED.
 * locked: the caller holds generation_lock. out: initialised. ERR_NOT_FOUND when there are none.
 */
MUST_CHECK enum err store_keys(const char *dir, bool locked, int64_t now_s, struct agent_keys *out, struct why *why);
/* The same for commands that need no keys: *found_out false for both. Faults of ours still fail. */
MUST_CHECK enum err store_keys_if_any(const struct cli *cli, const char *dir, bool locked, struct agent_keys *out,
	bool *found_out, struct why *why);
/* Under generation_lock. */
MUST_CHECK enum err store_keys_write(const char *dir, const struct agent_keys *k, struct why *why);

/* DIR/FOLDER/KEYID-SUID.json, mode 0600. */
MUST_CHECK enum err store_shared_write(const char *dir, const char *folder, const struct agent_shared *s, struct why *why);
/* The lowest usage of that key identifier. ERR_NOT_FOUND; ERR_EXPIRED after erasing it. */
MUST_CHECK enum err store_shared_find(const char *dir, const char *folder, const char *keyid, int64_t now_s,
	struct agent_shared *out, struct why *why);
/* Every one of the folder that is in force, and erases what has expired. No folder: none. */
typedef enum err (*store_shared_fn)(void *arg, const struct agent_shared *s, struct why *why);
MUST_CHECK enum err store_shared_each(const char *dir, const char *folder, int64_t now_s, store_shared_fn fn, void *arg, struct why *why);

/*
 * A key as people hand it over: "HEX" or "IDENTITY:HEX" on one line, in a file that only its owner may read, or "-" for
 * standard input. identity_out "" when there is none.
 */
MUST_CHECK enum err store_read_key(const char *path, size_t min, size_t max, char identity_out[M2M_KEYID_SIZE],
	struct secret *out, struct why *why);
/* As it stands in the file or comes on standard input ("-"), without the line's end: an editor's, no part of a password. */
MUST_CHECK enum err store_read_password(const char *path, struct buf *out, struct why *why);
/* "HEX\n", mode 0600. */
MUST_CHECK enum err store_write_key(const char *path, const struct secret *key, struct why *why);
/* One line of a file or of standard input ("-"), without its end. ERR_SYNTAX when empty. */
MUST_CHECK enum err store_read_line(const char *path, const char *what, struct buf *out, struct why *why);
