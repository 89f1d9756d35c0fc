/* The bytes of packed values, the same as in the reference. A value begins with a head byte: its
 * type in bits 0..2, `sub` in bits 3..7. Numbers and lengths that follow are little-endian. A table
 * is its head, the count as a number value if SERI_COUNT_FOLLOWS, the values of the array, then
 * pairs of key and value, and a nil. Constants only.
 */
#ifndef SKYNET_LUA_SERI_FORMAT_H
#define SKYNET_LUA_SERI_FORMAT_H

#include <stdint.h>

enum seri_type {
	SERI_NIL = 0,
	SERI_BOOLEAN = 1,      /* sub: 0 false, else true */
	SERI_NUMBER = 2,       /* sub: enum seri_number */
	SERI_POINTER = 3,      /* native pointer follows */
	SERI_SHORT_STRING = 4, /* sub: length */
	SERI_LONG_STRING = 5,  /* sub: size of the length that follows, 2 or 4 */
	SERI_TABLE = 6,        /* sub: array count, or SERI_COUNT_FOLLOWS */
};

enum seri_number {
	SERI_ZERO = 0,
	SERI_U8 = 1,
	SERI_U16 = 2,
	SERI_I32 = 4,
	SERI_I64 = 6,
	SERI_F64 = 8,
};

#define SERI_SHORT_MAX     31 /* longest short string */
#define SERI_COUNT_FOLLOWS 31 /* the array count is a number value behind the head */

#define SERI_HEAD(type, sub) ((uint8_t)((type) | (sub) << 3))
#define SERI_TYPE_OF(head)   ((head)&7)
#define SERI_SUB_OF(head)    ((head) >> 3)

#endif
