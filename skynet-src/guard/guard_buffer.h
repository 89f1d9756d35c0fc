/* Bytes that come and go: appended at the end, taken from the front. A zeroed one is empty. Not
 * thread safe.
 */
#ifndef SKYNET_GUARD_BUFFER_H
#define SKYNET_GUARD_BUFFER_H

#include <stddef.h>

struct guard_buffer {
	char *data; /* skynet_malloc, NULL while nothing was ever needed */
	size_t begin, end, room;
};

static inline size_t
guard_buffer_size(const struct guard_buffer *buffer) {
	return buffer->end - buffer->begin;
}

/// Makes room for `size` more bytes and returns where they go; guard_buffer_grow makes them count.
char *guard_buffer_reserve(struct guard_buffer *buffer, size_t size);
void guard_buffer_grow(struct guard_buffer *buffer, size_t size);

/// Appends a copy. Borrows `bytes`.
void guard_buffer_append(struct guard_buffer *buffer, const void *bytes, size_t size);

/// Removes the first `size` bytes. An empty buffer keeps a small block only.
void guard_buffer_consume(struct guard_buffer *buffer, size_t size);

/// Gives the block, whose bytes begin at its start (skynet_free), and leaves the buffer empty.
/// Stores their count in `*size`. NULL when there are none.
char *guard_buffer_take(struct guard_buffer *buffer, size_t *size);

/// Frees the block; the buffer is empty again.
void guard_buffer_fini(struct guard_buffer *buffer);

#endif
