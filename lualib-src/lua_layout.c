/* Checks the layout of strings, tables and frames. See the header. Each step reads only memory that
 * the steps before have shown to be laid out as expected. */
#include "lua_layout.h"

#include <lauxlib.h>
#include <stddef.h>
#include <string.h>

#if LUA_VERSION_NUM == 504 && LUA_MAXINTEGER == INT64_MAX

#define TABLE_SIZE 56
#define ARRAY_SIZE 7

/// A value at index `value` of the stack is what was read in place.
static bool
same_value(lua_State *L, int value, uint8_t tag, union layout_payload payload) {
	switch (tag) {
	case LAYOUT_FALSE:
	case LAYOUT_TRUE:
		return lua_isboolean(L, value) && lua_toboolean(L, value) == (tag == LAYOUT_TRUE);
	case LAYOUT_POINTER:
		return lua_islightuserdata(L, value) && lua_touserdata(L, value) == payload.pointer;
	case LAYOUT_C_FUNCTION:
		return lua_tocfunction(L, value) == payload.function && payload.function != NULL;
	case LAYOUT_INTEGER:
		return lua_isinteger(L, value) && lua_tointeger(L, value) == payload.integer;
	case LAYOUT_FLOAT:
		return lua_type(L, value) == LUA_TNUMBER && !lua_isinteger(L, value) &&
		       lua_tonumber(L, value) == payload.number;
	case LAYOUT_SHORT_STRING:
	case LAYOUT_LONG_STRING:
		return lua_type(L, value) == LUA_TSTRING &&
		       lua_topointer(L, value) == payload.object;
	case LAYOUT_TABLE:
		return lua_istable(L, value) && lua_topointer(L, value) == payload.object;
	default:
		return false;
	}
}

static bool
string_known(lua_State *L, size_t length) {
	char text[64];
	memset(text, 'x', sizeof text);
	const char *contents = lua_pushlstring(L, text, length);
	const struct layout_string *string = lua_topointer(L, -1);
	bool is_short = length <= 40;
	bool known =
		string != NULL && contents == string->text && memcmp(contents, text, length) == 0 &&
		(is_short ? string->short_length == length : string->long_length == length) &&
		string->type == (is_short ? LAYOUT_SHORT_STRING & 0x3f : LAYOUT_LONG_STRING & 0x3f);
	lua_pop(L, 1);
	return known;
}

static int
nothing(lua_State *L) {
	(void)L;
	return 0;
}

/// Pushes a table with a value of each kind.
static void
push_sample(lua_State *L) {
	lua_createtable(L, ARRAY_SIZE, 4);
	lua_pushinteger(L, -5);
	lua_rawseti(L, -2, 1);
	lua_pushnumber(L, 2.5);
	lua_rawseti(L, -2, 2);
	lua_pushliteral(L, "short");
	lua_rawseti(L, -2, 3);
	lua_pushfstring(L, "%s%s", "a text that is longer than those that are ", "interned");
	lua_rawseti(L, -2, 4);
	lua_pushboolean(L, 1);
	lua_rawseti(L, -2, 5);
	/* 6 stays empty */
	lua_pushlightuserdata(L, L);
	lua_rawseti(L, -2, 7);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "no");
	lua_newtable(L);
	lua_setfield(L, -2, "table");
	lua_pushinteger(L, 1000);
	lua_rawseti(L, -2, 1000);
	lua_pushcfunction(L, nothing);
	lua_rawsetp(L, -2, L);
}

/// The table at the top has another metatable than `before`, and that one is where it should be.
static bool
metatable_known(lua_State *L, const struct layout_table *table) {
	if (table->metatable != NULL)
		return false;
	lua_newtable(L);
	const void *metatable = lua_topointer(L, -1);
	lua_setmetatable(L, -2);
	bool known = table->metatable == metatable;
	lua_pushnil(L);
	lua_setmetatable(L, -2);
	return known && table->metatable == NULL;
}

/// Reads the table at the top in place, along with lua_next.
static bool
contents_known(lua_State *L, const struct layout_table *table) {
	int top = lua_gettop(L);
	bool same = true;
	lua_pushnil(L);
	for (uint32_t i = 0; same && i < layout_array_size(table); i++) {
		const struct layout_value *value = &table->array[i];
		if (layout_is_nil(value->tag))
			continue;
		same = lua_next(L, top) != 0 && lua_tointeger(L, -2) == (lua_Integer)i + 1 &&
		       same_value(L, -1, value->tag, value->payload);
		lua_settop(L, top + 1);
	}
	for (uint32_t i = 0; same && i < layout_node_count(table); i++) {
		const struct layout_node *node = &table->nodes[i];
		if (layout_is_nil(node->tag))
			continue;
		same = lua_next(L, top) != 0 && same_value(L, -2, node->key_tag, node->key) &&
		       same_value(L, -1, node->tag, node->value);
		lua_settop(L, top + 1);
	}
	same = same && lua_next(L, top) == 0;
	lua_settop(L, top);
	return same;
}

static bool
table_known(lua_State *L) {
	const struct layout_table *table = lua_topointer(L, -1);
	return table->limit == ARRAY_SIZE && layout_array_size(table) == ARRAY_SIZE &&
	       table->node_bits == 2 && table->type == (LAYOUT_TABLE & 0x3f) &&
	       metatable_known(L, table) && contents_known(L, table);
}

/// (..., light userdata bool): whether the arguments are where they are expected.
static int
probe_frame(lua_State *L) {
	int count = lua_gettop(L);
	lua_Debug running;
	lua_getstack(L, 0, &running);
	const struct layout_frame *frame = (const void *)running.i_ci;
	bool same = (uintptr_t)frame->top - (uintptr_t)frame->function ==
		    (size_t)(1 + count + LUA_MINSTACK) * sizeof(struct layout_value);
	for (int i = 0; same && i <= count; i++) {
		const struct layout_value *value = &frame->function[i];
		same = i == 0 ? value->tag == LAYOUT_C_FUNCTION &&
					value->payload.function == probe_frame
			      : same_value(L, i, value->tag, value->payload);
	}
	*(bool *)lua_touserdata(L, count) = same;
	return 0;
}

static bool
frames_known(lua_State *L) {
	bool few = false, more = false;
	lua_pushcfunction(L, probe_frame);
	lua_pushlightuserdata(L, &few);
	lua_call(L, 1, 0);
	if (!few)
		return false;
	lua_pushcfunction(L, probe_frame);
	lua_pushinteger(L, 1 << 20);
	lua_pushliteral(L, "text");
	lua_pushlightuserdata(L, &more);
	lua_call(L, 3, 0);
	return more;
}

bool
layout_known(lua_State *L) {
	if (sizeof(struct layout_table) != TABLE_SIZE || sizeof(struct layout_value) != 16 ||
		sizeof(struct layout_node) != 24 || sizeof(lua_Number) != 8)
		return false;
	luaL_checkstack(L, 8, NULL);
	if (!string_known(L, 5) || !string_known(L, 50) || !frames_known(L))
		return false;
	push_sample(L);
	bool known = table_known(L);
	lua_pop(L, 1);
	return known;
}

#else

bool
layout_known(lua_State *L) {
	(void)L;
	return false;
}

#endif
