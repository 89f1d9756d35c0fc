#include "payload_join.h"

#include <string.h>

#include "skynet_malloc.h"

/* Memory for all that was announced is taken when one AHEAD_MAX-th of it has come; before that, for
 * AHEAD times as much as has come. */
#define AHEAD_MAX 256
#define AHEAD     16

bool
payload_join_add(struct payload_join *join, const char *data, size_t size) {
	if (size > join->total - join->size)
		return false;
	size_t needed = join->size + size;
	if (needed > join->capacity) {
		join->capacity = join->total / AHEAD_MAX <= needed ? join->total : needed * AHEAD;
		join->data = skynet_realloc(join->data, join->capacity + 1);
	}
	if (size > 0)
		memcpy(join->data + join->size, data, size);
	join->size = needed;
	if (needed > 0)
		join->data[needed] = '\0';
	return true;
}
