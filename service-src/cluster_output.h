/* What a service writes to one cluster connection.
 *
 * Small frames are gathered and leave together. Large payloads wait in lanes, one for each key, and
 * leave in parts, a part of each lane in turn; small frames pass between parts. Payloads of a
 * lane leave one after the other. Parts are written straight from the message that they belong to;
 * what the system does not take stays here, never in the queue of the socket. With a peer that
 * confirms parts, `credit` bounds those that are under way, so that what is sent next does not wait
 * behind them in buffers of the system. One thread at a time.
 */
#ifndef SKYNET_CLUSTER_OUTPUT_H
#define SKYNET_CLUSTER_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "skynet.h"

#define CLUSTER_BATCH_PARTS  10 /* that leave in one system call */
#define CLUSTER_BATCH_PIECES (3 * CLUSTER_BATCH_PARTS + 1)
#define CLUSTER_PART_HEAD    7 /* bytes */

enum cluster_form {
	CLUSTER_WHOLE,          /* the head has all that must be said */
	CLUSTER_REQUEST_PARTS,  /* cut into CLUSTER_PART ... CLUSTER_LAST */
	CLUSTER_RESPONSE_PARTS, /* cut into CLUSTER_ANSWER_PART ... CLUSTER_ANSWER_LAST */
};

/* A payload that waits in a lane. */
struct cluster_item {
	struct cluster_item *next;
	enum cluster_form form;
	uint32_t session;
	bool begun;     /* its head is out, or about to be */
	void *block;    /* skynet_malloc; the payload lies in it */
	const char *at; /* payload that is left */
	size_t size;    /* of it */
	size_t head_size;
	char head[]; /* frames in front */
};

struct cluster_lane;

/* What is being written. */
struct cluster_batch {
	struct iovec pieces[CLUSTER_BATCH_PIECES];
	int first, count;          /* those of `pieces` that are left */
	size_t size;               /* bytes in them */
	char *frames;              /* skynet_malloc; gathered frames in it */
	struct cluster_item *done; /* ended with it */
	char heads[CLUSTER_BATCH_PARTS][CLUSTER_PART_HEAD];
};

struct cluster_output {
	struct skynet_context *context;
	int id;     /* of the socket */
	char *data; /* skynet_malloc; frames that were gathered */
	size_t size, capacity;
	size_t lane_size;          /* bytes of the payloads that wait */
	struct cluster_lane *lane; /* a ring; whose turn was last. NULL: none */
	int64_t credit;            /* bytes of parts that may leave; INT64_MAX: any number */
	int64_t window;            /* credit when nothing is under way */
	size_t limit;              /* more waits than that: credit does not count. 0: none */
	uint32_t settled;          /* messages since it was written last */
	bool stalled;              /* the system takes no more, until cluster_output_resume */
	bool failed;               /* the connection must be given up */
	struct cluster_batch batch;
};

/// End with cluster_output_fini, which drops what was not written.
void cluster_output_init(struct cluster_output *output, struct skynet_context *context, int id);
void cluster_output_fini(struct cluster_output *output);

/// Appends a frame: its head and `size` bytes behind it. Borrows both.
void cluster_output_write(struct cluster_output *output, const char *head, size_t head_size,
	const char *data, size_t size);

/// The key of a lane: sender in the upper half, cluster_target in the lower.
static inline uint64_t
cluster_lane_key(uint32_t sender, uint32_t target) {
	return (uint64_t)sender << 32 | target;
}

/// Puts a payload of `size` bytes at `at` into the lane of `key`, with frames in front (borrowed).
/// Takes `block`, in which the payload lies.
void cluster_output_queue(struct cluster_output *output, uint64_t key, enum cluster_form form,
	uint32_t session, const char *head, size_t head_size, void *block, const char *at,
	size_t size);

/// True when something of `key` waits: what follows must wait behind it.
bool cluster_output_waits(const struct cluster_output *output, uint64_t key);

/// Takes back the payload of `session` unless it has been begun.
void cluster_output_cancel(struct cluster_output *output, uint32_t session);

/// The peer confirms parts: their number is bounded by `window` from now on.
void cluster_output_set_window(struct cluster_output *output, int64_t window);

/// The peer has confirmed `size` bytes of parts.
void cluster_output_confirm(struct cluster_output *output, uint32_t size);

/// Writes unless more messages wait for the service: then more may be gathered.
void cluster_output_settle(struct cluster_output *output);

/// The system takes bytes again.
void cluster_output_resume(struct cluster_output *output);

/// Hands all that waits to the queue of the socket, before it is closed in order.
void cluster_output_spill(struct cluster_output *output);

/// Bytes that wait.
size_t cluster_output_waiting(const struct cluster_output *output);

#endif
