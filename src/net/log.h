#pragma once
/* One line an event to stderr, JSON or text. Never blocks, never takes secrets (no type here holds any). */
#include "base/span.h"
#include "base/why.h"

enum log_level { LOG_DEBUG_, LOG_INFO_, LOG_WARN_, LOG_ERROR_ };
enum log_form { LOG_TEXT, LOG_JSON };

void log_open(enum log_form form, enum log_level least, const char *role);

/* Fields are name, value pairs of texts, ended by NULL: log_event(LOG_INFO_, "started", "fqdn", name, NULL). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
void log_why(enum log_level level, const char *event, const struct why *why);
