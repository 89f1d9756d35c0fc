/* skynet.cluster.core: frames of the cluster protocol for services that speak it themselves. The
 * codec is cluster_frame.c. Runs on the thread of its service.
 */
#include <ctype.h>
#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../service-src/cluster_frame.h"
#include "skynet_malloc.h"

#define NODE_NAME_MAX 512
#define NAMED_PREFIX  '@'

int luaopen_skynet_cluster_core(lua_State *L);

/* A payload as a Lua function gets it: a string, or a block of skynet_malloc. */
struct payload {
	const char *data;
	size_t size;
	void *block; /* the block; NULL when it is a string, which stays with Lua */
};

/* Reads a payload from argument `index`; when that is a block, argument `index` + 1 is its size.
 * Raises when it is neither. */
static struct payload
check_payload(lua_State *L, int index) {
	struct payload payload = {NULL, 0, NULL};
	if (lua_type(L, index) == LUA_TSTRING) {
		payload.data = lua_tolstring(L, index, &payload.size);
		return payload;
	}
	payload.block = lua_touserdata(L, index);
	if (payload.block == NULL)
		luaL_error(L, "Invalid request message");
	payload.data = payload.block;
	lua_Integer size = luaL_checkinteger(L, index + 1);
	luaL_argcheck(L, size >= 0, index + 1, "must not be negative");
	payload.size = (size_t)size;
	return payload;
}

/* Appends a frame, made of its head and its data, to the table at the top of the stack. */
static void
append_frame(lua_State *L, const char *head, size_t head_size, const char *data, size_t size) {
	luaL_Buffer buffer;
	lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
	luaL_buffinitsize(L, &buffer, head_size + size);
	luaL_addlstring(&buffer, head, head_size);
	luaL_addlstring(&buffer, data, size);
	luaL_pushresult(&buffer);
	lua_rawseti(L, -2, count + 1);
}

/* ---- requests ---- */

/* Reads an address, a handle or a name. Returns NULL, or what is wrong with it, which is at the top
 * of the stack then. */
static const char *
read_address(lua_State *L, int index, struct cluster_address *to) {
	*to = (struct cluster_address){.handle = 0};
	if (lua_type(L, index) == LUA_TNUMBER) {
		/* A number with a fraction becomes handle 0, which asks for a name: so does the
		 * reference. */
		to->handle = (uint32_t)lua_tointeger(L, index);
		return NULL;
	}
	if (lua_type(L, index) != LUA_TSTRING)
		return lua_pushfstring(
			L, "name is not a string, it's a %s", luaL_typename(L, index));
	to->name = lua_tolstring(L, index, &to->name_size);
	if (to->name_size >= 1 && to->name_size <= CLUSTER_NAME_MAX)
		return NULL;
	return lua_pushfstring(
		L, "name length is invalid, must be between 1 and 255 characters: %s", to->name);
}

/* Pushes a table with the frames that follow the first one: the parts of the payload. */
static void
push_parts(lua_State *L, uint32_t session, const char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	lua_newtable(L);
	while (size > 0) {
		size_t part = size < CLUSTER_PART_SIZE ? size : CLUSTER_PART_SIZE;
		size_t head_size = cluster_head_part(head, session, part, part == size);
		append_frame(L, head, head_size, data, part);
		data += part;
		size -= part;
	}
}

/* Pushes: first frame, next session, other frames or nil. */
static int
push_request(lua_State *L, const struct cluster_address *to, bool push, uint32_t session,
	const struct payload *payload) {
	char head[CLUSTER_HEAD_MAX];
	bool parts = payload->size > CLUSTER_REQUEST_MAX;
	size_t head_size = cluster_head_request(head, to, push, session, payload->size);
	luaL_Buffer buffer;
	luaL_buffinitsize(L, &buffer, head_size + (parts ? 0 : payload->size));
	luaL_addlstring(&buffer, head, head_size);
	if (!parts)
		luaL_addlstring(&buffer, payload->data, payload->size);
	luaL_pushresult(&buffer);
	lua_pushinteger(L, session == INT32_MAX ? 1 : (lua_Integer)session + 1);
	if (!parts)
		return 2;
	push_parts(L, session, payload->data, payload->size);
	return 3;
}

static int
pack(lua_State *L, bool push) {
	struct payload payload = check_payload(L, 3);
	lua_Integer session = lua_tointeger(L, 2);
	struct cluster_address to;
	const char *wrong = NULL;
	if (session <= 0 || session > INT32_MAX)
		wrong = lua_pushfstring(
			L, "Invalid request session %d", (int)luaL_optinteger(L, 2, 0));
	else if (payload.size > CLUSTER_MESSAGE_MAX)
		wrong = lua_pushliteral(L, "request is too large");
	else
		wrong = read_address(L, 1, &to);
	int count = wrong == NULL ? push_request(L, &to, push, (uint32_t)session, &payload) : 0;
	skynet_free(payload.block);
	return wrong == NULL ? count : luaL_error(L, "%s", wrong);
}

/// packrequest(addr, session, msg, sz) -> frame, next session, other frames
static int
pack_request(lua_State *L) {
	return pack(L, false);
}

/// packpush(addr, session, msg, sz) -> frame, next session, other frames
static int
pack_push(lua_State *L) {
	return pack(L, true);
}

/// packtrace(tag) -> frame
static int
pack_trace(lua_State *L) {
	char head[CLUSTER_HEAD_MAX];
	size_t size;
	luaL_checklstring(L, 1, &size);
	if (size > CLUSTER_PART_SIZE)
		return luaL_error(L, "trace tag is too long : %d", (int)size);
	size_t head_size = cluster_head_trace(head, size);
	lua_pushlstring(L, head, head_size);
	lua_pushvalue(L, 1);
	lua_concat(L, 2);
	return 1;
}

/* Reads a frame from argument 1: a string, or a block with its size in argument 2. It stays with
 * the caller. */
static const char *
check_frame(lua_State *L, size_t *size) {
	if (lua_type(L, 1) != LUA_TLIGHTUSERDATA)
		return luaL_checklstring(L, 1, size);
	lua_Integer length = luaL_checkinteger(L, 2);
	luaL_argcheck(L, length >= 0, 2, "must not be negative");
	*size = (size_t)length;
	return lua_touserdata(L, 1);
}

static int
raise_malformed(lua_State *L, const char *frame, size_t size) {
	if (size == 0)
		return luaL_error(L, "Invalid req package. size == 0");
	switch ((unsigned char)frame[0]) {
	case 0x01:
	case 0x41:
		return luaL_error(
			L, "Invalid cluster message size %d (multi req must be 13)", (int)size);
	case 0x02:
	case 0x03:
		return luaL_error(L, "Invalid cluster multi part message");
	case 0x00:
	case 0x80:
	case 0x81:
	case 0xc1:
		return luaL_error(L, "Invalid cluster message (size=%d)", (int)size);
	default:
		return luaL_error(L, "Invalid req package type %d", (signed char)frame[0]);
	}
}

/* Pushes a copy of the bytes, as a block that the Lua side has to free, and its size. */
static void
push_block(lua_State *L, const char *data, size_t size) {
	void *block = skynet_malloc(size);
	if (size > 0)
		memcpy(block, data, size);
	lua_pushlightuserdata(L, block);
	lua_pushinteger(L, (lua_Integer)size);
}

static void
push_address(lua_State *L, const struct cluster_request *request) {
	if (request->kind == CLUSTER_PART || request->kind == CLUSTER_LAST)
		lua_pushboolean(L, 0);
	else if (request->to.name != NULL)
		lua_pushlstring(L, request->to.name, request->to.name_size);
	else
		lua_pushinteger(L, request->to.handle);
}

/// unpackrequest(msg, sz) -> addr, session, block, size, padding, push; or only the tag of a trace
static int
unpack_request(lua_State *L) {
	size_t size;
	struct cluster_request request;
	const char *frame = check_frame(L, &size);
	if (!cluster_request_parse(frame, size, &request) || request.kind == CLUSTER_EXTRA)
		return raise_malformed(L, frame, size);
	if (request.kind == CLUSTER_TRACE) {
		lua_pushlstring(L, request.data, request.size);
		return 1;
	}
	push_address(L, &request);
	lua_pushinteger(L, request.session);
	if (request.kind == CLUSTER_BEGIN) {
		lua_pushnil(L);
		lua_pushinteger(L, request.total);
	} else {
		push_block(L, request.data, request.size);
	}
	lua_pushboolean(L, request.kind == CLUSTER_BEGIN || request.kind == CLUSTER_PART);
	lua_pushboolean(L, request.push);
	return 6;
}

/* ---- responses ---- */

static void
push_response(lua_State *L, uint32_t session, enum cluster_response_kind kind, const char *data,
	size_t size) {
	char head[CLUSTER_HEAD_MAX];
	size_t head_size = cluster_head_response(head, session, kind, size);
	luaL_Buffer buffer;
	luaL_buffinitsize(L, &buffer, head_size + size);
	luaL_addlstring(&buffer, head, head_size);
	luaL_addlstring(&buffer, data, size);
	luaL_pushresult(&buffer);
}

static int
push_response_parts(lua_State *L, uint32_t session, const char *data, size_t size) {
	char head[CLUSTER_HEAD_MAX];
	lua_newtable(L);
	size_t head_size = cluster_head_response_begin(head, session, (uint32_t)size);
	append_frame(L, head, head_size, "", 0);
	while (size > 0) {
		size_t part = size < CLUSTER_PART_SIZE ? size : CLUSTER_PART_SIZE;
		head_size = cluster_head_response(head, session,
			part == size ? CLUSTER_ANSWER_LAST : CLUSTER_ANSWER_PART, part);
		append_frame(L, head, head_size, data, part);
		data += part;
		size -= part;
	}
	return 1;
}

/// packresponse(session, ok, msg, sz) -> frame, or a table of frames. The message stays with the
/// caller.
static int
pack_response(lua_State *L) {
	uint32_t session = (uint32_t)luaL_checkinteger(L, 1);
	if (!lua_toboolean(L, 2)) {
		size_t size = 0;
		const char *text = luaL_optlstring(L, 3, "", &size);
		push_response(L, session, CLUSTER_ANSWER_ERROR, text,
			size < CLUSTER_RESPONSE_MAX ? size : CLUSTER_RESPONSE_MAX);
		return 1;
	}
	struct payload payload = check_payload(L, 3);
	luaL_argcheck(L, payload.size <= CLUSTER_MESSAGE_MAX, 4, "response is too large");
	if (payload.size > CLUSTER_RESPONSE_MAX)
		return push_response_parts(L, session, payload.data, payload.size);
	push_response(L, session, CLUSTER_ANSWER_OK, payload.data, payload.size);
	return 1;
}

/// unpackresponse(frame) -> session, ok, data, padding; nothing when it is malformed
static int
unpack_response(lua_State *L) {
	size_t size;
	struct cluster_response response;
	const char *frame = luaL_checklstring(L, 1, &size);
	if (!cluster_response_parse(frame, size, &response))
		return 0;
	lua_pushinteger(L, response.session);
	lua_pushboolean(L, response.kind != CLUSTER_ANSWER_ERROR);
	if (response.kind == CLUSTER_ANSWER_BEGIN)
		lua_pushinteger(L, response.total);
	else
		lua_pushlstring(L, response.data, response.size);
	lua_pushboolean(
		L, response.kind == CLUSTER_ANSWER_BEGIN || response.kind == CLUSTER_ANSWER_PART);
	return 4;
}

/* ---- payloads in parts ---- */

/// append(list, msg, sz): notes a part, or the announced size when `msg` is nil
static int
append(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
	if (!lua_isnil(L, 2)) {
		luaL_checktype(L, 2, LUA_TLIGHTUSERDATA);
		lua_pushvalue(L, 2);
		lua_rawseti(L, 1, ++count);
	}
	lua_pushinteger(L, luaL_checkinteger(L, 3));
	lua_rawseti(L, 1, count + 1);
	return 0;
}

/* Takes a part out of the list, whose elements `index` and `index` + 1 are its block and its size,
 * and frees it. Copies it to `block` first, unless that is NULL or has no room for it. Returns the
 * size of the part. */
static size_t
take_part(lua_State *L, lua_Integer index, char *block, size_t room) {
	lua_rawgeti(L, 1, index);
	lua_rawgeti(L, 1, index + 1);
	void *part = lua_touserdata(L, -2);
	size_t size = (size_t)lua_tointeger(L, -1);
	lua_pop(L, 2);
	if (part != NULL && block != NULL && size <= room && size > 0)
		memcpy(block, part, size);
	skynet_free(part);
	for (int i = 0; i < 2; i++) {
		lua_pushnil(L);
		lua_rawseti(L, 1, index + i);
	}
	return size;
}

/* Bytes of all parts in the list. */
static size_t
parts_size(lua_State *L, lua_Integer count) {
	size_t size = 0;
	for (lua_Integer i = 3; i <= count; i += 2) {
		lua_rawgeti(L, 1, i);
		size += (size_t)lua_tointeger(L, -1);
		lua_pop(L, 1);
	}
	return size;
}

/// concat(list) -> block, size; nothing when the parts have another size than announced. Ends the
/// parts in any case.
static int
concat(lua_State *L) {
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_Integer count = (lua_Integer)lua_rawlen(L, 1);
	lua_rawgeti(L, 1, 1);
	size_t total = (size_t)lua_tointeger(L, -1), used = 0;
	bool fits = lua_isinteger(L, -1) && parts_size(L, count) == total;
	char *block = fits ? skynet_malloc(total) : NULL;
	for (lua_Integer i = 2; i < count; i += 2)
		used += take_part(L, i, block != NULL ? block + used : NULL, total - used);
	if (!fits)
		return 0;
	lua_pushlightuserdata(L, block);
	lua_pushinteger(L, (lua_Integer)total);
	return 2;
}

/* ---- names ---- */

/// isname(text) -> true for "@name"
static int
is_name(lua_State *L) {
	const char *text = lua_tostring(L, 1);
	lua_pushboolean(L, text != NULL && text[0] == NAMED_PREFIX);
	return 1;
}

/// nodename() -> host name and process id, as they stand in trace tags
static int
node_name(lua_State *L) {
	char host[NODE_NAME_MAX / 2], name[NODE_NAME_MAX];
	if (gethostname(host, sizeof host) != 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	snprintf(name, sizeof name, "%s%ld", host, (long)getpid());
	for (char *at = name; *at != '\0'; at++) {
		if (isspace((unsigned char)*at) || iscntrl((unsigned char)*at))
			*at = '_';
	}
	lua_pushstring(L, name);
	return 1;
}

LUAMOD_API int
luaopen_skynet_cluster_core(lua_State *L) {
	static const luaL_Reg functions[] = {
		{"packrequest", pack_request},
		{"packpush", pack_push},
		{"packtrace", pack_trace},
		{"packresponse", pack_response},
		{"unpackrequest", unpack_request},
		{"unpackresponse", unpack_response},
		{"append", append},
		{"concat", concat},
		{"isname", is_name},
		{"nodename", node_name},
		{NULL, NULL},
	};
	luaL_newlib(L, functions);
	return 1;
}
