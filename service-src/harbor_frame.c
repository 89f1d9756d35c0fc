#include "harbor_frame.h"

#include <string.h>

#include "skynet_malloc.h"

#define HANDLE_MASK    0xffffffu
#define BODY_FIRST_MAX ((size_t)65536) /* what a frame may take before more of it is there */

static void
put_u32(char *to, uint32_t value) {
	for (int i = 0; i < 4; i++)
		to[i] = (char)(unsigned char)(value >> (24 - 8 * i));
}

static uint32_t
get_u32(const char *from) {
	uint32_t value = 0;
	for (int i = 0; i < 4; i++)
		value = value << 8 | (unsigned char)from[i];
	return value;
}

char *
harbor_frame_pack(const struct harbor_frame *frame, size_t *size) {
	*size = FRAME_HEAD_SIZE + frame->size + FRAME_TRAILER_SIZE;
	char *bytes = skynet_malloc(*size);
	put_u32(bytes, (uint32_t)(frame->size + FRAME_TRAILER_SIZE));
	if (frame->size > 0)
		memcpy(bytes + FRAME_HEAD_SIZE, frame->payload, frame->size);
	char *trailer = bytes + FRAME_HEAD_SIZE + frame->size;
	put_u32(trailer, frame->source);
	put_u32(trailer + 4, (uint32_t)frame->type << 24 | (frame->destination & HANDLE_MASK));
	put_u32(trailer + 8, (uint32_t)frame->session);
	return bytes;
}

/* Hands on a frame whose payload is owned, and whose trailer is at `trailer`. */
static void
emit(char *payload, size_t size, const char *trailer, harbor_frame_fn receive, void *ud) {
	uint32_t destination = get_u32(trailer + 4);
	struct harbor_frame frame = {
		.source = get_u32(trailer),
		.destination = destination & HANDLE_MASK,
		.type = (int)(destination >> 24),
		.session = (int)get_u32(trailer + 8),
		.size = size,
		.payload = payload,
	};
	payload[size] = '\0'; /* may be the first byte of the trailer, which has been read */
	receive(ud, &frame);
}

/* A frame that lies completely in the piece at hand: one copy. */
static void
emit_copy(const char *body, size_t body_size, harbor_frame_fn receive, void *ud) {
	size_t size = body_size - FRAME_TRAILER_SIZE;
	char *payload = skynet_malloc(size + 1);
	memcpy(payload, body, size);
	emit(payload, size, body + size, receive, ud);
}

/* Appends to the body. It becomes the message, so its memory is not copied again. */
static size_t
fill_body(struct frame_reader *reader, const char *bytes, size_t size) {
	size_t missing = reader->expected - reader->body_size;
	if (size > missing)
		size = missing;
	size_t needed = reader->body_size + size;
	if (needed > reader->body_capacity) {
		size_t capacity = needed * 2 > BODY_FIRST_MAX ? needed * 2 : BODY_FIRST_MAX;
		if (capacity > reader->expected)
			capacity = reader->expected;
		reader->body = skynet_realloc(reader->body, capacity);
		reader->body_capacity = capacity;
	}
	memcpy(reader->body + reader->body_size, bytes, size);
	reader->body_size = needed;
	return size;
}

static void
emit_body(struct frame_reader *reader, harbor_frame_fn receive, void *ud) {
	char *body = reader->body;
	size_t size = reader->expected - FRAME_TRAILER_SIZE;
	memset(reader, 0, sizeof *reader);
	emit(body, size, body + size, receive, ud);
}

/* Reads the length, maybe in pieces. Returns false when it is out of bounds. */
static bool
fill_head(struct frame_reader *reader, const char **bytes, size_t *size) {
	while (reader->head_size<FRAME_HEAD_SIZE && * size> 0) {
		reader->head[reader->head_size++] = (unsigned char)**bytes;
		++*bytes;
		--*size;
	}
	if (reader->head_size < FRAME_HEAD_SIZE)
		return reader->head[0] == 0;
	reader->expected = get_u32((const char *)reader->head);
	return reader->head[0] == 0 && reader->expected >= FRAME_TRAILER_SIZE;
}

bool
frame_reader_push(struct frame_reader *reader, const char *bytes, size_t size,
	harbor_frame_fn receive, void *ud) {
	while (size > 0) {
		if (reader->expected == 0) {
			if (!fill_head(reader, &bytes, &size))
				return false;
			if (reader->expected == 0 || size == 0)
				break;
		}
		if (reader->body_size == 0 && size >= reader->expected) {
			size_t used = reader->expected;
			reader->expected = 0;
			reader->head_size = 0;
			emit_copy(bytes, used, receive, ud);
			bytes += used;
			size -= used;
			continue;
		}
		size_t used = fill_body(reader, bytes, size);
		bytes += used;
		size -= used;
		if (reader->body_size == reader->expected)
			emit_body(reader, receive, ud);
	}
	return true;
}

void
frame_reader_clear(struct frame_reader *reader) {
	skynet_free(reader->body);
	memset(reader, 0, sizeof *reader);
}
