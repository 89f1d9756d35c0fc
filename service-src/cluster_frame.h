/* Frames of the cluster protocol: how requests and responses are laid out behind their 2-byte
 * length. No memory and no state; what is parsed points into the input. Bytes are hostile: every
 * size is checked. Integers are little endian, the length in front is big endian.
 */
#ifndef SKYNET_CLUSTER_FRAME_H
#define SKYNET_CLUSTER_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLUSTER_PART_SIZE    ((size_t)32768)
#define CLUSTER_NAME_MAX     255
#define CLUSTER_HEAD_MAX     272                     /* of any frame, with its length */
#define CLUSTER_MESSAGE_MAX  ((size_t)1 << 30)       /* payload in parts */
#define CLUSTER_REQUEST_MAX  (CLUSTER_PART_SIZE - 1) /* payload of a request in one frame */
#define CLUSTER_RESPONSE_MAX CLUSTER_PART_SIZE       /* payload of a response in one frame */

#define CLUSTER_TARGET_FORM 30 /* shift of the form of an address in a target */

/* Between nodes that have found each other to know it. A peer is asked with a name query for
 * CLUSTER_PROBE_NAME under the session CLUSTER_PROBE: other nodes answer with an error. Behind the
 * name stand the window (bytes of parts that may be unconfirmed) and the identity of the sender, by
 * which a connection is known to follow an earlier one; the answer is the packed name,
 * CLUSTER_PROBE_VERSION and zeros. The same question under the session CLUSTER_FENCE is answered in
 * any way once all requests before it have been handed to their receivers. Extra frames are
 * requests of type 5, and an answer to CLUSTER_CONFIRM.
 */
#define CLUSTER_PROBE         UINT32_C(0xffffffff)
#define CLUSTER_CONFIRM       UINT32_C(0xfffffffe)
#define CLUSTER_FENCE         UINT32_C(0xfffffffd)
#define CLUSTER_PROBE_NAME    "__skynet_peer"
#define CLUSTER_PROBE_VERSION 1
#define CLUSTER_PROBE_SIZE    29 /* packed: name, number, two halves of an identity */

/* Whom a request is for: a name, or a handle when `name` is NULL. Handle 0 asks for a name. */
struct cluster_address {
	uint32_t handle;
	const char *name; /* not ended by NUL */
	size_t name_size; /* up to CLUSTER_NAME_MAX */
};

enum cluster_request_kind {
	CLUSTER_REQUEST, /* with its whole payload */
	CLUSTER_BEGIN,   /* parts follow */
	CLUSTER_PART,    /* of a payload */
	CLUSTER_LAST,    /* part of a payload */
	CLUSTER_TRACE,   /* tag of the next request */
	CLUSTER_EXTRA,   /* `extra` and `total`, for nodes that know it */
};

enum cluster_extra {
	CLUSTER_EXTRA_DEADLINE = 1, /* milliseconds left for the next request */
	CLUSTER_EXTRA_CONFIRM = 2,  /* bytes of parts of answers that have been read */
};

struct cluster_request {
	enum cluster_request_kind kind;
	bool push; /* nobody waits for an answer (not known in parts) */
	struct cluster_address to;
	uint32_t session;
	uint32_t total;   /* CLUSTER_BEGIN: size of all parts; CLUSTER_EXTRA: its value */
	uint8_t extra;    /* CLUSTER_EXTRA: enum cluster_extra, or a later one */
	const char *data; /* payload, part or tag */
	size_t size;
};

enum cluster_response_kind {
	CLUSTER_ANSWER_ERROR,
	CLUSTER_ANSWER_OK,
	CLUSTER_ANSWER_BEGIN,
	CLUSTER_ANSWER_PART,
	CLUSTER_ANSWER_LAST,
};

struct cluster_response {
	enum cluster_response_kind kind;
	uint32_t session;
	uint32_t total; /* CLUSTER_ANSWER_BEGIN */
	const char *data;
	size_t size;
};

/// What order goes by: the upper two bits tell a handle, "@name", ".name" and other names apart,
/// the rest is a hash.
uint32_t cluster_target(const struct cluster_address *address);

/// True when two targets may be the same service: they are equal, or of different forms.
static inline bool
cluster_targets_meet(uint32_t a, uint32_t b) {
	return a == b || a >> CLUSTER_TARGET_FORM != b >> CLUSTER_TARGET_FORM;
}

/// Reads the first value of a packed message as an address. Returns the bytes used, 0 when it is
/// not an address.
size_t cluster_address_read(const char *bytes, size_t size, struct cluster_address *address);

/// Parses a request without its length. Returns false when it is malformed. Borrows `frame`.
bool cluster_request_parse(const char *frame, size_t size, struct cluster_request *request);

/// Parses a response without its length. Returns false when it is malformed. Borrows `frame`.
bool cluster_response_parse(const char *frame, size_t size, struct cluster_response *response);

/// Writes the head of a request with `size` bytes of payload: of the one frame, or for more than
/// CLUSTER_REQUEST_MAX all of the begin frame. Returns its size, at most CLUSTER_HEAD_MAX.
size_t cluster_head_request(
	char *head, const struct cluster_address *to, bool push, uint32_t session, size_t size);

/// Writes the head of a part of a request.
size_t cluster_head_part(char *head, uint32_t session, size_t size, bool last);

/// Writes the head of a trace tag of `size` bytes.
size_t cluster_head_trace(char *head, size_t size);

/// Writes all of a CLUSTER_EXTRA.
size_t cluster_head_extra(char *head, enum cluster_extra extra, uint32_t value);

/// Packs the probe name, a number and an identity: CLUSTER_PROBE_SIZE bytes.
void cluster_probe_pack(char *payload, uint32_t number, uint64_t identity);

/// Reads what cluster_probe_pack wrote, and whatever stands behind it. Returns false for anything
/// else.
bool cluster_probe_unpack(const char *payload, size_t size, uint32_t *number, uint64_t *identity);

/// Writes all of a confirmation of `size` bytes of parts of requests.
size_t cluster_head_confirm(char *head, uint32_t size);

/// Reads a response under CLUSTER_CONFIRM. Returns false when it is none.
bool cluster_confirm_read(const struct cluster_response *response, uint32_t *size);

/// Writes the head of a response with `size` bytes of content.
size_t cluster_head_response(
	char *head, uint32_t session, enum cluster_response_kind kind, size_t size);

/// Writes all of a CLUSTER_ANSWER_BEGIN.
size_t cluster_head_response_begin(char *head, uint32_t session, uint32_t total);

#endif
