/* Calls: sending a request and waiting for its reply; and delayed responses (skynet.response). */
#ifndef SKYNET_LUA_CALL_H
#define SKYNET_LUA_CALL_H

#include "lua_task.h"

/// The Lua functions skynet.pack and skynet.unpack. For a protocol that has these as its fields, C
/// packs and unpacks directly, without calling a Lua function.
int core_pack(lua_State *L);
int core_unpack(lua_State *L);

/// skynet.call with address, protocol and arguments on the stack, and a deadline when `timeout_cs`
/// is above 0. Returns as a lua_CFunction does.
int call_start(lua_State *L, lua_Integer timeout_cs);

/// Resumes a task that waits in a call with its reply. Borrows `data`. `from` is the thread that
/// resumes.
void call_deliver(struct lua_service *service, struct task *task, const void *data, size_t size,
	lua_State *from);

/// Makes all calls to the handle `peer`, or if that is 0 to `name`, fail with `kind`; and forgets
/// the delayed responses to requests of that service.
void call_fail_peer(
	struct lua_service *service, uint32_t peer, const char *name, enum call_failure_kind kind);

/// Answers all delayed responses with an error, because the service ends.
void response_fail_all(struct lua_service *service);

/// Forgets the delayed responses to requests of `source`, which is dead.
void response_forget_source(struct lua_service *service, uint32_t source);

extern const luaL_Reg reply_functions[]; /* skynet: ret, response, ... */

#endif
