/* Coroutines of user code inside tasks (skynet.coroutine). A blocking call in one suspends the
 * whole chain of coroutines up to the task, and resumes it inward again.
 */
#ifndef SKYNET_LUA_COROUTINE_H
#define SKYNET_LUA_COROUTINE_H

#include "lua_service.h"

struct coroutine {
	struct lua_thread thread;
	lua_State *L;
	struct coroutine *next; /* the one that resumed this one, in task->coroutines */
	struct task *task;      /* runs or blocks on behalf of it; NULL otherwise */
	bool running;           /* resumed and not back yet: runs, or has resumed another */
	bool blocked;           /* suspended by a blocking call */
	bool can_suspend;       /* nothing between this and the task forbids to yield */
};

/// Detaches the coroutines that still belong to a task that ends.
void coroutine_forget_task(struct task *task);

#endif
