#include "world.h"

#include "base/hex.h"

/* gw7 with its factory certificate, ready to ask. */
struct device {
	struct arena arena;
	struct buf leaf;
	struct client client;
};

static void device_init(struct device *d, struct world *w)
{
	static const struct credential cred = {.kind = CREDENTIAL_SERIAL, .value = "SN-7"};
	struct why why;

	*d = (struct device){.arena = ARENA(256 * 1024), .leaf = BUF(CERT_DER_MAX)};
	world_leaf(w, "Factory box", "SN-7", NULL, &d->leaf);
	world_add(w, "gw7", ENTITY_NODE, "urn:dev:ops:7", &cred, 1);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&d->leaf), &d->arena, &d->client, &why), &why);
}

static void device_fini(struct device *d)
{
	arena_fini(&d->arena);
	buf_fini(&d->leaf);
}

#define OWNED_DEVICE __attribute__((cleanup(device_fini)))

/* From now on the device shows that certificate. */
static void device_install(struct device *d, struct world *w, struct span cert)
{
	struct why why;

	buf_clear(&d->leaf);
	buf_put_span(&d->leaf, cert);
	good(world_find(w, CLIENT_OWN, buf_span(&d->leaf), &d->arena, &d->client, &why), &why);
}

static struct enrol_ask ask_of(struct world *w, struct device *d, struct span csr, const char *nonce)
{
	return (struct enrol_ask){.client = &d->client, .address = "192.0.2.7", .label = &w->label, .csr = csr,
		.nonce = span_of(nonce, nonce ? STORE_NONCE_SIZE : 0)};
}

static void ask(struct world *w, const struct enrol_ask *what, struct answer *a)
{
	const struct enrol_env env = world_env(w);

	enrol_certificate(&env, what, on_answer, a);
}

static void answered(const struct answer *a)
{
	assert_int_equal(a->times, 1);
	good(a->err, &a->why);
}

static void refused(const struct answer *a, enum err err, enum code code)
{
	assert_int_equal(a->times, 1);
	assert_int_equal(a->err, err);
	assert_int_equal(a->why.code, code);
	assert_int_equal(a->cert.n, 0);
}

static const char nonce_a[] = "0123456789abcdef";
static const char nonce_b[] = "fedcba9876543210";

static struct csr_wish plain(void)
{
	return (struct csr_wish){.cn = "gw7"};
}

static struct csr_wish with_challenge(void)
{
	return (struct csr_wish){.cn = "gw7", .san = san_of(SAN_URI, "urn:dev:ops:7"), .challenge = "value"};
}

static void a_device_gets_a_certificate_once_the_row_is_on_disk(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();
	struct issued row;
	struct cert cert;
	struct csr parsed;
	struct why why = {0};
	uint8_t digest[32];
	bool same = false;

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	unsigned int before = faults.commits;
	ask(w, &e, &a);
	assert_int_equal(a.times, 0);
	batch_flush(w->batch);
	answered(&a);
	assert_int_equal(a.commits, before + 1);

	good(cert_parse(buf_span(&a.cert), &cert, &why), &why);
	good(csr_parse(buf_span(&csr), &parsed, &why), &why);
	good(name_equal(cert.subject, parsed.subject, &same, &why), &why);
	assert_true(same);
	assert_true(span_equal(cert.spki, parsed.spki));
	good(w->store->ops->issued_find(w->store->self, cert.serial, &d.arena, &row, &why), &why);
	assert_true(span_equal(row.der, buf_span(&a.cert)));
	assert_string_equal(row.enrolee_id, "gw7");
	assert_string_equal(row.profile, "device");
	assert_int_equal(row.issued_s, T0);
	assert_int_equal(row.not_after_s, T0 + 90 * DAY);
	assert_int_equal(row.not_after_s, cert.not_after_s);
	digest_sha256(buf_span(&csr), digest);
	assert_memory_equal(row.csr_sha256, digest, 32);
	digest_sha256(parsed.spki, digest);
	assert_memory_equal(row.spki_sha256, digest, 32);
	assert_int_equal(row.nonce.n, 0);
}

static void the_issue_is_audited_with_its_serial(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();
	struct cert cert;
	struct why why = {0};
	char want[512], serial[64];

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	ask(w, &e, &a);
	batch_flush(w->batch);
	answered(&a);
	good(cert_parse(buf_span(&a.cert), &cert, &why), &why);
	hex_text(cert.serial.p, cert.serial.n, serial);
	snprintf(want, sizeof(want),
		"{\"what\":\"certificate.issued\",\"enrolee\":\"gw7\",\"peer\":\"192.0.2.7\",\"actor\":\"mef\",\"serial\":\"%s\","
		"\"detail\":\"enrolment, profile device, label '', until 2026-01-07T08:53:20Z\"}",
		serial);
	assert_string_equal(world_last_event(w), want);
}

static void a_refusal_is_audited_with_its_code_and_nothing_is_issued(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = {.cn = "gw8"};

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	ask(w, &e, &a);
	assert_int_equal(a.times, 0); /* the audit event must be on disk first */
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_POLICY_SUBJECT);
	assert_int_equal(w->issued, 0);
	assert_int_equal(world_counts(w).issued, 0);
	assert_non_null(strstr(world_last_event(w), "{\"what\":\"enrol.refused\",\"enrolee\":\"gw7\",\"peer\":\"192.0.2.7\","
						    "\"actor\":\"mef\",\"code\":1521,\"detail\":\"subject: want empty"));
}

static void garbage_is_refused_and_audited(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a[3] = {ANSWER, ANSWER, ANSWER};
	static uint8_t huge[CSR_DER_MAX + 1];

	device_init(&d, w);
	struct enrol_ask e = ask_of(w, &d, span_text("not a request"), NULL);
	ask(w, &e, &a[0]);
	e.csr = (struct span){0};
	ask(w, &e, &a[1]);
	memset(huge, 0x30, sizeof(huge));
	e.csr = span_of(huge, sizeof(huge));
	ask(w, &e, &a[2]);
	batch_flush(w->batch);
	refused(&a[0], ERR_SYNTAX, CODE_CSR_SYNTAX);
	refused(&a[1], ERR_SYNTAX, CODE_CSR_SYNTAX);
	refused(&a[2], ERR_LIMIT, CODE_CSR_LIMIT);
	assert_non_null(strstr(world_last_event(w), "\"code\":1221"));
	assert_int_equal(world_counts(w).audit, 1 + 3);
}

/* RFC 2986 4.2: the signature proves possession of the key. */
static void a_request_signed_by_another_key_is_refused(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	csr.p[csr.n - 1] ^= 1;
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	ask(w, &e, &a);
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_CSR_SIGNATURE);
	assert_int_equal(world_counts(w).issued, 0);
	assert_non_null(strstr(world_last_event(w), "\"code\":1225"));
}

static void the_outcome_of_the_challenge_check_comes_first(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();
	struct why wrong = {0};

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	e.challenge_err = WHY(&wrong, CLIENT_EXPIRED, "", "challenge: stands in for challenge_check");
	e.challenge_why = &wrong;
	ask(w, &e, &a);
	memset(&wrong, 0, sizeof(wrong)); /* was copied */
	batch_flush(w->batch);
	refused(&a, ERR_EXPIRED, CODE_CLIENT_EXPIRED);
	assert_non_null(strstr(a.why.text, "challenge_check"));
	assert_non_null(strstr(world_last_event(w), "enrol.refused"));
}

/* TS-0003 8.3.6.2 step 3d: the challengePassword given in csrattrs must come back. */
static void a_label_may_require_the_challenge(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer without OWNED_ANSWER = ANSWER;
	struct answer with OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	w->label.challenge = CHALLENGE_REQUIRED;
	wish.challenge = NULL;
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	ask(w, &e, &without);
	batch_flush(w->batch);
	refused(&without, ERR_FORBIDDEN, CODE_CHALLENGE_MISSING);

	wish = with_challenge();
	buf_clear(&csr);
	make_csr(&wish, w->device_key, &csr);
	e = ask_of(w, &d, buf_span(&csr), nonce_a);
	ask(w, &e, &with);
	batch_flush(w->batch);
	answered(&with);
}

/* RFC 7030 3.5 */
static void a_label_may_require_linking(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer without OWNED_ANSWER = ANSWER;
	struct answer with OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	w->label.linking = LINKING_REQUIRED;
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	ask(w, &e, &without);
	batch_flush(w->batch);
	refused(&without, ERR_FORBIDDEN, CODE_LINKING_MISSING);
	e.linked = true;
	ask(w, &e, &with);
	batch_flush(w->batch);
	answered(&with);
}

static void a_challenge_that_nobody_checked_is_a_fault_of_ours(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	ask(w, &e, &a);
	batch_flush(w->batch);
	refused(&a, ERR_BUG, CODE_BUG);
	assert_non_null(strstr(world_last_event(w), "enrol.failed"));
}

static void asking_again_with_the_same_bytes_gets_the_same_certificate(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer first OWNED_ANSWER = ANSWER;
	struct answer second OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	ask(w, &e, &first);
	batch_flush(w->batch);
	ask(w, &e, &second);
	batch_flush(w->batch);
	answered(&first);
	answered(&second);
	assert_true(span_equal(buf_span(&first.cert), buf_span(&second.cert)));
	assert_int_equal(w->issued, 1);
	assert_int_equal(world_counts(w).issued, 1);
}

static void one_challenge_yields_one_certificate(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer first OWNED_ANSWER = ANSWER;
	struct answer second OWNED_ANSWER = ANSWER;
	struct answer third OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	ask(w, &e, &first);
	batch_flush(w->batch);
	answered(&first);
	buf_clear(&csr);
	make_csr(&wish, w->factory_key, &csr); /* another key */
	e.csr = buf_span(&csr);
	ask(w, &e, &second);
	batch_flush(w->batch);
	refused(&second, ERR_CONFLICT, CODE_CHALLENGE_SPENT);
	assert_int_equal(world_counts(w).issued, 1);
	assert_non_null(strstr(world_last_event(w), "\"code\":1528"));
	e.nonce = span_of(nonce_b, STORE_NONCE_SIZE);
	ask(w, &e, &third);
	batch_flush(w->batch);
	answered(&third);
}

static void a_revoked_certificate_is_not_handed_out_again(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer first OWNED_ANSWER = ANSWER;
	struct answer second OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();
	struct cert cert;
	struct why why = {0};

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	ask(w, &e, &first);
	batch_flush(w->batch);
	answered(&first);
	good(cert_parse(buf_span(&first.cert), &cert, &why), &why);
	world_revoke(w, cert.serial);
	ask(w, &e, &second);
	batch_flush(w->batch);
	refused(&second, ERR_CONFLICT, CODE_CHALLENGE_SPENT);
}

static void twins_in_flight_get_one_certificate(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf other OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;
	struct answer c OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	make_csr(&wish, w->factory_key, &other);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	w->hold = true;
	ask(w, &e, &a);
	ask(w, &e, &b);
	e.csr = buf_span(&other);
	ask(w, &e, &c);
	assert_int_equal(w->held_n, 3); /* none knew of the others */
	world_release(w);
	batch_flush(w->batch);
	answered(&a);
	answered(&b);
	assert_true(span_equal(buf_span(&a.cert), buf_span(&b.cert)));
	refused(&c, ERR_CONFLICT, CODE_CHALLENGE_SPENT);
	assert_int_equal(world_counts(w).issued, 1);
}

/* RFC 5280 4.1.2.2: serial numbers are unique. */
static void a_taken_serial_number_is_drawn_again_once(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;
	struct answer c OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	w->counter = 100;
	ask(w, &e, &a);
	w->counter = 100;
	ask(w, &e, &b);
	w->counter = 100;
	w->stuck = true;
	ask(w, &e, &c);
	batch_flush(w->batch);
	answered(&a);
	answered(&b);
	assert_false(span_equal(buf_span(&a.cert), buf_span(&b.cert)));
	assert_int_equal(c.times, 1);
	assert_int_equal(c.err, ERR_STORE);
	assert_int_equal(c.why.code, CODE_SERIAL_TAKEN);
	assert_int_equal(w->issued, 1 + 2 + 2);
	assert_int_equal(world_counts(w).issued, 2);
}

static void when_the_commit_fails_nobody_gets_a_certificate(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;
	struct answer c OWNED_ANSWER = ANSWER;
	struct answer again OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce_a);
	struct enrol_ask bad = ask_of(w, &d, span_text("junk"), NULL);
	ask(w, &e, &a);
	ask(w, &e, &b); /* sees the row of the open batch; must not be answered before it is on disk */
	ask(w, &bad, &c);
	faults.commit_fails = true;
	batch_flush(w->batch);
	refused(&a, ERR_STORE, CODE_STORE_FULL);
	refused(&b, ERR_STORE, CODE_STORE_FULL);
	refused(&c, ERR_STORE, CODE_STORE_FULL);
	assert_int_equal(world_counts(w).issued, 0);
	assert_int_equal(world_counts(w).audit, 1);
	faults.commit_fails = false;
	ask(w, &e, &again); /* the challenge is not spent */
	batch_flush(w->batch);
	answered(&again);
}

static void what_cannot_be_audited_is_not_issued(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	struct enrol_ask bad = ask_of(w, &d, span_text("junk"), NULL);
	faults.audit_fails = true;
	ask(w, &e, &a);
	ask(w, &bad, &b);
	faults.audit_fails = false;
	batch_flush(w->batch);
	refused(&a, ERR_STORE, CODE_STORE_IO);
	refused(&b, ERR_STORE, CODE_STORE_IO); /* the failure to audit is told, not the refusal */
	assert_int_equal(world_counts(w).issued, 0);
}

static void a_store_that_does_not_open_a_transaction_is_told(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	faults.begin_fails = true;
	ask(w, &e, &a);
	refused(&a, ERR_STORE, CODE_STORE_BUSY);
}

static void an_expired_ca_is_told_and_audited(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	w->now_s = T0 + 3651LL * DAY;
	ask(w, &e, &a);
	batch_flush(w->batch);
	refused(&a, ERR_SYSTEM, CODE_CA_EXPIRED); /* our own fault: 503, not the device's 403 */
	assert_non_null(strstr(world_last_event(w), "enrol.failed"));
}

/* While the signer was at work, an operator took back what the decision rested on. */
static void an_enrolee_disabled_meanwhile_gets_nothing(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), NULL);
	w->hold = true;
	ask(w, &e, &a);
	world_set_state(w, "gw7", ENROLEE_DISABLED);
	world_release(w);
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_CLIENT_DISABLED);
	assert_int_equal(world_counts(w).issued, 0);
}

/* The caller may forget all that it passed once enrol_certificate has returned. */
static void nothing_of_the_ask_is_needed_later(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = with_challenge();
	char nonce[STORE_NONCE_SIZE];
	char address[] = "192.0.2.7";

	device_init(&d, w);
	make_csr(&wish, w->device_key, &csr);
	memcpy(nonce, nonce_a, sizeof(nonce));
	struct enrol_ask e = ask_of(w, &d, buf_span(&csr), nonce);
	e.address = address;
	w->hold = true;
	ask(w, &e, &a);
	memset(csr.p, 0xee, csr.n);
	memset(nonce, 0xee, sizeof(nonce));
	memset(address, 'x', sizeof(address) - 1);
	arena_fini(&d.arena);
	buf_fini(&d.leaf);
	memset(&d.client, 0xee, sizeof(d.client));
	memset(&e, 0xee, sizeof(e));
	memset(&w->label, 0xee, sizeof(w->label));
	world_release(w);
	batch_flush(w->batch);
	answered(&a);
	assert_non_null(strstr(world_last_event(w), "192.0.2.7"));
	d.arena = ARENA(1);
	d.leaf = BUF(1);
}

static void renew(struct world *w, struct device *d, const struct key *key, struct answer *a)
{
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_wish wish = {.subject = d->client.leaf.subject, .sans = d->client.leaf.san};

	make_csr(&wish, key, &csr);
	struct enrol_ask e = ask_of(w, d, buf_span(&csr), NULL);
	e.reenrol = true;
	ask(w, &e, a);
}

static void first_certificate(struct world *w, struct device *d)
{
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answer a OWNED_ANSWER = ANSWER;
	struct csr_wish wish = plain();

	make_csr(&wish, w->device_key, &csr);
	struct enrol_ask e = ask_of(w, d, buf_span(&csr), NULL);
	ask(w, &e, &a);
	batch_flush(w->batch);
	answered(&a);
	device_install(d, w, buf_span(&a.cert));
}

/* RFC 7030 4.2.2: renewal under the same names; the old certificate stays valid. */
static void a_device_renews_with_the_certificate_that_it_got(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a OWNED_ANSWER = ANSWER;
	struct issued old;
	struct cert now;
	struct why why = {0};

	device_init(&d, w);
	first_certificate(w, &d);
	renew(w, &d, w->factory_key, &a);
	batch_flush(w->batch);
	answered(&a);
	good(cert_parse(buf_span(&a.cert), &now, &why), &why);
	assert_true(span_equal(now.subject, d.client.leaf.subject));
	assert_true(span_equal(now.san, d.client.leaf.san));
	good(w->store->ops->issued_find(w->store->self, d.client.leaf.serial, &d.arena, &old, &why), &why);
	assert_int_equal(old.state, ISSUED_VALID);
	assert_int_equal(world_counts(w).issued, 2);
	assert_non_null(strstr(world_last_event(w), "re-enrolment"));
}

static void renewal_with_the_old_key_follows_the_label(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;

	device_init(&d, w);
	first_certificate(w, &d);
	renew(w, &d, w->device_key, &a);
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_POLICY_KEY_REUSE);
	w->label.reuse_key = true;
	renew(w, &d, w->device_key, &b);
	batch_flush(w->batch);
	answered(&b);
}

static void renewal_with_a_factory_certificate_is_refused(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a OWNED_ANSWER = ANSWER;

	device_init(&d, w);
	renew(w, &d, w->device_key, &a);
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_POLICY_NOT_PROVISIONED);
}

static void a_certificate_revoked_meanwhile_renews_nothing(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a OWNED_ANSWER = ANSWER;

	device_init(&d, w);
	first_certificate(w, &d);
	w->hold = true;
	renew(w, &d, w->factory_key, &a);
	world_revoke(w, d.client.leaf.serial);
	world_release(w);
	batch_flush(w->batch);
	refused(&a, ERR_FORBIDDEN, CODE_CLIENT_REVOKED);
	assert_int_equal(world_counts(w).issued, 1);
}

static void refusals_before_an_ask_are_audited_too(void **state)
{
	struct world *w = *state;
	const struct enrol_env env = world_env(w);
	struct answer a OWNED_ANSWER = ANSWER;
	struct answer b OWNED_ANSWER = ANSWER;
	struct why why = {0};

	(void)!WHY(&why, CLIENT_ANONYMOUS, "RFC 7030 3.3.2", "TLS client certificate: want one, have none");
	const struct enrol_refusal refusal = {.address = "192.0.2.9", .why = &why};
	enrol_refuse(&env, &refusal, on_answer, &a);
	assert_int_equal(a.times, 0);
	batch_flush(w->batch);
	refused(&a, ERR_UNAUTHENTICATED, CODE_CLIENT_ANONYMOUS);
	assert_string_equal(world_last_event(w),
		"{\"what\":\"enrol.refused\",\"peer\":\"192.0.2.9\",\"actor\":\"mef\",\"code\":1510,"
		"\"detail\":\"TLS client certificate: want one, have none (RFC 7030 3.3.2)\"}");
	enrol_refuse(&env, &refusal, on_answer, &b);
	faults.commit_fails = true;
	batch_flush(w->batch);
	refused(&b, ERR_STORE, CODE_STORE_FULL);
}

static void the_audit_log_holds_after_all_of_this(void **state)
{
	struct world *w = *state;
	struct device d OWNED_DEVICE;
	struct answer a OWNED_ANSWER = ANSWER;
	struct audit_report report;
	struct why why = {0};

	device_init(&d, w);
	first_certificate(w, &d);
	renew(w, &d, w->device_key, &a);
	batch_flush(w->batch);
	good(audit_verify(w->store, &report, &why), &why);
	assert_int_equal(report.bad_seq, 0);
	assert_int_equal(report.rows, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(a_device_gets_a_certificate_once_the_row_is_on_disk),
		WORLD_TEST(the_issue_is_audited_with_its_serial),
		WORLD_TEST(a_refusal_is_audited_with_its_code_and_nothing_is_issued),
		WORLD_TEST(garbage_is_refused_and_audited),
		WORLD_TEST(a_request_signed_by_another_key_is_refused),
		WORLD_TEST(the_outcome_of_the_challenge_check_comes_first),
		WORLD_TEST(a_label_may_require_the_challenge),
		WORLD_TEST(a_label_may_require_linking),
		WORLD_TEST(a_challenge_that_nobody_checked_is_a_fault_of_ours),
		WORLD_TEST(asking_again_with_the_same_bytes_gets_the_same_certificate),
		WORLD_TEST(one_challenge_yields_one_certificate),
		WORLD_TEST(a_revoked_certificate_is_not_handed_out_again),
		WORLD_TEST(twins_in_flight_get_one_certificate),
		WORLD_TEST(a_taken_serial_number_is_drawn_again_once),
		WORLD_TEST(when_the_commit_fails_nobody_gets_a_certificate),
		WORLD_TEST(what_cannot_be_audited_is_not_issued),
		WORLD_TEST(a_store_that_does_not_open_a_transaction_is_told),
		WORLD_TEST(an_expired_ca_is_told_and_audited),
		WORLD_TEST(an_enrolee_disabled_meanwhile_gets_nothing),
		WORLD_TEST(nothing_of_the_ask_is_needed_later),
		WORLD_TEST(a_device_renews_with_the_certificate_that_it_got),
		WORLD_TEST(renewal_with_the_old_key_follows_the_label),
		WORLD_TEST(renewal_with_a_factory_certificate_is_refused),
		WORLD_TEST(a_certificate_revoked_meanwhile_renews_nothing),
		WORLD_TEST(refusals_before_an_ask_are_audited_too),
		WORLD_TEST(the_audit_log_holds_after_all_of_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
