/* skynet.memory: what the allocator and the kernel know about memory. No state. */
#include <lauxlib.h>
#include <lua.h>

#include "malloc_hook.h"
#include "skynet.h"

SKYNET_API int luaopen_skynet_memory(lua_State *L);

/// memory.total() -> bytes in use
static int
memory_lua_total(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)malloc_used_memory());
	return 1;
}

/// memory.block() -> live blocks
static int
memory_lua_block(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)malloc_memory_block());
	return 1;
}

/// memory.current() -> bytes of the calling service
static int
memory_lua_current(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)malloc_current_memory());
	return 1;
}

/// memory.dump(): one log line per service
static int
memory_lua_dump(lua_State *L) {
	(void)L;
	dump_c_mem();
	return 0;
}

/// memory.dumpinfo([options]): the allocator's report, to stderr
static int
memory_lua_dumpinfo(lua_State *L) {
	memory_info_dump(luaL_optstring(L, 1, NULL));
	return 0;
}

/// memory.mallctl(name) -> integer
static int
memory_lua_mallctl(lua_State *L) {
	const char *name = luaL_checkstring(L, 1);
	lua_pushinteger(L, (lua_Integer)mallctl_int64(name, NULL));
	return 1;
}

/// memory.jestat() -> name to bytes
static int
memory_lua_jestat(lua_State *L) {
	static const char *const names[] = {
		"stats.allocated",
		"stats.resident",
		"stats.retained",
		"stats.mapped",
		"stats.active",
	};
	/* jemalloc keeps a copy of its statistics, renewed by writing the epoch. */
	size_t epoch = 1;
	mallctl_int64("epoch", &epoch);
	lua_newtable(L);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		lua_pushinteger(L, (lua_Integer)mallctl_int64(names[i], NULL));
		lua_setfield(L, -2, names[i]);
	}
	return 1;
}

/// memory.dumpheap() -> status: a heap profile into the file that jemalloc chooses
static int
memory_lua_dumpheap(lua_State *L) {
	lua_pushinteger(L, mallctl_cmd("prof.dump"));
	return 1;
}

/// memory.profactive([on]) -> whether the heap profile was on
static int
memory_lua_profactive(lua_State *L) {
	bool active;
	if (lua_isnone(L, 1)) {
		active = mallctl_bool("prof.active", NULL);
	} else {
		luaL_checktype(L, 1, LUA_TBOOLEAN);
		active = lua_toboolean(L, 1);
		active = mallctl_bool("prof.active", &active);
	}
	lua_pushboolean(L, active);
	return 1;
}

int
luaopen_skynet_memory(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"total", memory_lua_total},
		{"block", memory_lua_block},
		{"info", dump_mem_lua},
		{"current", memory_lua_current},
		{"dump", memory_lua_dump},
		{"dumpinfo", memory_lua_dumpinfo},
		{"jestat", memory_lua_jestat},
		{"mallctl", memory_lua_mallctl},
		{"dumpheap", memory_lua_dumpheap},
		{"profactive", memory_lua_profactive},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	luaL_newlib(L, functions);
	return 1;
}
