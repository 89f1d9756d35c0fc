/* Functions of timeouts that have no task yet. See the header. */
#include "lua_timeout.h"

#include <lauxlib.h>
#include <stddef.h>

#include "skynet_malloc.h"

#define PAGE_SIZE 256 /* 4 KiB */
/* A page is opened when this many consecutive sessions were added and this many functions wait: so
 * the pages are at least a quarter full. */
#define BURST (PAGE_SIZE / 4)

/* The functions of PAGE_SIZE consecutive sessions. */
struct timeout_page {
	int number; /* number_of the sessions */
	int ref;    /* in the registry: a table with the functions at place_of the session */
	int count;  /* functions in it */
};

/* ---- pages ---- */

static inline int
number_of(int session) {
	return (int)((uint32_t)session / PAGE_SIZE);
}

static inline int
place_of(int session) {
	return 1 + (int)((uint32_t)session % PAGE_SIZE);
}

static struct session_entry *
page_entry(struct timeout_store *store, int number) {
	return session_find(&store->pages, number + 1);
}

static void
note_page(struct timeout_store *store, struct timeout_page *page, int number) {
	page->number = number;
	session_add(&store->pages, number + 1, SESSION_START, page);
}

/// The page of `session`, or NULL.
static inline struct timeout_page *
find_page(struct timeout_store *store, int session) {
	int number = number_of(session);
	if (store->pages.count == 0)
		return NULL;
	if (store->page->number == number)
		return store->page;
	const struct session_entry *entry = page_entry(store, number);
	return entry != NULL ? entry->owner : NULL;
}

static struct timeout_page *
make_page(lua_State *L) {
	lua_createtable(L, PAGE_SIZE, 0);
	int ref = luaL_ref(L, LUA_REGISTRYINDEX);
	struct timeout_page *page = skynet_malloc(sizeof *page);
	*page = (struct timeout_page){.ref = ref};
	return page;
}

/// Opens the page of `session`, which is not there yet: the last one if that is empty, or a new
/// one.
static struct timeout_page *
open_page(lua_State *L, struct timeout_store *store, int session) {
	struct timeout_page *page = store->page;
	if (page != NULL && page->count == 0)
		session_remove(&store->pages, page_entry(store, page->number));
	else
		page = make_page(L);
	note_page(store, page, number_of(session));
	store->page = page;
	return page;
}

static void
close_page(lua_State *L, struct timeout_store *store, struct timeout_page *page) {
	luaL_unref(L, LUA_REGISTRYINDEX, page->ref);
	session_remove(&store->pages, page_entry(store, page->number));
	skynet_free(page);
}

/* ---- interface ---- */

void
timeout_store_clear(struct timeout_store *store) {
	for (uint32_t i = 0; store->pages.count > 0 && i <= store->pages.mask; i++) {
		if (store->pages.entries[i].session != 0)
			skynet_free(store->pages.entries[i].owner);
	}
	session_table_clear(&store->pages);
	*store = (struct timeout_store)TIMEOUT_STORE_EMPTY;
}

/// True when `session` belongs to a burst that is long enough for a page.
static inline bool
in_burst(struct timeout_store *store, int session) {
	store->run = session - 1 == store->last ? store->run + 1 : 0;
	store->last = session;
	return store->run >= BURST && store->count >= BURST;
}

/// The registry reference of the table of functions that are not in pages.
static int
scattered(lua_State *L, struct timeout_store *store) {
	if (store->scattered == LUA_NOREF) {
		lua_newtable(L);
		store->scattered = luaL_ref(L, LUA_REGISTRYINDEX);
	}
	return store->scattered;
}

void
timeout_store_add(lua_State *L, struct timeout_store *store, int index, int session) {
	bool burst = in_burst(store, session);
	struct timeout_page *page = find_page(store, session);
	if (page == NULL && burst)
		page = open_page(L, store, session);
	lua_rawgeti(L, LUA_REGISTRYINDEX, page != NULL ? page->ref : scattered(L, store));
	lua_pushvalue(L, index);
	if (page != NULL) {
		lua_rawseti(L, -2, place_of(session));
		page->count++;
	} else {
		lua_rawseti(L, -2, session);
	}
	store->count++;
}

/// Pushes a table and what it has at `key`. Returns false, pushing nothing, when that is nil.
static inline bool
push_from(lua_State *L, int ref, int key) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
	if (lua_rawgeti(L, -1, key) != LUA_TNIL)
		return true;
	lua_pop(L, 2);
	return false;
}

/// Replaces the table and its value at the top by the value, and sets nil at `key`.
static inline void
keep_value(lua_State *L, int key) {
	lua_insert(L, -2);
	lua_pushnil(L);
	lua_rawseti(L, -2, key);
	lua_pop(L, 1);
}

bool
timeout_store_take(lua_State *L, struct timeout_store *store, int session) {
	struct timeout_page *page = find_page(store, session);
	int place = place_of(session);
	if (page != NULL && push_from(L, page->ref, place)) {
		keep_value(L, place);
		if (--page->count == 0 && page != store->page)
			close_page(L, store, page);
	} else if (store->scattered != LUA_NOREF && push_from(L, store->scattered, session)) {
		keep_value(L, session);
	} else {
		return false;
	}
	store->count--;
	return true;
}

bool
timeout_store_has(lua_State *L, struct timeout_store *store, int session) {
	const struct timeout_page *page = find_page(store, session);
	bool found = (page != NULL && push_from(L, page->ref, place_of(session))) ||
		     (store->scattered != LUA_NOREF && push_from(L, store->scattered, session));
	if (found)
		lua_pop(L, 2);
	return found;
}

/// A page with functions, or NULL.
static struct timeout_page *
full_page(const struct session_table *pages) {
	for (uint32_t i = 0; pages->count > 0 && i <= pages->mask; i++) {
		struct timeout_page *page = pages->entries[i].owner;
		if (pages->entries[i].session != 0 && page->count > 0)
			return page;
	}
	return NULL;
}

/// The first session of `page` behind `after` that has a function, 0 when there is none.
static int
next_in_page(lua_State *L, const struct timeout_page *page, int after) {
	int begin = page->number * PAGE_SIZE;
	int place = after >= begin ? place_of(after) + 1 : 1;
	for (; place <= PAGE_SIZE; place++) {
		if (push_from(L, page->ref, place)) {
			lua_pop(L, 2);
			return begin + (place - 1); /* the last one is INT_MAX */
		}
	}
	return 0;
}

/// The session behind `after` among the scattered ones, 0 at the end. The table has not grown since
/// `after` was in it.
static int
next_scattered(lua_State *L, const struct timeout_store *store, int after) {
	int session = 0;
	lua_rawgeti(L, LUA_REGISTRYINDEX, store->scattered);
	if (after != 0)
		lua_pushinteger(L, after);
	else
		lua_pushnil(L);
	if (lua_next(L, -2) != 0) {
		session = (int)lua_tointeger(L, -2);
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	return session;
}

int
timeout_store_next(lua_State *L, struct timeout_store *store, struct timeout_cursor *cursor) {
	int before = cursor->session;
	/* Functions that were added since may be in front of the cursor, and the table may have
	 * been rehashed. */
	if (cursor->last != store->last)
		before = 0;
	cursor->last = store->last;
	const struct timeout_page *page = before != 0 ? find_page(store, before) : NULL;
	if (page == NULL || page->count == 0) {
		before = cursor->in_page ? 0 : before;
		page = full_page(&store->pages);
	}
	cursor->in_page = page != NULL;
	if (page != NULL)
		cursor->session = next_in_page(L, page, before);
	else
		cursor->session = store->count > 0 ? next_scattered(L, store, before) : 0;
	return cursor->session;
}
