/* Receive buffers as Lua userdata, and blocks of message memory as pointer + size.
 *
 * Callers written for the reference pass a pool table to most functions. Buffers keep their own
 * blocks here, so it is not used, except that readline only tests when it is not a table. Functions
 * that take a buffer have its metatable as upvalue.
 */
#include "lua_receive_buffer.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "receive_buffer.h"
#include "skynet_malloc.h"

/* The buffer at index 1, NULL when there is none. */
static struct receive_buffer *
test_buffer(lua_State *L) {
	if (lua_type(L, 1) != LUA_TUSERDATA || !lua_getmetatable(L, 1))
		return NULL;
	int same = lua_rawequal(L, -1, lua_upvalueindex(1));
	lua_pop(L, 1);
	return same ? lua_touserdata(L, 1) : NULL;
}

static struct receive_buffer *
check_buffer(lua_State *L) {
	struct receive_buffer *buffer = test_buffer(L);
	if (buffer == NULL)
		luaL_error(L, "need buffer object at param 1");
	return buffer;
}

static int
lbuffer(lua_State *L) {
	struct receive_buffer *buffer = lua_newuserdatauv(L, sizeof(*buffer), 0);
	receive_buffer_init(buffer);
	lua_pushvalue(L, lua_upvalueindex(1));
	lua_setmetatable(L, -2);
	return 1;
}

static int
lcollect(lua_State *L) {
	receive_buffer_clear(lua_touserdata(L, 1));
	return 0;
}

static size_t
check_size(lua_State *L, int index) {
	lua_Integer size = luaL_checkinteger(L, index);
	luaL_argcheck(L, size >= 0 && size <= INT_MAX, index, "size out of range");
	return (size_t)size;
}

/* push(buffer, pool, pointer, size) -> unread bytes */
static int
lpush(lua_State *L) {
	struct receive_buffer *buffer = check_buffer(L);
	void *data = lua_touserdata(L, 3);
	if (data == NULL || !lua_islightuserdata(L, 3))
		return luaL_error(L, "need message block at param 3");
	size_t total = receive_buffer_push(buffer, data, check_size(L, 4));
	lua_pushinteger(L, (lua_Integer)total);
	return 1;
}

static void
push_bytes(lua_State *L, const struct receive_buffer *buffer, size_t size) {
	if (size == 0) {
		lua_pushliteral(L, "");
		return;
	}
	const char *piece = receive_buffer_peek(buffer, size);
	if (piece != NULL) {
		lua_pushlstring(L, piece, size);
		return;
	}
	luaL_Buffer out;
	char *text = luaL_buffinitsize(L, &out, size);
	receive_buffer_copy(buffer, text, size);
	luaL_pushresultsize(&out, size);
}

/* pop(buffer, pool, n) -> string | nil, unread bytes */
static int
lpop(lua_State *L) {
	struct receive_buffer *buffer = check_buffer(L);
	lua_Integer size = luaL_checkinteger(L, 3);
	if (size <= 0 || (size_t)size > buffer->size) {
		lua_pushnil(L);
	} else {
		push_bytes(L, buffer, (size_t)size);
		receive_buffer_skip(buffer, (size_t)size);
	}
	lua_pushinteger(L, (lua_Integer)buffer->size);
	return 2;
}

/* readall(buffer, pool) -> string */
static int
lreadall(lua_State *L) {
	struct receive_buffer *buffer = check_buffer(L);
	push_bytes(L, buffer, buffer->size);
	receive_buffer_skip(buffer, buffer->size);
	return 1;
}

/* readline(buffer, pool, separator) -> string | true | nothing */
static int
lreadline(lua_State *L) {
	struct receive_buffer *buffer = check_buffer(L);
	size_t separator_size;
	const char *separator = luaL_checklstring(L, 3, &separator_size);
	luaL_argcheck(L, separator_size > 0, 3, "empty separator");
	size_t line_size;
	if (!receive_buffer_find(buffer, separator, separator_size, &line_size))
		return 0;
	if (!lua_istable(L, 2)) {
		lua_pushboolean(L, 1);
		return 1;
	}
	push_bytes(L, buffer, line_size);
	receive_buffer_skip(buffer, line_size + separator_size);
	return 1;
}

/* clear(buffer|nil, pool) */
static int
lclear(lua_State *L) {
	struct receive_buffer *buffer = test_buffer(L);
	if (buffer != NULL)
		receive_buffer_clear(buffer);
	else if (!lua_isnoneornil(L, 1))
		luaL_typeerror(L, 1, "receive buffer");
	return 0;
}

/* drop(pointer, size) */
static int
ldrop(lua_State *L) {
	luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
	skynet_free(lua_touserdata(L, 1));
	return 0;
}

/* str2p(string) -> pointer, size */
static int
lstr2p(lua_State *L) {
	size_t size;
	const char *text = luaL_checklstring(L, 1, &size);
	char *block = skynet_malloc(size + 1);
	memcpy(block, text, size);
	block[size] = '\0';
	lua_pushlightuserdata(L, block);
	lua_pushinteger(L, (lua_Integer)size);
	return 2;
}

/* header(string) -> integer, big-endian */
static int
lheader(lua_State *L) {
	size_t size;
	const unsigned char *bytes = (const unsigned char *)luaL_checklstring(L, 1, &size);
	if (size < 1 || size > 4)
		return luaL_error(L, "Invalid package header of %I bytes", (LUAI_UACINT)size);
	lua_Integer value = 0;
	for (size_t i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	lua_pushinteger(L, value);
	return 1;
}

void
lua_receive_buffer_register(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"buffer", lbuffer},
		{"push", lpush},
		{"pop", lpop},
		{"readall", lreadall},
		{"readline", lreadline},
		{"clear", lclear},
		{"drop", ldrop},
		{"str2p", lstr2p},
		{"header", lheader},
		{NULL, NULL},
	};
	lua_createtable(L, 0, 2);
	lua_pushcfunction(L, lcollect);
	lua_setfield(L, -2, "__gc");
	lua_pushliteral(L, "receive buffer");
	lua_setfield(L, -2, "__name");
	luaL_setfuncs(L, functions, 1);
}
