/* The way to one other node: a socket, its state and what waits for it. The harbor service owns all
 * of them and calls everything here from its own turn.
 *
 *     WAIT        nothing known yet: messages queue, for a while
 *     TAKING      the socket still belongs to the slave: messages queue
 *     HANDSHAKE   dialed, own id sent, the peer's id has not come: messages queue
 *     UP          frames are read and written
 *     DOWN        lost: messages are refused until there is a new socket
 */
#ifndef SKYNET_HARBOR_LINK_H
#define SKYNET_HARBOR_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "harbor_call.h"
#include "harbor_frame.h"
#include "name_queue.h"
#include "skynet.h"

#define HARBOR_COUNT 256
#define HARBOR_SHIFT 24
#define NO_SOCKET    (-1)

enum link_state { LINK_WAIT, LINK_TAKING, LINK_HANDSHAKE, LINK_UP, LINK_DOWN };

struct harbor_link {
	struct harbor *harbor;
	int id; /* of the peer */
	int fd; /* socket id, NO_SOCKET */
	enum link_state state;
	bool dialed;    /* this end has made the connection */
	bool beats;     /* the peer answers heartbeats */
	bool congested; /* too much waits to be sent */
	uint64_t heard_ns;
	struct frame_reader reader;
	struct message_queue queue;
};

struct harbor {
	struct skynet_context *context;
	int id;
	uint32_t slave;
	int64_t tick_ms; /* heartbeat */
	bool ticking;    /* a timer is under way */
	int tick_session;
	uint64_t tick_start_ns;
	struct call_table calls;
	struct name_table names;
	struct harbor_link links[HARBOR_COUNT];
	int open[HARBOR_COUNT]; /* harbor ids of the links with a socket */
	int open_count;
};

/// The link that uses a socket, NULL when there is none.
struct harbor_link *harbor_find_link(struct harbor *harbor, int fd);

/// Gives a socket to a link. `dialed`: this end has made the connection. `beats`: the peer is
/// known to answer heartbeats. Closes the socket when the link has a working one.
void harbor_link_open(struct harbor_link *link, int fd, bool dialed, bool beats);

/// The socket belongs to this service now: what the peer says from here on comes to it.
void harbor_link_taken(struct harbor_link *link);

/// Closes the socket, fails what waits for answers or for the link, tells the slave.
void harbor_link_close(struct harbor_link *link, const char *reason);

/// Bytes have arrived. Borrows them.
void harbor_link_receive(struct harbor_link *link, const char *bytes, size_t size);

/// Sends to a handle of the peer, or queues. Takes `message->data`.
void harbor_link_send(struct harbor_link *link, const struct waiting_message *message);

/// A heartbeat, and the end of a link that has been silent for too long. `slept`: so has this
/// process, and the silence of the peer says nothing.
void harbor_link_tick(struct harbor_link *link, uint64_t now_ns, bool slept);

/// Tells the sender that its message was not delivered, and frees it. Takes `message->data`.
/// Borrows `reason`, see skynet's error kinds.
void harbor_refuse(
	struct harbor *harbor, const struct waiting_message *message, const char *reason);

/// Fails the messages of a queue that have waited for too long.
void harbor_expire(
	struct harbor *harbor, struct message_queue *queue, uint64_t now_ns, const char *reason);

/// Makes harbor_link_tick be called, and queues expire, from now on.
void harbor_start_ticking(struct harbor *harbor);

#endif
