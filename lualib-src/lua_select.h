/* Several requests at once, answered in any order: what skynet.request stands on. */
#ifndef SKYNET_LUA_SELECT_H
#define SKYNET_LUA_SELECT_H

#include "lua_task.h"

/// A message for a session of `selection`: PTYPE_RESPONSE or PTYPE_ERROR. Borrows `data`, but for
/// `*taken`: where that is false and not NULL, the block may be kept by setting it.
void selection_deliver(struct lua_service *service, struct selection *selection, int type,
	int session, const void *data, size_t size, bool *taken, lua_State *from);

/// The time for a selection is over.
void selection_expire(struct lua_service *service, struct selection *selection, lua_State *from);

/// Lets all requests to a dead peer fail. `name` is used when `peer` is 0.
void selection_fail_peer(struct lua_service *service, uint32_t peer, const char *name);

/// Writes the known handles that selections wait for to `peers`, as many as `room` admits. Returns
/// how many there are.
size_t selection_peers(const struct lua_service *service, uint32_t *peers, size_t room);

/// The task that waited in a selection ends.
void selection_forget_task(struct lua_service *service, struct task *task);

extern const luaL_Reg select_functions[];

#endif
