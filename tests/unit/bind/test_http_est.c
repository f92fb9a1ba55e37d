#include "mef.h"

#include "base/base64.h"

static const char enrol_onem2m[] = "/.well-known/est/onem2m/simpleenroll";
static const char attrs_onem2m[] = "/.well-known/est/onem2m/csrattrs";
static const char enrol_plain[] = "/.well-known/est/simpleenroll";
static const char attrs_plain[] = "/.well-known/est/csrattrs";

/* A device from the factory: its certificate, the connection it makes, a key for what it enrols. */
struct device {
	struct key *factory_key, *key;
	struct buf leaf;
	struct peer peer;
};

static void device_fini(struct device *d)
{
	key_free(d->factory_key);
	key_free(d->key);
	buf_fini(&d->leaf);
}

#define OWNED_DEVICE __attribute__((cleanup(device_fini)))

static void device_make(struct mef_site *m, const char *serial_number, struct device *d)
{
	d->factory_key = mef_key();
	d->key = mef_key();
	d->leaf = BUF(MEF_DER_MAX);
	mef_cert(m, "device", serial_number, d->factory_key, m->factory_key, &m->factory_der, &d->leaf);
	d->peer = mef_peer(m, PEER_THIRD_PARTY, &d->leaf);
}

/* What the server said, decoded; spans of `attrs` point into `der`. */
static void fetch_attrs(struct mef_site *m, const char *path, const struct peer *peer, struct buf *der, struct est_attrs *attrs)
{
	struct got g OWNED_GOT = {0};
	struct why why = {0};

	mef_get(m, path, peer, &g);
	if (g.status != 200)
		fail_msg("%s: %s", path, buf_text(&g.body));
	assert_string_equal(g.media_type, "application/csrattrs");
	buf_clear(der);
	assert_int_equal(est_body_der(buf_span(&g.body), der, &why), OK);
	assert_int_equal(est_attrs_parse(buf_span(der), attrs, &why), OK);
}

static void make_csr(const struct key *key, const struct csr_plan *plan, struct buf *der)
{
	struct buf name OWNED_BUF = BUF(NAME_DER_MAX);
	struct csr_plan p = *plan;
	struct why why = {0};

	assert_int_equal(name_write_cn(NULL, NULL, &name, &why), OK);
	if (p.subject.n == 0)
		p.subject = buf_span(&name);
	buf_clear(der);
	enum err err = csr_write(&p, key, der, &why);
	if (err != OK)
		fail_msg("request: %s", why.text);
}

static void csr_for(const struct key *key, const struct est_attrs *attrs, struct buf *der)
{
	const struct csr_plan plan = {.challenge = attrs->challenge, .sans = attrs->sans, .ekus = &attrs->ekus,
		.digital_signature = attrs->digital_signature};

	make_csr(key, &plan, der);
}

/* A GET of csrattrs and the request that obeys it. */
static void obey(struct mef_site *m, const char *path, const struct device *d, struct buf *csr)
{
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct est_attrs attrs = {0};

	fetch_attrs(m, path, &d->peer, &der, &attrs);
	csr_for(d->key, &attrs, csr);
}

static void post_der(struct mef_site *m, const char *path, const struct peer *peer, const struct buf *der, struct got *g)
{
	struct buf text OWNED_BUF = BUF(CALL_BODY_MAX);

	est_body_write_request(&text, buf_span(der));
	mef_post(m, path, peer, buf_span(&text), g);
}

/* The one certificate of a good answer, appended to `out`. */
static void read_cert(struct got *g, struct buf *out)
{
	struct buf der OWNED_BUF = BUF(MEF_DER_MAX);
	struct span certs[4] = {{NULL, 0}};
	size_t n = 0;
	struct why why = {0};

	if (g->status != 200)
		fail_msg("enrolment: %u %s", (unsigned int)g->status, buf_text(&g->body));
	assert_string_equal(g->media_type, "application/pkcs7-mime; smime-type=certs-only");
	assert_int_equal(est_body_der(buf_span(&g->body), &der, &why), OK);
	assert_int_equal(cms_certs_parse(buf_span(&der), certs, 4, &n, &why), OK);
	assert_int_equal(n, 1); /* RFC 7030 4.2.3: only the issued certificate */
	buf_put_span(out, certs[0]);
}

/* Refused, with this code; nothing was issued and the audit log says why. */
static void expect_refused(struct mef_site *m, struct got *g, unsigned int status, enum code code, uint64_t issued)
{
	char text[32];

	expect_refusal(g, status, code);
	assert_int_equal(mef_counts(m).issued, issued);
	snprintf(text, sizeof(text), "%d", (int)code);
	expect_audit(m, "enrol.refused");
	expect_audit(m, text);
}

/* The same for somebody unknown: told to the log, which is limited, not to the audit log, which stays for ever. */
static void expect_stranger(struct mef_site *m, struct got *g, enum code code, unsigned int times)
{
	expect_refusal(g, 403, code);
	assert_int_equal(mef_counts(m).issued, 0);
	assert_int_equal(m->stranger.code, code);
	assert_int_equal(m->strangers, times);
	expect_audit(m, "enrolee.added");
}

/* TS-0003 8.3.6.2: csrattrs with challenge and identity, then the request that carries both */
static void a_device_that_obeys_csrattrs_gets_its_certificate(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf cert_der OWNED_BUF = BUF(MEF_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};
	struct cert cert = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	fetch_attrs(m, attrs_onem2m, &d.peer, &der, &attrs);
	assert_true(attrs.challenge.n > 0);
	assert_false(attrs.asks_challenge);
	assert_int_equal(attrs.key, KEY_P256);
	assert_true(attrs.digital_signature);
	assert_int_equal(attrs.ekus.n, 1);
	assert_true(span_equal(attrs.ekus.oids[0], CLIENT_AUTH_OID));
	csr_for(d.key, &attrs, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	read_cert(&g, &cert_der);
	assert_int_equal(cert_parse(buf_span(&cert_der), &cert, &why), OK);
	assert_true(key_matches_spki(d.key, cert.spki));
	assert_true(span_equal(cert.san, attrs.sans));
	assert_int_equal(mef_counts(m).issued, 1);
	expect_audit(m, "certificate.issued");
	expect_audit(m, "dev1");
}

static void every_fetch_makes_another_challenge(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf a OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf b OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct est_attrs first = {0}, second = {0};

	device_make(m, "SN-1", &d);
	fetch_attrs(m, attrs_onem2m, &d.peer, &a, &first);
	fetch_attrs(m, attrs_onem2m, &d.peer, &b, &second);
	assert_false(span_equal(first.challenge, second.challenge));
}

static void a_required_challenge_that_is_missing_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};

	device_make(m, "SN-1", &d);
	fetch_attrs(m, attrs_onem2m, &d.peer, &der, &attrs);
	attrs.challenge = (struct span){NULL, 0};
	csr_for(d.key, &attrs, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_MISSING, 0);
}

/* The plain label does not ask for the echo, but it does look at one that comes. */
static void a_made_up_challenge_is_refused_under_every_label(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	const struct csr_plan plan = {.challenge = span_text("password")};

	device_make(m, "SN-1", &d);
	make_csr(d.key, &plan, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_FORGED, 0);
	post_der(m, enrol_plain, &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_FORGED, 0);
}

static void an_expired_challenge_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	obey(m, attrs_onem2m, &d, &csr);
	m->now_s += MEF_TTL_S;
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_EXPIRED, 0);
	m->now_s--;
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	assert_int_equal(g.status, 200);
}

static void another_devices_challenge_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device one OWNED_DEVICE = {0};
	struct device two OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &one);
	device_make(m, "SN-2", &two);
	obey(m, attrs_onem2m, &one, &csr);
	post_der(m, enrol_onem2m, &two.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_CLIENT, 0);
	expect_audit(m, "dev2");
}

static void another_labels_challenge_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	obey(m, attrs_plain, &d, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_LABEL, 0);
}

/* RFC 9266 3: where the label says so the challenge is good in its own TLS session only */
static void a_bound_challenge_is_refused_in_another_session(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	obey(m, "/.well-known/est/bound/csrattrs", &d, &csr);
	struct peer other = d.peer;
	other.exporter = span_text("exporter octets of the session B");
	post_der(m, "/.well-known/est/bound/simpleenroll", &other, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_SESSION, 0);
	other.exporter = (struct span){NULL, 0};
	post_der(m, "/.well-known/est/bound/simpleenroll", &other, &csr, &g);
	expect_refused(m, &g, 403, CODE_CHALLENGE_BINDING, 0);
	mef_get(m, "/.well-known/est/bound/csrattrs", &other, &g);
	expect_refusal(&g, 403, CODE_CHALLENGE_BINDING);
	post_der(m, "/.well-known/est/bound/simpleenroll", &d.peer, &csr, &g);
	assert_int_equal(g.status, 200);
}

/* The onem2m label binds to the client, not to the session: a device may reconnect. */
static void an_unbound_challenge_survives_a_reconnect(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	obey(m, attrs_onem2m, &d, &csr);
	d.peer.exporter = span_text("exporter octets of the session B");
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	assert_int_equal(g.status, 200);
}

static void one_challenge_yields_one_certificate(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf first OWNED_BUF = BUF(MEF_DER_MAX);
	struct buf second OWNED_BUF = BUF(MEF_DER_MAX);
	struct key *other_key OWNED_KEY = mef_key();
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};

	device_make(m, "SN-1", &d);
	fetch_attrs(m, attrs_onem2m, &d.peer, &der, &attrs);
	csr_for(d.key, &attrs, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	read_cert(&g, &first);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	read_cert(&g, &second);
	assert_true(span_equal(buf_span(&first), buf_span(&second)));
	assert_int_equal(mef_counts(m).issued, 1);
	csr_for(other_key, &attrs, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	expect_refused(m, &g, 409, CODE_CHALLENGE_SPENT, 1);
}

/* What `openssl req` and `curl --data-binary` send: PEM, no csrattrs before. */
static void a_plain_client_enrols_with_pem_and_without_challenge(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf pem OWNED_BUF = BUF(CALL_BODY_MAX);
	struct buf cert OWNED_BUF = BUF(MEF_DER_MAX);
	struct got g OWNED_GOT = {0};
	const struct csr_plan plan = {.subject = {NULL, 0}};

	device_make(m, "SN-1", &d);
	make_csr(d.key, &plan, &csr);
	buf_put_text(&pem, "-----BEGIN CERTIFICATE REQUEST-----\n");
	base64_write(&pem, buf_span(&csr), 64);
	buf_put_text(&pem, "-----END CERTIFICATE REQUEST-----\n");
	mef_post(m, enrol_plain, &d.peer, buf_span(&pem), &g);
	read_cert(&g, &cert);
	assert_int_equal(mef_counts(m).issued, 1);
}

/* RFC 7030 4.2.2: authenticated by the certificate to be renewed, same subject and names */
static void a_device_renews_with_the_certificate_it_got(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf old OWNED_BUF = BUF(MEF_DER_MAX);
	struct buf renewed OWNED_BUF = BUF(MEF_DER_MAX);
	struct key *next OWNED_KEY = mef_key();
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};
	struct cert cert = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	obey(m, attrs_onem2m, &d, &csr);
	post_der(m, enrol_onem2m, &d.peer, &csr, &g);
	read_cert(&g, &old);
	assert_int_equal(cert_parse(buf_span(&old), &cert, &why), OK);
	struct peer own = mef_peer(m, PEER_OWN, &old);
	fetch_attrs(m, attrs_onem2m, &own, &der, &attrs);
	const struct csr_plan plan = {.subject = cert.subject, .challenge = attrs.challenge, .sans = attrs.sans,
		.ekus = &attrs.ekus, .digital_signature = true};
	make_csr(next, &plan, &csr);
	post_der(m, "/.well-known/est/onem2m/simplereenroll", &own, &csr, &g);
	read_cert(&g, &renewed);
	assert_false(span_equal(buf_span(&old), buf_span(&renewed)));
	assert_int_equal(mef_counts(m).issued, 2);
}

/* RFC 7030 4.2.2 */
static void a_factory_certificate_cannot_renew(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	obey(m, attrs_onem2m, &d, &csr);
	post_der(m, "/.well-known/est/onem2m/simplereenroll", &d.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_POLICY_NOT_PROVISIONED, 0);
}

/* TS-0003 8.3.6.2 step 3d: the identity in the request is the one that TLS authenticated */
static void another_identity_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device one OWNED_DEVICE = {0};
	struct device two OWNED_DEVICE = {0};
	struct buf der1 OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf der2 OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0}, others = {0};

	device_make(m, "SN-1", &one);
	device_make(m, "SN-2", &two);
	fetch_attrs(m, attrs_onem2m, &one.peer, &der1, &attrs);
	fetch_attrs(m, attrs_onem2m, &two.peer, &der2, &others);
	attrs.sans = others.sans;
	csr_for(one.key, &attrs, &csr);
	post_der(m, enrol_onem2m, &one.peer, &csr, &g);
	expect_refused(m, &g, 403, CODE_POLICY_SAN, 0);
}

/* seed 001 8.3.Z.2.1: never HTTP authentication, so 403 and not 401 (mef_call checks) */
static void nobody_without_certificate_is_served_a_challenge_or_a_certificate(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	struct peer anonymous = mef_anonymous();

	device_make(m, "SN-1", &d);
	mef_get(m, attrs_onem2m, &anonymous, &g);
	expect_refusal(&g, 403, CODE_CLIENT_ANONYMOUS);
	obey(m, attrs_onem2m, &d, &csr);
	post_der(m, enrol_onem2m, &anonymous, &csr, &g);
	expect_stranger(m, &g, CODE_CLIENT_ANONYMOUS, 1);
	post_der(m, enrol_plain, &anonymous, &csr, &g);
	expect_stranger(m, &g, CODE_CLIENT_ANONYMOUS, 2);
}

/* RFC 7030 4.5: csrattrs without authentication, as far as it is the same for all */
static void an_anonymous_client_of_the_plain_label_gets_general_attributes(void **state)
{
	struct mef_site *m = *state;
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct peer anonymous = mef_anonymous();
	struct est_attrs attrs = {0};

	fetch_attrs(m, attrs_plain, &anonymous, &der, &attrs);
	assert_int_equal(attrs.challenge.n, 0);
	assert_int_equal(attrs.sans.n, 0);
	assert_true(attrs.digital_signature);
}

/* RFC 7030 4.5.2: what the profile takes only; the label's own wish goes before it */
static void the_only_kind_of_key_is_said(void **state)
{
	struct mef_site *m = *state;
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct device d OWNED_DEVICE = {0};
	struct peer anonymous = mef_anonymous();
	struct est_attrs attrs = {0};

	device_make(m, "SN-1", &d);
	fetch_attrs(m, attrs_plain, &d.peer, &der, &attrs);
	assert_int_equal(attrs.key, KEY_NONE);
	m->labels.items[0].only_key = KEY_P384;
	fetch_attrs(m, attrs_plain, &d.peer, &der, &attrs);
	assert_int_equal(attrs.key, KEY_P384);
	fetch_attrs(m, attrs_plain, &anonymous, &der, &attrs);
	assert_int_equal(attrs.key, KEY_P384);
	m->labels.items[0].ask_key = KEY_P256;
	fetch_attrs(m, attrs_plain, &d.peer, &der, &attrs);
	assert_int_equal(attrs.key, KEY_P256);
}

static void an_unregistered_device_is_told_so(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct got g OWNED_GOT = {0};
	const struct csr_plan plan = {.subject = {NULL, 0}};

	device_make(m, "SN-3", &d);
	mef_get(m, attrs_plain, &d.peer, &g);
	expect_refusal(&g, 403, CODE_CLIENT_UNKNOWN);
	make_csr(d.key, &plan, &csr);
	post_der(m, enrol_plain, &d.peer, &csr, &g);
	expect_stranger(m, &g, CODE_CLIENT_UNKNOWN, 1);
}

static void bytes_that_are_no_request_are_refused_and_audited(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct got g OWNED_GOT = {0};

	device_make(m, "SN-1", &d);
	mef_post(m, enrol_plain, &d.peer, span_text("MAA="), &g);
	assert_int_equal(g.status, 400);
	assert_int_equal(mef_counts(m).issued, 0);
	expect_audit(m, "enrol.refused");
	expect_audit(m, "dev1");
}

struct stub {
	struct why why;
};

static void stub_issue(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct stub *s = self;
	(void)order;

	done(arg, s->why.kind, NULL, &s->why);
}

/* A plain enrolment against an issuer that answers with this kind of failure. */
static void enrol_with_failing_issuer(struct mef_site *m, enum err kind, enum code code, struct got *g)
{
	struct stub stub = {.why = {.kind = kind, .code = code, .text = "inner detail"}};
	struct issuer issuer = {.self = &stub, .issue = stub_issue};
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	const struct csr_plan plan = {.subject = {NULL, 0}};

	device_make(m, "SN-1", &d);
	make_csr(d.key, &plan, &csr);
	m->env.enrol.issuer = &issuer;
	post_der(m, enrol_plain, &d.peer, &csr, g);
	m->env.enrol.issuer = &m->issuer.issuer;
	assert_int_equal(mef_counts(m).issued, 0);
}

static void our_own_faults_tell_the_client_no_detail(void **state)
{
	struct mef_site *m = *state;
	struct got g OWNED_GOT = {0};

	enrol_with_failing_issuer(m, ERR_SYSTEM, CODE_SYSTEM, &g);
	expect_refusal(&g, 503, CODE_SYSTEM);
	assert_true(g.retry_after_s > 0);
	assert_null(strstr(buf_text(&g.body), "inner detail"));
	assert_int_equal(m->faults, 1);
	assert_non_null(strstr(m->fault.text, "inner detail"));
	enrol_with_failing_issuer(m, ERR_BUG, CODE_BUG, &g);
	expect_refusal(&g, 500, CODE_BUG);
	assert_null(strstr(buf_text(&g.body), "inner detail"));
}

/* RFC 7030 4.2.3: 202 carries Retry-After */
static void a_pending_request_is_202_with_a_time_to_come_back(void **state)
{
	struct mef_site *m = *state;
	struct got g OWNED_GOT = {0};

	enrol_with_failing_issuer(m, ERR_PENDING, CODE_SYSTEM, &g);
	assert_int_equal(g.status, 202);
	assert_true(g.retry_after_s > 0);
	assert_int_equal(m->faults, 0);
}

/* 415 would send people to the Content-Type; it is the key that does not fit. */
static void an_unsupported_key_is_a_bad_request(void **state)
{
	struct mef_site *m = *state;
	struct got g OWNED_GOT = {0};

	enrol_with_failing_issuer(m, ERR_UNSUPPORTED, CODE_BUG, &g);
	assert_int_equal(g.status, 400);
	assert_non_null(strstr(buf_text(&g.body), "inner detail"));
}

#define FLOW(name) cmocka_unit_test_setup_teardown(name, mef_setup, mef_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FLOW(a_device_that_obeys_csrattrs_gets_its_certificate),
		FLOW(every_fetch_makes_another_challenge),
		FLOW(a_required_challenge_that_is_missing_is_refused),
		FLOW(a_made_up_challenge_is_refused_under_every_label),
		FLOW(an_expired_challenge_is_refused),
		FLOW(another_devices_challenge_is_refused),
		FLOW(another_labels_challenge_is_refused),
		FLOW(a_bound_challenge_is_refused_in_another_session),
		FLOW(an_unbound_challenge_survives_a_reconnect),
		FLOW(one_challenge_yields_one_certificate),
		FLOW(a_plain_client_enrols_with_pem_and_without_challenge),
		FLOW(a_device_renews_with_the_certificate_it_got),
		FLOW(a_factory_certificate_cannot_renew),
		FLOW(another_identity_is_refused),
		FLOW(nobody_without_certificate_is_served_a_challenge_or_a_certificate),
		FLOW(an_anonymous_client_of_the_plain_label_gets_general_attributes),
		FLOW(the_only_kind_of_key_is_said),
		FLOW(an_unregistered_device_is_told_so),
		FLOW(bytes_that_are_no_request_are_refused_and_audited),
		FLOW(our_own_faults_tell_the_client_no_detail),
		FLOW(a_pending_request_is_202_with_a_time_to_come_back),
		FLOW(an_unsupported_key_is_a_bad_request),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
