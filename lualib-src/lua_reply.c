/* skynet.ret, retpack, response, ignoreret, context: answering the request that a task handles. */
#include <string.h>

#include "lua_call.h"
#include "lua_trace.h"
#include "skynet_malloc.h"

#define RESPONSE_METATABLE "skynet.response"

enum response_state { RESPONSE_OPEN, RESPONSE_VOID, RESPONSE_ANSWERED };

/* Userdata that is an upvalue of the closure of skynet.response. */
struct response_box {
	struct response *response; /* while open */
	enum response_state state;
};

/* A request that will be answered later. It is in service->responses until then, even after the
 * closure has been collected: then the end of the service answers it with an error.
 */
struct response {
	struct response *next, *before;
	struct response_box *box; /* NULL once collected */
	uint32_t source;
	int session;
};

/* ---- at once ---- */

/// Answers the request of `task` with a payload. Pushes the result.
static int
answer(lua_State *L, struct lua_service *service, struct task *task, struct payload payload) {
	if (task->request == REQUEST_ONEWAY) {
		task->request = REQUEST_ANSWERED;
		if (payload.flags & PTYPE_TAG_DONTCOPY)
			skynet_free(payload.data);
		lua_pushboolean(L, 0);
		return 1;
	}
	if (UNLIKELY(task->trace != NULL))
		trace_log(service, task->trace, "response");
	int result = service_reply(service, task->request_source, PTYPE_RESPONSE | payload.flags,
		task->request_session, payload.data, payload.size);
	if (UNLIKELY(result == SKYNET_SEND_TOO_LARGE)) {
		static const char reason[] = "the reply is too large";
		task_answer_error(service, task, FAILURE_REMOTE, reason, sizeof reason - 1);
	}
	task->request = REQUEST_ANSWERED;
	lua_pushboolean(L, result >= 0);
	return 1;
}

/// The task whose request can still be answered, or NULL.
static inline struct task *
answerable(struct lua_service *service) {
	struct task *task = service->current;
	if (LIKELY(task != NULL &&
		    (task->request == REQUEST_OPEN || task->request == REQUEST_ONEWAY)))
		return task;
	return NULL;
}

/// What skynet.pack gave, or what payload_check takes, or nothing.
static inline struct payload
read_payload(lua_State *L, const struct lua_service *service) {
	const struct layout_value *arguments = service_arguments(L, service, 2);
	if (LIKELY(arguments != NULL && arguments[1].tag == LAYOUT_POINTER &&
		    arguments[2].tag == LAYOUT_INTEGER && arguments[2].payload.integer >= 0))
		return (struct payload){arguments[1].payload.pointer,
			(size_t)arguments[2].payload.integer, PTYPE_TAG_DONTCOPY};
	if (lua_isnoneornil(L, 1))
		return (struct payload){NULL, 0, 0};
	return payload_check(L, 1);
}

/// ret([msg [, sz]]) -> boolean
static int
ret(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct payload payload = read_payload(L, service);
	struct task *task = answerable(service);
	if (UNLIKELY(task == NULL)) {
		if (payload.flags & PTYPE_TAG_DONTCOPY)
			skynet_free(payload.data);
		return luaL_error(L, "No session");
	}
	return answer(L, service, task, payload);
}

/// retpack(...) -> boolean
static int
retpack(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct task *task = answerable(service);
	if (UNLIKELY(task == NULL))
		return luaL_error(L, "No session");
	struct payload payload = {.flags = PTYPE_TAG_DONTCOPY};
	payload.data = seri_pack_block(L, 1, &service->scratch, &payload.size);
	return answer(L, service, task, payload);
}

/// ignoreret()
static int
ignoreret(lua_State *L) {
	struct task *task = service_of(L)->current;
	if (task != NULL && task->request != REQUEST_NONE)
		task->request = REQUEST_ANSWERED;
	return 0;
}

/// context() -> session, source
static int
context(lua_State *L) {
	const struct task *task = service_of(L)->current;
	if (task == NULL || task->request == REQUEST_NONE) {
		lua_pushnil(L);
		lua_pushnil(L);
		return 2;
	}
	if (task->request == REQUEST_ANSWERED)
		lua_pushnil(L);
	else
		lua_pushinteger(L, task->request_session);
	lua_pushinteger(L, task->request_source);
	return 2;
}

/* ---- later ---- */

/// Removes a response from the list and frees it; notes in the box why.
static void
response_end(struct lua_service *service, struct response *response, enum response_state state) {
	if (response->before != NULL)
		response->before->next = response->next;
	else
		service->responses = response->next;
	if (response->next != NULL)
		response->next->before = response->before;
	if (response->box != NULL) {
		response->box->response = NULL;
		response->box->state = state;
	}
	skynet_free(response);
}

static int
response_collected(lua_State *L) {
	struct response_box *box = lua_touserdata(L, 1);
	if (box->response != NULL)
		box->response->box = NULL;
	return 0;
}

/// Sends PTYPE_ERROR for a response, with the reason `text` (may be NULL, borrowed), and ends it.
/// Returns true when the requester is there.
static bool
response_refuse(struct lua_service *service, struct response *response, enum call_failure_kind kind,
	const char *text) {
	size_t size;
	char *payload = call_failure_pack(kind, text, text != NULL ? strlen(text) : 0, &size);
	int result = service_reply(service, response->source, PTYPE_ERROR | PTYPE_TAG_DONTCOPY,
		response->session, payload, size);
	response_end(service, response, RESPONSE_ANSWERED);
	return result >= 0;
}

/// Stack: ok, what pack returned. Upvalue 1: the box.
static int
response_packed(lua_State *L, int status, lua_KContext context_) {
	(void)context_;
	struct lua_service *service = service_of(L);
	struct response_box *box = lua_touserdata(L, lua_upvalueindex(1));
	struct response *response = box->response;
	if (response == NULL) {
		/* It was voided or answered while the pack function ran. */
		lua_pushboolean(L, 0);
		return 1;
	}
	if (status != LUA_OK && status != LUA_YIELD) {
		response_refuse(service, response, FAILURE_REMOTE, NULL);
		return lua_error(L);
	}
	struct payload payload = {NULL, 0, 0};
	if (!lua_isnoneornil(L, 2))
		payload = payload_check(L, 2);
	int result = service_reply(service, response->source, PTYPE_RESPONSE | payload.flags,
		response->session, payload.data, payload.size);
	if (result == SKYNET_SEND_TOO_LARGE)
		response_refuse(service, response, FAILURE_REMOTE, NULL);
	else
		response_end(service, response, RESPONSE_ANSWERED);
	lua_pushboolean(L, result >= 0);
	return 1;
}

/// The closure r of skynet.response. Upvalues: box, pack function.
static int
respond(lua_State *L) {
	struct response_box *box = lua_touserdata(L, lua_upvalueindex(1));
	if (lua_type(L, 1) == LUA_TSTRING && strcmp(lua_tostring(L, 1), "TEST") == 0) {
		lua_pushboolean(L, box->state == RESPONSE_OPEN);
		return 1;
	}
	if (box->state == RESPONSE_ANSWERED)
		return luaL_error(L, "Can't response more than once");
	if (box->state == RESPONSE_VOID) {
		box->state = RESPONSE_ANSWERED;
		lua_pushboolean(L, 0);
		return 1;
	}
	if (!lua_toboolean(L, 1)) {
		const char *reason = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : NULL;
		lua_pushboolean(
			L, response_refuse(service_of(L), box->response, FAILURE_REMOTE, reason));
		return 1;
	}
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 2);
	int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, response_packed);
	return response_packed(L, status, 0);
}

/// What skynet.response returns for a message that wants no reply.
static int
respond_nothing(lua_State *L) {
	(void)L;
	return 0;
}

/// response([pack]) -> function(ok, ...)
static int
response(lua_State *L) {
	struct lua_service *service = service_of(L);
	struct task *task = answerable(service);
	if (!lua_isnoneornil(L, 1) && luaL_getmetafield(L, 1, "__call") == LUA_TNIL)
		luaL_checktype(L, 1, LUA_TFUNCTION);
	if (task == NULL)
		return luaL_error(L, "no session");
	if (task->request == REQUEST_ONEWAY) {
		lua_pushcfunction(L, respond_nothing);
		return 1;
	}
	lua_settop(L, 1);
	struct response_box *box = lua_newuserdatauv(L, sizeof *box, 0);
	*box = (struct response_box){NULL, RESPONSE_OPEN};
	if (luaL_newmetatable(L, RESPONSE_METATABLE)) {
		lua_pushcfunction(L, response_collected);
		lua_setfield(L, -2, "__gc");
	}
	lua_setmetatable(L, -2);
	if (lua_isnil(L, 1))
		lua_pushcfunction(L, core_pack);
	else
		lua_pushvalue(L, 1);
	lua_pushcclosure(L, respond, 2);

	/* Nothing may raise from here on: the response would be lost. */
	struct response *open = skynet_malloc(sizeof *open);
	*open = (struct response){
		service->responses, NULL, box, task->request_source, task->request_session};
	if (open->next != NULL)
		open->next->before = open;
	service->responses = open;
	box->response = open;
	task->request = REQUEST_ANSWERED;
	return 1;
}

void
response_fail_all(struct lua_service *service) {
	while (service->responses != NULL)
		response_refuse(service, service->responses, FAILURE_DEAD_SERVICE, NULL);
}

void
response_forget_source(struct lua_service *service, uint32_t source) {
	struct response *at = service->responses;
	while (at != NULL) {
		struct response *next = at->next;
		if (at->source == source)
			response_end(service, at, RESPONSE_VOID);
		at = next;
	}
}

const luaL_Reg reply_functions[] = {
	{"ret", ret},
	{"retpack", retpack},
	{"response", response},
	{"ignoreret", ignoreret},
	{"context", context},
	{NULL, NULL},
};
