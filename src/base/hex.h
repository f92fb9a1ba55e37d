#pragma once
/* Hexadecimal text: written in upper case as XSD hexBinary, read in either case. */
#include "base/buf.h"

void hex_write(struct buf *out, struct span bytes);
/* Into exactly out[size*2+1], terminated. */
void hex_text(const uint8_t *bytes, size_t n, char *out);
/* 0 to 15; -1: no hexadecimal digit. */
int hex_digit(uint8_t c);
/* Exactly n bytes from 2n digits; ':' between pairs is allowed (as openssl prints). ERR_SYNTAX. */
MUST_CHECK enum err hex_parse(struct span text, uint8_t *out, size_t max, size_t *n_out, struct why *why);
