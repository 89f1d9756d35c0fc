/* Timeouts of which the caller of skynet.timeout has not used the result, the thread. Such a
 * timeout gets a task only when it is due, or when tasks are listed; until then its function is
 * kept in service->timeouts.
 */
#ifndef SKYNET_LUA_WAIT_H
#define SKYNET_LUA_WAIT_H

#include "lua_service.h"

/// Runs the timeout without a task that has this session. Returns false when there is none.
bool wait_timeout_due(struct lua_service *service, int session, lua_State *from);

/// True when there is a timeout without a task that has this session.
bool wait_has_timeout(struct lua_service *service, int session);

/// Gives a task to every timeout that has none, so that all can be listed and ended. May raise.
void wait_reveal_timeouts(lua_State *L, struct lua_service *service);

#endif
