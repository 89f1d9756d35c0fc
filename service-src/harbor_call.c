#include "harbor_call.h"

#include "skynet_malloc.h"

#define CAPACITY_MIN  64
#define SPARSE        8 /* fewer than one entry in so many: the memory is given back */
#define SWEEP_MIN     1024
#define SWEEP_PART    16 /* of the table, in one sweep */
#define HARBOR_SHIFT  24
#define HASH_MULTIPLE UINT64_C(0x9e3779b97f4a7c15)

struct call_entry {
	uint32_t caller; /* 0: free */
	uint32_t callee;
	int session;
	uint32_t abandoned; /* the round in which the caller gave up, 0 when it has not */
};

static size_t
home_of(const struct call_table *table, uint32_t caller, int session) {
	uint64_t key = (uint64_t)caller << 32 | (uint32_t)session;
	return (size_t)((key * HASH_MULTIPLE) >> 32) & (table->capacity - 1);
}

/* Where the request is, or the free entry where it belongs. */
static struct call_entry *
find(const struct call_table *table, uint32_t caller, int session) {
	size_t i = home_of(table, caller, session);
	for (;;) {
		struct call_entry *entry = &table->entries[i];
		if (entry->caller == 0 || (entry->caller == caller && entry->session == session))
			return entry;
		i = (i + 1) & (table->capacity - 1);
	}
}

static void
resize(struct call_table *table, size_t capacity) {
	struct call_table other = {
		.count = table->count,
		.capacity = capacity,
		.round = table->round,
	};
	other.entries = skynet_calloc(other.capacity, sizeof *other.entries);
	for (size_t i = 0; i < table->capacity; i++) {
		const struct call_entry *entry = &table->entries[i];
		if (entry->caller != 0)
			*find(&other, entry->caller, entry->session) = *entry;
	}
	skynet_free(table->entries);
	*table = other;
}

static void
put(struct call_table *table, const struct call_entry *request) {
	if (table->count * 2 >= table->capacity)
		resize(table, table->capacity == 0 ? CAPACITY_MIN : table->capacity * 2);
	struct call_entry *entry = find(table, request->caller, request->session);
	if (entry->caller == 0)
		table->count++;
	*entry = *request;
}

void
call_table_put(struct call_table *table, uint32_t caller, int session, uint32_t callee) {
	struct call_entry request = {.caller = caller, .callee = callee, .session = session};
	put(table, &request);
}

/* Frees an entry and moves those behind it that would not be found any more. */
static void
erase(struct call_table *table, struct call_entry *entry) {
	size_t mask = table->capacity - 1;
	size_t hole = (size_t)(entry - table->entries);
	for (size_t i = (hole + 1) & mask; table->entries[i].caller != 0; i = (i + 1) & mask) {
		const struct call_entry *next = &table->entries[i];
		size_t home = home_of(table, next->caller, next->session);
		if (((i - home) & mask) >= ((i - hole) & mask)) {
			table->entries[hole] = *next;
			hole = i;
		}
	}
	table->entries[hole].caller = 0;
	table->count--;
}

bool
call_table_take(struct call_table *table, uint32_t caller, int session) {
	if (table->count == 0 || caller == 0)
		return false;
	struct call_entry *entry = find(table, caller, session);
	if (entry->caller == 0)
		return false;
	erase(table, entry);
	return true;
}

void
call_table_abandon(struct call_table *table, uint32_t caller, int session) {
	if (table->count == 0 || caller == 0)
		return;
	struct call_entry *entry = find(table, caller, session);
	if (entry->caller != 0 && entry->abandoned == 0)
		entry->abandoned = table->round + 1;
}

void
call_table_sweep(struct call_table *table, call_over_fn is_over, void *ud) {
	size_t mask = table->capacity - 1;
	size_t left = table->capacity / SWEEP_PART;
	if (left < SWEEP_MIN)
		left = table->capacity < SWEEP_MIN ? table->capacity : SWEEP_MIN;
	table->round++;
	for (; left > 0 && table->count > 0; left--) {
		struct call_entry *entry = &table->entries[table->next & mask];
		uint32_t abandoned =
			entry->abandoned != 0 ? table->round - entry->abandoned + 1 : 0;
		if (entry->caller != 0 &&
			is_over(ud, entry->caller, entry->session, entry->callee, abandoned))
			erase(table, entry); /* another one may be in its place now */
		else
			table->next++;
	}
	size_t needed = table->count * SPARSE;
	if (table->capacity > CAPACITY_MIN && needed < table->capacity)
		resize(table, needed < CAPACITY_MIN ? CAPACITY_MIN : table->capacity / 2);
}

void
call_table_lose(struct call_table *table, int harbor, call_fn lost, void *ud) {
	struct call_table old = *table;
	*table = (struct call_table){.round = old.round};
	for (size_t i = 0; i < old.capacity; i++) {
		const struct call_entry *entry = &old.entries[i];
		if (entry->caller == 0)
			continue;
		if (entry->callee >> HARBOR_SHIFT == (uint32_t)harbor)
			lost(ud, entry->caller, entry->session, entry->callee);
		else
			put(table, entry);
	}
	skynet_free(old.entries);
}

void
call_table_fini(struct call_table *table) {
	skynet_free(table->entries);
	*table = (struct call_table){0};
}
