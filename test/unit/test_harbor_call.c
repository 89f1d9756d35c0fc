/* Requests under way to other nodes: each is found or lost exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harbor_call.h"

#define CALLERS  100
#define SESSIONS 50

static void
count_lost(void *ud, uint32_t caller, int session, uint32_t callee) {
	(void)caller;
	(void)session;
	assert_int_equal(callee >> 24, 2);
	++*(size_t *)ud;
}

static void
takes_a_request_once(void **state) {
	(void)state;
	struct call_table table = {0};
	assert_false(call_table_take(&table, 1, 1));
	call_table_put(&table, 1, 1, 0x02000001);
	assert_false(call_table_take(&table, 1, 2));
	assert_false(call_table_take(&table, 2, 1));
	assert_true(call_table_take(&table, 1, 1));
	assert_false(call_table_take(&table, 1, 1));
	call_table_fini(&table);
}

static void
keeps_the_last_of_equal_requests(void **state) {
	(void)state;
	struct call_table table = {0};
	size_t lost = 0;
	call_table_put(&table, 1, 1, 0x03000001);
	call_table_put(&table, 1, 1, 0x02000001);
	call_table_lose(&table, 3, count_lost, &lost);
	assert_int_equal(lost, 0);
	call_table_lose(&table, 2, count_lost, &lost);
	assert_int_equal(lost, 1);
	call_table_fini(&table);
}

static void
finds_all_others_after_each_removal(void **state) {
	(void)state;
	struct call_table table = {0};
	for (uint32_t caller = 1; caller <= CALLERS; caller++)
		for (int session = 1; session <= SESSIONS; session++)
			call_table_put(&table, caller, session, 0x02000000 | caller);
	for (uint32_t caller = 1; caller <= CALLERS; caller += 2)
		for (int session = SESSIONS; session >= 1; session--)
			assert_true(call_table_take(&table, caller, session));
	assert_int_equal(table.requests.count, CALLERS / 2 * SESSIONS);
	for (uint32_t caller = 1; caller <= CALLERS; caller++)
		for (int session = 1; session <= SESSIONS; session++)
			assert_int_equal(call_table_take(&table, caller, session), caller % 2 == 0);
	assert_int_equal(table.requests.count, 0);
	call_table_fini(&table);
}

static void
loses_the_requests_to_one_node_only(void **state) {
	(void)state;
	struct call_table table = {0};
	size_t lost = 0;
	for (int session = 1; session <= 1000; session++)
		call_table_put(&table, 7, session, session % 3 == 0 ? 0x02000001 : 0x03000001);
	call_table_lose(&table, 2, count_lost, &lost);
	assert_int_equal(lost, 333);
	assert_int_equal(table.requests.count, 667);
	call_table_lose(&table, 2, count_lost, &lost);
	assert_int_equal(lost, 333);
	assert_true(call_table_take(&table, 7, 1000));
	call_table_fini(&table);
}

/* Over: requests of odd callers, and those that have been abandoned for some sweeps. */
static bool
is_odd_or_abandoned(void *ud, uint32_t caller, int session, uint32_t callee, uint32_t abandoned) {
	(void)session;
	(void)callee;
	++*(size_t *)ud;
	return caller % 2 == 1 || abandoned > 3;
}

static void
sweeps_what_is_over_in_a_few_rounds_and_gives_memory_back(void **state) {
	(void)state;
	struct call_table table = {0};
	size_t seen = 0;
	for (uint32_t caller = 1; caller <= CALLERS * 10; caller++)
		for (int session = 1; session <= SESSIONS; session++)
			call_table_put(&table, caller, session, 0x02000001);
	size_t capacity = table.requests.capacity;
	for (int i = 0; i < 100; i++)
		call_table_sweep(&table, is_odd_or_abandoned, &seen);
	assert_int_equal(table.requests.count, CALLERS * 10 / 2 * SESSIONS);
	for (uint32_t caller = 2; caller <= CALLERS * 10; caller += 2)
		for (int session = 2; session <= SESSIONS; session++)
			call_table_abandon(&table, caller, session);
	for (int i = 0; i < 100; i++)
		call_table_sweep(&table, is_odd_or_abandoned, &seen);
	assert_int_equal(table.requests.count, CALLERS * 10 / 2);
	assert_true(table.requests.capacity < capacity / 8);
	for (uint32_t caller = 2; caller <= CALLERS * 10; caller += 2)
		assert_true(call_table_take(&table, caller, 1));
	assert_int_equal(table.requests.count, 0);
	call_table_fini(&table);
}

static void
keeps_an_abandoned_request_for_a_while(void **state) {
	(void)state;
	struct call_table table = {0};
	size_t seen = 0, lost = 0;
	call_table_put(&table, 2, 1, 0x02000001);
	call_table_abandon(&table, 2, 1);
	call_table_abandon(&table, 2, 9);
	for (int i = 0; i < 3; i++)
		call_table_sweep(&table, is_odd_or_abandoned, &seen);
	/* The loss of another node changes nothing. */
	call_table_lose(&table, 3, count_lost, &lost);
	assert_int_equal(table.requests.count, 1);
	call_table_sweep(&table, is_odd_or_abandoned, &seen);
	assert_int_equal(table.requests.count, 0);
	assert_int_equal(seen, 4);
	/* A new request with the number of an abandoned one waits. */
	call_table_put(&table, 2, 1, 0x02000001);
	call_table_abandon(&table, 2, 1);
	call_table_put(&table, 2, 1, 0x02000001);
	for (int i = 0; i < 9; i++)
		call_table_sweep(&table, is_odd_or_abandoned, &seen);
	assert_true(call_table_take(&table, 2, 1));
	call_table_sweep(&table, is_odd_or_abandoned, &seen);
	call_table_fini(&table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_a_request_once),
		cmocka_unit_test(keeps_the_last_of_equal_requests),
		cmocka_unit_test(finds_all_others_after_each_removal),
		cmocka_unit_test(loses_the_requests_to_one_node_only),
		cmocka_unit_test(sweeps_what_is_over_in_a_few_rounds_and_gives_memory_back),
		cmocka_unit_test(keeps_an_abandoned_request_for_a_while),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
