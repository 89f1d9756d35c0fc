/* See the header. Kept simple: arrays that grow, and one pointer to the kernel that is current. */
#include "fake_kernel.h"

#include <inttypes.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../service-src/snlua.h"
#include "skynet_harbor.h"
#include "skynet_malloc.h"
#include "skynet_multicast.h"

#define SERVICE_MAX 4096
#define SETTING_MAX 16

struct fake_message {
	uint32_t source, destination;
	int type, session;
	void *data;
	size_t size;
};

struct fake_timer {
	uint64_t id, due_ms;
	uint32_t handle;
	int session;
};

struct skynet_context {
	struct fake_kernel *kernel;
	struct snlua snlua;
	uint32_t handle;
	int session;
	bool dead, reject, congested;
	uint32_t congested_peer;
	int room_session; /* who waits for room */
	uint32_t room_waiter;
	skynet_cb callback;
	void *ud;
	char name[32];
	size_t memory, limit;
	int64_t mailbox_limit;
};

struct fake_kernel {
	struct skynet_context *services[SERVICE_MAX];
	uint32_t service_count;
	struct fake_message *queue;
	size_t head, tail, capacity;
	struct fake_timer *timers;
	size_t timer_count, timer_capacity;
	uint64_t timer_id, now_ms;
	char *log;
	size_t log_size;
	const char *setting[SETTING_MAX][2];
	int setting_count, stops;
	uint32_t current;
};

static struct fake_kernel *the_kernel;

LUAMOD_API int luaopen_skynet_core(lua_State *L);

/* ---- kernel ---- */

struct fake_kernel *
fake_kernel_create(void) {
	the_kernel = calloc(1, sizeof *the_kernel);
	the_kernel->log = calloc(1, 1);
	return the_kernel;
}

static struct skynet_context *
find(struct fake_kernel *kernel, uint32_t handle) {
	if (handle == 0 || handle > kernel->service_count || kernel->services[handle - 1]->dead)
		return NULL;
	return kernel->services[handle - 1];
}

static void
push(struct fake_kernel *kernel, struct fake_message message) {
	if (kernel->tail == kernel->capacity) {
		if (kernel->head > kernel->capacity / 2) {
			memmove(kernel->queue, kernel->queue + kernel->head,
				(kernel->tail - kernel->head) * sizeof message);
			kernel->tail -= kernel->head;
			kernel->head = 0;
		} else {
			kernel->capacity = kernel->capacity == 0 ? 1024 : kernel->capacity * 2;
			kernel->queue = realloc(kernel->queue, kernel->capacity * sizeof message);
		}
	}
	kernel->queue[kernel->tail++] = message;
}

void
fake_kernel_post(struct fake_kernel *kernel, uint32_t source, uint32_t destination, int type,
	int session, const void *data, size_t size) {
	void *copy = NULL;
	if (data != NULL) {
		copy = skynet_malloc(size + 1);
		memcpy(copy, data, size);
	}
	push(kernel, (struct fake_message){source, destination, type, session, copy, size});
}

static void *
allocate(void *ud, void *block, size_t old_size, size_t new_size) {
	struct skynet_context *context = ud;
	size_t old = block != NULL ? old_size : 0;
	if (context->limit != 0 && new_size > old &&
		context->memory - old + new_size > context->limit)
		return NULL;
	context->memory += new_size - old;
	if (new_size == 0) {
		free(block);
		return NULL;
	}
	return realloc(block, new_size);
}

static void
close_service(struct skynet_context *context) {
	context->dead = true;
	if (context->snlua.L != NULL) {
		context->limit = 0;
		lua_close(context->snlua.L);
		context->snlua.L = NULL;
	}
}

void
fake_kernel_destroy(struct fake_kernel *kernel) {
	for (uint32_t i = 0; i < kernel->service_count; i++) {
		close_service(kernel->services[i]);
		free(kernel->services[i]);
	}
	for (size_t i = kernel->head; i < kernel->tail; i++)
		skynet_free(kernel->queue[i].data);
	free(kernel->queue);
	free(kernel->timers);
	free(kernel->log);
	free(kernel);
	the_kernel = NULL;
}

uint32_t
fake_service_start_named(struct fake_kernel *kernel, const char *name, const char *code) {
	struct skynet_context *context = calloc(1, sizeof *context);
	context->kernel = kernel;
	context->handle = kernel->service_count + 1;
	kernel->services[kernel->service_count++] = context;
	snprintf(context->name, sizeof context->name, "%s", name);
	lua_State *L = lua_newstate(allocate, context);
	*(void **)lua_getextraspace(L) = NULL;
	context->snlua.L = L;
	context->snlua.context = context;
	luaL_openlibs(L);
	lua_pushlightuserdata(L, &context->snlua);
	lua_setfield(L, LUA_REGISTRYINDEX, SNLUA_REGISTRY_KEY);
	lua_getglobal(L, "package");
	lua_pushliteral(L, "lualib/?.lua");
	lua_setfield(L, -2, "path");
	lua_getfield(L, -1, "preload");
	lua_pushcfunction(L, luaopen_skynet_core);
	lua_setfield(L, -2, "skynet.core");
	lua_settop(L, 0);
	kernel->current = context->handle;
	if (luaL_dostring(L, code) != LUA_OK) {
		fprintf(stderr, "# %s\n", lua_tostring(L, -1));
		close_service(context);
		return 0;
	}
	lua_settop(L, 0);
	return context->handle;
}

uint32_t
fake_service_start(struct fake_kernel *kernel, const char *code) {
	return fake_service_start_named(kernel, "", code);
}

void
fake_service_kill(struct fake_kernel *kernel, uint32_t handle) {
	struct skynet_context *context = find(kernel, handle);
	if (context != NULL)
		context->dead = true;
}

lua_State *
fake_service_state(struct fake_kernel *kernel, uint32_t handle) {
	struct skynet_context *context = find(kernel, handle);
	return context != NULL ? context->snlua.L : NULL;
}

static void
deliver(struct fake_kernel *kernel, const struct fake_message *message) {
	struct skynet_context *context = find(kernel, message->destination);
	if (context == NULL || context->callback == NULL) {
		if (message->source != 0 && message->type != PTYPE_RESPONSE &&
			message->type != PTYPE_ERROR)
			fake_kernel_post(kernel, message->destination, message->source, PTYPE_ERROR,
				message->session, "dead_service", strlen("dead_service"));
		skynet_free(message->data);
		return;
	}
	kernel->current = context->handle;
	int kept = context->callback(context, context->ud, message->type, message->session,
		message->source, message->data, message->size);
	if (!kept)
		skynet_free(message->data);
	if (context->dead)
		close_service(context);
}

static bool
fire_next(struct fake_kernel *kernel) {
	size_t next = kernel->timer_count;
	for (size_t i = 0; i < kernel->timer_count; i++) {
		if (next == kernel->timer_count ||
			kernel->timers[i].due_ms < kernel->timers[next].due_ms ||
			(kernel->timers[i].due_ms == kernel->timers[next].due_ms &&
				kernel->timers[i].id < kernel->timers[next].id))
			next = i;
	}
	if (next == kernel->timer_count)
		return false;
	struct fake_timer timer = kernel->timers[next];
	kernel->timers[next] = kernel->timers[--kernel->timer_count];
	if (timer.due_ms > kernel->now_ms)
		kernel->now_ms = timer.due_ms;
	fake_kernel_post(kernel, 0, timer.handle, PTYPE_RESPONSE, timer.session, NULL, 0);
	return true;
}

size_t
fake_kernel_settle(struct fake_kernel *kernel) {
	size_t count = 0;
	for (; kernel->head < kernel->tail; count++) {
		struct fake_message message = kernel->queue[kernel->head++];
		if (kernel->head == kernel->tail)
			kernel->head = kernel->tail = 0;
		deliver(kernel, &message);
	}
	return count;
}

size_t
fake_kernel_run(struct fake_kernel *kernel) {
	size_t count = 0;
	do
		count += fake_kernel_settle(kernel);
	while (fire_next(kernel));
	return count;
}

const char *
fake_kernel_log(struct fake_kernel *kernel) {
	return kernel->log;
}

void
fake_kernel_log_clear(struct fake_kernel *kernel) {
	kernel->log[0] = '\0';
	kernel->log_size = 0;
}

bool
fake_kernel_logged(struct fake_kernel *kernel, const char *text) {
	return strstr(kernel->log, text) != NULL;
}

void
fake_kernel_set(struct fake_kernel *kernel, const char *key, const char *value) {
	kernel->setting[kernel->setting_count][0] = key;
	kernel->setting[kernel->setting_count++][1] = value;
}

void
fake_service_reject(struct fake_kernel *kernel, uint32_t handle, bool on) {
	kernel->services[handle - 1]->reject = on;
}

void
fake_service_congest(struct fake_kernel *kernel, uint32_t handle, bool on) {
	struct skynet_context *context = kernel->services[handle - 1];
	context->congested = on;
	if (!on && context->room_session != 0) {
		fake_kernel_post(kernel, 0, context->room_waiter, PTYPE_RESPONSE,
			context->room_session, NULL, 0);
		context->room_session = 0;
	}
}

void
fake_service_limit(struct fake_kernel *kernel, uint32_t handle, size_t size) {
	kernel->services[handle - 1]->limit = size;
}

int
fake_kernel_timers(struct fake_kernel *kernel) {
	return (int)kernel->timer_count;
}

int
fake_kernel_stops(struct fake_kernel *kernel) {
	return kernel->stops;
}

void
fake_service_set_session(struct fake_kernel *kernel, uint32_t handle, int session) {
	kernel->services[handle - 1]->session = session;
}

size_t
fake_service_memory(struct fake_kernel *kernel, uint32_t handle) {
	return kernel->services[handle - 1]->memory;
}

/* ---- skynet.h ---- */

int
skynet_send(struct skynet_context *context, uint32_t source, uint32_t destination, int type,
	int session, void *message, size_t size) {
	bool copy = !(type & PTYPE_TAG_DONTCOPY);
	struct skynet_context *to = find(context->kernel, destination);
	type &= 0xff;
	if (to == NULL || (to->reject && type != PTYPE_RESPONSE && type != PTYPE_ERROR)) {
		if (!copy)
			skynet_free(message);
		return to == NULL ? -1 : -3;
	}
	if (to->congested)
		context->congested_peer = destination;
	if (source == 0)
		source = context->handle;
	if (copy)
		fake_kernel_post(
			context->kernel, source, destination, type, session, message, size);
	else
		push(context->kernel,
			(struct fake_message){source, destination, type, session, message, size});
	return session;
}

uint32_t
skynet_name_find(struct skynet_context *context, const char *name) {
	for (uint32_t i = 0; i < context->kernel->service_count; i++) {
		struct skynet_context *service = context->kernel->services[i];
		if (!service->dead && strcmp(service->name, name) == 0)
			return service->handle;
	}
	return 0;
}

uint32_t
skynet_queryname(struct skynet_context *context, const char *name) {
	if (name[0] == ':')
		return (uint32_t)strtoul(name + 1, NULL, 16);
	return name[0] == '.' ? skynet_name_find(context, name + 1) : 0;
}

int
skynet_sendname(struct skynet_context *context, uint32_t source, const char *destination, int type,
	int session, void *message, size_t size) {
	if (destination[0] != '.' && destination[0] != ':') {
		/* A global name: it stays with the harbor for ever. */
		if (type & PTYPE_TAG_DONTCOPY)
			skynet_free(message);
		return session;
	}
	return skynet_send(context, source, skynet_queryname(context, destination), type, session,
		message, size);
}

void
skynet_error(struct skynet_context *context, const char *format, ...) {
	struct fake_kernel *kernel = context->kernel;
	char line[4096];
	va_list arguments;
	va_start(arguments, format);
	if (strcmp(format, "%*s") == 0) {
		int size = va_arg(arguments, int);
		snprintf(line, sizeof line, "%.*s", size, va_arg(arguments, const char *));
	} else {
		vsnprintf(line, sizeof line, format, arguments);
	}
	va_end(arguments);
	size_t size = strlen(line);
	kernel->log = realloc(kernel->log, kernel->log_size + size + 2);
	memcpy(kernel->log + kernel->log_size, line, size);
	kernel->log_size += size;
	memcpy(kernel->log + kernel->log_size++, "\n", 2);
}

const char *
skynet_command(struct skynet_context *context, const char *command, const char *param) {
	(void)context;
	return strcmp(command, "ECHO") == 0 ? param : NULL;
}

void
skynet_callback(struct skynet_context *context, void *ud, skynet_cb callback) {
	context->ud = ud;
	context->callback = callback;
}

bool
skynet_callback_is(struct skynet_context *context, skynet_cb callback) {
	return context->callback == callback;
}

void
skynet_multicast_accept(struct skynet_context *context) {
	(void)context;
}

/* Nobody is there. */
struct skynet_multicast_result
skynet_multicast(struct skynet_context *context, const struct skynet_multicast_message *message,
	uint32_t *handles, size_t count) {
	(void)context, (void)message, (void)handles, (void)count;
	return (struct skynet_multicast_result){0};
}

size_t
skynet_multicast_usage(struct skynet_context *context, size_t *bytes) {
	(void)context;
	*bytes = 0;
	return 0;
}

uint64_t
skynet_now(void) {
	return the_kernel->now_ms / 10;
}

uint32_t
skynet_context_handle(struct skynet_context *context) {
	return context->handle;
}

int
skynet_context_newsession(struct skynet_context *context) {
	if (context->session == INT32_MAX)
		context->session = 0;
	return ++context->session;
}

uint64_t
skynet_timer_start(struct skynet_context *context, int64_t delay_ms, int session) {
	struct fake_kernel *kernel = context->kernel;
	if (delay_ms <= 0) {
		fake_kernel_post(kernel, 0, context->handle, PTYPE_RESPONSE, session, NULL, 0);
		return 0;
	}
	if (kernel->timer_count == kernel->timer_capacity) {
		kernel->timer_capacity =
			kernel->timer_capacity == 0 ? 64 : kernel->timer_capacity * 2;
		kernel->timers =
			realloc(kernel->timers, kernel->timer_capacity * sizeof *kernel->timers);
	}
	uint64_t id = ++kernel->timer_id;
	kernel->timers[kernel->timer_count++] = (struct fake_timer){
		id, kernel->now_ms + (uint64_t)delay_ms, context->handle, session};
	return id;
}

bool
skynet_timer_cancel(struct skynet_context *context, uint64_t timer) {
	struct fake_kernel *kernel = context->kernel;
	for (size_t i = 0; i < kernel->timer_count; i++) {
		if (kernel->timers[i].id == timer) {
			kernel->timers[i] = kernel->timers[--kernel->timer_count];
			return true;
		}
	}
	return false;
}

const char *
skynet_setting_get(struct skynet_context *context, const char *key) {
	struct fake_kernel *kernel = context->kernel;
	for (int i = 0; i < kernel->setting_count; i++) {
		if (strcmp(kernel->setting[i][0], key) == 0)
			return kernel->setting[i][1];
	}
	return NULL;
}

int64_t
skynet_setting_number(struct skynet_context *context, const char *key, int64_t fallback) {
	const char *text = skynet_setting_get(context, key);
	return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

bool
skynet_setting_set(struct skynet_context *context, const char *key, const char *value) {
	(void)value;
	return skynet_setting_get(context, key) == NULL;
}

uint32_t
skynet_context_starttime(struct skynet_context *context) {
	(void)context;
	return 1000;
}

uint64_t
skynet_clock_ns(struct skynet_context *context) {
	(void)context;
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t
skynet_stat_get(struct skynet_context *context, uint32_t handle, enum skynet_stat stat) {
	(void)handle;
	return stat == SKYNET_STAT_LIMIT ? context->mailbox_limit : 0;
}

void
skynet_mailbox_limit(
	struct skynet_context *context, size_t limit, enum skynet_mailbox_policy policy) {
	(void)policy;
	context->mailbox_limit = (int64_t)limit;
}

uint32_t
skynet_send_congested(struct skynet_context *context) {
	uint32_t peer = context->congested_peer;
	context->congested_peer = 0;
	return peer;
}

bool
skynet_mailbox_wait(struct skynet_context *context, uint32_t handle, int session) {
	struct skynet_context *to = find(context->kernel, handle);
	if (to == NULL || !to->congested)
		return false;
	to->room_session = session;
	to->room_waiter = context->handle;
	return true;
}

void
skynet_stop_hook(struct skynet_context *context, bool on) {
	(void)context;
	(void)on;
}

void
skynet_stop_done(struct skynet_context *context) {
	context->kernel->stops++;
}

bool
skynet_context_kill(struct skynet_context *context, uint32_t handle) {
	if (handle == 0)
		context->dead = true;
	else
		fake_service_kill(context->kernel, handle);
	return true;
}

bool
skynet_context_is_dead(struct skynet_context *context) {
	return context->dead;
}

int
skynet_isremote(struct skynet_context *context, uint32_t handle, int *harbor) {
	(void)context;
	*harbor = (int)(handle >> 24);
	return *harbor != 0;
}

void
skynet_harbor_abandon(struct skynet_context *context, uint32_t handle, int session) {
	(void)context;
	(void)handle;
	(void)session;
}
