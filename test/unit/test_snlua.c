/* A Lua service that gets messages of others before its own first one, on a node that is stepped by
 * hand: after a restart a handle may be known to other nodes before its service has been made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "skynet.h"
#include "snlua_parts.h"
#include "stepped_node.h"

#define LINES     16
#define LINE_SIZE 256

void *snlua_create(void);
int snlua_init(struct snlua *service, struct skynet_context *context, const char *param);
void snlua_release(struct snlua *service);

struct fixture {
	struct stepped_node stepped;
	struct skynet_context *asker;
	char lines[LINES][LINE_SIZE]; /* of the log */
	int line_count;
	int errors; /* that the asker got for session 5 */
	char error[LINE_SIZE];
};

/* The services below find their fixture here; one test at a time. */
static struct fixture *fixture;

static int
journal_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)ud, (void)session, (void)source;
	if (type == PTYPE_TEXT && fixture->line_count < LINES)
		snprintf(fixture->lines[fixture->line_count++], LINE_SIZE, "%.*s", (int)size,
			(const char *)message);
	return 0;
}

static int
journal_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	skynet_callback(context, NULL, journal_message);
	return 0;
}

static int
asker_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)ud, (void)source;
	if (type == PTYPE_ERROR && session == 5) {
		fixture->errors++;
		snprintf(fixture->error, LINE_SIZE, "%.*s", (int)size,
			message != NULL ? (const char *)message : "");
	}
	return 0;
}

static int
asker_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	fixture->asker = context;
	skynet_callback(context, NULL, asker_message);
	return 0;
}

/* An snlua whose handle is sent messages as soon as it exists. */
static int
early_init(void *instance, struct skynet_context *context, const char *param) {
	uint32_t self = skynet_context_handle(context);
	static const char text[] = "script_of_others";
	char *own = (char *)(uintptr_t)text;
	skynet_send(fixture->asker, 0, self, PTYPE_RESERVED_LUA, 5, own, sizeof text - 1);
	skynet_send(fixture->asker, self, self, PTYPE_TEXT, 0, own, sizeof text - 1);
	return snlua_init(instance, context, param);
}

static void
early_release(void *instance) {
	snlua_release(instance);
}

static const struct skynet_builtin builtins[] = {
	{.name = "journal", .init = journal_init},
	{.name = "asker", .init = asker_init},
	{.name = "early", .create = snlua_create, .init = early_init, .release = early_release},
};

static int
setup(void **state) {
	(void)state;
	fixture = skynet_calloc(1, sizeof *fixture);
	struct skynet_config config = stepped_config("journal", "asker", builtins, 3);
	stepped_start(&fixture->stepped, &config);
	return 0;
}

static int
teardown(void **state) {
	(void)state;
	stepped_end(&fixture->stepped);
	skynet_free(fixture);
	return 0;
}

static int
count_lines(const char *text) {
	int count = 0;
	for (int i = 0; i < fixture->line_count; i++)
		count += strstr(fixture->lines[i], text) != NULL;
	return count;
}

static void
starts_the_script_it_was_launched_with_whatever_came_before(void **state) {
	(void)state;
	assert_true(skynet_context_launch(fixture->asker, "early", "no_such_script") != 0);
	stepped_run(&fixture->stepped);
	assert_true(count_lines("no_such_script") >= 2); /* its launch, and why it failed */
	assert_int_equal(count_lines("script_of_others"), 0);
	assert_int_equal(fixture->errors, 1);
	assert_string_equal(fixture->error, "dead_service");
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			starts_the_script_it_was_launched_with_whatever_came_before, setup,
			teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
