/* Unit tests of the window to jemalloc in base/memory. The allocator is a stand-in with jemalloc's
 * interface, so that the answers are known and the test needs no jemalloc.
 */
#include "base/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

int mallctl(const char *name, void *old_value, size_t *old_size, void *new_value, size_t new_size);
void malloc_stats_print(void (*write)(void *ud, const char *text), void *ud, const char *options);

static struct {
	size_t epoch;
	bool profiled;
	bool active;
	const char *dump_path;
} fake;

struct fake_value {
	const char *name;
	size_t size;
	uint64_t value;
};

static const struct fake_value values[] = {
	{"stats.allocated", sizeof(size_t), 4711},
	{"stats.arenas.4096.small.nmalloc", sizeof(uint64_t), 100},
	{"stats.arenas.4096.small.ndalloc", sizeof(uint64_t), 60},
	{"stats.arenas.4096.large.nmalloc", sizeof(uint64_t), 9},
	{"stats.arenas.4096.large.ndalloc", sizeof(uint64_t), 7},
	{"arenas.narenas", sizeof(unsigned), 8},
	{"config.debug", sizeof(bool), 1},
};

static int
answer(void *old_value, size_t *old_size, const void *value, size_t size) {
	if (old_value == NULL)
		return 0;
	if (*old_size != size) {
		size_t part = *old_size < size ? *old_size : size;
		memcpy(old_value, value, part);
		*old_size = part;
		return EINVAL;
	}
	memcpy(old_value, value, size);
	return 0;
}

int
mallctl(const char *name, void *old_value, size_t *old_size, void *new_value, size_t new_size) {
	if (strcmp(name, "epoch") == 0) {
		fake.epoch++;
		return new_size == sizeof(uint64_t) ? 0 : EINVAL;
	}
	if (strcmp(name, "prof.active") == 0 && fake.profiled) {
		int status = answer(old_value, old_size, &fake.active, sizeof(fake.active));
		if (new_value != NULL)
			memcpy(&fake.active, new_value, new_size);
		return status;
	}
	if (strcmp(name, "prof.dump") == 0 && fake.profiled) {
		if (new_value != NULL)
			memcpy(&fake.dump_path, new_value, new_size);
		return fake.dump_path != NULL && strcmp(fake.dump_path, "/no/such") == 0 ? EFAULT
											 : 0;
	}
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (strcmp(values[i].name, name) == 0)
			return answer(old_value, old_size, &values[i].value, values[i].size);
	}
	return ENOENT;
}

void
malloc_stats_print(void (*write)(void *ud, const char *text), void *ud, const char *options) {
	write(ud, "report ");
	write(ud, options);
}

static void
totals_are_read_fresh(void **state) {
	(void)state;
	assert_true(memory_has_statistics());
	fake.epoch = 0;
	assert_int_equal(memory_total(), 4711);
	assert_int_equal(fake.epoch, 1);
	assert_int_equal(memory_blocks(), 42);
	assert_int_equal(fake.epoch, 2);
}

static void
numbers_of_any_width_are_read(void **state) {
	(void)state;
	size_t value = SIZE_MAX;
	assert_int_equal(memory_stat("stats.allocated", &value), 0);
	assert_int_equal(value, 4711);
	value = SIZE_MAX;
	assert_int_equal(memory_stat("arenas.narenas", &value), 0);
	assert_int_equal(value, 8);
	value = SIZE_MAX;
	assert_int_equal(memory_stat("config.debug", &value), 0);
	assert_int_equal(value, 1);
}

static void
an_unknown_name_is_not_found(void **state) {
	(void)state;
	size_t value = 5;
	assert_int_equal(memory_stat("stats.nothing", &value), SKYNET_ENOTFOUND);
	assert_int_equal(value, 5);
}

static void
collect_text(void *ud, const char *text) {
	strcat(ud, text);
}

static void
report_goes_to_the_callback(void **state) {
	(void)state;
	char text[64] = "";
	assert_int_equal(memory_dump("abc", collect_text, text), 0);
	assert_string_equal(text, "report abc");
}

static void
profiling_is_switched_and_read(void **state) {
	(void)state;
	bool on = true;
	bool off = false;
	bool before = true;
	fake.profiled = true;
	fake.active = false;
	assert_int_equal(memory_profile(NULL, &before), 0);
	assert_false(before);
	assert_false(fake.active);
	assert_int_equal(memory_profile(&on, &before), 0);
	assert_false(before);
	assert_true(fake.active);
	assert_int_equal(memory_profile(&off, &before), 0);
	assert_true(before);
	assert_int_equal(memory_profile(&on, NULL), 0);
	fake.profiled = false;
	assert_int_equal(memory_profile(&on, &before), SKYNET_ENOTFOUND);
}

static void
profile_is_dumped_to_a_file(void **state) {
	(void)state;
	fake.profiled = true;
	fake.dump_path = NULL;
	assert_int_equal(memory_profile_dump(NULL), 0);
	assert_null(fake.dump_path);
	assert_int_equal(memory_profile_dump("heap.1"), 0);
	assert_string_equal(fake.dump_path, "heap.1");
	assert_int_equal(memory_profile_dump("/no/such"), SKYNET_ESYSTEM);
	fake.profiled = false;
	assert_int_equal(memory_profile_dump("heap.1"), SKYNET_ENOTFOUND);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_are_read_fresh),
		cmocka_unit_test(numbers_of_any_width_are_read),
		cmocka_unit_test(an_unknown_name_is_not_found),
		cmocka_unit_test(report_goes_to_the_callback),
		cmocka_unit_test(profiling_is_switched_and_read),
		cmocka_unit_test(profile_is_dumped_to_a_file),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
