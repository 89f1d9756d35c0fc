/* kernel/multicast.c, data/shared_payload.c: one message for many services of a node without
 * threads. Leaks and double frees show under the address sanitizer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/message.h"
#include "data/shared_payload.h"
#include "skynet_multicast.h"
#include "skynet_server.h"
#include "stepped_node.h"

#define SERVICES 8
#define CHANNEL  0x7fffff01

/* A service that counts what it gets. Its parameter: "share" or "keep". */
struct subscriber {
	struct skynet_context *context;
	const void *last; /* address of the bytes */
	char text[16];
	int count, type, session;
	uint32_t source;
	bool keeps;
};

struct fixture {
	struct stepped_node stepped;
	struct subscriber subscribers[SERVICES];
	uint32_t handles[SERVICES];
	int count;
};

/* The services below find their fixture here; one test at a time. */
static struct fixture *fixture;

static int
subscriber_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct subscriber *subscriber = ud;
	(void)context;
	subscriber->count++;
	subscriber->last = message;
	subscriber->type = type;
	subscriber->session = session;
	subscriber->source = source;
	assert_true(size < sizeof subscriber->text);
	if (message != NULL)
		memcpy(subscriber->text, message, size + 1);
	if (subscriber->keeps)
		skynet_free((void *)(uintptr_t)message);
	return subscriber->keeps;
}

static void *
subscriber_create(void) {
	return &fixture->subscribers[fixture->count++];
}

static int
subscriber_init(void *instance, struct skynet_context *context, const char *param) {
	struct subscriber *subscriber = instance;
	subscriber->context = context;
	subscriber->keeps = param != NULL && strcmp(param, "keep") == 0;
	skynet_callback(context, subscriber, subscriber_message);
	if (param != NULL && strcmp(param, "share") == 0)
		skynet_multicast_accept(context);
	return 0;
}

static int
quiet_init(void *instance, struct skynet_context *context, const char *param) {
	(void)instance, (void)context, (void)param;
	return 0;
}

static const struct skynet_builtin builtins[] = {
	{.name = "quiet", .init = quiet_init},
	{.name = "subscriber", .create = subscriber_create, .init = subscriber_init},
};

static int
setup(void **state) {
	fixture = skynet_calloc(1, sizeof *fixture);
	struct skynet_config config = stepped_config("quiet", "subscriber", builtins, 2);
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

static struct skynet_context *
publisher(void) {
	return fixture->subscribers[0].context;
}

static struct subscriber *
subscribe(const char *param) {
	int index = fixture->count;
	fixture->handles[index - 1] = skynet_context_launch(publisher(), "subscriber", param);
	return &fixture->subscribers[index];
}

static struct skynet_multicast_result
send_many(size_t count, const char *text, size_t size, int request) {
	struct skynet_multicast_message message = {.source = 0x02000003,
		.session = CHANNEL,
		.payload = text,
		.size = size,
		.request = request};
	if (request != 0)
		message.source = skynet_context_handle(publisher());
	return skynet_multicast(publisher(), &message, fixture->handles, count);
}

static size_t
publish(const char *text) {
	return send_many((size_t)fixture->count - 1, text, strlen(text), 0).left;
}

static size_t
alive(void) {
	size_t bytes, count = skynet_multicast_usage(publisher(), &bytes);
	assert_true(count > 0 || bytes == 0);
	return count;
}

static void
shows_the_same_bytes_to_all_that_accept_it(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share"), *b = subscribe("share"), *c = subscribe(NULL);
	assert_int_equal(publish("hello"), 3);
	run();
	assert_int_equal(a->count + b->count + c->count, 3);
	assert_ptr_equal(a->last, b->last);
	assert_ptr_not_equal(a->last, c->last);
	assert_string_equal(a->text, "hello");
	assert_string_equal(c->text, "hello");
	assert_int_equal(a->type, PTYPE_MULTICAST);
	assert_int_equal(a->session, CHANNEL);
	assert_int_equal(a->source, 0x02000003);
}

static void
gives_a_copy_to_a_service_that_may_keep_it(void **state) {
	(void)state;
	struct subscriber *a = subscribe("keep"), *b = subscribe("share"), *c = subscribe("keep");
	publish("one");
	publish("two");
	run();
	assert_int_equal(a->count + b->count + c->count, 6);
	assert_string_equal(c->text, "two");
}

static void
reaches_nobody(void **state) {
	(void)state;
	assert_int_equal(send_many(0, "x", 1, 0).left, 0);
	struct subscriber *a = subscribe("share");
	assert_int_equal(publish(""), 1);
	run();
	assert_int_equal(a->count, 1);
	assert_string_equal(a->text, "");
}

static void
forgets_receivers_that_are_dead(void **state) {
	(void)state;
	subscribe("share");
	struct subscriber *b = subscribe("share");
	subscribe("share");
	uint32_t first = fixture->handles[0], last = fixture->handles[2];
	skynet_context_kill(publisher(), skynet_context_handle(b->context));
	assert_int_equal(publish("x"), 2);
	assert_int_equal(fixture->handles[0], first);
	assert_int_equal(fixture->handles[1], last);
	skynet_context_kill(publisher(), first);
	skynet_context_kill(publisher(), last);
	assert_int_equal(send_many(2, "x", 1, 0).left, 0);
	run();
}

static void
frees_what_waits_in_the_mailbox_of_a_dead_service(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share"), *b = subscribe("share");
	for (int i = 0; i < 100; i++)
		publish("waiting");
	skynet_context_kill(publisher(), fixture->handles[0]);
	run();
	assert_int_equal(a->count, 0);
	assert_int_equal(b->count, 100);
	assert_int_equal(fixture->subscribers[0].count, 0); /* and is not answered */
	assert_int_equal(alive(), 0);
	publish("waiting when the node ends");
}

static void
frees_what_a_full_mailbox_drops_or_rejects(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share"), *b = subscribe("share");
	skynet_mailbox_limit(a->context, 3, SKYNET_MAILBOX_DROP);
	skynet_mailbox_limit(b->context, 3, SKYNET_MAILBOX_REJECT);
	for (int i = 0; i < 10; i++)
		assert_int_equal(publish("x"), 2);
	run();
	assert_in_range(a->count, 1, 4);
	assert_in_range(b->count, 1, 4);
	assert_int_equal(alive(), 0);
}

static void
counts_the_messages_that_are_alive(void **state) {
	(void)state;
	subscribe("share");
	subscribe("share");
	size_t bytes;
	publish("12345");
	publish("123");
	assert_int_equal(skynet_multicast_usage(publisher(), &bytes), 2);
	assert_int_equal(bytes, 8);
	run();
	assert_int_equal(skynet_multicast_usage(publisher(), &bytes), 0);
	assert_int_equal(bytes, 0);
}

static void
answers_a_publisher_when_the_fullest_has_room(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share"), *b = subscribe("share"), *c = subscribe("share");
	skynet_mailbox_limit(a->context, 2, SKYNET_MAILBOX_BLOCK);
	skynet_mailbox_limit(b->context, 4, SKYNET_MAILBOX_BLOCK);
	skynet_mailbox_limit(c->context, 1, SKYNET_MAILBOX_REJECT);
	struct skynet_multicast_result result = {0};
	int sent = 0;
	while (!result.held && sent < 10)
		result = send_many(3, "x", 1, 100 + sent++);
	assert_int_equal(sent, 3);
	assert_int_equal(result.left, 3);
	assert_int_equal(result.refused, 1);
	struct subscriber *first = &fixture->subscribers[0];
	assert_int_equal(first->count, 0);
	run();
	assert_int_equal(a->count, 3);
	assert_int_equal(b->count, 3);
	assert_int_equal(c->count, 1);
	assert_int_equal(first->count, 1);
	assert_int_equal(first->type, PTYPE_RESPONSE);
	assert_int_equal(first->session, 102);
	assert_int_equal(skynet_stat_get(a->context, 0, SKYNET_STAT_BLOCKED), 1);
}

static void
answers_a_publisher_when_the_fullest_dies(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share");
	skynet_mailbox_limit(a->context, 1, SKYNET_MAILBOX_BLOCK);
	assert_false(send_many(1, "x", 1, 7).held);
	assert_true(send_many(1, "x", 1, 8).held);
	skynet_context_kill(publisher(), fixture->handles[0]);
	run();
	assert_int_equal(fixture->subscribers[0].count, 1);
	assert_int_equal(fixture->subscribers[0].session, 8);
	assert_int_equal(alive(), 0);
}

static void
refuses_for_a_full_receiver_when_nobody_can_wait(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share"), *b = subscribe("share");
	skynet_mailbox_limit(a->context, 3, SKYNET_MAILBOX_BLOCK);
	size_t refused = 0;
	for (int i = 0; i < 10; i++) {
		struct skynet_multicast_result result = send_many(2, "x", 1, 0);
		assert_int_equal(result.left, 2);
		assert_false(result.held);
		refused += result.refused;
	}
	assert_int_equal(refused, 7);
	assert_int_equal(skynet_stat_get(a->context, 0, SKYNET_STAT_REJECTED), 7);
	run();
	assert_int_equal(a->count, 3);
	assert_int_equal(b->count, 10);
}

static void
takes_no_size_for_the_mark_of_a_shared_message(void **state) {
	(void)state;
	struct subscriber *a = subscribe("share");
	char *block = skynet_malloc(8);
	assert_int_equal(
		skynet_send(publisher(), 0, fixture->handles[0],
			PTYPE_MULTICAST | PTYPE_TAG_DONTCOPY, 1, block, MESSAGE_SHARED | 8),
		-2);
	static char pointer[8] = {1, 2, 3, 4, 5, 6, 7, 0};
	skynet_send(publisher(), 0, fixture->handles[0], PTYPE_MULTICAST, CHANNEL, pointer, 8);
	run();
	assert_int_equal(a->count, 1);
	assert_string_equal(a->text, pointer);
	assert_int_equal(send_many(1, pointer, SIZE_MAX, 0).left, 1);
	run();
	assert_int_equal(a->count, 1);
}

static void
frees_a_payload_with_its_last_reference(void **state) {
	(void)state;
	struct shared_payload_account account = {0};
	char *data = shared_payload_create(&account, "bytes", 5, 3);
	assert_string_equal(data, "bytes");
	shared_payload_drop(data, 1);
	assert_string_equal(data, "bytes");
	assert_int_equal(shared_payload_usage(&account, NULL), 1);
	shared_payload_drop(data, 2);
	assert_int_equal(shared_payload_usage(&account, NULL), 0);
	data = shared_payload_create(&account, NULL, 0, 1);
	assert_string_equal(data, "");
	shared_payload_drop(data, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void) {
	const struct CMUnitTest tests[] = {
		CASE(shows_the_same_bytes_to_all_that_accept_it),
		CASE(gives_a_copy_to_a_service_that_may_keep_it),
		CASE(reaches_nobody),
		CASE(forgets_receivers_that_are_dead),
		CASE(frees_what_waits_in_the_mailbox_of_a_dead_service),
		CASE(frees_what_a_full_mailbox_drops_or_rejects),
		CASE(counts_the_messages_that_are_alive),
		CASE(answers_a_publisher_when_the_fullest_has_room),
		CASE(answers_a_publisher_when_the_fullest_dies),
		CASE(refuses_for_a_full_receiver_when_nobody_can_wait),
		CASE(takes_no_size_for_the_mark_of_a_shared_message),
		cmocka_unit_test(frees_a_payload_with_its_last_reference),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
