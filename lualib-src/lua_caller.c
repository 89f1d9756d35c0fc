/* Checks the layout of call frames. See the header. */
#include "lua_caller.h"

#if LUA_VERSION_NUM == 504

/// Stores in the light userdata whether a result is wanted.
static int
probe(lua_State *L) {
	bool *wanted = lua_touserdata(L, 1);
	*wanted = caller_wants_result(L);
	return 0;
}

static bool
probe_with(lua_State *L, int result_count) {
	bool wanted = false;
	int top = lua_gettop(L);
	lua_pushcfunction(L, probe);
	lua_pushlightuserdata(L, &wanted);
	lua_call(L, 1, result_count);
	lua_settop(L, top);
	return wanted;
}

bool
caller_layout_known(lua_State *L) {
	return !probe_with(L, 0) && probe_with(L, 1) && probe_with(L, LUA_MULTRET);
}

#else

bool
caller_layout_known(lua_State *L) {
	(void)L;
	return false;
}

#endif
