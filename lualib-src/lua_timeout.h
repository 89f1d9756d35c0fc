/* Functions of timeouts that have no task yet, by session. Few of them lie in one Lua table with
 * the sessions as keys. Those of a burst, when one session follows the other, lie in pages of
 * consecutive sessions: what is there need not be moved when more comes, and what needs not be
 * looked at again by the collector is not.
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
	int scattered;     /* registry reference: session to function; LUA_NOREF at first */
	int last;          /* the youngest session */
	uint32_t run;      /* sessions up to that one of which each followed the one before */
	lua_Integer count; /* functions in all */
	struct timeout_page *page;  /* the last one opened: stays when it is empty; NULL at first */
	struct session_table pages; /* number of the page + 1 to struct timeout_page */
};

#define TIMEOUT_STORE_EMPTY \
	{ .scattered = LUA_NOREF }

/// Frees the memory outside of the Lua state, when that is closed.
void timeout_store_clear(struct timeout_store *store);

/// Keeps the function at stack index `index`. `session` is positive and not in use. May raise, and
/// keeps nothing then. Leaves a value of no meaning on the stack.
void timeout_store_add(lua_State *L, struct timeout_store *store, int index, int session);

/// Takes the function of `session` out and pushes it onto `L`, which needs two free slots. Returns
/// false, pushing nothing, when there is none.
bool timeout_store_take(lua_State *L, struct timeout_store *store, int session);

/// True when `session` has a function. `L` needs two free slots.
bool timeout_store_has(lua_State *L, struct timeout_store *store, int session);

/* Where a walk through all functions is; all zero at first. */
struct timeout_cursor {
	int session; /* the last one that was returned */
	int last;    /* store->last then */
	bool in_page;
};

/// Returns a session that has a function, 0 when there is none. The one that was returned before
/// has been taken since, others may have come and gone. `L` needs three free slots.
int timeout_store_next(lua_State *L, struct timeout_store *store, struct timeout_cursor *cursor);

#endif
