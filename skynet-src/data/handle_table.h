/* Maps handles (harbor << HANDLE_REMOTE_SHIFT | index) to reference-counted objects, and local
 * names to handles.
 *
 * handle_table_grab takes no lock. This is safe because the memory of objects comes from a pool of
 * the table and is reused, but not freed before the table is destroyed. So a reader that comes too
 * late still finds an object header; its `word` tells that the handle is another one, or that no
 * reference is left. The first member of an object is `struct handle_object`. All functions but
 * grab, hold and drop take a lock of LOCK_RANK_HANDLE; the callback runs outside of it.
 */
#ifndef SKYNET_HANDLE_TABLE_H
#define SKYNET_HANDLE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet_handle.h"

struct handle_table;
struct handle_name;

/* Embedded at the start of each object. Only handle_table.c touches the members. */
struct handle_object {
	_Atomic(uint64_t) word;          /* handle << 32 | references */
	uint64_t serial;                 /* order of registration */
	struct handle_name *names;       /* names of this handle, under the table's lock */
	struct handle_object *next_free; /* while in the pool, under the table's lock */
};

/// Called when the last reference to `object` was dropped, on the thread that dropped it, without a
/// lock. After the call the memory goes back to the pool.
typedef void (*handle_last_drop_fn)(struct handle_object *object, void *ud);

/// Gives a table for objects of `object_size` bytes (at least sizeof(struct handle_object)) with
/// handles of `harbor` (0..255). End with handle_table_destroy. Never fails.
struct handle_table *handle_table_create(
	size_t object_size, int harbor, handle_last_drop_fn last_drop, void *ud);

/// Frees the table and the memory of all objects. Every object must have been dropped before, and
/// no other thread may be in the table.
void handle_table_destroy(struct handle_table *table);

/// Gives a new object without a handle, so that grab cannot find it, with one reference, which is
/// the caller's. The bytes behind its header are zero; it is aligned to 64 bytes. End with
/// handle_table_drop. Any thread.
struct handle_object *handle_table_alloc(struct handle_table *table);

/// Gives `object` a handle, by which grab finds it from now on. The table adds a reference of its
/// own; the caller keeps its reference. At most once per object. Any thread. Returns the handle, or
/// 0 when all are in use. Indexes are used in rising order from 1 and begin again after
/// HANDLE_MASK, so that it takes long until a handle is used again.
uint32_t handle_table_register(struct handle_table *table, struct handle_object *object);

/// Takes `handle` out of the table with all its names and drops the table's reference. Any thread.
/// Returns false when it is not there, because it has been retired before.
bool handle_table_retire(struct handle_table *table, uint32_t handle);

/// Gives one reference to the object of `handle`, or NULL. End with handle_table_drop. Any thread;
/// no lock.
struct handle_object *handle_table_grab(struct handle_table *table, uint32_t handle);

/// Takes one more reference to an object of which the caller has one. Any thread; no lock.
void handle_table_hold(struct handle_object *object);

/// Drops one reference; the last one calls the table's callback. Any thread; no lock but for the
/// last.
void handle_table_drop(struct handle_table *table, struct handle_object *object);

/// Handle of an object of which the caller has a reference; 0 before it is registered. Any thread.
static inline uint32_t
handle_object_handle(const struct handle_object *object) {
	/* Relaxed: the handle was stored before the caller could get its reference. */
	return (uint32_t)(atomic_load_explicit(&object->word, memory_order_relaxed) >> 32);
}

/// Number of handles in the table. Any thread.
size_t handle_table_count(struct handle_table *table);

/// Gives the handles in the table in the order of their registration, end with skynet_free, and
/// stores how many there are; NULL when there are none. Any thread.
uint32_t *handle_table_list(struct handle_table *table, size_t *count);

/// Binds `name` (without its dot; borrowed, copied) to `handle`, which need not exist. Any thread.
/// Returns the stored name, valid until the handle is retired or the table destroyed; NULL when the
/// name is taken.
const char *handle_table_name(struct handle_table *table, const char *name, uint32_t handle);

/// Handle that has `name` (without its dot, borrowed), 0 when none. Any thread.
uint32_t handle_table_find_name(struct handle_table *table, const char *name);

/// Copies a name of `handle` to `buffer`, cut to `size` bytes with the NUL. Any thread.
/// Returns false when it has none.
bool handle_table_name_of(struct handle_table *table, uint32_t handle, char *buffer, size_t size);

#endif
