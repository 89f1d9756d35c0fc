/* A node without threads: stepped by hand, under a clock that the test moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/runtime.h"
#include "kernel/service.h"
#include "skynet.h"
#include "skynet_harbor.h"
#include "skynet_server.h"
#include "skynet_timer.h"
#include "stepped_node.h"

#define LINES 64

/* What the log service of the node under test has written. */
struct journal {
	char lines[LINES][160];
	int count;
};

/* What a recording service got. */
struct record {
	int type, session;
	uint32_t source;
	size_t size;
	char text[32];
};

struct recorder {
	struct skynet_context *context;
	struct record records[LINES];
	int count;
	int released;
	struct fixture *fixture;
};

struct fixture {
	struct stepped_node stepped;
	struct journal journal;
	struct recorder recorders[8];
	int recorder_count;
};

/* The services below find their fixture here; one test at a time. */
static struct fixture *fixture;

static int
journal_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct journal *journal = ud;
	(void)context, (void)session, (void)source;
	if (type == PTYPE_TEXT && journal->count < LINES)
		snprintf(journal->lines[journal->count++], sizeof journal->lines[0], "%.*s",
			(int)size, (const char *)message);
	return 0;
}

static int
journal_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)param;
	skynet_callback(context, &fixture->journal, journal_message);
	return 0;
}

static int
recorder_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct recorder *recorder = ud;
	assert_true(recorder->count < LINES);
	struct record *record = &recorder->records[recorder->count++];
	*record = (struct record){.type = type, .session = session, .source = source, .size = size};
	snprintf(record->text, sizeof record->text, "%.*s", (int)size,
		message != NULL ? (const char *)message : "");
	if (strcmp(record->text, "enough") == 0)
		skynet_turn_end(context, 55);
	return 0;
}

static void *
recorder_create(void) {
	struct recorder *recorder = &fixture->recorders[fixture->recorder_count++];
	recorder->fixture = fixture;
	return recorder;
}

static int
recorder_init(void *instance, struct skynet_context *context, const char *param) {
	struct recorder *recorder = instance;
	if (param != NULL && strcmp(param, "fail") == 0)
		return 1;
	recorder->context = context;
	if (param == NULL || strcmp(param, "deaf") != 0)
		skynet_callback(context, recorder, recorder_message);
	return 0;
}

static void
recorder_release(void *instance) {
	struct recorder *recorder = instance;
	recorder->released++;
}

static const struct skynet_builtin builtins[] = {
	{.name = "journal", .init = journal_init},
	{.name = "recorder",
		.create = recorder_create,
		.init = recorder_init,
		.release = recorder_release},
};

static struct skynet_config
config_for(const char *bootstrap) {
	return stepped_config("journal", bootstrap, builtins, sizeof builtins / sizeof builtins[0]);
}

static int
setup(void **state) {
	fixture = skynet_calloc(1, sizeof *fixture);
	struct skynet_config config = config_for("recorder");
	stepped_start(&fixture->stepped, &config);
	*state = fixture;
	return 0;
}

static int
teardown(void **state) {
	(void)state;
	stepped_end(&fixture->stepped);
	skynet_free(fixture);
	return 0;
}

static void
run(void) {
	stepped_run(&fixture->stepped);
}

static void
advance_ms(uint64_t ms) {
	clock_advance(&fixture->stepped.clock, ms * 1000000);
	run();
}

static struct recorder *
launch(const char *param) {
	int index = fixture->recorder_count;
	skynet_context_launch(fixture->recorders[0].context, "recorder", param);
	return &fixture->recorders[index];
}

static uint32_t
handle_of(struct recorder *recorder) {
	return skynet_context_handle(recorder->context);
}

static int
send_text(struct recorder *from, uint32_t to, int session, const char *text) {
	return skynet_send(
		from->context, 0, to, PTYPE_TEXT, session, (void *)(uintptr_t)text, strlen(text));
}

static int
count_lines(const char *text) {
	int count = 0;
	run();
	for (int i = 0; i < fixture->journal.count; i++)
		count += strstr(fixture->journal.lines[i], text) != NULL;
	return count;
}

static void
numbers_services_from_one_under_its_harbor_id(void **state) {
	(void)state;
	assert_int_equal(handle_of(&fixture->recorders[0]), 0x01000002);
	assert_int_equal(handle_of(launch("x")), 0x01000003);
	assert_int_equal(count_lines("LAUNCH recorder x"), 1);
}

static void
delivers_a_copy_of_the_bytes_with_source_and_session(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	char text[] = "hello";
	assert_int_equal(send_text(a, handle_of(b), 7, text), 7);
	text[0] = 'j';
	run();
	assert_int_equal(b->count, 1);
	assert_string_equal(b->records[0].text, "hello");
	assert_int_equal(b->records[0].session, 7);
	assert_int_equal(b->records[0].source, handle_of(a));
	int session = skynet_send(
		a->context, 0, handle_of(b), PTYPE_TEXT | PTYPE_TAG_ALLOCSESSION, 0, text, 5);
	assert_true(session > 0);
	run();
	assert_int_equal(b->records[1].session, session);
}

static void
keeps_the_order_of_messages(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	for (int i = 1; i <= 50; i++)
		send_text(a, handle_of(b), i, "x");
	run();
	for (int i = 0; i < 50; i++)
		assert_int_equal(b->records[i].session, i + 1);
}

static void
a_send_to_nobody_fails_and_leaves_nothing(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	assert_int_equal(send_text(a, 0x01000099, 1, "x"), -1);
	assert_int_equal(skynet_send(a->context, 0, 0x01000099, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 1,
				 skynet_malloc(8), 8),
		-1);
	assert_int_equal(skynet_send(a->context, 0, 0, PTYPE_TEXT, 9, NULL, 0), 9);
	assert_int_equal(send_text(a, 0, 1, "x"), -1);
	assert_int_equal(skynet_sendname(a->context, 0, ".nobody", PTYPE_TEXT, 1, "x", 1), -1);
	assert_int_equal(count_lines("Destination address can't be 0"), 1);
}

static void
answers_requests_left_behind_by_a_dead_service_but_never_answers(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	uint32_t dead = handle_of(b);
	send_text(a, dead, 5, "request");
	skynet_send(a->context, 0, dead, PTYPE_RESPONSE, 6, NULL, 0);
	skynet_send(a->context, 0, dead, PTYPE_ERROR, 7, NULL, 0);
	assert_true(skynet_context_kill(a->context, dead));
	run();
	assert_int_equal(b->released, 1);
	assert_int_equal(b->count, 0);
	assert_int_equal(a->count, 1);
	assert_int_equal(a->records[0].type, PTYPE_ERROR);
	assert_int_equal(a->records[0].session, 5);
	assert_int_equal(a->records[0].source, dead);
	assert_false(skynet_context_kill(a->context, dead));
}

static void
a_service_without_a_callback_answers_with_an_error(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch("deaf");
	send_text(a, handle_of(b), 3, "request");
	send_text(a, handle_of(b), 0, "one way");
	run();
	assert_int_equal(a->count, 1);
	assert_int_equal(a->records[0].type, PTYPE_ERROR);
	assert_int_equal(a->records[0].session, 3);
}

static void
a_failing_init_is_logged_and_released(void **state) {
	(void)state;
	int index = fixture->recorder_count;
	assert_int_equal(
		skynet_context_launch(fixture->recorders[0].context, "recorder", "fail"), 0);
	assert_int_equal(fixture->recorders[index].released, 1);
	assert_int_equal(count_lines("error: launch recorder FAILED"), 1);
	assert_int_equal(skynet_context_launch(fixture->recorders[0].context, "missing", ""), 0);
	assert_int_equal(count_lines("/nonexistent/missing.so"), 1);
}

static void
a_timer_fires_once_and_not_before_its_time(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	assert_int_equal(skynet_timer_start(a->context, 0, 1), 0);
	run();
	assert_int_equal(a->count, 1);
	assert_true(skynet_timer_start(a->context, 20, 2) != 0);
	advance_ms(19);
	assert_int_equal(a->count, 1);
	advance_ms(2);
	assert_int_equal(a->count, 2);
	assert_int_equal(a->records[1].type, PTYPE_RESPONSE);
	assert_int_equal(a->records[1].session, 2);
	assert_int_equal(a->records[1].source, 0);
	advance_ms(100000);
	assert_int_equal(a->count, 2);
}

static void
a_cancelled_timer_does_not_fire(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	uint64_t timer = skynet_timer_start(a->context, 50, 1);
	assert_false(skynet_timer_cancel(b->context, timer));
	assert_true(skynet_timer_cancel(a->context, timer));
	assert_false(skynet_timer_cancel(a->context, timer));
	advance_ms(1000);
	assert_int_equal(a->count, 0);
}

static void
names_belong_to_one_service_until_it_dies(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	assert_string_equal(skynet_command(a->context, "REG", ".same"), "same");
	assert_null(skynet_command(b->context, "REG", ".same"));
	assert_int_equal(skynet_queryname(b->context, ".same"), handle_of(a));
	assert_string_equal(skynet_command(b->context, "QUERY", ".same"), ":1000002");
	assert_int_equal(skynet_sendname(b->context, 0, ".same", PTYPE_TEXT, 4, "x", 1), 4);
	skynet_context_kill(b->context, handle_of(a));
	assert_int_equal(skynet_queryname(b->context, ".same"), 0);
	assert_string_equal(skynet_command(b->context, "NAME", ".same :1000003"), "same");
}

static void
commands_survive_bad_parameters(void **state) {
	(void)state;
	struct skynet_context *context = fixture->recorders[0].context;
	static const char *const words[] = {"TIMEOUT", "REG", "QUERY", "NAME", "KILL", "LAUNCH",
		"GETENV", "SETENV", "MONITOR", "STAT", "LOGON", "LOGOFF", "SIGNAL", "nonsense", ""};
	static const char *const params[] = {
		"", " ", "x", ":", ":zz", ":0", ":123456789abcdef", ".", "a b", "\n", ": :"};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i], "KILL") != 0 && strcmp(words[i], "MONITOR") != 0)
			skynet_command(context, words[i], NULL);
		for (size_t k = 0; k < sizeof params / sizeof *params; k++)
			skynet_command(context, words[i], params[k]);
		run();
		fixture->journal.count = 0;
		fixture->recorders[0].count = 0;
	}
	assert_int_equal(send_text(&fixture->recorders[0], 0x01000002, 1, "alive"), 1);
}

static void
settings_are_written_once(void **state) {
	(void)state;
	struct skynet_context *context = fixture->recorders[0].context;
	assert_null(skynet_command(context, "GETENV", "key"));
	skynet_command(context, "SETENV", "key some value");
	skynet_command(context, "SETENV", "key other");
	assert_string_equal(skynet_command(context, "GETENV", "key"), "some value");
	assert_false(skynet_setting_set(context, "key", "third"));
}

static void
numbers_of_settings_are_whole_and_not_negative(void **state) {
	(void)state;
	struct skynet_context *context = fixture->recorders[0].context;
	static const struct {
		const char *text;
		int64_t number;
	} settings[] = {{"0", 0}, {"17", 17}, {"1048576.0", 1048576}, {"3.5", -7}, {"-1", -7},
		{"", -7}, {"9z", -7}, {"99999999999999999999", -7}};
	assert_int_equal(skynet_setting_number(context, "absent", -7), -7);
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		char key[16];
		snprintf(key, sizeof key, "number%zu", i);
		assert_true(skynet_setting_set(context, key, settings[i].text));
		assert_int_equal(skynet_setting_number(context, key, -7), settings[i].number);
	}
}

static void
tells_the_monitor_of_every_exit(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	uint32_t dead = handle_of(b);
	skynet_command(a->context, "MONITOR", ":1000002");
	assert_string_equal(skynet_command(a->context, "MONITOR", NULL), ":1000002");
	skynet_command(b->context, "EXIT", NULL);
	run();
	assert_int_equal(a->records[0].type, PTYPE_CLIENT);
	assert_int_equal(a->records[0].source, dead);
	assert_int_equal(count_lines("KILL self"), 1);
}

static void
a_message_to_a_foreign_node_comes_back_as_an_error(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	assert_int_equal(send_text(a, 0x02000001, 8, "x"), 8);
	run();
	assert_int_equal(a->records[0].type, PTYPE_ERROR);
	assert_int_equal(a->records[0].session, 8);
	assert_int_equal(skynet_send(a->context, 0, 0x02000001, PTYPE_SYSTEM, 0, NULL, 0), -1);
	assert_int_equal(count_lines("cannot send a message of type 4"), 1);
}

static void
the_log_service_outlives_the_others(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	launch(NULL);
	skynet_error(a->context, "last words");
	skynet_node_abort(a->context, 3, "because");
	assert_int_equal(count_lines("last words"), 1);
	assert_int_equal(fixture->recorders[0].released, 1);
	assert_int_equal(fixture->recorders[1].released, 1);
	assert_int_equal(skynet_runtime_wait(fixture->stepped.runtime), 3);
	assert_string_equal(skynet_node_reason(fixture->stepped.node), "because");
}

static void
an_orderly_stop_asks_the_newest_service_first(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL), *c = launch(NULL);
	skynet_stop_hook(a->context, true);
	skynet_stop_hook(c->context, true);
	skynet_runtime_stop(fixture->stepped.runtime, true);
	run();
	assert_int_equal(b->count, 0);
	assert_int_equal(a->count, 0);
	assert_int_equal(c->count, 1);
	assert_int_equal(c->records[0].type, PTYPE_SYSTEM);
	assert_true(c->records[0].session > 0);
	skynet_stop_done(c->context);
	run();
	assert_int_equal(a->count, 1);
	assert_int_equal(a->released, 0);
	skynet_stop_done(a->context);
	run();
	assert_int_equal(a->released, 1);
	assert_int_equal(skynet_runtime_wait(fixture->stepped.runtime), 0);
}

static void
an_orderly_stop_that_takes_too_long_names_the_service(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	skynet_stop_hook(a->context, true);
	skynet_command(a->context, "REG", ".slow");
	skynet_runtime_stop(fixture->stepped.runtime, true);
	run();
	advance_ms(1100);
	for (int i = 0; i < 1000; i++)
		run();
	assert_int_equal(a->released, 1);
	assert_int_equal(skynet_node_exit_code(fixture->stepped.node), 1);
	assert_non_null(strstr(skynet_node_reason(fixture->stepped.node), ":01000002 .slow"));
}

static void
a_stop_hook_that_stood_still_past_the_timeout_may_end(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0];
	skynet_stop_hook(a->context, true);
	skynet_runtime_stop(fixture->stepped.runtime, true);
	run();
	advance_ms(10000);
	assert_int_equal(a->released, 0);
	skynet_stop_done(a->context);
	run();
	assert_int_equal(a->released, 1);
	assert_int_equal(skynet_node_exit_code(fixture->stepped.node), 0);
}

static void
a_node_whose_service_does_not_end_is_held(void **state) {
	(void)state;
	struct skynet_runtime *runtime = fixture->stepped.runtime;
	struct recorder *a = &fixture->recorders[0];
	struct skynet_context *held = skynet_node_context(fixture->stepped.node, handle_of(a));
	skynet_node_abort(a->context, 0, NULL);
	run();
	advance_ms(900);
	for (int i = 0; i < 2000; i++)
		run();
	assert_false(skynet_runtime_held(runtime));
	assert_int_equal(skynet_node_exit_code(fixture->stepped.node), 0);
	advance_ms(200);
	for (int i = 0; i < 2000; i++)
		run();
	assert_true(skynet_runtime_held(runtime));
	assert_int_equal(skynet_runtime_wait(runtime), 1);
	assert_string_equal(skynet_node_reason(fixture->stepped.node),
		"shutdown timeout: 2 services do not end");
	skynet_context_release(held);
	run();
	assert_int_equal(a->released, 1);
	assert_false(skynet_runtime_held(runtime));
}

static void
a_boot_that_fails_because_of_a_stop_lets_it_go_on(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	skynet_stop_hook(b->context, true);
	skynet_runtime_stop(fixture->stepped.runtime, true);
	run();
	assert_false(skynet_node_booting(fixture->stepped.node));
	skynet_node_abort(a->context, 1, "boot failed");
	run();
	assert_int_equal(b->released, 0);
	skynet_stop_done(b->context);
	run();
	assert_int_equal(b->released, 1);
	assert_int_equal(skynet_runtime_wait(fixture->stepped.runtime), 0);
	assert_string_equal(skynet_node_reason(fixture->stepped.node), "");
}

static void
bounded_mailboxes_reject_and_tell(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	skynet_mailbox_limit(b->context, 2, SKYNET_MAILBOX_REJECT);
	assert_int_equal(send_text(a, handle_of(b), 1, "x"), 1);
	assert_int_equal(send_text(a, handle_of(b), 2, "x"), 2);
	assert_int_equal(send_text(a, handle_of(b), 3, "x"), -3);
	assert_int_equal(skynet_stat_get(a->context, handle_of(b), SKYNET_STAT_REJECTED), 1);
	run();
	skynet_mailbox_limit(b->context, 2, SKYNET_MAILBOX_BLOCK);
	for (int i = 0; i < 3; i++)
		send_text(a, handle_of(b), 1, "x");
	assert_int_equal(skynet_send_congested(a->context), handle_of(b));
	assert_int_equal(skynet_send_congested(a->context), 0);
	assert_true(skynet_mailbox_wait(a->context, handle_of(b), 77));
	run();
	assert_int_equal(a->records[a->count - 1].session, 77);
	assert_int_equal(a->records[a->count - 1].type, PTYPE_RESPONSE);
	assert_false(skynet_mailbox_wait(a->context, handle_of(b), 78));
}

static void
a_service_that_has_enough_goes_on_in_another_turn(void **state) {
	(void)state;
	struct recorder *a = &fixture->recorders[0], *b = launch(NULL);
	struct scheduler *scheduler = &fixture->stepped.runtime->scheduler;
	run();
	/* As if there were no room for what makes it go on. */
	skynet_mailbox_limit(b->context, 3, SKYNET_MAILBOX_REJECT);
	send_text(a, handle_of(b), 1, "first");
	send_text(a, handle_of(b), 2, "enough");
	send_text(a, handle_of(b), 3, "next");
	struct skynet_context *next = scheduler_next(scheduler, scheduler->workers);
	assert_ptr_equal(next, b->context);
	service_run(next, 10, 0);
	assert_int_equal(b->count, 2);
	run();
	assert_int_equal(b->count, 4);
	assert_string_equal(b->records[2].text, "next");
	assert_int_equal(b->records[3].type, PTYPE_RESPONSE);
	assert_int_equal(b->records[3].session, 55);
	assert_int_equal(b->records[3].source, 0);
}

static void
two_nodes_of_one_network_reach_each_other_without_a_socket(void **state) {
	(void)state;
	struct skynet_error error;
	struct skynet_setting master = {.key = "master", .value = "127.0.0.1:1"};
	struct skynet_config config = config_for("recorder");
	config.settings = &master;
	config.setting_count = 1;
	config.harbor = 2;
	int first = fixture->recorder_count;
	assert_non_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
	assert_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
	assert_int_equal(error.code, SKYNET_EEXIST);
	config.harbor = 3;
	int second = fixture->recorder_count;
	assert_non_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
	struct recorder *a = &fixture->recorders[first], *b = &fixture->recorders[second];
	assert_int_equal(send_text(a, handle_of(b), 5, "over"), 5);
	assert_int_equal(send_text(a, 0x03000077, 6, "lost"), 6);
	run();
	assert_string_equal(b->records[0].text, "over");
	assert_int_equal(b->records[0].source, 0x02000002);
	assert_int_equal(a->records[0].type, PTYPE_ERROR);
	assert_int_equal(a->records[0].session, 6);
}

/* What its harbor service has not sent comes back to a sender that is not there any more. */
static void
a_node_ends_after_another_one_whose_messages_it_was_to_carry(void **state) {
	(void)state;
	struct skynet_error error;
	struct skynet_setting master = {.key = "master", .value = "127.0.0.1:1"};
	struct skynet_config config = config_for("recorder");
	config.settings = &master;
	config.setting_count = 1;
	struct recorder *nodes[2];
	for (int i = 0; i < 2; i++) {
		nodes[i] = &fixture->recorders[fixture->recorder_count];
		config.harbor = 2 + i;
		assert_non_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
		skynet_harbor_start(nodes[i]->context);
	}
	for (int i = 0; i < 2; i++) {
		int session = i + 1;
		assert_int_equal(skynet_send(nodes[i]->context, handle_of(nodes[1 - i]), 0x09000001,
					 PTYPE_TEXT, session, (void *)(uintptr_t) "x", 1),
			session);
	}
}

static void
a_node_whose_bootstrap_is_missing_is_not_created(void **state) {
	(void)state;
	struct skynet_error error;
	struct skynet_config config = config_for("missing service");
	config.harbor = 0;
	assert_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
	assert_non_null(strstr(error.text, "Bootstrap error : missing service"));
	config.logservice = "nothing";
	assert_null(skynet_node_create(fixture->stepped.runtime, &config, &error));
	assert_non_null(strstr(error.text, "Can't launch nothing service"));
}

static void
time_is_that_of_the_runtimes_clock(void **state) {
	(void)state;
	uint64_t before = skynet_now();
	clock_advance(&fixture->stepped.clock, 1500000000);
	assert_int_equal(skynet_now() - before, 150);
	assert_int_equal(skynet_starttime(), STEPPED_START_S);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		TEST(numbers_services_from_one_under_its_harbor_id),
		TEST(delivers_a_copy_of_the_bytes_with_source_and_session),
		TEST(keeps_the_order_of_messages),
		TEST(a_send_to_nobody_fails_and_leaves_nothing),
		TEST(answers_requests_left_behind_by_a_dead_service_but_never_answers),
		TEST(a_service_without_a_callback_answers_with_an_error),
		TEST(a_failing_init_is_logged_and_released),
		TEST(a_timer_fires_once_and_not_before_its_time),
		TEST(a_cancelled_timer_does_not_fire),
		TEST(names_belong_to_one_service_until_it_dies),
		TEST(commands_survive_bad_parameters),
		TEST(settings_are_written_once),
		TEST(numbers_of_settings_are_whole_and_not_negative),
		TEST(tells_the_monitor_of_every_exit),
		TEST(a_message_to_a_foreign_node_comes_back_as_an_error),
		TEST(the_log_service_outlives_the_others),
		TEST(an_orderly_stop_asks_the_newest_service_first),
		TEST(an_orderly_stop_that_takes_too_long_names_the_service),
		TEST(a_stop_hook_that_stood_still_past_the_timeout_may_end),
		TEST(a_node_whose_service_does_not_end_is_held),
		TEST(a_boot_that_fails_because_of_a_stop_lets_it_go_on),
		TEST(bounded_mailboxes_reject_and_tell),
		TEST(a_service_that_has_enough_goes_on_in_another_turn),
		TEST(two_nodes_of_one_network_reach_each_other_without_a_socket),
		TEST(a_node_ends_after_another_one_whose_messages_it_was_to_carry),
		TEST(a_node_whose_bootstrap_is_missing_is_not_created),
		TEST(time_is_that_of_the_runtimes_clock),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
