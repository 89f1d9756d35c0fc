#include "io/send_queue.h"

#include <string.h>

#include "skynet_malloc.h"

/* A message of up to SMALL_SIZE bytes is copied into a chunk, which has room for several. */
#define SMALL_SIZE   ((size_t)2048)
#define GATHER_SIZE  ((size_t)16384)
#define ADDRESS_SIZE 32

struct send_chunk {
	struct send_chunk *next;
	const char *data; /* not sent yet */
	size_t size;
	size_t room; /* bytes behind `data + size` that may be filled */
	void *object;
	void (*release)(void *object);
	unsigned address_size;
	char address[ADDRESS_SIZE];
	char inside[]; /* bytes that the chunk holds itself */
};

void
send_bytes_init(struct send_bytes *bytes, const struct socket_sendbuffer *buffer,
	const struct socket_object_interface *object_interface) {
	*bytes = (struct send_bytes){.data = buffer->buffer, .size = buffer->sz};
	switch (buffer->type) {
	case SOCKET_BUFFER_MEMORY:
		bytes->object = (void *)(size_t)buffer->buffer;
		bytes->release = skynet_free;
		break;
	case SOCKET_BUFFER_OBJECT:
		bytes->data = NULL;
		bytes->size = 0;
		if (object_interface != NULL) {
			bytes->object = (void *)(size_t)buffer->buffer;
			bytes->release = object_interface->free;
			bytes->data = object_interface->buffer(buffer->buffer);
			bytes->size = object_interface->size(buffer->buffer);
		}
		break;
	default:
		break;
	}
	if (bytes->data == NULL)
		bytes->size = 0;
}

void
send_bytes_fini(struct send_bytes *bytes) {
	if (bytes->object != NULL)
		bytes->release(bytes->object);
	bytes->object = NULL;
}

static void
list_append(struct send_list *list, struct send_chunk *chunk) {
	chunk->next = NULL;
	if (list->tail != NULL)
		list->tail->next = chunk;
	else
		list->head = chunk;
	list->tail = chunk;
}

static struct send_chunk *
list_shift(struct send_list *list) {
	struct send_chunk *chunk = list->head;
	list->head = chunk->next;
	if (list->head == NULL)
		list->tail = NULL;
	return chunk;
}

static void
chunk_destroy(struct send_chunk *chunk) {
	if (chunk->object != NULL)
		chunk->release(chunk->object);
	skynet_free(chunk);
}

static struct send_chunk *
chunk_create(size_t inside) {
	struct send_chunk *chunk = skynet_malloc(sizeof(*chunk) + inside);
	chunk->next = NULL;
	chunk->data = chunk->inside;
	chunk->size = 0;
	chunk->room = inside;
	chunk->object = NULL;
	chunk->release = NULL;
	chunk->address_size = 0;
	return chunk;
}

static void
chunk_fill(struct send_chunk *chunk, const char *data, size_t size) {
	memcpy((char *)(size_t)(chunk->data + chunk->size), data, size);
	chunk->size += size;
	chunk->room -= size;
}

/* A chunk that holds `bytes` without copying them, or a copy of borrowed ones. */
static struct send_chunk *
chunk_wrap(struct send_bytes *bytes, size_t offset) {
	struct send_chunk *chunk;
	size_t size = bytes->size - offset;
	if (bytes->object == NULL) {
		chunk = chunk_create(size);
		chunk_fill(chunk, bytes->data + offset, size);
		return chunk;
	}
	chunk = chunk_create(0);
	chunk->data = bytes->data + offset;
	chunk->size = size;
	chunk->object = bytes->object;
	chunk->release = bytes->release;
	bytes->object = NULL;
	return chunk;
}

void
send_queue_push(struct send_queue *queue, struct send_bytes *bytes, size_t offset, bool low) {
	size_t size = bytes->size - offset;
	queue->size += size;
	/* Messages of low priority have a chunk each. One that is partly sent must be finished
	 * before anything else, and that should hold up no more than one message. */
	if (low || size > SMALL_SIZE) {
		list_append(low ? &queue->low : &queue->high, chunk_wrap(bytes, offset));
		return;
	}
	struct send_chunk *last = queue->high.tail;
	if (last == NULL || last->room < size) {
		/* The first chunk is often the only one, so it is a small one. */
		last = chunk_create(queue->high.head == NULL ? SMALL_SIZE : GATHER_SIZE);
		list_append(&queue->high, last);
	}
	chunk_fill(last, bytes->data + offset, size);
	send_bytes_fini(bytes);
}

void
send_queue_push_datagram(struct send_queue *queue, struct send_bytes *bytes, const void *address,
	size_t address_size) {
	struct send_chunk *chunk = chunk_wrap(bytes, 0);
	if (address != NULL && address_size <= sizeof(chunk->address)) {
		memcpy(chunk->address, address, address_size);
		chunk->address_size = (unsigned)address_size;
	}
	queue->size += chunk->size;
	list_append(&queue->high, chunk);
}

static int
list_gather(const struct send_list *list, struct iovec *vectors, int count) {
	int filled = 0;
	for (const struct send_chunk *chunk = list->head; chunk != NULL && filled < count;
		chunk = chunk->next, filled++) {
		vectors[filled].iov_base = (void *)(size_t)chunk->data;
		vectors[filled].iov_len = chunk->size;
	}
	return filled;
}

int
send_queue_gather(const struct send_queue *queue, struct iovec *vectors, int count) {
	int filled = list_gather(&queue->high, vectors, count);
	return filled + list_gather(&queue->low, vectors + filled, count - filled);
}

bool
send_queue_first(const struct send_queue *queue, struct iovec *vector, const void **address,
	size_t *address_size) {
	struct send_chunk *chunk = queue->high.head != NULL ? queue->high.head : queue->low.head;
	if (chunk == NULL)
		return false;
	vector->iov_base = (void *)(size_t)chunk->data;
	vector->iov_len = chunk->size;
	*address = chunk->address_size > 0 ? chunk->address : NULL;
	*address_size = chunk->address_size;
	return true;
}

void
send_queue_consume(struct send_queue *queue, size_t size) {
	queue->size -= size;
	while (size > 0) {
		bool low = queue->high.head == NULL;
		struct send_list *list = low ? &queue->low : &queue->high;
		struct send_chunk *chunk = list->head;
		if (size >= chunk->size) {
			size -= chunk->size;
			chunk_destroy(list_shift(list));
			continue;
		}
		chunk->data += size;
		chunk->size -= size;
		if (low) {
			/* The chunk is partly sent, and nothing may come between: it goes on as one
			 * of high priority, to which nothing is added. */
			list_shift(&queue->low);
			list_append(&queue->high, chunk);
			chunk->room = 0;
		}
		return;
	}
}

void
send_queue_drop_first(struct send_queue *queue) {
	struct send_list *list = queue->high.head != NULL ? &queue->high : &queue->low;
	struct send_chunk *chunk = list_shift(list);
	queue->size -= chunk->size;
	chunk_destroy(chunk);
}

static void
list_clear(struct send_list *list) {
	while (list->head != NULL)
		chunk_destroy(list_shift(list));
}

void
send_queue_clear(struct send_queue *queue) {
	list_clear(&queue->high);
	list_clear(&queue->low);
	queue->size = 0;
}
