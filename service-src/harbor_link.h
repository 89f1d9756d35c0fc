/* The way to one other node: a socket, its state and what waits for it, from the handshake to the
 * end. How messages leave by it is in harbor_send.h, what the two nodes say to each other besides
 * in harbor_word.h. The harbor service owns all links and calls everything here from its own turn.
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
#include "skynet_handle.h"

#define HARBOR_COUNT 256
#define NO_SOCKET    (-1)

enum link_state {
	LINK_WAIT,      /* not linked so far: messages are queued, up to ten seconds */
	LINK_TAKING,    /* the socket still belongs to the slave: messages are queued */
	LINK_HANDSHAKE, /* dialled, own id sent, the peer's id has not come: they are queued */
	LINK_UP,        /* frames are read and written */
	LINK_DOWN,      /* lost, or no network: messages are refused until there is a new socket */
};

struct harbor_link {
	struct harbor *harbor;
	int id; /* of the peer */
	int fd; /* socket id, NO_SOCKET */
	enum link_state state;
	bool local;   /* the node runs in this process: the kernel delivers, `state` is LINK_DOWN */
	bool dialled; /* this end has made the connection */
	bool beats;   /* the peer answers heartbeats */
	bool touched; /* its id is in `touched` of the harbor */
	uint64_t heard_ns;          /* when bytes came last */
	uint64_t ping_ns;           /* when the oldest unanswered ping was sent; 0: none */
	uint64_t rtt_ns;            /* shortest one of a ping, where the system has none */
	bool parts;                 /* the peer takes large messages in parts */
	uint32_t last_number;       /* of the last message that was sent in parts */
	uint64_t refused;           /* messages of types that must not leave their node */
	struct lane_output *output; /* NULL while there is no socket */
	struct frame_reader reader;
	struct message_queue queue; /* messages that wait for LINK_UP */
};

struct harbor {
	struct skynet_context *context;
	int id;
	uint32_t slave;
	int64_t tick_ms;        /* interval of heartbeats and expiries */
	bool ticking;           /* the timer is armed; it is not while nothing can expire */
	int tick_session;       /* its session */
	uint64_t tick_start_ns; /* when it was armed */
	struct call_table calls;
	struct served_table served;
	struct name_table names;
	struct harbor_link links[HARBOR_COUNT];
	int open[HARBOR_COUNT]; /* harbor ids of the links with a socket */
	int open_count;
	int touched[HARBOR_COUNT]; /* harbor ids of the links that may have something to write */
	int touched_count;
	uint64_t drop_told_ns; /* when a dropped message was last logged; 0: never */
	uint64_t drops_untold; /* dropped messages since then, which were not logged */
	uint32_t unsettled;    /* messages handled since output was written */
};

/// The link that uses a socket, NULL when there is none.
struct harbor_link *harbor_find_link(struct harbor *harbor, int fd);

/// Begins to use socket `fd` for a link, or closes it when the link has a socket already.
/// `dialled`: this end has made the connection. When two nodes dial each other at once, both stay
/// with the connection that the lower id has made. `beats`: the peer is known to answer heartbeats.
void harbor_link_open(struct harbor_link *link, int fd, bool dialled, bool beats);

/// The events of the socket come to this service from here on, no longer to the slave: the
/// handshake can begin.
void harbor_link_taken(struct harbor_link *link);

/// As harbor_link_close, but what waits to be sent is left to the socket, which sends it first.
void harbor_link_end(struct harbor_link *link);

/// The node of this link runs in this process: from now on the kernel delivers to it, without this
/// service. Closes the socket if there is one.
void harbor_link_join(struct harbor_link *link);

/// Closes the socket, fails the calls to that node and the messages queued for it, and tells the
/// slave. Borrows `reason`, which goes to the log.
void harbor_link_close(struct harbor_link *link, const char *reason);

/// Handles bytes that have arrived: the id of the peer first, then frames. Borrows them.
void harbor_link_receive(struct harbor_link *link, const char *bytes, size_t size);

/// Sends to a handle of the peer, or queues. Takes `message->data`.
void harbor_link_send(struct harbor_link *link, const struct waiting_message *message);

/// Goes on sending: the socket can take bytes again.
void harbor_link_resume(struct harbor_link *link);

/// Writes the output of all touched links, as far as their sockets take it.
void harbor_links_flush(struct harbor *harbor);

/// Sends a heartbeat, or closes the link when the peer has been silent for too long. `slept`: this
/// process itself stood still meanwhile, so the silence does not count.
void harbor_link_tick(struct harbor_link *link, uint64_t now_ns, bool slept);

/// True when the sender of a message of this type may wait for an answer, so that it must be told
/// of a failure.
bool harbor_wants_error(int type);

/// Answers a message that cannot be delivered with an error. Takes `message->data`. Borrows
/// `reason`: a kind of skynet.error_kind, or "kind: text".
void harbor_refuse(
	struct harbor *harbor, const struct waiting_message *message, const char *reason);

/// The same for one that cannot reach its node, which the error names. Borrows `why`.
void harbor_refuse_dead(
	struct harbor *harbor, const struct waiting_message *message, const char *why);

/// Logs that a message for another node was dropped: at most one line in a second, which counts
/// those that had none.
void harbor_log_drop(struct harbor *harbor, const struct waiting_message *message);

/// Arms the timer that calls harbor_link_tick and expires queued messages, unless it is armed.
void harbor_start_ticking(struct harbor *harbor);

#endif
