#include "unit/core_keys/ring.h"

#include "core/keys/srp.h"
#include "pki/digest.h"

static void user(struct ring *r, const char *name, const char *owner, const char *password, int64_t expires_s)
{
	const struct symkey plan = {
		.kind = SYMKEY_SRP, .id = name, .owner = owner, .created_s = r->now_s, .expires_s = expires_s, .info = ""};

	RING_WRITE(r, srp_register(&r->vault, &plan, span_text(password), &why_));
}

static bool known(struct ring *r, const struct srp_decoy *d, const char *name, struct srp_record *out)
{
	struct why why = {0};
	bool found = false;

	port.key_finds = port.enrolee_finds = 0;
	good(srp_find(&r->vault, d, span_text(name), r->now_s, out, &found, &why), &why);
	/* RFC 5054 2.5.1.3: the same steps for everybody, and a salt that arrives whole */
	assert_int_equal(port.key_finds, 1);
	assert_int_equal(port.enrolee_finds, 1);
	assert_true(out->salt[0] & 0x80);
	return found;
}

static void users_have_verifiers_and_all_others_decoys(void **state)
{
	static const char *const nobodies[] = {"nobody", "", "|nobody", "no form at all", "\xff\xfe", "over", "off"};
	struct ring *r = *state;
	struct srp_decoy decoy, again;
	struct srp_record first, second;
	struct why why = {0};

	good(srp_decoy_init(&decoy, &r->vault, &why), &why);
	good(srp_decoy_init(&again, &r->vault, &why), &why);
	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	ring_enrolee(r, "gw8", ENTITY_FQDN, "gw8.example.com");
	user(r, "pump", "gw7", "correct horse", 0);
	user(r, "over", "gw7", "correct horse", r->now_s + 10);
	user(r, "off", "gw8", "correct horse", 0);
	assert_true(known(r, &decoy, "over", &first));
	r->now_s += 10;
	ring_set_state(r, "gw8", ENROLEE_DISABLED);
	assert_true(known(r, &decoy, "pump", &first));
	for (size_t i = 0; i < sizeof(nobodies) / sizeof(nobodies[0]); i++) {
		assert_false(known(r, &decoy, nobodies[i], &first));
		/* also by another process */
		assert_false(known(r, &again, nobodies[i], &second));
		assert_memory_equal(&first, &second, sizeof(first));
	}
}

/* A session by an earlier password is nobody's any more. */
static void a_session_counts_while_its_password_does(void **state)
{
	struct ring *r = *state;
	struct srp_decoy decoy;
	struct srp_record record;
	uint8_t digest[SHA256_SIZE];
	struct why why = {0};

	good(srp_decoy_init(&decoy, &r->vault, &why), &why);
	ring_enrolee(r, "gw7", ENTITY_FQDN, "gw7.example.com");
	user(r, "pump", "gw7", "correct horse", 0);
	assert_true(known(r, &decoy, "pump", &record));
	digest_sha256(span_of(record.verifier, sizeof(record.verifier)), digest);
	good(srp_check_used(&r->vault, "pump", digest, &why), &why);
	RING_WRITE(r, r->store.ops->symkey_remove(r->store.self, SYMKEY_SRP, "pump", &why_));
	assert_int_equal(srp_check_used(&r->vault, "pump", digest, &why), ERR_NOT_FOUND);
	user(r, "pump", "gw7", "another horse", 0);
	why = (struct why){0};
	assert_int_equal(srp_check_used(&r->vault, "pump", digest, &why), ERR_FORBIDDEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RING_TEST(users_have_verifiers_and_all_others_decoys),
		RING_TEST(a_session_counts_while_its_password_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
