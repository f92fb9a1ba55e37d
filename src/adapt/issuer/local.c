#include "adapt/issuer/local.h"

static void issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct issuer_local *s = self;
	struct buf der OWNED_BUF = BUF(CERT_DER_MAX);
	struct issue_result result = {0};
	struct why why = {0};

	enum err err = ca_issue(s->ca, order, clock_unix_s(s->clock), &der, &result, &why);
	done(arg, err, err == OK ? &result : NULL, &why);
}

static void sign_crl(void *self, const struct crl_order *order, crl_done done, void *arg)
{
	struct issuer_local *s = self;
	struct buf der OWNED_BUF = BUF(ISSUER_LOCAL_CRL_MAX);
	struct why why = {0};

	enum err err = ca_sign_crl(s->ca, order, clock_unix_s(s->clock), &der, &why);
	done(arg, err, err == OK ? buf_span(&der) : (struct span){0}, &why);
}

static enum err want_message(const struct issuer_local *s, struct why *why)
{
	return s->message ? OK : WHY(why, MESSAGE_NONE, "", "[ca] message_key: want one, have none");
}

static void make_key(void *self, const struct key_order *order, key_done done, void *arg)
{
	struct issuer_local *s = self;
	struct made_key_bytes bytes __attribute__((cleanup(made_key_bytes_fini))) = MADE_KEY_BYTES;
	struct why why = {0};

	enum err err = want_message(s, &why);
	if (err == OK)
		err = message_make_key(s->message, order, clock_unix_s(s->clock), &bytes, &why);
	const struct made_key key = made_key_view(&bytes);
	done(arg, err, err == OK ? &key : NULL, &why);
}

static void sign_cmc(void *self, struct span pki_response, sign_done done, void *arg)
{
	struct issuer_local *s = self;
	struct buf der OWNED_BUF = BUF(MESSAGE_SIGNED_MAX);
	struct why why = {0};

	enum err err = want_message(s, &why);
	if (err == OK)
		err = message_sign_cmc(s->message, pki_response, clock_unix_s(s->clock), &der, &why);
	done(arg, err, err == OK ? buf_span(&der) : (struct span){0}, &why);
}

void issuer_local_init(struct issuer_local *s, const struct ca *ca, const struct clock *clock)
{
	*s = (struct issuer_local){
		.ca = ca,
		.clock = clock,
		.issuer = {.self = s, .issue = issue, .sign_crl = sign_crl, .make_key = make_key, .sign_cmc = sign_cmc},
	};
}
