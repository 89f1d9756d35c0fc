/* The service clustersender: the link to one other node of the cluster. What its files share: the
 * state of the link, its connections, requests that go out and answers that come. One thread at a
 * time.
 */
#ifndef SKYNET_CLUSTERSENDER_H
#define SKYNET_CLUSTERSENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster_deadline.h"
#include "cluster_frame.h"
#include "cluster_session.h"
#include "lane_confirm.h"
#include "lane_output.h"
#include "packet_split.h"
#include "skynet.h"
#include "skynet_socket.h"

#define NODE_MAX    128
#define ADDRESS_MAX 512
#define MS_PER_CS   10

enum link_state {
	LINK_DOWN,     /* a request starts a dial, or fails in the pause after one that failed */
	LINK_ASKING,   /* clusterd has been asked for the address; requests wait in `first` */
	LINK_DIALLING, /* requests wait likewise */
	LINK_UP,
	LINK_DRAINING, /* another address: requests wait for `left`, see clustersender_drain.c */
};

/* What is known of the node at the address that was dialled last. */
enum peer_kind {
	PEER_UNKNOWN,
	PEER_OTHER, /* a node of the reference */
	PEER_OURS,  /* confirms parts, takes deadlines, answers heartbeats */
};

/* A message that waits until it can be written. */
struct held {
	struct held *next;
	int type;
	int session;
	uint32_t source;
	uint32_t number; /* of its call, when that has a deadline; 0: none yet */
	uint64_t due_ns; /* that deadline */
	void *data;      /* skynet_malloc */
	size_t size;
};

/* A connection. */
struct link {
	struct link *next; /* in `draining` */
	struct clustersender *sender;
	int id;                      /* of the socket */
	uint32_t waiting;            /* calls that wait for an answer over it */
	struct lane_confirm confirm; /* parts of answers that have to be confirmed */
	bool broken;                 /* the peer has sent something that is no response */
	bool probed;                 /* a probe (cluster_frame.h) has been sent */
	bool useful;                 /* the peer has sent a response */
	bool ours;                   /* the probe was answered as nodes of this kind do */
	bool fenced;                 /* the fence (cluster_frame.h) has been sent */
	uint64_t identity;           /* of the sender, when this connection was made */
	uint64_t alive_ns;           /* when bytes came, or the peer took some, last */
	uint64_t probe_ns;           /* when the unanswered probe was sent; 0: there is none */
	struct skynet_socket_greeting greeting;
	struct packet_split split;
	struct lane_output output;
};

/* A trace tag, sent before the next request of a service. */
struct tag {
	struct tag *next;
	uint32_t source;
	size_t size;
	char text[];
};

struct answer_queue;

struct clustersender {
	struct skynet_context *context;
	enum link_state state;
	enum peer_kind peer;
	int ask_session;   /* of the question to clusterd for the address */
	int state_session; /* of the timer of LINK_DIALLING or LINK_DRAINING */
	int tick_session;  /* of the timer of heartbeats */
	uint64_t state_timer, tick_timer;
	/* When these timers are due; if one is late, this process stood still. */
	uint64_t state_due_ns, tick_due_ns;
	uint64_t retry_ns; /* end of the pause after a failed dial */
	uint32_t failures; /* dials in a row that failed, or led to no response */
	uint32_t random;   /* state of the jitter */
	bool ask_again;    /* the address has changed while it was asked for or dialled */
	bool full;         /* more waits than `limit`: the policy applies */
	bool told_up;      /* clusterd was told that the node is up, not yet that it is down */
	uint32_t last_session;
	uint64_t identity;     /* random number, by which the other node recognises this sender */
	bool identified;       /* a peer has been told `identity` */
	uint64_t rtt_ns;       /* shortest round trip to the peer; 0: not measured */
	struct link *link;     /* the connection, in LINK_DIALLING and LINK_UP */
	struct link *draining; /* replaced connections that still bring answers */
	struct link *left;     /* LINK_DRAINING: the one of `draining` that was replaced last */
	struct held *first, *last;
	size_t held_size;
	struct tag *tags;
	struct cluster_sessions calls;
	struct cluster_deadlines deadlines;
	struct answer_queue *queues; /* answers that wait behind one that comes in parts */

	/* Settings. */
	size_t limit; /* bytes that may wait */
	enum skynet_mailbox_policy policy;
	int64_t heartbeat_ms;                        /* 0: none */
	int64_t call_timeout_ms, default_timeout_ms; /* of the node; of clusterd. 0: none */

	uint64_t rejected, dropped;
	char node[NODE_MAX];
	char address[ADDRESS_MAX]; /* "HOST PORT" that was dialled last */
	char reason[256];          /* why the last dial was of no use */
	char client[ADDRESS_MAX];  /* who we are, in trace tags */
};

/* ---- clustersender.c ---- */

/// Gives the sender a number that no other one has, in this process, another or an earlier one.
void sender_set_identity(struct clustersender *sender);

/// What the console shows of the sender, as the answer to `session` of `source`.
void sender_answer_status(struct clustersender *sender, uint32_t source, int session);

/* ---- clustersender_request.c ---- */

/// Sends a request over the link, which is up. `held` (borrowed) is how it has waited, NULL when it
/// has not. Returns true when it has taken `data`.
bool sender_send_request(struct clustersender *sender, uint32_t source, int session,
	const struct held *held, void *data, size_t size);

/// Probes the peer now, unless it has been probed: for large messages and deadlines it matters
/// which kind it is.
void sender_probe_early(struct clustersender *sender, struct link *link);

/// Keeps a trace tag (borrowed) for the next request of `source`.
void sender_keep_tag(struct clustersender *sender, uint32_t source, const char *text, size_t size);

/// Forgets a call, which has been answered.
void sender_remove_call(struct clustersender *sender, struct cluster_session *call);

/// The deadline of call `number` is over. An answer that still comes is dropped.
void sender_expire_call(struct clustersender *sender, uint32_t number);

/// Bytes that wait to be sent.
size_t sender_waiting_size(const struct clustersender *sender);

/// Returns true when there is room for one more request, made if need be.
bool sender_make_room(struct clustersender *sender);

/// Refuses a request because too much waits.
void sender_refuse_full(struct clustersender *sender, uint32_t source, int session);

/// Refuses a message because the node could not be reached just now.
void sender_fail_at_once(struct clustersender *sender, int type, uint32_t source, int session);

/// Lets the policy apply to senders while too much waits: the mailbox tells them.
void sender_update_full(struct clustersender *sender);

/// Keeps a message until it can be sent. Takes `data`.
void sender_hold(struct clustersender *sender, int type, int session, uint32_t source, void *data,
	size_t size);

/// Sends what waits, as far as the connection takes it.
void sender_release_held(struct clustersender *sender);

/// Fails what waits.
void sender_fail_held(
	struct clustersender *sender, const char *kind, const char *text, size_t size);

/* ---- clustersender_link.c ---- */

/// Asks clusterd where the node is, and dials then.
void sender_ask_address(struct clustersender *sender);

/// True while no dial is to be made because the last one was of no use just now.
bool sender_pauses(const struct clustersender *sender);

/// Why calls fail during the pause: text behind "dead_node: ".
size_t sender_pause_text(const struct clustersender *sender, char *text, size_t size);

/// The connection is lost, or could not be made. Ends `link`.
void sender_lose_link(
	struct clustersender *sender, struct link *link, const char *text, size_t size);

/// Ends a connection at once, as lost for the reason `text`. Ends `link`.
void sender_cut_link(struct clustersender *sender, struct link *link, const char *text);

/// Closes a connection when all has been sent. Ends `link`.
void sender_close_link(struct clustersender *sender, struct link *link);

/// The timer that ends LINK_DIALLING, and looks after LINK_DRAINING.
void sender_start_state_timer(struct clustersender *sender, int64_t delay_ms);
void sender_stop_state_timer(struct clustersender *sender);

/// A timer of the connection, or an answer of clusterd. Returns false for any other session.
bool sender_link_response(
	struct clustersender *sender, bool ok, int session, const char *text, size_t size);

/// What clusterd says.
void sender_link_told(
	struct clustersender *sender, uint32_t source, int session, const char *text, size_t size);

/// The connection is made.
void sender_connected(struct clustersender *sender, int id);

/// The connection with that socket, NULL when there is none.
struct link *sender_find_link(struct clustersender *sender, int id);

/// Closes all connections.
void sender_close_links(struct clustersender *sender);

/* ---- clustersender_drain.c ---- */

/// Replaces the connection, which is up: LINK_DRAINING begins.
void sender_leave(struct clustersender *sender);

/// The fence was answered: if `link` is the one that is left, the new address is asked for.
void sender_fence_answered(struct clustersender *sender, const struct link *link);

/// Goes on with the replaced connections: writes what waits, ends what has nothing left to do. For
/// the end of each message.
void sender_drain(struct clustersender *sender);

/// Takes a connection that is lost or ends off the list of replaced ones. If it is the one that is
/// left, the new address is asked for.
void sender_forget_draining(struct clustersender *sender, const struct link *link);

/// The state timer has fired: gives the connection that is left up when it has made no progress.
void sender_check_left(struct clustersender *sender);

/* ---- clustersender_peer.c ---- */

/// Finds out whether the node at the other end is one of ours.
void sender_probe(struct clustersender *sender, struct link *link);

/// A response to a probe or a confirmation. Returns false for any other.
bool sender_take_control(
	struct clustersender *sender, struct link *link, const struct cluster_response *response);

/// Asks whether all that was sent before has been handed to its receivers.
void sender_fence(struct link *link);

/// How long a peer may be silent that is asked for a sign of life, and is `known` to be of this
/// kind or not.
uint64_t sender_patience_ns(const struct clustersender *sender, bool known);

/// True when this process stood still, so that something that was due at `due_ns` is late.
bool sender_slept(const struct clustersender *sender, uint64_t due_ns);

/// Tells the peer what has been read of parts, when it is much or `now`.
void sender_confirm(struct link *link, bool now);

/// A heartbeat of one connection: sends a probe, or ends the connection (and `link`) when it was
/// silent for too long. A node of the reference answers probes too, with an error. A peer that is
/// not `known` to be of this kind gets more time, and any amount of it while no call waits.
/// `slept`: this process stood still, so what the peer has sent meanwhile may not be read yet.
void sender_beat(struct clustersender *sender, struct link *link, bool known, bool slept);

/* ---- clustersender_answer.c ---- */

/// Answers a request with an error: "KIND: TEXT", or the text alone when `kind` is "". Borrows all.
void sender_fail_call(struct clustersender *sender, uint32_t source, int session, const char *kind,
	const char *text, size_t size);

/// Fails the calls that wait for `link`, or all of them when it is NULL. `text` (borrowed) says
/// which node is dead, and why.
void sender_fail_link_calls(
	struct clustersender *sender, const struct link *link, const char *text, size_t size);

/// Hands a response (borrowed) to the caller. Returns true when that was all of it: then the call
/// must be removed.
bool sender_take_response(struct clustersender *sender, struct cluster_session *call,
	const struct cluster_response *response);

/// Ends a call without an answer. Forgets parts that have come.
void sender_drop_call(struct clustersender *sender, struct cluster_session *call);

#endif
