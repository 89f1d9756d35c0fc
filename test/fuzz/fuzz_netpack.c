/* Feeds netpack with bytes of several connections in pieces, as a reader of sockets would, and
 * checks the frames against a plain model: all bytes of one connection in one array, cut from the
 * front. Input: records of one control byte (connection in the low 2 bits, piece size in the other
 * 6) and the piece; a control byte of 0xff drops connection 3.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netpack.h"
#include "skynet_malloc.h"

#define CONNECTION_COUNT 4
#define DROP             0xff

struct stream {
	uint8_t *bytes;
	size_t size;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next frame that `stream` must yield; its payload is compared and removed. */
static void
expect_frame(struct stream *stream, const struct netpack_frame *frame) {
	assert(stream->size >= NETPACK_HEADER_SIZE);
	size_t whole = (size_t)stream->bytes[0] << 8 | stream->bytes[1];
	assert(whole == frame->size && stream->size >= whole + NETPACK_HEADER_SIZE);
	assert(memcmp(stream->bytes + NETPACK_HEADER_SIZE, frame->data, whole) == 0);
	stream->size -= whole + NETPACK_HEADER_SIZE;
	memmove(stream->bytes, stream->bytes + whole + NETPACK_HEADER_SIZE, stream->size);
}

static void
expect_no_frame(const struct stream *stream) {
	if (stream->size >= NETPACK_HEADER_SIZE) {
		size_t whole = (size_t)stream->bytes[0] << 8 | stream->bytes[1];
		assert(stream->size < whole + NETPACK_HEADER_SIZE);
	}
}

static void
feed(struct netpack *pack, struct stream *stream, int id, const uint8_t *piece, size_t size) {
	stream->bytes = realloc(stream->bytes, stream->size + size + 1);
	assert(stream->bytes != NULL);
	memcpy(stream->bytes + stream->size, piece, size);
	stream->size += size;
	char *block = skynet_malloc(size > 0 ? size : 1);
	memcpy(block, piece, size);
	netpack_feed(pack, id, block, size);
	struct netpack_frame frame;
	while (netpack_pop(pack, &frame)) {
		assert(frame.id == id);
		expect_frame(stream, &frame);
		skynet_free(frame.data);
	}
	expect_no_frame(stream);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct stream streams[CONNECTION_COUNT] = {0};
	struct netpack *pack = netpack_create();
	while (size > 0) {
		uint8_t control = *data++;
		size--;
		int id = control % CONNECTION_COUNT;
		if (control == DROP) {
			netpack_drop(pack, id);
			streams[id].size = 0;
			continue;
		}
		size_t piece = control / CONNECTION_COUNT;
		if (piece > size) {
			piece = size;
		}
		feed(pack, &streams[id], id, data, piece);
		data += piece;
		size -= piece;
	}
	netpack_destroy(pack);
	for (int i = 0; i < CONNECTION_COUNT; i++) {
		free(streams[i].bytes);
	}
	return 0;
}
