/* Copies of a whole Lua state: the blocks of a state that rests are laid out in one piece, and the
 * places of all pointers among them are noted; a copy is one memcpy and an addition for each.
 *
 * What is a pointer is found by value: a word that points into a block of the draft. No number or
 * instruction that a state holds looks like the address of one of its blocks; of strings only the
 * header is looked at. This rests on what is so in all of Lua 5.4: pointers are stored as they are,
 * the allocator is told what is a string and what an upvalue, and only keys that are objects are
 * hashed by address. Each image is checked once, by walking through a copy, before it is used.
 */
#include <stdlib.h>
#include <string.h>

#include "snlua_parts.h"

/* link, tags and hash, next in the table of strings or length: the text follows */
#define STRING_HEADER 24
/* an upvalue: link, tags, pointer to the value, the value */
#define KIND_UPVALUE  LUA_NUMTYPES
#define UPVALUE_VALUE 16
#define ALIGNMENT     ((size_t)8)
#define PAGE          ((size_t)4096) /* allocators round large blocks up to these anyway */
#define CACHE_LINE    ((size_t)64)
#define DEPTH_MAX     16 /* tables in tables that are checked */

/* In front of each block: no block ends where the next begins, so that a pointer behind the last
 * item of an array is one into that array. */
struct block {
	struct block *next, *previous;
	size_t size;
	size_t place; /* in the image */
	size_t kind;  /* what Lua says of a new object: LUA_T..., 0 for anything else */
	size_t unused;
};

struct image_draft {
	struct block *first, *last;
	size_t count;
	size_t used; /* bytes, as Lua counts them */
};

/* Places in the image, as numbers of words. */
struct places {
	uint32_t *at;
	size_t count, capacity;
};

enum word_kind { WORD_IMAGE, WORD_SERVICE, WORD_CONTEXT, WORD_KINDS, WORD_PLAIN };

struct state_image {
	_Atomic(int) references;
	size_t size, used;
	size_t state;                     /* place of the main thread */
	struct places places[WORD_KINDS]; /* these words are offsets, to which a base is added */
	char *bytes;
};

/* ---- the draft ---- */

struct image_draft *
image_draft_create(void) {
	return skynet_calloc(1, sizeof(struct image_draft));
}

static void
draft_unlink(struct image_draft *draft, struct block *block) {
	*(block->previous != NULL ? &block->previous->next : &draft->first) = block->next;
	*(block->next != NULL ? &block->next->previous : &draft->last) = block->previous;
	draft->count--;
	draft->used -= block->size;
	skynet_free(block);
}

void
image_draft_destroy(struct image_draft *draft) {
	while (draft->first != NULL)
		draft_unlink(draft, draft->first);
	skynet_free(draft);
}

static struct block *
draft_append(struct image_draft *draft, size_t kind, size_t size) {
	/* Zeroed, so that an image has nothing of the heap in what Lua leaves unset. */
	struct block *block = skynet_calloc(1, sizeof *block + size);
	block->size = size;
	block->kind = kind;
	block->previous = draft->last;
	*(draft->last != NULL ? &draft->last->next : &draft->first) = block;
	draft->last = block;
	draft->count++;
	draft->used += size;
	return block;
}

void *
image_draft_allocate(void *ud, void *memory, size_t old_size, size_t new_size) {
	struct image_draft *draft = ud;
	struct block *old = memory != NULL ? (struct block *)memory - 1 : NULL;
	if (new_size == 0) {
		if (old != NULL)
			draft_unlink(draft, old);
		return NULL;
	}
	struct block *block = draft_append(draft, old != NULL ? old->kind : old_size, new_size);
	if (old != NULL) {
		memcpy(block + 1, memory, old_size < new_size ? old_size : new_size);
		draft_unlink(draft, old);
	}
	return block + 1;
}

/* ---- the image ---- */

struct scan {
	struct block **blocks; /* by address */
	size_t count;
	uintptr_t service, context;
	struct state_image *image;
};

static int
compare_blocks(const void *left, const void *right) {
	uintptr_t a = (uintptr_t) * (struct block *const *)left;
	uintptr_t b = (uintptr_t) * (struct block *const *)right;
	return (a > b) - (a < b);
}

/// The last block that begins at or before `address`, NULL when there is none.
static const struct block *
scan_find(const struct scan *scan, uintptr_t address) {
	size_t low = 0, high = scan->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if ((uintptr_t)(scan->blocks[middle] + 1) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 ? scan->blocks[low - 1] : NULL;
}

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
	const struct block *block = scan_find(scan, word);
	if (block == NULL || word - (uintptr_t)(block + 1) > block->size)
		return WORD_PLAIN;
	*offset = block->place + (word - (uintptr_t)(block + 1));
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
	uintptr_t value;
	if (block->kind != KIND_UPVALUE)
		return false;
	memcpy(&value, (const char *)(block + 1) + UPVALUE_VALUE, sizeof value);
	return value - (uintptr_t)(block + 1) >= block->size;
}

static void
scan_block(const struct scan *scan, const struct block *block) {
	struct state_image *image = scan->image;
	size_t end = scanned_size(block);
	memcpy(image->bytes + block->place, block + 1, block->size);
	for (size_t at = 0; at + sizeof(uintptr_t) <= end; at += sizeof(uintptr_t)) {
		char *place = image->bytes + block->place + at;
		uintptr_t word, offset;
		memcpy(&word, place, sizeof word);
		enum word_kind kind = scan_word(scan, word, &offset);
		if (kind == WORD_PLAIN)
			continue;
		memcpy(place, &offset, sizeof offset);
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
	skynet_free(image->bytes);
	skynet_free(image);
}

struct state_image *
state_image_create(const struct image_draft *draft, lua_State *L, const struct snlua *service) {
	struct state_image *image = skynet_calloc(1, sizeof *image);
	struct scan scan = {.blocks = skynet_malloc(draft->count * sizeof *scan.blocks),
		.service = (uintptr_t)service,
		.context = (uintptr_t)service->context,
		.image = image};
	for (struct block *block = draft->first; block != NULL; block = block->next) {
		block->place = image->size;
		image->size += (block->size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
		scan.blocks[scan.count++] = block;
	}
	qsort(scan.blocks, scan.count, sizeof *scan.blocks, compare_blocks);
	image->bytes = skynet_calloc(1, image->size);
	bool open = false;
	for (const struct block *block = draft->first; block != NULL; block = block->next) {
		open |= is_open(block);
		scan_block(&scan, block);
	}
	uintptr_t state;
	scan_word(&scan, (uintptr_t)L, &state);
	image->state = state;
	image->used = draft->used;
	atomic_init(&image->references, 1);
	skynet_free(scan.blocks);
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
state_image_copy(const struct state_image *image, struct snlua *service) {
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

/// Protected. Walks through the registry, with what the collector and the counter say of it.
static int
check_state(lua_State *L) {
	lua_settop(L, 0);
	lua_pushnil(L);
	lua_newtable(L);
	lua_pushvalue(L, LUA_REGISTRYINDEX);
	check_table(L, 0);
	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

bool
state_image_check(struct state_image *image, struct snlua *probe) {
	state_image_copy(image, probe);
	lua_State *L = probe->L;
	lua_pushcfunction(L, check_state);
	bool good = lua_pcall(L, 0, 0, 0) == LUA_OK;
	size_t counted = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
	size_t used = atomic_load_explicit(&probe->memory, memory_order_relaxed);
	good = good && counted == used;
	lua_close(L);
	good = good && atomic_load_explicit(&probe->memory, memory_order_relaxed) == 0;
	snlua_memory_fini(probe);
	probe->L = NULL;
	return good;
}
