/* The table of strings of a copied state. Lua chains the strings of the same hash through
 * themselves. Those that copies share are the common end of a chain: Lua puts new strings in
 * front, and never removes the shared ones, which the collector does not know.
 *
 * Only a change of the table's size would write into them, so they are not in the table while it
 * is made larger: taken out when Lua asks for the new array, put in again when it asks for the
 * block of the new string that made it ask. A chain of the first table then ends two or more of
 * the larger one, which makes the search longer, not wrong. The table is never made smaller: Lua
 * does that when it is less than a quarter full, and is told of so many more strings.
 */
#include <string.h>

#include "snlua_share.h"

#define TRIAL_GROWTH 4 /* times the size of the table */
#define TRIAL_FORMAT "snlua.trial.%d"

static inline bool
is_shared(const struct shared_part *part, const char *string) {
	return (uintptr_t)string - (uintptr_t)part->bytes < part->size;
}

/// The link behind the last string of a chain that is not shared.
static char **
chain_end(const struct shared_part *part, char **link) {
	while (*link != NULL && !is_shared(part, *link))
		link = (char **)(void *)(*link + STRING_NEXT);
	return link;
}

void
snlua_strings_init(struct snlua *service, const struct shared_part *part, char *copy) {
	service->shared = part;
	service->strings = (char **)(void *)(copy + part->table);
	service->string_count = part->count;
	service->string_fill = (int *)(void *)(copy + part->fill);
}

void
snlua_strings_moved(struct snlua *service, void *moved, size_t size) {
	char **strings = moved;
	uint32_t count = (uint32_t)(size / sizeof *strings);
	if (count < service->string_count) {
		/* Not in any Lua 5.4: it has distributed the shared strings too, which the trial
		 * of the image finds out. */
		service->strings = strings;
		service->string_count = count;
		return;
	}
	for (uint32_t i = 0; i < service->string_count; i++)
		*chain_end(service->shared, &strings[i]) = NULL;
	*service->string_fill += STRINGS_BIAS(count) - STRINGS_BIAS(service->string_count);
	service->strings = strings;
	service->string_count = count;
	service->strings_apart = 1;
}

void
snlua_strings_join(struct snlua *service) {
	const struct shared_part *part = service->shared;
	for (uint32_t i = 0; i < service->string_count; i++)
		*chain_end(part, &service->strings[i]) = part->chains[i & (part->count - 1)];
	service->strings_apart = 0;
}

/* ---- trial ---- */

/// Raises unless Lua finds each shared string.
static void
check_found(lua_State *L, const struct shared_part *part) {
	for (uint32_t i = 0; i < part->count; i++) {
		const char *string = part->chains[i];
		while (string != NULL) {
			const char *text = string + STRING_HEADER;
			lua_pushlstring(L, text, (uint8_t)string[STRING_LENGTH]);
			if (lua_tostring(L, -1) != text)
				luaL_error(L, "a string is lost");
			lua_pop(L, 1);
			memcpy(&string, string + STRING_NEXT, sizeof string);
		}
	}
}

void
snlua_strings_check(lua_State *L, const struct snlua *service) {
	const struct shared_part *part = service->shared;
	int count = (int)(part->count * TRIAL_GROWTH);
	check_found(L, part);
	lua_createtable(L, count, 0);
	for (int i = 1; i <= count; i++) {
		lua_pushfstring(L, TRIAL_FORMAT, i);
		lua_rawseti(L, -2, i);
	}
	if (service->string_count < part->count * TRIAL_GROWTH)
		luaL_error(L, "the table of strings is another one");
	check_found(L, part);
	for (int i = 1; i <= count; i++) {
		lua_pushfstring(L, TRIAL_FORMAT, i);
		if (lua_rawgeti(L, -2, i) != LUA_TSTRING || !lua_rawequal(L, -1, -2) ||
			lua_tostring(L, -1) != lua_tostring(L, -2))
			luaL_error(L, "a string is there twice");
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCCOLLECT);
	check_found(L, part);
}
