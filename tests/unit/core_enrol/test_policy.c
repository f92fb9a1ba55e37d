#include "world.h"

/* One client and one request against a label, without store or CA. */
struct bench {
	struct arena arena;
	struct key *key;
	struct key *other_key;
	struct key *big_key;
	struct buf leaf;
	struct buf csr_der;
	struct client client;
	struct est_label label;
	struct csr csr;
	struct issue_order order;
	struct why why;
};

/* The certificate that authenticates the client. */
static void authenticate(struct bench *b, const char *cn, const struct san_list *sans, bool provisioned)
{
	buf_clear(&b->leaf);
	struct buf issuer OWNED_BUF = BUF(NAME_DER_MAX);
	good(name_write_cn("Some CA", NULL, &issuer, &b->why), &b->why);
	make_cert(cn, NULL, sans, b->key, buf_span(&issuer), b->key, false, T0, T0 + DAY, &b->leaf);
	good(cert_parse(buf_span(&b->leaf), &b->client.leaf, &b->why), &b->why);
	b->client.provisioned = provisioned;
}

static int setup(void **state)
{
	struct bench *b = mem_alloc(sizeof(*b));

	b->arena = ARENA(1024 * 1024);
	b->leaf = BUF(CERT_DER_MAX);
	b->csr_der = BUF(CSR_DER_MAX);
	good(key_new(KEY_P256, &b->key, &b->why), &b->why);
	good(key_new(KEY_P256, &b->other_key, &b->why), &b->why);
	good(key_new(KEY_P384, &b->big_key, &b->why), &b->why);
	b->client.enrolee = (struct enrolee){.id = "gw7", .entity_type = ENTITY_NODE, .entity_id = "urn:dev:ops:7",
		.state = ENROLEE_ENABLED, .label = "", .profile = ""};
	b->label = (struct est_label){.name = "", .profile = "device", .challenge = CHALLENGE_ACCEPTED};
	authenticate(b, "Factory box", NULL, false);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	arena_fini(&b->arena);
	key_free(b->key);
	key_free(b->other_key);
	key_free(b->big_key);
	buf_fini(&b->leaf);
	buf_fini(&b->csr_der);
	mem_free(b);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void request_with(struct bench *b, const struct csr_wish *wish, const struct key *key)
{
	buf_clear(&b->csr_der);
	make_csr(wish, key, &b->csr_der);
	why_clear(&b->why);
	good(csr_parse(buf_span(&b->csr_der), &b->csr, &b->why), &b->why);
}

static void request(struct bench *b, const struct csr_wish *wish)
{
	request_with(b, wish, b->other_key);
}

static struct attrs_asked asked_of(struct bench *b)
{
	struct attrs_asked asked;

	good(asked_find(NULL, &b->label, NULL, &b->arena, &asked, &b->why), &b->why);
	return asked;
}

static enum err enrol(struct bench *b)
{
	why_clear(&b->why);
	struct attrs_asked asked = asked_of(b);
	return policy_enrol(&b->client, &asked, &b->csr, &b->arena, &b->order, &b->why);
}

static enum err reenrol(struct bench *b)
{
	why_clear(&b->why);
	struct attrs_asked asked = asked_of(b);
	return policy_reenrol(&b->client, &asked, &b->csr, &b->arena, &b->order, &b->why);
}

static void admitted(struct bench *b, enum err err)
{
	good(err, &b->why);
	assert_true(span_equal(b->order.csr, buf_span(&b->csr_der)));
}

static void refused(struct bench *b, enum err err, enum code code, const char *text)
{
	assert_int_equal(err, ERR_FORBIDDEN);
	assert_int_equal(b->why.code, code);
	if (!strstr(b->why.text, text))
		fail_msg("'%s' lacks '%s'", b->why.text, text);
}

static void subject_is(struct bench *b, const char *want)
{
	const char *have = NULL;

	good(name_text(b->order.subject, &b->arena, &have, &b->why), &b->why);
	assert_string_equal(have, want);
}

static void sans_are(struct bench *b, enum san_kind kind, const char *want)
{
	struct san_list list;
	const struct san san = san_of(kind, want);

	good(san_parse(b->order.sans, &b->arena, &list, &b->why), &b->why);
	assert_int_equal(list.n, 1);
	assert_true(span_equal(list.items[0].value, san.value));
	assert_int_equal(list.items[0].kind, kind);
}

/* TS-0003 10.1.1: AE-ID and Node-ID as URI, CSE-ID and FQDN as dNSName. */
static void the_identity_depends_on_the_entity_type(void **state)
{
	static const struct {
		enum entity_type type;
		const char *id;
		enum san_kind kind;
	} rows[] = {
		{ENTITY_NODE, "urn:dev:ops:7", SAN_URI},
		{ENTITY_AE, "m2m://sp.example.com/cse1/Cae7", SAN_URI},
		{ENTITY_CSE, "cse1.sp.example.com", SAN_DNS},
		{ENTITY_FQDN, "gw7.example.com", SAN_DNS},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf der OWNED_BUF = BUF(2048);
		b->client.enrolee.entity_type = rows[i].type;
		b->client.enrolee.entity_id = rows[i].id;
		good(policy_identity(&b->client.enrolee, &der, &b->why), &b->why);
		b->order.sans = buf_span(&der);
		sans_are(b, rows[i].kind, rows[i].id);
	}
}

static void an_empty_request_gets_name_and_identity_from_the_registry(void **state)
{
	struct bench *b = *state;

	request(b, &(struct csr_wish){0});
	admitted(b, enrol(b));
	subject_is(b, "CN=urn:dev:ops:7");
	sans_are(b, SAN_URI, "urn:dev:ops:7");
	assert_string_equal(b->order.profile, "device");
	assert_int_equal(b->order.not_after_s, 0);
}

/* RFC 5280 appendix A: ub-common-name is 64. */
static void a_long_entity_id_leaves_the_id_as_name(void **state)
{
	struct bench *b = *state;
	char entity[80];
	char id[80];

	memset(entity, 'x', sizeof(entity));
	memcpy(entity, "urn:", 4);
	memset(id, 'i', sizeof(id));
	b->client.enrolee.entity_id = entity;
	request(b, &(struct csr_wish){0});
	entity[64] = '\0';
	admitted(b, enrol(b));
	assert_int_equal(strlen(entity) + 3, 67);
	subject_is(b, (char[68]){"CN=urn:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"});
	entity[64] = 'x';
	entity[65] = '\0';
	admitted(b, enrol(b));
	subject_is(b, "CN=gw7");
	id[65] = '\0';
	b->client.enrolee.id = id;
	admitted(b, enrol(b));
	assert_true(name_is_empty(b->order.subject));
	sans_are(b, SAN_URI, entity);
}

/* RFC 9525 2: an id with dots reads as a host name. */
static void an_id_with_dots_is_no_name_of_last_resort(void **state)
{
	struct bench *b = *state;
	char entity[80];

	memset(entity, 'x', sizeof(entity));
	memcpy(entity, "urn:", 4);
	entity[79] = '\0';
	b->client.enrolee.entity_id = entity;
	b->client.enrolee.id = "gw7.example.com";
	request(b, &(struct csr_wish){0});
	admitted(b, enrol(b));
	assert_true(name_is_empty(b->order.subject));
}

/* Nobody vouches for what a self-signed certificate calls itself. */
static void the_subject_of_a_raw_key_counts_for_nothing(void **state)
{
	struct bench *b = *state;

	request(b, &(struct csr_wish){.cn = "Factory box"});
	admitted(b, enrol(b));
	b->client.self_named = true;
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "Factory box");
	request(b, &(struct csr_wish){.cn = "gw7"});
	admitted(b, enrol(b));
}

static void the_enrolees_own_profile_comes_first(void **state)
{
	struct bench *b = *state;

	b->client.enrolee.profile = "gateway";
	request(b, &(struct csr_wish){0});
	admitted(b, enrol(b));
	assert_string_equal(b->order.profile, "gateway");
}

static void subjects_of_the_client_are_kept_as_sent(void **state)
{
	struct bench *b = *state;

	request(b, &(struct csr_wish){.cn = "gw7"});
	admitted(b, enrol(b));
	assert_true(span_equal(b->order.subject, b->csr.subject));
	request(b, &(struct csr_wish){.cn = "urn:dev:ops:7"});
	admitted(b, enrol(b));
	assert_true(span_equal(b->order.subject, b->csr.subject));
}

static void the_subject_of_the_authenticating_certificate_is_admitted(void **state)
{
	struct bench *b = *state;

	authenticate(b, "Blue Box 7", NULL, false);
	request(b, &(struct csr_wish){.cn = "blue  BOX 7"}); /* RFC 5280 7.1: case and blanks do not count */
	admitted(b, enrol(b));
	assert_true(span_equal(b->order.subject, b->csr.subject));
	request(b, &(struct csr_wish){.cn = "Blue Box 8"});
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "CN=Blue Box 8");
}

static void other_subjects_are_refused_naming_want_and_have(void **state)
{
	struct bench *b = *state;

	request(b, &(struct csr_wish){.cn = "gw8"});
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "want empty, CN=gw7 or CN=urn:dev:ops:7, have 'CN=gw8'");
	request(b, &(struct csr_wish){.cn = "gw7", .serial = "1"});
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "gw7"); /* more than the name alone */
	request(b, &(struct csr_wish){.cn = "GW7"});
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "GW7"); /* ids differ by case */
	request(b, &(struct csr_wish){.cn = "urn:dev:OPS:7"});
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "OPS");
}

static void host_names_in_subjects_compare_without_case(void **state)
{
	struct bench *b = *state;

	b->client.enrolee.entity_type = ENTITY_FQDN;
	b->client.enrolee.entity_id = "gw7.example.com";
	request(b, &(struct csr_wish){.cn = "GW7.Example.com"});
	admitted(b, enrol(b));
}

/* TS-0003 8.3.6.2 step 3d: the identity attribute against the authenticated identity. */
static void another_identity_is_refused(void **state)
{
	struct bench *b = *state;

	request(b, &(struct csr_wish){.san = san_of(SAN_URI, "urn:dev:ops:8")});
	refused(b, enrol(b), CODE_POLICY_SAN, "want urn:dev:ops:7, have urn:dev:ops:8");
	request(b, &(struct csr_wish){.san = san_of(SAN_DNS, "gw7.example.com")});
	refused(b, enrol(b), CODE_POLICY_SAN, "have gw7.example.com");
	request(b, &(struct csr_wish){.san = san_of(SAN_URI, "urn:dev:ops:7")});
	admitted(b, enrol(b));
}

static void more_than_the_identity_is_refused(void **state)
{
	struct bench *b = *state;
	const struct san_list two = {.items = {san_of(SAN_URI, "urn:dev:ops:7"), san_of(SAN_DNS, "www.bank.example")}, .n = 2};
	struct buf der OWNED_BUF = BUF(2048);

	good(san_write(&two, &der, &b->why), &b->why);
	request(b, &(struct csr_wish){.sans = buf_span(&der)});
	refused(b, enrol(b), CODE_POLICY_SAN, "www.bank.example");
}

static void the_certificate_gets_the_registrys_writing_of_the_identity(void **state)
{
	struct bench *b = *state;

	b->client.enrolee.entity_type = ENTITY_FQDN;
	b->client.enrolee.entity_id = "gw7.example.com";
	request(b, &(struct csr_wish){.san = san_of(SAN_DNS, "GW7.EXAMPLE.COM")});
	admitted(b, enrol(b));
	sans_are(b, SAN_DNS, "gw7.example.com");
}

/* TS-0003 10.1.4: the CSR carries the identity as subjectAltName. */
static void a_label_with_a_required_challenge_wants_the_identity_in_the_request(void **state)
{
	struct bench *b = *state;

	b->label.challenge = CHALLENGE_REQUIRED;
	request(b, &(struct csr_wish){.cn = "gw7"});
	refused(b, enrol(b), CODE_POLICY_SAN, "want urn:dev:ops:7, have none");
	request(b, &(struct csr_wish){.cn = "gw7", .san = san_of(SAN_URI, "urn:dev:ops:7")});
	admitted(b, enrol(b));
}

static void ask_for(struct bench *b, const char *first, const char *second)
{
	b->label.ask_ekus_n = 0;
	if (first)
		snprintf(b->label.ask_ekus[b->label.ask_ekus_n++], 64, "%s", first);
	if (second)
		snprintf(b->label.ask_ekus[b->label.ask_ekus_n++], 64, "%s", second);
}

/* TS-0003 8.3.6.2 step 3d: the MEF validates the EKUs against those that it asked for. */
static void extended_key_usages_asked_for_must_be_there(void **state)
{
	struct bench *b = *state;
	struct csr_wish wish = {.san = san_of(SAN_URI, "urn:dev:ops:7")};

	b->label.challenge = CHALLENGE_REQUIRED;
	ask_for(b, CLIENT_AUTH, SERVER_AUTH);
	request(b, &wish);
	refused(b, enrol(b), CODE_POLICY_EKU, "clientAuth");
	wish.ekus[0] = CLIENT_AUTH;
	request(b, &wish);
	refused(b, enrol(b), CODE_POLICY_EKU, "serverAuth");
	wish.ekus[1] = SERVER_AUTH;
	request(b, &wish);
	admitted(b, enrol(b));
}

static void extended_key_usages_not_asked_for_are_refused(void **state)
{
	struct bench *b = *state;
	struct csr_wish wish = {.ekus = {CLIENT_AUTH, "1.3.6.1.4.1.99999.7"}};

	ask_for(b, CLIENT_AUTH, NULL);
	request(b, &wish);
	refused(b, enrol(b), CODE_POLICY_EKU, "have 1.3.6.1.4.1.99999.7");
	ask_for(b, NULL, NULL); /* the profile alone decides */
	admitted(b, enrol(b));
	ask_for(b, CLIENT_AUTH, NULL);
	request(b, &(struct csr_wish){0}); /* a plain client may leave them out */
	admitted(b, enrol(b));
}

static void the_key_kind_asked_for_binds_where_the_challenge_is_required(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = {.san = san_of(SAN_URI, "urn:dev:ops:7")};

	b->label.ask_key = KEY_P256;
	request_with(b, &wish, b->big_key);
	admitted(b, enrol(b));
	b->label.challenge = CHALLENGE_REQUIRED;
	refused(b, enrol(b), CODE_POLICY_KEY, "want P-256, have P-384");
	request(b, &wish);
	admitted(b, enrol(b));
	b->label.ask_key = KEY_NONE;
	request_with(b, &wish, b->big_key);
	admitted(b, enrol(b));
}

static void requests_for_ca_certificates_are_refused(void **state)
{
	struct bench *b = *state;

	authenticate(b, "gw7", NULL, true);
	request(b, &(struct csr_wish){.cn = "gw7"});
	b->csr.asks_ca = true;
	refused(b, enrol(b), CODE_POLICY_CA, "basicConstraints cA");
	refused(b, reenrol(b), CODE_POLICY_CA, "basicConstraints cA");
	b->csr.asks_ca = false;
	b->csr.has_key_usage = true;
	b->csr.key_usage = KU_DIGITAL_SIGNATURE;
	admitted(b, enrol(b));
	b->csr.key_usage = KU_DIGITAL_SIGNATURE | KU_KEY_CERT_SIGN;
	refused(b, enrol(b), CODE_POLICY_CA, "keyCertSign");
	b->csr.key_usage = KU_CRL_SIGN;
	refused(b, enrol(b), CODE_POLICY_CA, "cRLSign");
}

static const struct san_list *identity_list(void)
{
	static struct san_list list;

	list = (struct san_list){.items = {san_of(SAN_URI, "urn:dev:ops:7")}, .n = 1};
	return &list;
}

static struct csr_wish renewal(void)
{
	return (struct csr_wish){.cn = "gw7", .san = san_of(SAN_URI, "urn:dev:ops:7")};
}

static void reenrolment_takes_over_subject_and_identity(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), true);
	request(b, &wish);
	admitted(b, reenrol(b));
	assert_true(span_equal(b->order.subject, b->csr.subject));
	assert_true(span_equal(b->order.sans, b->client.leaf.san));
	assert_true(b->order.sans.p != b->client.leaf.san.p); /* outlives the request */
	assert_string_equal(b->order.profile, "device");
}

static void reenrolment_needs_a_certificate_of_this_mef(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), false);
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_NOT_PROVISIONED, "bootstrap");
}

/* RFC 7030 4.2.2: subject and SAN identical, compared by RFC 5280 7.1. */
static void reenrolment_compares_names_by_rule_not_by_octets(void **state)
{
	struct bench *b = *state;
	struct csr_wish wish = renewal();

	authenticate(b, "Gateway No 7", identity_list(), true);
	wish.cn = "gateway  no 7";
	request(b, &wish);
	admitted(b, reenrol(b));
	wish.cn = "gateway no 8";
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_SUBJECT, "want 'CN=Gateway No 7', have 'CN=gateway no 8'");
	wish.cn = NULL;
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_SUBJECT, "have ''");
	authenticate(b, NULL, identity_list(), true);
	request(b, &wish);
	admitted(b, reenrol(b));
}

static void reenrolment_wants_the_same_alternative_names(void **state)
{
	struct bench *b = *state;
	struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), true);
	wish.san = san_of(SAN_URI, "urn:dev:ops:8");
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_SAN, "want urn:dev:ops:7, have urn:dev:ops:8");
	wish.san = (struct san){0};
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_SAN, "have none");
	authenticate(b, "gw7", NULL, true);
	wish = renewal();
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_SAN, "want none");
}

static void reenrolment_ends_when_the_registry_knows_another_identity(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), true);
	request(b, &wish);
	b->client.enrolee.entity_id = "urn:dev:ops:9";
	refused(b, reenrol(b), CODE_POLICY_SAN, "want urn:dev:ops:9");
}

static void the_label_says_whether_the_key_may_stay(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), true); /* with b->key */
	request_with(b, &wish, b->key);
	refused(b, reenrol(b), CODE_POLICY_KEY_REUSE, "want a new one");
	b->label.reuse_key = true;
	admitted(b, reenrol(b));
	request(b, &wish);
	admitted(b, reenrol(b));
}

static void reenrolment_checks_usages_and_key_kind_too(void **state)
{
	struct bench *b = *state;
	const struct csr_wish wish = renewal();

	authenticate(b, "gw7", identity_list(), true);
	b->label.challenge = CHALLENGE_REQUIRED;
	ask_for(b, CLIENT_AUTH, NULL);
	request(b, &wish);
	refused(b, reenrol(b), CODE_POLICY_EKU, "clientAuth");
	ask_for(b, NULL, NULL);
	b->label.ask_key = KEY_P384;
	refused(b, reenrol(b), CODE_POLICY_KEY, "want P-384, have P-256");
}

static void labels_are_found_by_name(void **state)
{
	const struct label_set set = {.items = {{.name = ""}, {.name = "onem2m"}}, .n = 2};

	assert_ptr_equal(label_find(&set, span_text("")), &set.items[0]);
	assert_ptr_equal(label_find(&set, span_text("onem2m")), &set.items[1]);
	assert_null(label_find(&set, span_text("onem2")));
	assert_null(label_find(&set, span_text("OneM2M")));
}

/* "CN, O=Acme" filled in. */
static void request_named(struct bench *b, const char *text)
{
	struct buf subject OWNED_BUF = BUF(NAME_DER_MAX);
	struct name_template t;

	good(name_template_read(span_text(text), &b->arena, &t, &b->why), &b->why);
	name_template_write(&t, &subject);
	request(b, &(struct csr_wish){.subject = buf_span(&subject), .san = {.kind = SAN_URI, .value = span_text("urn:dev:ops:7")}});
}

/* RFC 9908 3.4 */
static void the_subject_asked_for_must_be_there(void **state)
{
	struct bench *b = *state;

	snprintf(b->label.ask_subject, sizeof(b->label.ask_subject), "CN, O=Acme, OU");
	b->label.challenge = CHALLENGE_REQUIRED;
	request_named(b, "CN=gw7, O=Acme, OU=yard");
	admitted(b, enrol(b));
	request_named(b, "CN=urn:dev:ops:7, O=Acme, OU=anything");
	admitted(b, enrol(b));
	request_named(b, "CN=gw8, O=Acme, OU=yard");
	refused(b, enrol(b), CODE_POLICY_ASK_SUBJECT, "CN=gw7");
	request_named(b, "CN=gw7, O=Other, OU=yard");
	refused(b, enrol(b), CODE_POLICY_ASK_SUBJECT, "attribute 2: want O=Acme");
	assert_string_equal(b->why.clause, "RFC 9908 3.4");
	request_named(b, "CN=gw7");
	refused(b, enrol(b), CODE_POLICY_ASK_SUBJECT, "want O=Acme");
}

/* RFC 7030 4.5: csrattrs is the client's to ask for */
static void who_never_asked_may_send_it_or_keep_to_the_plain_rules(void **state)
{
	struct bench *b = *state;

	snprintf(b->label.ask_subject, sizeof(b->label.ask_subject), "CN, O=Acme");
	b->label.ask_key = KEY_P384;
	request_named(b, "CN=gw7, O=Acme");
	admitted(b, enrol(b));
	request_named(b, "CN=gw7");
	admitted(b, enrol(b));
	request(b, &(struct csr_wish){.no_usage = true});
	admitted(b, enrol(b));
	request_named(b, "CN=gw7, O=Other");
	refused(b, enrol(b), CODE_POLICY_SUBJECT, "CN=gw7");
}

static void the_key_usage_asked_for_must_be_there(void **state)
{
	struct bench *b = *state;

	b->label.challenge = CHALLENGE_REQUIRED;
	request(b, &(struct csr_wish){.no_usage = true, .san = {.kind = SAN_URI, .value = span_text("urn:dev:ops:7")}});
	refused(b, enrol(b), CODE_POLICY_KEY_USAGE, "keyUsage: want digitalSignature");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_identity_depends_on_the_entity_type),
		TEST(an_empty_request_gets_name_and_identity_from_the_registry),
		TEST(a_long_entity_id_leaves_the_id_as_name),
		TEST(an_id_with_dots_is_no_name_of_last_resort),
		TEST(the_subject_of_a_raw_key_counts_for_nothing),
		TEST(the_enrolees_own_profile_comes_first),
		TEST(subjects_of_the_client_are_kept_as_sent),
		TEST(the_subject_of_the_authenticating_certificate_is_admitted),
		TEST(other_subjects_are_refused_naming_want_and_have),
		TEST(host_names_in_subjects_compare_without_case),
		TEST(another_identity_is_refused),
		TEST(more_than_the_identity_is_refused),
		TEST(the_certificate_gets_the_registrys_writing_of_the_identity),
		TEST(a_label_with_a_required_challenge_wants_the_identity_in_the_request),
		TEST(extended_key_usages_asked_for_must_be_there),
		TEST(extended_key_usages_not_asked_for_are_refused),
		TEST(the_key_kind_asked_for_binds_where_the_challenge_is_required),
		TEST(requests_for_ca_certificates_are_refused),
		TEST(reenrolment_takes_over_subject_and_identity),
		TEST(reenrolment_needs_a_certificate_of_this_mef),
		TEST(reenrolment_compares_names_by_rule_not_by_octets),
		TEST(reenrolment_wants_the_same_alternative_names),
		TEST(reenrolment_ends_when_the_registry_knows_another_identity),
		TEST(the_label_says_whether_the_key_may_stay),
		TEST(reenrolment_checks_usages_and_key_kind_too),
		TEST(the_subject_asked_for_must_be_there),
		TEST(who_never_asked_may_send_it_or_keep_to_the_plain_rules),
		TEST(the_key_usage_asked_for_must_be_there),
		cmocka_unit_test(labels_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
