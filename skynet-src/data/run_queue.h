/* A queue of services that have messages, first in, first out. Each worker owns one, and there is
 * one for all threads (see kernel/scheduler.h). Every function but run_queue_push_own may be called
 * from any thread. Nearly always the owner uses its queue, so the lock is rarely contended.
 *
 * An item that the owner puts into an empty queue goes to `first`, without the lock: that is all
 * that two services need which call each other, of which at most one is queued. An item in `first`
 * is older than all in the ring.
 */
#ifndef SKYNET_RUN_QUEUE_H
#define SKYNET_RUN_QUEUE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/lock.h"

struct run_queue {
	_Atomic(void *) first; /* put in by the owner, taken by anybody; NULL: none */
	struct spin_lock lock;
	void **items;      /* lock; ring, capacity is a power of two */
	uint32_t head;     /* lock */
	uint32_t capacity; /* lock */
	_Atomic(uint32_t)
		count; /* in the ring; written under the lock, read by anybody as a hint */
};

/// Makes an empty queue; end it with run_queue_fini.
void run_queue_init(struct run_queue *queue);

/// Frees the ring. The caller has taken all items before.
void run_queue_fini(struct run_queue *queue);

/// Puts `item` (not NULL) at the end. Returns the number of items that are now in the queue.
uint32_t run_queue_push(struct run_queue *queue, void *item);

/// Takes the first item of the ring, NULL when there is none.
void *run_queue_pop_ring(struct run_queue *queue);

/// Moves half of `from` (at least one), the oldest first, to `to`, and returns the first of them
/// instead of moving it; NULL when `from` is empty. `from` and `to` are different queues.
void *run_queue_steal(struct run_queue *from, struct run_queue *to);

/// The number of items; it may have changed by the time it is returned.
static inline uint32_t
run_queue_count(struct run_queue *queue) {
	return atomic_load_explicit(&queue->count, memory_order_relaxed) +
	       (atomic_load_explicit(&queue->first, memory_order_relaxed) != NULL);
}

/// As run_queue_push, for the one thread that owns the queue.
static inline uint32_t
run_queue_push_own(struct run_queue *queue, void *item) {
	/* Only the owner adds to its queue, so a queue that is empty now stays empty meanwhile. */
	if (run_queue_count(queue) != 0)
		return run_queue_push(queue, item);
	/* Pairs with the acquire in run_queue_pop_first: the thread that takes the item sees what
	 * was done to it before. */
	atomic_store_explicit(&queue->first, item, memory_order_release);
	return 1;
}

/// Takes the item in `first`, NULL when there is none.
static inline void *
run_queue_pop_first(struct run_queue *queue) {
	if (atomic_load_explicit(&queue->first, memory_order_relaxed) == NULL)
		return NULL;
	/* Pairs with the release in run_queue_push_own. */
	return atomic_exchange_explicit(&queue->first, NULL, memory_order_acquire);
}

/// Takes the first item, NULL when there is none.
static inline void *
run_queue_pop(struct run_queue *queue) {
	void *item = run_queue_pop_first(queue);
	return item != NULL ? item : run_queue_pop_ring(queue);
}

#endif
