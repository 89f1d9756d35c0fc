/* Services that have messages, in the order in which they got them: one queue per worker, and one
 * that any thread may put into. Every function but run_queue_push_own may be called from any
 * thread; the owner of a queue does most of the work on it, so its lock is nearly always free.
 *
 * What the owner puts into an empty queue goes to `first`, without the lock: two services that
 * call each other never have more than one of them waiting. It is older than all in the ring.
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

/// Frees the ring; what is still in it is the caller's to have taken.
void run_queue_fini(struct run_queue *queue);

/// Puts `item` (not NULL) at the end. Returns the number of items that are now in the queue.
uint32_t run_queue_push(struct run_queue *queue, void *item);

/// Takes the first item of the ring, NULL when there is none.
void *run_queue_pop_ring(struct run_queue *queue);

/// Moves half of `from` (at least one), the oldest first, to `to`, and returns the first of them
/// instead of moving it; NULL when `from` is empty. `from` and `to` are different queues.
void *run_queue_steal(struct run_queue *from, struct run_queue *to);

/// How many there were a moment ago.
static inline uint32_t
run_queue_count(struct run_queue *queue) {
	return atomic_load_explicit(&queue->count, memory_order_relaxed) +
	       (atomic_load_explicit(&queue->first, memory_order_relaxed) != NULL);
}

/// As run_queue_push, for the one thread that owns the queue.
static inline uint32_t
run_queue_push_own(struct run_queue *queue, void *item) {
	/* Only the owner adds, so that an empty queue stays empty until it has. */
	if (run_queue_count(queue) != 0)
		return run_queue_push(queue, item);
	/* Pairs with the acquire in run_queue_pop_first: what was done to the item before. */
	atomic_store_explicit(&queue->first, item, memory_order_release);
	return 1;
}

/// Takes what run_queue_push_own has put ahead of the ring, NULL when there is none.
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
