#include "proto/m2m/derive.h"

#include "base/buf.h"
#include "base/mem.h"
#include "pki/digest.h"
#include "proto/m2m/suid.h"

#include <assert.h>

static_assert((int)M2M_KEY_SIZE == (int)SHA256_SIZE, "keys are whole HMAC-SHA-256 values");

enum { MESSAGE_MAX = 128 + M2M_ID_MAX };

static const char label_km[] = "oneM2M Enrolment Key to Master Credential derivation";
static const char label_kpsa[] = "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation";
static const char label_constrained[] = "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation";

/* suid "": none */
static enum err derive(const struct secret *ke, const char *label, const char *suid, struct span id,
	struct secret *out, struct why *why)
{
	struct buf message OWNED_BUF = BUF(MESSAGE_MAX);
	char normal[M2M_ID_MAX + 1];
	uint8_t key[SHA256_SIZE];

	secret_wipe(out);
	if (ke->n != M2M_KEY_SIZE)
		return WHY(why, M2M_KEY_LENGTH, "TS-0003 10.3.1", "Ke: want %d octets, have %zu", M2M_KEY_SIZE, ke->n);
	TRY(m2m_id_normal(id, normal, why));
	buf_put_text(&message, label);
	buf_put_text(&message, suid);
	buf_put_text(&message, normal);
	TRY(buf_check(&message, "derivation", why));
	TRY(digest_hmac_sha256(secret_span(ke), buf_span(&message), key, why));
	(void)secret_set(out, span_of(key, sizeof(key)));
	mem_wipe(key, sizeof(key));
	return OK;
}

/* TS-0003 10.3.2: label, then MAF-ID */
enum err m2m_derive_km(const struct secret *ke, struct span maf_id, struct secret *out, struct why *why)
{
	return derive(ke, label_km, "", maf_id, out, why);
}

/* TS-0003 10.3.3: label, then Enrolee-B-ID */
enum err m2m_derive_kpsa(const struct secret *ke, struct span enrolee_b_id, struct secret *out, struct why *why)
{
	return derive(ke, label_kpsa, "", enrolee_b_id, out, why);
}

/* TS-0003 10.3.7: label, SUID in decimal digits, then Enrolment-Target-ID */
enum err m2m_derive_constrained(const struct secret *ke, unsigned int suid, struct span target_id,
	struct secret *out, struct why *why)
{
	char digits[3] = {0};

	secret_wipe(out);
	if (!suid_known(suid) || suid_origin_of(suid) != SUID_RSPF)
		return WHY(why, M2M_SUID, "TS-0003 10.3.7", "SUID: want 21 to 25, have %u", suid);
	digits[0] = (char)('0' + suid / 10);
	digits[1] = (char)('0' + suid % 10);
	return derive(ke, label_constrained, digits, target_id, out, why);
}

/* TS-0003 10.3.1: the most significant 16 octets name the key, the least significant 32 are it */
enum err m2m_split_export(struct span exported, uint8_t relative_out[M2M_RELATIVE_SIZE],
	struct secret *key_out, struct why *why)
{
	secret_wipe(key_out);
	if (exported.n != M2M_EXPORT_SIZE)
		return WHY(why, M2M_KEY_LENGTH, "TS-0003 10.3.1", "exported keying material: want %d octets, have %zu",
			M2M_EXPORT_SIZE, exported.n);
	memcpy(relative_out, exported.p, M2M_RELATIVE_SIZE);
	(void)secret_set(key_out, span_from(exported, M2M_RELATIVE_SIZE));
	return OK;
}
