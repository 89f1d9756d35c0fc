/* Frames that have not fully arrived are in a hash table, by the id of their connection: chained,
 * and doubled when it is full. Complete ones wait in a ring. One thread at a time.
 */
#include "netpack.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "skynet_malloc.h"

#define BUCKET_COUNT_MIN 16
#define RING_COUNT_MIN   16
#define PARTIAL_SIZE_MIN 64
#define RING_COUNT_KEEP  1024

/* What has come of a frame: bytes of the header, then of the payload. */
struct partial {
	struct partial *next;
	int id;
	unsigned char header[NETPACK_HEADER_SIZE];
	size_t header_size; /* bytes of it that have come */
	size_t size;        /* bytes of the payload that have come */
	size_t capacity;
	char *data;
};

struct netpack {
	struct partial **buckets;
	size_t bucket_count; /* a power of two */
	size_t partial_count;
	struct netpack_frame *ring;
	size_t ring_count; /* a power of two */
	size_t ring_head;
	size_t ring_used;
};

static size_t
decode_size(const unsigned char *header) {
	return (size_t)header[0] << 8 | header[1];
}

struct netpack *
netpack_create(void) {
	struct netpack *pack = skynet_calloc(1, sizeof(*pack));
	pack->bucket_count = BUCKET_COUNT_MIN;
	pack->buckets = skynet_calloc(pack->bucket_count, sizeof(*pack->buckets));
	pack->ring_count = RING_COUNT_MIN;
	pack->ring = skynet_calloc(pack->ring_count, sizeof(*pack->ring));
	return pack;
}

void
netpack_destroy(struct netpack *pack) {
	if (pack == NULL)
		return;
	netpack_clear(pack);
	skynet_free(pack->buckets);
	skynet_free(pack->ring);
	skynet_free(pack);
}

static void
partial_free(struct partial *partial) {
	skynet_free(partial->data);
	skynet_free(partial);
}

/* The pointer to the unfinished frame of connection `id`; when there is none, the NULL at the end
 * of the chain that it would be in. */
static struct partial **
find_link(struct netpack *pack, int id) {
	struct partial **link = &pack->buckets[(uint32_t)id & (pack->bucket_count - 1)];
	while (*link != NULL && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

static void
grow_buckets(struct netpack *pack) {
	struct partial **old = pack->buckets;
	size_t old_count = pack->bucket_count;
	pack->bucket_count = old_count * 2;
	pack->buckets = skynet_calloc(pack->bucket_count, sizeof(*pack->buckets));
	for (size_t i = 0; i < old_count; i++) {
		while (old[i] != NULL) {
			struct partial *partial = old[i];
			old[i] = partial->next;
			struct partial **link = find_link(pack, partial->id);
			partial->next = NULL;
			*link = partial;
		}
	}
	skynet_free(old);
}

static void
resize_ring(struct netpack *pack, size_t count) {
	struct netpack_frame *ring = skynet_calloc(count, sizeof(*ring));
	for (size_t i = 0; i < pack->ring_used; i++)
		ring[i] = pack->ring[(pack->ring_head + i) & (pack->ring_count - 1)];
	skynet_free(pack->ring);
	pack->ring = ring;
	pack->ring_count = count;
	pack->ring_head = 0;
}

static void
queue_frame(struct netpack *pack, int id, char *data, size_t size) {
	if (pack->ring_used == pack->ring_count)
		resize_ring(pack, pack->ring_count * 2);
	size_t tail = (pack->ring_head + pack->ring_used) & (pack->ring_count - 1);
	pack->ring[tail] = (struct netpack_frame){.id = id, .data = data, .size = size};
	pack->ring_used++;
}

static char *
copy_payload(const char *data, size_t size) {
	char *copy = skynet_malloc(size + 1);
	memcpy(copy, data, size);
	copy[size] = '\0';
	return copy;
}

/* Adds bytes to the payload. Its block is doubled when it is full, up to `limit`, the size of the
 * whole payload: memory grows with what has come, not with what is announced. */
static void
partial_append(struct partial *partial, const char *data, size_t size, size_t limit) {
	size_t needed = partial->size + size;
	assert(needed <= limit);
	if (needed > partial->capacity || partial->data == NULL) {
		size_t capacity =
			partial->capacity < PARTIAL_SIZE_MIN ? PARTIAL_SIZE_MIN : partial->capacity;
		while (capacity < needed)
			capacity *= 2;
		if (capacity > limit)
			capacity = limit;
		partial->capacity = capacity;
		partial->data = skynet_realloc(partial->data, capacity + 1);
	}
	memcpy(partial->data + partial->size, data, size);
	partial->size = needed;
	partial->data[needed] = '\0';
}

/* Adds bytes from `data` to the unfinished frame at `link`, and queues it when it is complete.
 * Returns how many bytes it has used. */
static size_t
continue_partial(struct netpack *pack, struct partial **link, const char *data, size_t size) {
	struct partial *partial = *link;
	size_t used = 0;
	while (partial->header_size < NETPACK_HEADER_SIZE && used < size)
		partial->header[partial->header_size++] = (unsigned char)data[used++];
	if (partial->header_size < NETPACK_HEADER_SIZE)
		return used;
	size_t whole = decode_size(partial->header);
	size_t take = whole - partial->size;
	if (take > size - used)
		take = size - used;
	if (take > 0 || whole == 0)
		partial_append(partial, data + used, take, whole);
	if (partial->size == whole) {
		queue_frame(pack, partial->id, partial->data, whole);
		*link = partial->next;
		pack->partial_count--;
		skynet_free(partial);
	}
	return used + take;
}

static void
start_partial(struct netpack *pack, int id, const char *data, size_t size) {
	if (pack->partial_count >= pack->bucket_count)
		grow_buckets(pack);
	struct partial *partial = skynet_calloc(1, sizeof(*partial));
	partial->id = id;
	struct partial **link = find_link(pack, id);
	*link = partial;
	pack->partial_count++;
	continue_partial(pack, link, data, size);
}

/* When the block is exactly one frame, takes it for the frame itself, so that nothing is copied
 * into another block. Returns false when it is not. */
static bool
take_whole_block(struct netpack *pack, int id, char *data, size_t size) {
	if (size <= NETPACK_HEADER_SIZE ||
		decode_size((unsigned char *)data) != size - NETPACK_HEADER_SIZE)
		return false;
	memmove(data, data + NETPACK_HEADER_SIZE, size - NETPACK_HEADER_SIZE);
	data[size - NETPACK_HEADER_SIZE] = '\0';
	queue_frame(pack, id, data, size - NETPACK_HEADER_SIZE);
	return true;
}

static void
split(struct netpack *pack, int id, const char *data, size_t size) {
	while (size >= NETPACK_HEADER_SIZE) {
		size_t whole = decode_size((const unsigned char *)data);
		if (whole > size - NETPACK_HEADER_SIZE)
			break;
		queue_frame(pack, id, copy_payload(data + NETPACK_HEADER_SIZE, whole), whole);
		data += NETPACK_HEADER_SIZE + whole;
		size -= NETPACK_HEADER_SIZE + whole;
	}
	if (size > 0)
		start_partial(pack, id, data, size);
}

size_t
netpack_feed(struct netpack *pack, int id, char *data, size_t size) {
	size_t used = 0;
	struct partial **link = find_link(pack, id);
	if (*link != NULL)
		used = continue_partial(pack, link, data, size);
	else if (size > 0 && take_whole_block(pack, id, data, size))
		return pack->ring_used;
	if (used < size)
		split(pack, id, data + used, size - used);
	skynet_free(data);
	return pack->ring_used;
}

bool
netpack_pop(struct netpack *pack, struct netpack_frame *frame) {
	if (pack->ring_used == 0)
		return false;
	*frame = pack->ring[pack->ring_head];
	pack->ring_head = (pack->ring_head + 1) & (pack->ring_count - 1);
	pack->ring_used--;
	/* After a burst of many small frames, the large ring is given back. */
	if (pack->ring_used == 0 && pack->ring_count > RING_COUNT_KEEP)
		resize_ring(pack, RING_COUNT_MIN);
	return true;
}

void
netpack_drop(struct netpack *pack, int id) {
	struct partial **link = find_link(pack, id);
	struct partial *partial = *link;
	if (partial != NULL) {
		*link = partial->next;
		pack->partial_count--;
		partial_free(partial);
	}
}

void
netpack_clear(struct netpack *pack) {
	for (size_t i = 0; i < pack->bucket_count; i++) {
		while (pack->buckets[i] != NULL) {
			struct partial *partial = pack->buckets[i];
			pack->buckets[i] = partial->next;
			partial_free(partial);
		}
	}
	pack->partial_count = 0;
	struct netpack_frame frame;
	while (netpack_pop(pack, &frame))
		skynet_free(frame.data);
}

char *
netpack_encode(const void *data, size_t size) {
	if (size > NETPACK_PAYLOAD_MAX)
		return NULL;
	unsigned char *block = skynet_malloc(size + NETPACK_HEADER_SIZE);
	block[0] = (unsigned char)(size >> 8);
	block[1] = (unsigned char)(size & 0xff);
	if (size > 0)
		memcpy(block + NETPACK_HEADER_SIZE, data, size);
	return (char *)block;
}
