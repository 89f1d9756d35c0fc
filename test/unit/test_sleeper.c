/* A thread sleeps until it is woken, also when that comes between its two steps; and no wake-up is
 * lost or kept for later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/sleeper.h"

#define ROUNDS 20000

static void
nobody_wakes_one_that_is_awake(void **state) {
	(void)state;
	struct sleeper sleeper;
	assert_int_equal(sleeper_init(&sleeper), 0);
	assert_false(sleeper_wake(&sleeper));
	sleeper_fini(&sleeper);
}

static void
an_announcement_can_be_taken_back(void **state) {
	(void)state;
	struct sleeper sleeper;
	assert_int_equal(sleeper_init(&sleeper), 0);
	sleeper_announce(&sleeper);
	assert_true(sleeper_retract(&sleeper));
	assert_false(sleeper_wake(&sleeper));
	sleeper_fini(&sleeper);
}

static void
one_that_is_woken_early_does_not_sleep(void **state) {
	(void)state;
	struct sleeper sleeper;
	assert_int_equal(sleeper_init(&sleeper), 0);
	sleeper_announce(&sleeper);
	assert_true(sleeper_wake(&sleeper));
	assert_false(sleeper_wake(&sleeper)); /* once is enough */
	assert_false(sleeper_retract(&sleeper));
	sleeper_wait(&sleeper);
	sleeper_fini(&sleeper);
}

/* Work is counted up by one thread and taken by another, which sleeps when there is none. */
struct pair {
	struct sleeper sleeper;
	atomic_int work;
	int taken;
};

static void *
take_all(void *argument) {
	struct pair *pair = argument;
	while (pair->taken < ROUNDS) {
		int found = atomic_exchange(&pair->work, 0);
		pair->taken += found;
		if (found > 0 || pair->taken == ROUNDS)
			continue;
		sleeper_announce(&pair->sleeper);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&pair->work) == 0 || !sleeper_retract(&pair->sleeper))
			sleeper_wait(&pair->sleeper);
	}
	return NULL;
}

static void
no_wake_up_is_lost(void **state) {
	(void)state;
	struct pair pair = {.taken = 0};
	pthread_t thread;
	assert_int_equal(sleeper_init(&pair.sleeper), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_all, &pair), 0);
	for (int i = 0; i < ROUNDS; i++) {
		atomic_fetch_add(&pair.work, 1);
		atomic_thread_fence(memory_order_seq_cst);
		sleeper_wake(&pair.sleeper);
	}
	pthread_join(thread, NULL);
	assert_int_equal(pair.taken, ROUNDS);
	sleeper_fini(&pair.sleeper);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_wakes_one_that_is_awake),
		cmocka_unit_test(an_announcement_can_be_taken_back),
		cmocka_unit_test(one_that_is_woken_early_does_not_sleep),
		cmocka_unit_test(no_wake_up_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
