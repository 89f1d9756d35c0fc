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
#include "harbor_served.h"
#include "lane_output.h"
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
	bool local;   /* DOWN only for this service: the kernel delivers inside the process */
	bool dialed;  /* this end has made the connection */
	bool beats;   /* the peer answers heartbeats */
	bool touched; /* it is in the list of the harbor */
	uint64_t heard_ns;
	uint64_t ping_ns;           /* when the ping went out that was not answered; 0: none */
	uint64_t rtt_ns;            /* shortest round trip, where the system does not know it */
	bool parts;                 /* the peer takes parts */
	uint32_t last_number;       /* of a message in parts */
	struct lane_output *output; /* there is one while there is a socket */
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
	struct served_table served;
	struct name_table names;
	struct harbor_link links[HARBOR_COUNT];
	int open[HARBOR_COUNT]; /* harbor ids of the links with a socket */
	int open_count;
	int touched[HARBOR_COUNT]; /* harbor ids of the links that may have something to write */
	int touched_count;
	uint64_t drop_told_ns; /* when a dropped message was last told of in the log; 0: never */
	uint64_t drops_untold; /* since then */
	uint32_t unsettled;    /* messages since they were written to */
};

/// The link that uses a socket, NULL when there is none.
struct harbor_link *harbor_find_link(struct harbor *harbor, int fd);

/// Gives a socket to a link. `dialed`: this end has made the connection. `beats`: the peer is
/// known to answer heartbeats. Closes the socket when the link has a working one.
void harbor_link_open(struct harbor_link *link, int fd, bool dialed, bool beats);

/// The socket belongs to this service now: what the peer says from here on comes to it.
void harbor_link_taken(struct harbor_link *link);

/// Closes the link when all has been sent, else as harbor_link_close.
void harbor_link_end(struct harbor_link *link);

/// The node runs in this process, and the kernel delivers to it: no socket is needed, and what
/// still comes to this link comes too late. Ends a link with a socket.
void harbor_link_join(struct harbor_link *link);

/// Closes the socket, fails what waits for answers or for the link, tells the slave.
void harbor_link_close(struct harbor_link *link, const char *reason);

/// Bytes have arrived. Borrows them.
void harbor_link_receive(struct harbor_link *link, const char *bytes, size_t size);

/// Sends to a handle of the peer, or queues. Takes `message->data`.
void harbor_link_send(struct harbor_link *link, const struct waiting_message *message);

/// The system takes bytes again.
void harbor_link_resume(struct harbor_link *link);

/// Writes what the links have to write, as far as the system takes it.
void harbor_links_flush(struct harbor *harbor);

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

/// Notes in the log that a message for another node is not sent: one line in a second at most, with
/// how many there were without.
void harbor_log_drop(struct harbor *harbor, const struct waiting_message *message);

/// Makes harbor_link_tick be called, and queues expire, from now on.
void harbor_start_ticking(struct harbor *harbor);

#endif
