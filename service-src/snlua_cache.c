/* The code cache: file name -> bytecode with debug information, one per process, and where the C
 * modules were found: search paths and module name -> open function. Any thread.
 *
 * A blob never changes once it is in the table; it is counted, so that clearing the cache does not
 * disturb a service that is just loading from it. The lock guards the table and is not held while
 * Lua compiles or loads.
 */
#include <dlfcn.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "snlua_parts.h"

#define BUCKETS        256 /* power of two */
#define FIRST_CAPACITY 4096
#define CACHE_KEY      "snlua.code_cache"

struct blob {
	_Atomic(int) references;
	struct blob *next; /* in its bucket */
	char *filename;    /* or the search of a C module */
	uint32_t hash;
	size_t size;
	char *data;             /* bytecode, or the file of a C module */
	lua_CFunction function; /* of a C module; its library is never closed */
};

struct code_cache {
	struct mutex lock;
	struct blob *buckets[BUCKETS]; /* guarded by lock */
};

struct blob *
blob_grab(struct blob *blob) {
	/* The caller has a reference, so there is no last one to race with. */
	atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
	return blob;
}

void
blob_drop(struct blob *blob) {
	/* The last one must see what the others did with it: acquire pairs with their release. */
	if (atomic_fetch_sub_explicit(&blob->references, 1, memory_order_acq_rel) != 1)
		return;
	skynet_free(blob->filename);
	skynet_free(blob->data);
	skynet_free(blob);
}

static void *
cache_create(void *ud) {
	(void)ud;
	struct code_cache *cache = skynet_calloc(1, sizeof *cache);
	mutex_init(&cache->lock, LOCK_RANK_LEAF);
	return cache;
}

static void
cache_destroy(void *object) {
	struct code_cache *cache = object;
	code_cache_clear(cache);
	mutex_fini(&cache->lock);
	skynet_free(cache);
}

struct code_cache *
code_cache_of(struct skynet_context *context) {
	return skynet_shared_object(context, CACHE_KEY, cache_create, NULL, cache_destroy);
}

void
code_cache_clear(struct code_cache *cache) {
	struct blob *dropped = NULL;
	mutex_acquire(&cache->lock);
	for (int i = 0; i < BUCKETS; i++) {
		while (cache->buckets[i] != NULL) {
			struct blob *blob = cache->buckets[i];
			cache->buckets[i] = blob->next;
			blob->next = dropped;
			dropped = blob;
		}
	}
	mutex_release(&cache->lock);
	while (dropped != NULL) {
		struct blob *blob = dropped;
		dropped = blob->next;
		blob_drop(blob);
	}
}

/// The blob in the table, not counted. The lock is held.
static struct blob *
cache_lookup(struct code_cache *cache, const char *filename, uint32_t hash) {
	struct blob *blob = cache->buckets[hash & (BUCKETS - 1)];
	while (blob != NULL && (blob->hash != hash || strcmp(blob->filename, filename) != 0))
		blob = blob->next;
	return blob;
}

bool
code_cache_has(struct code_cache *cache, const char *filename) {
	uint32_t hash = hash_text(filename);
	mutex_acquire(&cache->lock);
	bool found = cache_lookup(cache, filename, hash) != NULL;
	mutex_release(&cache->lock);
	return found;
}

/// Gives a counted blob (blob_drop) or NULL.
static struct blob *
cache_grab(struct code_cache *cache, const char *filename, uint32_t hash) {
	mutex_acquire(&cache->lock);
	struct blob *blob = cache_lookup(cache, filename, hash);
	if (blob != NULL)
		/* Under the lock nobody can drop the last reference, which the table holds. */
		atomic_fetch_add_explicit(&blob->references, 1, memory_order_relaxed);
	mutex_release(&cache->lock);
	return blob;
}

/// Puts a blob into the table, which takes it; the first one with a name stays.
static void
cache_insert(struct code_cache *cache, struct blob *blob) {
	struct blob **bucket = &cache->buckets[blob->hash & (BUCKETS - 1)];
	mutex_acquire(&cache->lock);
	bool taken = cache_lookup(cache, blob->filename, blob->hash) != NULL;
	if (!taken) {
		blob->next = *bucket;
		*bucket = blob;
	}
	mutex_release(&cache->lock);
	if (taken)
		blob_drop(blob);
}

struct dump {
	char *data;
	size_t size, capacity;
};

static int
dump_writer(lua_State *L, const void *part, size_t size, void *ud) {
	(void)L;
	struct dump *dump = ud;
	if (dump->capacity - dump->size < size) {
		size_t capacity = dump->capacity == 0 ? FIRST_CAPACITY : dump->capacity * 2;
		if (capacity < dump->size + size)
			capacity = dump->size + size;
		dump->data = skynet_realloc(dump->data, capacity);
		dump->capacity = capacity;
	}
	memcpy(dump->data + dump->size, part, size);
	dump->size += size;
	return 0;
}

/// Keeps a copy of the Lua function at the top of the stack.
static void
cache_fill(struct code_cache *cache, lua_State *L, const char *filename, uint32_t hash) {
	struct dump dump = {NULL, 0, 0};
	/* Not stripped: tracebacks need names and lines. */
	if (lua_dump(L, dump_writer, &dump, 0) != 0) {
		skynet_free(dump.data);
		return;
	}
	struct blob *blob = skynet_calloc(1, sizeof *blob);
	atomic_init(&blob->references, 1);
	blob->filename = skynet_strdup(filename);
	blob->hash = hash;
	blob->size = dump.size;
	blob->data = skynet_realloc(dump.data, dump.size);
	cache_insert(cache, blob);
}

struct blob_reader {
	const struct blob *blob;
	bool done;
};

static const char *
blob_read(lua_State *L, void *ud, size_t *size) {
	(void)L;
	struct blob_reader *reader = ud;
	*size = reader->done ? 0 : reader->blob->size;
	reader->done = true;
	return *size ? reader->blob->data : NULL;
}

int
blob_load(lua_State *L, const struct blob *blob) {
	struct blob_reader reader = {blob, false};
	return lua_load(L, blob_read, &reader, blob->filename, "b");
}

int
code_cache_load(struct snlua *service, lua_State *L, const char *filename, const char *mode) {
	struct code_cache *cache = service->cache;
	if (filename == NULL || cache == NULL || service->cache_mode == CODE_CACHE_OFF)
		return luaL_loadfilex(L, filename, mode);
	uint32_t hash = hash_text(filename);
	struct blob *blob = cache_grab(cache, filename, hash);
	int status = LUA_OK;
	if (blob == NULL) {
		status = luaL_loadfilex(L, filename, mode);
		if (status == LUA_OK && service->cache_mode == CODE_CACHE_ON) {
			cache_fill(cache, L, filename, hash);
			blob = cache_grab(cache, filename, hash);
		}
	} else if (!template_take(service, L, blob)) {
		/* lua_load is protected: nothing raises while the blob is held. */
		status = blob_load(L, blob);
	}
	if (blob != NULL) {
		template_note(service, blob);
		blob_drop(blob);
	}
	return status;
}

lua_CFunction
code_cache_find_module(struct code_cache *cache, lua_State *L, const char *search) {
	struct blob *blob = cache_grab(cache, search, hash_text(search));
	if (blob == NULL)
		return NULL;
	lua_CFunction function = blob->function;
	/* The blob outlives the copy: only a lack of memory could raise, and then it stays counted.
	 */
	lua_pushlstring(L, blob->data, blob->size);
	blob_drop(blob);
	return function;
}

void
code_cache_add_module(struct code_cache *cache, const char *search, const char *filename,
	lua_CFunction function) {
	/* Lua closes its libraries with the state that opened them: this keeps them for all. */
	if (dlopen(filename, RTLD_NOW) == NULL)
		return;
	struct blob *blob = skynet_calloc(1, sizeof *blob);
	atomic_init(&blob->references, 1);
	blob->filename = skynet_strdup(search);
	blob->hash = hash_text(search);
	blob->size = strlen(filename);
	blob->data = skynet_strdup(filename);
	blob->function = function;
	cache_insert(cache, blob);
}
