/* The messages of one service: many producers, one consumer at a time.
 *
 * Producers append to the vector `in` under a spin lock. The consumer takes messages from the
 * vector `out` without the lock. When `out` is empty it takes the lock and swaps the two, or takes
 * the only message straight from `in`; so it locks once for a burst of messages. Only in a bounded
 * mailbox with the drop policy the consumer locks for every message, because a producer may remove
 * messages from `out`. `scheduled` is true while the service is in a run queue, is being run, or
 * has not finished its init: a thread that changes it from false to true must put the service into
 * a run queue.
 */
#ifndef SKYNET_MAILBOX_H
#define SKYNET_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/lock.h"
#include "data/message.h"

struct message_vector {
	struct skynet_message *items;
	uint32_t head; /* index of the oldest message */
	uint32_t tail; /* index behind the newest message */
	uint32_t capacity;
};

/* A sender that gets a reply with `session` when there is room again. */
struct mailbox_waiter {
	uint32_t handle;
	int session;
};

enum mailbox_policy {
	MAILBOX_BLOCK,
	MAILBOX_REJECT,
	MAILBOX_DROP
}; /* same values as enum skynet_mailbox_policy */

struct mailbox {
	struct spin_lock lock;
	bool scheduled;            /* lock */
	bool closed;               /* lock; never reset: all pushes fail */
	bool full;                 /* lock; the limit counts as reached, see mailbox_set_full */
	atomic_bool locked_pop;    /* drop policy: the consumer locks for each message */
	_Atomic(uint32_t) arrived; /* length of `in`; written under the lock */
	struct message_vector in;  /* lock */
	struct message_vector out; /* consumer; with locked_pop also lock */
	_Atomic(uint32_t) limit;   /* 0: none. Written by the consumer, read by producers */
	atomic_int policy;         /* enum mailbox_policy */
	_Atomic(uint32_t) waiting; /* length of `out` as producers may read it */
	struct mailbox_waiter *waiters; /* lock */
	uint32_t waiter_count;          /* lock */
	uint32_t waiter_capacity;       /* lock */
	_Atomic(uint64_t) rejected;
	_Atomic(uint64_t) dropped;
	_Atomic(uint64_t) blocked;
};

enum mailbox_result {
	MAILBOX_SCHEDULE = 1,  /* flag: it was idle, put the service into a run queue */
	MAILBOX_CONGESTED = 2, /* flag: over its limit with the block policy; the message is in */
	MAILBOX_DROPPED = 4,   /* flag: `*dropped` was removed to make room, the caller owns it */
	MAILBOX_FULL = -1,     /* refused by the reject policy; the caller still owns the message */
	MAILBOX_CLOSED = -2,   /* the service is dead; the caller still owns the message */
};

/// Makes an empty mailbox that counts as scheduled, so that no push schedules the service before
/// mailbox_finish is called.
void mailbox_init(struct mailbox *mailbox);

/// Frees the vectors. The mailbox must be closed, and empty (mailbox_pop returns false).
void mailbox_fini(struct mailbox *mailbox);

/// Appends a message; takes `message->data` when the result is not negative. Any thread.
/// `dropped` is written only with MAILBOX_DROPPED in the result.
/// Returns 0 or flags of enum mailbox_result, or MAILBOX_FULL, MAILBOX_CLOSED.
int mailbox_push(struct mailbox *mailbox, const struct skynet_message *message,
	struct skynet_message *dropped);

/// Appends messages without data that no limit applies to (replies). Any thread. Returns 0 or
/// MAILBOX_SCHEDULE, or MAILBOX_CLOSED.
int mailbox_push_replies(
	struct mailbox *mailbox, const struct skynet_message *messages, uint32_t count);

/// The part of mailbox_pop that takes the lock.
bool mailbox_pop_locked(struct mailbox *mailbox, struct skynet_message *message);

/// Takes the oldest message. Consumer only. Returns false when there is none.
static inline bool
mailbox_pop(struct mailbox *mailbox, struct skynet_message *message) {
	struct message_vector *out = &mailbox->out;
	if (atomic_load_explicit(&mailbox->locked_pop, memory_order_relaxed))
		return mailbox_pop_locked(mailbox, message);
	if (out->head == out->tail) {
		/* Relaxed: a message that this load does not see yet is found by mailbox_finish,
		 * which locks. */
		if (atomic_load_explicit(&mailbox->arrived, memory_order_relaxed) == 0)
			return false;
		return mailbox_pop_locked(mailbox, message);
	}
	*message = out->items[out->head++];
	atomic_store_explicit(&mailbox->waiting, out->tail - out->head, memory_order_relaxed);
	return true;
}

/// Ends a turn. Consumer only. Returns true when the mailbox is empty: it counts as idle then, and
/// the next push schedules it. Returns false when messages are left: the caller puts the service
/// into a run queue again.
bool mailbox_finish(struct mailbox *mailbox);

/// Marks the mailbox as scheduled. Any thread. Returns true when it was idle: the caller must put
/// the service into a run queue.
bool mailbox_schedule(struct mailbox *mailbox);

/// Refuses all further messages. Any thread.
void mailbox_close(struct mailbox *mailbox);

/// Number of messages in the mailbox. Any thread; exact only for the consumer.
size_t mailbox_length(struct mailbox *mailbox);

/// Sets the limit (0: none) and what happens to messages beyond it. Consumer only.
void mailbox_bound(struct mailbox *mailbox, uint32_t limit, enum mailbox_policy policy);

/// With `full`, the mailbox counts as full whatever its length, and its policy applies to all
/// pushes. For a service that keeps its backlog outside of the mailbox. Consumer only.
void mailbox_set_full(struct mailbox *mailbox, bool full);

/// Adds a waiter. Any thread. Returns false, adding nothing, when there is room or the mailbox is
/// closed.
bool mailbox_wait(struct mailbox *mailbox, uint32_t handle, int session);

/// The part of mailbox_take_waiters that takes the lock.
uint32_t mailbox_take_waiters_locked(struct mailbox *mailbox, struct mailbox_waiter **waiters);

/// Removes all waiters, when half of the limit is free or the mailbox is closed. Gives them in
/// `*waiters` (end with skynet_free; NULL when there are none) and returns their number.
static inline uint32_t
mailbox_take_waiters(struct mailbox *mailbox, struct mailbox_waiter **waiters) {
	*waiters = NULL;
	if (atomic_load_explicit(&mailbox->limit, memory_order_relaxed) == 0 &&
		atomic_load_explicit(&mailbox->blocked, memory_order_relaxed) == 0)
		return 0;
	return mailbox_take_waiters_locked(mailbox, waiters);
}

#endif
