#include "guard/guard_buffer.h"

#include <string.h>

#include "skynet_malloc.h"

#define KEPT_SIZE ((size_t)4096)
#define ROOM_MIN  ((size_t)256)

char *
guard_buffer_reserve(struct guard_buffer *buffer, size_t size) {
	size_t used = guard_buffer_size(buffer);
	if (buffer->room - buffer->end >= size && buffer->data != NULL)
		return buffer->data + buffer->end;
	if (buffer->begin > 0) {
		memmove(buffer->data, buffer->data + buffer->begin, used);
		buffer->begin = 0;
		buffer->end = used;
	}
	if (buffer->data == NULL || buffer->room - used < size) {
		size_t room = buffer->room * 2 > ROOM_MIN ? buffer->room * 2 : ROOM_MIN;
		if (room < used + size)
			room = used + size;
		buffer->data = skynet_realloc(buffer->data, room);
		buffer->room = room;
	}
	return buffer->data + buffer->end;
}

void
guard_buffer_grow(struct guard_buffer *buffer, size_t size) {
	buffer->end += size;
}

void
guard_buffer_append(struct guard_buffer *buffer, const void *bytes, size_t size) {
	if (size == 0)
		return;
	memcpy(guard_buffer_reserve(buffer, size), bytes, size);
	guard_buffer_grow(buffer, size);
}

void
guard_buffer_consume(struct guard_buffer *buffer, size_t size) {
	buffer->begin += size;
	if (buffer->begin < buffer->end)
		return;
	buffer->begin = buffer->end = 0;
	if (buffer->room > KEPT_SIZE)
		guard_buffer_fini(buffer);
}

char *
guard_buffer_take(struct guard_buffer *buffer, size_t *size) {
	char *block = buffer->data;
	*size = guard_buffer_size(buffer);
	if (*size == 0)
		return NULL;
	if (buffer->begin > 0)
		memmove(block, block + buffer->begin, *size);
	*buffer = (struct guard_buffer){.data = NULL};
	return block;
}

void
guard_buffer_fini(struct guard_buffer *buffer) {
	skynet_free(buffer->data);
	*buffer = (struct guard_buffer){.data = NULL};
}
