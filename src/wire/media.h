#pragma once
/* Media types: "application/pkcs10; charset=x" compared without parameters and case. */
#include "base/span.h"

bool media_is(struct span value, const char *type);
/* Value of a parameter ("smime-type"), unquoted where simple; empty when absent. */
struct span media_param(struct span value, const char *name);
/* RFC 9110 12.5.1: does this Accept value admit the type? An empty value admits all. */
bool media_accepts(struct span accept, const char *type);
