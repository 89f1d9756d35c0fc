/* Drives a group of subscribers as a network drives the multicast service and compares it with a
 * plain list. Input: records of an operation (add, remove, shrink to a part) and a 16-bit number,
 * which is spread over the 32 bits of a handle.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "multicast_group.h"

#define RECORD_SIZE 3
#define LIST_MAX    0x10000
#define SPREAD      0x10001u /* the same number in both halves */

struct list {
	uint32_t *items;
	size_t count;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t
position(const struct list *list, uint32_t handle) {
	size_t at = 0;
	while (at < list->count && list->items[at] != handle)
		at++;
	return at;
}

static void
add(struct multicast_group *group, struct list *list, uint32_t handle) {
	bool is_new = position(list, handle) == list->count;
	assert(multicast_group_add(group, handle) == is_new);
	if (is_new)
		list->items[list->count++] = handle;
}

static void
drop(struct multicast_group *group, struct list *list, uint32_t handle) {
	size_t at = position(list, handle);
	bool found = at < list->count;
	assert(multicast_group_remove(group, handle) == found);
	if (!found)
		return;
	list->count--;
	memmove(list->items + at, list->items + at + 1, (list->count - at) * sizeof *list->items);
}

/* As after a message that some subscribers were too dead to get. */
static void
keep_every_other(struct multicast_group *group, struct list *list) {
	uint32_t *handles = multicast_group_handles(group);
	size_t left = 0;
	for (size_t i = 0; i < list->count; i += 2) {
		list->items[left] = list->items[i];
		handles[left++] = handles[i];
	}
	list->count = left;
	multicast_group_shrink(group, left);
}

static void
check_order(struct multicast_group *group, const struct list *list) {
	if (list->count == 0)
		return;
	const uint32_t *handles = multicast_group_handles(group);
	assert(memcmp(handles, list->items, list->count * sizeof *handles) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct multicast_group group;
	struct list list = {.items = malloc(LIST_MAX * sizeof(uint32_t))};
	assert(list.items != NULL);
	multicast_group_init(&group);
	for (; size >= RECORD_SIZE; data += RECORD_SIZE, size -= RECORD_SIZE) {
		uint32_t handle = ((uint32_t)data[1] << 8 | data[2]) * SPREAD;
		if (handle == 0)
			keep_every_other(&group, &list);
		else if (data[0] % 2 == 0)
			add(&group, &list, handle);
		else
			drop(&group, &list, handle);
		assert(group.count == list.count);
		/* Not every time: what was removed is to stay for a while. */
		if (data[0] % 4 < 2)
			check_order(&group, &list);
	}
	check_order(&group, &list);
	multicast_group_fini(&group);
	free(list.items);
	return 0;
}
