/* Allocation that ends the process instead of returning NULL, over the malloc of the process, and
 * the window to jemalloc's statistics. No state.
 */
#include "base/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "skynet_malloc.h"

/* Functions of jemalloc: NULL when the process uses another allocator. Only this file knows of it.
 */
extern int mallctl(const char *name, void *old_value, size_t *old_size, void *new_value,
	size_t new_size) __attribute__((weak));
extern void sdallocx(void *block, size_t size, int flags) __attribute__((weak));
extern void malloc_stats_print(void (*write)(void *ud, const char *text), void *ud,
	const char *options) __attribute__((weak));

/* jemalloc reads this variable when the process starts; what MALLOC_CONF in the environment says
 * goes before it. By default jemalloc gives a block of 8 MiB or more back to the system as soon as
 * it is freed, and a service that gets large messages would have each of them mapped and cleared
 * anew. */
extern const char *const malloc_conf;
__attribute__((visibility("default"))) const char *const malloc_conf =
	"oversize_threshold:268435456";

/* ---- allocation ---- */

/* Ends the process with a line on stderr. The line is made on the stack, because stdio may need
 * memory. */
static _Noreturn __attribute__((cold)) void
out_of_memory(size_t size) {
	char line[96];
	int length = snprintf(
		line, sizeof(line), "skynet: out of memory: cannot allocate %zu bytes\n", size);
	if (length > 0) {
		ssize_t written = write(STDERR_FILENO, line, (size_t)length);
		(void)written; /* if this fails too, nothing can be done */
	}
	abort();
}

void *
skynet_malloc(size_t size) {
	void *block = malloc(size);
	if (__builtin_expect(block == NULL, 0)) {
		/* Some allocators answer NULL to a size of 0. */
		block = size == 0 ? malloc(1) : NULL;
		if (block == NULL)
			out_of_memory(size);
	}
	return block;
}

void *
skynet_calloc(size_t count, size_t size) {
	void *block = calloc(count, size);
	if (__builtin_expect(block == NULL, 0)) {
		block = count == 0 || size == 0 ? calloc(1, 1) : NULL;
		if (block == NULL)
			out_of_memory(
				size != 0 && count > SIZE_MAX / size ? SIZE_MAX : count * size);
	}
	return block;
}

void *
skynet_realloc(void *block, size_t size) {
	/* What realloc does with 0 differs between systems. */
	void *moved = realloc(block, size == 0 ? 1 : size);
	if (__builtin_expect(moved == NULL, 0))
		out_of_memory(size);
	return moved;
}

void
skynet_free(void *block) {
	free(block);
}

void *
skynet_memalign(size_t alignment, size_t size) {
	void *block;
	if (alignment < sizeof(void *))
		alignment = sizeof(void *);
	int status = skynet_posix_memalign(&block, alignment, size);
	return status == 0 ? block : NULL;
}

void *
skynet_aligned_alloc(size_t alignment, size_t size) {
	return skynet_memalign(alignment, size);
}

int
skynet_posix_memalign(void **block, size_t alignment, size_t size) {
	int status = posix_memalign(block, alignment, size == 0 ? 1 : size);
	if (status == ENOMEM)
		out_of_memory(size);
	return status;
}

char *
skynet_strdup(const char *text) {
	size_t size = strlen(text) + 1;
	return memcpy(skynet_malloc(size), text, size);
}

void *
skynet_lalloc(void *block, size_t old_size, size_t new_size) {
	if (new_size == 0) {
		/* jemalloc is faster when it is told the size and need not look it up. */
		if (sdallocx != NULL && block != NULL && old_size != 0)
			sdallocx(block, old_size, 0);
		else
			free(block);
		return NULL;
	}
	return block == NULL ? malloc(new_size) : realloc(block, new_size);
}

/* ---- statistics ---- */

bool
memory_has_statistics(void) {
	return mallctl != NULL;
}

/* Reads a value whose width is not known: jemalloc refuses a wrong width, so each one is tried. */
static int
read_value(const char *name, void *value, size_t capacity, size_t *size) {
	static const size_t widths[] = {sizeof(size_t), sizeof(uint32_t), sizeof(bool)};
	if (mallctl == NULL)
		return SKYNET_ENOTFOUND;
	for (size_t i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		*size = widths[i];
		if (widths[i] > capacity)
			continue;
		int status = mallctl(name, value, size, NULL, 0);
		if (status == 0)
			return 0;
		if (status != EINVAL)
			return SKYNET_ENOTFOUND;
	}
	return SKYNET_EINVALID;
}

int
memory_stat(const char *name, size_t *value) {
	union {
		size_t wide;
		uint32_t narrow;
		bool truth;
	} read = {.wide = 0};
	size_t size = 0;
	int status = read_value(name, &read, sizeof(read), &size);
	if (status != 0)
		return status;
	if (size == sizeof(bool))
		*value = read.truth;
	else if (size == sizeof(uint32_t))
		*value = read.narrow;
	else
		*value = read.wide;
	return 0;
}

void
memory_refresh(void) {
	/* Writing any number to the epoch makes jemalloc sum up its threads. */
	uint64_t epoch = 1;
	if (mallctl != NULL)
		mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch));
}

static size_t
stat_or_zero(const char *name) {
	size_t value;
	return memory_stat(name, &value) == 0 ? value : 0;
}

size_t
memory_total(void) {
	memory_refresh();
	return stat_or_zero("stats.allocated");
}

/* 4096 is jemalloc's MALLCTL_ARENAS_ALL: the sum of all arenas. */
#define ALL_ARENAS "stats.arenas.4096."

size_t
memory_blocks(void) {
	memory_refresh();
	size_t made =
		stat_or_zero(ALL_ARENAS "small.nmalloc") + stat_or_zero(ALL_ARENAS "large.nmalloc");
	size_t freed =
		stat_or_zero(ALL_ARENAS "small.ndalloc") + stat_or_zero(ALL_ARENAS "large.ndalloc");
	return made > freed ? made - freed : 0;
}

int
memory_dump(const char *options, memory_write_fn write, void *ud) {
	if (malloc_stats_print == NULL)
		return SKYNET_ENOTFOUND;
	malloc_stats_print(write, ud, options);
	return 0;
}

int
memory_profile(const bool *active, bool *was_active) {
	bool before = false;
	bool next = active != NULL && *active;
	size_t size = sizeof(before);
	if (mallctl == NULL)
		return SKYNET_ENOTFOUND;
	if (mallctl("prof.active", &before, &size, active ? &next : NULL,
		    active ? sizeof(next) : 0) != 0)
		return SKYNET_ENOTFOUND;
	if (was_active != NULL)
		*was_active = before;
	return 0;
}

int
memory_profile_dump(const char *path) {
	if (mallctl == NULL)
		return SKYNET_ENOTFOUND;
	int status = mallctl("prof.dump", NULL, NULL, path ? &path : NULL, path ? sizeof(path) : 0);
	if (status == EFAULT)
		return SKYNET_ESYSTEM;
	return status == 0 ? 0 : SKYNET_ENOTFOUND;
}
