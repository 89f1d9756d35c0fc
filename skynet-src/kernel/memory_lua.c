/* The function of malloc_hook.h that fills a Lua table: any Lua C module may call it, so it is
 * where all of them find it, in the executable. Thread of the service whose state it is.
 */
#include <lua.h>

#include "malloc_hook.h"

struct account {
	uint32_t handle;
	size_t bytes;
};

/* Filled without calling Lua, which could raise in the middle of the list. */
struct account_list {
	struct account *items; /* NULL: only count */
	size_t count, capacity;
};

static void
add_account(void *ud, uint32_t handle, size_t bytes) {
	struct account_list *list = ud;
	if (list->items != NULL && list->count < list->capacity)
		list->items[list->count] = (struct account){handle, bytes};
	list->count++;
}

int
dump_mem_lua(lua_State *L) {
	struct account_list list = {NULL, 0, 0};
	malloc_each_service(add_account, &list);
	list.capacity = list.count;
	list.count = 0;
	list.items = lua_newuserdatauv(L, (list.capacity + 1) * sizeof *list.items, 0);
	malloc_each_service(add_account, &list);
	size_t count = list.count < list.capacity ? list.count : list.capacity;
	lua_createtable(L, 0, (int)count);
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(L, (lua_Integer)list.items[i].bytes);
		lua_rawseti(L, -2, list.items[i].handle);
	}
	return 1;
}
