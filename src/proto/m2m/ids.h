#pragma once
/*
 * Identifiers of TS-0003 10.3.4, 10.3.5, 10.4, 10.5, 10.6 and 12.2. Host names come out in lower case,
 * hex in upper case; comparing is done on these normal forms.
 */
#include "base/span.h"
#include "base/why.h"

enum {
	M2M_RELATIVE_SIZE = 16,
	M2M_KEY_SIZE = 32,
	M2M_EXPORT_SIZE = M2M_RELATIVE_SIZE + M2M_KEY_SIZE,
	M2M_FQDN_MAX = 253,
	M2M_KEYID_SIZE = 2 * M2M_RELATIVE_SIZE + 1 + M2M_FQDN_MAX + 1, /* with its NUL */
	M2M_NAME_MAX = 64,       /* left part of KpmId, KmId, KpsaId: letters, digits, . _ - */
	M2M_ID_MAX = 512,        /* CSE-ID, AE-ID, MAF-ID, Node-ID */
	M2M_CREDENTIAL_ID_SIZE = 4 + M2M_KEYID_SIZE,
};

/* TS-0003 10.3.1: exporter labels; no context. M2M_LABEL_REAUTH is ours (RFC 5705 4, docs/decisions/0013). */
#define M2M_LABEL_BOOTSTRAP "EXPORTER-oneM2M-Bootstrap"
#define M2M_LABEL_CONNECTION "EXPORTER-oneM2M-Connection"
#define M2M_LABEL_REAUTH "EXPERIMENTAL-OpenMEF-ReAuthentication"

/* Exactly 32 hex digits, either case. */
bool m2m_relative_parse(struct span text, uint8_t out[M2M_RELATIVE_SIZE]);
/* Lower case; at most M2M_FQDN_MAX. ERR_SYNTAX. */
MUST_CHECK enum err m2m_fqdn_parse(struct span text, char normal_out[M2M_FQDN_MAX + 1], struct why *why);
/*
 * CSE-ID, AE-ID, MAF-ID as they are compared and derived from: NFKC, the host name in lower case where there is
 * one ("//host/path", "host/path", "host.example"). ERR_SYNTAX: empty, not UTF-8, above M2M_ID_MAX.
 */
MUST_CHECK enum err m2m_id_normal(struct span text, char normal_out[M2M_ID_MAX + 1], struct why *why);

/* hexBinary(relative)@FQDN: KeId, KreId, and the key identifiers of a MAF. ERR_SYNTAX for a bad FQDN. */
MUST_CHECK enum err m2m_keyid_write(const uint8_t relative[M2M_RELATIVE_SIZE], struct span fqdn,
	char out[M2M_KEYID_SIZE], struct why *why);
/* Either hex case; *fqdn_out: normal form inside normal_out. ERR_SYNTAX. */
MUST_CHECK enum err m2m_keyid_parse(struct span text, uint8_t relative_out[M2M_RELATIVE_SIZE],
	char normal_out[M2M_KEYID_SIZE], struct span *fqdn_out, struct why *why);
/*
 * name@FQDN of KpmId, KmId and KpsaId; KmId's name is not case sensitive (10.6): fold_name lowers it. A name of 32 hex
 * digits cannot be told from a RelativeKeId and has the same normal form, upper case. ERR_SYNTAX.
 */
MUST_CHECK enum err m2m_named_parse(struct span text, bool fold_name, char normal_out[M2M_KEYID_SIZE],
	struct span *fqdn_out, struct why *why);
/* What a client may show as psk_identity: any of the above, in normal form; names keep their case. ERR_SYNTAX. */
MUST_CHECK enum err m2m_psk_identity_parse(struct span text, char normal_out[M2M_KEYID_SIZE], struct why *why);
/*
 * TS-0003 10.4: "<type number>-<value>"; type from the key's use (12.3.2.1: 10 KpmId, 11 KmId, 12 KpsaId/KcId, 13 ESPrim,
 * 14 and 16 ESData). ERR_SYNTAX for a certificate's usage: its number depends on the certificate.
 */
MUST_CHECK enum err m2m_credential_id_write(unsigned int suid, struct span key_id,
	char out[M2M_CREDENTIAL_ID_SIZE], struct why *why);
