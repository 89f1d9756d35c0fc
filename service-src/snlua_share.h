/* What the copies of an image share: strings, and the prototypes of functions with all that belongs
 * to them. Decided and laid out once by the thread that builds the image; read by any thread.
 */
#ifndef SKYNET_SNLUA_SHARE_H
#define SKYNET_SNLUA_SHARE_H

#include "snlua_draft.h"

/* Lua makes a table of strings smaller that is less than a quarter full: it always thinks that this
 * one is as full. */
#define STRINGS_BIAS(count) ((int)((count) / 4))

/* What is found out about a state. Places are in the block that has the main thread. */
struct share_layout {
	const struct image_draft *draft;
	const struct block *state;
	const struct block *table; /* of strings */
	size_t table_place;        /* pointer to it, number of strings (int), size (int) */
	size_t fixed_place;        /* first of the fixed strings */
	size_t total_place;        /* bytes, and how many of these are not counted yet */
	uint8_t fixed_mark;
	size_t short_count, fixed_count;
	size_t shared_size, shared_used;
};

/* Memory that does not change while any copy lives. */
struct shared_part {
	char *bytes;
	size_t size;    /* whole pages */
	size_t used;    /* as Lua counts the blocks */
	char **chains;  /* of the table of strings: where they begin */
	uint32_t count; /* of chains; power of two */
	/* Places in a state's own part: the table, and how many strings Lua thinks it has. */
	size_t table, fill;
	struct share_layout layout; /* while the image is built */
};

/// Brings a state into the form that share_create expects. Before draft_index.
void share_prepare(struct image_draft *draft, lua_State *L);

/// Decides which blocks of the indexed draft are shared (block->shared) and makes a copy of them.
/// Returns NULL when the state is not as it is known; then nothing is shared. End it with
/// share_destroy.
struct shared_part *share_create(struct image_draft *draft, lua_State *L);
void share_destroy(struct shared_part *part);

/// What a word of the state's own part that points into a shared block becomes.
uintptr_t share_address(const struct shared_part *part, const struct block *block, uintptr_t word);

/// The object that follows in the list of `block`, an object that is not shared, when those that
/// are shared are no longer in it; 0 for none.
uintptr_t share_next(const struct image_draft *draft, const struct block *block);

/// Adjusts the state in `bytes`, the copy of the own part: what is shared is not in its lists, and
/// its counters say so. When all blocks have their places.
void share_adjust(struct shared_part *part, char *bytes);

/// Makes the memory unwritable, so that a write that should not be ends the process. Once the
/// image is checked.
void share_protect(struct shared_part *part);

#endif
