#include "core/registry/enrolee.h"

#include "core/registry/audit.h"
#include "faulty_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { NOW = 1700000000 };

static int setup(void **state)
{
	*state = faulty_store_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	faulty_store_free(*state);
	return 0;
}

static struct enrolee good(void)
{
	return (struct enrolee){.id = "gw7", .entity_type = ENTITY_NODE, .entity_id = "URN:gsma:imei:1",
		.state = ENROLEE_ENABLED, .label = "Gr\xc3\xbc\xc3\x9f", .profile = "device"};
}

static enum err check(struct enrolee e, enum code *code)
{
	struct why why = {0};
	enum err err = enrolee_check(&e, &why);

	*code = why.code;
	return err;
}

#define REFUSED(e, want) \
	do { \
		enum code code_; \
		assert_int_equal(check(e, &code_), ERR_SYNTAX); \
		assert_int_equal(code_, CODE_##want); \
	} while (0)
#define ADMITTED(e) \
	do { \
		enum code code_; \
		assert_int_equal(check(e, &code_), OK); \
	} while (0)

static void ids_have_a_form(void **state)
{
	struct enrolee e = good();
	char longest[STORE_ID_MAX + 2];

	ADMITTED(e);
	e.id = "a.b_c-d:e@F9";
	ADMITTED(e);
	static const char *const bad[] = {"", "-x", "a b", "a/b", "a'b", "gr\xc3\xbcn", "a\nb", "a;b", "a%b"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		e.id = bad[i];
		REFUSED(e, ENROLEE_ID);
	}
	memset(longest, 'x', sizeof(longest));
	longest[STORE_ID_MAX + 1] = '\0';
	e.id = longest;
	REFUSED(e, ENROLEE_ID);
	longest[STORE_ID_MAX] = '\0';
	ADMITTED(e);
}

static void entity_ids_have_a_form_per_type(void **state)
{
	struct enrolee e = good();
	static const struct {
		enum entity_type type;
		const char *good, *bad;
	} rows[] = {
		{ENTITY_NODE, "urn:dev:ops:1", "gw7.example.com"},
		{ENTITY_CSE, "cse1.sp.example.com", "*.sp.example.com"},
		{ENTITY_AE, "m2m://sp.example.com/cse1/Cae7", "urn:ae:1"},
		{ENTITY_FQDN, "gw7.example.com", "https://gw7.example.com"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		e.entity_type = rows[i].type;
		e.entity_id = rows[i].good;
		ADMITTED(e);
		e.entity_id = rows[i].bad;
		REFUSED(e, ENTITY_ID);
		e.entity_id = "";
		REFUSED(e, ENTITY_ID);
	}
	e.entity_type = (enum entity_type)9;
	REFUSED(e, ENTITY_ID);
}

static void labels_and_profiles_have_a_form(void **state)
{
	struct enrolee e = good();
	char text[STORE_LABEL_MAX + 1];

	e.label = "\xff";
	REFUSED(e, ENROLEE_LABEL);
	memset(text, 'x', sizeof(text));
	text[STORE_LABEL_MAX] = '\0';
	e.label = text;
	REFUSED(e, ENROLEE_LABEL);
	text[STORE_LABEL_MAX - 1] = '\0';
	ADMITTED(e);
	e.label = NULL;
	e.profile = NULL;
	ADMITTED(e);
	text[STORE_PROFILE_MAX] = '\0';
	e.profile = text;
	REFUSED(e, ENROLEE_LABEL);
	text[STORE_PROFILE_MAX - 1] = '\0';
	ADMITTED(e);
	e.profile = "a b";
	REFUSED(e, ENROLEE_LABEL);
	e = good();
	e.state = (enum enrolee_state)0;
	enum code code;
	assert_int_equal(check(e, &code), ERR_BUG);
}

static void credentials_are_put_in_normal_form(void **state)
{
	struct arena arena OWNED_ARENA = ARENA(4096);
	struct credential c = {.kind = CREDENTIAL_FQDN, .value = "GW7.Example.com"};
	struct why why = {0};

	assert_int_equal(credential_check(&c, &arena, &why), OK);
	assert_string_equal(c.value, "gw7.example.com");
	c.value = "*.example.com";
	assert_int_equal(credential_check(&c, &arena, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_CREDENTIAL_FORM);
	assert_non_null(strstr(why.text, "*.example.com"));
}

static void names_of_types_kinds_and_reasons_read_back(void **state)
{
	enum entity_type type;
	enum credential_kind kind;

	for (int t = ENTITY_NODE; t <= ENTITY_FQDN; t++) {
		assert_true(entity_type_parse(span_text(entity_type_name((enum entity_type)t)), &type));
		assert_int_equal(type, t);
	}
	assert_false(entity_type_parse(span_text("unknown"), &type));
	for (int k = CREDENTIAL_DEVICE; k <= CREDENTIAL_CERT; k++) {
		assert_true(credential_kind_parse(span_text(credential_kind_name((enum credential_kind)k)), &kind));
		assert_int_equal(kind, k);
	}
	assert_false(credential_kind_parse(span_text(""), &kind));
	/* RFC 5280 5.3.1 */
	assert_int_equal(revoke_reason_parse(span_text("unspecified")), 0);
	assert_int_equal(revoke_reason_parse(span_text("KEYCOMPROMISE")), 1);
	assert_int_equal(revoke_reason_parse(span_text("affiliationChanged")), 3);
	assert_int_equal(revoke_reason_parse(span_text("superseded")), 4);
	assert_int_equal(revoke_reason_parse(span_text("cessationOfOperation")), 5);
	assert_int_equal(revoke_reason_parse(span_text("privilegeWithdrawn")), 9);
	assert_int_equal(revoke_reason_parse(span_text("cACompromise")), -1);
	assert_int_equal(revoke_reason_parse(span_text("certificateHold")), -1);
	assert_int_equal(revoke_reason_parse(span_text("")), -1);
	assert_string_equal(revoke_reason_name(9), "privilegeWithdrawn");
	assert_string_equal(revoke_reason_name(2), "unknown");
}

static void begin(struct faulty_store *f)
{
	struct why why = {0};

	assert_int_equal(f->ops.begin(f->store.self, &why), OK);
}

static void commit(struct faulty_store *f)
{
	struct why why = {0};

	assert_int_equal(f->ops.commit(f->store.self, &why), OK);
}

static enum err last_row(void *arg, const struct audit_row *row, struct why *why)
{
	snprintf(arg, STORE_EVENT_MAX, "%s", row->event);
	return OK;
}

static void audited(struct faulty_store *f, const char *want)
{
	char event[STORE_EVENT_MAX] = "";
	struct why why = {0};

	assert_int_equal(f->ops.audit_list(f->store.self, 1, STORE_PAGE_MAX, last_row, event, &why), OK);
	assert_string_equal(event, want);
}

static struct enrolee find(struct faulty_store *f, const char *id, struct arena *arena)
{
	struct enrolee e = {0};
	struct why why = {0};

	(void)!f->ops.enrolee_find(f->store.self, id, arena, &e, &why);
	return e;
}

static void add_good(struct faulty_store *f)
{
	struct enrolee e = good();
	const struct credential creds[] = {
		{.kind = CREDENTIAL_SERIAL, .value = "SN7"},
		{.kind = CREDENTIAL_FQDN, .value = "GW7.example.com"},
	};
	struct why why = {0};

	begin(f);
	assert_int_equal(registry_add(&f->store, &e, creds, 2, NOW, &why), OK);
	commit(f);
}

static enum err count(void *arg, const char *id, const struct credential *c, struct why *why)
{
	++*(int *)arg;
	return OK;
}

static void adding_stores_normal_forms_and_an_event(void **state)
{
	struct faulty_store *f = *state;
	struct arena arena OWNED_ARENA = ARENA(8192);
	struct why why = {0};
	int n = 0;

	add_good(f);
	struct enrolee e = find(f, "gw7", &arena);
	assert_string_equal(e.entity_id, "urn:gsma:imei:1");
	assert_int_equal(e.created_s, NOW);
	assert_int_equal(f->ops.credential_match(f->store.self, CREDENTIAL_FQDN, "gw7.example.com", count, &n, &why), OK);
	assert_int_equal(n, 1);
	audited(f, "{\"what\":\"enrolee.added\",\"enrolee\":\"gw7\",\"actor\":\"operator\","
		   "\"detail\":\"node urn:gsma:imei:1, serial=SN7, fqdn=GW7.example.com\"}");
}

static void a_bad_credential_stops_the_whole_addition(void **state)
{
	struct faulty_store *f = *state;
	struct arena arena OWNED_ARENA = ARENA(8192);
	struct enrolee e = good();
	const struct credential creds[] = {
		{.kind = CREDENTIAL_SERIAL, .value = "SN7"},
		{.kind = CREDENTIAL_CERT, .value = "00"},
	};
	struct why why = {0};

	begin(f);
	assert_int_equal(registry_add(&f->store, &e, creds, 2, NOW, &why), ERR_SYNTAX);
	f->ops.rollback(f->store.self);
	assert_null(find(f, "gw7", &arena).id);
}

static void taken_ids_entities_and_credentials_are_conflicts(void **state)
{
	struct faulty_store *f = *state;
	struct enrolee e = good();
	const struct credential cred = {.kind = CREDENTIAL_FQDN, .value = "gw7.EXAMPLE.com"};

	add_good(f);
	for (int i = 0; i < 3; i++) {
		struct why why = {0};
		e.id = i == 0 ? "gw7" : "gw8";
		e.entity_id = i == 1 ? "Urn:gsma:imei:1" : "urn:other"; /* differs only in the scheme's case */
		begin(f);
		assert_int_equal(registry_add(&f->store, &e, &cred, i == 2, NOW, &why), ERR_CONFLICT);
		f->ops.rollback(f->store.self);
	}
}

static void switching_off_and_on_is_audited(void **state)
{
	struct faulty_store *f = *state;
	struct arena arena OWNED_ARENA = ARENA(8192);
	struct why why = {0};

	add_good(f);
	begin(f);
	assert_int_equal(registry_set_state(&f->store, "gw7", ENROLEE_DISABLED, NOW + 5, &why), OK);
	commit(f);
	assert_int_equal(find(f, "gw7", &arena).state, ENROLEE_DISABLED);
	assert_int_equal(find(f, "gw7", &arena).changed_s, NOW + 5);
	audited(f, "{\"what\":\"enrolee.disabled\",\"enrolee\":\"gw7\",\"actor\":\"operator\"}");
	begin(f);
	assert_int_equal(registry_set_state(&f->store, "gw7", ENROLEE_ENABLED, NOW, &why), OK);
	commit(f);
	audited(f, "{\"what\":\"enrolee.enabled\",\"enrolee\":\"gw7\",\"actor\":\"operator\"}");
	begin(f);
	assert_int_equal(registry_set_state(&f->store, "none", ENROLEE_ENABLED, NOW, &why), ERR_NOT_FOUND);
	commit(f);
	audited(f, "{\"what\":\"enrolee.enabled\",\"enrolee\":\"gw7\",\"actor\":\"operator\"}");
}

static void issue(struct faulty_store *f)
{
	const struct issued row = {.serial = {(const uint8_t *)"\x0a\x01", 2}, .enrolee_id = "gw7", .profile = "p",
		.est_label = "", .issued_s = NOW, .not_before_s = NOW, .not_after_s = NOW + 100,
		.der = {(const uint8_t *)"der", 3}, .state = ISSUED_VALID};
	struct why why = {0};

	begin(f);
	assert_int_equal(f->ops.issued_add(f->store.self, &row, &why), OK);
	commit(f);
}

static void revoking_is_audited_with_serial_and_reason(void **state)
{
	struct faulty_store *f = *state;
	struct arena arena OWNED_ARENA = ARENA(8192);
	const struct span serial = span_of("\x0a\x01", 2);
	struct issued row = {0};
	struct why why = {0};

	add_good(f);
	issue(f);
	begin(f);
	assert_int_equal(registry_revoke(&f->store, serial, 1, NOW + 7, &why), OK);
	commit(f);
	assert_int_equal(f->ops.issued_find(f->store.self, serial, &arena, &row, &why), OK);
	assert_int_equal(row.state, ISSUED_REVOKED);
	assert_int_equal(row.revoked_s, NOW + 7);
	assert_int_equal(row.reason, 1);
	audited(f, "{\"what\":\"certificate.revoked\",\"enrolee\":\"gw7\",\"actor\":\"operator\",\"serial\":\"0A01\","
		   "\"detail\":\"keyCompromise\"}");
	begin(f);
	assert_int_equal(registry_revoke(&f->store, serial, 1, NOW, &why), ERR_CONFLICT);
	why_clear(&why);
	assert_int_equal(registry_revoke(&f->store, span_of("\x02", 1), 1, NOW, &why), ERR_NOT_FOUND);
	why_clear(&why);
	assert_int_equal(registry_revoke(&f->store, serial, 6, NOW, &why), ERR_SYNTAX);
	assert_int_equal(why.code, CODE_REVOKE_REASON);
	f->ops.rollback(f->store.self);
}

static void removing_is_audited_and_waits_for_certificates(void **state)
{
	struct faulty_store *f = *state;
	struct arena arena OWNED_ARENA = ARENA(8192);
	struct why why = {0};

	add_good(f);
	issue(f);
	begin(f);
	assert_int_equal(registry_remove(&f->store, "gw7", NOW + 1, &why), ERR_CONFLICT);
	f->ops.rollback(f->store.self);
	why_clear(&why);
	begin(f);
	assert_int_equal(registry_remove(&f->store, "gw7", NOW + 101, &why), OK);
	commit(f);
	assert_null(find(f, "gw7", &arena).id);
	audited(f, "{\"what\":\"enrolee.removed\",\"enrolee\":\"gw7\",\"actor\":\"operator\"}");
}

static void what_cannot_be_audited_is_not_done(void **state)
{
	struct faulty_store *f = *state;
	struct enrolee e = good();
	struct why why = {0};

	faults.audit_fails = true;
	begin(f);
	assert_int_equal(registry_add(&f->store, &e, NULL, 0, NOW, &why), ERR_STORE);
	f->ops.rollback(f->store.self);
	assert_int_equal(why.code, CODE_STORE_IO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ids_have_a_form),
		TEST(entity_ids_have_a_form_per_type),
		TEST(labels_and_profiles_have_a_form),
		TEST(credentials_are_put_in_normal_form),
		TEST(names_of_types_kinds_and_reasons_read_back),
		TEST(adding_stores_normal_forms_and_an_event),
		TEST(a_bad_credential_stops_the_whole_addition),
		TEST(taken_ids_entities_and_credentials_are_conflicts),
		TEST(switching_off_and_on_is_audited),
		TEST(revoking_is_audited_with_serial_and_reason),
		TEST(removing_is_audited_and_waits_for_certificates),
		TEST(what_cannot_be_audited_is_not_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
