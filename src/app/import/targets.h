#pragma once
/*
 * Table 9.2.2.3-1 of seed 003, as operators write it: Enrolment Target Identity, which is Enrolee B's CSE-ID or
 * AE-ID ("cse1.example.com=saef,esprim") or a MAF-ID ("maf.example.com=https://maf.example.com:8444").
 */
#include "proto/m2m/prefs.h"

/* Adds one to p; texts in the arena. Its values are checked where the preferences are stored. ERR_SYNTAX, ERR_LIMIT, ERR_NOMEM. */
MUST_CHECK enum err target_add(struct prefs *p, struct span text, struct arena *arena, struct why *why);
MUST_CHECK enum err maf_add(struct prefs *p, struct span text, struct arena *arena, struct why *why);
/* "never", "offer", "require". */
bool prefs_certificate_parse(struct span name, enum prefs_certificate *out);
