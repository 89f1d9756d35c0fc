/* A C service in the form that those for the reference have: it includes only public headers, and
 * uses each of their functions once. What is not as documented is logged as "wrong: ...".
 */
#include "atomic.h"
#include "malloc_hook.h"
#include "mem_info.h"
#include "rwlock.h"
#include "skynet.h"
#include "skynet_env.h"
#include "skynet_handle.h"
#include "skynet_harbor.h"
#include "skynet_imp.h"
#include "skynet_log.h"
#include "skynet_malloc.h"
#include "skynet_module.h"
#include "skynet_monitor.h"
#include "skynet_mq.h"
#include "skynet_server.h"
#include "skynet_socket.h"
#include "skynet_timer.h"
#include "socket_buffer.h"
#include "socket_info.h"
#include "spinlock.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHILD         "child"
#define TIMER_SESSION 77
#define GREETING      "hello"

struct shared {
	struct spinlock lock;
	struct rwlock rwlock;
	ATOM_INT count;
};

struct oldtimer {
	struct skynet_context *ctx;
	struct shared shared;
	int is_child;
	uint32_t child;
	int texts;   /* that have come, of TEXTS */
	int timer;   /* has fired */
	int signals; /* that the child has got */
	int listener, client, server, udp, bound;
	int pipe_fd;
	int udp_received;
	int tcp_received;
	int objects; /* user objects that have been freed */
};

#define TEXTS 6

/* The one that user objects report to: they have no context. */
static struct oldtimer *parent;

#define CHECK(self, what)                                                                  \
	do {                                                                               \
		if (!(what))                                                               \
			skynet_error((self)->ctx, "wrong: %s (line %d)", #what, __LINE__); \
	} while (0)

/* ---- user objects of sockets ---- */

static const void *
object_buffer(const void *object) {
	return object;
}

static size_t
object_size(const void *object) {
	return strlen(object);
}

static void
object_free(void *object) {
	skynet_free(object);
	__atomic_add_fetch(&parent->objects, 1, __ATOMIC_RELAXED);
}

/* ---- entry points ---- */

struct oldtimer *
oldtimer_create(void) {
	struct oldtimer *self = skynet_malloc(sizeof *self);
	memset(self, 0, sizeof *self);
	SPIN_INIT(&self->shared);
	rwlock_init(&self->shared.rwlock);
	ATOM_INIT(&self->shared.count, 0);
	return self;
}

void
oldtimer_release(struct oldtimer *self) {
	if (self->is_child)
		__atomic_add_fetch(&parent->signals, 100, __ATOMIC_RELAXED);
	SPIN_DESTROY(&self->shared);
	skynet_free(self);
}

void
oldtimer_signal(struct oldtimer *self, int signal) {
	(void)self;
	__atomic_add_fetch(&parent->signals, signal, __ATOMIC_RELAXED);
}

static void
use_locks(struct oldtimer *self) {
	SPIN_LOCK(&self->shared)
	CHECK(self, ATOM_FINC(&self->shared.count) == 0);
	SPIN_UNLOCK(&self->shared)
	rwlock_rlock(&self->shared.rwlock);
	rwlock_runlock(&self->shared.rwlock);
	rwlock_wlock(&self->shared.rwlock);
	CHECK(self, ATOM_LOAD(&self->shared.count) == 1);
	rwlock_wunlock(&self->shared.rwlock);
}

static void
use_memory(struct oldtimer *self) {
	void *block = NULL;
	size_t one = 1;
	(void)one;
	char *text = skynet_strdup(GREETING);
	text = skynet_realloc(text, 100);
	CHECK(self, strcmp(text, GREETING) == 0);
	skynet_free(text);
	skynet_free(skynet_calloc(2, 8));
	skynet_free(skynet_memalign(64, 64));
	skynet_free(skynet_aligned_alloc(64, 64));
	CHECK(self, skynet_posix_memalign(&block, 64, 64) == 0);
	skynet_free(block);
	CHECK(self, skynet_lalloc(skynet_lalloc(NULL, 0, 10), 10, 0) == NULL);
	malloc_used_memory();
	malloc_memory_block();
	malloc_current_memory();
	mallctl_int64("stats.allocated", NULL);
	mallctl_opt("opt.narenas", NULL);
	mallctl_bool("prof.active", NULL);
	mallctl_cmd("thread.tcache.flush");
	dump_c_mem();
	skynet_debug_memory("oldtimer");
}

static void
use_names(struct oldtimer *self, uint32_t handle) {
	const char *name = skynet_command(self->ctx, "REG", ".oldtimer");
	CHECK(self, name != NULL && strcmp(name, "oldtimer") == 0);
	CHECK(self, skynet_queryname(self->ctx, ".oldtimer") == handle);
	CHECK(self, skynet_handle_findname("oldtimer") == handle);
	CHECK(self, skynet_handle_findname("nobody") == 0);
	name = skynet_handle_namehandle(handle, "second");
	CHECK(self, name != NULL && strcmp(name, "second") == 0);
	CHECK(self, skynet_handle_namehandle(handle, "second") == NULL);
	CHECK(self, skynet_handle_register(self->ctx) == handle);
	CHECK(self, (handle & HANDLE_MASK) != 0 && handle >> HANDLE_REMOTE_SHIFT == 0);
	int harbor = -1;
	CHECK(self, !skynet_isremote(self->ctx, handle, &harbor) && harbor == 0);
	CHECK(self, skynet_isremote(self->ctx, 0x02000001, &harbor) && harbor == 2);
}

static void
use_settings_and_time(struct oldtimer *self) {
	const char *value = skynet_getenv("greeting");
	CHECK(self, value != NULL && strcmp(value, GREETING) == 0);
	CHECK(self, skynet_getenv("no_such_key") == NULL);
	skynet_setenv("added_by_oldtimer", "1");
	value = skynet_command(self->ctx, "GETENV", "added_by_oldtimer");
	CHECK(self, value != NULL && strcmp(value, "1") == 0);
	CHECK(self, skynet_starttime() > 1000000000);
	CHECK(self, skynet_now() < 100 * 3600);
	CHECK(self, skynet_thread_time() > 0);
}

/* Each of the ways to send brings one text to this service. */
static void
send_texts(struct oldtimer *self, uint32_t handle) {
	struct skynet_message message = {
		.source = handle, .sz = 5 | (size_t)PTYPE_TEXT << MESSAGE_TYPE_SHIFT};
	message.data = skynet_strdup(GREETING);
	CHECK(self, skynet_context_push(handle, &message) == 0);
	CHECK(self, skynet_context_push(0xfffff0, &message) == -1);
	skynet_context_send(self->ctx, skynet_strdup(GREETING), 5, handle, PTYPE_TEXT, 0);
	CHECK(self, skynet_send(self->ctx, 0, handle, PTYPE_TEXT, 0, GREETING, 5) == 0);
	int session = skynet_send(self->ctx, 0, handle,
		PTYPE_TEXT | PTYPE_TAG_DONTCOPY | PTYPE_TAG_ALLOCSESSION, 0,
		skynet_strdup(GREETING), 5);
	CHECK(self, session > 0);
	CHECK(self, skynet_context_newsession(self->ctx) > session);
	CHECK(self, skynet_sendname(self->ctx, 0, ".second", PTYPE_TEXT, 0, GREETING, 5) == 0);
	CHECK(self, skynet_sendname(self->ctx, 0, ".nobody", PTYPE_TEXT, 0, GREETING, 5) == -1);
	CHECK(self, skynet_timeout(handle, 1, TIMER_SESSION) == TIMER_SESSION);
}

/* A service of our own: started, found, sent to, signalled and ended. It sends the sixth text. */
static void
use_a_child(struct oldtimer *self, uint32_t handle) {
	int before = skynet_context_total();
	self->child = skynet_context_new("oldtimer", CHILD);
	CHECK(self, self->child != 0);
	CHECK(self, skynet_context_new("no_such_module", NULL) == 0);
	CHECK(self, skynet_context_total() > before);
	struct skynet_context *child = skynet_handle_grab(self->child);
	CHECK(self, skynet_handle_grab(0xfffff0) == NULL);
	CHECK(self, skynet_context_handle(child) == self->child);
	skynet_context_grab(child);
	CHECK(self, skynet_context_release(child) == child);
	skynet_context_send(child, skynet_strdup(GREETING), 5, handle, PTYPE_TEXT, 0);
	skynet_context_reserve(child);
	skynet_context_release(child);
	skynet_context_release(child);
	skynet_context_endless(handle);
	const char *endless = skynet_command(self->ctx, "STAT", "endless");
	CHECK(self, endless != NULL && strcmp(endless, "1") == 0);
}

static void
open_sockets(struct oldtimer *self) {
	static const struct socket_object_interface objects = {
		object_buffer, object_size, object_free};
	int fds[2];
	skynet_socket_userobject(self->ctx, &objects);
	self->listener = skynet_socket_listen(self->ctx, "127.0.0.1", 0, 8);
	CHECK(self, self->listener > 0);
	skynet_socket_start(self->ctx, self->listener);
	self->udp =
		skynet_socket_udp_listen(self->ctx, "127.0.0.1", atoi(skynet_getenv("udp_port")));
	CHECK(self, self->udp > 0);
	int other = skynet_socket_udp(self->ctx, "127.0.0.1", 0);
	CHECK(self, other > 0);
	CHECK(self, skynet_socket_udp_connect(self->ctx, other, "127.0.0.1", 9) == 0);
	skynet_socket_close(self->ctx, other);
	if (pipe(fds) == 0) {
		self->pipe_fd = fds[1];
		self->bound = skynet_socket_bind(self->ctx, fds[0]);
		CHECK(self, self->bound > 0);
	}
	for (struct socket_info *info = skynet_socket_info(), *i = info;; i = i->next) {
		if (i == NULL) {
			CHECK(self, !"the listener is in the list");
			socket_info_release(info);
			break;
		} else if (i->id == self->listener && i->type == SOCKET_INFO_LISTEN) {
			CHECK(self, i->opaque == skynet_context_handle(self->ctx));
			socket_info_release(info);
			break;
		}
	}
	socket_info_release(socket_info_create(NULL));
}

static void
on_socket(struct oldtimer *self, const struct skynet_socket_message *message) {
	if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->id == self->listener &&
		message->ud != 0) {
		/* the first of two: with the port */
		self->client = skynet_socket_connect(self->ctx, "127.0.0.1", message->ud);
	} else if (message->type == SKYNET_SOCKET_TYPE_ACCEPT) {
		self->server = message->ud;
		skynet_socket_start(self->ctx, self->server);
		skynet_socket_nodelay(self->ctx, self->server);
	} else if (message->type == SKYNET_SOCKET_TYPE_CONNECT && message->id == self->client) {
		struct socket_sendbuffer raw = {
			self->client, SOCKET_BUFFER_RAWPOINTER, GREETING, 5};
		CHECK(self, skynet_socket_sendbuffer(self->ctx, &raw) == 0);
		CHECK(self, skynet_socket_sendbuffer_lowpriority(self->ctx, &raw) == 0);
		CHECK(self, skynet_socket_send(
				    self->ctx, self->client, skynet_strdup(GREETING), 5) == 0);
		CHECK(self, skynet_socket_send_lowpriority(
				    self->ctx, self->client, skynet_strdup(GREETING), -1) == 0);
	} else if (message->type == SKYNET_SOCKET_TYPE_DATA && message->id == self->server) {
		self->tcp_received += message->ud;
		if (self->tcp_received == 20) {
			skynet_socket_pause(self->ctx, self->server);
			skynet_socket_shutdown(self->ctx, self->server);
			skynet_socket_close(self->ctx, self->client);
			skynet_socket_close(self->ctx, self->listener);
		}
	} else if (message->type == SKYNET_SOCKET_TYPE_UDP) {
		int size = 0;
		const char *address =
			skynet_socket_udp_address((struct skynet_socket_message *)message, &size);
		CHECK(self, address != NULL && size > 0);
		CHECK(self, message->ud == 5 && memcmp(message->buffer, GREETING, 5) == 0);
		/* The first is answered; the answer comes back to the socket that has dialled. */
		if (self->udp_received++ == 0) {
			struct socket_sendbuffer raw = {
				self->udp, SOCKET_BUFFER_RAWPOINTER, GREETING, 5};
			CHECK(self, skynet_socket_udp_sendbuffer(self->ctx, address, &raw) == 0);
			CHECK(self, skynet_socket_udp_send(self->ctx, self->udp, address,
					    skynet_strdup(GREETING), 5) == 0);
		}
	} else if (message->type == SKYNET_SOCKET_TYPE_DATA && message->id == self->bound) {
		skynet_socket_close(self->ctx, self->bound);
		self->bound = 0;
	}
	skynet_free(message->buffer);
}

static void
dial_udp(struct oldtimer *self) {
	int dialled =
		skynet_socket_udp_dial(self->ctx, "127.0.0.1", atoi(skynet_getenv("udp_port")));
	CHECK(self, dialled > 0);
	CHECK(self, skynet_socket_send(self->ctx, dialled, skynet_strdup(GREETING), 5) == 0);
}

/* Ends the node once everything has come. */
static void
end_when_done(struct oldtimer *self) {
	int signals = __atomic_load_n(&self->signals, __ATOMIC_RELAXED);
	int objects = __atomic_load_n(&self->objects, __ATOMIC_RELAXED);
	if (self->texts < TEXTS || !self->timer || self->udp_received < 3 ||
		self->tcp_received < 20 || self->bound != 0 || objects == 0) {
		return;
	}
	if (self->child != 0) {
		char command[64];
		snprintf(command, sizeof command, ":%x 5", self->child);
		skynet_command(self->ctx, "SIGNAL", command);
		CHECK(self, skynet_handle_retire(self->child) == 1);
		CHECK(self, skynet_handle_retire(self->child) == 0);
		self->child = 0;
	} else if (signals == 105) {
		skynet_error(self->ctx, "oldtimer: %s", "done");
		skynet_handle_retireall();
		return;
	}
	skynet_timeout(skynet_context_handle(self->ctx), 1, TIMER_SESSION);
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *msg, size_t sz) {
	struct oldtimer *self = ud;
	CHECK(self, skynet_current_handle() == skynet_context_handle(context));
	if (type == PTYPE_TEXT) {
		CHECK(self, sz == 5 && memcmp(msg, GREETING, 5) == 0);
		self->texts++;
	} else if (type == PTYPE_RESPONSE) {
		CHECK(self, session == TIMER_SESSION && source == 0 && msg == NULL);
		if (self->timer++ == 0)
			dial_udp(self);
	} else if (type == PTYPE_SOCKET) {
		on_socket(self, msg);
	}
	end_when_done(self);
	return 0;
}

static int
dispatch_child(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *msg, size_t sz) {
	(void)ud;
	/* The message goes back as it is: a callback that returns 1 keeps its data. */
	skynet_send(context, 0, source, type | PTYPE_TAG_DONTCOPY, session, (void *)msg, sz);
	return 1;
}

int
oldtimer_init(struct oldtimer *self, struct skynet_context *ctx, const char *parm) {
	uint32_t handle = skynet_context_handle(ctx);
	self->ctx = ctx;
	if (parm != NULL && strcmp(parm, CHILD) == 0) {
		self->is_child = 1;
		skynet_callback(ctx, self, dispatch_child);
		return 0;
	}
	parent = self;
	CHECK(self, parm != NULL && strcmp(parm, "hello world") == 0);
	skynet_callback(ctx, self, dispatch);
	use_locks(self);
	use_memory(self);
	use_names(self, handle);
	use_settings_and_time(self);
	use_a_child(self, handle);
	send_texts(self, handle);
	open_sockets(self);
	CHECK(self, write(self->pipe_fd, "x", 1) == 1);
	skynet_socket_start(ctx, self->bound);
	CHECK(self, skynet_command(ctx, "NO_SUCH_COMMAND", NULL) == NULL);
	return 0;
}

/* What these types are for. */
skynet_dl_create oldtimer_create_type = (skynet_dl_create)oldtimer_create;
skynet_dl_init oldtimer_init_type = (skynet_dl_init)oldtimer_init;
skynet_dl_release oldtimer_release_type = (skynet_dl_release)oldtimer_release;
skynet_dl_signal oldtimer_signal_type = (skynet_dl_signal)oldtimer_signal;
