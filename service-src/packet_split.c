#include "packet_split.h"

#include <stdint.h>
#include <string.h>

#include "skynet_malloc.h"

#define PARTIAL_MIN 256

void
packet_split_init(struct packet_split *split, int head_width) {
	*split = (struct packet_split){.head_width = head_width};
}

void
packet_split_fini(struct packet_split *split) {
	skynet_free(split->partial);
	*split = (struct packet_split){.broken = true};
}

static size_t
head_value(const struct packet_split *split) {
	uint32_t value = 0;
	for (int i = 0; i < split->head_width; i++)
		value = value << 8 | split->head[i];
	return value;
}

/* Takes bytes of a head. Returns how many it used. */
static size_t
push_head(struct packet_split *split, const char *bytes, size_t size) {
	size_t used = 0;
	while (used < size && split->head_count < split->head_width)
		split->head[split->head_count++] = (unsigned char)bytes[used++];
	if (split->head_count < split->head_width)
		return used;
	split->wanted = head_value(split);
	if (split->wanted > PACKET_SIZE_MAX)
		split->broken = true;
	else if (split->wanted == 0)
		split->head_count = 0;
	return used;
}

static void
keep(struct packet_split *split, const char *bytes, size_t size) {
	size_t needed = split->partial_size + size;
	if (needed > split->partial_capacity) {
		size_t capacity = needed < PARTIAL_MIN ? PARTIAL_MIN : needed + needed / 2;
		split->partial_capacity = capacity < split->wanted ? capacity : split->wanted;
		split->partial = skynet_realloc(split->partial, split->partial_capacity);
	}
	memcpy(split->partial + split->partial_size, bytes, size);
	split->partial_size = needed;
}

static void
end_packet(struct packet_split *split) {
	skynet_free(split->partial);
	split->partial = NULL;
	split->partial_size = 0;
	split->partial_capacity = 0;
	split->head_count = 0;
}

/* Takes bytes of a packet. Returns how many it used. */
static size_t
push_body(struct packet_split *split, const char *bytes, size_t size, packet_split_fn packet,
	void *ud) {
	size_t missing = split->wanted - split->partial_size;
	if (size < missing) {
		keep(split, bytes, size);
		return size;
	}
	if (split->partial_size == 0)
		packet(ud, bytes, missing);
	else {
		keep(split, bytes, missing);
		packet(ud, split->partial, split->wanted);
	}
	end_packet(split);
	return missing;
}

bool
packet_split_push(struct packet_split *split, const char *bytes, size_t size,
	packet_split_fn packet, void *ud) {
	size_t used = 0;
	while (used < size && !split->broken) {
		if (split->head_count < split->head_width)
			used += push_head(split, bytes + used, size - used);
		else
			used += push_body(split, bytes + used, size - used, packet, ud);
	}
	return !split->broken;
}
