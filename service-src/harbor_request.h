/* Requests between nodes that wait for an answer: a hash table with open addresses. Putting and
 * taking allocate nothing while their number stays; memory is given back by sweeps. One thread at a
 * time.
 */
#ifndef SKYNET_HARBOR_REQUEST_H
#define SKYNET_HARBOR_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct request {
	uint32_t caller; /* not 0 */
	uint32_t callee;
	int session;
	uint32_t note; /* the user's */
};

/* Zero it before use, but for `by_callee`. */
struct request_table {
	struct request *entries;
	size_t count, capacity; /* capacity: a power of two, or 0 */
	size_t next;            /* where the next sweep begins */
	bool by_callee;         /* one caller and session may be there with several callees */
};

/// Puts a request in; replaces an equal one.
void request_table_put(struct request_table *table, const struct request *request);

/// The request that equals `key`, whose note does not matter and neither does its callee unless the
/// table is by callee; NULL when there is none. Borrowed until the next call.
struct request *request_table_find(const struct request_table *table, const struct request *key);

/// Forgets a request that was found.
void request_table_remove(struct request_table *table, struct request *request);

/// Returns false for a request that is to be forgotten. Must not use the table.
typedef bool (*request_keep_fn)(void *ud, struct request *request);

/// Looks at all requests. The memory suits those that are left.
void request_table_filter(struct request_table *table, request_keep_fn keep, void *ud);

/// Looks at a part of the table, another one each time, and gives back memory that is not needed.
void request_table_sweep(struct request_table *table, request_keep_fn keep, void *ud);

/// Frees the memory.
void request_table_fini(struct request_table *table);

#endif
