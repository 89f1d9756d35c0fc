/* Search path, dlopen and entry points of C services. Modules lie in a list in which one that has
 * been published never changes, so that a pointer to it may be kept.
 */
#include "data/module_table.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "base/lock.h"
#include "skynet_malloc.h"

struct module_node {
	struct module_node *next;
	struct module module;
	char name[];
};

struct module_table {
	struct mutex lock; /* guards the list; held while a library is loaded */
	struct module_node *first;
	size_t count;
	char path[];
};

struct module_table *
module_table_create(const char *path) {
	size_t size = strlen(path) + 1;
	struct module_table *table = skynet_malloc(sizeof(*table) + size);
	mutex_init(&table->lock, LOCK_RANK_MODULE);
	table->first = NULL;
	table->count = 0;
	memcpy(table->path, path, size);
	return table;
}

void
module_table_destroy(struct module_table *table) {
	if (table == NULL)
		return;
	while (table->first != NULL) {
		struct module_node *next = table->first->next;
		skynet_free(table->first);
		table->first = next;
	}
	mutex_fini(&table->lock);
	skynet_free(table);
}

/* ---- loading ---- */

/* The next element of a path, without its `;`; advances `path`. Returns its length, 0 at the end.
 */
static size_t
next_element(const char **path, const char **element) {
	*path += strspn(*path, ";");
	*element = *path;
	size_t length = strcspn(*path, ";");
	*path += length;
	return length;
}

/* Gives the file name for an element: the name instead of its first `?`, or NULL without one. */
static char *
file_name(const char *element, size_t length, const char *name) {
	const char *mark = memchr(element, '?', length);
	if (mark == NULL)
		return NULL;
	size_t before = (size_t)(mark - element);
	size_t after = length - before - 1;
	size_t size = before + strlen(name) + after + 1;
	char *file = skynet_malloc(size);
	snprintf(file, size, "%.*s%s%.*s", (int)before, element, name, (int)after, mark + 1);
	return file;
}

/* Adds the reason of one try to the text of the error: they are told together. */
static void
add_reason(struct skynet_error *error, const char *separator, const char *reason) {
	if (error == NULL)
		return;
	size_t used = strlen(error->text);
	snprintf(error->text + used, sizeof(error->text) - used, "%s%s", separator,
		reason != NULL ? reason : "unknown reason");
}

static void *
open_library(const char *path, const char *name, struct skynet_error *error) {
	error_set(error, SKYNET_EMODULE, "cannot load module '%s'", name);
	const char *separator = ": ";
	const char *element;
	size_t length;
	while ((length = next_element(&path, &element)) > 0) {
		char *file = file_name(element, length, name);
		if (file == NULL) {
			add_reason(error, separator, "an element of cpath has no '?'");
			separator = "; ";
			continue;
		}
		void *library = dlopen(file, RTLD_NOW | RTLD_GLOBAL);
		if (library == NULL)
			add_reason(error, separator, dlerror());
		skynet_free(file);
		if (library != NULL)
			return library;
		separator = "; ";
	}
	if (separator[0] == ':')
		add_reason(error, separator, "cpath is empty");
	return NULL;
}

/* An entry point; `prefix` is the part of the module's name that symbols begin with. */
static void *
find_symbol(void *library, const char *prefix, const char *suffix) {
	size_t size = strlen(prefix) + strlen(suffix) + 1;
	char *symbol = skynet_malloc(size);
	snprintf(symbol, size, "%s%s", prefix, suffix);
	void *address = dlsym(library, symbol);
	skynet_free(symbol);
	return address;
}

static bool
find_entry_points(
	void *library, struct module *module, const char *name, struct skynet_error *error) {
	const char *dot = strrchr(name, '.');
	const char *prefix = dot != NULL ? dot + 1 : name;
	void *create = find_symbol(library, prefix, "_create");
	void *init = find_symbol(library, prefix, "_init");
	void *release = find_symbol(library, prefix, "_release");
	void *signal = find_symbol(library, prefix, "_signal");
	/* A conversion by copy: ISO C knows none between pointers to data and to functions. */
	memcpy(&module->create, &create, sizeof(create));
	memcpy(&module->init, &init, sizeof(init));
	memcpy(&module->release, &release, sizeof(release));
	memcpy(&module->signal, &signal, sizeof(signal));
	if (module->init == NULL)
		error_set(error, SKYNET_EMODULE,
			"cannot load module '%s': it has no function '%s_init'", name, prefix);
	return module->init != NULL;
}

/* ---- the table ---- */

/* Under the lock. */
static const struct module *
find_loaded(struct module_table *table, const char *name) {
	for (struct module_node *node = table->first; node != NULL; node = node->next) {
		if (strcmp(node->name, name) == 0)
			return &node->module;
	}
	return NULL;
}

/* Under the lock. */
static const struct module *
insert(struct module_table *table, const char *name, const struct module *module) {
	size_t size = strlen(name) + 1;
	struct module_node *node = skynet_malloc(sizeof(*node) + size);
	memcpy(node->name, name, size);
	node->module = *module;
	node->module.name = node->name;
	node->next = table->first;
	table->first = node;
	table->count++;
	return &node->module;
}

/* Under the lock. */
static const struct module *
load(struct module_table *table, const char *name, struct skynet_error *error) {
	struct module module = {0};
	void *library = open_library(table->path, name, error);
	if (library == NULL)
		return NULL;
	/* Not closed without them: what it did when it was loaded may still be in use. */
	if (!find_entry_points(library, &module, name, error))
		return NULL;
	return insert(table, name, &module);
}

const struct module *
module_table_find(struct module_table *table, const char *name, struct skynet_error *error) {
	if (name[0] == '\0') {
		error_set(error, SKYNET_EMODULE, "cannot load module '': the name is empty");
		return NULL;
	}
	mutex_acquire(&table->lock);
	const struct module *module = find_loaded(table, name);
	if (module == NULL)
		module = load(table, name, error);
	mutex_release(&table->lock);
	return module;
}

bool
module_table_add(struct module_table *table, const struct module *module) {
	if (module->init == NULL)
		return false;
	mutex_acquire(&table->lock);
	bool absent = find_loaded(table, module->name) == NULL;
	if (absent)
		insert(table, module->name, module);
	mutex_release(&table->lock);
	return absent;
}

size_t
module_table_count(struct module_table *table) {
	mutex_acquire(&table->lock);
	size_t count = table->count;
	mutex_release(&table->lock);
	return count;
}

/* ---- calling a module ---- */

void *
module_create(const struct module *module) {
	return module->create != NULL ? module->create() : MODULE_NO_INSTANCE;
}

int
module_init(const struct module *module, void *instance, struct skynet_context *context,
	const char *param) {
	return module->init(instance, context, param);
}

void
module_release(const struct module *module, void *instance) {
	if (module->release != NULL)
		module->release(instance);
}

void
module_signal(const struct module *module, void *instance, int signal) {
	if (module->signal != NULL)
		module->signal(instance, signal);
}
