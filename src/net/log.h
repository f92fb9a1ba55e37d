#pragma once
/*
 * One line an event to stderr, JSON or text, in one write. Never blocks (a reader that does not keep up
 * loses lines, and the next line that gets through says how many), never takes secrets (no type here
 * holds any). Bytes that are not printable UTF-8 are escaped, so a peer's bytes may be logged.
 */
#include "base/span.h"
#include "base/why.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_form { LOG_TEXT, LOG_JSON };

enum { LOG_LINE_MAX = 4096 }; /* PIPE_BUF: a line is never torn, a ready pipe takes it whole */

/* role: copied, "front-0"; shown in every line. */
void log_open(enum log_form form, enum log_level least, const char *role);

/* Fields are name, value pairs of texts, ended by NULL: log_event(LOG_INFO_, "started", "fqdn", name, NULL).
 * A NULL value is shown as "". */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_why(enum log_level level, const char *event, const struct why *why);
