#include "pki/name.h"

#include "base/text.h"
#include "pki/der_nest.h"
#include "pki/oid.h"
#include "pki/ossl.h"

#include <openssl/x509.h>

enum { NAME_TEXT_MAX = 3 * NAME_DER_MAX + 1024 }; /* an escaped octet takes three; types add a little */

/* One AttributeTypeAndValue after the other, through all relative names. */
struct name_walk {
	struct der rdns;
	struct der rdn;
	bool bad;
};

static struct name_walk walk_init(struct span der)
{
	struct der outer = der_init(der);
	struct name_walk w = {.rdns = der_enter(&outer, DER_SEQUENCE)};

	w.bad = !der_done(&outer);
	return w;
}

static bool walk_next(struct name_walk *w, struct span *oid_out, struct der_item *value_out)
{
	if (w->bad)
		return false;
	if (!der_more(&w->rdn)) {
		if (!der_more(&w->rdns)) {
			w->bad = !der_done(&w->rdns);
			return false;
		}
		w->rdn = der_enter(&w->rdns, DER_SET);
	}
	/* RFC 5280 4.1.2.4: a relative name holds at least one attribute */
	struct der pair = der_enter(&w->rdn, DER_SEQUENCE);
	*oid_out = der_take_oid(&pair);
	*value_out = der_next(&pair);
	w->bad = !der_done(&pair) || w->rdn.bad;
	return !w->bad;
}

static enum err malformed(struct why *why)
{
	return WHY(why, NAME_SYNTAX, "RFC 5280 4.1.2.4", "distinguished name: want a DER RDNSequence, have other bytes");
}

enum err name_check(struct span der, struct why *why)
{
	struct name_walk w = walk_init(der);
	struct span oid;
	struct der_item value;

	if (der.n > NAME_DER_MAX)
		return WHY(why, NAME_LIMIT, "", "distinguished name: want at most %d octets, have %zu", NAME_DER_MAX, der.n);
	while (walk_next(&w, &oid, &value))
		;
	return w.bad ? malformed(why) : OK;
}

bool name_is_empty(struct span der)
{
	return der.n == 2 && der.p[0] == DER_SEQUENCE && der.p[1] == 0;
}

static void x509_name_cleanup(X509_NAME **name)
{
	X509_NAME_free(*name);
}

#define OWNED_NAME __attribute__((cleanup(x509_name_cleanup)))

static enum err decode(struct span der, X509_NAME **out, struct why *why)
{
	const unsigned char *p = der.p;

	TRY(name_check(der, why));
	*out = d2i_X509_NAME(NULL, &p, (long)der.n);
	if (*out && p == der.p + der.n)
		return OK;
	ossl_forget();
	return WHY(why, NAME_SYNTAX, "RFC 5280 4.1.2.4", "distinguished name: want values that are proper strings, have another");
}

enum err name_equal(struct span der_a, struct span der_b, bool *equal_out, struct why *why)
{
	X509_NAME *a OWNED_NAME = NULL;
	X509_NAME *b OWNED_NAME = NULL;

	TRY(decode(der_a, &a, why));
	TRY(decode(der_b, &b, why));
	/* RFC 5280 7.1: compared in OpenSSL's canonical form, UTF-8 in lower case with blanks folded */
	*equal_out = X509_NAME_cmp(a, b) == 0;
	return OK;
}

enum err name_text(struct span der, struct arena *arena, const char **out, struct why *why)
{
	/* RFC 4514 2.4: UTF-8 stays as it is, control characters are escaped */
	static const unsigned long form = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
	X509_NAME *name OWNED_NAME = NULL;
	BIO *bio OWNED_BIO = NULL;
	char *text = NULL;

	TRY(decode(der, &name, why));
	bio = BIO_new(BIO_s_mem());
	if (!bio)
		return ossl_failed("printing a name", why);
	if (X509_NAME_print_ex(bio, name, 0, form) < 0) {
		ossl_forget();
		return malformed(why);
	}
	long n = BIO_get_mem_data(bio, &text);
	if (n < 0 || n > NAME_TEXT_MAX || !text_is_utf8(span_of(text, (size_t)n)))
		return malformed(why);
	*out = arena_text(arena, span_of(text, (size_t)n));
	return *out ? OK : WHY(why, NOMEM, "", "text of a name");
}

static size_t utf8_length(struct span s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += (s.p[i] & 0xc0) != 0x80;
	return n;
}

static void put_rdn(struct buf *out, struct span oid, uint8_t tag, struct span value)
{
	size_t set = der_open(out, DER_SET);
	size_t pair = der_open(out, DER_SEQUENCE);

	der_put_oid(out, oid);
	der_put(out, tag, value);
	der_close(out, pair);
	der_close(out, set);
}

static enum err check_value(const char *what, struct span value, struct why *why)
{
	if (!text_is_utf8(value))
		return WHY(why, NAME_TEXT, "RFC 5280 4.1.2.4", "%s: want UTF-8, have other bytes", what);
	if (utf8_length(value) > NAME_VALUE_MAX)
		return WHY(why, NAME_LIMIT, "RFC 5280 A.1", "%s: want at most %d characters, have %zu", what, NAME_VALUE_MAX,
			utf8_length(value));
	return OK;
}

enum err name_write_cn(const char *cn, const char *serial, struct buf *out, struct why *why)
{
	struct span cn_text = span_text(cn);
	struct span serial_text = span_text(serial);

	TRY(check_value("common name", cn_text, why));
	TRY(check_value("serialNumber", serial_text, why));
	/* RFC 5280 A.1: serialNumber is a PrintableString */
	if (!der_is_printable(serial_text))
		return WHY(why, NAME_TEXT, "RFC 5280 A.1", "serialNumber: want characters of PrintableString, have others");
	size_t name = der_open(out, DER_SEQUENCE);
	if (cn_text.n)
		put_rdn(out, OID_COMMON_NAME, DER_UTF8, cn_text);
	if (serial_text.n)
		put_rdn(out, OID_SERIAL_NUMBER, DER_PRINTABLE, serial_text);
	der_close(out, name);
	return buf_check(out, "distinguished name", why);
}

static void string_cleanup(ASN1_STRING **s)
{
	ASN1_STRING_free(*s);
}

/* Any of the string types of RFC 5280 4.1.2.4 to UTF-8 in the arena. */
static enum err value_text(const struct der_item *value, struct arena *arena, struct span *out, struct why *why)
{
	ASN1_STRING *s __attribute__((cleanup(string_cleanup))) = NULL;
	unsigned char *text = NULL;

	s = ASN1_STRING_type_new(value->tag);
	if (!s || ASN1_STRING_set(s, value->body.p, (int)value->body.n) != 1)
		return ossl_failed("reading a name", why);
	int n = ASN1_STRING_to_UTF8(&text, s);
	bool good = n >= 0 && text_is_utf8(span_of(text, (size_t)n));
	if (good)
		*out = arena_copy(arena, span_of(text, (size_t)n));
	OPENSSL_free(text);
	ossl_forget();
	if (!good)
		return WHY(why, NAME_SYNTAX, "RFC 5280 4.1.2.4", "attribute of a name: want a string without NUL, have other bytes");
	return out->p || n == 0 ? OK : WHY(why, NOMEM, "", "text of a name");
}

static enum err first_of(struct span der, struct span oid, struct arena *arena, struct span *out, struct why *why)
{
	struct name_walk w = walk_init(der);
	struct span have;
	struct der_item value, first = {0};

	TRY(name_check(der, why));
	*out = (struct span){0};
	while (first.all.n == 0 && walk_next(&w, &have, &value)) {
		if (span_equal(have, oid))
			first = value;
	}
	return first.all.n ? value_text(&first, arena, out, why) : OK;
}

enum err name_cn(struct span der, struct arena *arena, struct span *out, struct why *why)
{
	return first_of(der, OID_COMMON_NAME, arena, out, why);
}

enum err name_serial(struct span der, struct arena *arena, struct span *out, struct why *why)
{
	return first_of(der, OID_SERIAL_NUMBER, arena, out, why);
}
