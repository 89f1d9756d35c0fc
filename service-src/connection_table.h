/* The connections of a gate, found by their socket id. One thread at a time. A connection stays
 * where it is in memory until it is removed; the table grows with what is in it, up to a limit.
 */
#ifndef SKYNET_CONNECTION_TABLE_H
#define SKYNET_CONNECTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet_split.h"

struct connection {
	int id;          /* of the socket */
	bool closing;    /* closed by us, CLOSE is on its way: what still comes is dropped */
	uint32_t agent;  /* who gets the packets, 0: the watchdog */
	uint32_t client; /* source of those packets */
	struct packet_split split;
};

struct connection_table;

/// Gives an empty table for at most `limit` connections; end it with connection_table_destroy.
struct connection_table *connection_table_create(size_t limit);

/// Ends the table and all connections in it.
void connection_table_destroy(struct connection_table *table);

/// Adds a connection with an initialised `split`. Returns NULL when the table is full or has that
/// id.
struct connection *connection_table_add(struct connection_table *table, int id, int head_width);

/// The connection of that socket, or NULL. Valid until it is removed.
struct connection *connection_table_find(const struct connection_table *table, int id);

/// Removes and ends a connection. Returns false when there is none.
bool connection_table_remove(struct connection_table *table, int id);

/// How many there are, and one of them (NULL when empty): to empty the table one by one.
size_t connection_table_count(const struct connection_table *table);
struct connection *connection_table_any(const struct connection_table *table);

#endif
