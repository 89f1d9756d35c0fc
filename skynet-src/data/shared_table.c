/* A short list under a mutex: objects are rarely looked up, because their users keep the pointer.
 */
#include "data/shared_table.h"

#include <dlfcn.h>
#include <string.h>

#include "base/lock.h"
#include "skynet_malloc.h"

struct shared_entry {
	struct shared_entry *older;
	void *object;
	shared_destroy_fn destroy;
	char key[];
};

struct shared_table {
	struct mutex lock; /* guards the rest; creators run under it */
	struct shared_entry *latest;
	size_t count;
};

struct shared_table *
shared_table_create(void) {
	struct shared_table *table = skynet_calloc(1, sizeof(*table));
	mutex_init(&table->lock, LOCK_RANK_SHARED);
	return table;
}

void
shared_table_destroy(struct shared_table *table) {
	if (table == NULL)
		return;
	while (table->latest != NULL) {
		struct shared_entry *entry = table->latest;
		table->latest = entry->older;
		if (entry->destroy != NULL)
			entry->destroy(entry->object);
		skynet_free(entry);
	}
	mutex_fini(&table->lock);
	skynet_free(table);
}

/* Under the lock. */
static void *
find(struct shared_table *table, const char *key) {
	for (struct shared_entry *entry = table->latest; entry != NULL; entry = entry->older) {
		if (strcmp(entry->key, key) == 0)
			return entry->object;
	}
	return NULL;
}

/* Lua unloads a C module when the last state that required it is closed, but objects end later:
 * keep the library with the function `destroy` loaded. */
static void
keep_library(shared_destroy_fn destroy) {
	union {
		shared_destroy_fn function;
		void *address;
	} code = {.function = destroy};
	Dl_info info;
	if (destroy == NULL || dladdr(code.address, &info) == 0 || info.dli_fname == NULL)
		return;
	void *library = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
	if (library != NULL)
		dlclose(library);
}

/* Under the lock. */
static void *
make(struct shared_table *table, const char *key, shared_create_fn create, void *ud,
	shared_destroy_fn destroy) {
	void *object = create != NULL ? create(ud) : NULL;
	if (object == NULL)
		return NULL;
	size_t size = strlen(key) + 1;
	struct shared_entry *entry = skynet_malloc(sizeof(*entry) + size);
	memcpy(entry->key, key, size);
	entry->object = object;
	entry->destroy = destroy;
	entry->older = table->latest;
	table->latest = entry;
	table->count++;
	keep_library(destroy);
	return object;
}

void *
shared_table_get(struct shared_table *table, const char *key, shared_create_fn create, void *ud,
	shared_destroy_fn destroy) {
	mutex_acquire(&table->lock);
	void *object = find(table, key);
	if (object == NULL)
		object = make(table, key, create, ud, destroy);
	mutex_release(&table->lock);
	return object;
}

size_t
shared_table_count(struct shared_table *table) {
	mutex_acquire(&table->lock);
	size_t count = table->count;
	mutex_release(&table->lock);
	return count;
}
