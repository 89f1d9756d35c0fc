/* skynet.start, exit, newservice and other functions about a service as a whole. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_call.h"
#include "lua_dispatch.h"
#include "lua_select.h"
#include "lua_task.h"
#include "skynet_malloc.h"

#define LAUNCHER ".launcher"
#define MANAGER  ".service"

#define ERROR_LINE_MAX 1024 /* of an error text for the launcher */

/* ---- start ---- */

/// Sends a packed block to the launcher, by the protocol "lua", session 0. Takes `block`. The
/// reports to the launcher are made without memory of the Lua state, because they must arrive even
/// when it has none left.
static void
tell_launcher(struct lua_service *service, void *block, size_t size) {
	skynet_sendname(service->context, 0, LAUNCHER, PTYPE_RESERVED_LUA | PTYPE_TAG_DONTCOPY, 0,
		block, size);
}

static void
report_started(struct lua_service *service) {
	size_t size;
	void *block = seri_pack_plain(&size, "s", "LAUNCHOK");
	tell_launcher(service, block, size);
}

/// Tells the launcher, and by it the service that waits for this one to start, the first line of
/// the error text.
static void
report_failed(struct lua_service *service, const char *text, size_t size) {
	char line[ERROR_LINE_MAX];
	size_t length = strcspn(text, "\n");
	if (length > size)
		length = size;
	if (length >= sizeof line)
		length = sizeof line - 1;
	memcpy(line, text, length);
	line[length] = '\0';
	void *block = seri_pack_plain(&size, "ss", "ERROR", line);
	tell_launcher(service, block, size);
}

static void
report_left(struct lua_service *service) {
	size_t size;
	void *block = seri_pack_plain(&size, "sib", "REMOVE", (lua_Integer)service->handle, false);
	tell_launcher(service, block, size);
}

static int
add_traceback(lua_State *L) {
	luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
	return 1;
}

static int
nothing_left(lua_State *L, int status, lua_KContext context) {
	(void)L;
	(void)status;
	(void)context;
	return 0;
}

/// Stack: the start function.
static int
init_done(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	lua_settop(L, 1);
	lua_callk(L, 0, 0, 0, nothing_left);
	return 0;
}

/// Runs the functions of skynet.init, then the start function, which is the argument.
static int
run_init(lua_State *L) {
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	lua_getfield(L, -1, "skynet.require");
	if (lua_istable(L, -1)) {
		lua_getfield(L, -1, "init_all");
		lua_callk(L, 0, 0, 0, init_done);
	}
	return init_done(L, LUA_OK, 0);
}

static int leave(lua_State *L);
static void give_up(struct lua_service *service);

/// Called when the task that starts the service fails outside of init_service, which reports all
/// other failures.
static void
start_failed(struct lua_service *service, const char *text, size_t size) {
	report_failed(service, text, size);
	give_up(service);
}

static int
started(lua_State *L, int status, lua_KContext context) {
	(void)context;
	struct lua_service *service = service_of(L);
	if (service->starting == service->current)
		service->starting = NULL;
	if (status == LUA_OK || status == LUA_YIELD) {
		report_started(service);
		return 0;
	}
	/* This allocates nothing, also after "not enough memory": Lua keeps that text ready. */
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "(no message)";
	skynet_error(service->context, "init service failed: %s", text);
	report_failed(service, text, strlen(text));
	lua_settop(L, 0);
	return leave(L);
}

/// init_service(f): runs the init functions and f, and tells the launcher how it went
static int
init_service(lua_State *L) {
	lua_settop(L, 1);
	lua_pushcfunction(L, add_traceback);
	lua_insert(L, 1);
	lua_pushcfunction(L, run_init);
	lua_insert(L, 2);
	int status = lua_pcallk(L, 1, 0, 1, 0, started);
	return started(L, status, 0);
}

/// start(f): from now on messages are handled; f runs in the first task
static int
start(lua_State *L) {
	struct lua_service *service = service_of(L);
	lua_settop(L, 1);
	struct task *task = task_take(L, service, false);
	lua_pushcfunction(task->L, init_service);
	lua_xmove(L, task->L, 1);
	dispatch_install(service);
	int session = service_new_session(service);
	session_add(&service->sessions, session, SESSION_START, task);
	task->session = session;
	task->state = TASK_TIMER;
	task_start_timer(service, task, 0, session);
	service->starting = task;
	service->start_failed = start_failed;
	return 0;
}

/* ---- exit ---- */

static int
compare_handles(const void *a, const void *b) {
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

/// Gives the handles of the services that this one waits for an answer of, each once, and stores
/// their number. End with skynet_free.
static uint32_t *
collect_peers(struct lua_service *service, size_t *count) {
	size_t selected = selection_peers(service, NULL, 0), kept = 0;
	uint32_t *peers = skynet_malloc((service->task_count + selected + 1) * sizeof *peers);
	size_t found = selection_peers(service, peers, selected);
	for (uint32_t i = 0; i < service->task_count; i++) {
		const struct task *task = service->tasks[i];
		if (task->state == TASK_CALLING && task->peer != 0)
			peers[found++] = task->peer;
	}
	qsort(peers, found, sizeof *peers, compare_handles);
	for (size_t i = 0; i < found; i++) {
		if (kept == 0 || peers[kept - 1] != peers[i])
			peers[kept++] = peers[i];
	}
	*count = kept;
	return peers;
}

static void
drop_forks(struct lua_service *service) {
	struct task *task;
	while ((task = task_queue_pop(&service->forked)) != NULL)
		task_give_back(service, task);
}

/// Answers the requests of all tasks with an error, then ends all tasks but the running one.
static void
end_tasks(struct lua_service *service) {
	for (uint32_t i = 0; i < service->task_count; i++)
		task_answer_error(service, service->tasks[i], FAILURE_DEAD_SERVICE, NULL, 0);
	for (uint32_t i = service->task_count; i-- > 0;) {
		/* Code that runs when a task is closed may end further tasks. */
		if (i >= service->task_count)
			continue;
		struct task *task = service->tasks[i];
		if (task->state != TASK_IDLE && task->state != TASK_RUNNING &&
			task->state != TASK_CLOSING && task != service->current)
			task_kill(service, task);
	}
}

/// Does all of skynet.exit but for ending the running task.
static void
give_up(struct lua_service *service) {
	if (service->exiting)
		return;
	service->exiting = true;
	drop_forks(service);
	report_left(service);

	size_t peer_count;
	uint32_t *peers = collect_peers(service, &peer_count);
	end_tasks(service);
	response_fail_all(service);
	for (size_t i = 0; i < peer_count; i++)
		service_reply(service, peers[i], PTYPE_ERROR, 0, NULL, 0);
	skynet_free(peers);
	drop_forks(service);
	dispatch_leave(service);
	skynet_context_kill(service->context, 0);
}

static int
never_resumed(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	return luaL_error(L, "the service has ended");
}

static int
leave(lua_State *L) {
	struct lua_service *service = service_of(L);
	lua_settop(L, 0);
	give_up(service);
	struct task *task = task_check_suspend(L, service);
	task->state = TASK_LEAVING;
	return lua_yieldk(L, 0, 0, never_resumed);
}

/* ---- other services ---- */

/// Calls a service, with `count` words in front of the arguments. These calls wait until another
/// service has started, which may take any time; so they have no deadline, whatever the setting
/// `call_timeout` says.
static int
call_with_words(lua_State *L, const char *const *words, int count) {
	luaL_checkstack(L, count + 1, NULL);
	for (int i = 0; i < count; i++) {
		lua_pushstring(L, words[i]);
		lua_insert(L, i + 1);
	}
	return call_start(L, 0);
}

/// newservice(name, ...) -> address
static int
newservice(lua_State *L) {
	static const char *const words[] = {LAUNCHER, "lua", "LAUNCH", "snlua"};
	luaL_checkstring(L, 1);
	return call_with_words(L, words, 4);
}

static int
call_manager(lua_State *L) {
	static const char *const words[] = {MANAGER, "lua"};
	return call_with_words(L, words, 2);
}

/// Stack: what the manager replied. Raises its error text.
static int
manager_replied(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	if (lua_toboolean(L, 1))
		return lua_gettop(L);
	lua_settop(L, 2);
	if (lua_isnil(L, 2))
		return luaL_error(L, "assertion failed!");
	return lua_error(L);
}

/// Calls the manager of unique services: `global` when the first argument is true, else `local`.
static int
ask_manager(lua_State *L, const char *local, const char *global) {
	if (lua_isboolean(L, 1) && lua_toboolean(L, 1)) {
		lua_pushstring(L, global);
		lua_replace(L, 1);
	} else {
		lua_pushstring(L, local);
		lua_insert(L, 1);
	}
	luaL_checkstring(L, 2);
	task_check_suspend(L, service_of(L));
	lua_pushcfunction(L, call_manager);
	lua_insert(L, 1);
	lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, manager_replied);
	return manager_replied(L, LUA_OK, 0);
}

/// uniqueservice([true,] name, ...) -> address
static int
uniqueservice(lua_State *L) {
	return ask_manager(L, "LAUNCH", "GLAUNCH");
}

/// queryservice([true,] name) -> address
static int
queryservice(lua_State *L) {
	return ask_manager(L, "QUERY", "GQUERY");
}

/// term(addr): calls to addr fail as if it had died
static int
term(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct address dead = {0, NULL};
	if (lua_type(L, 1) == LUA_TSTRING)
		dead.name = lua_tostring(L, 1);
	else
		dead.handle = (uint32_t)luaL_checkinteger(L, 1);
	if (dead.handle == 0 && dead.name == NULL)
		return 0;
	call_fail_peer(service, dead.handle, dead.name, FAILURE_DEAD_SERVICE);
	selection_fail_peer(service, dead.handle, dead.name);
	return 0;
}

/* ---- names, settings, counters ---- */

/// self() -> handle
static int
self(lua_State *L) {
	lua_pushinteger(L, service_of(L)->handle);
	return 1;
}

/// address(addr) -> text
static int
address(lua_State *L) {
	if (lua_type(L, 1) != LUA_TNUMBER) {
		luaL_tolstring(L, 1, NULL);
		return 1;
	}
	char text[16];
	snprintf(text, sizeof text, ":%08" PRIx32, (uint32_t)luaL_checkinteger(L, 1));
	lua_pushstring(L, text);
	return 1;
}

/// localname(name) -> handle, or nothing
static int
localname(lua_State *L) {
	const char *name = luaL_checkstring(L, 1);
	uint32_t handle = name[0] == '.' ? skynet_name_find(service_of(L)->context, name + 1) : 0;
	if (handle == 0)
		return 0;
	lua_pushinteger(L, handle);
	return 1;
}

/// getenv(key) -> text or nil
static int
get_setting(lua_State *L) {
	lua_pushstring(L, skynet_setting_get(service_of(L)->context, luaL_checkstring(L, 1)));
	return 1;
}

/// setenv(key, value)
static int
set_setting(lua_State *L) {
	const char *key = luaL_checkstring(L, 1);
	const char *value = luaL_checkstring(L, 2);
	luaL_argcheck(L, key[0] != '\0' && strpbrk(key, " \t\r\n") == NULL, 1,
		"a key is one word, without spaces");
	if (!skynet_setting_set(service_of(L)->context, key, value))
		return luaL_error(L, "Can't setenv exist key : %s", key);
	return 0;
}

/// stat(key) -> number
static int
stat_value(lua_State *L) {
	static const struct {
		const char *key;
		enum skynet_stat what;
		bool seconds;
	} keys[] = {
		{"mqlen", SKYNET_STAT_MAILBOX, false},
		{"endless", SKYNET_STAT_ENDLESS, false},
		{"cpu", SKYNET_STAT_CPU_NS, true},
		{"time", SKYNET_STAT_TIME_NS, true},
		{"message", SKYNET_STAT_MESSAGE, false},
		{"mailbox_limit", SKYNET_STAT_LIMIT, false},
		{"rejected", SKYNET_STAT_REJECTED, false},
		{"dropped", SKYNET_STAT_DROPPED, false},
		{"blocked", SKYNET_STAT_BLOCKED, false},
	};
	const struct lua_service *service = service_of(L);
	const char *key = luaL_checkstring(L, 1);
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		if (strcmp(key, keys[i].key) != 0)
			continue;
		int64_t value = skynet_stat_get(service->context, service->handle, keys[i].what);
		if (keys[i].seconds)
			lua_pushnumber(L, (lua_Number)value / 1e9);
		else
			lua_pushinteger(L, (lua_Integer)value);
		return 1;
	}
	lua_pushinteger(L, 0);
	return 1;
}

/// mqlen() -> messages waiting
static int
mqlen(lua_State *L) {
	const struct lua_service *service = service_of(L);
	lua_pushinteger(L, skynet_stat_get(service->context, service->handle, SKYNET_STAT_MAILBOX));
	return 1;
}

/// endless() -> boolean
static int
endless(lua_State *L) {
	const struct lua_service *service = service_of(L);
	lua_pushboolean(
		L, skynet_stat_get(service->context, service->handle, SKYNET_STAT_ENDLESS) != 0);
	return 1;
}

/// mailbox_limit(count [, policy])
static int
mailbox_limit(lua_State *L) {
	static const char *const policies[] = {
		[SKYNET_MAILBOX_BLOCK] = "block",
		[SKYNET_MAILBOX_REJECT] = "reject",
		[SKYNET_MAILBOX_DROP] = "drop",
		NULL,
	};
	lua_Integer limit = luaL_checkinteger(L, 1);
	int policy = luaL_checkoption(L, 2, "block", policies);
	luaL_argcheck(L, limit >= 0, 1, "must not be negative");
	skynet_mailbox_limit(
		service_of(L)->context, (size_t)limit, (enum skynet_mailbox_policy)policy);
	return 0;
}

/// on_stop(f): f runs when the node stops in order, the function given last first
static int
on_stop(lua_State *L) {
	struct lua_service *service = service_of(L);
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	if (service->stop_hooks == LUA_NOREF) {
		lua_newtable(L);
		service->stop_hooks = luaL_ref(L, LUA_REGISTRYINDEX);
		skynet_stop_hook(service->context, true);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->stop_hooks);
	lua_insert(L, 1);
	lua_rawseti(L, 1, (lua_Integer)lua_rawlen(L, 1) + 1);
	return 0;
}

/// memlimit(bytes): takes effect when the main chunk is over; only once
static int
memlimit(lua_State *L) {
	luaL_checkinteger(L, 1);
	lua_settop(L, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "memlimit");
	lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
	if (lua_getfield(L, -1, "skynet") == LUA_TTABLE) {
		lua_pushboolean(L, 0);
		lua_setfield(L, -2, "memlimit");
	}
	return 0;
}

const luaL_Reg life_functions[] = {
	{"start", start},
	{"init_service", init_service},
	{"exit", leave},
	{"newservice", newservice},
	{"uniqueservice", uniqueservice},
	{"queryservice", queryservice},
	{"term", term},
	{"self", self},
	{"address", address},
	{"localname", localname},
	{"getenv", get_setting},
	{"setenv", set_setting},
	{"stat", stat_value},
	{"mqlen", mqlen},
	{"endless", endless},
	{"mailbox_limit", mailbox_limit},
	{"on_stop", on_stop},
	{"memlimit", memlimit},
	{NULL, NULL},
};
