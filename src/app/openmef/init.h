#pragma once
/* What `openmef init` makes: first all values in memory, then the files, the configuration last. */
#include "app/openmef/hierarchy.h"
#include "app/openmef/place.h"

struct making {
	const char *dir;
	struct conf conf;
	struct hierarchy_ask ask;
	struct secret master;
	struct authority root, issuing, tls, message;
};

void making_fini(struct making *m);
/*
 * Checks that dir holds no OpenMEF, makes it and its folders, and marks it as unfinished. What an earlier,
 * interrupted init left under that mark is overwritten; keys without the mark are never. ERR_CONFLICT,
 * ERR_SYSTEM.
 */
MUST_CHECK enum err making_begin(const char *dir, struct why *why);
MUST_CHECK enum err making_values(struct making *m, struct why *why);
/* Files and folders below dir, for the user whom dir belongs to. ERR_SYSTEM. */
MUST_CHECK enum err making_give(const char *dir, const char *path, struct why *why);
MUST_CHECK enum err making_put_file(const char *dir, const char *name, struct span content, mode_t mode, struct why *why);
MUST_CHECK enum err making_folder(const char *dir, const char *name, struct why *why);
/* ERR_SYSTEM, ERR_STORE: no configuration stands there then, and init may be run again. */
MUST_CHECK enum err making_write(struct making *m, struct why *why);
