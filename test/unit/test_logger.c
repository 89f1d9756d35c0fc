/* The file behind the log: format of lines, rotation, and what happens when nothing can be written.
 * stderr goes into a file meanwhile, so that what the logger says there can be read.
 */
// wrap: writev poll
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "logger_file.h"

struct fixture {
	char folder[64];
	char path[96];
	int saved_stderr;
	struct logger_file file;
};

static int fail_errno;     /* of the next writes */
static int fail_count;     /* how many of them fail */
static size_t short_write; /* the next write takes so many bytes, 0: all */
static int poll_result;

ssize_t __real_writev(int fd, const struct iovec *parts, int count);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

ssize_t
__wrap_writev(int fd, const struct iovec *parts, int count) {
	if (short_write > 0) {
		size_t size = short_write < parts[0].iov_len ? short_write : parts[0].iov_len;
		short_write = 0;
		return write(fd, parts[0].iov_base, size);
	}
	if (fail_count > 0) {
		fail_count--;
		errno = fail_errno;
		return -1;
	}
	return __real_writev(fd, parts, count);
}

int
__wrap_poll(struct pollfd *fds, nfds_t count, int timeout) {
	(void)fds, (void)count, (void)timeout;
	return poll_result;
}

static void
path_in(struct fixture *fixture, const char *name, char *path, size_t size) {
	snprintf(path, size, "%s/%s", fixture->folder, name);
}

static int
setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof *fixture);
	char path[96];
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_logger.XXXXXX");
	if (mkdtemp(fixture->folder) == NULL)
		return -1;
	path_in(fixture, "log", fixture->path, sizeof fixture->path);
	path_in(fixture, "stderr", path, sizeof path);
	fixture->saved_stderr = dup(STDERR_FILENO);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDERR_FILENO);
	close(fd);
	fail_count = 0;
	short_write = 0;
	*state = fixture;
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	char command[128];
	dup2(fixture->saved_stderr, STDERR_FILENO);
	close(fixture->saved_stderr);
	snprintf(command, sizeof command, "rm -rf '%s'", fixture->folder);
	int status = system(command);
	free(fixture);
	return status;
}

static void
expect_file(struct fixture *fixture, const char *name, const char *expected) {
	char path[96], text[1024];
	path_in(fixture, name, path, sizeof path);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static void
write_text(struct fixture *fixture, const char *text) {
	logger_file_write(&fixture->file, "T ", 0x1000002, text, strlen(text));
}

static void
writes_time_source_and_text(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	write_text(fixture, "one\ntwo");
	logger_file_write(&fixture->file, "", 0xffffffff, "", 0);
	logger_file_close(&fixture->file);
	expect_file(fixture, "log", "T [:01000002] one\ntwo\n[:ffffffff] \n");
	expect_file(fixture, "stderr", "");
}

static void
appends_to_what_is_there(void **state) {
	struct fixture *fixture = *state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
		write_text(fixture, "x");
		logger_file_close(&fixture->file);
	}
	expect_file(fixture, "log", "T [:01000002] x\nT [:01000002] x\n");
}

static void
keeps_zero_bytes(void **state) {
	struct fixture *fixture = *state;
	struct stat info;
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	logger_file_write(&fixture->file, "", 0, "a\0b", 3);
	logger_file_close(&fixture->file);
	assert_int_equal(stat(fixture->path, &info), 0);
	assert_int_equal(info.st_size, strlen("[:00000000] ") + 4);
}

static void
reports_a_path_that_cannot_be_opened(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, "/nonexistent/log"), -1);
	assert_int_equal(errno, ENOENT);
	logger_file_close(&fixture->file);
	logger_file_close(&fixture->file);
}

static void
opens_the_path_anew(void **state) {
	struct fixture *fixture = *state;
	char rotated[96];
	path_in(fixture, "log.1", rotated, sizeof rotated);
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	write_text(fixture, "before");
	assert_int_equal(rename(fixture->path, rotated), 0);
	write_text(fixture, "between");
	assert_int_equal(logger_file_reopen(&fixture->file), 0);
	write_text(fixture, "after");
	logger_file_close(&fixture->file);
	expect_file(fixture, "log.1", "T [:01000002] before\nT [:01000002] between\n");
	expect_file(fixture, "log", "T [:01000002] after\n");
}

static void
keeps_the_old_file_when_it_cannot_be_opened_anew(void **state) {
	struct fixture *fixture = *state;
	char rotated[96];
	path_in(fixture, "log.1", rotated, sizeof rotated);
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	assert_int_equal(rename(fixture->path, rotated), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	assert_int_equal(logger_file_reopen(&fixture->file), -1);
	assert_int_equal(errno, EISDIR);
	write_text(fixture, "still here");
	logger_file_close(&fixture->file);
	expect_file(fixture, "log.1", "T [:01000002] still here\n");
}

static void
does_nothing_to_reopen_stdout(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, NULL), 0);
	assert_int_equal(logger_file_reopen(&fixture->file), 0);
	logger_file_close(&fixture->file);
	assert_int_equal(fcntl(STDOUT_FILENO, F_GETFD) >= 0, 1);
}

static void
counts_lines_lost_on_a_full_disk(void **state) {
	struct fixture *fixture = *state;
	char full[96], text[256];
	assert_int_equal(symlink("/dev/full", fixture->path), 0);
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	for (int i = 0; i < 3; i++)
		write_text(fixture, "lost");
	assert_int_equal(fixture->file.lost, 3);
	path_in(fixture, "full", full, sizeof full);
	assert_int_equal(rename(fixture->path, full), 0);
	assert_int_equal(logger_file_reopen(&fixture->file), 0);
	write_text(fixture, "back");
	write_text(fixture, "again");
	logger_file_close(&fixture->file);
	expect_file(fixture, "log",
		"T [:00000000] error: 3 log lines were lost here: No space left on device\n"
		"T [:01000002] back\nT [:01000002] again\n");
	snprintf(text, sizeof text,
		"skynet: cannot write the log to '%s': No space left on device; "
		"lines are being lost\n",
		fixture->path);
	expect_file(fixture, "stderr", text);
}

static void
tells_at_the_end_how_many_lines_were_lost(void **state) {
	struct fixture *fixture = *state;
	char text[512];
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	fail_errno = ENOSPC;
	fail_count = 5;
	for (int i = 0; i < 5; i++)
		write_text(fixture, "lost");
	logger_file_close(&fixture->file);
	snprintf(text, sizeof text,
		"skynet: cannot write the log to '%s': No space left on device; lines are being "
		"lost\nskynet: 5 lines of the log '%s' were lost: No space left on device\n",
		fixture->path, fixture->path);
	expect_file(fixture, "stderr", text);
}

static void
goes_on_after_a_partial_write(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	short_write = 5;
	write_text(fixture, "whole");
	fail_errno = EINTR;
	fail_count = 1;
	write_text(fixture, "interrupted");
	logger_file_close(&fixture->file);
	expect_file(fixture, "log", "T [:01000002] whole\nT [:01000002] interrupted\n");
}

static void
ends_a_torn_line_before_the_next_one(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	short_write = 5;
	fail_errno = EIO;
	fail_count = 1;
	write_text(fixture, "torn");
	write_text(fixture, "next");
	logger_file_close(&fixture->file);
	expect_file(fixture, "log",
		"T [:0\nT [:00000000] error: 1 log lines were lost here: Input/output error\n"
		"T [:01000002] next\n");
}

static void
waits_for_a_pipe_that_is_full_but_not_for_ever(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(logger_file_open(&fixture->file, fixture->path), 0);
	fail_errno = EAGAIN;
	fail_count = 1;
	poll_result = 1;
	write_text(fixture, "in the end");
	fail_count = 1;
	poll_result = 0;
	write_text(fixture, "given up");
	assert_int_equal(fixture->file.lost, 1);
	logger_file_close(&fixture->file);
	expect_file(fixture, "log", "T [:01000002] in the end\n");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(writes_time_source_and_text),
		TEST(appends_to_what_is_there),
		TEST(keeps_zero_bytes),
		TEST(reports_a_path_that_cannot_be_opened),
		TEST(opens_the_path_anew),
		TEST(keeps_the_old_file_when_it_cannot_be_opened_anew),
		TEST(does_nothing_to_reopen_stdout),
		TEST(counts_lines_lost_on_a_full_disk),
		TEST(tells_at_the_end_how_many_lines_were_lost),
		TEST(goes_on_after_a_partial_write),
		TEST(ends_a_torn_line_before_the_next_one),
		TEST(waits_for_a_pipe_that_is_full_but_not_for_ever),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
