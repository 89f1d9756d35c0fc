/* Mailbox: order, scheduling, bounds and waiters, alone and with several producers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/mailbox.h"
#include "skynet.h"

static struct skynet_message
make(int type, int session) {
	return (struct skynet_message){
		.source = 1, .session = session, .sz = (size_t)type << MESSAGE_TYPE_SHIFT};
}

static int
push(struct mailbox *mailbox, int type, int session, struct skynet_message *dropped) {
	struct skynet_message message = make(type, session);
	return mailbox_push(mailbox, &message, dropped);
}

static void
finish(struct mailbox *mailbox) {
	struct skynet_message message;
	while (mailbox_pop(mailbox, &message))
		;
	mailbox_close(mailbox);
	mailbox_fini(mailbox);
}

static void
gives_messages_in_the_order_they_came(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct skynet_message message;
	mailbox_init(&mailbox);
	int next = 0, expected = 0;
	for (int round = 0; round < 200; round++) {
		for (int i = 0; i < round % 17; i++)
			assert_int_equal(push(&mailbox, PTYPE_TEXT, next++, NULL), 0);
		for (int i = 0; i < round % 13 && mailbox_pop(&mailbox, &message); i++)
			assert_int_equal(message.session, expected++);
		assert_int_equal(mailbox_length(&mailbox), next - expected);
	}
	while (mailbox_pop(&mailbox, &message))
		assert_int_equal(message.session, expected++);
	assert_int_equal(expected, next);
	finish(&mailbox);
}

static void
asks_for_scheduling_once_until_it_was_found_empty(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct skynet_message message;
	mailbox_init(&mailbox);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 1, NULL), 0); /* not ready yet */
	assert_false(mailbox_finish(&mailbox));
	assert_true(mailbox_pop(&mailbox, &message));
	assert_true(mailbox_finish(&mailbox));
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 2, NULL), MAILBOX_SCHEDULE);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 3, NULL), 0);
	assert_false(mailbox_schedule(&mailbox));
	assert_true(mailbox_pop(&mailbox, &message));
	assert_false(mailbox_finish(&mailbox));
	assert_true(mailbox_pop(&mailbox, &message));
	assert_true(mailbox_finish(&mailbox));
	assert_true(mailbox_schedule(&mailbox));
	finish(&mailbox);
}

static void
refuses_messages_when_closed(void **state) {
	(void)state;
	struct mailbox mailbox;
	mailbox_init(&mailbox);
	mailbox_close(&mailbox);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 1, NULL), MAILBOX_CLOSED);
	finish(&mailbox);
}

static void
rejects_requests_but_not_answers_at_its_limit(void **state) {
	(void)state;
	struct mailbox mailbox;
	mailbox_init(&mailbox);
	mailbox_bound(&mailbox, 2, MAILBOX_REJECT);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 1, NULL), 0);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 2, NULL), 0);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 3, NULL), MAILBOX_FULL);
	assert_int_equal(push(&mailbox, PTYPE_RESPONSE, 4, NULL), 0);
	assert_int_equal(push(&mailbox, PTYPE_SOCKET, 5, NULL), 0);
	assert_int_equal(mailbox_length(&mailbox), 4);
	assert_int_equal(atomic_load(&mailbox.rejected), 1);
	struct skynet_message message;
	while (mailbox_length(&mailbox) >= 2)
		assert_true(mailbox_pop(&mailbox, &message));
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 6, NULL), 0);
	finish(&mailbox);
}

static void
drops_the_oldest_request_and_never_an_answer(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct skynet_message dropped, message;
	mailbox_init(&mailbox);
	mailbox_bound(&mailbox, 4, MAILBOX_DROP);
	push(&mailbox, PTYPE_RESPONSE, 1, NULL);
	push(&mailbox, PTYPE_RESERVED_LUA, 2, NULL);
	push(&mailbox, PTYPE_RESERVED_LUA, 3, NULL);
	push(&mailbox, PTYPE_RESERVED_LUA, 4, NULL);
	assert_true(mailbox_pop(&mailbox, &message)); /* what is left is in the consumer's vector */
	assert_int_equal(message.session, 1);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 5, &dropped), 0);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 6, &dropped), MAILBOX_DROPPED);
	assert_int_equal(dropped.session, 2);
	for (int session = 3; session <= 6; session++) {
		assert_true(mailbox_pop(&mailbox, &message));
		assert_int_equal(message.session, session);
	}
	assert_false(mailbox_pop(&mailbox, &message));
	assert_int_equal(atomic_load(&mailbox.dropped), 1);
	finish(&mailbox);
}

static void
tells_waiters_when_half_of_the_limit_is_free(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct mailbox_waiter *waiters;
	struct skynet_message message;
	mailbox_init(&mailbox);
	mailbox_bound(&mailbox, 4, MAILBOX_BLOCK);
	for (int i = 0; i < 4; i++)
		assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, i, NULL), 0);
	assert_int_equal(push(&mailbox, PTYPE_RESERVED_LUA, 4, NULL), MAILBOX_CONGESTED);
	assert_true(mailbox_wait(&mailbox, 7, 70));
	assert_true(mailbox_wait(&mailbox, 8, 80));
	for (int i = 0; i < 2; i++)
		assert_true(mailbox_pop(&mailbox, &message));
	assert_int_equal(mailbox_take_waiters(&mailbox, &waiters), 0);
	assert_true(mailbox_pop(&mailbox, &message));
	assert_int_equal(mailbox_take_waiters(&mailbox, &waiters), 2);
	assert_int_equal(waiters[0].handle, 7);
	assert_int_equal(waiters[1].session, 80);
	skynet_free(waiters);
	assert_false(mailbox_wait(&mailbox, 9, 90));
	assert_int_equal(atomic_load(&mailbox.blocked), 2);
	finish(&mailbox);
}

#define PRODUCERS 3
#define EACH      20000

struct producer {
	struct mailbox *mailbox;
	uint32_t source;
	_Atomic(int) *scheduled;
};

static void *
produce(void *argument) {
	struct producer *producer = argument;
	for (int i = 1; i <= EACH; i++) {
		struct skynet_message message = make(PTYPE_TEXT, i);
		message.source = producer->source;
		if (mailbox_push(producer->mailbox, &message, NULL) & MAILBOX_SCHEDULE)
			atomic_fetch_add(producer->scheduled, 1);
	}
	return NULL;
}

static void
keeps_the_order_of_each_of_several_producers(void **state) {
	(void)state;
	struct mailbox mailbox;
	_Atomic(int) scheduled = 0;
	int handled = 0, total = 0, last[PRODUCERS + 1] = {0};
	pthread_t threads[PRODUCERS];
	struct producer producers[PRODUCERS];
	mailbox_init(&mailbox);
	assert_true(mailbox_finish(&mailbox));
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){&mailbox, i + 1, &scheduled};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	while (total < PRODUCERS * EACH) {
		if (atomic_load(&scheduled) == handled) {
			sched_yield();
			continue;
		}
		struct skynet_message message;
		do {
			while (mailbox_pop(&mailbox, &message)) {
				assert_int_equal(message.session, ++last[message.source]);
				total++;
			}
		} while (!mailbox_finish(&mailbox));
		handled++;
	}
	for (int i = 0; i < PRODUCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(mailbox_length(&mailbox), 0);
	finish(&mailbox);
}

static void
a_service_can_say_that_it_is_full(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct mailbox_waiter *waiters;
	mailbox_init(&mailbox);
	mailbox_set_full(&mailbox, true);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 1, NULL), MAILBOX_CONGESTED);
	assert_int_equal(push(&mailbox, PTYPE_RESPONSE, 2, NULL), 0);
	assert_true(mailbox_wait(&mailbox, 7, 9));
	assert_int_equal(mailbox_take_waiters(&mailbox, &waiters), 0);
	mailbox_bound(&mailbox, 0, MAILBOX_REJECT);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 3, NULL), MAILBOX_FULL);
	mailbox_set_full(&mailbox, false);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 4, NULL), 0);
	assert_int_equal(mailbox_take_waiters(&mailbox, &waiters), 1);
	assert_int_equal(waiters[0].session, 9);
	skynet_free(waiters);
	assert_false(mailbox_wait(&mailbox, 7, 10));
	finish(&mailbox);
}

static void
takes_several_replies_at_once(void **state) {
	(void)state;
	struct mailbox mailbox;
	struct skynet_message message, replies[9];
	mailbox_init(&mailbox);
	mailbox_bound(&mailbox, 2, MAILBOX_REJECT);
	for (int i = 0; i < 9; i++)
		replies[i] = make(PTYPE_RESPONSE, i + 2);
	assert_int_equal(push(&mailbox, PTYPE_TEXT, 1, NULL), 0);
	assert_int_equal(mailbox_push_replies(&mailbox, replies, 9), 0);
	for (int i = 1; i <= 10; i++) {
		assert_true(mailbox_pop(&mailbox, &message));
		assert_int_equal(message.session, i);
	}
	assert_true(mailbox_finish(&mailbox));
	assert_int_equal(mailbox_push_replies(&mailbox, replies, 1), MAILBOX_SCHEDULE);
	assert_int_equal(mailbox_push_replies(&mailbox, replies, 1), 0);
	mailbox_close(&mailbox);
	assert_int_equal(mailbox_push_replies(&mailbox, replies, 9), MAILBOX_CLOSED);
	assert_int_equal(mailbox_length(&mailbox), 2);
	finish(&mailbox);
}

int
main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_messages_in_the_order_they_came),
		cmocka_unit_test(asks_for_scheduling_once_until_it_was_found_empty),
		cmocka_unit_test(refuses_messages_when_closed),
		cmocka_unit_test(rejects_requests_but_not_answers_at_its_limit),
		cmocka_unit_test(drops_the_oldest_request_and_never_an_answer),
		cmocka_unit_test(tells_waiters_when_half_of_the_limit_is_free),
		cmocka_unit_test(a_service_can_say_that_it_is_full),
		cmocka_unit_test(takes_several_replies_at_once),
		cmocka_unit_test(keeps_the_order_of_each_of_several_producers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
