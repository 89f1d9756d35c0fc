/* skynet.send, call and their relatives. */
#include "lua_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua_trace.h"
#include "skynet_malloc.h"

#define LEVEL_CALLER  1
#define TRACECALL_TAG 5

/* How a reply is handed to the caller: the context of `replied`. */
enum reply_mode {
	REPLY_PACKED, /* skynet.unpack */
	REPLY_RAW,    /* pointer and size */
	REPLY_TRACED, /* as REPLY_RAW; the forced trace tag is at stack index TRACECALL_TAG */
	REPLY_CUSTOM, /* the unpack function of the protocol, at stack index 3 */
};

/* ---- one-way ---- */

static int
send_resumed(lua_State *L, int status, lua_KContext result) {
	(void)status;
	task_resumed(L, service_of(L))->session = 0;
	lua_pushinteger(L, (lua_Integer)result);
	return 1;
}

/// Suspends the sender, if it can wait here, until the mailbox of `full` has room. `result` is what
/// the send returns in any case.
static int
wait_for_room(lua_State *L, struct lua_service *service, uint32_t full, int result) {
	struct task *task = task_can_suspend(L, service);
	if (task != NULL) {
		int session = service_new_session(service);
		if (skynet_mailbox_wait(service->context, full, session)) {
			session_add(&service->sessions, session, SESSION_ROOM, task);
			task->session = session;
			task->state = TASK_BLOCKED;
			return lua_yieldk(L, 0, result, send_resumed);
		}
	}
	lua_pushinteger(L, result);
	return 1;
}

/// Sends with session 0 and pushes the results of skynet.send.
static int
send_payload(lua_State *L, struct lua_service *service, struct address to, int type,
	struct payload payload) {
	int result =
		service_send(service, to, 0, type | payload.flags, 0, payload.data, payload.size);
	if (UNLIKELY(result < 0)) {
		if (result == SKYNET_SEND_NOBODY)
			return 0;
		lua_pushboolean(L, 0);
		return 1;
	}
	uint32_t full = skynet_send_congested(service->context);
	if (UNLIKELY(full != 0))
		return wait_for_room(L, service, full, result);
	lua_pushinteger(L, result);
	return 1;
}

/// Stack: address, protocol, what pack returned.
static int
send_packed(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	struct lua_service *service = service_of(L);
	struct address to = address_check(L, 1);
	const struct protocol *protocol = protocol_check(L, service, 2);
	return send_payload(L, service, to, protocol->id, payload_check(L, 3));
}

/// Returns true, with the stack as before, when the field `pack` of the protocol is skynet.pack.
/// Otherwise returns false and inserts the field at stack index 3, below the arguments.
static inline bool
packs_by_default(lua_State *L, struct lua_service *service, const struct protocol *protocol) {
	if (LIKELY(protocol_has(service, protocol, KEY_PACK, core_pack)))
		return true;
	int top = lua_gettop(L);
	protocol_push(L, protocol);
	protocol_field(L, service, top + 1, KEY_PACK);
	if (lua_tocfunction(L, -1) == core_pack) {
		lua_settop(L, top);
		protocol_learn(L, service, protocol);
		return true;
	}
	lua_insert(L, 3);
	lua_settop(L, top + 1);
	return false;
}

/// send(addr, protocol, ...) -> 0, or nothing, or false
static int
send_message(lua_State *L) {
	struct lua_service *service = service_of(L);
	const struct layout_value *arguments = service_arguments(L, service, 2);
	struct address to = address_read(L, arguments, 1);
	const struct protocol *protocol = protocol_read(L, service, arguments, 2);
	if (LIKELY(packs_by_default(L, service, protocol))) {
		struct payload payload = {.flags = PTYPE_TAG_DONTCOPY};
		payload.data = seri_pack_block(L, 3, &service->scratch, &payload.size);
		return send_payload(L, service, to, protocol->id, payload);
	}
	lua_callk(L, lua_gettop(L) - 3, LUA_MULTRET, 0, send_packed);
	return send_packed(L, LUA_OK, 0);
}

/// rawsend(addr, protocol, msg [, sz])
static int
rawsend(lua_State *L) {
	return send_packed(L, LUA_OK, 0);
}

/// redirect(dest, source, protocol, session, msg [, sz])
static int
redirect(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct address to = address_check(L, 1);
	uint32_t source = (uint32_t)luaL_checkinteger(L, 2);
	const struct protocol *protocol = protocol_check(L, service, 3);
	lua_settop(L, 6);
	lua_Integer session = luaL_optinteger(L, 4, 0);
	luaL_argcheck(L, session >= 0 && session <= INT32_MAX, 4, "not a session");
	if (lua_isnil(L, 4))
		session = service_new_session(service);
	struct payload payload = payload_check(L, 5);
	int result = service_send(service, to, source, protocol->id | payload.flags, (int)session,
		payload.data, payload.size);
	if (result == SKYNET_SEND_NOBODY)
		return 0;
	if (result < 0)
		lua_pushboolean(L, 0);
	else
		lua_pushinteger(L, result);
	return 1;
}

/* ---- calls ---- */

/// Ends the wait of a call that was answered or has failed.
static inline void
finish_wait(struct lua_service *service, struct task *task) {
	task->session = 0;
	task->peer = 0;
	if (UNLIKELY(task->deadline_session != 0)) {
		task_stop_timer(service, task->timer, task->deadline_session);
		task->deadline_session = 0;
		task->timer = 0;
	}
	if (UNLIKELY(task->peer_name != NULL)) {
		skynet_free(task->peer_name);
		task->peer_name = NULL;
	}
	if (UNLIKELY(task->trace != NULL))
		trace_log(service, task->trace, "resume");
}

/// What the unpack function of the protocol returned is above stack index 3.
static int
unpacked(lua_State *L, int status, lua_KContext context) {
	(void)status;
	(void)context;
	return lua_gettop(L) - 3;
}

/// Continuation of a call: returns the reply, or raises the failure, that is in the task.
static int
replied(lua_State *L, int status, lua_KContext mode) {
	(void)status;
	struct lua_service *service = service_of(L);
	struct task *task = task_resumed(L, service);
	finish_wait(service, task);
	if (UNLIKELY(task->failure.kind != FAILURE_NONE)) {
		call_failure_push(L, LEVEL_CALLER, &task->failure);
		return lua_error(L);
	}
	if (LIKELY(mode == REPLY_PACKED))
		return seri_unpack(L, task->message, task->size);
	if (mode == REPLY_TRACED)
		trace_log(service, lua_tostring(L, TRACECALL_TAG), "tracecall end");
	lua_settop(L, 3);
	if (mode == REPLY_CUSTOM)
		lua_pushvalue(L, 3);
	lua_pushlightuserdata(L, (void *)task->message);
	lua_pushinteger(L, (lua_Integer)task->size);
	if (mode != REPLY_CUSTOM)
		return 2;
	lua_callk(L, 2, LUA_MULTRET, 0, unpacked);
	return lua_gettop(L) - 3;
}

/// Notes in the task which service is called, so that the call can fail when that dies.
static void
note_peer(struct lua_service *service, struct task *task, struct address to) {
	task->peer = to.handle;
	if (to.handle != 0)
		return;
	task->peer_name = skynet_strdup(to.name);
	if (to.name[0] == ':' || to.name[0] == '.')
		task->peer = skynet_queryname(service->context, to.name);
}

static int
raise_invalid(lua_State *L, struct address to) {
	luaL_where(L, LEVEL_CALLER);
	if (to.handle != 0) {
		char text[16];
		snprintf(text, sizeof text, ":%08" PRIx32, to.handle);
		lua_pushfstring(L, "call to invalid address %s", text);
	} else {
		lua_pushfstring(L, "call to invalid address %s", to.name);
	}
	lua_concat(L, 2);
	return lua_error(L);
}

/// Raises the error of a call whose request could not be sent.
static int
raise_unsent(lua_State *L, struct address to, int result) {
	if (result == SKYNET_SEND_NOBODY)
		return raise_invalid(L, to);
	struct call_failure failure = {FAILURE_UNKNOWN, to.handle, NULL};
	if (result == SKYNET_SEND_FULL)
		failure.kind = FAILURE_OVERLOADED;
	call_failure_push(L, LEVEL_CALLER, &failure);
	return lua_error(L);
}

/// Sends a request and suspends the task until it is answered.
static inline int
call_payload(lua_State *L, struct lua_service *service, struct address to, int type,
	struct payload payload, lua_Integer timeout_cs, enum reply_mode mode) {
	struct task *task = service->current;
	if (UNLIKELY(task->trace != NULL && mode != REPLY_TRACED)) {
		trace_log_frames(service, L, LEVEL_CALLER, task->trace, "call");
		trace_send(service, to, task->trace);
	}
	int session = service_new_session(service);
	session_add(&service->sessions, session, SESSION_CALL, task);
	int result = service_send(
		service, to, 0, type | payload.flags, session, payload.data, payload.size);
	if (UNLIKELY(result < 0)) {
		session_remove(&service->sessions, session_find(&service->sessions, session));
		return raise_unsent(L, to, result);
	}
	task->session = session;
	if (LIKELY(to.handle != 0))
		task->peer = to.handle;
	else
		note_peer(service, task, to);
	if (UNLIKELY(timeout_cs > 0)) {
		task->deadline_session = service_new_session(service);
		session_add(&service->sessions, task->deadline_session, SESSION_DEADLINE, task);
		task_start_timer(service, task, timeout_cs, task->deadline_session);
	}
	task->state = TASK_CALLING;
	return lua_yieldk(L, 0, (lua_KContext)mode, replied);
}

/// Stack: address, protocol, unpack function, what pack returned.
static int
call_packed(lua_State *L, int status, lua_KContext timeout_cs) {
	(void)status;
	struct lua_service *service = service_of(L);
	struct address to = address_check(L, 1);
	const struct protocol *protocol = protocol_check(L, service, 2);
	struct payload payload = payload_check(L, 4);
	return call_payload(
		L, service, to, protocol->id, payload, (lua_Integer)timeout_cs, REPLY_CUSTOM);
}

/// Calls by a protocol with a pack or unpack function of its own. Stack: address, protocol,
/// arguments.
static int
call_custom(lua_State *L, const struct protocol *protocol, lua_Integer timeout_cs) {
	protocol_push(L, protocol);
	lua_insert(L, 3);
	lua_getfield(L, 3, "pack");
	lua_insert(L, 4);
	lua_getfield(L, 3, "unpack");
	lua_replace(L, 3);
	lua_callk(L, lua_gettop(L) - 4, LUA_MULTRET, (lua_KContext)timeout_cs, call_packed);
	return call_packed(L, LUA_OK, (lua_KContext)timeout_cs);
}

/// True when both `pack` and `unpack` of the protocol are those of skynet. Needs 3 stack slots.
static inline bool
is_default(lua_State *L, struct lua_service *service, const struct protocol *protocol) {
	if (LIKELY(protocol_has(service, protocol, KEY_PACK, core_pack) &&
		    protocol_has(service, protocol, KEY_UNPACK, core_unpack)))
		return true;
	int table = lua_gettop(L) + 1;
	protocol_push(L, protocol);
	protocol_field(L, service, table, KEY_PACK);
	protocol_field(L, service, table, KEY_UNPACK);
	bool result = lua_tocfunction(L, -2) == core_pack && lua_tocfunction(L, -1) == core_unpack;
	lua_pop(L, 3);
	if (result)
		protocol_learn(L, service, protocol);
	return result;
}

int
call_start(lua_State *L, lua_Integer timeout_cs) {
	struct lua_service *service = service_of(L);
	const struct layout_value *arguments = service_arguments(L, service, 2);
	struct address to = address_read(L, arguments, 1);
	const struct protocol *protocol = protocol_read(L, service, arguments, 2);
	task_check_suspend(L, service);
	if (UNLIKELY(!is_default(L, service, protocol)))
		return call_custom(L, protocol, timeout_cs);
	struct payload payload = {.flags = PTYPE_TAG_DONTCOPY};
	payload.data = seri_pack_block(L, 3, &service->scratch, &payload.size);
	return call_payload(L, service, to, protocol->id, payload, timeout_cs, REPLY_PACKED);
}

/// call(addr, protocol, ...) -> values of the reply
static int
call(lua_State *L) {
	return call_start(L, service_of(L)->call_timeout_cs);
}

/// call_timeout(timeout_cs, addr, protocol, ...) -> values of the reply
static int
call_with_timeout(lua_State *L) {
	static const lua_Integer longest = INT32_MAX;
	lua_Integer timeout_cs = luaL_checkinteger(L, 1);
	luaL_argcheck(L, timeout_cs > 0, 1, "must be positive");
	lua_remove(L, 1);
	return call_start(L, timeout_cs < longest ? timeout_cs : longest);
}

/// call_forever(addr, protocol, ...) -> values of the reply
static int
call_forever(lua_State *L) {
	return call_start(L, 0);
}

/// rawcall(addr, protocol, msg [, sz]) -> pointer, size
static int
rawcall(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct address to = address_check(L, 1);
	const struct protocol *protocol = protocol_check(L, service, 2);
	task_check_suspend(L, service);
	return call_payload(L, service, to, protocol->id, payload_check(L, 3),
		service->call_timeout_cs, REPLY_RAW);
}

/// tracecall(tag, addr, protocol, msg [, sz]) -> pointer, size
static int
tracecall(lua_State *L) {
	struct lua_service *service = service_of(L);
	luaL_checkstring(L, 1);
	lua_settop(L, 5);
	lua_pushvalue(L, 1);
	lua_remove(L, 1);
	struct address to = address_check(L, 1);
	const struct protocol *protocol = protocol_check(L, service, 2);
	task_check_suspend(L, service);
	struct payload payload = payload_check(L, 3);
	const char *tag = lua_tostring(L, TRACECALL_TAG);
	trace_log_frames(service, L, LEVEL_CALLER, tag, "tracecall begin");
	trace_send(service, to, tag);
	return call_payload(
		L, service, to, protocol->id, payload, service->call_timeout_cs, REPLY_TRACED);
}

void
call_deliver(struct lua_service *service, struct task *task, const void *data, size_t size,
	lua_State *from) {
	task->message = data;
	task->size = size;
	task_run(service, task, from, 0);
}

/// True when a call was made to this peer.
static bool
is_peer(const struct task *task, uint32_t peer, const char *name) {
	if (peer != 0)
		return task->peer == peer;
	return task->peer_name != NULL && strcmp(task->peer_name, name) == 0;
}

static int
compare_sessions(const void *a, const void *b) {
	const struct task *x = *(struct task *const *)a, *y = *(struct task *const *)b;
	return x->session < y->session ? -1 : x->session > y->session;
}

void
call_fail_peer(
	struct lua_service *service, uint32_t peer, const char *name, enum call_failure_kind kind) {
	struct task **callers = skynet_malloc((service->task_count + 1) * sizeof *callers);
	size_t count = 0;
	for (uint32_t i = 0; i < service->task_count; i++) {
		struct task *task = service->tasks[i];
		if (task->state == TASK_CALLING && is_peer(task, peer, name))
			callers[count++] = task;
	}
	/* They go on in the order in which they called. */
	qsort(callers, count, sizeof(*callers), compare_sessions);
	for (size_t i = 0; i < count; i++) {
		struct session_entry *entry = session_find(&service->sessions, callers[i]->session);
		if (entry != NULL)
			session_remove(&service->sessions, entry);
		callers[i]->failure = (struct call_failure){kind, peer, NULL};
		task_fail_call(service, callers[i]);
	}
	skynet_free(callers);
	if (peer != 0)
		response_forget_source(service, peer);
}

const luaL_Reg call_functions[] = {
	{"send", send_message},
	{"rawsend", rawsend},
	{"redirect", redirect},
	{"call", call},
	{"call_timeout", call_with_timeout},
	{"call_forever", call_forever},
	{"rawcall", rawcall},
	{"tracecall", tracecall},
	{"error_kind", call_failure_lua_kind},
	{NULL, NULL},
};
