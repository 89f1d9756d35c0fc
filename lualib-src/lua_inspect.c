/* What the debug console asks about the tasks of a service: which there are, where they come from
 * and what they wait for. Also ends single ones.
 */
#include "lua_inspect.h"

#include "lua_task.h"
#include "lua_wait.h"

static const char *const state_names[] = {
	[TASK_IDLE] = "idle",
	[TASK_RUNNING] = "running",
	[TASK_FORKED] = "forked",
	[TASK_TIMER] = "timer",
	[TASK_CALLING] = "calling",
	[TASK_SLEEPING] = "sleeping",
	[TASK_WAITING] = "waiting",
	[TASK_SELECTING] = "selecting",
	[TASK_BLOCKED] = "blocked",
	[TASK_WAKING] = "waking",
	[TASK_FAILING] = "failing",
	[TASK_LEAVING] = "leaving",
	[TASK_CLOSING] = "closing",
};

static void
push_thread(lua_State *L, struct task *task) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, task->thread.service->anchors);
	lua_rawgeti(L, -1, (lua_Integer)task->slot + 1);
	lua_remove(L, -2);
}

/// task_list() -> array of { thread =, session =, state =, origin = } of all tasks that are not
/// idle
static int
task_list(lua_State *L) {
	struct lua_service *service = service_of(L);
	wait_reveal_timeouts(L, service);
	lua_newtable(L);
	lua_Integer count = 0;
	for (uint32_t i = 0; i < service->task_count; i++) {
		struct task *task = service->tasks[i];
		if (task->state == TASK_IDLE)
			continue;
		lua_createtable(L, 0, 4);
		push_thread(L, task);
		lua_setfield(L, -2, "thread");
		lua_pushinteger(L, task->session);
		lua_setfield(L, -2, "session");
		lua_pushstring(L, state_names[task->state]);
		lua_setfield(L, -2, "state");
		if (task->origin != NULL) {
			lua_pushstring(L, task->origin);
			lua_setfield(L, -2, "origin");
		}
		lua_rawseti(L, -2, ++count);
	}
	return 1;
}

/// task_count() -> tasks that wait for a session
static int
task_count(lua_State *L) {
	const struct lua_service *service = service_of(L);
	lua_Integer count = service->timeouts.count;
	for (uint32_t i = 0; i < service->task_count; i++)
		count += service->tasks[i]->session != 0;
	lua_pushinteger(L, count);
	return 1;
}

/// task_abandoned() -> array of sessions whose replies will be dropped
static int
task_abandoned(lua_State *L) {
	const struct lua_service *service = service_of(L);
	lua_newtable(L);
	lua_Integer count = 0;
	const struct session_table *sessions = &service->sessions;
	for (uint32_t i = 0; sessions->entries != NULL && i <= sessions->mask; i++) {
		const struct session_entry *entry = &sessions->entries[i];
		if (entry->session != 0 && entry->kind == SESSION_ABANDONED) {
			lua_pushinteger(L, entry->session);
			lua_rawseti(L, -2, ++count);
		}
	}
	return 1;
}

/// task_starting() -> thread of the unfinished start function, or nil
static int
task_starting(lua_State *L) {
	const struct lua_service *service = service_of(L);
	if (service->starting == NULL)
		return 0;
	push_thread(L, service->starting);
	return 1;
}

/// task_kill(thread) -> true when it was a task that could be ended, whether the service ends with
/// it
static int
kill_task(lua_State *L) {
	static const char reason[] = "the task that starts the service was killed";
	struct lua_service *service = service_of(L);
	luaL_checktype(L, 1, LUA_TTHREAD);
	lua_State *co = lua_tothread(L, 1);
	struct task *task = task_of(co);
	if (task == NULL || task->L != co || task == service->current || task->state == TASK_IDLE ||
		task->state == TASK_RUNNING || task->state == TASK_CLOSING ||
		task->state == TASK_LEAVING)
		return 0;
	bool is_start = service->starting == task && !service->exiting;
	task_kill(service, task);
	/* Without this, who has launched the service would wait for ever. */
	if (is_start) {
		skynet_error(service->context, "init service failed: %s", reason);
		service->start_failed(service, reason, sizeof reason - 1);
	}
	lua_pushboolean(L, 1);
	lua_pushboolean(L, is_start);
	return 2;
}

const luaL_Reg inspect_functions[] = {
	{"task_list", task_list},
	{"task_count", task_count},
	{"task_abandoned", task_abandoned},
	{"task_starting", task_starting},
	{"task_kill", kill_task},
	{NULL, NULL},
};
