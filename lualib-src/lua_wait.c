/* skynet.fork, timeout, sleep, wait, wakeup: tasks that do not wait for a message of another
 * service. */
#include "lua_wait.h"

#include "lua_caller.h"
#include "lua_task.h"
#include "lua_trace.h"

#define TRACE_LEVEL_CALLER 1
#define RETRY_MS           10

/// Pushes the thread of a task on L.
static inline void
push_thread(lua_State *L, struct task *task) {
	lua_pushthread(task->L);
	lua_xmove(task->L, L, 1);
}

/// fork(f, ...) -> thread
static int
fork_task(lua_State *L) {
	struct lua_service *service = service_of(L);
	int count = lua_gettop(L);
	if (UNLIKELY(count == 0)) {
		lua_pushnil(L);
		count = 1;
	}
	struct task *task = task_take(L, service, false);
	if (UNLIKELY(!lua_checkstack(task->L, count + 1))) {
		task_give_back(service, task);
		return luaL_error(L, "too many arguments");
	}
	lua_xmove(L, task->L, count);
	task->state = TASK_FORKED;
	task_queue_push(&service->forked, task);
	push_thread(L, task);
	return 1;
}

/* Delays beyond this (1,400 years) are cut to it, so that no sum overflows. */
#define LONGEST_DELAY_CS ((lua_Integer)1 << 42)

static lua_Integer
check_delay(lua_State *L, int index) {
	lua_Integer delay_cs = luaL_checkinteger(L, index);
	return delay_cs < LONGEST_DELAY_CS ? delay_cs : LONGEST_DELAY_CS;
}

/// Pushes a text about where a timeout is made.
static void
push_origin(lua_State *L, lua_Integer delay_cs) {
	lua_pushfstring(L, "TIMER %I+%I : ", (LUAI_UACINT)skynet_now(), (LUAI_UACINT)delay_cs);
	luaL_traceback(L, L, lua_tostring(L, -1), 1);
}

/* ---- timeouts without a task, see the header ---- */

/// timeout(delay_cs, f) where the result is not used. Stack: delay, function.
static int
timeout_without_task(lua_State *L, struct lua_service *service, lua_Integer delay_cs) {
	int session = service_new_session(service);
	timeout_store_add(L, &service->timeouts, 2, session);
	skynet_timer_start(service->context, delay_cs * MS_PER_CS, session);
	return 0;
}

bool
wait_has_timeout(struct lua_service *service, int session) {
	lua_State *L = service->L;
	return service->timeouts.count > 0 && lua_checkstack(L, 2) &&
	       timeout_store_has(L, &service->timeouts, session);
}

bool
wait_timeout_due(struct lua_service *service, int session, lua_State *from) {
	if (service->timeouts.count == 0)
		return false;
	struct task *task = task_try_take(service, service->L);
	if (UNLIKELY(task == NULL)) {
		if (!wait_has_timeout(service, session))
			return false;
		/* Try again later: there may be memory by then. */
		skynet_timer_start(service->context, RETRY_MS, session);
		return true;
	}
	if (UNLIKELY(!timeout_store_take(task->L, &service->timeouts, session))) {
		task_give_back(service, task);
		return false;
	}
	task_run(service, task, from, 0);
	return true;
}

void
wait_reveal_timeouts(lua_State *L, struct lua_service *service) {
	struct timeout_cursor cursor = {0};
	while (service->timeouts.count > 0) {
		struct task *task = task_take(L, service, true);
		int session = timeout_store_next(task->L, &service->timeouts, &cursor);
		if (session == 0 || !timeout_store_take(task->L, &service->timeouts, session)) {
			task_give_back(service, task);
			return;
		}
		session_add(&service->sessions, session, SESSION_START, task);
		task->session = session;
		task->state = TASK_TIMER;
		task->flags |= TASK_TIMED;
	}
}

/// True when the running function, timeout, was called with an integer and a second argument that
/// is not nil, and its result is not used. Stores the integer.
static inline bool
is_plain_timeout(lua_State *L, const struct lua_service *service, lua_Integer *delay_cs) {
	lua_Debug frame;
	if (UNLIKELY(!service->caller_known || !service->scratch.raw || service->trace_timeout ||
		     lua_gettop(L) != 2))
		return false;
	lua_getstack(L, 0, &frame);
	const struct layout_value *arguments = layout_arguments_of(&frame);
	*delay_cs = arguments[1].payload.integer;
	return arguments[1].tag == LAYOUT_INTEGER && *delay_cs < LONGEST_DELAY_CS &&
	       !layout_is_nil(arguments[2].tag) && !caller_wants_result_of(&frame);
}

/// timeout(delay_cs, f) -> thread
static int
timeout(lua_State *L) {
	struct lua_service *service = service_of(L);
	lua_Integer delay_cs;
	if (LIKELY(is_plain_timeout(L, service, &delay_cs)))
		return timeout_without_task(L, service, delay_cs);
	delay_cs = check_delay(L, 1);
	lua_settop(L, 2);
	if (UNLIKELY(service->trace_timeout))
		push_origin(L, delay_cs);
	else if (service->caller_known && !lua_isnil(L, 2) && !caller_wants_result(L))
		return timeout_without_task(L, service, delay_cs);
	struct task *task = task_take(L, service, true);
	if (UNLIKELY(lua_gettop(L) > 2))
		task->origin = skynet_strdup(lua_tostring(L, -1));
	lua_settop(L, 2);
	lua_xmove(L, task->L, 1);
	int session = service_new_session(service);
	session_add(&service->sessions, session, SESSION_START, task);
	task->session = session;
	task->state = TASK_TIMER;
	task->flags |= TASK_TIMED;
	task_start_timer(service, task, delay_cs, session);
	push_thread(L, task);
	return 1;
}

/// The task whose thread is at index 1, if it waits for its timeout; else NULL.
static struct task *
pending_timeout(lua_State *L) {
	lua_State *co = lua_tothread(L, 1);
	luaL_argexpected(L, co != NULL, 1, "thread");
	struct task *task = task_of(co);
	return task != NULL && task->state == TASK_TIMER ? task : NULL;
}

/// cancel(thread) -> boolean
static int
cancel(lua_State *L) {
	struct task *task = pending_timeout(L);
	if (task != NULL) {
		struct lua_service *service = service_of(L);
		task_stop_waiting(service, task);
		task_give_back(service, task);
	}
	lua_pushboolean(L, task != NULL);
	return 1;
}

/* ---- tokens ---- */

/// Pushes the table from token to task, made at the first use.
static void
push_tokens(lua_State *L, struct lua_service *service) {
	if (service->tokens == LUA_NOREF) {
		lua_newtable(L);
		service->tokens = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->tokens);
}

/// True when `task` sleeps, waits, or is woken but not yet resumed.
static inline bool
is_asleep(const struct task *task) {
	return task->state == TASK_SLEEPING || task->state == TASK_WAITING ||
	       task->state == TASK_WAKING;
}

/// The task that sleeps under the token at stack index 1, or NULL.
static struct task *
find_sleeper(lua_State *L, struct lua_service *service) {
	lua_State *co = lua_tothread(L, 1);
	if (co != NULL) {
		struct task *task = task_of(co);
		if (task != NULL && task->L == co && (task->flags & TASK_OWN_TOKEN) &&
			is_asleep(task))
			return task;
		if (service->own_lookups == 0)
			return NULL;
	}
	if (service->tokens == LUA_NOREF || lua_isnoneornil(L, 1))
		return NULL;
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->tokens);
	lua_pushvalue(L, 1);
	lua_rawget(L, -2);
	struct task *task = lua_touserdata(L, -1);
	lua_pop(L, 2);
	return task;
}

/// Binds the token at stack index 1 to the task; nil stands for the running thread.
static void
bind_any_token(lua_State *L, struct lua_service *service, struct task *task) {
	if (lua_isnil(L, 1)) {
		lua_pushthread(L);
		lua_replace(L, 1);
	}
	if (UNLIKELY(find_sleeper(L, service) != NULL))
		luaL_error(L, "token duplicative");
	lua_State *co = lua_tothread(L, 1);
	if (LIKELY(co == task->L)) {
		task->flags |= TASK_OWN_TOKEN | TASK_EXPOSED;
		return;
	}
	push_tokens(L, service);
	lua_pushvalue(L, 1);
	lua_pushlightuserdata(L, task);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	if (co != NULL)
		service->own_lookups++;
}

/// Binds the token at stack index `index` to the task; none and nil stand for the running thread.
/// Then the stack stays as it is; any other token is the only value on it afterwards.
static inline void
bind_token(lua_State *L, struct lua_service *service, struct task *task, int index) {
	/* No other task can be sleeping under the running thread: it would be in the table of
	 * tokens, which holds no thread at all when `own_lookups` is 0. */
	if (LIKELY(lua_isnoneornil(L, index) && L == task->L && service->own_lookups == 0)) {
		task->flags |= TASK_OWN_TOKEN | TASK_EXPOSED;
		return;
	}
	lua_settop(L, index);
	lua_rotate(L, 1, 1);
	lua_settop(L, 1);
	bind_any_token(L, service, task);
}

/// Ends what bind_token began.
static void
release_token(lua_State *L, struct lua_service *service, struct task *task) {
	if (LIKELY(task->flags & TASK_OWN_TOKEN)) {
		task->flags &= (uint8_t)~TASK_OWN_TOKEN;
		return;
	}
	push_tokens(L, service);
	lua_pushvalue(L, 1);
	lua_pushnil(L);
	lua_rawset(L, -3);
	lua_pop(L, 1);
	if (lua_isthread(L, 1))
		service->own_lookups--;
}

/* ---- sleep, wait, wakeup ---- */

static int
slept(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	struct lua_service *service = service_of(L);
	struct task *task = task_resumed(L, service);
	release_token(L, service, task);
	task->session = 0;
	task->timer = 0;
	if (UNLIKELY(task->trace != NULL))
		trace_log(service, task->trace, "resume");
	if (task->flags & TASK_WOKEN) {
		task->flags &= (uint8_t)~TASK_WOKEN;
		lua_pushliteral(L, "BREAK");
		return 1;
	}
	return 0;
}

/// Suspends for `delay_cs` with the token at stack index `token`.
static int
sleep_with_token(lua_State *L, struct lua_service *service, struct task *task, lua_Integer delay_cs,
	int token) {
	bind_token(L, service, task, token);
	int session = service_new_session(service);
	session_add(&service->sessions, session, SESSION_SLEEP, task);
	if (UNLIKELY(task->trace != NULL))
		trace_log_frames(service, L, TRACE_LEVEL_CALLER, task->trace, "sleep");
	task->session = session;
	task->state = TASK_SLEEPING;
	task_start_timer(service, task, delay_cs, session);
	return lua_yieldk(L, 0, 0, slept);
}

/// sleep(delay_cs [, token]) -> nothing, or "BREAK" when woken
static int
sleep_task(lua_State *L) {
	struct lua_service *service = service_of(L);
	lua_Integer delay_cs = check_delay(L, 1);
	struct task *task = task_check_suspend(L, service);
	return sleep_with_token(L, service, task, delay_cs, 2);
}

/// yield(): lets the messages run that are waiting now.
static int
yield(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct task *task = task_check_suspend(L, service);
	lua_settop(L, 0);
	return sleep_with_token(L, service, task, 0, 1);
}

static int
waited(lua_State *L, int status, lua_KContext context) {
	slept(L, status, context);
	return 0;
}

/// wait([token])
static int
wait_task(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct task *task = task_check_suspend(L, service);
	bind_token(L, service, task, 1);
	/* No message comes with this session; skynet.task shows it to name the task. */
	task->session = service_new_session(service);
	task->state = TASK_WAITING;
	return lua_yieldk(L, 0, 0, waited);
}

/// wakeup(token) -> true, or nothing when nobody sleeps under it
static int
wakeup(lua_State *L) {
	struct lua_service *service = service_of(L);
	luaL_checkany(L, 1);
	struct task *task = find_sleeper(L, service);
	if (task == NULL)
		return 0;
	if (LIKELY(task->state != TASK_WAKING)) {
		if (task->state == TASK_SLEEPING)
			task_stop_timer(service, task->timer, task->session);
		task->state = TASK_WAKING;
		task->flags |= TASK_WOKEN;
		task_queue_push(&service->woken, task);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- the clock ---- */

/// now() -> centiseconds
static int
now(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)skynet_now());
	return 1;
}

/// hpc() -> nanoseconds
static int
hpc(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)skynet_clock_ns(service_of(L)->context));
	return 1;
}

/// starttime() -> seconds since the epoch
static int
starttime(lua_State *L) {
	lua_pushinteger(L, (lua_Integer)skynet_context_starttime(service_of(L)->context));
	return 1;
}

/// time() -> seconds since the epoch, with fraction
static int
wall_time(lua_State *L) {
	lua_Number start = (lua_Number)skynet_context_starttime(service_of(L)->context);
	lua_pushnumber(L, start + (lua_Number)skynet_now() / 100);
	return 1;
}

/// trace_timeout(on): remember where timeouts are made, for skynet.task
static int
set_trace_timeout(lua_State *L) {
	service_of(L)->trace_timeout = lua_toboolean(L, 1);
	return 0;
}

const luaL_Reg wait_functions[] = {
	{"fork", fork_task},
	{"timeout", timeout},
	{"cancel", cancel},
	{"sleep", sleep_task},
	{"yield", yield},
	{"wait", wait_task},
	{"wakeup", wakeup},
	{"starttime", starttime},
	{"time", wall_time},
	{"trace_timeout", set_trace_timeout},
	{NULL, NULL},
};

const luaL_Reg clock_functions[] = {
	{"now", now},
	{"hpc", hpc},
	{NULL, NULL},
};
