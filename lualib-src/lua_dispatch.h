/* The callback of a Lua service: hands each message to the task that waits for it, or to a new task
 * that runs the handler of its protocol. */
#ifndef SKYNET_LUA_DISPATCH_H
#define SKYNET_LUA_DISPATCH_H

#include "lua_service.h"

/// The Lua function dispatch of the protocol "error": (session, source, msg, sz).
int dispatch_error(lua_State *L);

/// The Lua function dispatch of the protocol "debug": loads skynet.debug at the first message.
int dispatch_debug(lua_State *L);

/// An unpack function of a protocol that returns its arguments, pointer and size, unchanged.
int dispatch_unpack_raw(lua_State *L);

/// Makes the dispatcher the callback of the service.
void dispatch_install(struct lua_service *service);

/// After skynet.exit: makes the service answer all further requests with an error.
void dispatch_leave(struct lua_service *service);

/// The Lua function core.callback(f [, forward]).
int dispatch_set_callback(lua_State *L);

/// The Lua function skynet.register_protocol(table), in lua_service.c.
int service_register_protocol(lua_State *L);

extern const luaL_Reg dispatch_functions[]; /* skynet: dispatch, dispatch_message, ... */

#endif
