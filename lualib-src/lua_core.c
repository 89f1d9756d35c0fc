/* The Lua modules `skynet.core` and the table of `skynet`: thin functions over skynet.h, and how
 * both tables are filled. They start empty and take up a function when it is first asked for,
 * because most services need a handful of the hundred, and a node may have many thousands of
 * services.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_call.h"
#include "lua_dispatch.h"
#include "lua_inspect.h"
#include "lua_select.h"
#include "lua_task.h"
#include "lua_trace.h"
#include "skynet_malloc.h"

/* ---- messages ---- */

/// Sends what is on the stack from `index` on: type, session, msg [, sz].
static int
send_from(lua_State *L, struct address to, uint32_t source, int index) {
	struct lua_service *service = service_of(L);
	int type = (int)luaL_checkinteger(L, index) & 0xff;
	lua_Integer session = 0;
	if (lua_isnil(L, index + 1)) {
		session = service_new_session(service);
	} else {
		session = luaL_checkinteger(L, index + 1);
		luaL_argcheck(L, session >= 0 && session <= INT_MAX, index + 1, "not a session");
	}
	struct payload payload = payload_check(L, index + 2);
	int result = service_send(service, to, source, type | payload.flags, (int)session,
		payload.data, payload.size);
	if (result == -1)
		return 0;
	if (result < 0)
		lua_pushboolean(L, 0);
	else
		lua_pushinteger(L, session);
	return 1;
}

/// send(addr, type, session, msg [, sz]) -> session, or nothing, or false
static int
send_raw(lua_State *L) {
	return send_from(L, address_check(L, 1), 0, 2);
}

/// redirect(addr, source, type, session, msg [, sz])
static int
redirect_raw(lua_State *L) {
	return send_from(L, address_check(L, 1), (uint32_t)luaL_checkinteger(L, 2), 3);
}

/// genid() -> session
static int
genid(lua_State *L) {
	lua_pushinteger(L, service_new_session(service_of(L)));
	return 1;
}

/* ---- commands ---- */

/// Runs the command on the stack; NULL when it has no result.
static const char *
run_command(lua_State *L) {
	const char *command = luaL_checkstring(L, 1);
	const char *param = luaL_optstring(L, 2, NULL);
	return skynet_command(service_of(L)->context, command, param);
}

/// command(cmd [, param]) -> text, or nothing
static int
command(lua_State *L) {
	const char *result = run_command(L);
	if (result == NULL)
		return 0;
	lua_pushstring(L, result);
	return 1;
}

/// addresscommand(cmd [, param]) -> handle, or nothing
static int
addresscommand(lua_State *L) {
	const char *result = run_command(L);
	if (result == NULL || result[0] != ':')
		return 0;
	lua_pushinteger(L, (lua_Integer)strtoul(result + 1, NULL, 16));
	return 1;
}

/// intcommand(cmd [, param]) -> number, or nothing
static int
intcommand(lua_State *L) {
	if (lua_type(L, 2) == LUA_TNUMBER) {
		lua_pushinteger(L, (int32_t)luaL_checkinteger(L, 2));
		lua_replace(L, 2);
	}
	const char *result = run_command(L);
	if (result == NULL)
		return 0;
	char *end;
	long long integer = strtoll(result, &end, 0);
	if (*end == '\0') {
		lua_pushinteger(L, (lua_Integer)integer);
		return 1;
	}
	double number = strtod(result, &end);
	if (*end != '\0')
		return luaL_error(L, "Invalid result %s", result);
	lua_pushnumber(L, number);
	return 1;
}

/// error(...): one line to the log
static int
log_line(lua_State *L) {
	struct lua_service *service = service_of(L);
	int count = lua_gettop(L);
	size_t size;
	const char *text;
	if (count <= 1) {
		if (count == 0)
			lua_pushnil(L);
		text = luaL_tolstring(L, 1, &size);
	} else {
		luaL_Buffer buffer;
		luaL_buffinit(L, &buffer);
		for (int i = 1; i <= count; i++) {
			if (i > 1)
				luaL_addchar(&buffer, ' ');
			luaL_tolstring(L, i, NULL);
			luaL_addvalue(&buffer);
		}
		luaL_pushresult(&buffer);
		text = lua_tolstring(L, -1, &size);
	}
	skynet_error(service->context, "%*s", (int)size, text);
	return 0;
}

/// harbor(handle) -> node id, is remote
static int
harbor(lua_State *L) {
	int id = 0;
	int remote =
		skynet_isremote(service_of(L)->context, (uint32_t)luaL_checkinteger(L, 1), &id);
	lua_pushinteger(L, id);
	lua_pushboolean(L, remote);
	return 2;
}

/* ---- payloads ---- */

int
core_pack(lua_State *L) {
	return seri_call_pack(L, &service_of(L)->scratch);
}

int
core_unpack(lua_State *L) {
	return seri_call_unpack(L);
}

static int
packstring(lua_State *L) {
	return seri_call_packstring(L, &service_of(L)->scratch);
}

/// tostring(ptr, sz) -> string, or nothing for nil
static int
payload_to_string(lua_State *L) {
	if (lua_isnoneornil(L, 1))
		return 0;
	luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
	const char *data = lua_touserdata(L, 1);
	lua_Integer size = luaL_checkinteger(L, 2);
	luaL_argcheck(L, size >= 0 && (data != NULL || size == 0), 2, "not the size of a message");
	lua_pushlstring(L, data != NULL ? data : "", (size_t)size);
	return 1;
}

/// trash(ptr, sz) or trash(str): frees a payload
static int
trash(lua_State *L) {
	switch (lua_type(L, 1)) {
	case LUA_TLIGHTUSERDATA:
		luaL_checkinteger(L, 2);
		skynet_free(lua_touserdata(L, 1));
		break;
	case LUA_TSTRING:
		break;
	default:
		return luaL_error(L, "skynet.trash invalid param %s", luaL_typename(L, 1));
	}
	return 0;
}

/* ---- tables that fill themselves ---- */

static const luaL_Reg plain_functions[] = {
	{"send", send_raw},
	{"redirect", redirect_raw},
	{"command", command},
	{"addresscommand", addresscommand},
	{"intcommand", intcommand},
	{"callback", dispatch_set_callback},
	{"trace", trace_lua_log},
	{"debug_dispatch", dispatch_debug},
	{NULL, NULL},
};

/* In both `skynet` and `skynet.core`. */
static const luaL_Reg shared_functions[] = {
	{"genid", genid},
	{"error", log_line},
	{"harbor", harbor},
	{"pack", core_pack},
	{"unpack", core_unpack},
	{"packstring", packstring},
	{"tostring", payload_to_string},
	{"trash", trash},
	{NULL, NULL},
};

static const luaL_Reg *const core_tables[] = {
	plain_functions,
	shared_functions,
	select_functions,
	inspect_functions,
	clock_functions,
	NULL,
};

static const luaL_Reg *const skynet_tables[] = {
	call_functions,
	reply_functions,
	wait_functions,
	clock_functions,
	dispatch_functions,
	life_functions,
	trace_functions,
	shared_functions,
	NULL,
};

/* Functions of `skynet` that are in Lua, in modules that are loaded at the first use. */
struct lazy_function {
	const char *name, *module, *field; /* field NULL: the module itself */
};

static const struct lazy_function lazy_functions[] = {
	{"init", "skynet.require", "init"},
	{"request", "skynet.request", "new"},
	{"task", "skynet.inspect", "task"},
	{"uniqtask", "skynet.inspect", "uniqtask"},
	{"killthread", "skynet.inspect", "killthread"},
	{"info_func", "skynet.debug", "info_func"},
	{"cache", "skynet.codecache", NULL},
	{"pcall", "_G", "pcall"},
	{NULL, NULL, NULL},
};

struct constant {
	const char *name;
	int value;
};

static const struct constant constants[] = {
	{"PTYPE_TEXT", PTYPE_TEXT},
	{"PTYPE_RESPONSE", PTYPE_RESPONSE},
	{"PTYPE_MULTICAST", PTYPE_MULTICAST},
	{"PTYPE_CLIENT", PTYPE_CLIENT},
	{"PTYPE_SYSTEM", PTYPE_SYSTEM},
	{"PTYPE_HARBOR", PTYPE_HARBOR},
	{"PTYPE_SOCKET", PTYPE_SOCKET},
	{"PTYPE_ERROR", PTYPE_ERROR},
	{"PTYPE_QUEUE", PTYPE_RESERVED_QUEUE},
	{"PTYPE_DEBUG", PTYPE_RESERVED_DEBUG},
	{"PTYPE_LUA", PTYPE_RESERVED_LUA},
	{"PTYPE_SNAX", PTYPE_RESERVED_SNAX},
	{"PTYPE_TRACE", PTYPE_RESERVED_TRACE},
	{NULL, 0},
};

static bool
push_function(lua_State *L, const luaL_Reg *const *tables, const char *name) {
	for (; *tables != NULL; tables++) {
		for (const luaL_Reg *at = *tables; at->name != NULL; at++) {
			if (strcmp(at->name, name) == 0) {
				lua_pushcfunction(L, at->func);
				return true;
			}
		}
	}
	return false;
}

static bool
push_lazy(lua_State *L, const char *name) {
	for (const struct lazy_function *at = lazy_functions; at->name != NULL; at++) {
		if (strcmp(at->name, name) != 0)
			continue;
		lua_getglobal(L, "require");
		lua_pushstring(L, at->module);
		lua_call(L, 1, 1);
		if (at->field != NULL)
			lua_getfield(L, -1, at->field);
		return true;
	}
	for (const struct constant *at = constants; at->name != NULL; at++) {
		if (strcmp(at->name, name) == 0) {
			lua_pushinteger(L, at->value);
			return true;
		}
	}
	return false;
}

/// Keeps the value on top of the stack in the table at index 1 under the key at index 2.
static int
keep_value(lua_State *L) {
	lua_pushvalue(L, 2);
	lua_pushvalue(L, -2);
	lua_rawset(L, 1);
	return 1;
}

static int
core_index(lua_State *L) {
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	return push_function(L, core_tables, name) ? keep_value(L) : 0;
}

static int
skynet_index(lua_State *L) {
	const char *name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
	if (push_function(L, skynet_tables, name) || push_lazy(L, name))
		return keep_value(L);
	if (strcmp(name, "_proto") == 0) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, service_of(L)->protocol_table);
		return keep_value(L);
	}
	return 0;
}

/// Fetches a name through __index unless the table at index 1 has it.
static void
touch(lua_State *L, const char *name) {
	lua_getfield(L, 1, name);
	lua_pop(L, 1);
}

static void
touch_functions(lua_State *L, const luaL_Reg *const *tables) {
	for (; *tables != NULL; tables++) {
		for (const luaL_Reg *at = *tables; at->name != NULL; at++)
			touch(L, at->name);
	}
}

static int
next_pair(lua_State *L) {
	lua_settop(L, 2);
	if (lua_next(L, 1))
		return 2;
	lua_pushnil(L);
	return 1;
}

static int
push_iterator(lua_State *L) {
	lua_pushcfunction(L, next_pair);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	return 3;
}

static int
core_pairs(lua_State *L) {
	touch_functions(L, core_tables);
	return push_iterator(L);
}

static int
skynet_pairs(lua_State *L) {
	touch_functions(L, skynet_tables);
	for (const struct lazy_function *at = lazy_functions; at->name != NULL; at++)
		touch(L, at->name);
	for (const struct constant *at = constants; at->name != NULL; at++)
		touch(L, at->name);
	touch(L, "_proto");
	return push_iterator(L);
}

/// Pushes an empty table that fills itself through `index`.
static void
push_table(lua_State *L, lua_CFunction index, lua_CFunction pairs) {
	lua_createtable(L, 0, 8);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, index);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, pairs);
	lua_setfield(L, -2, "__pairs");
	lua_setmetatable(L, -2);
}

/// face() -> the table of `skynet`
static int
push_face(lua_State *L) {
	push_table(L, skynet_index, skynet_pairs);
	return 1;
}

LUAMOD_API int luaopen_skynet_core(lua_State *L);

LUAMOD_API int
luaopen_skynet_core(lua_State *L) {
	luaL_checkversion(L);
	service_open(L);
	push_table(L, core_index, core_pairs);
	lua_pushcfunction(L, push_face);
	lua_setfield(L, -2, "face");
	return 1;
}
