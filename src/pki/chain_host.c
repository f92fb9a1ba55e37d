/* Whose host a certificate is for; declared in chain.h. */
#include "pki/chain.h"

#include "pki/der.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum {
	HOST_MAX = 253, /* RFC 1035 2.3.4 */
	DNS_NAME = DER_CONTEXT | 2,
	IP_NAME = DER_CONTEXT | 7,
};

/* Octets of an address written as text, 0 for a host name. */
static size_t ip_parse(struct span host, uint8_t out[16])
{
	char text[HOST_MAX + 1] = "";

	if (host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = span_of(host.p + 1, host.n - 2);
	if (host.n > HOST_MAX)
		return 0;
	memcpy(text, host.p, host.n);
	ASN1_OCTET_STRING *ip = a2i_IPADDRESS(text);
	size_t n = ip ? (size_t)ASN1_STRING_length(ip) : 0;
	if (n == 4 || n == 16)
		memcpy(out, ASN1_STRING_get0_data(ip), n);
	ASN1_OCTET_STRING_free(ip);
	ERR_clear_error();
	return n == 4 || n == 16 ? n : 0;
}

/* The one name of that kind that equals want, without case. first_out: any name of that kind. */
static bool san_covers(struct span san, uint8_t tag, struct span want, struct span *first_out)
{
	struct der outer = der_init(san);
	struct der names = der_enter(&outer, DER_SEQUENCE);

	*first_out = (struct span){0};
	while (der_more(&names)) {
		struct der_item name = der_next(&names);
		if (names.bad || name.tag != tag)
			continue;
		if (tag == DNS_NAME ? span_equal_nocase(name.body, want) : span_equal(name.body, want))
			return true;
		if (!first_out->n)
			*first_out = name.body;
	}
	return false;
}

enum err chain_check_host(const struct cert *cert, struct span host, struct why *why)
{
	uint8_t ip[16];
	struct span first;

	if (host.n && host.p[host.n - 1] == '.')
		host.n--; /* the root's dot, absolute form of the same name */
	if (host.n == 0 || host.n > HOST_MAX)
		return WHY(why, CHAIN_HOST, "RFC 9525 6.3", "host: want a name of 1 to %d octets, have %zu", HOST_MAX, host.n);
	size_t ip_n = ip_parse(host, ip);
	if (ip_n) {
		if (san_covers(cert->san, IP_NAME, span_of(ip, ip_n), &first))
			return OK;
		/* TS-0003 10.1.1: a MEF is known by its FQDN */
		return WHY(why, CHAIN_HOST, "RFC 9525 6.5",
			"host: want the server's name as in its certificate, have the address %.*s, which the certificate does not carry",
			SPAN_FMT(host));
	}
	/* TS-0003 10.1.1: no wildcards; a '*' in a certificate equals no host, and a host holds none */
	if (span_find(host, '*') == host.n && san_covers(cert->san, DNS_NAME, host, &first))
		return OK;
	san_covers(cert->san, DNS_NAME, (struct span){0}, &first);
	if (!first.n)
		return WHY(why, CHAIN_HOST, "RFC 9525 6.3", "host: want a certificate with dNSName '%.*s', have one without any dNSName",
			SPAN_FMT(host));
	return WHY(why, CHAIN_HOST, "RFC 9525 6.3", "host: want dNSName '%.*s', have '%.*s'%s", SPAN_FMT(span_first(host, 120)),
		SPAN_FMT(span_first(first, 120)), span_find(first, '*') < first.n ? "; wildcards are not accepted" : "");
}
