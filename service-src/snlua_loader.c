/* What lualib/loader.lua does, in C because every service goes through it: finds the script that
 * the argument text names, sets the globals of the service and its search paths, and runs it.
 * Entered by the thread that runs the service.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "snlua_parts.h"

#define BLANKS         " \t\n\v\f\r"
#define PATH_SEPARATOR ';'
#define PATH_MARK      '?'
#define FOLDER_MARK    '/'

/* Places on the stack: the whole text, then its words. */
enum { ARGUMENTS = 1, WORDS };

/* The words of the argument text are on the stack from WORDS on. */
struct words {
	int count;
};

/// Pushes each word of the argument text.
static struct words
push_words(lua_State *L) {
	struct words words = {0};
	const char *text = luaL_checkstring(L, ARGUMENTS);
	for (text += strspn(text, BLANKS); *text != '\0'; text += strspn(text, BLANKS)) {
		size_t size = strcspn(text, BLANKS);
		luaL_checkstack(L, 2, "too many arguments");
		lua_pushlstring(L, text, size);
		text += size;
		words.count++;
	}
	if (words.count == 0)
		luaL_error(L, "no script name given");
	return words;
}

/// Pushes `pattern` with each mark replaced by the name of the service.
static const char *
push_substituted(lua_State *L, const char *pattern, size_t size) {
	size_t name_size;
	const char *name = lua_tolstring(L, WORDS, &name_size);
	luaL_Buffer buffer;
	luaL_buffinit(L, &buffer);
	for (size_t i = 0; i < size; i++) {
		if (pattern[i] == PATH_MARK)
			luaL_addlstring(&buffer, name, name_size);
		else
			luaL_addchar(&buffer, pattern[i]);
	}
	luaL_pushresult(&buffer);
	return lua_tostring(L, -1);
}

/// As luaL_loadfile, through the cache of the service.
static int
load_file(lua_State *L, struct snlua *service, const char *filename) {
	return code_cache_load(service, L, filename, NULL);
}

/// Pushes the chunk of the script and the pattern that led to it. Raises the messages of all
/// attempts when there is none.
static void
find_script(lua_State *L, struct snlua *service) {
	int messages = 0;
	lua_getglobal(L, "LUA_SERVICE");
	const char *path = luaL_checkstring(L, -1);
	while (*path != '\0') {
		size_t size = strcspn(path, ";");
		if (size > 0) {
			luaL_checkstack(L, 4, NULL);
			const char *filename = push_substituted(L, path, size);
			if (load_file(L, service, filename) == LUA_OK) {
				lua_pushlstring(L, path, size);
				return;
			}
			lua_remove(L, -2);
			if (messages++ > 0) {
				lua_pushliteral(L, "\n");
				lua_insert(L, -2);
				lua_concat(L, 3);
			}
		}
		path += size;
		path += *path == PATH_SEPARATOR;
	}
	if (messages == 0)
		lua_pushliteral(L, "");
	lua_error(L);
}

/// Moves the global `name` into the field of the table at the top of the stack, or drops it.
static void
take_global(lua_State *L, const char *name, const char *field) {
	lua_getglobal(L, name);
	if (field != NULL)
		lua_setfield(L, -2, field);
	else
		lua_pop(L, 1);
	lua_pushnil(L);
	lua_setglobal(L, name);
}

/// The folder in front of the last mark-free part of `pattern`: 0 when there is none.
static size_t
own_folder(const char *pattern) {
	const char *slash = strrchr(pattern, FOLDER_MARK);
	if (slash == NULL || slash[1] == '\0' || strchr(slash, PATH_MARK) != NULL)
		return 0;
	return (size_t)(slash - pattern) + 1;
}

/// The size of `pattern` up to its last slash that has something behind it.
static size_t
common_folder(const char *pattern) {
	size_t size = strlen(pattern);
	if (size > 0 && pattern[size - 1] == FOLDER_MARK)
		size--;
	while (size > 0 && pattern[size - 1] != FOLDER_MARK)
		size--;
	return size;
}

/// Sets SERVICE_PATH from the pattern that led to the script. A pattern like
/// ./packages/?/main.lua makes the service's folder its own package folder. `package` is at the top
/// of the stack.
static void
set_service_path(lua_State *L, const char *pattern) {
	size_t size = own_folder(pattern);
	if (size > 0) {
		push_substituted(L, pattern, size);
		lua_pushvalue(L, -1);
		lua_setglobal(L, "SERVICE_PATH");
		lua_pushliteral(L, "?.lua;");
		lua_getfield(L, -3, "path");
		lua_concat(L, 3);
		lua_setfield(L, -2, "path");
		return;
	}
	size = common_folder(pattern);
	if (size > 0)
		lua_pushlstring(L, pattern, size);
	else
		lua_pushnil(L);
	lua_setglobal(L, "SERVICE_PATH");
}

/// Calls the function at the top of the stack with the words from index `first` on.
static void
call_with_words(lua_State *L, struct words words, int first) {
	int last = WORDS + words.count - 1;
	luaL_checkstack(L, words.count + 1, "too many arguments");
	for (int i = first; i <= last; i++)
		lua_pushvalue(L, i);
	lua_call(L, last - first + 1, 0);
}

/// Runs the file that the setting `preload` names, if it does. It is at the top of the stack.
static void
run_preload(lua_State *L, struct snlua *service, struct words words) {
	if (!lua_toboolean(L, -1))
		return;
	if (load_file(L, service, luaL_checkstring(L, -1)) != LUA_OK)
		lua_error(L);
	call_with_words(L, words, WORDS);
}

int
snlua_run_script(lua_State *L) {
	struct snlua *service = snlua_from(L);
	lua_settop(L, ARGUMENTS);
	struct words words = push_words(L);
	lua_pushvalue(L, WORDS);
	lua_setglobal(L, "SERVICE_NAME");
	find_script(L, service);
	const char *pattern = lua_tostring(L, -1);
	int script = lua_gettop(L) - 1;

	lua_getglobal(L, LUA_LOADLIBNAME);
	take_global(L, "LUA_PATH", "path");
	take_global(L, "LUA_CPATH", "cpath");
	take_global(L, "LUA_SERVICE", NULL);
	set_service_path(L, pattern);
	lua_getglobal(L, "LUA_PRELOAD");
	lua_pushnil(L);
	lua_setglobal(L, "LUA_PRELOAD");
	run_preload(L, service, words);

	snlua_install_require(L);
	lua_settop(L, script);
	call_with_words(L, words, WORDS + 1);
	return 0;
}
