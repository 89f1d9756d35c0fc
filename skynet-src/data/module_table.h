/* Finds, loads and remembers C services: shared objects with up to four entry points.
 *
 * A search path is a list of patterns with `?`, separated by `;`. The entry points of module `x.y`
 * are y_create, y_init, y_release and y_signal; only y_init is required. A module is loaded at most
 * once per table and never unloaded: services, timers and other libraries may hold addresses in it
 * for as long as the process lives. Any thread; loading runs under a lock of LOCK_RANK_MODULE.
 */
#ifndef SKYNET_MODULE_TABLE_H
#define SKYNET_MODULE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct skynet_context;
struct module_table;

typedef void *(*module_create_fn)(void);
typedef int (*module_init_fn)(void *instance, struct skynet_context *context, const char *param);
typedef void (*module_release_fn)(void *instance);
typedef void (*module_signal_fn)(void *instance, int signal);

struct module {
	const char *name;
	module_create_fn create; /* may be NULL */
	module_init_fn init;
	module_release_fn release; /* may be NULL */
	module_signal_fn signal;   /* may be NULL */
};

/// Gives a table that searches `path` (borrowed, copied). End with module_table_destroy. Never
/// fails.
struct module_table *module_table_create(const char *path);

/// Frees the table; the libraries stay loaded.
void module_table_destroy(struct module_table *table);

/// Finds `name` (borrowed), loading it at the first call. Any thread. Returns the module, valid as
/// long as the table, or NULL with `error` SKYNET_EMODULE: what each place of the path said, or
/// which entry point is missing. A module that was not found is searched again the next time.
const struct module *module_table_find(
	struct module_table *table, const char *name, struct skynet_error *error);

/// Adds a module that is linked in; copies `module` and its name. Any thread. Returns false when
/// the name is taken or there is no init.
bool module_table_add(struct module_table *table, const struct module *module);

/// Number of modules in the table. Any thread.
size_t module_table_count(struct module_table *table);

/// Makes an instance: what create returned (NULL: it failed), or MODULE_NO_INSTANCE without create.
void *module_create(const struct module *module);

/// Runs init. Borrows `param`, which may be NULL. Returns 0 on success.
int module_init(const struct module *module, void *instance, struct skynet_context *context,
	const char *param);

/// Takes `instance` and runs release, if there is one.
void module_release(const struct module *module, void *instance);

/// Runs signal, if there is one. Any thread, at any time of the instance's life.
void module_signal(const struct module *module, void *instance, int signal);

/* What the entry points of a module without create are given. */
#define MODULE_NO_INSTANCE ((void *)~(uintptr_t)0)

#endif
