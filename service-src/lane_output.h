/* What a service writes to one connection between nodes.
 *
 * Small frames are gathered and leave together. Large payloads wait in lanes, one for each key, and
 * leave in parts, a part of each lane in turn; small frames pass between parts. Payloads of a
 * lane leave one after the other. Parts are written straight from the message that they belong to;
 * what the system does not take stays here, never in the queue of the socket. With a peer that
 * confirms parts, `credit` bounds those that are under way, so that what is sent next does not wait
 * behind them in buffers of the system. They also wait, once, for what services answer to small
 * messages that have just come. Alone they may fill the line well; beside small messages, and until
 * much has passed without one, they keep to what the line needs. One thread at a time.
 */
#ifndef SKYNET_LANE_OUTPUT_H
#define SKYNET_LANE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "lane_mix.h"
#include "skynet.h"

#define LANE_BATCH_PARTS  10 /* that leave in one system call */
#define LANE_BATCH_PIECES (4 * LANE_BATCH_PARTS + 1)
#define LANE_PART_HEAD    8 /* bytes */

/* Bytes of parts under way, where they are confirmed. */
#define LANE_WINDOW_WIDE   ((int64_t)524288) /* while there are no small messages */
#define LANE_WINDOW_NARROW ((int64_t)65536)  /* at least, otherwise */
#define LANE_LINE_NS_BYTE  4                 /* nanoseconds for a byte: as fast as most networks */

enum lane_form {
	LANE_WHOLE, /* head and tail have all that must be said */
	LANE_PARTS, /* cut into parts with a head of their own */
};

/* A payload that waits in a lane. */
struct lane_item {
	struct lane_item *next;
	enum lane_form form;
	uint32_t session;
	bool begun;     /* its head is out, or about to be */
	void *block;    /* skynet_malloc; the payload lies in it */
	const char *at; /* payload that is left */
	size_t size;    /* of it */
	size_t head_size, tail_size;
	char head[]; /* frames in front, and behind them what follows the payload */
};

/* What a protocol says about parts. */
struct lane_framing {
	size_t part_size;   /* at most */
	uint32_t begun_max; /* payloads of which some parts are out, 0: any number */
	/// Writes the head of the next part of `item`. Returns its size, LANE_PART_HEAD at most.
	size_t (*part_head)(char *head, const struct lane_item *item, size_t size, bool last);
	/// True when two receivers, the lower halves of keys, may be the same.
	bool (*same_target)(uint32_t a, uint32_t b);
};

struct lane;

/* What is being written. */
struct lane_batch {
	struct iovec pieces[LANE_BATCH_PIECES];
	int first, count;       /* those of `pieces` that are left */
	size_t size;            /* bytes in them */
	char *frames;           /* skynet_malloc; gathered frames in it */
	struct lane_item *done; /* ended with it */
	char heads[LANE_BATCH_PARTS][LANE_PART_HEAD];
};

struct lane_output {
	const struct lane_framing *framing;
	struct skynet_context *context;
	int id;     /* of the socket */
	char *data; /* skynet_malloc; frames that were gathered */
	size_t size, capacity;
	size_t lane_size;    /* bytes of the payloads that wait */
	struct lane *lane;   /* a ring; whose turn was last. NULL: none */
	int64_t credit;      /* bytes of parts that may leave; INT64_MAX: any number */
	int64_t window;      /* credit when nothing is under way */
	int64_t narrow;      /* the same, where small messages travel too */
	struct lane_mix mix; /* of what has left */
	uint32_t begun;      /* payloads of which some parts are out */
	uint32_t settled;    /* messages since it was written last */
	bool gave;           /* small messages to services here, since it was written last */
	bool waits;          /* for what these services answer */
	bool stalled;        /* the system takes no more, until lane_output_resume */
	bool failed;         /* the connection must be given up */
	bool deaf;           /* confirmations are not read now: credit does not count */
	struct lane_batch batch;
};

/// Borrows `framing`, until lane_output_fini, which drops what was not written.
void lane_output_init(struct lane_output *output, const struct lane_framing *framing,
	struct skynet_context *context, int id);
void lane_output_fini(struct lane_output *output);

/// Appends a frame of `size` bytes, which the caller writes before anything else. Borrowed.
char *lane_output_append(struct lane_output *output, size_t size);

/// Appends a frame: its head and `size` bytes behind it. Borrows both.
void lane_output_write(struct lane_output *output, const char *head, size_t head_size,
	const char *data, size_t size);

/// The key of a lane: sender in the upper half, receiver in the lower.
static inline uint64_t
lane_key(uint32_t sender, uint32_t target) {
	return (uint64_t)sender << 32 | target;
}

/// Puts a payload of `size` bytes at `at` into the lane of `key`, with frames in front (borrowed).
/// Takes `block`, in which the payload lies.
void lane_output_queue(struct lane_output *output, uint64_t key, enum lane_form form,
	uint32_t session, const char *head, size_t head_size, void *block, const char *at,
	size_t size);

/// As lane_output_queue, a frame whose payload, of all of `block`, stands between head and tail.
void lane_output_queue_frame(struct lane_output *output, uint64_t key, const char *head,
	size_t head_size, const char *tail, size_t tail_size, void *block, size_t size);

/// True when something of `key` waits: what follows must wait behind it.
bool lane_output_waits(const struct lane_output *output, uint64_t key);

/// Takes back the payload of `session` unless it has been begun.
void lane_output_cancel(struct lane_output *output, uint32_t session);

/// The peer confirms parts: their number is bounded by `window` from now on.
void lane_output_set_window(struct lane_output *output, int64_t window);

/// Less may be under way where small messages travel too: what the line carries in a round trip, as
/// long as `round_trip_ns`; 0: not known. Such a peer uses lane_confirm.
void lane_output_set_narrow(struct lane_output *output, uint64_t round_trip_ns);

/// A small message has been written with lane_output_write. Those in lanes are noticed anyway, when
/// they leave: the peer must know of it, or it would not confirm often enough.
static inline void
lane_output_small(struct lane_output *output) {
	lane_mix_small(&output->mix);
}

/// The peer has confirmed `size` bytes of parts.
void lane_output_confirm(struct lane_output *output, uint32_t size);

/// A small message of the peer has been passed on to a service of this node.
static inline void
lane_output_gave(struct lane_output *output) {
	output->gave = true;
}

/// True when parts should not be written yet: services that got small messages may answer at once,
/// and the answers would have to wait until the parts are through. Then the turn of this service
/// has been ended, and it gets another message, which means nothing, after them.
bool lane_output_gives_way(struct lane_output *output);

/// Writes unless more messages wait for the service, then more may be gathered, or it gives way.
void lane_output_settle(struct lane_output *output);

/// Writes now.
void lane_output_flush(struct lane_output *output);

/// True when lane_output_flush would write something.
bool lane_output_ready(const struct lane_output *output);

/// The system takes bytes again.
void lane_output_resume(struct lane_output *output);

/// Hands all that waits to the queue of the socket, before it is closed in order.
void lane_output_spill(struct lane_output *output);

/// Bytes that wait.
size_t lane_output_waiting(const struct lane_output *output);

#endif
