/* Selections: several requests at once whose replies are taken in the order of their arrival. The
 * base of skynet.request.
 */
#ifndef SKYNET_LUA_SELECT_H
#define SKYNET_LUA_SELECT_H

#include "lua_task.h"

/// Handles the reply (PTYPE_RESPONSE or PTYPE_ERROR) to a request of `selection`. Borrows `data`,
/// unless it sets `*taken`, by which it takes the block. `taken` may be NULL: then it copies.
void selection_deliver(struct lua_service *service, struct selection *selection, int type,
	int session, const void *data, size_t size, bool *taken, lua_State *from);

/// Called when the deadline of a selection has passed: resumes its task if that waits.
void selection_expire(struct lua_service *service, struct selection *selection, lua_State *from);

/// Makes all requests to a dead peer fail: those to the handle `peer`, or if that is 0 to `name`.
void selection_fail_peer(struct lua_service *service, uint32_t peer, const char *name);

/// Writes the handles of the services that selections wait for to `peers`, at most `room` of them.
/// Returns how many there are.
size_t selection_peers(const struct lua_service *service, uint32_t *peers, size_t room);

/// Called when a task ends that waits in a selection: the selection no longer resumes it.
void selection_forget_task(struct lua_service *service, struct task *task);

extern const luaL_Reg select_functions[];

#endif
