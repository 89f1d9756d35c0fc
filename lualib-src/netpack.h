/* Frames of 2-byte big-endian length + payload, cut out of the byte streams of many connections.
 *
 * A netpack belongs to one service and is used by one thread at a time. It holds, for each
 * connection, at most one unfinished frame (memory grows with the bytes that have arrived, never
 * with the length that a peer announces), and one queue of finished frames in the order in which
 * they were completed.
 */
#ifndef SKYNET_NETPACK_H
#define SKYNET_NETPACK_H

#include <stdbool.h>
#include <stddef.h>

#define NETPACK_HEADER_SIZE 2
#define NETPACK_PAYLOAD_MAX 0xffff

struct netpack;

/* A finished frame. `data` is never NULL, also for an empty payload; skynet_malloc. */
struct netpack_frame {
	int id;
	char *data;
	size_t size;
};

/// Gives an empty netpack; end it with netpack_destroy.
struct netpack *netpack_create(void);

/// Frees `pack` with everything it holds. NULL is allowed.
void netpack_destroy(struct netpack *pack);

/// Adds `size` bytes that connection `id` received. Takes `data` (skynet_malloc; may be NULL when
/// `size` is 0). Finished frames go to the queue; the caller takes them with netpack_pop.
/// Returns the number of frames in the queue.
size_t netpack_feed(struct netpack *pack, int id, char *data, size_t size);

/// Moves the oldest finished frame to `frame`, whose data the caller then owns.
/// Returns false when there is none.
bool netpack_pop(struct netpack *pack, struct netpack_frame *frame);

/// Forgets the unfinished frame of connection `id`; its finished ones stay queued.
void netpack_drop(struct netpack *pack, int id);

/// Frees all unfinished and finished frames.
void netpack_clear(struct netpack *pack);

/// Gives a new block with header and payload, or NULL when `size` is above NETPACK_PAYLOAD_MAX.
/// Borrows `data`. The block has NETPACK_HEADER_SIZE + size bytes.
char *netpack_encode(const void *data, size_t size);

#endif
