#include "core/ca/foreign.h"

#include "base/hex.h"
#include "pki/csr.h"
#include "pki/oid.h"

/* RFC 6402 2.10: id-kp-cmcCA, id-kp-cmcRA, id-kp-cmcArchive differ in the last octet */
#define OID_KP_CMC OID("\x2b\x06\x01\x05\x05\x07\x03")

enum { NAMES_ARENA_MAX = 64 * 1024, SHOWN_MAX = 90, CAUSE_MAX = 160 };

/* "issuer 'up', serial 1f3b" */
struct place {
	char text[ISSUER_NAME_MAX + 2 * ISSUER_SERIAL_MAX + 32];
};

static struct place place_of(const struct issue_order *order, const struct cert *cert)
{
	char hex[2 * ISSUER_SERIAL_MAX + 1];
	struct place p;
	struct buf b OWNED_BUF = BUF(sizeof(p.text) - 1);

	hex_text(cert->serial.p, cert->serial.n < ISSUER_SERIAL_MAX ? cert->serial.n : ISSUER_SERIAL_MAX, hex);
	buf_put_fmt(&b, "issuer '%s', serial %s", order->issuer, hex);
	memcpy(p.text, buf_text(&b), b.n + 1);
	return p;
}

static enum err check_subject(const struct issue_order *order, const struct cert *cert, struct arena *arena, const char *at,
	struct why *why)
{
	const char *want = "", *have = "";
	bool same = false;

	if (name_is_empty(order->subject))
		return OK;
	TRY(name_equal(order->subject, cert->subject, &same, why));
	if (same)
		return OK;
	TRY(name_text(order->subject, arena, &want, why));
	TRY(name_text(cert->subject, arena, &have, why));
	return WHY(why, FOREIGN_NAMES, "RFC 5280 4.1.2.6", "%s: subject: want '%.*s', have '%.*s'", at,
		SPAN_FMT(span_first(span_text(want), SHOWN_MAX)), SPAN_FMT(span_first(span_text(have), SHOWN_MAX)));
}

static struct span shown(const struct san *san)
{
	bool text = san->kind == SAN_DNS || san->kind == SAN_URI || san->kind == SAN_OTHER || san->kind == SAN_EMAIL;

	return text ? span_first(san->value, SHOWN_MAX) : span_text("(another kind)");
}

static enum err check_sans(const struct issue_order *order, const struct cert *cert, struct arena *arena, const char *at,
	struct why *why)
{
	struct san_list want = {0}, have = {0};

	if (order->sans.n == 0)
		return OK;
	TRY(san_parse(order->sans, arena, &want, why));
	if (cert->san.n)
		TRY(san_parse(cert->san, arena, &have, why));
	for (size_t i = 0; i < want.n; i++) {
		if (!san_has(&have, &want.items[i]))
			return WHY(why, FOREIGN_NAMES, "RFC 5280 4.2.1.6", "%s: subjectAltName: want %.*s among others, have %zu without it",
				at, SPAN_FMT(shown(&want.items[i])), have.n);
	}
	return OK;
}

static enum err check_key(const struct issue_order *order, const struct cert *cert, const char *at, struct why *why)
{
	struct csr csr = {0};

	TRY(csr_parse(order->csr, &csr, why));
	if (!span_equal(csr.spki, cert->spki))
		return WHY(why, FOREIGN_KEY, "RFC 7030 4.2.3", "%s: key: want that of the request, have another", at);
	return OK;
}

static enum err check_use(const struct cert *cert, const char *at, struct why *why)
{
	if (cert->is_ca || (cert->has_key_usage && (cert->key_usage & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))))
		return WHY(why, FOREIGN_CERT, "RFC 5280 4.2.1.9", "%s: want an end entity's certificate, have a CA's", at);
	return OK;
}

/*
 * RFC 6402 2.10: who speaks for others, or for the MEF, is said by this MEF alone. A request may ask for it, and a CA that
 * copies what it is asked for must not make its client a registration authority here.
 */
static enum err check_authority(const struct cert *cert, const char *at, struct why *why)
{
	for (size_t i = 0; i < cert->ekus.n; i++) {
		struct span oid = cert->ekus.oids[i];
		if (oid.n == OID_KP_CMC.n + 1 && span_equal(span_first(oid, OID_KP_CMC.n), OID_KP_CMC) && oid.p[oid.n - 1] >= 27
			&& oid.p[oid.n - 1] <= 29)
			return WHY(why, FOREIGN_CERT, "RFC 6402 2.10", "%s: extKeyUsage: want none of cmcCA, cmcRA, cmcArchive, have one", at);
	}
	return OK;
}

static enum err check_path(const struct anchors *chain, const struct issue_order *order, const struct cert *cert, int64_t now_s,
	const char *at, struct why *why)
{
	struct why cause = {0};
	uint8_t anchor[32];

	if (chain_check(chain, cert->der, NULL, 0, CHAIN_ANY, now_s, anchor, &cause) != OK)
		return WHY(why, FOREIGN_CERT, cause.clause, "%s: %.*s", at, CAUSE_MAX, cause.text);
	if (order->not_after_s && cert->not_after_s > order->not_after_s)
		return WHY(why, FOREIGN_CERT, "RFC 5280 4.1.2.5", "%s: notAfter: want an end no later than ordered", at);
	return OK;
}

static enum err check_all(const struct issue_order *order, const struct anchors *chain, const struct cert *cert, int64_t now_s,
	struct why *why)
{
	struct arena arena OWNED_ARENA = ARENA(NAMES_ARENA_MAX);
	const struct place at = place_of(order, cert);

	TRY(check_key(order, cert, at.text, why));
	TRY(check_use(cert, at.text, why));
	TRY(check_authority(cert, at.text, why));
	TRY(check_subject(order, cert, &arena, at.text, why));
	TRY(check_sans(order, cert, &arena, at.text, why));
	return check_path(chain, order, cert, now_s, at.text, why);
}

enum err foreign_check(const struct issue_order *order, const struct anchors *chain, struct span der, int64_t now_s,
	struct issue_result *out, struct why *why)
{
	struct why cause = {0};
	struct cert cert = {0};

	if (cert_parse(der, &cert, &cause) != OK)
		return WHY(why, FOREIGN_CERT, cause.clause, "issuer '%s': %.*s", order->issuer, CAUSE_MAX, cause.text);
	enum err err = check_all(order, chain, &cert, now_s, &cause);
	/* what parsers say of it is no fault of the client's */
	if (err != OK && err <= ERR_PENDING)
		return WHY(why, FOREIGN_CERT, cause.clause, "%s: %.*s", place_of(order, &cert).text, CAUSE_MAX, cause.text);
	if (err != OK) {
		*why = cause;
		return err;
	}
	if (cert.serial.n == 0 || cert.serial.n > ISSUER_SERIAL_MAX)
		return WHY(why, FOREIGN_CERT, "RFC 5280 4.1.2.2", "issuer '%s': serial number: want 1 to %d octets, have %zu",
			order->issuer, ISSUER_SERIAL_MAX, cert.serial.n);
	*out = (struct issue_result){.der = der, .serial_n = cert.serial.n, .not_before_s = cert.not_before_s,
		.not_after_s = cert.not_after_s};
	memcpy(out->serial, cert.serial.p, cert.serial.n);
	return OK;
}
