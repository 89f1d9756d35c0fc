/* Requests of this node that wait for an answer from another one, so that they can be failed when
 * that node is lost. One thread at a time.
 */
#ifndef SKYNET_HARBOR_CALL_H
#define SKYNET_HARBOR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero it before use. */
struct call_table {
	struct call_entry *entries;
	size_t count, capacity; /* capacity: a power of two, or 0 */
};

typedef void (*call_fn)(void *ud, uint32_t caller, int session, uint32_t callee);

/// Remembers a request; replaces what the same caller and session had. Caller not 0.
void call_table_put(struct call_table *table, uint32_t caller, int session, uint32_t callee);

/// Forgets a request. Returns false when there is none.
bool call_table_take(struct call_table *table, uint32_t caller, int session);

/// Forgets all requests to one harbor, calling `lost` for each. `lost` must not use the table.
void call_table_lose(struct call_table *table, int harbor, call_fn lost, void *ud);

/// Frees the memory.
void call_table_fini(struct call_table *table);

#endif
