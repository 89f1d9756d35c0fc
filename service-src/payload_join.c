#include "payload_join.h"

#include <string.h>

#include "skynet_malloc.h"

#define JOIN_AHEAD 64 /* times what has come is reserved, for what was announced */

bool
payload_join_add(struct payload_join *join, const char *data, size_t size) {
	if (size > join->total - join->size)
		return false;
	size_t needed = join->size + size;
	if (needed > join->capacity) {
		size_t capacity = needed * JOIN_AHEAD;
		join->capacity = capacity < join->total ? capacity : join->total;
		join->data = skynet_realloc(join->data, join->capacity + 1);
	}
	if (size > 0)
		memcpy(join->data + join->size, data, size);
	join->size = needed;
	if (needed > 0)
		join->data[needed] = '\0';
	return true;
}
