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
a_reader_agrees_with_its_clock(void **state) {
	(void)state;
	struct clock clock;
	struct clock_reader reader;
	clock_init_system(&clock);
	clock_reader_init(&reader, &clock);
	uint64_t begin = clock_monotonic_ns(&clock), last = 0, now;
	/* So long that it reads the clock several times. */
	do {
		uint64_t before = clock_monotonic_ns(&clock);
		now = clock_reader_ns(&reader);
		uint64_t after = clock_monotonic_ns(&clock);
		assert_true(now >= last);
		assert_true(now + 100000 >= before);
		assert_true(now <= after + 100000);
		last = now;
	} while (now - begin < 60000000);
}

static void
a_reader_of_a_manual_clock_tells_its_time(void **state) {
	(void)state;
	struct clock clock;
	struct clock_reader reader;
	clock_init_manual(&clock, 0);
	clock_reader_init(&reader, &clock);
	for (uint64_t now = 0; now < 1000; now += 10) {
		assert_int_equal(clock_reader_ns(&reader), now);
		clock_advance(&clock, 10);
	}
}

static void
a_reader_tells_the_rate_anew_when_ticks_change_theirs(void **state) {
	(void)state;
	struct clock clock;
	struct clock_reader reader;
	clock_init_system(&clock);
	if (!clock.has_ticks)
		return;
	clock_reader_init(&reader, &clock);
	while (reader.scale == 0)
		clock_reader_ns(&reader);
	/* As if the machine had slept, while which ticks went on and the clock did not. */
	reader.ticks -= UINT64_C(1) << 40;
	uint64_t before = clock_monotonic_ns(&clock);
	assert_true(clock_reader_ns(&reader) + 100000 >= before);
	while (reader.scale == 0)
		clock_reader_ns(&reader);
	before = clock_monotonic_ns(&clock);
	uint64_t now = clock_reader_ns(&reader);
	assert_true(now + 100000 >= before);
	assert_true(now <= clock_monotonic_ns(&clock) + 100000);
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
		cmocka_unit_test(a_reader_agrees_with_its_clock),
		cmocka_unit_test(a_reader_of_a_manual_clock_tells_its_time),
		cmocka_unit_test(a_reader_tells_the_rate_anew_when_ticks_change_theirs),
		cmocka_unit_test(thread_cpu_time_grows_with_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
