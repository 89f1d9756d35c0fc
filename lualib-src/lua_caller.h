/* Tells whether the Lua code that called a C function uses its result. The Lua API cannot tell, so
 * this is read from the call frame, whose layout is first checked against known calls. If the check
 * fails, callers assume that the result is used. So the answer may only be used to save work, never
 * to change what a program can observe.
 */
#ifndef SKYNET_LUA_CALLER_H
#define SKYNET_LUA_CALLER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/// True when call frames have the expected layout. Makes three calls to find out: once per state.
bool caller_layout_known(lua_State *L);

/* The head of a call frame of Lua 5.4, up to what is read here. */
struct caller_frame {
	void *function, *top, *previous, *next;
	void *state[3];
	int transfer;
	short result_count;
};

/// False when the caller of the C function with this frame discards its results. Only when
/// caller_layout_known returned true.
static inline bool
caller_wants_result_of(const lua_Debug *frame) {
	short result_count;
	const char *at = (const char *)frame->i_ci + offsetof(struct caller_frame, result_count);
	memcpy(&result_count, at, sizeof result_count);
	return result_count != 0;
}

/// The same for the running C function.
static inline bool
caller_wants_result(lua_State *L) {
	lua_Debug frame;
	lua_getstack(L, 0, &frame);
	return caller_wants_result_of(&frame);
}

#endif
