#include "multicast_group.h"

#include <string.h>

#include "skynet_malloc.h"

#define FIRST_CAPACITY 8
#define HASH_FACTOR    0x9e3779b1u /* spreads handles that follow each other */
#define HASH_SHIFT     7

void
multicast_group_init(struct multicast_group *group) {
	*group = (struct multicast_group){0};
}

void
multicast_group_fini(struct multicast_group *group) {
	skynet_free(group->handles);
	skynet_free(group->slots);
	multicast_group_init(group);
}

/* The slot of `handle`, or the free one where it belongs. There is always a free one. */
static uint32_t *
slot_of(const struct multicast_group *group, uint32_t handle) {
	uint32_t at = (handle * HASH_FACTOR) >> HASH_SHIFT;
	for (;; at++) {
		uint32_t *slot = &group->slots[at & group->mask];
		if (*slot == 0 || group->handles[*slot - 1] == handle)
			return slot;
	}
}

static void
rebuild_slots(struct multicast_group *group) {
	memset(group->slots, 0, ((size_t)group->mask + 1) * sizeof *group->slots);
	for (uint32_t i = 0; i < group->count; i++)
		*slot_of(group, group->handles[i]) = i + 1;
}

/* Makes room for one more; half of the slots stay free. */
static void
grow(struct multicast_group *group) {
	uint32_t capacity = group->capacity > 0 ? group->capacity * 2 : FIRST_CAPACITY;
	group->handles = skynet_realloc(group->handles, capacity * sizeof *group->handles);
	skynet_free(group->slots);
	group->slots = skynet_malloc((size_t)capacity * 2 * sizeof *group->slots);
	group->capacity = capacity;
	group->mask = capacity * 2 - 1;
	rebuild_slots(group);
}

bool
multicast_group_has(const struct multicast_group *group, uint32_t handle) {
	return group->count > 0 && *slot_of(group, handle) != 0;
}

bool
multicast_group_add(struct multicast_group *group, uint32_t handle) {
	if (multicast_group_has(group, handle))
		return false;
	if (group->count == group->capacity)
		grow(group);
	group->handles[group->count++] = handle;
	*slot_of(group, handle) = group->count;
	return true;
}

bool
multicast_group_remove(struct multicast_group *group, uint32_t handle) {
	if (!multicast_group_has(group, handle))
		return false;
	uint32_t at = *slot_of(group, handle) - 1;
	memmove(group->handles + at, group->handles + at + 1,
		(group->count - at - 1) * sizeof *group->handles);
	multicast_group_shrink(group, group->count - 1);
	return true;
}

void
multicast_group_shrink(struct multicast_group *group, size_t count) {
	if (count == group->count)
		return;
	group->count = (uint32_t)count;
	rebuild_slots(group);
}
