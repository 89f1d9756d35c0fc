/* Memory statistics, for C modules written against this header. Without jemalloc in the process
 * they are 0, and the functions that reach into jemalloc log that there is none. Any thread.
 */
#ifndef SKYNET_MALLOC_HOOK_H
#define SKYNET_MALLOC_HOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "skynet_malloc.h"

struct lua_State;

/// Bytes in use and live blocks of the process.
SKYNET_MEMORY_API size_t malloc_used_memory(void);
SKYNET_MEMORY_API size_t malloc_memory_block(void);

/// Bytes accounted to the service that the calling thread is running, 0 outside of one.
SKYNET_MEMORY_API size_t malloc_current_memory(void);

/// Writes jemalloc's report to stderr; `options` as for malloc_stats_print, may be NULL.
SKYNET_MEMORY_API void memory_info_dump(const char *options);

/// Reads the number `name` of jemalloc; sets it first when `value` is not NULL. Returns what it
/// was, 0 when there is none.
SKYNET_MEMORY_API size_t mallctl_int64(const char *name, size_t *value);
SKYNET_MEMORY_API int mallctl_opt(const char *name, int *value);
SKYNET_MEMORY_API bool mallctl_bool(const char *name, bool *value);

/// Runs the command `name` of jemalloc. Returns 0 or an errno value.
SKYNET_MEMORY_API int mallctl_cmd(const char *name);

/// Calls `visit` for each service of the node with its handle and the bytes accounted to it.
typedef void (*malloc_service_fn)(void *ud, uint32_t handle, size_t bytes);
SKYNET_MEMORY_API void malloc_each_service(malloc_service_fn visit, void *ud);

/// Logs the memory of each service of the node.
SKYNET_MEMORY_API void dump_c_mem(void);

/// Pushes a table of handle to bytes accounted, for all services of the node. May raise an error of
/// Lua (out of memory). Thread of the service. Returns 1.
SKYNET_MEMORY_API int dump_mem_lua(struct lua_State *L);

#endif
