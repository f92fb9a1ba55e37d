#include "core/enrol/certificate.h"

#include "base/date.h"
#include "base/hex.h"
#include "base/mem.h"
#include "core/enrol/again.h"
#include "core/enrol/behalf.h"
#include "core/enrol/hold.h"
#include "core/registry/audit.h"
#include "core/registry/record.h"
#include "core/registry/request.h"
#include "pki/digest.h"

#include <stdio.h>

enum { FLOW_ARENA_MAX = 3 * STORE_DER_MAX + STORE_CSR_MAX }; /* CSR twice, two stored certificates, names, texts */

/* One request from ask to answer. */
struct flow {
	struct enrol_env env;
	struct arena arena;
	enrol_done done;
	void *arg;
	const char *enrolee_id, *address, *label;
	bool reenrol;
	bool ordered_twice;
	bool waits;          /* for a person */
	bool linked;         /* to a TLS session that a repetition cannot come over again */
	int64_t late_s;      /* since the end of the certificate that authenticated it */
	int64_t hold_ttl_s;
	struct request held; /* state 0: it was not */
	char held_id[REQUEST_ID_SIZE];
	struct enrol_key_maker maker; /* make NULL: the client made its key */
	bool key_made;
	struct standing standing; /* of the credential that authenticated it */
	struct standing ra;       /* of the RA that asks on its behalf; enrolee_id NULL: it asks itself */
	struct span nonce;
	struct issue_order order;
	uint8_t csr_sha256[SHA256_SIZE];
	uint8_t spki_sha256[SHA256_SIZE];
	struct span cert; /* the answer */
	char elsewhere[2 * STORE_SERIAL_MAX + 1]; /* serial number given by another CA */
	enum err err;
	struct why why;
};

static void order_certificate(struct flow *f);

static void flow_free(struct flow *f)
{
	arena_fini(&f->arena);
	mem_free(f);
}

static struct flow *flow_new(const struct enrol_env *env, enrol_done done, void *arg)
{
	struct flow *f = mem_alloc(sizeof(*f));

	if (f) {
		f->env = *env;
		f->arena = ARENA(FLOW_ARENA_MAX);
		f->done = done;
		f->arg = arg;
	} else {
		struct why why = {0};
		done(arg, WHY(&why, NOMEM, "", "enrolment"), (struct span){0}, &why);
	}
	return f;
}

static void tell(void *arg, enum err err, const struct why *why)
{
	struct flow *f = arg;

	if (err != OK) /* nothing of the batch is on disk, the refusal's audit event neither */
		f->done(f->arg, err, (struct span){0}, why);
	else
		f->done(f->arg, f->err, f->err == OK ? f->cert : (struct span){0}, &f->why);
	flow_free(f);
}

/* Answers with the batch that is open, or with the next flush when none is. */
static void answer(struct flow *f)
{
	struct why why = {0};
	enum err err = batch_defer(f->env.batch, tell, f, &why);

	if (err != OK)
		tell(f, err, &why);
}

static enum err write_failure(struct flow *f, struct why *why)
{
	char detail[2 * WHY_TEXT_MAX] = "";

	if (f->ra.enrolee_id)
		snprintf(detail, sizeof(detail), "asked for by registration authority '%s': %s", f->ra.enrolee_id, f->why.text);
	const struct audit_event event = {.what = f->err <= ERR_PENDING ? "enrol.refused" : "enrol.failed",
		.enrolee_id = f->enrolee_id,
		.peer = f->address,
		.actor = "mef",
		.serial = f->elsewhere[0] ? f->elsewhere : NULL, /* that CA's operator may want to revoke it */
		.detail = detail};

	return audit_failure(f->env.store, f->env.batch, event, &f->why, clock_unix_s(f->env.clock), why);
}

/* The end of everything that did not work, its reason in f->why. */
static void fail(struct flow *f, enum err err)
{
	struct why why = {0};

	f->err = err;
	if (err == ERR_STORE || err == ERR_NOMEM) { /* then an audit row would fail as well */
		tell(f, err, &f->why);
		return;
	}
	err = write_failure(f, &why);
	if (err != OK)
		tell(f, err, &why);
	else
		answer(f);
}

static enum err keep_text(struct flow *f, const char *text, const char **out)
{
	*out = arena_text(&f->arena, span_text(text ? text : ""));
	return *out ? OK : WHY(&f->why, NOMEM, "", "enrolment");
}

static enum err keep_span(struct flow *f, struct span in, struct span *out)
{
	*out = arena_copy(&f->arena, in);
	return out->n == in.n ? OK : WHY(&f->why, NOMEM, "", "enrolment");
}

static enum err keep_standing(struct flow *f, const struct client *client, struct standing *out)
{
	*out = (struct standing){0};
	TRY(keep_text(f, client->enrolee.id, &out->enrolee_id));
	if (client->key_id)
		TRY(keep_text(f, client->key_id, &out->key_id));
	out->by_srp = client->by_srp;
	return keep_span(f, client_standing(client).serial, &out->serial);
}

/*
 * RFC 7030 4.2.2: what the CA issued is renewed. Some clients call simplereenroll whenever they have a certificate;
 * where the label says so, one of a third party then enrols.
 */
static bool is_reenrol(const struct enrol_ask *ask)
{
	const struct client *c = ask->client;
	bool foreign = !c->provisioned && !c->self_named && !c->key_id;

	return ask->reenrol && !(foreign && ask->label->foreign_reenrol);
}

static enum err keep_ask(struct flow *f, const struct enrol_ask *ask)
{
	const struct client *client = ask->client;

	if (client->late_s && !ask->reenrol)
		return WHY(&f->why, BUG, "", "an expired certificate was let in for more than its renewal");
	if (ask->ra && ask->ra->late_s) /* it may renew itself late, nobody else */
		return WHY(&f->why, CLIENT_EXPIRED, "RFC 5280 6.1.3", "registration authority: its certificate ended %lld s ago",
			(long long)ask->ra->late_s);
	f->reenrol = is_reenrol(ask);
	f->late_s = client->late_s;
	f->hold_ttl_s = ask->label->hold_ttl_s;
	f->linked = ask->linked;
	if (ask->maker)
		f->maker = *ask->maker;
	if (ask->ra)
		TRY(keep_standing(f, ask->ra, &f->ra));
	TRY(keep_text(f, client->enrolee.id, &f->enrolee_id));
	TRY(keep_text(f, ask->address, &f->address));
	TRY(keep_text(f, ask->label->name, &f->label));
	TRY(keep_span(f, ask->nonce, &f->nonce));
	return keep_standing(f, client, &f->standing);
}

/* TS-0003 8.3.6.2 step 3d: the challengePassword is the one that the MEF gave to this client. */
static enum err check_challenge(struct flow *f, const struct enrol_ask *ask, const struct csr *csr)
{
	if (f->held.state) { /* it was good when the request came: a person takes longer than a challenge lives */
		f->nonce = f->held.nonce;
		return OK;
	}
	if (ask->challenge_err != OK) {
		if (ask->challenge_why)
			f->why = *ask->challenge_why;
		return ask->challenge_err;
	}
	/* an RA answers for its clients itself (RFC 7030 3.5); what they echo may be another server's challenge */
	if (ask->ra)
		return OK;
	bool echoed = ask->nonce.n > 0;
	if (csr->has_challenge ? !echoed && !ask->linked : echoed)
		return WHY(&f->why, BUG, "", "challenge of the request was not checked");
	if (ask->label->challenge == CHALLENGE_REQUIRED && !echoed)
		return WHY(&f->why, CHALLENGE_MISSING, "TS-0003 8.3.6.2",
			"challengePassword: label '%s' wants the value from csrattrs, have %s", ask->label->name,
			csr->has_challenge ? "one of the TLS session" : "none");
	/* RFC 7030 3.5: a server that requires it refuses requests without */
	if (ask->label->linking == LINKING_REQUIRED && !ask->linked)
		return WHY(&f->why, LINKING_MISSING, "RFC 7030 3.5",
			"%s: label '%s' wants the value of the TLS session, have none",
			echoed ? "estIdentityLinking" : "challengePassword", ask->label->name);
	return OK;
}

static struct again again_of(struct flow *f)
{
	return (struct again){.store = f->env.store, .arena = &f->arena, .enrolee_id = f->enrolee_id, .csr_sha256 = f->csr_sha256,
		.key_made = f->maker.make};
}

/* One challenge yields one certificate; f->cert is empty when the challenge is still good. */
static enum err find_repeat(struct flow *f)
{
	const struct again again = again_of(f);

	return again_by_nonce(&again, f->nonce, &f->cert, &f->why);
}

static struct request names_of(const struct flow *f)
{
	struct request names = {.enrolee_id = f->enrolee_id,
		.est_label = f->label,
		.kind = f->maker.make ? REQUEST_KEYGEN : f->reenrol ? REQUEST_REENROL : REQUEST_ENROL};

	memcpy(names.csr_sha256, f->csr_sha256, SHA256_SIZE);
	return names;
}

static enum err find_held(struct flow *f)
{
	const struct request names = names_of(f);

	return hold_find(f->env.store, &names, clock_unix_s(f->env.clock), &f->arena, &f->held, &f->why);
}

/* The certificate of a request that was answered, for a client that lost the answer. */
static enum err find_done(struct flow *f)
{
	const struct again again = again_of(f);

	return again_by_request(&again, &f->held, &f->cert, &f->why);
}

/* RFC 7030 4.2.3: a person decides first; what was decided stays decided. */
static enum err find_decision(struct flow *f, const struct est_label *label)
{
	bool wanted = hold_wanted(label, names_of(f).kind);

	if (f->held.state == REQUEST_DENIED)
		return hold_answer(&f->held, &f->why);
	f->waits = wanted && (f->held.state == 0 || f->held.state == REQUEST_WAITING);
	return OK;
}

/* What was asked for one way was not asked for the other way. */
static void digest_request(struct flow *f, struct span der)
{
	const struct span parts[] = {span_text(f->maker.make ? "serverkeygen" : ""), der};

	digest_sha256_parts(parts, 2, f->csr_sha256);
}

static enum err prepare(struct flow *f, const struct enrol_ask *ask)
{
	struct attrs_asked asked;
	struct csr csr = {0};
	struct span der = {0};

	TRY(keep_ask(f, ask));
	TRY(ask->csr.n <= CSR_DER_MAX ? keep_span(f, ask->csr, &der) : csr_parse(ask->csr, &csr, &f->why));
	TRY(csr_parse(der, &csr, &f->why));
	digest_request(f, der);
	digest_sha256(csr.spki, f->spki_sha256);
	if (f->maker.make) { /* RFC 7030 4.4.1: the request's public key and signature are ignored */
		csr.key_spec = f->maker.spec;
		csr.spki = (struct span){0};
	}
	TRY(find_held(f));
	TRY(check_challenge(f, ask, &csr));
	TRY(find_done(f));
	if (f->cert.n == 0)
		TRY(find_repeat(f));
	if (f->cert.n)
		return OK;
	TRY(find_decision(f, ask->label));
	TRY(asked_find(f->env.store, ask->label, f->enrolee_id, &f->arena, &asked, &f->why));
	asked.must = asked.must || f->nonce.n > 0;
	return (f->reenrol ? policy_reenrol : policy_enrol)(
		ask->client, &asked, &csr, &f->arena, &f->order, &f->why);
}

static enum err audit_issued(struct flow *f, const struct issue_result *result, int64_t now_s)
{
	char serial[2 * STORE_SERIAL_MAX + 1];
	char until[DATE_TEXT_SIZE];
	char detail[WHY_TEXT_MAX + STORE_ID_MAX];

	hex_text(result->serial, result->serial_n, serial);
	date_text(result->not_after_s, until);
	int n = snprintf(detail, sizeof(detail), "%s, %s %s, label '%s', until %s%s%s",
		f->reenrol ? "re-enrolment" : f->maker.make ? "enrolment with a key made here" : "enrolment",
		f->order.issuer[0] ? "issuer" : "profile",
		f->order.issuer[0] ? f->order.issuer : f->order.profile, f->label, until,
		f->ra.enrolee_id ? ", asked for by registration authority " : "", f->ra.enrolee_id ? f->ra.enrolee_id : "");
	if (f->late_s)
		n += snprintf(detail + n, sizeof(detail) - (size_t)n, ", %lld s late", (long long)f->late_s);
	if (f->held.state == REQUEST_APPROVED)
		snprintf(detail + n, sizeof(detail) - (size_t)n, ", request %s approved by %s", f->held.id, f->held.decided_by);
	const struct audit_event event = {.what = "certificate.issued",
		.enrolee_id = f->enrolee_id,
		.peer = f->address,
		.actor = "mef",
		.serial = serial,
		.detail = detail};
	return audit_write(f->env.store, &event, now_s, &f->why);
}

static enum err write_done(struct flow *f, struct span serial)
{
	const struct store *store = f->env.store;

	if (!f->held.state)
		return OK;
	enum err err = store->ops->request_done(store->self, f->held.id, serial, &f->why);
	if (err != ERR_NOT_FOUND)
		return err;
	why_clear(&f->why); /* its time was over while the certificate was being made */
	return OK;
}

static enum err record_of(struct flow *f, const struct issue_result *result, uint8_t out[STORE_SERIAL_MAX], size_t *n)
{
	struct cert cert = {0};

	*n = result->serial_n;
	memcpy(out, result->serial, result->serial_n);
	if (!f->order.issuer[0])
		return OK;
	TRY(cert_parse(result->der, &cert, &f->why));
	*n = RECORD_FOREIGN_SIZE;
	record_foreign(&cert, out);
	return OK;
}

static enum err write_issued(struct flow *f, const struct issue_result *result)
{
	const struct store *store = f->env.store;
	int64_t now_s = clock_unix_s(f->env.clock);
	uint8_t record[STORE_SERIAL_MAX];
	size_t record_n = 0;
	struct issued row = {
		.enrolee_id = f->enrolee_id,
		.profile = f->order.profile,
		.est_label = f->label,
		.issued_s = now_s,
		.not_before_s = result->not_before_s,
		.not_after_s = result->not_after_s,
		.der = result->der,
		.nonce = f->nonce,
		.state = ISSUED_VALID,
	};

	TRY(record_of(f, result, record, &record_n));
	row.serial = span_of(record, record_n);
	memcpy(row.spki_sha256, f->spki_sha256, SHA256_SIZE);
	memcpy(row.csr_sha256, f->csr_sha256, SHA256_SIZE);
	TRY(client_check_standing(f->env.store, &f->standing, now_s, &f->why));
	if (f->ra.enrolee_id)
		TRY(client_check_standing(f->env.store, &f->ra, now_s, &f->why));
	TRY(store->ops->issued_add(store->self, &row, &f->why));
	TRY(write_done(f, row.serial));
	TRY(audit_issued(f, result, now_s));
	return keep_span(f, result->der, &f->cert);
}

static enum err find_again(struct flow *f, const struct issue_result *result)
{
	const struct again again = again_of(f);
	uint8_t record[STORE_SERIAL_MAX];
	size_t n = 0;

	TRY(record_of(f, result, record, &n));
	return again_by_record(&again, span_of(record, n), result->der, &f->cert, &f->why);
}

/* The row is there already: by a twin with the same challenge, or a serial number came twice. */
static void resolve_conflict(struct flow *f, const struct issue_result *result)
{
	bool foreign = f->order.issuer[0] != '\0';

	why_clear(&f->why);
	enum err err = f->held.state ? find_held(f) : OK;
	if (err == OK)
		err = find_done(f);
	if (err == OK && f->cert.n == 0)
		err = find_repeat(f);
	if (err == OK && !f->cert.n && foreign)
		err = find_again(f, result);
	if (err != OK) {
		fail(f, err);
	} else if (f->cert.n) {
		answer(f);
	} else if (f->ordered_twice || foreign) {
		fail(f, WHY(&f->why, SERIAL_TAKEN, "RFC 5280 4.1.2.2", "serial number: want a fresh one, have taken ones twice"));
	} else {
		f->ordered_twice = true;
		order_certificate(f);
	}
}

static void other_ca_waits(struct flow *f, const struct why *why);

static void on_issued(void *arg, enum err err, const struct issue_result *result, const struct why *why)
{
	struct flow *f = arg;

	if (err == ERR_PENDING) {
		other_ca_waits(f, why);
		return;
	}
	if (err != OK) {
		f->why = *why;
		fail(f, err);
		return;
	}
	if (f->order.issuer[0])
		hex_text(result->serial, result->serial_n, f->elsewhere);
	if (f->ra.enrolee_id)
		err = behalf_check_given(f->enrolee_id, result->der, &f->why);
	if (err == OK)
		err = batch_enter(f->env.batch, &f->why);
	if (err != OK) {
		fail(f, err);
		return;
	}
	err = write_issued(f, result);
	enum err left = batch_leave(f->env.batch, err == OK, &f->why);
	err = err != OK ? err : left;
	if (err == OK)
		answer(f);
	else if (err == ERR_CONFLICT)
		resolve_conflict(f, result);
	else
		fail(f, err);
}

static enum err take_made_key(struct flow *f, struct span csr)
{
	struct csr view = {0};

	TRY(keep_span(f, csr, &f->order.csr));
	TRY(csr_parse(f->order.csr, &view, &f->why));
	digest_sha256(view.spki, f->spki_sha256);
	f->key_made = true;
	return OK;
}

static void on_key_made(void *arg, enum err err, struct span csr, const struct why *why)
{
	struct flow *f = arg;

	if (err != OK)
		f->why = *why;
	else
		err = take_made_key(f, csr);
	if (err != OK)
		fail(f, err);
	else
		order_certificate(f);
}

static void order_certificate(struct flow *f)
{
	if (f->maker.make && !f->key_made) {
		f->maker.make(f->maker.arg, &f->order, on_key_made, f);
		return;
	}
	f->order.enrolee_id = f->enrolee_id;
	f->order.label = f->label;
	f->env.issuer->issue(f->env.issuer->self, &f->order, on_issued, f);
}

static enum err write_held(struct flow *f)
{
	struct request r = names_of(f);
	int64_t now_s = clock_unix_s(f->env.clock);

	r.csr = f->order.csr;
	r.nonce = f->nonce;
	r.created_s = now_s;
	r.expires_s = now_s + f->hold_ttl_s;
	TRY(client_check_standing(f->env.store, &f->standing, now_s, &f->why));
	TRY(hold_add(f->env.store, &r, f->address, f->held_id, &f->why));
	r.id = f->held_id;
	r.state = REQUEST_WAITING;
	f->held = r;
	return OK;
}

/* Nobody is told to wait for what a crash could forget. */
static enum err hold(struct flow *f)
{
	if (f->held.state)
		return OK;
	TRY(batch_enter(f->env.batch, &f->why));
	enum err err = write_held(f);
	enum err left = batch_leave(f->env.batch, err == OK, &f->why);
	return err != OK ? err : left;
}

static void let_wait(struct flow *f)
{
	enum err err = hold(f);

	if (err != OK) {
		fail(f, err);
		return;
	}
	f->err = hold_answer(&f->held, &f->why);
	answer(f);
}

/*
 * RFC 7030 4.2.3: the client sends the same request again, over another session and when its challenge may have ended. So
 * what was proven this time is kept, as for a request that waits for a person.
 */
static void other_ca_waits(struct flow *f, const struct why *why)
{
	enum err err = OK;

	if (f->maker.make) { /* each repetition would send it another key, for ever */
		fail(f, WHY(&f->why, KEYGEN_WAITS, "RFC 7030 4.4.2",
			"issuer '%s': want a certificate for the made key at once, have: %.200s", f->order.issuer, why->text));
		return;
	}
	if ((f->nonce.n || f->linked) && !f->held.state)
		err = find_held(f); /* a twin may have been here meanwhile */
	if (err == OK && (f->nonce.n || f->linked))
		err = hold(f);
	if (err != OK) {
		fail(f, err);
		return;
	}
	f->why = *why;
	if (!f->held.state) {
		fail(f, why->kind);
		return;
	}
	f->err = why->kind;
	answer(f);
}

void enrol_certificate(const struct enrol_env *env, const struct enrol_ask *ask, enrol_done done, void *arg)
{
	struct flow *f = flow_new(env, done, arg);

	if (!f)
		return;
	enum err err = prepare(f, ask);
	if (err != OK)
		fail(f, err);
	else if (f->cert.n)
		answer(f);
	else if (f->waits)
		let_wait(f);
	else
		order_certificate(f);
}

void enrol_refuse(const struct enrol_env *env, const struct enrol_refusal *refusal, enrol_done done, void *arg)
{
	struct flow *f = flow_new(env, done, arg);

	if (!f)
		return;
	f->why = *refusal->why;
	/* Kept texts must not disturb the reason, which is set already; without memory none is told. */
	f->enrolee_id = arena_text(&f->arena, span_text(refusal->enrolee_id));
	f->address = arena_text(&f->arena, span_text(refusal->address));
	fail(f, f->why.kind);
}
