/* What the files of snlua share among themselves. Modules of luaclib see snlua.h only. */
#ifndef SKYNET_SNLUA_PARTS_H
#define SKYNET_SNLUA_PARTS_H

#include <lua.h>
#include <stdbool.h>

#include "snlua.h"

/* ---- snlua_memory.c: the allocator of the state ---- */

/// lua_Alloc of every state of snlua; `service` is its struct snlua. Counts, limits, warns. Running
/// thread (and the one that creates or destroys the service).
void *snlua_allocate(void *service, void *block, size_t old_size, size_t new_size);

/// Prepares the counters. Before the state is created.
void snlua_memory_init(struct snlua *service);

/// Sets the limit in bytes; 0 removes it. Running thread.
void snlua_memory_limit(struct snlua *service, size_t limit);

/// Tells the kernel the exact size now. Running thread.
void snlua_memory_report(struct snlua *service);

/// Takes what is accounted to the service back from the kernel. After the state is closed.
void snlua_memory_fini(struct snlua *service);

/* ---- snlua_signal.c: breaking into running code ---- */

/// Asks the code that runs now for `request` (bits of SNLUA_REQUESTS). Does nothing when the
/// service is between messages. Any thread; the caller keeps the service alive.
void snlua_request(struct snlua *service, unsigned request);

/// Arms the hook in `L` for requests that are pending. Running thread.
void snlua_arm(struct snlua *service, lua_State *L);

/// The probe of the stall monitor; `ud` is the struct snlua. Any thread.
void snlua_probe(void *ud, enum skynet_probe what);

/* ---- snlua_coroutine.c: CPU time of coroutines ---- */

/// The function behind struct snlua's `attend`. Running thread.
void snlua_attend(struct snlua *service, lua_State *co, int entering);

/// Opens skynet.profile, and puts its resume and wrap into the coroutine library.
int snlua_open_profile(lua_State *L);

/* ---- snlua_cache.c, snlua_load.c: one compiled copy of each file ---- */

enum code_cache_mode { CODE_CACHE_ON, CODE_CACHE_EXIST, CODE_CACHE_OFF };

/// The cache of the process. Borrowed from the runtime, never ended by a service. Any thread.
struct code_cache *code_cache_of(struct skynet_context *context);

/// As luaL_loadfilex through the cache: pushes the function, or the message of a failure.
/// `filename` NULL is stdin, which is never cached. Returns the status of the load.
int code_cache_load(struct code_cache *cache, lua_State *L, const char *filename, const char *mode,
	int cache_mode);

/// True when `filename` is in the cache. Any thread.
bool code_cache_has(struct code_cache *cache, const char *filename);

/// The open function of the C module that `search` (name and search paths) has led to before, with
/// its file name pushed; NULL with nothing pushed when it is not known. Any thread.
lua_CFunction code_cache_find_module(struct code_cache *cache, lua_State *L, const char *search);

/// Remembers where a search for a C module ended. Borrows the strings. Any thread.
void code_cache_add_module(
	struct code_cache *cache, const char *search, const char *filename, lua_CFunction function);

/// Forgets every file. Functions that were loaded are not touched. Any thread.
void code_cache_clear(struct code_cache *cache);

/// Opens skynet.codecache, and replaces loadfile, dofile and the Lua searcher of `package`.
int snlua_open_codecache(lua_State *L);

/* ---- snlua_loader.c, snlua_require.c: from the argument text to the running script ---- */

/// skynet.loader(text): runs the script that the first word of `text` names, with the other words.
int snlua_run_script(lua_State *L);

/// Makes skynet.require, and its `require` the global one.
void snlua_install_require(lua_State *L);

#endif
