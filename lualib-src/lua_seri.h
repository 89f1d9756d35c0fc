/* Packs Lua values into bytes and unpacks them: the payload of the protocol "lua".
 *
 * While packing, a __pairs metamethod or a finaliser may run and itself pack into the same scratch
 * buffer; so values that are packed at that time are written elsewhere (see struct writer).
 * Unpacking first checks the whole input and then builds the values, so that malformed input costs
 * no memory. No state of its own; each call belongs to the thread that runs `L`.
 */
#ifndef SKYNET_LUA_SERI_H
#define SKYNET_LUA_SERI_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* Deepest nesting of tables that packing allows; the innermost must be empty. */
#define SERI_PACK_DEPTH 33

/* Unpacking refuses deeper input as malformed. */
#define SERI_UNPACK_DEPTH 128

/* Scratch memory that each pack of a service uses again. Initialised with zeros. */
struct seri_buffer {
	char *data; /* skynet_malloc */
	size_t size, capacity;
	bool raw; /* what layout_known returned: packing may read tables in place */
};

/// Frees what the buffer holds; it may be used again.
void seri_buffer_clear(struct seri_buffer *buffer);

/// Packs the stack values `from` (absolute index) to top into `out`, whose old content is lost. The
/// stack is as before. Raises a Lua error for a value that cannot be packed; `out` stays usable.
void seri_pack(lua_State *L, int from, struct seri_buffer *out);

/// As seri_pack. Gives a block of exactly `*size` bytes (skynet_free), never NULL.
void *seri_pack_block(lua_State *L, int from, struct seri_buffer *scratch, size_t *size);

/// Packs values that are not in a Lua state, and so needs no memory of one. `format` has a letter
/// per value: 's' const char *, 'i' lua_Integer, 'b' int as a boolean. Gives a block of `*size`
/// bytes (skynet_free).
void *seri_pack_plain(size_t *size, const char *format, ...);

/// Pushes the values that `data` holds and returns their count. Borrows `data`. Raises
/// "Invalid serialize stream N (line:M)" for malformed input, with N bytes unread.
int seri_unpack(lua_State *L, const void *data, size_t size);

/// As seri_unpack, but returns -1 with the stack as before and the number of unread bytes in
/// `*bytes_left` (may be NULL) when the input is malformed. Raises only when memory runs out.
int seri_try_unpack(lua_State *L, const void *data, size_t size, size_t *bytes_left);

/// Bodies of the Lua functions pack(...) -> light userdata, size; packstring(...) -> string.
int seri_call_pack(lua_State *L, struct seri_buffer *scratch);
int seri_call_packstring(lua_State *L, struct seri_buffer *scratch);

/// The Lua function unpack(string) or unpack(pointer, size) -> values.
int seri_call_unpack(lua_State *L);

#endif
