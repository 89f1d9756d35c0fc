/* Packing of Lua values. The bytes are described in lua_seri_format.h.
 * Unpacking is in lua_seri_unpack.c.
 */
#include "lua_seri.h"

#include <assert.h>
#include <stdarg.h>

#include "lua_seri_writer.h"
#include "skynet_malloc.h"

#define INITIAL_CAPACITY 256

/* A packed block of this size or more is itself given to the receiver, instead of a copy; so the
 * scratch memory stays small. */
#define HAND_OVER_SIZE (64 * 1024)

static bool pack_table(struct writer *w, int index, int depth);

void
seri_buffer_clear(struct seri_buffer *buffer) {
	skynet_free(buffer->data);
	*buffer = (struct seri_buffer){.raw = buffer->raw};
}

void
seri_writer_grow(struct writer *w, size_t need) {
	size_t size = (size_t)(w->at - w->data);
	size_t capacity = (size_t)(w->end - w->data) * 2;
	if (capacity < INITIAL_CAPACITY)
		capacity = INITIAL_CAPACITY;
	if (capacity < size + need)
		capacity = size + need;
	if (w->box) {
		char *data = lua_newuserdatauv(w->L, capacity, 0);
		memcpy(data, w->data, size);
		lua_replace(w->L, w->box);
		w->data = data;
	} else {
		w->data = skynet_realloc(w->data, capacity);
		w->out->data = w->data;
		w->out->capacity = capacity;
	}
	w->at = w->data + size;
	w->end = w->data + capacity;
}

/// Packs the value at the absolute index, inside of `depth` tables. Returns false to start again
/// with a box.
static inline __attribute__((always_inline)) bool
pack_value(struct writer *w, int index, int depth) {
	lua_State *L = w->L;
	int type = lua_type(L, index);
	/* The two most frequent types come first: a branch is easier to predict than the jump of
	 * the switch below. */
	if (type == LUA_TSTRING) {
		size_t length;
		const char *text = lua_tolstring(L, index, &length);
		pack_string(w, text, length);
		return true;
	}
	if (type == LUA_TNUMBER) {
		if (lua_isinteger(L, index))
			pack_integer(w, lua_tointegerx(L, index, NULL));
		else
			pack_float(w, lua_tonumberx(L, index, NULL));
		return true;
	}
	switch (type) {
	case LUA_TTABLE:
		return pack_table(w, index, depth);
	case LUA_TBOOLEAN:
		pack_byte(w, SERI_HEAD(SERI_BOOLEAN, lua_toboolean(L, index) ? 1 : 0));
		return true;
	case LUA_TNIL:
	case LUA_TNONE:
		pack_byte(w, SERI_HEAD(SERI_NIL, 0));
		return true;
	case LUA_TLIGHTUSERDATA:
		pack_pointer(w, lua_touserdata(L, index));
		return true;
	default:
		luaL_error(L, "Unsupport type %s to serialize", lua_typename(L, type));
		return false;
	}
}

/// Packs the pairs that the __pairs metamethod at the top of the stack yields, and pops it.
static bool
pack_by_metamethod(struct writer *w, int index, int depth) {
	lua_State *L = w->L;
	pack_byte(w, SERI_HEAD(SERI_TABLE, 0));
	lua_pushvalue(L, index);
	lua_call(L, 1, 3);
	/* iterator, state, control */
	for (;;) {
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -3);
		lua_call(L, 2, 2);
		if (lua_isnil(L, -2))
			break;
		int top = lua_gettop(L);
		check_depth(L, depth + 1);
		if (!pack_value(w, top - 1, depth + 1) || !pack_value(w, top, depth + 1))
			return false;
		lua_pop(L, 1);
		lua_replace(L, -2);
	}
	lua_pop(L, 5);
	pack_byte(w, SERI_HEAD(SERI_NIL, 0));
	return true;
}

/// Packs elements first..count by index.
static bool
pack_array_rest(struct writer *w, int index, lua_Unsigned first, lua_Unsigned count, int depth) {
	lua_State *L = w->L;
	for (lua_Unsigned i = first; i <= count; i++) {
		lua_rawgeti(L, index, (lua_Integer)i);
		if (!pack_value(w, lua_gettop(L), depth + 1))
			return false;
		lua_pop(L, 1);
	}
	return true;
}

/// Packs the array of a table. Lua yields the array part of a table first and in order, so elements
/// are taken as a traversal gives them, and by index from the first that comes out of order. Leaves
/// at the stack index `key` the key to go on from. A count above 0 is expected.
static bool
pack_array(struct writer *w, int index, int key, lua_Unsigned count, int depth) {
	lua_State *L = w->L;
	for (lua_Unsigned i = 1; i <= count; i++) {
		bool more = lua_next(L, index);
		if (!more || !lua_isinteger(L, key) || (lua_Unsigned)lua_tointeger(L, key) != i) {
			lua_settop(L, key - 1);
			if (!pack_array_rest(w, index, i, count, depth))
				return false;
			/* Go back to the last element that came in order. */
			if (i == 1)
				lua_pushnil(L);
			else
				lua_pushinteger(L, (lua_Integer)i - 1);
			return true;
		}
		if (!pack_value(w, key + 1, depth + 1))
			return false;
		lua_settop(L, key);
	}
	return true;
}

/// True when the key at the stack index is one of 1..count.
static inline bool
is_array_key(lua_State *L, int key, lua_Unsigned count) {
	return lua_isinteger(L, key) && (lua_Unsigned)lua_tointeger(L, key) - 1 < count;
}

/// Packs a table without __pairs.
static bool
pack_raw_table(struct writer *w, int index, int depth) {
	lua_State *L = w->L;
	lua_Unsigned count = lua_rawlen(L, index);
	int key = lua_gettop(L) + 1;
	pack_table_head(w, count);
	lua_pushnil(L);
	if (count > 0) {
		check_depth(L, depth + 1);
		if (!pack_array(w, index, key, count, depth))
			return false;
	}
	while (lua_next(L, index)) {
		if (count > 0 && is_array_key(L, key, count)) {
			lua_settop(L, key);
			continue;
		}
		check_depth(L, depth + 1);
		if (!pack_value(w, key, depth + 1) || !pack_value(w, key + 1, depth + 1))
			return false;
		lua_settop(L, key);
	}
	pack_byte(w, SERI_HEAD(SERI_NIL, 0));
	return true;
}

static __attribute__((noinline)) bool
pack_table(struct writer *w, int index, int depth) {
	lua_State *L = w->L;
	if (w->raw) {
		w->want_api = !seri_pack_raw_table(w, lua_topointer(L, index), depth);
		return !w->want_api;
	}
	/* Room for key, value, and what a metamethod needs. */
	if (!lua_checkstack(L, 10))
		luaL_error(L, "out of memory");
	if (lua_getmetatable(L, index)) {
		if (!w->box) {
			w->want_box = true;
			return false;
		}
		lua_pop(L, 1);
		if (luaL_getmetafield(L, index, "__pairs") != LUA_TNIL)
			return pack_by_metamethod(w, index, depth);
	}
	return pack_raw_table(w, index, depth);
}

static bool
pack_values(struct writer *w, int from, int top) {
	for (int i = from; i <= top; i++)
		if (!pack_value(w, i, 0))
			return false;
	return true;
}

/// First attempt: in place where that is possible.
static bool
pack_first(struct writer *w, int from, int top) {
	const struct layout_value *arguments = w->raw ? layout_arguments(w->L) : NULL;
	if (arguments == NULL)
		return pack_values(w, from, top);
	w->want_api = !seri_pack_raw_values(w, arguments + from, top - from + 1);
	return !w->want_api;
}

/// Second attempt, with the bytes in a userdata. They are moved to `out` at the end.
static void
pack_with_box(lua_State *L, int from, int top, struct seri_buffer *out) {
	lua_settop(L, top);
	luaL_checkstack(L, 2, NULL);
	struct writer w = {.L = L, .out = out, .box = top + 1};
	w.data = lua_newuserdatauv(L, INITIAL_CAPACITY, 0);
	w.at = w.data;
	w.end = w.data + INITIAL_CAPACITY;
	pack_values(&w, from, top);
	size_t size = (size_t)(w.at - w.data);
	if (out->capacity < size) {
		out->data = skynet_realloc(out->data, size);
		out->capacity = size;
	}
	memcpy(out->data, w.data, size);
	out->size = size;
	lua_settop(L, top);
}

void
seri_pack(lua_State *L, int from, struct seri_buffer *out) {
	int top = lua_gettop(L);
	if (out->data == NULL) {
		out->data = skynet_malloc(INITIAL_CAPACITY);
		out->capacity = INITIAL_CAPACITY;
	}
	struct writer w = {.L = L, .out = out, .data = out->data, .at = out->data};
	w.end = w.data + out->capacity;
	w.raw = out->raw;
	bool packed = pack_first(&w, from, top);
	if (w.want_api) {
		w.raw = false;
		w.at = w.data;
		packed = pack_values(&w, from, top);
	}
	if (packed)
		out->size = (size_t)(w.at - w.data);
	else
		pack_with_box(L, from, top, out);
}

void *
seri_pack_block(lua_State *L, int from, struct seri_buffer *scratch, size_t *size) {
	seri_pack(L, from, scratch);
	*size = scratch->size;
	if (scratch->size >= HAND_OVER_SIZE) {
		void *block = skynet_realloc(scratch->data, scratch->size);
		*scratch = (struct seri_buffer){.raw = scratch->raw};
		return block;
	}
	void *block = skynet_malloc(scratch->size ? scratch->size : 1);
	memcpy(block, scratch->data, scratch->size);
	return block;
}

void *
seri_pack_plain(size_t *size, const char *format, ...) {
	struct seri_buffer buffer = {NULL, 0, 0, false};
	struct writer w = {.out = &buffer};
	va_list values;
	seri_writer_grow(&w, INITIAL_CAPACITY);
	va_start(values, format);
	for (; *format != '\0'; format++) {
		if (*format == 's') {
			const char *text = va_arg(values, const char *);
			pack_string(&w, text, strnlen(text, INT32_MAX));
		} else if (*format == 'i') {
			pack_integer(&w, va_arg(values, lua_Integer));
		} else {
			assert(*format == 'b');
			pack_byte(&w, SERI_HEAD(SERI_BOOLEAN, va_arg(values, int) ? 1 : 0));
		}
	}
	va_end(values);
	*size = (size_t)(w.at - w.data);
	return w.data;
}

int
seri_call_pack(lua_State *L, struct seri_buffer *scratch) {
	size_t size;
	void *block = seri_pack_block(L, 1, scratch, &size);
	lua_settop(L, 0);
	lua_pushlightuserdata(L, block);
	lua_pushinteger(L, (lua_Integer)size);
	return 2;
}

int
seri_call_packstring(lua_State *L, struct seri_buffer *scratch) {
	seri_pack(L, 1, scratch);
	lua_pushlstring(L, scratch->data, scratch->size);
	return 1;
}
