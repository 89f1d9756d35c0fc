/* One Lua service as the Lua core sees it, shared by the files lua_*.c of the core (task, call,
 * wait, dispatch, ...). Only the thread that runs the service touches any of this.
 *
 * Every Lua thread of a service reaches its struct in O(1) through lua_getextraspace: the main
 * thread holds the struct lua_service, a task's thread its struct task, a thread of
 * skynet.coroutine its struct coroutine; threads that Lua code makes by itself inherit the value of
 * the main thread.
 */
#ifndef SKYNET_LUA_SERVICE_H
#define SKYNET_LUA_SERVICE_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lua_layout.h"
#include "lua_seri.h"
#include "lua_session.h"
#include "lua_timeout.h"
#include "skynet.h"

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define PROTOCOL_MAX 256 /* ids 0..255 */
#define NO_PROTOCOL  0xff
/* Room for protocols inside struct lua_service: enough for the four that every service has, and two
 * more. */
#define FIRST_PROTOCOLS 6
#define MS_PER_CS       10

struct snlua;
struct task;
struct coroutine;
struct response;
struct selection;

enum thread_kind { THREAD_SERVICE, THREAD_TASK, THREAD_COROUTINE };

/* First member of what the extra space of a Lua thread points to. */
struct lua_thread {
	struct lua_service *service;
	enum thread_kind kind;
};

/* Fields of a protocol that are read for every message. */
enum protocol_key { KEY_PACK, KEY_UNPACK, KEY_DISPATCH, KEY_COUNT };

/* A registered protocol. Its table belongs to the user, who may change it: its fields are read each
 * time they are needed. */
struct protocol {
	const char *name; /* the interned key, anchored by the table of names */
	int id;
	int ref; /* of the table, in the registry */

	/* Where in the table the fields were last found: that place is read first. */
	const struct layout_table *table; /* NULL: they must be looked up */
	uint32_t places[KEY_COUNT];       /* indexes of nodes in the hash part */
	const void *handler; /* the last value of `dispatch`, kept alive by handler_ref */
	int handler_ref;     /* registry reference of `handler` */
};

/* Tasks in the order in which they joined, linked by task->next. */
struct task_queue {
	struct task *first, *last;
};

/* Text that grows. */
struct text {
	char *data; /* skynet_malloc, NUL behind the end */
	size_t size, capacity;
};

/* A trace tag that a sender has sent ahead of its request. */
struct trace_note {
	struct trace_note *next;
	uint32_t source;
	char tag[];
};

struct lua_service {
	struct lua_thread thread;
	struct skynet_context *context;
	struct snlua *snlua;
	lua_State *L; /* main thread */
	uint32_t handle;
	struct task *current; /* the task that runs, NULL outside of tasks */
	struct seri_buffer scratch;

	int keys[KEY_COUNT];                /* registry references of the names of fields */
	const void *key_objects[KEY_COUNT]; /* addresses of these strings */
	struct protocol *protocols;         /* `first_protocols` until there are more */
	int protocol_count;
	int protocol_table; /* registry reference of skynet._proto */
	struct protocol first_protocols[FIRST_PROTOCOLS];

	struct session_table sessions;
	int last_session;     /* the last one handed out */
	bool session_wrapped; /* the counter has started again: a new number may be in use */
	struct task **tasks;  /* all tasks by slot */
	uint32_t task_count, task_capacity;
	struct timeout_store timeouts; /* timeouts that have no task yet */
	bool caller_known;             /* what caller_layout_known returned */
	int anchors;                   /* registry reference: slot + 1 to Lua thread */
	int tokens;      /* registry reference: token to light userdata task; LUA_NOREF at first */
	int own_lookups; /* entries of `tokens` whose key is the thread of a task */
	struct task *pool;             /* tasks that wait for work, last used first */
	uint32_t pool_count, pool_low; /* size; smallest size since the last trim */

	struct task_queue woken, failed, forked;
	struct text failure; /* errors of the tasks of this turn, one per line */
	uint32_t serial;     /* number of the last trace tag made here */

	struct response *responses;   /* not answered yet */
	struct selection *selections; /* open */
	struct trace_note *traces;
	struct task *starting; /* runs the start function, NULL when that is done */
	/* Called when that task has failed in a way that init_service could not report itself:
	 * there was no memory even to run it. */
	void (*start_failed)(struct lua_service *service, const char *text, size_t size);
	int unknown_request, unknown_response; /* registry references of hooks, or LUA_NOREF */
	int raw_callback; /* registry reference of the thread of core.callback, or LUA_NOREF */
	bool raw_forward;
	int stop_hooks;      /* registry reference of the list of functions, or LUA_NOREF */
	int call_timeout_cs; /* for calls without one of their own; 0: none */
	bool trace_used;     /* some protocol may want traces */
	bool trace_timeout;  /* remember where timeouts were made */
	bool exiting;        /* skynet.exit has begun: no further message is handled */
	bool closed;         /* the state is being closed */
	uint8_t protocol_index[PROTOCOL_MAX]; /* id to place in `protocols`, or NO_PROTOCOL */
};

/// The service that `L` belongs to. O(1).
static inline struct lua_service *
service_of(lua_State *L) {
	const struct lua_thread *thread = *(struct lua_thread **)lua_getextraspace(L);
	return thread->service;
}

/// Sets up the service of this state once; raises "Init skynet context first" outside of snlua.
struct lua_service *service_open(lua_State *L);

/// A session number that nothing here waits for.
int service_new_session(struct lua_service *service);

/// Called when nobody waits any more for the answer to a request: if it still comes it is dropped.
/// `peer` is the handle that the request went to, 0 for a global name.
void service_abandon_call(struct lua_service *service, struct session_entry *entry, uint32_t peer);

/// Finds a protocol by the name or id at stack index `index`. Raises when there is none.
const struct protocol *protocol_check(lua_State *L, struct lua_service *service, int index);

/// Finds a protocol by the name or id at `index`, or NULL.
const struct protocol *protocol_find(lua_State *L, struct lua_service *service, int index);

/// Finds a protocol by id, or NULL.
static inline const struct protocol *
protocol_by_id(const struct lua_service *service, int id) {
	uint8_t place = service->protocol_index[id & (PROTOCOL_MAX - 1)];
	return place == NO_PROTOCOL ? NULL : &service->protocols[place];
}

/// Pushes the table of a protocol.
static inline void
protocol_push(lua_State *L, const struct protocol *protocol) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, protocol->ref);
}

/// As lua_getfield with one of the names of service->keys, but without looking the name up.
static inline int
protocol_field(lua_State *L, const struct lua_service *service, int index, enum protocol_key key) {
	lua_rawgeti(L, LUA_REGISTRYINDEX, service->keys[key]);
	return lua_gettable(L, index);
}

/// The field of a protocol, read in place; NULL when it is not at the place where it was last
/// found.
static inline const struct layout_node *
protocol_node(
	const struct lua_service *service, const struct protocol *protocol, enum protocol_key key) {
	const struct layout_table *table = protocol->table;
	uint32_t place = protocol->places[key];
	if (UNLIKELY(table == NULL || place >= layout_node_count(table)))
		return NULL;
	const struct layout_node *node = &table->nodes[place];
	bool found = node->key_tag == LAYOUT_SHORT_STRING &&
		     node->key.object == service->key_objects[key];
	return LIKELY(found) ? node : NULL;
}

/// True when the field of a protocol is found in place and is `function`.
static inline bool
protocol_has(const struct lua_service *service, const struct protocol *protocol,
	enum protocol_key key, lua_CFunction function) {
	const struct layout_node *node = protocol_node(service, protocol, key);
	return node != NULL && node->tag == LAYOUT_C_FUNCTION && node->value.function == function;
}

/// Notes at which places in its table the fields of a protocol are, for protocol_node.
void protocol_learn(lua_State *L, struct lua_service *service, const struct protocol *protocol);

/// As protocol_learn, and keeps the field `dispatch`, which is at stack index `index`, when it is a
/// Lua function. May raise.
void protocol_keep_handler(
	lua_State *L, struct lua_service *service, const struct protocol *protocol, int index);

/// Pushes the field `dispatch` when it is the function that is kept. Returns false when it is not.
static inline bool
protocol_push_handler(
	lua_State *L, const struct lua_service *service, const struct protocol *protocol) {
	const struct layout_node *node = protocol_node(service, protocol, KEY_DISPATCH);
	if (node == NULL || protocol->handler == NULL || node->value.object != protocol->handler ||
		node->tag != LAYOUT_LUA_FUNCTION)
		return false;
	lua_rawgeti(L, LUA_REGISTRYINDEX, protocol->handler_ref);
	return true;
}

/// Appends `line` to `text`, after a line feed unless `text` is empty.
void text_add_line(struct text *text, const char *line, size_t size);
void text_clear(struct text *text);

/// Where a message goes: a handle, or a name when `handle` is 0. `name` is a string on a Lua stack.
struct address {
	uint32_t handle;
	const char *name;
};

/// Reads an address at stack index `index`; raises for what cannot be one.
struct address address_check(lua_State *L, int index);

/// The arguments of the running C function when they can be read in place and are at least `count`,
/// else NULL. See layout_arguments.
static inline const struct layout_value *
service_arguments(lua_State *L, const struct lua_service *service, int count) {
	if (UNLIKELY(!service->scratch.raw || lua_gettop(L) < count))
		return NULL;
	return layout_arguments(L);
}

/// As address_check, with the result of service_arguments.
static inline struct address
address_read(lua_State *L, const struct layout_value *arguments, int index) {
	if (LIKELY(arguments != NULL && arguments[index].tag == LAYOUT_INTEGER)) {
		struct address address = {(uint32_t)arguments[index].payload.integer, NULL};
		if (LIKELY(address.handle != 0))
			return address;
	}
	return address_check(L, index);
}

/// As protocol_check, with what service_arguments gave.
static inline const struct protocol *
protocol_read(lua_State *L, struct lua_service *service, const struct layout_value *arguments,
	int index) {
	if (LIKELY(arguments != NULL && arguments[index].tag == LAYOUT_SHORT_STRING)) {
		const struct layout_string *name = arguments[index].payload.object;
		for (int i = 0; i < service->protocol_count; i++) {
			if (service->protocols[i].name == name->text)
				return &service->protocols[i];
		}
	}
	return protocol_check(L, service, index);
}

/// Sends like skynet_send or skynet_sendname.
int service_send(struct lua_service *service, struct address to, uint32_t source, int type,
	int session, void *message, size_t size);

/// Sends a reply of `type` (PTYPE_RESPONSE or PTYPE_ERROR). Returns the result of skynet_send.
static inline int
service_reply(struct lua_service *service, uint32_t to, int type, int session, void *message,
	size_t size) {
	return skynet_send(service->context, 0, to, type, session, message, size);
}

/* A message read from the Lua stack. */
struct payload {
	void *data;
	size_t size;
	int flags; /* PTYPE_TAG_DONTCOPY when the kernel takes `data` */
};

/// Reads a string, or a light userdata and a size, at `index` and index + 1; raises for other
/// types.
struct payload payload_check(lua_State *L, int index);

/* The functions of the Lua face; each table ends with a NULL name. */
extern const luaL_Reg core_functions[];  /* skynet.core */
extern const luaL_Reg call_functions[];  /* skynet: messaging */
extern const luaL_Reg wait_functions[];  /* skynet: time and tasks */
extern const luaL_Reg clock_functions[]; /* both: now, hpc */
extern const luaL_Reg life_functions[];  /* skynet: start, exit, services */
extern const luaL_Reg trace_functions[]; /* skynet: tracing */

#endif
