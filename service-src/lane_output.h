/* What a service writes to one connection between nodes, and in which order. One thread at a time.
 *
 * Small frames are gathered and leave together. A large payload waits in the lane of its key
 * (sender and receiver) and leaves in parts, written straight from its message. Lanes take turns, a
 * part each; payloads of one lane leave one after the other; small frames pass between parts. What
 * the system does not take stays here, not in the queue of the socket. A peer may confirm parts:
 * then `credit` bounds the unconfirmed ones, so that small frames do not wait behind them in
 * buffers of the system. The bound is wide while there are only large payloads and narrow beside
 * small messages (lane_mix.h). Parts also give way, once, to the answers of services that have just
 * got small messages.
 */
#ifndef SKYNET_LANE_OUTPUT_H
#define SKYNET_LANE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lane_mix.h"
#include "skynet.h"

#define LANE_BATCH_PARTS  10 /* parts that leave in one system call */
#define LANE_BATCH_PIECES (4 * LANE_BATCH_PARTS + 1)
#define LANE_PART_HEAD    8 /* bytes */

/* Bytes of parts that may be unconfirmed, at least: on long lines it is what they carry in a round
 * trip. */
#define LANE_WINDOW_WIDE   ((int64_t)524288) /* while there are no small messages */
#define LANE_WINDOW_NARROW ((int64_t)65536)  /* beside small messages */
#define LANE_WINDOW_MAX    ((int64_t)16777216)
#define LANE_LINE_NS_BYTE  4 /* assumed speed of a line: 250 MB/s */

enum lane_form {
	LANE_WHOLE, /* one frame: head, payload, tail */
	LANE_PARTS, /* head, then parts, each with a head of its own (lane_framing.part_head) */
};

/* A payload as it is given to lane_output_queue. */
struct lane_payload {
	uint64_t key; /* of its lane: lane_key */
	enum lane_form form;
	uint32_t session; /* what lane_output_cancel and lane_framing.part_head know it by */
	const char *head; /* frames in front of it; NULL: none */
	size_t head_size;
	const char *tail; /* what ends its frame (LANE_WHOLE); NULL: nothing */
	size_t tail_size;
	void *block;    /* skynet_malloc; the payload lies in it */
	const char *at; /* the payload */
	size_t size;
};

/* A payload that waits in a lane. */
struct lane_item {
	struct lane_item *next;
	enum lane_form form;
	uint32_t session;
	bool begun;     /* its head is written, or in the batch */
	void *block;    /* skynet_malloc; the payload lies in it */
	const char *at; /* the rest of the payload */
	size_t size;    /* of that rest */
	size_t head_size, tail_size;
	char head[]; /* frames in front of the payload, then the tail behind it */
};

/* How a protocol sends parts. */
struct lane_framing {
	size_t part_size;   /* at most */
	uint32_t begun_max; /* payloads that may be begun and not complete; 0: any number */
	/// Writes the head of the next part of `item`. Returns its size, LANE_PART_HEAD at most.
	size_t (*part_head)(char *head, const struct lane_item *item, size_t size, bool last);
	/// True when two receivers, the lower halves of keys, may be the same.
	bool (*same_target)(uint32_t a, uint32_t b);
};

struct lane;

/* What is being written with one system call, or what the system has left of it. */
struct lane_batch {
	struct iovec pieces[LANE_BATCH_PIECES];
	int first, count;       /* the pieces that are left: from `first` to before `count` */
	size_t size;            /* bytes in them */
	char *frames;           /* skynet_malloc; the gathered frames among them */
	struct lane_item *done; /* payloads that are complete with this batch, to be freed then */
	char heads[LANE_BATCH_PARTS][LANE_PART_HEAD];
};

struct lane_output {
	const struct lane_framing *framing;
	struct skynet_context *context;
	int id;     /* of the socket */
	char *data; /* skynet_malloc; gathered frames */
	size_t size, capacity;
	size_t lane_size;  /* bytes of payloads that wait in lanes */
	struct lane *lane; /* the lane that had the last turn, in a ring. NULL: there is none */
	int64_t credit;    /* bytes of parts that may leave; INT64_MAX: the peer confirms nothing */
	int64_t window;    /* credit when all parts are confirmed */
	int64_t narrow;    /* the same, beside small messages */
	struct lane_mix mix; /* whether small messages travel beside parts */
	uint32_t begun;      /* payloads that are begun and not complete */
	uint32_t settled;    /* calls of lane_output_settle since the last write */
	bool answer_due;     /* a service here has got a small message since the last write */
	bool gave_way;       /* parts have just given way to the answers of such services */
	bool stalled;        /* the system takes no more, until lane_output_resume */
	bool failed;         /* writing has failed: the connection must be closed */
	bool deaf;           /* confirmations are not read now: credit does not count */
	struct lane_batch batch;
};

/// Prepares the output of socket `id`, which belongs to `context`. Borrows both and `framing` until
/// lane_output_fini, which drops what was not written.
void lane_output_init(struct lane_output *output, const struct lane_framing *framing,
	struct skynet_context *context, int id);
void lane_output_fini(struct lane_output *output);

/// Gathers a frame of `size` bytes. Returns the place for its bytes, which the caller fills in
/// before it calls any other function.
char *lane_output_append(struct lane_output *output, size_t size);

/// Gathers a frame: its head and `size` bytes behind it. Borrows both.
void lane_output_write(struct lane_output *output, const char *head, size_t head_size,
	const char *data, size_t size);

/// The key of a lane: sender in the upper half, receiver in the lower.
static inline uint64_t
lane_key(uint32_t sender, uint32_t target) {
	return (uint64_t)sender << 32 | target;
}

/// Puts a payload behind the others of its lane. Takes `payload->block`, borrows head and tail.
void lane_output_queue(struct lane_output *output, const struct lane_payload *payload);

/// True when a payload of `key` waits: later messages of that key must be queued behind it.
bool lane_output_holds(const struct lane_output *output, uint64_t key);

/// Drops the payload of `session`, unless it has been begun.
void lane_output_cancel(struct lane_output *output, uint32_t session);

/// The window for a line with this round trip (0: not known): what it carries meanwhile, but
/// LANE_WINDOW_WIDE at least and LANE_WINDOW_MAX at most.
int64_t lane_window(uint64_t round_trip_ns);

/// The peer confirms parts: from now on at most `window` bytes of them are unconfirmed.
void lane_output_set_window(struct lane_output *output, int64_t window);

/// Sets the narrow bound, which holds beside small messages, to what the line carries in a round
/// trip (0: not known). Only for a peer that confirms with lane_confirm, so often that it suffices.
void lane_output_set_narrow(struct lane_output *output, uint64_t round_trip_ns);

/// Counts a small message, which the caller has gathered. Both ends must count the same ones, or
/// the peer would confirm too seldom; small payloads in lanes are counted when they leave.
static inline void
lane_output_small(struct lane_output *output) {
	lane_mix_small(&output->mix);
}

/// The peer has confirmed `size` bytes of parts.
void lane_output_confirm(struct lane_output *output, uint32_t size);

/// A small message of the peer has been handed to a service of this node, which may answer at once.
static inline void
lane_output_expect_answer(struct lane_output *output) {
	output->answer_due = true;
}

/// True when the caller must not write now, because services have just got small messages and their
/// answers would wait behind the parts. Then the turn of the calling service ends, so that these
/// run first, and it gets a response that it need not know, after which it writes.
bool lane_output_gives_way(struct lane_output *output);

/// Writes, unless more messages wait for the calling service, which may add frames, or it gives
/// way. For the end of each message.
void lane_output_settle(struct lane_output *output);

/// Writes as much as the system takes, or until messages wait for the calling service.
void lane_output_flush(struct lane_output *output);

/// True when lane_output_flush would write something.
bool lane_output_ready(const struct lane_output *output);

/// The system takes bytes again. The caller writes.
void lane_output_resume(struct lane_output *output);

/// Hands all that waits to the queue of the socket, which sends it before it closes in order.
void lane_output_spill(struct lane_output *output);

/// Bytes that are gathered, in lanes or in the batch.
size_t lane_output_waiting(const struct lane_output *output);

#endif
