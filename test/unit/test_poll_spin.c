/* When the poller looks for events before it sleeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "io/poll_spin.h"

/* Lets it wait `waits` times; an event comes each time while it looks, or never. Returns how often
 * it looked. */
static int
wait_often(struct poll_spin *spin, int waits, bool found) {
	int looked = 0;
	for (int i = 0; i < waits; i++) {
		if (!poll_spin_begins(spin))
			continue;
		looked++;
		poll_spin_ended(spin, found);
	}
	return looked;
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
	int first = 0;
	while (!poll_spin_begins(&spin))
		first++;
	poll_spin_ended(&spin, true);
	assert_in_range(first, 1, 100);
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
		cmocka_unit_test(goes_on_when_it_fails_now_and_then),
		cmocka_unit_test(gives_up_when_it_fails_every_second_time),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
