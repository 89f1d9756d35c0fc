#include "io/socket_table.h"

#include <limits.h>

#include "skynet_malloc.h"

#define FIRST_CAPACITY 1024u

struct socket_index {
	struct socket_index *older;
	uint32_t mask;
	struct socket_entry *_Atomic slots[];
};

static struct socket_index *
index_create(uint32_t capacity, struct socket_index *older) {
	struct socket_index *index =
		skynet_malloc(sizeof(*index) + capacity * sizeof(index->slots[0]));
	index->older = older;
	index->mask = capacity - 1;
	for (uint32_t i = 0; i < capacity; i++)
		atomic_init(&index->slots[i], NULL);
	return index;
}

void
socket_table_init(struct socket_table *table) {
	*table = (struct socket_table){.last_id = 0};
	mutex_init(&table->lock, LOCK_RANK_LEAF);
	atomic_init(&table->index, index_create(FIRST_CAPACITY, NULL));
}

void
socket_table_fini(struct socket_table *table) {
	struct socket_index *index = atomic_load_explicit(&table->index, memory_order_relaxed);
	while (index != NULL) {
		struct socket_index *older = index->older;
		skynet_free(index);
		index = older;
	}
	for (uint32_t i = 0; i < table->entry_count; i++) {
		mutex_fini(&table->entries[i]->lock);
		skynet_free(table->entries[i]);
	}
	skynet_free(table->entries);
	mutex_fini(&table->lock);
}

/* Makes an index with twice the slots. At most half of them are used, and ids spread evenly, so a
 * new id finds a free slot after few attempts. */
static struct socket_index *
grow(struct socket_table *table, struct socket_index *old) {
	uint32_t capacity = (old->mask + 1) * 2;
	struct socket_index *index = index_create(capacity, old);
	for (uint32_t i = 0; i <= old->mask; i++) {
		struct socket_entry *entry =
			atomic_load_explicit(&old->slots[i], memory_order_relaxed);
		if (entry == NULL)
			continue;
		uint32_t id = (uint32_t)atomic_load_explicit(&entry->id, memory_order_relaxed);
		atomic_store_explicit(&index->slots[id & index->mask], entry, memory_order_relaxed);
	}
	/* Release pairs with the acquire in find. */
	atomic_store_explicit(&table->index, index, memory_order_release);
	return index;
}

/* Sets all fields as in a new entry, except the lock, the id and the links of the table. Free
 * entries are always in this state. */
static void
entry_reset(struct socket_entry *entry) {
	entry->fd = -1;
	entry->kind = SOCKET_KIND_STREAM;
	atomic_store_explicit(&entry->state, SOCKET_STATE_OPENING, memory_order_relaxed);
	entry->wants_room = false;
	entry->closing = entry->close_told = entry->ended = entry->hung_up = entry->local =
		entry->nodelay = false;
	entry->family = 0;
	entry->interest = entry->starts_pending = entry->port = 0;
	entry->idle_s = entry->interval_s = entry->user_timeout_ms = 0;
	entry->owner = (struct socket_owner){0};
	atomic_store_explicit(&entry->muted, false, memory_order_relaxed);
	atomic_store_explicit(&entry->reading, false, memory_order_relaxed);
	entry->queue = (struct send_queue){.size = 0};
	atomic_store_explicit(&entry->queued, 0, memory_order_relaxed);
	entry->limit = 0;
	entry->policy = 0;
	entry->warning = 0;
	entry->write_error = 0;
	entry->guard = NULL;
	entry->addresses = NULL;
	entry->next_address = 0;
	entry->read_size = 0;
	entry->deadline_ns = entry->written_seen = 0;
	atomic_store_explicit(&entry->read_count, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->write_count, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->read_time_cs, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->write_time_cs, 0, memory_order_relaxed);
	atomic_store_explicit(&entry->dropped, 0, memory_order_relaxed);
	entry->name[0] = '\0';
	entry->path = NULL;
	entry->watch = NULL;
}

static struct socket_entry *
new_entry(struct socket_table *table) {
	struct socket_entry *entry = table->free;
	if (entry != NULL) {
		table->free = entry->next_free;
		return entry;
	}
	if (table->entry_count == table->entry_room) {
		table->entry_room = table->entry_room == 0 ? 64 : table->entry_room * 2;
		table->entries = skynet_realloc(
			table->entries, table->entry_room * sizeof(table->entries[0]));
	}
	entry = skynet_calloc(1, sizeof(*entry));
	mutex_init(&entry->lock, LOCK_RANK_SOCKET);
	entry_reset(entry);
	table->entries[table->entry_count++] = entry;
	return entry;
}

struct socket_entry *
socket_table_reserve(struct socket_table *table) {
	mutex_acquire(&table->lock);
	struct socket_entry *entry = new_entry(table);
	mutex_release(&table->lock);
	/* Somebody may guess the new id, or still use the previous one of this entry: they wait at
	 * the lock until the caller has filled the entry in. */
	mutex_acquire(&entry->lock);
	mutex_acquire(&table->lock);
	struct socket_index *index = atomic_load_explicit(&table->index, memory_order_relaxed);
	if (table->used * 2 > index->mask)
		index = grow(table, index);
	struct socket_entry *_Atomic *slot;
	do {
		table->last_id = table->last_id == INT_MAX ? 1 : table->last_id + 1;
		slot = &index->slots[(uint32_t)table->last_id & index->mask];
	} while (atomic_load_explicit(slot, memory_order_relaxed) != NULL);
	table->used++;
	/* Release pairs with the acquires in find. */
	atomic_store_explicit(&entry->id, table->last_id, memory_order_release);
	atomic_store_explicit(slot, entry, memory_order_release);
	mutex_release(&table->lock);
	return entry;
}

void
socket_table_release(struct socket_table *table, struct socket_entry *entry) {
	uint32_t id = (uint32_t)atomic_load_explicit(&entry->id, memory_order_relaxed);
	/* In one step: what grows the index must not meet an entry without an id. Whoever takes the
	 * entry from the list of free ones waits for its lock. */
	mutex_acquire(&table->lock);
	struct socket_index *index = atomic_load_explicit(&table->index, memory_order_relaxed);
	atomic_store_explicit(&index->slots[id & index->mask], NULL, memory_order_relaxed);
	atomic_store_explicit(&entry->id, 0, memory_order_relaxed);
	entry_reset(entry);
	entry->next_free = table->free;
	table->free = entry;
	table->used--;
	mutex_release(&table->lock);
	mutex_release(&entry->lock);
}

struct socket_entry *
socket_table_find(struct socket_table *table, int id) {
	/* These acquires pair with the releases in reserve and grow. */
	struct socket_index *index = atomic_load_explicit(&table->index, memory_order_acquire);
	struct socket_entry *entry = atomic_load_explicit(
		&index->slots[(uint32_t)id & index->mask], memory_order_acquire);
	if (entry == NULL || id <= 0)
		return NULL;
	return atomic_load_explicit(&entry->id, memory_order_acquire) == id ? entry : NULL;
}

struct socket_entry *
socket_table_acquire(struct socket_table *table, int id) {
	struct socket_entry *entry = socket_table_find(table, id);
	if (entry == NULL)
		return NULL;
	mutex_acquire(&entry->lock);
	if (atomic_load_explicit(&entry->id, memory_order_relaxed) == id)
		return entry;
	mutex_release(&entry->lock);
	return NULL;
}

struct socket_entry *
socket_table_at(struct socket_table *table, uint32_t i) {
	struct socket_entry *entry = NULL;
	mutex_acquire(&table->lock);
	if (i < table->entry_count)
		entry = table->entries[i];
	mutex_release(&table->lock);
	if (entry != NULL)
		mutex_acquire(&entry->lock);
	return entry;
}
