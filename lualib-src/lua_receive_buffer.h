/* The buffer half of skynet.socketdriver. */
#ifndef SKYNET_LUA_RECEIVE_BUFFER_H
#define SKYNET_LUA_RECEIVE_BUFFER_H

#include <lua.h>

/// Adds buffer, push, pop, readall, readline, clear, drop, str2p and header to the table on top of
/// the stack. Needs no service context.
void lua_receive_buffer_register(lua_State *L);

#endif
