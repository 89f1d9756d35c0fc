/* How Lua 5.4 lays out strings, tables and arguments in memory, for code that reads many of them.
 * The public API has no way to walk through a table without a lookup for each step, and takes
 * several calls for each argument. The layout is checked against known values first (layout_known);
 * where it is another, readers use the API. Nothing here writes, and nothing allocates while
 * something is read, so the collector does not run meanwhile.
 */
#ifndef SKYNET_LUA_LAYOUT_H
#define SKYNET_LUA_LAYOUT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Types with their variants. */
enum layout_tag {
	LAYOUT_NIL = 0, /* in the low four bits; empty slots have variants */
	LAYOUT_FALSE = 0x01,
	LAYOUT_TRUE = 0x11,
	LAYOUT_POINTER = 0x02,
	LAYOUT_C_FUNCTION = 0x16, /* without upvalues */
	LAYOUT_INTEGER = 0x03,
	LAYOUT_FLOAT = 0x13,
	LAYOUT_SHORT_STRING = 0x44,
	LAYOUT_LONG_STRING = 0x54,
	LAYOUT_TABLE = 0x45,
	LAYOUT_LUA_FUNCTION = 0x46,
};

union layout_payload {
	const void *object;
	void *pointer;
	lua_CFunction function;
	lua_Integer integer;
	lua_Number number;
};

struct layout_value {
	union layout_payload payload;
	uint8_t tag;
};

struct layout_string {
	void *link;
	uint8_t type, mark, extra;
	uint8_t short_length;
	uint32_t hash;
	size_t long_length;
	char text[];
};

struct layout_node {
	union layout_payload value;
	uint8_t tag, key_tag;
	int32_t next;
	union layout_payload key;
};

struct layout_table {
	void *link;
	uint8_t type, mark;
	uint8_t flags;     /* LAYOUT_LIMIT_IS_HINT */
	uint8_t node_bits; /* binary logarithm of the number of nodes */
	uint32_t limit;
	const struct layout_value *array;
	const struct layout_node *nodes;
	void *last_free;
	const void *metatable;
	void *list;
};

/* The array has as many slots as the next power of two from `limit` on. */
#define LAYOUT_LIMIT_IS_HINT 0x80

/* The head of a call frame. */
struct layout_frame {
	struct layout_value *function; /* the arguments lie behind it */
	struct layout_value *top;      /* as far as the function may push without asking */
};

/// True when strings, tables and frames of this Lua are laid out as above. Leaves the stack as it
/// was; may raise when there is no memory. Once per state.
bool layout_known(lua_State *L);

static inline bool
layout_is_nil(uint8_t tag) {
	return (tag & 0x0f) == LAYOUT_NIL;
}

/// The stack of the C function whose frame this is: its arguments, as far as there are any, are at
/// 1, 2, ... Only with a known layout, valid until the next use of its state that may need stack or
/// memory.
static inline const struct layout_value *
layout_arguments_of(const lua_Debug *frame) {
	return ((const struct layout_frame *)(const void *)frame->i_ci)->function;
}

/// The same for the running C function. NULL when no function runs.
static inline const struct layout_value *
layout_arguments(lua_State *L) {
	lua_Debug running;
	if (__builtin_expect(lua_getstack(L, 0, &running) == 0, 0))
		return NULL;
	return layout_arguments_of(&running);
}

/// The slots of the array part.
static inline uint32_t
layout_array_size(const struct layout_table *table) {
	uint32_t size = table->limit;
	if ((table->flags & LAYOUT_LIMIT_IS_HINT) == 0 || (size & (size - 1)) == 0)
		return size;
	return (uint32_t)1 << (32 - __builtin_clz(size));
}

/// The number of nodes, at least 1.
static inline uint32_t
layout_node_count(const struct layout_table *table) {
	return (uint32_t)1 << table->node_bits;
}

#endif
