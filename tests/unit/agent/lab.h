#pragma once
/* An agent and a MEF made by hand, so that each answer can be broken in one place. */
#include "unit/pki/made.h"

#include "agent/run.h"
#include "base/base64.h"
#include "pki/cms.h"
#include "pki/oid.h"
#include "proto/est/body.h"

#define CLIENT_AUTH_OID OID("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define LAB_URI "https://mef.example.com/.well-known/est/onem2m"
#define LAB_HOST "dev1.example.com"
#define CERTS_TYPE "application/pkcs7-mime; smime-type=certs-only"

struct lab {
	struct made root, inner, web, tls, factory, issued;
	struct buf anchors_pem, sans, body;
	struct key *key;
	int64_t now_s;
	struct agent_config config;
	struct agent *agent;
};

static inline int64_t lab_unix_s(void *self)
{
	return ((struct lab *)self)->now_s;
}

static inline void lab_pem(struct buf *out, const struct made *m)
{
	struct why why = {0};

	must(cert_write_pem(buf_span(&m->der), out, &why));
}

static inline void lab_leaf(struct made *m, const char *cn, const struct made *by)
{
	struct cert_plan plan = made_plan(m, KEY_P256, cn);

	plan.key_usage = KU_DIGITAL_SIGNATURE;
	made_sign(m, &plan, by);
}

static inline void lab_agent(struct lab *lab)
{
	struct why why = {0};

	agent_free(lab->agent);
	lab->agent = NULL;
	lab->config.anchors_pem = buf_span(&lab->anchors_pem);
	must(agent_new(&lab->config, &lab->agent, &why));
}

static inline int lab_setup(void **state)
{
	struct lab *lab = mem_alloc(sizeof(*lab));
	struct why why = {0};

	assert_non_null(lab);
	lab->now_s = made_now_s;
	made_ca(&lab->root, KEY_P256, "MEF Root", NULL);
	made_ca(&lab->inner, KEY_P256, "MEF Issuing CA", &lab->root);
	made_ca(&lab->web, KEY_P256, "Web CA", NULL);
	lab_leaf(&lab->tls, "mef", &lab->inner);
	lab_leaf(&lab->factory, "factory device", &lab->web);
	lab->anchors_pem = lab->body = BUF(RUN_PEM_MAX);
	lab->sans = BUF(NAME_DER_MAX);
	lab_pem(&lab->anchors_pem, &lab->root);
	made_dns(&lab->sans, LAB_HOST);
	must(key_new(KEY_P256, &lab->key, &why));
	lab->config = (struct agent_config){.base_uri = LAB_URI, .client_cert = buf_span(&lab->factory.der),
		.clock = {.self = lab, .unix_s = lab_unix_s}};
	lab_agent(lab);
	*state = lab;
	return 0;
}

static inline int lab_teardown(void **state)
{
	struct lab *lab = *state;

	agent_free(lab->agent);
	key_free(lab->key);
	made_fini(&lab->root);
	made_fini(&lab->inner);
	made_fini(&lab->web);
	made_fini(&lab->tls);
	made_fini(&lab->factory);
	made_fini(&lab->issued);
	buf_fini(&lab->anchors_pem);
	buf_fini(&lab->sans);
	buf_fini(&lab->body);
	mem_free(lab);
	return 0;
}

static inline struct agent_action lab_next(struct lab *lab)
{
	struct agent_action action;
	struct why why = {0};

	agent_next(lab->agent, &action, &why);
	if (action.kind == AGENT_FAILED)
		fail_msg("%s", why.text);
	return action;
}

/* Failed for this reason, and for good: nothing is installed. */
static inline void lab_failed(struct lab *lab, enum code code, const char *text)
{
	for (int i = 0; i < 2; i++) {
		struct agent_action action;
		struct why why = {0};
		agent_next(lab->agent, &action, &why);
		if (action.kind != AGENT_FAILED || why.code != code || !strstr(why.text, text))
			fail_msg("want %d '%s', have action %d, %d '%s'", (int)code, text, (int)action.kind, (int)why.code,
				why.text);
	}
}

static inline void lab_feed(struct lab *lab, unsigned int status, const char *media_type, struct span body)
{
	const struct span shown[] = {buf_span(&lab->tls.der), buf_span(&lab->inner.der)};
	const struct agent_reply reply = {.status = status, .media_type = span_text(media_type), .body = body,
		.server_certs = shown, .server_certs_n = 2};

	agent_feed(lab->agent, &reply);
}

static inline void lab_feed_der(struct lab *lab, const char *media_type, struct span der)
{
	buf_clear(&lab->body);
	est_body_write(&lab->body, der, span_text("libest"));
	lab_feed(lab, 200, media_type, buf_span(&lab->body));
}

static inline void lab_feed_certs(struct lab *lab, const struct span *certs, size_t n)
{
	struct buf der OWNED_BUF = BUF(AGENT_REPLY_MAX);
	struct why why = {0};

	must(cms_certs_write(certs, n, &der, &why));
	lab_feed_der(lab, CERTS_TYPE, buf_span(&der));
}

static inline void lab_feed_attrs(struct lab *lab, const struct est_attrs *attrs)
{
	struct buf der OWNED_BUF = BUF(EST_ATTRS_DER_MAX);
	struct why why = {0};

	must(est_attrs_write(attrs, EST_ATTRS_LIST, &der, &why));
	lab_feed_der(lab, "application/csrattrs", buf_span(&der));
}

/* What the MEF of the lab asks for: a challenge, the name, clientAuth. */
static inline struct est_attrs lab_attrs(struct lab *lab)
{
	struct est_attrs attrs = {.challenge = span_text("challenge"), .sans = buf_span(&lab->sans),
		.digital_signature = true};

	attrs.ekus.oids[attrs.ekus.n++] = CLIENT_AUTH_OID;
	return attrs;
}

static inline void lab_to_attrs(struct lab *lab)
{
	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der)};

	assert_int_equal(lab_next(lab).kind, AGENT_CALL);
	lab_feed_certs(lab, certs, 2);
}

static inline void lab_to_key(struct lab *lab)
{
	const struct est_attrs attrs = lab_attrs(lab);

	lab_to_attrs(lab);
	assert_non_null(strstr(lab_next(lab).url, "/csrattrs"));
	lab_feed_attrs(lab, &attrs);
}

static inline void lab_to_enrol(struct lab *lab)
{
	lab_to_key(lab);
	assert_int_equal(lab_next(lab).kind, AGENT_MAKE_KEY);
	agent_feed_key(lab->agent, lab->key);
	assert_int_equal(lab_next(lab).method, CALL_POST);
}

/* The certificate that the MEF should issue; tests change one thing, then lab_issue. */
static inline struct cert_plan lab_plan(struct lab *lab)
{
	struct why why = {0};

	made_fini(&lab->issued);
	struct cert_plan plan = made_plan(&lab->issued, KEY_P256, "dev1");
	buf_clear(&lab->issued.spki);
	must(key_write_spki(lab->key, &lab->issued.spki, &why));
	plan.spki = buf_span(&lab->issued.spki);
	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.sans = buf_span(&lab->sans);
	plan.ekus[plan.ekus_n++] = CLIENT_AUTH_OID;
	return plan;
}

static inline void lab_issue(struct lab *lab, struct cert_plan *plan, const struct made *by)
{
	made_sign(&lab->issued, plan, by);
	const struct span der = buf_span(&lab->issued.der);
	lab_feed_certs(lab, &der, 1);
}

#define LAB(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)
