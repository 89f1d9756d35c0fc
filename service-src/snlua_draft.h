/* The blocks of a Lua state that is going to be an image, and what they are. Entered by the thread
 * that builds the image.
 */
#ifndef SKYNET_SNLUA_DRAFT_H
#define SKYNET_SNLUA_DRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "snlua_parts.h"

/* What Lua says a new object is, beyond LUA_T...; 0 is anything that is no object. */
#define KIND_UPVALUE LUA_NUMTYPES
#define KIND_PROTO   (LUA_NUMTYPES + 1)

/* Strings: link, tags, hash, next in the table of strings or length: the text follows. */
#define STRING_MARK   9
#define STRING_EXTRA  10
#define STRING_LENGTH 11
#define STRING_HASH   12
#define STRING_NEXT   16
#define STRING_HEADER 24

/* In front of each block: no block ends where the next begins, so that a pointer behind the last
 * item of an array is one into that array. */
struct block {
	struct block *next, *previous;
	size_t size;
	size_t place;  /* in the image, or in what all copies share */
	uint32_t kind; /* LUA_T..., KIND_..., 0 */
	bool shared;   /* by all copies */
	bool linked;   /* some object links to it as the next one of its list */
	size_t unused; /* what follows is aligned as by malloc */
};

struct image_draft {
	struct block *first, *last;
	size_t count;
	size_t used;           /* bytes, as Lua counts them */
	struct block **sorted; /* by address, once it is indexed */
};

/// Makes the blocks known to draft_find. The state does not work from here on.
void draft_index(struct image_draft *draft);

/// The block that has `address` or ends there; NULL when there is none.
struct block *draft_find(const struct image_draft *draft, uintptr_t address);

/// The block that begins at `address`; NULL when there is none.
struct block *draft_find_start(const struct image_draft *draft, uintptr_t address);

static inline uintptr_t
word_at(const void *bytes, size_t offset) {
	uintptr_t word;
	memcpy(&word, (const char *)bytes + offset, sizeof word);
	return word;
}

static inline void
word_store(void *bytes, size_t offset, uintptr_t word) {
	memcpy((char *)bytes + offset, &word, sizeof word);
}

static inline char *
block_bytes(const struct block *block) {
	return (char *)(uintptr_t)(block + 1);
}

/// Where in the block of an object the object begins, with a link to the next one of its list.
static inline size_t
block_object(const struct block *block) {
	return block->kind == LUA_TTHREAD ? LUA_EXTRASPACE : 0;
}

#endif
