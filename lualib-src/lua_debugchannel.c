/* skynet.debugchannel: a one-way queue of texts between two services, for the console's debugger,
 * and a hook that can suspend the coroutine it runs in.
 *
 * A channel has one writing and one reading end and lives as long as one of them. Its handle
 * travels in a message as light userdata; it is looked up in the list of live channels before it is
 * used. The list's lock guards the list and the reference counts, a channel's lock its queue.
 */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/lock.h"
#include "lua_task.h"
#include "skynet.h"

#define CHANNEL_META  "skynet.debugchannel"
#define LIST_KEY      "skynet.debugchannel"
#define CONTEXT_KEY   "skynet_context"
#define HOOKS_KEY     "skynet.debugchannel.hooks"
#define MS_PER_UNIT   100 /* read waits in tenths of seconds */
#define WAIT_MAX_MS   60000
#define NS_PER_MS     1000000
#define NS_PER_SECOND 1000000000

SKYNET_API int luaopen_skynet_debugchannel(lua_State *L);

struct line {
	struct line *next;
	size_t size;
	char text[];
};

struct channel {
	struct channel *next; /* guarded by the list's lock, as the next two */
	int references;       /* ends */
	bool connected;       /* there was a reading end */
	struct mutex lock;
	pthread_cond_t arrived;
	struct line *first, *last; /* guarded by lock */
};

struct channel_list {
	struct mutex lock;
	struct channel *first;
};

/* The userdata of one end. */
struct channel_end {
	struct channel_list *list;
	struct channel *channel;
};

static void *
list_create(void *ud) {
	(void)ud;
	struct channel_list *list = skynet_calloc(1, sizeof *list);
	mutex_init(&list->lock, LOCK_RANK_NAME);
	return list;
}

static void
list_destroy(void *object) {
	struct channel_list *list = object;
	mutex_fini(&list->lock);
	skynet_free(list);
}

static struct channel_list *
list_of(lua_State *L) {
	if (lua_getfield(L, LUA_REGISTRYINDEX, CONTEXT_KEY) != LUA_TLIGHTUSERDATA)
		luaL_error(L, "Init skynet context first");
	struct skynet_context *context = lua_touserdata(L, -1);
	lua_pop(L, 1);
	return skynet_shared_object(context, LIST_KEY, list_create, NULL, list_destroy);
}

/// Gives an unlisted channel without references: list_add, or NULL with errno when there is none to
/// be had.
static struct channel *
channel_create(void) {
	struct channel *channel = skynet_calloc(1, sizeof *channel);
	pthread_condattr_t attributes;
	int failed = pthread_condattr_init(&attributes);
	if (failed == 0) {
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
		failed = pthread_cond_init(&channel->arrived, &attributes);
		pthread_condattr_destroy(&attributes);
	}
	if (failed != 0) {
		skynet_free(channel);
		errno = failed;
		return NULL;
	}
	mutex_init(&channel->lock, LOCK_RANK_LEAF);
	return channel;
}

static void
channel_destroy(struct channel *channel) {
	while (channel->first != NULL) {
		struct line *line = channel->first;
		channel->first = line->next;
		skynet_free(line);
	}
	pthread_cond_destroy(&channel->arrived);
	mutex_fini(&channel->lock);
	skynet_free(channel);
}

/// Puts a new channel into the list, with one reference.
static void
list_add(struct channel_list *list, struct channel *channel) {
	channel->references = 1;
	mutex_acquire(&list->lock);
	channel->next = list->first;
	list->first = channel;
	mutex_release(&list->lock);
}

/// Takes a reference for the reading end. Returns false for an unknown channel or a second reader.
static bool
list_connect(struct channel_list *list, struct channel *channel) {
	bool found = false;
	mutex_acquire(&list->lock);
	for (struct channel *each = list->first; each != NULL; each = each->next) {
		if (each == channel && !each->connected) {
			each->connected = true;
			each->references++;
			found = true;
			break;
		}
	}
	mutex_release(&list->lock);
	return found;
}

static void
list_drop(struct channel_list *list, struct channel *channel) {
	mutex_acquire(&list->lock);
	bool last = --channel->references == 0;
	if (last) {
		struct channel **at = &list->first;
		while (*at != channel)
			at = &(*at)->next;
		*at = channel->next;
	}
	mutex_release(&list->lock);
	if (last)
		channel_destroy(channel);
}

static void
push_end(lua_State *L, struct channel_list *list) {
	struct channel_end *end = lua_newuserdatauv(L, sizeof *end, 0);
	end->list = list;
	end->channel = NULL;
	luaL_setmetatable(L, CHANNEL_META);
}

static struct channel *
check_channel(lua_State *L) {
	struct channel_end *end = luaL_checkudata(L, 1, CHANNEL_META);
	if (end->channel == NULL)
		luaL_error(L, "the channel is closed");
	return end->channel;
}

/// debugchannel.create() -> channel, handle
static int
debugchannel_create(lua_State *L) {
	struct channel_list *list = list_of(L);
	push_end(L, list);
	struct channel_end *end = lua_touserdata(L, -1);
	end->channel = channel_create();
	if (end->channel == NULL)
		return luaL_error(L, "cannot make a debug channel: %s", strerror(errno));
	list_add(list, end->channel);
	lua_pushlightuserdata(L, end->channel);
	return 2;
}

/// debugchannel.connect(handle) -> channel
static int
debugchannel_connect(lua_State *L) {
	luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
	struct channel_list *list = list_of(L);
	struct channel *channel = lua_touserdata(L, 1);
	push_end(L, list);
	if (!list_connect(list, channel))
		return luaL_error(L, "new channel failed");
	struct channel_end *end = lua_touserdata(L, -1);
	end->channel = channel;
	return 1;
}

/// channel:write(text)
static int
channel_write(lua_State *L) {
	struct channel *channel = check_channel(L);
	size_t size;
	const char *text = luaL_checklstring(L, 2, &size);
	struct line *line = skynet_malloc(sizeof *line + size);
	line->next = NULL;
	line->size = size;
	memcpy(line->text, text, size);
	mutex_acquire(&channel->lock);
	if (channel->last != NULL)
		channel->last->next = line;
	else
		channel->first = line;
	channel->last = line;
	pthread_cond_signal(&channel->arrived);
	mutex_release(&channel->lock);
	return 0;
}

/// Takes the first line, waiting up to `wait_ms` for one. Returns NULL when there is none.
static struct line *
channel_pop(struct channel *channel, long wait_ms) {
	struct timespec limit;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += wait_ms / 1000;
	limit.tv_nsec += wait_ms % 1000 * NS_PER_MS;
	if (limit.tv_nsec >= NS_PER_SECOND) {
		limit.tv_nsec -= NS_PER_SECOND;
		limit.tv_sec++;
	}
	mutex_acquire(&channel->lock);
	while (wait_ms > 0 && channel->first == NULL)
		if (pthread_cond_timedwait(&channel->arrived, &channel->lock.inner, &limit) ==
			ETIMEDOUT)
			break;
	struct line *line = channel->first;
	if (line != NULL) {
		channel->first = line->next;
		if (channel->first == NULL)
			channel->last = NULL;
	}
	mutex_release(&channel->lock);
	return line;
}

/// channel:read([timeout]) -> text or nil. Blocks the whole thread: for short waits only.
static int
channel_read(lua_State *L) {
	struct channel *channel = check_channel(L);
	lua_Number wait = luaL_optnumber(L, 2, 0) * MS_PER_UNIT;
	if (!(wait > 0))
		wait = 0;
	else if (wait > WAIT_MAX_MS)
		wait = WAIT_MAX_MS;
	struct line *line = channel_pop(channel, (long)wait);
	if (line == NULL)
		return 0;
	lua_pushlstring(L, line->text, line->size);
	skynet_free(line);
	return 1;
}

static int
channel_gc(lua_State *L) {
	struct channel_end *end = lua_touserdata(L, 1);
	struct channel *channel = end->channel;
	end->channel = NULL;
	if (channel != NULL)
		list_drop(end->list, channel);
	return 0;
}

/* ---- a hook that can suspend ---- */

/// The task whose own thread `L` is, or NULL; also where skynet.core is not loaded.
static struct task *
own_task(lua_State *L) {
	if (*(void **)lua_getextraspace(L) == NULL)
		return NULL;
	struct task *task = task_of(L);
	return task != NULL && task->L == L ? task : NULL;
}

/// Makes the running task wait for debugchannel.wakeup, if it can be suspended here.
static bool
park(lua_State *L) {
	struct task *task = own_task(L);
	if (task == NULL || task->thread.service->current != task || !lua_isyieldable(L))
		return false;
	task->session = service_new_session(task->thread.service);
	task->flags |= TASK_OWN_TOKEN | TASK_EXPOSED;
	task->state = TASK_WAITING;
	return true;
}

static struct task *
suspended_task(lua_State *co) {
	struct task *task = own_task(co);
	return task != NULL && task->state == TASK_WAITING ? task : NULL;
}

static void
run_hook(lua_State *L, lua_Debug *ar) {
	static const char *const events[] = {"call", "return", "line", "count", "tail call"};
	if (lua_getfield(L, LUA_REGISTRYINDEX, HOOKS_KEY) != LUA_TTABLE) {
		lua_pop(L, 1);
		return;
	}
	lua_pushthread(L);
	if (lua_rawget(L, -2) != LUA_TFUNCTION) {
		lua_pop(L, 2);
		return;
	}
	lua_pushstring(L, events[ar->event]);
	if (ar->currentline >= 0)
		lua_pushinteger(L, ar->currentline);
	else
		lua_pushnil(L);
	lua_call(L, 2, 1);
	bool suspend = lua_toboolean(L, -1);
	lua_pop(L, 2);
	/* Lua lets a hook yield only at these two events. */
	bool allowed = ar->event == LUA_HOOKLINE || ar->event == LUA_HOOKCOUNT;
	if (suspend && allowed && park(L))
		lua_yield(L, 0);
}

/// debugchannel.wakeup(co) -> boolean: lets a task go on that its hook has suspended.
static int
debugchannel_wakeup(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTHREAD);
	struct task *task = suspended_task(lua_tothread(L, 1));
	if (task != NULL) {
		task->session = 0;
		task->flags &= (uint8_t)~TASK_OWN_TOKEN;
		task->state = TASK_WAKING;
		task_queue_push(&task->thread.service->woken, task);
	}
	lua_pushboolean(L, task != NULL);
	return 1;
}

static int
mask_of(const char *letters, lua_Integer count) {
	int mask = 0;
	if (strchr(letters, 'c') != NULL)
		mask |= LUA_MASKCALL;
	if (strchr(letters, 'r') != NULL)
		mask |= LUA_MASKRET;
	if (strchr(letters, 'l') != NULL)
		mask |= LUA_MASKLINE;
	if (count > 0)
		mask |= LUA_MASKCOUNT;
	return mask;
}

static void
push_hooks(lua_State *L) {
	if (luaL_getsubtable(L, LUA_REGISTRYINDEX, HOOKS_KEY))
		return;
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "k");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
}

/// debugchannel.sethook([thread,] func, mask [, count]). A true result of `func` suspends the
/// coroutine.
static int
debugchannel_sethook(lua_State *L) {
	if (lua_isthread(L, 1)) {
		lua_settop(L, 4);
	} else {
		lua_pushthread(L);
		lua_insert(L, 1);
		lua_settop(L, 4);
	}
	lua_State *co = lua_tothread(L, 1);
	int mask = 0;
	int count = 0;
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TFUNCTION);
		count = (int)luaL_optinteger(L, 4, 0);
		mask = mask_of(luaL_checkstring(L, 3), count);
	}
	push_hooks(L);
	lua_pushvalue(L, 1);
	if (mask != 0)
		lua_pushvalue(L, 2);
	else
		lua_pushnil(L);
	lua_rawset(L, -3);
	lua_sethook(co, mask != 0 ? run_hook : NULL, mask, count);
	return 0;
}

int
luaopen_skynet_debugchannel(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"create", debugchannel_create},
		{"connect", debugchannel_connect},
		{"sethook", debugchannel_sethook},
		{"wakeup", debugchannel_wakeup},
		{NULL, NULL},
	};
	static const luaL_Reg methods[] = {
		{"write", channel_write},
		{"read", channel_read},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	if (luaL_newmetatable(L, CHANNEL_META)) {
		luaL_newlib(L, methods);
		lua_setfield(L, -2, "__index");
		lua_pushcfunction(L, channel_gc);
		lua_setfield(L, -2, "__gc");
	}
	lua_pop(L, 1);
	luaL_newlib(L, functions);
	return 1;
}
