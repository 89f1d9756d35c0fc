/* See handle_table.h. Invariants:
 * - the word of an object changes from {handle, n > 0} only by counting, until it is {handle, 0};
 * then it becomes 0 and the object goes to the pool. A compare-and-swap that finds {handle, n > 0}
 * has therefore found the very object that the handle means, whatever happened in between;
 * - index i is in slot i % size of the slot array, the size is a power of two, no two share a slot;
 * - a slot array that was replaced stays readable until the table is destroyed.
 */
#include "data/handle_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/lock.h"
#include "skynet_malloc.h"

#define SLOTS_MIN       64u
#define CHUNK_COUNT_MIN 8u
#define CHUNK_COUNT_MAX 512u
#define CACHE_LINE      64u
#define NAMES_MIN       64u
#define INDEX_MAX       HANDLE_MASK

struct handle_slots {
	struct handle_slots *previous; /* replaced by this one */
	uint32_t mask;                 /* size - 1 */
	_Atomic(struct handle_object *) slot[];
};

/* Memory of `count` objects behind a header of one cache line. */
struct object_chunk {
	struct object_chunk *previous;
	size_t count;
};

struct handle_name {
	struct handle_name *next;       /* in its bucket */
	struct handle_name *next_owned; /* of the same handle, or of the strays */
	uint32_t handle;
	uint32_t hash;
	char text[];
};

struct handle_table {
	/* Read by every grab, written when the array grows. */
	_Alignas(CACHE_LINE) _Atomic(struct handle_slots *) slots;
	size_t object_size;
	handle_last_drop_fn last_drop;
	void *ud;
	uint32_t harbor_bits;

	/* The lock guards everything below, and the writing of slots. */
	_Alignas(CACHE_LINE) struct mutex lock;
	uint32_t next_index;
	uint64_t next_serial;
	size_t registered;
	size_t alive; /* objects not in the pool */
	struct object_chunk *chunks;
	struct handle_object *free_objects;
	struct handle_name **names; /* buckets */
	uint32_t names_mask;
	uint32_t name_count;
	struct handle_name *strays; /* names of handles that were not registered when bound */
};

/* ---- slots ---- */

static struct handle_slots *
slots_create(uint32_t size, struct handle_slots *previous) {
	struct handle_slots *slots = skynet_malloc(sizeof(*slots) + size * sizeof(slots->slot[0]));
	slots->previous = previous;
	slots->mask = size - 1;
	for (uint32_t i = 0; i < size; i++)
		atomic_init(&slots->slot[i], NULL);
	return slots;
}

/* Under the lock, or while nobody else is in the table: no order needed. */
static struct handle_slots *
slots_of(struct handle_table *table) {
	return atomic_load_explicit(&table->slots, memory_order_relaxed);
}

static struct handle_object *
slot_get(struct handle_slots *slots, uint32_t index) {
	return atomic_load_explicit(&slots->slot[index & slots->mask], memory_order_relaxed);
}

static void
slots_grow(struct handle_table *table) {
	struct handle_slots *old = slots_of(table);
	struct handle_slots *slots = slots_create((old->mask + 1) * 2, old);
	for (uint32_t i = 0; i <= old->mask; i++) {
		struct handle_object *object = slot_get(old, i);
		if (object == NULL)
			continue;
		uint32_t handle = handle_object_handle(object);
		atomic_store_explicit(
			&slots->slot[handle & slots->mask], object, memory_order_relaxed);
	}
	/* Pairs with the acquire in handle_table_grab: the slots are filled before they are seen.
	 */
	atomic_store_explicit(&table->slots, slots, memory_order_release);
}

/* Under the lock: the object of a registered handle. */
static struct handle_object *
find_object(struct handle_table *table, uint32_t handle) {
	struct handle_object *object = slot_get(slots_of(table), handle);
	return object != NULL && handle_object_handle(object) == handle ? object : NULL;
}

/* ---- the pool ---- */

static void
pool_grow(struct handle_table *table) {
	size_t count = CHUNK_COUNT_MIN;
	if (table->chunks != NULL)
		count = table->chunks->count * 2;
	if (count > CHUNK_COUNT_MAX)
		count = CHUNK_COUNT_MAX;
	struct object_chunk *chunk =
		skynet_memalign(CACHE_LINE, CACHE_LINE + count * table->object_size);
	chunk->previous = table->chunks;
	chunk->count = count;
	table->chunks = chunk;
	char *at = (char *)chunk + CACHE_LINE + count * table->object_size;
	while (count-- > 0) {
		at -= table->object_size;
		struct handle_object *object = (struct handle_object *)(void *)at;
		atomic_init(&object->word, 0);
		object->next_free = table->free_objects;
		table->free_objects = object;
	}
}

struct handle_object *
handle_table_alloc(struct handle_table *table) {
	mutex_acquire(&table->lock);
	if (table->free_objects == NULL)
		pool_grow(table);
	struct handle_object *object = table->free_objects;
	table->free_objects = object->next_free;
	table->alive++;
	mutex_release(&table->lock);

	memset((char *)object + sizeof(*object), 0, table->object_size - sizeof(*object));
	object->serial = 0;
	object->names = NULL;
	object->next_free = NULL;
	/* Relaxed: no grab can match handle 0. */
	atomic_store_explicit(&object->word, 1, memory_order_relaxed);
	return object;
}

/* ---- names ---- */

static struct handle_name **
find_name(struct handle_table *table, const char *text, uint32_t hash) {
	struct handle_name **link = &table->names[hash & table->names_mask];
	while (*link != NULL && ((*link)->hash != hash || strcmp((*link)->text, text) != 0))
		link = &(*link)->next;
	return link;
}

static void
names_grow(struct handle_table *table) {
	uint32_t size = (table->names_mask + 1) * 2;
	struct handle_name **buckets = skynet_calloc(size, sizeof(*buckets));
	for (uint32_t i = 0; i <= table->names_mask; i++) {
		struct handle_name *name = table->names[i];
		while (name != NULL) {
			struct handle_name *next = name->next;
			name->next = buckets[name->hash & (size - 1)];
			buckets[name->hash & (size - 1)] = name;
			name = next;
		}
	}
	skynet_free(table->names);
	table->names = buckets;
	table->names_mask = size - 1;
}

static void
forget_name(struct handle_table *table, struct handle_name *name) {
	struct handle_name **link = &table->names[name->hash & table->names_mask];
	while (*link != name)
		link = &(*link)->next;
	*link = name->next;
	table->name_count--;
	skynet_free(name);
}

static void
forget_names(struct handle_table *table, struct handle_object *object) {
	while (object->names != NULL) {
		struct handle_name *name = object->names;
		object->names = name->next_owned;
		forget_name(table, name);
	}
}

/* Names that were bound to a handle before it was registered, or after it was retired. */
static void
forget_strays(struct handle_table *table, uint32_t handle) {
	struct handle_name **link = &table->strays;
	while (*link != NULL) {
		struct handle_name *name = *link;
		if (name->handle == handle) {
			*link = name->next_owned;
			forget_name(table, name);
		} else
			link = &name->next_owned;
	}
}

const char *
handle_table_name(struct handle_table *table, const char *text, uint32_t handle) {
	uint32_t hash = hash_text(text);
	const char *stored = NULL;
	mutex_acquire(&table->lock);
	struct handle_name **link = find_name(table, text, hash);
	if (*link == NULL) {
		size_t size = strlen(text) + 1;
		struct handle_name *name = skynet_malloc(sizeof(*name) + size);
		memcpy(name->text, text, size);
		name->handle = handle;
		name->hash = hash;
		name->next = NULL;
		*link = name;
		struct handle_object *object = find_object(table, handle);
		struct handle_name **owned = object != NULL ? &object->names : &table->strays;
		name->next_owned = *owned;
		*owned = name;
		if (++table->name_count > table->names_mask)
			names_grow(table);
		stored = name->text;
	}
	mutex_release(&table->lock);
	return stored;
}

uint32_t
handle_table_find_name(struct handle_table *table, const char *text) {
	uint32_t hash = hash_text(text);
	mutex_acquire(&table->lock);
	struct handle_name *name = *find_name(table, text, hash);
	uint32_t handle = name != NULL ? name->handle : 0;
	mutex_release(&table->lock);
	return handle;
}

bool
handle_table_name_of(struct handle_table *table, uint32_t handle, char *buffer, size_t size) {
	mutex_acquire(&table->lock);
	struct handle_object *object = find_object(table, handle);
	bool found = object != NULL && object->names != NULL;
	if (found && size > 0) {
		size_t length = strlen(object->names->text);
		if (length >= size)
			length = size - 1;
		memcpy(buffer, object->names->text, length);
		buffer[length] = '\0';
	}
	mutex_release(&table->lock);
	return found;
}

/* ---- handles ---- */

/* Under the lock: the next index whose slot is free, by the rule in the header; 0 when there is
 * none. */
static uint32_t
take_index(struct handle_table *table) {
	if (table->registered >= INDEX_MAX)
		return 0;
	/* At most three quarters full, so that the search below is short. At full size, one slot in
	   2^24 (that of index 0) stays empty. */
	struct handle_slots *slots = slots_of(table);
	uint32_t size = slots->mask + 1;
	if (table->registered >= size / 4 * 3 && size <= INDEX_MAX) {
		slots_grow(table);
		slots = slots_of(table);
	}
	uint32_t index = table->next_index;
	while (index > INDEX_MAX || slot_get(slots, index) != NULL)
		index = index >= INDEX_MAX ? 1 : index + 1;
	table->next_index = index + 1;
	return index;
}

uint32_t
handle_table_register(struct handle_table *table, struct handle_object *object) {
	mutex_acquire(&table->lock);
	uint32_t index = take_index(table);
	if (index == 0) {
		mutex_release(&table->lock);
		return 0;
	}
	uint32_t handle = table->harbor_bits | index;
	struct handle_slots *slots = slots_of(table);
	object->serial = table->next_serial++;
	table->registered++;
	/* From here on a reader of a replaced array cannot match: the object is in none. The
	   table's reference comes with the handle. */
	uint64_t references = (uint32_t)atomic_load_explicit(&object->word, memory_order_relaxed);
	atomic_store_explicit(
		&object->word, (uint64_t)handle << 32 | (references + 1), memory_order_relaxed);
	/* Pairs with the acquire in handle_table_grab: the object is complete before it is seen. */
	atomic_store_explicit(&slots->slot[index & slots->mask], object, memory_order_release);
	mutex_release(&table->lock);
	return handle;
}

bool
handle_table_retire(struct handle_table *table, uint32_t handle) {
	mutex_acquire(&table->lock);
	struct handle_object *object = find_object(table, handle);
	if (object != NULL) {
		struct handle_slots *slots = slots_of(table);
		atomic_store_explicit(
			&slots->slot[handle & slots->mask], NULL, memory_order_relaxed);
		table->registered--;
		forget_names(table, object);
		forget_strays(table, handle);
	}
	mutex_release(&table->lock);
	if (object == NULL)
		return false;
	handle_table_drop(table, object);
	return true;
}

struct handle_object *
handle_table_grab(struct handle_table *table, uint32_t handle) {
	/* Acquire: pairs with slots_grow. */
	struct handle_slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire);
	/* Acquire: pairs with handle_table_register. */
	struct handle_object *object =
		atomic_load_explicit(&slots->slot[handle & slots->mask], memory_order_acquire);
	if (object == NULL || handle == 0)
		return NULL;
	uint64_t word = atomic_load_explicit(&object->word, memory_order_relaxed);
	do {
		if ((uint32_t)(word >> 32) != handle || (uint32_t)word == 0)
			return NULL;
		/* Acquire pairs with the release of handle_table_drop by the users before. */
	} while (!atomic_compare_exchange_weak_explicit(
		&object->word, &word, word + 1, memory_order_acquire, memory_order_relaxed));
	return object;
}

void
handle_table_hold(struct handle_object *object) {
	/* Relaxed: the caller's own reference keeps the object. */
	atomic_fetch_add_explicit(&object->word, 1, memory_order_relaxed);
}

static void
pool_return(struct handle_table *table, struct handle_object *object) {
	uint32_t handle = handle_object_handle(object);
	mutex_acquire(&table->lock);
	if (handle != 0)
		forget_strays(table, handle);
	object->next_free = table->free_objects;
	table->free_objects = object;
	table->alive--;
	mutex_release(&table->lock);
}

void
handle_table_drop(struct handle_table *table, struct handle_object *object) {
	/* Release: what this user did comes before the last drop; acquire: the last one sees it
	 * all. */
	uint64_t before = atomic_fetch_sub_explicit(&object->word, 1, memory_order_acq_rel);
	assert((uint32_t)before != 0);
	if ((uint32_t)before != 1)
		return;
	table->last_drop(object, table->ud);
	pool_return(table, object);
}

size_t
handle_table_count(struct handle_table *table) {
	mutex_acquire(&table->lock);
	size_t count = table->registered;
	mutex_release(&table->lock);
	return count;
}

struct listed_handle {
	uint64_t serial;
	uint32_t handle;
};

static int
compare_serial(const void *left, const void *right) {
	const struct listed_handle *a = left;
	const struct listed_handle *b = right;
	return a->serial < b->serial ? -1 : a->serial > b->serial;
}

uint32_t *
handle_table_list(struct handle_table *table, size_t *count) {
	mutex_acquire(&table->lock);
	size_t total = table->registered;
	struct listed_handle *listed = skynet_malloc(total * sizeof(*listed));
	struct handle_slots *slots = slots_of(table);
	size_t n = 0;
	for (uint32_t i = 0; i <= slots->mask && n < total; i++) {
		struct handle_object *object = slot_get(slots, i);
		if (object != NULL) {
			listed[n].serial = object->serial;
			listed[n++].handle = handle_object_handle(object);
		}
	}
	mutex_release(&table->lock);

	qsort(listed, n, sizeof(*listed), compare_serial);
	uint32_t *handles = n > 0 ? skynet_malloc(n * sizeof(*handles)) : NULL;
	for (size_t i = 0; i < n; i++)
		handles[i] = listed[i].handle;
	skynet_free(listed);
	*count = n;
	return handles;
}

/* ---- life ---- */

struct handle_table *
handle_table_create(size_t object_size, int harbor, handle_last_drop_fn last_drop, void *ud) {
	assert(object_size >= sizeof(struct handle_object));
	assert(harbor >= 0 && harbor <= 255);
	struct handle_table *table = skynet_memalign(CACHE_LINE, sizeof(*table));
	memset(table, 0, sizeof(*table));
	atomic_init(&table->slots, slots_create(SLOTS_MIN, NULL));
	table->object_size = (object_size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	table->last_drop = last_drop;
	table->ud = ud;
	table->harbor_bits = (uint32_t)harbor << HANDLE_REMOTE_SHIFT;
	mutex_init(&table->lock, LOCK_RANK_HANDLE);
	table->next_index = 1;
	table->names = skynet_calloc(NAMES_MIN, sizeof(*table->names));
	table->names_mask = NAMES_MIN - 1;
	return table;
}

void
handle_table_destroy(struct handle_table *table) {
	if (table == NULL)
		return;
	assert(table->alive == 0);
	while (table->strays != NULL) {
		struct handle_name *name = table->strays;
		table->strays = name->next_owned;
		skynet_free(name);
	}
	skynet_free(table->names);
	struct handle_slots *slots = slots_of(table);
	while (slots != NULL) {
		struct handle_slots *previous = slots->previous;
		skynet_free(slots);
		slots = previous;
	}
	while (table->chunks != NULL) {
		struct object_chunk *previous = table->chunks->previous;
		skynet_free(table->chunks);
		table->chunks = previous;
	}
	mutex_fini(&table->lock);
	skynet_free(table);
}
