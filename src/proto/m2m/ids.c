#include "proto/m2m/ids.h"

#include "base/hex.h"
#include "base/text.h"
#include "proto/m2m/suid.h"
#include "wire/unicode.h"

#include <stdio.h>

enum { LABEL_MAX = 63 };

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

/* RFC 1123 2.1: letters, digits and inner hyphens */
static bool is_label(struct span s)
{
	return s.n <= LABEL_MAX && text_is_name(s, "-") && s.p[0] != '-' && s.p[s.n - 1] != '-';
}

static bool is_fqdn(struct span text)
{
	if (text.n == 0 || text.n > M2M_FQDN_MAX || text.p[text.n - 1] == '.')
		return false;
	for (struct span rest = text; rest.n;) {
		struct span label = span_first(rest, span_find(rest, '.'));
		if (!is_label(label))
			return false;
		rest = span_from(rest, label.n + 1);
	}
	return true;
}

static void put_lower(char *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		out[i] = (char)lower(text.p[i]);
	out[text.n] = '\0';
}

enum err m2m_fqdn_parse(struct span text, char normal_out[M2M_FQDN_MAX + 1], struct why *why)
{
	normal_out[0] = '\0';
	if (!is_fqdn(text))
		return WHY(why, M2M_FQDN, "TS-0003 10.3.4", "FQDN: want at most %d letters, digits, '-' between dots, have '%.*s'",
			M2M_FQDN_MAX, SPAN_FMT(span_first(text, 80)));
	put_lower(normal_out, text);
	return OK;
}

bool m2m_relative_parse(struct span text, uint8_t out[M2M_RELATIVE_SIZE])
{
	struct why why = {0};
	size_t n = 0;

	/* with a ':' between pairs there would be fewer octets */
	return text.n == 2 * M2M_RELATIVE_SIZE && hex_parse(text, out, M2M_RELATIVE_SIZE, &n, &why) == OK && n == M2M_RELATIVE_SIZE;
}

/* Where the host name of an identifier lies: empty when there is none. */
static struct span host_of(struct span id)
{
	bool absolute = span_starts(id, "//");
	struct span rest = span_from(id, absolute ? 2 : 0);
	struct span host = span_first(rest, span_find(rest, '/'));

	/* TS-0001 7.1: without a dot it may be a stem such as C12Ab, where case matters */
	if (!is_fqdn(host) || (!absolute && span_find(host, '.') == host.n))
		return (struct span){NULL, 0};
	return host;
}

enum err m2m_id_normal(struct span text, char normal_out[M2M_ID_MAX + 1], struct why *why)
{
	struct buf normal OWNED_BUF = BUF(UNICODE_NFKC_MAX * 4);

	normal_out[0] = '\0';
	if (text.n == 0 || text.n > M2M_ID_MAX)
		return WHY(why, M2M_ID, "TS-0003 10.3", "identifier: want 1 to %d octets, have %zu", M2M_ID_MAX, text.n);
	TRY(unicode_nfkc(text, &normal, why));
	if (normal.n > M2M_ID_MAX)
		return WHY(why, M2M_ID, "TS-0003 10.3", "identifier: want at most %d octets in normal form, have %zu", M2M_ID_MAX,
			normal.n);
	struct span host = host_of(buf_span(&normal));
	memcpy(normal_out, normal.p, normal.n);
	normal_out[normal.n] = '\0';
	for (size_t i = 0; i < host.n; i++) {
		size_t at = (size_t)(host.p - normal.p) + i;
		normal_out[at] = (char)lower(normal.p[at]);
	}
	return OK;
}

enum err m2m_keyid_write(const uint8_t relative[M2M_RELATIVE_SIZE], struct span fqdn,
	char out[M2M_KEYID_SIZE], struct why *why)
{
	const size_t at = 2 * M2M_RELATIVE_SIZE;

	out[0] = '\0';
	TRY(m2m_fqdn_parse(fqdn, out + at + 1, why));
	hex_text(relative, M2M_RELATIVE_SIZE, out);
	out[at] = '@';
	return OK;
}

enum err m2m_keyid_parse(struct span text, uint8_t relative_out[M2M_RELATIVE_SIZE],
	char normal_out[M2M_KEYID_SIZE], struct span *fqdn_out, struct why *why)
{
	const size_t at = 2 * M2M_RELATIVE_SIZE;

	normal_out[0] = '\0';
	*fqdn_out = (struct span){NULL, 0};
	if (!m2m_relative_parse(span_first(text, at), relative_out) || text.n <= at || text.p[at] != '@')
		return WHY(why, M2M_ID, "TS-0003 10.3.4", "KeId: want 32 hex digits, '@' and the FQDN of a MEF, have '%.*s'",
			SPAN_FMT(span_first(text, 80)));
	TRY(m2m_keyid_write(relative_out, span_from(text, at + 1), normal_out, why));
	*fqdn_out = span_text(normal_out + at + 1);
	return OK;
}

enum err m2m_named_parse(struct span text, bool fold_name, char normal_out[M2M_KEYID_SIZE],
	struct span *fqdn_out, struct why *why)
{
	struct span name = span_first(text, span_find(text, '@'));
	uint8_t relative[M2M_RELATIVE_SIZE];

	normal_out[0] = '\0';
	*fqdn_out = (struct span){NULL, 0};
	/* TS-0003 10.5, 10.6: name@FQDN, the name of letters, digits, '.', '_' and '-' */
	if (name.n == text.n || name.n > M2M_NAME_MAX || !text_is_name(name, "._-"))
		return WHY(why, M2M_ID, "TS-0003 10.6", "key identifier: want NAME@FQDN, NAME of 1 to %d letters, digits, . _ -, have '%.*s'",
			M2M_NAME_MAX, SPAN_FMT(span_first(text, 80)));
	if (m2m_relative_parse(name, relative))
		return m2m_keyid_parse(text, relative, normal_out, fqdn_out, why);
	TRY(m2m_fqdn_parse(span_from(text, name.n + 1), normal_out + name.n + 1, why));
	for (size_t i = 0; i < name.n; i++)
		normal_out[i] = (char)(fold_name ? lower(name.p[i]) : name.p[i]);
	normal_out[name.n] = '@';
	*fqdn_out = span_text(normal_out + name.n + 1);
	return OK;
}

enum err m2m_psk_identity_parse(struct span text, char normal_out[M2M_KEYID_SIZE], struct why *why)
{
	struct span fqdn = {NULL, 0};

	return m2m_named_parse(text, false, normal_out, &fqdn, why);
}

/* TS-0003 12.3.2.1: credential type numbers of symmetric keys; 0 for none */
static unsigned int credential_type(unsigned int suid)
{
	static const unsigned int types[] = {
		[SUID_MEF] = 10,
		[SUID_MAF] = 11,
		[SUID_SAEF] = 12,
		[SUID_ESPRIM] = 13,
		[SUID_ESDATA] = 14, /* used directly; 15 is a key that wraps others */
		[SUID_ESDATA_SIGN] = 16,
	};

	return suid_known(suid) && suid_origin_of(suid) != SUID_CERTIFICATE ? types[suid_use_of(suid)] : 0;
}

enum err m2m_credential_id_write(unsigned int suid, struct span key_id,
	char out[M2M_CREDENTIAL_ID_SIZE], struct why *why)
{
	unsigned int type = credential_type(suid);

	out[0] = '\0';
	if (type == 0)
		return WHY(why, M2M_SUID, "TS-0003 12.3.2.1", "SUID: want one of a symmetric key, have %u", suid);
	/* TS-0003 10.4: letters, digits and . _ - @ */
	if (key_id.n >= M2M_KEYID_SIZE || !text_is_name(key_id, "._-@"))
		return WHY(why, M2M_ID, "TS-0003 10.4", "key identifier: want letters, digits, . _ - @, have '%.*s'",
			SPAN_FMT(span_first(key_id, 80)));
	snprintf(out, M2M_CREDENTIAL_ID_SIZE, "%u-%.*s", type, SPAN_FMT(key_id));
	return OK;
}
