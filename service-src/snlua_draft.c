/* The allocator of a state that is going to be an image. See snlua_draft.h. */
#include "snlua_draft.h"

#include <stdlib.h>

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
	skynet_free(draft->sorted);
	skynet_free(draft);
}

static struct block *
draft_append(struct image_draft *draft, size_t kind, size_t size) {
	/* Zeroed, so that an image has nothing of the heap in what Lua leaves unset. */
	struct block *block = skynet_calloc(1, sizeof *block + size);
	block->size = size;
	block->kind = (uint32_t)kind;
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

static int
compare_blocks(const void *left, const void *right) {
	uintptr_t a = (uintptr_t) * (struct block *const *)left;
	uintptr_t b = (uintptr_t) * (struct block *const *)right;
	return (a > b) - (a < b);
}

void
draft_index(struct image_draft *draft) {
	size_t count = 0;
	skynet_free(draft->sorted);
	draft->sorted = skynet_malloc(draft->count * sizeof *draft->sorted);
	for (struct block *block = draft->first; block != NULL; block = block->next)
		draft->sorted[count++] = block;
	qsort(draft->sorted, count, sizeof *draft->sorted, compare_blocks);
}

struct block *
draft_find(const struct image_draft *draft, uintptr_t address) {
	size_t low = 0, high = draft->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if ((uintptr_t)(draft->sorted[middle] + 1) <= address)
			low = middle + 1;
		else
			high = middle;
	}
	struct block *block = low > 0 ? draft->sorted[low - 1] : NULL;
	return block != NULL && address - (uintptr_t)(block + 1) <= block->size ? block : NULL;
}

struct block *
draft_find_start(const struct image_draft *draft, uintptr_t address) {
	struct block *block = draft_find(draft, address);
	return block != NULL && (uintptr_t)(block + 1) == address ? block : NULL;
}
