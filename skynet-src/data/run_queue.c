#include "data/run_queue.h"

#include <stddef.h>

#include "skynet_malloc.h"

#define CAPACITY_MINIMUM 64
#define STEAL_MAXIMUM    32

void
run_queue_init(struct run_queue *queue) {
	spin_init(&queue->lock, LOCK_RANK_RUN_QUEUE);
	atomic_init(&queue->first, NULL);
	queue->items = NULL;
	queue->head = queue->capacity = 0;
	atomic_init(&queue->count, 0);
}

void
run_queue_fini(struct run_queue *queue) {
	skynet_free(queue->items);
	queue->items = NULL;
}

static void
grow(struct run_queue *queue, uint32_t count) {
	uint32_t capacity = queue->capacity != 0 ? queue->capacity * 2 : CAPACITY_MINIMUM;
	void **items = skynet_malloc(capacity * sizeof *items);
	for (uint32_t i = 0; i < count; i++)
		items[i] = queue->items[(queue->head + i) & (queue->capacity - 1)];
	skynet_free(queue->items);
	queue->items = items;
	queue->capacity = capacity;
	queue->head = 0;
}

static uint32_t
push_locked(struct run_queue *queue, void *item) {
	uint32_t count = atomic_load_explicit(&queue->count, memory_order_relaxed);
	if (count == queue->capacity)
		grow(queue, count);
	queue->items[(queue->head + count) & (queue->capacity - 1)] = item;
	atomic_store_explicit(&queue->count, count + 1, memory_order_relaxed);
	return count + 1;
}

static void *
pop_locked(struct run_queue *queue) {
	uint32_t count = atomic_load_explicit(&queue->count, memory_order_relaxed);
	if (count == 0)
		return NULL;
	void *item = queue->items[queue->head];
	queue->head = (queue->head + 1) & (queue->capacity - 1);
	atomic_store_explicit(&queue->count, count - 1, memory_order_relaxed);
	return item;
}

uint32_t
run_queue_push(struct run_queue *queue, void *item) {
	spin_acquire(&queue->lock);
	uint32_t count = push_locked(queue, item);
	spin_release(&queue->lock);
	return count + (atomic_load_explicit(&queue->first, memory_order_relaxed) != NULL);
}

void *
run_queue_pop_ring(struct run_queue *queue) {
	if (atomic_load_explicit(&queue->count, memory_order_relaxed) == 0)
		return NULL;
	spin_acquire(&queue->lock);
	void *item = pop_locked(queue);
	spin_release(&queue->lock);
	return item;
}

void *
run_queue_steal(struct run_queue *from, struct run_queue *to) {
	void *loot[STEAL_MAXIMUM];
	uint32_t want = (run_queue_count(from) + 1) / 2, taken = 0;
	if (want == 0)
		return NULL;
	void *first = run_queue_pop_first(from);
	if (first != NULL)
		loot[taken++] = first;
	/* The two locks have the same rank and must not be held together. */
	if (taken < want) {
		spin_acquire(&from->lock);
		while (taken < want && taken < STEAL_MAXIMUM &&
			(loot[taken] = pop_locked(from)) != NULL)
			taken++;
		spin_release(&from->lock);
	}
	if (taken == 0)
		return NULL;
	if (taken > 1) {
		spin_acquire(&to->lock);
		for (uint32_t i = 1; i < taken; i++)
			push_locked(to, loot[i]);
		spin_release(&to->lock);
	}
	return loot[0];
}
