/* skynet.require, and the `require` of a service: a module that is loaded in a coroutine may yield,
 * in its chunk and in the functions that it gave to `skynet.init`. On the main thread it is the
 * stock one, and what `skynet.init` was given runs in the first coroutine of the service, before
 * the start function. What only loading in a coroutine needs is lualib/skynet/require_task.lua.
 *
 * The lists of init functions, thread to list, are made when they are first needed.
 */
#include <lauxlib.h>
#include <lualib.h>

#include "snlua_parts.h"

#define TASK_MODULE "skynet.require_task"

/* Upvalues of all functions here. */
enum { UPVALUE_STOCK = 1, UPVALUE_LOADED };

/* Their addresses are registry keys. */
static const char lists_key = 0; /* the lists; true when init_all was first */
static const char task_key = 0;  /* the function of TASK_MODULE, once it is loaded */

/// Pushes the table of lists; it is made when it is not there yet.
static void
push_lists(lua_State *L) {
	int kind = lua_rawgetp(L, LUA_REGISTRYINDEX, &lists_key);
	if (kind == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	if (kind == LUA_TNIL) {
		lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
		lua_newtable(L);
		lua_rawset(L, -3);
	}
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &lists_key);
}

/// Pushes the function that loads in a coroutine.
static void
push_task_loader(lua_State *L) {
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &task_key) == LUA_TFUNCTION)
		return;
	lua_pop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_STOCK));
	lua_pushliteral(L, TASK_MODULE);
	lua_call(L, 1, 1);
	lua_pushvalue(L, lua_upvalueindex(UPVALUE_STOCK));
	push_lists(L);
	lua_call(L, 2, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &task_key);
}

static int
required(lua_State *L, int status, lua_KContext base) {
	(void)status;
	return lua_gettop(L) - (int)base;
}

/// require(name) -> module [, origin]
static int
require(lua_State *L) {
	lua_settop(L, 1);
	lua_pushvalue(L, 1);
	if (lua_gettable(L, lua_upvalueindex(UPVALUE_LOADED)) != LUA_TNIL)
		return 1;
	lua_settop(L, 1);
	if (lua_pushthread(L)) {
		lua_pop(L, 1);
		lua_pushvalue(L, lua_upvalueindex(UPVALUE_STOCK));
		lua_insert(L, 1);
		lua_call(L, 1, LUA_MULTRET);
		return lua_gettop(L);
	}
	push_task_loader(L);
	lua_insert(L, 2);
	lua_pushvalue(L, 1);
	lua_callk(L, 2, LUA_MULTRET, 1, required);
	return required(L, LUA_OK, 1);
}

/// init(func): func runs when the module that is being loaded is complete, or, on the main thread,
/// before the start function of the service
static int
init(lua_State *L) {
	lua_settop(L, 1);
	if (!lua_isfunction(L, 1))
		return luaL_error(L, "assertion failed!");
	push_lists(L);
	lua_pushthread(L);
	if (lua_rawget(L, 2) != LUA_TTABLE)
		return luaL_error(L,
			"skynet.init is for the main chunk, and for modules while they are loaded");
	lua_pushvalue(L, 1);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	return 0;
}

/// Stack: the list. Runs what comes after `index`.
static int
run_list(lua_State *L, int status, lua_KContext index) {
	(void)status;
	lua_settop(L, 1);
	while (lua_rawgeti(L, 1, (lua_Integer)++index) != LUA_TNIL)
		lua_callk(L, 0, 0, index, run_list);
	return 0;
}

/// init_all(): runs the functions that were registered on the main thread, in order
static int
init_all(lua_State *L) {
	lua_settop(L, 0);
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &lists_key) != LUA_TTABLE) {
		lua_pushboolean(L, 1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &lists_key);
		return 0;
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	lua_pushvalue(L, -1);
	if (lua_rawget(L, 1) != LUA_TTABLE)
		return 0;
	lua_insert(L, 1);
	lua_pushnil(L);
	lua_rawset(L, 2);
	return run_list(L, LUA_OK, 0);
}

void
snlua_install_require(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"require", require},
		{"init", init},
		{"init_all", init_all},
		{NULL, NULL},
	};
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	luaL_newlibtable(L, functions);
	lua_getglobal(L, "require");
	lua_pushvalue(L, -3);
	luaL_setfuncs(L, functions, 2);
	lua_getfield(L, -1, "require");
	lua_setglobal(L, "require");
	lua_setfield(L, -2, "skynet.require");
	lua_pop(L, 1);
}
