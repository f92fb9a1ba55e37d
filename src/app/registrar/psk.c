#include "app/registrar/registrar.h"

#include "net/log.h"

#include <stdio.h>

enum { TELL_AFTER_MS = 1000 };

/*
 * Told a second later, in one line for all: a line written before the answer leaves would show in the time of
 * the answer that the identity is unknown (RFC 4279 3).
 */
static void on_tell(void *arg)
{
	struct registrar *r = arg;
	char times[16];

	snprintf(times, sizeof(times), "%u", r->unknown.times);
	log_event(LOG_WARN_, "unknown psk_identity", "last", r->unknown.last, "times", times, NULL);
	r->unknown.times = 0;
}

static void remember(struct registrar *r, struct span identity, bool known)
{
	char shown[sizeof(r->unknown.last)];

	/* the same steps for a known one */
	snprintf(shown, sizeof(shown), "%.*s", SPAN_FMT(span_first(identity, sizeof(shown) - 1)));
	if (known)
		return;
	memcpy(r->unknown.last, shown, sizeof(shown));
	if (r->unknown.times++ == 0)
		loop_timer_set(r->unknown.timer, TELL_AFTER_MS);
}

void registrar_psk(struct registrar *r, struct span identity, void (*done)(void *arg, const struct secret *key), void *arg)
{
	enum psk_realm realm = r->env.realm == BIND_MAF ? PSK_REALM_MAF : PSK_REALM_MEF;
	struct secret key OWNED_SECRET = {0};
	struct why why = {0};
	bool known = false;

	if (r->maf) {
		maf_psk(r->maf, identity, done, arg);
		return;
	}
	if (psk_find(&r->vault, &r->decoy, realm, identity, clock_unix_s(&r->clock), &key, &known, &why) == OK) {
		remember(r, identity, known);
		done(arg, &key);
		return;
	}
	/* With the store out of order every identity looks unknown. */
	r->env.fault(r->env.told_arg, &why);
	done(arg, &r->decoy.key);
}

void registrar_srp(struct registrar *r, struct span user, struct srp_record *out)
{
	struct why why = {0};
	bool known = false;

	if (srp_find(&r->vault, &r->srp_decoy, user, clock_unix_s(&r->clock), out, &known, &why) == OK) {
		remember(r, user, known);
		return;
	}
	r->env.fault(r->env.told_arg, &why);
	srp_decoy_make(&r->srp_decoy, user, out); /* with the store out of order every user looks unknown */
}

enum err registrar_psk_start(struct registrar *r, struct why *why)
{
	return loop_timer_new(r->loop, on_tell, r, &r->unknown.timer, why);
}
