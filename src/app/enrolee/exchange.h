#pragma once
/* Carries out what the enrolment exchange asks for: calls by shared key or certificate, EST, files, waiting. */
#include "agent/exchange.h"
#include "app/enrolee/drive.h"

struct exchange_plan {
	const char *mef_uri;
	const char *dir;
	const char *connect;
	const char *psk_identity; /* KpmId or KreId; NULL: by certificate */
	struct secret psk;
	struct span anchors_pem;
	const char *anchors_origin; /* as in struct drive_ask */
	struct span cert_pem, key_pem; /* without psk_identity */
	bool certificate, maf;         /* what the device is ready for */
	bool has_certificate;
	const char *token;             /* NULL: none */
	int64_t expiry_s;              /* Enrolment Expiry; 0: as the MEF says */
	const char *const *targets;    /* Enrolment Target Identifiers that must be granted */
	size_t targets_n;
	enum key_spec key_wish;
	bool server_key, server_key_cipher; /* drive.h */
	bool no_wait;
	bool tls12_only;
};

/* Under generation_lock of ask->dir. */
MUST_CHECK enum err exchange_drive(const struct cli *cli, const struct exchange_plan *ask, struct why *why);
/* What was agreed on, for people or as JSON. */
MUST_CHECK enum err keys_tell(const struct cli *cli, const char *dir, const struct agent_keys *k, bool secrets, struct why *why);
