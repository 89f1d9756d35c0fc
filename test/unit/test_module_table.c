/* Unit tests of data/module_table. Includes the source with the dynamic linker replaced by a
 * stand-in that knows a few files. (The linker's --wrap would reach into the sanitizers, too.)
 */
#include <dlfcn.h>

static void *fake_dlopen(const char *file, int flags);
static void *fake_dlsym(void *library, const char *symbol);
static char *fake_dlerror(void);

#define dlopen  fake_dlopen
#define dlsym   fake_dlsym
#define dlerror fake_dlerror

#include "data/module_table.c"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct {
	char opened[512]; /* files tried, each with a blank behind it */
	int open_count;
	int flags;
	char error[128];
	int signal;
	int released;
} seen; /* of the thread that holds the table's lock, or of the test */

static char full_library;  /* all four entry points */
static char small_library; /* only init */
static char empty_library;

static void *
full_create(void) {
	return &full_library;
}

static int
full_init(void *instance, struct skynet_context *context, const char *param) {
	(void)context;
	return instance == &full_library && strcmp(param, "ok") == 0 ? 0 : 1;
}

static void
full_release(void *instance) {
	if (instance == &full_library)
		seen.released++;
}

static void
full_signal(void *instance, int signal) {
	if (instance == &full_library)
		seen.signal = signal;
}

static void *
fake_dlopen(const char *file, int flags) {
	static const struct {
		const char *file;
		void *object;
	} files[] = {
		{"./b/full.so", &full_library},
		{"./b/a.b.small.so", &small_library},
		{"./a/empty.so", &empty_library},
	};
	seen.open_count++;
	seen.flags = flags;
	size_t used = strlen(seen.opened);
	snprintf(seen.opened + used, sizeof(seen.opened) - used, "%s ", file);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (strcmp(files[i].file, file) == 0)
			return files[i].object;
	}
	snprintf(seen.error, sizeof(seen.error), "%s: no such file", file);
	return NULL;
}

static char *
fake_dlerror(void) {
	return seen.error[0] ? seen.error : NULL;
}

static void *
fake_dlsym(void *library, const char *symbol) {
	static const struct {
		const char *symbol;
		void *object;
		void (*address)(void);
	} symbols[] = {
		{"full_create", &full_library, (void (*)(void))full_create},
		{"full_init", &full_library, (void (*)(void))full_init},
		{"full_release", &full_library, (void (*)(void))full_release},
		{"full_signal", &full_library, (void (*)(void))full_signal},
		{"small_init", &small_library, (void (*)(void))full_init},
		{"empty_create", &empty_library, (void (*)(void))full_create},
	};
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		if (library == symbols[i].object && strcmp(symbol, symbols[i].symbol) == 0) {
			void *address;
			memcpy(&address, &symbols[i].address, sizeof(address));
			return address;
		}
	}
	return NULL;
}

static int
setup(void **state) {
	memset(&seen, 0, sizeof(seen));
	*state = module_table_create("./a/?.so;./b/?.so");
	return 0;
}

static int
teardown(void **state) {
	module_table_destroy(*state);
	return 0;
}

static void
the_path_is_searched_in_order(void **state) {
	struct module_table *table = *state;
	struct skynet_error error;
	const struct module *module = module_table_find(table, "full", &error);
	assert_non_null(module);
	assert_string_equal(module->name, "full");
	assert_string_equal(seen.opened, "./a/full.so ./b/full.so ");
	assert_int_equal(seen.flags, RTLD_NOW | RTLD_GLOBAL);
	assert_int_equal(module_table_count(table), 1);
}

static void
a_module_is_loaded_once(void **state) {
	struct module_table *table = *state;
	char name[] = "full";
	const struct module *module = module_table_find(table, name, NULL);
	memset(name, 'x', 4);
	assert_ptr_equal(module_table_find(table, "full", NULL), module);
	assert_int_equal(seen.open_count, 2);
}

static void
all_entry_points_are_called(void **state) {
	const struct module *module = module_table_find(*state, "full", NULL);
	void *instance = module_create(module);
	assert_ptr_equal(instance, &full_library);
	assert_int_equal(module_init(module, instance, NULL, "ok"), 0);
	assert_int_equal(module_init(module, instance, NULL, "bad"), 1);
	module_signal(module, instance, 9);
	assert_int_equal(seen.signal, 9);
	module_release(module, instance);
	assert_int_equal(seen.released, 1);
}

static void
symbols_begin_with_what_follows_the_last_dot(void **state) {
	const struct module *module = module_table_find(*state, "a.b.small", NULL);
	assert_non_null(module);
	assert_string_equal(module->name, "a.b.small");
}

static void
only_init_is_required(void **state) {
	const struct module *module = module_table_find(*state, "a.b.small", NULL);
	assert_ptr_equal(module_create(module), MODULE_NO_INSTANCE);
	module_signal(module, MODULE_NO_INSTANCE, 1);
	module_release(module, MODULE_NO_INSTANCE);
	assert_int_equal(seen.released, 0);
}

static void
a_module_without_init_is_refused(void **state) {
	struct skynet_error error;
	assert_null(module_table_find(*state, "empty", &error));
	assert_int_equal(error.code, SKYNET_EMODULE);
	assert_string_equal(
		error.text, "cannot load module 'empty': it has no function 'empty_init'");
	assert_int_equal(module_table_count(*state), 0);
}

static void
an_error_tells_what_every_place_said(void **state) {
	struct skynet_error error;
	assert_null(module_table_find(*state, "none", &error));
	assert_int_equal(error.code, SKYNET_EMODULE);
	assert_string_equal(error.text, "cannot load module 'none': ./a/none.so: no such file; "
					"./b/none.so: no such file");
	/* It may have been put there meanwhile. */
	assert_null(module_table_find(*state, "none", NULL));
	assert_int_equal(seen.open_count, 4);
}

static void
strange_paths_are_told(void **state) {
	(void)state;
	static const struct {
		const char *path;
		const char *text;
	} cases[] = {
		{"", "cannot load module 'x': cpath is empty"},
		{";;", "cannot load module 'x': cpath is empty"},
		{"./x.so;;?",
			"cannot load module 'x': an element of cpath has no '?'; x: no such file"},
		{"?/?.so;", "cannot load module 'x': x/?.so: no such file"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct skynet_error error;
		struct module_table *table = module_table_create(cases[i].path);
		assert_null(module_table_find(table, "x", &error));
		assert_string_equal(error.text, cases[i].text);
		module_table_destroy(table);
	}
}

static void
strange_names_are_told(void **state) {
	struct skynet_error error;
	char name[3000];
	assert_null(module_table_find(*state, "", &error));
	assert_int_equal(error.code, SKYNET_EMODULE);
	assert_null(module_table_find(*state, "...", &error));
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_null(module_table_find(*state, name, &error));
	assert_int_equal(error.code, SKYNET_EMODULE);
}

static void
a_linker_without_a_reason_is_no_crash(void **state) {
	(void)state;
	struct skynet_error error;
	struct module_table *table = module_table_create("?");
	memset(&seen, 0, sizeof(seen));
	module_table_find(table, "x", NULL);
	seen.error[0] = '\0';
	assert_null(module_table_find(table, "x", &error));
	module_table_destroy(table);
}

static void
there_is_no_limit_of_modules(void **state) {
	struct module_table *table = *state;
	struct module module = {.init = full_init};
	char name[16];
	module.name = name;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		assert_true(module_table_add(table, &module));
	}
	assert_false(module_table_add(table, &module));
	assert_int_equal(module_table_count(table), 1000);
	assert_string_equal(module_table_find(table, "m7", NULL)->name, "m7");
	assert_int_equal(seen.open_count, 0);
	module = (struct module){.name = "without init"};
	assert_false(module_table_add(table, &module));
}

static void *
find_full(void *table) {
	return (void *)module_table_find(table, "full", NULL);
}

static void
threads_load_a_module_once(void **state) {
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, find_full, *state), 0);
	for (int i = 0; i < 4; i++) {
		void *module;
		pthread_join(threads[i], &module);
		assert_ptr_equal(module, module_table_find(*state, "full", NULL));
	}
	assert_int_equal(seen.open_count, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		TEST(the_path_is_searched_in_order),
		TEST(a_module_is_loaded_once),
		TEST(all_entry_points_are_called),
		TEST(symbols_begin_with_what_follows_the_last_dot),
		TEST(only_init_is_required),
		TEST(a_module_without_init_is_refused),
		TEST(an_error_tells_what_every_place_said),
		TEST(strange_paths_are_told),
		TEST(strange_names_are_told),
		TEST(a_linker_without_a_reason_is_no_crash),
		TEST(there_is_no_limit_of_modules),
		TEST(threads_load_a_module_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
