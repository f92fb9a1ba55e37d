#pragma once
/* Whole files: read with a bound, written so that a crash leaves the old or the new content. */
#include "base/buf.h"

#include <sys/types.h>

/* Appends the content. ERR_NOT_FOUND; ERR_LIMIT past out->max; ERR_SYSTEM, also for what is no regular file. */
MUST_CHECK enum err file_read(const char *path, struct buf *out, struct why *why);
/* The same for secrets: refuses (ERR_SYSTEM, FILE_EXPOSED) a file that group or others may read or write. */
MUST_CHECK enum err file_read_secret(const char *path, struct buf *out, struct why *why);
/* The same with the mode bits that the file may not have. */
MUST_CHECK enum err file_read_guarded(const char *path, mode_t forbidden, struct buf *out,
	struct why *why);
/* Writes beside it, syncs, renames over it, syncs the folder. The mode is set whatever the umask. ERR_SYSTEM. */
MUST_CHECK enum err file_write(const char *path, struct span content, mode_t mode, struct why *why);
/* Makes the folder's entries durable after a rename in it. ERR_SYSTEM. */
MUST_CHECK enum err file_sync_dir(const char *dir, struct why *why);
