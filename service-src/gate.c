/* Accepts clients, cuts their streams into packets and hands these on.
 *
 * Argument: "<S|L> <watchdog> <[host:]port> <type> <max>": length of 2 or 4 bytes, who hears of
 * opening and closing ("!": nobody), where to listen ("unix:/path" too), message type of packets
 * (0: client), how many connections at most. A packet goes to the broker if there is one, else to
 * the agent of the connection, else as text to the watchdog. Commands are text messages, see
 * COMMANDS; what is sent to the gate as PTYPE_CLIENT goes out on the socket whose id, little
 * endian, is in its last four bytes.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection_table.h"
#include "skynet.h"
#include "skynet_socket.h"

#define BACKLOG      128
#define ID_SIZE      4
#define ADDRESS_MAX  512
#define COMMAND_MAX  256
#define PARAM_MAX    1024
#define DEFAULT_HOST "0.0.0.0"
#define UNIX_PREFIX  "unix:"
#define SHORT_HEAD   2
#define LONG_HEAD    4

struct gate {
	struct skynet_context *context;
	struct connection_table *connections;
	int listener;      /* socket id, -1: closed */
	uint32_t watchdog; /* 0: none */
	uint32_t broker;   /* 0: none */
	int packet_type;
	int head_width;
};

/* What a packet callback needs. */
struct delivery {
	struct gate *gate;
	struct connection *connection;
};

struct gate *gate_create(void);
int gate_init(struct gate *gate, struct skynet_context *context, const char *param);
void gate_release(struct gate *gate);

struct gate *
gate_create(void) {
	struct gate *gate = skynet_calloc(1, sizeof *gate);
	gate->listener = -1;
	return gate;
}

void
gate_release(struct gate *gate) {
	if (gate->listener >= 0)
		skynet_socket_close(gate->context, gate->listener);
	struct connection *connection;
	while (gate->connections != NULL &&
		(connection = connection_table_any(gate->connections)) != NULL) {
		skynet_socket_close(gate->context, connection->id);
		connection_table_remove(gate->connections, connection->id);
	}
	connection_table_destroy(gate->connections);
	skynet_free(gate);
}

/* ---- From clients ---- */

/* "<fd> <what>[ <detail>]" to the watchdog. `detail` may hold any bytes. */
static void
tell_watchdog(
	struct gate *gate, int id, const char *what, int session, const char *detail, size_t size) {
	if (gate->watchdog == 0)
		return;
	char head[32];
	int head_size = snprintf(head, sizeof head, "%d %s", id, what);
	size_t total = (size_t)head_size + size;
	char *text = skynet_malloc(total + 1);
	memcpy(text, head, (size_t)head_size);
	if (size > 0)
		memcpy(text + head_size, detail, size);
	text[total] = '\0';
	skynet_send(gate->context, 0, gate->watchdog, PTYPE_TEXT | PTYPE_TAG_DONTCOPY, session,
		text, total);
}

static void
deliver_packet(void *ud, const char *packet, size_t size) {
	struct delivery *delivery = ud;
	struct gate *gate = delivery->gate;
	struct connection *connection = delivery->connection;
	/* skynet_send only reads it, as there is no PTYPE_TAG_DONTCOPY. */
	void *bytes = (void *)(uintptr_t)packet;
	if (gate->broker != 0)
		skynet_send(gate->context, 0, gate->broker, gate->packet_type, connection->id,
			bytes, size);
	else if (connection->agent != 0)
		skynet_send(gate->context, connection->client, connection->agent, gate->packet_type,
			connection->id, bytes, size);
	else
		tell_watchdog(gate, connection->id, "data ", connection->id, packet, size);
}

static void
on_data(struct gate *gate, int id, const char *bytes, size_t size) {
	struct connection *connection = connection_table_find(gate->connections, id);
	if (connection == NULL || connection->closing)
		return;
	struct delivery delivery = {gate, connection};
	if (packet_split_push(&connection->split, bytes, size, deliver_packet, &delivery))
		return;
	skynet_error(gate->context, "error: gate closes %d: packet of more than %d bytes", id,
		PACKET_SIZE_MAX);
	connection->closing = true;
	skynet_socket_close(gate->context, id);
}

static void
on_accept(struct gate *gate, int id, const char *address, size_t size) {
	if (connection_table_add(gate->connections, id, gate->head_width) == NULL) {
		skynet_socket_close(gate->context, id);
		return;
	}
	char detail[PARAM_MAX];
	int length = snprintf(detail, sizeof detail, "%d %.*s:0", id,
		(int)(size < ADDRESS_MAX ? size : ADDRESS_MAX), address);
	tell_watchdog(gate, id, "open ", 0, detail, (size_t)length);
}

static void
on_close(struct gate *gate, int id) {
	if (id == gate->listener)
		gate->listener = -1;
	else if (connection_table_remove(gate->connections, id))
		tell_watchdog(gate, id, "close", 0, NULL, 0);
}

static void
on_socket(struct gate *gate, const struct skynet_socket_message *message, size_t size) {
	const char *text = (const char *)(message + 1);
	size_t text_size = strnlen(text, size - sizeof *message);
	switch (message->type) {
	case SKYNET_SOCKET_TYPE_DATA:
		on_data(gate, message->id, message->buffer, (size_t)message->ud);
		skynet_free(message->buffer);
		break;
	case SKYNET_SOCKET_TYPE_ACCEPT:
		on_accept(gate, message->ud, text, text_size);
		break;
	case SKYNET_SOCKET_TYPE_ERROR:
		if (message->id == gate->listener) {
			skynet_error(gate->context, "error: gate listener %d: %.*s", message->id,
				(int)text_size, text);
			break;
		}
		/* fallthrough */
	case SKYNET_SOCKET_TYPE_CLOSE:
		on_close(gate, message->id);
		break;
	case SKYNET_SOCKET_TYPE_WARNING:
		if (message->ud > 0)
			skynet_error(gate->context, "gate: %d KiB wait to be sent on %d",
				message->ud, message->id);
		break;
	default:
		break;
	}
}

/* ---- Commands ---- */

/* Cuts the next word off `*rest`; "" at the end. */
static char *
next_word(char **rest) {
	char *word = *rest + strspn(*rest, " ");
	size_t size = strcspn(word, " ");
	*rest = word + size;
	if (**rest != '\0')
		*(*rest)++ = '\0';
	return word;
}

static bool
parse_number(const char *text, int base, unsigned long max, unsigned long *value) {
	char *end;
	if (text[0] == '\0' || text[0] == '-' || text[0] == '+')
		return false;
	errno = 0;
	*value = strtoul(text, &end, base);
	return errno == 0 && *end == '\0' && *value <= max;
}

static bool
parse_handle(const char *text, uint32_t *handle) {
	unsigned long value;
	if (text[0] != ':' || !parse_number(text + 1, 16, UINT32_MAX, &value))
		return false;
	*handle = (uint32_t)value;
	return true;
}

/* The connection that the next word names, NULL when there is none. */
static struct connection *
next_connection(struct gate *gate, char **rest) {
	unsigned long id;
	if (!parse_number(next_word(rest), 10, INT_MAX, &id))
		return NULL;
	struct connection *connection = connection_table_find(gate->connections, (int)id);
	return connection != NULL && !connection->closing ? connection : NULL;
}

static void
command_kick(struct gate *gate, char *rest) {
	struct connection *connection = next_connection(gate, &rest);
	if (connection == NULL)
		return;
	connection->closing = true;
	skynet_socket_close(gate->context, connection->id);
}

static void
command_forward(struct gate *gate, char *rest) {
	struct connection *connection = next_connection(gate, &rest);
	uint32_t agent, client;
	if (connection == NULL || !parse_handle(next_word(&rest), &agent) ||
		!parse_handle(next_word(&rest), &client))
		return;
	connection->agent = agent;
	connection->client = client;
}

static void
command_broker(struct gate *gate, char *rest) {
	gate->broker = skynet_queryname(gate->context, next_word(&rest));
}

static void
command_start(struct gate *gate, char *rest) {
	struct connection *connection = next_connection(gate, &rest);
	if (connection != NULL)
		skynet_socket_start(gate->context, connection->id);
}

static void
command_close(struct gate *gate, char *rest) {
	(void)rest;
	if (gate->listener >= 0)
		skynet_socket_close(gate->context, gate->listener);
	gate->listener = -1;
}

static const struct {
	const char *word;
	void (*run)(struct gate *gate, char *rest);
} COMMANDS[] = {
	{"kick", command_kick}, /* kick <fd>: closes it */
	{"forward",
		command_forward}, /* forward <fd> :<agent> :<client>: its packets go to the agent */
	{"broker", command_broker}, /* broker <:handle or .name>: all packets go there */
	{"start", command_start},   /* start <fd>: begins to read */
	{"close", command_close},   /* close: stops listening */
};

static void
on_command(struct gate *gate, const char *message, size_t size) {
	char text[COMMAND_MAX];
	if (size >= sizeof text) {
		skynet_error(gate->context, "error: gate command of %zu bytes", size);
		return;
	}
	if (size > 0)
		memcpy(text, message, size);
	text[size] = '\0';
	char *rest = text;
	const char *word = next_word(&rest);
	for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
		if (strcmp(word, COMMANDS[i].word) == 0) {
			COMMANDS[i].run(gate, rest);
			return;
		}
	}
	skynet_error(gate->context, "error: gate has no command '%.*s'", (int)size, message);
}

/* Returns true when the message has been taken. */
static bool
on_client(struct gate *gate, uint32_t source, const void *message, size_t size) {
	if (size <= ID_SIZE) {
		skynet_error(gate->context, "error: gate message of %zu bytes from :%08" PRIx32,
			size, source);
		return false;
	}
	const unsigned char *tail = (const unsigned char *)message + size - ID_SIZE;
	uint32_t id = (uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 |
		      (uint32_t)tail[3] << 24;
	if (id > INT_MAX || size - ID_SIZE > INT_MAX ||
		connection_table_find(gate->connections, (int)id) == NULL) {
		skynet_error(gate->context,
			"error: gate has no connection %" PRIu32 ", message from :%08" PRIx32, id,
			source);
		return false;
	}
	skynet_socket_send(gate->context, (int)id, message, (int)(size - ID_SIZE));
	return true;
}

static int
dispatch(struct skynet_context *context, void *ud, int type, int session, uint32_t source,
	const void *message, size_t size) {
	(void)context, (void)session;
	struct gate *gate = ud;
	switch (type) {
	case PTYPE_TEXT:
		on_command(gate, message, size);
		return 0;
	case PTYPE_CLIENT:
		return on_client(gate, source, message, size);
	case PTYPE_SOCKET:
		if (size >= sizeof(struct skynet_socket_message))
			on_socket(gate, message, size);
		return 0;
	default:
		return 0;
	}
}

/* ---- Start ---- */

static bool
listen_on(struct gate *gate, char *address) {
	const char *host = DEFAULT_HOST;
	unsigned long port = 0;
	char *colon = strrchr(address, ':');
	if (strncmp(address, UNIX_PREFIX, sizeof UNIX_PREFIX - 1) == 0)
		host = address;
	else {
		if (colon != NULL)
			*colon = '\0';
		if (colon != NULL && colon != address)
			host = address;
		if (!parse_number(colon != NULL ? colon + 1 : address, 10, UINT16_MAX, &port)) {
			skynet_error(gate->context, "error: gate port '%s' is not 0 to 65535",
				colon != NULL ? colon + 1 : address);
			return false;
		}
	}
	gate->listener = skynet_socket_listen(gate->context, host, (int)port, BACKLOG);
	if (gate->listener < 0) {
		skynet_error(
			gate->context, "error: gate cannot listen on '%s' port %lu", host, port);
		return false;
	}
	skynet_socket_start(gate->context, gate->listener);
	return true;
}

static bool
find_watchdog(struct gate *gate, const char *name) {
	if (strcmp(name, "!") == 0)
		return true;
	gate->watchdog = skynet_queryname(gate->context, name);
	if (gate->watchdog == 0)
		skynet_error(gate->context, "error: gate has no watchdog '%s'", name);
	return gate->watchdog != 0;
}

int
gate_init(struct gate *gate, struct skynet_context *context, const char *param) {
	char text[PARAM_MAX];
	int size = snprintf(text, sizeof text, "%s", param != NULL ? param : "");
	gate->context = context;
	char *rest = text;
	const char *head = next_word(&rest), *watchdog = next_word(&rest);
	char *address = next_word(&rest);
	const char *type = next_word(&rest), *max = next_word(&rest);
	unsigned long type_number, limit;
	if (size >= (int)sizeof text || (strcmp(head, "S") != 0 && strcmp(head, "L") != 0) ||
		!parse_number(type, 10, UINT8_MAX, &type_number) ||
		!parse_number(max, 10, INT_MAX, &limit) || limit == 0) {
		skynet_error(context,
			"error: gate wants '<S|L> <watchdog> <[host:]port> <type> <max>', not '%.128s'",
			param != NULL ? param : "");
		return 1;
	}
	gate->head_width = head[0] == 'S' ? SHORT_HEAD : LONG_HEAD;
	gate->packet_type = type_number != 0 ? (int)type_number : PTYPE_CLIENT;
	if (!find_watchdog(gate, watchdog))
		return 1;
	gate->connections = connection_table_create(limit);
	skynet_callback(context, gate, dispatch);
	return listen_on(gate, address) ? 0 : 1;
}
