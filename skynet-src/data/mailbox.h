/* The messages of one service: many producers, one consumer at a time.
 *
 * Producers append to one vector under a spin lock. The consumer takes messages from another,
 * without the lock, and swaps the two when its own is empty: a burst of messages costs the consumer
 * one lock. A single message it takes from the first. Only a bounded mailbox with the drop policy
 * takes the lock for every message, because a producer may then remove what the consumer has not
 * looked at yet. `scheduled` is true while the service is in a run queue, is being run, or is not
 * ready to run yet: whoever turns it from false to true must put the service into a run queue.
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
	uint32_t head; /* first that is not taken yet */
	uint32_t tail; /* one behind the last */
	uint32_t capacity;
};

/* Somebody to tell when there is room again. */
struct mailbox_waiter {
	uint32_t handle;
	int session;
};

enum mailbox_policy {
	MAILBOX_BLOCK,
	MAILBOX_REJECT,
	MAILBOX_DROP
}; /* enum skynet_mailbox_policy */

struct mailbox {
	struct spin_lock lock;
	bool scheduled;            /* lock */
	bool closed;               /* lock; set once: pushes fail */
	bool full;                 /* lock; as if the limit was reached, whatever waits */
	atomic_bool locked_pop;    /* drop policy: the consumer locks too */
	_Atomic(uint32_t) arrived; /* length of `in`; written under the lock */
	struct message_vector in;  /* lock */
	struct message_vector out; /* consumer; lock too when locked_pop */
	_Atomic(uint32_t) limit;   /* 0: none. Written by the consumer, read by producers */
	atomic_int policy;         /* enum mailbox_policy */
	_Atomic(uint32_t) waiting; /* length of `out` at the last swap and since, for producers */
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

/// Makes an empty mailbox that counts as scheduled, so that nothing runs before mailbox_finish.
void mailbox_init(struct mailbox *mailbox);

/// Frees the vectors. The mailbox must be empty (mailbox_pop) and closed.
void mailbox_fini(struct mailbox *mailbox);

/// Appends a message; takes `message->data` when the result is not negative. Any thread.
/// `dropped` is written only with MAILBOX_DROPPED in the result.
/// Returns 0 or flags of enum mailbox_result, or MAILBOX_FULL, MAILBOX_CLOSED.
int mailbox_push(struct mailbox *mailbox, const struct skynet_message *message,
	struct skynet_message *dropped);

/// Appends messages that no limit stops (replies) and that own nothing. Any thread. Returns 0 or
/// MAILBOX_SCHEDULE, or MAILBOX_CLOSED.
int mailbox_push_replies(
	struct mailbox *mailbox, const struct skynet_message *messages, uint32_t count);

/// The slow half of mailbox_pop.
bool mailbox_pop_locked(struct mailbox *mailbox, struct skynet_message *message);

/// Takes the oldest message. Consumer only. Returns false when there is none.
static inline bool
mailbox_pop(struct mailbox *mailbox, struct skynet_message *message) {
	struct message_vector *out = &mailbox->out;
	if (atomic_load_explicit(&mailbox->locked_pop, memory_order_relaxed))
		return mailbox_pop_locked(mailbox, message);
	if (out->head == out->tail) {
		/* A message that is not seen yet is found by mailbox_finish. */
		if (atomic_load_explicit(&mailbox->arrived, memory_order_relaxed) == 0)
			return false;
		return mailbox_pop_locked(mailbox, message);
	}
	*message = out->items[out->head++];
	atomic_store_explicit(&mailbox->waiting, out->tail - out->head, memory_order_relaxed);
	return true;
}

/// Ends a turn. Returns true when the mailbox is empty: it then counts as idle and the next push
/// schedules it. Returns false when there is more: the caller puts the service into a run queue
/// again.
bool mailbox_finish(struct mailbox *mailbox);

/// Marks an idle mailbox as scheduled. Returns true when the caller must put it into a run queue.
bool mailbox_schedule(struct mailbox *mailbox);

/// Refuses all further messages. Any thread.
void mailbox_close(struct mailbox *mailbox);

/// Messages that wait. Any thread; exact for the consumer.
size_t mailbox_length(struct mailbox *mailbox);

/// Bounds the mailbox. Consumer only.
void mailbox_bound(struct mailbox *mailbox, uint32_t limit, enum mailbox_policy policy);

/// Makes the mailbox count as full until told otherwise: its policy applies to what is pushed. For
/// a service whose work waits elsewhere. Consumer only.
void mailbox_set_full(struct mailbox *mailbox, bool full);

/// Adds a waiter. Returns false (not added) when there is room, or when the mailbox is closed.
bool mailbox_wait(struct mailbox *mailbox, uint32_t handle, int session);

/// The slow half of mailbox_take_waiters.
uint32_t mailbox_take_waiters_locked(struct mailbox *mailbox, struct mailbox_waiter **waiters);

/// Takes the waiters when there is room for them (or the mailbox is closed). Returns their count
/// and gives `*waiters` (skynet_free), NULL when there are none.
static inline uint32_t
mailbox_take_waiters(struct mailbox *mailbox, struct mailbox_waiter **waiters) {
	*waiters = NULL;
	if (atomic_load_explicit(&mailbox->limit, memory_order_relaxed) == 0 &&
		atomic_load_explicit(&mailbox->blocked, memory_order_relaxed) == 0)
		return 0;
	return mailbox_take_waiters_locked(mailbox, waiters);
}

#endif
