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

/// Makes `size` bytes of the image, which nobody uses, available. Running thread.
void snlua_memory_spare(struct snlua *service, void *block, size_t size);

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

/// As luaL_loadfilex through the cache of the service: pushes the function, or the message of a
/// failure. `filename` NULL is stdin, which is never cached. Returns the status of the load.
/// Running thread.
int code_cache_load(struct snlua *service, lua_State *L, const char *filename, const char *mode);

/* The compiled form of one file; it does not change. */
struct blob;

/// Pushes the function of a blob, or the message of a failure. Returns the status of the load.
int blob_load(lua_State *L, const struct blob *blob);

/// Gives one more reference to a blob that the caller has one to (blob_drop). Any thread.
struct blob *blob_grab(struct blob *blob);

/// Ends a reference. Any thread.
void blob_drop(struct blob *blob);

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

/* ---- snlua_image.c: copies of a state ---- */

/* The memory of a state in one piece, with the places of all pointers. It does not change. */
struct state_image;

/* The blocks of a state that is going to be an image. */
struct image_draft;

/// An empty draft. Ended by image_draft_destroy, after the state is closed.
struct image_draft *image_draft_create(void);
void image_draft_destroy(struct image_draft *draft);

/// lua_Alloc of the state; `draft` is the struct image_draft.
void *image_draft_allocate(void *draft, void *block, size_t old_size, size_t new_size);

/// Makes an image of the state `L` on `draft`, in which nothing runs and nothing will. Pointers
/// into `service` and to its context are replaced in each copy. With `share`, copies have strings
/// and the code of functions in common, if the state is as this is known to work with. Gives one
/// reference (state_image_drop), or NULL when some coroutine is in the midst of a function whose
/// variables are shared.
struct state_image *state_image_create(
	struct image_draft *draft, lua_State *L, const struct snlua *service, bool share);

/// Bytes that all copies have in common.
size_t state_image_shared(const struct state_image *image);

/// True when a copy of the image holds what an image must hold. `probe` is a service that has no
/// state yet, and has none after it. Slow; once for each image.
bool state_image_check(struct state_image *image, struct snlua *probe);

/// Gives `service`, which has a context and no state yet, a copy of the state. Borrows the image.
/// Any thread.
void state_image_copy(struct state_image *image, struct snlua *service);

/// Ends a reference; each copy has one. Any thread.
void state_image_drop(struct state_image *image);

/* ---- snlua_strings.c: the table of strings of a copy ---- */

struct shared_part;

/// Makes the table of strings of the copied state known, whose own part is at `copy`. Running
/// thread, as all below.
void snlua_strings_init(struct snlua *service, const struct shared_part *part, char *copy);

/// The table, an array of `size` bytes now, has been moved to `moved`, because Lua makes it larger.
void snlua_strings_moved(struct snlua *service, void *moved, size_t size);

/// Puts what is shared into the table again, once Lua has distributed its strings anew. Before the
/// next new block.
void snlua_strings_join(struct snlua *service);

/// Raises unless shared strings are found, in tables of all sizes. `L` is a copy for trial.
void snlua_strings_check(lua_State *L, const struct snlua *service);

/* ---- snlua_template.c: from the second launch of a script on, its state is a copy ---- */

/// The templates of the process. Borrowed from the runtime. Any thread.
struct templates *templates_of(struct skynet_context *context);

/// Begins a launch: gives the service its state from the template of the script that is the first
/// word of `args`, or notes what this launch loads, so that the next one has a template. Returns
/// true when there is a state now. Running thread, as all below.
bool template_begin(struct snlua *service, const char *args, size_t size);

/// Called in a copied state, protected: makes the parts of modules those of this service.
void template_adopt(lua_State *L);

/// Pushes the function of `blob` when the template had it ready. Otherwise returns false.
bool template_take(struct snlua *service, lua_State *L, struct blob *blob);

/// Notes that this launch has loaded `blob`. Borrows it.
void template_note(struct snlua *service, struct blob *blob);

/// Ends the launch, which went well or not.
void template_end(struct snlua *service, bool success);

/// Forgets all templates. Any thread.
void templates_clear(struct templates *templates);

/// Opens what every service has, in snlua.c. Raises. `service` has its context.
void snlua_open_libraries(lua_State *L, struct snlua *service);

/* ---- snlua_loader.c, snlua_require.c: from the argument text to the running script ---- */

/// skynet.loader(text): runs the script that the first word of `text` names, with the other words.
int snlua_run_script(lua_State *L);

/// Makes skynet.require, and its `require` the global one.
void snlua_install_require(lua_State *L);

#endif
