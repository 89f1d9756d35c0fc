/* Requests of other nodes: an answer goes out unless their node was lost meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harbor_served.h"

#define HERE   UINT32_C(0x01000007)
#define THERE  UINT32_C(0x02000005)
#define OTHER  UINT32_C(0x03000005)
#define MANY   5000
#define SWEEPS 100

static void
answers_go_to_nodes_that_are_there(void **state) {
	(void)state;
	struct served_table table = {0};
	assert_true(served_table_answer(&table, THERE, 1, HERE));
	served_table_put(&table, THERE, 1, HERE);
	assert_true(served_table_answer(&table, THERE, 1, HERE));
	assert_int_equal(table.requests.count, 0);
	served_table_fini(&table);
}

static void
an_answer_to_a_lost_node_is_held_back_once(void **state) {
	(void)state;
	struct served_table table = {0};
	served_table_put(&table, THERE, 1, HERE);
	served_table_put(&table, OTHER, 1, HERE);
	served_table_lose(&table, 2);
	assert_false(served_table_answer(&table, THERE, 1, HERE));
	assert_true(served_table_answer(&table, THERE, 1, HERE));
	assert_true(served_table_answer(&table, OTHER, 1, HERE));
	assert_int_equal(table.late, 1);
	served_table_fini(&table);
}

static void
the_same_session_of_the_process_behind_is_told_apart_by_who_answers(void **state) {
	(void)state;
	struct served_table table = {0};
	served_table_put(&table, THERE, 1, HERE);
	served_table_lose(&table, 2);
	served_table_put(&table, THERE, 1, HERE + 1);
	assert_false(served_table_answer(&table, THERE, 1, HERE));
	assert_true(served_table_answer(&table, THERE, 1, HERE + 1));
	/* The same request of both: the answer is as good for the later one. */
	served_table_put(&table, THERE, 2, HERE);
	served_table_lose(&table, 2);
	served_table_put(&table, THERE, 2, HERE);
	assert_true(served_table_answer(&table, THERE, 2, HERE));
	served_table_fini(&table);
}

static bool
is_odd(void *ud, uint32_t callee) {
	(void)ud;
	return callee % 2 == 1;
}

static void
requests_to_services_that_are_gone_are_forgotten(void **state) {
	(void)state;
	struct served_table table = {0};
	for (int i = 1; i <= MANY; i++)
		served_table_put(&table, THERE, i, HERE + (uint32_t)i);
	for (int i = 0; i < SWEEPS; i++)
		served_table_sweep(&table, is_odd, NULL);
	assert_int_equal(table.requests.count, MANY / 2);
	served_table_lose(&table, 2);
	for (int i = 1; i <= MANY; i++)
		assert_int_equal(served_table_answer(&table, THERE, i, HERE + (uint32_t)i),
			(HERE + (uint32_t)i) % 2 == 1);
	assert_int_equal(table.requests.count, 0);
	for (int i = 0; i < SWEEPS; i++)
		served_table_sweep(&table, is_odd, NULL);
	assert_int_equal(table.requests.capacity, 64);
	served_table_fini(&table);
}

static void
no_more_than_a_bound_are_noted(void **state) {
	(void)state;
	struct served_table table = {0};
	for (size_t i = 0; i < SERVED_MAX + 10; i++)
		served_table_put(&table, THERE, (int)i + 1, HERE);
	assert_int_equal(table.requests.count, SERVED_MAX);
	served_table_fini(&table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_go_to_nodes_that_are_there),
		cmocka_unit_test(an_answer_to_a_lost_node_is_held_back_once),
		cmocka_unit_test(
			the_same_session_of_the_process_behind_is_told_apart_by_who_answers),
		cmocka_unit_test(requests_to_services_that_are_gone_are_forgotten),
		cmocka_unit_test(no_more_than_a_bound_are_noted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
