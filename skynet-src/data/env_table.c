/* A hash of chains whose entries never change once they are published, so that readers need no
 * lock. */
#include "data/env_table.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "skynet_malloc.h"

#define BUCKET_COUNT 256u /* a config has some dozens of settings */

struct env_entry {
	struct env_entry *next;            /* in its bucket; set before the entry is published */
	_Atomic(struct env_entry *) after; /* set next */
	const char *value;                 /* behind the key */
	char key[];
};

struct env_table {
	struct mutex lock; /* held by the one that writes; guards last */
	struct env_entry *last;
	_Atomic(struct env_entry *) first;
	_Atomic(size_t) count;
	_Atomic(struct env_entry *) bucket[BUCKET_COUNT];
};

static uint32_t
bucket_of(const char *key) {
	uint32_t hash = hash_text(key);
	return (hash ^ hash >> 16) % BUCKET_COUNT;
}

struct env_table *
env_table_create(void) {
	struct env_table *table = skynet_calloc(1, sizeof(*table));
	mutex_init(&table->lock, LOCK_RANK_ENV);
	atomic_init(&table->first, NULL);
	atomic_init(&table->count, 0);
	for (uint32_t i = 0; i < BUCKET_COUNT; i++)
		atomic_init(&table->bucket[i], NULL);
	return table;
}

void
env_table_destroy(struct env_table *table) {
	if (table == NULL)
		return;
	struct env_entry *entry = atomic_load_explicit(&table->first, memory_order_acquire);
	while (entry != NULL) {
		struct env_entry *after = atomic_load_explicit(&entry->after, memory_order_acquire);
		skynet_free(entry);
		entry = after;
	}
	mutex_fini(&table->lock);
	skynet_free(table);
}

static struct env_entry *
find_in(const _Atomic(struct env_entry *) *bucket, const char *key) {
	/* Acquire pairs with the release in env_table_set: an entry is complete when it is seen. */
	struct env_entry *entry = atomic_load_explicit(bucket, memory_order_acquire);
	while (entry != NULL && strcmp(entry->key, key) != 0)
		entry = entry->next;
	return entry;
}

const char *
env_table_get(const struct env_table *table, const char *key) {
	struct env_entry *entry = find_in(&table->bucket[bucket_of(key)], key);
	return entry != NULL ? entry->value : NULL;
}

static struct env_entry *
entry_create(const char *key, const char *value) {
	size_t key_size = strlen(key) + 1;
	size_t value_size = strlen(value) + 1;
	struct env_entry *entry = skynet_malloc(sizeof(*entry) + key_size + value_size);
	atomic_init(&entry->after, NULL);
	memcpy(entry->key, key, key_size);
	entry->value = memcpy(entry->key + key_size, value, value_size);
	return entry;
}

bool
env_table_set(struct env_table *table, const char *key, const char *value) {
	_Atomic(struct env_entry *) *bucket = &table->bucket[bucket_of(key)];
	mutex_acquire(&table->lock);
	bool absent = find_in(bucket, key) == NULL;
	if (absent) {
		struct env_entry *entry = entry_create(key, value);
		entry->next = atomic_load_explicit(bucket, memory_order_relaxed);
		/* Release pairs with the acquire in find_in, and in env_table_visit. */
		atomic_store_explicit(bucket, entry, memory_order_release);
		atomic_store_explicit(table->last != NULL ? &table->last->after : &table->first,
			entry, memory_order_release);
		table->last = entry;
		/* Relaxed: only a number. */
		atomic_fetch_add_explicit(&table->count, 1, memory_order_relaxed);
	}
	mutex_release(&table->lock);
	return absent;
}

size_t
env_table_count(const struct env_table *table) {
	return atomic_load_explicit(&table->count, memory_order_relaxed);
}

void
env_table_visit(const struct env_table *table, env_visit_fn visit, void *ud) {
	/* Acquire pairs with the release in env_table_set. */
	struct env_entry *entry = atomic_load_explicit(&table->first, memory_order_acquire);
	while (entry != NULL && visit(entry->key, entry->value, ud))
		entry = atomic_load_explicit(&entry->after, memory_order_acquire);
}
