/* Unit tests of data/stall_monitor. */
#include "data/stall_monitor.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/lock.h"

#define TIMEOUT 5000

static char node;

struct told {
	int count;
	struct stall_report last;
	uint64_t again_at; /* what the callback answers */
};

static uint64_t
tell(const struct stall_report *report, void *ud) {
	struct told *told = ud;
	told->count++;
	told->last = *report;
	return told->again_at;
}

static void
a_message_that_does_not_end_is_reported_and_again(void **state) {
	(void)state;
	struct told told = {0};
	struct stall_monitor *monitor = stall_monitor_create(2);
	struct stall_slot *slot = stall_monitor_slot(monitor, 1);
	stall_slot_enter(slot, &node, 0x01000007, 0x01000008);
	assert_int_equal(stall_monitor_check(monitor, 1000, TIMEOUT, tell, &told), TIMEOUT);
	assert_int_equal(stall_monitor_check(monitor, 4000, TIMEOUT, tell, &told), 2000);
	assert_int_equal(told.count, 0);
	assert_int_equal(stall_monitor_check(monitor, 6000, TIMEOUT, tell, &told), TIMEOUT);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.last.slot, 1);
	assert_ptr_equal(told.last.owner, &node);
	assert_int_equal(told.last.source, 0x01000007);
	assert_int_equal(told.last.destination, 0x01000008);
	assert_int_equal(told.last.elapsed_ms, 5000);
	assert_int_equal(told.last.count, 0);
	stall_monitor_check(monitor, 10999, TIMEOUT, tell, &told);
	assert_int_equal(told.count, 1);
	stall_monitor_check(monitor, 11000, TIMEOUT, tell, &told);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.last.count, 1);
	assert_int_equal(told.last.elapsed_ms, 10000);
	stall_monitor_destroy(monitor);
}

static void
messages_that_end_are_not_reported(void **state) {
	(void)state;
	struct told told = {0};
	struct stall_monitor *monitor = stall_monitor_create(1);
	struct stall_slot *slot = stall_monitor_slot(monitor, 0);
	for (uint64_t now = 0; now < 100000; now += 4999) {
		/* The same pair again and again, with and without a pause between. */
		if (now % 2)
			stall_slot_leave(slot);
		stall_slot_enter(slot, &node, 1, 2);
		stall_monitor_check(monitor, now, TIMEOUT, tell, &told);
	}
	assert_int_equal(told.count, 0);
	stall_monitor_destroy(monitor);
}

static void
an_idle_thread_needs_no_check(void **state) {
	(void)state;
	struct told told = {0};
	struct stall_monitor *monitor = stall_monitor_create(3);
	struct stall_slot *slot = stall_monitor_slot(monitor, 2);
	assert_true(stall_monitor_check(monitor, 0, TIMEOUT, tell, &told) == STALL_NEVER);
	stall_slot_leave(slot);
	stall_slot_enter(slot, &node, 1, 2);
	stall_slot_leave(slot);
	assert_true(stall_monitor_check(monitor, 9000, TIMEOUT, tell, &told) == STALL_NEVER);
	assert_true(stall_monitor_check(monitor, 99000, TIMEOUT, tell, &told) == STALL_NEVER);
	assert_int_equal(told.count, 0);
	stall_monitor_destroy(monitor);
}

static void
the_report_function_says_when_to_tell_again(void **state) {
	(void)state;
	struct told told = {.again_at = 7000};
	struct stall_monitor *monitor = stall_monitor_create(1);
	stall_slot_enter(stall_monitor_slot(monitor, 0), &node, 1, 2);
	stall_monitor_check(monitor, 0, TIMEOUT, tell, &told);
	assert_int_equal(stall_monitor_check(monitor, 5000, TIMEOUT, tell, &told), 2000);
	assert_int_equal(told.count, 1);
	stall_monitor_check(monitor, 6999, TIMEOUT, tell, &told);
	assert_int_equal(told.count, 1);
	/* A time that has passed already means the timeout. */
	assert_int_equal(stall_monitor_check(monitor, 7000, TIMEOUT, tell, &told), TIMEOUT);
	assert_int_equal(told.count, 2);
	stall_monitor_destroy(monitor);
}

static void
a_running_message_is_found_by_its_owner(void **state) {
	(void)state;
	char other;
	uint32_t destination = 0;
	struct stall_monitor *monitor = stall_monitor_create(2);
	struct stall_slot *slot = stall_monitor_slot(monitor, 1);
	assert_false(stall_monitor_find(monitor, &node, &destination));
	stall_slot_enter(slot, &node, 0x01000007, 0x01000008);
	assert_false(stall_monitor_find(monitor, &other, &destination));
	assert_true(stall_monitor_find(monitor, &node, &destination));
	assert_int_equal(destination, 0x01000008);
	stall_slot_leave(slot);
	assert_false(stall_monitor_find(monitor, &node, &destination));
	stall_monitor_destroy(monitor);
}

static void
slots_are_watched_one_by_one(void **state) {
	(void)state;
	struct told told = {0};
	struct stall_monitor *monitor = stall_monitor_create(2);
	struct stall_slot *first = stall_monitor_slot(monitor, 0);
	struct stall_slot *second = stall_monitor_slot(monitor, 1);
	assert_true((char *)second - (char *)first >= 64);
	stall_slot_enter(first, &node, 1, 2);
	stall_monitor_check(monitor, 0, TIMEOUT, tell, &told);
	stall_slot_enter(second, &node, 3, 4);
	assert_int_equal(stall_monitor_check(monitor, 3000, TIMEOUT, tell, &told), 2000);
	stall_monitor_check(monitor, 5000, TIMEOUT, tell, &told);
	assert_int_equal(told.count, 1);
	assert_int_equal(told.last.destination, 2);
	stall_slot_leave(first);
	stall_monitor_check(monitor, 8000, TIMEOUT, tell, &told);
	assert_int_equal(told.count, 2);
	assert_int_equal(told.last.destination, 4);
	stall_monitor_destroy(monitor);
}

struct racer {
	struct stall_slot *slot;
	atomic_bool quit;
	int wrong; /* of the checking thread */
};

/* What belongs together is made of one number. */
static void *
run_messages(void *ud) {
	struct racer *racer = ud;
	for (uint32_t i = 1; !atomic_load_explicit(&racer->quit, memory_order_relaxed); i++) {
		stall_slot_enter(racer->slot, (void *)(uintptr_t)i, i, i);
		/* Long enough to be seen twice, short enough to end while it is looked at. */
		for (uint32_t k = 0; k < i % 64; k++)
			cpu_relax();
		if (i % 3 == 0)
			stall_slot_leave(racer->slot);
	}
	return NULL;
}

static uint64_t
compare_parts(const struct stall_report *report, void *ud) {
	struct racer *racer = ud;
	if (report->source != report->destination || (uintptr_t)report->owner != report->source)
		racer->wrong++;
	return 0;
}

static void
a_report_is_never_mixed_from_two_messages(void **state) {
	(void)state;
	struct racer racer = {0};
	struct stall_monitor *monitor = stall_monitor_create(1);
	racer.slot = stall_monitor_slot(monitor, 0);
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, run_messages, &racer), 0);
	/* Timeout 0: whatever is seen twice in the same message is reported. */
	for (int i = 0; i < 200000; i++)
		stall_monitor_check(monitor, (uint64_t)i, 0, compare_parts, &racer);
	atomic_store_explicit(&racer.quit, true, memory_order_relaxed);
	pthread_join(thread, NULL);
	assert_int_equal(racer.wrong, 0);
	stall_monitor_destroy(monitor);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_that_does_not_end_is_reported_and_again),
		cmocka_unit_test(messages_that_end_are_not_reported),
		cmocka_unit_test(an_idle_thread_needs_no_check),
		cmocka_unit_test(the_report_function_says_when_to_tell_again),
		cmocka_unit_test(a_running_message_is_found_by_its_owner),
		cmocka_unit_test(slots_are_watched_one_by_one),
		cmocka_unit_test(a_report_is_never_mixed_from_two_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
