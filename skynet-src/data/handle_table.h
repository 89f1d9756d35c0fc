/* Handle (harbor << 24 | 24-bit index) to counted object, and local names of handles.
 *
 * handle_table_grab takes no lock. That works because an object never leaves its place: the table
 * owns a pool of fixed-size slots that are reused but not given back before the table is destroyed,
 * so a reader that comes too late still finds an object header, and sees in its word that the
 * handle is another one or that no reference is left. The first member of an object is
 * `struct handle_object`. Everything but grab, hold and drop goes under one lock of
 * LOCK_RANK_HANDLE; the callback runs outside of it.
 */
#ifndef SKYNET_HANDLE_TABLE_H
#define SKYNET_HANDLE_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HANDLE_INDEX_MAX    0xffffffu /* also the mask of the index in a handle */
#define HANDLE_HARBOR_SHIFT 24

struct handle_table;
struct handle_name;

/* Embedded at the start of each object. Only handle_table.c touches the members. */
struct handle_object {
	_Atomic(uint64_t) word;          /* handle << 32 | references */
	uint64_t serial;                 /* order of registration */
	struct handle_name *names;       /* names of this handle, under the table's lock */
	struct handle_object *next_free; /* while in the pool, under the table's lock */
};

/// Called when the last reference of `object` is dropped, on the dropping thread, without a lock.
/// The memory stays valid during the call and goes back to the pool after it.
typedef void (*handle_last_drop_fn)(struct handle_object *object, void *ud);

/// Gives a table for objects of `object_size` bytes (at least sizeof(struct handle_object)) with
/// handles of `harbor` (0..255). End with handle_table_destroy. Never fails.
struct handle_table *handle_table_create(
	size_t object_size, int harbor, handle_last_drop_fn last_drop, void *ud);

/// Frees the table and the memory of all objects. Every object must have been dropped before, and
/// no other thread may be in the table.
void handle_table_destroy(struct handle_table *table);

/// Gives an object with one reference, the caller's, without a handle and unknown to grab. The
/// bytes behind its header are zero; it is aligned to 64. End with handle_table_drop. Any thread.
struct handle_object *handle_table_alloc(struct handle_table *table);

/// Gives `object` a handle and makes it visible; the table takes a reference of its own, that of
/// the caller stays his. At most once per object. Any thread. Returns the handle, 0 when all are in
/// use. Indexes grow from 1 and wrap at HANDLE_INDEX_MAX, so that a freed one comes back late.
uint32_t handle_table_register(struct handle_table *table, struct handle_object *object);

/// Takes `handle` out of the table with all its names and drops the table's reference. Any thread.
/// Returns false when it is not there (retired already, by whoever came first).
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
	/* Relaxed: the upper half was set before the reference could be had. */
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
