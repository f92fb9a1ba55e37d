#include "core/registry/form.h"

#include "base/hex.h"
#include "base/text.h"

enum { DNS_NAME_MAX = 253, DNS_LABEL_MAX = 63 }; /* RFC 1035 2.3.4: the longest name, without the root's dot */

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static char lower(uint8_t c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static char upper(uint8_t c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

static bool label_is_good(struct span label)
{
	if (label.n == 0 || label.n > DNS_LABEL_MAX)
		return false;
	return text_is_name(label, "-") && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

const char *form_dns(struct span name, char out[FORM_SIZE])
{
	static const char want[] = "want a host name such as gw7.example.com, no wildcard, no address";
	struct span rest = name;
	struct span label = {0};

	if (name.n == 0 || name.n > DNS_NAME_MAX || name.p[name.n - 1] == '.')
		return want;
	while (rest.n > 0) {
		label = span_first(rest, span_find(rest, '.'));
		if (!label_is_good(label))
			return want;
		rest = span_from(rest, label.n + 1);
	}
	/* RFC 1123 2.1: a last label of digits only would be an address. */
	size_t digits = 0;
	while (digits < label.n && is_digit(label.p[digits]))
		digits++;
	if (digits == label.n)
		return want;
	for (size_t i = 0; i < name.n; i++)
		out[i] = lower(name.p[i]);
	out[name.n] = '\0';
	return NULL;
}

static size_t scheme_length(struct span uri)
{
	size_t n = span_find(uri, ':');
	struct span scheme = span_first(uri, n);

	return n < uri.n && text_is_name(scheme, "+-.") && is_letter(scheme.p[0]) ? n : 0;
}

/* Characters of RFC 3986 2.2 and 2.3, without the brackets of address literals. */
static bool uri_chars_are_good(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		uint8_t c = s.p[i];
		if (c == '%' && i + 2 < s.n && is_hex(s.p[i + 1]) && is_hex(s.p[i + 2]))
			i += 2;
		else if (!is_letter(c) && !is_digit(c) && (c == 0 || !strchr("-._~:/?#@!$&'()*+,;=", c)))
			return false;
	}
	return true;
}

/* Length of "//host[:port]" at the start of rest; 0 when it is not good. Host goes to out. */
static size_t take_authority(struct span rest, char out[FORM_SIZE], size_t *host_n)
{
	size_t end = 2;

	while (end < rest.n && !strchr("/?#", rest.p[end]))
		end++;
	struct span authority = span_of(rest.p + 2, end - 2);
	struct span host = span_first(authority, span_find(authority, ':'));
	struct span port = span_from(authority, host.n + 1);
	for (size_t i = 0; i < port.n; i++) {
		if (!is_digit(port.p[i]))
			return 0;
	}
	*host_n = host.n;
	return form_dns(host, out) ? 0 : end;
}

const char *form_uri(struct span uri, bool need_host, char out[FORM_SIZE])
{
	char host[FORM_SIZE];
	size_t host_n = 0;
	size_t scheme_n = scheme_length(uri);
	struct span rest = span_from(uri, scheme_n + 1);

	if (uri.n > STORE_VALUE_MAX)
		return "want at most 512 octets";
	if (scheme_n == 0 || rest.n == 0 || !uri_chars_are_good(rest))
		return need_host ? "want an absolute URI with a host, in ASCII, such as m2m://sp.example.com/cse1/Cae7"
				 : "want an absolute URI in ASCII such as urn:gsma:imei:90420156-025763-0";
	bool has_authority = rest.n >= 2 && rest.p[0] == '/' && rest.p[1] == '/';
	if (has_authority && take_authority(rest, host, &host_n) == 0)
		return "want a host name (and port) after '//', no user, no address";
	if (need_host && !has_authority)
		return "want a URI with a host such as m2m://sp.example.com/cse1/Cae7";
	for (size_t i = 0; i < uri.n; i++)
		out[i] = i < scheme_n ? lower(uri.p[i]) : (char)uri.p[i];
	if (host_n)
		memcpy(out + scheme_n + 3, host, host_n);
	out[uri.n] = '\0';
	return NULL;
}

static bool is_oid(struct span s)
{
	bool digit = false;

	for (size_t i = 0; i < s.n; i++) {
		if (!is_digit(s.p[i]) && (s.p[i] != '.' || !digit))
			return false;
		digit = is_digit(s.p[i]);
	}
	return digit && span_find(s, '.') < s.n;
}

/* "<type-id>;<value>" as pki/name.h writes otherNames; the hexadecimal forms in upper case. */
static const char *form_device(struct span value, char out[FORM_SIZE])
{
	/* RFC 4108 5: id-on-hardwareModuleName */
	static const char hardware_module[] = "1.3.6.1.5.5.7.8.4";
	struct span type = span_first(value, span_find(value, ';'));
	struct span rest = span_from(value, type.n + 1);

	if (!is_oid(type) || rest.n == 0 || !text_is_utf8(rest))
		return "want '<type OID>;<value>' such as 1.3.6.1.5.5.7.8.4;1.3.6.1.4.1.6175.10.1:01A2B3";
	bool hex = rest.p[0] == '#' || span_is(type, hardware_module);
	for (size_t i = 0; i < value.n; i++)
		out[i] = hex ? upper(value.p[i]) : (char)value.p[i];
	out[value.n] = '\0';
	return NULL;
}

static const char *form_serial(struct span value, char out[FORM_SIZE])
{
	if (!text_is_utf8(value))
		return "want UTF-8 text";
	text_copy(out, FORM_SIZE, value);
	return NULL;
}

static bool is_base64url(struct span s)
{
	return text_is_name(s, "-_");
}

/* RFC 6920 3: also as a ni URI; the truncated digests are those that TS-0003 10.1.1 admits. */
static const char *form_key(struct span value, char out[FORM_SIZE])
{
	static const struct {
		const char *name;
		size_t chars; /* base64url without padding */
		const char *last; /* that may end it: unused bits are zero; "" for any */
	} digests[] = {
		{"sha-256;", 43, "AEIMQUYcgkosw048"},
		{"sha-256-128;", 22, "AQgw"},
		{"sha-256-120;", 20, ""},
	};
	struct span v = span_starts(value, "ni:///") ? span_from(value, 6) : value;

	for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++) {
		struct span digest = span_from(v, strlen(digests[i].name));
		if (!span_starts(v, digests[i].name) || digest.n != digests[i].chars || !is_base64url(digest))
			continue;
		if (digests[i].last[0] && !strchr(digests[i].last, digest.p[digest.n - 1]))
			continue;
		text_copy(out, FORM_SIZE, v);
		return NULL;
	}
	return "want 'sha-256;' and 43 base64url characters: the SHA-256 of the SubjectPublicKeyInfo";
}

static const char *form_cert(struct span value, char out[FORM_SIZE])
{
	struct why why = {0};
	uint8_t digest[32];
	size_t n = 0;

	if (hex_parse(value, digest, sizeof(digest), &n, &why) != OK || n != sizeof(digest))
		return "want 64 hexadecimal digits: the SHA-256 of the certificate";
	hex_text(digest, n, out);
	return NULL;
}

const char *form_credential(enum credential_kind kind, struct span value, char out[FORM_SIZE])
{
	if (value.n == 0 || value.n > STORE_VALUE_MAX)
		return "want 1 to 512 octets";
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] < 0x20 || value.p[i] == 0x7f)
			return "want no control characters";
	}
	switch (kind) {
	case CREDENTIAL_DEVICE:
		return form_device(value, out);
	case CREDENTIAL_SERIAL:
		return form_serial(value, out);
	case CREDENTIAL_FQDN:
		return form_dns(value, out);
	case CREDENTIAL_URI:
		return form_uri(value, false, out);
	case CREDENTIAL_KEY:
		return form_key(value, out);
	case CREDENTIAL_CERT:
		return form_cert(value, out);
	}
	return "want a known credential kind";
}
