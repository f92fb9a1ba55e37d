#pragma once
/*
 * The configuration file as one table (schema.c): section, key, type, default, bounds, comment. Reader,
 * writer of the commented file, and checks run off that table. INI, one value a line.
 */
#include "base/buf.h"
#include "base/prefix.h"
#include "base/why.h"
#include "core/ca/profile.h"
#include "core/enrol/label.h"

enum { CONF_PATH_MAX = 512, CONF_LISTEN_MAX = 8, CONF_BODY_MAX = 65536, CONF_MEFS_MAX = 16, CONF_NETWORKS_MAX = 16 };

enum conf_role { CONF_ROLE_MEF = 0, CONF_ROLE_MAF = 1 }; /* docs/decisions/0014 */

struct conf_listen {
	char address[64];
	uint16_t port; /* 0: any free port, told in the ready notice and in DIR/run/ports.json */
};

/* "mef.example.com=https://mef.example.com:8443" */
struct conf_pair {
	char name[256];
	char value[288];
};

struct conf_pairs {
	struct conf_pair items[CONF_MEFS_MAX];
	size_t n;
};

struct conf_networks {
	struct prefix items[CONF_NETWORKS_MAX];
	size_t n;
};

enum proxy_protocol { PROXY_OFF = 0, PROXY_V2 = 1 };

/* [issuer NAME]: a CA that is not this MEF's own. */
enum issuer_kind { ISSUER_EST = 0, ISSUER_COMMAND = 1 };

enum { ISSUERS_MAX = 8 };

struct conf_issuer {
	char name[ISSUER_NAME_MAX];
	enum issuer_kind kind;
	char chain[CONF_PATH_MAX]; /* its CA certificates, PEM: what it issues must chain to them; given to clients by cacerts */
	/* est: an upstream CA, to which this MEF is a registration authority */
	char uri[256];     /* https://FQDN[:PORT]/.well-known/est[/LABEL] */
	char connect[256]; /* HOST:PORT instead of the URI's, or "" */
	char anchors[CONF_PATH_MAX]; /* for its server certificate */
	char cert[CONF_PATH_MAX];    /* with id-kp-cmcRA, then its chain */
	char key[CONF_PATH_MAX];     /* PKCS#8, plain or encrypted under conf_issuer_key_label */
	/* command: reads a CSR (PEM) from stdin and writes a certificate (PEM) to stdout */
	char command[CONF_PATH_MAX]; /* absolute path and arguments, parted by blanks */
	int64_t timeout_s;           /* of one order, retries and all */
};

struct conf_issuers {
	struct conf_issuer items[ISSUERS_MAX];
	size_t n;
};

struct conf {
	char dir[CONF_PATH_MAX];  /* where the file lies; relative paths start here */
	/* [serve] */
	enum conf_role role;
	/* [maf]; the fields of [mef] from fqdn to tls_key and from fronts to body_max serve it too, and ca_cert holds its
	 * client_anchors. */
	char mef_anchors[CONF_PATH_MAX];
	struct conf_pairs mefs;     /* FQDN=URI */
	struct conf_pairs connects; /* FQDN=HOST:PORT */
	/* [mef] */
	char fqdn[256];
	struct conf_listen https[CONF_LISTEN_MAX];
	size_t https_n;
	struct conf_listen http[CONF_LISTEN_MAX]; /* CRL and CA certificates */
	size_t http_n;
	struct conf_listen behind_proxy[CONF_LISTEN_MAX]; /* plain HTTP from proxies that end TLS */
	size_t behind_proxy_n;
	struct conf_networks proxy_from; /* who may speak for others */
	enum proxy_protocol proxy_protocol;
	char public_http[256];    /* base of CDP and AIA URIs: "http://mef.example.com:8080" */
	char tls_cert[CONF_PATH_MAX];
	char tls_key[CONF_PATH_MAX];
	char device_anchors[CONF_PATH_MAX];
	unsigned int fronts;      /* 0: one per core */
	unsigned int signers;
	unsigned int connections, connections_per_source;
	int64_t handshake_timeout_s, request_timeout_s, idle_timeout_s;
	int64_t body_max;
	bool psk;                 /* TLS-PSK clients: pre-provisioned keys and re-authentication keys */
	bool srp;                 /* TLS-SRP clients: a user and its password */
	bool ems_required;        /* keys are exported only from sessions with the extended master secret */
	bool token_required;      /* the enrolment exchange needs a valid Enrolment-Token */
	char public_https[256];   /* as clients reach it: "https://mef.example.com:8443"; "": https://FQDN and the first port */
	/* [ca] */
	char ca_cert[CONF_PATH_MAX];
	char ca_key[CONF_PATH_MAX];
	char ca_chain[CONF_PATH_MAX]; /* above the issuing CA up to the root, PEM */
	char message_cert[CONF_PATH_MAX]; /* signs CMC answers and keys that the MEF makes; "": neither is offered */
	char message_key[CONF_PATH_MAX];
	char ca_name[ISSUER_NAME_MAX]; /* of the issuing CA in the addresses of its CRL and certificate */
	/* A CA rollover (docs/decisions/0020). */
	char ca_other_cert[CONF_PATH_MAX]; /* the other issuing CA: accepted, publishes its CRL, never issues; "": none */
	char ca_other_key[CONF_PATH_MAX];
	char ca_other_name[ISSUER_NAME_MAX];
	char ca_extra[CONF_PATH_MAX];    /* further CA certificates for cacerts; "": none */
	char ca_bridge[CONF_PATH_MAX];   /* sent behind the TLS certificate's chain; "": none */
	char ca_rollover[CONF_PATH_MAX]; /* folder of the rollover under way; "": none */
	int64_t crl_lifetime_s, crl_overlap_s;
	/* [keys] */
	char master_key[CONF_PATH_MAX]; /* "file:PATH" or "credential:NAME" (systemd) */
	/* [store] */
	char store[CONF_PATH_MAX]; /* "sqlite:PATH" or "memory:" */
	/* [log] */
	bool log_json;
	int log_level;
	/* [profile NAME], [label NAME] */
	struct profile_set profiles;
	struct label_set labels;
	struct conf_issuers issuers; /* [issuer NAME] */
};

/*
 * The rows of the table, for `openmef help conf` and the manual page. section is "mef", "profile", ...;
 * value is the default as text, NULL where a value must be given.
 */
struct conf_row {
	const char *section;
	const char *name;
	const char *value;
	const char *comment;
};
bool conf_row_at(size_t index, struct conf_row *out);

/*
 * path names the file; text is its content. Relative paths come out joined with the file's folder.
 * Every fault is told with file, line, want and have.
 * ERR_SYNTAX.
 */
MUST_CHECK enum err conf_parse(const char *path, struct span text, struct conf *out, struct why *why);
MUST_CHECK enum err conf_load(const char *path, struct conf *out, struct why *why);
/* The file that `init` and `maf new` write: every key of the role with its comment; values from c. */
void conf_write(const struct conf *c, struct buf *out);
struct conf_edit {
	const char *section;
	const char *name;
	const char *value; /* as it is to stand in the file */
};
enum { CONF_EDITS_MAX = 24 };
/* The text with those keys changed, or added where they are missing, and every other line as it was. ERR_LIMIT. */
MUST_CHECK enum err conf_edit(struct span text, const struct conf_edit *edits, size_t n, struct buf *out, struct why *why);
void conf_defaults(struct conf *out);
void conf_defaults_maf(struct conf *out);
const struct conf_issuer *conf_issuer_find(const struct conf *c, const char *name); /* NULL: none */
enum { CONF_ISSUER_LABEL_SIZE = ISSUER_NAME_MAX + 8 };
/* "issuer-NAME": of key_file_passphrase, for an encrypted key file. */
void conf_issuer_key_label(const struct conf_issuer *issuer, char out[CONF_ISSUER_LABEL_SIZE]);
const char *conf_pair_find(const struct conf_pairs *pairs, const char *name); /* its value; NULL: none */
/* Both files of the message key are there. */
bool conf_has_message(const struct conf *c);
/* A label that needs the message key has it: asked at start, for conf_parse looks at no other file. ERR_SYNTAX. */
MUST_CHECK enum err conf_check_message(const struct conf *c, struct why *why);
/* What labels have of their profiles (only_key); conf_parse and conf_preset call it. */
void conf_only_keys(struct conf *c);
/* "iot": P-256 device certificates of 90 days, label onem2m; "it": 397 days, RSA admitted. */
MUST_CHECK enum err conf_preset(struct conf *c, const char *name, struct why *why);
