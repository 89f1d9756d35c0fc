/* Session numbers to what waits for them. See the header. */
#include "lua_session.h"

#include <stddef.h>

#include "skynet_malloc.h"

#define INITIAL_SIZE 8
#define SHRINK_SIZE  1024

void
session_table_clear(struct session_table *table) {
	skynet_free(table->entries);
	*table = (struct session_table){NULL, 0, 0};
}

/// Where the search for `session` begins. Multiplied by the golden ratio, numbers in sequence, or
/// with a common distance, come to lie at even distances from each other: they do not collide, and
/// do not make long runs either, in which removing would be slow.
static inline uint32_t
home(const struct session_table *table, int session) {
	return (uint32_t)session * 0x9e3779b1u >> __builtin_clz(table->mask);
}

/// The entry of `session`, or the free one where it would go. The table is never full.
static inline struct session_entry *
probe(const struct session_table *table, int session) {
	uint32_t at = home(table, session);
	while (table->entries[at].session != 0 && table->entries[at].session != session)
		at = (at + 1) & table->mask;
	return &table->entries[at];
}

/// Moves all entries into an array of `size`, a power of two.
static void
resize(struct session_table *table, uint32_t size) {
	struct session_table other = {NULL, size - 1, table->count};
	other.entries = skynet_calloc(size, sizeof *other.entries);
	if (table->entries != NULL) {
		for (uint32_t i = 0; i <= table->mask; i++) {
			if (table->entries[i].session != 0)
				*probe(&other, table->entries[i].session) = table->entries[i];
		}
		skynet_free(table->entries);
	}
	*table = other;
}

bool
session_add(struct session_table *table, int session, enum session_kind kind, void *owner) {
	/* At most three quarters full, so that probing stays short. */
	if (table->entries == NULL)
		resize(table, INITIAL_SIZE);
	else if ((table->count + 1) * 4 > (table->mask + 1) * 3)
		resize(table, (table->mask + 1) * 2);
	struct session_entry *entry = probe(table, session);
	if (entry->session != 0)
		return false;
	*entry = (struct session_entry){owner, session, kind};
	table->count++;
	return true;
}

struct session_entry *
session_find(struct session_table *table, int session) {
	if (table->count == 0 || session == 0)
		return NULL;
	struct session_entry *entry = probe(table, session);
	return entry->session != 0 ? entry : NULL;
}

void
session_remove(struct session_table *table, struct session_entry *entry) {
	uint32_t hole = (uint32_t)(entry - table->entries);
	uint32_t at = hole;
	table->count--;
	/* Close the gap: an entry behind it moves up unless it would land before its home. */
	for (;;) {
		at = (at + 1) & table->mask;
		if (table->entries[at].session == 0)
			break;
		uint32_t from = home(table, table->entries[at].session);
		if (((at - from) & table->mask) >= ((at - hole) & table->mask)) {
			table->entries[hole] = table->entries[at];
			hole = at;
		}
	}
	table->entries[hole].session = 0;
	/* Give memory back after a burst. */
	if (table->mask >= SHRINK_SIZE && table->count < table->mask / 8)
		resize(table, (table->mask + 1) / 2);
}
