#include "harbor_served.h"

#include "skynet_malloc.h"

#define CAPACITY_MIN  64
#define SPARSE        8    /* fewer than one entry in so many: the memory is given back */
#define SWEEP_PART    1024 /* places in one sweep */
#define HARBOR_SHIFT  24
#define HASH_MULTIPLE UINT64_C(0x9e3779b97f4a7c15)

struct served_entry {
	uint32_t caller; /* 0: free */
	uint32_t callee;
	int session;
	bool late;
};

static size_t
home_of(const struct served_table *table, const struct served_entry *key) {
	uint64_t mixed = ((uint64_t)key->caller << 32 | (uint32_t)key->session) ^ key->callee;
	return (size_t)((mixed * HASH_MULTIPLE) >> 32) & (table->capacity - 1);
}

/* Where the request is, or the free entry where it belongs. */
static struct served_entry *
find(const struct served_table *table, const struct served_entry *key) {
	size_t i = home_of(table, key);
	for (;;) {
		struct served_entry *entry = &table->entries[i];
		if (entry->caller == 0 ||
			(entry->caller == key->caller && entry->session == key->session &&
				entry->callee == key->callee))
			return entry;
		i = (i + 1) & (table->capacity - 1);
	}
}

static void
resize(struct served_table *table, size_t capacity) {
	struct served_table other = *table;
	other.capacity = capacity;
	other.entries = skynet_calloc(capacity, sizeof *other.entries);
	for (size_t i = 0; i < table->capacity; i++) {
		const struct served_entry *entry = &table->entries[i];
		if (entry->caller != 0)
			*find(&other, entry) = *entry;
	}
	skynet_free(table->entries);
	*table = other;
}

void
served_table_put(struct served_table *table, uint32_t caller, int session, uint32_t callee) {
	struct served_entry request = {.caller = caller, .callee = callee, .session = session};
	if (table->count >= SERVED_MAX)
		return;
	if (table->count * 2 >= table->capacity)
		resize(table, table->capacity == 0 ? CAPACITY_MIN : table->capacity * 2);
	struct served_entry *entry = find(table, &request);
	if (entry->caller == 0)
		table->count++;
	*entry = request;
}

/* Frees an entry and moves those behind it that would not be found any more. */
static void
erase(struct served_table *table, struct served_entry *entry) {
	size_t mask = table->capacity - 1;
	size_t hole = (size_t)(entry - table->entries);
	for (size_t i = (hole + 1) & mask; table->entries[i].caller != 0; i = (i + 1) & mask) {
		const struct served_entry *next = &table->entries[i];
		size_t home = home_of(table, next);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			table->entries[hole] = *next;
			hole = i;
		}
	}
	table->entries[hole].caller = 0;
	table->count--;
}

bool
served_table_answer(struct served_table *table, uint32_t caller, int session, uint32_t callee) {
	struct served_entry key = {.caller = caller, .callee = callee, .session = session};
	if (table->count == 0)
		return true;
	struct served_entry *entry = find(table, &key);
	if (entry->caller == 0)
		return true;
	bool late = entry->late;
	table->late += late;
	erase(table, entry);
	return !late;
}

void
served_table_lose(struct served_table *table, int harbor) {
	for (size_t i = 0; i < table->capacity; i++) {
		struct served_entry *entry = &table->entries[i];
		if (entry->caller != 0 && entry->caller >> HARBOR_SHIFT == (uint32_t)harbor)
			entry->late = true;
	}
}

void
served_table_sweep(struct served_table *table, served_gone_fn is_gone, void *ud) {
	size_t left = table->capacity < SWEEP_PART ? table->capacity : SWEEP_PART;
	for (; left > 0 && table->count > 0; left--) {
		struct served_entry *entry = &table->entries[table->next & (table->capacity - 1)];
		if (entry->caller != 0 && is_gone(ud, entry->callee))
			erase(table, entry); /* another one may be in its place now */
		else
			table->next++;
	}
	if (table->capacity > CAPACITY_MIN && table->count * SPARSE < table->capacity)
		resize(table, table->capacity / 2);
}

void
served_table_fini(struct served_table *table) {
	skynet_free(table->entries);
	*table = (struct served_table){0};
}
