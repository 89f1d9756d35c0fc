#include "harbor_request.h"

#include "skynet_malloc.h"

#define CAPACITY_MIN  64
#define SPARSE        8 /* fewer than one entry in so many: the memory is given back */
#define SWEEP_MIN     1024
#define SWEEP_PART    16 /* of the table, in one sweep */
#define HASH_MULTIPLE UINT64_C(0x9e3779b97f4a7c15)

static size_t
home_of(const struct request_table *table, const struct request *key) {
	uint64_t mixed = (uint64_t)key->caller << 32 | (uint32_t)key->session;
	if (table->by_callee)
		mixed ^= key->callee;
	return (size_t)((mixed * HASH_MULTIPLE) >> 32) & (table->capacity - 1);
}

static bool
is_equal(const struct request_table *table, const struct request *a, const struct request *b) {
	return a->caller == b->caller && a->session == b->session &&
	       (!table->by_callee || a->callee == b->callee);
}

/* Where the request is, or the free entry where it belongs. */
static struct request *
place_of(const struct request_table *table, const struct request *key) {
	size_t i = home_of(table, key);
	for (;;) {
		struct request *entry = &table->entries[i];
		if (entry->caller == 0 || is_equal(table, entry, key))
			return entry;
		i = (i + 1) & (table->capacity - 1);
	}
}

static void
resize(struct request_table *table, size_t capacity) {
	struct request_table other = *table;
	other.capacity = capacity;
	other.entries = skynet_calloc(capacity, sizeof *other.entries);
	for (size_t i = 0; i < table->capacity; i++) {
		const struct request *entry = &table->entries[i];
		if (entry->caller != 0)
			*place_of(&other, entry) = *entry;
	}
	skynet_free(table->entries);
	*table = other;
}

void
request_table_put(struct request_table *table, const struct request *request) {
	if (table->count * 2 >= table->capacity)
		resize(table, table->capacity == 0 ? CAPACITY_MIN : table->capacity * 2);
	struct request *entry = place_of(table, request);
	if (entry->caller == 0)
		table->count++;
	*entry = *request;
}

struct request *
request_table_find(const struct request_table *table, const struct request *key) {
	if (table->count == 0)
		return NULL;
	struct request *entry = place_of(table, key);
	return entry->caller != 0 ? entry : NULL;
}

void
request_table_remove(struct request_table *table, struct request *request) {
	size_t mask = table->capacity - 1;
	size_t hole = (size_t)(request - table->entries);
	/* Those behind it that would not be found any more move up. */
	for (size_t i = (hole + 1) & mask; table->entries[i].caller != 0; i = (i + 1) & mask) {
		const struct request *next = &table->entries[i];
		size_t home = home_of(table, next);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			table->entries[hole] = *next;
			hole = i;
		}
	}
	table->entries[hole].caller = 0;
	table->count--;
}

void
request_table_filter(struct request_table *table, request_keep_fn keep, void *ud) {
	struct request_table old = *table;
	*table = (struct request_table){.by_callee = old.by_callee};
	for (size_t i = 0; i < old.capacity; i++) {
		struct request *entry = &old.entries[i];
		if (entry->caller != 0 && keep(ud, entry))
			request_table_put(table, entry);
	}
	skynet_free(old.entries);
}

void
request_table_sweep(struct request_table *table, request_keep_fn keep, void *ud) {
	size_t left = table->capacity / SWEEP_PART;
	if (left < SWEEP_MIN)
		left = table->capacity < SWEEP_MIN ? table->capacity : SWEEP_MIN;
	for (; left > 0 && table->count > 0; left--) {
		struct request *entry = &table->entries[table->next & (table->capacity - 1)];
		if (entry->caller != 0 && !keep(ud, entry))
			request_table_remove(table, entry); /* another may be in its place now */
		else
			table->next++;
	}
	size_t needed = table->count * SPARSE;
	if (table->capacity > CAPACITY_MIN && needed < table->capacity)
		resize(table, needed < CAPACITY_MIN ? CAPACITY_MIN : table->capacity / 2);
}

void
request_table_fini(struct request_table *table) {
	skynet_free(table->entries);
	*table = (struct request_table){.by_callee = table->by_callee};
}
