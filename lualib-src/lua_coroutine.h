/* Coroutines of user code inside tasks (skynet.coroutine). A blocking call in one suspends the
 * whole chain of coroutines up to the task, and resumes it inward again.
 */
#ifndef SKYNET_LUA_COROUTINE_H
#define SKYNET_LUA_COROUTINE_H

#include "lua_service.h"

struct coroutine {
	struct lua_thread thread;
	lua_State *L;
	struct coroutine *next; /* in task->coroutines: the coroutine that resumed this one */
	struct task *task;      /* the task on whose behalf it runs or blocks, else NULL */
	bool running;           /* was resumed and has not yielded: runs, or has resumed another */
	bool blocked;           /* suspended by a blocking call */
	bool can_suspend;       /* every coroutine from here to the task can yield */
};

/// Detaches from a task, which ends, all coroutines that ran or blocked on its behalf.
void coroutine_forget_task(struct task *task);

#endif
