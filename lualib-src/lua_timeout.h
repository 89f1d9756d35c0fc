/* The functions of timeouts that have no task yet, by session. They are kept in one Lua table with
 * sessions as keys. But when many timeouts are made in a burst, so that their sessions are
 * consecutive, each 256 sessions have a table (page) of their own: one big table would be moved
 * whenever it grows, and the garbage collector would visit all of it after each change.
 * Belongs to one service, no locking.
 */
#ifndef SKYNET_LUA_TIMEOUT_H
#define SKYNET_LUA_TIMEOUT_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "lua_session.h"

struct timeout_page;

struct timeout_store {
	int scattered;             /* registry reference: session to function; LUA_NOREF at first */
	int last;                  /* the last session that was added */
	uint32_t run;              /* length of the run of consecutive sessions that `last` ends */
	lua_Integer count;         /* number of functions */
	struct timeout_page *page; /* the last one opened, kept even when empty; NULL at first */
	struct session_table pages; /* number of the page + 1 to struct timeout_page */
};

#define TIMEOUT_STORE_EMPTY \
	{ .scattered = LUA_NOREF }

/// Frees the C memory of the store. Called when the Lua state is closed.
void timeout_store_clear(struct timeout_store *store);

/// Adds the function at stack index `index`. `session` is positive and not in use. When it raises,
/// nothing was added. Leaves one value on the stack, which the caller ignores.
void timeout_store_add(lua_State *L, struct timeout_store *store, int index, int session);

/// Takes the function of `session` out and pushes it onto `L`, which needs two free slots. Returns
/// false, pushing nothing, when there is none.
bool timeout_store_take(lua_State *L, struct timeout_store *store, int session);

/// True when `session` has a function. `L` needs two free slots.
bool timeout_store_has(lua_State *L, struct timeout_store *store, int session);

/* Position of a walk through all functions; initialised with zeros. */
struct timeout_cursor {
	int session; /* the last one that was returned */
	int last;    /* store->last then */
	bool in_page;
};

/// Returns a session that has a function, or 0 when there is none. The caller must have taken the
/// session returned before; others may have been added and taken meanwhile. `L` needs three free
/// slots.
int timeout_store_next(lua_State *L, struct timeout_store *store, struct timeout_cursor *cursor);

#endif
