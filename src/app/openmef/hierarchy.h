#pragma once
/* The CA hierarchy that `init` makes: root -> issuing CA -> TLS server certificate. Values only, no files. */
#include "base/secret.h"
#include "core/registry/form.h"
#include "pki/build.h"
#include "port/random.h"

enum {
	ROOT_YEARS = 25,
	ISSUING_YEARS = 12,
	TLS_DAYS = 730, /* renewed by `openmef ca tls`; status warns from 30 days before */
};

struct authority {
	struct key *key;   /* owned */
	struct buf cert;   /* DER */
	struct cert view;  /* of cert */
};

void authority_fini(struct authority *a);
#define OWNED_AUTHORITY __attribute__((cleanup(authority_fini)))

struct hierarchy_ask {
	const char *fqdn;
	enum key_spec key;
	int64_t now_s;
	const struct random_source *random;
	const char *const *permit; /* name constraints of the issuing CA */
	size_t permit_n;
	const char *const *alt; /* further DNS names of the TLS certificate */
	size_t alt_n;
	int days;         /* of the TLS certificate; 0: TLS_DAYS */
	bool client_auth; /* it also proves who calls other servers */
	struct span subject;     /* DER Name of the CA; empty: made of fqdn */
	const char *issuing;     /* instead of "Issuing CA"; NULL: that */
	struct span constraints; /* of the issuing CA, instead of permit: DER NameConstraints */
	struct key **reuse; /* of the TLS certificate, taken; NULL: a new one is made */
};

/* The issuing CA of a directory; its files and the master key are read. Defined in ca_tls.c. */
struct conf;
/* The further DNS names of the server certificate in force. Defined in ca_tls.c. */
struct further {
	char names[SAN_MAX][FORM_SIZE];
	const char *list[SAN_MAX];
	size_t n;
};
MUST_CHECK enum err hierarchy_names_in_force(const struct conf *conf, struct further *f, struct why *why);
MUST_CHECK enum err hierarchy_load_issuer(const struct conf *conf, struct authority *out, struct why *why);
/* parent NULL: a self-signed root. */
MUST_CHECK enum err hierarchy_ca(const struct hierarchy_ask *ask, const struct authority *parent,
	struct authority *out, struct why *why);
/* End entity under the issuer: id-kp-cmcCA and emailProtection, so that `openssl cms -verify` takes it. */
#define HIERARCHY_MESSAGE_LABEL "mef-message" /* of key_file_passphrase */
MUST_CHECK enum err hierarchy_message(const struct hierarchy_ask *ask, const struct authority *issuer,
	struct authority *out, struct why *why);
/*
 * RFC 4210 4.4: the key of one root certified by the other, under the name that both bear. Valid from `of` on and as
 * long as both are. ERR_CONFLICT unless their names are equal.
 */
MUST_CHECK enum err hierarchy_cross(const struct hierarchy_ask *ask, const struct authority *of, const struct authority *by,
	struct authority *out, struct why *why);
MUST_CHECK enum err hierarchy_tls(const struct hierarchy_ask *ask, const struct authority *issuer,
	struct authority *out, struct why *why);
