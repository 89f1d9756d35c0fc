/* A Lua C module in the form that those for the reference have: it finds its service in the
 * registry.
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>

#include "malloc_hook.h"
#include "skynet.h"
#include "skynet_malloc.h"
#include "skynet_socket.h"

static struct skynet_context *
context_of(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

static int
address(lua_State *L) {
	lua_pushstring(L, skynet_command(context_of(L), "REG", NULL));
	return 1;
}

/* Sends a text to a service; returns the session. */
static int
ask(lua_State *L) {
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);
	char *copy = skynet_malloc(size);
	memcpy(copy, text, size);
	lua_pushinteger(L,
		skynet_send(context_of(L), 0, (uint32_t)luaL_checkinteger(L, 1),
			PTYPE_TEXT | PTYPE_TAG_DONTCOPY | PTYPE_TAG_ALLOCSESSION, 0, copy, size));
	return 1;
}

static int
memory(lua_State *L) {
	return dump_mem_lua(L);
}

int luaopen_oldlib(lua_State *L);

int
luaopen_oldlib(lua_State *L) {
	luaL_checkversion(L);
	luaL_Reg functions[] = {
		{"address", address}, {"ask", ask}, {"memory", memory}, {NULL, NULL}};
	luaL_newlibtable(L, functions);
	lua_getfield(L, LUA_REGISTRYINDEX, "skynet_context");
	if (lua_touserdata(L, -1) == NULL)
		return luaL_error(L, "no service here");
	luaL_setfuncs(L, functions, 1);
	return 1;
}
