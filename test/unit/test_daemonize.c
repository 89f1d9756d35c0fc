/* Daemon mode: the process that waits, the child that lives, and the pid file between them. The
 * test process is the parent; the child follows a script and leaves with _exit.
 */
// wrap: pipe fork flock ftruncate pwrite pread open setsid
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/daemonize.h"

#define CHILD_STATUS 7

enum failure { NOTHING, PIPE, FORK, FLOCK, FTRUNCATE, PWRITE, PREAD, OPEN_NULL, SETSID };

static enum failure failing;

struct fixture {
	char folder[64];
	char path[96];
	struct skynet_error error;
	struct daemonize daemon;
	int status;
	int control[2]; /* the child lives until the writing end is closed */
	int answer[2];  /* what the child has seen */
};

/* Each of these fails while it is the one named by `failing`. */
#define FAIL_WHEN(name, number)           \
	do {                              \
		if (failing == (name)) {  \
			errno = (number); \
			return -1;        \
		}                         \
	} while (0)

int __real_pipe(int *ends);
int __wrap_pipe(int *ends);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __real_ftruncate(int fd, off_t size);
int __wrap_ftruncate(int fd, off_t size);
ssize_t __real_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t __real_pread(int fd, void *data, size_t size, off_t offset);
ssize_t __wrap_pread(int fd, void *data, size_t size, off_t offset);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, int mode);
pid_t __real_setsid(void);
pid_t __wrap_setsid(void);

int
__wrap_pipe(int *ends) {
	FAIL_WHEN(PIPE, EMFILE);
	return __real_pipe(ends);
}

pid_t
__wrap_fork(void) {
	FAIL_WHEN(FORK, EAGAIN);
	return __real_fork();
}

int
__wrap_flock(int fd, int operation) {
	FAIL_WHEN(FLOCK, ENOLCK);
	return __real_flock(fd, operation);
}

int
__wrap_ftruncate(int fd, off_t size) {
	FAIL_WHEN(FTRUNCATE, EIO);
	return __real_ftruncate(fd, size);
}

ssize_t
__wrap_pwrite(int fd, const void *data, size_t size, off_t offset) {
	FAIL_WHEN(PWRITE, ENOSPC);
	return __real_pwrite(fd, data, size, offset);
}

ssize_t
__wrap_pread(int fd, void *data, size_t size, off_t offset) {
	FAIL_WHEN(PREAD, EIO);
	return __real_pread(fd, data, size, offset);
}

int
__wrap_open(const char *path, int flags, int mode) {
	if (strcmp(path, "/dev/null") == 0)
		FAIL_WHEN(OPEN_NULL, EMFILE);
	return __real_open(path, flags, mode);
}

pid_t
__wrap_setsid(void) {
	FAIL_WHEN(SETSID, EPERM);
	return __real_setsid();
}

static int
setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof *fixture);
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_daemonize.XXXXXX");
	if (mkdtemp(fixture->folder) == NULL)
		return -1;
	snprintf(fixture->path, sizeof fixture->path, "%s/pid", fixture->folder);
	*state = fixture;
	failing = NOTHING;
	return __real_pipe(fixture->control) != 0 || __real_pipe(fixture->answer) != 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	close(fixture->control[0]);
	close(fixture->answer[0]);
	close(fixture->answer[1]);
	unlink(fixture->path);
	int result = rmdir(fixture->folder);
	free(fixture);
	return result;
}

static void
write_file(struct fixture *fixture, const char *text) {
	FILE *file = fopen(fixture->path, "wb");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
read_text(struct fixture *fixture, char *text, size_t size) {
	FILE *file = fopen(fixture->path, "rb");
	assert_non_null(file);
	text[fread(text, 1, size - 1, file)] = '\0';
	fclose(file);
}

/* In the child: says that it is ready, waits for the end of the test, ends. */
static void
live(struct fixture *fixture) {
	char byte;
	close(fixture->control[1]);
	daemonize_ready(&fixture->daemon);
	daemonize_ready(&fixture->daemon);
	ssize_t size = read(fixture->control[0], &byte, 1);
	daemonize_fini(&fixture->daemon);
	daemonize_fini(&fixture->daemon);
	size += write(fixture->answer[1], "e", 1);
	_exit(size == 1 ? 0 : 1);
}

static int
start(struct fixture *fixture) {
	fflush(NULL);
	int result =
		daemonize_init(&fixture->daemon, fixture->path, &fixture->status, &fixture->error);
	if (result == 0)
		live(fixture);
	return result;
}

static void
end_child(struct fixture *fixture) {
	char byte;
	close(fixture->control[1]);
	assert_int_equal(read(fixture->answer[0], &byte, 1), 1);
}

static void
writes_its_pid_and_removes_the_file_at_the_end(void **state) {
	struct fixture *fixture = *state;
	char text[64], *end;
	write_file(fixture, "2147483646\nlonger than what comes\n");
	assert_int_equal(start(fixture), 1);
	assert_int_equal(fixture->status, 0);
	read_text(fixture, text, sizeof text);
	long pid = strtol(text, &end, 10);
	assert_string_equal(end, "\n");
	assert_int_equal(kill((pid_t)pid, 0), 0);
	assert_int_equal(getsid((pid_t)pid), pid);
	end_child(fixture);
	assert_int_equal(access(fixture->path, F_OK), -1);
}

static void
refuses_a_second_start(void **state) {
	struct fixture *fixture = *state;
	char text[64], expected[96];
	assert_int_equal(start(fixture), 1);
	read_text(fixture, text, sizeof text);
	assert_int_equal(start(fixture), SKYNET_EEXIST);
	snprintf(expected, sizeof expected, "Skynet is already running, pid = %ld.", atol(text));
	assert_string_equal(fixture->error.text, expected);
	end_child(fixture);
}

static void
refuses_while_another_holds_the_lock(void **state) {
	struct fixture *fixture = *state;
	write_file(fixture, "");
	int fd = open(fixture->path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(start(fixture), SKYNET_EEXIST);
	close(fd);
	close(fixture->control[1]);
}

static void
refuses_when_the_noted_process_lives(void **state) {
	struct fixture *fixture = *state;
	char text[64];
	snprintf(text, sizeof text, "%ld\n", (long)getppid());
	write_file(fixture, text);
	assert_int_equal(start(fixture), SKYNET_EEXIST);
	close(fixture->control[1]);
}

static void
ignores_what_is_no_living_process(void **state) {
	struct fixture *fixture = *state;
	write_file(fixture, "not a number");
	assert_int_equal(start(fixture), 1);
	assert_int_equal(fixture->status, 0);
	end_child(fixture);
}

/* The child ends without daemonize_ready. */
static void
start_and_end(struct fixture *fixture, int status, int number) {
	fflush(NULL);
	int result =
		daemonize_init(&fixture->daemon, fixture->path, &fixture->status, &fixture->error);
	if (result == 0) {
		daemonize_fini(&fixture->daemon);
		if (number != 0)
			raise(number);
		_exit(status);
	}
	assert_int_equal(result, 1);
}

static void
ends_with_the_status_of_a_child_that_could_not_start(void **state) {
	struct fixture *fixture = *state;
	start_and_end(fixture, CHILD_STATUS, 0);
	assert_int_equal(fixture->status, CHILD_STATUS);
	start_and_end(fixture, 0, 0);
	assert_int_equal(fixture->status, 1);
	start_and_end(fixture, 0, SIGKILL);
	assert_int_equal(fixture->status, 128 + SIGKILL);
	close(fixture->control[1]);
}

static void
reports_a_pid_file_that_cannot_be_opened(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(daemonize_init(&fixture->daemon, "/nonexistent/pid", &fixture->status,
				 &fixture->error),
		SKYNET_ESYSTEM);
	assert_string_equal(fixture->error.text,
		"cannot open pid file '/nonexistent/pid': No such file or directory");
	daemonize_fini(&fixture->daemon);
	close(fixture->control[1]);
}

static void
reports_each_failing_system_call(void **state) {
	struct fixture *fixture = *state;
	static const enum failure BEFORE_FORK[] = {PIPE, FORK, FLOCK};
	for (size_t i = 0; i < sizeof BEFORE_FORK / sizeof BEFORE_FORK[0]; i++) {
		failing = BEFORE_FORK[i];
		assert_int_equal(start(fixture), SKYNET_ESYSTEM);
		assert_int_equal(fixture->error.code, SKYNET_ESYSTEM);
		daemonize_fini(&fixture->daemon);
	}
	close(fixture->control[1]);
}

/* After the fork the child gets the error, and the parent the status that the child ends with. */
static void
reports_a_pid_file_that_cannot_be_written(void **state) {
	struct fixture *fixture = *state;
	static const enum failure AFTER_FORK[] = {FTRUNCATE, PWRITE};
	for (size_t i = 0; i < sizeof AFTER_FORK / sizeof AFTER_FORK[0]; i++) {
		failing = AFTER_FORK[i];
		pid_t self = getpid();
		int result = daemonize_init(
			&fixture->daemon, fixture->path, &fixture->status, &fixture->error);
		if (getpid() != self)
			_exit(result == SKYNET_ESYSTEM ? CHILD_STATUS : 1);
		assert_int_equal(result, 1);
		assert_int_equal(fixture->status, CHILD_STATUS);
		assert_int_equal(access(fixture->path, F_OK), -1);
	}
	close(fixture->control[1]);
}

static void
lives_without_what_is_only_good_to_have(void **state) {
	struct fixture *fixture = *state;
	static const enum failure HARMLESS[] = {PREAD, OPEN_NULL, SETSID};
	for (size_t i = 0; i < sizeof HARMLESS / sizeof HARMLESS[0]; i++) {
		failing = HARMLESS[i];
		assert_int_equal(start(fixture), 1);
		assert_int_equal(fixture->status, 0);
		end_child(fixture);
		close(fixture->control[0]);
		assert_int_equal(__real_pipe(fixture->control), 0);
	}
	close(fixture->control[1]);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(writes_its_pid_and_removes_the_file_at_the_end),
		TEST(refuses_a_second_start),
		TEST(refuses_while_another_holds_the_lock),
		TEST(refuses_when_the_noted_process_lives),
		TEST(ignores_what_is_no_living_process),
		TEST(ends_with_the_status_of_a_child_that_could_not_start),
		TEST(reports_a_pid_file_that_cannot_be_opened),
		TEST(reports_each_failing_system_call),
		TEST(reports_a_pid_file_that_cannot_be_written),
		TEST(lives_without_what_is_only_good_to_have),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
