/* Timeouts whose result nobody took: they get a task only when they are due, or when someone looks.
 * Until then their functions are in service->timeouts.
 */
#ifndef SKYNET_LUA_WAIT_H
#define SKYNET_LUA_WAIT_H

#include "lua_service.h"

/// Runs the timeout without task whose session this is. Returns false when there is none.
bool wait_timeout_due(struct lua_service *service, int session, lua_State *from);

/// True when a timeout without task has this session.
bool wait_has_timeout(struct lua_service *service, int session);

/// Gives a task to every timeout that has none, so that it can be listed and ended. May raise.
void wait_reveal_timeouts(lua_State *L, struct lua_service *service);

#endif
