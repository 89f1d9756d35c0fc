// wrap: inotify_init1 inotify_add_watch
/* Watches of files: made, written, replaced, removed, in folders that come and go; each system call
 * fails once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_watch.h"
#include "socket_fixture.h"

#define CHANGES 40 /* enough to see a descriptor that is lost with each */

struct watched {
	char folder[64], path[96], other[96];
	struct file_watch *watch;
	int descriptors;
};

/* ---- injection ---- */

static int fail_call; /* counts down to the call that fails; 0: none */

static bool
fails(void) {
	if (fail_call == 0 || --fail_call > 0)
		return false;
	errno = EMFILE;
	return true;
}

#ifndef SOCKET_KQUEUE_HEADER
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
int
__wrap_inotify_init1(int flags) {
	return fails() ? -1 : __real_inotify_init1(flags);
}

int __real_inotify_add_watch(int fd, const char *path, uint32_t mask);
int __wrap_inotify_add_watch(int fd, const char *path, uint32_t mask);
int
__wrap_inotify_add_watch(int fd, const char *path, uint32_t mask) {
	return fails() ? -1 : __real_inotify_add_watch(fd, path, mask);
}
#define CALL_COUNT 2
#else
int __real_kqueue(void);
int __wrap_kqueue(void);
int
__wrap_kqueue(void) {
	return fails() ? -1 : __real_kqueue();
}

struct kevent;
int __real_kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout);
int __wrap_kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout);
int
__wrap_kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events,
	int event_count, const struct timespec *timeout) {
	return fails() ? -1
		       : __real_kevent(queue, changes, change_count, events, event_count, timeout);
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, int mode);
int
__wrap_open(const char *path, int flags, int mode) {
	return fails() ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, long argument);
int
__wrap_fcntl(int fd, int command, long argument) {
	return fails() ? -1 : __real_fcntl(fd, command, argument);
}
#define CALL_COUNT 4
#endif

/* ---- fixture ---- */

static int
setup_watched(void **state) {
	struct watched *w = calloc(1, sizeof(*w));
	strcpy(w->folder, "/tmp/skynet-test-XXXXXX");
	if (mkdtemp(w->folder) == NULL)
		return -1;
	snprintf(w->path, sizeof(w->path), "%s/names.lua", w->folder);
	snprintf(w->other, sizeof(w->other), "%s/names.new", w->folder);
	w->descriptors = count_descriptors();
	*state = w;
	return 0;
}

static int
teardown_watched(void **state) {
	struct watched *w = *state;
	file_watch_destroy(w->watch);
	unlink(w->path);
	unlink(w->other);
	rmdir(w->folder);
	int left = count_descriptors() - w->descriptors;
	free(w);
	return left == 0 ? 0 : -1;
}

static void
write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "a");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static bool
readable(struct watched *w, int timeout_ms) {
	struct pollfd entry = {.fd = file_watch_fd(w->watch), .events = POLLIN};
	return poll(&entry, 1, timeout_ms) == 1;
}

/* Changes are told at once, but some say nothing about the file. */
static void
expect_change(struct watched *w) {
	uint64_t deadline = test_now_ms() + DEADLINE_MS;
	do {
		assert_true(test_now_ms() < deadline);
		readable(w, 100);
	} while (!file_watch_changed(w->watch));
	/* one system call may be several changes */
	while (readable(w, 0))
		file_watch_changed(w->watch);
}

static void
expect_nothing(struct watched *w) {
	do
		assert_false(file_watch_changed(w->watch));
	while (readable(w, 0));
}

static void
begin(struct watched *w) {
	struct skynet_error error;
	w->watch = file_watch_create(w->path, &error);
	assert_non_null(w->watch);
	expect_nothing(w);
}

/* ---- cases ---- */

static void
tells_of_a_file_that_is_made_written_and_removed(void **state) {
	struct watched *w = *state;
	begin(w);
	write_file(w->path, "one");
	expect_change(w);
	write_file(w->path, "two");
	expect_change(w);
	unlink(w->path);
	expect_change(w);
	expect_nothing(w);
	write_file(w->path, "three");
	expect_change(w);
}

static void
tells_of_a_file_that_is_replaced(void **state) {
	struct watched *w = *state;
	write_file(w->path, "one");
	begin(w);
	for (int i = 0; i < CHANGES; i++) {
		write_file(w->other, "two");
		assert_int_equal(rename(w->other, w->path), 0);
		expect_change(w);
	}
	write_file(w->path, "three");
	expect_change(w);
	assert_int_equal(rename(w->path, w->other), 0);
	expect_change(w);
}

static void
says_nothing_of_other_files_of_the_folder(void **state) {
	struct watched *w = *state;
	write_file(w->path, "one");
	begin(w);
	for (int i = 0; i < CHANGES; i++) {
		write_file(w->other, "x");
		expect_nothing(w);
		unlink(w->other);
		expect_nothing(w);
	}
	write_file(w->path, "two");
	expect_change(w);
}

static void
keeps_no_descriptors_of_past_changes(void **state) {
	struct watched *w = *state;
	begin(w);
	write_file(w->path, "x");
	expect_change(w);
	int before = count_descriptors();
	for (int i = 0; i < CHANGES; i++) {
		write_file(w->path, "x");
		expect_change(w);
	}
	assert_int_equal(count_descriptors(), before);
	file_watch_destroy(w->watch);
	w->watch = NULL;
	assert_int_equal(count_descriptors(), w->descriptors);
}

/* The folder of a version, and the file in it. */
static void
version_paths(const struct watched *w, int version, char *folder, char *file, size_t size) {
	snprintf(folder, size, "%s/..%d", w->folder, version);
	snprintf(file, size, "%s/..%d/names.lua", w->folder, version);
}

/* As in volumes of kubernetes: names.lua leads to ..data/names.lua, and ..data to a version. */
static void
tells_of_a_link_to_a_link_that_is_replaced(void **state) {
	struct watched *w = *state;
	char folder[128], file[128], data[96], data_new[96];
	snprintf(data, sizeof(data), "%s/..data", w->folder);
	snprintf(data_new, sizeof(data_new), "%s/..data_tmp", w->folder);
	assert_int_equal(symlink("..data/names.lua", w->path), 0);
	for (int i = 0; i <= CHANGES; i++) {
		version_paths(w, i, folder, file, sizeof(file));
		assert_int_equal(mkdir(folder, 0700), 0);
		write_file(file, "x");
		assert_int_equal(symlink(folder, data_new), 0);
		assert_int_equal(rename(data_new, data), 0);
		if (i == 0)
			begin(w);
		else
			expect_change(w);
		expect_nothing(w);
	}
	unlink(data);
	for (int i = 0; i <= CHANGES; i++) {
		version_paths(w, i, folder, file, sizeof(file));
		unlink(file);
		rmdir(folder);
	}
}

static void
tells_of_a_change_of_what_a_link_leads_to(void **state) {
	struct watched *w = *state;
	char folder[80], file[96];
	snprintf(folder, sizeof(folder), "%s/far", w->folder);
	snprintf(file, sizeof(file), "%s/real.lua", folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	write_file(file, "one");
	assert_int_equal(symlink("far/real.lua", w->path), 0);
	begin(w);
	write_file(file, "two");
	expect_change(w);
	/* taken away and made again, to another file */
	write_file(w->other, "three");
	unlink(w->path);
	expect_change(w);
	assert_int_equal(symlink("names.new", w->path), 0);
	expect_change(w);
	write_file(w->other, "four");
	expect_change(w);
	unlink(file);
	rmdir(folder);
}

#ifndef SOCKET_KQUEUE_HEADER
/* Makes the folder of the path, and the file in it, complete at once. */
static void
make_folder(struct watched *w, const char *text) {
	assert_int_equal(mkdir(w->folder, 0700), 0);
	write_file(w->path, text);
}

static void
sees_a_folder_that_is_replaced(void **state) {
	struct watched *w = *state;
	char old[96], old_file[128];
	snprintf(old, sizeof(old), "%s.old", w->folder);
	snprintf(old_file, sizeof(old_file), "%s/names.lua", old);
	write_file(w->path, "one");
	begin(w);
	for (int i = 0; i < CHANGES; i++) {
		assert_int_equal(rename(w->folder, old), 0);
		expect_change(w);
		write_file(old_file, "is no concern any more");
		expect_nothing(w);
		make_folder(w, "two");
		expect_change(w);
		write_file(w->path, "three");
		expect_change(w);
		unlink(old_file);
		assert_int_equal(rmdir(old), 0);
	}
	/* both at once */
	assert_int_equal(rename(w->folder, old), 0);
	make_folder(w, "four");
	expect_change(w);
	write_file(w->path, "five");
	expect_change(w);
	unlink(old_file);
	rmdir(old);
}

static void
sees_a_folder_that_is_made_again_with_those_above_it(void **state) {
	struct watched *w = *state;
	char above[64], middle[80];
	strcpy(above, w->folder);
	snprintf(middle, sizeof(middle), "%s/a", above);
	snprintf(w->folder, sizeof(w->folder), "%.40s/a/b", above);
	snprintf(w->path, sizeof(w->path), "%.60s/names.lua", w->folder);
	assert_int_equal(mkdir(middle, 0700), 0);
	make_folder(w, "one");
	begin(w);
	for (int i = 0; i < CHANGES; i++) {
		unlink(w->path);
		rmdir(w->folder);
		if (i % 2 == 0)
			rmdir(middle);
		expect_change(w);
		if (i % 2 == 0)
			assert_int_equal(mkdir(middle, 0700), 0);
		if (i % 4 < 2)
			expect_nothing(w);
		make_folder(w, "two");
		expect_change(w);
	}
	unlink(w->path);
	rmdir(w->folder);
	rmdir(middle);
	strcpy(w->folder, above);
}

/* A file that could not be read may be readable now. */
static void
tells_of_other_rights_but_not_of_another_time(void **state) {
	struct watched *w = *state;
	write_file(w->path, "one");
	begin(w);
	assert_int_equal(chmod(w->path, 0), 0);
	expect_change(w);
	assert_int_equal(chmod(w->path, 0600), 0);
	expect_change(w);
	assert_int_equal(utimensat(AT_FDCWD, w->path, NULL, 0), 0);
	expect_nothing(w);
}
#endif

static void
lives_on_when_its_folder_is_removed(void **state) {
	struct watched *w = *state;
	write_file(w->path, "x");
	begin(w);
	unlink(w->path);
	assert_int_equal(rmdir(w->folder), 0);
	expect_change(w);
	expect_nothing(w);
}

static void
takes_paths_without_a_folder_and_in_the_root(void **state) {
	struct watched *w = *state;
	struct skynet_error error;
	char before[4096];
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(chdir(w->folder), 0);
	w->watch = file_watch_create("names.lua", &error);
	assert_non_null(w->watch);
	write_file("names.lua", "x");
	expect_change(w);
	assert_int_equal(chdir(before), 0);
	file_watch_destroy(w->watch);
	w->watch = file_watch_create("/no_such_file_in_the_root", &error);
	assert_non_null(w->watch);
	expect_nothing(w);
}

static void
a_folder_that_is_not_there_is_an_error_that_names_the_path(void **state) {
	struct watched *w = *state;
	static const char *const paths[] = {"/no/such/folder/file", "/dev/null/file"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct skynet_error error = {0};
		assert_null(file_watch_create(paths[i], &error));
		assert_non_null(strstr(error.text, paths[i]));
		assert_int_equal(error.code, SKYNET_ESYSTEM);
	}
	assert_int_equal(count_descriptors(), w->descriptors);
}

static void
each_system_call_that_fails_is_an_error_and_leaves_nothing(void **state) {
	struct watched *w = *state;
	for (int i = 1; i <= CALL_COUNT; i++) {
		struct skynet_error error = {0};
		fail_call = i;
		assert_null(file_watch_create(w->path, &error));
		assert_non_null(strstr(error.text, strerror(EMFILE)));
		assert_int_equal(fail_call, 0);
		assert_int_equal(count_descriptors(), w->descriptors);
	}
	begin(w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup_watched, teardown_watched)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(tells_of_a_file_that_is_made_written_and_removed),
		CASE(tells_of_a_file_that_is_replaced),
		CASE(says_nothing_of_other_files_of_the_folder),
		CASE(keeps_no_descriptors_of_past_changes),
		CASE(tells_of_a_link_to_a_link_that_is_replaced),
		CASE(tells_of_a_change_of_what_a_link_leads_to),
#ifndef SOCKET_KQUEUE_HEADER
		CASE(sees_a_folder_that_is_replaced),
		CASE(sees_a_folder_that_is_made_again_with_those_above_it),
		CASE(tells_of_other_rights_but_not_of_another_time),
#endif
		CASE(lives_on_when_its_folder_is_removed),
		CASE(takes_paths_without_a_folder_and_in_the_root),
		CASE(a_folder_that_is_not_there_is_an_error_that_names_the_path),
		CASE(each_system_call_that_fails_is_an_error_and_leaves_nothing),
	};
	return cmocka_run_group_tests_name("file_watch", tests, NULL, NULL);
}
