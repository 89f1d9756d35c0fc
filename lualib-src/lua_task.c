/* Tasks: taking, running, ending. Waiting is in lua_wait.c and lua_call.c. See the header. */
#include "lua_task.h"

#include <inttypes.h>
#include <string.h>

#include "../service-src/snlua.h"
#include "lua_coroutine.h"
#include "lua_select.h"
#include "lua_trace.h"

#define NATIVE_YIELD \
	"attempt to yield from a task by a native coroutine.yield (use skynet.coroutine)"

#define INITIAL_CAPACITY 8
#define TIMED_POOL_MAX   64 /* keep no more than this many threads that served a timeout */

/* ---- taking and giving back ---- */

static struct task *
task_new(lua_State *L, struct lua_service *service) {
	luaL_checkstack(L, 3, NULL);
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->anchors);
	lua_State *co = lua_newthread(L);
	/* Creating the thread may run a finaliser that adds or removes tasks, so the list is read
	 * only now. */
	uint32_t slot = service->task_count;
	lua_rawseti(L, -2, (lua_Integer)slot + 1);
	lua_pop(L, 1);
	if (slot == service->task_capacity) {
		uint32_t capacity = slot == 0 ? INITIAL_CAPACITY : slot * 2;
		service->tasks = skynet_realloc(service->tasks, capacity * sizeof *service->tasks);
		service->task_capacity = capacity;
	}
	struct task *task = skynet_calloc(1, sizeof *task);
	task->thread = (struct lua_thread){service, THREAD_TASK};
	task->L = co;
	task->slot = slot;
	service->tasks[slot] = task;
	service->task_count++;
	*(void **)lua_getextraspace(co) = task;
	return task;
}

struct task *
task_take(lua_State *L, struct lua_service *service, bool timed) {
	struct task *task = service->pool;
	if (UNLIKELY(task == NULL || (timed && (task->flags & TASK_TIMED))))
		return task_new(L, service);
	service->pool = task->next;
	service->pool_count--;
	if (service->pool_count < service->pool_low)
		service->pool_low = service->pool_count;
	return task;
}

static int
take_protected(lua_State *L) {
	struct task **result = lua_touserdata(L, 1);
	*result = task_take(L, service_of(L), false);
	return 0;
}

struct task *
task_try_take(struct lua_service *service, lua_State *L) {
	if (LIKELY(service->pool != NULL))
		return task_take(L, service, false);
	struct task *task = NULL;
	lua_pushcfunction(L, take_protected);
	lua_pushlightuserdata(L, &task);
	if (lua_pcall(L, 1, 0, 0) != LUA_OK)
		lua_pop(L, 1);
	return task;
}

static void
pool_push(struct lua_service *service, struct task *task) {
	task->state = TASK_IDLE;
	task->next = service->pool;
	service->pool = task;
	service->pool_count++;
}

/// Frees a task. Its thread, if Lua code still has it, becomes an ordinary one.
static void
task_drop(struct lua_service *service, struct task *task) {
	lua_State *co = task->L;
	uint32_t last = service->task_count - 1;
	/* The last task moves into the slot that becomes free. The stack of `co` serves as scratch.
	 */
	lua_settop(co, 0);
	lua_rawgeti(co, LUA_REGISTRYINDEX, service->anchors);
	if (task->slot != last) {
		struct task *moved = service->tasks[last];
		lua_rawgeti(co, 1, (lua_Integer)last + 1);
		lua_rawseti(co, 1, (lua_Integer)task->slot + 1);
		moved->slot = task->slot;
		service->tasks[moved->slot] = moved;
	}
	lua_pushnil(co);
	lua_rawseti(co, 1, (lua_Integer)last + 1);
	lua_settop(co, 0);
	service->task_count = last;
	*(void **)lua_getextraspace(co) = service;
	skynet_free(task);
}

static void
clear_texts(struct task *task) {
	if (task->failure.kind != FAILURE_NONE)
		call_failure_clear(&task->failure);
	if (task->trace != NULL) {
		skynet_free(task->trace);
		task->trace = NULL;
	}
	if (task->origin != NULL) {
		skynet_free(task->origin);
		task->origin = NULL;
	}
	if (task->coroutines != NULL)
		coroutine_forget_task(task);
}

/// Makes a task idle whose function has returned. Keeps its thread when that is safe.
static void
task_retire(struct lua_service *service, struct task *task) {
	lua_settop(task->L, 0);
	bool drop = (task->flags & TASK_EXPOSED) ||
		    ((task->flags & TASK_TIMED) && service->pool_count >= TIMED_POOL_MAX);
	if (UNLIKELY(drop)) {
		task_drop(service, task);
		return;
	}
	task->flags &= TASK_TIMED;
	task->request = REQUEST_NONE;
	task->request_session = 0;
	task->request_source = 0;
	task->trace_off = false;
	pool_push(service, task);
}

void
task_give_back(struct lua_service *service, struct task *task) {
	clear_texts(task);
	task_retire(service, task);
}

void
task_pool_trim(struct lua_service *service) {
	/* `pool_low` tasks have been idle since the last call: free half of them. */
	for (uint32_t surplus = service->pool_low / 2; surplus > 0; surplus--) {
		struct task *task = service->pool;
		service->pool = task->next;
		service->pool_count--;
		task_drop(service, task);
	}
	service->pool_low = service->pool_count;
}

void
task_free_all(struct lua_service *service) {
	for (uint32_t i = 0; i < service->task_count; i++) {
		struct task *task = service->tasks[i];
		clear_texts(task);
		skynet_free(task->peer_name);
		skynet_free(task);
	}
	skynet_free(service->tasks);
	service->tasks = NULL;
	service->task_count = service->task_capacity = 0;
	service->pool = NULL;
}

void
task_queue_remove(struct task_queue *queue, struct task *task) {
	struct task *before = NULL;
	for (struct task *at = queue->first; at != NULL; before = at, at = at->next) {
		if (at != task)
			continue;
		if (before == NULL)
			queue->first = at->next;
		else
			before->next = at->next;
		if (queue->last == at)
			queue->last = before;
		return;
	}
}

/* ---- ending ---- */

void
task_answer_error(struct lua_service *service, struct task *task, enum call_failure_kind kind,
	const char *text, size_t size) {
	if (task->request != REQUEST_OPEN)
		return;
	task->request = REQUEST_ANSWERED;
	size_t payload_size;
	char *payload = call_failure_pack(kind, text, size, &payload_size);
	service_reply(service, task->request_source, PTYPE_ERROR | PTYPE_TAG_DONTCOPY,
		task->request_session, payload, payload_size);
}

/* Argument of describe_task. */
struct description {
	struct task *task;
	const char *message; /* NULL: the error object on top of the task's stack */
};

/// (light userdata description) -> message, message with traceback.
static int
describe_task(lua_State *L) {
	const struct description *what = lua_touserdata(L, 1);
	lua_State *co = what->task->L;
	if (what->message != NULL) {
		lua_pushstring(L, what->message);
	} else if (lua_checkstack(co, 1)) {
		lua_pushvalue(co, -1);
		lua_xmove(co, L, 1);
	} else {
		lua_pushliteral(L, "stack overflow");
	}
	const char *message = luaL_tolstring(L, -1, NULL);
	luaL_traceback(L, co, message, 0);
	return 2;
}

/// Closes the pending to-be-closed variables of a thread and empties its stack.
static void
close_thread(lua_State *co, lua_State *from) {
#if LUA_VERSION_RELEASE_NUM >= 50406
	lua_closethread(co, from);
#else
	(void)from;
	lua_resetthread(co);
#endif
	lua_settop(co, 0);
}

/// Runs the to-be-closed variables of a task that is not to go on, and forgets it.
static void
task_close(struct lua_service *service, struct task *task) {
	struct task *before = service->current;
	service->current = task;
	task->state = TASK_CLOSING;
	close_thread(task->L, service->L);
	service->current = before;
	if (service->starting == task)
		service->starting = NULL;
	if (task->flags & TASK_STOP_HOOK)
		skynet_stop_done(service->context);
	clear_texts(task);
	task_drop(service, task);
}

/// Ends a task that has failed with `message` or, when that is NULL, with the error on top of its
/// stack: answers its request with an error, notes the error for the log, and frees the task.
static void
task_fail(struct lua_service *service, struct task *task, const char *message) {
	lua_State *L = service->L;
	const char *report = message != NULL ? message : "not enough memory";
	size_t message_size = strlen(report), report_size = message_size;
	int top = lua_gettop(L);

	if (lua_checkstack(L, 4)) {
		struct description what = {task, message};
		lua_pushcfunction(L, describe_task);
		lua_pushlightuserdata(L, &what);
		if (lua_pcall(L, 1, 2, 0) == LUA_OK) {
			message = lua_tolstring(L, -2, &message_size);
			report = lua_tolstring(L, -1, &report_size);
		}
	}
	task_answer_error(
		service, task, FAILURE_REMOTE, message != NULL ? message : report, message_size);
	text_add_line(&service->failure, report, report_size);
	if (task->trace != NULL)
		trace_log(service, task->trace, "error");
	if (service->starting == task && !service->exiting)
		service->start_failed(service, message != NULL ? message : report, message_size);
	lua_settop(L, top);
	task_close(service, task);
}

/// (light userdata protocol, light userdata lua_Debug): fills in where the handler is.
static int
locate_handler(lua_State *L) {
	protocol_push(L, lua_touserdata(L, 1));
	lua_getfield(L, -1, "dispatch");
	if (lua_isfunction(L, -1))
		lua_getinfo(L, ">S", lua_touserdata(L, 2));
	return 0;
}

/// Warns when the handler of a request ends without an answer.
static void
warn_forgotten(struct lua_service *service, struct task *task) {
	const struct protocol *protocol = protocol_by_id(service, task->request_type);
	lua_Debug where = {.short_src = "?", .linedefined = -1};
	lua_State *co = task->L;
	if (protocol != NULL) {
		lua_settop(co, 0);
		lua_pushcfunction(co, locate_handler);
		lua_pushlightuserdata(co, (void *)protocol);
		lua_pushlightuserdata(co, &where);
		lua_pcall(co, 2, 0, 0);
	}
	skynet_error(service->context,
		"Maybe forgot response session %d from :%08" PRIx32 " : %s:%d",
		task->request_session, task->request_source, where.short_src, where.linedefined);
}

/// Called when the handler of a request has returned without an answer. Normally it warns: another
/// task may still answer. A handler that has killed its service gets no chance to, so the sender
/// gets an error.
static void
leave_open(struct lua_service *service, struct task *task) {
	if (skynet_context_is_dead(service->context))
		task_answer_error(service, task, FAILURE_DEAD_SERVICE, NULL, 0);
	else
		warn_forgotten(service, task);
}

/// Ends a task whose function has returned.
static inline void
task_finish(struct lua_service *service, struct task *task) {
	if (UNLIKELY(task->request == REQUEST_OPEN))
		leave_open(service, task);
	if (UNLIKELY(task->trace != NULL))
		trace_log(service, task->trace, "end");
	clear_texts(task);
	task_retire(service, task);
}

void
task_kill(struct lua_service *service, struct task *task) {
	static const char reason[] = "the task was killed";
	if (task->state == TASK_FORKED)
		task_queue_remove(&service->forked, task);
	else if (task->state == TASK_WAKING)
		task_queue_remove(&service->woken, task);
	else if (task->state == TASK_FAILING)
		task_queue_remove(&service->failed, task);
	task_stop_waiting(service, task);
	task_answer_error(service, task, FAILURE_REMOTE, reason, sizeof reason - 1);
	task_close(service, task);
}

/* ---- running ---- */

void
task_run(struct lua_service *service, struct task *task, lua_State *from, int argument_count) {
	struct task *before = service->current;
	int count;
	service->current = task;
	task->state = TASK_RUNNING;
	int status = snlua_resume(service->snlua, task->L, from, argument_count, &count);
	service->current = before;
	if (LIKELY(status == LUA_OK))
		task_finish(service, task);
	else if (UNLIKELY(status != LUA_YIELD))
		task_fail(service, task, NULL);
	else if (UNLIKELY(task->state == TASK_RUNNING))
		task_fail(service, task, NATIVE_YIELD);
	else if (UNLIKELY(task->state == TASK_LEAVING))
		task_close(service, task);
}

void
task_run_woken(struct lua_service *service, lua_State *from) {
	for (;;) {
		struct task *task = task_queue_pop(&service->woken);
		if (task == NULL)
			task = task_queue_pop(&service->failed);
		if (LIKELY(task == NULL))
			return;
		task_run(service, task, from, 0);
	}
}

void
task_run_queued(struct lua_service *service, lua_State *from) {
	struct task *task;
	task_run_woken(service, from);
	while ((task = task_queue_pop(&service->forked)) != NULL) {
		task_run(service, task, from, lua_gettop(task->L) - 1);
		task_run_woken(service, from);
	}
}

/* ---- waiting ---- */

static struct task *
suspendable(lua_State *L, struct lua_service *service) {
	struct task *task = service->current;
	if (task == NULL || !lua_isyieldable(L))
		return NULL;
	if (task->L == L)
		return task;
	const struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(L);
	if (thread->kind != THREAD_COROUTINE)
		return NULL;
	const struct coroutine *coroutine = (const struct coroutine *)thread;
	return coroutine->L == L && coroutine->task == task && coroutine->can_suspend ? task : NULL;
}

struct task *
task_can_suspend(lua_State *L, struct lua_service *service) {
	struct task *task = service->current;
	if (LIKELY(task != NULL && task->L == L && lua_isyieldable(L)))
		return task;
	return suspendable(L, service);
}

struct task *
task_check_suspend(lua_State *L, struct lua_service *service) {
	struct task *task = task_can_suspend(L, service);
	if (LIKELY(task != NULL))
		return task;
	task = service->current;
	if (task == NULL || L == service->L)
		luaL_error(L, "attempt to yield from outside a coroutine");
	const struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(L);
	if (task->L != L &&
		(thread->kind != THREAD_COROUTINE || ((const struct coroutine *)thread)->L != L))
		luaL_error(L, "attempt to block inside a native coroutine (use skynet.coroutine)");
	luaL_error(L, "attempt to yield across a C-call boundary");
	return NULL;
}

struct task *
task_check_resumed(lua_State *L, struct lua_service *service) {
	const struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(L);
	if (thread->kind == THREAD_COROUTINE) {
		const struct coroutine *coroutine = (const struct coroutine *)thread;
		if (coroutine->L == L && coroutine->task != NULL && !coroutine->blocked &&
			coroutine->task == service->current)
			return coroutine->task;
	}
	luaL_error(L, "cannot resume a coroutine that waits for the framework");
	return NULL;
}

void
task_stop_timer(struct lua_service *service, uint64_t timer, int session) {
	struct session_entry *entry = session_find(&service->sessions, session);
	if (entry == NULL)
		return;
	if (timer != 0 && skynet_timer_cancel(service->context, timer)) {
		session_remove(&service->sessions, entry);
	} else {
		entry->kind = SESSION_ABANDONED;
		entry->owner = NULL;
	}
}

/// Removes the token under which a task sleeps.
static void
drop_token(struct lua_service *service, struct task *task) {
	if (task->flags & TASK_OWN_TOKEN) {
		task->flags &= (uint8_t)~TASK_OWN_TOKEN;
		return;
	}
	lua_State *L = service->L;
	if (service->tokens == LUA_NOREF || !lua_checkstack(L, 4))
		return;
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->tokens);
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		bool found = lua_touserdata(L, -1) == task;
		lua_pop(L, 1);
		if (found) {
			if (lua_type(L, -1) == LUA_TTHREAD)
				service->own_lookups--;
			lua_pushnil(L);
			lua_rawset(L, -3);
			break;
		}
	}
	lua_settop(L, lua_gettop(L) - 1);
}

void
task_stop_waiting(struct lua_service *service, struct task *task) {
	switch (task->state) {
	case TASK_TIMER:
	case TASK_SLEEPING:
		task_stop_timer(service, task->timer, task->session);
		break;
	case TASK_CALLING:
	case TASK_BLOCKED: {
		struct session_entry *entry = session_find(&service->sessions, task->session);
		if (entry != NULL)
			service_abandon_call(service, entry, task->peer);
		break;
	}
	case TASK_SELECTING:
		selection_forget_task(service, task);
		break;
	default:
		break;
	}
	if (task->state == TASK_SLEEPING || task->state == TASK_WAITING ||
		task->state == TASK_WAKING)
		drop_token(service, task);
	if (task->deadline_session != 0) {
		task_stop_timer(service, task->timer, task->deadline_session);
		task->deadline_session = 0;
	}
	task->session = 0;
	task->timer = 0;
	skynet_free(task->peer_name);
	task->peer_name = NULL;
	task->peer = 0;
}

void
task_fail_call(struct lua_service *service, struct task *task) {
	task->state = TASK_FAILING;
	task_queue_push(&service->failed, task);
}
