/* The subscribers of one channel on one node: a set of handles in the order in which they were
 * added. Belongs to one service, no locking.
 */
#ifndef SKYNET_MULTICAST_GROUP_H
#define SKYNET_MULTICAST_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct multicast_group {
	uint32_t *handles; /* skynet_malloc; 0: removed */
	uint32_t *slots; /* open addressing: index into `handles` + 1, 0 when free; skynet_malloc */
	uint32_t entries, capacity;
	uint32_t count; /* those that are not removed */
	uint32_t mask;  /* number of slots - 1, 0 before the first use */
};

/// Makes an empty group. End with multicast_group_fini.
void multicast_group_init(struct multicast_group *group);
void multicast_group_fini(struct multicast_group *group);

/// Adds a handle that is not 0. Returns false when it is there already.
bool multicast_group_add(struct multicast_group *group, uint32_t handle);

/// Removes a handle; the others keep their order. Returns false when it is not there.
bool multicast_group_remove(struct multicast_group *group, uint32_t handle);

/// Whether a handle is there.
bool multicast_group_has(const struct multicast_group *group, uint32_t handle);

/// The handles, group->count of them; valid until the group changes.
uint32_t *multicast_group_handles(struct multicast_group *group);

/// Keeps the first `count` of multicast_group_handles, which the caller has moved together.
void multicast_group_shrink(struct multicast_group *group, size_t count);

#endif
