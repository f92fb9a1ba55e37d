#include "core/ca/names.h"

#include "base/text.h"
#include "pki/der.h"
#include "pki/name.h"
#include "pki/oid.h"

enum {
	NAMES_ARENA_MAX = 64 * 1024,
	HOST_MAX = 253, /* RFC 1035 2.3.4 */
	LABEL_MAX = 63,
	RDNS_MAX = 16, /* attributes of one subject; X.500 trees are not deeper */
	SHOWN_MAX = 160,
};

#define SHOWN(s) SPAN_FMT(span_first((s), SHOWN_MAX))

/* RFC 1034 3.5, RFC 1123 2.1: labels of letters, digits and inner hyphens. */
static bool host_is_good(struct span host)
{
	size_t label = 0;

	if (host.n == 0 || host.n > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.n; i++) {
		uint8_t c = host.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
		if (c == '.' && (label == 0 || host.p[i - 1] == '-'))
			return false;
		if (c != '.' && !letter && (c != '-' || label == 0))
			return false;
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_MAX)
			return false;
	}
	return label > 0 && host.p[host.n - 1] != '-';
}

static bool host_has_suffix(struct span host, const char *suffix)
{
	struct span want = span_text(suffix);

	if (host.n == want.n)
		return span_equal_nocase(host, want);
	return host.n > want.n && host.p[host.n - want.n - 1] == '.'
		&& span_equal_nocase(span_from(host, host.n - want.n), want);
}

static bool host_is_admitted(const struct profile *p, struct span host)
{
	for (size_t i = 0; i < p->suffixes_n; i++) {
		if (host_has_suffix(host, p->suffixes[i]))
			return true;
	}
	return p->suffixes_n == 0;
}

static bool urn_is_admitted(const struct profile *p, struct span uri)
{
	for (size_t i = 0; i < p->suffixes_n; i++) {
		struct span prefix = span_text(p->suffixes[i]);
		if (span_starts(prefix, "urn:") && span_equal_nocase(span_first(uri, prefix.n), prefix))
			return true;
	}
	return p->suffixes_n == 0;
}

static enum err refuse(struct span name, const char *want, struct why *why)
{
	return WHY(why, ISSUE_NAME, "TS-0003 10.1.1", "name: want %s, have '%.*s'", want, SHOWN(name));
}

static enum err check_dns(const struct profile *p, struct span name, struct why *why)
{
	/* TS-0003 10.1.1: no wildcards */
	if (!host_is_good(name))
		return refuse(name, "a DNS name without wildcard", why);
	return host_is_admitted(p, name) ? OK : refuse(name, "a DNS name under a suffix of the profile", why);
}

/* RFC 3986 3.2: the host between "//", user information, and port; empty when there is none. */
static struct span uri_host(struct span after_scheme)
{
	struct span rest = span_from(after_scheme, 2);
	size_t end = 0;

	if (!span_starts(after_scheme, "//"))
		return (struct span){0};
	while (end < rest.n && rest.p[end] != '/' && rest.p[end] != '?' && rest.p[end] != '#')
		end++;
	struct span authority = span_first(rest, end);
	size_t colon = span_find(authority, ':');
	for (size_t i = colon + 1; i < authority.n; i++) {
		if (authority.p[i] < '0' || authority.p[i] > '9')
			return (struct span){0};
	}
	return span_first(authority, colon); /* '@' and '[' fail as a host name */
}

static bool uri_is_good(struct span uri, size_t scheme)
{
	if (scheme == 0 || scheme >= uri.n || !text_is_name(span_first(uri, scheme), "+-."))
		return false;
	for (size_t i = 0; i < uri.n; i++) {
		if (uri.p[i] <= 0x20 || uri.p[i] >= 0x7f)
			return false;
	}
	return true;
}

static enum err check_uri(const struct profile *p, struct span uri, struct why *why)
{
	size_t scheme = span_find(uri, ':');

	if (!uri_is_good(uri, scheme))
		return refuse(uri, "an absolute URI of visible ASCII", why);
	if (span_is_nocase(span_first(uri, scheme), "urn"))
		return urn_is_admitted(p, uri) ? OK : refuse(uri, "a URN under a 'urn:' prefix of the profile", why);
	struct span host = uri_host(span_from(uri, scheme + 1));
	if (!host_is_good(host))
		return refuse(uri, "a URI with a host name and no user information", why);
	return host_is_admitted(p, host) ? OK : refuse(uri, "a URI whose host lies under a suffix of the profile", why);
}

static enum err check_kind(const struct profile *p, unsigned int rule, const char *kind, struct why *why)
{
	if (p->san_kinds & rule)
		return OK;
	return WHY(why, ISSUE_NAME_KIND, "TS-0003 10.1.1", "name: want a kind that profile %s admits, have %s", p->name, kind);
}

static enum err check_one(const struct profile *p, const struct san *san, struct why *why)
{
	switch (san->kind) {
	case SAN_DNS:
		TRY(check_kind(p, SAN_RULE_DNS, "dNSName", why));
		return check_dns(p, san->value, why);
	case SAN_URI:
		TRY(check_kind(p, SAN_RULE_URI, "uniformResourceIdentifier", why));
		return check_uri(p, san->value, why);
	case SAN_OTHER:
		return check_kind(p, SAN_RULE_OTHER, "otherName", why);
	case SAN_IP:
		TRY(check_kind(p, SAN_RULE_IP, "iPAddress", why));
		/* RFC 5280 4.2.1.6: four octets or sixteen */
		if (san->value.n != 4 && san->value.n != 16)
			return WHY(why, ISSUE_NAME, "RFC 5280 4.2.1.6", "iPAddress: want 4 or 16 octets, have %zu", san->value.n);
		return OK;
	case SAN_EMAIL:
		return check_kind(p, 0, "rfc822Name", why);
	case SAN_DIRECTORY:
		return check_kind(p, 0, "directoryName", why);
	case SAN_UNKNOWN:
		break;
	}
	return check_kind(p, 0, "another", why);
}

enum err names_check(const struct profile *p, struct span sans, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(NAMES_ARENA_MAX);
	struct san_list list = {.n = 0};

	if (sans.n)
		TRY(san_parse(sans, &arena, &list, why));
	if (list.n == 0 && p->san_required)
		return WHY(why, ISSUE_NAME_NONE, "RFC 5280 4.2.1.6", "names: profile %s wants at least one, have none", p->name);
	for (size_t i = 0; i < list.n; i++)
		TRY(check_one(p, &list.items[i], why));
	return OK;
}

static bool printable_is_good(struct span text)
{
	/* X.680 41.4: PrintableString */
	return text_is_name(text, " '()+,-./:=?");
}

/* Who reads the certificate sees what it says: no controls, no changes of direction. */
static bool text_is_visible(struct span text)
{
	bool good = text.n > 0;

	for (size_t n; good && text.n; text = span_from(text, n)) {
		n = text_visible(text);
		good = n > 0;
	}
	return good;
}

static bool ia5_is_good(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] >= 0x7f)
			return false;
	}
	return text.n > 0;
}

static bool value_is_good(const struct der_item *value)
{
	switch (value->tag) {
	case DER_PRINTABLE:
		return printable_is_good(value->body);
	case DER_UTF8:
		return text_is_visible(value->body);
	case DER_IA5:
		return ia5_is_good(value->body);
	default:
		return false; /* RFC 5280 4.1.2.4: new certificates use PrintableString and UTF8String */
	}
}

/* RelativeDistinguishedName: SET OF { type, value }, not empty. */
static bool rdn_is_good(struct der *names)
{
	struct der rdn = der_enter(names, DER_SET);

	if (!der_more(&rdn))
		return false;
	while (der_more(&rdn)) {
		struct der pair = der_enter(&rdn, DER_SEQUENCE);
		der_take_oid(&pair);
		struct der_item value = der_next(&pair);
		if (!der_done(&pair) || !value_is_good(&value))
			return false;
	}
	return der_done(&rdn);
}

enum err subject_check(struct span name, struct why *why)
{
	struct der all = der_init(name);
	struct der names = der_enter(&all, DER_SEQUENCE);
	bool good = name.n <= NAME_DER_MAX;
	size_t n = 0;

	while (good && der_more(&names))
		good = ++n <= RDNS_MAX && rdn_is_good(&names);
	if (!good || !der_done(&names) || !der_done(&all))
		return WHY(why, ISSUE_SUBJECT, "RFC 5280 4.1.2.4",
			"subject: want a DER Name of at most %d octets and %d attributes in UTF8String or PrintableString, have other bytes",
			NAME_DER_MAX, RDNS_MAX);
	return OK;
}

static enum err check_own(const char *own_host, struct span host, struct why *why)
{
	if (own_host[0] && span_is_nocase(host, own_host))
		return WHY(why, ISSUE_OWN_NAME, "TS-0003 10.1.1", "name: want another than the MEF's own, have '%.*s'", SHOWN(host));
	return OK;
}

/* What some software would take for a host or an address: with dots, perhaps with a wildcard. */
static bool reads_as_host(struct span text)
{
	return text_is_name(text, ".-_*") && span_find(text, '.') < text.n;
}

/*
 * RFC 9525 2: hosts are named by dNSName only. Yet verifiers remain that look at the common name where
 * there is no dNSName, so there it must not claim a host that the certificate is not for.
 */
static enum err check_cn(const char *own_host, struct span cn, const struct san_list *sans, struct why *why)
{
	bool covered = !reads_as_host(cn);

	TRY(check_own(own_host, cn, why));
	for (size_t i = 0; i < sans->n && !covered; i++)
		covered = sans->items[i].kind == SAN_DNS && span_equal_nocase(sans->items[i].value, cn);
	if (!covered)
		return WHY(why, ISSUE_CN, "RFC 9525 2", "common name: want no host name beside the dNSNames, have '%.*s'",
			SHOWN(cn));
	return OK;
}

enum err hosts_check(const char *own_host, struct span subject, struct span sans, struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(NAMES_ARENA_MAX);
	struct san_list list = {.n = 0};
	struct der all = der_init(subject);
	struct der names = der_enter(&all, DER_SEQUENCE);

	if (sans.n)
		TRY(san_parse(sans, &arena, &list, why));
	for (size_t i = 0; i < list.n; i++) {
		if (list.items[i].kind == SAN_DNS)
			TRY(check_own(own_host, list.items[i].value, why));
	}
	while (der_more(&names)) {
		struct der rdn = der_enter(&names, DER_SET);
		while (der_more(&rdn)) {
			struct der pair = der_enter(&rdn, DER_SEQUENCE);
			bool is_cn = span_equal(der_take_oid(&pair), OID_COMMON_NAME);
			struct der_item value = der_next(&pair);
			if (is_cn)
				TRY(check_cn(own_host, value.body, &list, why));
		}
	}
	return OK;
}
