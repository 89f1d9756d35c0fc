/* Cuts arbitrary bytes into packets twice, whole and in pieces: both ways must find the same, and
 * no packet may be empty or larger than allowed. The first byte says how wide lengths are and how
 * large the pieces.
 */
#include <stdint.h>
#include <stdlib.h>

#include "packet_split.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	size_t packets, bytes;
	uint64_t hash;
};

static void
note(void *ud, const char *packet, size_t size) {
	struct result *result = ud;
	if (size == 0 || size > PACKET_SIZE_MAX)
		abort();
	result->packets++;
	result->bytes += size;
	for (size_t i = 0; i < size; i++)
		result->hash = (result->hash ^ (unsigned char)packet[i]) * UINT64_C(1099511628211);
}

static bool
split(struct result *result, int width, const char *bytes, size_t size, size_t piece) {
	struct packet_split split;
	bool sound = true;
	packet_split_init(&split, width);
	for (size_t at = 0; at < size; at += piece) {
		size_t rest = size - at < piece ? size - at : piece;
		sound = packet_split_push(&split, bytes + at, rest, note, result);
	}
	packet_split_fini(&split);
	return sound;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size < 2)
		return 0;
	int width = data[0] & 1 ? 2 : 4;
	const char *bytes = (const char *)data + 1;
	struct result whole = {0}, pieces = {0};
	bool sound = split(&whole, width, bytes, size - 1, size - 1);
	if (split(&pieces, width, bytes, size - 1, (data[0] >> 1 & 15) + 1u) != sound ||
		whole.packets != pieces.packets || whole.bytes != pieces.bytes ||
		whole.hash != pieces.hash)
		abort();
	return 0;
}
