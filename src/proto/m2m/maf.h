#pragma once
/*
 * What clients and a MAF say to each other (TS-0003 8.8.2), JSON or XML, after the MAF handshake. TS-0032,
 * which names these resources, could not be read: paths and names stand in maf.c in one table and are
 * provisional (docs/decisions/0014). Names of 12.4 are taken where they exist.
 *
 *	POST   /maf/clientReg             client registration        -> mafClientReg
 *	PUT    /maf/clientReg/ID          registration update
 *	DELETE /maf/clientReg/ID          de-registration
 *	POST   /maf/symmKeyReg            key registration           -> symmKeyReg
 *	GET    /maf/symmKeyReg/RELATIVE   key retrieval by a target  -> symmKeyReg with keyValue
 *	PUT    /maf/symmKeyReg/RELATIVE   key registration update by its source
 *	DELETE /maf/symmKeyReg/RELATIVE   key de-registration by its source
 */
#include "base/arena.h"
#include "base/secret.h"
#include "proto/m2m/ids.h"
#include "proto/m2m/suid.h"
#include "wire/doc.h"

enum { MAF_LABELS_MAX = 16, MAF_LABEL_MAX = 128, MAF_TARGETS_MAX = 32, MAF_ID_SIZE = 33 };

struct maf_texts {
	const char *items[MAF_TARGETS_MAX];
	size_t n;
};

/* "mafClientReg" */
struct maf_client {
	const char *id;           /* clientRegID; answers only */
	const char *client_id;    /* clientID: CSE-ID, AE-ID; answers only */
	const char *key_id;       /* assignedSymmKeyID: KmId; answers only, "" when it stays as it is */
	const char *admin_fqdn;   /* adminFQDN; mandatory in a registration */
	int64_t expires_s;        /* expirationTime, m2m:timestamp; 0 when absent */
	bool has_labels;
	struct maf_texts labels;
};

/* "symmKeyReg" */
struct maf_key {
	const char *relative_id;  /* relativeKeyID; answers only */
	const char *source_id;    /* sourceClientID; answers only */
	const char *admin_fqdn;
	unsigned int suid;        /* SUID; 0 when absent */
	int64_t expires_s;
	bool has_labels, has_targets;
	struct maf_texts labels;
	struct maf_texts targets; /* targetIDs */
	struct secret value;      /* keyValue, base64; empty: from the exporter */
};

enum maf_path { MAF_PATH_CLIENTS = 1, MAF_PATH_CLIENT, MAF_PATH_KEYS, MAF_PATH_KEY };

#define M2M_MAF_PATH "/maf/"
/* id_out: the last part, for CLIENT and KEY. ERR_NOT_FOUND, ERR_SYNTAX. */
MUST_CHECK enum err maf_path_parse(struct span path, enum maf_path *out, char id_out[MAF_ID_SIZE], struct why *why);
/* Requests: wrong fields are refused with the clause. Texts in the arena; wipe value. ERR_SYNTAX, ERR_LIMIT. */
MUST_CHECK enum err maf_client_parse(enum doc_form form, struct span in, struct arena *arena, struct maf_client *out, struct why *why);
MUST_CHECK enum err maf_client_write(const struct maf_client *m, enum doc_form form, struct buf *out, struct why *why);
MUST_CHECK enum err maf_key_parse(enum doc_form form, struct span in, struct arena *arena, struct maf_key *out, struct why *why);
MUST_CHECK enum err maf_key_write(const struct maf_key *m, enum doc_form form, struct buf *out, struct why *why);
