/* Several requests at once: what skynet.request stands on. A selection is a userdata that owns the
 * sessions of its requests; replies are queued in it, and its task is resumed when it waits for
 * one.
 */
#include "lua_select.h"

#include <string.h>

#include "lua_call.h"
#include "lua_trace.h"
#include "skynet_malloc.h"

#define METATABLE "skynet.selection"

/* A reply that has come. */
struct arrival {
	struct arrival *next;
	void *data; /* skynet_malloc; given to Lua until the next wait */
	size_t size;
	int session;
	int type; /* PTYPE_RESPONSE or PTYPE_ERROR */
};

/* A request that is not answered yet. */
struct pending {
	int session;
	uint32_t peer;
	char *peer_name;
};

struct selection {
	struct selection *next, *before; /* in service->selections */
	struct lua_service *service;
	struct task *waiting;
	struct arrival *first, *last;
	struct arrival *current; /* the reply that Lua code is reading, freed at the next wait */
	struct pending *pending;
	uint32_t pending_count, pending_capacity;
	int timer_session; /* 0: none */
	uint64_t timer;
	bool expired, closed;
};

static void
arrival_free(struct arrival *arrival) {
	if (arrival == NULL)
		return;
	skynet_free(arrival->data);
	skynet_free(arrival);
}

static void
remove_pending(struct selection *selection, uint32_t at) {
	skynet_free(selection->pending[at].peer_name);
	selection->pending[at] = selection->pending[--selection->pending_count];
}

/// Abandons all requests that are not answered, and the deadline.
static void
selection_close(struct selection *selection) {
	struct lua_service *service = selection->service;
	if (selection->closed)
		return;
	selection->closed = true;
	while (selection->pending_count > 0) {
		struct session_entry *entry =
			session_find(&service->sessions, selection->pending[0].session);
		if (entry != NULL)
			service_abandon_call(service, entry, selection->pending[0].peer);
		remove_pending(selection, 0);
	}
	skynet_free(selection->pending);
	selection->pending = NULL;
	if (selection->timer_session != 0)
		task_stop_timer(service, selection->timer, selection->timer_session);
	selection->timer_session = 0;
	while (selection->first != NULL) {
		struct arrival *arrival = selection->first;
		selection->first = arrival->next;
		arrival_free(arrival);
	}
	selection->last = NULL;
	arrival_free(selection->current);
	selection->current = NULL;
	if (selection->before != NULL)
		selection->before->next = selection->next;
	else
		service->selections = selection->next;
	if (selection->next != NULL)
		selection->next->before = selection->before;
}

/* ---- what the dispatcher tells ---- */

static void
push_arrival(struct selection *selection, int type, int session, void *data, size_t size) {
	struct arrival *arrival = skynet_malloc(sizeof *arrival);
	*arrival = (struct arrival){NULL, data, size, session, type};
	if (selection->last != NULL)
		selection->last->next = arrival;
	else
		selection->first = arrival;
	selection->last = arrival;
}

void
selection_deliver(struct lua_service *service, struct selection *selection, int type, int session,
	const void *data, size_t size, bool *taken, lua_State *from) {
	void *block = NULL;
	if (data != NULL && taken != NULL) {
		block = (void *)data;
		*taken = true;
	} else if (data != NULL) {
		block = skynet_malloc(size + 1);
		memcpy(block, data, size);
	}
	push_arrival(selection, type, session, block, size);
	for (uint32_t i = 0; i < selection->pending_count; i++) {
		if (selection->pending[i].session == session) {
			remove_pending(selection, i);
			break;
		}
	}
	struct task *task = selection->waiting;
	if (task == NULL)
		return;
	selection->waiting = NULL;
	if (type == PTYPE_ERROR)
		task_fail_call(service, task);
	else
		task_run(service, task, from, 0);
}

void
selection_expire(struct lua_service *service, struct selection *selection, lua_State *from) {
	selection->timer_session = 0;
	selection->expired = true;
	struct task *task = selection->waiting;
	selection->waiting = NULL;
	if (task != NULL)
		task_run(service, task, from, 0);
}

void
selection_fail_peer(struct lua_service *service, uint32_t peer, const char *name) {
	struct selection *selection = service->selections;
	for (; selection != NULL; selection = selection->next) {
		for (uint32_t i = selection->pending_count; i-- > 0;) {
			const struct pending *pending = &selection->pending[i];
			bool same = peer != 0 ? pending->peer == peer
					      : pending->peer_name != NULL &&
							strcmp(pending->peer_name, name) == 0;
			if (!same)
				continue;
			int session = pending->session;
			struct session_entry *entry = session_find(&service->sessions, session);
			if (entry != NULL)
				session_remove(&service->sessions, entry);
			selection_deliver(
				service, selection, PTYPE_ERROR, session, NULL, 0, NULL, NULL);
		}
	}
}

size_t
selection_peers(const struct lua_service *service, uint32_t *peers, size_t room) {
	size_t found = 0;
	for (const struct selection *at = service->selections; at != NULL; at = at->next) {
		for (uint32_t i = 0; i < at->pending_count; i++) {
			if (at->pending[i].peer == 0)
				continue;
			if (found < room)
				peers[found] = at->pending[i].peer;
			found++;
		}
	}
	return found;
}

void
selection_forget_task(struct lua_service *service, struct task *task) {
	for (struct selection *at = service->selections; at != NULL; at = at->next) {
		if (at->waiting == task)
			at->waiting = NULL;
	}
}

/* ---- Lua functions ---- */

static int
close_lua(lua_State *L) {
	selection_close(luaL_checkudata(L, 1, METATABLE));
	return 0;
}

/// select_open([timeout_cs]) -> selection
static int
select_open(lua_State *L) {
	struct lua_service *service = service_of(L);
	lua_Integer timeout_cs = luaL_optinteger(L, 1, -1);
	struct selection *selection = lua_newuserdatauv(L, sizeof *selection, 0);
	*selection = (struct selection){.service = service, .closed = true};
	if (luaL_newmetatable(L, METATABLE)) {
		lua_pushcfunction(L, close_lua);
		lua_setfield(L, -2, "__gc");
		lua_pushcfunction(L, close_lua);
		lua_setfield(L, -2, "__close");
	}
	lua_setmetatable(L, -2);
	selection->closed = false;
	selection->next = service->selections;
	if (selection->next != NULL)
		selection->next->before = selection;
	service->selections = selection;
	if (timeout_cs >= 0) {
		if (timeout_cs > INT32_MAX)
			timeout_cs = INT32_MAX;
		selection->timer_session = service_new_session(service);
		session_add(&service->sessions, selection->timer_session, SESSION_SELECT_END,
			selection);
		selection->timer = skynet_timer_start(
			service->context, timeout_cs * MS_PER_CS, selection->timer_session);
	}
	return 1;
}

/// select_send(selection, addr, protocol, msg [, sz]) -> session, or nil for an invalid address
static int
select_send(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct selection *selection = luaL_checkudata(L, 1, METATABLE);
	struct address to = address_check(L, 2);
	const struct protocol *protocol = protocol_check(L, service, 3);
	luaL_argcheck(L, !selection->closed, 1, "closed");
	struct payload payload = payload_check(L, 4);
	struct task *task = service->current;
	if (task != NULL && task->trace != NULL) {
		trace_log_frames(service, L, 1, task->trace, "call");
		trace_send(service, to, task->trace);
	}
	int session = service_new_session(service);
	session_add(&service->sessions, session, SESSION_SELECT, selection);
	int result = service_send(
		service, to, 0, protocol->id | payload.flags, session, payload.data, payload.size);
	if (result < 0) {
		session_remove(&service->sessions, session_find(&service->sessions, session));
		return 0;
	}
	if (selection->pending_count == selection->pending_capacity) {
		uint32_t capacity =
			selection->pending_capacity == 0 ? 4 : selection->pending_capacity * 2;
		selection->pending =
			skynet_realloc(selection->pending, capacity * sizeof *selection->pending);
		selection->pending_capacity = capacity;
	}
	struct pending *pending = &selection->pending[selection->pending_count++];
	*pending = (struct pending){session, to.handle, NULL};
	if (to.handle == 0) {
		pending->peer_name = skynet_strdup(to.name);
		if (to.name[0] == ':' || to.name[0] == '.')
			pending->peer = skynet_queryname(service->context, to.name);
	}
	lua_pushinteger(L, session);
	return 1;
}

/// Pushes the results of select_wait for the next reply; or, when there is none, those for an
/// expired or an empty selection.
static int
push_next(lua_State *L, struct selection *selection) {
	struct arrival *arrival = selection->first;
	arrival_free(selection->current);
	selection->current = arrival;
	if (arrival == NULL) {
		if (selection->expired) {
			lua_pushnil(L);
			lua_pushboolean(L, 1);
			return 2;
		}
		return 0;
	}
	selection->first = arrival->next;
	if (selection->first == NULL)
		selection->last = NULL;
	lua_pushinteger(L, arrival->session);
	lua_pushboolean(L, arrival->type == PTYPE_RESPONSE);
	lua_pushlightuserdata(L, arrival->data);
	lua_pushinteger(L, (lua_Integer)arrival->size);
	return 4;
}

static int
select_resumed(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	task_resumed(L, service_of(L))->session = 0;
	return push_next(L, lua_touserdata(L, 1));
}

/// select_wait(selection) -> session, ok, pointer, size (valid until the next wait); nil, true when
/// the time is over; nothing when there is nothing to wait for
static int
select_wait(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct selection *selection = luaL_checkudata(L, 1, METATABLE);
	lua_settop(L, 1);
	if (selection->closed)
		return 0;
	if (selection->first != NULL || selection->expired || selection->pending_count == 0)
		return push_next(L, selection);
	struct task *task = task_check_suspend(L, service);
	if (selection->waiting != NULL)
		return luaL_error(L, "another task waits for these requests");
	arrival_free(selection->current);
	selection->current = NULL;
	task->state = TASK_SELECTING;
	task->session = selection->pending[0].session;
	selection->waiting = task;
	return lua_yieldk(L, 0, 0, select_resumed);
}

const luaL_Reg select_functions[] = {
	{"select_open", select_open},
	{"select_send", select_send},
	{"select_wait", select_wait},
	{"select_close", close_lua},
	{NULL, NULL},
};
