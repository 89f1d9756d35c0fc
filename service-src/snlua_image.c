/* Copies of a whole Lua state: the blocks of a state that rests are laid out in one piece, and the
 * places of all pointers among them are noted; a copy is one memcpy and an addition for each.
 *
 * What is a pointer is found by value: a word that points into a block of the draft. No number or
 * instruction that a state holds looks like the address of one of its blocks; of strings only the
 * header is looked at. This rests on what is so in all of Lua 5.4: pointers are stored as they are,
 * the allocator is told what is a string and what an upvalue, and only keys that are objects are
 * hashed by address. Each image is checked once, by walking through a copy, before it is used.
 */
#include <string.h>

#include "snlua_share.h"

/* an upvalue: link, tags, pointer to the value, the value */
#define UPVALUE_VALUE 16
#define ALIGNMENT     ((size_t)8)
#define PAGE          ((size_t)4096) /* allocators round large blocks up to these anyway */
#define CACHE_LINE    ((size_t)64)
#define DEPTH_MAX     16 /* tables in tables that are checked */

/* Places in the image, as numbers of words. */
struct places {
	uint32_t *at;
	size_t count, capacity;
};

enum word_kind { WORD_IMAGE, WORD_SERVICE, WORD_CONTEXT, WORD_KINDS, WORD_SHARED, WORD_PLAIN };

struct state_image {
	_Atomic(int) references;
	size_t size, used;
	size_t state;                     /* place of the main thread */
	struct places places[WORD_KINDS]; /* these words are offsets, to which a base is added */
	char *bytes;
	struct shared_part *shared; /* NULL when there is none */
};

/* ---- the image ---- */

struct scan {
	const struct image_draft *draft;
	uintptr_t service, context;
	struct state_image *image;
};

/// What a word is; `offset` becomes what it is without its base.
static enum word_kind
scan_word(const struct scan *scan, uintptr_t word, uintptr_t *offset) {
	if (word == scan->context) {
		*offset = 0;
		return WORD_CONTEXT;
	}
	*offset = word - scan->service;
	if (*offset < sizeof(struct snlua))
		return WORD_SERVICE;
	const struct block *block = draft_find(scan->draft, word);
	if (block == NULL)
		return WORD_PLAIN;
	if (block->shared) {
		*offset = share_address(scan->image->shared, block, word);
		return WORD_SHARED;
	}
	*offset = block->place + (word - (uintptr_t)block_bytes(block));
	return WORD_IMAGE;
}

static void
places_add(struct places *places, size_t place) {
	if (places->count == places->capacity) {
		places->capacity = places->capacity == 0 ? 256 : places->capacity * 2;
		places->at = skynet_realloc(places->at, places->capacity * sizeof *places->at);
	}
	places->at[places->count++] = (uint32_t)(place / sizeof(uintptr_t));
}

/// How much of a block may be pointers.
static size_t
scanned_size(const struct block *block) {
	if (block->kind == LUA_TSTRING && block->size > STRING_HEADER)
		return STRING_HEADER;
	/* The type of the value: one byte where a pointer was while the upvalue was open. */
	if (block->kind == KIND_UPVALUE)
		return block->size - sizeof(uintptr_t);
	return block->size;
}

/// True for an upvalue that is a variable of a function which runs.
static bool
is_open(const struct block *block) {
	if (block->kind != KIND_UPVALUE)
		return false;
	uintptr_t value = word_at(block_bytes(block), UPVALUE_VALUE);
	return value - (uintptr_t)block_bytes(block) >= block->size;
}

static void
scan_block(const struct scan *scan, const struct block *block) {
	struct state_image *image = scan->image;
	size_t end = scanned_size(block);
	char *copy = image->bytes + block->place;
	memcpy(copy, block_bytes(block), block->size);
	if (block->kind != 0)
		word_store(copy, block_object(block), share_next(scan->draft, block));
	for (size_t at = 0; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t)) {
		uintptr_t offset;
		enum word_kind kind = scan_word(scan, word_at(copy, at), &offset);
		if (kind == WORD_PLAIN)
			continue;
		word_store(copy, at, offset);
		if (kind != WORD_SHARED)
			places_add(&image->places[kind], block->place + at);
	}
}

void
state_image_drop(struct state_image *image) {
	/* The last one must see what the others did with it: acquire pairs with their release. */
	if (atomic_fetch_sub_explicit(&image->references, 1, memory_order_acq_rel) != 1)
		return;
	for (int kind = 0; kind < WORD_KINDS; kind++)
		skynet_free(image->places[kind].at);
	share_destroy(image->shared);
	skynet_free(image->bytes);
	skynet_free(image);
}

/// Gives each block that is not shared its place.
static void
place_blocks(struct state_image *image, const struct image_draft *draft) {
	for (struct block *block = draft->first; block != NULL; block = block->next) {
		if (block->shared)
			continue;
		block->place = image->size;
		image->size += (block->size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
	}
	image->bytes = skynet_calloc(1, image->size);
	image->used = draft->used - (image->shared != NULL ? image->shared->used : 0);
}

struct state_image *
state_image_create(
	struct image_draft *draft, lua_State *L, const struct snlua *service, bool share) {
	struct state_image *image = skynet_calloc(1, sizeof *image);
	struct scan scan = {.draft = draft,
		.service = (uintptr_t)service,
		.context = (uintptr_t)service->context,
		.image = image};
	bool open = false;
	if (share)
		share_prepare(draft, L);
	draft_index(draft);
	if (share)
		image->shared = share_create(draft, L);
	place_blocks(image, draft);
	for (const struct block *block = draft->first; block != NULL; block = block->next) {
		open |= is_open(block);
		if (!block->shared)
			scan_block(&scan, block);
	}
	scan_word(&scan, (uintptr_t)L, &image->state);
	if (image->shared != NULL)
		share_adjust(image->shared, image->bytes);
	atomic_init(&image->references, 1);
	if (!open)
		return image;
	state_image_drop(image);
	return NULL;
}

/* ---- copies ---- */

static void
relocate(uintptr_t *words, const struct places *places, uintptr_t base) {
	for (size_t i = 0; i < places->count; i++)
		words[places->at[i]] += base;
}

void
state_image_copy(struct state_image *image, struct snlua *service) {
	size_t size = (image->size + PAGE - 1) / PAGE * PAGE;
	char *pages = skynet_aligned_alloc(PAGE, size);
	/* Within the pages, copies begin at different lines, so that the same parts of many states
	 * do not compete for the same lines of the cache. */
	size_t lines = (size - image->size) / CACHE_LINE + 1;
	size_t ahead = (uintptr_t)service->context / CACHE_LINE % lines * CACHE_LINE;
	char *copy = pages + ahead;
	memcpy(copy, image->bytes, image->size);
	uintptr_t *words = (uintptr_t *)(void *)copy;
	relocate(words, &image->places[WORD_IMAGE], (uintptr_t)copy);
	relocate(words, &image->places[WORD_SERVICE], (uintptr_t)service);
	relocate(words, &image->places[WORD_CONTEXT], (uintptr_t)service->context);
	service->image = pages;
	service->image_size = size;
	snlua_memory_spare(service, copy + image->size, size - ahead - image->size);
	service->L = (lua_State *)(void *)(copy + image->state);
	atomic_store_explicit(&service->memory, image->used, memory_order_relaxed);
	lua_setallocf(service->L, snlua_allocate, service);
	if (image->shared == NULL)
		return;
	/* The caller has a reference, so there is no last one to race with. */
	atomic_fetch_add_explicit(&image->references, 1, memory_order_relaxed);
	service->origin = image;
	snlua_strings_init(service, image->shared, copy);
}

size_t
state_image_shared(const struct state_image *image) {
	return image->shared != NULL ? image->shared->size : 0;
}

/// Checks that each pair of the table at the top is found by its key, and so in the tables in it.
/// Raises when not. Tables that `seen`, at index 2, has as keys are passed over.
static void
check_table(lua_State *L, int depth) {
	luaL_checkstack(L, 6, NULL);
	int table = lua_gettop(L);
	lua_pushvalue(L, table);
	bool seen = lua_rawget(L, 2) != LUA_TNIL;
	lua_pop(L, 1);
	if (seen || depth == DEPTH_MAX)
		return;
	lua_pushvalue(L, table);
	lua_pushboolean(L, 1);
	lua_rawset(L, 2);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		lua_pushvalue(L, -2);
		lua_rawget(L, table);
		if (!lua_rawequal(L, -1, -2))
			luaL_error(L, "a key is lost");
		lua_pop(L, 1);
		if (lua_istable(L, -1))
			check_table(L, depth + 1);
	}
}

/// (light userdata service). Protected. Walks through the registry, with what the collector and the
/// counter say of it.
static int
check_state(lua_State *L) {
	const struct snlua *service = lua_touserdata(L, 1);
	lua_settop(L, 0);
	lua_pushnil(L);
	lua_newtable(L);
	lua_pushvalue(L, LUA_REGISTRYINDEX);
	check_table(L, 0);
	lua_settop(L, 0);
	if (service->shared != NULL)
		snlua_strings_check(L, service);
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

/// Runs and ends the state of `probe`, a copy.
static bool
check_copy(struct snlua *probe) {
	lua_State *L = probe->L;
	lua_pushcfunction(L, check_state);
	lua_pushlightuserdata(L, probe);
	bool good = lua_pcall(L, 1, 0, 0) == LUA_OK;
	size_t counted = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
	size_t used = atomic_load_explicit(&probe->memory, memory_order_relaxed);
	good = good && counted == used;
	lua_close(L);
	return good && atomic_load_explicit(&probe->memory, memory_order_relaxed) == 0;
}

bool
state_image_check(struct state_image *image, struct snlua *probe) {
	const struct shared_part *shared = image->shared;
	char *before = shared != NULL ? skynet_malloc(shared->size) : NULL;
	if (shared != NULL)
		memcpy(before, shared->bytes, shared->size);
	state_image_copy(image, probe);
	bool good = check_copy(probe);
	snlua_memory_fini(probe);
	probe->L = NULL;
	if (shared != NULL) {
		good = good && memcmp(before, shared->bytes, shared->size) == 0;
		share_protect(image->shared);
	}
	skynet_free(before);
	return good;
}
