#include "harbor_frame.h"

#include <string.h>

#include "skynet_handle.h"
#include "skynet_malloc.h"

#define SIZE_MASK      0xffffffu
#define NUMBER_SIZE    4
#define BODY_FIRST_MAX ((size_t)65536) /* what a frame may take before more of it is there */

/* First byte of a frame. */
enum frame_kind { KIND_WHOLE, KIND_PART, KIND_BEGIN };

static void
put_u32(char *to, uint32_t value) {
	for (int i = 0; i < 4; i++)
		to[i] = (char)(unsigned char)(value >> (24 - 8 * i));
}

static uint32_t
get_u32(const void *from) {
	const unsigned char *bytes = from;
	uint32_t value = 0;
	for (int i = 0; i < 4; i++)
		value = value << 8 | bytes[i];
	return value;
}

/* ---- packing ---- */

void
harbor_frame_put_head(char *bytes, const struct harbor_frame *frame) {
	put_u32(bytes, (uint32_t)(frame->size + FRAME_TRAILER_SIZE));
}

void
harbor_frame_put_trailer(char *bytes, const struct harbor_frame *frame) {
	put_u32(bytes, frame->source);
	put_u32(bytes + 4, (uint32_t)frame->type << 24 | (frame->destination & HANDLE_MASK));
	put_u32(bytes + 8, (uint32_t)frame->session);
}

void
harbor_frame_put(char *bytes, const struct harbor_frame *frame) {
	harbor_frame_put_head(bytes, frame);
	if (frame->size > 0)
		memcpy(bytes + FRAME_HEAD_SIZE, frame->payload, frame->size);
	harbor_frame_put_trailer(bytes + FRAME_HEAD_SIZE + frame->size, frame);
}

void
harbor_frame_put_begin(char *bytes, uint32_t number, const struct harbor_frame *frame) {
	put_u32(bytes, (uint32_t)KIND_BEGIN << 24 | (FRAME_BEGIN_SIZE - FRAME_HEAD_SIZE));
	put_u32(bytes + FRAME_HEAD_SIZE, number);
	put_u32(bytes + FRAME_PART_HEAD, (uint32_t)frame->size);
	harbor_frame_put_trailer(bytes + FRAME_PART_HEAD + 4, frame);
}

void
harbor_frame_put_part(char *bytes, uint32_t number, size_t size) {
	put_u32(bytes, (uint32_t)KIND_PART << 24 | (uint32_t)(size + NUMBER_SIZE));
	put_u32(bytes + FRAME_HEAD_SIZE, number);
}

/* ---- whole frames ---- */

static void
read_trailer(struct harbor_frame *frame, const void *trailer) {
	const char *bytes = trailer;
	uint32_t destination = get_u32(bytes + 4);
	frame->source = get_u32(bytes);
	frame->destination = destination & HANDLE_MASK;
	frame->type = (int)(destination >> 24);
	frame->session = (int)get_u32(bytes + 8);
}

/* Hands on a frame whose payload is owned, and whose trailer is at `trailer`. */
static void
emit(char *payload, size_t size, const char *trailer, harbor_frame_fn receive, void *ud) {
	struct harbor_frame frame = {.size = size, .payload = payload};
	read_trailer(&frame, trailer);
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
end_frame(struct frame_reader *reader) {
	reader->body = NULL;
	reader->body_size = reader->body_capacity = 0;
	reader->expected = reader->head_size = 0;
}

/* Takes bytes of the body. Returns how many it used. */
static size_t
push_body(struct frame_reader *reader, const char *bytes, size_t size, harbor_frame_fn receive,
	void *ud) {
	size_t expected = reader->expected;
	if (reader->body_size == 0 && size >= expected) {
		end_frame(reader);
		emit_copy(bytes, expected, receive, ud);
		return expected;
	}
	size_t used = fill_body(reader, bytes, size);
	if (reader->body_size == expected) {
		char *body = reader->body;
		end_frame(reader);
		size = expected - FRAME_TRAILER_SIZE;
		emit(body, size, body + size, receive, ud);
	}
	return used;
}

/* ---- parts ---- */

static struct frame_join *
find_join(const struct frame_reader *reader, uint32_t number) {
	for (size_t i = 0; i < reader->join_count; i++)
		if (reader->joins[i].number == number)
			return &reader->joins[i];
	return NULL;
}

/* Returns false when the message cannot be. */
static bool
begin_join(struct frame_reader *reader) {
	uint32_t number = get_u32(reader->head + FRAME_HEAD_SIZE);
	uint32_t total = get_u32(reader->head + FRAME_PART_HEAD);
	if (total == 0 || total > FRAME_PAYLOAD_MAX || reader->join_count == FRAME_JOIN_MAX ||
		find_join(reader, number) != NULL)
		return false;
	if (reader->joins == NULL)
		reader->joins = skynet_malloc(FRAME_JOIN_MAX * sizeof *reader->joins);
	struct frame_join *join = &reader->joins[reader->join_count++];
	*join = (struct frame_join){.number = number, .payload.total = total};
	read_trailer(&join->frame, reader->head + FRAME_PART_HEAD + 4);
	reader->head_size = 0;
	return true;
}

/* Returns false when no message misses the part. */
static bool
begin_part(struct frame_reader *reader, size_t size) {
	struct frame_join *join = find_join(reader, get_u32(reader->head + FRAME_HEAD_SIZE));
	if (join == NULL || size == 0 || size > join->payload.total - join->payload.size)
		return false;
	reader->join = join;
	reader->part_left = size;
	reader->head_size = 0;
	return true;
}

/* Takes bytes of a part. Returns how many it used. */
static size_t
push_part(struct frame_reader *reader, const char *bytes, size_t size, harbor_frame_fn receive,
	void *ud) {
	struct frame_join *join = reader->join;
	if (size > reader->part_left)
		size = reader->part_left;
	/* It fits: begin_part has compared. */
	payload_join_add(&join->payload, bytes, size);
	reader->part_left -= size;
	lane_confirm_part(&reader->confirm, size);
	if (reader->part_left > 0)
		return size;
	reader->join = NULL;
	if (join->payload.size < join->payload.total)
		return size;
	struct harbor_frame frame = join->frame;
	frame.joined = true;
	frame.payload = join->payload.data;
	frame.size = join->payload.size;
	*join = reader->joins[--reader->join_count];
	receive(ud, &frame);
	return size;
}

/* ---- stream ---- */

/* The size of a head, as far as it can be told by now. */
static size_t
head_wanted(const struct frame_reader *reader) {
	if (reader->head_size == 0 || reader->head[0] == KIND_WHOLE)
		return FRAME_HEAD_SIZE;
	return reader->head[0] == KIND_PART ? FRAME_PART_HEAD : FRAME_BEGIN_SIZE;
}

/* The head is complete. Returns false when it is bad. */
static bool
take_head(struct frame_reader *reader) {
	size_t size = get_u32(reader->head) & SIZE_MASK;
	switch (reader->head[0]) {
	case KIND_WHOLE:
		reader->expected = size;
		return size >= FRAME_TRAILER_SIZE;
	case KIND_PART:
		return size > NUMBER_SIZE && begin_part(reader, size - NUMBER_SIZE);
	default:
		return size == FRAME_BEGIN_SIZE - FRAME_HEAD_SIZE && begin_join(reader);
	}
}

/* Takes bytes of a head, which may come in pieces. Returns how many, 0 when it is bad. */
static size_t
push_head(struct frame_reader *reader, const char *bytes, size_t size) {
	unsigned char last_kind = reader->takes_parts ? KIND_BEGIN : KIND_WHOLE;
	size_t used = 0;
	while (used < size && reader->head_size < head_wanted(reader))
		reader->head[reader->head_size++] = (unsigned char)bytes[used++];
	if (reader->head[0] > last_kind)
		return 0;
	if (reader->head_size == head_wanted(reader) && !take_head(reader))
		return 0;
	return used;
}

bool
frame_reader_push(struct frame_reader *reader, const char *bytes, size_t size,
	harbor_frame_fn receive, void *ud) {
	while (size > 0) {
		size_t used;
		if (reader->join != NULL)
			used = push_part(reader, bytes, size, receive, ud);
		else if (reader->expected > 0)
			used = push_body(reader, bytes, size, receive, ud);
		else
			used = push_head(reader, bytes, size);
		if (used == 0)
			return false;
		bytes += used;
		size -= used;
	}
	return true;
}

void
frame_reader_clear(struct frame_reader *reader) {
	skynet_free(reader->body);
	for (size_t i = 0; i < reader->join_count; i++)
		skynet_free(reader->joins[i].payload.data);
	skynet_free(reader->joins);
	memset(reader, 0, sizeof *reader);
}
