/* skynet.multicast.core: what the multicast service and its library do with payloads. */
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdint.h>
#include <string.h>

#include "multicast_group.h"
#include "skynet.h"
#include "skynet_multicast.h"

#define GROUP_META  "skynet.multicast.group"
#define CONTEXT_KEY "skynet_context"

/* A channel id is 31 bits, of which the low 8 are the harbor id of its owner. */
#define CHANNEL_STEP 256
#define CHANNEL_MASK 0x7fffffff

SKYNET_API int luaopen_skynet_multicast_core(lua_State *L);

/* The group is the first argument of its methods; its context is an upvalue. */
static struct multicast_group *
check_group(lua_State *L) {
	return luaL_checkudata(L, 1, GROUP_META);
}

static uint32_t
check_handle(lua_State *L, int index) {
	lua_Integer handle = luaL_checkinteger(L, index);
	luaL_argcheck(L, handle > 0 && handle <= UINT32_MAX, index, "not a handle");
	return (uint32_t)handle;
}

/// group() -> an empty group of subscribers
static int
lgroup(lua_State *L) {
	struct multicast_group *group = lua_newuserdatauv(L, sizeof *group, 0);
	multicast_group_init(group);
	luaL_setmetatable(L, GROUP_META);
	return 1;
}

static int
lcollect(lua_State *L) {
	multicast_group_fini(check_group(L));
	return 0;
}

/// group:add(handle) -> whether it was not there
static int
ladd(lua_State *L) {
	struct multicast_group *group = check_group(L);
	lua_pushboolean(L, multicast_group_add(group, check_handle(L, 2)));
	return 1;
}

/// group:remove(handle) -> whether it was there
static int
lremove(lua_State *L) {
	struct multicast_group *group = check_group(L);
	lua_pushboolean(L, multicast_group_remove(group, check_handle(L, 2)));
	return 1;
}

/// group:count() -> number of subscribers
static int
lcount(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)check_group(L)->count);
	return 1;
}

/* Borrowed: a string, or a light userdata and a size, from `index` on. */
static const char *
check_payload(lua_State *L, int index, size_t *size) {
	if (lua_type(L, index) == LUA_TSTRING)
		return lua_tolstring(L, index, size);
	luaL_argcheck(L, lua_isnil(L, index) || lua_islightuserdata(L, index), index,
		"string or light userdata expected");
	const char *data = lua_touserdata(L, index);
	lua_Integer length = luaL_checkinteger(L, index + 1);
	luaL_argcheck(L, length >= 0 && (data != NULL || length == 0), index + 1, "not a size");
	*size = (size_t)length;
	return data;
}

/// group:publish(source, channel, request, payload [, size])
/// -> number of subscribers left, whether `request` is answered later, how many were full
static int
lpublish(lua_State *L) {
	struct multicast_group *group = check_group(L);
	struct skynet_multicast_message message = {.source = check_handle(L, 2)};
	lua_Integer channel = luaL_checkinteger(L, 3), request = luaL_checkinteger(L, 4);
	luaL_argcheck(L, channel >= 0 && channel <= INT_MAX, 3, "not a channel");
	luaL_argcheck(L, request >= 0 && request <= INT_MAX, 4, "not a session");
	message.session = (int)channel;
	message.request = (int)request;
	message.payload = check_payload(L, 5, &message.size);
	struct skynet_context *context = lua_touserdata(L, lua_upvalueindex(1));
	struct skynet_multicast_result result =
		skynet_multicast(context, &message, multicast_group_handles(group), group->count);
	multicast_group_shrink(group, result.left);
	lua_pushinteger(L, (lua_Integer)result.left);
	lua_pushboolean(L, result.held);
	lua_pushinteger(L, (lua_Integer)result.refused);
	return 3;
}

/// usage() -> messages for many services that are alive on this node, their bytes
static int
lusage(lua_State *L) {
	size_t bytes,
		count = skynet_multicast_usage(lua_touserdata(L, lua_upvalueindex(1)), &bytes);
	lua_pushinteger(L, (lua_Integer)count);
	lua_pushinteger(L, (lua_Integer)bytes);
	return 2;
}

/// nextid(id) -> the next channel id of the same node
static int
lnextid(lua_State *L) {
	lua_Integer id = luaL_checkinteger(L, 1);
	lua_pushinteger(L, (lua_Integer)(((lua_Unsigned)id + CHANNEL_STEP) & CHANNEL_MASK));
	return 1;
}

/// keep(pointer, size) -> a copy as userdata, which keeps the second result valid; its address
static int
lkeep(lua_State *L) {
	size_t size;
	const char *data = check_payload(L, 1, &size);
	char *copy = lua_newuserdatauv(L, size + 1, 0);
	if (size > 0)
		memcpy(copy, data, size);
	copy[size] = '\0';
	lua_pushlightuserdata(L, copy);
	return 2;
}

static void
create_meta(lua_State *L, struct skynet_context *context) {
	static const luaL_Reg methods[] = {
		{"add", ladd},
		{"remove", lremove},
		{"count", lcount},
		{"publish", lpublish},
		{NULL, NULL},
	};
	if (luaL_newmetatable(L, GROUP_META)) {
		luaL_newlibtable(L, methods);
		lua_pushlightuserdata(L, context);
		luaL_setfuncs(L, methods, 1);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, lcollect);
		lua_setfield(L, -2, "__gc");
		lua_pushboolean(L, false);
		lua_setfield(L, -2, "__metatable");
	}
	lua_pop(L, 1);
}

int
luaopen_skynet_multicast_core(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"group", lgroup},
		{"nextid", lnextid},
		{"keep", lkeep},
		{"usage", lusage},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	if (lua_getfield(L, LUA_REGISTRYINDEX, CONTEXT_KEY) != LUA_TLIGHTUSERDATA)
		return luaL_error(L, "Init skynet context first");
	create_meta(L, lua_touserdata(L, -1));
	luaL_newlibtable(L, functions);
	lua_insert(L, -2);
	luaL_setfuncs(L, functions, 1);
	return 1;
}
