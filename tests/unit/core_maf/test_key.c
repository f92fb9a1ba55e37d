/* Keys that clients register for targets (TS-0003 8.8.2.7 to 8.8.2.10). */
#include "unit/core_maf/world.h"

#include "core/maf/inner.h"

static uint8_t exported[M2M_EXPORT_SIZE];
static struct maf_peer ae, cse;

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof(exported); i++)
		exported[i] = (uint8_t)i;
	ae = (struct maf_peer){.id = AE, .key_id = "km@maf.example.com", .expires_s = T0 + 30 * DAY, .address = "192.0.2.1",
		.exported = span_of(exported, sizeof(exported))};
	cse = (struct maf_peer){.id = CSE, .address = "192.0.2.2"};
	return world_setup(state);
}

static struct maf_key asking(void)
{
	return (struct maf_key){.admin_fqdn = "admin.example.com", .suid = SUID_MAF_SAEF, .expires_s = T0 + DAY, .has_targets = true,
		.targets = {.items = {"CSE2.example.com"}, .n = 1}};
}

static void enter(struct world *w, const struct maf_key *k, enum err want)
{
	maf_key_register(w->maf, &ae, k, on_key, w);
	settled(w, want);
}

static void fetch_as(struct world *w, const struct maf_peer *p, const char *id, enum err want)
{
	secret_wipe(&w->value);
	maf_key_retrieve(w->maf, p, id, on_key, w);
	settled(w, want);
}

static void key_of_the_session_is_named_by_its_hex(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();

	/* TS-0003 10.3.1, 10.3.5: 16 octets identifier, 32 octets key */
	enter(w, &k, OK);
	assert_string_equal(w->id, "000102030405060708090A0B0C0D0E0F");
	assert_string_equal(w->source, AE);
	assert_int_equal(w->targets, 1);
	assert_int_equal(w->value.n, 0);
	fetch_as(w, &cse, "000102030405060708090a0b0c0d0e0f", OK);
	assert_true(secret_equal(secret_span(&w->value), span_of(exported + 16, 32)));
	assert_int_equal(w->targets, 0);
	assert_int_equal(w->suid, SUID_MAF_SAEF);
	assert_int_equal(w->expires_s, T0 + DAY);
	assert_int_equal(events(w, "maf.key.retrieved"), 1);
}

static void again_in_one_session_is_the_same_registration(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();

	enter(w, &k, OK);
	enter(w, &k, OK);
	assert_int_equal(w->expires_s, T0 + DAY);
	k.targets.items[0] = "other.example.com";
	enter(w, &k, ERR_CONFLICT);
	k = asking();
	k.suid = 33;
	enter(w, &k, ERR_CONFLICT);
	/* and somebody else's session cannot have it */
	k = asking();
	cse.exported = ae.exported;
	maf_key_register(w->maf, &cse, &k, on_key, w);
	settled(w, ERR_CONFLICT);
}

static void value_of_the_client_gets_a_name_of_the_maf(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();

	k.value = km_of(0x55);
	ae.exported = (struct span){0};
	enter(w, &k, OK);
	assert_int_equal(strlen(w->id), 32);
	char id[64];
	memcpy(id, w->id, sizeof(id));
	fetch_as(w, &cse, id, OK);
	assert_true(secret_equal(secret_span(&w->value), secret_span(&k.value)));
	k.value.n = 15;
	enter(w, &k, ERR_SYNTAX);
	k.value.n = 16;
	enter(w, &k, OK);
}

static void session_without_exported_key_needs_a_value(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();

	ae.exported.n--;
	enter(w, &k, ERR_FORBIDDEN);
	ae.exported.n = 0;
	enter(w, &k, ERR_FORBIDDEN);
	assert_int_equal(events(w, "maf.key.registered"), 0);
}

static void only_targets_may_have_it(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();
	const struct maf_peer other = {.id = "cse3.example.com", .address = "192.0.2.3"};
	char id[64];

	enter(w, &k, OK);
	memcpy(id, w->id, sizeof(id));
	fetch_as(w, &other, id, ERR_NOT_FOUND);
	assert_int_equal(w->value.n, 0);
	fetch_as(w, &ae, id, ERR_NOT_FOUND); /* not even its source */
	assert_int_equal(events(w, "maf.refused"), 2);
	fetch_as(w, &cse, "FF0102030405060708090A0B0C0D0E0F", ERR_NOT_FOUND);
	fetch_as(w, &cse, "x", ERR_NOT_FOUND);
	fetch_as(w, &cse, id, OK);
	w->now_s = T0 + DAY;
	fetch_as(w, &cse, id, ERR_NOT_FOUND);
}

static void targets_follow_the_use(void **state)
{
	static const struct {
		unsigned int suid;
		size_t n;
		enum err want;
	} rows[] = {{32, 0, ERR_SYNTAX}, {32, 1, OK}, {32, 2, ERR_SYNTAX}, {33, 2, ERR_SYNTAX}, {34, 0, ERR_SYNTAX}, {34, 2, OK}, {35, 2, OK},
		{22, 1, ERR_SYNTAX}, {31, 1, ERR_SYNTAX}, {36, 1, ERR_SYNTAX}, {0, 1, ERR_SYNTAX}, {42, 1, ERR_SYNTAX}};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct maf_key k = asking();
		k.value = km_of(1);
		k.suid = rows[i].suid;
		k.targets = (struct maf_texts){.items = {"a.example.com", "b.example.com"}, .n = rows[i].n};
		enter(w, &k, rows[i].want);
	}
}

static void number_of_keys_is_bounded(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();

	k.value = km_of(1);
	for (int i = 0; i <= MAF_KEYS_MAX; i++)
		enter(w, &k, i < MAF_KEYS_MAX ? OK : ERR_LIMIT);
	maf_key_remove(w->maf, &ae, w->id, on_key, w);
	settled(w, OK);
	enter(w, &k, OK);
}

static void update_moves_the_right_to_other_targets(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();
	struct maf_key change = {.has_targets = true, .targets = {.items = {"cse3.example.com"}, .n = 1}};
	const struct maf_peer third = {.id = "cse3.example.com", .address = "192.0.2.3"};
	char id[64];

	enter(w, &k, OK);
	memcpy(id, w->id, sizeof(id));
	maf_key_update(w->maf, &cse, id, &change, on_key, w);
	settled(w, ERR_NOT_FOUND);
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, OK);
	fetch_as(w, &cse, id, ERR_NOT_FOUND);
	fetch_as(w, &third, id, OK);
	assert_true(secret_equal(secret_span(&w->value), span_of(exported + 16, 32)));
	change.targets.n = 0;
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, ERR_SYNTAX);
	change = (struct maf_key){.expires_s = T0 + 40 * DAY};
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, OK);
	assert_int_equal(w->expires_s, T0 + 30 * DAY);
	change = (struct maf_key){0};
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, ERR_SYNTAX);
}

static void removed_key_is_gone(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();
	char id[64];

	enter(w, &k, OK);
	memcpy(id, w->id, sizeof(id));
	maf_key_remove(w->maf, &cse, id, on_key, w);
	settled(w, ERR_NOT_FOUND);
	maf_key_remove(w->maf, &ae, id, on_key, w);
	settled(w, OK);
	assert_false(w->gave);
	fetch_as(w, &cse, id, ERR_NOT_FOUND);
}

/* TS-0003 8.8.2.8 */
static void answer_to_an_update_holds_what_was_sent(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();
	struct maf_key change = {.expires_s = T0 + 2 * DAY};
	char id[64];

	enter(w, &k, OK);
	memcpy(id, w->id, sizeof(id));
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, OK);
	assert_true(w->gave && w->expires_s == T0 + 2 * DAY && w->targets == 0 && w->labels == 0 && w->suid == 0);
	assert_string_equal(w->id, "");
	assert_string_equal(w->source, "");
	change = (struct maf_key){.has_targets = true, .targets = {.items = {"cse3.example.com"}, .n = 1}, .has_labels = true,
		.labels = {.items = {"a", "b"}, .n = 2}};
	maf_key_update(w->maf, &ae, id, &change, on_key, w);
	settled(w, OK);
	assert_true(w->expires_s == 0 && w->targets == 1 && w->labels == 2);
}

static void removed_key_of_a_session_is_not_given_again_in_it(void **state)
{
	struct world *w = *state;
	const struct maf_key k = asking();
	char id[64];

	enter(w, &k, OK);
	memcpy(id, w->id, sizeof(id));
	maf_key_remove(w->maf, &ae, id, on_key, w);
	settled(w, OK);
	enter(w, &k, ERR_CONFLICT);
	assert_int_equal(w->code, CODE_MAF_KEY_TAKEN);
	fetch_as(w, &cse, id, ERR_NOT_FOUND);
	maf_key_update(w->maf, &ae, id, &(struct maf_key){.expires_s = T0 + 2 * DAY}, on_key, w);
	settled(w, ERR_NOT_FOUND);
	maf_key_remove(w->maf, &ae, id, on_key, w);
	settled(w, ERR_NOT_FOUND);
	/* and one that is over, before it is erased */
	exported[0] = 0xAA;
	enter(w, &k, OK);
	w->now_s = T0 + DAY;
	struct maf_key later = k;
	later.expires_s = T0 + 2 * DAY;
	enter(w, &later, ERR_CONFLICT);
}

static void removed_keys_are_remembered_up_to_a_bound_and_take_no_room(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();

	for (int i = 0; i <= MAF_USED_MAX; i++) {
		exported[0] = (uint8_t)i;
		enter(w, &k, OK);
		maf_key_remove(w->maf, &ae, w->id, on_key, w);
		settled(w, OK);
		w->now_s++;
	}
	exported[0] = 1;
	enter(w, &k, ERR_CONFLICT);
	exported[0] = 0; /* the oldest of one too many is forgotten */
	enter(w, &k, OK);
	k.value = km_of(1);
	for (int i = 1; i <= MAF_KEYS_MAX; i++)
		enter(w, &k, i < MAF_KEYS_MAX ? OK : ERR_LIMIT);
}

static void no_event_holds_a_key(void **state)
{
	struct world *w = *state;
	struct maf_key k = asking();

	k.value = km_of('K');
	enter(w, &k, OK);
	fetch_as(w, &cse, w->id, OK);
	k.targets.n = 0;
	enter(w, &k, ERR_SYNTAX);
	assert_int_equal(events(w, "KKKKKKKK"), 0);
	assert_int_equal(events(w, "4B4B4B4B"), 0);
	assert_int_equal(events(w, "4b4b4b4b"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(key_of_the_session_is_named_by_its_hex, setup, world_teardown),
		cmocka_unit_test_setup_teardown(again_in_one_session_is_the_same_registration, setup, world_teardown),
		cmocka_unit_test_setup_teardown(value_of_the_client_gets_a_name_of_the_maf, setup, world_teardown),
		cmocka_unit_test_setup_teardown(session_without_exported_key_needs_a_value, setup, world_teardown),
		cmocka_unit_test_setup_teardown(only_targets_may_have_it, setup, world_teardown),
		cmocka_unit_test_setup_teardown(targets_follow_the_use, setup, world_teardown),
		cmocka_unit_test_setup_teardown(number_of_keys_is_bounded, setup, world_teardown),
		cmocka_unit_test_setup_teardown(update_moves_the_right_to_other_targets, setup, world_teardown),
		cmocka_unit_test_setup_teardown(removed_key_is_gone, setup, world_teardown),
		cmocka_unit_test_setup_teardown(answer_to_an_update_holds_what_was_sent, setup, world_teardown),
		cmocka_unit_test_setup_teardown(removed_key_of_a_session_is_not_given_again_in_it, setup, world_teardown),
		cmocka_unit_test_setup_teardown(removed_keys_are_remembered_up_to_a_bound_and_take_no_room, setup, world_teardown),
		cmocka_unit_test_setup_teardown(no_event_holds_a_key, setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
