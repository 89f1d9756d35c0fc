/* Runs a config file, which is Lua, and takes its variables as settings.
 *
 * The file is not trusted to be sane: it sees nothing but `include` and the methods of strings, and
 * memory, instructions, CPU time, size and depth of includes are bounded. The variables live in a
 * table behind a proxy, so that the file and line of each assignment can be noted. Chunks are named
 * "#1", "#2", ... because Lua shortens long names; in error texts these are replaced by the paths.
 * Errors leave Lua code by longjmp: C memory that must outlive a Lua call that can raise is held in
 * struct script, which skynet_config_load releases.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "kernel/config_key.h"
#include "kernel/config_setting.h"
#include "skynet_malloc.h"
#include "skynet_node.h"

#define INCLUDE_DEPTH_MAX 32
#define FILE_COUNT_MAX    1024
#define FILE_SIZE_MAX     ((size_t)4 << 20)
#define MEMORY_MAX        ((size_t)64 << 20)
#define INSTRUCTIONS_MAX  10000000
#define HOOK_INTERVAL     1000
#define CPU_NS_MAX        (UINT64_C(10) * 1000000000)
#define SETTINGS_SIZE_MAX ((size_t)16 << 20)
#define MATCH_COST_MAX    1e8
#define ENV_NAME_MAX      255

struct text {
	char *bytes;
	size_t size, capacity;
};

struct script {
	struct skynet_config *config;
	const char *const *overrides;
	int override_count;
	size_t memory;        /* in use by Lua */
	size_t setting_bytes; /* names and values taken so far */
	int instructions;     /* run so far, in steps of HOOK_INTERVAL */
	uint64_t cpu_deadline_ns;
	char **files; /* paths in the order of loading; "#1" is the first */
	int file_count;
	int stack[INCLUDE_DEPTH_MAX]; /* files that are being run, as indices into `files` */
	int depth;
};

/* Stack slots of run_script, and upvalues of the closures made there: values, places, fixed keys.
 */
enum { SLOT_VALUES = 1, SLOT_ORIGINS, SLOT_FIXED, SLOT_COUNT = SLOT_FIXED };

static void *
limited_alloc(void *ud, void *block, size_t old_size, size_t new_size) {
	struct script *script = ud;
	if (block == NULL)
		old_size = 0; /* Lua passes the kind of the new object */
	if (new_size > old_size && script->memory + (new_size - old_size) > MEMORY_MAX)
		return NULL;
	void *result = skynet_lalloc(block, old_size, new_size);
	if (result != NULL || new_size == 0)
		script->memory += new_size - old_size;
	return result;
}

static struct script *
get_script(lua_State *L) {
	void *ud;
	lua_getallocf(L, &ud);
	return ud;
}

static void
count_hook(lua_State *L, lua_Debug *ar) {
	(void)ar;
	struct script *script = get_script(L);
	script->instructions += HOOK_INTERVAL;
	if (script->instructions >= INSTRUCTIONS_MAX ||
		clock_thread_cpu_ns() > script->cpu_deadline_ns)
		luaL_error(
			L, "the config does not end: more than %d instructions", INSTRUCTIONS_MAX);
}

/* ---- Text of a file, with $NAME replaced ---- */

static void
text_append(struct text *text, const char *bytes, size_t size) {
	if (size == 0)
		return;
	if (text->capacity - text->size < size) {
		text->capacity = (text->size + size) * 2;
		text->bytes = skynet_realloc(text->bytes, text->capacity);
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
}

/* An included file must be a regular one: a pipe or a terminal could keep us waiting for ever. The
 * config itself may be what the user likes, such as "<(command)" of a shell. */
static int
open_file(const char *path, bool included, struct skynet_error *error) {
	struct stat info;
	int fd = open(path, O_RDONLY | O_CLOEXEC | (included ? O_NONBLOCK : 0));
	if (fd < 0)
		return error_set_errno(error, SKYNET_ECONFIG, errno, "cannot open '%s'", path);
	if (!included)
		return fd;
	int failed = fstat(fd, &info) != 0 ? errno : 0;
	if (failed == 0 && S_ISREG(info.st_mode))
		return fd;
	close(fd);
	if (failed != 0)
		return error_set_errno(error, SKYNET_ECONFIG, failed, "cannot read '%s'", path);
	return error_set(error, SKYNET_ECONFIG, "'%s' is no regular file", path);
}

static int
read_file(const char *path, bool included, struct text *text, struct skynet_error *error) {
	int fd = open_file(path, included, error);
	if (fd < 0)
		return fd;
	char chunk[8192];
	int result = 0;
	for (;;) {
		ssize_t size = read(fd, chunk, sizeof chunk);
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0)
			result = error_set_errno(
				error, SKYNET_ECONFIG, errno, "cannot read '%s'", path);
		if (size <= 0)
			break;
		text_append(text, chunk, (size_t)size);
		if (text->size > FILE_SIZE_MAX) {
			result = error_set(error, SKYNET_ECONFIG, "'%s' is larger than %zu bytes",
				path, FILE_SIZE_MAX);
			break;
		}
	}
	close(fd);
	return result;
}

static int
line_of(const struct text *text, size_t position) {
	int line = 1;
	for (size_t i = 0; i < position; i++)
		line += text->bytes[i] == '\n';
	return line;
}

static size_t
env_name_size(const struct text *text, size_t start) {
	size_t end = start;
	while (end < text->size &&
		(isalnum((unsigned char)text->bytes[end]) || text->bytes[end] == '_'))
		end++;
	return end - start;
}

/* Appends the value of the variable whose name stands at `start` of `from`. */
static int
append_variable(struct text *to, const struct text *from, size_t start, size_t size,
	const char *path, struct skynet_error *error) {
	char name[ENV_NAME_MAX + 1];
	const char *value = NULL;
	if (size <= ENV_NAME_MAX) {
		memcpy(name, from->bytes + start, size);
		name[size] = '\0';
		value = getenv(name);
	}
	if (value == NULL)
		return error_set(error, SKYNET_ECONFIG,
			"%s:%d: os.getenv() failed: %.*s (set this environment variable)", path,
			line_of(from, start), (int)(size > ENV_NAME_MAX ? ENV_NAME_MAX : size),
			from->bytes + start);
	text_append(to, value, strlen(value));
	if (to->size > FILE_SIZE_MAX)
		return error_set(error, SKYNET_ECONFIG,
			"%s: larger than %zu bytes with its environment variables", path,
			FILE_SIZE_MAX);
	return 0;
}

static int
expand_variables(
	struct text *to, const struct text *from, const char *path, struct skynet_error *error) {
	size_t position = 0;
	while (position < from->size) {
		const char *dollar = memchr(from->bytes + position, '$', from->size - position);
		size_t plain = dollar == NULL ? from->size : (size_t)(dollar - from->bytes);
		text_append(to, from->bytes + position, plain - position);
		if (dollar == NULL)
			return 0;
		size_t name = env_name_size(from, plain + 1);
		position = plain + 1 + name;
		if (name == 0) {
			text_append(to, "$", 1);
			continue;
		}
		int result = append_variable(to, from, plain + 1, name, path, error);
		if (result != 0)
			return result;
	}
	return 0;
}

/* ---- Loading a file into the Lua state ---- */

/* Notes the path as the next file; gives its index. Takes `path`. */
static int
remember_file(struct script *script, char *path) {
	script->files = skynet_realloc(
		script->files, (size_t)(script->file_count + 1) * sizeof *script->files);
	script->files[script->file_count] = path;
	return script->file_count++;
}

/* Cuts a string or a number off the end of the syntax error on top of the stack: it may be a
 * secret, and errors are logged. */
static void
hide_literal(lua_State *L) {
	static const char near[] = " near '";
	const char *text = lua_tostring(L, -1);
	const char *end = strstr(text, near);
	if (end != NULL && strchr("'\"[0123456789", end[sizeof near - 1]) != NULL) {
		lua_pushlstring(L, text, (size_t)(end - text));
		lua_replace(L, -2);
	}
}

/* Pushes the compiled file onto the stack, or raises. */
static void
compile_file(lua_State *L, const char *path, int index) {
	struct skynet_error error;
	struct text raw = {0}, text = {0};
	int result = read_file(path, index > 0, &raw, &error);
	/* A file that cannot be read is reported where its include stands. */
	luaL_where(L, result == 0 ? 0 : 1);
	if (result == 0)
		result = expand_variables(&text, &raw, path, &error);
	int status = LUA_OK;
	if (result == 0) {
		char chunk_name[16];
		snprintf(chunk_name, sizeof chunk_name, "=#%d", index + 1);
		status = luaL_loadbufferx(
			L, text.size == 0 ? "" : text.bytes, text.size, chunk_name, "t");
	}
	skynet_free(raw.bytes);
	skynet_free(text.bytes);
	if (result != 0) {
		lua_pushstring(L, error.text);
		lua_concat(L, 2);
		lua_error(L);
	}
	if (status == LUA_ERRSYNTAX)
		hide_literal(L);
	if (status != LUA_OK)
		lua_error(L);
}

static void
run_file(lua_State *L, struct script *script, int index) {
	script->stack[script->depth++] = index;
	compile_file(L, script->files[index], index);
	lua_call(L, 0, 0);
	script->depth--;
}

/* `name` as seen from the file that includes it. The caller frees the result. */
static char *
include_path(const char *from, const char *name) {
	while (strncmp(name, "./", 2) == 0)
		name += 2;
	const char *slash = strrchr(from, '/');
	size_t folder = name[0] == '/' || slash == NULL ? 0 : (size_t)(slash - from) + 1;
	size_t size = strlen(name) + 1;
	char *path = skynet_malloc(folder + size);
	memcpy(path, from, folder);
	memcpy(path + folder, name, size);
	return path;
}

static int
include_file(lua_State *L) {
	struct script *script = get_script(L);
	const char *name = luaL_checkstring(L, 1);
	if (script->depth == INCLUDE_DEPTH_MAX)
		return luaL_error(
			L, "include '%s': more than %d files deep", name, INCLUDE_DEPTH_MAX);
	if (script->file_count == FILE_COUNT_MAX)
		return luaL_error(L, "include '%s': more than %d files", name, FILE_COUNT_MAX);
	int index = remember_file(
		script, include_path(script->files[script->stack[script->depth - 1]], name));
	for (int i = 0; i < script->depth; i++) {
		if (strcmp(script->files[script->stack[i]], script->files[index]) == 0)
			return luaL_error(
				L, "include '%s': this file is being included already", name);
	}
	run_file(L, script, index);
	return 0;
}

/* ---- Variables ---- */

/* __index(proxy, name): a variable, or `include`. Upvalues: values, include. */
static int
read_variable(lua_State *L) {
	lua_settop(L, 2);
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(1)) == LUA_TNIL && lua_type(L, 2) == LUA_TSTRING &&
		strcmp(lua_tostring(L, 2), "include") == 0)
		lua_pushvalue(L, lua_upvalueindex(2));
	return 1;
}

/* __newindex(proxy, name, value). Upvalues: the three tables. */
static int
write_variable(lua_State *L) {
	if (lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(
			L, "Invalid config table: a key is a %s, not a name", luaL_typename(L, 2));
	lua_pushvalue(L, 2);
	if (lua_rawget(L, lua_upvalueindex(SLOT_FIXED)) != LUA_TNIL)
		return 0; /* given on the command line */
	lua_settop(L, 3);
	lua_pushvalue(L, 2);
	lua_pushvalue(L, 3);
	lua_rawset(L, lua_upvalueindex(SLOT_VALUES));
	lua_pushvalue(L, 2);
	luaL_where(L, 1);
	lua_rawset(L, lua_upvalueindex(SLOT_ORIGINS));
	return 0;
}

/* Stands in for find, match, gmatch and gsub of strings: a pattern with many repetitions takes
 * exponential time inside one C call, where no hook runs. Upvalue: the original. */
static int
bounded_match(lua_State *L) {
	size_t size, pattern_size;
	luaL_checklstring(L, 1, &size);
	const char *pattern = luaL_checklstring(L, 2, &pattern_size);
	double cost = (double)size + 1;
	for (size_t i = 0; i < pattern_size && cost <= MATCH_COST_MAX; i++) {
		if (pattern[i] == '%')
			i++;
		else if (strchr("*+-?", pattern[i]) != NULL && pattern[i] != '\0')
			cost *= (double)size + 1;
	}
	if (cost > MATCH_COST_MAX)
		return luaL_error(L, "pattern '%s' may take too long here", pattern);
	int count = lua_gettop(L);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	lua_call(L, count, LUA_MULTRET);
	return lua_gettop(L);
}

static void
open_strings(lua_State *L) {
	static const char *const MATCHERS[] = {"find", "match", "gmatch", "gsub"};
	luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 0);
	for (size_t i = 0; i < sizeof MATCHERS / sizeof MATCHERS[0]; i++) {
		lua_getfield(L, -1, MATCHERS[i]);
		lua_pushcclosure(L, bounded_match, 1);
		lua_setfield(L, -2, MATCHERS[i]);
	}
	lua_pop(L, 1);
}

/* Makes the proxy the global table; chunks take it from there when they are loaded. */
static void
install_proxy(lua_State *L) {
	lua_newtable(L);
	lua_newtable(L);
	lua_pushvalue(L, SLOT_VALUES);
	lua_pushcfunction(L, include_file);
	lua_pushcclosure(L, read_variable, 2);
	lua_setfield(L, -2, "__index");
	for (int slot = SLOT_VALUES; slot <= SLOT_FIXED; slot++)
		lua_pushvalue(L, slot);
	lua_pushcclosure(L, write_variable, SLOT_COUNT);
	lua_setfield(L, -2, "__newindex");
	lua_setmetatable(L, -2);
	lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
}

/* Sets a variable from "-D key=value". The value becomes a number or boolean when it is written
 * like one, else a string. */
static void
apply_override(lua_State *L, const char *text) {
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text || strcspn(text, " \t\r\n") < (size_t)(equals - text))
		luaL_error(L, "command line: '-D %s' is not of the form key=value", text);
	lua_pushlstring(L, text, (size_t)(equals - text));
	const char *value = equals + 1;
	lua_pushvalue(L, -1);
	lua_pushstring(L, value);
	lua_rawset(L, SLOT_FIXED);
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		lua_pushboolean(L, value[0] == 't');
	else if (lua_stringtonumber(L, value) == 0)
		lua_pushstring(L, value);
	lua_rawset(L, SLOT_VALUES);
}

/* ---- Variables to settings ---- */

/* Text of the value at the top of the stack, or NULL for a type that is no setting. */
static const char *
value_text(lua_State *L) {
	switch (lua_type(L, -1)) {
	case LUA_TSTRING:
	case LUA_TNUMBER:
		return lua_tostring(L, -1);
	case LUA_TBOOLEAN:
		return lua_toboolean(L, -1) ? "true" : "false";
	default:
		return NULL;
	}
}

/* "#2:17: " to the path of that file and the line; the result lives as long as the stack slot. */
static const char *
push_place(lua_State *L, const char *place) {
	struct script *script = get_script(L);
	char *end;
	long number = place[0] == '#' ? strtol(place + 1, &end, 10) : 0;
	if (number < 1 || number > script->file_count)
		return lua_pushstring(L, script->files[0]);
	long line = strtol(end + 1, NULL, 10);
	return lua_pushfstring(L, "%s:%d", script->files[number - 1], (int)line);
}

static void
add_setting(lua_State *L, const char *key, const char *origin) {
	struct script *script = get_script(L);
	const char *text = value_text(L);
	if (text == NULL || strlen(key) == 0)
		luaL_error(L,
			"%s: Invalid config table key = %s (a %s; values are strings, numbers and "
			"booleans; use 'local' for what is no setting)",
			origin, key, luaL_typename(L, -1));
	const struct config_key *known = config_key_find(key);
	if (known != NULL && known->false_is_absent && strcmp(text, "false") == 0)
		return;
	script->setting_bytes += strlen(key) + strlen(text);
	if (script->setting_bytes > SETTINGS_SIZE_MAX)
		luaL_error(L, "%s: '%s': all settings together exceed %d bytes", origin, key,
			(int)SETTINGS_SIZE_MAX);
	config_setting_add(script->config, key, text, origin);
}

/* The key at -2 and the value at -1 become a setting. */
static void
collect_variable(lua_State *L) {
	const char *key = lua_tostring(L, -2);
	if (strlen(key) != lua_rawlen(L, -2))
		luaL_error(L, "Invalid config table: the key '%s' has a zero byte", key);
	lua_pushvalue(L, -2);
	if (lua_rawget(L, SLOT_FIXED) != LUA_TNIL) {
		add_setting(L, key, "command line");
		lua_pop(L, 1);
		return;
	}
	lua_pop(L, 1);
	lua_pushvalue(L, -2);
	lua_rawget(L, SLOT_ORIGINS);
	const char *origin = push_place(L, lua_tostring(L, -1));
	lua_pushvalue(L, -3);
	add_setting(L, key, origin);
	lua_pop(L, 3);
}

static int
run_script(lua_State *L) {
	struct script *script = get_script(L);
	lua_settop(L, 0);
	for (int slot = 0; slot < SLOT_COUNT; slot++)
		lua_newtable(L);
	open_strings(L);
	install_proxy(L);
	for (int i = 0; i < script->override_count; i++)
		apply_override(L, script->overrides[i]);
	run_file(L, script, 0);
	lua_sethook(L, NULL, 0, 0);
	lua_pushnil(L);
	while (lua_next(L, SLOT_VALUES) != 0) {
		collect_variable(L);
		lua_pop(L, 1);
	}
	return 0;
}

/* Text of a Lua error, with the path in the place of "#1". */
static int
report_error(const struct script *script, const char *text, struct skynet_error *error) {
	const char *path = script->files[0];
	char *end = NULL;
	long number = text[0] == '#' ? strtol(text + 1, &end, 10) : 0;
	if (number >= 1 && number <= script->file_count && *end == ':')
		return error_set(error, SKYNET_ECONFIG, "%s%s", script->files[number - 1], end);
	/* An error that names its place begins with the path of a file already. */
	for (int i = 0; i < script->file_count; i++) {
		size_t size = strlen(script->files[i]);
		if (strncmp(text, script->files[i], size) == 0 && text[size] == ':')
			return error_set(error, SKYNET_ECONFIG, "%s", text);
	}
	return error_set(error, SKYNET_ECONFIG, "%s: %s", path, text);
}

static int
execute(struct script *script, struct skynet_error *error) {
	lua_State *L = lua_newstate(limited_alloc, script);
	if (L == NULL)
		return error_set(error, SKYNET_ENOMEM, "%s: no memory for Lua", script->files[0]);
	lua_sethook(L, count_hook, LUA_MASKCOUNT, HOOK_INTERVAL);
	lua_pushcfunction(L, run_script);
	int result = 0;
	if (lua_pcall(L, 0, 0, 0) != LUA_OK) {
		const char *text = lua_tostring(L, -1);
		result = report_error(script, text != NULL ? text : "unknown error", error);
	}
	lua_close(L);
	return result;
}

int
skynet_config_load(struct skynet_config *config, const char *path, const char *const *overrides,
	int override_count, struct skynet_error *error) {
	*config = (struct skynet_config){0};
	struct script script = {.config = config,
		.overrides = overrides,
		.override_count = override_count,
		.cpu_deadline_ns = clock_thread_cpu_ns() + CPU_NS_MAX};
	remember_file(&script, skynet_strdup(path));
	int result = execute(&script, error);
	if (result == 0)
		result = config_setting_finish(config, path, error);
	for (int i = 0; i < script.file_count; i++)
		skynet_free(script.files[i]);
	skynet_free(script.files);
	if (result != 0)
		skynet_config_clear(config);
	return result;
}
