#include "app/import/key_text.h"

#include "base/base64.h"
#include "base/hex.h"

bool key_form_parse(struct span name, enum key_form *out)
{
	static const char *const names[] = {[KEY_FORM_HEX] = "hex", [KEY_FORM_BASE64] = "base64", [KEY_FORM_RAW] = "raw"};

	for (enum key_form f = KEY_FORM_HEX; f <= KEY_FORM_RAW; f++) {
		if (span_is_nocase(name, names[f])) {
			*out = f;
			return true;
		}
	}
	return false;
}

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span trim(struct span s)
{
	while (s.n && is_blank(s.p[0]))
		s = span_from(s, 1);
	while (s.n && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static bool is_hex(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!(s.p[i] && strchr("0123456789abcdefABCDEF", s.p[i])))
			return false;
	}
	return s.n > 0;
}

static bool is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_blank(s.p[i]) && (s.p[i] < 0x20 || s.p[i] > 0x7e))
			return false;
	}
	return true;
}

static enum key_form tell_apart(struct span text)
{
	struct span trimmed = trim(text);

	if (!is_text(text))
		return KEY_FORM_RAW;
	if (is_hex(trimmed))
		return KEY_FORM_HEX;
	return trimmed.n && trimmed.p[trimmed.n - 1] == '=' ? KEY_FORM_BASE64 : KEY_FORM_TOLD_APART;
}

/* The readers of hex and base64 quote what they refuse; a key must not be quoted. */
static enum err take_hex(struct span text, struct secret *out, struct why *why)
{
	struct why quoting = {0};

	if (!is_hex(text) || text.n % 2 || text.n / 2 > KEY_TEXT_MAX
		|| hex_parse(text, out->bytes, sizeof(out->bytes), &out->n, &quoting) != OK)
		return WHY(why, PSK_FORM, "", "key: want %d to %d hexadecimal digits, two for each octet, have %zu characters",
			2 * KEY_TEXT_MIN, 2 * KEY_TEXT_MAX, text.n);
	return OK;
}

static enum err take_base64(struct span text, struct secret *out, struct why *why)
{
	struct buf bytes __attribute__((cleanup(buf_fini_wipe))) = BUF(KEY_FILE_MAX);
	struct why quoting = {0};

	/* RFC 4648 3.2: padded; without that a cut text would pass for a shorter key */
	if (text.n % 4 || base64_parse(text, &bytes, &quoting) != OK || !secret_set(out, buf_span(&bytes)))
		return WHY(why, PSK_FORM, "RFC 4648 4", "key: want padded base64 of %d to %d octets, have %zu characters that are not",
			KEY_TEXT_MIN, KEY_TEXT_MAX, text.n);
	return OK;
}

static enum err take(struct span text, enum key_form form, struct secret *out, struct why *why)
{
	switch (form) {
	case KEY_FORM_HEX:
		return take_hex(trim(text), out, why);
	case KEY_FORM_BASE64:
		return take_base64(trim(text), out, why);
	case KEY_FORM_RAW:
		if (secret_set(out, text))
			return OK;
		return WHY(why, PSK_FORM, "", "key: want %d to %d octets, have %zu", KEY_TEXT_MIN, KEY_TEXT_MAX, text.n);
	case KEY_FORM_TOLD_APART:
		break;
	}
	return WHY(why, PSK_FORM, "", "key: %zu characters may be base64 or the key itself: say which by hex, base64 or raw", text.n);
}

enum err key_text_parse(struct span text, enum key_form form, struct secret *out, struct why *why)
{
	secret_wipe(out);
	enum err err = take(text, form ? form : tell_apart(text), out, why);
	if (err == OK && (out->n < KEY_TEXT_MIN || out->n > KEY_TEXT_MAX))
		err = WHY(why, PSK_FORM, "", "key: want %d to %d octets, have %zu", KEY_TEXT_MIN, KEY_TEXT_MAX, out->n);
	if (err != OK)
		secret_wipe(out);
	return err;
}
