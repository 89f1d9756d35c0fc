/* skynet.profile: CPU time per coroutine, and the coroutine.resume and coroutine.wrap of a service,
 * which keep `active` true and time what is to be timed. Entered by the thread that runs the
 * service.
 *
 * Timings are userdata in a table with weak keys, coroutine -> timing. A coroutine counts as
 * running while it or a coroutine that it resumed runs; suspended time is not counted.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <time.h>

#include "snlua_parts.h"

#define TIMINGS_KEY   "skynet.profile.timings" /* registry */
#define NS_PER_SECOND 1000000000

struct timing {
	int64_t total_ns;
	int64_t since_ns; /* thread CPU clock when it was resumed */
	int running;
};

static int64_t
thread_cpu_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

/// The timing of `co`, or NULL. Leaves the stack of `co` as it was.
static struct timing *
find_timing(lua_State *co) {
	if (!lua_checkstack(co, 3))
		return NULL;
	struct timing *timing = NULL;
	if (lua_getfield(co, LUA_REGISTRYINDEX, TIMINGS_KEY) == LUA_TTABLE) {
		lua_pushthread(co);
		lua_rawget(co, -2);
		timing = lua_touserdata(co, -1);
		lua_pop(co, 1);
	}
	lua_pop(co, 1);
	return timing;
}

static void
timing_switch(lua_State *co, int entering) {
	struct timing *timing = find_timing(co);
	if (timing == NULL)
		return;
	int64_t now = thread_cpu_ns();
	if (timing->running)
		timing->total_ns += now - timing->since_ns;
	timing->running = entering;
	timing->since_ns = now;
}

void
snlua_attend(struct snlua *service, lua_State *co, int entering) {
	unsigned attention = atomic_load_explicit(&service->attention, memory_order_relaxed);
	if (attention & SNLUA_PROFILE)
		timing_switch(co, entering);
	if (attention & SNLUA_REQUESTS) {
		lua_State *L = atomic_load_explicit(&service->active, memory_order_relaxed);
		if (L != NULL)
			snlua_arm(service, L);
	}
}

static struct snlua *
upvalue_service(lua_State *L) {
	return lua_touserdata(L, lua_upvalueindex(1));
}

/// The coroutine that is the argument, or the caller.
static lua_State *
optional_coroutine(lua_State *L) {
	if (lua_isnoneornil(L, 1))
		return L;
	luaL_checktype(L, 1, LUA_TTHREAD);
	return lua_tothread(L, 1);
}

/// True when `co` is running or has resumed what is running.
static int
is_running(lua_State *co) {
	lua_Debug ar;
	return lua_status(co) == LUA_OK && lua_getstack(co, 0, &ar);
}

/// profile.start([co])
static int
profile_start(lua_State *L) {
	struct snlua *service = upvalue_service(L);
	lua_State *co = optional_coroutine(L);
	if (find_timing(co) != NULL) {
		lua_settop(L, 1);
		if (co == L)
			lua_pushthread(L);
		return luaL_error(
			L, "Thread %p start profile more than once", lua_topointer(L, -1));
	}
	if (lua_getfield(L, LUA_REGISTRYINDEX, TIMINGS_KEY) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_createtable(L, 0, 1);
		lua_pushliteral(L, "k");
		lua_setfield(L, -2, "__mode");
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, TIMINGS_KEY);
	}
	if (co == L)
		lua_pushthread(L);
	else
		lua_pushvalue(L, 1);
	struct timing *timing = lua_newuserdatauv(L, sizeof *timing, 0);
	timing->total_ns = 0;
	timing->running = is_running(co);
	timing->since_ns = thread_cpu_ns();
	lua_rawset(L, -3);
	service->profiled++;
	atomic_fetch_or_explicit(&service->attention, SNLUA_PROFILE, memory_order_relaxed);
	return 0;
}

/// profile.stop([co]) -> seconds
static int
profile_stop(lua_State *L) {
	struct snlua *service = upvalue_service(L);
	lua_State *co = optional_coroutine(L);
	struct timing *timing = find_timing(co);
	if (timing == NULL)
		return luaL_error(L, "Call profile.start() before profile.stop()");
	int64_t total = timing->total_ns;
	if (timing->running)
		total += thread_cpu_ns() - timing->since_ns;
	lua_getfield(L, LUA_REGISTRYINDEX, TIMINGS_KEY);
	if (co == L)
		lua_pushthread(L);
	else
		lua_pushvalue(L, 1);
	lua_pushnil(L);
	lua_rawset(L, -3);
	if (--service->profiled == 0)
		atomic_fetch_and_explicit(
			&service->attention, ~(unsigned)SNLUA_PROFILE, memory_order_relaxed);
	lua_pushnumber(L, (lua_Number)total / NS_PER_SECOND);
	return 1;
}

/// Resumes `co` with `nargs` values from the top of L. Returns the number of results pushed on L,
/// or -1 with an error object pushed.
static int
resume(struct snlua *service, lua_State *L, lua_State *co, int nargs) {
	int nresults;
	if (!lua_checkstack(co, nargs)) {
		lua_pushliteral(L, "too many arguments to resume");
		return -1;
	}
	int was_alive = lua_status(co) == LUA_OK || lua_status(co) == LUA_YIELD;
	lua_xmove(L, co, nargs);
	int status = snlua_resume(service, co, L, nargs, &nresults);
	if (status != LUA_OK && status != LUA_YIELD) {
		/* A coroutine that died keeps its error object: closing it needs that. */
		int is_alive = lua_status(co) == LUA_OK || lua_status(co) == LUA_YIELD;
		if (was_alive && !is_alive && lua_checkstack(co, 1))
			lua_pushvalue(co, -1);
		lua_xmove(co, L, 1);
		return -1;
	}
	if (!lua_checkstack(L, nresults + 1)) {
		lua_pop(co, nresults);
		lua_pushliteral(L, "too many results to resume");
		return -1;
	}
	lua_xmove(co, L, nresults);
	return nresults;
}

/// coroutine.resume(co, ...)
static int
coroutine_resume(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTHREAD);
	lua_State *co = lua_tothread(L, 1);
	int count = resume(upvalue_service(L), L, co, lua_gettop(L) - 1);
	if (count < 0) {
		lua_pushboolean(L, 0);
		lua_insert(L, -2);
		return 2;
	}
	lua_pushboolean(L, 1);
	lua_insert(L, -(count + 1));
	return count + 1;
}

/// The function that coroutine.wrap returns; upvalues: service, coroutine.
static int
wrapped_call(lua_State *L) {
	lua_State *co = lua_tothread(L, lua_upvalueindex(2));
	int count = resume(upvalue_service(L), L, co, lua_gettop(L));
	if (count >= 0)
		return count;
	int status = lua_status(co);
	if (status != LUA_OK && status != LUA_YIELD) {
		/* Runs what is to be closed; the error of that replaces the first. */
		status = lua_resetthread(co);
		if (status != LUA_OK)
			lua_xmove(co, L, 1);
	}
	if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/// coroutine.wrap(func)
static int
coroutine_wrap(lua_State *L) {
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_State *co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, wrapped_call, 2);
	return 1;
}

int
snlua_open_profile(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"start", profile_start},
		{"stop", profile_stop},
		{"resume", coroutine_resume},
		{"wrap", coroutine_wrap},
		{NULL, NULL},
	};
	luaL_newlibtable(L, functions);
	lua_pushlightuserdata(L, snlua_from(L));
	luaL_setfuncs(L, functions, 1);
	if (lua_getglobal(L, LUA_COLIBNAME) == LUA_TTABLE) {
		lua_getfield(L, -2, "resume");
		lua_setfield(L, -2, "resume");
		lua_getfield(L, -2, "wrap");
		lua_setfield(L, -2, "wrap");
	}
	lua_pop(L, 1);
	return 1;
}
