#pragma once
/*
 * A CA rollover (docs/decisions/0020): a new root and issuing CA take the place of those in force, step by step. The
 * configuration alone says where it stands, and each step ends with one change of that file; what the step needs lies
 * complete in the rollover's folder before.
 */
#include "app/openmef/hierarchy.h"
#include "app/openmef/place.h"

enum rollover_stage {
	ROLLOVER_NONE,
	ROLLOVER_PREPARED,  /* made, known to nobody */
	ROLLOVER_PUBLISHED, /* devices learn the new root; the old CA issues */
	ROLLOVER_SWITCHED,  /* the new CA issues; the old one is accepted and publishes its CRL */
};

/* Names in the rollover's folder. */
#define ROLLOVER_ROOT_CERT "root.cert.pem"
#define ROLLOVER_CERT "issuing.cert.pem"
#define ROLLOVER_KEY "issuing.key.pem"
#define ROLLOVER_OLD_WITH_NEW "old-with-new.cert.pem"
#define ROLLOVER_NEW_WITH_OLD "new-with-old.cert.pem"
#define ROLLOVER_TLS_CERT "mef-tls.cert.pem"
#define ROLLOVER_TLS_KEY "mef-tls.key.pem"
#define ROLLOVER_MESSAGE_CERT "message.cert.pem"
#define ROLLOVER_MESSAGE_KEY "message.key.pem"
#define ROLLOVER_EXTRA_PUBLISHED "extra-published.pem"
#define ROLLOVER_EXTRA_SWITCHED "extra-switched.pem"
#define ROLLOVER_EXTRA_FINISHED "extra-finished.pem"
#define ROLLOVER_BRIDGE_PUBLISHED "bridge-published.pem"
#define ROLLOVER_BRIDGE_SWITCHED "bridge-switched.pem"
#define ROLLOVER_BEFORE "before.conf" /* the configuration that prepare found */

/* Below the directory: the name of a CA whose files are not whole yet. */
#define ROLLOVER_MAKING "ca/rollover.making"

enum { ROLLOVER_PEM_MAX = 256 * 1024, ROLLOVER_CARRIED_MAX = 4 };

struct rollover {
	const struct cli *cli;
	const struct conf *conf;
	const char *conf_path; /* of the file itself, links followed */
	struct store *store; /* borrowed */
	enum rollover_stage stage;
	const char *name; /* of the new CA, which is that of its folder; "" in ROLLOVER_NONE */
	int64_t now_s;
};

/* What the configuration says. */
enum rollover_stage rollover_stage_of(const struct conf *conf);
const char *rollover_stage_name(enum rollover_stage stage);

/* One of the CAs, as status tells of it. */
struct rollover_ca {
	const char *name;
	const char *path; /* of its certificate */
	uint64_t certificates; /* that are valid, or could still renew by a label's key `expired` */
	uint64_t enrolees;     /* that have no newer one of another CA */
	int64_t last_s;        /* when the last of them ends */
};
/* Counts for n CAs in one walk. ERR_SYSTEM for a CA certificate that cannot be read. */
MUST_CHECK enum err rollover_count(const struct rollover *r, struct rollover_ca *cas, size_t n, struct why *why);

/* rollover_make.c: keys, certificates and files of a new CA in CONF-DIR/ca/NAME; name_out: its name. */
MUST_CHECK enum err rollover_make(const struct rollover *r, char name_out[ISSUER_NAME_MAX], struct why *why);
/* Erases keys and removes files of a folder that no configuration names any more, with its root's key. */
MUST_CHECK enum err rollover_remove(const struct conf *conf, const char *folder, const char *name, struct why *why);
/* That key and certificates of the folder are there and fit together. ERR_SYSTEM: ROLLOVER_FILES. */
MUST_CHECK enum err rollover_check(const struct rollover *r, struct why *why);

/* rollover_switch.c: the server certificate under the new CA, and the lists of what is published; in the folder. */
MUST_CHECK enum err rollover_write_published(const struct rollover *r, struct why *why);
MUST_CHECK enum err rollover_write_switched(const struct rollover *r, struct why *why);
MUST_CHECK enum err rollover_write_finished(const struct rollover *r, struct why *why);
/* The configuration that prepare found. ERR_SYSTEM: ROLLOVER_FILES. */
MUST_CHECK enum err rollover_before(const struct rollover *r, struct conf *out, struct why *why);
/* FOLDER/NAME */
MUST_CHECK enum err rollover_path(const struct rollover *r, const char *name, char out[CONF_PATH_MAX], struct why *why);
