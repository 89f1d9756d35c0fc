/* skynet.netpack: turns socket messages into gate events, and packs frames. The codec is netpack.c.
 * All functions have the metatable of queues as their upvalue. Runs on the thread of its service.
 */
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <string.h>

#include "netpack.h"
#include "skynet.h"
#include "skynet_malloc.h"
#include "skynet_socket.h"

struct queue {
	struct netpack *pack;
};

static struct queue *
new_queue(lua_State *L) {
	struct queue *queue = lua_newuserdatauv(L, sizeof(*queue), 0);
	queue->pack = NULL;
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, -2);
	queue->pack = netpack_create();
	return queue;
}

/* The queue at `index`, NULL for nil; raises for anything else. */
static struct queue *
test_queue(lua_State *L, int index) {
	if (lua_isnoneornil(L, index))
		return NULL;
	if (lua_type(L, index) == LUA_TUSERDATA && lua_getmetatable(L, index)) {
		int same = lua_rawequal(L, -1, lua_upvalueindex(1));
		lua_pop(L, 1);
		if (same) {
			struct queue *queue = lua_touserdata(L, index);
			luaL_argcheck(L, queue->pack != NULL, index, "queue is closed");
			return queue;
		}
	}
	luaL_typeerror(L, index, "netpack queue");
	return NULL;
}

static int
push_frame(lua_State *L, const struct netpack_frame *frame) {
	lua_pushinteger(L, frame->id);
	lua_pushlightuserdata(L, frame->data);
	lua_pushinteger(L, (lua_Integer)frame->size);
	return 3;
}

/* A single frame is handed out at once; several, or one behind others, are left for pop. */
static int
filter_data(lua_State *L, struct queue *queue, struct skynet_socket_message *message) {
	size_t size = message->ud > 0 ? (size_t)message->ud : 0;
	char *data = message->buffer;
	message->buffer = NULL;
	size_t count = netpack_feed(queue->pack, message->id, data, size);
	if (count == 0)
		return 1;
	if (count > 1) {
		lua_pushliteral(L, "more");
		return 2;
	}
	lua_pushliteral(L, "data");
	struct netpack_frame frame;
	netpack_pop(queue->pack, &frame);
	return 2 + push_frame(L, &frame);
}

static void
push_text(lua_State *L, const struct skynet_socket_message *message, size_t size) {
	const char *text = (const char *)(message + 1);
	lua_pushlstring(L, text, size - sizeof(*message));
}

/* The events without payload. The queue is on top of the stack. */
static int
filter_event(
	lua_State *L, struct queue *queue, struct skynet_socket_message *message, size_t size) {
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_CONNECT:
		lua_pushliteral(L, "init");
		lua_pushinteger(L, message->id);
		push_text(L, message, size);
		lua_pushinteger(L, message->ud);
		return 5;
	case SKYNET_SOCKET_TYPE_CLOSE:
		netpack_drop(queue->pack, message->id);
		lua_pushliteral(L, "close");
		lua_pushinteger(L, message->id);
		return 3;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		lua_pushliteral(L, "open");
		lua_pushinteger(L, message->ud);
		push_text(L, message, size);
		return 4;
	case SKYNET_SOCKET_TYPE_ERROR:
		netpack_drop(queue->pack, message->id);
		lua_pushliteral(L, "error");
		lua_pushinteger(L, message->id);
		push_text(L, message, size);
		return 4;
	case SKYNET_SOCKET_TYPE_WARNING:
		lua_pushliteral(L, "warning");
		lua_pushinteger(L, message->id);
		lua_pushinteger(L, message->ud);
		return 4;
	default:
		/* A datagram has no place in a gate. */
		skynet_free(message->buffer);
		message->buffer = NULL;
		return 1;
	}
}

/* filter(queue|nil, message, size) -> queue, event, ... */
static int
lfilter(lua_State *L) {
	struct queue *queue = test_queue(L, 1);
	struct skynet_socket_message *message = lua_touserdata(L, 2);
	lua_Integer size = luaL_checkinteger(L, 3);
	if (message == NULL || size < (lua_Integer)sizeof(*message))
		return luaL_argerror(L, 2, "socket message expected");
	lua_settop(L, 1);
	luaL_checkstack(L, 8, NULL);
	if (queue == NULL) {
		lua_settop(L, 0);
		queue = new_queue(L);
	}
	if (message->type == SKYNET_SOCKET_TYPE_DATA)
		return filter_data(L, queue, message);
	return filter_event(L, queue, message, (size_t)size);
}

/* pop(queue) -> id, pointer, size | nothing */
static int
lpop(lua_State *L) {
	struct queue *queue = test_queue(L, 1);
	struct netpack_frame frame;
	if (queue == NULL || !netpack_pop(queue->pack, &frame))
		return 0;
	return push_frame(L, &frame);
}

/* clear(queue|nil) */
static int
lclear(lua_State *L) {
	struct queue *queue = test_queue(L, 1);
	if (queue != NULL)
		netpack_clear(queue->pack);
	return 0;
}

static int
lcollect(lua_State *L) {
	struct queue *queue = lua_touserdata(L, 1);
	netpack_destroy(queue->pack);
	queue->pack = NULL;
	return 0;
}

/* A size argument that is an int of at least 0. */
static size_t
check_size(lua_State *L, int index) {
	lua_Integer size = luaL_checkinteger(L, index);
	luaL_argcheck(L, size >= 0 && size <= INT_MAX, index, "size out of range");
	return (size_t)size;
}

/* pack(string) or pack(pointer, size) -> pointer, size */
static int
lpack(lua_State *L) {
	size_t size;
	const void *data;
	if (lua_islightuserdata(L, 1)) {
		data = lua_touserdata(L, 1);
		size = check_size(L, 2);
		luaL_argcheck(L, data != NULL || size == 0, 1, "null pointer");
	} else {
		data = luaL_checklstring(L, 1, &size);
	}
	char *block = netpack_encode(data, size);
	if (block == NULL)
		return luaL_error(L, "Invalid size (too long) of data : %I", (LUAI_UACINT)size);
	lua_pushlightuserdata(L, block);
	lua_pushinteger(L, (lua_Integer)(size + NETPACK_HEADER_SIZE));
	return 2;
}

/* tostring(pointer, size) -> string; frees the block */
static int
ltostring(lua_State *L) {
	if (lua_isnoneornil(L, 1)) {
		lua_pushliteral(L, "");
		return 1;
	}
	luaL_argcheck(L, lua_islightuserdata(L, 1), 1, "pointer expected");
	void *data = lua_touserdata(L, 1);
	size_t size = check_size(L, 2);
	if (data == NULL)
		size = 0;
	lua_pushlstring(L, data != NULL ? data : "", size);
	skynet_free(data);
	return 1;
}

SKYNET_API int luaopen_skynet_netpack(lua_State *L);

int
luaopen_skynet_netpack(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"filter", lfilter},
		{"pop", lpop},
		{"clear", lclear},
		{"pack", lpack},
		{"tostring", ltostring},
		{NULL, NULL},
	};
	luaL_checkversion(L);
	luaL_newlibtable(L, functions);
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, lcollect);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, "netpack queue");
	lua_setfield(L, -2, "__name");
	luaL_setfuncs(L, functions, 1);
	return 1;
}
