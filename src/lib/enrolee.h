#pragma once
/*
 * libenrolee: a device enrols with an M2M Enrolment Function and renews its certificate (EST, RFC 7030; the
 * enrolment exchange, TS-0003 8.3.2.1). One handle is one device. Man pages are made from this file.
 */
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*** enrolee: enrols a device with a MEF and renews its certificate
 *
 * Make a handle, tell it where to go and what it holds (enrolee_options), and let it run. What is told is copied. Functions that
 * return int return 0, or the number of a stable code: 1802 stands for OMEF-1802. The catalogue of codes comes with the
 * product. The reason is then read by enrolee_error_text(), until the next call with that handle.
 *
 * Threads: one handle is used by one thread at a time; different handles do not meet, but for the directory, which one
 * handle at a time may write (code 1814). Callbacks are called in the thread of the call that needs them, and must not
 * call functions of the same handle but those that their page names. No function may be called from a signal handler.
 *
 * Nothing of the process is changed: no signal handler, locale or umask. The built-in transport initialises libcurl, with an
 * allocator that overwrites what it frees, unless the program has initialised it; a program that uses libcurl itself does that
 * before its threads start.
 *
 * Secrets in this library's own memory are overwritten before it is freed. Where an enrolment exchange is used, the
 * documents that hold its keys pass through a JSON library, whose allocator belongs to the program.
 */

/* One device. */
struct enrolee;

/* What a run is to do, for enrolee_begin() and enrolee_run(). */
enum enrolee_goal {
	ENROLEE_ENROL = 1,    /* a first certificate by EST (RFC 7030 4.2.1), authenticated by ENROLEE_CERTIFICATE, a shared key or a password */
	ENROLEE_RENEW = 2,    /* another certificate with the names of the one in force (RFC 7030 4.2.2) */
	ENROLEE_EXCHANGE = 3  /* the enrolment exchange: symmetric keys, and what the MEF instructs, such as a certificate */
};

/* Kinds of failure; what to do about one stands in its text. */
enum enrolee_kind {
	ENROLEE_OK = 0,
	ENROLEE_SYNTAX = 1,
	ENROLEE_UNSUPPORTED = 2,
	ENROLEE_UNAUTHENTICATED = 3,
	ENROLEE_FORBIDDEN = 4,
	ENROLEE_NOT_FOUND = 5,
	ENROLEE_CONFLICT = 6,
	ENROLEE_LIMIT = 7,
	ENROLEE_EXPIRED = 8,
	ENROLEE_PENDING = 9, /* ask again later; the key of the request is kept */
	ENROLEE_NOMEM = 10,
	ENROLEE_SYSTEM = 11,
	ENROLEE_CRYPTO = 12,
	ENROLEE_STORE = 13,
	ENROLEE_BUG = 14
};

/* The version of the library that runs: "0.1.0". */
const char *enrolee_version(void);

/* A handle without any option; NULL without memory. */
struct enrolee *enrolee_new(void);

/* Ends a run that is under way, leaves its pending key on record, and wipes. NULL is allowed. */
void enrolee_free(struct enrolee *e);

/*
 * Does all of it: steps, HTTPS calls, keys, files, waiting. Blocks until the goal is reached or has failed. A failure
 * replaces nothing; a run that is begun again after one, or after the end of the process, goes on with the same key.
 */
int enrolee_run(struct enrolee *e, enum enrolee_goal goal);

/* "OMEF-1802: what failed: field: want A, have B (clause). Next: ..." in one line, or "" when the last call was good. */
const char *enrolee_error_text(const struct enrolee *e);

/* The number of the code of the last call, 0 when it was good. */
int enrolee_error_code(const struct enrolee *e);

/* The kind of the last call's failure. */
enum enrolee_kind enrolee_error_kind(const struct enrolee *e);

/*** enrolee_options: what a handle is told before it runs
 *
 * Each option may be set again between runs. NULL, or no octets, takes it back.
 */

/* Texts. */
enum enrolee_text {
	ENROLEE_MEF = 1,         /* https://FQDN[:PORT][/.well-known/est[/LABEL]]; for a renewal by default the address enrolled with */
	ENROLEE_DIR = 2,         /* where credentials are kept; needed unless enrolee_set_keystore() is used */
	ENROLEE_CONNECT = 3,     /* HOST:PORT to connect to instead of the address's; the certificate must still name the host */
	ENROLEE_KEY_KIND = 4,    /* of new keys where the MEF has no wish: "P-256" (default), "P-384", "RSA-2048", "RSA-3072", "RSA-4096" */
	ENROLEE_PSK_IDENTITY = 5,/* identifier of ENROLEE_PSK: NAME@MEF-FQDN */
	ENROLEE_TOKEN = 6,       /* Enrolment-Token of the service provider, for an exchange */
	ENROLEE_SUBJECT = 7,     /* what the MEF's subject template leaves to the device, as "OU=plant 3, serialNumber=4711" */
	ENROLEE_ROOT_SHA256 = 8, /* instead of ENROLEE_ANCHORS: 64 hexadecimal digits of the MEF's root, compared by a person (RFC 7030 4.1.1) */
	ENROLEE_SRP_USER = 9     /* instead of ENROLEE_CERTIFICATE: user of ENROLEE_SRP_PASSWORD, to enrol by TLS-SRP (RFC 5054, RFC 7030 3.3.3) */
};

/* Octets. */
enum enrolee_blob {
	ENROLEE_ANCHORS = 1,     /* PEM: explicit trust anchors for the MEF's certificate (RFC 7030 3.6.1); no others are trusted */
	ENROLEE_CERTIFICATE = 2, /* PEM: certificate to authenticate with, then its intermediates */
	ENROLEE_KEY = 3,         /* PEM: its private key, unencrypted; not needed where the caller's transport holds it */
	ENROLEE_PSK = 4,         /* pre-provisioned key Kpm, for an exchange; 16 to 64 octets */
	ENROLEE_IMPLICIT_ANCHORS = 5, /* PEM, instead of ENROLEE_ANCHORS: they authenticate the server while the explicit ones are
	                              * fetched, and count no more afterwards (RFC 7030 3.6.2) */
	ENROLEE_SRP_PASSWORD = 6 /* 1 to 256 octets without NUL; from a file without the line's end. It authenticates both sides, on TLS 1.2; the
	                          * anchors come by that session */
};

/* Numbers. */
enum enrolee_number {
	ENROLEE_REUSE_KEY = 1,      /* 1: renew with the key in force */
	ENROLEE_TLS12_ONLY = 2,     /* 1: no TLS 1.3 */
	ENROLEE_NO_WAIT = 3,        /* 1: enrolee_run() ends with kind ENROLEE_PENDING where the MEF says "later" */
	ENROLEE_TIMEOUT_S = 4,      /* of one HTTPS call; 0: 60 */
	ENROLEE_NO_CERTIFICATE = 5, /* 1: an exchange takes no certificate */
	ENROLEE_NO_MAF = 6,         /* 1: an exchange takes no MAF */
	ENROLEE_EXPIRY_S = 7,       /* Enrolment Expiry: keys of an exchange end then at the latest; 0: when the MEF says */
	ENROLEE_AGAIN = 8,          /* 1: an exchange authenticates by the re-authentication key of the last one */
	ENROLEE_LINK_SESSION = 9,   /* 1: link the request to the TLS session (RFC 7030 3.5) also where the MEF does not ask for it */
	ENROLEE_SERVER_KEY = 10,    /* the MEF makes the key (RFC 7030 4.4): 1: plain over TLS; 2: encrypted for the shared key of an exchange,
	                             * else for the key of ENROLEE_CERTIFICATE */
	ENROLEE_CMC = 11            /* 1: ask by a message that ENROLEE_KEY, or the key in force, signs (full CMC, RFC 7030 4.3); not by a shared key */
};

/* Sets a text; it ends with NUL and holds at most 4095 octets. */
int enrolee_set_text(struct enrolee *e, enum enrolee_text what, const char *text);

/* Sets octets; at most 512 KiB. */
int enrolee_set_blob(struct enrolee *e, enum enrolee_blob what, const void *p, size_t n);

/* The same from a file. One that holds a key must be readable by its owner only. */
int enrolee_set_file(struct enrolee *e, enum enrolee_blob what, const char *path);

/* Sets a number; negative ones are refused. */
int enrolee_set_number(struct enrolee *e, enum enrolee_number what, int64_t value);

/* The caller's time. Give size as sizeof(struct enrolee_clock). */
struct enrolee_clock {
	size_t size;
	void *arg;
	int64_t (*unix_s)(void *arg);  /* seconds since 1970 UTC */
	int64_t (*mono_ms)(void *arg); /* milliseconds that never go back */
};

/* Instead of the system's clocks; NULL: those again. Certificates are judged by it. */
int enrolee_set_clock(struct enrolee *e, const struct enrolee_clock *clock);

/*
 * Fills out with n unpredictable octets and returns 0. Called at the start of every run; what comes is mixed into the
 * generator of the crypto library, which is the process's, before a key is made. It adds and never replaces: the crypto
 * library seeds itself from the kernel as well. Who must make keys from nothing but their own source makes them in their own
 * key store (enrolee_keystore). Any other return value ends the run.
 */
typedef int (*enrolee_random)(void *arg, unsigned char *out, size_t n);

/* Adds a source of randomness; NULL: none. */
int enrolee_set_random(struct enrolee *e, enrolee_random fill, void *arg);

/* Waits for that many seconds and returns 0, or another value to end the run with kind ENROLEE_PENDING. */
typedef int (*enrolee_wait)(void *arg, int64_t seconds);

/* How enrolee_run() and enrolee_perform() wait; NULL: they sleep. */
int enrolee_set_wait(struct enrolee *e, enrolee_wait wait, void *arg);

/* A step begins: its description, in English, for people. */
typedef void (*enrolee_progress)(void *arg, const char *step);

/* Whom to tell of steps; NULL: nobody. */
int enrolee_set_progress(struct enrolee *e, enrolee_progress tell, void *arg);

/*** enrolee_steps: a run in steps, for programs with an event loop
 *
 * enrolee_begin() starts a run; enrolee_next() tells the action that is due, as a value, and does nothing; the caller carries
 * it out and feeds what came of it, or has the library do so by enrolee_perform(). enrolee_begin() reads what is in force; besides
 * it only enrolee_perform() touches network or files. So a program that performs HTTPS calls and waits in its own way handles ENROLEE_CALL and
 * ENROLEE_WAIT, and leaves the rest to enrolee_perform(). What comes back is checked by the library, whoever fetched it.
 *
 * All calls of one run belong on one TLS connection where that can be had. A result fed out of turn ends the run with
 * ENROLEE_BUG.
 */

enum enrolee_action_kind {
	ENROLEE_ACTION_CALL = 1,     /* an HTTPS call: fill enrolee_response(), then enrolee_feed_response() */
	ENROLEE_ACTION_MAKE_KEY = 2, /* make a key pair and keep it on record: enrolee_feed_key() */
	ENROLEE_ACTION_INSTALL = 3,  /* put the new credentials in force, all at once: enrolee_feed_installed() */
	ENROLEE_ACTION_WAIT = 4,     /* enrolee_feed_waited() after that many seconds */
	ENROLEE_ACTION_DONE = 5,
	ENROLEE_ACTION_FAILED = 6    /* the reason: enrolee_error_text() */
};

struct enrolee_octets {
	const unsigned char *p;
	size_t n;
};

struct enrolee_request;

/* What is due. Valid until the next call with the handle. Later versions may append members. */
struct enrolee_action {
	enum enrolee_action_kind kind;
	const char *step;                      /* for people */
	const struct enrolee_request *request; /* ENROLEE_ACTION_CALL: see enrolee_transport */
	const char *key_kind;                  /* ENROLEE_ACTION_MAKE_KEY: "P-256" and so on; NULL: use the key in force */
	int64_t wait_s;                        /* ENROLEE_ACTION_WAIT */
};

/* Checks the options and what is held, and starts; a run that is under way ends. */
int enrolee_begin(struct enrolee *e, enum enrolee_goal goal);

/* The action that is due; never NULL. Without a run it is ENROLEE_ACTION_FAILED. */
const struct enrolee_action *enrolee_next(struct enrolee *e);

/* Carries out the action that is due with what the handle has: transport, key store or directory, wait. May block. */
int enrolee_perform(struct enrolee *e);

struct enrolee_response;

/* The answer to the call that is due, empty each time it is asked for; filled by the functions of enrolee_transport. */
struct enrolee_response *enrolee_response(struct enrolee *e);

/* The answer is filled. The server's certificates are judged first: by anchors, dates and host name. */
int enrolee_feed_response(struct enrolee *e);

/* No answer came. An exchange asks again a few times; EST ends. text: why, for people. */
int enrolee_feed_lost(struct enrolee *e, const char *text);

struct enrolee_key;

/* The key that the caller made; its description is copied, and its key store signs (enrolee_keystore). */
int enrolee_feed_key(struct enrolee *e, const struct enrolee_key *key);

/* What enrolee_installation() told is in force. */
int enrolee_feed_installed(struct enrolee *e);

/* The time is over. */
int enrolee_feed_waited(struct enrolee *e);

/* The action cannot be carried out: the run ends. text: why, for people. */
int enrolee_feed_failure(struct enrolee *e, const char *text);

/*** enrolee_transport: HTTPS calls by the caller's own means
 *
 * The callback performs one HTTPS exchange and fills the response. It must not follow redirects or use anchors other than those
 * of the request. It proves possession of the client's key, of the shared key or of the password, whichever the request names, and
 * reports the certificates that the server showed; without them the answer counts for nothing, unless a shared
 * key or the password authenticated both sides. The library judges them again before it believes the answer, but what was sent has been
 * sent by then: a transport that does not check the server itself gives the request away.
 */

enum enrolee_method {
	ENROLEE_GET = 1,
	ENROLEE_POST = 2,
	ENROLEE_PUT = 3,
	ENROLEE_DELETE = 4
};

/* One HTTPS exchange. Later versions may append members. */
struct enrolee_request {
	enum enrolee_method method;
	const char *url;
	const char *media_type;             /* of the body; NULL: no body */
	const char *accept;                 /* NULL: anything */
	struct enrolee_octets body;         /* may hold a secret */
	int base64;                         /* 1: send Content-Transfer-Encoding: base64 */
	const char *connect;                /* HOST:PORT to connect to, or NULL */
	struct enrolee_octets anchors;      /* PEM */
	int provisional;                    /* 1: no anchors yet; whoever answers is believed nothing but what a fingerprint confirms */
	struct enrolee_octets certificate;  /* PEM, client certificate and intermediates; empty: none */
	struct enrolee_octets key;          /* PEM; empty where the caller's key store holds it */
	const char *psk_identity;           /* NULL: by certificates */
	struct enrolee_octets psk;
	int tls12_only;
	int64_t timeout_s;
	/* RFC 5705: labels to export 48 octets for, without context, from the TLS session of this call */
	const char *export_labels[2];
	size_t export_labels_n;
	int bindings; /* 1: tell the channel bindings, where the transport can: enrolee_response_bindings() */
	const char *srp_user;               /* NULL: not by password; else TLS-SRP, with groups of 2048 bits or more */
	struct enrolee_octets srp_password;
};

/* What a transport returns. */
enum enrolee_outcome {
	ENROLEE_ANSWERED = 0, /* any status */
	ENROLEE_LOST = 1,     /* no connection or no whole answer: another try may help */
	ENROLEE_REFUSED = 2   /* the server is not trusted, or does not accept this device: no other try */
};

/* Give size as sizeof(struct enrolee_transport). */
struct enrolee_transport {
	size_t size;
	void *arg;
	/* May call the enrolee_response_ functions, with that response. */
	enum enrolee_outcome (*exchange)(void *arg, const struct enrolee_request *request, struct enrolee_response *response);
};

/* Instead of the built-in one (libcurl); NULL: that again. */
int enrolee_set_transport(struct enrolee *e, const struct enrolee_transport *transport);

/* The HTTP status. */
void enrolee_response_status(struct enrolee_response *r, unsigned int status);

/* Content-Type as it came. */
void enrolee_response_media_type(struct enrolee_response *r, const char *media_type);

/* Location of a redirection, as absolute URI. The library decides whether to go there. */
void enrolee_response_location(struct enrolee_response *r, const char *uri);

/* Retry-After in seconds. */
void enrolee_response_retry_after(struct enrolee_response *r, int64_t seconds);

/* Appends to the body; at most 1 MiB in all, 0 when it fits. It is wiped afterwards. */
int enrolee_response_body(struct enrolee_response *r, const void *p, size_t n);

/* A certificate that the server showed in the handshake, DER, leaf first; at most 9, 0 when it fits. */
int enrolee_response_certificate(struct enrolee_response *r, const void *der, size_t n);

/* The octets exported for the label of that index, 48 of them; 0 when they fit. */
int enrolee_response_exported(struct enrolee_response *r, size_t index, const void *p, size_t n);

/*
 * Channel bindings of the TLS session of this call: tls-unique (RFC 5929, on TLS 1.2) and tls-exporter (RFC 9266); n 0 for
 * one that there is none of. At most 64 octets each, 0 when they fit. A MEF may demand that the request carries one.
 */
int enrolee_response_bindings(struct enrolee_response *r, const void *unique, size_t unique_n, const void *exporter, size_t exporter_n);

/* Why there is no answer, for people. */
void enrolee_response_reason(struct enrolee_response *r, const char *text);

/*** enrolee_keystore: keys and credentials in the caller's own store
 *
 * For devices whose keys live in hardware, or whose credentials live elsewhere than in files. All callbacks but keep_request are needed; each returns 0,
 * or another value to end the run (ENROLEE_NONE where there is no such thing). The built-in transport needs the key
 * itself as PEM, so a device that authenticates by a key in hardware supplies its transport too.
 */

/* A key that the store holds. Public parts are copied. */
struct enrolee_key {
	void *ref;                  /* the store's own name for it; handed back for signing */
	struct enrolee_octets spki; /* DER SubjectPublicKeyInfo of an EC key on P-256 or P-384, or an RSA key */
};

/* What a store keeps, and what enrolee_held() and enrolee_path() read. */
enum enrolee_item {
	ENROLEE_ITEM_KEY = 1,         /* PEM private key; a store with keys in hardware has none */
	ENROLEE_ITEM_CERTIFICATE = 2, /* PEM */
	ENROLEE_ITEM_CHAIN = 3,       /* PEM, intermediates */
	ENROLEE_ITEM_ANCHORS = 4,     /* PEM */
	ENROLEE_ITEM_MEF = 5,         /* address, text without NUL */
	ENROLEE_ITEM_SYMMETRIC = 6,   /* JSON, keys of an exchange: secret */
	ENROLEE_ITEM_REQUEST = 7      /* JSON, the request that waits at the MEF, beside the pending key */
};

enum { ENROLEE_NONE = -1 };

/* Credentials to put in force together; what is empty stays as it was. Later versions may append members. */
struct enrolee_installation {
	void *key_ref;                     /* NULL: no new key, or key_pem */
	struct enrolee_octets key_pem;     /* where the key is not the store's own */
	struct enrolee_octets certificate; /* PEM */
	struct enrolee_octets chain;       /* PEM; with a certificate also in force when empty */
	struct enrolee_octets anchors;     /* PEM */
	const char *mef;
	struct enrolee_octets symmetric;   /* JSON: secret */
};

/* Appends to what a store's read callback is asked for. */
typedef int (*enrolee_put)(void *to, const void *p, size_t n);

/* Give size as sizeof(struct enrolee_keystore). Strings and octets are the caller's again when a callback returns. */
struct enrolee_keystore {
	size_t size;
	void *arg;
	/*
	 * A key of that kind ("P-256") for a request: the pending one, if there is one of that kind, else a new one, which
	 * is on record as pending before this returns. kind NULL: the key in force. out stays valid until the run ends.
	 */
	int (*make_key)(void *arg, const char *kind, struct enrolee_key *out);
	/*
	 * Signs a digest of SHA-256 (32 octets) or, by a P-384 key, SHA-384 (48): ECDSA as DER, or RSA PKCS#1 v1.5 with
	 * the DigestInfo of SHA-256. *sig_n is the room (512) and then the length.
	 */
	int (*sign)(void *arg, void *ref, const unsigned char *digest, size_t digest_n, unsigned char *sig, size_t *sig_n);
	/*
	 * Keeps a request (ENROLEE_ITEM_REQUEST) durably: a MEF at which it waits for a person knows it again by its very octets.
	 * NULL: none is kept, and a device that is switched off meanwhile asks anew.
	 */
	int (*keep_request)(void *arg, const void *p, size_t n);
	/* All or nothing, durable before it returns. The pending key is then in force, or gone; the request is gone. */
	int (*install)(void *arg, const struct enrolee_installation *what);
	/* What is in force: put(to, p, n) once or more; ENROLEE_NONE when there is none. */
	int (*read)(void *arg, enum enrolee_item item, enrolee_put put, void *to);
};

/* Instead of the directory; NULL: that again. */
int enrolee_set_keystore(struct enrolee *e, const struct enrolee_keystore *store);

/* What ENROLEE_ACTION_INSTALL is to put in force; NULL when another action is due. Valid as long as that action. */
const struct enrolee_installation *enrolee_installation(struct enrolee *e);

/*** enrolee_status: what is held, and its use for TLS
 *
 * These read what is in force in the directory or the key store, and need no run.
 */

enum enrolee_state {
	ENROLEE_STATE_NONE = 0,    /* no certificate */
	ENROLEE_STATE_GOOD = 1,
	ENROLEE_STATE_DUE = 2,     /* good, and past two thirds of its lifetime: time to renew */
	ENROLEE_STATE_EXPIRED = 3,
	ENROLEE_STATE_NOT_YET = 4  /* its time has not begun, by this clock */
};

/* Set size to sizeof(struct enrolee_status) before the call. Texts are cut where they do not fit. */
struct enrolee_status {
	size_t size;
	enum enrolee_state state;
	char subject[512]; /* RFC 4514 text */
	char serial[64];   /* hexadecimal */
	int64_t not_before_s;
	int64_t not_after_s;
	int64_t renew_from_s;
	int64_t days_left;      /* whole days; 0 when expired */
	int has_symmetric;      /* 1: keys of an exchange are held */
	char keid[384];         /* identifier of the Enrolment Key */
	int64_t symmetric_until_s;
	int has_request;           /* 1: a request waits at the MEF; run the same goal again at request_again_s */
	int64_t request_since_s;
	int64_t request_again_s;   /* 0: the MEF has not said */
	char request_said[320];    /* by the MEF, for people */
};

/* Tells what is held; nothing at all is state ENROLEE_STATE_NONE. */
int enrolee_status(struct enrolee *e, struct enrolee_status *out);

/*
 * An item as octets; *p_out ends with a NUL that does not count. The handle owns it until the same item is asked for again,
 * and wipes it.
 */
int enrolee_held(struct enrolee *e, enum enrolee_item item, const unsigned char **p_out, size_t *n_out);

/*
 * The file of an item below ENROLEE_DIR, for TLS libraries that take file names: key, certificate, chain, anchors. The name
 * stays right after renewals. ENROLEE_LIMIT when out is too small.
 */
int enrolee_path(struct enrolee *e, enum enrolee_item item, char *out, size_t size);

/* Whose certificate a peer's chain is. */
enum enrolee_peer {
	ENROLEE_PEER_ANY = 0,
	ENROLEE_PEER_CLIENT = 1,
	ENROLEE_PEER_SERVER = 2
};

/*
 * Judges a peer's chain (DER, leaf first) by the anchors that are held: path, dates, use; and the name, unless host is
 * NULL. 0 when it is good.
 */
int enrolee_verify(struct enrolee *e, enum enrolee_peer peer, const char *host, const struct enrolee_octets *chain, size_t n);

/*** enrolee_symmetric: the keys that an enrolment exchange left
 *
 * Keys that have expired are never given out (ENROLEE_EXPIRED).
 */

enum enrolee_granted_kind {
	ENROLEE_GRANTED_MAF = 1,  /* a MAF: target is its FQDN */
	ENROLEE_GRANTED_PAIR = 2  /* an authorised pair: target is Enrolee B's CSE-ID or AE-ID */
};

/* Whom the MEF granted a key with. Later versions may append members. */
struct enrolee_granted {
	enum enrolee_granted_kind kind;
	const char *target;
	const char *keid;
	const unsigned int *suids; /* security usages (TS-0004 6.3.4.2.39) */
	size_t suids_n;
};

/* Returns 0 to go on. */
typedef int (*enrolee_granted_fn)(void *arg, const struct enrolee_granted *granted);

/* Tells each grant; ends early, and returns that value, when the callback returns another than 0. */
int enrolee_each_granted(struct enrolee *e, enrolee_granted_fn each, void *arg);

/*
 * The key for one usage with one target that was granted (TS-0003 10.3.7). *n_out is the room in key_out and then the length;
 * 32 octets suffice. The caller wipes it.
 */
int enrolee_derive(struct enrolee *e, unsigned int suid, const char *target, unsigned char *key_out, size_t *n_out);

#ifdef __cplusplus
}
#endif
