/* Bytes received from one connection and not read yet: a queue of blocks as they came from the
 * socket.
 *
 * Used by one thread at a time. Reading is linear in the bytes read: a search for a separator goes
 * on where the last one stopped, and runs of small blocks are joined while they arrive, so a peer
 * that sends single bytes costs neither quadratic time nor a block per byte.
 */
#ifndef SKYNET_RECEIVE_BUFFER_H
#define SKYNET_RECEIVE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#define RECEIVE_SEPARATOR_MAX 32

struct receive_block {
	char *data;
	size_t size;
	size_t capacity;
};

/* Embedded by value (in a Lua userdata). All zeros is an empty buffer. */
struct receive_buffer {
	struct receive_block *blocks; /* ring */
	size_t block_count;           /* a power of two, or 0 */
	size_t head;                  /* index of the oldest block */
	size_t used;                  /* blocks in use */
	size_t offset;                /* bytes of the oldest block that were read */
	size_t size;                  /* unread bytes */
	size_t searched;              /* unread bytes in which no separator starts */
	size_t searched_block; /* blocks from the head on that lie wholly before `searched` */
	size_t searched_base;  /* unread bytes in these blocks */
	size_t separator_size; /* the separator that `searched` is about */
	char separator[RECEIVE_SEPARATOR_MAX];
};

/// Makes `buffer` empty without looking at what it holds.
void receive_buffer_init(struct receive_buffer *buffer);

/// Frees all that `buffer` holds; it is empty afterwards.
void receive_buffer_clear(struct receive_buffer *buffer);

/// Appends `size` bytes. Takes `data` (skynet_malloc). Returns the unread bytes.
size_t receive_buffer_push(struct receive_buffer *buffer, char *data, size_t size);

/// Looks for the first `separator` of 1 or more bytes. Borrows it. Stores the bytes before it in
/// `line_size`. Returns false when it is not there yet.
bool receive_buffer_find(struct receive_buffer *buffer, const char *separator,
	size_t separator_size, size_t *line_size);

/// The first `size` unread bytes as one piece, or NULL when they lie in several blocks.
/// `size` must be 1 to buffer->size. Valid until the next call that changes `buffer`.
const char *receive_buffer_peek(const struct receive_buffer *buffer, size_t size);

/// Copies the first `size` unread bytes, at most buffer->size, to `out`.
void receive_buffer_copy(const struct receive_buffer *buffer, char *out, size_t size);

/// Removes the first `size` unread bytes, at most buffer->size.
void receive_buffer_skip(struct receive_buffer *buffer, size_t size);

#endif
