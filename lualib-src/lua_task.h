/* Tasks: the coroutines of a service. Every message handler, timeout, fork and start function runs
 * in one. C code resumes them, and their Lua threads are used again. docs/scheduling.md describes
 * in which order they run and how they end.
 */
#ifndef SKYNET_LUA_TASK_H
#define SKYNET_LUA_TASK_H

#include "lua_error.h"
#include "lua_service.h"

enum task_state {
	TASK_IDLE,      /* in the pool */
	TASK_RUNNING,   /* current */
	TASK_FORKED,    /* in the fork queue */
	TASK_TIMER,     /* its function waits for a timer */
	TASK_CALLING,   /* waits for a reply */
	TASK_SLEEPING,  /* waits for a timer or skynet.wakeup */
	TASK_WAITING,   /* waits for skynet.wakeup */
	TASK_SELECTING, /* waits for one of several replies */
	TASK_BLOCKED,   /* waits for room in a mailbox */
	TASK_WAKING,    /* in the queue of the woken */
	TASK_FAILING,   /* in the queue of failed calls */
	TASK_LEAVING,   /* called skynet.exit: it is not resumed again */
	TASK_CLOSING,   /* its to-be-closed variables run */
};

/* What the task has to answer. */
enum task_request {
	REQUEST_NONE,     /* not the handler of a message */
	REQUEST_OPEN,     /* session > 0, no answer yet */
	REQUEST_ONEWAY,   /* session 0 */
	REQUEST_ANSWERED, /* answered, detached or ignored */
};

enum task_flag {
	TASK_OWN_TOKEN = 1, /* sleeps under its own thread as token */
	TASK_EXPOSED =
		2,      /* its thread was a token: user code may hold it, so it is not used again */
	TASK_TIMED = 4, /* skynet.timeout returned its thread: no other timeout uses it */
	TASK_REPLY_PACKED = 8, /* the reply is unpacked with skynet.unpack */
	TASK_STOP_HOOK = 16,   /* runs the stop hooks: its end tells the kernel */
	TASK_WOKEN = 32,       /* its sleep ended by skynet.wakeup */
};

struct task {
	struct lua_thread thread;
	lua_State *L;
	struct task *next;    /* in the pool or in one queue */
	uint32_t slot;        /* place in service->tasks */
	uint8_t state;        /* enum task_state */
	uint8_t flags;        /* enum task_flag */
	uint8_t request;      /* enum task_request */
	uint8_t request_type; /* PTYPE of the request */
	bool trace_off;       /* its protocol is not to be traced */
	int request_session;
	uint32_t request_source;

	int session;          /* session that it waits for; 0: none */
	int deadline_session; /* session of the deadline of its call; 0: none */
	uint64_t timer;       /* of the sleep, timeout or deadline; 0: none */
	uint32_t peer;        /* who is called, 0 when unknown */
	char *peer_name;      /* name or text that was called, NULL for a handle; skynet_malloc */

	const void *message; /* request or reply while it is delivered, borrowed from the kernel */
	size_t size;
	struct call_failure failure; /* why the call failed */
	char *trace;                 /* tag, NULL when not traced; skynet_malloc */
	char *origin; /* where a timeout was made, with trace_timeout; skynet_malloc */
	struct coroutine
		*coroutines; /* running or blocked on behalf of this task, innermost first */
};

/// Gives an idle task from the pool or a new one; raises when memory runs out. `timed`: for a
/// timeout.
struct task *task_take(lua_State *L, struct lua_service *service, bool timed);

/// As task_take, but returns NULL instead of raising. Only from outside of protected code.
struct task *task_try_take(struct lua_service *service, lua_State *L);

/// Puts a task that was taken and has not run back into the pool.
void task_give_back(struct lua_service *service, struct task *task);

/// Resumes a task, with `argument_count` values on top of its stack, until it suspends or ends.
/// `from` is the thread that resumes. When the task fails, answers its request with an error and
/// ends it.
void task_run(struct lua_service *service, struct task *task, lua_State *from, int argument_count);

/// Runs all queued tasks: woken ones, those whose call failed, and forks, in the order that
/// docs/scheduling.md describes.
void task_run_queued(struct lua_service *service, lua_State *from);

/// Runs the tasks that were woken or whose call failed, until there are none.
void task_run_woken(struct lua_service *service, lua_State *from);

/// Ends a suspended task: its to-be-closed variables run, its open request gets an error.
void task_kill(struct lua_service *service, struct task *task);

/// Ends the wait of a task: its session, deadline, timer and token. Messages that are still to come
/// for it will be dropped without notice.
void task_stop_waiting(struct lua_service *service, struct task *task);

/// Cancels a timer and forgets its session. If its message has been sent already, it will be
/// dropped.
void task_stop_timer(struct lua_service *service, uint64_t timer, int session);

/// Makes the call that `task` waits in fail with task->failure: queues the task to be resumed.
void task_fail_call(struct lua_service *service, struct task *task);

/// Sends PTYPE_ERROR for the open request of a task, if there is one. Borrows `text` (may be NULL).
void task_answer_error(struct lua_service *service, struct task *task, enum call_failure_kind kind,
	const char *text, size_t size);

/// Frees half of the pooled tasks that were not needed since the last call. A finaliser calls this
/// once per cycle of the garbage collector.
void task_pool_trim(struct lua_service *service);

/// Frees all tasks when the state is closed.
void task_free_all(struct lua_service *service);

/// The task that L runs on behalf of; raises when it cannot be suspended here.
struct task *task_check_suspend(lua_State *L, struct lua_service *service);

/// The task of `L` if it can be suspended here, else NULL.
struct task *task_can_suspend(lua_State *L, struct lua_service *service);

/// The slow path of task_resumed.
struct task *task_check_resumed(lua_State *L, struct lua_service *service);

/// The task whose own thread `L` is, or NULL.
static inline struct task *
task_of(lua_State *L) {
	struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(L);
	return thread->kind == THREAD_TASK ? (struct task *)thread : NULL;
}

/// For a continuation: the task that L goes on in. Raises when it was not resumed by the framework
/// but by foreign code, which would find another task's reply.
static inline struct task *
task_resumed(lua_State *L, struct lua_service *service) {
	struct task *task = service->current;
	if (LIKELY(task != NULL && task->L == L))
		return task;
	return task_check_resumed(L, service);
}

/// Appends to a queue.
static inline void
task_queue_push(struct task_queue *queue, struct task *task) {
	task->next = NULL;
	if (queue->last != NULL)
		queue->last->next = task;
	else
		queue->first = task;
	queue->last = task;
}

/// Takes the first, NULL when empty.
static inline struct task *
task_queue_pop(struct task_queue *queue) {
	struct task *task = queue->first;
	if (task != NULL) {
		queue->first = task->next;
		if (queue->first == NULL)
			queue->last = NULL;
	}
	return task;
}

/// Removes a task from the middle.
void task_queue_remove(struct task_queue *queue, struct task *task);

/// Starts the timer of a wait. The session must be added to the table already.
static inline void
task_start_timer(struct lua_service *service, struct task *task, int64_t delay_cs, int session) {
	task->timer = skynet_timer_start(service->context, delay_cs * MS_PER_CS, session);
}

#endif
