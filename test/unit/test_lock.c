// cflags: -DSKYNET_DEBUG_LOCKS
// link: skynet-src/base/lock.c
/* Unit tests of base/lock, with the checker of ranks switched on. */
#include "base/lock.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define THREAD_COUNT 4
#define ROUND_COUNT  2000

struct counter {
	struct spin_lock spin;
	struct mutex mutex;
	int by_spin;  /* under spin */
	int by_mutex; /* under mutex */
};

static void *
count(void *ud) {
	struct counter *counter = ud;
	for (int i = 0; i < ROUND_COUNT; i++) {
		spin_acquire(&counter->spin);
		counter->by_spin++;
		spin_release(&counter->spin);
		mutex_acquire(&counter->mutex);
		counter->by_mutex++;
		mutex_release(&counter->mutex);
	}
	return NULL;
}

static void
locks_exclude_other_threads(void **state) {
	(void)state;
	struct counter counter = {.by_spin = 0, .by_mutex = 0};
	pthread_t threads[THREAD_COUNT];
	spin_init(&counter.spin, LOCK_RANK_LEAF);
	mutex_init(&counter.mutex, LOCK_RANK_LEAF);
	for (int i = 0; i < THREAD_COUNT; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count, &counter), 0);
	for (int i = 0; i < THREAD_COUNT; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter.by_spin, THREAD_COUNT * ROUND_COUNT);
	assert_int_equal(counter.by_mutex, THREAD_COUNT * ROUND_COUNT);
	mutex_fini(&counter.mutex);
}

static void
locks_in_rising_order_are_accepted_and_may_be_released_in_any(void **state) {
	(void)state;
	struct mutex outer;
	struct mutex middle;
	struct spin_lock inner;
	mutex_init(&outer, LOCK_RANK_NODE);
	mutex_init(&middle, LOCK_RANK_HANDLE);
	spin_init(&inner, LOCK_RANK_LEAF);
	for (int i = 0; i < 100; i++) {
		mutex_acquire(&outer);
		mutex_acquire(&middle);
		spin_acquire(&inner);
		mutex_release(&outer);
		spin_release(&inner);
		mutex_release(&middle);
	}
	mutex_fini(&middle);
	mutex_fini(&outer);
}

/* Runs `func` in a child; returns what it wrote to stderr and its status. */
static int
run_in_child(void (*func)(void), char *text, size_t size) {
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		func();
		_exit(0);
	}
	close(ends[1]);
	size_t used = 0;
	ssize_t n;
	while (used < size - 1 && (n = read(ends[0], text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(ends[0]);
	int status;
	waitpid(child, &status, 0);
	return status;
}

static void
take_in_falling_order(void) {
	struct mutex outer;
	struct mutex inner;
	mutex_init(&outer, LOCK_RANK_NODE);
	mutex_init(&inner, LOCK_RANK_HANDLE);
	mutex_acquire(&inner);
	mutex_acquire(&outer);
}

static void
take_twice(void) {
	struct spin_lock lock;
	spin_init(&lock, LOCK_RANK_LEAF);
	spin_acquire(&lock);
	spin_acquire(&lock);
}

static void
release_what_is_not_held(void) {
	struct spin_lock lock;
	spin_init(&lock, LOCK_RANK_LEAF);
	spin_release(&lock);
}

static void
assert_aborts(void (*func)(void), const char *line) {
	char text[1024];
	int status = run_in_child(func, text, sizeof(text));
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	assert_non_null(strstr(text, line));
}

static void
wrong_order_aborts_with_a_line_that_names_the_ranks(void **state) {
	(void)state;
	assert_aborts(take_in_falling_order, "skynet: lock order: taking rank 20; held: 40\n");
	assert_aborts(take_twice, "skynet: lock order: taking rank 100; held: 100\n");
	assert_aborts(release_what_is_not_held, "skynet: lock order: releasing rank 100; held:\n");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(locks_exclude_other_threads),
		cmocka_unit_test(locks_in_rising_order_are_accepted_and_may_be_released_in_any),
		cmocka_unit_test(wrong_order_aborts_with_a_line_that_names_the_ranks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
