#pragma once
/* Text that people and peers write: numbers, durations, names. ASCII rules, no locale. */
#include "base/span.h"
#include "base/why.h"

/* Whole decimal number within [min, max]; no sign, no blanks. ERR_SYNTAX names `what`. */
MUST_CHECK enum err text_number(
	struct span text, uint64_t min, uint64_t max, const char *what, uint64_t *out, struct why *why);
/* "90d", "12h", "30min", "10s", "2y" (365 days), or "0". Seconds. ERR_SYNTAX. */
MUST_CHECK enum err text_duration(struct span text, const char *what, int64_t *seconds_out, struct why *why);
/* Copies and terminates; false when it does not fit or holds a NUL. */
bool text_copy(char *out, size_t size, struct span in);
/* Letters, digits, and any byte of `also`; not empty. */
bool text_is_name(struct span text, const char *also);
/* Valid UTF-8 without NUL, surrogates or overlong forms (RFC 3629). */
bool text_is_utf8(struct span text);
/*
 * Bytes of the character that text starts with; 0 when there is none or when showing it would steer the
 * reader's screen: controls (also U+0080 to U+009F), line and paragraph separators, changes of direction.
 */
size_t text_visible(struct span text);
