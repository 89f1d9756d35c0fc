/* Messages that wait for a name or a link: oldest first, and not without bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "name_queue.h"
#include "skynet_malloc.h"

static struct waiting_message
message_of(int session, size_t size) {
	struct waiting_message message = {
		.session = session, .size = size, .data = skynet_malloc(1)};
	return message;
}

static void
gives_messages_in_their_order(void **state) {
	(void)state;
	struct message_queue queue = {0};
	struct waiting_message message;
	int pushed = 0, popped = 0;
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 7; i++) {
			message = message_of(++pushed, 10);
			assert_true(message_queue_push(&queue, &message));
		}
		for (int i = 0; i < 5; i++) {
			assert_int_equal(message_queue_peek(&queue)->session, popped + 1);
			assert_true(message_queue_pop(&queue, &message));
			assert_int_equal(message.session, ++popped);
			skynet_free(message.data);
		}
	}
	assert_int_equal(queue.count, 200);
	assert_int_equal(queue.bytes, 2000);
	message_queue_fini(&queue);
	assert_null(message_queue_peek(&queue));
	assert_false(message_queue_pop(&queue, &message));
}

static void
is_bounded_in_messages(void **state) {
	(void)state;
	struct message_queue queue = {0};
	struct waiting_message message;
	for (int i = 0; i < QUEUE_COUNT_MAX; i++) {
		message = message_of(i, 0);
		assert_true(message_queue_push(&queue, &message));
	}
	message = message_of(0, 0);
	assert_false(message_queue_push(&queue, &message));
	skynet_free(message.data);
	message_queue_fini(&queue);
}

static void
is_bounded_in_bytes_but_takes_one_of_any_size(void **state) {
	(void)state;
	struct message_queue queue = {0};
	struct waiting_message large = message_of(1, QUEUE_BYTES_MAX + 1);
	assert_true(message_queue_push(&queue, &large));
	struct waiting_message message = message_of(2, 1);
	assert_false(message_queue_push(&queue, &message));
	message_queue_fini(&queue);
	assert_true(message_queue_push(&queue, &message));
	message = message_of(3, SIZE_MAX);
	assert_false(message_queue_push(&queue, &message));
	skynet_free(message.data);
	message_queue_fini(&queue);
}

static void
count_entry(void *ud, struct name_entry *entry) {
	(void)entry;
	++*(size_t *)ud;
}

static void
finds_each_name_again(void **state) {
	(void)state;
	struct name_table table = {0};
	char name[NAME_SIZE] = {0};
	assert_null(name_table_find(&table, name));
	for (uint32_t i = 1; i <= 500; i++) {
		snprintf(name, sizeof name, "NAME%u", (unsigned)i);
		name_table_add(&table, name)->handle = i;
		memset(name, 0, sizeof name);
	}
	for (uint32_t i = 1; i <= 500; i++) {
		snprintf(name, sizeof name, "NAME%u", (unsigned)i);
		assert_int_equal(name_table_find(&table, name)->handle, i);
		assert_ptr_equal(name_table_add(&table, name), name_table_find(&table, name));
		memset(name, 0, sizeof name);
	}
	size_t count = 0;
	name_table_each(&table, count_entry, &count);
	assert_int_equal(count, 500);
	name_table_fini(&table);
}

static void
frees_what_waits_for_a_name(void **state) {
	(void)state;
	struct name_table table = {0};
	char name[NAME_SIZE] = "X";
	struct waiting_message message = message_of(1, 1);
	assert_true(message_queue_push(&name_table_add(&table, name)->queue, &message));
	name_table_fini(&table);
	assert_null(name_table_find(&table, name));
}

/* Pops what waits for `entry`, and gives how much that was. */
static size_t
drain(struct name_entry *entry) {
	struct waiting_message message;
	size_t count = 0;
	while (message_queue_pop(&entry->queue, &message)) {
		skynet_free(message.data);
		count++;
	}
	return count;
}

static void
bounds_what_waits_for_all_names_together(void **state) {
	(void)state;
	struct name_table table = {0};
	char name[NAME_SIZE] = {0};
	struct waiting_message message = {.size = QUEUE_BYTES_MAX / 100};
	for (uint32_t i = 1; i <= 100; i++) {
		snprintf(name, sizeof name, "NAME%u", (unsigned)i);
		message.data = skynet_malloc(1);
		assert_non_null(name_table_keep(&table, name, &message));
		memset(name, 0, sizeof name);
	}
	assert_null(name_table_keep(&table, "OTHER\0\0\0\0\0\0\0\0\0\0", &message));
	assert_null(name_table_find(&table, "OTHER\0\0\0\0\0\0\0\0\0\0"));
	assert_int_equal(table.waiting.count, 100);
	/* What has gone makes room, and nothing gets lost when the table is pruned. */
	assert_int_equal(drain(name_table_find(&table, "NAME7\0\0\0\0\0\0\0\0\0\0")), 1);
	name_table_prune(&table);
	assert_int_equal(table.waiting.count, 99);
	message.data = skynet_malloc(1);
	struct name_entry *entry = name_table_keep(&table, "OTHER\0\0\0\0\0\0\0\0\0\0", &message);
	assert_int_equal(drain(entry), 1);
	message_queue_fini(&name_table_find(&table, "NAME8\0\0\0\0\0\0\0\0\0\0")->queue);
	assert_int_equal(table.waiting.count, 98);
	assert_int_equal(table.waiting.bytes, 98 * message.size);
	name_table_fini(&table);
}

static void
prunes_what_has_neither_a_handle_nor_a_message(void **state) {
	(void)state;
	struct name_table table = {0};
	char name[NAME_SIZE] = {0};
	name_table_prune(&table);
	for (uint32_t i = 1; i <= 600; i++) {
		snprintf(name, sizeof name, "NAME%u", (unsigned)i);
		struct name_entry *entry = name_table_add(&table, name);
		struct waiting_message message = message_of(i, 1);
		if (i % 3 == 1)
			entry->handle = i;
		else if (i % 3 == 2)
			assert_true(message_queue_push(&entry->queue, &message));
		if (i % 3 != 2)
			skynet_free(message.data);
		memset(name, 0, sizeof name);
	}
	name_table_prune(&table);
	assert_int_equal(table.count, 400);
	for (uint32_t i = 1; i <= 600; i++) {
		snprintf(name, sizeof name, "NAME%u", (unsigned)i);
		struct name_entry *entry = name_table_find(&table, name);
		assert_int_equal(entry != NULL, i % 3 != 0);
		if (i % 3 == 2) {
			struct waiting_message message;
			assert_true(message_queue_pop(&entry->queue, &message));
			skynet_free(message.data);
		} else if (entry != NULL) {
			entry->handle = 0;
		}
		memset(name, 0, sizeof name);
	}
	name_table_prune(&table);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.capacity, 0);
	name_table_fini(&table);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_messages_in_their_order),
		cmocka_unit_test(is_bounded_in_messages),
		cmocka_unit_test(is_bounded_in_bytes_but_takes_one_of_any_size),
		cmocka_unit_test(finds_each_name_again),
		cmocka_unit_test(frees_what_waits_for_a_name),
		cmocka_unit_test(bounds_what_waits_for_all_names_together),
		cmocka_unit_test(prunes_what_has_neither_a_handle_nor_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
