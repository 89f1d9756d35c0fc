// wrap: malloc calloc realloc posix_memalign
/* Unit tests of base/memory and of skynet_malloc.h. In a child process the allocator is made to
 * fail. */
#include "base/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "skynet_malloc.h"

static bool exhausted; /* set in children, and around skynet_lalloc */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
int __real_posix_memalign(void **block, size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
int __wrap_posix_memalign(void **block, size_t alignment, size_t size);

void *
__wrap_malloc(size_t size) {
	return exhausted ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size) {
	return exhausted ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *block, size_t size) {
	return exhausted ? NULL : __real_realloc(block, size);
}

int
__wrap_posix_memalign(void **block, size_t alignment, size_t size) {
	return exhausted ? ENOMEM : __real_posix_memalign(block, alignment, size);
}

static void
blocks_can_be_written_and_freed(void **state) {
	(void)state;
	char *block = skynet_malloc(100);
	memset(block, 1, 100);
	block = skynet_realloc(block, 1000);
	for (int i = 0; i < 100; i++)
		assert_int_equal(block[i], 1);
	skynet_free(block);
	char *zero = skynet_calloc(10, 10);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 0);
	skynet_free(zero);
	char *copy = skynet_strdup("text");
	assert_string_equal(copy, "text");
	free(copy); /* may be mixed */
	skynet_free(NULL);
}

static void
size_zero_gives_a_block(void **state) {
	(void)state;
	void *blocks[] = {skynet_malloc(0), skynet_calloc(0, 8), skynet_realloc(NULL, 0),
		skynet_realloc(skynet_malloc(8), 0), skynet_memalign(64, 0), skynet_strdup("")};
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		assert_non_null(blocks[i]);
		skynet_free(blocks[i]);
	}
}

static void
aligned_blocks_are_aligned(void **state) {
	(void)state;
	for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
		void *block = skynet_memalign(alignment, 24);
		assert_int_equal((uintptr_t)block % alignment, 0);
		skynet_free(block);
		block = skynet_aligned_alloc(alignment, 24);
		assert_int_equal((uintptr_t)block % alignment, 0);
		skynet_free(block);
	}
	void *block;
	assert_int_equal(skynet_posix_memalign(&block, 128, 24), 0);
	assert_int_equal((uintptr_t)block % 128, 0);
	skynet_free(block);
}

static void
allocator_for_lua_may_refuse(void **state) {
	(void)state;
	char *block = skynet_lalloc(NULL, 0, 10);
	memcpy(block, "123456789", 10);
	block = skynet_lalloc(block, 10, 20);
	assert_string_equal(block, "123456789");
	exhausted = true;
	void *more = skynet_lalloc(block, 20, 40);
	exhausted = false;
	assert_null(more);
	assert_string_equal(block, "123456789");
	assert_null(skynet_lalloc(block, 20, 0));
}

static void
run_out_in_malloc(void) {
	skynet_malloc(101);
}

static void
run_out_in_calloc(void) {
	skynet_calloc(3, 34);
}

static void
run_out_in_realloc(void) {
	skynet_realloc(NULL, 103);
}

static void
run_out_in_memalign(void) {
	skynet_memalign(64, 104);
}

static void
run_out_in_strdup(void) {
	skynet_strdup("1234");
}

/* `func` runs in a child without memory and must end it with `line` as all it says. */
static void
assert_ends_with_line(void (*func)(void), const char *line) {
	int ends[2];
	char text[256];
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t child = fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		exhausted = true;
		func();
		_exit(0);
	}
	close(ends[1]);
	ssize_t size = read(ends[0], text, sizeof(text) - 1);
	text[size > 0 ? size : 0] = '\0';
	close(ends[0]);
	int status;
	waitpid(child, &status, 0);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
	/* A sanitizer may have its own to say after it. */
	text[strcspn(text, "\n")] = '\0';
	assert_string_equal(text, line);
}

static void
running_out_of_memory_ends_the_process_with_one_line(void **state) {
	(void)state;
	assert_ends_with_line(
		run_out_in_malloc, "skynet: out of memory: cannot allocate 101 bytes");
	assert_ends_with_line(
		run_out_in_calloc, "skynet: out of memory: cannot allocate 102 bytes");
	assert_ends_with_line(
		run_out_in_realloc, "skynet: out of memory: cannot allocate 103 bytes");
	assert_ends_with_line(
		run_out_in_memalign, "skynet: out of memory: cannot allocate 104 bytes");
	assert_ends_with_line(run_out_in_strdup, "skynet: out of memory: cannot allocate 5 bytes");
}

static void
write_nothing(void *ud, const char *text) {
	size_t *size = ud;
	*size += strlen(text);
}

static void
statistics_are_zero_without_jemalloc(void **state) {
	(void)state;
	if (memory_has_statistics())
		return; /* test_memory_jemalloc looks at that */
	size_t size = 0;
	assert_int_equal(memory_total(), 0);
	assert_int_equal(memory_blocks(), 0);
	assert_int_equal(memory_stat("stats.allocated", &size), SKYNET_ENOTFOUND);
	assert_int_equal(memory_dump(NULL, write_nothing, &size), SKYNET_ENOTFOUND);
	assert_int_equal(size, 0);
	assert_int_equal(memory_profile(NULL, NULL), SKYNET_ENOTFOUND);
	assert_int_equal(memory_profile_dump(NULL), SKYNET_ENOTFOUND);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_can_be_written_and_freed),
		cmocka_unit_test(size_zero_gives_a_block),
		cmocka_unit_test(aligned_blocks_are_aligned),
		cmocka_unit_test(allocator_for_lua_may_refuse),
		cmocka_unit_test(running_out_of_memory_ends_the_process_with_one_line),
		cmocka_unit_test(statistics_are_zero_without_jemalloc),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
