/* Services that have messages, in the order in which they got them: one queue per worker, and one
 * that any thread may put into. Every function may be called from any thread; the owner of a queue
 * does most of the work on it, so its lock is nearly always free.
 */
#ifndef SKYNET_RUN_QUEUE_H
#define SKYNET_RUN_QUEUE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/lock.h"

struct run_queue {
	struct spin_lock lock;
	void **items;            /* lock; ring, capacity is a power of two */
	uint32_t head;           /* lock */
	uint32_t capacity;       /* lock */
	_Atomic(uint32_t) count; /* written under the lock, read by anybody as a hint */
};

void run_queue_init(struct run_queue *queue);

/// Frees the ring; what is still in it is the caller's to have taken.
void run_queue_fini(struct run_queue *queue);

/// Puts `item` (not NULL) at the end. Returns the number of items that are now in the queue.
uint32_t run_queue_push(struct run_queue *queue, void *item);

/// Takes the first item, NULL when there is none.
void *run_queue_pop(struct run_queue *queue);

/// Moves half of `from` (at least one), the oldest first, to `to`, and returns the first of them
/// instead of moving it; NULL when `from` is empty. `from` and `to` are different queues.
void *run_queue_steal(struct run_queue *from, struct run_queue *to);

/// How many there were a moment ago.
static inline uint32_t
run_queue_count(struct run_queue *queue) {
	return atomic_load_explicit(&queue->count, memory_order_relaxed);
}

#endif
