/* The Lua side of the code cache: loadfile, dofile and the searcher of `require` that go through
 * it, and skynet.codecache, which steers it. Entered by the thread that runs the service.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "snlua_parts.h"

/* Places in package.searchers. */
enum { SEARCHER_LUA = 2, SEARCHER_C = 3, SEARCHER_ALL_IN_ONE = 4 };

static struct snlua *
upvalue_service(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

static int
load_cached(lua_State *L, const char *filename, const char *mode) {
	return code_cache_load(upvalue_service(L), L, filename, mode);
}

/// loadfile([filename [, mode [, env]]])
static int
cached_loadfile(lua_State *L) {
	const char *filename = luaL_optstring(L, 1, NULL);
	const char *mode = luaL_optstring(L, 2, NULL);
	int has_env = !lua_isnone(L, 3);
	if (load_cached(L, filename, mode) != LUA_OK) {
		luaL_pushfail(L);
		lua_insert(L, -2);
		return 2;
	}
	if (has_env) {
		lua_pushvalue(L, 3);
		/* A chunk has _ENV as its first upvalue, if it has any. */
		if (lua_setupvalue(L, -2, 1) == NULL)
			lua_pop(L, 1);
	}
	return 1;
}

static int
dofile_done(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	return lua_gettop(L) - 1;
}

/// dofile([filename])
static int
cached_dofile(lua_State *L) {
	const char *filename = luaL_optstring(L, 1, NULL);
	lua_settop(L, 1);
	if (load_cached(L, filename, NULL) != LUA_OK)
		return lua_error(L);
	lua_callk(L, 0, LUA_MULTRET, 0, dofile_done);
	return dofile_done(L, 0, 0);
}

/// Pushes the file that the first template of `path` names for module `name`, if the cache has it;
/// then the file system need not be asked. Otherwise pushes nothing and returns 0.
static int
push_cached_file(lua_State *L, struct snlua *service, const char *name, const char *path) {
	if (service->cache == NULL || service->cache_mode == CODE_CACHE_OFF)
		return 0;
	size_t size = strcspn(path, LUA_PATH_SEP);
	luaL_Buffer buffer;
	const char *file = luaL_gsub(L, name, ".", LUA_DIRSEP);
	luaL_buffinit(L, &buffer);
	for (size_t i = 0; i < size; i++) {
		if (path[i] == *LUA_PATH_MARK)
			luaL_addstring(&buffer, file);
		else
			luaL_addchar(&buffer, path[i]);
	}
	luaL_pushresult(&buffer);
	lua_remove(L, -2);
	if (code_cache_has(service->cache, lua_tostring(L, -1)))
		return 1;
	lua_pop(L, 1);
	return 0;
}

/// Pushes the name of the file for module `name`. Returns 0 with a message pushed when there is
/// none.
static int
push_file(lua_State *L, const char *name) {
	if (lua_getfield(L, lua_upvalueindex(2), "path") != LUA_TSTRING)
		return luaL_error(L, "'package.path' must be a string");
	if (push_cached_file(L, upvalue_service(L), name, lua_tostring(L, -1)))
		return 1;
	lua_pushvalue(L, lua_upvalueindex(3));
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -3);
	lua_call(L, 2, 2);
	if (lua_isnil(L, -2))
		return 0;
	lua_pop(L, 1);
	return 1;
}

/// Pushes what the search for a C module depends on, besides the file system: name and paths.
static const char *
push_search(lua_State *L, const char *name) {
	lua_getfield(L, lua_upvalueindex(2), "path");
	lua_getfield(L, lua_upvalueindex(2), "cpath");
	const char *path = lua_tostring(L, -2);
	const char *cpath = lua_tostring(L, -1);
	if (path == NULL || cpath == NULL)
		return NULL;
	return lua_pushfstring(L, "%s|%s|%s", name, path, cpath);
}

/// Pushes open function and file of a C module that was found before by the same search.
static int
push_cached_module(lua_State *L, struct snlua *service, const char *name) {
	if (service->cache == NULL || service->cache_mode == CODE_CACHE_OFF)
		return 0;
	const char *search = push_search(L, name);
	lua_CFunction function =
		search != NULL ? code_cache_find_module(service->cache, L, search) : NULL;
	if (function == NULL) {
		lua_settop(L, 1);
		return 0;
	}
	lua_pushcfunction(L, function);
	lua_insert(L, -2);
	return 1;
}

/// A searcher for C modules that remembers what it finds; upvalues: service, package, stock
/// searcher.
static int
remembering_searcher(lua_State *L) {
	struct snlua *service = upvalue_service(L);
	const char *name = luaL_checkstring(L, 1);
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(3));
	lua_pushvalue(L, 1);
	lua_call(L, 1, LUA_MULTRET);
	int count = lua_gettop(L) - 1;
	lua_CFunction function = count >= 2 ? lua_tocfunction(L, 2) : NULL;
	if (function == NULL || lua_type(L, 3) != LUA_TSTRING || service->cache == NULL ||
		service->cache_mode != CODE_CACHE_ON)
		return count;
	const char *search = push_search(L, name);
	if (search != NULL)
		code_cache_add_module(service->cache, search, lua_tostring(L, 3), function);
	lua_settop(L, 1 + count);
	return count;
}

/// The searcher for Lua files, and for C modules that were found before, which needs no look at the
/// file system; upvalues: service, package, package.searchpath.
static int
cached_searcher(lua_State *L) {
	const char *name = luaL_checkstring(L, 1);
	lua_settop(L, 1);
	if (push_cached_module(L, upvalue_service(L), name))
		return 2; /* open function, filename */
	if (!push_file(L, name))
		return 1; /* the message: what was tried */
	const char *filename = lua_tostring(L, -1);
	if (load_cached(L, filename, NULL) != LUA_OK)
		return luaL_error(L, "error loading module '%s' from file '%s':\n\t%s", name,
			filename, lua_tostring(L, -1));
	lua_insert(L, -2);
	return 2; /* loader, filename */
}

/// codecache.clear()
static int
codecache_clear(lua_State *L) {
	struct snlua *service = upvalue_service(L);
	code_cache_clear(service->cache);
	templates_clear(service->templates);
	return 0;
}

/// codecache.mode([mode]) -> mode
static int
codecache_mode(lua_State *L) {
	static const char *const names[] = {[CODE_CACHE_ON] = "ON",
		[CODE_CACHE_EXIST] = "EXIST",
		[CODE_CACHE_OFF] = "OFF",
		NULL};
	struct snlua *service = upvalue_service(L);
	if (!lua_isnoneornil(L, 1)) {
		service->cache_mode = luaL_checkoption(L, 1, NULL, names);
		return 0;
	}
	lua_pushstring(L, names[service->cache_mode]);
	return 1;
}

/// Replaces package.searchers; package is at the top of the stack.
static void
replace_searchers(lua_State *L, struct snlua *service) {
	int package = lua_gettop(L);
	if (lua_getfield(L, package, "searchers") == LUA_TTABLE) {
		lua_pushlightuserdata(L, service);
		lua_pushvalue(L, package);
		lua_getfield(L, package, "searchpath");
		lua_pushcclosure(L, cached_searcher, 3);
		lua_rawseti(L, -2, SEARCHER_LUA);
		for (int i = SEARCHER_C; i <= SEARCHER_ALL_IN_ONE; i++) {
			lua_pushlightuserdata(L, service);
			lua_pushvalue(L, package);
			lua_rawgeti(L, -3, i);
			lua_pushcclosure(L, remembering_searcher, 3);
			lua_rawseti(L, -2, i);
		}
	}
	lua_settop(L, package);
}

int
snlua_open_codecache(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"clear", codecache_clear},
		{"mode", codecache_mode},
		{"loadfile", cached_loadfile},
		{NULL, NULL},
	};
	struct snlua *service = snlua_from(L);
	luaL_newlibtable(L, functions);
	lua_pushlightuserdata(L, service);
	luaL_setfuncs(L, functions, 1);
	lua_getfield(L, -1, "loadfile");
	lua_setglobal(L, "loadfile");
	lua_pushlightuserdata(L, service);
	lua_pushcclosure(L, cached_dofile, 1);
	lua_setglobal(L, "dofile");
	lua_getglobal(L, LUA_LOADLIBNAME);
	if (lua_istable(L, -1))
		replace_searchers(L, service);
	lua_pop(L, 1);
	return 1;
}
