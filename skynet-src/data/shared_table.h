/* Objects of which a process has one each, by key, such as caches that all nodes share. Created at
 * the first request, destroyed with the table in reverse order of creation. Any thread.
 */
#ifndef SKYNET_SHARED_TABLE_H
#define SKYNET_SHARED_TABLE_H

#include <stddef.h>

struct shared_table;

/// Makes an object from `ud`; NULL when it cannot. Runs under the table's lock (LOCK_RANK_SHARED),
/// so it must not ask the same table for another object.
typedef void *(*shared_create_fn)(void *ud);

/// Takes and ends an object. Runs without a lock in shared_table_destroy.
typedef void (*shared_destroy_fn)(void *object);

/// Gives an empty table. End with shared_table_destroy. Never fails.
struct shared_table *shared_table_create(void);

/// Ends all objects, the latest first, and the table. No other thread may be in it.
void shared_table_destroy(struct shared_table *table);

/// The object of `key` (borrowed), made by `create(ud)` when there is none yet; `destroy` may be
/// NULL. Valid until shared_table_destroy. Any thread. Returns NULL when `create` did (and asks it
/// again the next time), or when there is none and `create` is NULL.
void *shared_table_get(struct shared_table *table, const char *key, shared_create_fn create,
	void *ud, shared_destroy_fn destroy);

/// Number of objects. Any thread.
size_t shared_table_count(struct shared_table *table);

#endif
