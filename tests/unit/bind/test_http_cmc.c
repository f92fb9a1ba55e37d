#define _GNU_SOURCE /* memmem */
#include "ra_site.h"

#include "core/ca/message.h"
#include "core/registry/request.h"
#include "pki/cms_signed.h"
#include "proto/cmc/cmc.h"
#include "proto/est/linking.h"

static const char fullcmc[] = "/.well-known/est/fullcmc";
static const uint8_t transaction[] = {0x02, 0x02, 0x12, 0x34};

static struct {
	struct message message;
	struct key *key;
	struct buf cert;
	unsigned int revoked;
} site;

static void on_revoked(void *arg)
{
	(void)arg;
	site.revoked++;
}

static int setup(void **state)
{
	assert_int_equal(mef_setup(state), 0);
	struct mef_site *m = *state;
	struct why why = {0};

	site.key = mef_key();
	site.cert = BUF(MEF_DER_MAX);
	site.revoked = 0;
	mef_cert(m, "CMC answers", NULL, site.key, m->ca_key, &m->ca_der, &site.cert);
	site.message = (struct message){.key = site.key, .cert_der = buf_span(&site.cert), .ca_der = buf_span(&m->ca_der)};
	assert_int_equal(cert_parse(site.message.cert_der, &site.message.cert, &why), OK);
	m->issuer.message = &site.message;
	m->env.revoked = on_revoked;
	m->labels.items[0].fullcmc = true;
	return 0;
}

static int teardown(void **state)
{
	key_free(site.key);
	buf_fini(&site.cert);
	return mef_teardown(state);
}

/* An answer, read and verified. */
struct answered {
	struct got got;
	struct cms_signed *cms;
	struct buf signer;
	struct cmc_response response;
	struct span certs[CMS_CERTS_MAX];
	size_t certs_n;
};

static void answered_fini(struct answered *a)
{
	got_fini(&a->got);
	cms_signed_free(a->cms);
	buf_fini(&a->signer);
	*a = (struct answered){0};
}

#define OWNED_ANSWERED __attribute__((cleanup(answered_fini)))

static void sign_data(const struct cmc_data *data, const struct key *key, const struct buf *cert, struct buf *out)
{
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct why why = {0};

	assert_int_equal(cmc_data_write(data, &der, &why), OK);
	const struct cms_signed_plan plan = {.type = OID_CCT_PKI_DATA, .content = buf_span(&der), .key = key, .cert = buf_span(cert)};
	buf_clear(out);
	assert_int_equal(cms_signed_write(&plan, out, &why), OK);
}

static void post(struct mef_site *m, const char *path, const struct peer *peer, struct span der, struct got *g)
{
	struct buf text OWNED_BUF = BUF(2 * CALL_BODY_MAX);

	est_body_write_request(&text, der);
	const struct call call = {.method = CALL_POST, .path = span_text(path), .media_type = span_text(CMC_MEDIA_REQUEST),
		.body = buf_span(&text), .peer = *peer};
	mef_call(m, &call, g);
}

/* A PKIResponse came with that status. */
static void post_message(struct mef_site *m, const struct peer *peer, struct span der, unsigned int status, struct answered *a)
{
	struct buf answer OWNED_BUF = BUF(REPLY_BODY_MAX);
	struct why why = {0};

	answered_fini(a);
	post(m, fullcmc, peer, der, &a->got);
	if (a->got.status != status)
		fail_msg("want %u, have %u %s", status, (unsigned int)a->got.status, buf_text(&a->got.body));
	assert_string_equal(a->got.media_type, CMC_MEDIA_RESPONSE);
	assert_true(a->got.base64);
	assert_int_equal(est_body_der(buf_span(&a->got.body), &answer, &why), OK);
	assert_int_equal(cms_signed_parse(buf_span(&answer), OID_CCT_PKI_RESPONSE, &a->cms, &why), OK);
	a->signer = BUF(MEF_DER_MAX);
	assert_int_equal(cms_signed_verify(a->cms, (struct span){0}, &a->signer, &why), OK);
	assert_true(span_equal(buf_span(&a->signer), buf_span(&site.cert)));
	assert_int_equal(cmc_response_parse(cms_signed_content(a->cms), &a->response, &why), OK);
	a->certs_n = cms_signed_certs(a->cms, a->certs);
}

static void send_data(struct mef_site *m, const struct peer *peer, const struct cmc_data *data, const struct key *key,
	const struct buf *cert, unsigned int status, struct answered *a)
{
	struct buf message OWNED_BUF = BUF(CALL_BODY_MAX);

	sign_data(data, key, cert, &message);
	post_message(m, peer, buf_span(&message), status, a);
}

static void expect_part(const struct answered *a, size_t i, uint32_t part, enum cmc_status status, enum cmc_fail fail,
	enum code code)
{
	const struct cmc_part *p = &a->response.parts[i];
	char want[32];

	assert_true(i < a->response.parts_n);
	assert_int_equal(p->path[p->path_n - 1], part);
	if (p->status != status || p->fail != fail)
		fail_msg("part %u: status %d fail %d: %.*s", part, (int)p->status, (int)p->fail, SPAN_FMT(p->text));
	snprintf(want, sizeof(want), "OMEF-%d:", (int)code);
	if (code != CODE_NONE && !span_starts(p->text, want))
		fail_msg("part %u: want %s, have %.*s", part, want, SPAN_FMT(p->text));
}

static struct cmc_data data_of(const struct buf *csr)
{
	return (struct cmc_data){.transaction = span_of(transaction, sizeof(transaction)),
		.sender_nonce = span_text("sixteen octets.."), .requests = {{1, buf_span(csr)}}, .requests_n = 1};
}

/* The certificate for that key is in the answer. */
static bool has_cert(const struct answered *a, const struct key *key, struct buf *out)
{
	for (size_t i = 0; i < a->certs_n; i++) {
		struct cert cert = {0};
		struct why why = {0};
		assert_int_equal(cert_parse(a->certs[i], &cert, &why), OK);
		if (!key_matches_spki(key, cert.spki))
			continue;
		buf_clear(out);
		buf_put_span(out, a->certs[i]);
		return true;
	}
	return false;
}

/* RFC 7030 4.3, RFC 5272 3.2: by the bootstrap certificate of the TLS session */
static void a_device_enrols_and_renews(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct key *next OWNED_KEY = mef_key();
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};
	struct cmc_data data = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	data = data_of(&csr);
	data.has_data_return = true;
	data.data_return = span_text("mine");
	data.identification = span_text("the meter in the cellar");
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 200, &a);
	assert_int_equal(a.response.parts_n, 1);
	expect_part(&a, 0, 1, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	/* RFC 5272 6.6: echoed; 6.3: dataReturn */
	assert_true(span_equal(a.response.transaction, data.transaction));
	assert_true(span_equal(a.response.recipient_nonce, data.sender_nonce));
	assert_int_equal(a.response.sender_nonce.n, 16);
	assert_true(span_is(a.response.data_return, "mine"));
	assert_true(has_cert(&a, d.key, &d.own));
	expect_audit(m, "certificate.issued");
	/* the bootstrap certificate holds the session, the provisioned one of the same enrolee signs */
	csr_make(next, "dev1.example.com", "dev1.example.com", NULL, &csr);
	data = data_of(&csr);
	send_data(m, &d.peer, &data, d.key, &d.own, 200, &a);
	assert_true(has_cert(&a, next, &d.own));
	expect_audit(m, "re-enrolment");
	assert_int_equal(mef_counts(m).issued, 2);
}

static void rules_of_renewal_hold(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &d);
	device_enrol(m, &d, "dev1.example.com");
	csr_make(d.key, "dev1.example.com", "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	send_data(m, &d.peer, &data, d.key, &d.own, 403, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_NO_KEY_REUSE, CODE_POLICY_KEY_REUSE);
	expect_audit(m, "enrol.refused");
}

static void who_signs_is_who_holds_the_session(void **state)
{
	struct mef_site *m = *state;
	struct device one OWNED_DEVICE = {0};
	struct device two OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &one);
	device_make(m, "SN-2", &two);
	csr_make(one.key, NULL, "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	/* one's message on two's connection: by the factory's certificate, then by ours */
	send_data(m, &two.peer, &data, one.factory_key, &one.leaf, 403, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_CMC_SIGNER);
	expect_audit(m, "enrol.refused");
	expect_audit(m, "dev2");
	device_enrol(m, &one, "dev1.example.com");
	send_data(m, &two.peer, &data, one.key, &one.own, 403, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_CMC_SIGNER);
	assert_int_equal(mef_counts(m).issued, 1);
	/* another factory certificate with the same names, which this session did not show */
	struct buf twin OWNED_BUF = BUF(MEF_DER_MAX);
	mef_cert(m, "device", "SN-2", two.key, m->factory_key, &m->factory_der, &twin);
	send_data(m, &two.peer, &data, two.key, &twin, 403, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_CMC_SIGNER);
}

static void a_revoked_signer_is_none(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};
	struct cert own = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	const struct peer bootstrap = d.peer;
	device_enrol(m, &d, "dev1.example.com");
	assert_int_equal(cert_parse(buf_span(&d.own), &own, &why), OK);
	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	assert_int_equal(registry_revoke(m->store, own.serial, 1, m->now_s, &why), OK);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
	csr_make(d.factory_key, "dev1.example.com", "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	send_data(m, &bootstrap, &data, d.key, &d.own, 403, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_CMC_SIGNER);
}

static void a_changed_message_is_told_so(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf message OWNED_BUF = BUF(CALL_BODY_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	sign_data(&data, d.factory_key, &d.leaf, &message);
	message.p[message.n - 1] ^= 1;
	post_message(m, &d.peer, buf_span(&message), 403, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_MESSAGE_CHECK, CODE_CMS_SIGNED_WRONG);
	assert_true(span_equal(a.response.transaction, data.transaction));
	assert_int_equal(mef_counts(m).issued, 0);
}

static void every_request_has_its_own_status(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf mine OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf other OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf broken OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf cert OWNED_BUF = BUF(MEF_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &mine);
	csr_make(d.key, NULL, "dev2.example.com", NULL, &other); /* for two people in one message */
	csr_make(d.key, NULL, "dev1.example.com", NULL, &broken);
	broken.p[broken.n - 1] ^= 1;
	struct cmc_data data = data_of(&mine);
	data.requests[1] = (struct cmc_csr){7, buf_span(&other)};
	data.requests[2] = (struct cmc_csr){4294967200u, buf_span(&broken)};
	data.requests_n = 3;
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 200, &a);
	assert_int_equal(a.response.parts_n, 3);
	expect_part(&a, 0, 1, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	expect_part(&a, 1, 7, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_POLICY_SAN);
	expect_part(&a, 2, 4294967200u, CMC_FAILED, CMC_FAIL_POP_FAILED, CODE_CSR_SIGNATURE);
	assert_int_equal(mef_counts(m).issued, 1);
	assert_true(has_cert(&a, d.key, &cert));
}

/* One challenge, one certificate: who asks with the same bytes again gets the same one. */
static void a_repeated_message_issues_once(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf message OWNED_BUF = BUF(CALL_BODY_MAX);
	struct buf first OWNED_BUF = BUF(MEF_DER_MAX);
	struct buf second OWNED_BUF = BUF(MEF_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};
	struct got g OWNED_GOT = {0};
	struct est_attrs attrs = {0};
	struct why why = {0};
	char text[CHALLENGE_TEXT_MAX + 1];

	device_make(m, "SN-1", &d);
	mef_get(m, "/.well-known/est/csrattrs", &d.peer, &g);
	assert_int_equal(est_body_der(buf_span(&g.body), &der, &why), OK);
	assert_int_equal(est_attrs_parse(buf_span(&der), &attrs, &why), OK);
	snprintf(text, sizeof(text), "%.*s", SPAN_FMT(attrs.challenge));
	csr_make(d.key, NULL, "dev1.example.com", text, &csr);
	const struct cmc_data data = data_of(&csr);
	sign_data(&data, d.factory_key, &d.leaf, &message);
	post_message(m, &d.peer, buf_span(&message), 200, &a);
	assert_true(has_cert(&a, d.key, &first));
	post_message(m, &d.peer, buf_span(&message), 200, &a);
	assert_true(has_cert(&a, d.key, &second));
	assert_true(span_equal(buf_span(&first), buf_span(&second)));
	assert_int_equal(mef_counts(m).issued, 1);
	csr_make(d.factory_key, NULL, "dev1.example.com", text, &csr);
	const struct cmc_data other = data_of(&csr);
	send_data(m, &d.peer, &other, d.factory_key, &d.leaf, 409, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_BAD_REQUEST, CODE_CHALLENGE_SPENT);
}

static void revoke_of(const struct buf *der, uint8_t reason, struct cmc_data *out)
{
	struct cert cert = {0};
	struct why why = {0};

	assert_int_equal(cert_parse(buf_span(der), &cert, &why), OK);
	*out = (struct cmc_data){.transaction = span_of(transaction, sizeof(transaction)), .revokes_n = 1,
		.revokes = {{.part = 3, .issuer = cert.issuer, .serial = cert.serial, .reason = reason,
			.invalid_s = MEF_NOW_S - 60, .comment = span_text("fell into the river")}}};
}

/* RFC 5272 6.11 */
static void a_device_revokes_its_own(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct answered a OWNED_ANSWERED = {0};
	struct cmc_data data = {0};
	struct got g OWNED_GOT = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);

	device_make(m, "SN-1", &d);
	const struct peer bootstrap = d.peer;
	device_enrol(m, &d, "dev1.example.com");
	revoke_of(&d.own, 1, &data);
	send_data(m, &d.peer, &data, d.key, &d.own, 200, &a);
	expect_part(&a, 0, 3, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	assert_int_equal(mef_counts(m).revoked, 1);
	assert_int_equal(site.revoked, 1);
	expect_audit(m, "certificate.revoked");
	expect_audit(m, "keyCompromise, asked for by its enrolee: fell into the river");
	/* it is good for nothing from now on */
	csr_make(d.factory_key, "dev1.example.com", "dev1.example.com", NULL, &csr);
	post_csr(m, "/.well-known/est/simplereenroll", &d.peer, &csr, &g);
	expect_refusal(&g, 403, CODE_CLIENT_REVOKED);
	/* asked for again, by the bootstrap certificate: it is as it should be */
	send_data(m, &bootstrap, &data, d.factory_key, &d.leaf, 200, &a);
	expect_part(&a, 0, 3, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	assert_int_equal(site.revoked, 1);
}

static void nobody_revokes_what_is_anothers(void **state)
{
	struct mef_site *m = *state;
	struct device one OWNED_DEVICE = {0};
	struct device two OWNED_DEVICE = {0};
	struct answered a OWNED_ANSWERED = {0};
	struct cmc_data data = {0};
	static const uint8_t nobody[] = {0x7f, 0x01};

	device_make(m, "SN-1", &one);
	device_make(m, "SN-2", &two);
	device_enrol(m, &one, "dev1.example.com");
	device_enrol(m, &two, "dev2.example.com");
	revoke_of(&one.own, 1, &data);
	send_data(m, &two.peer, &data, two.key, &two.own, 403, &a);
	expect_part(&a, 0, 3, CMC_FAILED, CMC_FAIL_BAD_CERT_ID, CODE_CMC_REVOKE);
	/* one that nobody has is refused in the same words */
	data.revokes[0].serial = span_of(nobody, sizeof(nobody));
	send_data(m, &two.peer, &data, two.key, &two.own, 403, &a);
	expect_part(&a, 0, 3, CMC_FAILED, CMC_FAIL_BAD_CERT_ID, CODE_CMC_REVOKE);
	/* the right serial under another issuer's name */
	revoke_of(&two.own, 1, &data);
	struct cert factory = {0};
	struct why why = {0};
	assert_int_equal(cert_parse(buf_span(&m->factory_der), &factory, &why), OK);
	data.revokes[0].issuer = factory.subject;
	send_data(m, &two.peer, &data, two.key, &two.own, 403, &a);
	expect_part(&a, 0, 3, CMC_FAILED, CMC_FAIL_BAD_CERT_ID, CODE_CMC_REVOKE);
	/* certificateHold */
	revoke_of(&two.own, 6, &data);
	send_data(m, &two.peer, &data, two.key, &two.own, 400, &a);
	expect_part(&a, 0, 3, CMC_FAILED, CMC_FAIL_BAD_REQUEST, CODE_REVOKE_REASON);
	assert_int_equal(mef_counts(m).revoked, 0);
	assert_int_equal(site.revoked, 0);
}

static void an_ra_acts_for_others_where_the_label_says_so(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct device dev OWNED_DEVICE = {0};
	struct buf one OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf two OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf cert OWNED_BUF = BUF(MEF_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	ra_make(m, &ra);
	device_make(m, "SN-1", &dev);
	csr_make(dev.key, NULL, "dev1.example.com", NULL, &one);
	csr_make(dev.factory_key, NULL, "dev2.example.com", NULL, &two);
	struct cmc_data data = data_of(&one);
	data.requests[1] = (struct cmc_csr){2, buf_span(&two)};
	data.requests_n = 2;
	data.witnessed = true;
	send_data(m, &ra.peer, &data, ra.key, &ra.own, 200, &a);
	expect_part(&a, 0, 1, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	expect_part(&a, 1, 2, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	assert_true(has_cert(&a, dev.key, &cert));
	expect_audit(m, "authority ra1");
	m->labels.items[0].ra = false;
	send_data(m, &ra.peer, &data, ra.key, &ra.own, 403, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_RA_LABEL);
	/* revocation for others follows the same two switches */
	assert_true(has_cert(&a, dev.key, &cert) || cert.n);
	struct cmc_data revoke = {0};
	revoke_of(&cert, 4, &revoke);
	send_data(m, &ra.peer, &revoke, ra.key, &ra.own, 403, &a);
	expect_part(&a, 0, 3, CMC_FAILED, CMC_FAIL_BAD_CERT_ID, CODE_CMC_REVOKE);
	m->labels.items[0].ra = true;
	send_data(m, &ra.peer, &revoke, ra.key, &ra.own, 200, &a);
	expect_part(&a, 0, 3, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	expect_audit(m, "authority ra1");
	expect_audit(m, "superseded");
}

/* RFC 5272 7: an RA passes on what its clients signed */
static void an_ra_passes_messages_on(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct device dev OWNED_DEVICE = {0};
	struct device plain OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf inner OWNED_BUF = BUF(CALL_BODY_MAX);
	struct buf cert OWNED_BUF = BUF(MEF_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	ra_make(m, &ra);
	device_make(m, "SN-1", &dev);
	device_make(m, "SN-2", &plain);
	csr_make(dev.key, NULL, "dev1.example.com", NULL, &csr);
	struct cmc_data client = data_of(&csr);
	client.requests[0].part = 5;
	sign_data(&client, dev.factory_key, &dev.leaf, &inner);
	struct cmc_data outer = {.transaction = span_of(transaction, sizeof(transaction)), .nested_n = 1,
		.nested = {{.part = 9, .der = buf_span(&inner)}}};
	send_data(m, &ra.peer, &outer, ra.key, &ra.own, 200, &a);
	expect_part(&a, 0, 5, CMC_SUCCESS, CMC_FAIL_NONE, CODE_NONE);
	assert_int_equal(a.response.parts[0].path_n, 2);
	assert_int_equal(a.response.parts[0].path[0], 9);
	assert_true(has_cert(&a, dev.key, &cert));
	/* whoever is no RA cannot */
	send_data(m, &plain.peer, &outer, plain.factory_key, &plain.leaf, 403, &a);
	expect_part(&a, 0, 9, CMC_FAILED, CMC_FAIL_BAD_IDENTITY, CODE_CMC_NESTED);
	/* the inner signature counts */
	inner.p[inner.n - 1] ^= 1;
	send_data(m, &ra.peer, &outer, ra.key, &ra.own, 403, &a);
	expect_part(&a, 0, 9, CMC_FAILED, CMC_FAIL_BAD_MESSAGE_CHECK, CODE_CMS_SIGNED_WRONG);
	/* one level deep */
	sign_data(&outer, dev.factory_key, &dev.leaf, &inner);
	outer.nested[0].der = buf_span(&inner);
	send_data(m, &ra.peer, &outer, ra.key, &ra.own, 400, &a);
	expect_part(&a, 0, 9, CMC_NO_SUPPORT, CMC_FAIL_BAD_REQUEST, CODE_CMC_UNSUPPORTED);
	assert_int_equal(mef_counts(m).issued, 2);
}

static void requests_of_all_nested_messages_are_counted(void **state)
{
	struct mef_site *m = *state;
	struct device ra OWNED_DEVICE = {0};
	struct device dev OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf inner OWNED_BUF = BUF(CALL_BODY_MAX);
	struct answered a OWNED_ANSWERED = {0};

	ra_make(m, &ra);
	device_make(m, "SN-1", &dev);
	csr_make(dev.key, NULL, "dev1.example.com", NULL, &csr);
	struct cmc_data client = data_of(&csr);
	for (uint32_t i = 0; i < 5; i++)
		client.requests[i] = (struct cmc_csr){i + 1, buf_span(&csr)};
	client.requests_n = 5;
	sign_data(&client, dev.factory_key, &dev.leaf, &inner);
	const struct cmc_data outer = {.nested_n = 2, .nested = {{1, buf_span(&inner)}, {2, buf_span(&inner)}}};
	send_data(m, &ra.peer, &outer, ra.key, &ra.own, 200, &a);
	assert_int_equal(a.response.parts_n, 6);
	expect_part(&a, 5, 2, CMC_FAILED, CMC_FAIL_BAD_REQUEST, CODE_CMC_LIMIT);
}

/* A control of no known kind, a CRMF request: nothing at all is done. */
static void what_is_not_supported_stops_the_whole_message(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf der OWNED_BUF = BUF(CALL_BODY_MAX);
	struct buf message OWNED_BUF = BUF(CALL_BODY_MAX);
	struct answered a OWNED_ANSWERED = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	assert_int_equal(cmc_data_write(&data, &der, &why), OK);
	/* senderNonce (…7.6) becomes encryptedPOP (…7.9) */
	static const uint8_t nonce_oid[] = {0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x07, 0x06};
	uint8_t *at = memmem(der.p, der.n, nonce_oid, sizeof(nonce_oid));
	assert_non_null(at);
	at[sizeof(nonce_oid) - 1] = 9;
	const struct cms_signed_plan plan = {.type = OID_CCT_PKI_DATA, .content = buf_span(&der), .key = d.factory_key,
		.cert = buf_span(&d.leaf)};
	assert_int_equal(cms_signed_write(&plan, &message, &why), OK);
	post_message(m, &d.peer, buf_span(&message), 400, &a);
	assert_int_equal(a.response.parts_n, 2);
	expect_part(&a, 0, 3, CMC_NO_SUPPORT, CMC_FAIL_BAD_REQUEST, CODE_CMC_UNSUPPORTED);
	expect_part(&a, 1, 1, CMC_NO_SUPPORT, CMC_FAIL_BAD_REQUEST, CODE_CMC_UNSUPPORTED);
	assert_int_equal(mef_counts(m).issued, 0);
}

static void an_empty_message_is_refused(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct answered a OWNED_ANSWERED = {0};
	const struct cmc_data data = {.transaction = span_of(transaction, sizeof(transaction))};

	device_make(m, "SN-1", &d);
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 400, &a);
	expect_part(&a, 0, 0, CMC_FAILED, CMC_FAIL_BAD_REQUEST, CODE_CMC_EMPTY);
}

/* RFC 7030 4.3.2: what cannot be read is refused in words */
static void what_is_no_message_is_refused_in_words(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf message OWNED_BUF = BUF(CALL_BODY_MAX);
	struct got g OWNED_GOT = {0};
	struct why why = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	post(m, fullcmc, &d.peer, buf_span(&csr), &g);
	expect_refusal(&g, 400, CODE_CMS_SIGNED_SYNTAX);
	expect_audit(m, "enrol.refused");
	const struct cms_signed_plan plan = {.type = OID_CCT_PKI_DATA, .content = span_text("no PKIData"), .key = d.factory_key,
		.cert = buf_span(&d.leaf)};
	assert_int_equal(cms_signed_write(&plan, &message, &why), OK);
	post(m, fullcmc, &d.peer, buf_span(&message), &g);
	expect_refusal(&g, 400, CODE_CMC_SYNTAX);
	mef_post(m, fullcmc, &d.peer, span_text("MAA="), &g); /* application/pkcs10 */
	expect_refusal(&g, 415, CODE_EST_MEDIA);
	const struct peer nobody = mef_anonymous();
	post(m, fullcmc, &nobody, buf_span(&message), &g);
	expect_refusal(&g, 403, CODE_CLIENT_ANONYMOUS);
	post(m, "/.well-known/est/onem2m/fullcmc", &d.peer, buf_span(&message), &g);
	expect_refusal(&g, 404, CODE_EST_PATH);
}

static void issue_broken(void *self, const struct issue_order *order, issue_done done, void *arg)
{
	struct why why = {0};
	(void)self, (void)order;

	done(arg, WHY(&why, ISSUER_UNAVAILABLE, "", "secret of the house"), NULL, &why);
}

static void our_own_faults_tell_no_detail(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	const struct cmc_data data = data_of(&csr);
	m->issuer.issuer.issue = issue_broken;
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 503, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_TRY_LATER, CODE_ISSUER_UNAVAILABLE);
	assert_null(memmem(a.response.parts[0].text.p, a.response.parts[0].text.n, "secret", 6));
	assert_true(a.got.retry_after_s > 0);
	assert_int_equal(m->faults, 1);
}

static enum err keep_id(void *arg, const struct request *r, struct why *why)
{
	(void)why;
	snprintf(arg, REQUEST_ID_SIZE, "%s", r->id);
	return OK;
}

/* RFC 7030 4.2.3, RFC 5272 6.1.1: 202 with pendInfo; the same request again, in a new message, once it is approved */
static void a_held_request_is_pending_until_somebody_decides(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf cert OWNED_BUF = BUF(MEF_DER_MAX);
	struct answered a OWNED_ANSWERED = {0};
	const struct request_filter all = {.limit = 10};
	const struct request_word yes = {.approve = true, .by = "op", .reason = ""};
	char id[REQUEST_ID_SIZE] = "";
	struct why why = {0};

	m->labels.items[0].hold = HOLD_ENROL;
	m->labels.items[0].hold_ttl_s = 3600;
	m->labels.items[0].hold_retry_s = 77;
	device_make(m, "SN-1", &d);
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	struct cmc_data data = data_of(&csr);
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 202, &a);
	assert_int_equal(a.got.retry_after_s, 77);
	expect_part(&a, 0, 1, CMC_PENDING, CMC_FAIL_NONE, CODE_REQUEST_WAITS);
	assert_int_equal(a.response.parts[0].pend_s, MEF_NOW_S + 77);
	assert_true(a.response.parts[0].pend_token.n > 0);
	assert_int_equal(mef_counts(m).issued, 0);
	assert_int_equal(m->store->ops->request_list(m->store->self, &all, keep_id, id, &why), OK);
	assert_int_equal(m->store->ops->begin(m->store->self, &why), OK);
	assert_int_equal(request_decide(m->store, id, &yes, m->now_s, &why), OK);
	assert_int_equal(m->store->ops->commit(m->store->self, &why), OK);
	data.sender_nonce = span_text("another sixteen.");
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 200, &a);
	assert_true(has_cert(&a, d.key, &cert));
}

/* RFC 7030 3.5: popFailed, with a text that says what is wanted */
static void a_link_that_fails_is_pop_failed(void **state)
{
	struct mef_site *m = *state;
	struct device d OWNED_DEVICE = {0};
	struct buf csr OWNED_BUF = BUF(CSR_DER_MAX);
	struct buf value OWNED_BUF = BUF(LINKING_TEXT_MAX);
	struct answered a OWNED_ANSWERED = {0};

	device_make(m, "SN-1", &d);
	m->labels.items[0].linking = LINKING_REQUIRED;
	csr_make(d.key, NULL, "dev1.example.com", NULL, &csr);
	struct cmc_data data = data_of(&csr);
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 403, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_POP_FAILED, CODE_LINKING_MISSING);
	const struct linking_session own = {.exporter = d.peer.exporter};
	linking_write(&own, &value);
	csr_make(d.key, NULL, "dev1.example.com", buf_text(&value), &csr);
	data = data_of(&csr);
	struct peer other = d.peer;
	other.exporter = span_text("exporter octets of the session B");
	send_data(m, &other, &data, d.factory_key, &d.leaf, 403, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_POP_FAILED, CODE_LINKING_WRONG);
	other.exporter = (struct span){0};
	send_data(m, &other, &data, d.factory_key, &d.leaf, 403, &a);
	expect_part(&a, 0, 1, CMC_FAILED, CMC_FAIL_POP_FAILED, CODE_LINKING_NONE);
	send_data(m, &d.peer, &data, d.factory_key, &d.leaf, 200, &a);
}

#define CMC_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CMC_TEST(a_device_enrols_and_renews),
		CMC_TEST(rules_of_renewal_hold),
		CMC_TEST(who_signs_is_who_holds_the_session),
		CMC_TEST(a_revoked_signer_is_none),
		CMC_TEST(a_changed_message_is_told_so),
		CMC_TEST(every_request_has_its_own_status),
		CMC_TEST(a_repeated_message_issues_once),
		CMC_TEST(a_device_revokes_its_own),
		CMC_TEST(nobody_revokes_what_is_anothers),
		CMC_TEST(an_ra_acts_for_others_where_the_label_says_so),
		CMC_TEST(an_ra_passes_messages_on),
		CMC_TEST(requests_of_all_nested_messages_are_counted),
		CMC_TEST(what_is_not_supported_stops_the_whole_message),
		CMC_TEST(an_empty_message_is_refused),
		CMC_TEST(what_is_no_message_is_refused_in_words),
		CMC_TEST(our_own_faults_tell_no_detail),
		CMC_TEST(a_held_request_is_pending_until_somebody_decides),
		CMC_TEST(a_link_that_fails_is_pop_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
