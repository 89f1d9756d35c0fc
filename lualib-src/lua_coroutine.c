/* The Lua module `skynet.coroutine_core`: what lualib/skynet/coroutine.lua gives to users. See the
 * header. */
#include "lua_coroutine.h"

#include "../service-src/snlua.h"
#include "lua_task.h"

/* Its address is the registry key of the table from thread to struct coroutine, with weak keys. */
static const char coroutines_key = 0;

enum resume_mode { MODE_RESUME, MODE_WRAP };

void
coroutine_forget_task(struct task *task) {
	struct coroutine *coroutine = task->coroutines;
	while (coroutine != NULL) {
		struct coroutine *next = coroutine->next;
		/* It stays blocked for ever: nothing resumes it without its task. */
		coroutine->next = NULL;
		coroutine->task = NULL;
		coroutine->running = false;
		coroutine = next;
	}
	task->coroutines = NULL;
}

/// The coroutine that `co` is a thread of, or NULL.
static struct coroutine *
coroutine_of(lua_State *co) {
	struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(co);
	if (thread->kind != THREAD_COROUTINE || ((struct coroutine *)thread)->L != co)
		return NULL;
	return (struct coroutine *)thread;
}

static lua_State *
check_thread(lua_State *L, int index) {
	lua_State *co = lua_tothread(L, index);
	luaL_argexpected(L, co != NULL, index, "coroutine");
	return co;
}

/// Pushes the table of all coroutines, made at the first use.
static void
push_coroutines(lua_State *L) {
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &coroutines_key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &coroutines_key);
}

/// create(f) -> thread
static int
create(lua_State *L) {
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	lua_State *co = lua_newthread(L);
	push_coroutines(L);
	lua_pushvalue(L, 2);
	struct coroutine *coroutine = lua_newuserdatauv(L, sizeof *coroutine, 0);
	*coroutine = (struct coroutine){.thread = {service_of(L), THREAD_COROUTINE}, .L = co};
	lua_rawset(L, 3);
	*(void **)lua_getextraspace(co) = coroutine;
	lua_settop(L, 2);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	return 1;
}

/// True when a blocking call in a coroutine that L resumes can suspend everything up to the task.
static bool
can_suspend_under(lua_State *L, struct task *task) {
	if (task == NULL || !lua_isyieldable(L))
		return false;
	if (task->L == L)
		return true;
	const struct coroutine *outer = coroutine_of(L);
	return outer != NULL && outer->task == task && outer->can_suspend;
}

static void
attach(struct coroutine *coroutine, lua_State *L, struct task *task) {
	coroutine->running = true;
	coroutine->can_suspend = can_suspend_under(L, task);
	coroutine->task = task;
	if (task != NULL) {
		coroutine->next = task->coroutines;
		task->coroutines = coroutine;
	}
}

static void
detach(struct coroutine *coroutine) {
	struct task *task = coroutine->task;
	coroutine->running = false;
	coroutine->task = NULL;
	if (task == NULL)
		return;
	struct coroutine **at = &task->coroutines;
	while (*at != NULL && *at != coroutine)
		at = &(*at)->next;
	if (*at == coroutine)
		*at = coroutine->next;
	coroutine->next = NULL;
}

/// Pushes false and a message; or raises it, with position, for a wrapped coroutine.
static int
refuse(lua_State *L, enum resume_mode mode, const char *message) {
	if (mode == MODE_WRAP)
		return luaL_error(L, "%s", message);
	lua_pushboolean(L, 0);
	lua_pushstring(L, message);
	return 2;
}

/// Passes the error on top of `co` to the coroutine that resumed it.
static int
pass_error(lua_State *L, lua_State *co, enum resume_mode mode) {
	if (mode == MODE_RESUME) {
		lua_pushboolean(L, 0);
		lua_xmove(co, L, 1);
		return 2;
	}
	lua_xmove(co, L, 1);
#if LUA_VERSION_RELEASE_NUM >= 50406
	lua_closethread(co, L);
#else
	lua_resetthread(co);
#endif
	lua_settop(co, 0);
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

static int resumed_from_outside(lua_State *L, int status, lua_KContext mode);

/// Runs the coroutine whose thread is at index 1 until it ends, yields or blocks.
static int
run(lua_State *L, struct coroutine *coroutine, int argument_count, enum resume_mode mode) {
	struct lua_service *service = coroutine->thread.service;
	lua_State *co = coroutine->L;
	int count;
	int status = snlua_resume(service->snlua, co, L, argument_count, &count);
	if (status == LUA_YIELD && coroutine->task != NULL &&
		coroutine->task->state != TASK_RUNNING) {
		coroutine->blocked = true;
		return lua_yieldk(L, 0, (lua_KContext)mode, resumed_from_outside);
	}
	detach(coroutine);
	if (status != LUA_OK && status != LUA_YIELD)
		return pass_error(L, co, mode);
	int extra = mode == MODE_RESUME ? 1 : 0;
	if (!lua_checkstack(L, count + extra)) {
		lua_pop(co, count);
		return refuse(L, mode, "too many results to resume");
	}
	if (mode == MODE_RESUME)
		lua_pushboolean(L, 1);
	lua_xmove(co, L, count);
	return count + extra;
}

/// What the innermost coroutine waited for has come.
static int
resumed_from_outside(lua_State *L, int status, lua_KContext mode) {
	(void)status;
	struct coroutine *coroutine = coroutine_of(lua_tothread(L, 1));
	if (coroutine == NULL || coroutine->task == NULL ||
		coroutine->task != service_of(L)->current)
		return luaL_error(
			L, "cannot resume a skynet coroutine suspend by skynet framework");
	coroutine->blocked = false;
	return run(L, coroutine, 0, (enum resume_mode)mode);
}

/// Stack: thread, arguments.
static int
start_run(lua_State *L, struct coroutine *coroutine, enum resume_mode mode) {
	if (coroutine->blocked)
		return refuse(
			L, mode, "cannot resume a skynet coroutine suspend by skynet framework");
	if (coroutine->running)
		return refuse(L, mode, "cannot resume non-suspended coroutine");
	int count = lua_gettop(L) - 1;
	if (!lua_checkstack(coroutine->L, count))
		return refuse(L, mode, "too many arguments to resume");
	if (lua_status(coroutine->L) == LUA_OK && lua_gettop(coroutine->L) == 0)
		return refuse(L, mode, "cannot resume dead coroutine");
	lua_xmove(L, coroutine->L, count);
	attach(coroutine, L, coroutine->thread.service->current);
	return run(L, coroutine, count, mode);
}

/// resume(co, ...) -> true, values | false, error
static int
resume(lua_State *L) {
	struct coroutine *coroutine = coroutine_of(check_thread(L, 1));
	if (coroutine == NULL)
		return refuse(L, MODE_RESUME, "cannot resume none skynet coroutine");
	return start_run(L, coroutine, MODE_RESUME);
}

static int
call_wrapped(lua_State *L) {
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	return start_run(L, coroutine_of(lua_tothread(L, 1)), MODE_WRAP);
}

/// wrap(f) -> function
static int
wrap(lua_State *L) {
	create(L);
	lua_pushcclosure(L, call_wrapped, 1);
	return 1;
}

/// yield(...)
static int
yield(lua_State *L) {
	const struct coroutine *coroutine = coroutine_of(L);
	if (coroutine == NULL || !coroutine->running)
		return luaL_error(L, "Call skynet.coroutine.yield out of skynet.coroutine.resume");
	return lua_yield(L, lua_gettop(L));
}

static const char *
status_of(lua_State *L, lua_State *co) {
	const struct coroutine *coroutine = coroutine_of(co);
	lua_Debug frame;
	if (coroutine != NULL && coroutine->blocked)
		return "blocked";
	if (L == co)
		return "running";
	switch (lua_status(co)) {
	case LUA_YIELD:
		return "suspended";
	case LUA_OK:
		if (lua_getstack(co, 0, &frame))
			return "normal";
		return lua_gettop(co) == 0 ? "dead" : "suspended";
	default:
		return "dead";
	}
}

/// status(co) -> text
static int
status(lua_State *L) {
	lua_pushstring(L, status_of(L, check_thread(L, 1)));
	return 1;
}

/// running() -> thread, is main
static int
running(lua_State *L) {
	lua_pushboolean(L, lua_pushthread(L));
	return 2;
}

/// isyieldable([co]) -> boolean
static int
isyieldable(lua_State *L) {
	lua_State *co = lua_isnoneornil(L, 1) ? L : check_thread(L, 1);
	lua_pushboolean(L, lua_isyieldable(co));
	return 1;
}

/// close(co) -> true | false, error
static int
close(lua_State *L) {
	lua_State *co = check_thread(L, 1);
	const struct coroutine *coroutine = coroutine_of(co);
	const char *state = status_of(L, co);
	bool orphan = coroutine != NULL && coroutine->blocked && coroutine->task == NULL;
	if (!orphan && state[0] != 's' && state[0] != 'd')
		return luaL_error(L, "cannot close a %s coroutine", state);
#if LUA_VERSION_RELEASE_NUM >= 50406
	int result = lua_closethread(co, L);
#else
	int result = lua_resetthread(co);
#endif
	lua_pushboolean(L, result == LUA_OK);
	if (result == LUA_OK)
		return 1;
	lua_xmove(co, L, 1);
	return 2;
}

/// thread([co]) -> the thread of the task that co runs in, whether that is co itself
static int
thread(lua_State *L) {
	if (lua_isnoneornil(L, 1)) {
		lua_settop(L, 0);
		lua_pushthread(L);
	}
	const struct coroutine *coroutine = coroutine_of(check_thread(L, 1));
	lua_settop(L, 1);
	if (coroutine == NULL) {
		lua_pushboolean(L, 1);
		return 2;
	}
	if (coroutine->task == NULL) {
		lua_pushnil(L);
	} else {
		lua_State *co = coroutine->task->L;
		if (!lua_checkstack(co, 1))
			return luaL_error(L, "stack overflow");
		lua_pushthread(co);
		lua_xmove(co, L, 1);
	}
	lua_pushboolean(L, 0);
	return 2;
}

static const luaL_Reg functions[] = {
	{"create", create},
	{"resume", resume},
	{"wrap", wrap},
	{"yield", yield},
	{"status", status},
	{"running", running},
	{"isyieldable", isyieldable},
	{"close", close},
	{"thread", thread},
	{NULL, NULL},
};

LUAMOD_API int luaopen_skynet_coroutine_core(lua_State *L);

LUAMOD_API int
luaopen_skynet_coroutine_core(lua_State *L) {
	luaL_checkversion(L);
	service_open(L);
	luaL_newlib(L, functions);
	return 1;
}
