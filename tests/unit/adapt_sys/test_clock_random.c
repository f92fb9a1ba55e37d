#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "adapt/sys/clock.h"
#include "adapt/sys/random.h"

#include <string.h>
#include <time.h>

static void tells_the_wall_clock(void **state)
{
	struct clock c = clock_system();
	int64_t before = time(NULL);
	int64_t now = clock_unix_s(&c);

	assert_true(now >= before - 1 && now <= time(NULL) + 1);
}

static void the_other_clock_never_goes_back(void **state)
{
	struct clock c = clock_system();
	int64_t last = clock_mono_ms(&c);
	struct timespec pause = {0, 3 * 1000 * 1000};

	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_mono_ms(&c);
		assert_true(now >= last);
		last = now;
	}
	nanosleep(&pause, NULL);
	assert_true(clock_mono_ms(&c) >= last + 2);
}

static void fills_every_octet_at_random(void **state)
{
	struct random_source r = random_system();
	struct why why = {0};
	uint8_t seen[1000] = {0};
	uint8_t bytes[1000];

	/* An octet that stays zero in 16 draws by chance: once in 2^128. */
	for (int round = 0; round < 16; round++) {
		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(random_fill(&r, bytes, sizeof(bytes), &why), OK);
		for (size_t i = 0; i < sizeof(bytes); i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof(seen); i++)
		assert_int_not_equal(seen[i], 0);
}

static void fills_no_more_than_asked(void **state)
{
	struct random_source r = random_system();
	struct why why = {0};
	uint8_t bytes[4] = {0};

	assert_int_equal(random_fill(&r, bytes, 0, &why), OK);
	assert_int_equal(random_fill(&r, bytes + 1, 0, &why), OK);
	assert_memory_equal(bytes, "\0\0\0\0", 4);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_the_wall_clock),
		cmocka_unit_test(the_other_clock_never_goes_back),
		cmocka_unit_test(fills_every_octet_at_random),
		cmocka_unit_test(fills_no_more_than_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
