/* A thread that wants to be prompt stays what it was otherwise. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "base/thread.h"

static void
policy_and_priority_stay(void **state) {
	(void)state;
	assert_int_equal(setpriority(PRIO_PROCESS, 0, 3), 0);
	int policy = sched_getscheduler(0), priority = getpriority(PRIO_PROCESS, 0);
	thread_be_prompt();
	thread_be_prompt(); /* once more is no harm */
	assert_int_equal(sched_getscheduler(0), policy);
	assert_int_equal(getpriority(PRIO_PROCESS, 0), priority);
}

int
main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(policy_and_priority_stay)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
