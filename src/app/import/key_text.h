#pragma once
/* A symmetric key as it comes in files: hex, base64 (RFC 4648 4, padded), or its very octets. */
#include "base/secret.h"
#include "base/why.h"

enum key_form { KEY_FORM_TOLD_APART = 0, KEY_FORM_HEX, KEY_FORM_BASE64, KEY_FORM_RAW };

enum { KEY_TEXT_MIN = 16, KEY_TEXT_MAX = 64, KEY_FILE_MAX = 1024 };

bool key_form_parse(struct span name, enum key_form *out); /* "hex", "base64", "raw" */
/*
 * 16 to 64 octets. Told apart: hexadecimal digits alone are hex; padded base64 that ends in '=' is base64; what
 * holds an octet that no text has is raw; anything else must be named by its form, for a guess would make another key.
 * Blanks and line ends around hex and base64 are passed over. Reasons quote nothing. ERR_SYNTAX.
 */
MUST_CHECK enum err key_text_parse(struct span text, enum key_form form, struct secret *out, struct why *why);
