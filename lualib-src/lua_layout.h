/* The layout of strings, tables and arguments in the memory of Lua 5.4, for hot paths that read
 * many of them ("in place"). By the Lua API, walking through a table takes a lookup for each step,
 * and an argument takes several calls. The layout is first checked against known values
 * (layout_known); if it differs, the API is used. Readers neither write nor allocate, so the
 * garbage collector cannot run while they hold pointers.
 */
#ifndef SKYNET_LUA_LAYOUT_H
#define SKYNET_LUA_LAYOUT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/* Type tags of values: the basic type in bits 0..3, its variant in bits 4..5; bit 6 marks objects
 * of the garbage collector. */
enum layout_tag {
	LAYOUT_NIL = 0, /* compare bits 0..3 only: empty slots are variants of nil */
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

/* Flag: `limit` is not the size of the array, which is the next power of two from `limit` on. */
#define LAYOUT_LIMIT_IS_HINT 0x80

/* The head of a call frame. */
struct layout_frame {
	struct layout_value *function; /* the arguments lie behind it */
	struct layout_value *top; /* end of the stack space that is reserved for the function */
};

/// True when strings, tables and frames of this Lua are laid out as above. Leaves the stack as it
/// was; may raise when there is no memory. Once per state.
bool layout_known(lua_State *L);

static inline bool
layout_is_nil(uint8_t tag) {
	return (tag & 0x0f) == LAYOUT_NIL;
}

/// The stack of the C function with this frame: its arguments are at index 1, 2, ... Only when
/// layout_known returned true. Valid until the next call of the Lua API that may grow the stack or
/// allocate.
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
