/* Reads arbitrary bytes as a stream between harbors twice, whole and in pieces: both ways must find
 * the same messages, with parts and without. The first byte says how large the pieces are.
 */
#include <stdint.h>
#include <stdlib.h>

#include "harbor_frame.h"
#include "skynet_malloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	size_t frames;
	uint64_t hash;
	bool sound;
};

static void
note(void *ud, const struct harbor_frame *frame) {
	struct result *result = ud;
	const unsigned char *payload = frame->payload;
	if (frame->size > FRAME_PAYLOAD_MAX || payload[frame->size] != '\0')
		abort();
	result->frames++;
	result->hash += (uint64_t)frame->source * 3 + frame->destination * 5u +
			(uint64_t)frame->type * 7 + (uint32_t)frame->session * 11u;
	for (size_t i = 0; i < frame->size; i++)
		result->hash = (result->hash ^ payload[i]) * UINT64_C(1099511628211);
	skynet_free(frame->payload);
}

static void
read_stream(struct result *result, const char *bytes, size_t size, size_t piece, bool takes_parts) {
	struct frame_reader reader = {.takes_parts = takes_parts};
	result->sound = true;
	for (size_t at = 0; at < size && result->sound; at += piece) {
		size_t rest = size - at < piece ? size - at : piece;
		result->sound = frame_reader_push(&reader, bytes + at, rest, note, result);
	}
	if (reader.join_count > FRAME_JOIN_MAX || reader.confirm.size > size)
		abort();
	frame_reader_clear(&reader);
}

static void
compare(const uint8_t *data, size_t size, bool takes_parts) {
	struct result whole = {0}, pieces = {0};
	const char *bytes = (const char *)data + 1;
	read_stream(&whole, bytes, size - 1, size - 1, takes_parts);
	read_stream(&pieces, bytes, size - 1, (size_t)data[0] + 1, takes_parts);
	if (whole.sound != pieces.sound || whole.frames != pieces.frames ||
		whole.hash != pieces.hash)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2)
		return 0;
	compare(data, size, false);
	compare(data, size, true);
	return 0;
}
