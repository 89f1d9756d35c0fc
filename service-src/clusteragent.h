/* The service clusteragent: one connection that another node of the cluster has made to this one.
 * What its files share: requests that come in, and answers that go out. One thread at a time.
 */
#ifndef SKYNET_CLUSTERAGENT_H
#define SKYNET_CLUSTERAGENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster_deadline.h"
#include "cluster_frame.h"
#include "cluster_session.h"
#include "lane_confirm.h"
#include "lane_output.h"
#include "packet_split.h"
#include "payload_join.h"
#include "skynet.h"
#include "skynet_socket.h"

#define CLUSTER_FULL_MAX    16   /* services with a full mailbox that are watched at a time */
#define CLUSTER_KNOWN_MAX   1024 /* names; a power of 2 */
#define CLUSTER_LAVISH_BITS 256  /* services by hash; a power of 2 */

/* A complete request. */
struct agent_request {
	struct agent_request *next;
	uint32_t session; /* of the other node; 0: nobody waits for an answer */
	bool push;
	char *data; /* skynet_malloc; NULL: `borrowed` */
	const char *borrowed;
	size_t size;
	char *tag; /* skynet_malloc, or NULL */
	size_t tag_size;
	uint64_t deadline_ns; /* 0: none */
	uint32_t handle;
	size_t name_size; /* 0: by handle */
	char name[CLUSTER_NAME_MAX + 1];
};

struct agent_request_list {
	struct agent_request *first, *last;
};

/* A request that comes in parts and is not complete. */
struct parts {
	struct payload_join join;
	bool broken; /* it cannot be served: an error answers its last part */
	struct agent_request request;
};

struct known_name {
	char *name; /* skynet_malloc, NULL: free place */
	uint32_t handle;
};

/* A service here whose mailbox is full. */
struct full_receiver {
	uint32_t handle;
	int room_session;  /* its response comes when the mailbox has room */
	int timer_session; /* its response comes when patience is over */
	bool waiting;      /* neither has come: the connection is not read */
	uint64_t lost;     /* messages that were refused after patience was over */
};

struct clusteragent {
	struct skynet_context *context;
	uint32_t daemon; /* clusterd */

	/* The connection. */
	int socket;
	char from[64]; /* who has connected, for the log */
	struct skynet_socket_greeting greeting;
	struct packet_split split;
	struct lane_output output;
	struct lane_confirm confirm; /* parts of requests that have to be confirmed */
	bool ours;                   /* the other node is of this kind: it has sent a probe */
	bool paused;                 /* it is not read now */
	uint64_t malformed;          /* frames so far that were no requests */
	uint64_t identity;           /* of the sender at the other end; 0: not known */
	int identity_session; /* clusterd is ending its earlier connection; requests wait. 0: no */

	/* What was sent ahead of the next request. */
	char *tag; /* skynet_malloc or NULL */
	size_t tag_size;
	uint64_t deadline_ns; /* 0: none */

	/* Requests: clusteragent_serve.c. */
	struct cluster_sessions parts; /* that are incomplete, by session there */
	struct cluster_sessions calls; /* that services here handle, by session here */
	struct cluster_deadlines deadlines;
	struct known_name known[CLUSTER_KNOWN_MAX];
	int ask_session; /* of the question to clusterd for the name of the first of `held` */
	struct agent_request_list held; /* wait for a name, and those behind them; in order */

	/* Answers that wait to be sent, and requests that wait for them: clusteragent_late.c. */
	size_t limit;                   /* bytes of answers that may wait; 0: any number */
	size_t most;                    /* maximum of those that waited */
	struct agent_request_list late; /* wait until answers have left; handles are known */
	bool fenced;                    /* CLUSTER_FENCE is to be answered when `late` is empty */
	int release_session;            /* of the timer that sets `overdue` */
	bool overdue;                   /* the first of `late` has waited for long */
	uint32_t released;              /* calls that were in `late` and have no answer yet */
	size_t expected;                /* running average of the bytes of one such answer */
	uint64_t lavish[CLUSTER_LAVISH_BITS / 64]; /* services whose answers came in parts */
	size_t kept_size;                          /* bytes of all requests in `held` and `late` */
	size_t kept_small;                         /* of the small ones, which need no credit */

	/* Receivers with a full mailbox: clusteragent_room.c. */
	int patience_s;
	int full_count;
	struct full_receiver full[CLUSTER_FULL_MAX];
};

/* ---- clusteragent.c ---- */

/// Answers session `session` of the other node with an error. Borrows `text`.
void agent_answer_text(struct clusteragent *agent, uint32_t session, const char *text);

/* ---- clusteragent_late.c ---- */

/// Puts a request behind the others of a list. Takes what is in `request`.
void agent_keep(
	struct clusteragent *agent, struct agent_request_list *list, struct agent_request *request);

/// Takes the first request off a list that is not empty. Gives it: agent_clear_request, then
/// skynet_free.
struct agent_request *agent_take_kept(struct clusteragent *agent, struct agent_request_list *list);

/// Drops all requests of a list.
void agent_drop_kept(struct clusteragent *agent, struct agent_request_list *list);

/// Notes that a service has given an answer of `size` bytes, which leaves in `parts` or in one
/// frame.
void agent_note_answer(struct clusteragent *agent, uint32_t handle, size_t size, bool parts);

/// Whether so many answers wait that no other can.
bool agent_is_overloaded(const struct clusteragent *agent);

/// Whether a request to a service must be kept until answers have left. Handle 0: a global name.
bool agent_is_late(struct clusteragent *agent, uint32_t handle);

/// Hands over requests that have waited for answers, when enough of them have left. Returns true
/// when it did.
bool agent_release_late(struct clusteragent *agent);

/// The timer that agent_release_late starts may have fired. Returns false for any other response.
bool agent_late_timer(struct clusteragent *agent, int session);

/// Forgets a call, which is answered or refused.
void agent_end_call(struct clusteragent *agent, struct cluster_session *call);

/// Whether parts of requests are not confirmed for now.
bool agent_withholds_credit(const struct clusteragent *agent);

/// Whether the connection is not to be read, because too much waits.
bool agent_has_too_much(const struct clusteragent *agent);

/// What the console shows, as the answer to `session` of `source`.
void agent_answer_status(struct clusteragent *agent, uint32_t source, int session);

/* ---- clusteragent_room.c ---- */

/// Whether messages to a service are delivered. False, and counted, while it is full for too long.
bool agent_room_for(struct clusteragent *agent, uint32_t handle);

/// To be called after a send to a service of this node: notes when its mailbox is full.
void agent_room_check(struct clusteragent *agent);

/// Takes a response about a full mailbox. Returns false for any other.
bool agent_room_response(struct clusteragent *agent, int session);

/// Whether the connection is not to be read, because a service has no room.
bool agent_room_waits(const struct clusteragent *agent);

/* ---- clusteragent_serve.c ---- */

/// Serves a request, or keeps it until it is its turn. Takes what is in `request`.
void agent_serve(struct clusteragent *agent, struct agent_request *request);

/// clusterd has said what the name of the first request that waits stands for.
void agent_name_known(struct clusteragent *agent, bool found, const char *text, size_t size);

/// Hands a request to a service, or to its global name when that is 0. Returns the session of the
/// answer, 0 when there is none to come.
int agent_hand_over(struct clusteragent *agent, struct agent_request *request, uint32_t handle);

/// The earlier connection of the same sender has ended: serves what waited for that.
void agent_earlier_ended(struct clusteragent *agent);

/// A registered name stands for something else now.
void agent_forget_names(struct clusteragent *agent);

/// Frees what a request owns.
void agent_clear_request(struct agent_request *request);

#endif
