// wrap: open fdopen
/* Logs of the messages of one service (LOGON): what is in the file, and a file that cannot be had.
 * The node has no threads; its services are in the test.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/message_trace.h"
#include "skynet.h"
#include "skynet_server.h"
#include "stepped_node.h"

#define TEXT_SIZE 4096

enum failure { NOTHING, OPEN, FDOPEN };

static enum failure failing;
static char log_text[TEXT_SIZE]; /* what the log service got */
static struct skynet_context *traced;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, int mode);
FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);

int
__wrap_open(const char *path, int flags, int mode) {
	if (failing != OPEN)
		return __real_open(path, flags, mode);
	errno = EMFILE;
	return -1;
}

FILE *
__wrap_fdopen(int fd, const char *mode) {
	if (failing != FDOPEN)
		return __real_fdopen(fd, mode);
	errno = ENOMEM;
	return NULL;
}

static int
log_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)ud, (void)type, (void)session, (void)source;
	size_t used = strlen(log_text);
	snprintf(log_text + used, sizeof log_text - used, "%.*s\n", (int)size,
		message != NULL ? (const char *)message : "");
	return 0;
}

static int
log_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	skynet_callback(context, NULL, log_message);
	return 0;
}

static int
quiet_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)ud, (void)type, (void)session, (void)source, (void)message, (void)size;
	return 0;
}

static int
traced_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	traced = context;
	skynet_callback(context, NULL, quiet_message);
	return 0;
}

static const struct skynet_builtin builtins[] = {
	{.name = "log", .init = log_init}, {.name = "traced", .init = traced_init}};

struct fixture {
	char folder[64];
	char path[96]; /* of the log of the traced service */
	struct stepped_node stepped;
};

static int
setup(void **state) {
	struct fixture *fixture = calloc(1, sizeof *fixture);
	snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_message_trace.XXXXXX");
	if (mkdtemp(fixture->folder) == NULL)
		return -1;
	failing = NOTHING;
	log_text[0] = '\0';
	struct skynet_config config = stepped_config("log", "traced", builtins, 2);
	stepped_start(&fixture->stepped, &config);
	snprintf(fixture->path, sizeof fixture->path, "%s/%08x.log", fixture->folder,
		skynet_context_handle(traced));
	*state = fixture;
	return 0;
}

static int
teardown(void **state) {
	struct fixture *fixture = *state;
	stepped_end(&fixture->stepped);
	unlink(fixture->path);
	int result = rmdir(fixture->folder);
	free(fixture);
	return result;
}

static bool
logged(struct fixture *fixture, const char *text) {
	stepped_run(&fixture->stepped);
	return strstr(log_text, text) != NULL;
}

static void
send_to_traced(struct fixture *fixture, const char *text) {
	skynet_send(traced, 0, skynet_context_handle(traced), PTYPE_TEXT, 7,
		(void *)(uintptr_t)text, strlen(text));
	stepped_run(&fixture->stepped);
}

static void
expect_in_file(struct fixture *fixture, const char *expected) {
	char text[TEXT_SIZE];
	FILE *file = fopen(fixture->path, "rb");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	assert_non_null(strstr(text, expected));
}

/* ---- cases ---- */

static void
writes_each_message_until_it_is_closed(void **state) {
	struct fixture *fixture = *state;
	skynet_setting_set(traced, "logpath", fixture->folder);
	assert_int_equal(message_trace_open(traced), 0);
	assert_int_equal(message_trace_open(traced), 0); /* it is open already */
	assert_true(logged(fixture, "Open log file /tmp/"));
	send_to_traced(fixture, "AZ");
	expect_in_file(fixture, "open time: ");
	expect_in_file(fixture, " 415a\n");
	message_trace_close(traced);
	expect_in_file(fixture, "close time: ");
	assert_true(logged(fixture, "Close log file"));
	send_to_traced(fixture, "after");
	assert_int_equal(message_trace_open(traced), 0); /* is appended to */
	expect_in_file(fixture, " 415a\n");
}

static void
is_nowhere_without_a_folder(void **state) {
	(void)state;
	assert_int_equal(message_trace_open(traced), SKYNET_ENOTFOUND);
	message_trace_close(traced);
}

/* The service is served all the same, and the next attempt may succeed. */
static void
a_file_that_cannot_be_had_is_told_and_leaves_nothing(void **state) {
	struct fixture *fixture = *state;
	skynet_setting_set(traced, "logpath", fixture->folder);
	static const enum failure failures[] = {OPEN, FDOPEN};
	for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
		int before = dup(STDIN_FILENO);
		close(before);
		failing = failures[i];
		assert_int_equal(message_trace_open(traced), SKYNET_ESYSTEM);
		failing = NOTHING;
		assert_true(logged(fixture, ".log fail"));
		send_to_traced(fixture, "AZ");
		message_trace_close(traced);
		int after = dup(STDIN_FILENO);
		close(after);
		assert_int_equal(after, before); /* the lowest free descriptor */
		log_text[0] = '\0';
	}
	assert_int_equal(message_trace_open(traced), 0);
	send_to_traced(fixture, "AZ");
	expect_in_file(fixture, " 415a\n");
}

static void
a_path_that_is_too_long_is_an_error(void **state) {
	struct fixture *fixture = *state;
	char folder[5000];
	memset(folder, 'x', sizeof folder - 1);
	folder[sizeof folder - 1] = '\0';
	skynet_setting_set(traced, "logpath", folder);
	assert_int_equal(message_trace_open(traced), SKYNET_ESYSTEM);
	assert_true(logged(fixture, "fail"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(writes_each_message_until_it_is_closed),
		CASE(is_nowhere_without_a_folder),
		CASE(a_file_that_cannot_be_had_is_told_and_leaves_nothing),
		CASE(a_path_that_is_too_long_is_an_error),
	};
	return cmocka_run_group_tests_name("message_trace", tests, NULL, NULL);
}
