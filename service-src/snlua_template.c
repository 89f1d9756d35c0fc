/* Templates: from its second launch on, a script gets a copy of a state in which the libraries are
 * open and its files are compiled, instead of building all that again.
 *
 * The first launch of a script notes which files it loads; the second builds the template from
 * these: a state that has never run any code of them. A file that a launch loads and the template
 * has not is loaded as ever; one that it does not load is dropped. Launches on other threads do not
 * wait while a template is built. The lock guards the table and the fields of entries; it is not
 * held while Lua works.
 */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/lock.h"
#include "snlua_parts.h"

#define TEMPLATES_KEY "snlua.templates"
#define CHUNKS_KEY    "snlua.chunks" /* registry: the functions of the files, in order */
#define SEED_KEY      "snlua.seed"   /* registry: math.randomseed */
#define TEMPLATES_MAX 256            /* scripts that may have one */
#define FILES_MAX     256            /* in one template */
#define STRINGS_AHEAD 64             /* that a small service makes while it starts */
#define BUCKETS       64             /* power of two */
#define BLANKS        " \t\n\v\f\r"

/* Files in the order in which a script loads them. */
struct files {
	struct blob **at; /* each is a reference */
	int count;
};

/* What the launches of one script share. It does not change once it is made. */
struct template {
	_Atomic(int) references;
	struct files files;
	struct state_image *image;
};

enum entry_state {
	ENTRY_NEW,      /* a launch is going on, or went wrong */
	ENTRY_NOTED,    /* `files` and `prepare` say what a launch took */
	ENTRY_BUILDING, /* by some thread */
	ENTRY_READY,    /* `template` */
	ENTRY_NONE,     /* this script can have none */
};

struct entry {
	struct entry *next; /* in its bucket */
	char *name;
	uint32_t hash;
	enum entry_state state;
	struct files files;
	lua_CFunction prepare; /* see SNLUA_PREPARE_KEY; NULL when there is none */
	struct template *template;
};

struct templates {
	struct mutex lock;
	struct entry *buckets[BUCKETS]; /* guarded by lock */
	int count;                      /* guarded by lock */
	unsigned generation;            /* how often it was cleared; guarded by lock */
};

/* One launch. */
struct template_use {
	struct template *template; /* NULL: `files` is what it loads */
	struct files files;
	char *name;
	unsigned generation;
};

/* ---- parts ---- */

static void
files_add(struct files *files, struct blob *blob) {
	if (files->at == NULL)
		files->at = skynet_malloc(FILES_MAX * sizeof(struct blob *));
	files->at[files->count++] = blob_grab(blob);
}

static void
files_clear(struct files *files) {
	for (int i = 0; i < files->count; i++)
		blob_drop(files->at[i]);
	skynet_free(files->at);
	*files = (struct files){NULL, 0};
}

static void
template_drop(struct template *template) {
	/* The last one must see what the others did with it: acquire pairs with their release. */
	if (template == NULL ||
		atomic_fetch_sub_explicit(&template->references, 1, memory_order_acq_rel) != 1)
		return;
	files_clear(&template->files);
	state_image_drop(template->image);
	skynet_free(template);
}

static void
entry_destroy(struct entry *entry) {
	files_clear(&entry->files);
	template_drop(entry->template);
	skynet_free(entry->name);
	skynet_free(entry);
}

static void *
templates_create(void *ud) {
	(void)ud;
	struct templates *templates = skynet_calloc(1, sizeof *templates);
	mutex_init(&templates->lock, LOCK_RANK_LEAF);
	return templates;
}

static void
templates_destroy(void *object) {
	struct templates *templates = object;
	templates_clear(templates);
	mutex_fini(&templates->lock);
	skynet_free(templates);
}

struct templates *
templates_of(struct skynet_context *context) {
	return skynet_shared_object(
		context, TEMPLATES_KEY, templates_create, NULL, templates_destroy);
}

void
templates_clear(struct templates *templates) {
	struct entry *dropped = NULL;
	mutex_acquire(&templates->lock);
	for (int i = 0; i < BUCKETS; i++) {
		while (templates->buckets[i] != NULL) {
			struct entry *entry = templates->buckets[i];
			templates->buckets[i] = entry->next;
			entry->next = dropped;
			dropped = entry;
		}
	}
	templates->count = 0;
	templates->generation++;
	mutex_release(&templates->lock);
	while (dropped != NULL) {
		struct entry *entry = dropped;
		dropped = entry->next;
		entry_destroy(entry);
	}
}

/// The entry of a script, NULL when there is none. The lock is held.
static struct entry *
find_entry(struct templates *templates, const char *name, uint32_t hash) {
	struct entry *entry = templates->buckets[hash & (BUCKETS - 1)];
	while (entry != NULL && (entry->hash != hash || strcmp(entry->name, name) != 0))
		entry = entry->next;
	return entry;
}

/// As find_entry, and adds one unless there are too many. The lock is held.
static struct entry *
have_entry(struct templates *templates, const char *name) {
	uint32_t hash = hash_text(name);
	struct entry *entry = find_entry(templates, name, hash);
	if (entry != NULL || templates->count == TEMPLATES_MAX)
		return entry;
	entry = skynet_calloc(1, sizeof *entry);
	entry->name = skynet_strdup(name);
	entry->hash = hash;
	entry->next = templates->buckets[hash & (BUCKETS - 1)];
	templates->buckets[hash & (BUCKETS - 1)] = entry;
	templates->count++;
	return entry;
}

/* ---- building ---- */

/* What the protected function that fills a template works with. */
struct build {
	struct snlua *service;
	const struct files *files;
	lua_CFunction prepare;
};

/// Lets the table of strings grow once more: that of a service is a little too large for the size
/// that the libraries leave it at, and would be moved out of every copy.
static void
grow_string_table(lua_State *L) {
	for (int i = 0; i < STRINGS_AHEAD; i++) {
		lua_pushfstring(L, "%d", i);
		lua_pop(L, 1);
	}
}

static int
fill_state(lua_State *L) {
	const struct build *build = lua_touserdata(L, 1);
	snlua_open_libraries(L, build->service);
	lua_createtable(L, build->files->count, 0);
	for (int i = 0; i < build->files->count; i++) {
		if (blob_load(L, build->files->at[i]) != LUA_OK)
			return lua_error(L);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setfield(L, LUA_REGISTRYINDEX, CHUNKS_KEY);
	lua_getglobal(L, LUA_MATHLIBNAME);
	lua_getfield(L, -1, "randomseed");
	lua_setfield(L, LUA_REGISTRYINDEX, SEED_KEY);
	if (build->prepare != NULL) {
		lua_pushcfunction(L, build->prepare);
		lua_pushvalue(L, -1);
		lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_PREPARE_KEY);
		lua_call(L, 0, 0);
	}
	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCSTOP);
	grow_string_table(L);
	lua_gc(L, LUA_GCCOLLECT);
	return 0;
}

/// A service that has no state, in the name of another.
static void
init_stand_in(struct snlua *stand_in, const struct snlua *service) {
	memset(stand_in, 0, sizeof *stand_in);
	stand_in->context = service->context;
	stand_in->cache = service->cache;
	stand_in->templates = service->templates;
	stand_in->attend = service->attend;
	snlua_memory_init(stand_in);
}

/// Gives the image of a state that is ready to run the script, or NULL.
static struct state_image *
build_image(
	const struct snlua *service, const struct files *files, lua_CFunction prepare, bool share) {
	struct snlua *stand_in = skynet_malloc(sizeof *stand_in);
	init_stand_in(stand_in, service);
	struct state_image *image = NULL;
	struct image_draft *draft = image_draft_create();
	lua_State *L = lua_newstate(image_draft_allocate, draft);
	if (L != NULL) {
		memset(lua_getextraspace(L), 0, LUA_EXTRASPACE);
		struct build build = {stand_in, files, prepare};
		lua_pushcfunction(L, fill_state);
		lua_pushlightuserdata(L, &build);
		if (lua_pcall(L, 1, 0, 0) == LUA_OK)
			image = state_image_create(draft, L, stand_in, share);
		lua_close(L);
	}
	image_draft_destroy(draft);
	init_stand_in(stand_in, service);
	if (image != NULL && !state_image_check(image, stand_in)) {
		state_image_drop(image);
		image = NULL;
	}
	skynet_free(stand_in);
	return image;
}

/// Gives a template, or NULL; takes the files.
static struct template *
build_template(const struct snlua *service, struct files files, lua_CFunction prepare) {
	struct state_image *image = build_image(service, &files, prepare, true);
	if (image == NULL)
		image = build_image(service, &files, prepare, false);
	if (image == NULL) {
		files_clear(&files);
		return NULL;
	}
	struct template *template = skynet_calloc(1, sizeof *template);
	atomic_init(&template->references, 1);
	template->files = files;
	template->image = image;
	return template;
}

/// Builds the template of an entry that this thread has set to ENTRY_BUILDING. Gives a reference,
/// or NULL.
static struct template *
finish_entry(struct snlua *service, struct files files, lua_CFunction prepare) {
	struct templates *templates = service->templates;
	struct template_use *use = service->use;
	struct template *template = build_template(service, files, prepare);
	mutex_acquire(&templates->lock);
	struct entry *entry = templates->generation == use->generation
				      ? find_entry(templates, use->name, hash_text(use->name))
				      : NULL;
	if (entry != NULL) {
		entry->state = template != NULL ? ENTRY_READY : ENTRY_NONE;
		entry->template = template;
		if (template != NULL)
			/* Nobody else has it yet. */
			atomic_store_explicit(&template->references, 2, memory_order_relaxed);
	}
	mutex_release(&templates->lock);
	return template;
}

/* ---- launches ---- */

static struct template *
find_template(struct snlua *service) {
	struct templates *templates = service->templates;
	struct template_use *use = service->use;
	struct template *template = NULL;
	mutex_acquire(&templates->lock);
	use->generation = templates->generation;
	struct entry *entry = have_entry(templates, use->name);
	if (entry != NULL && entry->state == ENTRY_NOTED) {
		struct files files = entry->files;
		lua_CFunction prepare = entry->prepare;
		entry->state = ENTRY_BUILDING;
		entry->files = (struct files){NULL, 0};
		mutex_release(&templates->lock);
		return finish_entry(service, files, prepare);
	}
	if (entry != NULL && entry->state == ENTRY_READY) {
		template = entry->template;
		/* Under the lock nobody can drop the last reference, which the table holds. */
		atomic_fetch_add_explicit(&template->references, 1, memory_order_relaxed);
	}
	mutex_release(&templates->lock);
	return template;
}

bool
template_begin(struct snlua *service, const char *args, size_t size) {
	struct template_use *use = skynet_calloc(1, sizeof *use);
	use->name = skynet_malloc(size + 1);
	memcpy(use->name, args, size);
	use->name[size] = '\0';
	char *word = use->name + strspn(use->name, BLANKS);
	word[strcspn(word, BLANKS)] = '\0';
	memmove(use->name, word, strlen(word) + 1);
	service->use = use;
	use->template = find_template(service);
	if (use->template == NULL)
		return false;
	state_image_copy(use->template->image, service);
	return true;
}

void
template_adopt(lua_State *L) {
	/* As when the library is opened: each service has random numbers of its own. */
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	lua_getfield(L, LUA_REGISTRYINDEX, SEED_KEY);
	lua_pushinteger(L, (lua_Integer)now.tv_sec * 1000000000 + now.tv_nsec);
	lua_pushinteger(L, (lua_Integer)(uintptr_t)L);
	lua_call(L, 2, 0);
	lua_pushnil(L);
	lua_setfield(L, LUA_REGISTRYINDEX, SEED_KEY);
	if (lua_getfield(L, LUA_REGISTRYINDEX, SNLUA_PREPARE_KEY) == LUA_TFUNCTION)
		lua_call(L, 0, 0);
	else
		lua_pop(L, 1);
}

bool
template_take(struct snlua *service, lua_State *L, struct blob *blob) {
	const struct template_use *use = service->use;
	if (use == NULL || use->template == NULL || !lua_checkstack(L, 3))
		return false;
	const struct files *files = &use->template->files;
	int i = 0;
	while (i < files->count && files->at[i] != blob)
		i++;
	if (i == files->count)
		return false;
	bool found = false;
	if (lua_getfield(L, LUA_REGISTRYINDEX, CHUNKS_KEY) == LUA_TTABLE) {
		found = lua_rawgeti(L, -1, i + 1) == LUA_TFUNCTION;
		/* Each load makes a function of its own: this one is gone. */
		lua_pushnil(L);
		lua_rawseti(L, -3, i + 1);
		lua_remove(L, -2);
	}
	if (!found)
		lua_pop(L, 1);
	return found;
}

void
template_note(struct snlua *service, struct blob *blob) {
	struct template_use *use = service->use;
	if (use == NULL || use->template != NULL || use->files.count == FILES_MAX)
		return;
	for (int i = 0; i < use->files.count; i++)
		if (use->files.at[i] == blob)
			return;
	files_add(&use->files, blob);
}

/// Puts what the launch loaded into the entry of the script.
static void
note_launch(struct snlua *service) {
	struct templates *templates = service->templates;
	struct template_use *use = service->use;
	lua_getfield(service->L, LUA_REGISTRYINDEX, SNLUA_PREPARE_KEY);
	lua_CFunction prepare = lua_tocfunction(service->L, -1);
	lua_pop(service->L, 1);
	mutex_acquire(&templates->lock);
	struct entry *entry = templates->generation == use->generation
				      ? find_entry(templates, use->name, hash_text(use->name))
				      : NULL;
	if (entry != NULL && entry->state == ENTRY_NEW) {
		entry->state = ENTRY_NOTED;
		entry->files = use->files;
		entry->prepare = prepare;
		use->files = (struct files){NULL, 0};
	}
	mutex_release(&templates->lock);
}

void
template_end(struct snlua *service, bool success) {
	struct template_use *use = service->use;
	if (use == NULL)
		return;
	if (use->template != NULL && service->L != NULL) {
		lua_pushnil(service->L);
		lua_setfield(service->L, LUA_REGISTRYINDEX, CHUNKS_KEY);
	} else if (success && service->cache_mode == CODE_CACHE_ON) {
		note_launch(service);
	}
	template_drop(use->template);
	files_clear(&use->files);
	skynet_free(use->name);
	skynet_free(use);
	service->use = NULL;
}
