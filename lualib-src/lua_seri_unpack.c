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

/* The first tables of the input have their pair counts remembered, and are created at their exact
 * size; later ones grow while they are filled. */
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
	const uint8_t *end;
	const uint8_t *at; /* first unread byte, when there is a defect */
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
bytes_between(const uint8_t *at, const uint8_t *end) {
	return (size_t)(end - at);
}

/// Notes that the input is malformed and that the bytes from `at` on are unread. Returns NULL.
static __attribute__((cold)) const uint8_t *
reader_fail(struct reader *r, const uint8_t *at, enum defect defect, int line) {
	r->at = at;
	r->defect = defect;
	r->line = line;
	return NULL;
}

/* ---- first pass: functions take the place to read at and return where they ended, or NULL ---- */

static const uint8_t *check_table(struct reader *r, const uint8_t *at, uint8_t head, int depth);

static const uint8_t *
check_long_string(struct reader *r, const uint8_t *at, uint8_t head) {
	size_t width = SERI_SUB_OF(head);
	if (bytes_between(at, r->end) < width)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	size_t length = width == 2 ? load16(at) : load32(at);
	at += width;
	if (bytes_between(at, r->end) < length)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	return at + length;
}

/// Checks one value. `depth` is the number of tables around it.
static inline const uint8_t *
check_value(struct reader *r, const uint8_t *at, int depth) {
	if (at == r->end)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	uint8_t head = *at++;
	size_t size = operand_size[head];
	if (__builtin_expect(size < INVALID, 1)) {
		if (bytes_between(at, r->end) < size)
			return reader_fail(r, at, DEFECT_STREAM, __LINE__);
		return at + size;
	}
	if (size == INVALID)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	if (SERI_TYPE_OF(head) == SERI_TABLE)
		return check_table(r, at, head, depth + 1);
	return check_long_string(r, at, head);
}

/// Reads an explicit array count: 32 bits of it, signed; negative counts as 0.
static const uint8_t *
check_count(struct reader *r, const uint8_t *at, uint32_t *count) {
	if (at == r->end)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	uint8_t head = *at++;
	if (SERI_TYPE_OF(head) != SERI_NUMBER || SERI_SUB_OF(head) == SERI_F64 ||
		operand_size[head] == INVALID || bytes_between(at, r->end) < operand_size[head])
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	uint32_t value = 0;
	switch (SERI_SUB_OF(head)) {
	case SERI_U8:
		value = *at;
		break;
	case SERI_U16:
		value = load16(at);
		break;
	case SERI_I32:
	case SERI_I64:
		value = load32(at);
		break;
	default:
		break;
	}
	*count = value > INT32_MAX ? 0 : value;
	return at + operand_size[head];
}

static inline bool
key_is_nan(const uint8_t *key) {
	if (__builtin_expect(*key != SERI_HEAD(SERI_NUMBER, SERI_F64), 1))
		return false;
	lua_Number value = load_float(key + 1);
	return value != value;
}

/// Checks the pairs of a table and the nil behind them, and counts them.
static const uint8_t *
check_pairs(struct reader *r, const uint8_t *at, int depth, uint32_t *count) {
	uint32_t pairs = 0;
	for (; at != r->end && SERI_TYPE_OF(*at) != SERI_NIL; pairs++) {
		const uint8_t *key = at;
		at = check_value(r, at, depth);
		if (at == NULL)
			return NULL;
		at = check_value(r, at, depth);
		if (at == NULL)
			return NULL;
		if (key_is_nan(key))
			return reader_fail(r, at, DEFECT_NAN_KEY, __LINE__);
	}
	if (at == r->end)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	*count = pairs;
	return at + 1;
}

static const uint8_t *
check_table(struct reader *r, const uint8_t *at, uint8_t head, int depth) {
	if (depth > SERI_UNPACK_DEPTH)
		return reader_fail(r, at, DEFECT_STREAM, __LINE__);
	if (depth > r->depth_max)
		r->depth_max = depth;
	int table = r->tables++;
	uint32_t count = SERI_SUB_OF(head);
	if (count == SERI_COUNT_FOLLOWS) {
		at = check_count(r, at, &count);
		if (at == NULL)
			return NULL;
	}
	for (; count > 0; count--) {
		at = check_value(r, at, depth);
		if (at == NULL)
			return NULL;
	}
	uint32_t pairs;
	at = check_pairs(r, at, depth, &pairs);
	if (at != NULL && table < COUNTED_TABLES)
		r->pairs[table] = pairs;
	return at;
}

/* ---- second pass: functions take the place to read at and return where they ended ---- */

static const uint8_t *build_table(lua_State *L, struct reader *r, const uint8_t *at, uint8_t head);

static inline __attribute__((always_inline)) const uint8_t *
build_number(lua_State *L, const uint8_t *at, uint8_t head) {
	switch (SERI_SUB_OF(head)) {
	case SERI_U8:
		lua_pushinteger(L, *at);
		return at + 1;
	case SERI_U16:
		lua_pushinteger(L, load16(at));
		return at + 2;
	case SERI_I32:
		lua_pushinteger(L, (int32_t)load32(at));
		return at + 4;
	case SERI_I64:
		lua_pushinteger(L, (lua_Integer)load64(at));
		return at + 8;
	case SERI_F64:
		lua_pushnumber(L, load_float(at));
		return at + 8;
	default:
		lua_pushinteger(L, 0);
		return at;
	}
}

static const uint8_t *
build_long_string(lua_State *L, const uint8_t *at, uint8_t head) {
	size_t width = SERI_SUB_OF(head);
	size_t length = width == 2 ? load16(at) : load32(at);
	at += width;
	lua_pushlstring(L, (const char *)at, length);
	return at + length;
}

/// Pushes the next value.
static inline __attribute__((always_inline)) const uint8_t *
build_value(lua_State *L, struct reader *r, const uint8_t *at) {
	uint8_t head = *at++;
	switch (SERI_TYPE_OF(head)) {
	case SERI_SHORT_STRING:
		lua_pushlstring(L, (const char *)at, SERI_SUB_OF(head));
		return at + SERI_SUB_OF(head);
	case SERI_NUMBER:
		return build_number(L, at, head);
	case SERI_TABLE:
		return build_table(L, r, at, head);
	case SERI_BOOLEAN:
		lua_pushboolean(L, SERI_SUB_OF(head) != 0);
		return at;
	case SERI_LONG_STRING:
		return build_long_string(L, at, head);
	case SERI_POINTER: {
		void *value;
		memcpy(&value, at, sizeof value);
		lua_pushlightuserdata(L, value);
		return at + sizeof value;
	}
	default:
		lua_pushnil(L);
		return at;
	}
}

static __attribute__((noinline)) const uint8_t *
build_table(lua_State *L, struct reader *r, const uint8_t *at, uint8_t head) {
	int number = r->tables++;
	uint32_t count = SERI_SUB_OF(head);
	if (count == SERI_COUNT_FOLLOWS)
		at = check_count(r, at, &count);
	uint32_t pairs = number < COUNTED_TABLES ? r->pairs[number] : 0;
	lua_createtable(L, (int)count, (int)(pairs < INT32_MAX ? pairs : 0));
	int table = lua_gettop(L);
	for (uint32_t i = 1; i <= count; i++) {
		at = build_value(L, r, at);
		lua_rawseti(L, table, i);
	}
	while (SERI_TYPE_OF(*at) != SERI_NIL) {
		/* Keys, mostly short strings, have code of their own: so the processor predicts
		 * their types apart from those of values. */
		if (SERI_TYPE_OF(*at) == SERI_SHORT_STRING) {
			size_t size = SERI_SUB_OF(*at);
			lua_pushlstring(L, (const char *)at + 1, size);
			at += 1 + size;
		} else {
			at = build_value(L, r, at);
		}
		at = build_value(L, r, at);
		lua_rawset(L, table);
	}
	return at + 1;
}

/* ---- both ---- */

/// Pushes all values and returns their count, or returns -1 with the defect in `r`.
static int
unpack_all(lua_State *L, struct reader *r, const void *data, size_t size) {
	const uint8_t *at = data;
	r->end = at + size;
	r->defect = DEFECT_NONE;
	r->tables = 0;
	r->depth_max = 0;
	int count = 0;
	while (at < r->end) {
		at = check_value(r, at, 0);
		if (at == NULL)
			return -1;
		if (++count >= LUAI_MAXSTACK)
			break;
	}
	if (!lua_checkstack(L, count + r->depth_max * SLOTS_PER_TABLE)) {
		reader_fail(r, at, DEFECT_TOO_MANY, __LINE__);
		return -1;
	}
	at = data;
	r->tables = 0;
	for (int i = 0; i < count; i++)
		at = build_value(L, r, at);
	return count;
}

int
seri_try_unpack(lua_State *L, const void *data, size_t size, size_t *bytes_left) {
	struct reader r;
	if (size == 0)
		return 0;
	int count = unpack_all(L, &r, data, size);
	if (count < 0 && bytes_left != NULL)
		*bytes_left = bytes_between(r.at, r.end);
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
	return luaL_error(L, "Invalid serialize stream %I (line:%d)",
		(LUAI_UACINT)bytes_between(r.at, r.end), r.line);
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
