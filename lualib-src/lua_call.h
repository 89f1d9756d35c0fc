/* Calls: sending a request and waiting for its reply; and replies that are put off. */
#ifndef SKYNET_LUA_CALL_H
#define SKYNET_LUA_CALL_H

#include "lua_task.h"

/// The C function skynet.pack / skynet.unpack: protocols that have them are served without a Lua
/// call.
int core_pack(lua_State *L);
int core_unpack(lua_State *L);

/// Does skynet.call with address, protocol and arguments on the stack. Returns as a lua_CFunction
/// does.
int call_start(lua_State *L, lua_Integer timeout_cs);

/// A message for a waiting call: resumes it. Borrows `data` during the call.
void call_deliver(struct lua_service *service, struct task *task, const void *data, size_t size,
	lua_State *from);

/// Lets all calls to `peer`, or when that is 0 all calls to `name`, fail with `kind`, and forgets
/// the delayed responses to it.
void call_fail_peer(
	struct lua_service *service, uint32_t peer, const char *name, enum call_failure_kind kind);

/// Sends an error for every delayed response, because the service ends.
void response_fail_all(struct lua_service *service);

/// Forgets the delayed responses to a dead `source`.
void response_forget_source(struct lua_service *service, uint32_t source);

extern const luaL_Reg reply_functions[]; /* skynet: ret, response, ... */

#endif
