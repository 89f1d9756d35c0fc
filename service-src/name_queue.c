#include "name_queue.h"

#include <string.h>

#include "base/hash.h"
#include "skynet_malloc.h"

#define QUEUE_CAPACITY_MIN 8
#define TABLE_CAPACITY_MIN 32

/* ---- queue ---- */

static void
grow_queue(struct message_queue *queue) {
	size_t capacity = queue->capacity == 0 ? QUEUE_CAPACITY_MIN : queue->capacity * 2;
	struct waiting_message *items = skynet_malloc(capacity * sizeof *items);
	for (size_t i = 0; i < queue->count; i++)
		items[i] = queue->items[(queue->first + i) & (queue->capacity - 1)];
	skynet_free(queue->items);
	queue->items = items;
	queue->first = 0;
	queue->capacity = capacity;
}

static bool
has_room(size_t count, size_t bytes, size_t size) {
	return count == 0 || (count < QUEUE_COUNT_MAX && size <= QUEUE_BYTES_MAX &&
				     bytes <= QUEUE_BYTES_MAX - size);
}

static bool
pool_has_room(const struct message_pool *pool, size_t size) {
	return has_room(pool->count, pool->bytes, size);
}

bool
message_queue_push(struct message_queue *queue, const struct waiting_message *message) {
	struct message_pool *pool = queue->pool;
	if (!has_room(queue->count, queue->bytes, message->size) ||
		(pool != NULL && !pool_has_room(pool, message->size)))
		return false;
	if (queue->count == queue->capacity)
		grow_queue(queue);
	queue->items[(queue->first + queue->count) & (queue->capacity - 1)] = *message;
	queue->count++;
	queue->bytes += message->size;
	if (pool != NULL) {
		pool->count++;
		pool->bytes += message->size;
	}
	return true;
}

const struct waiting_message *
message_queue_peek(const struct message_queue *queue) {
	return queue->count > 0 ? &queue->items[queue->first] : NULL;
}

bool
message_queue_pop(struct message_queue *queue, struct waiting_message *message) {
	if (queue->count == 0)
		return false;
	*message = queue->items[queue->first];
	queue->first = (queue->first + 1) & (queue->capacity - 1);
	queue->count--;
	queue->bytes -= message->size;
	if (queue->pool != NULL) {
		queue->pool->count--;
		queue->pool->bytes -= message->size;
	}
	if (queue->count == 0)
		message_queue_fini(queue);
	return true;
}

void
message_queue_fini(struct message_queue *queue) {
	for (size_t i = 0; i < queue->count; i++)
		skynet_free(queue->items[(queue->first + i) & (queue->capacity - 1)].data);
	skynet_free(queue->items);
	if (queue->pool != NULL) {
		queue->pool->count -= queue->count;
		queue->pool->bytes -= queue->bytes;
	}
	*queue = (struct message_queue){.pool = queue->pool};
}

/* ---- names ---- */

static size_t
home_of(const struct name_table *table, const char *name) {
	return hash_bytes(HASH_START, name, NAME_SIZE) & (table->capacity - 1);
}

/* The place of a name: it is there or it is free. */
static struct name_entry **
place_of(const struct name_table *table, const char *name) {
	size_t i = home_of(table, name);
	while (table->buckets[i] != NULL && memcmp(table->buckets[i]->name, name, NAME_SIZE) != 0)
		i = (i + 1) & (table->capacity - 1);
	return &table->buckets[i];
}

static void
grow_table(struct name_table *table) {
	struct name_table larger = {
		.count = table->count,
		.capacity = table->capacity == 0 ? TABLE_CAPACITY_MIN : table->capacity * 2,
		.waiting = table->waiting,
	};
	larger.buckets = skynet_calloc(larger.capacity, sizeof *larger.buckets);
	for (size_t i = 0; i < table->capacity; i++)
		if (table->buckets[i] != NULL)
			*place_of(&larger, table->buckets[i]->name) = table->buckets[i];
	skynet_free(table->buckets);
	*table = larger;
}

struct name_entry *
name_table_find(const struct name_table *table, const char *name) {
	return table->count > 0 ? *place_of(table, name) : NULL;
}

struct name_entry *
name_table_add(struct name_table *table, const char *name) {
	struct name_entry *entry = name_table_find(table, name);
	if (entry != NULL)
		return entry;
	if (table->count * 2 >= table->capacity)
		grow_table(table);
	entry = skynet_calloc(1, sizeof *entry);
	memcpy(entry->name, name, NAME_SIZE);
	entry->queue.pool = &table->waiting;
	*place_of(table, name) = entry;
	table->count++;
	return entry;
}

struct name_entry *
name_table_keep(struct name_table *table, const char *name, const struct waiting_message *message) {
	if (!pool_has_room(&table->waiting, message->size))
		return NULL;
	struct name_entry *entry = name_table_add(table, name);
	return message_queue_push(&entry->queue, message) ? entry : NULL;
}

void
name_table_each(const struct name_table *table, void (*visit)(void *ud, struct name_entry *entry),
	void *ud) {
	for (size_t i = 0; i < table->capacity; i++)
		if (table->buckets[i] != NULL)
			visit(ud, table->buckets[i]);
}

void
name_table_prune(struct name_table *table) {
	struct name_table kept = {.waiting = table->waiting};
	if (table->count == 0)
		return;
	for (size_t i = 0; i < table->capacity; i++) {
		struct name_entry *entry = table->buckets[i];
		if (entry == NULL)
			continue;
		if (entry->handle == 0 && entry->queue.count == 0) {
			skynet_free(entry);
			continue;
		}
		if (kept.count * 2 >= kept.capacity)
			grow_table(&kept);
		*place_of(&kept, entry->name) = entry;
		kept.count++;
	}
	skynet_free(table->buckets);
	*table = kept;
}

void
name_table_fini(struct name_table *table) {
	for (size_t i = 0; i < table->capacity; i++) {
		if (table->buckets[i] == NULL)
			continue;
		message_queue_fini(&table->buckets[i]->queue);
		skynet_free(table->buckets[i]);
	}
	skynet_free(table->buckets);
	memset(table, 0, sizeof *table);
}
