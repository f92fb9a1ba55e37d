#pragma once
/* What the commands of this program share. */
#include "app/enrolee/drive.h"
#include "app/enrolee/store.h"
#include "pki/cert.h"

enum { ENROLEE_PEM_MAX = 512 * 1024, ENROLEE_URI_MAX = 4096 };

/* ERR_SYNTAX without that option. */
MUST_CHECK enum err enrolee_want(const struct cli *cli, const char *name, const char **out, struct why *why);
/* --out, --dir, or ./enrolee */
const char *enrolee_dir(const struct cli *cli);
MUST_CHECK enum err enrolee_key_option(const struct cli *cli, enum key_spec *out, struct why *why);
/* --suid: known, or ERR_SYNTAX. */
MUST_CHECK enum err enrolee_suid_option(const struct cli *cli, unsigned int *out, struct why *why);
MUST_CHECK enum err enrolee_drive(const struct cli *cli, const struct drive_ask *ask, struct why *why);

/* The certificate in force and what goes with it. */
struct enrolee_held {
	struct buf anchors, cert, chain, key, mef, leaf;
	struct cert view;
};
void enrolee_held_fini(struct enrolee_held *h);
#define OWNED_HELD __attribute__((cleanup(enrolee_held_fini)))
/* ERR_NOT_FOUND when there is none. */
MUST_CHECK enum err enrolee_held(const char *dir, struct enrolee_held *h, struct why *why);

/* Certificate, key and anchors from --cert, --key and --anchors. */
struct enrolee_given {
	struct buf anchors, cert, key;
};
void enrolee_given_fini(struct enrolee_given *g);
#define OWNED_GIVEN __attribute__((cleanup(enrolee_given_fini)))
/* Without the anchors, which stay empty. */
MUST_CHECK enum err enrolee_given_pair(const struct cli *cli, struct enrolee_given *g, struct why *why);
MUST_CHECK enum err enrolee_given(const struct cli *cli, struct enrolee_given *g, struct why *why);

extern const struct command command_enrol;
extern const struct command command_revoke;
extern const struct command command_keys;
extern const struct command command_derive;
extern const struct command command_fetch_key;
extern const struct command command_maf_connect;
extern const struct command command_maf_register_key;
extern const struct command command_maf_fetch_key;
extern const struct command command_session_listen;
extern const struct command command_session_connect;
