/* When the poller looks for events before it sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/poll_spin.h"

/* Lets it wait `waits` times; an event comes each time while it looks, or after it has slept for
 * `sleep_ns`. Returns how often it looked. */
static int
wait_long(struct poll_spin *spin, int waits, bool found, uint64_t sleep_ns) {
	int looked = 0;
	for (int i = 0; i < waits; i++) {
		bool looks = poll_spin_begins(spin);
		looked += looks;
		if (looks)
			poll_spin_ended(spin, found);
		if (!looks || !found)
			poll_spin_slept(spin, sleep_ns);
	}
	return looked;
}

/* The same with short sleeps. */
static int
wait_often(struct poll_spin *spin, int waits, bool found) {
	return wait_long(spin, waits, found, spin->limit_ns);
}

static void
never_looks_without_a_limit(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 0};
	assert_int_equal(wait_often(&spin, 10000, true), 0);
}

static void
looks_each_time_once_it_has_paid(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1};
	assert_in_range(wait_often(&spin, 10, true), 1, 9);
	assert_int_equal(wait_often(&spin, 1000, true), 1000);
}

static void
looks_seldom_when_it_does_not_pay(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1};
	assert_in_range(wait_often(&spin, 10000, false), 1, 400);
	wait_often(&spin, 1000, true);
	assert_in_range(wait_often(&spin, 10000, false), 1, 400);
}

static void
never_looks_where_sleeps_are_long(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1000};
	assert_int_equal(wait_long(&spin, 10000, true, 1000000), 0);
}

static void
looks_soon_again_once_it_pays(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1};
	wait_often(&spin, 10000, false);
	assert_in_range(wait_often(&spin, 200, true), 1, 199);
	assert_int_equal(wait_often(&spin, 1000, true), 1000);
	wait_often(&spin, 8, false);
	assert_in_range(wait_often(&spin, 10, true), 1, 10);
}

static void
goes_on_when_it_fails_now_and_then(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1};
	wait_often(&spin, 1000, true);
	for (int round = 0; round < 100; round++) {
		assert_int_equal(wait_often(&spin, 1, false), 1);
		assert_int_equal(wait_often(&spin, 9, true), 9);
	}
}

static void
gives_up_when_it_fails_every_second_time(void **state) {
	(void)state;
	struct poll_spin spin = {.limit_ns = 1};
	wait_often(&spin, 1000, true);
	int looked = 0;
	for (int round = 0; round < 5000; round++)
		looked += wait_often(&spin, 1, round % 2 == 0);
	assert_in_range(looked, 1, 500);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_looks_without_a_limit),
		cmocka_unit_test(looks_each_time_once_it_has_paid),
		cmocka_unit_test(looks_seldom_when_it_does_not_pay),
		cmocka_unit_test(never_looks_where_sleeps_are_long),
		cmocka_unit_test(looks_soon_again_once_it_pays),
		cmocka_unit_test(goes_on_when_it_fails_now_and_then),
		cmocka_unit_test(gives_up_when_it_fails_every_second_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
