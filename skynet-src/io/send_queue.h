/* The bytes that wait to be sent on one socket, in two lists of chunks: those with high priority
 * are sent before those with low priority, but a chunk that was partly sent is finished first.
 * Small high-priority buffers are gathered in one chunk. No locking: the lock of the socket guards
 * it.
 */
#ifndef SKYNET_SEND_QUEUE_H
#define SKYNET_SEND_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "socket_buffer.h"

struct send_chunk;

struct send_list {
	struct send_chunk *head, *tail;
};

struct send_queue {
	struct send_list high, low;
	size_t size; /* bytes in both */
};

/* The bytes of a socket_sendbuffer, and how to free them. */
struct send_bytes {
	const char *data;
	size_t size;
	void *object; /* to be freed by `release`; NULL: the bytes are borrowed */
	void (*release)(void *object);
};

/// Reads a buffer. `object_interface` may be NULL; then user objects have no bytes.
void send_bytes_init(struct send_bytes *bytes, const struct socket_sendbuffer *buffer,
	const struct socket_object_interface *object_interface);

/// Frees the bytes, unless they are borrowed.
void send_bytes_fini(struct send_bytes *bytes);

/// Appends the bytes behind the first `offset`. Takes `bytes`; copies borrowed ones.
void send_queue_push(struct send_queue *queue, struct send_bytes *bytes, size_t offset, bool low);

/// As send_queue_push, with high priority and a destination (borrowed, at most 32 bytes of it).
void send_queue_push_datagram(struct send_queue *queue, struct send_bytes *bytes,
	const void *address, size_t address_size);

/// Fills up to `count` vectors with the next bytes to be sent. Returns how many were filled.
int send_queue_gather(const struct send_queue *queue, struct iovec *vectors, int count);

/// The first datagram and its destination (NULL: the default one). Returns false when there is
/// none.
bool send_queue_first(const struct send_queue *queue, struct iovec *vector, const void **address,
	size_t *address_size);

/// Removes the first `size` bytes, which have been sent.
void send_queue_consume(struct send_queue *queue, size_t size);

/// Removes the first chunk, whatever its size: a datagram.
void send_queue_drop_first(struct send_queue *queue);

/// Drops everything.
void send_queue_clear(struct send_queue *queue);

#endif
