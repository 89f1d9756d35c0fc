/* Memory of the process. Message buffers come from here; malloc and free may be mixed with these,
 * because the system's jemalloc (or libc) serves both. None of them returns NULL: running out of
 * memory ends the process with a line on stderr. The exception is skynet_lalloc, which may refuse.
 */
#ifndef SKYNET_MALLOC_H
#define SKYNET_MALLOC_H

#include <stddef.h>

#if defined(__GNUC__)
#define SKYNET_MEMORY_API __attribute__((visibility("default")))
#else
#define SKYNET_MEMORY_API
#endif

SKYNET_MEMORY_API void *skynet_malloc(size_t size);
SKYNET_MEMORY_API void *skynet_calloc(size_t count, size_t size);
SKYNET_MEMORY_API void *skynet_realloc(void *block, size_t size);
SKYNET_MEMORY_API void skynet_free(void *block);
SKYNET_MEMORY_API void *skynet_memalign(size_t alignment, size_t size);
SKYNET_MEMORY_API void *skynet_aligned_alloc(size_t alignment, size_t size);
SKYNET_MEMORY_API int skynet_posix_memalign(void **block, size_t alignment, size_t size);
SKYNET_MEMORY_API char *skynet_strdup(const char *text);

/// Allocator for Lua states: as lua_Alloc without its first argument. May return NULL.
SKYNET_MEMORY_API void *skynet_lalloc(void *block, size_t old_size, size_t new_size);

#endif
