/* What the allocator knows: totals, named statistics, heap profile. skynet_malloc.h has the
 * allocation itself.
 *
 * Nothing is counted per allocation. When jemalloc is linked into the process its own statistics
 * are read through `mallctl`, found as a weak symbol; without it totals are 0 and the rest answers
 * SKYNET_ENOTFOUND. Lua heaps are part of the totals. Any thread.
 */
#ifndef SKYNET_MEMORY_H
#define SKYNET_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/// True when jemalloc serves malloc.
bool memory_has_statistics(void);

/// Bytes in use and live blocks of the whole process; 0 without jemalloc. Reads fresh numbers, at
/// the cost of some ten microseconds. Blocks cached by threads may be counted late.
size_t memory_total(void);
size_t memory_blocks(void);

/// Reads the statistic or option `name` of jemalloc ("stats.resident", "opt.narenas"): a number or
/// a truth value of any width; of a text, its address. Returns 0, SKYNET_ENOTFOUND when there is
/// none of that name, or SKYNET_EINVALID when its value is wider than a number.
int memory_stat(const char *name, size_t *value);

/// Makes the numbers that memory_stat reads current; memory_total does so itself.
void memory_refresh(void);

/// Called with one piece of text, borrowed.
typedef void (*memory_write_fn)(void *ud, const char *text);

/// Writes the allocator's report through `write`, NULL: to stderr; `options` as for jemalloc's
/// malloc_stats_print, may be NULL. Returns 0, or SKYNET_ENOTFOUND without jemalloc (and writes
/// nothing).
int memory_dump(const char *options, memory_write_fn write, void *ud);

/// Switches heap profiling on or off and stores the state before at `was_active` (may be NULL);
/// with `active` NULL only reads it. Returns 0, or SKYNET_ENOTFOUND when the allocator has no
/// profiling or it was not enabled at start (MALLOC_CONF=prof:true).
int memory_profile(const bool *active, bool *was_active);

/// Writes a heap profile to the file that jemalloc chooses (prof.prefix), or to `path` when not
/// NULL. Returns 0, SKYNET_ENOTFOUND without profiling, SKYNET_ESYSTEM when it cannot be written.
int memory_profile_dump(const char *path);

#endif
