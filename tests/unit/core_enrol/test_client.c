#include "world.h"

#include "base/hex.h"

static enum err find(struct world *w, enum client_trust trust, struct span leaf, enum code *code, char *id)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct client c;
	struct why why;
	enum err err = world_find(w, trust, leaf, &arena, &c, &why);

	*code = why.code;
	snprintf(id, STORE_ID_MAX + 1, "%s", err == OK ? c.enrolee.id : "");
	return err;
}

static void finds(struct world *w, enum client_trust trust, struct span leaf, const char *want)
{
	char id[STORE_ID_MAX + 1];
	enum code code;

	assert_int_equal(find(w, trust, leaf, &code, id), OK);
	assert_string_equal(id, want);
}

static void refuses(struct world *w, enum client_trust trust, struct span leaf, enum err err, enum code want)
{
	char id[STORE_ID_MAX + 1];
	enum code code;

	assert_int_equal(find(w, trust, leaf, &code, id), err);
	assert_int_equal(code, want);
}

static struct why reason(struct world *w, enum client_trust trust, struct span leaf)
{
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct client c;
	struct why why;

	assert_int_not_equal(world_find(w, trust, leaf, &arena, &c, &why), OK);
	return why;
}

static void add(struct world *w, const char *id, enum credential_kind kind, const char *value, const uint8_t *anchor)
{
	struct credential c = {.kind = kind, .value = value};
	char entity[STORE_ID_MAX + 16];

	if (anchor)
		memcpy(c.anchor, anchor, 32);
	snprintf(entity, sizeof(entity), "urn:dev:ops:%s", id);
	world_add(w, id, ENTITY_NODE, entity, &c, 1);
}

/* RFC 7030 3.3.2: client certificates authenticate; nothing else is offered. */
static void no_certificate_is_unauthenticated(void **state)
{
	struct world *w = *state;

	refuses(w, CLIENT_ANONYMOUS, (struct span){0}, ERR_UNAUTHENTICATED, CODE_CLIENT_ANONYMOUS);
	refuses(w, CLIENT_THIRD_PARTY, (struct span){0}, ERR_UNAUTHENTICATED, CODE_CLIENT_ANONYMOUS);
	refuses(w, CLIENT_ANONYMOUS, buf_span(&w->factory_der), ERR_UNAUTHENTICATED, CODE_CLIENT_ANONYMOUS);
}

static void an_unreadable_certificate_is_refused(void **state)
{
	struct world *w = *state;
	char id[STORE_ID_MAX + 1];
	enum code code;

	assert_int_equal(find(w, CLIENT_THIRD_PARTY, span_text("0"), &code, id), ERR_SYNTAX);
}

static void factory_certificates_are_found_by_what_they_show(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct san_list sans = {.items = {san_of(SAN_DNS, "GW7.Factory.example"), san_of(SAN_URI, "URN:Factory:7")}, .n = 2};
	char hex[65];
	char key[KEY_NI_SIZE];
	uint8_t digest[32];
	struct cert cert;
	struct why why = {0};

	world_leaf(w, "gateway", "SN-7", &sans, &leaf);
	good(cert_parse(buf_span(&leaf), &cert, &why), &why);
	key_ni_text(cert.spki, key);
	cert_sha256(&cert, digest);
	hex_text(digest, 32, hex);
	const struct {
		enum credential_kind kind;
		const char *value;
	} rows[] = {
		{CREDENTIAL_SERIAL, "SN-7"},
		{CREDENTIAL_FQDN, "gw7.factory.EXAMPLE"},
		{CREDENTIAL_URI, "urn:Factory:7"},
		{CREDENTIAL_KEY, key},
		{CREDENTIAL_CERT, hex},
	};
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_UNKNOWN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char id[16];
		void *fresh = NULL;
		world_setup(&fresh);
		struct world *one = fresh;
		snprintf(id, sizeof(id), "e%zu", i);
		memcpy(one->factory_anchor, w->factory_anchor, 32);
		add(one, id, rows[i].kind, rows[i].value, NULL);
		finds(one, CLIENT_THIRD_PARTY, buf_span(&leaf), id);
		world_teardown(&fresh);
	}
}

/* TS-0003 10.1.1: a device certificate has a hardware id in an otherName. */
static void device_certificates_are_found_by_hardware_id(void **state)
{
	static const uint8_t other_name[] = {0xa0, 0x14, 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x04, 0xa0,
		0x08, 0x30, 0x06, 0x06, 0x01, 0x2a, 0x04, 0x01, 0xab};
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct san_list sans = {.items = {{.kind = SAN_OTHER, .der = {other_name, sizeof(other_name)}}}, .n = 1};

	world_leaf(w, "gateway", NULL, &sans, &leaf);
	assert_non_null(strstr(reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf)).text, "device=1.3.6.1.5.5.7.8.4;1.2:AB"));
	add(w, "gw7", CREDENTIAL_DEVICE, "1.3.6.1.5.5.7.8.4;1.2:ab", NULL);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
}

static void names_of_raw_keys_count_for_nothing(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
	refuses(w, CLIENT_RAW_KEY, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_UNKNOWN);
}

/* TS-0003 10.1.1: matched by RFC 6920 digest: sha-256, sha-256-128 or sha-256-120. */
static void raw_keys_are_found_by_digest_whole_or_cut(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	char key[KEY_NI_SIZE], cut[KEY_NI_SIZE];
	uint8_t digest[32];
	struct cert cert;
	struct why why = {0};

	world_leaf(w, "gateway", NULL, NULL, &leaf);
	good(cert_parse(buf_span(&leaf), &cert, &why), &why);
	key_ni_text(cert.spki, key);
	digest_sha256(cert.spki, digest);
	for (int form = 0; form < 3; form++) {
		void *fresh = NULL;
		world_setup(&fresh);
		struct world *one = fresh;
		if (form == 0) {
			snprintf(cut, sizeof(cut), "%s", key);
		} else if (form == 1) {
			snprintf(cut, sizeof(cut), "sha-256-120;%.20s", key + 8);
		} else {
			/* the 22nd character holds the last two bits of octet 15 and four zeros */
			snprintf(cut, sizeof(cut), "sha-256-128;%.21s%c", key + 8, "AQgw"[digest[15] & 3]);
		}
		add(one, "raw", CREDENTIAL_KEY, cut, NULL);
		finds(one, CLIENT_RAW_KEY, buf_span(&leaf), "raw");
		struct arena arena OWNED_ARENA = ARENA(1024 * 1024);
		struct client client;
		struct why none = {0};
		good(world_find(one, CLIENT_RAW_KEY, buf_span(&leaf), &arena, &client, &none), &none);
		assert_true(client.self_named);
		world_teardown(&fresh);
	}
}

static void a_credential_pinned_to_an_anchor_counts_with_that_anchor_only(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const uint8_t other[32] = {9};

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	add(w, "other", CREDENTIAL_SERIAL, "SN-7", other);
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_UNKNOWN);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", w->factory_anchor);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
}

static void a_certificate_that_leads_to_two_is_refused(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct san_list sans = {.items = {san_of(SAN_DNS, "gw7.example")}, .n = 1};

	world_leaf(w, "gateway", "SN-7", &sans, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
	add(w, "gw8", CREDENTIAL_FQDN, "gw7.example", NULL);
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_AMBIGUOUS);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_non_null(strstr(why.text, "'gw7' by its serial"));
	assert_non_null(strstr(why.text, "'gw8' by its fqdn"));
}

/* More names than the store looks up at once. */
static void every_name_of_a_long_list_counts(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	struct san_list sans = {.n = SAN_MAX};
	char uri[SAN_MAX][16];

	for (size_t i = 0; i < SAN_MAX; i++) {
		snprintf(uri[i], sizeof(uri[i]), "urn:x:%zu", i);
		sans.items[i] = san_of(SAN_URI, uri[i]);
	}
	world_leaf(w, "gateway", NULL, &sans, &leaf);
	add(w, "last", CREDENTIAL_URI, uri[SAN_MAX - 1], NULL);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "last");
	add(w, "middle", CREDENTIAL_URI, uri[STORE_MATCH_MAX], NULL);
	add(w, "first", CREDENTIAL_URI, uri[STORE_MATCH_MAX - 1], NULL);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_non_null(strstr(why.text, "have 'first' by its uri and 'middle' by its uri"));
}

static void several_names_of_one_enrolee_are_fine(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct san_list sans = {.items = {san_of(SAN_DNS, "gw7.example")}, .n = 1};
	const struct credential creds[] = {
		{.kind = CREDENTIAL_SERIAL, .value = "SN-7"}, {.kind = CREDENTIAL_FQDN, .value = "gw7.example"}};

	world_leaf(w, "gateway", "SN-7", &sans, &leaf);
	world_add(w, "gw7", ENTITY_NODE, "urn:x:7", creds, 2);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
}

static void the_unknown_are_told_how_to_register(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_non_null(strstr(why.text, "have serial=SN-7"));
	assert_non_null(strstr(why.text, "openmef enrolee add ID --type TYPE --entity ENTITY-ID --credential 'serial=SN-7'"));
}

static void the_command_is_told_whole_however_much_the_certificate_shows(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	char uri[91];
	struct san_list sans = {.n = SAN_MAX};

	memset(uri, 'x', sizeof(uri));
	memcpy(uri, "urn:", 4);
	uri[90] = '\0';
	for (size_t i = 0; i < SAN_MAX; i++)
		sans.items[i] = san_of(SAN_URI, uri);
	world_leaf(w, "gateway", NULL, &sans, &leaf);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_int_equal(why.text[strlen(why.text) - 1], '\'');
	assert_non_null(strstr(why.text, "--credential 'uri=urn:x"));
}

static void what_a_peer_wrote_never_ends_up_in_a_command_line(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	/* an apostrophe is a PrintableString character */
	world_leaf(w, "gateway", "x' (rm)", NULL, &leaf);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_non_null(strstr(why.text, "--credential 'key=sha-256;"));
}

static void wildcards_and_odd_names_lead_to_nobody(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	const struct san_list sans = {.items = {san_of(SAN_DNS, "*.example.com")}, .n = 1};

	world_leaf(w, "gateway", NULL, &sans, &leaf);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_int_equal(why.code, CODE_CLIENT_UNKNOWN);
	assert_null(strstr(why.text, "*.example"));
}

static void disabled_enrolees_are_refused(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	world_set_state(w, "gw7", ENROLEE_DISABLED);
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_DISABLED);
	world_set_state(w, "gw7", ENROLEE_ENABLED);
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
}

/* RFC 5280 4.1.2.5: valid from notBefore through notAfter, inclusive. */
static void certificates_count_within_their_dates(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	w->now_s = T0 - DAY;
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
	w->now_s = T0 - DAY - 1;
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_EXPIRED, CODE_CLIENT_EXPIRED);
	struct why why = reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf));
	assert_non_null(strstr(why.text, "not valid yet"));
	assert_non_null(strstr(why.text, "the MEF's clock says 2025-10-08T08:53:19Z"));
	w->now_s = T0 + 3650LL * DAY;
	finds(w, CLIENT_THIRD_PARTY, buf_span(&leaf), "gw7");
	w->now_s++;
	refuses(w, CLIENT_THIRD_PARTY, buf_span(&leaf), ERR_EXPIRED, CODE_CLIENT_EXPIRED);
	assert_non_null(strstr(reason(w, CLIENT_THIRD_PARTY, buf_span(&leaf)).text, "expired"));
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_EXPIRED, CODE_CLIENT_EXPIRED);
	refuses(w, CLIENT_RAW_KEY, buf_span(&leaf), ERR_EXPIRED, CODE_CLIENT_EXPIRED);
}

/* Records a certificate as issued to gw7 and returns its serial in the arena. */
static struct span record(struct world *w, struct span der, struct arena *arena)
{
	struct cert cert;
	struct why why = {0};

	good(cert_parse(der, &cert, &why), &why);
	const struct issued row = {.serial = cert.serial, .enrolee_id = "gw7", .profile = "device", .est_label = "",
		.issued_s = T0, .not_before_s = cert.not_before_s, .not_after_s = cert.not_after_s, .der = der,
		.state = ISSUED_VALID};
	good(w->store->ops->begin(w->store->self, &why), &why);
	good(w->store->ops->issued_add(w->store->self, &row, &why), &why);
	good(w->store->ops->commit(w->store->self, &why), &why);
	return arena_copy(arena, cert.serial);
}

/* A label's window: for our own certificates, after their end, to the second. */
static void a_window_after_the_end_is_for_own_certificates(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	static const uint8_t none[32];
	struct client_facts facts = {.trust = CLIENT_OWN, .anchor = none, .expired_s = 100};
	struct client c;
	struct why why = {0};

	world_leaf(w, "gateway", "SN-7", NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	record(w, buf_span(&leaf), &arena);
	facts.leaf = buf_span(&leaf);
	const int64_t end_s = T0 + 3650LL * DAY;
	const struct {
		int64_t now_s;
		enum err err;
		int64_t late_s;
	} cases[] = {{end_s, OK, 0}, {end_s + 1, OK, 1}, {end_s + 100, OK, 100}, {end_s + 101, ERR_EXPIRED, 0},
		{T0 - DAY - 1, ERR_EXPIRED, 0}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(client_find(w->store, &facts, cases[i].now_s, &arena, &c, &why), cases[i].err);
		if (cases[i].err == OK)
			assert_int_equal(c.late_s, cases[i].late_s);
		why_clear(&why);
	}
	facts.trust = CLIENT_THIRD_PARTY;
	assert_int_equal(client_find(w->store, &facts, end_s + 1, &arena, &c, &why), ERR_EXPIRED);
}

static void own_certificates_are_found_by_serial_and_content(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	struct client c;
	struct why why;

	world_leaf(w, "gw7", NULL, NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_NOT_ISSUED);
	record(w, buf_span(&leaf), &arena);
	assert_int_equal(world_find(w, CLIENT_OWN, buf_span(&leaf), &arena, &c, &why), OK);
	assert_true(c.provisioned);
	assert_string_equal(c.enrolee.id, "gw7");
	assert_true(span_equal(c.current.der, buf_span(&leaf)));
	leaf.p[leaf.n - 1] ^= 1; /* same serial, another signature */
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_NOT_ISSUED);
}

static void names_in_own_certificates_are_no_credentials(void **state)
{
	struct world *w = *state;
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gw7", "SN-7", NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_NOT_ISSUED);
}

static void revoked_certificates_are_refused_with_date_and_reason(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gw7", NULL, NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	struct span serial = record(w, buf_span(&leaf), &arena);
	finds(w, CLIENT_OWN, buf_span(&leaf), "gw7");
	world_revoke(w, serial);
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_REVOKED);
	struct why why = reason(w, CLIENT_OWN, buf_span(&leaf));
	assert_non_null(strstr(why.text, "2025-10-09T08:53:20Z, keyCompromise"));
}

static void disabled_enrolees_are_refused_with_their_own_certificate_too(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);

	world_leaf(w, "gw7", NULL, NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	record(w, buf_span(&leaf), &arena);
	world_set_state(w, "gw7", ENROLEE_DISABLED);
	refuses(w, CLIENT_OWN, buf_span(&leaf), ERR_FORBIDDEN, CODE_CLIENT_DISABLED);
}

static void the_identity_is_of_enrolee_and_leaf(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf a OWNED_BUF = BUF(CERT_DER_MAX);
	struct buf b OWNED_BUF = BUF(CERT_DER_MAX);
	struct client one, two;
	struct why why;
	uint8_t leaf[32], want[32];

	world_leaf(w, "gateway", "SN-7", NULL, &a);
	world_leaf(w, "gateway", "SN-7", NULL, &b); /* the same names, another certificate */
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&a), &arena, &one, &why), &why);
	good(world_find(w, CLIENT_THIRD_PARTY, buf_span(&b), &arena, &two, &why), &why);
	assert_false(one.provisioned);
	assert_memory_not_equal(one.identity, two.identity, 32);
	digest_sha256(buf_span(&a), leaf);
	const struct span parts[] = {span_of("gw7\0", 4), span_of(leaf, 32)};
	digest_sha256_parts(parts, 2, want);
	assert_memory_equal(one.identity, want, 32);
}

static enum err standing(struct world *w, const char *id, struct span serial, struct why *why)
{
	const struct standing s = {.enrolee_id = id, .serial = serial};

	return client_check_standing(w->store, &s, w->now_s, why);
}

static void standing_is_asked_again(void **state)
{
	struct world *w = *state;
	struct arena arena OWNED_ARENA = ARENA(256 * 1024);
	struct buf leaf OWNED_BUF = BUF(CERT_DER_MAX);
	struct why why = {0};

	world_leaf(w, "gw7", NULL, NULL, &leaf);
	add(w, "gw7", CREDENTIAL_SERIAL, "SN-7", NULL);
	struct span serial = record(w, buf_span(&leaf), &arena);
	assert_int_equal(standing(w, "gw7", serial, &why), OK);
	assert_int_equal(standing(w, "none", serial, &why), ERR_FORBIDDEN);
	why_clear(&why);
	world_revoke(w, serial);
	assert_int_equal(standing(w, "gw7", (struct span){0}, &why), OK);
	assert_int_equal(standing(w, "gw7", serial, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CLIENT_REVOKED);
	why_clear(&why);
	world_set_state(w, "gw7", ENROLEE_DISABLED);
	assert_int_equal(standing(w, "gw7", (struct span){0}, &why), ERR_FORBIDDEN);
	assert_int_equal(why.code, CODE_CLIENT_DISABLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(no_certificate_is_unauthenticated),
		WORLD_TEST(an_unreadable_certificate_is_refused),
		WORLD_TEST(factory_certificates_are_found_by_what_they_show),
		WORLD_TEST(device_certificates_are_found_by_hardware_id),
		WORLD_TEST(names_of_raw_keys_count_for_nothing),
		WORLD_TEST(raw_keys_are_found_by_digest_whole_or_cut),
		WORLD_TEST(a_credential_pinned_to_an_anchor_counts_with_that_anchor_only),
		WORLD_TEST(a_certificate_that_leads_to_two_is_refused),
		WORLD_TEST(every_name_of_a_long_list_counts),
		WORLD_TEST(several_names_of_one_enrolee_are_fine),
		WORLD_TEST(the_unknown_are_told_how_to_register),
		WORLD_TEST(the_command_is_told_whole_however_much_the_certificate_shows),
		WORLD_TEST(what_a_peer_wrote_never_ends_up_in_a_command_line),
		WORLD_TEST(wildcards_and_odd_names_lead_to_nobody),
		WORLD_TEST(disabled_enrolees_are_refused),
		WORLD_TEST(certificates_count_within_their_dates),
		WORLD_TEST(a_window_after_the_end_is_for_own_certificates),
		WORLD_TEST(own_certificates_are_found_by_serial_and_content),
		WORLD_TEST(names_in_own_certificates_are_no_credentials),
		WORLD_TEST(revoked_certificates_are_refused_with_date_and_reason),
		WORLD_TEST(disabled_enrolees_are_refused_with_their_own_certificate_too),
		WORLD_TEST(the_identity_is_of_enrolee_and_leaf),
		WORLD_TEST(standing_is_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
