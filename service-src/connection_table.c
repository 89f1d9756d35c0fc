#include "connection_table.h"

#include "skynet_malloc.h"

#define SLOTS_MIN 16

/* Open addressing, at most half full, removal by moving later entries of the run back. */
struct connection_table {
	struct connection **slots; /* power of two */
	size_t mask;
	size_t count;
	size_t limit;
};

static size_t
home(const struct connection_table *table, int id) {
	/* Socket ids count up: multiplied by an odd constant they spread over the high bits. */
	uint32_t hash = (uint32_t)id * UINT32_C(2654435769);
	return (hash ^ hash >> 16) & table->mask;
}

/* The slot of `id`, or the free one where it would go. */
static size_t
slot_of(const struct connection_table *table, int id) {
	size_t slot = home(table, id);
	while (table->slots[slot] != NULL && table->slots[slot]->id != id)
		slot = (slot + 1) & table->mask;
	return slot;
}

struct connection_table *
connection_table_create(size_t limit) {
	struct connection_table *table = skynet_calloc(1, sizeof *table);
	table->slots = skynet_calloc(SLOTS_MIN, sizeof(struct connection *));
	table->mask = SLOTS_MIN - 1;
	table->limit = limit;
	return table;
}

static void
delete_connection(struct connection *connection) {
	packet_split_fini(&connection->split);
	skynet_free(connection);
}

void
connection_table_destroy(struct connection_table *table) {
	if (table == NULL)
		return;
	for (size_t i = 0; i <= table->mask; i++) {
		if (table->slots[i] != NULL)
			delete_connection(table->slots[i]);
	}
	skynet_free(table->slots);
	skynet_free(table);
}

static void
grow(struct connection_table *table) {
	struct connection **old = table->slots;
	size_t old_size = table->mask + 1;
	table->slots = skynet_calloc(old_size * 2, sizeof(struct connection *));
	table->mask = old_size * 2 - 1;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i] != NULL)
			table->slots[slot_of(table, old[i]->id)] = old[i];
	}
	skynet_free(old);
}

struct connection *
connection_table_add(struct connection_table *table, int id, int head_width) {
	if (table->count >= table->limit || connection_table_find(table, id) != NULL)
		return NULL;
	if (table->count * 2 > table->mask)
		grow(table);
	struct connection *connection = skynet_calloc(1, sizeof *connection);
	connection->id = id;
	packet_split_init(&connection->split, head_width);
	table->slots[slot_of(table, id)] = connection;
	table->count++;
	return connection;
}

struct connection *
connection_table_find(const struct connection_table *table, int id) {
	return table->slots[slot_of(table, id)];
}

bool
connection_table_remove(struct connection_table *table, int id) {
	size_t hole = slot_of(table, id);
	if (table->slots[hole] == NULL)
		return false;
	delete_connection(table->slots[hole]);
	table->count--;
	/* An entry may move into the hole when its home is not between the two. */
	for (size_t next = (hole + 1) & table->mask; table->slots[next] != NULL;
		next = (next + 1) & table->mask) {
		size_t distance = (next - home(table, table->slots[next]->id)) & table->mask;
		if (distance >= ((next - hole) & table->mask)) {
			table->slots[hole] = table->slots[next];
			hole = next;
		}
	}
	table->slots[hole] = NULL;
	return true;
}

size_t
connection_table_count(const struct connection_table *table) {
	return table->count;
}

struct connection *
connection_table_any(const struct connection_table *table) {
	for (size_t i = 0; i <= table->mask && table->count > 0; i++) {
		if (table->slots[i] != NULL)
			return table->slots[i];
	}
	return NULL;
}
