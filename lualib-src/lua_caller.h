/* Whether the Lua code that called a C function uses its result. Lua knows, but has no function to
 * ask: the answer is read from the call frame, whose layout is checked against known calls first.
 * Where the check fails, the answer is always yes. So this may save work, and decides nothing else.
 */
#ifndef SKYNET_LUA_CALLER_H
#define SKYNET_LUA_CALLER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/// True when the layout of frames is the expected one. Costs three calls; once per state.
bool caller_layout_known(lua_State *L);

/* The head of a call frame of Lua 5.4, up to what is read here. */
struct caller_frame {
	void *function, *top, *previous, *next;
	void *state[3];
	int transfer;
	short result_count;
};

/// False when the C function whose frame this is was called for its effect alone. Only with a known
/// layout.
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
