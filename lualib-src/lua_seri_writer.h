/* The writing half of packing: a growing buffer, and functions that append values to it. Shared by
 * lua_seri.c and lua_seri_raw.c.
 */
#ifndef SKYNET_LUA_SERI_WRITER_H
#define SKYNET_LUA_SERI_WRITER_H

#include <endian.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lua_layout.h"
#include "lua_seri.h"
#include "lua_seri_format.h"

#define HEAD_MAX 16 /* room for any head with its operand */

/* Packing first writes into the scratch buffer `out`. When it comes to a value for which a
 * metamethod may run Lua code, which may itself use `out`, it starts again and writes into a
 * userdata, the `box`.
 */
struct writer {
	lua_State *L;
	struct seri_buffer *out;
	char *data; /* the bytes so far are data..at, there is room up to `end` */
	char *at, *end;
	int box;       /* stack index of the userdata, 0 while `out` is used */
	bool want_box; /* stopped at a metatable: start again with a box */
	bool raw;      /* tables may be read in place */
	bool want_api; /* stopped reading in place: start again by the Lua API */
};

/// Makes room for `need` more bytes. Raises when there is no memory for a larger box.
void seri_writer_grow(struct writer *w, size_t need);

/// Packs a table, inside of `depth` others, reading it in place. The bytes are the same as by the
/// Lua API. Returns false when the table has to be packed by the API; then the bytes written so far
/// must be discarded. Raises for a value that cannot be packed.
bool seri_pack_raw_table(struct writer *w, const void *table, int depth);

/// As seri_pack_raw_table, for `count` values of a Lua stack.
bool seri_pack_raw_values(struct writer *w, const struct layout_value *values, int count);

static inline char *
writer_reserve(struct writer *w, size_t need) {
	if (__builtin_expect((size_t)(w->end - w->at) < need, 0))
		seri_writer_grow(w, need);
	return w->at;
}

static inline void
pack_byte(struct writer *w, uint8_t byte) {
	char *at = writer_reserve(w, 1);
	*at = (char)byte;
	w->at = at + 1;
}

/// Writes a head and `size` bytes of operand.
static inline void
pack_operand(struct writer *w, uint8_t head, const void *operand, size_t size) {
	char *at = writer_reserve(w, HEAD_MAX);
	at[0] = (char)head;
	memcpy(at + 1, operand, size);
	w->at = at + 1 + size;
}

static inline void
pack_integer(struct writer *w, lua_Integer value) {
	if (value == 0) {
		pack_byte(w, SERI_HEAD(SERI_NUMBER, SERI_ZERO));
	} else if (value != (int32_t)value) {
		uint64_t bits = htole64((uint64_t)value);
		pack_operand(w, SERI_HEAD(SERI_NUMBER, SERI_I64), &bits, sizeof bits);
	} else if (value < 0 || value > UINT16_MAX) {
		uint32_t bits = htole32((uint32_t)value);
		pack_operand(w, SERI_HEAD(SERI_NUMBER, SERI_I32), &bits, sizeof bits);
	} else if (value > UINT8_MAX) {
		uint16_t bits = htole16((uint16_t)value);
		pack_operand(w, SERI_HEAD(SERI_NUMBER, SERI_U16), &bits, sizeof bits);
	} else {
		uint8_t bits = (uint8_t)value;
		pack_operand(w, SERI_HEAD(SERI_NUMBER, SERI_U8), &bits, sizeof bits);
	}
}

static inline void
pack_float(struct writer *w, lua_Number value) {
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	bits = htole64(bits);
	pack_operand(w, SERI_HEAD(SERI_NUMBER, SERI_F64), &bits, sizeof bits);
}

static inline void
pack_pointer(struct writer *w, const void *value) {
	pack_operand(w, SERI_HEAD(SERI_POINTER, 0), &value, sizeof value);
}

static inline void
pack_long_string(struct writer *w, const char *text, size_t length) {
	if (length > INT32_MAX)
		luaL_error(w->L, "serialize can't pack a string of %I bytes", (LUAI_UACINT)length);
	if (length <= UINT16_MAX) {
		uint16_t bits = htole16((uint16_t)length);
		pack_operand(w, SERI_HEAD(SERI_LONG_STRING, sizeof bits), &bits, sizeof bits);
	} else {
		uint32_t bits = htole32((uint32_t)length);
		pack_operand(w, SERI_HEAD(SERI_LONG_STRING, sizeof bits), &bits, sizeof bits);
	}
	memcpy(writer_reserve(w, length), text, length);
	w->at += length;
}

static inline void
pack_string(struct writer *w, const char *text, size_t length) {
	if (length > SERI_SHORT_MAX) {
		pack_long_string(w, text, length);
		return;
	}
	char *at = writer_reserve(w, 1 + SERI_SHORT_MAX);
	at[0] = (char)SERI_HEAD(SERI_SHORT_STRING, length);
	memcpy(at + 1, text, length);
	w->at = at + 1 + length;
}

static inline void
pack_table_head(struct writer *w, lua_Unsigned count) {
	if (count < SERI_COUNT_FOLLOWS) {
		pack_byte(w, SERI_HEAD(SERI_TABLE, count));
	} else {
		if (count > INT32_MAX)
			luaL_error(w->L, "serialize can't pack an array of %I values",
				(LUAI_UACINT)count);
		pack_byte(w, SERI_HEAD(SERI_TABLE, SERI_COUNT_FOLLOWS));
		pack_integer(w, (lua_Integer)count);
	}
}

static inline void
check_depth(lua_State *L, int depth) {
	if (__builtin_expect(depth >= SERI_PACK_DEPTH, 0))
		luaL_error(L, "serialize can't pack too depth table");
}

#endif
