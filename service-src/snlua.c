/* The service that runs Lua: life of one Lua state. Its parameter is a script name and arguments;
 * it sends itself that text as its first message, and on it builds the state, runs the loader with
 * it and leaves the callback to what the script has installed.
 *
 * create, init and release run on one thread at a time; signal on any thread while the service
 * lives.
 */
#include "snlua.h"

#include <lualib.h>
#include <string.h>

#include "snlua_parts.h"

#define DEFAULT_LOADER  "./lualib/loader.lua"
#define DEFAULT_PATH    "./lualib/?.lua;./lualib/?/init.lua"
#define DEFAULT_CPATH   "./luaclib/?.so"
#define DEFAULT_SERVICE "./service/?.lua"
#define LOAD_CREDIT_KIB 256
#define LAUNCHER        ".launcher"
#define LAUNCH_FAILED   "ERROR"
#define DEAD_SERVICE    "dead_service"
#define REASON_SIZE     256

/* Settings that the loader finds as globals. */
static const struct {
	const char *global, *setting, *otherwise;
} loader_globals[] = {
	{"LUA_PATH", "lua_path", DEFAULT_PATH},
	{"LUA_CPATH", "lua_cpath", DEFAULT_CPATH},
	{"LUA_SERVICE", "luaservice", DEFAULT_SERVICE},
	{"LUA_PRELOAD", "preload", NULL},
};

void *snlua_create(void);
int snlua_init(struct snlua *service, struct skynet_context *context, const char *param);
void snlua_release(struct snlua *service);
void snlua_signal(struct snlua *service, int signal);

static const char *
setting_or(struct skynet_context *context, const char *key, const char *otherwise) {
	const char *value = skynet_setting_get(context, key);
	return value != NULL ? value : otherwise;
}

void
snlua_open_libraries(lua_State *L, struct snlua *service) {
	/* All of this stays: a collection would find nothing. */
	lua_gc(L, LUA_GCSTOP);
	lua_pushboolean(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
	lua_pushlightuserdata(L, service);
	lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_REGISTRY_KEY);
	lua_pushlightuserdata(L, service->context);
	lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_CONTEXT_KEY);
	luaL_openlibs(L);
	luaL_requiref(L, "skynet.profile", snlua_open_profile, 0);
	luaL_requiref(L, "skynet.codecache", snlua_open_codecache, 0);
	lua_pop(L, 2);
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_pushcfunction(L, snlua_run_script);
	lua_setfield(L, -2, "skynet.loader");
	lua_pop(L, 1);
	/* Not generational: that mode is reliable only in late releases of Lua 5.4. */
	lua_gc(L, LUA_GCINC, 0, 0, 0);
}

/// Makes a new or copied state that of the service. Runs protected; the service is the argument.
static int
open_state(lua_State *L) {
	struct snlua *service = lua_touserdata(L, 1);
	if (service->image == NULL)
		snlua_open_libraries(L, service);
	else
		template_adopt(L);
	for (size_t i = 0; i < sizeof loader_globals / sizeof loader_globals[0]; i++) {
		lua_pushstring(L, setting_or(service->context, loader_globals[i].setting,
					  loader_globals[i].otherwise));
		lua_setglobal(L, loader_globals[i].global);
	}
	lua_gc(L, LUA_GCRESTART);
	/* A negative step is credit: no cycle begins while an ordinary script is loaded. */
	lua_gc(L, LUA_GCSTEP, -LOAD_CREDIT_KIB);
	return 0;
}

/// Message handler: any error object to a text with a traceback.
static int
traceback(lua_State *L) {
	const char *message = lua_tostring(L, 1);
	if (message == NULL)
		message = luaL_tolstring(L, 1, NULL);
	luaL_traceback(L, L, message, 1);
	return 1;
}

/// The error object at the top as text. Never raises: nothing here is protected.
static const char *
error_message(lua_State *L) {
	return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(no message)";
}

/// True when `args` are those of the first service of the node and no launcher has been started
/// yet.
static bool
is_bootstrap(struct skynet_context *context, const char *args, size_t size) {
	const char *line = setting_or(context, "bootstrap", "");
	line += strcspn(line, " \t");
	line += strspn(line, " \t");
	return strlen(line) == size && memcmp(line, args, size) == 0 &&
	       skynet_name_find(context, &LAUNCHER[1]) == 0;
}

/// Writes `text` up to its stack traceback in one line.
static void
write_reason(char *line, size_t size, const char *text) {
	const char *end = strstr(text, "\nstack traceback:");
	size_t used = 0;
	for (; *text != '\0' && text != end && used + 1 < size; text++) {
		bool blank = *text == '\n' || *text == '\t';
		if (!blank || (used > 0 && line[used - 1] != ' '))
			line[used++] = blank ? ' ' : *text;
	}
	line[used] = '\0';
}

/// Logs why the service cannot start. When it is the one that starts all others, that ends the
/// node.
static void
report(struct snlua *service, const char *what, const char *text, const char *args, size_t size) {
	skynet_error(service->context, "%s : %s", what, text);
	if (!is_bootstrap(service->context, args, size))
		return;
	char reason[REASON_SIZE];
	int used = snprintf(reason, sizeof reason, "%s : ", what);
	if (used >= 0 && (size_t)used < sizeof reason)
		write_reason(reason + used, sizeof reason - (size_t)used, text);
	skynet_node_abort(service->context, 1, reason);
}

/// Loads and runs the loader with the argument text. Returns 0, or -1 with the reason logged.
static int
run_loader(struct snlua *service, const char *args, size_t size) {
	lua_State *L = service->L;
	const char *loader = setting_or(service->context, "lualoader", DEFAULT_LOADER);
	int base = lua_gettop(L);
	lua_pushcfunction(L, traceback);
	int status = code_cache_load(service, L, loader, NULL);
	if (status != LUA_OK) {
		char what[REASON_SIZE];
		snprintf(what, sizeof what, "Can't load %s", loader);
		report(service, what, lua_tostring(L, -1), args, size);
		return -1;
	}
	lua_pushlstring(L, args, size);
	if (lua_pcall(L, 1, 0, base + 1) != LUA_OK) {
		report(service, "lua loader error", error_message(L), args, size);
		return -1;
	}
	lua_settop(L, base);
	return 0;
}

/// Applies the limit that the script asked for. It did not hold while the script was loaded.
static void
apply_memory_limit(struct snlua *service) {
	lua_State *L = service->L;
	if (lua_getfield(L, LUA_REGISTRYINDEX, SNLUA_MEMLIMIT_KEY) == LUA_TNUMBER) {
		lua_Number limit = lua_tonumber(L, -1);
		lua_pushnil(L);
		lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_MEMLIMIT_KEY);
		/* From here on an allocation may fail. */
		snlua_memory_limit(service, limit >= 1 ? (size_t)limit : 0);
		skynet_error(service->context, "Set memory limit to %.2f M",
			(double)limit / (1024.0 * 1024.0));
	}
	lua_pop(L, 1);
}

/// A service may idle for long: what loading left behind goes now, unless it is little, as it is
/// where hardly anything had to be loaded. Then a cycle begins as after a collection: when the
/// state is twice as large.
static void
settle_memory(struct snlua *service) {
	size_t used = atomic_load_explicit(&service->memory, memory_order_relaxed);
	if (service->image == NULL || used > service->image_size + service->image_size / 4) {
		lua_gc(service->L, LUA_GCCOLLECT);
	} else {
		lua_gc(service->L, LUA_GCRESTART);
		lua_gc(service->L, LUA_GCSTEP, -(int)(used / 1024));
	}
	snlua_memory_report(service);
}

/// Gives the service its Lua state, as it comes from Lua or as a copy. Returns 0, or -1 with the
/// reason logged.
static int
make_state(struct snlua *service, const char *args, size_t size) {
	service->cache = code_cache_of(service->context);
	service->templates = templates_of(service->context);
	if (template_begin(service, args, size))
		return 0;
	service->L = lua_newstate(snlua_allocate, service);
	if (service->L == NULL) {
		skynet_error(service->context, "lua loader error : cannot create a Lua state");
		return -1;
	}
	/* Lua leaves this as it was allocated; new threads get a copy. */
	memset(lua_getextraspace(service->L), 0, LUA_EXTRASPACE);
	return 0;
}

/// Builds the state and runs the script. Returns 0, or -1 with the reason logged.
static int
launch(struct snlua *service, const char *args, size_t size) {
	int result = make_state(service, args, size);
	if (result != 0) {
		template_end(service, false);
		return result;
	}
	lua_State *L = service->L;
	skynet_probe_set(service->context, snlua_probe, service);
	snlua_turn_begin(service, L);
	lua_pushcfunction(L, open_state);
	lua_pushlightuserdata(L, service);
	result = -1;
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		report(service, "lua loader error", error_message(L), args, size);
	else
		result = run_loader(service, args, size);
	template_end(service, result == 0);
	if (result == 0) {
		apply_memory_limit(service);
		settle_memory(service);
	}
	snlua_turn_end(service);
	return result;
}

/// The callback until the script installs its own: answers requests with an error, so that nobody
/// waits for a service that never started.
static int
refuse(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)ud;
	(void)message;
	(void)size;
	int is_request = session > 0 && type != PTYPE_RESPONSE && type != PTYPE_ERROR;
	if (is_request && source != 0)
		skynet_send(context, 0, source, PTYPE_ERROR, session,
			(void *)(uintptr_t)DEAD_SERVICE, strlen(DEAD_SERVICE));
	return 0;
}

/// Whether the script has installed a callback, or has left. One that has not, because it did not
/// call skynet.start, will never do anything again.
static bool
is_started(struct skynet_context *context, const char *args, size_t size) {
	if (!skynet_callback_is(context, refuse) || skynet_context_is_dead(context))
		return true;
	skynet_error(context, "lua loader error : '%.*s' did not call skynet.start",
		(int)(size < REASON_SIZE ? size : REASON_SIZE), args);
	return false;
}

/// The callback for the first message of its own: the argument text. Another node may know the
/// handle from an earlier process and send to it before: such messages are refused.
static int
first_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct snlua *service = ud;
	if (message != service->first_message)
		return refuse(context, ud, type, session, source, message, size);
	service->first_message = NULL;
	skynet_callback(context, NULL, refuse);
	if (launch(service, message, size) == 0 && is_started(context, message, size))
		return 0;
	skynet_sendname(
		context, 0, LAUNCHER, PTYPE_TEXT, 0, (void *)LAUNCH_FAILED, strlen(LAUNCH_FAILED));
	skynet_command(context, "EXIT", NULL);
	return 0;
}

SKYNET_API void *
snlua_create(void) {
	struct snlua *service = skynet_calloc(1, sizeof *service);
	service->attend = snlua_attend;
	snlua_memory_init(service);
	return service;
}

SKYNET_API int
snlua_init(struct snlua *service, struct skynet_context *context, const char *param) {
	service->context = context;
	if (param == NULL || param[strspn(param, " \t\r\n")] == '\0') {
		skynet_error(context, "error: snlua needs the name of a script");
		return 1;
	}
	size_t size = strlen(param);
	skynet_callback(context, service, first_message);
	char *text = skynet_malloc(size + 1);
	memcpy(text, param, size + 1);
	service->first_message = text;
	int sent = skynet_send(context, 0, skynet_context_handle(context),
		PTYPE_TEXT | PTYPE_TAG_DONTCOPY, 0, text, size);
	return sent < 0;
}

SKYNET_API void
snlua_release(struct snlua *service) {
	if (service->context != NULL)
		skynet_probe_set(service->context, NULL, NULL);
	if (service->L != NULL) {
		lua_close(service->L);
		snlua_memory_fini(service);
	}
	skynet_free(service);
}

SKYNET_API void
snlua_signal(struct snlua *service, int signal) {
	skynet_error(service->context, "recv a signal %d", signal);
	if (signal == 0) {
		snlua_request(service, SNLUA_INTERRUPT);
	} else if (signal == 1) {
		size_t used = atomic_load_explicit(&service->memory, memory_order_relaxed);
		skynet_error(service->context, "Current Memory %.3fK", (double)used / 1024.0);
	}
}
