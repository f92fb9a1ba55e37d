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

/* hexBinary(relative)@FQDN: KeId, KreId, and the key identifiers of a MAF. ERR_SYNTAX for a bad FQDN. */
MUST_CHECK enum err m2m_keyid_write(const uint8_t relative[M2M_RELATIVE_SIZE], struct span fqdn,
	char out[M2M_KEYID_SIZE], struct why *why);
/* Either hex case; *fqdn_out: normal form inside normal_out. ERR_SYNTAX. */
MUST_CHECK enum err m2m_keyid_parse(struct span text, uint8_t relative_out[M2M_RELATIVE_SIZE],
	char normal_out[M2M_KEYID_SIZE], struct span *fqdn_out, struct why *why);
/* name@FQDN of KpmId, KmId and KpsaId; KmId's name is not case sensitive (10.6): fold_name lowers it. ERR_SYNTAX. */
MUST_CHECK enum err m2m_named_parse(struct span text, bool fold_name, char normal_out[M2M_KEYID_SIZE],
	struct span *fqdn_out, struct why *why);
/* What a client may show as psk_identity: any of the above, in normal form. ERR_SYNTAX. */
MUST_CHECK enum err m2m_psk_identity_parse(struct span text, char normal_out[M2M_KEYID_SIZE], struct why *why);
/* TS-0003 10.4: "<type number>-<value>"; type from the key's use (12.3.2.1: 10 KpmId, 11 KmId, 12 KpsaId/KcId, ...). */
MUST_CHECK enum err m2m_credential_id_write(unsigned int suid, struct span key_id,
	char out[M2M_CREDENTIAL_ID_SIZE], struct why *why);
