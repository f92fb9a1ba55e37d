/* Client registrations (TS-0003 8.8.2.3 to 8.8.2.6). */
#include "unit/core_maf/world.h"

#include "core/maf/inner.h"

static struct maf_peer ae = {.id = AE, .key_id = "km@maf.example.com", .expires_s = T0 + 30 * DAY, .address = "192.0.2.1"};
static struct maf_peer cse = {.id = CSE, .address = "192.0.2.2"};

static struct maf_client asking(int64_t expires_s)
{
	return (struct maf_client){.admin_fqdn = "Admin.Example.com", .expires_s = expires_s, .has_labels = true,
		.labels = {.items = {"pump", "hall 3"}, .n = 2}};
}

static void enter(struct world *w, const struct maf_peer *p, const struct maf_client *c, enum err want)
{
	maf_client_register(w->maf, p, c, on_client, w);
	settled(w, want);
}

static void registration_tells_id_client_and_kmid(void **state)
{
	struct world *w = *state;
	const struct maf_client c = asking(T0 + DAY);

	enter(w, &ae, &c, OK);
	assert_int_equal(strlen(w->id), MAF_ID_SIZE - 1);
	assert_string_equal(w->source, AE);
	assert_string_equal(w->key_id, "km@maf.example.com");
	assert_string_equal(w->admin, "admin.example.com");
	assert_int_equal(w->expires_s, T0 + DAY);
	assert_int_equal(w->labels, 2);
	assert_int_equal(events(w, "maf.client.registered"), 1);
}

static void one_registration_per_stakeholder(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);
	char first[64];

	enter(w, &ae, &c, OK);
	memcpy(first, w->id, sizeof(first));
	c.expires_s = T0 + 2 * DAY;
	enter(w, &ae, &c, OK);
	assert_string_equal(w->id, first);
	assert_int_equal(w->expires_s, T0 + DAY);
	c.admin_fqdn = "other.example.com";
	enter(w, &ae, &c, OK);
	assert_string_not_equal(w->id, first);
	/* another client's is another one */
	c.admin_fqdn = "admin.example.com";
	enter(w, &cse, &c, OK);
	assert_string_not_equal(w->id, first);
	assert_string_equal(w->key_id, "");
}

static void expiry_is_bounded_by_km_and_by_a_year(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0);

	enter(w, &ae, &c, ERR_SYNTAX);
	c.expires_s = 0;
	enter(w, &ae, &c, ERR_SYNTAX);
	c.expires_s = T0 + 31 * DAY;
	enter(w, &ae, &c, OK);
	assert_int_equal(w->expires_s, T0 + 30 * DAY);
	c.expires_s = T0 + (int64_t)MAF_CLIENT_LIFETIME_MAX_S + 1;
	enter(w, &cse, &c, OK);
	assert_int_equal(w->expires_s, T0 + MAF_CLIENT_LIFETIME_MAX_S);
}

static void stakeholder_must_be_a_host_name(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);

	c.admin_fqdn = "not a name";
	enter(w, &ae, &c, ERR_SYNTAX);
	c.admin_fqdn = NULL;
	enter(w, &ae, &c, ERR_SYNTAX);
	assert_int_equal(events(w, "maf.refused"), 2);
}

static void number_of_registrations_is_bounded(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);
	char admin[64];

	c.admin_fqdn = admin;
	for (int i = 0; i <= MAF_CLIENTS_MAX; i++) {
		snprintf(admin, sizeof(admin), "a%d.example.com", i);
		enter(w, &ae, &c, i < MAF_CLIENTS_MAX ? OK : ERR_LIMIT);
	}
	/* those that are over do not count */
	w->now_s += DAY;
	c.expires_s = w->now_s + DAY;
	enter(w, &ae, &c, OK);
}

static void update_changes_what_is_sent(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);
	struct maf_client change = {.expires_s = T0 + 5 * DAY};
	char id[64];

	enter(w, &ae, &c, OK);
	memcpy(id, w->id, sizeof(id));
	maf_client_update(w->maf, &ae, id, &change, on_client, w);
	settled(w, OK);
	assert_int_equal(w->expires_s, T0 + 5 * DAY);
	enter(w, &ae, &c, OK);
	assert_int_equal(w->expires_s, T0 + 5 * DAY);
	assert_int_equal(w->labels, 2);
	change = (struct maf_client){.has_labels = true};
	maf_client_update(w->maf, &ae, id, &change, on_client, w);
	settled(w, OK);
	enter(w, &ae, &c, OK);
	assert_int_equal(w->expires_s, T0 + 5 * DAY);
	assert_int_equal(w->labels, 0);
	change = (struct maf_client){0};
	maf_client_update(w->maf, &ae, id, &change, on_client, w);
	settled(w, ERR_SYNTAX);
}

/* TS-0003 8.8.2.5 */
static void answer_to_an_update_holds_what_was_sent_and_a_new_kmid(void **state)
{
	struct world *w = *state;
	const struct maf_client c = asking(T0 + DAY);
	struct maf_client change = {.expires_s = T0 + 5 * DAY};
	struct maf_peer again = ae;
	char id[64];

	enter(w, &ae, &c, OK);
	memcpy(id, w->id, sizeof(id));
	maf_client_update(w->maf, &ae, id, &change, on_client, w);
	settled(w, OK);
	assert_true(w->gave && w->expires_s == T0 + 5 * DAY && w->labels == 0);
	assert_string_equal(w->id, "");
	assert_string_equal(w->source, "");
	assert_string_equal(w->admin, "");
	assert_string_equal(w->key_id, "");
	again.key_id = "km2@maf.example.com";
	change = (struct maf_client){.has_labels = true, .labels = {.items = {"pump"}, .n = 1}};
	for (int i = 0; i < 2; i++) {
		maf_client_update(w->maf, &again, id, &change, on_client, w);
		settled(w, OK);
		assert_string_equal(w->key_id, i == 0 ? "km2@maf.example.com" : "");
		assert_true(w->expires_s == 0 && w->labels == 1);
	}
}

static void only_the_client_itself_finds_its_registration(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);
	char id[64];

	enter(w, &ae, &c, OK);
	memcpy(id, w->id, sizeof(id));
	maf_client_update(w->maf, &cse, id, &c, on_client, w);
	settled(w, ERR_NOT_FOUND);
	maf_client_remove(w->maf, &cse, id, on_client, w);
	settled(w, ERR_NOT_FOUND);
	maf_client_remove(w->maf, &ae, id, on_client, w);
	settled(w, OK);
	assert_false(w->gave);
	maf_client_remove(w->maf, &ae, id, on_client, w);
	settled(w, ERR_NOT_FOUND);
	enter(w, &ae, &c, OK);
	memcpy(id, w->id, sizeof(id));
	w->now_s += DAY;
	maf_client_remove(w->maf, &ae, id, on_client, w);
	settled(w, ERR_NOT_FOUND);
}

static void largest_registration_fits_and_one_more_octet_does_not(void **state)
{
	struct world *w = *state;
	struct maf_client c = asking(T0 + DAY);
	static char label[STORE_KEY_INFO_MAX];

	memset(label, 'x', sizeof(label) - 1);
	c.labels = (struct maf_texts){.items = {label}, .n = 1};
	enter(w, &ae, &c, ERR_LIMIT);
	label[8000] = '\0';
	enter(w, &ae, &c, OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(registration_tells_id_client_and_kmid, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(one_registration_per_stakeholder, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(expiry_is_bounded_by_km_and_by_a_year, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(stakeholder_must_be_a_host_name, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(number_of_registrations_is_bounded, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(update_changes_what_is_sent, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(answer_to_an_update_holds_what_was_sent_and_a_new_kmid, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(only_the_client_itself_finds_its_registration, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(largest_registration_fits_and_one_more_octet_does_not, world_setup, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
