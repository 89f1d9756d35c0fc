/* Messages of a service. See the header, and docs/scheduling.md for the order of things. */
#include "lua_dispatch.h"

#include <inttypes.h>
#include <string.h>

#include "../service-src/snlua.h"
#include "lua_call.h"
#include "lua_select.h"
#include "lua_task.h"
#include "lua_trace.h"
#include "lua_wait.h"
#include "skynet_malloc.h"
#include "skynet_multicast.h"

#define RED   "\x1b[31m"
#define PLAIN "\x1b[0m"

/* A message that is being handled. Setting `*taken` keeps its block from being freed by the kernel;
 * `taken` is NULL when the block cannot be kept. */
struct incoming {
	int type, session;
	uint32_t source;
	const void *data;
	size_t size;
	bool *taken;
};

/* ---- requests ---- */

/// What happens to an unknown message when the service has set no hook: logs it and raises. Stack:
/// message text.
static int
raise_unknown(lua_State *L, const char *log_format, const char *protocol, int session,
	uint32_t source, const void *data, size_t size) {
	struct lua_service *service = service_of(L);
	lua_pushlstring(L, data != NULL ? data : "", data != NULL ? size : 0);
	lua_pushfstring(L, log_format, protocol);
	lua_insert(L, -2);
	lua_concat(L, 2);
	size_t length;
	const char *line = lua_tolstring(L, -1, &length);
	skynet_error(service->context, "%*s", (int)length, line);
	char source_text[16];
	snprintf(source_text, sizeof source_text, "%" PRIx32, source);
	return luaL_error(L, "Unknown session : %d from %s", session, source_text);
}

/// A request whose protocol is unknown or has no handler. `name` is at the top of the stack.
static int
refuse_request(lua_State *L, struct lua_service *service, struct task *task) {
	if (task->request == REQUEST_OPEN) {
		char text[64];
		snprintf(text, sizeof text, "no handler for protocol %d", task->request_type);
		task_answer_error(service, task, FAILURE_REMOTE, text, strlen(text));
		return 0;
	}
	if (service->unknown_request == LUA_NOREF)
		return raise_unknown(L, "Unknown request (%s): ", luaL_tolstring(L, -1, NULL),
			task->request_session, task->request_source, task->message, task->size);
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->unknown_request);
	lua_insert(L, -2);
	lua_pushinteger(L, task->request_session);
	lua_insert(L, -2);
	lua_pushinteger(L, task->request_source);
	lua_insert(L, -2);
	lua_pushlightuserdata(L, (void *)task->message);
	lua_insert(L, -2);
	lua_pushinteger(L, (lua_Integer)task->size);
	lua_insert(L, -2);
	lua_call(L, 5, 0);
	return 0;
}

static int
handled(lua_State *L, int status, lua_KContext context) {
	(void)L;
	(void)status;
	(void)context;
	return 0;
}

/// Stack: handler, session, source, what unpack returned.
static int
unpacked(lua_State *L, int status, lua_KContext base) {
	(void)status;
	lua_callk(L, lua_gettop(L) - (int)base, 0, 0, handled);
	return 0;
}

/// Handles a message of a protocol after looking up what is in its table.
static int
look_up_and_handle(lua_State *L, struct lua_service *service, struct task *task,
	const struct protocol *protocol) {
	protocol_push(L, protocol);
	if (UNLIKELY(service->trace_used)) {
		int type = lua_getfield(L, 1, "trace");
		trace_begin_request(service, task, type == LUA_TNIL ? -1 : lua_toboolean(L, -1));
		lua_pop(L, 1);
	}
	if (UNLIKELY(protocol_field(L, service, 1, KEY_DISPATCH) == LUA_TNIL)) {
		lua_pushstring(L, protocol->name);
		return refuse_request(L, service, task);
	}
	lua_pushinteger(L, task->request_session);
	lua_pushinteger(L, task->request_source);
	protocol_field(L, service, 1, KEY_UNPACK);
	if (LIKELY(lua_tocfunction(L, -1) == core_unpack)) {
		lua_settop(L, 4);
		if (!service->trace_used)
			protocol_keep_handler(L, service, protocol, 2);
		int count = seri_unpack(L, task->message, task->size);
		lua_callk(L, count + 2, 0, 0, handled);
		return 0;
	}
	lua_pushlightuserdata(L, (void *)task->message);
	lua_pushinteger(L, (lua_Integer)task->size);
	lua_callk(L, 2, LUA_MULTRET, 2, unpacked);
	return unpacked(L, LUA_OK, 2);
}

/// First function of a task that handles a message.
static int
handle_request(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct task *task = service->current;
	const struct protocol *protocol = protocol_by_id(service, task->request_type);
	if (UNLIKELY(protocol == NULL)) {
		lua_pushinteger(L, task->request_type);
		return refuse_request(L, service, task);
	}
	bool at_hand = !service->trace_used &&
		       protocol_has(service, protocol, KEY_UNPACK, core_unpack) &&
		       protocol_push_handler(L, service, protocol);
	if (UNLIKELY(!at_hand))
		return look_up_and_handle(L, service, task, protocol);
	lua_pushinteger(L, task->request_session);
	lua_pushinteger(L, task->request_source);
	int count = seri_unpack(L, task->message, task->size);
	lua_callk(L, count + 2, 0, 0, handled);
	return 0;
}

/// Runs the stop hooks one after the other, the last one first. `index` is the number of hooks
/// left.
static int
run_stop_hooks(lua_State *L, int status, lua_KContext index) {
	(void)status;
	struct lua_service *service = service_of(L);
	while (index > 0) {
		lua_settop(L, 0);
		lua_rawgeti(L, LUA_REGISTRYINDEX, service->stop_hooks);
		lua_rawgeti(L, 1, (lua_Integer)index);
		index--;
		lua_callk(L, 0, 0, index, run_stop_hooks);
	}
	service->current->flags &= (uint8_t)~TASK_STOP_HOOK;
	skynet_stop_done(service->context);
	return 0;
}

static int
start_stop_hooks(lua_State *L) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, service_of(L)->stop_hooks);
	return run_stop_hooks(L, LUA_OK, (lua_KContext)lua_rawlen(L, -1));
}

/// Answers a message that cannot be handled because there is no memory for a task.
static void
refuse_without_memory(struct lua_service *service, const struct incoming *in) {
	if (in->session > 0 && in->source != 0 && in->type != PTYPE_MULTICAST) {
		static const char text[] = "not enough memory";
		size_t size;
		char *payload = call_failure_pack(FAILURE_REMOTE, text, sizeof text - 1, &size);
		service_reply(service, in->source, PTYPE_ERROR | PTYPE_TAG_DONTCOPY, in->session,
			payload, size);
	}
	skynet_error(service->context, "lua memory error : [%" PRIx32 " to %" PRIx32 " : %d]",
		in->source, service->handle, in->session);
}

static inline void
deliver_request(struct lua_service *service, lua_State *from, const struct incoming *in) {
	struct task *task = task_try_take(service, service->L);
	if (UNLIKELY(task == NULL)) {
		refuse_without_memory(service, in);
		return;
	}
	if (UNLIKELY(in->type == PTYPE_SYSTEM && in->source == 0 && in->session > 0)) {
		/* The request of the kernel to run the stop hooks, because the node is stopping. */
		if (service->stop_hooks == LUA_NOREF) {
			task_give_back(service, task);
			skynet_stop_done(service->context);
			return;
		}
		task->flags |= TASK_STOP_HOOK;
		lua_pushcfunction(task->L, start_stop_hooks);
		task_run(service, task, from, 0);
		return;
	}
	/* the session of a multicast is the channel: nobody waits for an answer */
	bool open = in->session != 0 && in->type != PTYPE_ERROR && in->type != PTYPE_MULTICAST;
	task->request = open ? REQUEST_OPEN : REQUEST_ONEWAY;
	task->request_type = (uint8_t)in->type;
	task->request_session = in->session;
	task->request_source = in->source;
	task->message = in->data;
	task->size = in->size;
	lua_pushcfunction(task->L, handle_request);
	task_run(service, task, from, 0);
}

/* ---- replies ---- */

/// (light userdata incoming): what happens to a reply that nobody waits for.
static int
handle_unknown_response(lua_State *L) {
	struct lua_service *service = service_of(L);
	const struct incoming *in = lua_touserdata(L, 1);
	if (service->unknown_response == LUA_NOREF)
		return raise_unknown(L, "Response message : %s", "", in->session, in->source,
			in->data, in->size);
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->unknown_response);
	lua_pushinteger(L, in->session);
	lua_pushinteger(L, in->source);
	lua_pushlightuserdata(L, (void *)in->data);
	lua_pushinteger(L, (lua_Integer)in->size);
	lua_call(L, 4, 0);
	return 0;
}

/// Calls a C function with `argument` in protected mode and notes its error for the log.
static void
call_protected(struct lua_service *service, lua_CFunction function, void *argument) {
	lua_State *L = service->L;
	if (!lua_checkstack(L, 2))
		return;
	lua_pushcfunction(L, function);
	lua_pushlightuserdata(L, argument);
	if (lua_pcall(L, 1, 0, 0) == LUA_OK)
		return;
	size_t size = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &size) : NULL;
	if (text == NULL) {
		text = "error object is not a string";
		size = strlen(text);
	}
	text_add_line(&service->failure, text, size);
	lua_pop(L, 1);
}

static void
deliver_response(struct lua_service *service, lua_State *from, const struct incoming *in) {
	struct session_entry *entry = session_find(&service->sessions, in->session);
	if (entry == NULL) {
		if (LIKELY(wait_timeout_due(service, in->session, from)))
			return;
		call_protected(service, handle_unknown_response, (void *)in);
		return;
	}
	enum session_kind kind = entry->kind;
	struct task *task = entry->owner;
	session_remove(&service->sessions, entry);
	switch (kind) {
	case SESSION_CALL:
		call_deliver(service, task, in->data, in->size, from);
		break;
	case SESSION_SLEEP:
	case SESSION_ROOM:
		task_run(service, task, from, 0);
		break;
	case SESSION_START:
		task->session = 0;
		task->timer = 0;
		/* the stack holds a function and its arguments, as in a fork: skynet.start passes
		 * one argument */
		task_run(service, task, from, lua_gettop(task->L) - 1);
		break;
	case SESSION_DEADLINE:
		entry = session_find(&service->sessions, task->session);
		if (entry != NULL)
			service_abandon_call(service, entry, task->peer);
		task->deadline_session = 0;
		task->failure.kind = FAILURE_TIMEOUT;
		task_run(service, task, from, 0);
		break;
	case SESSION_SELECT:
		selection_deliver(service, (struct selection *)(void *)task, PTYPE_RESPONSE,
			in->session, in->data, in->size, in->taken, from);
		break;
	case SESSION_SELECT_END:
		selection_expire(service, (struct selection *)(void *)task, from);
		break;
	case SESSION_ABANDONED:
		break;
	}
}

/* ---- errors of peers ---- */

int
dispatch_unpack_raw(lua_State *L) {
	return lua_gettop(L);
}

int
dispatch_error(lua_State *L) {
	struct lua_service *service = service_of(L);
	int session = (int)luaL_checkinteger(L, 1);
	uint32_t source = (uint32_t)luaL_checkinteger(L, 2);
	const void *data = lua_touserdata(L, 3);
	size_t size = data != NULL ? (size_t)luaL_optinteger(L, 4, 0) : 0;
	if (session == 0) {
		call_fail_peer(service, source, NULL, FAILURE_DEAD_SERVICE);
		selection_fail_peer(service, source, NULL);
		return 0;
	}
	struct session_entry *entry = session_find(&service->sessions, session);
	if (entry == NULL)
		return 0;
	if (entry->kind == SESSION_CALL) {
		struct task *task = entry->owner;
		session_remove(&service->sessions, entry);
		call_failure_parse(&task->failure, source, data, size);
		task_fail_call(service, task);
	} else if (entry->kind == SESSION_SELECT) {
		struct selection *selection = entry->owner;
		session_remove(&service->sessions, entry);
		selection_deliver(service, selection, PTYPE_ERROR, session, NULL, 0, NULL, NULL);
	} else if (entry->kind == SESSION_ABANDONED) {
		session_remove(&service->sessions, entry);
	}
	return 0;
}

int
dispatch_debug(lua_State *L) {
	/* (session, source, command, ...): the module replaces this function by its own. */
	lua_getglobal(L, "require");
	lua_pushliteral(L, "skynet.debug");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "dispatch");
	lua_insert(L, 1);
	lua_settop(L, lua_gettop(L) - 1);
	lua_callk(L, lua_gettop(L) - 1, 0, 0, handled);
	return 0;
}

/* ---- the callback ---- */

static inline void
deliver(struct lua_service *service, lua_State *from, const struct incoming *in) {
	if (in->type == PTYPE_RESPONSE) {
		deliver_response(service, from, in);
	} else if (UNLIKELY(in->type == PTYPE_RESERVED_TRACE)) {
		service->trace_used = true;
		trace_note_add(service, in->source, in->data, in->size);
		return;
	} else {
		deliver_request(service, from, in);
	}
	if (service->woken.first != NULL || service->failed.first != NULL ||
		service->forked.first != NULL)
		task_run_queued(service, from);
}

static void
log_failure(struct lua_service *service, const struct incoming *in) {
	skynet_error(service->context,
		"lua call [%" PRIx32 " to %" PRIx32 " : %d msgsz = %zu] error : " RED "%s" PLAIN,
		in->source, service->handle, in->session, in->size, service->failure.data);
	text_clear(&service->failure);
}

static int
on_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *data, size_t size) {
	(void)context;
	struct lua_service *service = ud;
	bool taken = false;
	struct incoming in = {type, session, source, data, size, &taken};
	snlua_turn_begin(service->snlua, service->L);
	deliver(service, service->L, &in);
	if (UNLIKELY(service->failure.size > 0))
		log_failure(service, &in);
	snlua_turn_end(service->snlua);
	return taken;
}

/// The callback of a service that has called skynet.exit and still gets messages.
static int
on_message_while_leaving(struct skynet_context *context, void *ud, int type, int session,
	uint32_t source, const void *data, size_t size) {
	(void)ud;
	(void)data;
	(void)size;
	if (session > 0 && source != 0 && type != PTYPE_RESPONSE && type != PTYPE_ERROR &&
		type != PTYPE_MULTICAST) {
		char *payload = call_failure_pack(FAILURE_DEAD_SERVICE, NULL, 0, &size);
		skynet_send(context, 0, source, PTYPE_ERROR | PTYPE_TAG_DONTCOPY, session, payload,
			size);
	}
	return 0;
}

void
dispatch_install(struct lua_service *service) {
	skynet_callback(service->context, service, on_message);
	/* only replies are kept */
	skynet_multicast_accept(service->context);
}

void
dispatch_leave(struct lua_service *service) {
	skynet_callback(service->context, service, on_message_while_leaving);
}

/// (light userdata incoming): calls the Lua callback, which is at index 1 of its own thread.
static int
call_raw_callback(lua_State *L) {
	struct lua_service *service = service_of(L);
	const struct incoming *in = lua_touserdata(L, 1);
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->raw_callback);
	lua_pushinteger(L, in->type);
	lua_pushlightuserdata(L, (void *)in->data);
	lua_pushinteger(L, (lua_Integer)in->size);
	lua_pushinteger(L, in->session);
	lua_pushinteger(L, in->source);
	lua_call(L, 5, 0);
	return 0;
}

static int
add_traceback(lua_State *L) {
	const char *text = lua_tostring(L, 1);
	if (text == NULL)
		text = luaL_tolstring(L, 1, NULL);
	luaL_traceback(L, L, text, 1);
	return 1;
}

static int
on_raw_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *data, size_t size) {
	struct lua_service *service = ud;
	lua_State *L = service->L;
	struct incoming in = {type, session, source, data, size, NULL};
	bool keep = service->raw_forward;
	snlua_turn_begin(service->snlua, L);
	int top = lua_gettop(L);
	lua_pushcfunction(L, add_traceback);
	lua_pushcfunction(L, call_raw_callback);
	lua_pushlightuserdata(L, &in);
	if (lua_pcall(L, 1, 0, top + 1) != LUA_OK) {
		const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "?";
		skynet_error(context,
			"lua call [%" PRIx32 " to %" PRIx32 " : %d msgsz = %zu] error : " RED
			"%s" PLAIN,
			source, service->handle, session, size, text);
	}
	lua_settop(L, top);
	snlua_turn_end(service->snlua);
	return keep;
}

int
dispatch_set_callback(lua_State *L) {
	struct lua_service *service = service_of(L);
	luaL_checktype(L, 1, LUA_TFUNCTION);
	bool forward = lua_toboolean(L, 2);
	lua_settop(L, 1);
	if (service->raw_callback != LUA_NOREF)
		luaL_unref(L, LUA_REGISTRYINDEX, service->raw_callback);
	service->raw_callback = luaL_ref(L, LUA_REGISTRYINDEX);
	service->raw_forward = forward;
	skynet_callback(service->context, service, on_raw_message);
	return 0;
}

/* ---- Lua functions ---- */

/// dispatch_message(type, msg, sz, session, source)
static int
dispatch_message(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct incoming in = {
		.type = (int)luaL_checkinteger(L, 1) & 0xff,
		.data = lua_touserdata(L, 2),
		.size = (size_t)luaL_optinteger(L, 3, 0),
		.session = (int)luaL_checkinteger(L, 4),
		.source = (uint32_t)luaL_checkinteger(L, 5),
	};
	deliver(service, L, &in);
	if (service->failure.size == 0)
		return 0;
	lua_pushlstring(L, service->failure.data, service->failure.size);
	text_clear(&service->failure);
	return lua_error(L);
}

/// dispatch(protocol [, f]) -> the previous function, or the current one without f
static int
set_dispatch(lua_State *L) {
	struct lua_service *service = service_of(L);
	bool set = !lua_isnoneornil(L, 2);
	const struct protocol *protocol = protocol_find(L, service, 1);
	if (protocol == NULL) {
		if (!set)
			return 0;
		protocol_check(L, service, 1);
	}
	protocol_push(L, protocol);
	lua_getfield(L, -1, "dispatch");
	if (set) {
		lua_pushvalue(L, 2);
		lua_setfield(L, -3, "dispatch");
	}
	return 1;
}

/// Swaps the hook in `*ref` for the function at index 1 and returns the old one.
static int
swap_hook(lua_State *L, int *ref) {
	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_settop(L, 1);
	if (*ref == LUA_NOREF)
		lua_pushnil(L);
	else
		lua_rawgeti(L, LUA_REGISTRYINDEX, *ref);
	lua_insert(L, 1);
	int old = *ref;
	*ref = luaL_ref(L, LUA_REGISTRYINDEX);
	luaL_unref(L, LUA_REGISTRYINDEX, old);
	return 1;
}

static int
dispatch_unknown_request(lua_State *L) {
	return swap_hook(L, &service_of(L)->unknown_request);
}

static int
dispatch_unknown_response(lua_State *L) {
	return swap_hook(L, &service_of(L)->unknown_response);
}

const luaL_Reg dispatch_functions[] = {
	{"register_protocol", service_register_protocol},
	{"dispatch", set_dispatch},
	{"dispatch_message", dispatch_message},
	{"dispatch_unknown_request", dispatch_unknown_request},
	{"dispatch_unknown_response", dispatch_unknown_response},
	{NULL, NULL},
};
