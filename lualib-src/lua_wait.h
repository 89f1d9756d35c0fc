/* Timeouts whose result nobody took: they get a task only when they are due, or when someone looks.
 */
#ifndef SKYNET_LUA_WAIT_H
#define SKYNET_LUA_WAIT_H

#include "lua_service.h"

/// The timeout that `owner` of a SESSION_DUE entry names is due: runs it.
void wait_timeout_due(struct lua_service *service, void *owner, lua_State *from);

/// Gives a task to every timeout that has none, so that it can be listed and ended. May raise.
void wait_reveal_timeouts(lua_State *L, struct lua_service *service);

#endif
