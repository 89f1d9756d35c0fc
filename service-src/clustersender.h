/* What the files of the service clustersender share: its state, and the answers to callers. One
 * thread at a time.
 */
#ifndef SKYNET_CLUSTERSENDER_H
#define SKYNET_CLUSTERSENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster_frame.h"
#include "cluster_output.h"
#include "cluster_session.h"
#include "packet_split.h"
#include "skynet.h"

#define NODE_MAX    128
#define ADDRESS_MAX 512

enum state { DOWN, ASKING, DIALLING, UP };

/* A message that waits for the connection. */
struct held {
	struct held *next;
	int type;
	int session;
	uint32_t source;
	void *data; /* skynet_malloc */
	size_t size;
};

/* A connection. */
struct link {
	struct link *next; /* of those that drain */
	struct clustersender *sender;
	int id;
	uint32_t waiting; /* calls whose answer is to come over it */
	bool broken;      /* has sent what is no response */
	struct packet_split split;
	struct cluster_output output;
};

/* A tag that belongs to the next request of a service. */
struct tag {
	struct tag *next;
	uint32_t source;
	size_t size;
	char text[];
};

struct clustersender {
	struct skynet_context *context;
	enum state state;
	int ask_session; /* of the question to clusterd */
	bool ask_again;  /* the address changed meanwhile */
	bool dialled;    /* a connection existed before */
	uint32_t last_session;
	struct link *link; /* DIALLING or UP */
	struct link *draining;
	struct held *first, *last;
	struct tag *tags;
	struct cluster_sessions calls;
	char node[NODE_MAX];
	char address[ADDRESS_MAX];
	char client[ADDRESS_MAX]; /* who we are, in trace tags */
};

/// Answers a request with an error: "KIND: TEXT", or the text alone when `kind` is "". Borrows all.
void sender_fail_call(struct clustersender *sender, uint32_t source, int session, const char *kind,
	const char *text, size_t size);

/// Fails the calls that wait for `link`, or all of them when it is NULL.
void sender_fail_link_calls(struct clustersender *sender, const struct link *link);

/// Frees the parts that have come for a call.
void sender_free_join(struct cluster_session *call);

/// Hands a response (borrowed) to the caller. Returns true when that was all of it.
bool sender_take_response(struct clustersender *sender, struct cluster_session *call,
	const struct cluster_response *response);

#endif
