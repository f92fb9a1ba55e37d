#pragma once
/* Carries out what the agent asks for: HTTPS calls, keys, files, waiting. */
#include "agent/machine.h"
#include "adapt/sys/fetch.h"
#include "app/cli/cli.h"

struct drive_ask {
	struct fetch *fetch; /* a connection that exists already, or NULL: one of its own */
	bool by_psk;         /* that one is by shared key: no certificate, maybe no anchors */
	enum agent_goal goal;
	const char *mef_uri;
	const char *dir; /* where the generations lie */
	const char *connect;
	struct span anchors_pem;
	const char *anchors_origin; /* told in the generation; NULL: as before */
	struct span cert_pem; /* authenticates; with intermediates */
	struct span key_pem;
	enum key_spec key_wish;
	bool reuse_key;
	bool link_session;   /* as in agent_config */
	const char *subject; /* likewise */
	bool server_key;        /* the MEF makes the key */
	bool server_key_cipher; /* and encrypts it: for decrypt_secret, else for cert_pem */
	const char *decrypt_id;
	const struct secret *decrypt_secret;
	bool cmc;     /* full CMC, signed by key_pem */
	bool no_wait; /* fail with ERR_PENDING instead of sleeping */
	bool tls12_only;
};

struct drive_result {
	unsigned int generation;
};

/* Under generation_lock of ask->dir. */
MUST_CHECK enum err drive_agent(
	const struct cli *cli, const struct drive_ask *ask, struct drive_result *out, struct why *why);
