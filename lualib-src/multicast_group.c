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
	for (uint32_t i = 0; i < group->entries; i++)
		*slot_of(group, group->handles[i]) = i + 1;
}

/* Moves what is not removed together. */
static void
compact(struct multicast_group *group) {
	if (group->entries == group->count)
		return;
	uint32_t left = 0;
	for (uint32_t i = 0; i < group->entries; i++) {
		if (group->handles[i] != 0)
			group->handles[left++] = group->handles[i];
	}
	group->entries = left;
	rebuild_slots(group);
}

/* Makes room for one more. Each entry has one slot, so that half of the slots stay free. */
static void
grow(struct multicast_group *group) {
	compact(group);
	if (group->entries < group->capacity / 2)
		return;
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
	if (group->entries == group->capacity)
		grow(group);
	group->handles[group->entries++] = handle;
	group->count++;
	*slot_of(group, handle) = group->entries;
	return true;
}

bool
multicast_group_remove(struct multicast_group *group, uint32_t handle) {
	if (!multicast_group_has(group, handle))
		return false;
	/* The slot goes on to point at the entry, so that others are still found behind it. */
	group->handles[*slot_of(group, handle) - 1] = 0;
	group->count--;
	if (group->count < group->entries / 2)
		compact(group);
	return true;
}

uint32_t *
multicast_group_handles(struct multicast_group *group) {
	compact(group);
	return group->handles;
}

void
multicast_group_shrink(struct multicast_group *group, size_t count) {
	if (count == group->entries)
		return;
	group->entries = group->count = (uint32_t)count;
	rebuild_slots(group);
}
