/* Frames between the nodes of a harbor network, without sockets: made from a message, and cut from
 * a stream of any pieces. One thread at a time.
 *
 * On the wire: u32 big endian, payload size + 12 (its first byte is 0); payload; source handle;
 * type << 24 | low 24 bits of the destination; session. The three are big endian too.
 */
#ifndef SKYNET_HARBOR_FRAME_H
#define SKYNET_HARBOR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD_SIZE    4
#define FRAME_TRAILER_SIZE 12
#define FRAME_PAYLOAD_MAX  (0xffffff - FRAME_TRAILER_SIZE)

struct harbor_frame {
	uint32_t source;
	uint32_t destination; /* packing: any handle; unpacked: its low 24 bits */
	int type;
	int session;
	size_t size;
	void *payload; /* unpacked: skynet_malloc, with a NUL behind */
};

/* A frame that has not fully arrived. Zero it before use. */
struct frame_reader {
	unsigned char head[FRAME_HEAD_SIZE];
	size_t head_size;
	char *body;
	size_t body_size, body_capacity;
	size_t expected; /* size of the body, 0 while the head is incomplete */
};

/// Takes `frame->payload`. Must not push to or clear the reader.
typedef void (*harbor_frame_fn)(void *ud, const struct harbor_frame *frame);

/// Gives the bytes of a frame (skynet_free). Borrows the payload, of FRAME_PAYLOAD_MAX at most.
char *harbor_frame_pack(const struct harbor_frame *frame, size_t *size);

/// Calls `receive` for each frame that `bytes` complete. Memory grows with what has arrived, not
/// with what is announced. Returns false for a bad length: the stream is useless from there on.
bool frame_reader_push(struct frame_reader *reader, const char *bytes, size_t size,
	harbor_frame_fn receive, void *ud);

/// Forgets an incomplete frame.
void frame_reader_clear(struct frame_reader *reader);

#endif
