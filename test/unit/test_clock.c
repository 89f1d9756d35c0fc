/* Unit tests of base/clock. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void
system_clock_does_not_go_back(void **state) {
	(void)state;
	struct clock clock;
	clock_init_system(&clock);
	uint64_t last = clock_monotonic_ns(&clock);
	for (int i = 0; i < 1000; i++) {
		uint64_t now = clock_monotonic_ns(&clock);
		assert_true(now >= last);
		last = now;
	}
}

static void
system_wall_time_is_that_of_the_system(void **state) {
	(void)state;
	struct clock clock;
	clock_init_system(&clock);
	time_t before = time(NULL);
	uint64_t wall_s = clock_wall_ns(&clock) / 1000000000;
	/* time() may lag by a tick; a day is right in any case. */
	assert_true(wall_s + 1 >= (uint64_t)before);
	assert_true(wall_s < (uint64_t)before + 86400);
}

static void
manual_clock_stands_still_until_it_is_advanced(void **state) {
	(void)state;
	struct clock clock;
	clock_init_manual(&clock, 5000);
	assert_int_equal(clock_monotonic_ns(&clock), 0);
	assert_int_equal(clock_wall_ns(&clock), 5000);
	assert_int_equal(clock_monotonic_ns(&clock), 0);
	clock_advance(&clock, 7);
	clock_advance(&clock, 3);
	assert_int_equal(clock_monotonic_ns(&clock), 10);
	assert_int_equal(clock_wall_ns(&clock), 5010);
}

static void
thread_cpu_time_grows_with_work(void **state) {
	(void)state;
	uint64_t begin = clock_thread_cpu_ns();
	unsigned sum = 0;
	/* Ends as soon as the clock has moved. */
	while (clock_thread_cpu_ns() == begin)
		sum++;
	assert_true(clock_thread_cpu_ns() > begin);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(system_clock_does_not_go_back),
		cmocka_unit_test(system_wall_time_is_that_of_the_system),
		cmocka_unit_test(manual_clock_stands_still_until_it_is_advanced),
		cmocka_unit_test(thread_cpu_time_grows_with_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
