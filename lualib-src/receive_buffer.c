/* See receive_buffer.h. One thread at a time. */
#include "receive_buffer.h"

#include <assert.h>
#include <string.h>

#include "skynet_malloc.h"

#define BLOCK_COUNT_MIN 4
#define JOIN_SIZE_MAX   256  /* blocks up to this size are joined with the one before */
#define JOIN_CAPACITY   4096 /* size of the block that they are joined in */

static struct receive_block *
block_at(const struct receive_buffer *buffer, size_t index) {
	return &buffer->blocks[(buffer->head + index) & (buffer->block_count - 1)];
}

static void
reset_search(struct receive_buffer *buffer) {
	buffer->searched = 0;
	buffer->searched_block = 0;
	buffer->searched_base = 0;
	buffer->separator_size = 0;
}

void
receive_buffer_init(struct receive_buffer *buffer) {
	memset(buffer, 0, sizeof(*buffer));
}

void
receive_buffer_clear(struct receive_buffer *buffer) {
	for (size_t i = 0; i < buffer->used; i++)
		skynet_free(block_at(buffer, i)->data);
	skynet_free(buffer->blocks);
	receive_buffer_init(buffer);
}

static void
grow(struct receive_buffer *buffer) {
	size_t count = buffer->block_count == 0 ? BLOCK_COUNT_MIN : buffer->block_count * 2;
	struct receive_block *blocks = skynet_malloc(count * sizeof(*blocks));
	for (size_t i = 0; i < buffer->used; i++)
		blocks[i] = *block_at(buffer, i);
	skynet_free(buffer->blocks);
	buffer->blocks = blocks;
	buffer->block_count = count;
	buffer->head = 0;
}

/* Copies a small block into the last one. False when it does not fit there. */
static bool
join(struct receive_buffer *buffer, const char *data, size_t size) {
	if (size > JOIN_SIZE_MAX || buffer->used == 0)
		return false;
	struct receive_block *last = block_at(buffer, buffer->used - 1);
	if (last->capacity - last->size < size) {
		if (last->size > JOIN_SIZE_MAX)
			return false;
		last->data = skynet_realloc(last->data, JOIN_CAPACITY);
		last->capacity = JOIN_CAPACITY;
	}
	memcpy(last->data + last->size, data, size);
	last->size += size;
	return true;
}

size_t
receive_buffer_push(struct receive_buffer *buffer, char *data, size_t size) {
	if (size == 0) {
		skynet_free(data);
		return buffer->size;
	}
	buffer->size += size;
	if (join(buffer, data, size)) {
		skynet_free(data);
		return buffer->size;
	}
	if (buffer->used == buffer->block_count)
		grow(buffer);
	*block_at(buffer, buffer->used++) =
		(struct receive_block){.data = data, .size = size, .capacity = size};
	return buffer->size;
}

/* Whether `size` bytes at `offset` of block `index` and after equal `text`. */
static bool
matches(const struct receive_buffer *buffer, size_t index, size_t offset, const char *text,
	size_t size) {
	while (size > 0) {
		if (index == buffer->used)
			return false;
		const struct receive_block *block = block_at(buffer, index);
		size_t part = block->size - offset;
		if (part > size)
			part = size;
		if (memcmp(block->data + offset, text, part) != 0)
			return false;
		text += part;
		size -= part;
		offset = 0;
		index++;
	}
	return true;
}

static void
remember_separator(struct receive_buffer *buffer, const char *separator, size_t size) {
	if (size == buffer->separator_size && memcmp(separator, buffer->separator, size) == 0)
		return;
	reset_search(buffer);
	if (size <= RECEIVE_SEPARATOR_MAX) {
		memcpy(buffer->separator, separator, size);
		buffer->separator_size = size;
	}
}

/* Looks at the rest of block `searched_block`. True when the separator starts in it; `searched` is
 * then its place, else the place where the next search must start. */
static bool
search_block(struct receive_buffer *buffer, const char *separator, size_t separator_size) {
	size_t index = buffer->searched_block;
	const struct receive_block *block = block_at(buffer, index);
	size_t first = index == 0 ? buffer->offset : 0;
	size_t end = buffer->searched_base + block->size - first;
	while (buffer->searched < end) {
		/* A separator that would reach behind the last byte is not there yet. */
		if (buffer->size - buffer->searched < separator_size)
			return false;
		const char *from = block->data + first + (buffer->searched - buffer->searched_base);
		const char *hit = memchr(from, separator[0], end - buffer->searched);
		if (hit == NULL) {
			buffer->searched = end;
			break;
		}
		buffer->searched += (size_t)(hit - from);
		if (buffer->size - buffer->searched < separator_size)
			return false;
		if (matches(buffer, index, (size_t)(hit - block->data), separator, separator_size))
			return true;
		buffer->searched++;
	}
	return false;
}

bool
receive_buffer_find(struct receive_buffer *buffer, const char *separator, size_t separator_size,
	size_t *line_size) {
	assert(separator_size > 0);
	remember_separator(buffer, separator, separator_size);
	bool found = false;
	while (!found && buffer->size - buffer->searched >= separator_size) {
		found = search_block(buffer, separator, separator_size);
		if (found) {
			*line_size = buffer->searched;
			break;
		}
		const struct receive_block *block = block_at(buffer, buffer->searched_block);
		size_t first = buffer->searched_block == 0 ? buffer->offset : 0;
		size_t end = buffer->searched_base + block->size - first;
		/* The last block stays current: small blocks may be joined to it. */
		if (buffer->searched < end || buffer->searched_block + 1 == buffer->used)
			break;
		buffer->searched_base = end;
		buffer->searched_block++;
	}
	if (separator_size > RECEIVE_SEPARATOR_MAX)
		reset_search(buffer);
	return found;
}

const char *
receive_buffer_peek(const struct receive_buffer *buffer, size_t size) {
	const struct receive_block *block = block_at(buffer, 0);
	return block->size - buffer->offset >= size ? block->data + buffer->offset : NULL;
}

void
receive_buffer_copy(const struct receive_buffer *buffer, char *out, size_t size) {
	assert(size <= buffer->size);
	size_t offset = buffer->offset;
	for (size_t i = 0; size > 0; i++) {
		const struct receive_block *block = block_at(buffer, i);
		size_t part = block->size - offset;
		if (part > size)
			part = size;
		memcpy(out, block->data + offset, part);
		out += part;
		size -= part;
		offset = 0;
	}
}

void
receive_buffer_skip(struct receive_buffer *buffer, size_t size) {
	assert(size <= buffer->size);
	reset_search(buffer);
	buffer->size -= size;
	while (size > 0) {
		struct receive_block *block = block_at(buffer, 0);
		size_t left = block->size - buffer->offset;
		if (size < left) {
			buffer->offset += size;
			break;
		}
		size -= left;
		skynet_free(block->data);
		buffer->offset = 0;
		buffer->head = (buffer->head + 1) & (buffer->block_count - 1);
		buffer->used--;
	}
}
