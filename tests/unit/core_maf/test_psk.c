/* The MAF handshake's key: fetched once, assigned a KmId, stored before it is told; refusals are remembered. */
#include "unit/core_maf/world.h"

#include "core/maf/inner.h"

static struct told told[MAF_WAITERS_MAX + 1];

static int setup(void **state)
{
	memset(told, 0, sizeof(told));
	return world_setup(state);
}

/* The client of a world that has fetched KEID. */
static void fetched(struct world *w)
{
	ask(w, KEID, &told[0]);
	mef_gives(w, w->asked_n - 1, AE, 3600, 0xaa);
}

static void keid_of_a_mef_is_fetched_once_and_stored_before_it_is_told(void **state)
{
	struct world *w = *state;
	const struct mef_key key = {.key = km_of(0xaa), .enrolee_id = AE, .lifetime_s = 3600};
	const struct why none = {0};

	/* TS-0003 8.8.2.3: SUID 21, a key that is shared with a MAF */
	ask(w, KEID, &told[0]);
	ask(w, "000102030405060708090a0b0c0d0e0f@MEF.example.com", &told[1]);
	assert_int_equal(w->asked_n, 1);
	assert_string_equal(w->asked[0].keid, KEID);
	assert_int_equal(w->asked[0].suid, 21);
	w->asked[0].done(w->asked[0].arg, OK, &key, &none);
	assert_int_equal(told[0].n + told[1].n, 0);
	batch_flush(w->batch);
	assert_int_equal(told[0].n, 1);
	assert_int_equal(told[1].n, 1);
	assert_true(is_key(&told[0], 0xaa) && is_key(&told[1], 0xaa));
	ask(w, KEID, &told[2]);
	assert_int_equal(w->asked_n, 1);
	assert_true(is_key(&told[2], 0xaa));
}

static void kmid_is_assigned_and_names_the_same_key(void **state)
{
	struct world *w = *state;
	OWNED_ARENA struct arena arena = ARENA(100000);
	struct maf_peer by_keid, by_kmid;
	struct why why = {0};

	fetched(w);
	good(maf_peer_by_psk(w->maf, span_text(KEID), &arena, &by_keid, &why), &why);
	assert_string_equal(by_keid.id, AE);
	assert_int_equal(by_keid.expires_s, T0 + 3600);
	/* TS-0003 10.6: at the MAF's own name */
	assert_non_null(strstr(by_keid.key_id, "@maf.example.com"));
	good(maf_peer_by_psk(w->maf, span_text(by_keid.key_id), &arena, &by_kmid, &why), &why);
	assert_string_equal(by_kmid.id, AE);
	assert_string_equal(by_kmid.key_id, by_keid.key_id);
	ask(w, by_kmid.key_id, &told[1]);
	assert_true(is_key(&told[1], 0xaa));
	assert_int_equal(w->asked_n, 1);
}

static void refusal_is_remembered_for_a_minute(void **state)
{
	struct world *w = *state;

	ask(w, KEID, &told[0]);
	mef_refuses(w, 0);
	assert_int_equal(told[0].n, 1);
	assert_false(is_key(&told[0], 0xaa));
	assert_true(told[0].key.n > 0);
	w->now_ms += MAF_REFUSED_MS - 1;
	ask(w, KEID, &told[1]);
	assert_int_equal(told[1].n, 1);
	assert_int_equal(w->asked_n, 1);
	/* the same decoy, so that nothing tells whether the MEF was asked */
	assert_true(secret_equal(secret_span(&told[0].key), secret_span(&told[1].key)));
	w->now_ms += 1;
	ask(w, KEID, &told[2]);
	assert_int_equal(w->asked_n, 2);
	mef_gives(w, 1, AE, 3600, 0xaa);
	assert_true(is_key(&told[2], 0xaa));
}

static void mef_that_is_away_is_asked_again_at_once(void **state)
{
	struct world *w = *state;

	ask(w, KEID, &told[0]);
	mef_is_away(w, 0);
	assert_int_equal(told[0].n, 1);
	ask(w, KEID, &told[1]);
	assert_int_equal(w->asked_n, 2);
	mef_gives(w, 1, AE, 3600, 0xaa);
	assert_true(is_key(&told[1], 0xaa));
}

static void what_is_no_foreign_keid_never_leaves_the_house(void **state)
{
	static const char *const others[] = {"", "x", "000102030405060708090A0B0C0D0E0F@maf.example.com", "name@mef.example.com",
		"000102030405060708090A0B0C0D0E@mef.example.com", "000102030405060708090A0B0C0D0E0F@-", "@mef.example.com"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct told t = {0};
		ask(w, others[i], &t);
		assert_int_equal(t.n, 1);
		assert_true(t.key.n > 0);
	}
	assert_int_equal(w->asked_n, 0);
}

static void number_of_fetches_and_of_waiters_is_bounded(void **state)
{
	struct world *w = *state;
	static struct told many[MAF_FETCHES_MAX + 1];
	char keid[M2M_KEYID_SIZE];

	memset(many, 0, sizeof(many));
	for (int i = 0; i <= MAF_FETCHES_MAX; i++) {
		snprintf(keid, sizeof(keid), "%032X@mef.example.com", i);
		ask(w, keid, &many[i]);
	}
	assert_int_equal(w->asked_n, MAF_FETCHES_MAX);
	assert_int_equal(many[MAF_FETCHES_MAX - 1].n, 0);
	assert_int_equal(many[MAF_FETCHES_MAX].n, 1);
	for (int i = 1; i <= MAF_WAITERS_MAX; i++) {
		snprintf(keid, sizeof(keid), "%032X@mef.example.com", 0);
		ask(w, keid, &told[i]);
	}
	assert_int_equal(told[MAF_WAITERS_MAX - 1].n, 0);
	assert_int_equal(told[MAF_WAITERS_MAX].n, 1);
	mef_is_away(w, 0);
	assert_int_equal(told[1].n, 1);
	/* there is room for one again */
	ask(w, KEID, &many[MAF_FETCHES_MAX]);
	assert_int_equal(w->asked_n, MAF_FETCHES_MAX + 1);
	for (size_t i = 1; i < w->asked_n; i++)
		mef_is_away(w, i);
	for (int i = 0; i < MAF_FETCHES_MAX; i++)
		assert_int_equal(many[i].n, 1);
}

static void memory_of_refusals_is_bounded(void **state)
{
	struct world *w = *state;
	char keid[M2M_KEYID_SIZE];

	for (int i = 0; i <= MAF_REFUSED_MAX; i++) {
		struct told t = {0};
		snprintf(keid, sizeof(keid), "%032X@mef.example.com", i);
		ask(w, keid, &t);
		mef_refuses(w, (size_t)i);
		assert_int_equal(t.n, 1);
	}
	size_t before = w->asked_n;
	snprintf(keid, sizeof(keid), "%032X@mef.example.com", 1);
	ask(w, keid, &told[0]);
	assert_int_equal(w->asked_n, before);
	snprintf(keid, sizeof(keid), "%032X@mef.example.com", 0); /* forgotten for the last one */
	ask(w, keid, &told[1]);
	assert_int_equal(w->asked_n, before + 1);
	mef_is_away(w, before);
}

static void ill_formed_answers_of_a_mef_are_refusals(void **state)
{
	struct world *w = *state;
	const struct why none = {0};
	struct mef_key key = {.key = km_of(0xaa), .enrolee_id = AE, .lifetime_s = 0};

	for (int i = 0; i < 3; i++) {
		struct told t = {0};
		ask(w, KEID, &t);
		w->asked[i].done(w->asked[i].arg, OK, &key, &none);
		batch_flush(w->batch);
		assert_int_equal(t.n, 1);
		assert_false(is_key(&t, 0xaa));
		key = (struct mef_key){.key = km_of(0xaa), .enrolee_id = i ? AE : "", .lifetime_s = 3600};
		key.key.n = i ? 31 : 32;
	}
}

static void expired_km_is_refused_and_erased(void **state)
{
	struct world *w = *state;
	OWNED_ARENA struct arena arena = ARENA(100000);
	struct maf_peer p;
	struct why why = {0};
	size_t erased = 0;

	fetched(w);
	w->now_s += 3600;
	ask(w, KEID, &told[1]);
	assert_false(is_key(&told[1], 0xaa));
	/* its MEF would say the same: it is not asked */
	assert_int_equal(w->asked_n, 1);
	assert_int_equal(maf_peer_by_psk(w->maf, span_text(KEID), &arena, &p, &why), ERR_EXPIRED);
	why_clear(&why);
	good(batch_enter(w->batch, &why), &why);
	good(keys_erase_due(w->store, w->now_s, 10, &erased, &why), &why);
	good(batch_leave(w->batch, true, &why), &why);
	assert_int_equal(erased, 2);
	batch_flush(w->batch);
	assert_int_equal(maf_peer_by_psk(w->maf, span_text(KEID), &arena, &p, &why), ERR_FORBIDDEN);
}

static void oldest_km_of_a_client_makes_room(void **state)
{
	struct world *w = *state;
	OWNED_ARENA struct arena arena = ARENA(100000);
	struct maf_peer p;
	struct why why = {0};
	char keid[M2M_KEYID_SIZE];

	for (int i = 0; i <= MAF_KMS_MAX; i++) {
		struct told t = {0};
		snprintf(keid, sizeof(keid), "%032X@mef.example.com", i);
		ask(w, keid, &t);
		mef_gives(w, (size_t)i, AE, 3600, (uint8_t)(0x10 + i));
		assert_true(is_key(&t, (uint8_t)(0x10 + i)));
		w->now_s++;
	}
	snprintf(keid, sizeof(keid), "%032X@mef.example.com", 0);
	assert_int_equal(maf_peer_by_psk(w->maf, span_text(keid), &arena, &p, &why), ERR_FORBIDDEN);
	why_clear(&why);
	snprintf(keid, sizeof(keid), "%032X@mef.example.com", 1);
	good(maf_peer_by_psk(w->maf, span_text(keid), &arena, &p, &why), &why);
}

static void who_waits_when_the_maf_ends_is_told_a_decoy(void **state)
{
	struct world *w = *state;

	ask(w, KEID, &told[0]);
	maf_free(w->maf);
	assert_int_equal(told[0].n, 1);
	assert_true(told[0].key.n > 0);
	mef_refuses(w, 0); /* into nothing */
	world_maf(w);
	assert_int_equal(told[0].n, 1);
}

static void key_that_could_not_be_stored_is_not_told(void **state)
{
	struct world *w = *state;
	const struct mef_key key = {.key = km_of(0xaa), .enrolee_id = AE, .lifetime_s = 3600};
	const struct why none = {0};

	ask(w, KEID, &told[0]);
	w->asked[0].done(w->asked[0].arg, OK, &key, &none);
	batch_free(w->batch); /* the commit never comes */
	assert_int_equal(told[0].n, 1);
	assert_false(is_key(&told[0], 0xaa));
	w->batch = batch_new(w->store);
	maf_free(w->maf);
	world_maf(w);
}

/* Another registrar of this store had the same first contact, and was quicker. */
static void quicker_registrars_key_is_the_one_that_counts(void **state)
{
	struct world *w = *state;
	const struct symkey twin = {.kind = SYMKEY_KM_KEID, .id = KEID, .owner = AE, .created_s = T0, .expires_s = T0 + 3600, .info = "{}"};
	const struct secret key = km_of(0xbb);
	struct why why = {0};

	ask(w, KEID, &told[0]);
	good(batch_enter(w->batch, &why), &why);
	good(vault_add(&w->vault, &twin, &key, &why), &why);
	good(batch_leave(w->batch, true, &why), &why);
	batch_flush(w->batch);
	mef_gives(w, 0, AE, 3600, 0xaa);
	assert_int_equal(told[0].n, 1);
	assert_true(is_key(&told[0], 0xbb));
	/* of its own attempt nothing is left */
	assert_int_equal(events(w, "maf.key.assigned"), 0);
}

static void count_fault(void *arg, const struct why *why)
{
	assert_int_equal(why->code, CODE_STORE_IO);
	++*(unsigned int *)arg;
}

static enum err broken_find(void *self, enum symkey_kind kind, const char *id, struct arena *arena, struct symkey *out, struct why *why)
{
	return WHY(why, STORE_IO, "", "row: injected");
}

/* RFC 4279 3: the handshake fails as for a wrong key; the operator hears why. */
static void store_out_of_order_looks_like_a_wrong_key_and_is_told(void **state)
{
	struct world *w = *state;
	const struct store_ops *whole = w->store->ops;
	struct store_ops broken = *whole;
	OWNED_ARENA struct arena arena = ARENA(100000);
	struct maf_peer p;
	struct why why = {0};
	unsigned int faults = 0;

	fetched(w);
	w->maf->env.fault = count_fault;
	w->maf->env.fault_arg = &faults;
	broken.symkey_find = broken_find;
	w->store->ops = &broken;
	ask(w, KEID, &told[1]);
	assert_int_equal(told[1].n, 1);
	assert_true(told[1].key.n > 0 && !is_key(&told[1], 0xaa));
	assert_int_equal(faults, 1);
	assert_int_equal(w->asked_n, 1);
	assert_int_equal(maf_peer_by_psk(w->maf, span_text(KEID), &arena, &p, &why), ERR_STORE);
	w->store->ops = whole;
}

static void damaged_records_are_faults_of_ours(void **state)
{
	static const char *const records[] = {"", "{", "[]", "{\"other\":7}", "{\"targets\":[{}]}", "{\"suid\":\"x\"}"};

	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		OWNED_ARENA struct arena arena = ARENA(100000);
		struct maf_record r;
		struct why why = {0};
		if (record_parse(records[i], &arena, &r, &why) != ERR_SYSTEM)
			fail_msg("row %zu: %s", i, why.text);
		assert_int_equal(why.code, CODE_MAF_RECORD);
	}
}

static void identities_compare_in_their_normal_form(void **state)
{
	static const char *const pairs[][2] = {{"CSE1.Example.com", "cse1.example.com"}, {"M2M://SP.Example.com/cse1/Cae7", AE},
		{"m2m://sp.example.com/cse1/Cae7", "m2m://sp.example.com/cse1/Cae7"}, {"//SP.Example.com/CSE1", "//sp.example.com/CSE1"}, {"S1aB", "S1aB"}};
	char out[FORM_SIZE];
	struct why why = {0};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		good(maf_id_normal(span_text(pairs[i][0]), out, &why), &why);
		assert_string_equal(out, pairs[i][1]);
	}
	assert_int_equal(maf_id_normal(span_text(""), out, &why), ERR_SYNTAX);
	why_clear(&why);
	assert_int_equal(maf_id_normal(span_of("a\xff", 2), out, &why), ERR_SYNTAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keid_of_a_mef_is_fetched_once_and_stored_before_it_is_told, setup, world_teardown),
		cmocka_unit_test_setup_teardown(kmid_is_assigned_and_names_the_same_key, setup, world_teardown),
		cmocka_unit_test_setup_teardown(refusal_is_remembered_for_a_minute, setup, world_teardown),
		cmocka_unit_test_setup_teardown(mef_that_is_away_is_asked_again_at_once, setup, world_teardown),
		cmocka_unit_test_setup_teardown(what_is_no_foreign_keid_never_leaves_the_house, setup, world_teardown),
		cmocka_unit_test_setup_teardown(number_of_fetches_and_of_waiters_is_bounded, setup, world_teardown),
		cmocka_unit_test_setup_teardown(memory_of_refusals_is_bounded, setup, world_teardown),
		cmocka_unit_test_setup_teardown(ill_formed_answers_of_a_mef_are_refusals, setup, world_teardown),
		cmocka_unit_test_setup_teardown(expired_km_is_refused_and_erased, setup, world_teardown),
		cmocka_unit_test_setup_teardown(oldest_km_of_a_client_makes_room, setup, world_teardown),
		cmocka_unit_test_setup_teardown(who_waits_when_the_maf_ends_is_told_a_decoy, setup, world_teardown),
		cmocka_unit_test_setup_teardown(key_that_could_not_be_stored_is_not_told, setup, world_teardown),
		cmocka_unit_test_setup_teardown(quicker_registrars_key_is_the_one_that_counts, setup, world_teardown),
		cmocka_unit_test_setup_teardown(store_out_of_order_looks_like_a_wrong_key_and_is_told, setup, world_teardown),
		cmocka_unit_test(damaged_records_are_faults_of_ours),
		cmocka_unit_test(identities_compare_in_their_normal_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
