#include "adapt/issuer/router.h"

static void issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	const struct issuer_router *r = self;
	struct why why = {0};

	if (!order->issuer[0]) {
		r->own->issue(r->own->self, order, done, arg);
	} else if (r->away) {
		away_issue(r->away, order, done, arg);
	} else {
		enum err err = WHY(&why, AWAY_NONE, "", "issuer: want this MEF's own CA, have '%.31s'", order->issuer);
		done(arg, err, NULL, &why);
	}
}

static void sign_crl(void *self, const struct crl_order *order, crl_done done, void *arg)
{
	const struct issuer_router *r = self;

	r->own->sign_crl(r->own->self, order, done, arg);
}

static void make_key(void *self, const struct key_order *order, key_done done, void *arg)
{
	const struct issuer_router *r = self;

	r->own->make_key(r->own->self, order, done, arg);
}

static void sign_cmc(void *self, struct span pki_response, sign_done done, void *arg)
{
	const struct issuer_router *r = self;

	r->own->sign_cmc(r->own->self, pki_response, done, arg);
}

void issuer_router_init(struct issuer_router *r, const struct issuer *own, struct away *away)
{
	*r = (struct issuer_router){.own = own, .away = away};
	r->port = (struct issuer){.self = r, .issue = issue, .sign_crl = sign_crl, .make_key = make_key, .sign_cmc = sign_cmc};
}
