/* Start and end of the Lua core in one service, and what its parts share: protocols, addresses,
 * payloads. */
#include "lua_service.h"

#include <string.h>

#include "../service-src/snlua.h"
#include "lua_call.h"
#include "lua_caller.h"
#include "lua_dispatch.h"
#include "lua_layout.h"
#include "lua_select.h"
#include "lua_task.h"
#include "lua_wait.h"
#include "skynet_harbor.h"
#include "skynet_malloc.h"

/* Its address is the registry key of the struct lua_service. */
static const char service_key = 0;

/* ---- small helpers ---- */

void
text_clear(struct text *text) {
	skynet_free(text->data);
	*text = (struct text){NULL, 0, 0};
}

void
text_add_line(struct text *text, const char *line, size_t size) {
	size_t need = text->size + size + 2;
	if (need > text->capacity) {
		size_t capacity = text->capacity * 2 > need ? text->capacity * 2 : need;
		text->data = skynet_realloc(text->data, capacity);
		text->capacity = capacity;
	}
	if (text->size > 0)
		text->data[text->size++] = '\n';
	memcpy(text->data + text->size, line, size);
	text->size += size;
	text->data[text->size] = '\0';
}

int
service_new_session(struct lua_service *service) {
	int session = skynet_context_newsession(service->context);
	if (UNLIKELY(session < service->last_session))
		service->session_wrapped = true;
	service->last_session = session;
	/* After the counter has wrapped, an old number may still be waited for. */
	while (UNLIKELY(service->session_wrapped) &&
		(session_find(&service->sessions, session) != NULL ||
			wait_has_timeout(service, session)))
		session = skynet_context_newsession(service->context);
	return session;
}

void
service_abandon_call(struct lua_service *service, struct session_entry *entry, uint32_t peer) {
	int session = entry->session;
	/* A session that waits for room in a mailbox is not of a request; it has no peer. */
	bool is_call = entry->kind == SESSION_CALL || entry->kind == SESSION_SELECT;
	entry->kind = SESSION_ABANDONED;
	entry->owner = NULL;
	if (is_call)
		skynet_harbor_abandon(service->context, peer, session);
}

static struct address
check_odd_address(lua_State *L, int index) {
	struct address address = {0, NULL};
	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		luaL_error(L, "Invalid service address 0");
		break;
	case LUA_TSTRING:
		address.name = lua_tostring(L, index);
		if (address.name[0] == '\0')
			luaL_error(L, "dest address must not be an empty string");
		if (address.name[0] != '.' && address.name[0] != ':')
			address.handle = (uint32_t)lua_tointeger(L, index);
		break;
	default:
		luaL_error(L, "dest address type (%s) must be a string or number.",
			luaL_typename(L, index));
	}
	return address;
}

struct address
address_check(lua_State *L, int index) {
	if (LIKELY(lua_type(L, index) == LUA_TNUMBER)) {
		struct address address = {(uint32_t)lua_tointeger(L, index), NULL};
		if (LIKELY(address.handle != 0))
			return address;
	}
	return check_odd_address(L, index);
}

int
service_send(struct lua_service *service, struct address to, uint32_t source, int type, int session,
	void *message, size_t size) {
	if (LIKELY(to.handle != 0))
		return skynet_send(
			service->context, source, to.handle, type, session, message, size);
	return skynet_sendname(service->context, source, to.name, type, session, message, size);
}

struct payload
payload_check(lua_State *L, int index) {
	struct payload payload = {NULL, 0, 0};
	switch (lua_type(L, index)) {
	case LUA_TSTRING:
		payload.data = (void *)lua_tolstring(L, index, &payload.size);
		if (payload.size == 0)
			payload.data = NULL;
		break;
	case LUA_TLIGHTUSERDATA: {
		lua_Integer size = luaL_checkinteger(L, index + 1);
		luaL_argcheck(L, size >= 0, index + 1, "size must not be negative");
		payload.data = lua_touserdata(L, index);
		payload.size = (size_t)size;
		payload.flags = PTYPE_TAG_DONTCOPY;
		break;
	}
	default:
		luaL_error(L, "invalid param %s", luaL_typename(L, index));
	}
	return payload;
}

/* ---- protocols ---- */

static const struct protocol *
protocol_by_name(const struct lua_service *service, const char *name, size_t size) {
	/* Short strings are interned: the same name has the same address. */
	for (int i = 0; i < service->protocol_count; i++) {
		if (service->protocols[i].name == name)
			return &service->protocols[i];
	}
	for (int i = 0; i < service->protocol_count; i++) {
		const char *other = service->protocols[i].name;
		if (strlen(other) == size && memcmp(other, name, size) == 0)
			return &service->protocols[i];
	}
	return NULL;
}

const struct protocol *
protocol_find(lua_State *L, struct lua_service *service, int index) {
	if (LIKELY(lua_type(L, index) == LUA_TSTRING)) {
		size_t size;
		const char *name = lua_tolstring(L, index, &size);
		return protocol_by_name(service, name, size);
	}
	int is_integer;
	lua_Integer id = lua_tointegerx(L, index, &is_integer);
	if (!is_integer || id < 0 || id >= PROTOCOL_MAX)
		return NULL;
	return protocol_by_id(service, (int)id);
}

const struct protocol *
protocol_check(lua_State *L, struct lua_service *service, int index) {
	const struct protocol *protocol = protocol_find(L, service, index);
	if (UNLIKELY(protocol == NULL)) {
		const char *name = luaL_tolstring(L, index, NULL);
		luaL_error(L, "unknown protocol '%s'", name);
	}
	return protocol;
}

void
protocol_learn(lua_State *L, struct lua_service *service, const struct protocol *protocol) {
	if (!service->scratch.raw)
		return;
	struct protocol *known = &service->protocols[protocol - service->protocols];
	protocol_push(L, protocol);
	const struct layout_table *table = lua_topointer(L, -1);
	lua_pop(L, 1);
	for (int key = 0; key < KEY_COUNT; key++) {
		for (uint32_t i = 0; i < layout_node_count(table); i++) {
			const struct layout_node *node = &table->nodes[i];
			if (node->key_tag == LAYOUT_SHORT_STRING &&
				node->key.object == service->key_objects[key])
				known->places[key] = i;
		}
	}
	known->table = table;
}

void
protocol_keep_handler(
	lua_State *L, struct lua_service *service, const struct protocol *protocol, int index) {
	struct protocol *known = &service->protocols[protocol - service->protocols];
	protocol_learn(L, service, protocol);
	if (known->table == NULL || !lua_isfunction(L, index) || lua_iscfunction(L, index))
		return;
	known->handler = NULL;
	lua_pushvalue(L, index);
	if (known->handler_ref == 0)
		known->handler_ref = luaL_ref(L, LUA_REGISTRYINDEX);
	else
		lua_rawseti(L, LUA_REGISTRYINDEX, known->handler_ref);
	known->handler = lua_topointer(L, index);
}

/// Makes room for one more protocol.
static void
protocols_grow(struct lua_service *service) {
	size_t count = (size_t)service->protocol_count;
	if (count < FIRST_PROTOCOLS)
		return;
	bool first = service->protocols == service->first_protocols;
	struct protocol *grown =
		skynet_realloc(first ? NULL : service->protocols, (count + 1) * sizeof *grown);
	if (first)
		memcpy(grown, service->first_protocols, sizeof service->first_protocols);
	service->protocols = grown;
}

/// Adds the protocol whose table is at stack index `index`. Raises for a bad or taken name or id.
static void
protocol_add(lua_State *L, struct lua_service *service, int index) {
	lua_getfield(L, index, "name");
	lua_getfield(L, index, "id");
	int is_integer;
	lua_Integer id = lua_tointegerx(L, -1, &is_integer);
	bool good = lua_type(L, -2) == LUA_TSTRING && is_integer && id >= 0 && id < PROTOCOL_MAX &&
		    protocol_find(L, service, -2) == NULL &&
		    protocol_by_id(service, (int)id) == NULL;
	if (!good)
		luaL_error(L, "assertion failed!");

	/* The tables that users see. */
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->protocol_table);
	lua_pushvalue(L, -3);
	lua_pushvalue(L, index);
	lua_rawset(L, -3);
	lua_pushvalue(L, index);
	lua_rawseti(L, -2, id);
	lua_pop(L, 1);
	lua_getfield(L, index, "trace");
	if (!lua_isnil(L, -1))
		service->trace_used = true;
	lua_pop(L, 1);
	lua_pushvalue(L, index);
	int ref = luaL_ref(L, LUA_REGISTRYINDEX);

	/* What C code uses. The name is a key of the table above, which keeps it alive. */
	protocols_grow(service);
	service->protocols[service->protocol_count] =
		(struct protocol){.name = lua_tostring(L, -2), .id = (int)id, .ref = ref};
	service->protocol_index[id] = (uint8_t)service->protocol_count++;
	lua_pop(L, 2);
}

int
service_register_protocol(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	protocol_add(L, service_of(L), 1);
	return 0;
}

/// Registers a protocol that every service has.
static void
add_builtin(lua_State *L, struct lua_service *service, const char *name, int id, lua_CFunction pack,
	lua_CFunction unpack, lua_CFunction dispatch) {
	lua_createtable(L, 0, 5);
	lua_pushstring(L, name);
	lua_setfield(L, -2, "name");
	lua_pushinteger(L, id);
	lua_setfield(L, -2, "id");
	if (pack != NULL) {
		lua_pushcfunction(L, pack);
		lua_setfield(L, -2, "pack");
	}
	if (unpack != NULL) {
		lua_pushcfunction(L, unpack);
		lua_setfield(L, -2, "unpack");
	}
	if (dispatch != NULL) {
		lua_pushcfunction(L, dispatch);
		lua_setfield(L, -2, "dispatch");
	}
	protocol_add(L, service, lua_gettop(L));
	lua_pop(L, 1);
}

/* ---- start and end ---- */

static int
service_close(lua_State *L) {
	struct lua_service *service = lua_touserdata(L, 1);
	/* After skynet.exit all requests have been answered; a service that was killed still has
	 * requests to answer. */
	for (uint32_t i = 0; i < service->task_count; i++)
		task_answer_error(service, service->tasks[i], FAILURE_DEAD_SERVICE, NULL, 0);
	response_fail_all(service);
	service->closed = true;
	service->exiting = true;
	service->current = NULL;
	service->woken = service->failed = service->forked = (struct task_queue){NULL, NULL};
	task_free_all(service);
	session_table_clear(&service->sessions);
	timeout_store_clear(&service->timeouts);
	seri_buffer_clear(&service->scratch);
	text_clear(&service->failure);
	while (service->traces != NULL) {
		struct trace_note *note = service->traces;
		service->traces = note->next;
		skynet_free(note);
	}
	if (service->protocols != service->first_protocols)
		skynet_free(service->protocols);
	service->protocols = service->first_protocols;
	service->protocol_count = 0;
	return 0;
}

/// The finaliser of an object that lives for one cycle of the garbage collector and comes back for
/// the next: trims the pool of tasks once per cycle.
static int
collector_ran(lua_State *L) {
	struct lua_service *service = service_of(L);
	if (service->closed)
		return 0;
	task_pool_trim(service);
	lua_getmetatable(L, 1);
	lua_setmetatable(L, 1);
	return 0;
}

static void
watch_collector(lua_State *L) {
	lua_newuserdatauv(L, 0, 0);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, collector_ran);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
}

/// Sets the fields that differ from service to service, from the context.
static void
service_bind(struct lua_service *service) {
	service->handle = skynet_context_handle(service->context);
	int64_t timeout_cs = skynet_setting_number(service->context, "call_timeout", 0);
	service->call_timeout_cs = timeout_cs <= INT32_MAX ? (int)timeout_cs : 0;
}

/// Pushes the userdata of a new service, bound to the main thread.
static struct lua_service *
service_create(lua_State *L, struct snlua *snlua) {
	struct lua_service *service = lua_newuserdatauv(L, sizeof *service, 0);
	*service = (struct lua_service){
		.thread = {service, THREAD_SERVICE},
		.context = snlua->context,
		.snlua = snlua,
		.timeouts = TIMEOUT_STORE_EMPTY,
		.tokens = LUA_NOREF,
		.unknown_request = LUA_NOREF,
		.unknown_response = LUA_NOREF,
		.raw_callback = LUA_NOREF,
		.stop_hooks = LUA_NOREF,
	};
	service->protocols = service->first_protocols;
	memset(service->protocol_index, NO_PROTOCOL, PROTOCOL_MAX);
	service_bind(service);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	service->L = lua_tothread(L, -1);
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, service_close);
	lua_setfield(L, -2, "__gc");
	lua_setmetatable(L, -2);
	return service;
}

static int service_prepare(lua_State *L);

struct lua_service *
service_open(lua_State *L) {
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &service_key) == LUA_TUSERDATA) {
		struct lua_service *open = lua_touserdata(L, -1);
		lua_pop(L, 1);
		return open;
	}
	lua_pop(L, 1);
	struct snlua *snlua = snlua_from(L);
	if (snlua == NULL)
		luaL_error(L, "Init skynet context first");
	struct lua_service *service = service_create(L, snlua);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &service_key);
	*(void **)lua_getextraspace(service->L) = service;
	*(void **)lua_getextraspace(L) = service;

	lua_newtable(L);
	service->anchors = luaL_ref(L, LUA_REGISTRYINDEX);
	service->caller_known = caller_layout_known(L);
	service->scratch.raw = layout_known(L);
	static const char *const keys[KEY_COUNT] = {"pack", "unpack", "dispatch"};
	for (int i = 0; i < KEY_COUNT; i++) {
		lua_pushstring(L, keys[i]);
		service->key_objects[i] = lua_topointer(L, -1);
		service->keys[i] = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	lua_createtable(L, 4, 4);
	service->protocol_table = luaL_ref(L, LUA_REGISTRYINDEX);
	add_builtin(L, service, "lua", PTYPE_RESERVED_LUA, core_pack, core_unpack, NULL);
	add_builtin(L, service, "response", PTYPE_RESPONSE, NULL, NULL, NULL);
	add_builtin(L, service, "error", PTYPE_ERROR, NULL, dispatch_unpack_raw, dispatch_error);
	add_builtin(
		L, service, "debug", PTYPE_RESERVED_DEBUG, core_pack, core_unpack, dispatch_debug);
	watch_collector(L);
	lua_pushcfunction(L, service_prepare);
	lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_PREPARE_KEY);
	return service;
}

/// See SNLUA_PREPARE_KEY. So far the service owns no memory but that of the Lua state, and points
/// to nothing but that, its snlua and its context: a copy needs no more than new numbers.
static int
service_prepare(lua_State *L) {
	service_bind(service_open(L));
	return 0;
}
