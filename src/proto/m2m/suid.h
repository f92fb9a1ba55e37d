#pragma once
/* Security usage identifiers (m2m:suid, TS-0004 6.3.4.2.39): tens: how the credential arises, units: its use. */
#include "base/span.h"

enum { SUID_LIST_MAX = 24 };

enum suid_use { SUID_MEF = 0, SUID_MAF = 1, SUID_SAEF = 2, SUID_ESPRIM = 3, SUID_ESDATA = 4, SUID_ESDATA_SIGN = 5 };
enum suid_origin { SUID_PRE_PROVISIONED = 1, SUID_RSPF = 2, SUID_MAF_DISTRIBUTED = 3, SUID_CERTIFICATE = 4 };

/* 21: a symmetric key by remote provisioning, shared with a MAF (TS-0003 8.8.2.3). */
enum { SUID_RSPF_MAF = 21, SUID_RSPF_SAEF = 22, SUID_RSPF_ESPRIM = 23, SUID_RSPF_ESDATA = 24, SUID_MAF_SAEF = 32 };

struct suid_list {
	uint8_t items[SUID_LIST_MAX];
	size_t n;
};

bool suid_known(unsigned int suid);
enum suid_use suid_use_of(unsigned int suid);       /* of a known one */
enum suid_origin suid_origin_of(unsigned int suid); /* of a known one */
/* "21" or a name: "maf", "saef", "esprim", "esdata", "esdata-sign" (those mean origin RSPF); 0 when unknown. */
unsigned int suid_parse(struct span text);
const char *suid_name(unsigned int suid); /* "RSPF key for a MAF", for people; "unknown" */
bool suid_list_add(struct suid_list *l, unsigned int suid); /* sorted, once each; false when full or unknown */
bool suid_list_has(const struct suid_list *l, unsigned int suid);
