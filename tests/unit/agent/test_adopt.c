/* Which roots a device adopts, and what it does with the certificates of a rollover (docs/decisions/0020). */
#include "unit/agent/lab.h"

#define good(expr) \
	do { \
		if ((expr) != OK) \
			fail_msg("%s: %s", #expr, refusal.text); \
	} while (0)

struct next {
	struct made root, inner, up, down; /* the new root and CA; NewWithOld, OldWithNew */
};

static void cross(struct made *out, const struct made *of, const struct made *by, int64_t not_after_s)
{
	struct cert_plan plan = made_plan(out, KEY_P256, "MEF Root");

	plan.spki = buf_span(&of->spki);
	plan.is_ca = true;
	plan.path_len = 1;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	if (not_after_s)
		plan.not_after_s = not_after_s;
	made_sign(out, &plan, by);
}

static void next_init(struct lab *lab, struct next *n)
{
	*n = (struct next){0};
	made_ca(&n->root, KEY_P256, "MEF Root", NULL);
	made_ca(&n->inner, KEY_P256, "MEF Issuing CA 2", &n->root);
	cross(&n->up, &n->root, &lab->root, 0);
	cross(&n->down, &lab->root, &n->root, 0);
}

static void next_fini(struct next *n)
{
	made_fini(&n->root);
	made_fini(&n->inner);
	made_fini(&n->up);
	made_fini(&n->down);
}
#define OWNED_NEXT __attribute__((cleanup(next_fini)))

/* A device that holds this root and renews the certificate that the MEF once gave it. */
static void renewing(struct lab *lab, const struct made *held)
{
	struct made old OWNED_MADE = {0};
	struct cert_plan plan = made_plan(&old, KEY_P256, "dev1");

	plan.key_usage = KU_DIGITAL_SIGNATURE;
	plan.sans = buf_span(&lab->sans);
	made_sign(&old, &plan, &lab->inner);
	made_fini(&lab->factory);
	lab->factory = old;
	old = (struct made){0};
	buf_clear(&lab->anchors_pem);
	lab_pem(&lab->anchors_pem, held);
	lab->config.client_cert = buf_span(&lab->factory.der);
	lab->config.goal = AGENT_RENEW;
	lab_agent(lab);
}

/* The MEF shows a certificate of that CA, and behind it one between the roots. */
static void feed_cacerts(struct lab *lab, const struct made *by, const struct made *bridge, const struct span *certs, size_t n)
{
	struct buf der OWNED_BUF = BUF(AGENT_REPLY_MAX);
	struct why why = {0};

	made_fini(&lab->tls);
	lab_leaf(&lab->tls, "mef", by);
	must(cms_certs_write(certs, n, &der, &why));
	buf_clear(&lab->body);
	est_body_write(&lab->body, buf_span(&der), span_text("libest"));
	const struct span shown[] = {buf_span(&lab->tls.der), buf_span(&by->der), buf_span(&bridge->der)};
	const struct agent_reply reply = {.status = 200, .media_type = span_text(CERTS_TYPE), .body = buf_span(&lab->body),
		.server_certs = shown, .server_certs_n = 3};
	agent_feed(lab->agent, &reply);
}

static void to_enrol(struct lab *lab)
{
	const struct est_attrs attrs = lab_attrs(lab);

	lab_feed_attrs(lab, &attrs);
	agent_feed_key(lab->agent, lab->key);
	assert_non_null(strstr(lab_next(lab).url, "/simplereenroll"));
}

static struct agent_action renewed_by(struct lab *lab, const struct made *by)
{
	struct cert_plan plan;

	to_enrol(lab);
	plan = lab_plan(lab);
	lab_issue(lab, &plan, by);
	struct agent_action action = lab_next(lab);
	assert_int_equal(action.kind, AGENT_INSTALL);
	return action;
}

static void expect_anchors(const struct agent_action *action, const struct made *const *roots, size_t n)
{
	struct buf pem OWNED_BUF = BUF(RUN_PEM_MAX);

	for (size_t i = 0; i < n; i++)
		lab_pem(&pem, roots[i]);
	assert_true(span_equal(action->anchors_pem, buf_span(&pem)));
}

/* RFC 4210 4.4: NewWithOld leads from the root that is held to the new one */
static void a_device_that_slept_adopts_the_new_root(void **state)
{
	struct lab *lab = *state;
	struct next n OWNED_NEXT;

	next_init(lab, &n);
	renewing(lab, &lab->root);
	const struct span certs[] = {buf_span(&n.inner.der), buf_span(&n.root.der), buf_span(&lab->inner.der),
		buf_span(&lab->root.der), buf_span(&n.down.der), buf_span(&n.up.der)};
	feed_cacerts(lab, &n.inner, &n.up, certs, 6);
	struct agent_action action = renewed_by(lab, &n.inner);
	const struct made *both[] = {&n.root, &lab->root};
	expect_anchors(&action, both, 2);
	/* a root that the device holds needs no certificate by the other in its chain */
	struct buf chain OWNED_BUF = BUF(RUN_PEM_MAX);
	lab_pem(&chain, &n.inner);
	assert_true(span_equal(action.chain_pem, buf_span(&chain)));
}

/* finish: cacerts has the old root no more */
static void the_old_root_goes_when_cacerts_has_it_no_more(void **state)
{
	struct lab *lab = *state;
	struct next n OWNED_NEXT;

	next_init(lab, &n);
	renewing(lab, &lab->root);
	const struct span certs[] = {buf_span(&n.inner.der), buf_span(&n.root.der), buf_span(&n.up.der)};
	feed_cacerts(lab, &n.inner, &n.up, certs, 3);
	struct agent_action action = renewed_by(lab, &n.inner);
	const struct made *fresh[] = {&n.root};
	expect_anchors(&action, fresh, 1);
}

/* publish, from the other side: the device holds the new root, the server certificate is the old CA's */
static void a_device_with_the_new_root_takes_the_old_server(void **state)
{
	struct lab *lab = *state;
	struct next n OWNED_NEXT;

	next_init(lab, &n);
	renewing(lab, &n.root);
	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der), buf_span(&n.inner.der),
		buf_span(&n.root.der), buf_span(&n.down.der), buf_span(&n.up.der)};
	feed_cacerts(lab, &lab->inner, &n.down, certs, 6);
	struct agent_action action = renewed_by(lab, &lab->inner);
	const struct made *both[] = {&lab->root, &n.root};
	expect_anchors(&action, both, 2);
}

/* docs/decisions/0020: the word of a session is not enough at a renewal */
static void a_root_without_a_word_of_a_held_one_is_not_adopted(void **state)
{
	struct lab *lab = *state;
	struct next n OWNED_NEXT;
	struct cert_plan plan;

	next_init(lab, &n);
	renewing(lab, &lab->root);
	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der), buf_span(&n.root.der),
		buf_span(&n.down.der), buf_span(&n.inner.der)};
	feed_cacerts(lab, &lab->inner, &n.down, certs, 5); /* OldWithNew says nothing about the new root */
	struct agent_action action = renewed_by(lab, &lab->inner);
	const struct made *old[] = {&lab->root};
	expect_anchors(&action, old, 1);
	/* and what it certifies is refused, with the next step */
	lab_agent(lab);
	feed_cacerts(lab, &lab->inner, &n.down, certs, 5);
	to_enrol(lab);
	plan = lab_plan(lab);
	lab_issue(lab, &plan, &n.inner);
	lab_failed(lab, CODE_AGENT_ROOT, "have 1 without");
}

/*
 * RFC 4210 4.4: NewWithOld is the old root's own word. The issuing CA's key lies on a machine in the network, and no path length
 * keeps it from signing a last certificate that calls itself a root.
 */
static void an_issuing_ca_plants_no_root(void **state)
{
	struct lab *lab = *state;

	for (int i = 0; i < 3; i++) {
		struct made twin OWNED_MADE = {0}, evil OWNED_MADE = {0}, word OWNED_MADE = {0};
		struct cert_plan plan;
		const char *name = i == 1 ? "MEF Issuing CA" : "MEF Root"; /* in the root's name, and in its own */
		made_ca(&evil, KEY_P256, name, NULL);
		plan = made_plan(&word, KEY_P256, name);
		plan.spki = buf_span(&evil.spki);
		plan.is_ca = true;
		plan.path_len = 1;
		plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
		made_sign(&word, &plan, &lab->inner);
		/* its own key beside, as if it were a root too */
		made_ca(&twin, KEY_P256, "MEF Issuing CA", NULL);
		renewing(lab, &lab->root);
		const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der), buf_span(&evil.der), buf_span(&word.der),
			buf_span(&twin.der)};
		feed_cacerts(lab, &lab->inner, &word, certs, i == 2 ? 5 : 4);
		struct agent_action action = renewed_by(lab, &lab->inner);
		const struct made *old[] = {&lab->root};
		expect_anchors(&action, old, 1);
	}
}

static void an_expired_new_with_old_vouches_for_nobody(void **state)
{
	struct lab *lab = *state;
	struct next n OWNED_NEXT;

	next_init(lab, &n);
	made_fini(&n.up);
	cross(&n.up, &n.root, &lab->root, lab->now_s - 1);
	renewing(lab, &lab->root);
	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der), buf_span(&n.root.der), buf_span(&n.up.der)};
	feed_cacerts(lab, &lab->inner, &n.up, certs, 4);
	struct agent_action action = renewed_by(lab, &lab->inner);
	const struct made *old[] = {&lab->root};
	expect_anchors(&action, old, 1);
}

/* RFC 5280 6.1.1: an anchor is a name and a key */
static void a_root_signed_anew_with_its_key_is_the_same(void **state)
{
	struct lab *lab = *state;
	struct made again OWNED_MADE = {0};

	renewing(lab, &lab->root);
	struct cert_plan plan = made_plan(&again, KEY_P256, "MEF Root");
	plan.spki = buf_span(&lab->root.spki);
	plan.is_ca = true;
	plan.key_usage = KU_KEY_CERT_SIGN | KU_CRL_SIGN;
	plan.not_after_s += 1000;
	made_sign(&again, &plan, &lab->root);
	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&again.der)};
	lab_feed_certs(lab, certs, 2);
	struct agent_action action = renewed_by(lab, &lab->inner);
	const struct made *fresh[] = {&again};
	expect_anchors(&action, fresh, 1);
}

/* ---- the first anchors */

static enum err bootstrap(const struct span *certs, size_t n, const uint8_t *root_sha256, struct buf *out)
{
	struct buf der OWNED_BUF = BUF(AGENT_REPLY_MAX);
	struct buf body OWNED_BUF = BUF(AGENT_REPLY_MAX);

	refusal = (struct why){0};
	good(cms_certs_write(certs, n, &der, &refusal));
	est_body_write(&body, buf_span(&der), span_text(""));
	return agent_bootstrap(span_text(CERTS_TYPE), buf_span(&body), root_sha256, out, &refusal);
}

/* RFC 7030 4.1.1 */
static void a_fingerprint_takes_that_root_alone(void **state)
{
	struct lab *lab = *state;
	struct buf out OWNED_BUF = BUF(RUN_PEM_MAX);
	struct buf want OWNED_BUF = BUF(RUN_PEM_MAX);
	struct cert view = {.der = buf_span(&lab->root.der)};
	uint8_t digest[32];

	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->web.der), buf_span(&lab->root.der)};
	cert_sha256(&view, digest);
	good(bootstrap(certs, 3, digest, &out));
	lab_pem(&want, &lab->root);
	assert_true(span_equal(buf_span(&out), buf_span(&want)));
	/* an intermediate of that fingerprint is no root */
	view.der = buf_span(&lab->inner.der);
	cert_sha256(&view, digest);
	refused(bootstrap(certs, 3, digest, &out), AGENT_BOOTSTRAP);
	digest[31] ^= 1;
	refused(bootstrap(certs, 3, digest, &out), AGENT_BOOTSTRAP);
	assert_true(span_equal(buf_span(&out), buf_span(&want)));
}

/* RFC 7030 3.6.2, 4.1.3 */
static void without_one_all_roots_are_taken_and_nothing_else(void **state)
{
	struct lab *lab = *state;
	struct buf out OWNED_BUF = BUF(RUN_PEM_MAX);
	struct buf want OWNED_BUF = BUF(RUN_PEM_MAX);

	const struct span certs[] = {buf_span(&lab->inner.der), buf_span(&lab->root.der), buf_span(&lab->tls.der), buf_span(&lab->web.der)};
	good(bootstrap(certs, 4, NULL, &out));
	lab_pem(&want, &lab->root);
	lab_pem(&want, &lab->web);
	assert_true(span_equal(buf_span(&out), buf_span(&want)));
	refused(bootstrap(certs, 1, NULL, &out), AGENT_TRUST);
	refused(bootstrap(certs, 0, NULL, &out), AGENT_TRUST);
	refusal = (struct why){0};
	refused(agent_bootstrap(span_text("text/html"), span_text("x"), NULL, &out, &refusal), AGENT_REPLY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB(a_device_that_slept_adopts_the_new_root),
		LAB(the_old_root_goes_when_cacerts_has_it_no_more),
		LAB(a_device_with_the_new_root_takes_the_old_server),
		LAB(a_root_without_a_word_of_a_held_one_is_not_adopted),
		LAB(an_issuing_ca_plants_no_root),
		LAB(an_expired_new_with_old_vouches_for_nobody),
		LAB(a_root_signed_anew_with_its_key_is_the_same),
		LAB(a_fingerprint_takes_that_root_alone),
		LAB(without_one_all_roots_are_taken_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
