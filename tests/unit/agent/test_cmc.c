#include "agent/cmc.h"

#include "lab.h"
#include "pki/cms_signed.h"
#include "pki/der.h"

static uint8_t fresh[AGENT_CMC_RANDOM];

/* What the MEF answers, to be broken in one place. */
struct answering {
	struct cmc_response response;
	struct buf transaction, body;
	const struct made *signer;
	struct span type;
	struct agent_reply reply;
};

static void answering_fini(struct answering *a)
{
	buf_fini(&a->transaction);
	buf_fini(&a->body);
}

#define OWNED_ANSWERING __attribute__((cleanup(answering_fini)))

static void answering_init(struct lab *lab, struct answering *a)
{
	for (size_t i = 0; i < sizeof(fresh); i++)
		fresh[i] = (uint8_t)(0x90 + i);
	a->transaction = BUF(64);
	a->body = BUF(1 << 20);
	der_put_uint(&a->transaction, span_of(fresh, 16));
	a->response = (struct cmc_response){.transaction = buf_span(&a->transaction), .recipient_nonce = span_of(fresh + 16, 16),
		.parts = {{.path = {1}, .path_n = 1, .status = CMC_SUCCESS, .fail = CMC_FAIL_NONE}}, .parts_n = 1};
	a->signer = &lab->tls;
	a->type = OID_CCT_PKI_RESPONSE;
}

static enum err read_answer(struct lab *lab, struct answering *a, struct agent_cmc_answer *out, struct why *got)
{
	struct why why = {0};
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct buf message OWNED_BUF = BUF(1 << 20);
	OWNED_ANCHORS struct anchors *anchors = NULL;
	const struct span inner = buf_span(&lab->inner.der);
	const struct agent_cmc ask = {.key = lab->factory.key, .cert = buf_span(&lab->factory.der), .random = fresh};

	must(cmc_response_write(&a->response, &der, &why));
	const struct cms_signed_plan plan = {.type = a->type, .content = buf_span(&der), .key = a->signer->key,
		.cert = buf_span(&a->signer->der), .others = &inner, .others_n = 1};
	must(cms_signed_write(&plan, &message, &why));
	buf_clear(&a->body);
	est_body_write(&a->body, buf_span(&message), (struct span){0});
	a->reply.status = 200;
	a->reply.body = buf_span(&a->body);
	if (a->reply.media_type.n == 0)
		a->reply.media_type = span_text(CMC_MEDIA_RESPONSE);
	must(anchors_parse_pem(buf_span(&lab->anchors_pem), &anchors, &why));
	out->anchors = anchors;
	out->now_s = lab->now_s;
	enum err err = agent_cmc_read(&ask, &a->reply, out, got);
	out->anchors = NULL;
	return err;
}

static void expect(struct lab *lab, struct answering *a, enum code code)
{
	struct arena arena OWNED_ARENA = ARENA(1 << 20);
	struct agent_cmc_answer out = {.arena = &arena};
	struct why got = {0};

	enum err err = read_answer(lab, a, &out, &got);
	if (code == CODE_NONE ? err != OK : err == OK || got.code != code)
		fail_msg("want %d, have %d %s", (int)code, (int)got.code, got.text);
	assert_true(code != CODE_NONE || out.certs_n == 2);
}

static void a_good_answer_is_taken(void **state)
{
	struct answering a OWNED_ANSWERING = {0};

	answering_init(*state, &a);
	expect(*state, &a, CODE_NONE);
}

static void an_answer_to_another_message_is_refused(void **state)
{
	struct answering a OWNED_ANSWERING = {0};
	static const uint8_t one[] = {0x02, 0x01, 0x01};

	answering_init(*state, &a);
	a.response.transaction = span_of(one, sizeof(one));
	expect(*state, &a, CODE_AGENT_REPLY);
	a.response.transaction = (struct span){0};
	expect(*state, &a, CODE_AGENT_REPLY);
	a.response.transaction = buf_span(&a.transaction);
	a.response.recipient_nonce = span_text("an older one....");
	expect(*state, &a, CODE_AGENT_REPLY);
	a.response.recipient_nonce = (struct span){0};
	expect(*state, &a, CODE_AGENT_REPLY);
}

static void only_who_the_anchors_vouch_for_answers(void **state)
{
	struct lab *lab = *state;
	struct answering a OWNED_ANSWERING = {0};

	answering_init(lab, &a);
	a.signer = &lab->factory;
	expect(lab, &a, CODE_CHAIN_UNKNOWN_ISSUER);
	a.signer = &lab->tls;
	lab->now_s += 2LL * 365 * DAY_S;
	expect(lab, &a, CODE_CHAIN_EXPIRED);
}

static void every_status_must_say_success(void **state)
{
	struct answering a OWNED_ANSWERING = {0};

	answering_init(*state, &a);
	a.response.parts[1] = (struct cmc_part){.path = {2}, .path_n = 1, .status = CMC_FAILED, .fail = CMC_FAIL_BAD_IDENTITY,
		.text = span_text("OMEF-1522: not yours")};
	a.response.parts_n = 2;
	expect(*state, &a, CODE_AGENT_REFUSED);
	a.response.parts[1].status = CMC_PENDING;
	expect(*state, &a, CODE_AGENT_REFUSED);
	a.response.parts_n = 0;
	expect(*state, &a, CODE_AGENT_REPLY);
	a.response.parts[0].path[0] = 7; /* of a body part that was not sent */
	a.response.parts_n = 1;
	expect(*state, &a, CODE_AGENT_REPLY);
}

static void another_message_is_no_answer(void **state)
{
	struct answering a OWNED_ANSWERING = {0};

	answering_init(*state, &a);
	a.type = OID_CCT_PKI_DATA;
	expect(*state, &a, CODE_CMS_SIGNED_SYNTAX);
	a.type = OID_CCT_PKI_RESPONSE;
	a.reply.media_type = span_text(CERTS_TYPE);
	expect(*state, &a, CODE_AGENT_REPLY);
}

static void a_request_is_signed_by_its_certificate(void **state)
{
	struct lab *lab = *state;
	struct buf body OWNED_BUF = BUF(1 << 20);
	struct buf der OWNED_BUF = BUF(1 << 20);
	struct buf signer OWNED_BUF = BUF(CERT_DER_MAX);
	struct cms_signed *cms OWNED_CMS_SIGNED = NULL;
	struct cmc_data data;
	struct cert cert = {0};
	struct why why = {0};

	must(cert_parse(buf_span(&lab->factory.der), &cert, &why));
	const struct cmc_revoke revoke = {.part = 1, .issuer = cert.issuer, .serial = cert.serial, .reason = 1};
	const struct agent_cmc ask = {.key = lab->factory.key, .cert = cert.der, .revoke = &revoke, .random = fresh};
	must(agent_cmc_write(&ask, &body, &why));
	must(est_body_der(buf_span(&body), &der, &why));
	must(cms_signed_parse(buf_span(&der), OID_CCT_PKI_DATA, &cms, &why));
	must(cms_signed_verify(cms, (struct span){0}, &signer, &why));
	assert_true(span_equal(buf_span(&signer), cert.der));
	must(cmc_data_parse(cms_signed_content(cms), &data, &why));
	assert_int_equal(data.revokes_n, 1);
	assert_true(span_equal(data.revokes[0].serial, cert.serial));
	assert_int_equal(data.sender_nonce.n, 16);
	struct buf url OWNED_BUF = BUF(1024);
	must(agent_cmc_url("https://mef.example.com:8443/", &url, &why));
	assert_string_equal(buf_text(&url), "https://mef.example.com:8443/.well-known/est/fullcmc");
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_good_answer_is_taken),
		LAB_TEST(an_answer_to_another_message_is_refused),
		LAB_TEST(only_who_the_anchors_vouch_for_answers),
		LAB_TEST(every_status_must_say_success),
		LAB_TEST(another_message_is_no_answer),
		LAB_TEST(a_request_is_signed_by_its_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
