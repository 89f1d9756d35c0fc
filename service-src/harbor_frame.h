/* Frames between the nodes of a harbor network, without sockets: made from a message, and cut from
 * a stream of any pieces. One thread at a time.
 *
 * On the wire: u32 big endian, payload size + 12 (its first byte is 0); payload; source handle;
 * type << 24 | low 24 bits of the destination; session. The three are big endian too.
 *
 * To a node that has said that it takes parts (docs/harbor.md) a large message goes as a begin
 * frame and part frames, between which others may stand: first byte 2 or 1, u24 size of what
 * follows, u32 number of the message; then u32 payload size and source to session as above, or
 * bytes of the payload.
 */
#ifndef SKYNET_HARBOR_FRAME_H
#define SKYNET_HARBOR_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane_confirm.h"
#include "payload_join.h"

#define FRAME_HEAD_SIZE    4
#define FRAME_TRAILER_SIZE 12
#define FRAME_PAYLOAD_MAX  (0xffffff - FRAME_TRAILER_SIZE)
#define FRAME_PART_HEAD    8
#define FRAME_BEGIN_SIZE   (FRAME_PART_HEAD + 4 + FRAME_TRAILER_SIZE)
#define FRAME_JOIN_MAX     16 /* messages of which parts may be missing at the same time */

struct harbor_frame {
	uint32_t source;
	uint32_t destination; /* packing: any handle; unpacked: its low 24 bits */
	int type;
	int session;
	bool joined; /* unpacked: it has come in parts */
	size_t size;
	void *payload; /* unpacked: skynet_malloc, with a NUL behind */
};

/* A message of which parts are missing. */
struct frame_join {
	uint32_t number;
	struct harbor_frame frame;
	struct payload_join payload;
};

/* Frames that have not fully arrived. Zero it before use. */
struct frame_reader {
	bool takes_parts; /* the other end has been told so */
	unsigned char head[FRAME_BEGIN_SIZE];
	size_t head_size;
	char *body;
	size_t body_size, body_capacity;
	size_t expected;          /* size of the body, 0 while the head is incomplete */
	struct frame_join *joins; /* FRAME_JOIN_MAX; those in use first. NULL: none ever */
	size_t join_count;
	struct frame_join *join;     /* whose part is coming; NULL: no part */
	size_t part_left;            /* bytes of it */
	struct lane_confirm confirm; /* parts that have come; the owner adds what is small */
};

/// Takes `frame->payload`. Must not push to or clear the reader.
typedef void (*harbor_frame_fn)(void *ud, const struct harbor_frame *frame);

/// The size of a frame with `size` bytes of payload.
static inline size_t
harbor_frame_size(size_t size) {
	return FRAME_HEAD_SIZE + size + FRAME_TRAILER_SIZE;
}

/// Writes harbor_frame_size bytes. The payload, of FRAME_PAYLOAD_MAX at most, is only read.
void harbor_frame_put(char *bytes, const struct harbor_frame *frame);

/// Writes what stands in front of the payload, and what stands behind it.
void harbor_frame_put_head(char *bytes, const struct harbor_frame *frame);
void harbor_frame_put_trailer(char *bytes, const struct harbor_frame *frame);

/// Writes a begin frame, FRAME_BEGIN_SIZE bytes, of message `number`.
void harbor_frame_put_begin(char *bytes, uint32_t number, const struct harbor_frame *frame);

/// Writes the head of a part, FRAME_PART_HEAD bytes, for `size` bytes of payload, not 0.
void harbor_frame_put_part(char *bytes, uint32_t number, size_t size);

/// Calls `receive` for each message that `bytes` complete. Memory grows with what has arrived, not
/// with what is announced. Returns false for a bad length, and for parts that do not fit or were
/// not asked for: the stream is useless from there on.
bool frame_reader_push(struct frame_reader *reader, const char *bytes, size_t size,
	harbor_frame_fn receive, void *ud);

/// Forgets what is incomplete.
void frame_reader_clear(struct frame_reader *reader);

#endif
