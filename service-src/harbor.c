/* Carries messages between this node and the others of its harbor network.
 *
 * Argument: "<own id> <handle of cslave>"; id 0: there are no other nodes. The kernel passes
 * messages for other nodes as PTYPE_SYSTEM (skynet_harbor.h). The slave (service/cslave.lua) sends
 * as PTYPE_HARBOR:
 *     N name              the source of the message has this global name
 *     S fd id [beat]      a dialled connection to that node; "beat": it answers heartbeats
 *     A fd id             an accepted connection, from which the id has been read
 *     C id                close the link
 *     F                   there is a master again: forget the names of other nodes, and
 *                         ask again for those that messages wait for
 *     M id                a call: "yes" when that node runs in this process; then its link is up
 * and gets as PTYPE_TEXT: "Q name" (who has it? a message waits), "U id" (the link is up) and
 * "D id reason" (it is down). All state belongs to the turn of this service. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harbor_link.h"
#include "harbor_send.h"
#include "skynet_harbor.h"
#include "skynet_server.h"
#include "skynet_socket.h"

#define DROP_PAUSE_NS    UINT64_C(1000000000)
#define QUEUE_TIMEOUT_NS UINT64_C(10000000000)
#define COMMAND_MAX      128
#define TICK_DEFAULT_S   5
#define TICK_MAX_S       3600
#define NANO_PER_MILLI   UINT64_C(1000000)
#define SETTLE_MAX       256 /* messages handled, after which output is written in any case */
#define ABANDONED_TICKS  12  /* for so long the answer to an abandoned request may still come */

struct harbor *harbor_create(void);
int harbor_init(struct harbor *harbor, struct skynet_context *context, const char *param);
void harbor_release(struct harbor *harbor);

struct harbor *
harbor_create(void) {
	struct harbor *harbor = skynet_calloc(1, sizeof *harbor);
	for (int i = 0; i < HARBOR_COUNT; i++) {
		harbor->links[i].harbor = harbor;
		harbor->links[i].id = i;
		harbor->links[i].fd = NO_SOCKET;
	}
	return harbor;
}

void
harbor_release(struct harbor *harbor) {
	for (int i = 0; i < HARBOR_COUNT; i++) {
		struct harbor_link *link = &harbor->links[i];
		if (link->fd != NO_SOCKET) {
			lane_output_spill(link->output);
			skynet_socket_close(harbor->context, link->fd);
			harbor_send_stop(link);
		}
		frame_reader_clear(&link->reader);
		message_queue_fini(&link->queue);
	}
	name_table_fini(&harbor->names);
	call_table_fini(&harbor->calls);
	served_table_fini(&harbor->served);
	skynet_free(harbor);
}

static bool
parse_number(const char **text, unsigned long max, unsigned long *value) {
	char *end;
	const char *begin = *text + strspn(*text, " ");
	if (*begin < '0' || *begin > '9')
		return false;
	errno = 0;
	*value = strtoul(begin, &end, 10);
	*text = end;
	return errno == 0 && *value <= max && (*end == '\0' || *end == ' ');
}

/* ---- time ---- */

void
harbor_start_ticking(struct harbor *harbor) {
	if (harbor->ticking)
		return;
	harbor->ticking = true;
	harbor->tick_start_ns = skynet_clock_ns(harbor->context);
	harbor->tick_session = skynet_context_newsession(harbor->context);
	skynet_timer_start(harbor->context, harbor->tick_ms, harbor->tick_session);
}

struct expiry {
	struct harbor *harbor;
	uint64_t now_ns;
	bool waiting; /* something is left that may expire: keep ticking */
	bool idle;    /* some name has no handle and no message: prune the table */
};

/* Takes the oldest message of a queue if it has waited for ten seconds. */
static bool
take_expired(struct message_queue *queue, uint64_t now_ns, struct waiting_message *message) {
	const struct waiting_message *oldest = message_queue_peek(queue);
	if (oldest == NULL || now_ns - oldest->since_ns < QUEUE_TIMEOUT_NS)
		return false;
	message_queue_pop(queue, message);
	return true;
}

static void
expire_name(void *ud, struct name_entry *entry) {
	struct expiry *expiry = ud;
	struct waiting_message message;
	char reason[80];
	while (take_expired(&entry->queue, expiry->now_ns, &message)) {
		snprintf(reason, sizeof reason, "remote: nobody has registered the name '%.*s'",
			NAME_SIZE, entry->name);
		harbor_refuse(expiry->harbor, &message, reason);
	}
	if (entry->queue.count > 0)
		expiry->waiting = true;
	else if (entry->handle == 0)
		expiry->idle = true;
}

/* Whether a request can be forgotten: its caller is gone, or gave it up long ago. */
static bool
is_over(void *ud, uint32_t caller, int session, uint32_t callee, uint32_t abandoned) {
	static const char reason[] = "timeout: there was no answer";
	struct harbor *harbor = ud;
	if (abandoned > ABANDONED_TICKS) {
		/* Lets the Lua side of the caller forget the session too. */
		skynet_send(harbor->context, callee, caller, PTYPE_ERROR, session,
			(void *)(uintptr_t)reason, sizeof reason - 1);
		return true;
	}
	struct skynet_context *context = skynet_handle_grab(caller);
	if (context == NULL)
		return true;
	skynet_context_release(context);
	return false;
}

static bool
is_gone(void *ud, uint32_t callee) {
	(void)ud;
	struct skynet_context *context = skynet_handle_grab(callee);
	if (context != NULL)
		skynet_context_release(context);
	return context == NULL;
}

static void
on_tick(struct harbor *harbor) {
	struct expiry expiry = {harbor, skynet_clock_ns(harbor->context), false, false};
	uint64_t tick_ns = (uint64_t)harbor->tick_ms * NANO_PER_MILLI;
	bool slept = expiry.now_ns - harbor->tick_start_ns > 2 * tick_ns;
	struct waiting_message message;
	harbor->ticking = false;
	for (int i = 0; i < HARBOR_COUNT; i++) {
		struct harbor_link *link = &harbor->links[i];
		while (take_expired(&link->queue, expiry.now_ns, &message))
			harbor_refuse_dead(harbor, &message, "there is no link to it");
		harbor_link_tick(link, expiry.now_ns, slept);
		bool opening = link->state == LINK_TAKING || link->state == LINK_HANDSHAKE;
		if (link->queue.count > 0 || link->beats || opening)
			expiry.waiting = expiry.waiting || link->state != LINK_DOWN;
	}
	name_table_each(&harbor->names, expire_name, &expiry);
	if (expiry.idle)
		name_table_prune(&harbor->names);
	call_table_sweep(&harbor->calls, is_over, harbor);
	served_table_sweep(&harbor->served, is_gone, harbor);
	if (expiry.waiting || harbor->calls.requests.count > 0)
		harbor_start_ticking(harbor);
}

/* ---- from services of this node ---- */

void
harbor_log_drop(struct harbor *harbor, const struct waiting_message *message) {
	char more[64] = "";
	uint64_t now_ns = skynet_clock_ns(harbor->context);
	if (harbor->drop_told_ns != 0 && now_ns - harbor->drop_told_ns < DROP_PAUSE_NS) {
		harbor->drops_untold++;
		return;
	}
	if (harbor->drops_untold > 0)
		snprintf(more, sizeof more, ", and %llu before that were not told",
			(unsigned long long)harbor->drops_untold);
	skynet_error(harbor->context,
		"Drop message to harbor %u from %x to %x (session = %d, msgsz = %zu)%s",
		message->destination >> HANDLE_REMOTE_SHIFT, message->source, message->destination,
		message->session, message->size, more);
	harbor->drop_told_ns = now_ns;
	harbor->drops_untold = 0;
}

/* Whether `message` answers a request whose node was lost after it had sent it. The handle and the
 * session may mean another request of a new process there by now. */
static bool
is_late(struct harbor *harbor, const struct waiting_message *message) {
	bool answers = message->type == PTYPE_RESPONSE || message->type == PTYPE_ERROR;
	return answers && message->session > 0 &&
	       !served_table_answer(
		       &harbor->served, message->destination, message->session, message->source);
}

/* Logs the first late answer, the second, the fourth and so on: few lines, and a count. */
static void
log_late(struct harbor *harbor, const struct waiting_message *message) {
	uint64_t late = harbor->served.late;
	if ((late & (late - 1)) == 0)
		skynet_error(harbor->context,
			"Drop answer from :%08x to :%08x (session = %d): its node was lost before it "
			"came; %llu so far",
			message->source, message->destination, message->session,
			(unsigned long long)late);
}

static void
send_to_handle(struct harbor *harbor, const struct waiting_message *message) {
	uint32_t id = message->destination >> HANDLE_REMOTE_SHIFT;
	bool remote = id != 0 && id != (uint32_t)harbor->id;
	if (remote && is_late(harbor, message)) {
		log_late(harbor, message);
		skynet_free(message->data);
		return;
	}
	if (remote) {
		harbor_link_send(&harbor->links[id], message);
		return;
	}
	if (skynet_send(harbor->context, message->source, message->destination,
		    message->type | PTYPE_TAG_DONTCOPY, message->session, message->data,
		    message->size) >= 0)
		return;
	/* The kernel has freed the data. */
	struct waiting_message refused = *message;
	refused.data = NULL;
	harbor_refuse(harbor, &refused, "dead_service");
}

/* Sends to the handle behind a name. The kernel delivers to nodes of this process; what it would
 * only hand back to this service goes to the link directly. */
static void
send_to_named(
	struct harbor *harbor, const struct name_entry *entry, struct waiting_message *message) {
	int harbor_id;
	message->destination = entry->handle;
	if (skynet_isremote(harbor->context, entry->handle, &harbor_id))
		skynet_send(harbor->context, message->source, message->destination,
			message->type | PTYPE_TAG_DONTCOPY, message->session, message->data,
			message->size);
	else
		send_to_handle(harbor, message);
}

static void
ask_slave(struct harbor *harbor, struct name_entry *entry) {
	char text[COMMAND_MAX];
	int size = snprintf(text, sizeof text, "Q %.*s", NAME_SIZE, entry->name);
	entry->asked = true;
	skynet_send(harbor->context, 0, harbor->slave, PTYPE_TEXT, 0, text, (size_t)size);
}

static void
send_to_name(struct harbor *harbor, const char *name, struct waiting_message *message) {
	if (name[NAME_SIZE - 1] != '\0') {
		harbor_refuse(harbor, message, "remote: a global name has at most 15 bytes");
		return;
	}
	struct name_entry *entry = name_table_find(&harbor->names, name);
	if (entry != NULL && entry->handle != 0) {
		send_to_named(harbor, entry, message);
		return;
	}
	entry = name_table_keep(&harbor->names, name, message);
	if (entry == NULL) {
		harbor_refuse(harbor, message, "overloaded: too much waits for names");
		return;
	}
	harbor_start_ticking(harbor);
	if (!entry->asked)
		ask_slave(harbor, entry);
}

static void
on_remote(struct harbor *harbor, uint32_t source, int session, const void *data, size_t size) {
	const struct remote_message *remote = data;
	if (data == NULL)
		call_table_abandon(&harbor->calls, source, session);
	if (size != sizeof *remote)
		return;
	struct waiting_message message = {
		.source = source,
		.destination = remote->destination.handle,
		.type = remote->type,
		.session = session,
		.size = remote->sz,
		.data = (void *)(uintptr_t)remote->message,
	};
	/* Reading the clock costs more than the rest: only messages that will be queued need it. */
	uint32_t id = message.destination >> HANDLE_REMOTE_SHIFT;
	if (message.destination == 0 || harbor->links[id].state != LINK_UP)
		message.since_ns = skynet_clock_ns(harbor->context);
	if (message.destination == 0)
		send_to_name(harbor, remote->destination.name, &message);
	else
		send_to_handle(harbor, &message);
}

/* ---- from the slave ---- */

static void
command_name(struct harbor *harbor, uint32_t handle, const char *text) {
	size_t size = strlen(text);
	if (size == 0 || size >= NAME_SIZE || handle == 0) {
		skynet_error(harbor->context, "error: invalid global name '%s'", text);
		return;
	}
	char name[NAME_SIZE] = {0};
	memcpy(name, text, size);
	struct name_entry *entry = name_table_add(&harbor->names, name);
	entry->handle = handle;
	entry->asked = false;
	struct waiting_message message;
	while (message_queue_pop(&entry->queue, &message))
		send_to_named(harbor, entry, &message);
}

/* A link that is up may lead to another process than that of these names: the slave knows. */
static void
forget_foreign_name(void *ud, struct name_entry *entry) {
	struct harbor *harbor = ud;
	if ((int)(entry->handle >> HANDLE_REMOTE_SHIFT) == harbor->id)
		return;
	entry->handle = 0;
	entry->asked = false;
	if (entry->queue.count > 0)
		ask_slave(harbor, entry);
}

static void
command_socket(struct harbor *harbor, bool dialled, const char *text) {
	unsigned long fd, id;
	const char *rest = text;
	if (!parse_number(&rest, INT_MAX, &fd) || !parse_number(&rest, HARBOR_COUNT - 1, &id) ||
		fd == 0 || id == 0 || (int)id == harbor->id) {
		skynet_error(harbor->context, "error: invalid command '%c %s'", dialled ? 'S' : 'A',
			text);
		return;
	}
	harbor_link_open(&harbor->links[id], (int)fd, dialled, strcmp(rest, " beat") == 0);
}

/* The link to the node whose id a command begins with, NULL when that is no id of another node. */
static struct harbor_link *
link_of(struct harbor *harbor, const char *text) {
	unsigned long id;
	if (!parse_number(&text, HARBOR_COUNT - 1, &id) || id == 0 || (int)id == harbor->id)
		return NULL;
	return &harbor->links[id];
}

static void
command_close(struct harbor_link *link) {
	if (link->fd != NO_SOCKET || link->local)
		harbor_link_end(link);
	else if (link->state == LINK_WAIT)
		link->state = link->queue.count > 0 ? LINK_WAIT : LINK_DOWN;
}

static void
command_member(struct harbor_link *link, uint32_t slave, int session) {
	static const char yes[] = "yes", no[] = "no";
	struct skynet_context *context = link->harbor->context;
	bool here = link->fd == NO_SOCKET && skynet_harbor_join(context, link->id);
	if (here)
		harbor_link_join(link);
	skynet_send(context, 0, slave, PTYPE_RESPONSE, session,
		(void *)(uintptr_t)(here ? yes : no), here ? sizeof yes - 1 : sizeof no - 1);
}

/* From the kernel: about a node of this process. */
static void
on_sibling(struct harbor_link *link, char letter) {
	if (letter == 'J')
		harbor_link_join(link);
	else if (letter == 'G' && link->local)
		harbor_link_close(link, "the node has ended");
}

static void
on_command(struct harbor *harbor, uint32_t source, int session, const char *data, size_t size) {
	char text[COMMAND_MAX];
	if (size < 2 || size >= sizeof text || data[1] != ' ')
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	struct harbor_link *link = link_of(harbor, text + 2);
	if (source == 0) {
		if (link != NULL)
			on_sibling(link, text[0]);
		return;
	}
	switch (text[0]) {
	case 'N':
		command_name(harbor, source, text + 2);
		break;
	case 'S':
	case 'A':
		command_socket(harbor, text[0] == 'S', text + 2);
		break;
	case 'C':
		if (link != NULL)
			command_close(link);
		break;
	case 'F':
		name_table_each(&harbor->names, forget_foreign_name, harbor);
		break;
	case 'M':
		if (link != NULL)
			command_member(link, source, session);
		break;
	default:
		skynet_error(harbor->context, "error: unknown command '%s'", text);
	}
}

/* ---- from sockets ---- */

static void
on_socket(struct harbor *harbor, const struct skynet_socket_message *message, size_t size) {
	struct harbor_link *link = harbor_find_link(harbor, message->id);
	const char *text = (const char *)(message + 1);
	char reason[COMMAND_MAX];
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		if (link != NULL)
			harbor_link_receive(link, message->buffer, (size_t)message->ud);
		skynet_free(message->buffer);
		break;
	case SKYNET_SOCKET_TYPE_CONNECT:
		if (link != NULL)
			harbor_link_taken(link);
		break;
	case SKYNET_SOCKET_TYPE_CLOSE:
		if (link != NULL)
			harbor_link_close(link, "closed by the peer");
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
		snprintf(reason, sizeof reason, "%.*s", (int)strnlen(text, size - sizeof *message),
			text);
		if (link != NULL)
			harbor_link_close(link, reason);
		break;
	case SKYNET_SOCKET_TYPE_WARNING:
		if (link != NULL && message->ud == 0)
			harbor_link_resume(link);
		break;
	default:
		break;
	}
}

/* After each message: writes the output that has gathered, unless more messages wait in the
 * mailbox, whose frames can then leave with the same system call. */
static void
settle(struct harbor *harbor) {
	if (harbor->touched_count == 0)
		return;
	if (++harbor->unsettled < SETTLE_MAX &&
		skynet_stat_get(harbor->context, 0, SKYNET_STAT_MAILBOX) > 0)
		return;
	harbor->unsettled = 0;
	harbor_links_flush(harbor);
}

static int
on_message(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	struct harbor *harbor = ud;
	(void)context;
	switch (type) {
	case PTYPE_SYSTEM:
		on_remote(harbor, source, session, message, size);
		break;
	case PTYPE_SOCKET:
		on_socket(harbor, message, size);
		break;
	case PTYPE_HARBOR:
		on_command(harbor, source, session, message, size);
		break;
	case PTYPE_RESPONSE:
		if (harbor->ticking && session == harbor->tick_session)
			on_tick(harbor);
		break;
	default:
		break;
	}
	settle(harbor);
	return 0;
}

int
harbor_init(struct harbor *harbor, struct skynet_context *context, const char *param) {
	unsigned long id, slave;
	const char *rest = param != NULL ? param : "";
	harbor->context = context;
	if (!parse_number(&rest, HARBOR_COUNT - 1, &id) ||
		!parse_number(&rest, UINT32_MAX, &slave) || slave == 0) {
		skynet_error(
			context, "error: harbor: the argument is '<id> <handle of the slave>'");
		return 1;
	}
	harbor->id = (int)id;
	harbor->slave = (uint32_t)slave;
	int64_t tick_s = skynet_setting_number(context, "harbor_heartbeat", TICK_DEFAULT_S);
	harbor->tick_ms = (tick_s > 0 && tick_s <= TICK_MAX_S ? tick_s : TICK_DEFAULT_S) * 1000;
	if (id == 0) /* nobody else is there */
		for (int i = 1; i < HARBOR_COUNT; i++)
			harbor->links[i].state = LINK_DOWN;
	skynet_callback(context, harbor, on_message);
	skynet_harbor_start(context);
	return 0;
}
