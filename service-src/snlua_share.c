/* Sharing of what no copy of a state ever changes. A string or prototype that has the colour of
 * Lua's own fixed strings (the collector looks at white objects only) and is in none of the
 * collector's lists is neither traversed nor freed, and Lua writes into neither; the chains of the
 * table of strings go through the strings, but new ones are put in front (see snlua_strings.c).
 *
 * This rests on the inside of Lua 5.4: each assumption is checked against the state itself, and one
 * that does not hold means that nothing is shared.
 */
#include "snlua_share.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE           ((size_t)4096)
#define ALIGNMENT      ((size_t)8)
#define SHORT_MAX      40  /* longer ones are not in the table of strings */
#define CACHED_STRINGS 128 /* more than Lua remembers by the address of their text */
#define FIXED_STRING   "__index"

#define WORD sizeof(uintptr_t)

/* Its address is a registry key. */
static const char newest_key = 0;

/* ---- before ---- */

/// Makes Lua forget which texts it has seen at which addresses.
static void
forget_texts(lua_State *L) {
	char text[CACHED_STRINGS + SHORT_MAX + 2];
	memset(text, ' ', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < CACHED_STRINGS; i++) {
		lua_pushstring(L, text + i);
		lua_pop(L, 1);
	}
}

/// Lua hashes a long string when it first is a key: this is done now, for it writes. An equal one
/// is made and hashed; a table for trial is at the top of the stack. The collector is stopped.
static void
hash_long_string(const struct image_draft *draft, lua_State *L, const struct block *block) {
	char *string = block_bytes(block);
	lua_pushlstring(L, string + STRING_HEADER, block->size - STRING_HEADER - 1);
	const char *equal = lua_tostring(L, -1) - STRING_HEADER;
	bool known = block_bytes(draft->last) == equal && draft->last->size == block->size;
	lua_rawget(L, -2);
	lua_pop(L, 1);
	if (!known)
		return;
	string[STRING_EXTRA] = equal[STRING_EXTRA];
	memcpy(string + STRING_HASH, equal + STRING_HASH, sizeof(uint32_t));
}

static bool
is_long(const struct block *block) {
	return block->kind == LUA_TSTRING && block->size > STRING_HEADER + SHORT_MAX + 1;
}

void
share_prepare(struct image_draft *draft, lua_State *L) {
	int running = lua_gc(L, LUA_GCISRUNNING);
	lua_gc(L, LUA_GCSTOP);
	forget_texts(L);
	lua_newtable(L);
	const struct block *last = draft->last;
	for (const struct block *block = draft->first; block != last; block = block->next)
		if (is_long(block))
			hash_long_string(draft, L, block);
	lua_pop(L, 1);
	/* The list of objects shall begin with one that is not shared. */
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &newest_key);
	lua_gc(L, LUA_GCCOLLECT);
	if (running)
		lua_gc(L, LUA_GCRESTART);
}

/* ---- what the state looks like ---- */

static uint8_t
mark_of(const struct block *block) {
	return (uint8_t)block_bytes(block)[block_object(block) + STRING_MARK];
}

/// The mark of the strings that Lua fixes: of no colour that the collector looks at.
static bool
find_fixed_mark(struct share_layout *layout, lua_State *L) {
	lua_pushliteral(L, FIXED_STRING);
	uintptr_t address = (uintptr_t)lua_tostring(L, -1) - STRING_HEADER;
	lua_pop(L, 1);
	const struct block *string = draft_find_start(layout->draft, address);
	if (string == NULL || string->kind != LUA_TSTRING ||
		string->size != STRING_HEADER + sizeof FIXED_STRING)
		return false;
	layout->fixed_mark = mark_of(string);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &newest_key);
	const struct block *newest =
		draft_find_start(layout->draft, (uintptr_t)lua_topointer(L, -1));
	lua_pop(L, 1);
	/* What is alive after a collection has one colour. */
	return newest != NULL && mark_of(newest) != 0 &&
	       (layout->fixed_mark & mark_of(newest)) == 0;
}

/// Counts the strings, and checks that each is as its header says.
static bool
check_strings(struct share_layout *layout) {
	for (const struct block *block = layout->draft->first; block != NULL; block = block->next) {
		if (block->kind != LUA_TSTRING)
			continue;
		const char *string = block_bytes(block);
		size_t size = block->size - STRING_HEADER - 1;
		if (block->size <= STRING_HEADER || string[STRING_HEADER + size] != '\0')
			return false;
		layout->fixed_count += mark_of(block) == layout->fixed_mark;
		if (!is_long(block)) {
			layout->short_count++;
			if ((uint8_t)string[STRING_LENGTH] != size)
				return false;
		} else if (word_at(string, STRING_NEXT) != size || string[STRING_EXTRA] != 1) {
			return false;
		}
	}
	return layout->fixed_count > 1;
}

/// The number of strings in the chains of what may be the table of strings; 0 when it is not.
static size_t
count_chained(const struct share_layout *layout, const struct block *table) {
	size_t count = 0;
	for (size_t at = 0; at < table->size; at += WORD) {
		uintptr_t link = word_at(block_bytes(table), at);
		for (; link != 0; count++) {
			const struct block *string = draft_find_start(layout->draft, link);
			if (string == NULL || string->kind != LUA_TSTRING || is_long(string) ||
				count == layout->short_count)
				return 0;
			link = word_at(block_bytes(string), STRING_NEXT);
		}
	}
	return count;
}

/// Finds the table with all short strings, and its place and counters in the state.
static bool
find_table(struct share_layout *layout) {
	const char *state = block_bytes(layout->state);
	for (size_t at = 0; at + 2 * WORD <= layout->state->size; at += WORD) {
		const struct block *table = draft_find_start(layout->draft, word_at(state, at));
		int counters[2];
		memcpy(counters, state + at + WORD, sizeof counters);
		if (table == NULL || table->kind != 0 || counters[1] <= 0 ||
			table->size != (size_t)counters[1] * WORD ||
			(size_t)counters[0] != layout->short_count ||
			(counters[1] & (counters[1] - 1)) != 0 ||
			count_chained(layout, table) != layout->short_count)
			continue;
		layout->table = table;
		layout->table_place = at;
		return true;
	}
	return false;
}

/// Finds the counter of all bytes: it stands behind the allocator.
static bool
find_total(struct share_layout *layout) {
	const char *state = block_bytes(layout->state);
	for (size_t at = 0; at + 4 * WORD <= layout->state->size; at += WORD) {
		if (word_at(state, at) != (uintptr_t)image_draft_allocate ||
			word_at(state, at + WORD) != (uintptr_t)layout->draft)
			continue;
		layout->total_place = at + 2 * WORD;
		return word_at(state, at + 2 * WORD) + word_at(state, at + 3 * WORD) ==
		       layout->draft->used;
	}
	return false;
}

/* ---- the lists of the collector ---- */

static bool
is_sharable(const struct block *block) {
	return block->kind == LUA_TSTRING || block->kind == KIND_PROTO;
}

/// The object at `address`; NULL when there is none.
static struct block *
object_at(const struct image_draft *draft, uintptr_t address) {
	struct block *block = draft_find(draft, address);
	if (block == NULL || block->kind == 0 ||
		(uintptr_t)block_bytes(block) + block_object(block) != address)
		return NULL;
	return block;
}

static uintptr_t
link_of(const struct block *block) {
	return word_at(block_bytes(block), block_object(block));
}

/// Finds where the list of fixed strings begins. All other lists must begin with an object that is
/// not shared.
static bool
find_lists(struct share_layout *layout) {
	const struct block *fixed = NULL;
	for (struct block *block = layout->draft->first; block != NULL; block = block->next) {
		uintptr_t link = block->kind != 0 ? link_of(block) : 0;
		struct block *next = object_at(layout->draft, link);
		if (next != NULL)
			next->linked = true;
		else if (link != 0)
			return false;
	}
	for (const struct block *block = layout->draft->first; block != NULL; block = block->next) {
		if (block->linked || !is_sharable(block))
			continue;
		if (fixed != NULL || mark_of(block) != layout->fixed_mark)
			return false;
		fixed = block;
	}
	if (fixed == NULL)
		return false;
	/* The whole list is of fixed strings. */
	size_t count = 0;
	for (const struct block *at = fixed; at != NULL; at = object_at(layout->draft, link_of(at)))
		count += at->kind == LUA_TSTRING && mark_of(at) == layout->fixed_mark;
	if (count != layout->fixed_count)
		return false;
	count = 0;
	for (size_t at = 0; at + WORD <= layout->state->size; at += WORD) {
		if (word_at(block_bytes(layout->state), at) != (uintptr_t)block_bytes(fixed))
			continue;
		layout->fixed_place = at;
		count++;
	}
	return count == 1;
}

/* ---- the shared part ---- */

/// Marks what is shared, and gives each its place.
static void
mark_shared(struct share_layout *layout) {
	const struct image_draft *draft = layout->draft;
	for (struct block *block = draft->first; block != NULL; block = block->next) {
		block->shared |= is_sharable(block);
		/* What is no object and belongs to a prototype: its code, constants, ... */
		for (size_t at = 0; block->kind == KIND_PROTO && at + WORD <= block->size;
			at += WORD) {
			struct block *array =
				draft_find_start(draft, word_at(block_bytes(block), at));
			if (array != NULL && array->kind == 0)
				array->shared = true;
		}
	}
	for (struct block *block = draft->first; block != NULL; block = block->next) {
		if (!block->shared)
			continue;
		block->place = layout->shared_size;
		layout->shared_size += (block->size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
		layout->shared_used += block->size;
	}
}

uintptr_t
share_address(const struct shared_part *part, const struct block *block, uintptr_t word) {
	return (uintptr_t)part->bytes + block->place + (word - (uintptr_t)block_bytes(block));
}

/// Replaces the pointers in a copy of a shared block. A prototype may have a stale one to the next
/// object that the collector was to visit. Returns false when it depends on what is not shared.
static bool
share_words(const struct shared_part *part, const struct image_draft *draft,
	const struct block *block, char *copy) {
	for (size_t at = 0; at + WORD <= block->size; at += WORD) {
		uintptr_t word = word_at(copy, at);
		const struct block *target = draft_find(draft, word);
		if (target == NULL)
			continue;
		if (block->kind == KIND_PROTO && target->kind != 0 && target->kind != LUA_TSTRING)
			word_store(copy, at, 0);
		else if (target->shared)
			word_store(copy, at, share_address(part, target, word));
		else
			return false;
	}
	return true;
}

static void
share_string(const struct shared_part *part, const struct image_draft *draft, char *copy) {
	uintptr_t next = word_at(copy, STRING_NEXT);
	const struct block *target = draft_find_start(draft, next);
	if (target != NULL)
		word_store(copy, STRING_NEXT, share_address(part, target, next));
}

static bool
share_block(const struct shared_part *part, const struct block *block) {
	const struct share_layout *layout = &part->layout;
	char *copy = part->bytes + block->place;
	memcpy(copy, block_bytes(block), block->size);
	if (block->kind != 0) {
		word_store(copy, 0, 0);
		copy[STRING_MARK] = (char)layout->fixed_mark;
	}
	if (block->kind != LUA_TSTRING)
		return share_words(part, layout->draft, block, copy);
	if (!is_long(block))
		share_string(part, layout->draft, copy);
	return true;
}

static void
share_chains(struct shared_part *part) {
	const struct share_layout *layout = &part->layout;
	part->count = (uint32_t)(layout->table->size / WORD);
	part->chains = skynet_calloc(part->count, sizeof *part->chains);
	for (uint32_t i = 0; i < part->count; i++) {
		uintptr_t word = word_at(block_bytes(layout->table), i * WORD);
		const struct block *string = draft_find_start(layout->draft, word);
		if (string != NULL)
			part->chains[i] = part->bytes + string->place;
	}
}

static bool
find_layout(struct share_layout *layout, const struct image_draft *draft, lua_State *L) {
	*layout = (struct share_layout){.draft = draft, .state = draft_find(draft, (uintptr_t)L)};
	return layout->state != NULL && find_fixed_mark(layout, L) && check_strings(layout) &&
	       find_table(layout) && find_total(layout) && find_lists(layout);
}

/// Copies the shared blocks. Returns false when one of them cannot be shared.
static bool
fill_part(struct shared_part *part) {
	const struct share_layout *layout = &part->layout;
	part->size = (layout->shared_size + PAGE - 1) / PAGE * PAGE;
	part->used = layout->shared_used;
	part->bytes = skynet_aligned_alloc(PAGE, part->size);
	memset(part->bytes, 0, part->size);
	share_chains(part);
	for (const struct block *block = layout->draft->first; block != NULL; block = block->next)
		if (block->shared && !share_block(part, block))
			return false;
	return true;
}

struct shared_part *
share_create(struct image_draft *draft, lua_State *L) {
	struct shared_part *part = skynet_calloc(1, sizeof *part);
	if (find_layout(&part->layout, draft, L)) {
		mark_shared(&part->layout);
		if (fill_part(part))
			return part;
		for (struct block *block = draft->first; block != NULL; block = block->next)
			block->shared = false;
	}
	share_destroy(part);
	return NULL;
}

void
share_destroy(struct shared_part *part) {
	if (part == NULL)
		return;
	if (part->bytes != NULL)
		mprotect(part->bytes, part->size, PROT_READ | PROT_WRITE);
	skynet_free(part->bytes);
	skynet_free(part->chains);
	skynet_free(part);
}

void
share_protect(struct shared_part *part) {
	/* A guard only: it does not matter when the system refuses. */
	mprotect(part->bytes, part->size, PROT_READ);
}

/* ---- the state's own part ---- */

uintptr_t
share_next(const struct image_draft *draft, const struct block *block) {
	uintptr_t link = link_of(block);
	const struct block *object = object_at(draft, link);
	while (object != NULL && object->shared) {
		link = link_of(object);
		object = object_at(draft, link);
	}
	return link;
}

void
share_adjust(struct shared_part *part, char *bytes) {
	const struct share_layout *layout = &part->layout;
	char *state = bytes + layout->state->place;
	int fill = STRINGS_BIAS(part->count);
	word_store(state, layout->fixed_place, 0);
	memcpy(state + layout->table_place + WORD, &fill, sizeof fill);
	word_store(state, layout->total_place, word_at(state, layout->total_place) - part->used);
	part->table = layout->table->place;
	part->fill = layout->state->place + layout->table_place + WORD;
}
