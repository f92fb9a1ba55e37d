/* One order on its way to an upstream CA: what is sent again, what not, and what its answer means. */
#include "app/caller/ra.h"

#include "base/mem.h"
#include "net/log.h"
#include "pki/cms.h"
#include "pki/csr.h"
#include "proto/est/body.h"

#include <stdio.h>

struct attempt {
	struct upstream *up;
	struct away_job *job;
	struct buf csr, body;
	struct loop_timer *timer; /* runs between two tries */
	int64_t deadline_ms;
	int tries;
	struct attempt *next, **at;
};

enum { HTTP_OK = 200, HTTP_ACCEPTED = 202, HTTP_TOO_MANY = 429, HTTP_FAILED = 500, HTTP_UNAVAILABLE = 503, SHOWN_MAX = 180 };

static int64_t now_ms(const struct upstream *up)
{
	return clock_mono_ms(&up->ra->clock);
}

void ra_tell(struct ra *ra, enum err err, const char *event, const struct why *why)
{
	int64_t second = clock_mono_ms(&ra->clock) / 1000;

	if (second != ra->told_second)
		ra->told = 0;
	ra->told_second = second;
	if (ra->told++ < RA_TOLD_PER_S)
		log_why(err <= ERR_PENDING ? LOG_INFO_ : LOG_WARN_, event, why);
}

static void attempt_free(struct attempt *a)
{
	*a->at = a->next;
	if (a->next)
		a->next->at = a->at;
	loop_timer_free(a->timer);
	buf_fini(&a->csr);
	buf_fini(&a->body);
	mem_free(a);
}

/* Where addresses may have changed, the next caller looks; nobody waits for this one. */
static void end_when_stale(struct ra *ra)
{
	if (!ra->stale || ra->attempts || clock_mono_ms(&ra->clock) - ra->resolved_ms < RA_RESOLVED_MS)
		return;
	log_event(LOG_INFO_, "names of upstream CAs are resolved anew", NULL);
	loop_stop(ra->loop);
}

static void attempt_refuse(struct attempt *a, const struct why *why)
{
	struct ra *ra = a->up->ra;

	ra_tell(ra, why->kind, "no certificate from an upstream CA", why);
	away_refuse(a->job, why);
	attempt_free(a);
	end_when_stale(ra);
}

static uint32_t bounded_s(int64_t seconds, uint32_t otherwise)
{
	if (seconds <= 0)
		return otherwise;
	return seconds > RA_RETRY_MAX_S ? RA_RETRY_MAX_S : (uint32_t)seconds;
}

/* The upstream is not well: it counts against the circuit, and the client comes again. */
static void attempt_unavailable(struct attempt *a, uint32_t retry_s, const char *text)
{
	struct why why = {0};

	breaker_bad(&a->up->breaker, now_ms(a->up));
	(void)!WHY(&why, AWAY_UNAVAILABLE, "RFC 9110 15.6.4", "issuer '%s': %s", a->up->conf->name, text);
	why.retry_s = retry_s;
	attempt_refuse(a, &why);
}

static void send(struct attempt *a);

static void on_again(void *arg)
{
	send(arg);
}

/* Only what the upstream surely did not act on goes out again. False: no time or no try is left. */
static bool again(struct attempt *a, int64_t after_s)
{
	int64_t wait_ms = (int64_t)RA_BACKOFF_MS << (a->tries - 1);

	if (after_s > 0 && after_s * 1000 > wait_ms)
		wait_ms = after_s < RA_RETRY_MAX_S ? after_s * 1000 : INT32_MAX;
	if (a->tries >= RA_TRIES_MAX || now_ms(a->up) + wait_ms >= a->deadline_ms)
		return false;
	loop_timer_set(a->timer, wait_ms);
	return true;
}

/*
 * RFC 9110 9.2.2: no answer to a POST that went out says nothing of what became of it. The certificate may have been
 * issued, so the MEF does not repeat it; the client may, with the same request (RFC 7030 4.2.3).
 */
static void on_unreached(struct attempt *a, bool sent, const struct why *cause)
{
	char text[WHY_TEXT_MAX];

	a->up->ra->stale = true;
	if (!sent && cause->kind > ERR_PENDING && again(a, 0))
		return;
	snprintf(text, sizeof(text), "%s%.*s", sent ? "sent, but no answer; it may have issued: " : "", SHOWN_MAX, cause->text);
	attempt_unavailable(a, RA_RETRY_S, text);
}

/* The certificate for the key of the request, where others came with it (RFC 7030 4.2.3 allows none). */
static enum err pick(const struct attempt *a, struct span cms, struct span *out, struct why *why)
{
	struct span certs[CMS_CERTS_MAX];
	struct csr csr = {0};
	size_t n = 0;

	TRY(csr_parse(buf_span(&a->csr), &csr, why));
	TRY(cms_certs_parse(cms, certs, CMS_CERTS_MAX, &n, why));
	if (n == 0)
		return WHY(why, AWAY_ANSWER, "RFC 7030 4.2.3", "certs-only message: want a certificate, have none");
	*out = certs[0];
	for (size_t i = 0; i < n; i++) {
		struct cert cert = {0};
		struct why unread = {0};
		if (cert_parse(certs[i], &cert, &unread) == OK && span_equal(cert.spki, csr.spki))
			*out = certs[i];
	}
	return OK;
}

static void on_certs(struct attempt *a, struct span body)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct ra *ra = a->up->ra;
	struct span cert = {0};
	struct why cause = {0}, why = {0};

	enum err err = est_body_der(body, &der, &cause);
	if (err == OK)
		err = pick(a, buf_span(&der), &cert, &cause);
	if (err != OK) {
		breaker_bad(&a->up->breaker, now_ms(a->up));
		(void)!WHY(&why, AWAY_ANSWER, cause.clause, "issuer '%s': %.*s", a->up->conf->name, SHOWN_MAX, cause.text);
		attempt_refuse(a, &why);
		return;
	}
	breaker_good(&a->up->breaker);
	away_done(a->job, cert);
	attempt_free(a);
	end_when_stale(ra);
}

static void on_waits(struct attempt *a, int64_t retry_after_s)
{
	struct why why = {0};

	breaker_good(&a->up->breaker);
	/* RFC 7030 4.2.3: the client sends the same request again, and so does this MEF then */
	(void)!WHY(&why, AWAY_WAITS, "RFC 7030 4.2.3", "issuer '%s': the request waits there", a->up->conf->name);
	why.retry_s = bounded_s(retry_after_s, RA_WAIT_S);
	attempt_refuse(a, &why);
}

/* RFC 7030 4.2.3: what the body says is for people. */
static void on_refused(struct attempt *a, const struct fetch_many_reply *reply)
{
	struct span line = span_first(reply->body, span_find(reply->body, '\n'));
	struct why why = {0};

	breaker_good(&a->up->breaker);
	(void)!WHY(&why, AWAY_REFUSED, "RFC 7030 4.2.3", "issuer '%s': HTTP status %u: %.*s", a->up->conf->name, reply->status,
		SPAN_FMT(span_first(line, SHOWN_MAX)));
	attempt_refuse(a, &why);
}

static void on_told(void *arg, enum err err, const struct fetch_many_reply *reply, const struct why *why)
{
	struct attempt *a = arg;
	char text[64];

	snprintf(text, sizeof(text), "HTTP status %u", reply->status);
	if (err != OK) {
		on_unreached(a, reply->sent, why);
	} else if (reply->status == HTTP_OK) {
		on_certs(a, reply->body);
	} else if (reply->status == HTTP_ACCEPTED) {
		on_waits(a, reply->retry_after_s);
	} else if (reply->status == HTTP_UNAVAILABLE || reply->status == HTTP_TOO_MANY) {
		/* RFC 9110 15.6.4: it says itself that it did not act on it */
		if (!again(a, reply->retry_after_s))
			attempt_unavailable(a, bounded_s(reply->retry_after_s, RA_RETRY_S), text);
	} else if (reply->status >= HTTP_FAILED || reply->status < HTTP_FAILED - 100) {
		attempt_unavailable(a, RA_RETRY_S, text);
	} else {
		on_refused(a, reply);
	}
}

/*
 * RFC 7030 4.2.1: simpleenroll also for renewals. simplereenroll (4.2.2) takes who asks from the certificate that is
 * renewed, which is the client's to show, not a registration authority's.
 */
static void send(struct attempt *a)
{
	char path[sizeof(a->up->path) + 32];
	int64_t left_ms = a->deadline_ms - now_ms(a->up);
	const struct fetch_many_ask ask = {.path = path,
		.media_type = EST_MEDIA_PKCS10,
		.body = buf_span(&a->body),
		.timeout_ms = left_ms > 0 ? left_ms : 1};

	snprintf(path, sizeof(path), "%s/simpleenroll", a->up->path);
	a->tries++;
	fetch_many_send(a->up->drive.many, 0, &ask, on_told, a);
}

static enum err attempt_new(struct upstream *up, struct away_job *job, struct span csr, struct attempt **out, struct why *why)
{
	struct attempt *a = mem_alloc(sizeof(*a));

	if (!a)
		return WHY(why, NOMEM, "", "order: want %zu bytes", sizeof(*a));
	*a = (struct attempt){.up = up, .job = job, .csr = BUF(CSR_DER_MAX), .body = BUF(2 * CSR_DER_MAX),
		.deadline_ms = now_ms(up) + up->conf->timeout_s * 1000, .next = up->ra->attempts, .at = &up->ra->attempts};
	if (a->next)
		a->next->at = &a->next;
	up->ra->attempts = a;
	buf_put_span(&a->csr, csr);
	est_body_write_request(&a->body, csr);
	enum err err = buf_check(&a->body, "request", why);
	if (err == OK)
		err = buf_check(&a->csr, "request", why);
	if (err == OK)
		err = loop_timer_new(up->ra->loop, on_again, a, &a->timer, why);
	if (err != OK)
		attempt_free(a);
	else
		*out = a;
	return err;
}

static enum err start(struct ra *ra, struct away_job *job, const struct away_order *order, struct attempt **out, struct why *why)
{
	struct upstream *up = NULL;
	uint32_t wait_s = 0;

	for (size_t i = 0; i < ra->n && !up; i++) {
		if (strcmp(ra->upstreams[i].conf->name, order->issuer) == 0)
			up = &ra->upstreams[i];
	}
	if (!up)
		return WHY(why, AWAY_NONE, "", "issuer: want one of kind est, have '%s'", order->issuer);
	TRY(attempt_new(up, job, order->csr, out, why));
	if (breaker_admit(&up->breaker, now_ms(up), &wait_s))
		return OK;
	attempt_free(*out);
	enum err err = WHY(why, AWAY_OPEN, "RFC 9110 15.6.4", "issuer '%s': want an answer to one of its last orders, have failures only",
		up->conf->name);
	why->retry_s = wait_s;
	return err;
}

void ra_take(void *arg, struct away_job *job, const struct away_order *order)
{
	struct attempt *a = NULL;
	struct why why = {0};

	if (start(arg, job, order, &a, &why) == OK)
		send(a);
	else
		away_refuse(job, &why);
}

void ra_drop_attempts(struct ra *ra)
{
	struct why why = {0};

	(void)!WHY(&why, AWAY_UNAVAILABLE, "", "the caller ends");
	while (ra->attempts) {
		away_refuse(ra->attempts->job, &why);
		attempt_free(ra->attempts);
	}
}
