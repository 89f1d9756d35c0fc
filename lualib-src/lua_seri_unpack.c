/* Unpacking of Lua values, in two passes over the input. The first checks every byte, bounds depth,
 * and counts the pairs of each table; the second builds values, creates tables at their exact size,
 * and needs no checks. Hostile input is refused before anything is allocated.
 */
#include <endian.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lua_seri.h"
#include "lua_seri_format.h"

/* Tables whose pair count is remembered; those behind grow while they are filled. */
#define COUNTED_TABLES 64

/* Stack slots per open table: itself, a key, a value. */
#define SLOTS_PER_TABLE 3

enum defect {
	DEFECT_NONE,
	DEFECT_STREAM,
	DEFECT_NAN_KEY,
	DEFECT_TOO_MANY, /* values on the top level */
};

struct reader {
	const uint8_t *at, *end;
	enum defect defect;
	int line;   /* where a defect was found */
	int tables; /* opened so far */
	int depth_max;
	uint32_t pairs[COUNTED_TABLES];
};

/* Size of what follows a head, for heads whose operand has a fixed size. */
#define VARIABLE 0xff /* long string, table */
#define INVALID  0xfe

#define ROW_FOR(sub, number, string)                                          \
	[SERI_HEAD(SERI_NIL, sub)] = 0, [SERI_HEAD(SERI_BOOLEAN, sub)] = 0,   \
			     [SERI_HEAD(SERI_NUMBER, sub)] = (number),        \
			     [SERI_HEAD(SERI_POINTER, sub)] = sizeof(void *), \
			     [SERI_HEAD(SERI_SHORT_STRING, sub)] = (sub),     \
			     [SERI_HEAD(SERI_LONG_STRING, sub)] = (string),   \
			     [SERI_HEAD(SERI_TABLE, sub)] = VARIABLE,         \
			     [SERI_HEAD(7, sub)] = INVALID
#define ROW(sub) ROW_FOR(sub, INVALID, INVALID)

static const uint8_t operand_size[256] = {
	ROW_FOR(SERI_ZERO, 0, INVALID),
	ROW_FOR(SERI_U8, 1, INVALID),
	ROW_FOR(SERI_U16, 2, VARIABLE),
	ROW(3),
	ROW_FOR(SERI_I32, 4, VARIABLE),
	ROW(5),
	ROW_FOR(SERI_I64, 8, INVALID),
	ROW(7),
	ROW_FOR(SERI_F64, 8, INVALID),
	ROW(9),
	ROW(10),
	ROW(11),
	ROW(12),
	ROW(13),
	ROW(14),
	ROW(15),
	ROW(16),
	ROW(17),
	ROW(18),
	ROW(19),
	ROW(20),
	ROW(21),
	ROW(22),
	ROW(23),
	ROW(24),
	ROW(25),
	ROW(26),
	ROW(27),
	ROW(28),
	ROW(29),
	ROW(30),
	ROW(31),
};

static inline uint16_t
load16(const uint8_t *at) {
	uint16_t bits;
	memcpy(&bits, at, sizeof bits);
	return le16toh(bits);
}

static inline uint32_t
load32(const uint8_t *at) {
	uint32_t bits;
	memcpy(&bits, at, sizeof bits);
	return le32toh(bits);
}

static inline uint64_t
load64(const uint8_t *at) {
	uint64_t bits;
	memcpy(&bits, at, sizeof bits);
	return le64toh(bits);
}

static inline lua_Number
load_float(const uint8_t *at) {
	uint64_t bits = load64(at);
	lua_Number value;
	memcpy(&value, &bits, sizeof value);
	return value;
}

static inline size_t
reader_left(const struct reader *r) {
	return (size_t)(r->end - r->at);
}

static bool
reader_fail(struct reader *r, enum defect defect, int line) {
	r->defect = defect;
	r->line = line;
	return false;
}

/* ---- first pass ---- */

static bool check_table(struct reader *r, uint8_t head, int depth);

static bool
check_long_string(struct reader *r, uint8_t head) {
	size_t width = SERI_SUB_OF(head);
	if (reader_left(r) < width)
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	size_t length = width == 2 ? load16(r->at) : load32(r->at);
	r->at += width;
	if (reader_left(r) < length)
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	r->at += length;
	return true;
}

/// Checks one value, whose first byte is there. `depth` is the number of tables around it.
static inline bool
check_value(struct reader *r, int depth) {
	uint8_t head = *r->at++;
	size_t size = operand_size[head];
	if (size < INVALID) {
		if (reader_left(r) < size)
			return reader_fail(r, DEFECT_STREAM, __LINE__);
		r->at += size;
		return true;
	}
	if (size == INVALID)
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	if (SERI_TYPE_OF(head) == SERI_TABLE)
		return check_table(r, head, depth + 1);
	return check_long_string(r, head);
}

/// Reads an explicit array count: 32 bits of it, signed; negative counts as 0.
static bool
check_count(struct reader *r, uint32_t *count) {
	if (r->at == r->end)
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	uint8_t head = *r->at++;
	if (SERI_TYPE_OF(head) != SERI_NUMBER || SERI_SUB_OF(head) == SERI_F64 ||
		operand_size[head] == INVALID || reader_left(r) < operand_size[head])
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	uint32_t value = 0;
	switch (SERI_SUB_OF(head)) {
	case SERI_U8:
		value = *r->at;
		break;
	case SERI_U16:
		value = load16(r->at);
		break;
	case SERI_I32:
	case SERI_I64:
		value = load32(r->at);
		break;
	default:
		break;
	}
	r->at += operand_size[head];
	*count = value > INT32_MAX ? 0 : value;
	return true;
}

static bool
key_is_nan(const uint8_t *key) {
	if (*key != SERI_HEAD(SERI_NUMBER, SERI_F64))
		return false;
	lua_Number value = load_float(key + 1);
	return value != value;
}

static bool
check_table(struct reader *r, uint8_t head, int depth) {
	if (depth > SERI_UNPACK_DEPTH)
		return reader_fail(r, DEFECT_STREAM, __LINE__);
	if (depth > r->depth_max)
		r->depth_max = depth;
	int table = r->tables++;
	uint32_t count = SERI_SUB_OF(head);
	if (count == SERI_COUNT_FOLLOWS && !check_count(r, &count))
		return false;
	for (; count > 0; count--) {
		if (r->at == r->end)
			return reader_fail(r, DEFECT_STREAM, __LINE__);
		if (!check_value(r, depth))
			return false;
	}
	for (uint32_t pairs = 0;; pairs++) {
		if (r->at == r->end)
			return reader_fail(r, DEFECT_STREAM, __LINE__);
		const uint8_t *key = r->at;
		if (SERI_TYPE_OF(*key) == SERI_NIL) {
			r->at++;
			if (table < COUNTED_TABLES)
				r->pairs[table] = pairs;
			return true;
		}
		if (!check_value(r, depth))
			return false;
		if (r->at == r->end)
			return reader_fail(r, DEFECT_STREAM, __LINE__);
		if (!check_value(r, depth))
			return false;
		if (key_is_nan(key))
			return reader_fail(r, DEFECT_NAN_KEY, __LINE__);
	}
}

/* ---- second pass ---- */

static void build_table(lua_State *L, struct reader *r, uint8_t head);

static void
build_number(lua_State *L, struct reader *r, uint8_t head) {
	lua_Integer value = 0;
	switch (SERI_SUB_OF(head)) {
	case SERI_U8:
		value = *r->at;
		r->at += 1;
		break;
	case SERI_U16:
		value = load16(r->at);
		r->at += 2;
		break;
	case SERI_I32:
		value = (int32_t)load32(r->at);
		r->at += 4;
		break;
	case SERI_I64:
		value = (lua_Integer)load64(r->at);
		r->at += 8;
		break;
	case SERI_F64:
		lua_pushnumber(L, load_float(r->at));
		r->at += 8;
		return;
	default:
		break;
	}
	lua_pushinteger(L, value);
}

static void
build_long_string(lua_State *L, struct reader *r, uint8_t head) {
	size_t width = SERI_SUB_OF(head);
	size_t length = width == 2 ? load16(r->at) : load32(r->at);
	r->at += width;
	lua_pushlstring(L, (const char *)r->at, length);
	r->at += length;
}

/// Pushes the next value.
static inline void
build_value(lua_State *L, struct reader *r) {
	uint8_t head = *r->at++;
	switch (SERI_TYPE_OF(head)) {
	case SERI_SHORT_STRING:
		lua_pushlstring(L, (const char *)r->at, SERI_SUB_OF(head));
		r->at += SERI_SUB_OF(head);
		break;
	case SERI_NUMBER:
		build_number(L, r, head);
		break;
	case SERI_TABLE:
		build_table(L, r, head);
		break;
	case SERI_BOOLEAN:
		lua_pushboolean(L, SERI_SUB_OF(head) != 0);
		break;
	case SERI_LONG_STRING:
		build_long_string(L, r, head);
		break;
	case SERI_POINTER: {
		void *value;
		memcpy(&value, r->at, sizeof value);
		r->at += sizeof value;
		lua_pushlightuserdata(L, value);
		break;
	}
	default:
		lua_pushnil(L);
		break;
	}
}

static void
build_table(lua_State *L, struct reader *r, uint8_t head) {
	int table = r->tables++;
	uint32_t count = SERI_SUB_OF(head);
	if (count == SERI_COUNT_FOLLOWS)
		check_count(r, &count);
	uint32_t pairs = table < COUNTED_TABLES ? r->pairs[table] : 0;
	lua_createtable(L, (int)count, (int)(pairs < INT32_MAX ? pairs : 0));
	for (uint32_t i = 1; i <= count; i++) {
		build_value(L, r);
		lua_rawseti(L, -2, i);
	}
	while (SERI_TYPE_OF(*r->at) != SERI_NIL) {
		build_value(L, r);
		build_value(L, r);
		lua_rawset(L, -3);
	}
	r->at++;
}

/* ---- both ---- */

/// Pushes all values and returns their count, or returns -1 with the defect in `r`.
static int
unpack_all(lua_State *L, struct reader *r, const void *data, size_t size) {
	r->at = data;
	r->end = r->at + size;
	r->defect = DEFECT_NONE;
	r->tables = 0;
	r->depth_max = 0;
	int count = 0;
	while (r->at < r->end) {
		if (!check_value(r, 0))
			return -1;
		if (++count >= LUAI_MAXSTACK)
			break;
	}
	if (!lua_checkstack(L, count + r->depth_max * SLOTS_PER_TABLE)) {
		reader_fail(r, DEFECT_TOO_MANY, __LINE__);
		return -1;
	}
	r->at = data;
	r->tables = 0;
	for (int i = 0; i < count; i++)
		build_value(L, r);
	return count;
}

int
seri_try_unpack(lua_State *L, const void *data, size_t size, size_t *bytes_left) {
	struct reader r;
	if (size == 0)
		return 0;
	int count = unpack_all(L, &r, data, size);
	if (count < 0 && bytes_left != NULL)
		*bytes_left = reader_left(&r);
	return count;
}

int
seri_unpack(lua_State *L, const void *data, size_t size) {
	struct reader r;
	if (size == 0)
		return 0;
	int count = unpack_all(L, &r, data, size);
	if (count >= 0)
		return count;
	if (r.defect == DEFECT_NAN_KEY)
		return luaL_error(L, "table index is NaN");
	if (r.defect == DEFECT_TOO_MANY)
		return luaL_error(L, "stack overflow");
	return luaL_error(
		L, "Invalid serialize stream %I (line:%d)", (LUAI_UACINT)reader_left(&r), r.line);
}

int
seri_call_unpack(lua_State *L) {
	if (lua_isnoneornil(L, 1))
		return 0;
	const void *data;
	size_t size;
	if (lua_type(L, 1) == LUA_TSTRING) {
		data = lua_tolstring(L, 1, &size);
	} else {
		data = lua_touserdata(L, 1);
		lua_Integer length = luaL_checkinteger(L, 2);
		luaL_argcheck(L, length >= 0, 2, "negative size");
		size = (size_t)length;
		if (size == 0)
			return 0;
		if (data == NULL)
			return luaL_error(L, "deserialize null pointer");
	}
	/* The string stays on the stack below the values, so that it lives as long as it is read.
	 */
	return seri_unpack(L, data, size);
}
