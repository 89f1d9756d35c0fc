/* Cuts a stream of bytes into packets with a big-endian length in front, 2 or 4 bytes wide.
 *
 * Bytes are hostile: an announced length is checked before anything is kept, and memory grows only
 * with bytes that have come. A packet that lies whole in one piece of input is not copied.
 */
#ifndef SKYNET_PACKET_SPLIT_H
#define SKYNET_PACKET_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#define PACKET_SIZE_MAX (16 * 1024 * 1024 - 1)
#define PACKET_HEAD_MAX 4

struct packet_split {
	unsigned char head[PACKET_HEAD_MAX];
	int head_width; /* 2 or 4 */
	int head_count; /* bytes of the head that have come */
	size_t wanted;  /* size of the packet whose head is complete */
	char *partial;  /* its bytes so far */
	size_t partial_size, partial_capacity;
	bool broken; /* a length was out of bounds: nothing can be found any more */
};

/// Receives one packet, 1 to PACKET_SIZE_MAX bytes, borrowed.
typedef void (*packet_split_fn)(void *ud, const char *packet, size_t size);

/// `head_width` is 2 or 4. End with packet_split_fini.
void packet_split_init(struct packet_split *split, int head_width);
void packet_split_fini(struct packet_split *split);

/// Takes in `size` bytes (borrowed) and calls `packet` for each packet that they complete; empty
/// ones are skipped. Returns true, or false from the moment on that a length exceeds
/// PACKET_SIZE_MAX.
bool packet_split_push(struct packet_split *split, const char *bytes, size_t size,
	packet_split_fn packet, void *ud);

#endif
